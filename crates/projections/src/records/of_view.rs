//! From a view to entries: what zones show of cases and lists.

use std::collections::BTreeSet;

use model::{Case, Codes, Domain, Key, Millis, Mode, Name, Prefix};

use super::entries::{Entries, Held, Scope};
use super::shown::{self, Shown};
use crate::{View, grade};

impl Held {
    /// What the live cases of a key hold on its prefix at `now`, and when the first of them ends.
    pub fn of(view: &View, key: &Key, now: Millis) -> (Held, Option<Millis>) {
        let cases: Vec<&Case> = view.cases.holding_on(key, Mode::Live, now).collect();
        let codes = cases.iter().fold(Codes::NONE, |all, case| all.or(code(case)));
        let end = cases.iter().map(|case| case.until()).min();
        (Held { codes, holes: holes(&cases) }, end)
    }
}

impl Scope {
    /// How far the live cases of a domain reach at `now`, with its conduct, which is that of the
    /// name alone (OFF-24); and when the first of them ends.
    pub fn of(view: &View, domain: &Domain, now: Millis) -> (Scope, Option<Millis>) {
        let (held, end) = Held::of(view, &Key::Domain(domain.clone()), now);
        let name = Name::new(domain.as_str().as_bytes());
        let conduct = view.lessons.conduct_entries(&name, now).map(|entry| entry.until).max();
        let own = conduct.map_or(Codes::NONE, |_| Codes::of(grade::CONDUCT));
        let scope = Scope { name: held.codes.or(own), below: held.codes };
        (scope, end.into_iter().chain(conduct).min())
    }
}

/// All keys on which something holds at `now`: those of live cases, and domains by their conduct.
pub fn keys(view: &View, now: Millis) -> BTreeSet<Key> {
    let cases = view.holding(Mode::Live, now).into_iter().map(|case| case.key.clone());
    cases.chain(view.lessons.conduct_listed(now).into_iter().map(Key::Domain)).collect()
}

impl Entries {
    /// All that a view lists at `now`.
    pub fn of(view: &View, now: Millis) -> Entries {
        let mut entries = Entries::default();
        for key in keys(view, now) {
            match &key {
                Key::Net(prefix) => entries.set(*prefix, &Held::default(), &Held::of(view, &key, now).0),
                Key::Domain(domain) => {
                    entries.set_name(domain.as_str(), 0, Scope::of(view, domain, now).0);
                }
                Key::DomainAt(..) => {}
            }
        }
        view.protected.listed().iter().for_each(|prefix| entries.spare(*prefix, true));
        let shown = shown::show(&[], view, now);
        entries.set_bulk(&shown.iter().map(|shown| shown.bulk.clone()).collect::<Vec<_>>());
        for (source, Shown { names, .. }) in (1u8..).zip(&shown) {
            names.iter().for_each(|(name, scope)| entries.set_name(name, source, *scope));
        }
        entries
    }
}

fn code(case: &Case) -> Codes {
    let reason = case.opened.as_ref().map_or(0, |opened| opened.reason);
    grade::codes_of(reason)
}

/// The holes of a key's cases, and what holds in each: the codes of cases that do not spare it.
fn holes(cases: &[&Case]) -> Vec<(Prefix, Codes)> {
    let all: BTreeSet<Prefix> = cases.iter().flat_map(|case| case.holes.iter().copied()).collect();
    let spares = |case: &Case, hole: Prefix| case.holes.iter().any(|known| known.covers(hole));
    let left = |hole| {
        let cases = cases.iter().filter(|case| !spares(case, hole));
        cases.fold(Codes::NONE, |all, case| all.or(code(case)))
    };
    all.into_iter().map(|hole| (hole, left(hole))).collect()
}
