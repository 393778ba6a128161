//! A leaf of the tree: the marks of all keys that share their 16 highest bits.
//!
//! One allocation, never changed once made; [`Columns`] knows its bytes. Ends are kept as
//! 16 bits of minutes after a base. 65 535 minutes are 45 days and no sentence is longer
//! than 30, so a leaf has to be *far*, with ends of 32 bits, only when an operator pinned
//! one of its keys, or expired marks were not swept for a fortnight. A leaf takes a new
//! base when an end does not fit the old one: nothing is re-based as time goes by.

use std::sync::Arc;

use super::Mark;
use super::columns::{Columns, FAR, HEAD, Piece};
use super::merge::{Edit, Entry, merge};

/// See the module's text. `TAIL` is how many bytes of a key follow its first four.
#[derive(Clone)]
pub(super) struct Leaf<const TAIL: usize>(Arc<[u8]>);

/// Space kept from leaf to leaf within one batch.
#[derive(Default)]
pub(super) struct Scratch {
    entries: Vec<Entry<u128>>,
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
}

impl<const TAIL: usize> Leaf<TAIL> {
    /// Bits of a key below the 16 that choose the leaf.
    pub(super) const REST_BITS: usize = 16 + 8 * TAIL;

    /// The part of `key` that tells it from the others in its leaf.
    pub(super) fn rest_of(key: u128) -> u128 {
        key & ((1 << Self::REST_BITS) - 1)
    }

    /// What `old` becomes by `edits`, which ascend by their rests; none when it is empty.
    pub(super) fn edited(
        old: Option<&Self>,
        edits: impl Iterator<Item = Edit<u128>> + Clone,
        scratch: &mut Scratch,
    ) -> Option<Self> {
        match old {
            Some(old) if old.columns().fits(edits.clone()) => old.spliced(edits, scratch),
            _ => {
                scratch.entries.clear();
                merge(old.into_iter().flat_map(Self::entries), edits, &mut scratch.entries);
                Self::of(scratch)
            }
        }
    }

    /// What is left of it when marks that have run out by `now_min` are dropped.
    pub(super) fn swept(&self, now_min: u32, scratch: &mut Scratch) -> Option<Self> {
        scratch.entries.clear();
        scratch.entries.extend(self.entries().filter(|entry| entry.mark.holds(now_min)));
        Self::of(scratch)
    }

    /// The mark of the key with this `rest`, expired or not.
    #[inline]
    pub(super) fn get(&self, rest: u128) -> Option<Mark> {
        let columns = self.columns();
        let at = columns.search(rest).ok()?;
        Some(columns.mark(at))
    }

    /// Whether a key with a rest from `from` to `to` has a mark that `fits`; when `left` looks
    /// are used up, yes.
    pub(super) fn any_between(
        &self,
        from: u128,
        to: u128,
        left: &mut usize,
        fits: impl Fn(Mark) -> bool,
    ) -> bool {
        let columns = self.columns();
        let start = columns.search(from).unwrap_or_else(|at| at);
        for at in (start..columns.len()).take_while(|at| columns.rest(*at) <= to) {
            if *left == 0 || fits(columns.mark(at)) {
                return true;
            }
            *left -= 1;
        }
        false
    }

    /// How many keys it holds.
    pub(super) fn len(&self) -> usize {
        self.columns().len()
    }

    /// Whether a mark has run out by `now_min`; one look when none can have.
    pub(super) fn has_expired(&self, now_min: u32) -> bool {
        let columns = self.columns();
        columns.first_end() <= now_min && (0..self.len()).any(|at| !columns.mark(at).holds(now_min))
    }

    /// Bytes of its allocation, without what the allocator adds.
    pub(super) fn heap_len(&self) -> usize {
        self.0.len().next_multiple_of(align_of::<usize>())
    }

    /// Whether both are one allocation.
    #[cfg(test)]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// All keys with their marks, ascending.
    fn entries(&self) -> impl Iterator<Item = Entry<u128>> {
        let columns = self.columns();
        (0..self.len()).map(move |at| Entry { key: columns.rest(at), mark: columns.mark(at) })
    }

