//! What holds a decision back: guards of REQUIREMENTS C.1 as DESIGN §8 amends them.

use detectors::providers::is_shared_network;
use minicbor::{Decode, Encode};
use model::protected::{Hand, Protected};
use model::{Class, Millis, Mode, Offence, Policy, Prefix};

use crate::alarm::Alarm;
use crate::entry::Entry;

/// One key in so many may have a case that a rule opened.
///
/// A case costs engine and projector about 2 KB where a stranger costs half of one, and a
/// blocked key never gives way. So a flood that gets itself blocked comes to an end before
/// the memory does, and strangers keep a place in which they are judged (ADV-11: new blocks
/// are what gives way, those in force come last).
const KEYS_A_CASE: usize = 5;

/// Whether there is no room for another case by a rule; those by hand always have some.
pub(crate) fn is_full(cases: usize, policy: &Policy) -> bool {
    cases >= crate::shard::keys_max(policy) / KEYS_A_CASE
}

/// What a guard says of a trigger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ruling {
    /// Open a case in this mode.
    Open(Mode),
    /// No case: the key is shielded.
    Held,
    /// No case: there is no evidence to show.
    NoEvidence,
}

/// The meters of G-CAP: automatic blocks of this minute.
#[derive(Clone, Copy, Debug, Decode, Default, Encode)]
pub(crate) struct Cap {
    #[n(0)]
    minute: u32,
    /// Of keys with good mail, or class known and above.
    #[n(1)]
    known: u32,
    /// Of all others.
    #[n(2)]
    unknown: u32,
}

/// A rule that fired, with what guards look at.
pub(crate) struct Trigger<'a> {
    pub(crate) key: Prefix,
    pub(crate) offence: Offence,
    pub(crate) entry: &'a Entry,
    /// It passes other people's mail on to us.
    pub(crate) upstream: bool,
    pub(crate) class: Class,
    pub(crate) mode: Mode,
    pub(crate) now: Millis,
    /// The time by which standing is read.
    pub(crate) standing: Millis,
}

/// Asks every guard, and says what the operator must hear.
pub(crate) fn rule(
    trigger: &Trigger<'_>,
    protected: &Protected,
    policy: &Policy,
    cap: &mut Cap,
) -> (Ruling, Option<Alarm>) {
    let floored = protected.clear(trigger.key, Hand::Automatic).is_err();
    if floored || shielded(policy, trigger) || outweighed(policy, trigger) {
        (Ruling::Held, None)
    } else if !trigger.entry.record.has_samples() {
        (Ruling::NoEvidence, None)
    } else if trigger.mode == Mode::Live {
        cap.count(trigger, policy.guards.blocks_per_minute)
    } else {
        (Ruling::Open(trigger.mode), None)
    }
}

/// G-CLASS and G-UPSTREAM: forwarders, shared senders and protected keys are never blocked
/// automatically, nor is who behaves like a relay of ours. The key itself is asked, too: a
/// network may hold a shared sender, whatever class was found for it.
fn shielded(policy: &Policy, trigger: &Trigger<'_>) -> bool {
    policy.guards.classes
        && (trigger.upstream
            || trigger.class.factor_quarters(false).is_none()
            || is_shared_network(trigger.key, policy))
}

/// The ratio guard: good mail of 30 days that is at least as much as a week's spam, unless
/// the last hour brought a dump. A block for backscatter refuses null-sender mail alone, so
/// good mail needs no shield from it; reports are about mail that was taken for good, so
/// their rule holds them against it by itself (OFF-4), as unknown recipients are held against
/// those that were taken, and connections against those that brought mail (OFF-5, OFF-6).
fn outweighed(policy: &Policy, trigger: &Trigger<'_>) -> bool {
    let record = &trigger.entry.record;
    let good = u64::from(record.standing.good(trigger.standing).0);
    let forged = if trigger.offence == Offence::ForgedSender { record.forged(trigger.now) } else { 0 };
    policy.guards.ratio
        && !matches!(
            trigger.offence,
            Offence::Backscatter | Offence::Reports | Offence::Dictionary | Offence::Flood
        )
        && good > 0
        && good >= record.bad(trigger.now) + forged
        && !record.volume.is_dump(trigger.class, &policy.volume, trigger.now)
}

