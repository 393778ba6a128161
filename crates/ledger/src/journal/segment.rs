//! One segment, read from front to back: whole frames, and what comes instead of one.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::mem;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::format::{Damage, FORMAT, HEAD_LEN, HEADER_LEN, Head, Header, HeaderError, link_of};
use crate::StoreError;

/// What stands at the place of the next frame.
pub(super) enum Step {
    /// A whole frame; [`Segment::frame`] has its bytes.
    Frame(Head),
    /// The end of the file, exactly behind a frame.
    End,
    /// A frame that the end of the file cuts off.
    Cut(Damage),
    /// Bytes that are no frame, or not the one that follows.
    Bad(Damage),
}

/// A segment that is being read.
pub(super) struct Segment {
    file: BufReader<File>,
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// The header's CRC, which every frame's CRC begins with.
    pub(super) crc: u32,
    /// The end of the last whole frame.
    pub(super) offset: u64,
    /// The position of the frame that follows.
    pub(super) next: u64,
    /// The bytes of the last whole frame; empty before the first.
    pub(super) frame: Vec<u8>,
    pending: Vec<u8>,
}

impl Segment {
    /// Opens the segment whose name is the number `first`.
    pub(super) fn open(path: &Path, first: u64) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(StoreError::io(path, "open"))?;
        let mut file = BufReader::new(file);
        let (header, crc) = read_header(&mut file, path)?;
        if header.first_position != first {
            let damage = Damage::new(format!("first frame {first}"), header.first_position.to_string());
            return Err(JournalError::damaged(path, 0, damage));
        }
        Ok(Self {
            file,
            path: path.to_path_buf(),
            header,
            crc,
            offset: HEADER_LEN as u64,
            next: first,
            frame: Vec::new(),
            pending: Vec::new(),
        })
    }

    /// Reads the next frame. What is not a whole frame is looked at again by the next call.
    pub(super) fn step(&mut self) -> Result<Step, JournalError> {
        let step = self.try_step().map_err(StoreError::io(&self.path, "read"))?;
        if let Step::Frame(_) = step {
            mem::swap(&mut self.frame, &mut self.pending);
            self.offset += self.frame.len() as u64;
            self.next = self.next.saturating_add(1);
        } else {
            self.file.seek(SeekFrom::Start(self.offset)).map_err(StoreError::io(&self.path, "seek in"))?;
        }
        Ok(step)
    }

    fn try_step(&mut self) -> std::io::Result<Step> {
        self.pending.clear();
        if !self.fill(HEAD_LEN)? {
            return Ok(if self.pending.is_empty() { Step::End } else { Step::Cut(self.cut(HEAD_LEN)) });
        }
        let mut bytes = [0; HEAD_LEN];
        bytes.copy_from_slice(&self.pending);
        let head = match Head::decode(&bytes) {
            Ok(head) => head,
            Err(damage) => return Ok(Step::Bad(damage)),
        };
        let length = HEAD_LEN + head.body_len;
        if !self.fill(length)? {
            return Ok(Step::Cut(self.cut(length)));
        }
        Ok(self.judge(head).map_or_else(Step::Bad, |()| Step::Frame(head)))
    }

    fn judge(&self, head: Head) -> Result<(), Damage> {
        head.check(&self.pending, self.crc)?;
        if head.position != self.next {
            return Err(Damage::new(format!("frame {}", self.next), head.position.to_string()));
        }
        Ok(())
    }

    /// Reads on until there are `length` pending bytes, and says whether there are.
    fn fill(&mut self, length: usize) -> std::io::Result<bool> {
        let wanted = length - self.pending.len();
        (&mut self.file).take(wanted as u64).read_to_end(&mut self.pending)?;
        Ok(self.pending.len() == length)
    }

    fn cut(&self, length: usize) -> Damage {
        Damage::new(format!("{length} bytes of frame {}", self.next), self.pending.len().to_string())
    }

    /// All that stands behind the last whole frame; at most a segment.
    pub(super) fn rest(&mut self) -> Result<Vec<u8>, JournalError> {
        let mut rest = Vec::new();
        self.file.read_to_end(&mut rest).map_err(StoreError::io(&self.path, "read"))?;
        Ok(rest)
    }

    /// What the next segment's header says of this one.
    pub(super) fn link(&self) -> [u8; 32] {
        if self.frame.is_empty() { self.header.link } else { link_of(&self.frame) }
    }

    /// The error that names the place behind the last whole frame.
    pub(super) fn damaged(&self, damage: Damage) -> JournalError {
        JournalError::damaged(&self.path, self.offset, damage)
    }
}

/// Reads the header in front of `file`, which is `path`.
fn read_header(file: &mut impl Read, path: &Path) -> Result<(Header, u32), JournalError> {
    let mut bytes = [0; HEADER_LEN];
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            let damage = Damage::new(format!("a header of {HEADER_LEN} bytes"), "a shorter file");
            return Err(JournalError::damaged(path, 0, damage));
        }
        read => read.map_err(StoreError::io(path, "read"))?,
    }
    Header::decode(&bytes).map_err(|error| match error {
        HeaderError::Damage(damage) => JournalError::damaged(path, 0, damage),
        HeaderError::Newer(found) => {
            let (found, understood) = (u32::from(found), u32::from(FORMAT));
            StoreError::Newer { file: path.to_path_buf(), found, understood }.into()
        }
    })
}

/// A segment that is not written any more.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) path: PathBuf,
    pub(super) first_position: u64,
    /// `None` when its header cannot be read: then age alone never removes the one before.
    pub(super) begun_ms: Option<u64>,
    pub(super) bytes: u64,
}

impl Closed {
    /// Looks at the segment from outside. Damage in it is for the reader to find, and no reason
    /// not to write.
    pub(super) fn find(path: PathBuf, first_position: u64) -> Result<Self, JournalError> {
        let bytes = fs::metadata(&path).map_err(StoreError::io(&path, "look at"))?.len();
        let begun_ms = Segment::open(&path, first_position).ok().map(|segment| segment.header.begun_ms);
        Ok(Self { path, first_position, begun_ms, bytes })
    }
}

/// Whether a whole frame in `rest` was written after `damaged` had been synced.
///
/// `rest` begins with the damaged frame. Bytes that a peer sent do not count as a frame, for their
/// sender does not know the header's CRC.
pub(super) fn was_acknowledged(damaged: u64, rest: &[u8], begun: u32) -> bool {
    (1..rest.len()).any(|at| proves(&rest[at..], damaged, begun))
}

fn proves(bytes: &[u8], damaged: u64, begun: u32) -> bool {
    // Nearly every place fails here, at no cost.
    if !matches!(bytes.get(8..12), Some([0 | 1, 0, 0, 0])) {
        return false;
    }
    let Some(Ok(head)) = bytes.first_chunk().map(Head::decode) else { return false };
    let later = head.position > damaged && head.synced >= damaged;
    later && bytes.get(..HEAD_LEN + head.body_len).is_some_and(|frame| head.check(frame, begun).is_ok())
}
