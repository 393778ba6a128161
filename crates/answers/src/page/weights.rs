//! What was counted, by type, without saying which message met a trap.
//!
//! Who knows how many of his messages met a trap can find the trap, by sending half of
//! them again (ADV-5). So as long as fewer than three did, their units are not told from
//! the others': both stand in one line. And as long as there is little else in that line,
//! its sum is withheld, too, because every trap has its known weight. (The length of the
//! block does not give it away: a sum so small lies below the shortest length.)

use model::finding::Measure;
use model::reasons::of_offence;
use model::{Case, Offence, Units};
use serde::{Serialize, Serializer};

/// With this many distinct traps their number is shown.
const TRAPS_SHOWN: u64 = 3;
/// From this sum of trap units on there were three traps in any case; three that were
/// never a mailbox weigh five each.
const TRAP_UNITS_SHOWN: Units = Units::whole(15);
/// With so much other evidence a common sum tells nothing of the traps in it.
const OTHERS_HIDE: Units = Units::whole(5);

/// An amount of units; in JSON a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Amount(pub(crate) Units);

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let quarters = self.0.quarters();
        if quarters.is_multiple_of(4) {
            serializer.serialize_u64(quarters / 4)
        } else {
            // Quarters are exact in binary; beyond 2^53 nobody counts them.
            serializer.serialize_f64(quarters as f64 / 4.0)
        }
    }
}

/// One type of what was counted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct UnitLine {
    /// The offences, such as `OFF-1`.
    pub offence: String,
    /// What one of them is called, plural.
    pub what: String,
    /// How much they weigh; `None` is withheld.
    pub units: Option<Amount>,
}

/// The units of a case as they may be told.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// At the trigger, by type.
    pub(crate) lines: Vec<UnitLine>,
    /// Their sum at the trigger, if it may be told.
    pub(crate) total: Option<Units>,
    /// Since the trigger, by type.
    pub(crate) later: Vec<UnitLine>,
    /// Traps were met, and their number is not told: a word for it.
    pub(crate) few_traps: Option<&'static str>,
}

impl Weights {
    /// What may be told of a case.
    pub(crate) fn of(case: &Case) -> Weights {
        let opened = case.opened.as_ref();
        let first = opened.map_or(&[][..], |o| &o.units);
        let later = case.extended.as_ref().map_or(&[][..], |e| &e.later);
        let few_traps = few_traps(case);
        let lines = lines(first, few_traps);
        let total = lines.iter().try_fold(Units::ZERO, |sum, l| Some(sum.plus(l.units?.0)));
        Weights { lines, total, later: later_lines(later, few_traps), few_traps }
    }
}

/// The units of a case with nothing withheld.
pub(crate) fn told_to_operator(case: &Case) -> Weights {
    let first = case.opened.as_ref().map_or(&[][..], |o| &o.units);
    let later = case.extended.as_ref().map_or(&[][..], |e| &e.later);
    let total = Some(model::case::total(first));
    Weights { lines: apart(first), total, later: apart(later), few_traps: None }
}

/// The word for a number of traps that is not told, if there is one.
fn few_traps(case: &Case) -> Option<&'static str> {
    let units = |u: &[(Offence, Units)]| of_traps(u).fold(Units::ZERO, Units::plus);
    let first = case.opened.as_ref().map_or(Units::ZERO, |o| units(&o.units));
    let later = case.extended.as_ref().map_or(Units::ZERO, |e| units(&e.later));
    let facts = case.opened.iter().flat_map(|o| &o.facts);
    let counted = facts.filter(|(m, _)| *m == Measure::DistinctTraps).map(|(_, n)| *n).next();
    match counted {
        Some(distinct) => (distinct < TRAPS_SHOWN).then_some("fewer than 3"),
        None => {
            let sum = first.plus(later);
            (sum > Units::ZERO && sum < TRAP_UNITS_SHOWN).then_some("a few")
        }
    }
}

fn of_traps(units: &[(Offence, Units)]) -> impl Iterator<Item = Units> {
    units.iter().filter(|(o, _)| *o == Offence::Trap).map(|(_, u)| *u)
}

fn lines(units: &[(Offence, Units)], few_traps: Option<&str>) -> Vec<UnitLine> {
    let Some(few) = few_traps.filter(|_| of_traps(units).next().is_some()) else { return apart(units) };
    let others = units.iter().filter(|(o, _)| *o != Offence::Trap);
    let others = others.fold(Units::ZERO, |sum, (_, u)| sum.plus(*u));
    let what = format!("unwanted messages in all, {few} of them to addresses that never asked for any");
    let together = together(units, what);
    vec![UnitLine { units: together.units.filter(|_| others >= OTHERS_HIDE), ..together }]
}

/// Later units: their sum shows in the end of the block, so only their type is withheld.
fn later_lines(units: &[(Offence, Units)], few_traps: Option<&str>) -> Vec<UnitLine> {
    match few_traps.filter(|_| of_traps(units).next().is_some()) {
        Some(_) => vec![together(units, "units".to_owned())],
        None => apart(units),
    }
}

fn apart(units: &[(Offence, Units)]) -> Vec<UnitLine> {
    units.iter().map(|(offence, u)| line(*offence, *u)).collect()
}

fn together(units: &[(Offence, Units)], what: String) -> UnitLine {
    let offence = units.iter().map(|(o, _)| o.id()).collect::<Vec<_>>().join(", ");
    UnitLine { offence, what, units: Some(Amount(model::case::total(units))) }
}

fn line(offence: Offence, units: Units) -> UnitLine {
    let what = of_offence(offence).map_or_else(|| offence.id(), |r| r.counted.to_owned());
    UnitLine { offence: offence.id(), what, units: Some(Amount(units)) }
}
