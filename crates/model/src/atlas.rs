//! Which network and which country an address belongs to.
//!
//! Two layers of disjoint ranges for each family, made from files of the operator's: AS
//! numbers, as routes are announced, and countries, as registries assign them. No data is
//! shipped. Looked up by binary search; 400 000 ranges take about 5 MB.
//!
//! An atlas is named by the SHA-256 of its canonical bytes. The journal holds the name, the
//! data directory the bytes, so that a replay judges by the same table. IPv6 is kept by
//! /64: nothing smaller is announced or assigned.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use minicbor::decode::Error as DecodeError;
use minicbor::{Decode, Decoder, Encode, Encoder};
use sha2::{Digest, Sha256};

use crate::key::{Prefix, fold};

/// Format of the canonical bytes.
const FORMAT: u8 = 1;
/// Ranges of one layer: three times what the whole Internet announces in 2026, and a bound
/// of about 70 MB for what a wrong file could cost.
pub const RANGES_MAX: usize = 3_000_000;

/// A country by its two letters (ISO 3166-1), such as `CN`.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct Country(#[n(0)] u16);

impl FromStr for Country {
    type Err = NoCountry;

    fn from_str(text: &str) -> Result<Country, NoCountry> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Country(u16::from_be_bytes([a.to_ascii_uppercase(), b.to_ascii_uppercase()])))
            }
            _ => Err(NoCountry),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.0.to_be_bytes();
        write!(f, "{}{}", char::from(a), char::from(b))
    }
}

/// A text that is no country.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoCountry;

impl fmt::Display for NoCountry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a country's two letters such as CN")
    }
}

impl std::error::Error for NoCountry {}

/// One range: first and last address, both in it, and what it belongs to. IPv4 in 32 bits,
/// IPv6 as the number of its /64.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Range<A> {
    /// The first address.
    pub first: A,
    /// The last one.
    pub last: A,
    /// AS number, or the two letters of a country.
    pub value: u32,
}

/// Ranges as they are gathered, in any order.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// IPv4.
    pub v4: Vec<Range<u32>>,
    /// IPv6.
    pub v6: Vec<Range<u64>>,
}

impl Draft {
    /// Adds what lies between two addresses of one family; `false` for anything else.
    pub fn add(&mut self, first: IpAddr, last: IpAddr, value: u32) -> bool {
        match (fold(first), fold(last)) {
            (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => {
                self.v4.push(Range { first: a.to_bits(), last: b.to_bits(), value });
                true
            }
            (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => {
                let [first, last] = [a, b].map(|a| (a.to_bits() >> 64) as u64);
                self.v6.push(Range { first, last, value });
                true
            }
            _ => false,
        }
    }

    /// Adds a prefix.
    pub fn add_prefix(&mut self, prefix: Prefix, value: u32) {
        let (first, last) = ends(prefix);
        self.add(first, last, value);
    }
}

/// The first and the last address of a prefix.
pub fn ends(prefix: Prefix) -> (IpAddr, IpAddr) {
    let last = match prefix {
        Prefix::V4(bits, len) => IpAddr::V4((bits | u32::MAX.checked_shr(len.into()).unwrap_or(0)).into()),
        Prefix::V6(bits, len) => IpAddr::V6((bits | u128::MAX.checked_shr(len.into()).unwrap_or(0)).into()),
    };
    (prefix.addr(), last)
}

/// The whole table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Atlas {
    systems: Layer,
    countries: Layer,
    /// IPv4 addresses of each AS, sorted by number.
    sizes: Vec<(u32, u64)>,
}

/// Disjoint sorted ranges of both families.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Layer {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u64>>,
}

impl Atlas {
    /// The table of some ranges of AS numbers and of countries. Where two overlap, the one
    /// that begins later counts, which is the narrower one where one lies in the other.
    pub fn new(systems: Draft, countries: Draft) -> Atlas {
        Atlas::of(Layer::new(systems), Layer::new(countries))
    }

    fn of(systems: Layer, countries: Layer) -> Atlas {
        let mut sizes = std::collections::BTreeMap::<u32, u64>::new();
        for range in &systems.v4 {
            *sizes.entry(range.value).or_default() += u64::from(range.last - range.first) + 1;
        }
        Atlas { systems, countries, sizes: sizes.into_iter().collect() }
    }

