//! The IPv6 part of a [`Flat`](super::Flat): sorted ranges in three columns.
//!
//! | bytes | what                       |
//! |-------|----------------------------|
//! | 16 n  | firsts, ascending          |
//! | 16 n  | lasts                      |
//! | 3 n   | values                     |
//!
//! Lists of IPv6 are short so far; 35 bytes an entry are no matter.

use model::Codes;

use super::damaged::{Damaged, check};
use super::overlap::Claim;
use super::v4::Ask;
use super::value::{self, FeedEntry, VALUE};

/// Bytes of an entry.
pub(super) const ENTRY: usize = 32 + VALUE;

/// The addresses of a /19, which is never listed whole.
const ADDRESSES_OF_19: u128 = 1 << (128 - 19);

/// The part, looked at in its bytes.
#[derive(Clone, Copy)]
pub(super) struct V6<'a> {
    firsts: &'a [[u8; 16]],
    lasts: &'a [[u8; 16]],
    values: &'a [u8],
    base_min: u32,
}

impl<'a> V6<'a> {
    /// Takes apart `len` entries; `bytes` holds as many.
    pub(super) fn of(bytes: &'a [u8], len: usize, base_min: u32) -> V6<'a> {
        let (addrs, values) = bytes.split_at(32 * len);
        let (firsts, lasts) = addrs.split_at(16 * len);
        V6 { firsts: firsts.as_chunks().0, lasts: lasts.as_chunks().0, values, base_min }
    }

    /// What is said of one address, run out or not.
    pub(super) fn get(&self, addr: u128) -> Option<FeedEntry> {
        let at = self.firsts.partition_point(|first| u128::from_le_bytes(*first) <= addr).checked_sub(1)?;
        (addr <= self.last(at)).then(|| self.value(at))
    }

    /// As `V4::any`.
    pub(super) fn any(&self, first: u128, last: u128, ask: Ask, looks: &mut u32) -> bool {
        let from = self.lasts.partition_point(|end| u128::from_le_bytes(*end) < first);
        (from..self.len()).take_while(|at| self.first(*at) <= last).any(|at| {
            *looks = looks.saturating_sub(1);
            *looks == 0 || self.value(at).counts(ask.codes, ask.now_min)
        })
    }

    /// All ranges, ascending.
    pub(super) fn claims(self) -> impl Iterator<Item = (Claim<u128>, FeedEntry)> {
        (0..self.len()).map(move |at| {
            let entry = self.value(at);
            let value = value::pack(entry, self.base_min);
            (Claim { first: self.first(at), last: self.last(at), value }, entry)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.firsts.len()
    }

    fn first(&self, at: usize) -> u128 {
        u128::from_le_bytes(self.firsts[at])
    }

    fn last(&self, at: usize) -> u128 {
        u128::from_le_bytes(self.lasts[at])
    }

    fn value(&self, at: usize) -> FeedEntry {
        value::read(&self.values[at * VALUE..], self.base_min)
    }

    /// Looks at everything once.
    pub(super) fn check(&self) -> Result<Codes, Damaged> {
        let mut codes = Codes::NONE;
        for at in 0..self.len() {
            let (first, last) = (self.first(at), self.last(at));
            let behind = at == 0 || self.last(at - 1) < first;
            check(behind && first <= last, "IPv6 ranges in order")?;
            check(!holds_a_19(first, last), "no IPv6 /19 listed whole")?;
            let code = Codes::of(self.value(at).code);
            check(!code.is_empty(), "codes from 2 to 19")?;
            codes = codes.or(code);
        }
        Ok(codes)
    }
}

/// Whether a whole /19 lies in the range (DESIGN, invariant 4).
pub(super) fn holds_a_19(first: u128, last: u128) -> bool {
    let start = first.checked_next_multiple_of(ADDRESSES_OF_19);
    start.is_some_and(|start| start <= last && last - start >= ADDRESSES_OF_19 - 1)
}

/// Appends the part.
pub(super) fn write(claims: &[Claim<u128>], bytes: &mut Vec<u8>) {
    bytes.extend(claims.iter().flat_map(|claim| claim.first.to_le_bytes()));
    bytes.extend(claims.iter().flat_map(|claim| claim.last.to_le_bytes()));
    bytes.extend(claims.iter().flat_map(|claim| value::to_bytes(claim.value)));
}
