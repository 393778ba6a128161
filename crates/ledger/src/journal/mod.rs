//! The journal: every input in total order, in segment files that rotate.
//!
//! What it is not: it does not know what an input is (the engine's codec does), it keeps nothing
//! for ever (decisions are kept by [`decisions`](crate::decisions)), and it does not encrypt yet
//! (the key id has its place).
//!
//! # On disk
//!
//! `journal/00000000000000000001.mwj`: a segment; the number is the position of its first frame.
//! All numbers are little-endian. A segment is one header and then frames without gaps:
//!
//! | at | bytes | header |
//! |---:|---:|---|
//! | 0 | 8 | `MWJRNL\r\n` |
//! | 8 | 1 | format, 1 |
//! | 9 | 1 | key id, 0 = not encrypted |
//! | 10 | 2 | zero |
//! | 12 | 4 | life |
//! | 16 | 8 | position of the first frame |
//! | 24 | 8 | wall time at the segment's beginning, ms since 1970 |
//! | 32 | 16 | two hash seeds, the same in all segments of a journal |
//! | 48 | 32 | site, zero-filled |
//! | 80 | 32 | node, zero-filled |
//! | 112 | 32 | link: SHA-256 of the last frame before (its bytes on disk), or zeros if there is none |
//! | 144 | 4 | CRC-32C of bytes 0–143 |
//!
//! | at | bytes | frame |
//! |---:|---:|---|
//! | 0 | 4 | length of the body |
//! | 4 | 4 | CRC-32C of the frame without these four bytes, begun with the header's CRC |
//! | 8 | 1 | flags: bit 0 = body is zstd |
//! | 9 | 3 | zero |
//! | 12 | 4 | length of the inputs before compression |
//! | 16 | 8 | position |
//! | 24 | 8 | wall time, ms since 1970 |
//! | 32 | 8 | monotonic time, ns |
//! | 40 | 8 | the position up to which the journal was synced when this frame was written |
//! | 48 | | body |
//!
//! # Torn tails and damage
//!
//! A crash can tear frames that were never synced; [`Writer::open`] cuts them and says so. The
//! "synced up to" of a later frame tells such a tear from damage to a frame that was acknowledged:
//! the second is an error, for cutting there would lose what we promised to keep. Because the CRC
//! begins with the header's (which holds the secret seeds), bytes that a peer sent cannot pass for
//! a frame.

mod error;
mod format;
mod reader;
mod retention;
mod segment;
mod writer;

use std::time::Duration;

pub use error::JournalError;
pub use format::{Header, INPUTS_LEN_MAX, NAME_LEN_MAX};
pub use reader::Reader;
pub use retention::Retained;
pub use writer::{Repair, Writer};

/// The extension of segment files.
const EXTENSION: &str = "mwj";

/// One epoch: the inputs that the engine takes in at once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frame {
    /// Its place in the total order: the one before plus 1, from 1.
    pub position: u64,
    /// Wall time of the epoch, ms since 1970.
    pub wall_ms: u64,
    /// Monotonic time of the epoch, ns since an arbitrary start.
    pub mono_ns: u64,
    /// The inputs, as the engine encodes them; at most [`INPUTS_LEN_MAX`] bytes.
    pub inputs: Vec<u8>,
}

/// Who writes the journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The site, 1 to [`NAME_LEN_MAX`] bytes of printable ASCII.
    pub site: String,
    /// The node, likewise.
    pub node: String,
    /// The life of the node's ledger; a new life begins a new segment.
    pub life: u32,
}

/// What a journal gets once, when it is created; a journal that is there keeps what it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Birth {
    /// Seeds of the engine's keyed hashes, drawn by the caller; they stay with the journal.
    pub seeds: [u64; 2],
    /// The first position: 1, or the one behind a checkpoint whose journal was lost.
    pub first_position: u64,
}

/// When segments end and when they go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Options {
    /// A segment ends before the frame that would make it larger than this.
    pub segment_bytes_max: u64,
    /// A segment ends before a frame that is younger than its beginning by this or more.
    pub segment_age_max: Duration,
    /// All segments together; beyond it the oldest go.
    pub total_bytes_max: u64,
    /// Segments without a frame younger than this go.
    pub age_max: Duration,
}

impl Default for Options {
    /// 64 MiB is scanned in well under a second at start; days let a retention in days bite.
    /// 4 GiB and 14 days: weeks of a busy MX, and no longer than web logs are kept (STD-95).
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            segment_bytes_max: 64 << 20,
            segment_age_max: DAY,
            total_bytes_max: 4 << 30,
            age_max: DAY.saturating_mul(14),
        }
    }
}
