//! The IPv4 part of a [`Flat`](super::Flat): a block for each /16 in which anything stands.
//!
//! | bytes | what                                                                          |
//! |-------|-------------------------------------------------------------------------------|
//! | 12 × 1024 | map: of 64 /16s each which ones have a block (8), and how many have before (4) |
//! | 10 (n + 1) | rows: where the block begins (4), its ranges (2), its codes (4) and whether it is [`UNIFORM`]; one more at the end |
//! | the rest | blocks                                                                       |
//!
//! A block of p points and r ranges, numbers being the low 16 bits of addresses:
//!
//! | bytes | what                                                       |
//! |-------|------------------------------------------------------------|
//! | 2 p   | points: single addresses, ascending                        |
//! | 2 r   | firsts of the ranges, ascending                            |
//! | 2 r   | lasts of the ranges                                        |
//! | 3 (p + r) | values of the points, then of the ranges; one for all of them where the block is uniform |
//!
//! Points stand apart because most lists hold nothing else, and a point needs 2 bytes where
//! a range needs 4. No point lies in a range, and no two ranges overlap. Most lists also say the
//! same of all their entries: where a block does, it is half as long, and a look-up meets half
//! as much memory that is far away.

mod block;
mod writer;

use model::Codes;

use self::block::Block;
pub(super) use self::writer::Writer;

use super::damaged::{Damaged, check};
use super::overlap::Claim;
use super::value::{self, FeedEntry, VALUE};

const WORDS: usize = 1024;
const WORD: usize = 12;
const ROW: usize = 10;
const POINT: usize = 2 + VALUE;
const RANGE: usize = 4 + VALUE;

/// Addresses that are looked at ahead together.
const AHEAD: usize = 64;

/// In a row's codes, where no code is: the block has one value for all its entries.
const UNIFORM: u32 = 1;

/// /16s in a /8, which is never listed whole.
const NETS_OF_8: usize = 256;

/// The part, looked at in its bytes.
#[derive(Clone, Copy)]
pub(super) struct V4<'a> {
    map: &'a [[u8; WORD]],
    /// One more than there are blocks.
    rows: &'a [[u8; ROW]],
    blocks: &'a [u8],
    base_min: u32,
}

/// Bytes of map and rows of so many blocks.
pub(super) fn head_len(nets: usize) -> usize {
    WORDS * WORD + (nets + 1) * ROW
}

/// A row of the table of blocks.
#[derive(Clone, Copy)]
struct Row {
    begins: usize,
    ranges: usize,
    codes: u32,
    uniform: bool,
}

impl Row {
    #[inline]
    fn of([b0, b1, b2, b3, r0, r1, c0, c1, c2, c3]: [u8; ROW]) -> Row {
        let codes = u32::from_le_bytes([c0, c1, c2, c3]);
        Row {
            begins: u32::from_le_bytes([b0, b1, b2, b3]) as usize,
            ranges: usize::from(u16::from_le_bytes([r0, r1])),
            codes: codes & !UNIFORM,
            uniform: codes & UNIFORM != 0,
        }
    }

    /// How many points a block of `len` bytes has; `None` where that can not be its length.
    #[inline]
    fn points(&self, len: usize) -> Option<usize> {
        let ranges = self.ranges * if self.uniform { 4 } else { RANGE };
        let bytes = len.checked_sub(ranges)?;
        // Two divisions by what is known beforehand cost less than one by what is not.
        let (points, rest) = match self.uniform {
            true => (bytes.checked_sub(VALUE)? / 2, (bytes - VALUE) % 2),
            false => (bytes / POINT, bytes % POINT),
        };
        (rest == 0).then_some(points)
    }
}

