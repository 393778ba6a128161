//! The evidence page of a case, as plain data (REQUIREMENTS E.2, D.6 level L1).
//!
//! Everything that the holder of a link may see, in words and numbers, and nothing else.
//! The portal lays it out; the same data is its JSON twin, whose field names are stable.
//! How a page hides what would give traps away stands in `weights` and `sample`.

mod earlier;
mod facts;
mod headers;
mod lookup;
mod sample;
mod sentence;
mod weights;
mod words;

use model::reasons::by_number;
use model::{CaseId, Evidence, ExhibitId, Millis, Mode, Redacted};
use projections::{CaseView, View};
use serde::Serialize;

pub use earlier::Earlier;
pub use facts::Fact;
pub use headers::{Attached, Headers, Line, Said};
pub use lookup::{LookupPage, lookup_page, reference_page};
pub use sample::Sample;
pub use weights::{Amount, UnitLine};

pub(crate) use facts::value as fact_value;
pub(crate) use sample::{hundredths, judgement};
pub(crate) use sentence::Sentence;

/// The units of a case for an operator, from whom nothing is withheld.
pub(crate) use weights::told_to_operator;

use crate::link::case_link;
use crate::public::Public;
use crate::when::When;
use weights::Weights;

/// Where a case stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In force as it began.
    Blocked,
    /// In force, with a later end than at first.
    Extended,
    /// Decided and recorded, but mail passes.
    Shadow,
    /// Ended early.
    Lifted,
    /// Ended by itself.
    Ended,
}

impl State {
    /// Whether mail is refused because of it.
    pub fn is_in_force(self) -> bool {
        matches!(self, State::Blocked | State::Extended)
    }

    /// Whether it is over.
    pub fn is_over(self) -> bool {
        matches!(self, State::Lifted | State::Ended)
    }

    /// The word in output.
    pub fn word(self) -> &'static str {
        match self {
            State::Blocked => "blocked",
            State::Extended => "extended",
            State::Shadow => "shadow",
            State::Lifted => "lifted",
            State::Ended => "ended",
        }
    }
}

/// The evidence page.
#[derive(Clone, Debug, Serialize)]
pub struct CasePage {
    /// The public reference.
    pub case: String,
    /// What is blocked.
    pub key: String,
    /// Where the case stands.
    pub state: State,
    /// `rbl` or `null-route`.
    pub kind: &'static str,
    /// The reason's word.
    pub reason: &'static str,
    /// Who blocks.
    pub site: String,
    /// The first line of the page.
    pub headline: String,
    /// The first sentence: why the reader is here.
    pub because: String,
    /// From when it acts.
    pub since: When,
    /// When it ends, or ended.
    pub until: When,
    /// When this page was made.
    pub as_of: When,
    /// Seconds until the end, 0 when it is over.
    pub remaining_s: u64,
    /// How much of the time has passed, in thousandths.
    #[serde(skip)]
    pub served_permille: u64,
    /// `minor` to `extreme`.
    pub severity: &'static str,
    /// The class of the sender when it was blocked.
    pub class: &'static str,
    /// Number and version of the rule, for questions to the operator.
    pub rule: Option<String>,
    /// What was counted, by type.
    pub units: Vec<UnitLine>,
    /// Earlier blocks that doubled it.
    pub repeats: u32,
    /// What they multiply by.
    pub factor: u64,
    /// The shortest length was used.
    pub floor_applied: bool,
    /// The longest length was used.
    pub cap_applied: bool,
    /// Length at the beginning, in seconds.
    pub sentence_s: u64,
    /// How the length is made, in one sentence; empty for a block by hand.
    pub arithmetic_rule: String,
    /// The same with the numbers of this case.
    pub arithmetic: String,
    /// Each later change of the end.
    pub extensions: Vec<String>,
    /// Numbers and limits of the rule, as they were then.
    pub facts: Vec<Fact>,
    /// Some of the sessions; none once the case is over.
    pub samples: Vec<Sample>,
    /// How one gets on such a list and off it (S112).
    pub listed: &'static str,
    /// What to check and to repair.
    pub remedy: &'static str,
    /// The help page about it, by topic.
    pub help: &'static str,
    /// The mailbox that stays open.
    pub contact: String,
    /// The open mailbox can be reached from the blocked address, too.
    pub contact_open: bool,
    /// Text to pass on to an administrator; empty when the case is over.
    pub forward: String,
    /// The whole link of this page.
    pub link: String,
    /// Other blocks of the same key, oldest first.
    pub earlier: Vec<Earlier>,
    /// What is kept, and for how long.
    pub retention: String,
}

