//! The life of one block: blocked, extended, lifted, ended.
//!
//! A case is what its events say, in whatever order they arrive and however often: every
//! field joins by a rule that does not look at order (earliest lift, latest end, largest
//! count). So twenty hosts that saw the same events agree, and a lift that came before
//! its block still beats it (DESIGN §4, ‘Unblock wins’). Deciding may fail; applying must
//! not.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::class::Class;
use crate::event::{EventId, Mode, Node};
use crate::finding::{Facts, Offence, Units};
use crate::key::Prefix;
use crate::sentence::{Severity, Tariff};
use crate::time::{Hybrid, Millis};

/// In which of the two ways a key is blocked. The harder one is the larger.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum BlockKind {
    /// Mail is refused with a link to the evidence.
    #[n(1)]
    Rbl,
    /// Packets are dropped.
    #[n(2)]
    NullRoute,
}

impl BlockKind {
    /// The word in output: `rbl` or `null-route`.
    pub fn word(self) -> &'static str {
        match self {
            BlockKind::Rbl => "rbl",
            BlockKind::NullRoute => "null-route",
        }
    }
}

/// Which case: the id of the event that opened it.
///
/// Its text is the public reference: `n1-48211` in a node's first life, `n1.2-17` from the
/// second. It may be logged; the secret of a link is not part of it.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct CaseId(#[n(0)] pub EventId);

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            EventId { node, life: 1, seq } => write!(f, "n{}-{seq}", node.0),
            EventId { node, life, seq } => write!(f, "n{}.{life}-{seq}", node.0),
        }
    }
}

impl FromStr for CaseId {
    type Err = NoCaseId;

    fn from_str(text: &str) -> Result<Self, NoCaseId> {
        let (who, seq) = text.strip_prefix('n').and_then(|t| t.split_once('-')).ok_or(NoCaseId)?;
        let (node, life) = who.split_once('.').unwrap_or((who, "1"));
        let id = EventId { node: Node(number(node)?), life: number(life)?, seq: number(seq)? };
        let case = CaseId(id);
        // One case has one text: no leading zeros, no `.1`.
        if case.to_string() == text { Ok(case) } else { Err(NoCaseId) }
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, NoCaseId> {
    text.parse().map_err(|_| NoCaseId)
}

/// A text that is no case reference; expected is `n1-48211`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoCaseId;

impl fmt::Display for NoCaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a case reference such as n1-48211")
    }
}

impl std::error::Error for NoCaseId {}

/// The decision that opened a case, with everything its page must be able to explain
/// after the configuration has changed.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Opened {
    /// In which way.
    #[n(0)]
    pub kind: BlockKind,
    /// Number of the reason.
    #[n(1)]
    pub reason: u8,
    /// From when it acts: sessions that began before are not touched.
    #[n(2)]
    pub from: Millis,
    /// The end by the sentence at the trigger.
    #[n(3)]
    pub until: Millis,
    /// When the latest observation that caused it happened; a lift covers causes.
    #[n(4)]
    pub caused_at: Millis,
    /// Units by offence at the trigger.
    #[n(5)]
    pub units: Vec<(Offence, Units)>,
    /// r: earlier sentences that doubled it.
    #[n(6)]
    pub repeats: u32,
    /// How grave, for good.
    #[n(7)]
    pub severity: Severity,
    /// The key's class then.
    #[n(8)]
    pub class: Class,
    /// Numbers and limits then.
    #[n(9)]
    pub facts: Facts,
    /// The formula's numbers then (SEN-11).
    #[n(10)]
    pub tariff: Tariff,
}

/// More units during a block: the totals so far, so that repeating it changes nothing.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Extended {
    /// The new end.
    #[n(0)]
    pub until: Millis,
    /// Units by offence since the trigger, in all.
    #[n(1)]
    pub later: Vec<(Offence, Units)>,
    /// Distinct refused attempts since the trigger, in all (SEN-3a).
    #[n(2)]
    pub attempts: u64,
}

/// An early end.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
pub struct Lifted {
    /// From when.
    #[n(0)]
    pub at: Millis,
    /// The block was an error and leaves no strike (SEN-6).
    #[n(1)]
    pub error: bool,
}

/// A case as far as its events are known.
#[derive(Clone, Debug, Default, Decode, Encode, Eq, PartialEq)]
pub struct Case {
    /// The decision; `None` while a later event has overtaken it.
    #[n(0)]
    pub opened: Option<Opened>,
    /// Live, or shadow: it runs, and nothing is refused for it.
    #[n(1)]
    pub mode: Mode,
    /// The latest extension.
    #[n(2)]
    pub extended: Option<Extended>,
    /// The earliest lift.
    #[n(3)]
    pub lifted: Option<Lifted>,
    /// The latest change of the end by an operator (SEN-12).
    #[n(4)]
    pub resentenced: Option<(Hybrid, Millis)>,
    /// Keys inside its own that it spares, sorted (OFF-22).
    #[n(5)]
    #[cbor(default)]
    pub holes: Vec<Prefix>,
}

