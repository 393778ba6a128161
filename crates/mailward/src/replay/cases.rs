//! The cases of a replay, for `--listings` and the figures.

use std::collections::BTreeMap;

use model::case::{Opened, total};
use model::{Body, Case, CaseId, Envelope, Key, Millis, Mode, Offence};

/// One case with its key and the offence that opened it.
pub(crate) struct Listed {
    pub(crate) key: Key,
    pub(crate) offence: Offence,
    pub(crate) case: Case,
}

/// All cases of one run.
#[derive(Default)]
pub(crate) struct Cases(BTreeMap<CaseId, Listed>);

impl Cases {
    /// Joins one event.
    pub(crate) fn hear(&mut self, event: &Envelope) {
        let (Some(id), Some(key)) = (event.case, &event.key) else { return };
        let offence = event.rule.map_or(Offence::Operator, |r| r.offence);
        let listed =
            self.0.entry(id).or_insert_with(|| Listed { key: key.clone(), offence, case: Case::default() });
        match &event.body {
            Body::CaseOpened(opened) => listed.case.join_opened(opened, event.mode),
            Body::CaseExtended(extended) => listed.case.join_extended(extended),
            Body::CaseLifted(lifted) => listed.case.join_lifted(*lifted),
            Body::CaseResentenced(until) => listed.case.join_resentenced(event.at, *until),
            _ => {}
        }
    }

    /// Live cases in the order of their numbers.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Listed> {
        self.0.values().filter(|l| l.case.mode == Mode::Live && l.case.opened.is_some())
    }

    /// How a case was opened.
    pub(crate) fn opened(&self, id: CaseId) -> Option<&Opened> {
        self.0.get(&id)?.case.opened.as_ref()
    }

    /// The offence behind a case.
    pub(crate) fn offence(&self, id: CaseId) -> Option<Offence> {
        self.0.get(&id).map(|l| l.offence)
    }
}

impl Listed {
    /// When it began.
    pub(crate) fn from(&self) -> Millis {
        self.case.opened.as_ref().map_or(Millis(0), |o| o.from)
    }

    /// The whole sentence in seconds, extensions included.
    pub(crate) fn lasts(&self) -> u64 {
        self.case.until().since(self.from()).0
    }

    /// Units, and distinct refused attempts beside them (SEN-13).
    pub(crate) fn hits(&self) -> u64 {
        let attempts = self.case.extended.as_ref().map_or(0, |e| e.attempts);
        total(&self.case.units()).quarters() / 4 + attempts
    }
}