    /// The leaf of `scratch.entries`, with a base of its own.
    fn of(scratch: &mut Scratch) -> Option<Self> {
        let ends = scratch.entries.iter().map(|entry| entry.mark.until_min);
        let (first, last) = (ends.clone().min()?, ends.max()?);
        let base = if last - first <= u32::from(u16::MAX) { first } else { FAR };
        scratch.pieces.clear();
        scratch.pieces.extend(scratch.entries.drain(..).map(Piece::Put));
        write(&Columns::empty(base), scratch)
    }

    /// As [`Leaf::edited`] by edits that fit: what they do not touch is copied in blocks.
    fn spliced(&self, edits: impl Iterator<Item = Edit<u128>>, scratch: &mut Scratch) -> Option<Self> {
        let (columns, mut from) = (self.columns(), 0);
        scratch.pieces.clear();
        for Edit { key, mark } in edits {
            let found = columns.search(key);
            let at = found.unwrap_or_else(|at| at);
            scratch.pieces.pop_if(|piece| matches!(piece, Piece::Put(earlier) if earlier.key == key));
            if at >= from {
                scratch.pieces.push(Piece::Keep(from..at));
                from = at + usize::from(found.is_ok());
            }
            scratch.pieces.extend(mark.map(|mark| Piece::Put(Entry { key, mark })));
        }
        scratch.pieces.push(Piece::Keep(from..self.len()));
        write(&columns, scratch)
    }

    #[inline(always)]
    fn columns(&self) -> Columns<'_, TAIL> {
        Columns::of(&self.0)
    }
}

