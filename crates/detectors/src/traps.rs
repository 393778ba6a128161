//! OFF-2, spam traps.
//!
//! Needs: the trap list, as keyed hashes. A pristine or seeded trap never asked for mail; a
//! recycled one was dead and refused for a year. From the policy protocol and the log the
//! message's shape is not seen, so a welcome mail can not be told from spam: there a
//! pristine hit only scores, and blocks with three distinct traps, or at once when the
//! client has no FCrDNS and a faulty HELO (DESIGN §8).
//!
//! Where a milter sees messages, the hit is judged at the end of its message: one pristine
//! hit blocks a stranger. A welcome, a bounce or an automatic answer is no trap hit, and
//! what it scored at its recipient is taken back (S70; OFF-15 counts it). A message that
//! never comes to its end stays scored as one whose shape was not seen, and acts with the
//! next one: in its own session it blocks nobody, because its end may still come.
//!
//! False positives come from: addresses that were seeded into web forms (three distinct,
//! class factor), forwarders and list hosts (class).

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::policy::TrapKind;
use model::{Class, Few, Finding, Millis, Offence, PersonHash, Units};

use crate::backscatter;
use crate::record::Record;
use crate::seen::{Act, Context, Detector, Ended, Seen};

/// Days for which a trap counts as hit.
const DAYS: u32 = 7;
/// Distinct traps that are told apart; fifty block everybody (UCEPROTECT's figure).
const TRAPS_MAX: usize = 64;
/// So many distinct traps block any class but shared and protected.
const ALWAYS: u64 = 50;
/// So many block an established server whose mail is spam to a good part.
const ESTABLISHED: u64 = 10;
/// That part, in percent.
const ESTABLISHED_SHARE: u64 = 30;
/// Units of one hit on a trap that was never a mailbox.
const PRISTINE_UNITS: u64 = 5;
/// Units of one hit on a closed mailbox.
const RECYCLED_UNITS: u64 = 2;

/// Traps that one key hit.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Few<Hit>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Hit {
    /// Fragment of the trap's hash.
    #[n(0)]
    trap: u32,
    #[n(1)]
    kind: TrapKind,
    /// The newest day.
    #[n(2)]
    day: u32,
    /// A message came to its end that was neither a welcome nor an answer.
    #[n(3)]
    proven: bool,
}

impl Slot {
    fn hit(&mut self, who: PersonHash, kind: TrapKind, day: u32) -> Option<&mut Hit> {
        self.0.retain(|hit| counts(hit.day, day));
        let trap = who.0 as u32;
        let known = self.0.iter().position(|hit| hit.trap == trap);
        let place = known.or_else(|| {
            (self.0.len() < TRAPS_MAX).then(|| self.0.push(Hit { trap, kind, day, proven: false }))?;
            Some(self.0.len() - 1)
        })?;
        let hit = &mut self.0[place];
        hit.day = hit.day.max(day);
        Some(hit)
    }

    /// Takes a hit back that nothing else has proven.
    fn take_back(&mut self, who: PersonHash) {
        self.0.retain(|hit| hit.proven || hit.trap != who.0 as u32);
    }

    /// Forgets a trap: it is none any more.
    pub fn void(&mut self, who: PersonHash) {
        self.0.retain(|hit| hit.trap != who.0 as u32);
    }

    fn distinct(&self, day: u32) -> u64 {
        self.0.iter().filter(|hit| counts(hit.day, day)).count() as u64
    }

    /// What the distinct traps of the last seven days weigh against good mail.
    pub fn weight(&self, now: Millis) -> u64 {
        let lately = self.0.iter().filter(|hit| counts(hit.day, now.day()));
        lately.map(|hit| units_of(hit.kind)).sum()
    }
}

/// Whether a hit of this day still counts.
fn counts(hit: u32, day: u32) -> bool {
    day.saturating_sub(hit) < DAYS
}

/// Units of one hit (C.3).
pub fn units_of(kind: TrapKind) -> u64 {
    if kind == TrapKind::Pristine { PRISTINE_UNITS } else { RECYCLED_UNITS }
}

/// The detector.
pub struct Trap;

impl Detector for Trap {
    fn offence(&self) -> Offence {
        Offence::Trap
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        match &seen.act {
            Act::Attempt { trap: Some((who, kind)), awaited, .. } => {
                self.named(seen, (*who, *kind), *awaited, of, around)
            }
            Act::Ended(ended) if !ended.traps.is_empty() => self.ended(seen, ended, of, around),
            _ => None,
        }
    }
}

