//! OFF-18, early talkers, and OFF-19, breakers of the protocol.
//!
//! Need: a sensor that reports how clients behave (`Act::Conduct`): postscreen or smtpd by
//! their log, a filter through `mailward observe`. Each kind of fault is an offence by itself
//! that only counts; a block needs more:
//!
//! - OFF-18: three sessions in 24 hours that spoke before our greeting.
//! - OFF-19: three kinds of faults in 24 hours. Leaving without QUIT is one when more than
//!   90 % of at least twenty sessions did.
//!
//! False positives come from: appliances and old software that break rules (known servers
//! and above are exempt, one kind is never enough), probes of load balancers (declared
//! networks are not judged), and several servers behind one address (G-NAT: twice as many).

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::observation::Habit;
use model::window::Window;
use model::{Class, Finding, Habits, Millis, Offence, Secs, Units};

use crate::distinct::Recent;
use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// What is counted of a key that was seen to misbehave, or to end sessions.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Counts>>);

#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Counts {
    /// Sessions of 24 hours that spoke too early.
    #[n(0)]
    early: Window,
    /// Kinds of faults, each with its last time.
    #[n(1)]
    kinds: Recent,
    /// Sessions that ended, and those without QUIT among them.
    #[n(2)]
    ended: Window,
    #[n(3)]
    unended: Window,
}

impl Slot {
    /// The faults of 24 hours.
    pub fn faults(&self, now: Millis) -> Habits {
        Habits::of(|habit| self.holds(habit, now))
    }

    /// Whether the client was seen to do this in the last 24 hours.
    pub fn holds(&self, habit: Habit, now: Millis) -> bool {
        self.0.as_ref().is_some_and(|counts| counts.kinds.holds(habit as u32, Secs::DAY, now))
    }
}

/// Notes what a client did, for both rules: the first of them that runs.
fn note(slot: &mut Slot, habit: Habit, at: Millis, quit: (u64, u64)) {
    let counts = slot.0.get_or_insert_default();
    match habit {
        Habit::Quit => counts.ended.add(Secs::DAY, at, 1),
        Habit::NoQuit => {
            counts.ended.add(Secs::DAY, at, 1);
            counts.unended.add(Secs::DAY, at, 1);
            let (ended, unended) = (counts.ended.sum(Secs::DAY, at), counts.unended.sum(Secs::DAY, at));
            if ended >= quit.0 && unended * 100 > ended * quit.1 {
                counts.kinds.meet(habit as u32, 1, at, Secs::DAY, Habit::COUNT);
            }
        }
        fault => {
            counts.kinds.meet(fault as u32, 1, at, Secs::DAY, Habit::COUNT);
        }
    }
}

/// OFF-18.
pub struct EarlyTalker;

impl Detector for EarlyTalker {
    fn offence(&self) -> Offence {
        Offence::EarlyTalker
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        if !matches!(seen.act, Act::Conduct(Habit::EarlyTalk)) || around.class > Class::Unknown {
            return None;
        }
        let limit = limit(around.policy.protocol.early_talks, seen, of, around);
        let counts = of.rare().conduct.0.get_or_insert_default();
        counts.early.add(Secs::DAY, seen.at, 1);
        let talks = counts.early.sum(Secs::DAY, seen.at);
        of.account.add(Offence::EarlyTalker, seen.at, Units::whole(1));
        let facts = vec![(Measure::EarlyTalksDay, talks), (Measure::LimitEarlyTalksDay, limit)];
        let finding = Finding { offence: Offence::EarlyTalker, key: seen.key, at: seen.at, facts };
        (talks >= limit).then_some(finding)
    }
}

/// OFF-19.
pub struct Protocol;

