//! A circuit breaker: who fails again and again is left alone for a while.
//!
//! After [`FAILURES_MAX`] failures in a row a judge rests for [`REST_MIN`]. Then one
//! question goes through; if it fails too, the rest doubles, up to [`REST_MAX`].

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many failures in a row send a judge to rest.
///
/// One may be a restart, two a slow disk; five in a row with no success in between is an
/// outage.
pub const FAILURES_MAX: u32 = 5;
/// The first rest: a restart of a judge is over by then.
pub const REST_MIN: Duration = Duration::from_secs(30);
/// The longest rest: so long goes unnoticed that a judge is back.
pub const REST_MAX: Duration = Duration::from_secs(600);

/// The breaker of one judge.
#[derive(Debug)]
pub struct Breaker(Mutex<State>);

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Everything.
    Asking {
        /// Failures since the last success.
        failures: u32,
    },
    /// Nothing.
    Resting {
        /// When the next question may go through.
        until: Instant,
        /// How long this rest is.
        rest: Duration,
    },
    /// One question is under way after a rest; nothing else goes through.
    Probing {
        /// How long the rest before was.
        rest: Duration,
    },
}

/// Leave to ask once. To be given back with what came of it.
#[must_use]
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
    settled: bool,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker(Mutex::new(State::Asking { failures: 0 }))
    }
}

impl Breaker {
    /// Leave to ask, unless the judge rests.
    pub fn admit(&self) -> Option<Pass<'_>> {
        let mut state = self.lock();
        let probe = match *state {
            State::Asking { .. } => false,
            State::Resting { until, rest } if Instant::now() >= until => {
                *state = State::Probing { rest };
                true
            }
            State::Resting { .. } | State::Probing { .. } => return None,
        };
        Some(Pass { breaker: self, probe, settled: false })
    }

    /// What it lets through now.
    pub fn state(&self) -> State {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is one word that is written whole; a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Tells what came of it.
    pub fn settle(mut self, success: bool) {
        self.settled = true;
        let mut state = self.breaker.lock();
        *state = match (*state, success) {
            (State::Asking { .. }, true) => State::Asking { failures: 0 },
            (State::Asking { failures }, false) if failures + 1 < FAILURES_MAX => {
                State::Asking { failures: failures + 1 }
            }
            (State::Asking { .. }, false) => resting(REST_MIN),
            (State::Probing { .. }, true) if self.probe => State::Asking { failures: 0 },
            (State::Probing { rest }, false) if self.probe => resting((rest * 2).min(REST_MAX)),
            // Asked before the rest began: it says nothing about now.
            (state, _) => state,
        };
    }
}

impl Drop for Pass<'_> {
    /// A probe that nobody waited for says nothing: the next question is the probe.
    fn drop(&mut self) {
        if !self.settled && self.probe {
            let mut state = self.breaker.lock();
            if let State::Probing { rest } = *state {
                *state = State::Resting { until: Instant::now(), rest };
            }
        }
    }
}

fn resting(rest: Duration) -> State {
    State::Resting { until: Instant::now() + rest, rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker) {
        breaker.admit().expect("leave to ask").settle(false);
    }

    async fn rest(secs: u64) {
        tokio::time::advance(Duration::from_secs(secs)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_bring_a_rest_that_doubles() {
        let breaker = Breaker::default();
        (0..FAILURES_MAX).for_each(|_| fail(&breaker));
        for secs in [30, 60, 120, 240, 480, 600, 600] {
            rest(secs - 1).await;
            assert!(breaker.admit().is_none(), "before {secs} s");
            rest(1).await;
            fail(&breaker);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_begins_anew() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            (1..FAILURES_MAX).for_each(|_| fail(&breaker));
            breaker.admit().unwrap().settle(true);
        }
        assert_eq!(breaker.state(), State::Asking { failures: 0 });
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_rest_one_question_goes_through_and_opens_the_way() {
        let breaker = Breaker::default();
        (0..FAILURES_MAX).for_each(|_| fail(&breaker));
        rest(30).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_none(), "one at a time");
        probe.settle(true);
        assert_eq!(breaker.state(), State::Asking { failures: 0 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_was_taken_back_leaves_the_way_to_the_next() {
        let breaker = Breaker::default();
        (0..FAILURES_MAX).for_each(|_| fail(&breaker));
        rest(30).await;
        drop(breaker.admit().unwrap());
        breaker.admit().expect("the next one is the probe").settle(true);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_before_the_rest_does_not_end_it() {
        let breaker = Breaker::default();
        let early = breaker.admit().unwrap();
        (0..FAILURES_MAX).for_each(|_| fail(&breaker));
        early.settle(true);
        assert!(breaker.admit().is_none());
    }
}
