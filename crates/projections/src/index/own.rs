//! Own prefixes: all that are neither one address nor an IPv6 /64.
//!
//! Few against the millions in the trees: what the council or an operator blocked as a
//! whole. Two prefixes never overlap in part, one lies in the other or they are apart; so
//! each row knows the narrowest row around it, and one binary search finds all prefixes
//! around an address, of whatever lengths: the last row that starts at or before the
//! address, and the rows around that one.
//!
//! A batch that changes a prefix copies all rows of the family: some milliseconds at
//! 100 000, more than a site decides; bulk lists are other layers.

use std::sync::Arc;

use super::Mark;
use super::memory::allocation;
use super::merge::{Edit, Entry, merge};

/// Lowest address, at the high end of 128 bits, and length: wider before narrower.
pub(super) type Key = (u128, u8);

/// Stands for no row.
const NONE: u32 = u32::MAX;

/// Prefixes of one family.
#[derive(Clone)]
pub(super) struct Own {
    rows: Arc<[Row]>,
    /// The keys of `rows`, apart, because the search reads nothing else.
    starts: Arc<[u128]>,
}

#[derive(Clone, Copy)]
struct Row {
    key: Key,
    mark: Mark,
    /// The narrowest row around this one, or [`NONE`].
    around: u32,
}

impl Own {
    pub(super) fn new() -> Own {
        Own { rows: Arc::default(), starts: Arc::default() }
    }

    /// Prefixes held, expired ones too until they are swept.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no prefix is held, and nobody need look.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The hardest mark that holds on a prefix around `addr`.
    pub(super) fn get(&self, addr: u128, now_min: u32) -> Option<Mark> {
        self.around(addr).map(|row| row.mark).filter(|mark| mark.holds(now_min)).max()
    }

    /// Whether a prefix that shares an address with `first` to `last` has a mark that `fits`.
    pub(super) fn any_between(&self, first: u128, last: u128, fits: impl Fn(Mark) -> bool) -> bool {
        let start = self.starts.partition_point(|&start| start <= first);
        let inside = self.rows[start..].iter().take_while(|row| row.key.0 <= last);
        inside.chain(self.around(first)).any(|row| fits(row.mark))
    }

    /// The rows around `addr`, the narrowest first.
    fn around(&self, addr: u128) -> impl Iterator<Item = &Row> {
        let last = self.starts.partition_point(|&start| start <= addr).checked_sub(1);
        let around = std::iter::successors(last.and_then(|last| self.rows.get(last)), |row| {
            self.rows.get(row.around as usize)
        });
        around.filter(move |row| covers(row.key, addr))
    }

    /// Carries out edits in their order; all rows are made anew once, if one changes.
    pub(super) fn apply(&mut self, mut edits: Vec<Edit<Key>>) {
        if edits.iter().all(|edit| self.find(edit.key) == edit.mark) {
            return;
        }
        edits.sort_by_key(|edit| edit.key);
        let mut entries = Vec::with_capacity(self.rows.len() + edits.len());
        merge(self.entries(), edits.into_iter(), &mut entries);
        *self = Own::of(&entries);
    }

    /// Drops all marks that have run out; returns how many.
    pub(super) fn sweep(&mut self, now_min: u32) -> usize {
        let before = self.len();
        if self.rows.iter().any(|row| !row.mark.holds(now_min)) {
            let left: Vec<_> = self.entries().filter(|entry| entry.mark.holds(now_min)).collect();
            *self = Own::of(&left);
        }
        before - self.len()
    }

    /// Bytes of heap that this version holds.
    pub(super) fn heap_bytes(&self) -> usize {
        allocation(size_of_val(&*self.rows)) + allocation(size_of_val(&*self.starts))
    }

    /// The rows of `entries`, which ascend.
    fn of(entries: &[Entry<Key>]) -> Own {
        let mut rows: Vec<Row> = Vec::with_capacity(entries.len());
        for &Entry { key, mark } in entries {
            let mut around = if rows.is_empty() { NONE } else { rows.len() as u32 - 1 };
            while rows.get(around as usize).is_some_and(|row| !covers(row.key, key.0)) {
                around = rows[around as usize].around;
            }
            rows.push(Row { key, mark, around });
        }
        Own { starts: rows.iter().map(|row| row.key.0).collect(), rows: rows.into() }
    }

    fn entries(&self) -> impl Iterator<Item = Entry<Key>> {
        self.rows.iter().map(|row| Entry { key: row.key, mark: row.mark })
    }

    /// The mark of exactly this prefix, expired or not.
    fn find(&self, key: Key) -> Option<Mark> {
        let at = self.rows.binary_search_by_key(&key, |row| row.key).ok()?;
        Some(self.rows[at].mark)
    }
}

fn covers((start, len): Key, addr: u128) -> bool {
    // Lengths are 1 to 127.
    addr & u128::MAX << (128 - len) == start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_knows_the_narrowest_row_around_it() {
        let row = |start: u128, len| Entry { key: (start << 96, len), mark: Mark { class: 1, until_min: 1 } };
        let rows = Own::of(&[
            row(0xc000_0000, 16),
            row(0xc000_0100, 24),
            row(0xc000_0200, 24),
            row(0xc000_0200, 26),
            row(0xc000_0280, 25),
            row(0xc001_0000, 17),
        ]);
        let around: Vec<u32> = rows.rows.iter().map(|row| row.around).collect();
        assert_eq!(around, [NONE, 0, 0, 2, 2, NONE]);
    }

    #[test]
    fn a_change_that_changes_nothing_copies_nothing() {
        let mark = Some(Mark { class: 1, until_min: 2 });
        let mut own = Own::new();
        own.apply(vec![Edit { key: (0xc000_0200 << 96, 24), mark }]);
        let before = own.clone();
        own.apply(vec![Edit { key: (0xc000_0200 << 96, 24), mark }, Edit { key: (0, 9), mark: None }]);
        assert_eq!(own.sweep(1), 0);
        assert!(Arc::ptr_eq(&before.rows, &own.rows));
    }
}
