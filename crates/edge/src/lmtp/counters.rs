//! What the LMTP server counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What has happened since the start, and how many connections there are now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Connections that are open.
    pub connections: u64,
    /// Connections that were taken.
    pub accepted: u64,
    /// Connections that were closed at once, because there were too many.
    pub turned_away: u64,
    /// Messages that came to their end, whatever became of them.
    pub messages: u64,
    /// Answers to recipients and messages that said yes.
    pub taken: u64,
    /// Such answers that said later.
    pub deferred: u64,
    /// Such answers that said never.
    pub refused: u64,
    /// Recipients that were deferred because too many came in one minute.
    pub too_many: u64,
    /// Command lines that nobody can obey.
    pub malformed: u64,
    /// Connections closed because a message, or the reading of an answer, took too long.
    pub slow: u64,
    /// Messages that the mailbox broke down over.
    pub failed: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) taken: AtomicU64,
    pub(super) deferred: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) too_many: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Counters {
    pub(super) fn counts(&self, connections: u64) -> Counts {
        let now = |counter: &AtomicU64| counter.load(Relaxed);
        Counts {
            connections,
            accepted: now(&self.accepted),
            turned_away: now(&self.turned_away),
            messages: now(&self.messages),
            taken: now(&self.taken),
            deferred: now(&self.deferred),
            refused: now(&self.refused),
            too_many: now(&self.too_many),
            malformed: now(&self.malformed),
            slow: now(&self.slow),
            failed: now(&self.failed),
        }
    }
}

/// Counts so many more.
pub(super) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Relaxed);
}
