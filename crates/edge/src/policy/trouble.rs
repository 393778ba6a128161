//! What goes wrong with those who ask the policy server.

use crate::trouble;

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

impl trouble::Trouble for Trouble {
    const SENSOR: &'static str = "policy";

    fn index(self) -> usize {
        self as usize
    }

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

    fn is_ours(self) -> bool {
        matches!(self, Trouble::OurText)
    }
}
