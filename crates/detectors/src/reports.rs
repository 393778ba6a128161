//! OFF-4, reports of users.
//!
//! Needs: people who say that a message they got was junk, and our own memory of having
//! taken it. How much a report weighs was decided before it comes here: the reporter's
//! record, a fresh mailbox, mail of a list. A key is blocked when enough different people
//! report it, and they are many against its good mail of the week.
//!
//! False positives come from: people who report what they subscribed to (half weight, good
//! mail), a few who report a rival (distinct reporters, learned weight, good mail), one
//! angry user (never one alone). A counter-vote takes as much back.

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::{Finding, Millis, Offence, Secs, Units, Vote};

use crate::record::Record;
use crate::seen::{Act, Context, Detector, Report, Seen};

/// Reporters within this time are counted together.
const TOGETHER: Secs = Secs(48 * 3600);
/// A report is forgotten after this time.
const KEPT: Secs = Secs(7 * 86_400);
/// Different reporters who block, under the class factor.
const REPORTERS: u32 = 3;
/// So many are enough where the filter had doubts about one of the messages.
const REPORTERS_NEAR: u32 = 2;
/// Whatever the class: one person alone blocks nobody.
const REPORTERS_MIN: u64 = 2;
/// Reports in percent of the host's good mail of seven days, at least.
const SHARE: u64 = 2;
/// Reporters that are told apart.
const REPORTERS_MAX: usize = 64;
/// Against a host with good mail a word counts from here on, in percent of a reporter: a
/// mailbox of today, or somebody who is always wrong, has less (ADV-3).
const HEARD_MIN: u8 = 21;
/// Units of a report of full weight (C.3).
const UNITS: u64 = 3;

/// What people said of one key in seven days: each one's latest word.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Vec<Word>);

/// One reporter's word.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Word {
    #[n(0)]
    reporter: u32,
    #[n(1)]
    when: Millis,
    #[n(2)]
    vote: Vote,
    /// What it counts among distinct reporters, in percent of one.
    #[n(3)]
    counts: u8,
    #[n(4)]
    near: bool,
    /// Quarters of a unit that it added, and the time they were written under.
    #[n(5)]
    quarters: u16,
    #[n(6)]
    under: Millis,
}

/// What the words say together.
struct Sum {
    people: u64,
    /// In percent of a reporter; counter-votes are taken off.
    percent: u64,
    near: bool,
}

impl Slot {
    /// Fragments of everybody who called it junk.
    pub fn reporters(&self) -> Vec<u32> {
        let junk = self.words().filter(|word| word.vote == Vote::Junk);
        junk.map(|word| word.reporter).collect()
    }

    /// What the reports of seven days weigh against good mail: their units.
    pub fn weight(&self, now: Millis) -> u64 {
        let lately = self.words().filter(|word| now.since(word.when) < KEPT && word.vote == Vote::Junk);
        lately.map(|word| u64::from(word.quarters)).sum::<u64>() / 4
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.0.iter()
    }

    /// Takes a word in the place of the reporter's earlier one, which comes back.
    fn hear(&mut self, word: Word) -> Option<Word> {
        let words = &mut self.0;
        words.retain(|known| word.when.since(known.when) < KEPT);
        let before = words.iter().position(|known| known.reporter == word.reporter);
        let before = before.map(|place| words.remove(place));
        if words.len() < REPORTERS_MAX {
            words.push(word);
        }
        before
    }

    /// The words of the last `span` that count `least` or more.
    fn sum(&self, span: Secs, least: u8, now: Millis) -> Sum {
        let mut sum = Sum { people: 0, percent: 0, near: false };
        let mut against = 0;
        for word in self.words().filter(|word| now.since(word.when) < span && word.counts >= least) {
            if word.vote == Vote::Junk {
                (sum.people, sum.near) = (sum.people + 1, sum.near | word.near);
                sum.percent += u64::from(word.counts);
            } else {
                against += u64::from(word.counts);
            }
        }
        sum.percent = sum.percent.saturating_sub(against);
        sum
    }
}

/// The detector.
pub struct Reports;

impl Detector for Reports {
    fn offence(&self) -> Offence {
        Offence::Reports
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Reported(report) = &seen.act else { return None };
        let units = units(report);
        let word = Word {
            reporter: report.reporter,
            when: report.when,
            vote: report.vote,
            counts: counts(report),
            near: report.near,
            quarters: u16::try_from(units.quarters()).unwrap_or(u16::MAX),
            under: seen.at,
        };
        let before = of.rare().reports.hear(word);
        if report.vote == Vote::NotJunk {
            // Who takes a word back takes its units back.
            let taken = before.filter(|word| word.vote == Vote::Junk);
            let quarters = |word: &Word| Units::from_quarters(word.quarters.into());
            taken.iter().for_each(|word| of.account.withdraw(Offence::Reports, word.under, quarters(word)));
            return None;
        }
        of.account.add(Offence::Reports, seen.at, units);
        let good = of.standing.good_in(7, around.standing).0;
        let facts = facts(&of.rare().reports, report.when, u64::from(good), around)?;
        Some(Finding { offence: Offence::Reports, key: seen.key, at: seen.at, facts })
    }
}

/// Three units of full weight; a person's word is a quarter at least.
fn units(report: &Report) -> Units {
    if report.vote == Vote::NotJunk {
        return Units::ZERO;
    }
    let weight = u64::from(report.weight) / if report.bulk { 2 } else { 1 };
    Units::from_quarters((UNITS * 4 * weight / 100).max(1))
}

/// A reporter of whom nothing is known, at weight one half, is one; a better record does
/// not make two of them. Mail that can be unsubscribed from counts half.
fn counts(report: &Report) -> u8 {
    let one = report.weight.saturating_mul(2).min(100);
    if report.bulk { one / 2 } else { one }
}

