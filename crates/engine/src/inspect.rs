//! What the engine knows of one key, to be looked at: `mailward explain` prints it.
//!
//! A copy of plain values, bounded as the record is. Looking changes nothing, and nothing of
//! it is decided by. What guards held back is remembered beside the state, since the start
//! only: it is for an operator's eyes, and no event.

use std::collections::VecDeque;

use detectors::facts::PassesOn;
use detectors::providers::is_shared_network;
use detectors::seen::Traits;
use model::protected::{Hand, Protected};
use model::{CaseId, Class, Client, Evidence, Habits, Millis, Mode, Offence, Policy, Prefix, Units};

use crate::Engine;
use crate::entry::Entry;
use crate::guards::{Ruling, Trigger};
use crate::seeded::shard_of;

/// What was held back that is remembered, over all keys: some minutes of a busy site, a week
/// of a quiet one.
const HELD_MAX: usize = 512;

/// A copy of what is known of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyReport {
    /// The key.
    pub key: Prefix,
    /// The first time it was seen, as far as is remembered.
    pub first_seen: Millis,
    /// The last time.
    pub last_seen: Millis,
    /// Its class now, by the newest connection that is known.
    pub class: Class,
    /// The factor on thresholds, in quarters; `None`: no rule blocks it.
    pub factor_quarters: Option<u64>,
    /// Until when thresholds are a quarter; zero: never.
    pub probation_until: Millis,
    /// Good messages of 30 days, and the days that had some.
    pub good: (u32, u32),
    /// What speaks against it as much as that speaks for it, of seven days.
    pub bad: u64,
    /// Messages judged in 24 hours, and those judged spam.
    pub judged_day: (u64, u64),
    /// Distinct recipients of 24 hours that do not exist.
    pub unknown_recipients: u64,
    /// Sentences of 90 days.
    pub repeats: u32,
    /// Units of seven days that wait for a sentence, by offence.
    pub waiting: Vec<(Offence, Units)>,
    /// The same of rules in shadow.
    pub waiting_shadow: Vec<(Offence, Units)>,
    /// Cases in force.
    pub running: Vec<(CaseId, Mode, Offence, Millis)>,
    /// What came up to here was lifted; zero: nothing was.
    pub lifted_up_to: Millis,
    /// Habits against SMTP of 24 hours.
    pub faults: Habits,
    /// It passes other people's mail on.
    pub passes_on: Option<PassesOn>,
    /// Sessions kept as evidence, at most five, in the order of time.
    pub sessions: Vec<Evidence>,
    /// What guards held back lately, oldest first.
    pub held: Vec<Held>,
}

/// A trigger that did not become a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    /// The last time.
    pub at: Millis,
    /// The key.
    pub key: Prefix,
    /// The rule that had fired.
    pub offence: Offence,
    /// What held it back.
    pub guard: Guard,
    /// How often.
    pub times: u32,
}

/// What holds a trigger back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Guard {
    /// The protected list, or a range that is never blocked.
    Protected,
    /// It behaves like a relay of ours.
    Upstream,
    /// Its class is never blocked by a rule: forwarders, shared senders.
    Class,
    /// Its good mail outweighs what speaks against it.
    GoodMail,
    /// There is nothing that a case could show.
    NoEvidence,
}

impl Guard {
    /// The words of an explanation.
    pub fn words(self) -> &'static str {
        match self {
            Guard::Protected => "the address is protected",
            Guard::Upstream => "it behaves like a relay of ours",
            Guard::Class => "senders of its class are never blocked by a rule",
            Guard::GoodMail => "its good mail outweighs what speaks against it",
            Guard::NoEvidence => "there was no evidence that a case could show",
        }
    }

    /// The guard that held a trigger back, in the order in which they are asked.
    pub(crate) fn of(
        trigger: &Trigger<'_>,
        ruling: Ruling,
        protected: &Protected,
        policy: &Policy,
    ) -> Option<Guard> {
        match ruling {
            Ruling::Open(_) => None,
            Ruling::NoEvidence => Some(Guard::NoEvidence),
            Ruling::Held => Some(Guard::that_held(trigger, protected, policy)),
        }
    }

    fn that_held(trigger: &Trigger<'_>, protected: &Protected, policy: &Policy) -> Guard {
        let shared = || is_shared_network(trigger.key, policy);
        if protected.clear(trigger.key, Hand::Automatic).is_err() {
            Guard::Protected
        } else if policy.guards.classes && trigger.upstream {
            Guard::Upstream
        } else if policy.guards.classes && (trigger.class.factor_quarters(false).is_none() || shared()) {
            Guard::Class
        } else {
            Guard::GoodMail
        }
    }
}