    /// The AS that announces an address.
    pub fn system(&self, addr: IpAddr) -> Option<u32> {
        self.systems.get(addr).map(|(value, ..)| value)
    }

    /// How many IPv4 addresses an AS announces.
    pub fn size(&self, system: u32) -> Option<u64> {
        let place = self.sizes.binary_search_by_key(&system, |(known, _)| *known).ok()?;
        Some(self.sizes[place].1)
    }

    /// The country to which an address is assigned.
    pub fn country(&self, addr: IpAddr) -> Option<Country> {
        self.countries.get(addr).map(|(value, ..)| Country(value as u16))
    }

    /// Whether all of a prefix is announced as one: no boundary between networks runs
    /// through it. What the table does not know is nobody's.
    pub fn is_one_network(&self, prefix: Prefix) -> bool {
        let (first, last) = ends(prefix);
        self.systems.get(first).is_some_and(|(_, from, to)| from <= first && last <= to)
    }

    /// Whether it knows any AS.
    pub fn has_systems(&self) -> bool {
        !self.sizes.is_empty() || !self.systems.v6.is_empty()
    }

    /// How many ranges of AS numbers and of countries there are.
    pub fn len(&self) -> (usize, usize) {
        (self.systems.len(), self.countries.len())
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        crate::event::cbor(self)
    }

    /// Reads canonical bytes; what is not in order is refused.
    ///
    /// # Errors
    ///
    /// The bytes are no atlas, or one of a later format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Atlas, DecodeError> {
        minicbor::decode(bytes)
    }

    /// Its name: SHA-256 over the canonical bytes.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// The number that stands for a country in a [`Draft`].
impl From<Country> for u32 {
    fn from(country: Country) -> u32 {
        country.0.into()
    }
}

impl Layer {
    fn new(draft: Draft) -> Layer {
        let v4 =
            draft.v4.iter().map(|r| Range { first: r.first.into(), last: r.last.into(), value: r.value });
        // What came from 32 bits goes back into them.
        let narrow = |r: Range<u64>| Range { first: r.first as u32, last: r.last as u32, value: r.value };
        Layer { v4: apart(v4.collect()).into_iter().map(narrow).collect(), v6: apart(draft.v6) }
    }

    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// The value at an address, with the ends of its range.
    fn get(&self, addr: IpAddr) -> Option<(u32, IpAddr, IpAddr)> {
        match fold(addr) {
            IpAddr::V4(a) => find(&self.v4, a.to_bits()).map(|r| (r.value, v4(r.first), v4(r.last))),
            IpAddr::V6(a) => {
                let found = find(&self.v6, (a.to_bits() >> 64) as u64);
                // The last address of the last /64.
                found.map(|r| (r.value, v6(r.first), IpAddr::V6(v6_bits(r.last, u64::MAX).into())))
            }
        }
    }
}

fn v4(bits: u32) -> IpAddr {
    IpAddr::V4(bits.into())
}

fn v6(net: u64) -> IpAddr {
    IpAddr::V6(v6_bits(net, 0).into())
}

fn v6_bits(net: u64, host: u64) -> u128 {
    u128::from(net) << 64 | u128::from(host)
}

fn find<A: Copy + Ord>(ranges: &[Range<A>], at: A) -> Option<Range<A>> {
    let after = ranges.partition_point(|range| range.first <= at);
    ranges[..after].last().copied().filter(|range| at <= range.last)
}

/// The ranges without overlaps, in order. Where two overlap, the one that begins later
/// counts; of two that are equal the one with the larger value.
fn apart(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|r| (r.first, std::cmp::Reverse(r.last), r.value));
    let (mut done, mut open) = (Vec::with_capacity(ranges.len()), Vec::<Range<u64>>::new());
    for range in ranges {
        close(&mut open, &mut done, Some(range.first));
        match open.last_mut() {
            // Said twice: no boundary runs there.
            Some(around) if around.value == range.value => around.last = around.last.max(range.last),
            Some(around) => {
                if around.first < range.first {
                    done.push(Range { last: range.first - 1, ..*around });
                }
                open.push(range);
            }
            None => open.push(range),
        }
    }
    close(&mut open, &mut done, None);
    done
}