impl Case {
    /// Joins the decision that opened it.
    pub fn join_opened(&mut self, opened: &Opened, mode: Mode) {
        self.mode = mode;
        self.opened.get_or_insert_with(|| opened.clone());
    }

    /// Joins an extension: of two, the one with the later end, then with more attempts.
    pub fn join_extended(&mut self, extended: &Extended) {
        let rank = |e: &Extended| (e.attempts, total(&e.later), e.until);
        if self.extended.as_ref().is_none_or(|known| rank(known) < rank(extended)) {
            self.extended = Some(extended.clone());
        }
    }

    /// Joins a lift: the earliest counts.
    pub fn join_lifted(&mut self, lifted: Lifted) {
        self.lifted = Some(self.lifted.map_or(lifted, |known| known.min(lifted)));
    }

    /// Joins an operator's change of the end: the latest counts.
    pub fn join_resentenced(&mut self, at: Hybrid, until: Millis) {
        self.resentenced = self.resentenced.max(Some((at, until)));
    }

    /// Joins keys that it spares: all that were ever named.
    pub fn join_holes(&mut self, holes: &[Prefix]) {
        self.holes.extend(holes);
        self.holes.sort_unstable();
        self.holes.dedup();
    }

    /// Whether it lets the client with this address through a hole.
    pub fn spares(&self, addr: IpAddr) -> bool {
        !self.holes.is_empty() && self.holes.iter().any(|hole| hole.covers(Prefix::host(addr)))
    }

    /// When it ends by itself; zero while the decision is unknown.
    pub fn until(&self) -> Millis {
        match (&self.resentenced, &self.opened, &self.extended) {
            (Some((_, until)), Some(_), _) => *until,
            (None, Some(opened), extended) => {
                extended.as_ref().map_or(opened.until, |e| e.until.max(opened.until))
            }
            (_, None, _) => Millis(0),
        }
    }

    /// Whether it holds at `now`, given that its key was lifted for all causes up to
    /// `key_lifted` (zero: never).
    pub fn holds(&self, now: Millis, key_lifted: Millis) -> bool {
        let Some(opened) = &self.opened else { return false };
        self.lifted.is_none() && opened.caused_at > key_lifted && now < self.until()
    }

    /// Units at the trigger and since, by offence.
    pub fn units(&self) -> Vec<(Offence, Units)> {
        let first = self.opened.iter().flat_map(|o| &o.units);
        let later = self.extended.iter().flat_map(|e| &e.later);
        let mut sums = std::collections::BTreeMap::<Offence, Units>::new();
        for (offence, units) in first.chain(later) {
            let sum = sums.entry(*offence).or_default();
            *sum = sum.plus(*units);
        }
        sums.into_iter().collect()
    }
}

/// The sum over all offences.
pub fn total(units: &[(Offence, Units)]) -> Units {
    units.iter().fold(Units::ZERO, |sum, (_, u)| sum.plus(*u))
}

/// What holds against a key now: its cases joined, hardest first, then longest.
///
/// Field order is the order of comparison; the id breaks ties, so every host names the
/// same case.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Force {
    /// The harder kind wins.
    pub kind: BlockKind,
    /// Then the later end.
    pub until: Millis,
    /// From when the case acts.
    pub from: Millis,
    /// Number of the reason.
    pub reason: u8,
    /// The case that is named in answers.
    pub case: CaseId,
}

