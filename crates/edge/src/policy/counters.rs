//! What a policy server counts.

use std::ops::AddAssign;
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
    /// Requests that were answered, whatever the answer.
    pub requests: u64,
    /// Answers that refused or deferred.
    pub refused: u64,
    /// Requests, or values in them, that nobody can read; answered `DUNNO`.
    pub malformed: u64,
    /// Connections closed because of a request beyond every limit.
    pub oversize: u64,
    /// Connections closed because the rest of a request, or the reading of an answer, took
    /// too long.
    pub slow: u64,
    /// Observations that the intake had no room for.
    pub dropped: u64,
}

/// One thread's counters; nobody else writes them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) oversize: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Counters {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            connections: 0,
            accepted: self.accepted.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            requests: self.requests.load(Relaxed),
            refused: self.refused.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            oversize: self.oversize.load(Relaxed),
            slow: self.slow.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }
}

/// Counts one more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.connections += other.connections;
        self.accepted += other.accepted;
        self.turned_away += other.turned_away;
        self.requests += other.requests;
        self.refused += other.refused;
        self.malformed += other.malformed;
        self.oversize += other.oversize;
        self.slow += other.slow;
        self.dropped += other.dropped;
    }
}