impl Detector for Protocol {
    fn offence(&self) -> Offence {
        Offence::Protocol
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Conduct(habit) = seen.act else { return None };
        if around.class > Class::Unknown {
            return None;
        }
        let rule = &around.policy.protocol;
        let limit = limit(rule.kinds, seen, of, around);
        let slot = &mut of.rare().conduct;
        note(slot, habit, seen.at, (rule.quit_sessions.into(), rule.quit_percent.into()));
        let kinds = slot.0.as_ref().map_or(0, |counts| counts.kinds.count(Secs::DAY, seen.at));
        if habit == Habit::Quit || kinds == 0 {
            return None;
        }
        of.account.add(Offence::Protocol, seen.at, Units::whole(1));
        let facts = vec![(Measure::ProtocolFaultsDay, kinds), (Measure::LimitProtocolFaultsDay, limit)];
        let finding = Finding { offence: Offence::Protocol, key: seen.key, at: seen.at, facts };
        (kinds >= limit).then_some(finding)
    }
}

/// A limit, doubled where several servers stand behind one address (G-NAT).
fn limit(number: u32, seen: &Seen, of: &Record, around: &Context<'_>) -> u64 {
    around.least(number) * if of.is_nat(seen.at) { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::{Content, Policy};

    /// Habits of a client, one a minute each `apart`; says which rule fires at which.
    fn fires_at(rule: &dyn Detector, habits: &[Habit], apart: u64, class: Class) -> Option<usize> {
        let policy = Policy::shipped();
        let (around, mut record) = (around(&policy, class), Record::default());
        let mut fires = |n: usize| {
            let act = Act::Conduct(habits[n - 1]);
            let seen = Seen { act, ..ended(n as u64 * apart, Content::default()) };
            rule.observe(&seen, &mut record, &around).is_some()
        };
        (1..=habits.len()).find(|n| fires(*n))
    }

    #[test]
    fn off_18_three_early_talks_in_a_day_block() {
        let talks = [Habit::EarlyTalk; 9];
        let at = |apart, class| fires_at(&EarlyTalker, &talks, apart, class);
        assert_eq!(at(3600, Class::Unknown), Some(3));
        assert_eq!(at(13 * 3600, Class::Unknown), None, "two in a day");
        assert_eq!([at(60, Class::Known), at(60, Class::Shared)], [None, None]);
    }

    #[test]
    fn off_19_three_kinds_in_a_day_block_and_one_kind_never_does() {
        let mixed = [Habit::Pipelining, Habit::Pipelining, Habit::BareLf, Habit::UnknownCommand];
        assert_eq!(fires_at(&Protocol, &mixed, 60, Class::Unknown), Some(4));
        assert_eq!(fires_at(&Protocol, &mixed, 13 * 3600, Class::Unknown), None, "26 h apart");
        assert_eq!(fires_at(&Protocol, &mixed, 60, Class::Known), None, "appliances break rules");
        assert_eq!(fires_at(&Protocol, &[Habit::NonSmtp; 99], 60, Class::Unknown), None);
    }

    #[test]
    fn off_19_leaving_without_quit_is_a_kind_above_ninety_percent_of_twenty() {
        let after = |quits: usize, rest: usize| {
            let mut habits = vec![Habit::BareLf, Habit::Pipelining];
            habits.extend(vec![Habit::Quit; quits]);
            habits.extend(vec![Habit::NoQuit; rest]);
            fires_at(&Protocol, &habits, 60, Class::Unknown)
        };
        assert_eq!(after(0, 30), Some(2 + 20));
        assert_eq!(after(2, 18), None, "90 % is not more than 90 %");
        assert_eq!(after(2, 19), Some(2 + 21));
    }

    #[test]
    fn quit_and_a_missing_one_are_no_faults_by_themselves() {
        let policy = Policy::shipped();
        let (around, mut record) = (around(&policy, Class::Unknown), Record::default());
        for habit in [Habit::Quit, Habit::NoQuit] {
            let seen = Seen { act: Act::Conduct(habit), ..ended(60, Content::default()) };
            assert!(Protocol.observe(&seen, &mut record, &around).is_none());
        }
        assert_eq!(record.account.take_fresh(), []);
    }
}