/// The leaf of `scratch.pieces`; none when they hold no key.
fn write<const TAIL: usize>(columns: &Columns<'_, TAIL>, scratch: &mut Scratch) -> Option<Leaf<TAIL>> {
    columns.write(&scratch.pieces, &mut scratch.bytes);
    (scratch.bytes.len() > HEAD).then(|| Leaf(Arc::from(scratch.bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf<const TAIL: usize>(entries: &[(u128, u8, u32)]) -> Option<Leaf<TAIL>> {
        let edit = |&(key, class, until_min): &_| Edit { key, mark: Some(Mark { class, until_min }) };
        Leaf::edited(None, entries.iter().map(edit), &mut Scratch::default())
    }

    /// Makes a leaf of these entries and finds them again, and their neighbours not.
    #[track_caller]
    fn check<const TAIL: usize>(entries: &[(u128, u8, u32)], bytes: usize) {
        let made = leaf::<TAIL>(entries).unwrap();
        assert_eq!(made.0.len(), bytes);
        assert_eq!(made.len(), entries.len());
        let back: Vec<_> = made.entries().map(|e| (e.key, e.mark.class, e.mark.until_min)).collect();
        assert_eq!(back, entries);
        for &(key, class, until_min) in entries {
            assert_eq!(made.get(key), Some(Mark { class, until_min }), "{key:#x}");
            let next = key.wrapping_add(1);
            assert_eq!(made.get(next).is_some(), entries.iter().any(|e| e.0 == next), "{next:#x}");
        }
    }

    #[test]
    fn no_keys_no_leaf() {
        assert!(leaf::<0>(&[]).is_none());
    }

    #[test]
    fn any_number_of_keys_comes_back() {
        for n in 1..200_u32 {
            let entry = |i: u32| (u128::from(i) * 327, (i * 7 + n) as u8, 1000 + i * 300);
            let entries: Vec<_> = (0..n).map(entry).collect();
            check::<0>(&entries, HEAD + 5 * entries.len());
            check::<4>(&entries, HEAD + 9 * entries.len());
            check::<12>(&entries, HEAD + 17 * entries.len());
        }
    }

    #[test]
    fn ends_take_four_bytes_only_when_they_lie_far_apart() {
        check::<0>(&[(1, 1, 7), (2, 2, 7 + 0xffff)], 4 + 2 * 5);
        check::<0>(&[(1, 1, 7), (2, 2, 7 + 0x1_0000)], 4 + 2 * 7);
        check::<0>(&[(1, 1, u32::MAX - 1), (2, 2, u32::MAX)], 4 + 2 * 5);
        check::<0>(&[(1, 1, u32::MAX), (2, 2, u32::MAX)], 4 + 2 * 7);
        check::<0>(&[(1, 1, 0), (2, 2, u32::MAX)], 4 + 2 * 7);
        check::<4>(&[(1, 1, 0), (2, 2, u32::MAX), (3, 3, 5)], 4 + 3 * 11);
    }

    #[test]
    fn keys_are_found_however_they_lie() {
        let all = 0..=u16::MAX;
        let spread: [&dyn Fn(u16) -> bool; 6] = [
            &|n| n < 300,
            &|n| n >= u16::MAX - 300,
            &|n| !(100..65_400).contains(&n),
            &|n| (40_000..40_500).contains(&n),
            &|n| n % 257 == 0,
            &|n| n.is_power_of_two() || n == 0 || n == u16::MAX,
        ];
        for (case, held) in spread.iter().enumerate() {
            let entries: Vec<_> = all.clone().filter(|&n| held(n)).map(|n| (n.into(), 1, n.into())).collect();
            let made = leaf::<0>(&entries).unwrap();
            for n in all.clone() {
                let got = made.get(n.into()).map(|mark| mark.until_min);
                assert_eq!(got, held(n).then_some(n.into()), "{n} in spread {case}");
            }
        }
    }

    #[test]
    fn keys_that_differ_in_their_last_words_only_are_told_apart() {
        let entries: Vec<_> = (0..100_u32).map(|i| (0x1234_0000_0000 | u128::from(i) << 8, 1, i)).collect();
        check::<4>(&entries, 4 + 900);
        let entries: Vec<_> = (0..100_u32).map(|i| (7 << 96 | u128::from(i) << 77, 1, i)).collect();
        check::<12>(&entries, 4 + 1700);
    }

    /// Edits a leaf of `entries` and gives back what it then holds, and in how many bytes.
    fn edited(entries: &[(u128, u8, u32)], edits: &[(u128, u8, u32)]) -> (Vec<(u128, u8, u32)>, usize) {
        let edit = |&(key, class, until_min): &_| Edit { key, mark: Some(Mark { class, until_min }) };
        let old = leaf::<4>(entries);
        let new = Leaf::edited(old.as_ref(), edits.iter().map(edit), &mut Scratch::default()).unwrap();
        (new.entries().map(|e| (e.key, e.mark.class, e.mark.until_min)).collect(), new.0.len())
    }

    #[test]
    fn a_new_key_goes_between_those_that_differ_in_their_last_bytes_only() {
        let keys = |keys: [u128; 3]| keys.map(|key| (0x1234_0000_0000 | key, 1, 100));
        let new = [(0x1234_0000_0007, 2, 100)];
        let (held, _) = edited(&keys([3, 5, 9]), &new);
        assert_eq!(held, [&keys([3, 5, 9])[..2], &new, &keys([3, 5, 9])[2..]].concat());
    }

    #[test]
    fn an_end_that_does_not_fit_the_base_gets_another_one() {
        let check = |until_min: u32, bytes: usize| {
            let (held, len) = edited(&[(1, 1, 100_000), (2, 1, 100_001)], &[(2, 2, until_min)]);
            assert_eq!((&held[..], len), (&[(1, 1, 100_000), (2, 2, until_min)][..], bytes), "{until_min}");
        };
        check(100_000 + 0xffff, 4 + 2 * 9);
        check(100_000 + 0x1_0000, 4 + 2 * 11);
        check(99_999, 4 + 2 * 9);
        check(100_000 - 0xffff, 4 + 2 * 9);
        check(100_000 - 0x1_0000, 4 + 2 * 11);
        // The key that held the leaf back is the one that changes.
        let (held, len) = edited(&[(1, 1, 100)], &[(1, 1, 200_000)]);
        assert_eq!((&held[..], len), (&[(1, 1, 200_000)][..], 4 + 9));
    }

    #[test]
    fn a_leaf_knows_whether_to_sweep_it() {
        let near = leaf::<0>(&[(1, 1, 100), (2, 1, 200)]).unwrap();
        let far = leaf::<0>(&[(1, 1, 100), (2, 1, 200_000)]).unwrap();
        for leaf in [near, far] {
            assert_eq!([99, 100, 101].map(|now| leaf.has_expired(now)), [false, true, true]);
        }
    }
}
