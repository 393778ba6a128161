//! G-OURS: a rule that good mail fails rests, for the fault is ours (DESIGN §8, C.1).
//!
//! Counted are keys of class known and above: strangers say nothing of us, and neither a
//! botnet nor one customer may disarm a rule. Each key counts once, as its newest message
//! fared. Where more than a fifth of ten keys or more fail a rule, in three regions (/16, /32)
//! or more, it is suspended for an hour at a time, with an alarm; where a tenth at most fail
//! it, it is back at once. The last ten minutes are asked, or, where too little was heard in
//! them, the last day (docs/decisions/g-ours.md).
//!
//! That a rule rests is a lesson: those who answer read it from the view.

use std::collections::{BTreeSet, VecDeque};

use detectors::ours::{RULES, Rules};
use minicbor::{Decode, Encode};
use model::event::Cause;
use model::window::Window;
use model::{Actor, Body, Lesson, Millis, Mode, Offence, Secs, Subject};

use crate::alarm::Alarm;
use crate::council::Council;

/// What is asked first, and what instead where it says too little.
const SPANS: [Secs; 2] = [Secs(600), Secs::DAY];
/// Messages of known keys that say something.
const MESSAGES_MIN: u64 = 20;
/// Keys that they come from: of fewer, three are no share.
const KEYS_MIN: usize = 10;
/// Regions of keys that fail: one badly set up friend is no fault of ours, nor are the many
/// addresses of one customer.
const REGIONS_MIN: usize = 3;
/// Keys that are told apart, the newest: 20 bytes each.
const KEYS_MAX: usize = 256;
/// The share that fails, in percent, above which a rule is suspended.
const SUSPENDS: usize = 20;
/// The share at which it is back.
const RESUMES: usize = 10;
/// For so long it rests, unless it still fails.
const RESTS: Secs = Secs::HOUR;

/// What tests of all rules showed.
#[derive(Debug, Decode, Default, Encode)]
pub(crate) struct Ours {
    #[n(0)]
    rules: Vec<Tests>,
}

/// What tests of one rule showed.
#[derive(Debug, Decode, Default, Encode)]
struct Tests {
    /// Messages that tested it.
    #[n(0)]
    all: [Window; 2],
    #[n(3)]
    until: Millis,
    /// How the newest message of each key fared, the newest last.
    #[n(4)]
    #[cbor(default)]
    heard: VecDeque<Heard>,
}

/// How the newest message of a key fared.
#[derive(Clone, Copy, Debug, Decode, Encode)]
struct Heard {
    #[n(0)]
    who: u32,
    #[n(1)]
    region: u32,
    #[n(2)]
    at: Millis,
    #[n(3)]
    failed: bool,
}

/// The known keys of a span.
struct Share {
    keys: usize,
    failed: usize,
    /// Where those that failed are.
    regions: usize,
}

/// A message of a known key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test {
    pub(crate) tested: Rules,
    pub(crate) failed: Rules,
    /// Fragment of the key's hash.
    pub(crate) who: u32,
    /// Fragment of the hash of its /16 or /32.
    pub(crate) region: u32,
}

impl Ours {
    /// The rules that rest at `now`.
    pub(crate) fn suspended(&self, now: Millis) -> Rules {
        let rests = |rule| {
            let bit = RULES.iter().position(|known| *known == rule);
            bit.and_then(|bit| self.rules.get(bit)).is_some_and(|tests| tests.until > now)
        };
        Rules::of(rests)
    }

    /// Counts a test; what changes by it.
    fn note(&mut self, test: Test, now: Millis) -> Vec<Lesson> {
        self.rules.resize_with(RULES.len(), Tests::default);
        let tested = RULES.iter().zip(&mut self.rules).filter(|(rule, _)| test.tested.has(**rule));
        let lessons = tested.filter_map(|(rule, tests)| {
            let failed = test.failed.has(*rule);
            tests.count(Heard { who: test.who, region: test.region, at: now, failed }, now);
            tests.change(*rule, failed, now)
        });
        lessons.collect()
    }
}

impl Tests {
    fn count(&mut self, heard: Heard, now: Millis) {
        for (window, span) in self.all.iter_mut().zip(SPANS) {
            window.add(span, now, 1);
        }
        self.heard.retain(|old| old.who != heard.who && now.since(old.at) < SPANS[1]);
        if self.heard.len() >= KEYS_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(heard);
    }

    /// The keys of the first span in which enough was seen.
    fn share(&self, now: Millis) -> Option<Share> {
        let mut spans = SPANS.into_iter().zip(&self.all);
        spans.find_map(|(span, all)| {
            let share = self.keys(span, now);
            (all.sum(span, now) >= MESSAGES_MIN && share.keys >= KEYS_MIN).then_some(share)
        })
    }

    fn keys(&self, span: Secs, now: Millis) -> Share {
        let lately = || self.heard.iter().filter(move |heard| now.since(heard.at) < span);
        let regions: BTreeSet<u32> =
            lately().filter(|heard| heard.failed).map(|heard| heard.region).collect();
        let failed = lately().filter(|heard| heard.failed).count();
        Share { keys: lately().count(), failed, regions: regions.len() }
    }

