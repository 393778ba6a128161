//! Decisions for ever: events chained by hashes, and beside them what may be forgotten.
//!
//! One SQLite file, in WAL mode with every commit synced. An event's bytes are stored as they came
//! and never rewritten; what they mean is not our business. Each event carries the hash of the one
//! before in the same node and life, so that a changed, missing or added one shows
//! ([`verify()`]). What must be erasable (evidence, notes) stands in rows of its own that hashed
//! bytes know only as a salted commitment.
//!
//! Not here: the meaning of events (model), their order across hosts (the cluster driver, which
//! implements [`EventStore`] too).

mod backup;
mod chain;
mod error;
mod evidence;
pub(crate) mod schema;
mod sqlite;
mod verify;

use std::fmt;

pub use backup::{backup, restore};
pub use chain::Misfit;
pub use error::LedgerError;
pub use sqlite::SqliteLedger;
pub use verify::{FirstBad, Verified, VerifyError, verify};

/// The most bytes of one event. Events hold numbers, keys and hashes, no texts: a kilobyte is a
/// large one, and a peer host gets no more than this.
pub const EVENT_LEN_MAX: usize = 64 * 1024;

/// The most bytes of a node's name.
pub const NODE_LEN_MAX: usize = 32;

/// Which event: the `seq`-th of a node's life, from 1.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventId {
    /// The node that decided.
    pub node: String,
    /// The life of its ledger; every restore begins a new one.
    pub life: u32,
    /// The event's number in that life, from 1 without gaps.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A foreign name may be anything until `admit` has checked it.
        write!(f, "{}.{}.{}", self.node.escape_debug(), self.life, self.seq)
    }
}

/// An event as it is stored: its bytes, and its place in the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// The node that decided; 1 to [`NODE_LEN_MAX`] bytes of printable ASCII.
    pub node: String,
    /// The life of its ledger.
    pub life: u32,
    /// Its number in that life, from 1 without gaps.
    pub seq: u64,
    /// The hash of the event before in the same node and life; zeros for the first.
    pub prev: [u8; 32],
    /// SHA-256 of `bytes`.
    pub hash: [u8; 32],
    /// The canonical bytes; at most [`EVENT_LEN_MAX`].
    pub bytes: Vec<u8>,
}

impl Sealed {
    /// Which event this is.
    pub fn id(&self) -> EventId {
        EventId { node: self.node.clone(), life: self.life, seq: self.seq }
    }
}

/// The end of a chain: what the next event must follow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// The last event's number; 0 before the first.
    pub seq: u64,
    /// The last event's hash; zeros before the first.
    pub hash: [u8; 32],
}

/// What triggered a block: erasable, and not part of the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EvidenceRow {
    /// The case's public reference.
    pub case: String,
    /// The event that it belongs to, as text.
    pub event: String,
    /// The journal position of the input that it came with.
    pub position: u64,
    /// What the event's commitment is salted with.
    pub salt: Vec<u8>,
    /// The evidence itself.
    pub body: Vec<u8>,
    /// When it may be forgotten, ms since 1970; `None` = not by time.
    pub expires_ms: Option<u64>,
}

/// A free text or person's trace that hashed bytes know only as a commitment; erasable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SideRow {
    /// The commitment in the event.
    pub commitment: Vec<u8>,
    /// What it is salted with.
    pub salt: Vec<u8>,
    /// The content.
    pub body: Vec<u8>,
    /// When it may be forgotten, ms since 1970; `None` = not by time.
    pub expires_ms: Option<u64>,
}

/// What [`EventStore::admit`] did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Admitted {
    /// Events that are new here.
    pub new: usize,
    /// Events that were here already.
    pub repeated: usize,
    /// The arrival of the last event now in the store.
    pub last_arrival: u64,
}

/// Where events are kept: in one file, or in a cluster's stream behind one.
///
/// *Arrival* is the order in which this host learned of events, its own and others', from 1; it
/// means nothing on another host, nor after a restore.
pub trait EventStore {
    /// Makes the node's own events durable, with what stands beside them: all or nothing.
    ///
    /// Returns the last arrival. Not idempotent: the caller knows what it has appended.
    ///
    /// # Errors
    ///
    /// [`LedgerError::OutOfChain`] when an event does not follow the one before.
    fn append(
        &mut self,
        own: &[Sealed],
        evidence: &[EvidenceRow],
        side: &[SideRow],
    ) -> Result<u64, LedgerError>;

    /// Makes other nodes' events durable, or our own of an earlier life: all or nothing.
    ///
    /// What is here already is ignored. A node's events must come in order, without gaps.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Conflict`] when another event has the same id, [`LedgerError::OutOfChain`]
    /// when one before is missing, [`LedgerError::OwnLife`] when it claims to be ours of this life.
    fn admit(&mut self, foreign: &[Sealed]) -> Result<Admitted, LedgerError>;

    /// At most `limit` events that arrived after `after_arrival`, in order of arrival.
    fn tail(&self, after_arrival: u64, limit: usize) -> Result<Vec<(u64, Sealed)>, LedgerError>;

    /// The arrival up to which our own events have been shipped to `node` (a host or a stream).
    fn shipped(&self, node: &str) -> Result<u64, LedgerError>;

    /// Notes that our own events up to `arrival` have been shipped to `node`.
    fn set_shipped(&mut self, node: &str, arrival: u64) -> Result<(), LedgerError>;
}
