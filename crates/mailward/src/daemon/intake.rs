//! The bounded queue between those who see and those who decide.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_channel::Sender;
use edge::{Full, Intake};
use model::{Answered, Fact, Input, Observation, Sensor};

/// Observations that wait for the journal: a second of a very busy machine.
pub(crate) const QUEUE: usize = 65_536;

/// Counts of what came in.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) taken: AtomicU64,
    /// Refused for lack of room since the journal last wrote the count down.
    pub(crate) dropped: AtomicU64,
    pub(crate) dropped_ever: AtomicU64,
    pub(crate) would_refuse: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Asked to come back by greylisting.
    pub(crate) deferred: AtomicU64,
}

/// The queue's entrance.
pub(crate) struct Queue {
    into: Sender<Input>,
    pub(crate) heard: Heard,
}

impl Queue {
    pub(crate) fn new(into: Sender<Input>) -> Queue {
        Queue { into, heard: Heard::default() }
    }

    /// What was dropped since the last call, as an input for the journal.
    pub(crate) fn dropped(&self) -> Option<Input> {
        let count = self.heard.dropped.swap(0, Relaxed);
        (count > 0).then_some(Input::Dropped(Sensor::Policy, count))
    }

    fn count(&self, seen: &Observation) {
        if let Fact::Attempt(attempt) = &seen.fact {
            match attempt.answered {
                Answered::WouldBlock(_) => self.heard.would_refuse.fetch_add(1, Relaxed),
                Answered::Blocked(_) | Answered::Refused => self.heard.refused.fetch_add(1, Relaxed),
                Answered::Deferred => self.heard.deferred.fetch_add(1, Relaxed),
                Answered::Passed | Answered::Exempt => 0,
            };
        }
    }
}

impl Intake for Queue {
    fn offer(&self, seen: Observation) -> Result<(), Full> {
        self.count(&seen);
        if self.into.try_send(Input::Observed(seen)).is_ok() {
            self.heard.taken.fetch_add(1, Relaxed);
            Ok(())
        } else {
            self.heard.dropped.fetch_add(1, Relaxed);
            self.heard.dropped_ever.fetch_add(1, Relaxed);
            Err(Full)
        }
    }
}
