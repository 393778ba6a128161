//! OFF-6, connection flood: a server that takes up connections and sends no mail on them.
//!
//! Needs: what a server of ours counted of sessions that completed the handshake and reached
//! its greeting ([`Sessions`], at most one a second). Nothing that a stranger can forge comes
//! here: there is no fact about SYNs, half-open connections, UDP or ICMP (ADV-1). Thresholds
//! of C.3 under the class factor: more than 50 connections at the same time, or more than
//! 120 new ones in one minute; half of that while the server runs short of room. Either alone
//! is answered with 421 where it is met. A block needs besides that of as many sessions that
//! ended within ten minutes less than a tenth reached a recipient whose mail was taken.
//!
//! False positives come from: a large sender's many connections, load tests and monitoring
//! (the share; own networks), sessions that we ended ourselves (the sensor leaves them out).
//! Who has an established history is never blocked for it.

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::observation::Sessions;
use model::window::Window;
use model::{Class, Finding, Millis, Offence, Secs, Units};

use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// In how long the share of sessions that brought mail is taken.
const SHARE: Secs = Secs(600);

/// What is counted of one key; made with the first report about it, which ordinary servers
/// never cause.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Counts>>);

#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Counts {
    #[n(0)]
    begun: Window,
    #[n(1)]
    ended: Window,
    #[n(2)]
    reached: Window,
}

impl Counts {
    fn count(&mut self, sessions: &Sessions, at: Millis) {
        self.begun.add(Secs::MINUTE, at, sessions.begun);
        self.ended.add(SHARE, at, sessions.ended);
        self.reached.add(SHARE, at, sessions.reached.min(sessions.ended));
    }

    /// Sessions that ended, and the share of those that brought mail, in percent.
    fn ended(&self, at: Millis) -> (u64, u64) {
        let ended = self.ended.sum(SHARE, at);
        (ended, (self.reached.sum(SHARE, at) * 100).checked_div(ended).unwrap_or(100))
    }
}

/// The detector.
pub struct Flood;

impl Detector for Flood {
    fn offence(&self) -> Offence {
        Offence::Flood
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Connected(sessions) = seen.act else { return None };
        let counts = of.rare().flood.0.get_or_insert_default();
        counts.count(&sessions, seen.at);
        let limits = Limits::of(&sessions, around)?;
        let (at_once, minute) = (u64::from(sessions.at_once), counts.begun.sum(Secs::MINUTE, seen.at));
        if at_once <= limits.at_once && minute <= limits.minute {
            return None;
        }
        let (ended, share) = counts.ended(seen.at);
        of.account.add(Offence::Flood, seen.at, Units::whole(1));
        let reached = u64::from(around.policy.flood.reached_percent);
        let facts = vec![
            (Measure::ConnectionsAtOnce, at_once),
            (Measure::LimitConnectionsAtOnce, limits.at_once),
            (Measure::ConnectionsMinute, minute),
            (Measure::LimitConnectionsMinute, limits.minute),
            (Measure::SessionsReachingPercent, share),
            (Measure::LimitSessionsReachingPercent, reached),
        ];
        let blocks = around.class < Class::Established && ended >= limits.at_once && share < reached;
        blocks.then_some(Finding { offence: Offence::Flood, key: seen.key, at: seen.at, facts })
    }
}

/// The limits in force.
struct Limits {
    at_once: u64,
    minute: u64,
}

impl Limits {
    fn of(sessions: &Sessions, around: &Context<'_>) -> Option<Limits> {
        let rule = &around.policy.flood;
        // C.3: ‘under global pressure divide by 2’.
        let part = if sessions.strained { 2 } else { 1 };
        let limit = |number| Some(around.scaled(number)?.div_ceil(part));
        Some(Limits { at_once: limit(rule.at_once)?, minute: limit(rule.per_minute)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::{Content, Policy};

    const QUIET: Sessions = Sessions { at_once: 1, begun: 0, ended: 0, reached: 0, strained: false };

    /// The same report each second; says after how many it fires.
    fn fires_at(class: Class, sessions: Sessions) -> Option<u64> {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, class);
        (1..=60).find(|n| {
            let seen = Seen { act: Act::Connected(sessions), ..ended(*n, Content::default()) };
            Flood.observe(&seen, &mut record, &around).is_some()
        })
    }

    #[test]
    fn off_6_more_than_120_new_connections_a_minute_without_mail_fire() {
        let one = Sessions { begun: 10, ended: 10, ..QUIET };
        assert_eq!(fires_at(Class::Unknown, one), Some(13));
        assert_eq!(fires_at(Class::Unknown, Sessions { begun: 2, ended: 2, ..QUIET }), None, "120 are none");
        assert_eq!(fires_at(Class::Known, Sessions { begun: 20, ended: 20, ..QUIET }), Some(19));
        assert_eq!(fires_at(Class::NoRdns, one), Some(7), "half for no name");
    }

    #[test]
    fn off_6_more_than_fifty_at_once_that_end_without_mail_fire() {
        let one = |at_once| Sessions { at_once, begun: 1, ended: 1, ..QUIET };
        assert_eq!(fires_at(Class::Unknown, one(51)), Some(50), "when fifty have ended");
        assert_eq!(fires_at(Class::Unknown, one(50)), None);
        let strained = Sessions { strained: true, ..one(26) };
        assert_eq!(fires_at(Class::Unknown, strained), Some(25), "half while room runs short");
    }

    #[test]
    fn off_6_connections_alone_block_nobody() {
        let many = Sessions { at_once: 900, begun: 50, ended: 50, reached: 5, strained: false };
        assert_eq!(fires_at(Class::Unknown, many), None, "a tenth brings mail");
        assert_eq!(fires_at(Class::Unknown, Sessions { reached: 4, ..many }), Some(1));
        assert_eq!(fires_at(Class::Unknown, Sessions { ended: 0, ..many }), None, "none is over yet");
    }

    #[test]
    fn off_6_established_and_shared_senders_are_never_blocked_for_it() {
        let flood = Sessions { at_once: 5000, begun: 2000, ended: 2000, ..QUIET };
        for class in [Class::Established, Class::ListHost, Class::Forwarder, Class::Shared, Class::Protected]
        {
            assert_eq!(fires_at(class, flood), None, "{class:?}");
        }
        assert_eq!(fires_at(Class::Known, flood), Some(1));
    }

    #[test]
    fn numbers_that_can_not_be_do_no_harm() {
        let max = u32::MAX;
        let odd = Sessions { at_once: max, begun: max, ended: 1, reached: max, strained: true };
        assert_eq!(fires_at(Class::Unknown, odd), None);
    }
}
