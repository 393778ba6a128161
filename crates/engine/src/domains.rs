//! OFF-24, domain conduct: domains that take no bounces, or have no postmaster or abuse
//! address (`rfc-conduct`).
//!
//! Needs: what became of our own bounces and notices, told through `mailward observe`. We ask
//! nobody; only what was refused anyway is proof: three times over three days or more,
//! without a success, because the address is unknown or the sender null. What a reply says of
//! us is no proof (`wire::refusal`). That no mail server of a domain can be reached is seen in
//! DNS when it sends: proof is the same sight a day later. The entry is a lesson: it weighs one
//! point in the score of messages from that domain and stands in the list of domains (`dom.`),
//! for 30 days after the last proof; a success takes it back at once, and so does an operator.
//! It never blocks. While the site learns, or the rule is in shadow, it is not listed.
//!
//! False positives come from: a domain that moved in those days (hence three days and the
//! success that takes back).

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use model::event::Cause;
use model::observation::{Notice, Outcome, Purpose};
use model::policy::RuleMode;
use model::{
    Actor, Body, Command, Domain, Key, Lesson, Millis, Mode, Name, Offence, Order, Secs, Slight, Subject,
};

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
/// Times, a day apart, that DNS names no mail server that can be reached.
const LOOKS: u8 = 2;
/// Domains that are remembered: a few hundred bytes each.
const DOMAINS_MAX: usize = 4096;
/// Those of them that were only looked up: whoever sends chooses which, and must not crowd out
/// what was refused.
const LOOKED_UP_MAX: usize = DOMAINS_MAX / 2;

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
    /// The entry was told as one that is listed.
    #[n(4)]
    #[cbor(default)]
    listed: bool,
}

impl Domains {
    /// Takes in what became of one notice; what the site learns of it, if that is new.
    pub(crate) fn note(&mut self, notice: &Notice, at: Millis, listed: bool) -> Vec<Lesson> {
        let slight = match (notice.outcome, notice.purpose) {
            (Outcome::Accepted, purpose) => return self.accepted(&notice.domain, purpose),
            (Outcome::Unreachable, _) => Slight::Exchanger,
            (Outcome::NullSender, _) => Slight::Bounces,
            (Outcome::AddressUnknown, Purpose::Postmaster) => Slight::Postmaster,
            (Outcome::AddressUnknown, Purpose::Abuse) => Slight::Abuse,
            // A bounce to a sender who does not exist says nothing of the domain.
            (Outcome::AddressUnknown, Purpose::Bounce | Purpose::Look) | (Outcome::Other, _) => {
                return Vec::new();
            }
        };
        self.refused(&notice.domain, slight, at, listed).into_iter().collect()
    }

    /// Our bounces and notices have a null sender, so one that was taken clears that, too, and
    /// it was a server that took it.
    fn accepted(&mut self, domain: &Name, purpose: Purpose) -> Vec<Lesson> {
        let cleared: &[Slight] = match purpose {
            Purpose::Bounce => &[Slight::Bounces, Slight::Exchanger],
            Purpose::Postmaster => &[Slight::Bounces, Slight::Exchanger, Slight::Postmaster],
            Purpose::Abuse => &[Slight::Bounces, Slight::Exchanger, Slight::Abuse],
            Purpose::Look => &[Slight::Exchanger],
        };
        self.forget(domain, cleared)
    }

    /// Forgets what was seen of a domain; what is to be taken back.
    fn forget(&mut self, domain: &Name, slights: &[Slight]) -> Vec<Lesson> {
        let tries =
            slights.iter().filter_map(|slight| Some((slight, self.0.remove(&(domain.clone(), *slight))?)));
        let told = tries.filter(|(_, tries)| tries.until > Millis(0));
        told.map(|(slight, _)| lesson(domain, *slight, 0, Millis(0), 0)).collect()
    }

    /// What is to be told again because from now on entries are listed, or are not.
    fn relist(&mut self, listed: bool, now: Millis) -> Vec<Lesson> {
        let changed = self.0.iter_mut().filter(|(_, tries)| tries.until > now && tries.listed != listed);
        let told = changed.map(|((domain, slight), tries)| {
            tries.listed = listed;
            lesson(domain, *slight, WEIGHT, tries.until, tries.refused.into())
        });
        told.collect()
    }

    fn refused(&mut self, domain: &Name, slight: Slight, at: Millis, listed: bool) -> Option<Lesson> {
        let key = (domain.clone(), slight);
        if !self.0.contains_key(&key) && !self.has_room(slight, at) {
            return None;
        }
        let tries = self.0.entry(key).or_default();
        if tries.refused == 0 || at.since(tries.last) >= KEPT {
            *tries = Tries { first: at, ..Tries::default() };
        }
        tries.last = tries.last.max(at);
        tries.refused = tries.refused.saturating_add(1);
        // Said again when half of its time is over: an event for each refusal would be noise.
        if !tries.prove(slight) || tries.until.since(at) > Secs(KEPT.0 / 2) {
            return None;
        }
        (tries.until, tries.listed) = (at.plus(KEPT), listed);
        Some(lesson(domain, slight, WEIGHT, tries.until, tries.refused.into()))
    }

