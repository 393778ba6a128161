//! What goes wrong with MTAs that show us their sessions.

use std::sync::atomic::AtomicU64;

use super::counters::Counters;
use crate::trouble;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub(super) enum Trouble {
    /// A command that makes no sense, or comes out of turn.
    Malformed,
    /// A packet beyond the limits.
    Oversize,
    /// The rest of a command did not come, or an answer was not taken.
    Slow,
    /// Too many connections.
    TurnedAway,
    /// The intake was full.
    Dropped,
    /// The system gave no connection.
    Accept,
    /// An inspector took too long.
    Overdue,
    /// Messages are too large together.
    Crowded,
    /// More forged fields than are removed.
    Forged,
    /// An inspector panicked; our own doing.
    Panicked,
    /// A text of ours is no reply, or a field no field; our own doing.
    OurText,
}

impl trouble::Trouble for Trouble {
    const SENSOR: &'static str = "milter";

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Trouble::Malformed => "milter commands not understood, connections closed",
            Trouble::Oversize => "milter packets beyond the limits, connections closed",
            Trouble::Slow => "milter clients too slow, connections closed",
            Trouble::TurnedAway => "milter connections turned away: too many are open",
            Trouble::Dropped => "observations dropped: the queue is full",
            Trouble::Accept => "milter connections lost: the system refuses",
            Trouble::Overdue => "messages passed uninspected: it took too long",
            Trouble::Crowded => "messages not held whole: too many large ones at once",
            Trouble::Forged => "messages with more forged fields than are removed",
            Trouble::Panicked => "messages passed uninspected: the inspector panicked",
            Trouble::OurText => "reply or field not sent: it is none",
        }
    }

    fn is_ours(self) -> bool {
        matches!(self, Trouble::OurText | Trouble::Panicked)
    }
}

impl Trouble {
    /// Where it is counted.
    pub(super) fn counter(self, of: &Counters) -> Option<&AtomicU64> {
        match self {
            Trouble::Malformed => Some(&of.malformed),
            Trouble::Oversize => Some(&of.oversize),
            Trouble::Slow => Some(&of.slow),
            Trouble::TurnedAway => Some(&of.turned_away),
            Trouble::Dropped => Some(&of.dropped),
            Trouble::Overdue => Some(&of.overdue),
            Trouble::Crowded => Some(&of.crowded),
            Trouble::Panicked => Some(&of.panicked),
            Trouble::Accept | Trouble::Forged | Trouble::OurText => None,
        }
    }
}
