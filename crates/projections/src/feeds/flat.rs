//! A bulk list of addresses: flat disjoint ranges, in the bytes of its file.
//!
//! | bytes | what                                                 |
//! |-------|------------------------------------------------------|
//! | 8     | `MWFLAT1` and a zero                                 |
//! | 4     | base: ends are counted from this minute since 1970   |
//! | 4     | which codes there are, bit n for 127.0.0.n           |
//! | 4     | IPv4 blocks                                          |
//! | 4     | bytes of the IPv4 part                               |
//! | 4     | IPv6 ranges                                          |
//! | 4     | zero                                                 |
//! | …     | the IPv4 part (`v4`), the IPv6 part (`v6`)           |
//!
//! The file is the table: it is checked in one pass and then looked up where it lies.
//! Nothing is ever changed in it; a newer list is another file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::atlas::ends;
use model::{Codes, Prefix};

use super::damaged::{Damaged, check};
use super::overlap::{CUT, Claim, NONE, Number, flatten};
use super::v4::{self, Ask, V4};
use super::v6::{self, V6};
use super::value::{FeedEntry, Packed, pack};

const MAGIC: &[u8; 8] = b"MWFLAT1\0";
const HEAD: usize = 32;

/// The most entries of one list: thrice what the largest public list holds, and a bound of
/// about 1.2 GB for what a wrong file could cost.
pub const ENTRIES_MAX: usize = 32_000_000;

/// How many entries [`Flat::any_in`] looks at before it says yes.
const LOOKS_MAX: u32 = 4096;

/// A bulk list of addresses; see the module's text.
pub struct Flat {
    bytes: Vec<u8>,
    head: Head,
    len: usize,
}

/// The numbers at the beginning.
#[derive(Clone, Copy)]
struct Head {
    base_min: u32,
    codes: Codes,
    nets: usize,
    v4_len: usize,
    v6_len: usize,
}

/// What is said of the addresses from `first` to `last`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// The first address.
    pub first: IpAddr,
    /// The last address, of the same family.
    pub last: IpAddr,
    /// What is said of each.
    pub entry: FeedEntry,
}

impl Flat {
    /// A list of nothing.
    pub fn empty() -> Flat {
        let bytes = Builder::new(0).finish().unwrap_or_else(|never| unreachable!("{never}"));
        let head = Head { base_min: 0, codes: Codes::NONE, nets: 0, v4_len: v4::head_len(0), v6_len: 0 };
        Flat { bytes, head, len: 0 }
    }