    /// What follows. A rule begins to rest with a message that fails it: of those that pass, no
    /// number of failures before says that it is still broken.
    fn change(&mut self, rule: Offence, failed: bool, now: Millis) -> Option<Lesson> {
        let Share { keys, failed: bad, regions } = self.share(now)?;
        let (share, rests) = (bad * 100 / keys.max(1), self.until > now);
        let fails = failed && share > SUSPENDS && regions >= REGIONS_MIN;
        let again = self.until.since(now) <= Secs(RESTS.0 / 2);
        let quarters = match (fails, rests) {
            (true, _) if again => 1,
            (false, true) if share <= RESUMES => 0,
            _ => return None,
        };
        self.until = if quarters > 0 { now.plus(RESTS) } else { Millis(0) };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Some(Lesson {
            of: Subject::Suspended(rule),
            quarters,
            until: self.until,
            bad: count(bad),
            good: count(keys - bad),
        })
    }
}

impl Council {
    /// Hears how a message of a known key fared.
    pub(crate) fn heard_test(&mut self, index: u32, test: Test) {
        for lesson in self.ours.note(test, self.now()) {
            if lesson.quarters > 0 {
                self.alarm(Alarm::RuleSuspended);
            }
            let cause: Cause = self.writer.input(index);
            self.write(cause, Actor::Engine, Mode::Live, None, None, Body::Learnt(lesson));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn tested() -> Rules {
        Rules::of(|rule| rule == Offence::ReverseDns)
    }

    /// Feeds messages, one every `apart` seconds, of keys in turn, the first `bad` of which fail;
    /// `alike` of them stand in one region. What is said of reverse DNS at the end of which message.
    fn said(messages: u64, apart: u64, keys: u64, bad: u64, alike: u64) -> Vec<(u64, u8)> {
        let (mut ours, mut said) = (Ours::default(), Vec::new());
        for n in 1..=messages {
            let who = (n - 1) % keys;
            let failed = if who < bad { tested() } else { Rules::default() };
            let region = u32::try_from(who / alike).unwrap();
            let test = Test { tested: tested(), failed, who: who as u32, region };
            let lessons = ours.note(test, START.plus(Secs(n * apart)));
            said.extend(lessons.iter().map(|lesson| (n, lesson.quarters)));
            assert!(lessons.iter().all(|lesson| lesson.of == Subject::Suspended(Offence::ReverseDns)));
        }
        said
    }

    #[test]
    fn more_than_a_fifth_of_ten_known_keys_suspends_a_rule() {
        assert_eq!(said(60, 1, 10, 3, 1), [(21, 1)]);
        assert_eq!(said(60, 1, 15, 3, 1), [], "a fifth is not more than a fifth");
        assert_eq!(said(19, 1, 10, 10, 1), [], "nineteen messages say nothing");
        assert_eq!(said(60, 1, 9, 9, 1), [], "nor do nine keys");
    }

    #[test]
    fn each_key_counts_once_and_failing_keys_must_stand_in_three_regions() {
        assert_eq!(said(90, 1, 10, 4, 2), [], "two regions are one customer");
        assert_eq!(said(90, 1, 10, 5, 2), [(21, 1)]);
        let mut ours = Ours::default();
        for who in (0..20).chain(std::iter::repeat_n(0, 500)).chain(std::iter::repeat_n(1, 500)) {
            let failed = if who < 3 { tested() } else { Rules::default() };
            assert_eq!(ours.note(Test { tested: tested(), failed, who, region: who }, START), []);
        }
    }

    #[test]
    fn a_small_site_is_asked_about_its_day() {
        assert_eq!(said(30, 1000, 10, 10, 1), [20, 22, 24, 26, 28, 30].map(|n| (n, 1)));
    }

    #[test]
    fn keys_that_are_told_apart_are_bounded_and_the_newest_say_more() {
        let mut ours = Ours::default();
        for who in 0..100_000 {
            ours.note(Test { tested: tested(), failed: Rules::default(), who, region: who }, START);
        }
        let place = RULES.iter().position(|rule| *rule == Offence::ReverseDns).unwrap();
        assert_eq!(ours.rules[place].heard.len(), KEYS_MAX);
        assert_eq!(ours.rules[place].heard.back().map(|heard| heard.who), Some(99_999));
    }

    #[test]
    fn a_rule_that_works_again_is_back_at_once_and_one_that_fails_goes_on_resting() {
        let mut ours = Ours::default();
        let feed = |ours: &mut Ours, n: u64, fails: bool, from: u64| {
            let failed = if fails { tested() } else { Rules::default() };
            let one = |i: u64| {
                let test = Test { tested: tested(), failed, who: i as u32, region: i as u32 };
                let said = ours.note(test, START.plus(Secs(from + i)));
                said.into_iter().map(|lesson| lesson.quarters).collect::<Vec<_>>()
            };
            (0..n).flat_map(one).collect::<Vec<_>>()
        };
        assert_eq!(feed(&mut ours, 20, true, 0), [1]);
        assert!(ours.suspended(START.plus(Secs(100))).has(Offence::ReverseDns));
        assert_eq!(feed(&mut ours, 20, true, 1900), [1], "half an hour later it still fails");
        assert_eq!(feed(&mut ours, 40, false, 2700), [0]);
        assert!(ours.suspended(START.plus(Secs(2800))).is_empty());
        let restored: Ours = minicbor::decode(&minicbor::to_vec(&ours).unwrap()).unwrap();
        assert_eq!(minicbor::to_vec(&restored).unwrap(), minicbor::to_vec(&ours).unwrap());
    }
}
