//! Reading the journal back: after a start from a checkpoint, and in replay.

use std::path::{Path, PathBuf};

use super::format::{Damage, Header};
use super::segment::{Segment, Step};
use super::{EXTENSION, Frame, JournalError};
use crate::files;

/// The frames of a journal in order, across segments; holds one frame in memory at a time.
///
/// May read while a [`Writer`](super::Writer) writes: an unfinished frame at the very end counts as
/// not there yet, and a later call finds it. After an error it ends.
pub struct Reader {
    dir: PathBuf,
    from: u64,
    segment: Segment,
    /// The segment behind this one, once it is there: from then on this one grows no more.
    following: Option<(u64, PathBuf)>,
    failed: bool,
}

impl Reader {
    /// Opens the journal in `dir` in front of the frame `from`.
    ///
    /// `from` may be the position behind the last frame; then there is nothing to read yet.
    ///
    /// # Errors
    ///
    /// [`JournalError::Missing`] when the journal begins later. When it ends earlier, the first
    /// call of `next` says so.
    pub fn open(dir: &Path, from: u64) -> Result<Self, JournalError> {
        let segments = files::numbered(dir, EXTENSION)?;
        let nearest = segments.first().map(|(first, _)| *first);
        let holds = segments.into_iter().rev().find(|(first, _)| *first <= from);
        let (first, path) =
            holds.ok_or_else(|| JournalError::Missing { dir: dir.to_path_buf(), wanted: from, nearest })?;
        let segment = Segment::open(&path, first)?;
        Ok(Self { dir: dir.to_path_buf(), from, segment, following: None, failed: false })
    }

    /// The header of the segment that is being read: its seeds are the journal's.
    pub fn header(&self) -> &Header {
        &self.segment.header
    }

    fn read(&mut self) -> Result<Option<Frame>, JournalError> {
        loop {
            match self.segment.step()? {
                Step::Frame(head) if head.position < self.from => {}
                Step::Frame(head) => return self.unpack(head).map(Some),
                // Looked at twice: what was appended before the next segment began is there now.
                Step::End | Step::Cut(_) if self.following.is_none() => {
                    self.following = self.find_following()?;
                    if self.following.is_none() {
                        return self.end();
                    }
                }
                Step::Bad(damage) | Step::Cut(damage) => return Err(self.segment.damaged(damage)),
                Step::End => self.cross()?,
            }
        }
    }

    fn unpack(&self, head: super::format::Head) -> Result<Frame, JournalError> {
        let body = &self.segment.frame[super::format::HEAD_LEN..];
        head.into_frame(body).map_err(|damage| self.segment.damaged(damage))
    }

    fn find_following(&self) -> Result<Option<(u64, PathBuf)>, JournalError> {
        let this = self.segment.header.first_position;
        Ok(files::numbered(&self.dir, EXTENSION)?.into_iter().find(|(first, _)| *first > this))
    }

    /// Goes on with the following segment, if it begins where this one has ended.
    fn cross(&mut self) -> Result<(), JournalError> {
        let Some((first, path)) = self.following.take() else { return Ok(()) };
        if first != self.segment.next {
            return Err(self.missing(self.segment.next, first));
        }
        let segment = Segment::open(&path, first)?;
        check_seam(&self.segment, &segment)?;
        self.segment = segment;
        Ok(())
    }

    /// At the end of the journal, nothing is missing only if `from` was reached.
    fn end(&self) -> Result<Option<Frame>, JournalError> {
        if self.segment.next < self.from {
            return Err(self.missing(self.from, self.segment.next.saturating_sub(1)));
        }
        Ok(None)
    }

    fn missing(&self, wanted: u64, nearest: u64) -> JournalError {
        JournalError::Missing { dir: self.dir.clone(), wanted, nearest: Some(nearest) }
    }
}

/// Whether `after` was begun by the writer who had ended `before`.
fn check_seam(before: &Segment, after: &Segment) -> Result<(), JournalError> {
    let (old, new) = (&before.header, &after.header);
    let same = old.seeds == new.seeds && old.identity.node == new.identity.node;
    if new.link == before.link() && same {
        return Ok(());
    }
    let expected = format!("the segment that follows {}", before.path.display());
    Err(JournalError::damaged(&after.path, 0, Damage::new(expected, "one that follows another")))
}

impl Iterator for Reader {
    type Item = Result<Frame, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        read.transpose()
    }
}
