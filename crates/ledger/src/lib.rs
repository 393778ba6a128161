//! Memory on disk: what a restart, a crash or a full disk must not take away.
//!
//! One data directory ([`store::DataDir`]) holds five memories, each in its own form:
//!
//! | memory | what | where | for how long |
//! |---|---|---|---|
//! | [`journal`] | every input, in total order | segment files | capped in size and age |
//! | [`decisions`] | events, chained by hashes, with their evidence | one SQLite file | events for ever, evidence until it expires |
//! | [`exhibits`] | headers behind decisions, in full and redacted | one SQLite file | a week in full; redacted as long as their case is shown |
//! | [`zone_log`] | the numbers of our zones, and their last changes | one file | a day or two |
//! | [`checkpoint`] | the engine's state at a journal position | one file each | the newest three |
//!
//! Everything here works on bytes that others made: it neither reads an input nor knows what an
//! event means, it draws no random number and asks no clock. It starts no thread: the caller owns
//! the writer threads, and decides what becomes one group (one `sync`, one transaction).
//!
//! Promise: what `journal::Writer::sync`, `EventStore::append` and `checkpoint::write` have returned
//! from is on the disk, as far as the disk tells the truth about its cache.

pub mod checkpoint;
pub mod decisions;
mod error;
pub mod exhibits;
mod files;
pub mod journal;
pub mod store;
pub mod zone_log;

pub use decisions::{
    Admitted, EventId, EventStore, EvidenceRow, Head, LedgerError, Sealed, SideRow, SqliteLedger,
};
pub use error::StoreError;
pub use exhibits::{ExhibitRow, Exhibits};
pub use store::DataDir;
pub use zone_log::{ZoneLog, ZoneRecords};
