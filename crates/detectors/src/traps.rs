//! OFF-2, spam traps.
//!
//! Needs: the trap list, as keyed hashes. A pristine or seeded trap never asked for mail; a
//! recycled one was dead and refused for a year. From the policy protocol and the log the
//! message's shape is not seen, so a welcome mail can not be told from spam: there a
//! pristine hit only scores, and blocks with three distinct traps, or at once when the
//! client has no FCrDNS and a faulty HELO (DESIGN §8).
//!
//! False positives come from: addresses that were seeded into web forms (three distinct,
//! class factor), forwarders and list hosts (class).

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::policy::TrapKind;
use model::{Class, Finding, Millis, Offence, Units};

use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

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

/// Traps that one key hit: fragment of the hash, kind, newest day.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Vec<(u32, TrapKind, u32)>);

impl Slot {
    fn hit(&mut self, fragment: u32, kind: TrapKind, day: u32) {
        self.0.retain(|(_, _, hit)| counts(*hit, day));
        if let Some(known) = self.0.iter_mut().find(|(f, _, _)| *f == fragment) {
            known.2 = known.2.max(day);
        } else if self.0.len() < TRAPS_MAX {
            self.0.push((fragment, kind, day));
        }
    }

    fn distinct(&self) -> u64 {
        self.0.len() as u64
    }

    /// What the distinct traps of the last seven days weigh against good mail.
    pub fn weight(&self, now: Millis) -> u64 {
        let lately = self.0.iter().filter(|(_, _, hit)| counts(*hit, now.day()));
        lately.map(|(_, kind, _)| units_of(*kind)).sum()
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
        let Act::Attempt { trap: Some((who, kind)), .. } = seen.act else { return None };
        of.traps.hit(who.0 as u32, kind, seen.at.day());
        of.account.add(Offence::Trap, seen.at, Units::whole(units_of(kind)));
        let distinct = of.traps.distinct();
        let limit = limit(around.class, of.volume.share_percent(seen.at));
        let at_once = kind == TrapKind::Pristine
            && around.class <= Class::Unknown
            && !seen.traits.rdns.is_confirmed()
            && seen.traits.helo.is_faulty();
        let fires = at_once || limit.is_some_and(|l| distinct >= l);
        let facts = vec![(Measure::DistinctTraps, distinct), (Measure::LimitTraps, limit.unwrap_or(ALWAYS))];
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
    use crate::seen::Traits;
    use model::{PersonHash, Policy};

    const FINE: Traits = Traits { helo: HeloClass::Fine, rdns: RdnsClass::Fine, shared: false };
    const BAD: Traits = Traits { helo: HeloClass::NotFqdn, rdns: RdnsClass::Missing, shared: false };

    /// Hits `traps` distinct traps, each `times` times, one a day apart by `apart`; says at which hit it fires.
    fn fires_at(class: Class, traits: Traits, kind: TrapKind, traps: u64, apart: u64) -> Option<u64> {
        let policy = Policy::shipped();
        let around = Context { policy: &policy, class, on_probation: false, good: 0 };
        let mut record = Record::default();
        (1..=traps).find(|n| {
            let act = Act::Attempt { opens_session: true, trap: Some((PersonHash(*n), kind)) };
            let at = Millis::from_secs(1_000_000_000 + n * apart);
            Trap.observe(&Seen { at, key: "192.0.2.1".parse().unwrap(), traits, act }, &mut record, &around)
                .is_some()
        })
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
        slot.hit(1, TrapKind::Pristine, 100);
        slot.hit(2, TrapKind::Recycled, 103);
        let on = |day: u64| slot.weight(Millis::from_secs(day * 86_400));
        assert_eq!([on(103), on(106), on(107), on(110)], [7, 7, 2, 0]);
        slot.hit(3, TrapKind::Recycled, u32::MAX);
        assert_eq!(slot.distinct(), 1, "the end of time is a day like any other");
    }

    #[test]
    fn fifty_traps_block_established_servers_and_nothing_blocks_shared_ones() {
        assert_eq!(fires_at(Class::Established, FINE, TrapKind::Pristine, 60, 60), Some(50));
        assert_eq!([limit(Class::Established, 29), limit(Class::ListHost, 30)], [Some(50), Some(10)]);
        assert_eq!(fires_at(Class::Shared, FINE, TrapKind::Pristine, 60, 60), None);
    }
}
