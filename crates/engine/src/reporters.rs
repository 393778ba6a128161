//! Who reports, and how much their word is worth (OFF-4, ADV-3).
//!
//! A person begins at one half and learns from what operators decide: a case by reports
//! that an operator lifts as an error lowers everybody who reported, one that stands to its
//! end raises them. A mailbox that got its first mail less than a day ago counts a tenth, and
//! so does one that got none for 90 days.
//! One person counts once a day for one sender domain. Persons are fragments of keyed
//! hashes; everything is bounded, and what finds no room counts least.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use minicbor::{Decode, Encode};
use model::{CaseId, Millis, Reported, Vote};

use crate::seeded::Seeded;

/// Mailboxes whose first and last mail is remembered, near 20 bytes each.
const MAILBOXES_MAX: usize = 1_000_000;
/// A mailbox without mail for so many hours is forgotten: a site that had a million people
/// once must not take its new ones for strangers for ever.
const KEPT_HOURS: u32 = 90 * 24;
/// Reporters whose record is remembered.
const RECORDS_MAX: usize = 100_000;
/// Reports a day that are told apart; beyond, none is taken.
const TODAY_MAX: usize = 100_000;
/// Running cases by reports whose reporters are remembered.
const CASES_MAX: usize = 10_000;
/// The weight of a mailbox that is younger than this.
const FRESH: u8 = 10;
const FRESH_HOURS: u32 = 24;

/// How a case by reports came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It ran to its end.
    Stood,
    /// An operator said that it was an error.
    Error,
    /// Something else ended it: it says nothing of those who reported.
    Open,
}

/// All that is known of reporters.
#[derive(Debug)]
pub(crate) struct Reporters {
    seeded: Seeded,
    /// The hours of each mailbox's first and last mail.
    mailboxes: HashMap<u32, (u32, u32), Seeded>,
    /// The day on which old ones were last forgotten.
    swept: u32,
    /// How often operators agreed, and how often not.
    records: BTreeMap<u32, (u16, u16)>,
    day: u32,
    /// What was reported on that day: hashes of reporter, sender domain and vote.
    today: BTreeSet<u64>,
    /// Running cases with those who reported.
    cases: BTreeMap<CaseId, Vec<u32>>,
}

/// As it stands in a checkpoint.
#[derive(Decode, Default, Encode)]
pub(crate) struct StoredReporters {
    /// Mailboxes with first hours alone, as they were once kept: their last mail is not known.
    #[n(0)]
    old_mailboxes: Vec<(u32, u32)>,
    #[n(1)]
    records: BTreeMap<u32, (u16, u16)>,
    #[n(2)]
    day: u32,
    #[n(3)]
    today: Vec<u64>,
    #[n(4)]
    cases: BTreeMap<CaseId, Vec<u32>>,
    #[n(5)]
    #[cbor(default)]
    mailboxes: Vec<(u32, u32, u32)>,
    #[n(6)]
    #[cbor(default)]
    swept: u32,
}

impl Reporters {
    pub(crate) fn new(seeded: Seeded) -> Reporters {
        Reporters::restore(seeded, StoredReporters::default())
    }

    /// A mailbox got mail.
    pub(crate) fn got_mail(&mut self, person: u32, at: Millis) {
        let hour = at.minute() / 60;
        self.sweep(at);
        if let Some((first, last)) = self.mailboxes.get_mut(&person) {
            (*first, *last) = ((*first).min(hour), (*last).max(hour));
        } else if self.mailboxes.len() < MAILBOXES_MAX {
            self.mailboxes.insert(person, (hour, hour));
        }
    }

    /// Forgets once a day who got no mail for long.
    fn sweep(&mut self, at: Millis) {
        if at.day() <= self.swept {
            return;
        }
        self.swept = at.day();
        let hour = at.minute() / 60;
        self.mailboxes.retain(|_, (_, last)| hour.saturating_sub(*last) < KEPT_HOURS);
    }

    /// Whether a report is this person's first of the day about this sender domain.
    pub(crate) fn takes(&mut self, report: &Reported, at: Millis) -> bool {
        if at.day() > self.day {
            (self.day, self.today) = (at.day(), BTreeSet::new());
        }
        let domain = report.sender_domain.map_or(0, |domain| domain.0);
        let vote = u64::from(report.vote == Vote::Junk);
        let pair = self.seeded.pair(self.seeded.pair(report.reporter.0, domain), vote);
        self.today.len() < TODAY_MAX && self.today.insert(pair)
    }

    /// What a person's word is worth, in percent.
    pub(crate) fn weight(&self, person: u32, at: Millis) -> u8 {
        let (agreed, not) = self.records.get(&person).copied().unwrap_or_default();
        let learned = 100 * (1 + u32::from(agreed)) / (2 + u32::from(agreed) + u32::from(not));
        let learned = u8::try_from(learned).unwrap_or(100);
        let hour = at.minute() / 60;
        let fresh =
            self.mailboxes.get(&person).is_none_or(|(first, _)| hour.saturating_sub(*first) < FRESH_HOURS);
        if fresh { learned.min(FRESH) } else { learned }
    }

    /// A case was opened because of these people.
    pub(crate) fn opened(&mut self, case: CaseId, people: Vec<u32>) {
        if self.cases.len() < CASES_MAX {
            self.cases.insert(case, people);
        }
    }