impl<'a> V4<'a> {
    /// Takes apart what [`Writer::finish`] wrote; `bytes` holds [`head_len`] at least.
    #[inline]
    pub(super) fn of(bytes: &'a [u8], nets: usize, base_min: u32) -> V4<'a> {
        let (map, rest) = bytes.split_at(WORDS * WORD);
        let (rows, blocks) = rest.split_at((nets + 1) * ROW);
        V4 { map: map.as_chunks().0, rows: rows.as_chunks().0, blocks, base_min }
    }

    /// What is said of one address, run out or not.
    #[inline]
    pub(super) fn get(&self, addr: u32) -> Option<FeedEntry> {
        let (row, is_there) = self.place(addr >> 16);
        if is_there { self.block(row).get(addr as u16) } else { None }
    }

    /// Reads what [`V4::get`] will look at for these addresses, and gives anything made of it.
    ///
    /// A processor waits for several far places of memory side by side as long as little stands
    /// between the reads. So the rows of all addresses are read first, then it is worked out
    /// where their blocks are, and then those are read.
    pub(super) fn read_ahead(&self, addresses: &[u32]) -> u8 {
        let mut seen = 0;
        for addresses in addresses.chunks(AHEAD) {
            let rows = addresses.iter().map(|addr| self.rows[self.place(addr >> 16).0][0]);
            seen = rows.fold(seen, |seen, byte| seen ^ byte);
            let mut places = [[0; 3]; AHEAD];
            places.iter_mut().zip(addresses).for_each(|(places, addr)| *places = self.places(*addr));
            let all = places[..addresses.len()].as_flattened().iter();
            seen = all.fold(seen, |seen, at| seen ^ self.blocks.get(*at).copied().unwrap_or_default());
        }
        seen
    }

    /// Where in the blocks [`V4::get`] will look.
    #[inline]
    fn places(&self, addr: u32) -> [usize; 3] {
        let (row, is_there) = self.place(addr >> 16);
        if !is_there {
            return [0; 3];
        }
        let begins = self.row(row).begins;
        self.block(row).places(addr as u16).map(|place| begins + place)
    }

    /// Whether an address from `first` to `last` is listed with one of `codes`. `looks` is
    /// how many entries may be looked at; when they are spent the answer is yes.
    pub(super) fn any(&self, first: u32, last: u32, ask: Ask, looks: &mut u32) -> bool {
        let (from, _) = self.place(first >> 16);
        let (to, is_there) = self.place(last >> 16);
        let same = first >> 16 == last >> 16;
        (from..to + usize::from(is_there)).filter(|row| self.row(*row).codes & ask.codes.bits() != 0).any(
            |row| {
                let (low, high) = if same { (first as u16, last as u16) } else { (0, u16::MAX) };
                self.block(row).any(low, high, ask, looks)
            },
        )
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
        (0..self.rows.len() - 1).map(|row| self.block(row).len()).sum()
    }

    /// The /16s that have a block, ascending.
    fn nets(self) -> impl Iterator<Item = u32> {
        let bits = move |word: usize| {
            let (bits, _) = self.word(word);
            (0..64_u32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word as u32 * 64 + bit)
        };
        (0..WORDS).flat_map(bits)
    }

    /// Which of 64 /16s have a block, and how many have before them.
    #[inline]
    fn word(&self, word: usize) -> (u64, usize) {
        let [w0, w1, w2, w3, w4, w5, w6, w7, b0, b1, b2, b3] = self.map[word];
        let before = u32::from_le_bytes([b0, b1, b2, b3]);
        (u64::from_le_bytes([w0, w1, w2, w3, w4, w5, w6, w7]), before as usize)
    }

    /// The row of a /16 or of the next one behind it, and whether it is its own.
    #[inline]
    fn place(&self, net: u32) -> (usize, bool) {
        let (bits, before) = self.word((net >> 6) as usize);
        let bit = 1_u64 << (net & 63);
        (before + (bits & (bit - 1)).count_ones() as usize, bits & bit != 0)
    }

    #[inline]
    fn row(&self, row: usize) -> Row {
        Row::of(self.rows[row])
    }

    #[inline]
    fn block(&self, row: usize) -> Block<'a> {
        let (row, end) = (self.row(row), self.row(row + 1).begins);
        Block::of(&self.blocks[row.begins..], end - row.begins, row, self.base_min)
    }

    /// Looks at everything once.
    pub(super) fn check(&self) -> Result<Codes, Damaged> {
        let nets = self.rows.len() - 1;
        let mut counted = 0;
        for word in 0..WORDS {
            let (bits, before) = self.word(word);
            check(before == counted, "the map's counts")?;
            counted += bits.count_ones() as usize;
        }
        check(counted == nets && self.row(0).begins == 0, "the map's length")?;
        check(self.row(nets).begins == self.blocks.len(), "the blocks' length")?;
        let mut all = 0;
        for row in 0..nets {
            all |= self.check_block(row)?;
        }
        check(self.has_no_8(), "no /8 listed whole")?;
        Ok(Codes::from_bits(all))
    }

    fn check_block(&self, row: usize) -> Result<u32, Damaged> {
        let (at, end) = (self.row(row), self.row(row + 1).begins);
        let points = end.checked_sub(at.begins).and_then(|len| at.points(len));
        let is_whole = points.is_some_and(|points| at.ranges + points > 0);
        check(is_whole && end <= self.blocks.len(), "a block's length")?;
        check(self.block(row).check()? == at.codes, "a block's codes")?;
        Ok(at.codes)
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
