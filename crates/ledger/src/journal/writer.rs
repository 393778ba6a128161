//! Writing the journal: append, sync, rotate, and repair after a crash.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::mem;
use std::path::{Path, PathBuf};

use super::format::{Encoder, Header, INPUTS_LEN_MAX, is_name, link_of};
use super::retention::is_past;
use super::segment::{Closed, Segment, Step, was_acknowledged};
use super::{Birth, EXTENSION, Frame, Identity, JournalError, Options};
use crate::files::{self, quote};
use crate::{DataDir, StoreError};

/// What [`Writer::open`] had to cut off: frames that were never synced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Repair {
    /// The segment.
    pub file: PathBuf,
    /// The bytes cut off its end.
    pub cut_bytes: u64,
}

/// The one writer of a journal.
///
/// Writing and syncing are apart, so that one [`sync`](Writer::sync) makes a group of frames
/// durable. Only frames up to [`synced`](Writer::synced) may have consequences.
pub struct Writer {
    /// Holds the lock as long as somebody can write.
    _store: DataDir,
    dir: PathBuf,
    options: Options,
    closed: VecDeque<Closed>,
    current: Current,
    /// The position of the frame that follows.
    next: u64,
    /// The position up to which all is durable.
    synced: u64,
    /// The bytes of the last frame of this segment; empty before the first.
    last: Vec<u8>,
    encoder: Encoder,
    /// A failure left the file in a state that we do not know.
    broken: bool,
}

/// The segment that is being written.
struct Current {
    path: PathBuf,
    file: File,
    header: Header,
    crc: u32,
    bytes: u64,
}

impl Writer {
    /// Opens the journal of `store`, or creates it as `birth` says, at wall time `now_ms`.
    ///
    /// Cuts a torn tail and returns what it cut. A new life begins a new segment.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] when a frame that was acknowledged is damaged (nothing is cut
    /// then), [`JournalError::OtherNode`] when another site or node wrote the journal.
    pub fn open(
        store: &DataDir,
        identity: &Identity,
        birth: Birth,
        options: Options,
        now_ms: u64,
    ) -> Result<(Self, Option<Repair>), JournalError> {
        check_names(identity)?;
        let dir = store.journal();
        files::create_private_dir(&dir)?;
        files::remove_leftovers(&dir)?;
        let mut segments = files::numbered(&dir, EXTENSION)?;
        let Some((first, path)) = segments.pop() else {
            let current = Current::create(&dir, &Header::new(identity.clone(), birth, now_ms))?;
            let next = current.header.first_position;
            return Ok((Self::new(store, options, current, next, Vec::new())?, None));
        };
        let (segment, repair) = repair(&path, first)?;
        check_owner(&segment, identity)?;
        let (current, next, last) = Current::resume(segment)?;
        let mut writer = Self::new(store, options, current, next, last)?;
        for (first, path) in segments {
            writer.closed.push_back(Closed::find(path, first)?);
        }
        if writer.header().identity.life != identity.life {
            writer.begin_segment(identity.clone(), now_ms)?;
        }
        Ok((writer, repair))
    }

    fn new(
        store: &DataDir,
        options: Options,
        current: Current,
        next: u64,
        last: Vec<u8>,
    ) -> Result<Self, JournalError> {
        let (store, dir) = (store.clone(), store.journal());
        let encoder = Encoder::new().map_err(StoreError::io(&dir, "set up compression for"))?;
        let (closed, synced) = (VecDeque::new(), next.saturating_sub(1));
        Ok(Self { _store: store, dir, options, closed, current, next, synced, last, encoder, broken: false })
    }

    /// The position that the next frame must have.
    pub fn next_position(&self) -> u64 {
        self.next
    }