/// The force of one mode from all cases of a key.
pub fn force<'a>(
    cases: impl Iterator<Item = (CaseId, &'a Case)>,
    mode: Mode,
    now: Millis,
    key_lifted: Millis,
) -> Option<Force> {
    let holding = cases.filter(|(_, case)| case.mode == mode && case.holds(now, key_lifted));
    holding
        .filter_map(|(id, case)| {
            let opened = case.opened.as_ref()?;
            Some(Force {
                kind: opened.kind,
                until: case.until(),
                from: opened.from,
                reason: opened.reason,
                case: id,
            })
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Secs;
    use proptest::prelude::*;

    #[test]
    fn a_reference_has_one_text() {
        for text in ["n1-48211", "n1.2-17", "n20.3-1"] {
            assert_eq!(text.parse::<CaseId>().unwrap().to_string(), text);
        }
        for text in ["n1.1-5", "n01-5", "1-5", "n1-", "n1-5x", "n99999-5", ""] {
            assert_eq!(text.parse::<CaseId>(), Err(NoCaseId), "{text}");
        }
    }

    /// What can happen to one case, as its own small language.
    #[derive(Clone, Debug)]
    enum Step {
        Open { until: u64, cause: u64 },
        Extend { until: u64, attempts: u64 },
        Lift { at: u64, error: bool },
        Hole { n: u32 },
        Resentence { at: u64, until: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Open { until: 500, cause: 100 }),
            (0u64..900, 0u64..50).prop_map(|(until, attempts)| Step::Extend { until, attempts }),
            (0u64..900, any::<bool>()).prop_map(|(at, error)| Step::Lift { at, error }),
            (0u32..9).prop_map(|n| Step::Hole { n }),
            (0u64..900, 0u64..900).prop_map(|(at, until)| Step::Resentence { at, until }),
        ]
    }

    fn opened(until: u64, cause: u64) -> Opened {
        Opened {
            kind: BlockKind::Rbl,
            reason: 2,
            from: Millis(cause),
            until: Millis(until),
            caused_at: Millis(cause),
            units: vec![(Offence::SpamVolume, Units::whole(3))],
            repeats: 0,
            severity: Severity::Minor,
            class: Class::Unknown,
            facts: Vec::new(),
            tariff: Tariff::SHIPPED,
        }
    }

    fn apply(case: &mut Case, step: &Step) {
        match *step {
            Step::Open { until, cause } => case.join_opened(&opened(until, cause), Mode::Live),
            Step::Extend { until, attempts } => {
                case.join_extended(&Extended { until: Millis(until), later: Vec::new(), attempts });
            }
            Step::Hole { n } => case.join_holes(&[Prefix::V4(0xc000_0200 + n, 32)]),
            Step::Lift { at, error } => case.join_lifted(Lifted { at: Millis(at), error }),
            Step::Resentence { at, until } => {
                case.join_resentenced(Hybrid { wall: Millis(at), count: 0 }, Millis(until));
            }
        }
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(steps in prop::collection::vec(step(), 0..12), seed in any::<prop::sample::Index>()) {
            let run = |steps: &mut dyn Iterator<Item = &Step>| {
                let mut case = Case::default();
                steps.for_each(|s| apply(&mut case, s));
                case
            };
            let plain = run(&mut steps.iter());
            let split = if steps.is_empty() { 0 } else { seed.index(steps.len()) };
            let shuffled = run(&mut steps[split..].iter().rev().chain(&steps).chain(&steps[..split]));
            prop_assert_eq!(plain, shuffled);
        }

        #[test]
        fn a_lift_beats_every_block_it_covers(steps in prop::collection::vec(step(), 0..12), now in 0u64..1000) {
            let mut case = Case::default();
            case.join_lifted(Lifted { at: Millis(50), error: false });
            steps.iter().for_each(|s| apply(&mut case, s));
            prop_assert!(!case.holds(Millis(now), Millis(0)));
        }
    }

    #[test]
    fn a_lift_of_the_key_covers_causes_up_to_its_time() {
        let mut case = Case::default();
        case.join_opened(&opened(500, 100), Mode::Live);
        assert!(case.holds(Millis(200), Millis(99)));
        assert!(!case.holds(Millis(200), Millis(100)));
        assert!(
            !case.holds(Millis(500), Millis(0)),
            "a block ends at its `until` whether or not anybody says so"
        );
    }

    #[test]
    fn the_hardest_then_longest_case_is_the_force() {
        let id = |seq| CaseId(EventId { node: Node(1), life: 1, seq });
        let make = |kind, until| {
            let mut case = Case::default();
            case.join_opened(&Opened { kind, ..opened(until, 100) }, Mode::Live);
            case
        };
        let (short, long) = (make(BlockKind::NullRoute, 300), make(BlockKind::Rbl, 900));
        let cases = [(id(1), &short), (id(2), &long)];
        let at = |now| force(cases.into_iter(), Mode::Live, Millis(now), Millis(0)).map(|f| f.case);
        assert_eq!(at(200), Some(id(1)));
        assert_eq!(at(300), Some(id(2)));
        assert_eq!(at(900), None);
        assert_eq!(force(cases.into_iter(), Mode::Shadow, Millis(200), Millis(0)), None);
    }

    #[test]
    fn an_operator_may_shorten_a_sentence() {
        let mut case = Case::default();
        case.join_opened(&opened(500, 100), Mode::Live);
        case.join_resentenced(Hybrid { wall: Millis(150), count: 0 }, Millis(200));
        assert_eq!(case.until(), Millis(200));
        assert!(case.until() < Millis(100).plus(Secs(1)));
    }
}
