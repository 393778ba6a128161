//! How a leaf lies in memory, how it is searched, and how its bytes are written.
//!
//! Numbers are little-endian, n follows from the length:
//!
//! | bytes    | what                                                                  |
//! |----------|-----------------------------------------------------------------------|
//! | 4        | base: no mark in the leaf ends before this minute; or [`FAR`]         |
//! | 2 n      | nexts: the next 16 bits of each key, ascending                        |
//! | `TAIL` n | tails: what is left of each key, if anything                          |
//! | 3 n      | marks: the end, in minutes after the base, and the class              |
//!
//! In a far leaf the end takes four bytes and is absolute.

use std::ops::Range;

use super::Mark;
use super::merge::{Edit, Entry};
use crate::search::lower_bound;

/// Bytes before the columns.
pub(super) const HEAD: usize = size_of::<u32>();

/// Stands in place of a base in a leaf whose ends lie too far apart for 16 bits.
pub(super) const FAR: u32 = u32::MAX;

/// Bytes of a mark: its end, then its class.
const NEAR_MARK: usize = 3;
const FAR_MARK: usize = 5;

/// A part of a leaf to be made, in the order of its keys.
pub(super) enum Piece {
    /// These places of the old leaf, as they are.
    Keep(Range<usize>),
    Put(Entry<u128>),
}

/// A leaf, taken apart.
pub(super) struct Columns<'a, const TAIL: usize> {
    base: u32,
    /// The nexts, and in pairs all bytes behind them.
    pairs: &'a [[u8; 2]],
    len: usize,
    tails: &'a [u8],
    marks: &'a [u8],
}

impl<'a, const TAIL: usize> Columns<'a, TAIL> {
    /// No columns yet, to [`Columns::write`] a leaf of new entries.
    pub(super) fn empty(base: u32) -> Self {
        Self::split(base, &[], mark_len(base))
    }

    #[inline(always)]
    pub(super) fn of(leaf: &'a [u8]) -> Self {
        let (head, body) = leaf.split_at(HEAD);
        let base = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        // A branch and not a choice of divisors: the processor guesses it right and goes on
        // to the keys before the base has come out of memory.
        if base == FAR { Self::far(body) } else { Self::split(base, body, NEAR_MARK) }
    }

    #[cold]
    fn far(body: &'a [u8]) -> Self {
        Self::split(FAR, body, FAR_MARK)
    }

    #[inline(always)]
    fn split(base: u32, body: &'a [u8], mark_len: usize) -> Self {
        let len = body.len() / (2 + TAIL + mark_len);
        let (pairs, _) = body.as_chunks();
        let (tails, marks) = body[2 * len..].split_at(TAIL * len);
        Columns { base, pairs, len, tails, marks }
    }

    /// The first minute in which a mark can have run out; 0 when unknown.
    pub(super) fn first_end(&self) -> u32 {
        if self.base == FAR { 0 } else { self.base }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn nexts(&self) -> &'a [[u8; 2]] {
        &self.pairs[..self.len]
    }

    /// The place of the key with this `rest`, or the one where it belongs.
    #[inline]
    pub(super) fn search(&self, rest: u128) -> Result<usize, usize> {
        let next = (rest >> (8 * TAIL)) as u16;
        let mut at = lower_bound(self.pairs, self.len, next);
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

    /// The key at this place, without its 16 highest bits.
    #[inline]
    pub(super) fn rest(&self, at: usize) -> u128 {
        let mut tail = [0; 16];
        tail[..TAIL].copy_from_slice(&self.tails[TAIL * at..][..TAIL]);
        let next = u16::from_le_bytes(self.pairs[at]);
        u128::from(next) << (8 * TAIL) | u128::from_le_bytes(tail)
    }

    /// The mark at this place, expired or not.
    #[inline]
    pub(super) fn mark(&self, at: usize) -> Mark {
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
    pub(super) fn fits(&self, mut edits: impl Iterator<Item = Edit<u128>>) -> bool {
        let from_base = |mark: Mark| mark.until_min.checked_sub(self.base);
        let near = |mark| from_base(mark).is_some_and(|end| end <= u16::MAX.into());
        self.base != FAR && edits.all(|edit| edit.mark.is_none_or(near))
    }

    /// Writes into `bytes` a leaf of `pieces` with this base; what they keep is taken from
    /// these columns.
    pub(super) fn write(&self, pieces: &[Piece], bytes: &mut Vec<u8>) {
        let origin = self.first_end();
        let width = mark_len(self.base);
        bytes.clear();
        bytes.extend(self.base.to_le_bytes());
        column(bytes, pieces, self.pairs.as_flattened(), 2, |entry| entry.key >> (8 * TAIL));
        column(bytes, pieces, self.tails, TAIL, |entry| entry.key);
        column(bytes, pieces, self.marks, width, |Entry { mark, .. }| {
            u128::from(mark.until_min - origin) | u128::from(mark.class) << (8 * (width - 1))
        });
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
const fn mark_len(base: u32) -> usize {
    if base == FAR { FAR_MARK } else { NEAR_MARK }
}