/// The page of a case, or `None` while the decision that opened it is not known here.
///
/// `exhibits` are the redacted headers that `evidence` names, as far as they are kept.
pub fn case_page(
    view: &View,
    id: CaseId,
    evidence: &[Evidence],
    exhibits: &[(ExhibitId, Redacted)],
    now: Millis,
) -> Option<Public<CasePage>> {
    let case = view.case(id)?;
    let opened = case.case.opened.as_ref()?;
    let (reason, site) = (by_number(opened.reason), &view.site);
    let (state, end) = life(view, case, now);
    let weights = Weights::of(&case.case);
    let sentence = Sentence::of(case, opened, &weights);
    let link = case_link(site, id);
    let forward = words::forward(view, case, evidence, state, &link);
    let page = CasePage {
        case: id.to_string(),
        key: case.key.to_string(),
        state,
        kind: opened.kind.word(),
        reason: reason.id,
        site: words::site_name(site),
        headline: words::headline(site, &case.key, opened.kind, state),
        because: words::because(&case.key, opened.kind, state, reason),
        since: When::minute(opened.from),
        until: When::minute_up(end),
        as_of: When::minute(now),
        remaining_s: if state.is_over() { 0 } else { end.since(now).0 },
        served_permille: served_permille(opened.from, end, now),
        severity: opened.severity.word(),
        class: opened.class.word(),
        rule: case.rule.map(|rule| words::rule(&rule)),
        units: weights.lines.clone(),
        repeats: opened.repeats,
        factor: sentence.factor,
        floor_applied: sentence.floor_applied,
        cap_applied: sentence.cap_applied,
        sentence_s: sentence.lasts.0,
        arithmetic_rule: sentence.rule,
        arithmetic: sentence.here,
        extensions: sentence.later,
        facts: facts::shown(&opened.facts, &weights),
        samples: if state.is_over() { Vec::new() } else { sample::shown(evidence, exhibits, &case.key) },
        listed: reason.listed,
        remedy: reason.remedy,
        help: words::help_topic(reason),
        contact: site.contact.clone(),
        contact_open: opened.kind == model::BlockKind::Rbl,
        forward,
        link,
        earlier: earlier::of(view, case, now),
        retention: words::retention(),
    };
    Some(Public::new(page))
}

/// Where a case stands at `now`, and when it ends or ended.
pub(crate) fn life(view: &View, case: &CaseView, now: Millis) -> (State, Millis) {
    let key_lifted = view.cases.key(&case.key).map_or(Millis(0), |k| k.lifted_up_to);
    let caused_at = case.case.opened.as_ref().map_or(Millis(0), |o| o.caused_at);
    let by_key = Some(key_lifted).filter(|at| caused_at <= *at && at.0 > 0);
    let lifted = [case.case.lifted.map(|l| l.at), by_key].into_iter().flatten().min();
    let until = case.case.until();
    match lifted.filter(|at| *at < until) {
        Some(at) => (State::Lifted, at),
        None if until <= now => (State::Ended, until),
        None if case.case.mode == Mode::Shadow || view.mode == Mode::Shadow => (State::Shadow, until),
        None if case.case.extended.is_some() => (State::Extended, until),
        None => (State::Blocked, until),
    }
}

fn served_permille(from: Millis, end: Millis, now: Millis) -> u64 {
    let whole = end.since(from).0.max(1);
    (now.since(from).0.min(whole) * 1000) / whole
}

#[cfg(test)]
mod tests;
