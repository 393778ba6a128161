//! The arithmetic of a sentence in words and numbers (REQUIREMENTS D.2).
//!
//! A reader must be able to check it with a pencil: the rule in one sentence, then the
//! same with the numbers of the case, then each later change of the end on its own line.

use model::case::Opened;
use model::reasons::by_number;
use model::sentence::Tariff;
use model::{Actor, Lasts, Offence, Secs, Units};
use projections::CaseView;

use super::weights::{UnitLine, Weights};
use crate::when::When;

/// A sentence told.
#[derive(Clone, Debug)]
pub(crate) struct Sentence {
    /// Its length at the trigger.
    pub(crate) lasts: Secs,
    /// 2^min(r, 4).
    pub(crate) factor: u64,
    pub(crate) floor_applied: bool,
    pub(crate) cap_applied: bool,
    /// The rule; empty for a block by hand.
    pub(crate) rule: String,
    /// The rule with the numbers of the case.
    pub(crate) here: String,
    /// Each later change.
    pub(crate) later: Vec<String>,
}

impl Sentence {
    /// The sentence of a case.
    pub(crate) fn of(case: &CaseView, opened: &Opened, weights: &Weights) -> Sentence {
        let tariff = &opened.tariff;
        let terms = Terms::of(opened);
        let lasts = opened.until.since(opened.from);
        let (rule, here) = if by_number(opened.reason).offence == Offence::PrefixEscalation {
            (FOLLOWS.to_owned(), format!("The length at first was {lasts}."))
        } else if case.actor != Actor::Engine {
            (String::new(), format!("An operator set the length: {lasts}."))
        } else if lasts.0.abs_diff(tariff.sentence(terms.units, opened.repeats).0) > 60 {
            // Another version of the program may have had another formula.
            (String::new(), format!("The length was {lasts}."))
        } else {
            (rule(opened), here(tariff, &terms, weights))
        };
        let end = format!(" Until {}.", When::minute_up(opened.until));
        Sentence {
            lasts,
            factor: terms.factor,
            floor_applied: terms.floor_applied,
            cap_applied: terms.cap_applied,
            rule,
            here: here + &end,
            later: later(case, opened, weights),
        }
    }
}

/// The rule of a network's block (OFF-22), which has no formula.
const FOLLOWS: &str = "Blocked as long as so many servers of the network were blocked lately; it ends by \
                       itself when they are fewer.";

/// The numbers of the formula for one case.
struct Terms {
    units: Units,
    repeats: u32,
    factor: u64,
    plain: u64,
    floor_applied: bool,
    cap_applied: bool,
}

impl Terms {
    fn of(opened: &Opened) -> Terms {
        let (tariff, units) = (&opened.tariff, model::case::total(&opened.units));
        let (plain, factor) = (plain(tariff, units), tariff.factor(opened.repeats));
        let base = plain.max(tariff.floor.0);
        Terms {
            units,
            repeats: opened.repeats,
            factor,
            plain,
            floor_applied: plain < tariff.floor.0 && tariff.per_unit.0 > 0,
            cap_applied: base.saturating_mul(factor) > tariff.cap.0,
        }
    }
}

/// What units cost before floor, doubling and cap.
fn plain(tariff: &Tariff, units: Units) -> u64 {
    let quarters = u128::from(tariff.per_unit.0) * u128::from(units.quarters());
    u64::try_from(quarters / 4).unwrap_or(u64::MAX)
}

fn rule(opened: &Opened) -> String {
    let tariff = &opened.tariff;
    let doubled = match tariff.doublings {
        0 => String::new(),
        most => format!(", doubled for each earlier block in the last 90 days ({most} count at most)"),
    };
    let (unit, floor, cap) = (tariff.per_unit, tariff.floor, tariff.cap);
    let lasts = Lasts::of_block(by_number(opened.reason).offence, tariff);
    if let Some(told) = by_itself(lasts, floor) {
        return told;
    }
    if unit.0 == 0 {
        return format!("Blocked for {floor}, whatever the amount{doubled}.");
    }
    let slides = lasts.slides().then(|| format!(", and until {floor} have passed since the last of it"));
    let slides = slides.unwrap_or_default();
    format!(
        "Blocked for {unit} per unwanted message received from this server in the last 7 days \
         (at least {floor}, at most {cap}){doubled}{slides}."
    )
}

/// The rule of what slides and of ladders, which no amount and no other block lengthens.
fn by_itself(lasts: Lasts, span: Secs) -> Option<String> {
    match lasts {
        Lasts::Sliding(_) => Some(format!("Blocked until {span} have passed since the last of it.")),
        Lasts::Ladder { steps, memory } => {
            let steps: Vec<String> = steps.iter().map(Secs::to_string).collect();
            Some(format!(
                "Blocked for {}: one step further each time, as long as the block before ended no longer \
                 than {memory} ago.",
                steps.join(", then ")
            ))
        }
        Lasts::ByUnits | Lasts::ByUnitsSliding | Lasts::Fixed(_) | Lasts::ByRule => None,
    }
}

