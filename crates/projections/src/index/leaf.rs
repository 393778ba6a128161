//! A leaf of the tree: the marks of all keys that share their 16 highest bits.
//!
//! One allocation of bytes, never changed once made; numbers are little-endian:
//!
//! | bytes    | what                                                                  |
//! |----------|-----------------------------------------------------------------------|
//! | 4        | base: no mark in the leaf ends before this minute; or [`FAR`]          |
//! | 2 n      | nexts: the next 16 bits of each key, ascending                        |
//! | `TAIL` n | tails: what is left of each key, if anything                          |
//! | 3 n      | marks: the end, in minutes after the base, and the class               |
//!
//! In a far leaf the end takes four bytes and is absolute.
//!
//! n follows from the length. 65 535 minutes are 45 days and no sentence is longer than
//! 30, so a leaf is *far* only when an operator pinned one of its keys, or expired marks
//! were not swept for a fortnight. A leaf takes a new base when an end does not fit the
//! old one: nothing has to be re-based as time goes by.

use std::ops::Range;
use std::sync::Arc;

use super::Mark;
use super::merge::{Edit, Entry, merge};

/// Bytes before the columns.
const HEAD: usize = size_of::<u32>();

/// Stands in place of a base in a leaf whose ends lie too far apart for 16 bits.
const FAR: u32 = u32::MAX;

/// Bytes of a mark: its end, then its class.
const NEAR_MARK: usize = 3;
const FAR_MARK: usize = 5;

/// How many neighbours of the interpolated place are looked at together: one cache line.
///
/// With keys spread evenly over a leaf of 150 the guess is off by 6 at most (one standard
/// deviation, in the middle), so the window nearly always holds the key.
const WINDOW: usize = 32;

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

/// A part of a leaf to be made, in the order of its keys.
enum Piece {
    /// These places of the old leaf, as they are.
    Keep(Range<usize>),
    Put(Entry<u128>),
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

    /// How many keys it holds.
    pub(super) fn len(&self) -> usize {
        self.columns().nexts().len()
    }

    /// Whether a mark has run out by `now_min`; one look when none can have.
    pub(super) fn has_expired(&self, now_min: u32) -> bool {
        let columns = self.columns();
        let may = columns.base == FAR || columns.base <= now_min;
        may && (0..self.len()).any(|at| !columns.mark(at).holds(now_min))
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
        Columns::<TAIL>::split(base, &[], mark_len(base)).write(scratch)
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
        columns.write(scratch)
    }

    #[inline(always)]
    fn columns(&self) -> Columns<'_, TAIL> {
        let (head, body) = self.0.split_at(HEAD);
        let base = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        // A branch and not a choice of divisors: the processor guesses it right and goes on
        // to the keys before the base has come out of memory.
        if base == FAR { Self::far(body) } else { Columns::split(base, body, mark_len(0)) }
    }

    #[cold]
    fn far(body: &[u8]) -> Columns<'_, TAIL> {
        Columns::split(FAR, body, mark_len(FAR))
    }
}

/// A leaf, taken apart.
struct Columns<'a, const TAIL: usize> {
    base: u32,
    /// The nexts, and in pairs all bytes behind them.
    pairs: &'a [[u8; 2]],
    len: usize,
    tails: &'a [u8],
    marks: &'a [u8],
}

impl<'a, const TAIL: usize> Columns<'a, TAIL> {
    #[inline(always)]
    fn split(base: u32, body: &'a [u8], mark_len: usize) -> Self {
        let len = body.len() / (2 + TAIL + mark_len);
        let (pairs, _) = body.as_chunks();
        let (tails, marks) = body[2 * len..].split_at(TAIL * len);
        Columns { base, pairs, len, tails, marks }
    }

