//! Everything that is listed at a time, for exports: disjoint spans with all their codes.
//!
//! Cases and bulk lists overlap; here they are joined in one pass from the lowest address to
//! the highest, without holding more than what is open at one address. A bulk list of ten
//! million entries is never copied.

use std::iter::Peekable;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::atlas::ends;
use model::codes::CODE_EXTERNAL;
use model::{Codes, Key, Millis, Mode, Prefix};

use crate::feeds::{Named, Said};
use crate::grade;
use crate::view::View;

/// Addresses that are listed alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListedSpan {
    /// The first address.
    pub first: IpAddr,
    /// The last address, of the same family.
    pub last: IpAddr,
    /// All codes that hold, at least one.
    pub codes: Codes,
    /// When the first of them ends.
    pub until: Millis,
}

/// A name that is listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedName {
    /// The name, in lower case, without a dot at the end.
    pub name: String,
    /// What is said of the name itself: no code where it is excluded, `None` where what is
    /// said above holds.
    pub own: Option<Codes>,
    /// What is said of all names below it, the same.
    pub below: Option<Codes>,
    /// When the first of them ends.
    pub until: Millis,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which codes.
    pub codes: Codes,
    /// Entries of others (code 17) too: for this host's own use only (STD-83).
    pub external: bool,
    /// The time.
    pub now: Millis,
}

impl Wanted {
    fn codes(self) -> Codes {
        if self.external { self.codes } else { self.codes.without(Codes::of(CODE_EXTERNAL)) }
    }
}

/// One claim on addresses; a cut takes them from bulk lists.
#[derive(Clone, Copy, Debug)]
struct Claim {
    first: u128,
    last: u128,
    codes: Codes,
    until: Millis,
    from: From,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum From {
    Case,
    List,
    Cut,
}

type Source<'a> = Peekable<Box<dyn Iterator<Item = Claim> + 'a>>;

impl View {
    /// The addresses that are listed, IPv4 first, ascending and disjoint.
    pub fn listed_spans(&self, wanted: Wanted) -> impl Iterator<Item = ListedSpan> + '_ {
        [true, false].into_iter().flat_map(move |is_v4| {
            let pieces = Sweep { sources: self.sources(wanted, is_v4), open: Vec::new(), at: Some(0) };
            pieces.map(move |(first, last, codes, until)| ListedSpan {
                first: address(first, is_v4),
                last: address(last, is_v4),
                codes,
                until,
            })
        })
    }

    fn sources(&self, wanted: Wanted, is_v4: bool) -> Vec<Source<'_>> {
        let lists = self.feeds.iter().filter(move |feed| feed.holds(wanted.now));
        let of_lists = lists.map(move |feed| {
            let spans = feed.flat.entries().filter(move |span| span.first.is_ipv4() == is_v4);
            let holding = spans.filter(move |span| span.entry.holds(wanted.now.minute()));
            let claims = holding.map(move |span| Claim {
                first: number(span.first),
                last: number(span.last),
                codes: Codes::of(span.entry.code).and(wanted.codes()),
                until: feed.end_of(span.entry),
                from: From::List,
            });
            (Box::new(claims) as Box<dyn Iterator<Item = Claim> + '_>).peekable()
        });
        let own = [self.case_claims(wanted, is_v4), self.cuts(is_v4)].map(|mut claims| {
            claims.sort_by_key(|claim| claim.first);
            (Box::new(claims.into_iter()) as Box<dyn Iterator<Item = Claim> + '_>).peekable()
        });
        own.into_iter().chain(of_lists).collect()
    }

    fn case_claims(&self, wanted: Wanted, is_v4: bool) -> Vec<Claim> {
        let mut claims = Vec::new();
        for case in self.holding(Mode::Live, wanted.now) {
            let (Key::Net(net), Some(opened)) = (&case.key, &case.case.opened) else { continue };
            if net.addr().is_ipv4() != is_v4 {
                continue;
            }
            let codes = grade::codes_of(opened.reason).and(wanted.codes());
            for (first, last) in without(*net, &case.case.holes) {
                claims.push(Claim { first, last, codes, until: case.case.until(), from: From::Case });
            }
        }
        claims
    }

    fn cuts(&self, is_v4: bool) -> Vec<Claim> {
        let walls = self.protected.listed().iter().filter(|wall| wall.addr().is_ipv4() == is_v4);
        let cut = |wall: &Prefix| {
            let (first, last) = ends(*wall);
            let (first, last) = (number(first), number(last));
            Claim { first, last, codes: Codes::NONE, until: Millis(u64::MAX), from: From::Cut }
        };
        walls.map(cut).collect()
    }

    /// The names that are listed, and those that a list excludes; by list, in its order.
    pub fn listed_names(&self, wanted: Wanted) -> impl Iterator<Item = ListedName> + '_ {
        let cases = self.holding(Mode::Live, wanted.now).into_iter().filter_map(move |case| {
            let (Key::Domain(domain), Some(opened)) = (&case.key, &case.case.opened) else { return None };
            let codes = grade::codes_of(opened.reason).and(wanted.codes());
            let (until, said) = (case.case.until(), (!codes.is_empty()).then_some(codes));
            said.map(|_| ListedName { name: domain.as_str().to_owned(), own: said, below: said, until })
        });
        let lists = self.feeds.iter().filter(move |feed| feed.holds(wanted.now));
        let names = lists.flat_map(move |feed| {
            feed.names.entries().filter_map(move |named| {
                let is_wanted = !feed.names.codes().and(wanted.codes()).is_empty();
                is_wanted.then(|| name_of(named, wanted, feed.until))
            })
        });
        cases.chain(names)
    }
}