/// Finishes the open ranges that end before `until`; what lies around one goes on behind it.
fn close(open: &mut Vec<Range<u64>>, done: &mut Vec<Range<u64>>, until: Option<u64>) {
    while let Some(range) = open.pop_if(|range| until.is_none_or(|until| range.last < until)) {
        done.push(range);
        while open.pop_if(|around| around.last <= range.last).is_some() {}
        if let Some(around) = open.last_mut() {
            around.first = range.last + 1;
        }
    }
}

impl<C> Encode<C> for Atlas {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(5)?.u8(FORMAT)?;
        for layer in [&self.systems, &self.countries] {
            write(e, layer.v4.iter().map(|r| (r.first.into(), r.last.into(), r.value)))?;
            write(e, layer.v6.iter().map(|r| (r.first, r.last, r.value)))?;
        }
        Ok(())
    }
}

/// Each range as the gap before it, its length less one, and its value.
fn write<W: minicbor::encode::Write>(
    e: &mut Encoder<W>,
    ranges: impl ExactSizeIterator<Item = (u64, u64, u32)>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    e.array(ranges.len() as u64 * 3)?;
    let mut end = 0_u64;
    for (first, last, value) in ranges {
        e.u64(first - end)?.u64(last - first)?.u32(value)?;
        end = last;
    }
    Ok(())
}

impl<'b, C> Decode<'b, C> for Atlas {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Atlas, DecodeError> {
        if d.array()? != Some(5) || d.u8()? != FORMAT {
            return Err(DecodeError::message("expected an atlas of format 1"));
        }
        let mut layer = || Ok::<_, DecodeError>(Layer { v4: read(d)?, v6: read(d)? });
        Ok(Atlas::of(layer()?, layer()?))
    }
}

