//! The IPv4 part of a [`Flat`](super::Flat): a block for each /16 in which anything stands.
//!
//! | bytes | what                                                                          |
//! |-------|-------------------------------------------------------------------------------|
//! | 12 × 1024 | map: of 64 /16s each which ones have a block (8), and how many have before (4) |
//! | 10 (n + 1) | rows: where the block begins (4), its ranges (2), its codes (4); one more at the end |
//! | the rest | blocks                                                                       |
//!
//! A block of p points and r ranges, numbers being the low 16 bits of addresses:
//!
//! | bytes | what                                                       |
//! |-------|------------------------------------------------------------|
//! | 2 p   | points: single addresses, ascending                        |
//! | 2 r   | firsts of the ranges, ascending                            |
//! | 2 r   | lasts of the ranges                                        |
//! | 3 (p + r) | values of the points, then of the ranges               |
//!
//! Points stand apart because most lists hold nothing else, and a point needs 2 bytes where
//! a range needs 4. No point lies in a range, and no two ranges overlap.

use model::Codes;

use super::damaged::{Damaged, check};
use super::overlap::Claim;
use super::value::{self, FeedEntry, Packed, VALUE};
use crate::search::{lower_bound, upper_bound};

const WORDS: usize = 1024;
const WORD: usize = 12;
const ROW: usize = 10;
const POINT: usize = 2 + VALUE;
const RANGE: usize = 4 + VALUE;

/// /16s in a /8, which is never listed whole.
const NETS_OF_8: usize = 256;

/// The part, looked at in its bytes.
#[derive(Clone, Copy)]
pub(super) struct V4<'a> {
    map: &'a [u8],
    rows: &'a [u8],
    blocks: &'a [u8],
    base_min: u32,
}

/// Bytes of map and rows of so many blocks.
pub(super) fn head_len(nets: usize) -> usize {
    WORDS * WORD + (nets + 1) * ROW
}

#[inline]
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl<'a> V4<'a> {
    /// Takes apart what [`Writer::finish`] wrote; `bytes` holds [`head_len`] at least.
    #[inline]
    pub(super) fn of(bytes: &'a [u8], nets: usize, base_min: u32) -> V4<'a> {
        let (map, rest) = bytes.split_at(WORDS * WORD);
        let (rows, blocks) = rest.split_at((nets + 1) * ROW);
        V4 { map, rows, blocks, base_min }
    }

    /// What is said of one address, run out or not.
    #[inline]
    pub(super) fn get(&self, addr: u32) -> Option<FeedEntry> {
        let (row, is_there) = self.place(addr >> 16);
        if is_there { self.block(row).get(addr as u16) } else { None }
    }

    /// Whether an address from `first` to `last` is listed with one of `codes`. `looks` is
    /// how many entries may be looked at; when they are spent the answer is yes.
    pub(super) fn any(&self, first: u32, last: u32, ask: Ask, looks: &mut u32) -> bool {
        let (from, _) = self.place(first >> 16);
        let (to, is_there) = self.place(last >> 16);
        let same = first >> 16 == last >> 16;
        (from..to + usize::from(is_there)).filter(|row| self.codes(*row) & ask.codes.bits() != 0).any(|row| {
            let (low, high) = if same { (first as u16, last as u16) } else { (0, u16::MAX) };
            self.block(row).any(low, high, ask, looks)
        })
    }

    /// All ranges, ascending, each within its /16.
    pub(super) fn claims(self) -> impl Iterator<Item = (Claim<u32>, FeedEntry)> {
        self.nets().enumerate().flat_map(move |(row, net)| {
            let claims = self.block(row).claims();
            claims.map(move |(low, high, entry)| {
                let value = value::pack(entry, self.base_min);
                (Claim { first: net << 16 | u32::from(low), last: net << 16 | u32::from(high), value }, entry)
            })
        })
    }

    /// How many points and ranges there are.
    pub(super) fn len(&self) -> usize {
        (0..self.rows.len() / ROW - 1).map(|row| self.block(row).len()).sum()
    }

    /// The /16s that have a block, ascending.
    fn nets(self) -> impl Iterator<Item = u32> {
        let bits = move |word: usize| {
            let bits = self.word(word);
            (0..64_u32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word as u32 * 64 + bit)
        };
        (0..WORDS).flat_map(bits)
    }

    #[inline]
    fn word(&self, word: usize) -> u64 {
        let at = word * WORD;
        u64::from(number(self.map, at)) | u64::from(number(self.map, at + 4)) << 32
    }

    /// The row of a /16 or of the next one behind it, and whether it is its own.
    #[inline]
    fn place(&self, net: u32) -> (usize, bool) {
        let word = (net >> 6) as usize;
        let (bits, bit) = (self.word(word), 1_u64 << (net & 63));
        let before = number(self.map, word * WORD + 8) + (bits & (bit - 1)).count_ones();
        (before as usize, bits & bit != 0)
    }

    fn codes(&self, row: usize) -> u32 {
        number(self.rows, row * ROW + 6)
    }

    #[inline]
    fn block(&self, row: usize) -> Block<'a> {
        let rows = &self.rows[row * ROW..];
        let (from, to) = (number(rows, 0) as usize, number(rows, ROW) as usize);
        let ranges = usize::from(u16::from_le_bytes([rows[4], rows[5]]));
        Block::of(&self.blocks[from..to], ranges, self.base_min)
    }

    /// Looks at everything once.
    pub(super) fn check(&self) -> Result<Codes, Damaged> {
        let nets = self.rows.len() / ROW - 1;
        let mut before = 0;
        for word in 0..WORDS {
            check(number(self.map, word * WORD + 8) as usize == before, "the map's counts")?;
            before += self.word(word).count_ones() as usize;
        }
        check(before == nets && number(self.rows, 0) == 0, "the map's length")?;
        let end = number(self.rows, nets * ROW) as usize;
        check(end == self.blocks.len(), "the blocks' length")?;
        let mut all = 0;
        for row in 0..nets {
            all |= self.check_block(row)?;
        }
        check(self.has_no_8(), "no /8 listed whole")?;
        Ok(Codes::from_bits(all))
    }

    fn check_block(&self, row: usize) -> Result<u32, Damaged> {
        let rows = &self.rows[row * ROW..];
        let (from, to) = (number(rows, 0) as usize, number(rows, ROW) as usize);
        let ranges = usize::from(u16::from_le_bytes([rows[4], rows[5]]));
        let points = to.checked_sub(from).and_then(|len| len.checked_sub(ranges * RANGE));
        let is_whole = points.is_some_and(|points| points % POINT == 0 && ranges + points > 0);
        check(is_whole && to <= self.blocks.len(), "a block's length")?;
        let codes = self.block(row).check()?;
        check(codes == self.codes(row), "a block's codes")?;
        Ok(codes)
    }

    /// Whether no /8 is covered by ranges that are a whole /16 each (DESIGN, invariant 4).
    pub(super) fn has_no_8(&self) -> bool {
        let mut whole = [0; NETS_OF_8];
        for (row, net) in self.nets().enumerate() {
            whole[(net >> 8) as usize] += usize::from(self.block(row).is_whole());
        }
        whole.iter().all(|nets| *nets < NETS_OF_8)
    }
}