    #[inline]
    fn nexts(&self) -> &'a [[u8; 2]] {
        &self.pairs[..self.len]
    }

    /// The place of the key with this `rest`, or the one where it belongs.
    #[inline]
    fn search(&self, rest: u128) -> Result<usize, usize> {
        let next = (rest >> (8 * TAIL)) as u16;
        let mut at = self.lower_bound(next);
        while self.nexts().get(at).is_some_and(|&pair| u16::from_le_bytes(pair) == next) {
            if TAIL == 0 || self.rest(at) == rest {
                return Ok(at);
            }
            if self.rest(at) > rest {
                break;
            }
            at += 1;
        }
        Err(at)
    }

    /// The place of the first key not below `next`.
    #[inline]
    fn lower_bound(&self, next: u16) -> usize {
        let nexts = self.nexts();
        let below = |&pair: &[u8; 2]| u16::from_le_bytes(pair) < next;
        let start = ((usize::from(next) * nexts.len()) >> 16).saturating_sub(WINDOW / 2);
        let start = start.min(nexts.len().saturating_sub(WINDOW));
        let end = nexts.len().min(start + WINDOW);
        if start > 0 && !below(&nexts[start]) {
            return nexts[..start].partition_point(below);
        }
        if end < nexts.len() && below(&nexts[end - 1]) {
            return end + nexts[end..].partition_point(below);
        }
        start + count_below(&self.pairs[start..], end - start, next)
    }

    #[inline]
    fn rest(&self, at: usize) -> u128 {
        let mut tail = [0; 16];
        tail[..TAIL].copy_from_slice(&self.tails[TAIL * at..][..TAIL]);
        let next = u16::from_le_bytes(self.pairs[at]);
        u128::from(next) << (8 * TAIL) | u128::from_le_bytes(tail)
    }

    #[inline]
    fn mark(&self, at: usize) -> Mark {
        if self.base == FAR {
            return self.far_mark(at);
        }
        let mark = &self.marks[NEAR_MARK * at..][..NEAR_MARK];
        let end = u16::from_le_bytes([mark[0], mark[1]]);
        Mark { class: mark[2], until_min: self.base + u32::from(end) }
    }

    #[cold]
    fn far_mark(&self, at: usize) -> Mark {
        let mark = &self.marks[FAR_MARK * at..][..FAR_MARK];
        Mark { class: mark[4], until_min: u32::from_le_bytes([mark[0], mark[1], mark[2], mark[3]]) }
    }

    /// Whether a leaf of this base can hold what `edits` set.
    fn fits(&self, mut edits: impl Iterator<Item = Edit<u128>>) -> bool {
        let from_base = |mark: Mark| mark.until_min.checked_sub(self.base);
        let near = |mark| from_base(mark).is_some_and(|end| end <= u16::MAX.into());
        self.base != FAR && edits.all(|edit| edit.mark.is_none_or(near))
    }

    /// The leaf of `scratch.pieces`, with this base; none when they hold no key.
    fn write(&self, scratch: &mut Scratch) -> Option<Leaf<TAIL>> {
        let Scratch { pieces, bytes, .. } = scratch;
        let origin = if self.base == FAR { 0 } else { self.base };
        bytes.clear();
        bytes.extend(self.base.to_le_bytes());
        column(bytes, pieces, self.pairs.as_flattened(), 2, |entry| entry.key >> (8 * TAIL));
        column(bytes, pieces, self.tails, TAIL, |entry| entry.key);
        let width = mark_len(self.base);
        column(bytes, pieces, self.marks, width, |Entry { mark, .. }| {
            u128::from(mark.until_min - origin) | u128::from(mark.class) << (8 * (width - 1))
        });
        (bytes.len() > HEAD).then(|| Leaf(Arc::from(bytes.as_slice())))
    }
}

/// Appends one column; `cell` gives a new entry's cell, its low `width` bytes count.
fn column(
    bytes: &mut Vec<u8>,
    pieces: &[Piece],
    old: &[u8],
    width: usize,
    cell: impl Fn(&Entry<u128>) -> u128,
) {
    for piece in pieces {
        match piece {
            Piece::Keep(at) => bytes.extend_from_slice(&old[width * at.start..width * at.end]),
            Piece::Put(entry) => bytes.extend_from_slice(&cell(entry).to_le_bytes()[..width]),
        }
    }
}

/// Bytes of a mark in a leaf of this base.
#[inline(always)]
const fn mark_len(base: u32) -> usize {
    if base == FAR { FAR_MARK } else { NEAR_MARK }
}

/// How many of the first `len` pairs are below `next`; `len` is at most [`WINDOW`].
///
/// Always looks at a whole number of lanes, also at bytes behind the first `len` pairs,
/// which it does not count: a loop whose length differs from leaf to leaf would stall the
/// processor more often than it saves.
#[inline]
fn count_below(pairs: &[[u8; 2]], len: usize, next: u16) -> usize {
    if let Some(lanes) = pairs.first_chunk::<WINDOW>() {
        lanes_below(lanes, len, next)
    } else if let Some(lanes) = pairs.first_chunk::<{ WINDOW / 2 }>() {
        lanes_below(lanes, len, next)
    } else {
        pairs[..len].iter().filter(|&&pair| u16::from_le_bytes(pair) < next).count()
    }
}

#[inline]
fn lanes_below<const N: usize>(lanes: &[[u8; 2]; N], len: usize, next: u16) -> usize {
    let len = len as u16;
    let below = |(lane, &pair)| u16::from(lane < len && u16::from_le_bytes(pair) < next);
    usize::from((0..N as u16).zip(lanes).map(below).sum::<u16>())
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

    #[test]
    fn a_leaf_knows_whether_to_sweep_it() {
        let near = leaf::<0>(&[(1, 1, 100), (2, 1, 200)]).unwrap();
        let far = leaf::<0>(&[(1, 1, 100), (2, 1, 200_000)]).unwrap();
        for leaf in [near, far] {
            assert_eq!([99, 100, 101].map(|now| leaf.has_expired(now)), [false, true, true]);
        }
    }
}
