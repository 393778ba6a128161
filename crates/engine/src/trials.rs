//! G-SHADOW: a rule that is new or was changed runs in shadow first.
//!
//! An option, off as shipped. Where it is on, a rule that an adopted policy lets block, and that
//! did not block before or has other thresholds now, decides and records for some days and
//! refuses nothing; then it blocks by itself. Who does not want to wait takes the option off,
//! which ends all trials at once. That a rule is on trial is a lesson: those who answer
//! read it from the view, and `doctor` shows it.
//!
//! A site's first policy is no change: it learns first anyway.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use model::event::Cause;
use model::policy::RuleMode;
use model::{Actor, Body, Lesson, Millis, Mode, Offence, Policy, Subject};

use crate::Engine;

/// Rules that can be on trial: those that block.
const RULES: [Offence; 19] = [
    Offence::SpamVolume,
    Offence::Trap,
    Offence::Greytrap,
    Offence::Reports,
    Offence::Dictionary,
    Offence::Flood,
    Offence::Helo,
    Offence::ReverseDns,
    Offence::Dynamic,
    Offence::Virus,
    Offence::Attachment,
    Offence::ForgedSender,
    Offence::Backscatter,
    Offence::EarlyTalker,
    Offence::Protocol,
    Offence::Bot,
    Offence::PrefixEscalation,
    Offence::AsnEscalation,
    Offence::HashFlood,
];