/// What is asked below a prefix.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    pub(super) codes: Codes,
    pub(super) now_min: u32,
}

/// One block, taken apart.
struct Block<'a> {
    /// Points, firsts, lasts, and in pairs all bytes behind them.
    pairs: &'a [[u8; 2]],
    points: usize,
    ranges: usize,
    values: &'a [u8],
    base_min: u32,
}

impl<'a> Block<'a> {
    #[inline]
    fn of(bytes: &'a [u8], ranges: usize, base_min: u32) -> Block<'a> {
        let points = (bytes.len() - ranges * RANGE) / POINT;
        let (pairs, _) = bytes.as_chunks();
        Block { pairs, points, ranges, values: &bytes[2 * points + 4 * ranges..], base_min }
    }

    fn len(&self) -> usize {
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
        value::read(&self.values[at * VALUE..], self.base_min)
    }

    #[inline]
    fn get(&self, low: u16) -> Option<FeedEntry> {
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

    fn any(&self, low: u16, high: u16, ask: Ask, looks: &mut u32) -> bool {
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
    fn claims(self) -> impl Iterator<Item = (u16, u16, FeedEntry)> {
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

    fn is_whole(&self) -> bool {
        self.points == 0 && self.ranges == 1 && self.low(0) == 0 && self.last(0) == u16::MAX
    }

    /// Its codes, if everything is in order.
    fn check(&self) -> Result<u32, Damaged> {
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

/// Writes blocks from ranges that ascend.
#[derive(Default)]
pub(super) struct Writer {
    nets: Vec<u16>,
    rows: Vec<u8>,
    blocks: Vec<u8>,
    open: Open,
}

/// The block that is being written.
#[derive(Default)]
struct Open {
    points: Vec<u8>,
    firsts: Vec<u8>,
    lasts: Vec<u8>,
    point_values: Vec<u8>,
    range_values: Vec<u8>,
    codes: Codes,
}

impl Writer {
    /// Takes the next range.
    pub(super) fn push(&mut self, claim: Claim<u32>) {
        for net in claim.first >> 16..=claim.last >> 16 {
            let first = if net == claim.first >> 16 { claim.first as u16 } else { 0 };
            let last = if net == claim.last >> 16 { claim.last as u16 } else { u16::MAX };
            if self.nets.last() != Some(&(net as u16)) {
                self.close();
                self.nets.push(net as u16);
            }
            self.open.push(first, last, claim.value);
        }
    }

    /// Ends the open block, if there is one.
    fn close(&mut self) {
        if self.nets.is_empty() {
            return;
        }
        let open = std::mem::take(&mut self.open);
        self.row((open.firsts.len() / 2) as u16, open.codes);
        for part in [open.points, open.firsts, open.lasts, open.point_values, open.range_values] {
            self.blocks.extend(part);
        }
    }

    fn row(&mut self, ranges: u16, codes: Codes) {
        // `ENTRIES_MAX` keeps the blocks far below 4 GiB.
        self.rows.extend((self.blocks.len() as u32).to_le_bytes());
        self.rows.extend(ranges.to_le_bytes());
        self.rows.extend(codes.bits().to_le_bytes());
    }

    /// Appends the whole part; returns how many blocks there are.
    pub(super) fn finish(mut self, bytes: &mut Vec<u8>) -> usize {
        self.close();
        self.row(0, Codes::NONE);
        let mut words = [0_u64; WORDS];
        self.nets.iter().for_each(|net| words[usize::from(net >> 6)] |= 1 << (net & 63));
        let mut before = 0_u32;
        for word in words {
            bytes.extend(word.to_le_bytes());
            bytes.extend(before.to_le_bytes());
            before += word.count_ones();
        }
        bytes.extend(self.rows);
        bytes.extend(self.blocks);
        self.nets.len()
    }
}

impl Open {
    fn push(&mut self, first: u16, last: u16, packed: Packed) {
        let value = value::to_bytes(packed);
        self.codes = self.codes.or(Codes::of(value[2]));
        if first == last {
            self.points.extend(first.to_le_bytes());
            self.point_values.extend(value);
        } else {
            self.firsts.extend(first.to_le_bytes());
            self.lasts.extend(last.to_le_bytes());
            self.range_values.extend(value);
        }
    }
}