impl Trap {
    /// A trap was named as a recipient. Units are written here, once.
    fn named(
        &self,
        seen: &Seen,
        (who, kind): (PersonHash, TrapKind),
        awaited: bool,
        of: &mut Record,
        around: &Context<'_>,
    ) -> Option<Finding> {
        let day = seen.at.day();
        let before = of.traps.distinct(day);
        of.traps.hit(who, kind, day);
        of.account.add(Offence::Trap, seen.at, Units::whole(units_of(kind)));
        let at_once = kind == TrapKind::Pristine
            && around.class <= Class::Unknown
            && !seen.traits.rdns.is_confirmed()
            && seen.traits.helo.is_faulty();
        // What is awaited is judged at its end; until then only earlier messages speak.
        let distinct = if awaited { before } else { of.traps.distinct(day) };
        self.finding(seen, distinct, at_once && !awaited, of, around)
    }

    /// The message to the traps came to its end.
    fn ended(&self, seen: &Seen, ended: &Ended, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        if backscatter::is_mild(ended.content.shape) {
            for (who, kind) in &ended.traps {
                of.traps.take_back(*who);
                of.account.withdraw(Offence::Trap, seen.at, Units::whole(units_of(*kind)));
            }
            return None;
        }
        let day = seen.at.day();
        for (who, kind) in &ended.traps {
            if let Some(hit) = of.traps.hit(*who, *kind, day) {
                hit.proven = true;
            }
        }
        let pristine = ended.traps.iter().any(|(_, kind)| *kind == TrapKind::Pristine);
        let at_once = pristine && around.class <= Class::Unknown;
        self.finding(seen, of.traps.distinct(day), at_once, of, around)
    }

    fn finding(
        &self,
        seen: &Seen,
        distinct: u64,
        at_once: bool,
        of: &Record,
        around: &Context<'_>,
    ) -> Option<Finding> {
        let limit = limit(around.class, of.volume.share_percent(seen.at));
        let fires = at_once || limit.is_some_and(|l| distinct >= l);
        let limit = if at_once { 1 } else { limit.unwrap_or(ALWAYS) };
        let mut facts = vec![(Measure::DistinctTraps, distinct.max(1)), (Measure::LimitTraps, limit)];
        if matches!(seen.act, Act::Ended(_)) {
            facts.push((Measure::ShapeSeen, 1));
        }
        fires.then_some(Finding { offence: Offence::Trap, key: seen.key, at: seen.at, facts })
    }
}