fn facts(slot: &Slot, now: Millis, good: u64, around: &Context<'_>) -> Option<model::Facts> {
    let least = if around.good > 0 { HEARD_MIN } else { 0 };
    let (lately, week) = (slot.sum(TOGETHER, least, now), slot.sum(KEPT, least, now));
    let limit = around.scaled(if lately.near { REPORTERS_NEAR } else { REPORTERS })?.max(REPORTERS_MIN);
    let enough = lately.people >= limit && lately.percent >= limit * 100;
    let share = week.percent.checked_div(good);
    (enough && share.is_none_or(|share| share >= SHARE)).then(|| {
        vec![
            (Measure::Reporters48h, lately.percent / 100),
            (Measure::LimitReporters, limit),
            (Measure::ReportsSharePercent, share.unwrap_or(100).min(100)),
            (Measure::LimitReportsSharePercent, SHARE),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::{Class, Content, Policy};

    const JUNK: Report =
        Report { when: Millis(0), reporter: 0, weight: 50, bulk: false, vote: Vote::Junk, near: false };

    fn seen(n: u64, report: Report) -> Seen {
        let when = Millis::from_secs(1_000_000_000 + n);
        Seen { act: Act::Reported(Report { when, ..report }), ..ended(0, Content::default()) }
    }

    /// At which of ninety-nine reports, one every `apart` seconds, does it fire?
    fn fires_at(class: Class, good: u32, apart: u64, report: impl Fn(u32) -> Report) -> Option<u32> {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = Context { good, ..around(&policy, class) };
        (0..good).for_each(|n| record.standing.credit(around.standing, n / 5, 1));
        (1..=99).find(|n| {
            let seen = seen(u64::from(*n) * apart, Report { reporter: *n, ..report(*n) });
            Reports.observe(&seen, &mut record, &around).is_some()
        })
    }

    #[test]
    fn three_people_in_two_days_block_a_stranger() {
        assert_eq!(fires_at(Class::Unknown, 0, 60, |_| JUNK), Some(3));
        assert_eq!(fires_at(Class::Unknown, 0, 86_400, |_| JUNK), None, "one a day");
        assert_eq!(fires_at(Class::Unknown, 0, 60, |_| Report { near: true, ..JUNK }), Some(2));
        assert_eq!(fires_at(Class::Known, 0, 60, |_| JUNK), Some(9));
        assert_eq!(fires_at(Class::Established, 0, 60, |_| JUNK), Some(30));
        assert_eq!(fires_at(Class::Shared, 0, 60, |_| JUNK), None);
    }

    #[test]
    fn one_person_alone_blocks_nobody() {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, Class::Dynamic);
        for n in 0..50 {
            let report = Report { reporter: 7, near: true, weight: 100, ..JUNK };
            assert_eq!(Reports.observe(&seen(n, report), &mut record, &around), None);
        }
    }

    #[test]
    fn reports_must_be_two_percent_of_the_good_mail() {
        assert_eq!(fires_at(Class::Unknown, 50, 60, |_| JUNK), Some(3));
        // A day credits fifty at most, so a week of them is told by days.
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, Class::Unknown);
        for day in 0..6 {
            (0..50).for_each(|n| record.standing.credit(around.standing.minus(Secs(day * 86_400)), n / 5, 1));
        }
        let fired = (1..=99).find(|n| {
            Reports.observe(&seen(1, Report { reporter: *n, ..JUNK }), &mut record, &around).is_some()
        });
        assert_eq!(fired, Some(6));
    }

    #[test]
    fn mail_of_a_list_counts_half_and_a_better_record_counts_no_more_than_one() {
        let bulk = Report { bulk: true, ..JUNK };
        assert_eq!(fires_at(Class::Unknown, 0, 60, |_| bulk), Some(6));
        assert_eq!(fires_at(Class::Unknown, 0, 60, |_| Report { weight: 90, ..JUNK }), Some(3));
        assert_eq!(fires_at(Class::Unknown, 0, 60, |_| Report { weight: 11, ..JUNK }), Some(14));
    }

    #[test]
    fn a_counter_vote_takes_back_as_much() {
        let vote = |n| if n == 2 { Report { vote: Vote::NotJunk, ..JUNK } } else { JUNK };
        assert_eq!(fires_at(Class::Unknown, 0, 60, vote), Some(5), "two for one");
    }

    #[test]
    fn who_takes_a_word_back_takes_its_units_back() {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, Class::Unknown);
        Reports.observe(&seen(1, JUNK), &mut record, &around);
        let fresh = record.account.take_fresh();
        assert_eq!(fresh[0].units, Units::from_quarters(6), "three times one half");
        record.account.post(model::Mode::Live, &fresh[0]);
        Reports.observe(&seen(2, Report { vote: Vote::NotJunk, ..JUNK }), &mut record, &around);
        assert_eq!(record.account.units(model::Mode::Live, fresh[0].at), []);
        assert_eq!(record.rare().reports.reporters(), []);
    }

    #[test]
    fn a_fresh_mailbox_counts_a_tenth_and_nothing_against_good_mail() {
        let fresh = Report { weight: 10, ..JUNK };
        assert_eq!(fires_at(Class::Unknown, 0, 60, |_| fresh), Some(15));
        assert_eq!(fires_at(Class::Unknown, 1, 60, |_| fresh), None);
        assert_eq!(units(&Report { weight: 10, ..JUNK }), Units::QUARTER);
        assert_eq!(units(&Report { weight: 100, ..JUNK }), Units::whole(3));
        assert_eq!(units(&Report { weight: 100, bulk: true, ..JUNK }), Units::from_quarters(6));
    }
}
