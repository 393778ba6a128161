//! OFF-24, domain conduct: domains that take no bounces, or have no postmaster or abuse
//! address (`rfc-conduct`).
//!
//! Needs: what became of our own bounces and notices, told through `mailward observe`. We ask
//! nobody; only what was refused anyway is proof: three times over three days or more,
//! without a success, because the address is unknown or the sender null. What a reply says of
//! us is no proof (`wire::refusal`). The entry is a lesson: it weighs one point in the score
//! of messages from that domain, for 30 days after the last proof, and a success takes it
//! back at once. It never blocks.
//!
//! False positives come from: a domain that moved in those days (hence three days and the
//! success that takes back).

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use model::observation::{Notice, Outcome, Purpose};
use model::policy::RuleMode;
use model::{Actor, Body, Lesson, Millis, Mode, Name, Offence, Secs, Slight, Subject};

use crate::Engine;
use crate::council::Council;

/// Refusals that make an entry.
const REFUSALS: u8 = 3;
/// From the first to the last of them at least.
const SPREAD: Secs = Secs(3 * 86_400);
/// For so long an entry holds, and a refusal counts.
const KEPT: Secs = Secs(30 * 86_400);
/// What an entry weighs, in quarters of a point.
const WEIGHT: u8 = 4;
/// Domains that are remembered: a few hundred bytes each.
const DOMAINS_MAX: usize = 4096;