/// What was held back lately, oldest first; the oldest gives way.
#[derive(Debug, Default)]
pub(crate) struct HeldBack(VecDeque<Held>);

impl HeldBack {
    /// One more; the same again is counted.
    pub(crate) fn note(&mut self, at: Millis, key: Prefix, offence: Offence, guard: Guard) {
        let same = |held: &Held| (held.key, held.offence, held.guard) == (key, offence, guard);
        let before = self.0.iter().rposition(same).and_then(|place| self.0.remove(place));
        let times = before.map_or(0, |held| held.times).saturating_add(1);
        self.0.push_back(Held { at, key, offence, guard, times });
        if self.0.len() > HELD_MAX {
            self.0.pop_front();
        }
    }

    fn of(&self, key: Prefix) -> Vec<Held> {
        self.0.iter().filter(|held| held.key == key).copied().collect()
    }
}

impl Engine {
    /// What is known of a key; `None` of one that was never seen, or is forgotten.
    ///
    /// A class looks at the connection, which the engine keeps only of sessions that wait to
    /// be evidence: `client` is one that the caller knows.
    pub fn inspect(&self, key: Prefix, client: Option<&Client>) -> Option<KeyReport> {
        let hash = self.seeded.key(key);
        let entry = self.shards[shard_of(hash)].look(hash, key)?;
        Some(self.report(key, entry, client))
    }

    fn report(&self, key: Prefix, entry: &Entry, client: Option<&Client>) -> KeyReport {
        let (now, standing, record) = (self.now(), self.council.standing_now(), &entry.record);
        let sessions = record.samples();
        let client = sessions.last().map(|session| &session.client).or(client);
        let traits = client.map(|client| Traits::of(client, false, &self.policy));
        let class = self.class_now(key, entry, &traits.unwrap_or_default());
        let carries = self.upstream.holds(key, now).then_some(PassesOn::CarriesMuch);
        let running = entry.running.iter().filter(|running| running.until > now);
        KeyReport {
            key,
            first_seen: record.standing.first_seen,
            last_seen: record.last_seen,
            class,
            factor_quarters: class.factor_quarters(record.standing.probation_until > now),
            probation_until: record.standing.probation_until,
            good: record.standing.good(standing),
            bad: record.bad(now),
            judged_day: (record.volume.messages_day(now), record.volume.spam_day(now)),
            unknown_recipients: record.unknown_recipients(now),
            repeats: record.repeats(Mode::Live, standing),
            waiting: record.account.units(Mode::Live, now),
            waiting_shadow: record.account.units(Mode::Shadow, now),
            running: running.map(|r| (r.case, r.mode, r.offence, r.until)).collect(),
            lifted_up_to: entry.lifted_up_to,
            faults: record.faults(now),
            passes_on: carries.or_else(|| record.passes_on(now)),
            sessions,
            held: self.council.held.of(key),
        }
    }

    fn class_now(&self, key: Prefix, entry: &Entry, traits: &Traits) -> Class {
        if self.policy.protected.iter().any(|prefix| prefix.covers(key)) {
            Class::Protected
        } else if self.policy.relays.iter().any(|prefix| prefix.covers(key)) {
            Class::Forwarder
        } else {
            entry.record.class(traits, self.council.standing_now())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Prefix {
        Prefix::host([192, 0, 2, n].into())
    }

    #[test]
    fn the_same_again_is_counted_and_the_oldest_gives_way() {
        let mut held = HeldBack::default();
        held.note(Millis(1), key(1), Offence::Trap, Guard::GoodMail);
        held.note(Millis(2), key(2), Offence::Trap, Guard::Class);
        held.note(Millis(3), key(1), Offence::Trap, Guard::GoodMail);
        assert_eq!(held.of(key(1)).iter().map(|h| (h.at, h.times)).collect::<Vec<_>>(), [(Millis(3), 2)]);
        for n in 0..HELD_MAX as u64 {
            held.note(
                Millis(n),
                Prefix::host(std::net::Ipv4Addr::from_bits(n as u32).into()),
                Offence::Helo,
                Guard::Class,
            );
        }
        assert_eq!((held.0.len(), held.of(key(1)).len()), (HELD_MAX, 0));
    }
}