    /// The position up to which all frames are durable; 0 before the first.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// The header of the segment that is being written: its seeds are the journal's.
    pub fn header(&self) -> &Header {
        &self.current.header
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn closed(&mut self) -> &mut VecDeque<Closed> {
        &mut self.closed
    }

    pub(super) fn current_bytes(&self) -> u64 {
        self.current.bytes
    }

    /// Appends a frame; it is durable only after the next [`sync`](Writer::sync).
    ///
    /// Begins a new segment when this one is full, or older by the frame's wall time than allowed.
    ///
    /// # Errors
    ///
    /// After [`StoreError::Full`] the journal ends behind the frame before, and the same frame may
    /// be appended again. After [`JournalError::Broken`] only a new start helps.
    pub fn append(&mut self, frame: &Frame) -> Result<(), JournalError> {
        self.check(frame)?;
        self.encoder.encode(frame).map_err(StoreError::io(&self.current.path, "compress for"))?;
        if self.is_full_for(frame) {
            self.begin_segment(self.current.header.identity.clone(), frame.wall_ms)?;
        }
        self.encoder.seal(self.synced, self.current.crc);
        self.write()?;
        mem::swap(&mut self.last, &mut self.encoder.frame);
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    fn check(&self, frame: &Frame) -> Result<(), JournalError> {
        self.check_unbroken()?;
        if frame.position != self.next {
            return Err(JournalError::OutOfOrder { expected: self.next, got: frame.position });
        }
        let got = frame.inputs.len();
        if got > INPUTS_LEN_MAX {
            return Err(JournalError::TooLong { got, max: INPUTS_LEN_MAX });
        }
        Ok(())
    }

    fn check_unbroken(&self) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken { file: self.current.path.clone() });
        }
        Ok(())
    }

    fn is_full_for(&self, frame: &Frame) -> bool {
        let Current { bytes, header, .. } = &self.current;
        let too_large = bytes + self.encoder.frame.len() as u64 > self.options.segment_bytes_max;
        let too_old = is_past(header.begun_ms, self.options.segment_age_max, frame.wall_ms);
        !self.last.is_empty() && (too_large || too_old)
    }

    fn write(&mut self) -> Result<(), JournalError> {
        let Current { path, file, bytes, .. } = &mut self.current;
        if let Err(error) = file.write_all(&self.encoder.frame) {
            // A part may be there; behind it nothing could ever be read.
            self.broken = file.set_len(*bytes).is_err();
            return Err(StoreError::io(path, "write")(error).into());
        }
        *bytes += self.encoder.frame.len() as u64;
        Ok(())
    }

    /// Makes all appended frames durable.
    ///
    /// # Errors
    ///
    /// A failure is final: the kernel may have dropped the pages, and a second attempt would
    /// succeed without them. Start again; the torn tail is cut then.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.check_unbroken()?;
        let last = self.next.saturating_sub(1);
        if self.synced < last {
            let synced = self.current.file.sync_data();
            self.broken = synced.is_err();
            synced.map_err(StoreError::io(&self.current.path, "sync"))?;
            self.synced = last;
        }
        Ok(())
    }

    /// Ends this segment and begins the next one.
    fn begin_segment(&mut self, identity: Identity, begun_ms: u64) -> Result<(), JournalError> {
        self.sync()?;
        let link = if self.last.is_empty() { self.header().link } else { link_of(&self.last) };
        let seeds = self.header().seeds;
        let header = Header { identity, first_position: self.next, begun_ms, seeds, link };
        let current = Current::create(&self.dir, &header).inspect_err(|_| {
            // Half begun, and we do not know how far: two segments would claim the next frame.
            self.broken = files::is_taken(&files::numbered_path(&self.dir, self.next, EXTENSION));
        })?;
        let ended = mem::replace(&mut self.current, current);
        // A segment without frames had the same name as the new one, and is gone.
        if !self.last.is_empty() {
            self.closed.push_back(ended.close());
        }
        self.last.clear();
        Ok(())
    }
}

impl Current {
    fn create(dir: &Path, header: &Header) -> Result<Self, JournalError> {
        let path = files::numbered_path(dir, header.first_position, EXTENSION);
        files::write_whole(&path, &[&header.encode()])?;
        let first = header.first_position;
        Self::resume(Segment::open(&path, first)?).map(|(current, ..)| current)
    }

    /// Goes on behind the last whole frame of `segment`; with the next position and that frame.
    fn resume(segment: Segment) -> Result<(Self, u64, Vec<u8>), JournalError> {
        let Segment { path, header, crc, offset, next, frame, .. } = segment;
        let file = OpenOptions::new().append(true).open(&path).map_err(StoreError::io(&path, "open"))?;
        Ok((Self { path, file, header, crc, bytes: offset }, next, frame))
    }

    fn close(self) -> Closed {
        let Header { first_position, begun_ms, .. } = self.header;
        Closed { path: self.path, first_position, begun_ms: Some(begun_ms), bytes: self.bytes }
    }
}

fn check_names(identity: &Identity) -> Result<(), JournalError> {
    match [&identity.site, &identity.node].into_iter().find(|name| !is_name(name)) {
        None => Ok(()),
        Some(bad) => Err(JournalError::BadName { got: quote(bad.as_bytes()) }),
    }
}

fn check_owner(segment: &Segment, identity: &Identity) -> Result<(), JournalError> {
    let named = |identity: &Identity| format!("site {}, node {}", identity.site, identity.node);
    let (expected, got) = (named(identity), named(&segment.header.identity));
    if expected != got {
        return Err(JournalError::OtherNode { file: segment.path.clone(), expected, got });
    }
    Ok(())
}

/// Reads the last segment to the end of its whole frames, and cuts what is torn behind them.
///
/// Everything that is left is durable on return: after a killed process it may not have been.
fn repair(path: &Path, first: u64) -> Result<(Segment, Option<Repair>), JournalError> {
    let mut segment = Segment::open(path, first)?;
    let torn = read_to_end(&mut segment)?;
    let file = OpenOptions::new().write(true).open(path).map_err(StoreError::io(path, "open"))?;
    file.set_len(segment.offset).map_err(StoreError::io(path, "cut"))?;
    file.sync_all().map_err(StoreError::io(path, "sync"))?;
    let repair = (torn > 0).then(|| Repair { file: path.to_path_buf(), cut_bytes: torn });
    Ok((segment, repair))
}

/// Reads all whole frames; returns how many bytes are torn behind them.
fn read_to_end(segment: &mut Segment) -> Result<u64, JournalError> {
    loop {
        match segment.step()? {
            Step::Frame(_) => {}
            Step::End => return Ok(0),
            Step::Cut(damage) | Step::Bad(damage) => {
                let rest = segment.rest()?;
                if was_acknowledged(segment.next, &rest, segment.crc) {
                    return Err(segment.damaged(damage));
                }
                return Ok(rest.len() as u64);
            }
        }
    }
}