    /// Takes the bytes of a list, after one look at everything in them.
    ///
    /// # Errors
    ///
    /// They are no list, or one of a later format. Whatever they are, nothing panics, and a
    /// list that was taken answers.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Flat, Damaged> {
        let head = Head::read(&bytes)?;
        let mut flat = Flat { bytes, head, len: 0 };
        let codes = flat.v4().check()?.or(flat.v6().check()?);
        check(codes == head.codes, "its codes")?;
        flat.len = flat.v4().len() + flat.v6().len();
        Ok(flat)
    }

    /// Its bytes, as [`Flat::from_bytes`] takes them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What holds on `addr` in minute `now_min` since 1970 (UTC).
    ///
    /// An IPv4-mapped IPv6 address is taken as IPv6: fold it first ([`model::key::fold`]).
    #[inline]
    pub fn get(&self, addr: IpAddr, now_min: u32) -> Option<FeedEntry> {
        let entry = match addr {
            IpAddr::V4(addr) => self.v4().get(addr.to_bits()),
            IpAddr::V6(addr) => self.v6().get(addr.to_bits()),
        };
        entry.filter(|entry| entry.holds(now_min))
    }

    /// Reads what [`Flat::get`] will look at for these addresses, so that it waits for no memory:
    /// here the waits for all of them run side by side.
    pub fn read_ahead(&self, addresses: &[u32]) {
        // Nobody wants to know what was read, but the compiler must believe so.
        std::hint::black_box(self.v4().read_ahead(addresses));
    }

    /// Whether an address in `prefix` is listed with one of `codes` in minute `now_min`.
    ///
    /// Looks at some thousand entries at most. If none of them counts, and there are more,
    /// the answer is yes: a name too many exists, which hides nothing (RFC 8020).
    pub fn any_in(&self, prefix: Prefix, codes: Codes, now_min: u32) -> bool {
        if self.head.codes.and(codes).is_empty() {
            return false;
        }
        let (ask, mut looks) = (Ask { codes, now_min }, LOOKS_MAX);
        match ends(prefix) {
            (IpAddr::V4(a), IpAddr::V4(b)) => self.v4().any(a.to_bits(), b.to_bits(), ask, &mut looks),
            (IpAddr::V6(a), IpAddr::V6(b)) => self.v6().any(a.to_bits(), b.to_bits(), ask, &mut looks),
            _ => false,
        }
    }

    /// Everything in it, IPv4 first, ascending, neighbours that say the same as one; what
    /// has run out too.
    pub fn entries(&self) -> impl Iterator<Item = Span> {
        let v4 = joined(self.v4().claims()).map(|(claim, entry)| Span {
            first: Ipv4Addr::from_bits(claim.first).into(),
            last: Ipv4Addr::from_bits(claim.last).into(),
            entry,
        });
        let v6 = joined(self.v6().claims()).map(|(claim, entry)| Span {
            first: Ipv6Addr::from_bits(claim.first).into(),
            last: Ipv6Addr::from_bits(claim.last).into(),
            entry,
        });
        v4.chain(v6)
    }

    /// Which codes there are.
    pub fn codes(&self) -> Codes {
        self.head.codes
    }

    /// How many ranges and single addresses it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of heap that it holds.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    #[inline]
    fn v4(&self) -> V4<'_> {
        V4::of(&self.bytes[HEAD..][..self.head.v4_len], self.head.nets, self.head.base_min)
    }

    #[inline]
    fn v6(&self) -> V6<'_> {
        V6::of(&self.bytes[HEAD + self.head.v4_len..], self.head.v6_len, self.head.base_min)
    }
}

impl fmt::Debug for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flat").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Head, Damaged> {
        check(bytes.starts_with(MAGIC) && bytes.len() >= HEAD, "the first bytes")?;
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let [base_min, codes, nets, v4_len, v6_len, zero] = [8, 12, 16, 20, 24, 28].map(number);
        let [nets, v4_len, v6_len] = [nets, v4_len, v6_len].map(|n| n as usize);
        check(zero == 0 && codes == Codes::from_bits(codes).bits(), "the first numbers")?;
        check(nets <= 1 << 16 && v4_len >= v4::head_len(nets), "the length of the IPv4 part")?;
        check(v6_len <= ENTRIES_MAX && bytes.len() == HEAD + v4_len + v6_len * v6::ENTRY, "the length")?;
        Ok(Head { base_min, codes: Codes::from_bits(codes), nets, v4_len, v6_len })
    }
}

/// Neighbours of one value as one.
fn joined<A: Number>(
    pieces: impl Iterator<Item = (Claim<A>, FeedEntry)>,
) -> impl Iterator<Item = (Claim<A>, FeedEntry)> {
    let mut pieces = pieces.peekable();
    std::iter::from_fn(move || {
        let (mut claim, entry) = pieces.next()?;
        while let Some((next, _)) =
            pieces.next_if(|(next, _)| next.value == claim.value && claim.last.after() == Some(next.first))
        {
            claim.last = next.last;
        }
        Some((claim, entry))
    })
}

/// Takes entries in any order and makes the bytes of a [`Flat`].
///
/// Of entries that overlap the narrowest wins, also against an exclusion; of two of one
/// width the exclusion, then the one that ends earlier, then the lower code. An entry that
/// runs out leaves a gap in a wider one around it.
pub struct Builder {
    base_min: u32,
    v4: Vec<Claim<u32>>,
    v6: Vec<Claim<u128>>,
}

/// Why no list can be made. The list's doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NotListed {
    /// The first address is behind the last, or they are of two families.
    NoRange,
    /// The code is none of 2 to 19.
    NoCode(u8),
    /// A whole IPv4 /8 or IPv6 /19 would be listed: too wide for any output.
    TooWide,
    /// There are more than [`ENTRIES_MAX`].
    TooMany,
}

