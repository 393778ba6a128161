//! What goes wrong with peers, counted always and logged once a minute.
//!
//! A peer must not be able to fill the log: of each kind there is one line a minute, with
//! the number that it stands for. What the peer sent is escaped and shown at debug level
//! only, because it may hold addresses of persons.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::{Millis, Secs};

/// A kind of trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub(super) enum Trouble {
    /// A request without sense, or a value that can not be read.
    Malformed,
    /// A request beyond the limits.
    Oversize,
    /// The rest of a request did not come, or an answer was not taken.
    Slow,
    /// Too many connections.
    TurnedAway,
    /// The intake was full.
    Dropped,
    /// The system gave no connection.
    Accept,
    /// A text of ours is no reply; our own doing.
    OurText,
}

/// How many kinds there are.
const KINDS: usize = 7;

impl Trouble {
    fn text(self) -> &'static str {
        match self {
            Trouble::Malformed => "policy requests not understood, answered DUNNO",
            Trouble::Oversize => "policy requests beyond the limits, connections closed",
            Trouble::Slow => "policy clients too slow, connections closed",
            Trouble::TurnedAway => "policy connections turned away: too many are open",
            Trouble::Dropped => "observations dropped: the queue is full",
            Trouble::Accept => "policy connections lost: the system refuses",
            Trouble::OurText => "reply not sent: it is none, answered DUNNO",
        }
    }
}

/// When each kind was last logged, and how many lines were held back since.
#[derive(Debug, Default)]
pub(super) struct Troubles([Kind; KINDS]);

#[derive(Debug, Default)]
struct Kind {
    /// Milliseconds since 1970; 0 is never.
    logged: AtomicU64,
    held_back: AtomicU64,
}

impl Troubles {
    /// Logs one trouble, unless its kind was logged within this minute.
    pub(super) fn log(&self, trouble: Trouble, now: Millis, detail: &dyn fmt::Display) {
        tracing::debug!(%detail, "{}", trouble.text());
        let Some(count) = self.0[trouble as usize].due(now) else { return };
        if matches!(trouble, Trouble::OurText) {
            tracing::error!(count, sensor = "policy", "{}", trouble.text());
        } else {
            tracing::warn!(count, sensor = "policy", "{}", trouble.text());
        }
    }
}

impl Kind {
    /// How many troubles a line stands for that may be written now.
    fn due(&self, now: Millis) -> Option<u64> {
        let logged = self.logged.load(Relaxed);
        let early = logged != 0 && now < Millis(logged).plus(Secs::MINUTE);
        let ours = !early && self.logged.compare_exchange(logged, now.0.max(1), Relaxed, Relaxed).is_ok();
        if ours {
            return Some(1 + self.held_back.swap(0, Relaxed));
        }
        self.held_back.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::logged;

    #[test]
    fn one_line_a_minute_stands_for_all_of_its_kind() {
        let kind = Kind::default();
        let at = |secs| kind.due(Millis::from_secs(secs));
        assert_eq!([at(100), at(101), at(159), at(160), at(161)], [Some(1), None, None, Some(3), None]);
        assert_eq!(at(1000), Some(2));
    }

    #[test]
    fn what_a_peer_sent_is_not_logged_by_default() {
        let bytes = b"sender=person@example.net\nperson@example.net\n\n";
        let error = wire::policy::split_request(bytes).unwrap_err();
        assert!(error.to_string().contains("person@example.net"), "{error}");
        let line = logged(|| Troubles::default().log(Trouble::Malformed, Millis(5), &error));
        assert!(line.contains("WARN") && line.contains("count=1"), "{line}");
        assert!(!line.contains("person"), "{line}");
    }

    #[test]
    fn each_kind_has_a_minute_of_its_own() {
        let troubles = Troubles::default();
        assert_eq!(troubles.0[Trouble::OurText as usize].due(Millis(5)), Some(1));
        assert_eq!(troubles.0[Trouble::Slow as usize].due(Millis(5)), Some(1));
    }
}
