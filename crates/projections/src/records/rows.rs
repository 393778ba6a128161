//! All rows of a zone, a handful at a time.

use std::collections::VecDeque;
use std::ops::Bound;

use model::Prefix;

use super::entries::Entries;
use super::walk::Walk;
use super::{Row, Zone, names, node};

/// The rows of one state of a zone, test entries first; each once.
///
/// It holds the rows of one network of the first 16 bits (20 of IPv6), no more: a slow reader
/// costs that, and what has changed since it began.
#[derive(Debug)]
pub struct Rows {
    entries: Entries,
    zone: Zone,
    at: At,
    waiting: VecDeque<Row>,
}

/// How far it is.
#[derive(Debug)]
enum At {
    /// The next place to look at, of this family.
    Net(Prefix),
    /// Behind this name, turned round; the first where there is none.
    Name(Option<Box<str>>),
}

impl Rows {
    /// Begins; `entries` are taken as they are now.
    pub fn new(entries: &Entries, zone: Zone) -> Rows {
        let waiting = zone.test_rows().into();
        Rows { entries: entries.clone(), zone, at: At::Net(Prefix::V4(0, 0)), waiting }
    }

    /// Gathers the rows of the next network or name; `false` at the end.
    fn gather(&mut self) -> bool {
        match &self.at {
            At::Net(place @ Prefix::V4(..)) if self.zone.has_v4() => self.gather_net(*place, 16),
            At::Net(Prefix::V4(..)) => self.at = At::Net(Prefix::V6(0, 0)),
            At::Net(place @ Prefix::V6(..)) if self.zone.has_v6() => self.gather_net(*place, 20),
            At::Net(Prefix::V6(..)) => self.at = At::Name(None),
            At::Name(_) if self.zone.has_names() => return self.gather_name(),
            At::Name(_) => return false,
        }
        true
    }

    /// No node is wider than `len`, so none is told twice.
    fn gather_net(&mut self, place: Prefix, len: u8) {
        let to = node::last(node::root(place));
        let next = self.entries.next(place, to, 0, self.zone.codes);
        let only = next.map(|next| node::around(next, len));
        if let Some(only) = only {
            let mut out = |row| self.waiting.push_back(row);
            Walk { entries: &self.entries, zone: &self.zone, only, out: &mut out }.run();
        }
        self.at = match (only.and_then(node::behind), place) {
            (Some(next), _) => At::Net(next),
            (None, Prefix::V4(..)) => At::Net(Prefix::V6(0, 0)),
            (None, Prefix::V6(..)) => At::Name(None),
        };
    }

    fn gather_name(&mut self) -> bool {
        let At::Name(behind) = &self.at else { return false };
        let from = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.entries.names.range::<str, _>((from, Bound::Unbounded)).next();
        let Some(key) = next.map(|(key, _)| key.clone()) else { return false };
        let mut out = |row| self.waiting.push_back(row);
        names::rows_with(&self.entries, &key, self.zone.codes, &mut out);
        self.at = At::Name(Some(key));
        true
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.waiting.is_empty() {
            if !self.gather() {
                return None;
            }
        }
        self.waiting.pop_front()
    }
}
