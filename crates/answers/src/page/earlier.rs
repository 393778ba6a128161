//! Other blocks of the same key: dates and reason, so that a pattern is visible to both
//! sides (S74).

use model::reasons::by_number;
use model::{Millis, Mode};
use projections::{CaseView, View};
use serde::Serialize;

use super::{State, life};
use crate::when::When;

/// One of them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Earlier {
    /// The day on which it began.
    pub since: When,
    /// The day on which it ended or will end.
    pub until: When,
    /// The reason's word.
    pub reason: &'static str,
    /// Where it stands.
    pub state: State,
}

/// The other live cases of a case's key, oldest first.
pub(crate) fn of(view: &View, case: &CaseView, now: Millis) -> Vec<Earlier> {
    let known = view.cases.key(&case.key);
    let others = known.iter().flat_map(|k| &k.cases).filter(|id| **id != case.id);
    let mut cases: Vec<_> = others.filter_map(|id| view.case(*id)).collect();
    cases.retain(|c| c.case.mode == Mode::Live);
    cases.sort_by_key(|c| (c.case.opened.as_ref().map(|o| o.from), c.id));
    cases.iter().filter_map(|c| earlier(view, c, now)).collect()
}

fn earlier(view: &View, case: &CaseView, now: Millis) -> Option<Earlier> {
    let opened = case.case.opened.as_ref()?;
    let (state, end) = life(view, case, now);
    let reason = by_number(opened.reason).id;
    Some(Earlier { since: When::day(opened.from), until: When::day(end), reason, state })
}
