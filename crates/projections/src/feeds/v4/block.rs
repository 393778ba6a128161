//! One block of a bulk list: the entries of a /16.

use super::{Ask, Row};
use crate::feeds::damaged::{Damaged, check};
use crate::feeds::value::{self, FeedEntry, VALUE};
use crate::search::{lower_bound, upper_bound, window};
use model::Codes;

/// One block, taken apart.
pub(super) struct Block<'a> {
    /// Points, firsts, lasts, and in pairs all bytes behind them, also those of later blocks.
    pairs: &'a [[u8; 2]],
    points: usize,
    ranges: usize,
    values: &'a [u8],
    /// From one value to the next: nothing, where all have one.
    step: usize,
    base_min: u32,
}

impl<'a> Block<'a> {
    /// The block of `len` bytes at the front of `bytes`; its row was checked with it.
    #[inline]
    pub(super) fn of(bytes: &'a [u8], len: usize, row: Row, base_min: u32) -> Block<'a> {
        let (points, ranges) = (row.points(len).unwrap_or_default(), row.ranges);
        let values = &bytes[2 * points + 4 * ranges..len];
        let step = if row.uniform { 0 } else { VALUE };
        Block { pairs: bytes.as_chunks().0, points, ranges, values, step, base_min }
    }

    pub(super) fn len(&self) -> usize {
        self.points + self.ranges
    }

    #[inline]
    fn low(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.pairs[at])
    }

    #[inline]
    fn firsts(&self) -> &'a [[u8; 2]] {
        &self.pairs[self.points..]
    }

    #[inline]
    fn last(&self, range: usize) -> u16 {
        self.low(self.points + self.ranges + range)
    }

    #[inline]
    fn value(&self, at: usize) -> FeedEntry {
        value::read(&self.values[at * self.step..], self.base_min)
    }

    /// Some of the bytes at which [`Block::get`] will look: of the points, or of the ranges where
    /// there are no points.
    #[inline]
    pub(super) fn places(&self, low: u16) -> [usize; 3] {
        let values = 2 * self.points + 4 * self.ranges;
        if self.points == 0 {
            let (first, last) = window(self.ranges, low);
            let middle = first.midpoint(last);
            return [2 * middle, 2 * (self.ranges + middle), values + middle * self.step];
        }
        let (first, last) = window(self.points, low);
        [2 * first, 2 * last, values + first.midpoint(last) * self.step]
    }

    #[inline]
    pub(super) fn get(&self, low: u16) -> Option<FeedEntry> {
        let point = lower_bound(self.pairs, self.points, low);
        if point < self.points && self.low(point) == low {
            return Some(self.value(point));
        }
        if self.ranges == 0 {
            return None;
        }
        let range = upper_bound(self.firsts(), self.ranges, low).checked_sub(1)?;
        (low <= self.last(range)).then(|| self.value(self.points + range))
    }

    pub(super) fn any(&self, low: u16, high: u16, ask: Ask, looks: &mut u32) -> bool {
        let points = lower_bound(self.pairs, self.points, low)..upper_bound(self.pairs, self.points, high);
        let from = lower_bound(self.firsts(), self.ranges, low);
        let reaches_in = from.checked_sub(1).filter(|before| self.last(*before) >= low);
        let ranges = reaches_in.unwrap_or(from)..upper_bound(self.firsts(), self.ranges, high);
        let ranges = self.points + ranges.start..self.points + ranges.end;
        points.chain(ranges).any(|at| {
            *looks = looks.saturating_sub(1);
            *looks == 0 || self.value(at).counts(ask.codes, ask.now_min)
        })
    }

    /// Points and ranges as ranges, ascending.
    pub(super) fn claims(self) -> impl Iterator<Item = (u16, u16, FeedEntry)> {
        let (mut point, mut range) = (0, 0);
        std::iter::from_fn(move || {
            let next_point = (point < self.points).then(|| self.low(point));
            let next_range = (range < self.ranges).then(|| self.low(self.points + range));
            let is_point = next_point.is_some_and(|p| next_range.is_none_or(|r| p < r));
            let (from, step) = if is_point { (next_point?, &mut point) } else { (next_range?, &mut range) };
            let at = *step;
            *step += 1;
            let to = if is_point { from } else { self.last(at) };
            Some((from, to, self.value(if is_point { at } else { self.points + at })))
        })
    }

    pub(super) fn is_whole(&self) -> bool {
        self.points == 0 && self.ranges == 1 && self.low(0) == 0 && self.last(0) == u16::MAX
    }

    /// Its codes, if everything is in order.
    pub(super) fn check(&self) -> Result<u32, Damaged> {
        let ascends = |part: &[[u8; 2]]| {
            part.windows(2).all(|pair| u16::from_le_bytes(pair[0]) < u16::from_le_bytes(pair[1]))
        };
        check(ascends(&self.pairs[..self.points]), "points in order")?;
        check((0..self.ranges).all(|range| self.is_apart(range)), "ranges in order")?;
        let octets = self.values.chunks_exact(VALUE).map(|value| value[2]);
        let codes =
            octets.map(Codes::of).try_fold(0, |all, code| (!code.is_empty()).then_some(all | code.bits()));
        codes.ok_or(Damaged("codes from 2 to 19"))
    }

    /// Whether a range is none the wrong way round, lies behind the one before it, and
    /// holds no point.
    fn is_apart(&self, range: usize) -> bool {
        let (first, last) = (self.low(self.points + range), self.last(range));
        let behind = range == 0 || self.last(range - 1) < first;
        let points = |search: fn(&[[u8; 2]], usize, u16) -> usize, low| search(self.pairs, self.points, low);
        behind && first <= last && points(lower_bound, first) == points(upper_bound, last)
    }
}