impl Cap {
    /// G-CAP counts blocks of keys with good mail or class known and above, and puts what is
    /// too much into shadow. Keys without history are only counted: a botnet must not disarm
    /// us, but the alarm rings.
    fn count(&mut self, trigger: &Trigger<'_>, limit: u32) -> (Ruling, Option<Alarm>) {
        let has_history = trigger.class >= Class::Known || trigger.entry.has_credit(trigger.standing);
        self.add(has_history, trigger.now, limit)
    }

    /// The same for a network, which counts as known.
    pub(crate) fn count_network(&mut self, mode: Mode, now: Millis, limit: u32) -> (Ruling, Option<Alarm>) {
        if mode == Mode::Live { self.add(true, now, limit) } else { (Ruling::Open(mode), None) }
    }

    fn add(&mut self, has_history: bool, now: Millis, limit: u32) -> (Ruling, Option<Alarm>) {
        let minute = now.minute();
        if self.minute != minute {
            *self = Cap { minute, known: 0, unknown: 0 };
        }
        let count = if has_history { &mut self.known } else { &mut self.unknown };
        *count = count.saturating_add(1);
        match (*count > limit, has_history) {
            (false, _) => (Ruling::Open(Mode::Live), None),
            (true, true) => (Ruling::Open(Mode::Shadow), Some(Alarm::CapReached)),
            (true, false) => (Ruling::Open(Mode::Live), Some(Alarm::ManyBlocks)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::observation::{Client, Rdns, Sensor};
    use model::{Evidence, Secs};

    const NOW: Millis = Millis::from_secs(1_793_491_200);

    fn sample() -> Evidence {
        let addr = "192.0.2.1".parse().unwrap();
        let client = Client { addr, port: 0, helo: None, rdns: Rdns::Missing, authenticated: false };
        Evidence {
            at: NOW,
            client,
            sensor: Sensor::Policy,
            sender: None,
            recipients: 1,
            judgement: None,
            score: None,
            source: None,
            trap: None,
            exhibit: None,
        }
    }

    /// Every offence there is, by its stored number.
    fn offences() -> impl Iterator<Item = Offence> {
        (0..=u8::MAX).map_while(|number| minicbor::decode(&minicbor::to_vec(number).unwrap()).ok())
    }

    #[track_caller]
    fn check(key: &str, expect: Ruling) {
        let (mut entry, policy) = (Entry::new(NOW), Policy::shipped());
        entry.record.keep_sample(1, sample());
        let protected = Protected::new(Vec::new(), true, 0);
        for offence in offences() {
            let trigger = Trigger {
                key: key.parse().unwrap(),
                offence,
                entry: &entry,
                upstream: false,
                class: Class::Unknown,
                mode: Mode::Live,
                now: NOW,
                standing: NOW.plus(Secs(0)),
            };
            let (ruling, _) = rule(&trigger, &protected, &policy, &mut Cap::default());
            assert_eq!(ruling, expect, "{key} {offence:?}");
        }
    }

    #[test]
    fn no_offence_makes_a_shared_sender_or_a_network_that_holds_one_a_key() {
        assert!(offences().count() >= 25);
        for key in ["209.85.220.41", "40.107.0.1", "167.89.12.13", "54.240.8.1", "2a01:111:f403:1::/64"] {
            check(key, Ruling::Held);
        }
        for network in ["209.85.220.0/24", "167.89.0.0/16", "192.254.0.0/16", "2a01:111:f400::/40"] {
            check(network, Ruling::Held);
        }
        check("192.0.2.1", Ruling::Open(Mode::Live));
        check("198.51.100.0/24", Ruling::Open(Mode::Live));
    }
}
