//! How much work one message may cause.
//!
//! One budget serves all attachments of a message together. Sizes that a file claims are
//! never believed: what counts is what was read.

use std::io::Read;

/// Archives inside archives that are opened (OFF-13).
pub const DEPTH_MAX: u32 = 3;
/// Members of all archives of a message together (OFF-13).
pub const MEMBERS_MAX: u32 = 1000;
/// Octets that all archives of a message may expand to (OFF-13).
pub const EXPANDED_MAX: u64 = 100 * 1024 * 1024;
/// How many times its own length an archive may expand to (OFF-13).
pub const RATIO_MAX: u64 = 100;
/// Expansion that no ratio is asked of: a white picture of some megabytes in a document
/// shrinks a thousandfold and is no bomb.
pub const RATIO_FROM: u64 = 8 * 1024 * 1024;

/// Octets of documents of a message that are unpacked or put together again, apart from the
/// archives that they may be: object streams of PDFs, streams of compound files.
pub const DOCUMENTS_MAX: u64 = 64 * 1024 * 1024;

/// A limit that was met.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Limit {
    /// More MIME parts than [`super::parts::PARTS_MAX`]: the rest was not seen.
    Parts,
    /// MIME parts inside each other, deeper than [`super::parts::NESTING_MAX`]: not seen.
    Nesting,
    /// Fields of parts longer than [`super::parts::HEADS_LEN_MAX`]: the rest was not read.
    Fields,
    /// More octets of documents than [`DOCUMENTS_MAX`]: the rest was not read.
    Documents,
    /// More archive members than [`MEMBERS_MAX`].
    Members,
    /// Archives inside each other, deeper than [`DEPTH_MAX`].
    Depth,
    /// More octets than [`EXPANDED_MAX`].
    Expanded,
    /// An archive that expands more than [`RATIO_MAX`] times.
    Ratio,
}

impl Limit {
    /// Whether it makes the message dangerous: the limits of archives do (OFF-13: ‘bomb’),
    /// those of parts and documents leave the rest unknown.
    pub fn is_bomb(self) -> bool {
        matches!(self, Limit::Members | Limit::Depth | Limit::Expanded | Limit::Ratio)
    }
}

/// What is left of the work that a message may cause.
#[derive(Debug)]
pub(super) struct Budget {
    members: u32,
    expanded: u64,
    documents: u64,
    /// The first limit that was met.
    pub(super) stopped: Option<Limit>,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { members: MEMBERS_MAX, expanded: EXPANDED_MAX, documents: DOCUMENTS_MAX, stopped: None }
    }

    /// Whether archives are still opened.
    pub(super) fn is_open(&self) -> bool {
        !self.stopped.is_some_and(Limit::is_bomb)
    }

    /// Notes a limit; a bomb outranks a limit of MIME, otherwise the first one stays.
    pub(super) fn stop(&mut self, limit: Limit) {
        if self.stopped.is_none_or(|before| limit.is_bomb() && !before.is_bomb()) {
            self.stopped = Some(limit);
        }
    }

    /// Takes one member of an archive; false where there were too many.
    pub(super) fn member(&mut self) -> bool {
        match self.members.checked_sub(1) {
            Some(left) => self.members = left,
            None => self.stop(Limit::Members),
        }
        self.is_open()
    }

    /// Reads a member to its end, or to the limit, or to its first fault.
    ///
    /// `packed` is the length of the archive it comes from, and `so_far` what that archive
    /// has expanded to already. Returns `None` where a limit was met.
    pub(super) fn read(&mut self, from: impl Read, packed: u64, so_far: &mut u64) -> Option<Vec<u8>> {
        let allowed =
            self.expanded.min(RATIO_FROM.max(packed.saturating_mul(RATIO_MAX)).saturating_sub(*so_far));
        let mut bytes = Vec::new();
        // A fault in the stream ends it: what came before is still looked at.
        let _ = from.take(allowed + 1).read_to_end(&mut bytes);
        let len = bytes.len() as u64;
        if len > allowed {
            self.stop(if allowed == self.expanded { Limit::Expanded } else { Limit::Ratio });
            return None;
        }
        self.expanded -= len;
        *so_far += len;
        Some(bytes)
    }

    /// Reads up to `len_max` octets of something inside a document.
    pub(super) fn read_document(&mut self, from: impl Read, len_max: u64) -> Vec<u8> {
        let allowed = self.documents.min(len_max);
        let mut bytes = Vec::new();
        // As in `read`.
        let _ = from.take(allowed).read_to_end(&mut bytes);
        self.documents -= bytes.len() as u64;
        if self.documents == 0 {
            self.stop(Limit::Documents);
        }
        bytes
    }

    /// Believes a claim that speaks against the archive.
    pub(super) fn claim(&mut self, size: u64) -> bool {
        if size > self.expanded {
            self.stop(Limit::Expanded);
        }
        self.is_open()
    }
}
