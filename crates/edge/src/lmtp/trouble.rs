//! What goes wrong with mail to Mailward.

use crate::trouble;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub(super) enum Trouble {
    /// Lines that are no commands.
    Malformed,
    /// A message did not come to its end, or an answer was not taken.
    Slow,
    /// Too many connections.
    TurnedAway,
    /// Too many messages in one minute.
    TooMany,
    /// The system gave no connection.
    Accept,
    /// The mailbox broke down; our own doing.
    Failed,
}

impl trouble::Trouble for Trouble {
    const SENSOR: &'static str = "lmtp";

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Trouble::Malformed => "LMTP commands not understood",
            Trouble::Slow => "LMTP clients too slow, connections closed",
            Trouble::TurnedAway => "LMTP connections turned away: too many are open",
            Trouble::TooMany => "mail to Mailward deferred: too much in one minute",
            Trouble::Accept => "LMTP connections lost: the system refuses",
            Trouble::Failed => "mail to Mailward deferred: its mailbox broke down",
        }
    }

    fn is_ours(self) -> bool {
        matches!(self, Trouble::Failed)
    }
}