/// Rules on trial, each with its end.
#[derive(Debug, Decode, Default, Encode)]
#[cbor(transparent)]
pub(crate) struct Trials(#[n(0)] BTreeMap<Offence, Millis>);

impl Trials {
    /// Takes in a policy behind the one that was in force; what it becomes while trials last, and
    /// what changes by it.
    fn adopt(&mut self, before: &Policy, policy: &mut Policy, now: Millis) -> Vec<Lesson> {
        let Some(lasts) = policy.guards.trial else { return self.end(|_| true) };
        let blocks = |rule: &Offence| policy.mode(*rule) == RuleMode::Block;
        let mut lessons = self.end(|rule| !blocks(&rule));
        for rule in RULES.into_iter().filter(blocks) {
            let known = self.0.contains_key(&rule) || before.mode(rule) == RuleMode::Block;
            if !known || is_changed(rule, before, policy) {
                self.0.insert(rule, now.plus(lasts));
                lessons.push(lesson(rule, now.plus(lasts)));
            }
        }
        self.0.keys().for_each(|rule| set(policy, *rule, RuleMode::Shadow));
        lessons
    }

    /// Ends trials; what is told of it.
    fn end(&mut self, which: impl Fn(Offence) -> bool) -> Vec<Lesson> {
        let over: Vec<Offence> = self.0.keys().copied().filter(|rule| which(*rule)).collect();
        over.iter().for_each(|rule| _ = self.0.remove(rule));
        over.into_iter().map(|rule| lesson(rule, Millis(0))).collect()
    }

    /// Rules whose trial is over at `now`; they are on trial no more.
    fn due(&mut self, now: Millis) -> Vec<Offence> {
        let due: Vec<Offence> =
            self.0.iter().filter(|(_, end)| **end <= now).map(|(rule, _)| *rule).collect();
        due.iter().for_each(|rule| _ = self.0.remove(rule));
        due
    }
}

impl Engine {
    /// Adopts a policy, with rules on trial in shadow.
    pub(crate) fn try_out(&mut self, index: u32, policy: &mut Policy) {
        let now = self.council.now();
        let lessons = self.council.trials.adopt(&self.policy, policy, now);
        for lesson in lessons {
            let cause: Cause = self.council.writer.input(index);
            self.council.write(cause, Actor::Engine, Mode::Live, None, None, Body::Learnt(lesson));
        }
    }

    /// Lets rules block whose trial is over.
    pub(crate) fn end_trials(&mut self) {
        let due = self.council.trials.due(self.council.now());
        if due.is_empty() {
            return;
        }
        let mut policy = Policy::clone(&self.policy);
        due.into_iter().for_each(|rule| set(&mut policy, rule, RuleMode::Block));
        self.policy = policy.into();
    }
}

fn set(policy: &mut Policy, rule: Offence, mode: RuleMode) {
    policy.modes.retain(|(known, _)| *known != rule);
    policy.modes.push((rule, mode));
}

/// Whether the thresholds of a rule are others.
fn is_changed(rule: Offence, before: &Policy, policy: &Policy) -> bool {
    match rule {
        Offence::SpamVolume => before.volume != policy.volume,
        Offence::Dictionary => before.dictionary != policy.dictionary,
        Offence::Flood => before.flood != policy.flood,
        Offence::EarlyTalker | Offence::Protocol => before.protocol != policy.protocol,
        Offence::Bot => before.bot != policy.bot,
        Offence::HashFlood => before.hash_flood != policy.hash_flood,
        Offence::PrefixEscalation => before.networks != policy.networks,
        _ => false,
    }
}

fn lesson(rule: Offence, until: Millis) -> Lesson {
    let quarters = u8::from(until > Millis(0));
    Lesson { of: Subject::Trial(rule), quarters, until, bad: 0, good: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Secs;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn policy(trial: bool, change: impl FnOnce(&mut Policy)) -> Policy {
        let mut policy = Policy::shipped();
        policy.guards.trial = trial.then_some(Secs(7 * 86_400));
        change(&mut policy);
        policy
    }

    fn units(policy: &mut Policy) {
        policy.volume.units_hour = 3;
    }

    /// Which rules are on trial after a policy came behind another.
    fn tried(before: &Policy, mut after: Policy) -> Vec<Offence> {
        let mut trials = Trials::default();
        let told = trials.adopt(before, &mut after, START).len();
        let rules: Vec<Offence> = trials.0.keys().copied().collect();
        assert!(rules.iter().all(|rule| after.mode(*rule) == RuleMode::Shadow));
        assert_eq!(told, rules.len());
        rules
    }

    #[test]
    fn g_shadow_a_changed_or_new_rule_is_on_trial_and_as_shipped_none_is() {
        let shipped = Policy::shipped();
        assert_eq!(tried(&shipped, policy(true, units)), [Offence::SpamVolume]);
        assert_eq!(tried(&shipped, policy(false, units)), []);
        assert_eq!(tried(&shipped, policy(true, |_| {})), [], "the option itself changes no rule");
        let net = |policy: &mut Policy| policy.modes.push((Offence::PrefixEscalation, RuleMode::Block));
        assert_eq!(tried(&shipped, policy(true, net)), [Offence::PrefixEscalation]);
        let off = |policy: &mut Policy| policy.modes.push((Offence::Trap, RuleMode::Off));
        assert_eq!(tried(&shipped, policy(true, off)), []);
        assert_eq!(tried(&policy(true, off), policy(true, |_| {})), [Offence::Trap]);
    }

    #[test]
    fn g_shadow_a_trial_goes_on_over_other_changes_and_ends_where_it_is_forced() {
        let (mut trials, mut first) = (Trials::default(), policy(true, units));
        assert_eq!(trials.adopt(&Policy::shipped(), &mut first, START).len(), 1);
        let mut same = policy(true, units);
        assert_eq!(trials.adopt(&first, &mut same, START.plus(Secs::DAY)).len(), 0);
        assert_eq!(same.mode(Offence::SpamVolume), RuleMode::Shadow, "what was begun goes on");
        assert_eq!(trials.due(START.plus(Secs(7 * 86_400 - 1))), []);
        let mut forced = policy(false, units);
        let told = trials.adopt(&same, &mut forced, START.plus(Secs::DAY));
        assert_eq!(told.iter().map(|lesson| lesson.quarters).collect::<Vec<_>>(), [0]);
        assert_eq!(forced.mode(Offence::SpamVolume), RuleMode::Block);
        let mut again = policy(true, |policy| policy.volume.units_hour = 4);
        trials.adopt(&forced, &mut again, START);
        assert_eq!(trials.due(START.plus(Secs(7 * 86_400))), [Offence::SpamVolume]);
    }
}
