//! What an operator must hear, and how often.

use std::fmt;

use minicbor::{Decode, Encode};
use model::{Millis, Secs};

/// A cause that lasts rings again after this time, not with every frame.
const AGAIN_AFTER: Secs = Secs(600);

/// What an operator must hear.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Alarm {
    /// More automatic blocks of known senders in a minute than G-CAP allows; the rest run in
    /// shadow.
    #[n(0)]
    CapReached,
    /// Many blocks end at once; they wait for a second frame because the clock may be wrong.
    #[n(1)]
    ManyEnds,
    /// A policy in the journal could not be read; the old one stays.
    #[n(2)]
    UnreadablePolicy,
    /// More automatic blocks in a minute than the cap, of senders without history: all are
    /// in force.
    #[n(3)]
    ManyBlocks,
    /// Every key that is remembered is blocked: strangers are not counted.
    #[n(4)]
    TableFull,
    /// Time went on by more than a week between two frames.
    #[n(5)]
    ClockAhead,
    /// The clock says a time that is over; time stands until it has caught up.
    #[n(6)]
    ClockBehind,
    /// A server with good mail names many recipients that do not exist.
    #[n(12)]
    KnownGuesses,
    /// More null routes in a minute than G-CAP allows; mail of the rest is refused instead.
    #[n(13)]
    ManyNullRoutes,
    /// A trap is none any more.
    #[n(20)]
    TrapBurnt,
    /// Good mail fails a rule: it is suspended.
    #[n(21)]
    RuleSuspended,
    /// A network has many blocked servers, and only a person may block it.
    #[n(30)]
    NetworkProposed,
    /// The journal names a table of networks that was not handed in.
    #[n(31)]
    UnknownAtlas,
    /// As many cases run as there is room for: rules open no more until some end.
    #[n(60)]
    CasesFull,
    /// A record of a block by hand is due for review; 14 days later its block ends.
    #[n(32)]
    ReviewDue,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Alarm::CapReached => {
                "the cap on automatic blocks of known senders is reached; further ones run in shadow"
            }
            Alarm::ManyEnds => "more than a fifth of all blocks end at once; check the clock",
            Alarm::UnreadablePolicy => "a policy could not be read; the old one stays in force",
            Alarm::ManyBlocks => "unusually many servers are blocked; a botnet, or a rule that is too sharp",
            Alarm::TableFull => {
                "every key in memory is blocked and new ones are not counted; raise memory.keys"
            }
            Alarm::ClockAhead => {
                "time went on by more than a week; if nobody stopped Mailward, check the clock"
            }
            Alarm::CasesFull => {
                "a fifth of the room for keys is blocked; rules block no more; raise memory.keys"
            }
            Alarm::KnownGuesses => {
                "a server with good mail names many recipients that do not exist; it is deferred, not dropped"
            }
            Alarm::ManyNullRoutes => {
                "the cap on null routes is reached; mail of further attackers is refused, not dropped"
            }
            Alarm::RuleSuspended => {
                "good mail fails a rule, which is suspended: does our DNS work, are own.names right?"
            }
            Alarm::TrapBurnt => {
                "a trap was subscribed or is in use and counts no more; mailward doctor names it"
            }
            Alarm::NetworkProposed => {
                "a network has many blocked servers; whether to block it is yours to say (mailward doctor)"
            }
            Alarm::ReviewDue => {
                "the record of a block by hand is due for review; it ends in 14 days (mailward doctor)"
            }
            Alarm::UnknownAtlas => "a table of networks is missing; rules about networks go on without it",
            Alarm::ClockBehind => "the clock was set back; time stands until it has caught up",
        })
    }
}

/// When each alarm was last rung.
#[derive(Debug, Decode, Default, Encode)]
#[cbor(transparent)]
pub(crate) struct Bell(#[n(0)] Vec<(Alarm, Millis)>);

impl Bell {
    /// Whether an alarm is to be rung now. What a person did is told each time.
    pub(crate) fn rings(&mut self, alarm: Alarm, now: Millis) -> bool {
        if alarm == Alarm::UnreadablePolicy {
            return true;
        }
        let Some((_, last)) = self.0.iter_mut().find(|(known, _)| *known == alarm) else {
            self.0.push((alarm, now));
            return true;
        };
        let again = now.since(*last) >= AGAIN_AFTER;
        if again {
            *last = now;
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_every_ten_minutes_and_each_on_its_own() {
        let mut bell = Bell::default();
        let at = |secs: u64| Millis::from_secs(1_000_000 + secs);
        let rung: Vec<bool> =
            [0, 1, 599, 600, 601].map(|s| bell.rings(Alarm::ManyBlocks, at(s))).into_iter().collect();
        assert_eq!(rung, [true, false, false, true, false]);
        assert!(bell.rings(Alarm::TableFull, at(601)));
        assert!(bell.rings(Alarm::UnreadablePolicy, at(1)) && bell.rings(Alarm::UnreadablePolicy, at(1)));
    }
}
