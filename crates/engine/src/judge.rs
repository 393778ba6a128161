//! What the rules about one key make of one fact.

use detectors::ours::Rules;
use detectors::seen::{Beside, Context, Seen, Traits};
use detectors::{DETECTORS, backscatter, facts, hosts};
use model::policy::RuleMode;
use model::{Class, Finding, Millis, Mode, Offence, Policy, Prefix};

use crate::entry::Entry;
use crate::kinds::kind_of;
use crate::seeded::Seeded;
use crate::shard::{Found, Keep, Sample, What};

/// What is the same for all work of one run.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) policy: &'a Policy,
    /// Enforcing, or learning.
    pub(crate) mode: Mode,
    pub(crate) now: Millis,
    /// The time by which standing is read.
    pub(crate) standing: Millis,
    /// Some rule runs in shadow.
    pub(crate) shadow_rules: bool,
    /// Rules that rest (G-OURS).
    pub(crate) suspended: Rules,
    pub(crate) seeded: Seeded,
}

impl Surroundings<'_> {
    /// In which mode a finding would open a case; `None` where its rule only scores.
    pub(crate) fn mode_of(&self, offence: Offence) -> Option<Mode> {
        match self.policy.mode(offence) {
            RuleMode::Off | RuleMode::Score | RuleMode::Defer => None,
            RuleMode::Shadow => Some(Mode::Shadow),
            RuleMode::Block => Some(self.mode),
        }
    }

    /// The sentences that units of an offence count towards: live, shadow.
    ///
    /// A shadow case runs as if its rule were enforced beside those that are, so it counts
    /// their units, too; never the other way round.
    fn books(&self, offence: Offence) -> [Option<Mode>; 2] {
        let mode = self.mode_of(offence);
        let also = mode == Some(Mode::Live) && self.shadow_rules;
        [mode, also.then_some(Mode::Shadow)]
    }
}

/// The class under which a key is judged: declared, or by its mail and looks.
pub(crate) fn class_of(entry: &Entry, seen: &Seen, around: &Surroundings<'_>) -> Class {
    class_by(entry, seen.key, &seen.traits, around)
}

/// The same, where nothing else was seen.
pub(crate) fn class_by(entry: &Entry, key: Prefix, traits: &Traits, around: &Surroundings<'_>) -> Class {
    if around.policy.protected.iter().any(|p| p.covers(key)) {
        Class::Protected
    } else if around.policy.relays.iter().any(|p| p.covers(key)) {
        Class::Forwarder
    } else {
        entry.record.class(traits, around.standing)
    }
}

/// Counts a refused attempt, at a trap or not; says whether a sentence has grown by it whose
/// growth was all written: what is not waits for its minute already.
pub(crate) fn refused(entry: &mut Entry, mode: Mode, (pair, trap): (u64, bool), now: Millis) -> bool {
    let mut grown = false;
    for running in entry.in_force(mode, now) {
        let waits = running.dirty;
        grown |= running.attempt(pair, trap, now) && !waits;
    }
    grown
}

/// Judges one fact: grows sentences in force, and says which rules fired without one.
pub(crate) fn judge(
    entry: &mut Entry,
    seen: &Seen,
    class: Class,
    (sample, beside): (Option<Box<Sample>>, Beside),
    shadowed: bool,
    around: &Surroundings<'_>,
    told: &mut Vec<What>,
) {
    // What a site that enforces would have refused, it would not have judged.
    if shadowed && around.mode == Mode::Shadow {
        return;
    }
    let found = run_rules(entry, seen, class, shadowed, beside, around);
    facts::note(seen, &mut entry.record);
    hosts::note(seen, &mut entry.record);
    if let Some(sample) = sample {
        keep(entry, *sample, around);
    }
    if settle(entry, shadowed, around) {
        told.push(What::Grown);
    }
    for finding in found {
        let Some(mode) = around.mode_of(finding.offence) else { continue };
        let kind = kind_of(finding.offence, class, entry, around.now);
        if !entry.is_sentenced(mode, finding.offence, kind, around.now) {
            told.push(What::Found(Found { finding, class, mode }));
        }
    }
}

/// Keeps a session as evidence, if it is some.
fn keep(entry: &mut Entry, sample: Sample, around: &Surroundings<'_>) {
    let Sample { hash, keep, evidence } = sample;
    let record = &mut entry.record;
    let counted = || record.account.has_fresh(|offence| around.mode_of(offence).is_some());
    match keep {
        Keep::Never => record.drop_sample(hash),
        Keep::IfCounted if !record.has_sample(hash) && !counted() => {}
        Keep::IfCounted | Keep::Always => record.keep_sample(hash, evidence),
    }
}

fn run_rules(
    entry: &mut Entry,
    seen: &Seen,
    class: Class,
    shadowed: bool,
    beside: Beside,
    around: &Surroundings<'_>,
) -> Vec<Finding> {
    let on_probation = entry.record.standing.probation_until > seen.at;
    let good = entry.record.standing.good(around.standing).0;
    let standing = around.standing;
    let context = Context { policy: around.policy, class, on_probation, good, standing, beside };
    // What a shadow case would have refused, rules in shadow would not have seen.
    let runs = |offence| match around.policy.mode(offence) {
        RuleMode::Off => false,
        _ if around.suspended.has(offence) => false,
        _ => !shadowed || around.mode_of(offence) != Some(Mode::Shadow),
    };
    let is_bounce = backscatter::is_only_answer(seen, &context);
    let hears = |offence| !(is_bounce && backscatter::spares(offence));
    let running = DETECTORS.iter().filter(|d| runs(d.offence()) && hears(d.offence()));
    running.filter_map(|d| d.observe(seen, &mut entry.record, &context)).collect()
}

/// Gives fresh units to the sentences in force, or lets them wait for one: each counts once
/// (SEN-4). Says whether a sentence has grown whose growth was all written.
fn settle(entry: &mut Entry, shadowed: bool, around: &Surroundings<'_>) -> bool {
    let mut grown = false;
    for fresh in entry.record.account.take_fresh() {
        for mode in around.books(fresh.offence).into_iter().flatten() {
            if shadowed && mode == Mode::Shadow {
                continue;
            }
            if let Some(taker) = entry.in_force(mode, around.now).find(|r| r.takes(fresh.offence)) {
                grown |= !taker.dirty;
                taker.accrue(fresh.offence, fresh.units, around.now);
            } else {
                entry.record.account.post(mode, &fresh);
            }
        }
    }
    grown
}