    /// Whether there is room for one more; old ones make some.
    fn has_room(&mut self, slight: Slight, at: Millis) -> bool {
        let is_full = |all: &BTreeMap<(Name, Slight), Tries>| {
            let looked_up = || all.keys().filter(|(_, known)| *known == Slight::Exchanger).count();
            all.len() >= DOMAINS_MAX || (slight == Slight::Exchanger && looked_up() >= LOOKED_UP_MAX)
        };
        if is_full(&self.0) {
            self.0.retain(|_, tries| at.since(tries.last) < KEPT);
        }
        !is_full(&self.0)
    }
}

impl Tries {
    /// Whether they are an entry.
    fn prove(&self, slight: Slight) -> bool {
        let (times, spread) = match slight {
            Slight::Exchanger => (LOOKS, Secs::DAY),
            Slight::Bounces | Slight::Postmaster | Slight::Abuse => (REFUSALS, SPREAD),
        };
        self.refused >= times && self.last.since(self.first) >= spread
    }
}

impl Engine {
    /// Hears what became of a notice of ours.
    pub(crate) fn noticed(&mut self, index: u32, notice: &Notice, at: Millis) {
        if self.policy.mode(Offence::DomainConduct) == RuleMode::Off {
            return;
        }
        let (at, listed) = (at.min(self.council.now()), self.lists_conduct());
        let cause = self.council.writer.input(index);
        let lessons = self.mail.domains.note(notice, at, listed);
        self.council.taught(cause, Actor::Engine, listed, lessons);
    }

    /// A person lifts everything against a key: of a domain that is its entries here, too.
    pub(crate) fn forgive(&mut self, command: &Command) {
        if let Order::LiftKey(Key::Domain(domain), _) = &command.order {
            let lessons = self.mail.domains.forget(&name_of(domain), &Slight::ALL);
            let cause = Cause::Command(command.id);
            self.council.taught(cause, command.actor, self.lists_conduct(), lessons);
        }
    }

    /// The mode of the site or of the rule may have changed, and with it whether entries are
    /// listed.
    pub(crate) fn relist_conduct(&mut self, cause: Cause) {
        let (listed, now) = (self.lists_conduct(), self.council.now());
        let lessons = self.mail.domains.relist(listed, now);
        self.council.taught(cause, Actor::Operator, listed, lessons);
    }

    /// Whether entries stand in the list of domains.
    fn lists_conduct(&self) -> bool {
        self.council.mode == Mode::Live && self.policy.mode(Offence::DomainConduct) >= RuleMode::Score
    }
}

impl Council {
    fn taught(&mut self, cause: Cause, actor: Actor, listed: bool, lessons: Vec<Lesson>) {
        let mode = if listed { Mode::Live } else { Mode::Shadow };
        for lesson in lessons {
            self.write(cause, actor, mode, None, None, Body::Learnt(lesson));
        }
    }
}

fn name_of(domain: &Domain) -> Name {
    Name::new(domain.as_str().as_bytes())
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
        let lessons = all.note(&notice, START.plus(Secs(day * 86_400)), true);
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
    fn a_3_no_reachable_server_is_an_entry_when_it_is_seen_a_day_later_again() {
        let seen = |days: &[u64]| learned(Purpose::Look, Outcome::Unreachable, days);
        assert_eq!(seen(&[0, 0, 0]), [], "once is a day's mistake");
        assert_eq!(seen(&[0, 1]), [(1, Slight::Exchanger)]);
        assert_eq!(seen(&[0, 31]), []);
        let mut all = Domains::default();
        for (day, purpose, outcome, expect) in [
            (0, Purpose::Look, Outcome::Unreachable, vec![]),
            (1, Purpose::Look, Outcome::Unreachable, vec![(Slight::Exchanger, WEIGHT)]),
            (2, Purpose::Look, Outcome::Accepted, vec![(Slight::Exchanger, 0)]),
            (3, Purpose::Look, Outcome::Unreachable, vec![]),
            (4, Purpose::Look, Outcome::Unreachable, vec![(Slight::Exchanger, WEIGHT)]),
            (5, Purpose::Bounce, Outcome::Accepted, vec![(Slight::Exchanger, 0)]),
        ] {
            assert_eq!(note(&mut all, purpose, outcome, day), expect, "day {day}");
        }
    }

    #[test]
    fn domains_that_were_looked_up_leave_room_for_refusals() {
        let mut all = Domains::default();
        for n in 0..DOMAINS_MAX {
            let domain = Name::new(format!("d{n}.example").as_bytes());
            let notice = Notice { domain, purpose: Purpose::Look, outcome: Outcome::Unreachable };
            all.note(&notice, START, true);
        }
        assert_eq!(all.0.len(), LOOKED_UP_MAX);
        note(&mut all, Purpose::Abuse, Outcome::AddressUnknown, 0);
        assert_eq!(all.0.len(), LOOKED_UP_MAX + 1);
    }

    /// The format before entries were listed.
    #[test]
    fn what_an_earlier_program_remembered_is_read() {
        let earlier = minicbor::to_vec((START, START, 2u8, Millis(0))).unwrap();
        let tries: Tries = minicbor::decode(&earlier).unwrap();
        assert_eq!((tries.refused, tries.listed), (2, false));
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
            all.note(&notice, START.plus(Secs(day * 86_400)), true);
        };
        (0..DOMAINS_MAX + 9).for_each(|n| refuse(&mut all, n, 0));
        assert_eq!(all.0.len(), DOMAINS_MAX);
        refuse(&mut all, DOMAINS_MAX + 9, 30);
        assert_eq!(all.0.len(), 1);
    }
}