    /// A case is over.
    pub(crate) fn closed(&mut self, case: CaseId, outcome: Outcome) {
        for person in self.cases.remove(&case).unwrap_or_default() {
            let known = self.records.len() < RECORDS_MAX || self.records.contains_key(&person);
            if !known || outcome == Outcome::Open {
                continue;
            }
            let (agreed, not) = self.records.entry(person).or_default();
            let count = if outcome == Outcome::Stood { agreed } else { not };
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn store(&self) -> StoredReporters {
        StoredReporters {
            old_mailboxes: Vec::new(),
            records: self.records.clone(),
            day: self.day,
            today: self.today.iter().copied().collect(),
            cases: self.cases.clone(),
            mailboxes: self.sorted_mailboxes(),
            swept: self.swept,
        }
    }

    fn sorted_mailboxes(&self) -> Vec<(u32, u32, u32)> {
        let mut all = Vec::with_capacity(self.mailboxes.len());
        all.extend(self.mailboxes.iter().map(|(person, (first, last))| (*person, *first, *last)));
        // The order of the map must not reach a checkpoint.
        all.sort_unstable();
        all
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredReporters) -> Reporters {
        let mut mailboxes = HashMap::with_hasher(seeded);
        // Of the old ones the last day that is known, so that none is forgotten too soon.
        let known = stored.day * 24;
        let old = stored.old_mailboxes.into_iter().map(|(who, first)| (who, (first, first.max(known))));
        let all = stored.mailboxes.into_iter().map(|(who, first, last)| (who, (first, last)));
        mailboxes.extend(old.chain(all).take(MAILBOXES_MAX));
        Reporters {
            seeded,
            mailboxes,
            swept: stored.swept,
            records: stored.records,
            day: stored.day,
            today: stored.today.into_iter().collect(),
            cases: stored.cases,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{DomainHash, EventId, Node, PersonHash, Secs};

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn reporters() -> Reporters {
        Reporters::new(Seeded([1, 2]))
    }

    fn case(seq: u64) -> CaseId {
        CaseId(EventId { node: Node(1), life: 1, seq })
    }

    #[test]
    fn a_mailbox_younger_than_a_day_counts_a_tenth() {
        let mut all = reporters();
        assert_eq!(all.weight(7, START), 10, "who never got mail here");
        all.got_mail(7, START);
        all.got_mail(7, START.plus(Secs::HOUR));
        let after = |hours: u64| all.weight(7, START.plus(Secs::HOUR.times(hours)));
        assert_eq!([after(0), after(23), after(24)], [10, 10, 50]);
    }

    #[test]
    fn a_mailbox_without_mail_for_ninety_days_is_forgotten_and_makes_room() {
        let mut all = reporters();
        let day = |n: u64| START.plus(Secs::DAY.times(n));
        (0..MAILBOXES_MAX as u32).for_each(|person| all.got_mail(person, START));
        all.got_mail(u32::MAX, day(1));
        assert_eq!(all.weight(u32::MAX, day(3)), 10, "there is no room for it");
        all.got_mail(7, day(89));
        all.got_mail(u32::MAX, day(90));
        assert_eq!(all.mailboxes.len(), 2);
        assert_eq!([7, 8, u32::MAX].map(|person| all.weight(person, day(92))), [50, 10, 50]);
    }

    #[test]
    fn mailboxes_of_an_older_checkpoint_are_kept_from_the_last_day_that_is_known() {
        let first = START.minute() / 60;
        let old =
            StoredReporters { old_mailboxes: vec![(7, first)], day: START.day() + 60, ..Default::default() };
        let mut all = Reporters::restore(Seeded([1, 2]), old);
        all.got_mail(8, START.plus(Secs::DAY.times(100)));
        assert_eq!(all.weight(7, START.plus(Secs::DAY.times(100))), 50);
    }

    #[test]
    fn weight_follows_what_operators_decide() {
        let (mut all, later) = (reporters(), START.plus(Secs::DAY.times(9)));
        all.got_mail(7, START);
        let mut after = |outcomes: &[Outcome]| {
            for outcome in outcomes {
                all.opened(case(1), vec![7]);
                all.closed(case(1), *outcome);
                all.closed(case(1), *outcome);
            }
            all.weight(7, later)
        };
        assert_eq!(after(&[]), 50);
        assert_eq!(after(&[Outcome::Error]), 33);
        assert_eq!(after(&[Outcome::Error]), 25);
        assert_eq!(after(&[Outcome::Open]), 25);
        assert_eq!(after(&[Outcome::Stood; 6]), 70);
    }

    #[test]
    fn one_person_counts_once_a_day_for_one_sender_domain() {
        let mut all = reporters();
        let mut takes = |reporter, domain, vote, at| {
            let sender_domain = Some(DomainHash(domain));
            all.takes(
                &Reported {
                    queue: 1,
                    reporter: PersonHash(reporter),
                    sender_domain,
                    vote,
                    client: None,
                    taken_at: None,
                },
                at,
            )
        };
        assert!(takes(1, 1, Vote::Junk, START));
        assert!((0..1000).all(|_| !takes(1, 1, Vote::Junk, START.plus(Secs::HOUR))));
        assert!(takes(1, 1, Vote::NotJunk, START), "a word can be taken back");
        assert!(takes(1, 2, Vote::Junk, START) && takes(2, 1, Vote::Junk, START));
        assert!(takes(1, 1, Vote::Junk, START.plus(Secs::DAY)));
    }

    #[test]
    fn all_is_there_after_a_checkpoint() {
        let mut all = reporters();
        (0..500).for_each(|n| all.got_mail(n * 7919, START.plus(Secs(u64::from(n) * 900))));
        all.opened(case(3), vec![1, 2]);
        all.opened(case(4), vec![3]);
        all.closed(case(4), Outcome::Stood);
        let bytes = minicbor::to_vec(all.store()).unwrap();
        let again = Reporters::restore(Seeded([1, 2]), minicbor::decode(&bytes).unwrap());
        assert_eq!(minicbor::to_vec(again.store()).unwrap(), bytes);
    }
}