/// Distinct traps in seven days that block a class, where shapes are not seen.
fn limit(class: Class, share_percent: u64) -> Option<u64> {
    match class {
        Class::Dynamic | Class::NoRdns | Class::Unknown | Class::Known => Some(3),
        Class::Established | Class::ListHost if share_percent >= ESTABLISHED_SHARE => Some(ESTABLISHED),
        Class::Established | Class::ListHost | Class::Forwarder => Some(ALWAYS),
        Class::Shared | Class::Protected => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helo::HeloClass;
    use crate::rdns::RdnsClass;
    use crate::seen::{
        Fit, Traits,
        tests::{around, ended},
    };
    use model::content::Shape;
    use model::{Content, Policy};

    const FINE: Traits = Traits {
        helo: HeloClass::Fine,
        rdns: RdnsClass::Fine,
        shared: false,
        line: 0,
        fit: Fit::Unknown,
        made: false,
    };
    const BAD: Traits = Traits {
        helo: HeloClass::NotFqdn,
        rdns: RdnsClass::Missing,
        shared: false,
        line: 0,
        fit: Fit::Unknown,
        made: false,
    };

    /// Hits `traps` distinct traps, each `times` times, one a day apart by `apart`; says at which hit it fires.
    fn fires_at(class: Class, traits: Traits, kind: TrapKind, traps: u64, apart: u64) -> Option<u64> {
        let policy = Policy::shipped();
        let around = around(&policy, class);
        let mut record = Record::default();
        (1..=traps).find(|n| {
            Trap.observe(&named(*n, *n * apart, traits, kind, false), &mut record, &around).is_some()
        })
    }

    fn named(trap: u64, secs: u64, traits: Traits, kind: TrapKind, awaited: bool) -> Seen {
        let trap = Some((PersonHash(trap), kind));
        let act = Act::Attempt { opens_session: true, trap, recipient: None, awaited };
        Seen { traits, act, ..ended(secs, Content::default()) }
    }

    /// The same, by messages that a milter sees to their end.
    fn ends_at(class: Class, kind: TrapKind, shape: Shape) -> (Option<u64>, u64) {
        let policy = Policy::shipped();
        let (around, mut record) = (around(&policy, class), Record::default());
        let fired = (1..=60).find(|n| {
            assert_eq!(Trap.observe(&named(*n, 60 * n, BAD, kind, true), &mut record, &around), None);
            for fresh in record.account.take_fresh() {
                record.account.post(model::Mode::Live, &fresh);
            }
            let mut end = ended(60 * n, Content { shape, ..Content::default() });
            if let Act::Ended(ended) = &mut end.act {
                ended.traps.push((PersonHash(*n), kind));
            }
            Trap.observe(&end, &mut record, &around).is_some()
        });
        let units = record.account.units(model::Mode::Live, around.standing.plus(model::Secs(3600)));
        (fired, model::case::total(&units).quarters() / 4)
    }

    #[test]
    fn where_the_shape_is_seen_one_pristine_trap_blocks_a_stranger() {
        let plain = |class, kind| ends_at(class, kind, Shape::default());
        for class in [Class::Dynamic, Class::NoRdns, Class::Unknown] {
            assert_eq!(plain(class, TrapKind::Pristine), (Some(1), 5), "{class:?}");
            assert_eq!(plain(class, TrapKind::Recycled), (Some(3), 6), "{class:?}");
        }
        assert_eq!(plain(Class::Known, TrapKind::Pristine), (Some(3), 15));
    }

    #[test]
    fn a_welcome_a_bounce_or_an_answer_is_no_trap_hit() {
        for shape in [Shape::CONFIRMATION, Shape::AUTOMATIC, Shape::BOUNCE, Shape::NULL_SENDER] {
            assert_eq!(ends_at(Class::Unknown, TrapKind::Pristine, shape), (None, 0));
        }
    }

    #[test]
    fn a_message_that_never_ends_acts_with_the_next_one() {
        let policy = Policy::shipped();
        let (around, mut record) = (around(&policy, Class::Unknown), Record::default());
        let mut fires = |n| {
            let seen = named(n, 60 * n, BAD, TrapKind::Pristine, true);
            Trap.observe(&seen, &mut record, &around).is_some()
        };
        assert_eq!([1, 2, 3, 4].map(&mut fires), [false, false, false, true]);
    }

    #[test]
    fn a_hit_that_was_proven_stays_when_a_welcome_reaches_the_same_trap() {
        let mut slot = Slot::default();
        slot.hit(PersonHash(1), TrapKind::Pristine, 100).unwrap().proven = true;
        slot.hit(PersonHash(2), TrapKind::Pristine, 100);
        slot.take_back(PersonHash(1));
        slot.take_back(PersonHash(2));
        assert_eq!(slot.distinct(100), 1);
    }

    #[test]
    fn three_distinct_traps_block_where_shapes_are_not_seen() {
        assert_eq!(fires_at(Class::Unknown, FINE, TrapKind::Pristine, 9, 60), Some(3));
        assert_eq!(fires_at(Class::Known, FINE, TrapKind::Recycled, 9, 60), Some(3));
        assert_eq!(
            fires_at(Class::Unknown, FINE, TrapKind::Pristine, 9, 4 * 86_400),
            None,
            "four days apart"
        );
    }

    #[test]
    fn one_pristine_hit_blocks_a_client_without_name_that_greets_badly() {
        assert_eq!(fires_at(Class::NoRdns, BAD, TrapKind::Pristine, 3, 60), Some(1));
        assert_eq!(fires_at(Class::NoRdns, BAD, TrapKind::Recycled, 3, 60), Some(3));
        assert_eq!(fires_at(Class::Known, BAD, TrapKind::Pristine, 3, 60), Some(3));
    }

    #[test]
    fn what_traps_weigh_is_forgotten_after_seven_days() {
        let mut slot = Slot::default();
        slot.hit(PersonHash(1), TrapKind::Pristine, 100);
        slot.hit(PersonHash(2), TrapKind::Recycled, 103);
        let on = |day: u64| slot.weight(Millis::from_secs(day * 86_400));
        assert_eq!([on(103), on(106), on(107), on(110)], [7, 7, 2, 0]);
        slot.hit(PersonHash(3), TrapKind::Recycled, u32::MAX);
        assert_eq!(slot.distinct(u32::MAX), 1, "the end of time is a day like any other");
    }

    #[test]
    fn fifty_traps_block_established_servers_and_nothing_blocks_shared_ones() {
        assert_eq!(fires_at(Class::Established, FINE, TrapKind::Pristine, 60, 60), Some(50));
        assert_eq!([limit(Class::Established, 29), limit(Class::ListHost, 30)], [Some(50), Some(10)]);
        assert_eq!(fires_at(Class::Shared, FINE, TrapKind::Pristine, 60, 60), None);
    }
}
