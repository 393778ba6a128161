//! Domain names of a zone.
//!
//! A listed name has its own records and the wildcard below it. A name that stands between it
//! and a listed name deeper down exists by that, and would answer with nothing: it gets the
//! records of what stands above it.

use std::collections::BTreeSet;
use std::ops::Bound;

use model::Codes;

use super::entries::{Entries, Scope, turned};
use super::{Owner, Row};

/// The rows of one name, turned round, that is listed or exists because of a listed one.
pub(super) fn rows_of(entries: &Entries, key: &str, among: Codes, out: &mut dyn FnMut(Row)) {
    let exists = is_listed(entries, key, among) || first_below(entries, key, among).is_some();
    if !exists {
        return;
    }
    let above = uppers(key).fold(Codes::NONE, |all, upper| all.or(said(entries, upper).below));
    let own = said(entries, key);
    let name: Box<str> = turned(key);
    let (name_codes, below_codes) = (above.or(own.name).and(among), above.or(own.below).and(among));
    if !name_codes.is_empty() {
        out(Row { owner: Owner::Name(name.clone()), codes: name_codes });
    }
    if !below_codes.is_empty() {
        out(Row { owner: Owner::Below(name), codes: below_codes });
    }
}

/// The rows that one listed name brings: its own, and those of the names above it that exist
/// because of it and no earlier one.
pub(super) fn rows_with(entries: &Entries, key: &str, among: Codes, out: &mut dyn FnMut(Row)) {
    if !is_listed(entries, key, among) {
        return;
    }
    rows_of(entries, key, among, out);
    for upper in uppers(key).filter(|upper| !is_listed(entries, upper, among)) {
        if first_below(entries, upper, among).is_some_and(|first| first == key) {
            rows_of(entries, upper, among, out);
        }
    }
}

/// The names whose rows a change of one name can touch, turned round.
pub(super) fn touched(entries: &Entries, key: &str) -> BTreeSet<Box<str>> {
    let mut names: BTreeSet<Box<str>> = uppers(key).chain([key]).map(Into::into).collect();
    for below in below(entries, key) {
        names.extend(uppers(below).filter(|upper| upper.len() > key.len()).map(Into::into));
        names.insert(below.clone());
    }
    names
}

/// The names above one, turned round: `com` and `com.example` of `com.example.mail`.
fn uppers(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('.').map(|(at, _)| &key[..at])
}

/// What is said of exactly this name.
fn said(entries: &Entries, key: &str) -> Scope {
    let said = entries.names.get(key).map(|said| &said[..]).unwrap_or_default();
    said.iter().fold(Scope::default(), |all, (_, scope)| Scope {
        name: all.name.or(scope.name),
        below: all.below.or(scope.below),
    })
}

fn is_listed(entries: &Entries, key: &str, among: Codes) -> bool {
    let said = said(entries, key);
    !said.name.or(said.below).and(among).is_empty()
}

fn below<'a>(entries: &'a Entries, key: &str) -> impl Iterator<Item = &'a Box<str>> {
    let from = format!("{key}.");
    let all = entries.names.range::<str, _>((Bound::Included(&*from), Bound::Unbounded));
    // The range borrows where it begins; what is below one name is few.
    let keys: Vec<_> = all.map(|(key, _)| key).take_while(|key| key.starts_with(&from)).collect();
    keys.into_iter()
}

fn first_below<'a>(entries: &'a Entries, key: &str, among: Codes) -> Option<&'a str> {
    below(entries, key).map(|below| &**below).find(|below| is_listed(entries, below, among))
}