fn read<A: Copy + Ord + TryFrom<u64>>(d: &mut Decoder<'_>) -> Result<Vec<Range<A>>, DecodeError> {
    let wrong = || DecodeError::message("expected disjoint ranges in order");
    let numbers = d.array()?.ok_or_else(wrong)?;
    if !numbers.is_multiple_of(3) || numbers / 3 > RANGES_MAX as u64 {
        return Err(wrong());
    }
    let (mut ranges, mut end) = (Vec::<Range<A>>::new(), 0_u64);
    for _ in 0..numbers / 3 {
        let first = end.checked_add(d.u64()?).ok_or_else(wrong)?;
        let last = first.checked_add(d.u64()?).ok_or_else(wrong)?;
        let [Ok(from), Ok(to)] = [A::try_from(first), A::try_from(last)] else { return Err(wrong()) };
        if ranges.last().is_some_and(|before| from <= before.last) {
            return Err(wrong());
        }
        ranges.push(Range { first: from, last: to, value: d.u32()? });
        end = last;
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn atlas() -> Atlas {
        let (mut systems, mut countries) = (Draft::default(), Draft::default());
        assert!(systems.add(addr("192.0.2.0"), addr("192.0.2.127"), 64_496));
        assert!(systems.add(addr("198.51.100.0"), addr("198.51.101.255"), 64_497));
        assert!(systems.add(addr("192.0.2.128"), addr("192.0.2.255"), 64_497));
        assert!(systems.add(addr("2001:db8::"), addr("2001:db8:0:ffff:ffff:ffff:ffff:ffff"), 64_496));
        countries.add_prefix("203.0.113.0/24".parse().unwrap(), "cn".parse::<Country>().unwrap().into());
        Atlas::new(systems, countries)
    }

    #[test]
    fn an_address_has_the_system_and_country_of_its_range_alone() {
        let atlas = atlas();
        let system = |text| atlas.system(addr(text));
        assert_eq!(system("192.0.2.127"), Some(64_496));
        assert_eq!(system("::ffff:192.0.2.128"), Some(64_497));
        assert_eq!(system("192.0.3.0"), None);
        assert_eq!(system("2001:db8:0:ffff::1"), Some(64_496));
        assert_eq!(system("2001:db8:1::"), None);
        assert_eq!(atlas.country(addr("203.0.113.9")).map(|c| c.to_string()).as_deref(), Some("CN"));
        assert_eq!(atlas.country(addr("192.0.2.1")), None);
        assert_eq!([64_496, 64_497, 1].map(|s| atlas.size(s)), [Some(128), Some(640), None]);
    }

    #[test]
    fn a_boundary_between_two_systems_runs_through_a_prefix_or_not() {
        let atlas = atlas();
        let check = |text: &str| atlas.is_one_network(text.parse().unwrap());
        assert!(check("192.0.2.0/25") && check("198.51.100.0/23") && check("2001:db8::/48"));
        assert!(!check("192.0.2.0/24"), "two systems share it");
        assert!(!check("198.51.100.0/22"), "a part of it is announced by nobody known");
        assert!(!check("203.0.113.0/24") && !check("2001:db8::/47"));
    }

    #[test]
    fn a_range_within_another_counts_and_one_said_twice_makes_no_boundary() {
        let mut draft = Draft::default();
        for (first, last, value) in
            [(0, 99, 1), (20, 29, 2), (25, 26, 3), (40, 49, 1), (90, 120, 4), (130, 130, 5)]
        {
            let at = |n: u8| IpAddr::from([192, 0, 2, n]);
            assert!(draft.add(at(first), at(last), value));
        }
        let atlas = Atlas::new(draft, Draft::default());
        let system = |n: u8| atlas.system(IpAddr::from([192, 0, 2, n]));
        let got = [0, 19, 20, 24, 25, 26, 27, 29, 30, 45, 89, 90, 120, 121, 130, 131].map(system);
        let expect = [1, 1, 2, 2, 3, 3, 2, 2, 1, 1, 1, 4, 4, 0, 5, 0].map(|n| Some(n).filter(|n| *n > 0));
        assert_eq!(got, expect);
        assert_eq!([1, 2, 3, 4].map(|n| atlas.size(n)), [Some(80), Some(8), Some(2), Some(31)]);
        assert!(atlas.is_one_network("192.0.2.32/27".parse().unwrap()), "said twice");
        assert_eq!(Atlas::from_bytes(&atlas.to_bytes()).unwrap(), atlas);
    }

    #[test]
    fn ranges_up_to_the_last_address_and_wrong_ones() {
        let mut draft = Draft::default();
        assert!(draft.add(addr("::"), addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 1));
        assert!(draft.add(addr("fff0::"), addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 2));
        assert!(draft.add(addr("0.0.0.0"), addr("255.255.255.255"), 3));
        assert!(!draft.add(addr("192.0.2.9"), addr("192.0.2.1"), 1), "backwards");
        assert!(!draft.add(addr("192.0.2.9"), addr("2001:db8::"), 1), "two families");
        let atlas = Atlas::new(draft, Draft::default());
        assert_eq!(["::1", "ffff::1", "255.255.255.255"].map(|a| atlas.system(addr(a))), [1, 2, 3].map(Some));
        assert_eq!(Atlas::from_bytes(&atlas.to_bytes()).unwrap(), atlas);
    }

    #[test]
    fn an_atlas_survives_its_bytes_and_has_a_stable_name() {
        let atlas = atlas();
        assert_eq!(Atlas::from_bytes(&atlas.to_bytes()).unwrap(), atlas);
        let hex: String = atlas.hash().iter().take(8).map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "618fa982adbaa206");
    }

    #[test]
    fn bytes_that_are_no_atlas_are_refused() {
        let mut bytes = atlas().to_bytes();
        assert!(Atlas::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        bytes[1] = 9;
        assert!(Atlas::from_bytes(&bytes).is_err(), "a later format");
        // Two ranges with one address in common.
        let overlapping = [0x85, 1, 0x86, 5, 0, 1, 0, 0, 2, 0x80, 0x80, 0x80];
        assert!(Atlas::from_bytes(&overlapping).is_err());
        let apart = [0x85, 1, 0x86, 5, 0, 1, 1, 0, 2, 0x80, 0x80, 0x80];
        assert_eq!(Atlas::from_bytes(&apart).unwrap().len(), (2, 0));
    }
}