/// What became of our mail, by domain.
#[derive(Clone, Debug, Decode, Default, Encode)]
#[cbor(transparent)]
pub(crate) struct Domains(#[n(0)] BTreeMap<(Name, Slight), Tries>);

#[derive(Clone, Debug, Decode, Default, Encode)]
struct Tries {
    #[n(0)]
    first: Millis,
    #[n(1)]
    last: Millis,
    #[n(2)]
    refused: u8,
    /// Until when the entry holds; 0 where there is none.
    #[n(3)]
    until: Millis,
}

impl Domains {
    /// Takes in what became of one notice; what the site learns of it, if that is new.
    pub(crate) fn note(&mut self, notice: &Notice, at: Millis) -> Vec<Lesson> {
        match (notice.outcome, notice.purpose) {
            (Outcome::Accepted, purpose) => self.accepted(&notice.domain, purpose),
            (Outcome::NullSender, _) => self.refused(&notice.domain, Slight::Bounces, at),
            (Outcome::AddressUnknown, Purpose::Postmaster) => {
                self.refused(&notice.domain, Slight::Postmaster, at)
            }
            (Outcome::AddressUnknown, Purpose::Abuse) => self.refused(&notice.domain, Slight::Abuse, at),
            // A bounce to a sender who does not exist says nothing of the domain.
            (Outcome::AddressUnknown, Purpose::Bounce) | (Outcome::Other, _) => Vec::new(),
        }
    }

    /// Our bounces and notices have a null sender, so one that was taken clears that, too.
    fn accepted(&mut self, domain: &Name, purpose: Purpose) -> Vec<Lesson> {
        let address = match purpose {
            Purpose::Bounce => None,
            Purpose::Postmaster => Some(Slight::Postmaster),
            Purpose::Abuse => Some(Slight::Abuse),
        };
        let cleared = [Some(Slight::Bounces), address].into_iter().flatten();
        let known = cleared.filter_map(|slight| Some((slight, self.0.remove(&(domain.clone(), slight))?)));
        let told = known.filter(|(_, tries)| tries.until > Millis(0));
        told.map(|(slight, _)| lesson(domain, slight, 0, Millis(0), 0)).collect()
    }

    fn refused(&mut self, domain: &Name, slight: Slight, at: Millis) -> Vec<Lesson> {
        let key = (domain.clone(), slight);
        if self.0.len() >= DOMAINS_MAX && !self.0.contains_key(&key) {
            self.0.retain(|_, tries| at.since(tries.last) < KEPT);
            if self.0.len() >= DOMAINS_MAX {
                return Vec::new();
            }
        }
        let tries = self.0.entry(key).or_default();
        if tries.refused == 0 || at.since(tries.last) >= KEPT {
            *tries = Tries { first: at, ..Tries::default() };
        }
        tries.last = tries.last.max(at);
        tries.refused = tries.refused.saturating_add(1);
        let proven = tries.refused >= REFUSALS && tries.last.since(tries.first) >= SPREAD;
        // Said again when half of its time is over: an event for each refusal would be noise.
        if !proven || tries.until.since(at) > Secs(KEPT.0 / 2) {
            return Vec::new();
        }
        tries.until = at.plus(KEPT);
        vec![lesson(domain, slight, WEIGHT, tries.until, tries.refused.into())]
    }
}

impl Engine {
    /// Hears what became of a notice of ours.
    pub(crate) fn noticed(&mut self, index: u32, notice: &Notice, at: Millis) {
        if self.policy.mode(Offence::DomainConduct) == RuleMode::Off {
            return;
        }
        let at = at.min(self.council.now());
        for lesson in self.mail.domains.note(notice, at) {
            self.council.taught(index, lesson);
        }
    }
}

impl Council {
    fn taught(&mut self, index: u32, lesson: Lesson) {
        let cause = self.writer.input(index);
        self.write(cause, Actor::Engine, Mode::Live, None, None, Body::Learnt(lesson));
    }
}

fn lesson(domain: &Name, slight: Slight, quarters: u8, until: Millis, bad: u32) -> Lesson {
    Lesson {
        of: Subject::Conduct(domain.clone(), slight),
        quarters,
        until,
        bad,
        good: u32::from(quarters == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn note(all: &mut Domains, purpose: Purpose, outcome: Outcome, day: u64) -> Vec<(Slight, u8)> {
        let notice = Notice { domain: Name::new(b"shop.example"), purpose, outcome };
        let lessons = all.note(&notice, START.plus(Secs(day * 86_400)));
        let told = lessons.into_iter().map(|lesson| match lesson.of {
            Subject::Conduct(name, slight) => {
                assert_eq!(name, Name::new(b"shop.example"));
                (slight, lesson.quarters)
            }
            other => panic!("{other:?}"),
        });
        told.collect()
    }

    /// What is learned on which of these days.
    fn learned(purpose: Purpose, outcome: Outcome, days: &[u64]) -> Vec<(u64, Slight)> {
        let mut all = Domains::default();
        let on = days.iter().flat_map(|day| {
            note(&mut all, purpose, outcome, *day)
                .into_iter()
                .map(|(slight, _)| (*day, slight))
                .collect::<Vec<_>>()
        });
        on.collect()
    }

    #[test]
    fn a_3_an_unknown_postmaster_thrice_in_four_days_is_an_entry() {
        let unknown = |purpose, days: &[u64]| learned(purpose, Outcome::AddressUnknown, days);
        assert_eq!(unknown(Purpose::Postmaster, &[0, 2, 4]), [(4, Slight::Postmaster)]);
        assert_eq!(unknown(Purpose::Abuse, &[0, 1, 3]), [(3, Slight::Abuse)]);
        assert_eq!(unknown(Purpose::Postmaster, &[0, 1, 2]), [], "two days are too few");
        assert_eq!(unknown(Purpose::Postmaster, &[0, 4]), [], "so are two refusals");
        assert_eq!(unknown(Purpose::Postmaster, &[0, 31, 62]), [], "each is forgotten before the next");
        assert_eq!(unknown(Purpose::Bounce, &[0, 2, 4, 6]), [], "a sender may simply not exist");
    }

    #[test]
    fn a_3_a_refused_null_sender_is_told_whatever_our_notice_was() {
        for purpose in [Purpose::Bounce, Purpose::Postmaster, Purpose::Abuse] {
            assert_eq!(learned(purpose, Outcome::NullSender, &[0, 2, 4]), [(4, Slight::Bounces)]);
        }
    }

    #[test]
    fn a_3_what_is_about_us_is_no_entry() {
        assert_eq!(learned(Purpose::Postmaster, Outcome::Other, &[0, 1, 2, 3, 4, 5]), []);
    }

    #[test]
    fn a_success_takes_the_entry_back_and_begins_anew() {
        let mut all = Domains::default();
        for (day, outcome, expect) in [
            (0, Outcome::AddressUnknown, vec![]),
            (1, Outcome::Accepted, vec![]),
            (2, Outcome::AddressUnknown, vec![]),
            (4, Outcome::AddressUnknown, vec![]),
            (5, Outcome::AddressUnknown, vec![(Slight::Postmaster, WEIGHT)]),
            (6, Outcome::AddressUnknown, vec![]),
            (21, Outcome::AddressUnknown, vec![(Slight::Postmaster, WEIGHT)]),
            (22, Outcome::Accepted, vec![(Slight::Postmaster, 0)]),
        ] {
            assert_eq!(note(&mut all, Purpose::Postmaster, outcome, day), expect, "day {day}");
        }
    }

    #[test]
    fn domains_are_bounded_and_old_ones_make_room() {
        let mut all = Domains::default();
        let refuse = |all: &mut Domains, n: usize, day: u64| {
            let domain = Name::new(format!("d{n}.example").as_bytes());
            let notice = Notice { domain, purpose: Purpose::Abuse, outcome: Outcome::AddressUnknown };
            all.note(&notice, START.plus(Secs(day * 86_400)));
        };
        (0..DOMAINS_MAX + 9).for_each(|n| refuse(&mut all, n, 0));
        assert_eq!(all.0.len(), DOMAINS_MAX);
        refuse(&mut all, DOMAINS_MAX + 9, 30);
        assert_eq!(all.0.len(), 1);
    }
}