fn here(tariff: &Tariff, terms: &Terms, weights: &Weights) -> String {
    let bare = terms.floor_applied || tariff.per_unit.0 == 0;
    let base = if bare { tariff.floor } else { Secs(terms.plain) };
    let product = Secs(base.0.saturating_mul(terms.factor));
    let cut =
        if terms.cap_applied { format!(", cut to the maximum of {}", tariff.cap) } else { String::new() };
    let Some(first) = first_term(tariff, terms, weights) else {
        return format!("Here: the amount is not shown; the length is {}.", product.min(tariff.cap));
    };
    match (doubled(tariff, terms), bare) {
        (None, true) => format!("Here: {first}{cut}."),
        (None, false) => format!("Here: {first} = {product}{cut}."),
        (Some(times), true) => format!("Here: {first}, {times} = {product}{cut}."),
        (Some(times), false) => format!("Here: {first} {times} = {product}{cut}."),
    }
}

/// What is doubled: units times their price, or the minimum; `None` is not told.
fn first_term(tariff: &Tariff, terms: &Terms, weights: &Weights) -> Option<String> {
    let (unit, floor, plain) = (tariff.per_unit, tariff.floor, Secs(terms.plain));
    let count = weights.total.map(|units| count(units, weights));
    Some(match (count, terms.floor_applied) {
        _ if unit.0 == 0 => floor.to_string(),
        (Some(count), true) => format!("{count} \u{d7} {unit} = {plain}, raised to the minimum of {floor}"),
        (Some(count), false) => format!("{count} \u{d7} {unit}"),
        (None, true) => format!("the minimum of {floor}"),
        (None, false) => return None,
    })
}

/// `× 2 (1 earlier block)`; `None` where nothing doubles.
fn doubled(tariff: &Tariff, terms: &Terms) -> Option<String> {
    let counted = terms.repeats.min(u32::from(tariff.doublings));
    let blocks = match terms.repeats {
        _ if counted == 0 => return None,
        1 => "1 earlier block".to_owned(),
        n if n > counted => format!("{n} earlier blocks, {counted} count"),
        n => format!("{n} earlier blocks"),
    };
    Some(format!("\u{d7} {} ({blocks})", terms.factor))
}

/// `34 messages`, or `96 units` where types are mixed.
fn count(units: Units, weights: &Weights) -> String {
    let messages = weights.lines.iter().all(|l| l.offence == "OFF-1");
    let (one, many) = if messages { ("message", "messages") } else { ("unit", "units") };
    format!("{units} {}", if units == Units::whole(1) { one } else { many })
}

fn later(case: &CaseView, opened: &Opened, weights: &Weights) -> Vec<String> {
    let (tariff, factor) = (&opened.tariff, opened.tariff.factor(opened.repeats));
    let costs = |units: Units| Secs(plain(tariff, units).saturating_mul(factor));
    let times = if factor > 1 { format!(" \u{d7} {factor}") } else { String::new() };
    let unit = tariff.per_unit;
    if unit.0 == 0 {
        return by_operator(case).into_iter().collect();
    }
    let mut lines: Vec<String> = weights.later.iter().map(|l| more(l, unit, &times, &costs)).collect();
    let attempts = case.case.extended.as_ref().map_or(0, |e| e.attempts);
    if attempts > 0 {
        lines.push(format!(
            "Later: {attempts} different refused attempts \u{d7} \u{bc} \u{d7} {unit}{times} = {} more \
             (retries of the same message count nothing).",
            costs(Units::from_quarters(attempts))
        ));
    }
    lines.extend(moved(case, opened, weights, attempts, &costs));
    lines.extend(by_operator(case));
    lines
}

fn more(line: &UnitLine, unit: Secs, times: &str, costs: &impl Fn(Units) -> Secs) -> String {
    let Some(amount) = line.units else { return format!("Later: more {}.", line.what) };
    format!("Later: {} {} \u{d7} {unit}{times} = {} more.", amount, line.what, costs(amount.0))
}

/// Says so when the end moved by less than the lines before add up to.
fn moved(
    case: &CaseView,
    opened: &Opened,
    weights: &Weights,
    attempts: u64,
    costs: &impl Fn(Units) -> Secs,
) -> Option<String> {
    let units = weights.later.iter().filter_map(|l| l.units).fold(Units::ZERO, |sum, a| sum.plus(a.0));
    let sum = costs(units.plus(Units::from_quarters(attempts)));
    let end = case.case.extended.as_ref()?.until.max(opened.until);
    let moved = end.since(opened.until);
    (sum.0 > moved.0.saturating_add(60)).then(|| {
        format!(
            "The end moved by {moved} only: no block ends later than {} from now, and refused attempts add \
             at most 24 h a day.",
            opened.tariff.cap
        )
    })
}

fn by_operator(case: &CaseView) -> Option<String> {
    let (_, until) = case.case.resentenced?;
    Some(format!("An operator changed the end to {}.", When::minute_up(until)))
}