impl fmt::Display for NotListed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotListed::NoRange => f.write_str("expected a range from a lower to a higher address"),
            NotListed::NoCode(got) => write!(f, "expected a code from 2 to 19, but got {got}"),
            NotListed::TooWide => f.write_str("a whole IPv4 /8 or IPv6 /19 can not be listed"),
            NotListed::TooMany => write!(f, "expected at most {ENTRIES_MAX} entries"),
        }
    }
}

impl std::error::Error for NotListed {}

impl Builder {
    /// Nothing yet; ends are counted from minute `base_min` since 1970, so up to 45 days
    /// behind it can be told.
    pub fn new(base_min: u32) -> Builder {
        Builder { base_min, v4: Vec::new(), v6: Vec::new() }
    }

    /// Lists the addresses from `first` to `last`.
    ///
    /// # Errors
    ///
    /// [`NotListed`]; nothing is added.
    pub fn add(&mut self, first: IpAddr, last: IpAddr, entry: FeedEntry) -> Result<(), NotListed> {
        if Codes::of(entry.code).is_empty() {
            return Err(NotListed::NoCode(entry.code));
        }
        let value = pack(entry, self.base_min);
        if is_too_wide(first, last) { Err(NotListed::TooWide) } else { self.claim(first, last, value) }
    }

    /// Takes the addresses from `first` to `last` out of wider entries.
    ///
    /// # Errors
    ///
    /// They are no range, or there are too many.
    pub fn exclude(&mut self, first: IpAddr, last: IpAddr) -> Result<(), NotListed> {
        self.claim(first, last, NONE)
    }

    /// Takes `prefix` out of all entries.
    ///
    /// # Errors
    ///
    /// There are too many.
    pub fn cut(&mut self, prefix: Prefix) -> Result<(), NotListed> {
        let (first, last) = ends(prefix);
        self.claim(first, last, CUT)
    }

    fn claim(&mut self, first: IpAddr, last: IpAddr, value: Packed) -> Result<(), NotListed> {
        if self.v4.len() + self.v6.len() >= ENTRIES_MAX {
            return Err(NotListed::TooMany);
        }
        match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => {
                self.v4.push(Claim { first: a.to_bits(), last: b.to_bits(), value });
            }
            (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => {
                self.v6.push(Claim { first: a.to_bits(), last: b.to_bits(), value });
            }
            _ => return Err(NotListed::NoRange),
        }
        Ok(())
    }

    /// The bytes of the list.
    ///
    /// # Errors
    ///
    /// Several entries together list a whole /8 (IPv6 /19).
    pub fn finish(self) -> Result<Vec<u8>, NotListed> {
        let (mut writer, mut ranges) = (v4::Writer::default(), Vec::new());
        let (mut codes, mut is_too_wide) = (Codes::NONE, false);
        flatten(self.v4, |claim| {
            codes = codes.or(Codes::of(claim.value as u8));
            writer.push(claim);
        });
        flatten(self.v6, |claim| {
            codes = codes.or(Codes::of(claim.value as u8));
            is_too_wide |= v6::holds_a_19(claim.first, claim.last);
            ranges.push(claim);
        });
        let mut bytes = vec![0; HEAD];
        let nets = writer.finish(&mut bytes);
        let v4_len = bytes.len() - HEAD;
        is_too_wide |= !V4::of(&bytes[HEAD..], nets, self.base_min).has_no_8();
        v6::write(&ranges, &mut bytes);
        bytes[..8].copy_from_slice(MAGIC);
        let numbers = [self.base_min, codes.bits(), nets as u32, v4_len as u32, ranges.len() as u32];
        bytes[8..28].copy_from_slice(numbers.map(u32::to_le_bytes).as_flattened());
        if is_too_wide { Err(NotListed::TooWide) } else { Ok(bytes) }
    }
}

/// Whether a range is wider than anything that may be listed.
fn is_too_wide(first: IpAddr, last: IpAddr) -> bool {
    match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let start = a.to_bits().checked_next_multiple_of(1 << 24);
            start.is_some_and(|start| b.to_bits() >= start && b.to_bits() - start >= (1 << 24) - 1)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => v6::holds_a_19(a.to_bits(), b.to_bits()),
        _ => false,
    }
}
