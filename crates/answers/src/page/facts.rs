//! Numbers and limits of a rule, as words (REQUIREMENTS C.2: a decision stays explainable
//! after the configuration has changed).

use model::finding::Measure;
use serde::Serialize;

use super::weights::Weights;

/// A number that the rule looked at, or a limit that it held it against.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Fact {
    /// What the number is.
    pub label: &'static str,
    /// The number, or words for it.
    pub value: String,
}

/// The facts that a link holder may see.
pub(crate) fn shown(facts: &[(Measure, u64)], weights: &Weights) -> Vec<Fact> {
    // Sums of units would say what the withheld total says.
    let told = facts.iter().filter(|(m, _)| weights.total.is_some() || !is_sum(*m));
    let value = |measure, number| match (measure, weights.few_traps) {
        (Measure::DistinctTraps, Some(few)) => few.to_owned(),
        _ => value(measure, number),
    };
    told.map(|(m, n)| Fact { label: m.label(), value: value(*m, *n) }).collect()
}

fn is_sum(measure: Measure) -> bool {
    matches!(measure, Measure::UnitsHour | Measure::UnitsDay)
}

/// A number in words where it stands for a class.
pub(crate) fn value(measure: Measure, number: u64) -> String {
    let word = |words: &[&'static str]| usize::try_from(number).ok().and_then(|n| words.get(n).copied());
    let words = match measure {
        Measure::HeloClass => word(&HELO),
        Measure::RdnsClass => word(&RDNS),
        Measure::FirstVerdict => Some(if number > 0 { "yes" } else { "no" }),
        _ => None,
    };
    words.map_or_else(|| number.to_string(), str::to_owned)
}

/// Classes of HELO names (OFF-9) by the numbers that stand in events.
const HELO: [&str; 9] = [
    "no fault found",
    "one of our own names",
    "a bare word",
    "an address without brackets",
    "the literal of another address",
    "not a host name",
    "a single label",
    "a default name",
    "none",
];

/// Classes of reverse DNS names (OFF-10) by the numbers that stand in events.
const RDNS: [&str; 5] = [
    "not known",
    "none",
    "one that does not point back",
    "one made from the address",
    "a confirmed name of its own",
];
