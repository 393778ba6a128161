//! What can be wrong with a journal.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use super::format::Damage;
use crate::StoreError;

/// A journal that cannot be written or read on.
#[non_exhaustive]
#[derive(Debug)]
pub enum JournalError {
    /// The store as a whole: disk, version, file system.
    Store(StoreError),
    /// Bytes that were whole once are not what they were. The disk's doing, or a person's.
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where in it the damaged frame or header begins.
        offset: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A frame is not there (any more, or yet).
    Missing {
        /// The journal's directory.
        dir: PathBuf,
        /// The position that was asked for.
        wanted: u64,
        /// The nearest position that there is; `None` in an empty journal.
        nearest: Option<u64>,
    },
    /// The journal belongs to another site or node. The operator's doing.
    OtherNode {
        /// The segment that says so.
        file: PathBuf,
        /// The site and node that asked.
        expected: String,
        /// The site and node in the header.
        got: String,
    },
    /// A site's or node's name has no place in the header. The operator's doing.
    BadName {
        /// The name; cut and made printable.
        got: String,
    },
    /// A frame does not follow the one before. The caller's doing.
    OutOfOrder {
        /// The position that follows.
        expected: u64,
        /// The position of the frame.
        got: u64,
    },
    /// A frame holds more than [`INPUTS_LEN_MAX`](super::INPUTS_LEN_MAX). The caller's doing.
    TooLong {
        /// The bytes of its inputs.
        got: usize,
        /// The most that it may hold.
        max: usize,
    },
    /// An earlier write or sync failed such that nobody knows what is on the disk.
    Broken {
        /// The segment.
        file: PathBuf,
    },
}

impl JournalError {
    pub(super) fn damaged(file: &Path, offset: u64, damage: Damage) -> Self {
        let Damage { expected, got } = damage;
        Self::Damaged { file: file.to_path_buf(), offset, expected, got }
    }
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Damaged { file, offset, expected, got } => write!(
                f,
                "{} at byte {offset}: expected {expected}, but got {got}; keep the file for inquiry and move the \
                 journal's directory away: decisions stay, and the engine goes on from its newest checkpoint",
                file.display()
            ),
            Self::Missing { dir, wanted, nearest: Some(nearest) } => write!(
                f,
                "{}: expected frame {wanted}, but the nearest is {nearest}; go on from a checkpoint \
                 that it reaches",
                dir.display()
            ),
            Self::Missing { dir, wanted, nearest: None } => {
                write!(f, "{}: expected frame {wanted}, but the journal is empty", dir.display())
            }
            Self::OtherNode { file, expected, got } => write!(
                f,
                "{}: expected the journal of {expected}, but got that of {got}; correct the node's name in \
                 the configuration, or name another data directory",
                file.display()
            ),
            Self::BadName { got } => write!(
                f,
                "expected a site or node name of 1 to {} printable ASCII characters, but got {got}",
                super::NAME_LEN_MAX
            ),
            Self::OutOfOrder { expected, got } => write!(f, "expected frame {expected}, but got {got}"),
            Self::TooLong { got, max } => {
                write!(f, "expected at most {max} bytes of inputs in a frame, but got {got}")
            }
            Self::Broken { file } => write!(
                f,
                "{}: an earlier write failed, and what reached the disk is not known; \
                 start mailward again, it repairs the end",
                file.display()
            ),
        }
    }
}

impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}