fn name_of(named: Named<'_>, wanted: Wanted, until: Millis) -> ListedName {
    let codes = |said| match said {
        Said::Listed(entry) if entry.holds(wanted.now.minute()) => {
            Some(Codes::of(entry.code).and(wanted.codes())).filter(|codes| !codes.is_empty())
        }
        Said::Excluded => Some(Codes::NONE),
        _ => None,
    };
    ListedName { name: named.name.to_owned(), own: codes(named.own), below: codes(named.below), until }
}

/// A network without its holes, ascending.
fn without(net: Prefix, holes: &[Prefix]) -> Vec<(u128, u128)> {
    let range = |prefix: Prefix| {
        let (first, last) = ends(prefix);
        (number(first), number(last))
    };
    let (mut at, end) = range(net);
    let mut holes: Vec<_> = holes.iter().filter(|hole| net.covers(**hole)).map(|hole| range(*hole)).collect();
    holes.sort_unstable();
    let mut left = Vec::new();
    for (first, last) in holes {
        if at < first {
            left.push((at, first - 1));
        }
        // The last hole may end with the address space.
        let Some(next) = last.checked_add(1).filter(|next| *next <= end) else { return left };
        at = at.max(next);
    }
    left.push((at, end));
    left
}

/// Goes over all claims from the lowest address to the highest.
struct Sweep<'a> {
    sources: Vec<Source<'a>>,
    open: Vec<Claim>,
    at: Option<u128>,
}

impl Iterator for Sweep<'_> {
    type Item = (u128, u128, Codes, Millis);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (first, last) = self.piece()?;
            let (codes, until) = self.said();
            if !codes.is_empty() {
                return Some((first, last, codes, until));
            }
        }
    }
}

impl Sweep<'_> {
    /// The next addresses for which the same claims are open.
    fn piece(&mut self) -> Option<(u128, u128)> {
        let mut at = self.at?;
        self.open.retain(|claim| claim.last >= at);
        if self.open.is_empty() {
            at = self.next_first()?;
        }
        for source in &mut self.sources {
            self.open.extend(std::iter::from_fn(|| source.next_if(|claim| claim.first <= at)));
        }
        let next = self.next_first().map(|next| next - 1);
        let last = self.open.iter().map(|claim| claim.last).chain(next).min()?;
        self.at = last.checked_add(1);
        Some((at, last))
    }

    fn next_first(&mut self) -> Option<u128> {
        self.sources.iter_mut().filter_map(|source| source.peek().map(|claim| claim.first)).min()
    }

    /// What the open claims say together.
    fn said(&self) -> (Codes, Millis) {
        let is_cut = self.open.iter().any(|claim| claim.from == From::Cut);
        let counts = |claim: &&Claim| !claim.codes.is_empty() && (claim.from == From::Case || !is_cut);
        let open = self.open.iter().filter(counts);
        open.fold((Codes::NONE, Millis(u64::MAX)), |(codes, until), claim| {
            (codes.or(claim.codes), until.min(claim.until))
        })
    }
}

fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => addr.to_bits().into(),
        IpAddr::V6(addr) => addr.to_bits(),
    }
}

fn address(bits: u128, is_v4: bool) -> IpAddr {
    if is_v4 { Ipv4Addr::from_bits(bits as u32).into() } else { Ipv6Addr::from_bits(bits).into() }
}

/// The prefixes that make up a range, ascending; none of two families.
pub fn prefixes(first: IpAddr, last: IpAddr) -> impl Iterator<Item = Prefix> {
    let is_v4 = first.is_ipv4();
    let (full, end) = (if is_v4 { 32 } else { 128 }, number(last));
    let mut at = (is_v4 == last.is_ipv4()).then(|| number(first)).filter(|at| *at <= end);
    let mask = |host: u32| u128::MAX.checked_shr(128 - host).unwrap_or(0);
    std::iter::from_fn(move || {
        let from = at?;
        // As wide as the address allows and the end leaves room for.
        let mut host = from.trailing_zeros().min(full);
        while end - from < mask(host) {
            host -= 1;
        }
        let to = from + mask(host);
        at = (to < end).then(|| to + 1);
        Some(Prefix::new(address(from, is_v4), (full - host) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(first: &str, last: &str, expect: &[&str]) {
        let got = prefixes(first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(got.map(|prefix| prefix.to_string()).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_range_is_as_few_prefixes_as_it_takes() {
        check("192.0.2.0", "192.0.2.255", &["192.0.2.0/24"]);
        check("192.0.2.1", "192.0.2.1", &["192.0.2.1"]);
        check("192.0.2.1", "192.0.2.6", &["192.0.2.1", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6"]);
        check("0.0.0.0", "255.255.255.255", &["0.0.0.0/0"]);
        check("255.255.255.254", "255.255.255.255", &["255.255.255.254/31"]);
        check("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["::/0"]);
        check("2001:db8::", "2001:db8:0:1:ffff:ffff:ffff:ffff", &["2001:db8::/63"]);
        check("2001:db8::1", "2001:db8::2", &["2001:db8::1", "2001:db8::2"]);
        check("192.0.2.9", "192.0.2.1", &[]);
        check("192.0.2.9", "2001:db8::", &[]);
    }

    #[test]
    fn a_network_without_its_holes_is_what_lies_between_them() {
        let parse = |text: &str| text.parse::<Prefix>().unwrap();
        let left = |holes: &[&str]| {
            let holes: Vec<_> = holes.iter().map(|hole| parse(hole)).collect();
            let ranges = without(parse("192.0.2.0/28"), &holes).into_iter();
            ranges.map(|(a, b)| (a & 255, b & 255)).collect::<Vec<_>>()
        };
        assert_eq!(left(&[]), [(0, 15)]);
        assert_eq!(left(&["192.0.2.0", "192.0.2.5", "192.0.2.4", "198.51.100.1"]), [(1, 3), (6, 15)]);
        assert_eq!(left(&["192.0.2.8/29"]), [(0, 7)]);
    }

    #[test]
    fn what_is_listed_from_both_sides_says_all_and_what_is_cut_only_what_cases_say() {
        let claim = |first, last, code, from| {
            let until = Millis(u64::from(code) * 10);
            Claim { first, last, codes: Codes::of(code), until, from }
        };
        let source = |claims: Vec<Claim>| -> Source<'_> {
            (Box::new(claims.into_iter()) as Box<dyn Iterator<Item = Claim>>).peekable()
        };
        let sources = vec![
            source(vec![claim(5, 5, 3, From::Case), claim(40, 49, 4, From::Case)]),
            source(vec![claim(44, 60, 0, From::Cut)]),
            source(vec![claim(0, 9, 2, From::List), claim(47, 70, 5, From::List)]),
        ];
        let told: Vec<_> = Sweep { sources, open: Vec::new(), at: Some(0) }
            .map(|(first, last, codes, until)| (first, last, codes.octets().collect::<Vec<_>>(), until.0))
            .collect();
        assert_eq!(
            told,
            [
                (0, 4, vec![2], 20),
                (5, 5, vec![2, 3], 20),
                (6, 9, vec![2], 20),
                (40, 43, vec![4], 40),
                (44, 46, vec![4], 40),
                (47, 49, vec![4], 40),
                (61, 70, vec![5], 50),
            ]
        );
    }
}
