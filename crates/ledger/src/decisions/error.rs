//! What can be wrong with the ledger.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{EVENT_LEN_MAX, EventId, NODE_LEN_MAX};
use crate::StoreError;

/// An event that is not taken, or a ledger that cannot be used.
///
/// Nothing of the group was stored.
#[non_exhaustive]
#[derive(Debug)]
pub enum LedgerError {
    /// The store as a whole: disk, version, file system.
    Store(StoreError),
    /// An event does not follow the one before. The caller's doing, or the peer's.
    OutOfChain {
        /// The event.
        event: EventId,
        /// What should be there.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A different event with this id is here already. Two hosts have one name, or someone lies.
    Conflict {
        /// The id that both claim.
        event: EventId,
        /// The hash of ours, in hex.
        kept: String,
        /// The hash of theirs, in hex.
        got: String,
    },
    /// An event from outside claims to be ours, of the life that we are living.
    OwnLife {
        /// Its id.
        event: EventId,
    },
    /// An event is longer than [`EVENT_LEN_MAX`].
    TooLong {
        /// The event.
        event: EventId,
        /// Its bytes.
        got: usize,
    },
    /// A node's name is not 1 to [`NODE_LEN_MAX`] printable ASCII characters.
    BadNode {
        /// The name; cut and made printable.
        got: String,
    },
    /// The ledger belongs to another node. The operator's doing.
    OtherNode {
        /// The database.
        file: PathBuf,
        /// The node that asked.
        expected: String,
        /// The node that it belongs to.
        got: String,
    },
}

impl LedgerError {
    /// Turns what SQLite said about `file` into words.
    pub(super) fn sqlite(file: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let in_words = StoreError::sqlite(file);
        move |error| Self::Store(in_words(error))
    }
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::OutOfChain { event, expected, got } => {
                write!(f, "event {event}: expected {expected}, but got {got}")
            }
            Self::Conflict { event, kept, got } => write!(
                f,
                "event {event}: expected hash {kept}, as we have it, but got {got}; look for two hosts \
                 with the name {}",
                event.node.escape_debug()
            ),
            Self::OwnLife { event } => write!(
                f,
                "event {event} came from outside, but this host is the one that writes it; look for \
                 another host with our name, or restore with a higher life"
            ),
            Self::TooLong { event, got } => {
                write!(f, "event {event}: expected at most {EVENT_LEN_MAX} bytes, but got {got}")
            }
            Self::BadNode { got } => write!(
                f,
                "expected a node name of 1 to {NODE_LEN_MAX} printable ASCII characters, but got {got}"
            ),
            Self::OtherNode { file, expected, got } => write!(
                f,
                "{}: expected the ledger of node {expected}, but got that of {got}; correct the node's \
                 name in the configuration, or name another data directory",
                file.display()
            ),
        }
    }
}

impl Error for LedgerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}
