//! How long a connection may take, whatever it speaks.
//!
//! One timer a connection, armed anew only when it fires or when a request begins without
//! ending: a peer who asks in whole requests, as Postfix does, never touches it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::pipe::Lost;

/// The timer of one connection.
pub(crate) struct Deadline {
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    rest: Duration,
    /// The timer runs for the rest of a request.
    unfinished: bool,
    /// Something was asked since the timer fired last.
    active: bool,
}

impl Deadline {
    pub(crate) fn new(idle: Duration, rest: Duration) -> Deadline {
        Deadline { timer: Box::pin(sleep(idle)), idle, rest, unfinished: false, active: false }
    }

    /// How long the peer may take to read an answer.
    pub(crate) fn rest(&self) -> Duration {
        self.rest
    }

    /// All that arrived was answered.
    pub(crate) fn wait_for_request(&mut self) {
        self.active = true;
        self.unfinished = false;
    }

    /// A part of a request arrived; `fresh`, if it is another request than before.
    pub(crate) fn wait_for_rest(&mut self, fresh: bool) {
        if fresh || !self.unfinished {
            self.timer.as_mut().reset(Instant::now() + self.rest);
        }
        self.unfinished = true;
    }

    /// Ready when the time is up.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Lost> {
        while self.timer.as_mut().poll(context).is_ready() {
            if self.unfinished {
                return Poll::Ready(Lost::Slow);
            }
            if !self.active {
                return Poll::Ready(Lost::Idle);
            }
            self.active = false;
            self.timer.as_mut().reset(Instant::now() + self.idle);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const IDLE: Duration = Duration::from_secs(300);
    const REST: Duration = Duration::from_secs(10);

    /// A step of a peer, and how many seconds pass before it.
    enum Step {
        /// Part of a request, the first one of it if `true`.
        Part(u64, bool),
        /// The end of a request, and nothing behind it.
        Whole(u64),
    }
    use Step::{Part, Whole};

    /// How and after how many seconds a connection ends whose peer falls silent after these
    /// steps; time is tokio's own and stands still between them.
    #[track_caller]
    fn check(steps: &[Step], expect: &(Lost, u64)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let got = runtime.unwrap().block_on(async {
            let (began, mut deadline) = (Instant::now(), Deadline::new(IDLE, REST));
            for step in steps {
                let (Part(secs, _) | Whole(secs)) = step;
                let pause = Duration::from_secs(*secs);
                if let Ok(end) = tokio::time::timeout(pause, poll_fn(|cx| deadline.poll(cx))).await {
                    return (end, began.elapsed().as_secs());
                }
                match step {
                    Part(_, fresh) => deadline.wait_for_rest(*fresh),
                    Whole(_) => deadline.wait_for_request(),
                }
            }
            (poll_fn(|cx| deadline.poll(cx)).await, began.elapsed().as_secs())
        });
        assert_eq!(&got, expect);
    }

    #[test]
    fn a_silent_peer_has_the_idle_time() {
        check(&[], &(Lost::Idle, 300));
    }

    #[test]
    fn a_peer_that_asks_has_it_anew_at_the_latest_twice() {
        check(&[Whole(1)], &(Lost::Idle, 600));
        check(&[Whole(1), Whole(250), Whole(250), Whole(250)], &(Lost::Idle, 1200));
        check(&[Whole(299), Whole(299), Whole(299)], &(Lost::Idle, 1200));
    }

    #[test]
    fn the_rest_of_a_request_has_its_time_from_its_first_part() {
        check(&[Part(1, false)], &(Lost::Slow, 11));
        check(&[Part(1, false), Part(4, false), Part(4, false)], &(Lost::Slow, 11));
        check(&[Whole(50), Part(1, false)], &(Lost::Slow, 61));
    }

    #[test]
    fn the_next_request_has_its_own_time() {
        check(&[Part(1, false), Part(9, true)], &(Lost::Slow, 20));
        check(&[Part(1, false), Whole(9), Part(5, false)], &(Lost::Slow, 25));
    }

    #[test]
    fn a_request_that_was_finished_in_time_leaves_the_idle_time() {
        check(&[Part(1, false), Whole(9)], &(Lost::Idle, 311));
    }
}
