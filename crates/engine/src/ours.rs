//! G-OURS: a rule that good mail fails rests, for the fault is ours (DESIGN §8, C.1).
//!
//! Counted is mail of keys with good mail alone: strangers say nothing of us, and a botnet
//! must not disarm a rule. Where more than a fifth of at least twenty such messages fail a
//! rule, of three keys or more, it is suspended for an hour at a time, with an alarm; where
//! a tenth at most fail it, it is back at once. The last ten minutes are asked, or, where too
//! little good mail came in them, the last day (docs/decisions/g-ours.md).
//!
//! That a rule rests is a lesson: those who answer read it from the view.

use detectors::distinct::Recent;
use detectors::ours::{RULES, Rules};
use minicbor::{Decode, Encode};
use model::event::Cause;
use model::window::Window;
use model::{Actor, Body, Lesson, Millis, Mode, Offence, Secs, Subject};

use crate::alarm::Alarm;
use crate::council::Council;

/// What is asked first, and what instead where it says too little.
const SPANS: [Secs; 2] = [Secs(600), Secs::DAY];
/// Messages of keys with good mail that say something.
const MESSAGES_MIN: u64 = 20;
/// Keys that fail: one badly set up friend is no fault of ours.
const KEYS_MIN: u64 = 3;
/// Keys that are told apart: more would change nothing.
const KEYS_MAX: usize = 4;
/// The share that fails, in percent, above which a rule is suspended.
const SUSPENDS: u64 = 20;
/// The share at which it is back.
const RESUMES: u64 = 10;
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
    #[n(0)]
    all: [Window; 2],
    #[n(1)]
    failed: [Window; 2],
    /// Keys that failed.
    #[n(2)]
    keys: Recent,
    #[n(3)]
    until: Millis,
}

/// A message of a key with good mail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test {
    pub(crate) tested: Rules,
    pub(crate) failed: Rules,
    /// Fragment of the key's hash.
    pub(crate) who: u32,
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
            tests.count(failed, test.who, now);
            tests.change(*rule, failed, now)
        });
        lessons.collect()
    }
}

impl Tests {
    fn count(&mut self, failed: bool, who: u32, now: Millis) {
        for (place, span) in SPANS.into_iter().enumerate() {
            self.all[place].add(span, now, 1);
            self.failed[place].add(span, now, u32::from(failed));
        }
        if failed {
            self.keys.meet(who, 1, now, SPANS[1], KEYS_MAX);
        }
    }

    /// The share that fails, in percent, where enough was seen.
    fn share(&self, now: Millis) -> Option<u64> {
        let mut spans = SPANS.into_iter().enumerate();
        spans.find_map(|(place, span)| {
            let all = self.all[place].sum(span, now);
            (all >= MESSAGES_MIN).then(|| self.failed[place].sum(span, now) * 100 / all)
        })
    }

    /// What follows. A rule begins to rest with a message that fails it: of those that pass, no
    /// number of failures before says that it is still broken.
    fn change(&mut self, rule: Offence, failed: bool, now: Millis) -> Option<Lesson> {
        let share = self.share(now)?;
        let rests = self.until > now;
        let fails = failed && share > SUSPENDS && self.keys.count(SPANS[1], now) >= KEYS_MIN;
        let again = self.until.since(now) <= Secs(RESTS.0 / 2);
        let quarters = match (fails, rests) {
            (true, _) if again => 1,
            (false, true) if share <= RESUMES => 0,
            _ => return None,
        };
        self.until = if quarters > 0 { now.plus(RESTS) } else { Millis(0) };
        let (bad, of) = (self.failed[0].sum(SPANS[0], now), self.all[0].sum(SPANS[0], now));
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Some(Lesson {
            of: Subject::Suspended(rule),
            quarters,
            until: self.until,
            bad: count(bad),
            good: count(of - bad),
        })
    }
}

impl Council {
    /// Hears how a message of a key with good mail fared.
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

    /// Feeds messages, one every `apart` seconds, of keys in turn; every `each`th fails. What is
    /// said of reverse DNS at the end of which message.
    fn said(messages: u64, apart: u64, each: u64, keys: u64) -> Vec<(u64, u8)> {
        let (mut ours, mut said) = (Ours::default(), Vec::new());
        let tested = Rules::of(|rule| rule == Offence::ReverseDns);
        for n in 1..=messages {
            let failed = if n % each == 0 { tested } else { Rules::default() };
            let who = u32::try_from(n / each % keys).unwrap();
            let lessons = ours.note(Test { tested, failed, who }, START.plus(Secs(n * apart)));
            said.extend(lessons.iter().map(|lesson| (n, lesson.quarters)));
            assert!(lessons.iter().all(|lesson| lesson.of == Subject::Suspended(Offence::ReverseDns)));
        }
        said
    }

    #[test]
    fn more_than_a_fifth_of_twenty_good_messages_suspends_a_rule() {
        assert_eq!(said(60, 1, 4, 9), [(20, 1)]);
        assert_eq!(said(60, 1, 5, 9), [], "a fifth is not more than a fifth");
        assert_eq!(said(19, 1, 1, 9), [], "nineteen say nothing");
        assert_eq!(said(60, 1, 2, 2), [], "two keys are no fault of ours");
    }

    #[test]
    fn a_small_site_is_asked_about_its_day() {
        assert_eq!(
            said(30, 1000, 2, 9),
            [(20, 1), (22, 1), (24, 1), (26, 1), (28, 1), (30, 1)].map(|(n, q)| (n, q))
        );
    }

    #[test]
    fn a_rule_that_works_again_is_back_at_once_and_one_that_fails_goes_on_resting() {
        let mut ours = Ours::default();
        let tested = Rules::of(|rule| rule == Offence::ReverseDns);
        let feed = |ours: &mut Ours, n: u64, fails: bool, from: u64| {
            let failed = if fails { tested } else { Rules::default() };
            (0..n)
                .flat_map(|i| {
                    let test = Test { tested, failed, who: i as u32 };
                    ours.note(test, START.plus(Secs(from + i)))
                        .into_iter()
                        .map(|lesson| lesson.quarters)
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
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
