//! What there is to say about a name, and how it is written (RFC 5782, STD-1 to STD-4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use answers::listing::{listing_text, name_listing_text, no_answer_text, test_text};
use answers::{ListingText, NoAnswer, Public};
use model::codes::Lists;
use model::{Codes, Millis, Secs};
use projections::{Listing, View};
use wire::dns::{Labels, Query, Response, Reversed, Section, rcode, rtype};

use super::limits::Kind;
use super::responder::{Moment, Shared};
use super::zones::Place;

/// The address whose octets the test entries of IPv4 begin with: 127.0.0.n.
const TESTS_V4: u32 = 0x7f00_0000;
/// The test entry of IPv6: `::FFFF:7F00:2`. Read as nibbles, never as an IPv4 address (STD-2).
const TEST_V6: u128 = 0xffff_7f00_0002;
/// The code of a test entry that stands for no code of its own.
const TEST_CODE: u8 = 2;
/// The test entry of lists of names, and the name that is never listed (RFC 5782 §5).
const TEST_NAME: &str = "test";
const NEVER_NAME: &str = "invalid";

/// Seconds for which an error in place of an answer may be remembered.
const ERROR_TTL: u32 = 60;

/// Octets of a name in its usual form.
const NAME_MAX: usize = 253;

/// What there is to say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finding<'q> {
    /// A code and nothing else.
    Code(u16),
    /// Not ours, or not for this client.
    Refused,
    /// An error that looks like a listing, for those who ask for one.
    Instead(NoAnswer, usize, usize),
    /// The zone itself.
    Apex { zone: usize },
    /// The name exists and has no such record.
    NoData { zone: usize, before: usize },
    /// There is no such name, nor any below it.
    Nothing { zone: usize, before: usize },
    /// It is listed.
    Listed { zone: usize, before: usize, among: Codes, codes: Codes, ttl: u32, of: Subject<'q> },
}

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'q> {
    Test,
    Address(IpAddr),
    Name(Labels<'q>),
}

impl<'q> Finding<'q> {
    /// The answer to a client that gets none: REFUSED, or an error that looks like a listing
    /// where it asked for an address. With a key that is none, or no more (`wants_key`), it
    /// asked for what stands in front of the key.
    pub(super) fn instead(place: &Place<'q>, why: Option<NoAnswer>, wants_key: bool) -> Finding<'q> {
        let before_key = place.key.filter(|_| wants_key).map(|(_, before)| before);
        let asks = is_address(place.front) || before_key.is_some_and(is_address);
        match why {
            Some(why) if asks || place.lists.lists == Lists::Domains => {
                Finding::Instead(why, place.zone, place.before)
            }
            _ => Finding::Refused,
        }
    }

    /// Which of a network's rates it counts against.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Finding::Listed { .. } | Finding::Apex { .. } => Kind::Listed,
            Finding::NoData { .. } | Finding::Nothing { .. } => Kind::Unlisted,
            Finding::Code(_) | Finding::Refused | Finding::Instead(..) => Kind::Error,
        }
    }

    /// Writes it; gives the response code.
    pub(super) fn write(
        &self,
        shared: &Shared,
        at: &Moment<'_>,
        query: &Query<'_>,
        to: &mut Response<'_>,
    ) -> u16 {
        let asked = query.question.map_or(0, |question| question.rtype);
        let nothing = |zone: usize, before: usize, to: &mut Response<'_>| {
            shared.write_soa(zone, Section::Authority, before, to);
        };
        match *self {
            Finding::Code(code) => return code,
            Finding::Refused => return rcode::REFUSED,
            Finding::Apex { zone } => write_apex(shared, zone, asked, to),
            Finding::NoData { zone, before } => nothing(zone, before, to),
            Finding::Nothing { zone, before } => {
                nothing(zone, before, to);
                return rcode::NXDOMAIN;
            }
            Finding::Instead(why, zone, before) => match asked {
                rtype::A => to.a(ERROR_TTL, error_address(why)),
                rtype::TXT => to.txt(ERROR_TTL, no_answer_text(&at.view.site, why).get().as_bytes()),
                _ => nothing(zone, before, to),
            },
            Finding::Listed { zone, before, among, codes, ttl, of } => match asked {
                rtype::A => codes.addresses().for_each(|address| to.a(ttl, address)),
                rtype::TXT => to.txt(ttl, text(at, among, of).get().as_bytes()),
                rtype::ANY => to.minimal_any(ttl),
                _ => nothing(zone, before, to),
            },
        }
        rcode::NOERROR
    }
}

fn error_address(why: NoAnswer) -> Ipv4Addr {
    Ipv4Addr::new(
        127,
        255,
        255,
        match why {
            NoAnswer::UnknownZone => 252,
            NoAnswer::NotPermitted => 254,
            NoAnswer::TooMany => 255,
        },
    )
}

fn write_apex(shared: &Shared, zone: usize, asked: u16, to: &mut Response<'_>) {
    let ttl = shared.config.negative_ttl;
    match asked {
        rtype::SOA => shared.write_soa(zone, Section::Answer, 0, to),
        rtype::NS => shared.apexes.servers(zone).for_each(|server| to.ns(ttl, server)),
        rtype::ANY => to.minimal_any(ttl),
        _ => shared.write_soa(zone, Section::Authority, 0, to),
    }
}

fn text(at: &Moment<'_>, among: Codes, of: Subject<'_>) -> Public<ListingText> {
    let site = &at.view.site;
    let found = match of {
        Subject::Test => None,
        Subject::Address(addr) => {
            let why = at.view.listing_with_reason(addr, among, at.now);
            why.map(|(_, why)| listing_text(site, addr, why))
        }
        Subject::Name(labels) => Name::of(labels).and_then(|name| {
            let why = at.view.listing_of_name(name.as_str(), among, at.now);
            why.map(|(_, why)| name_listing_text(site, why))
        }),
    };
    found.unwrap_or_else(|| test_text(site))
}

/// What there is to say of a name in a zone, to a client that may know.
pub(super) fn find_in<'q>(at: &Moment<'_>, place: &Place<'q>, among: Codes, ttl_max: u64) -> Finding<'q> {
    let Place { zone, before, front, .. } = *place;
    if let Some(rest) = place.unknown {
        return unknown(front, rest, before);
    }
    if front.is_none() {
        // In front of the zone's name stands a key, or nothing.
        return if before > 0 { Finding::NoData { zone, before } } else { Finding::Apex { zone } };
    }
    let ask = Ask { view: at.view, now: at.now, among, enough: Secs(ttl_max) };
    let found = if place.lists.lists == Lists::Domains { ask.name(front) } else { ask.address(place) };
    match found {
        Found::Listed(listing, of) => {
            // Whole seconds that are left: no cache keeps it longer than it lasts.
            let left = listing.until.0.saturating_sub(at.now.0) / 1000;
            let ttl = u32::try_from(left.min(ttl_max)).unwrap_or(u32::MAX);
            Finding::Listed { zone, before, among, codes: listing.codes, ttl, of }
        }
        Found::Below => Finding::NoData { zone, before },
        Found::Nothing => Finding::Nothing { zone, before },
    }
}

/// A label of the base zone that names no list. Whoever asks it for an address hears so; the
/// names in between exist, or a resolver would never ask for the address (RFC 8020). So does
/// who forgot the list's label and asks the base zone itself.
fn unknown<'q>(front: Labels<'q>, rest: Labels<'q>, before: usize) -> Finding<'q> {
    let reversed = Reversed::read(rest);
    if is_address(rest) || is_address(front) {
        Finding::Instead(NoAnswer::UnknownZone, 0, before)
    } else if rest.is_none() || reversed != Reversed::default() {
        Finding::NoData { zone: 0, before }
    } else {
        Finding::Nothing { zone: 0, before }
    }
}

/// Whether labels stand for one address, of either family.
fn is_address(labels: Labels<'_>) -> bool {
    let reversed = Reversed::read(labels);
    reversed.v4.is_some_and(|(_, len)| len == 32) || reversed.v6.is_some_and(|(_, len)| len == 128)
}

/// What was found.
enum Found<'q> {
    Listed(Listing, Subject<'q>),
    Below,
    Nothing,
}

/// One question to a list.
struct Ask<'v> {
    view: &'v View,
    now: Millis,
    among: Codes,
    enough: Secs,
}

impl Ask<'_> {
    fn address<'q>(&self, place: &Place<'q>) -> Found<'q> {
        let Reversed { v4, v6 } = Reversed::read(place.front);
        let v4 = v4.filter(|_| place.lists.lists != Lists::V6);
        let v6 = v6.filter(|_| place.lists.lists != Lists::V4);
        let listed = v4.and_then(|(bits, len)| self.v4(bits, len)).or_else(|| self.v6(v6?.0, v6?.1));
        if let Some((listing, of)) = listed {
            return Found::Listed(listing, of);
        }
        let below = v4.is_some_and(|(bits, len)| self.below_v4(bits, len))
            || v6.is_some_and(|(bits, len)| self.below_v6(bits, len));
        if below { Found::Below } else { Found::Nothing }
    }

    fn v4<'q>(&self, bits: u32, len: u8) -> Option<(Listing, Subject<'q>)> {
        if len < 32 {
            return None;
        }
        if bits & !0xff == TESTS_V4 {
            return self.test((bits & 0xff) as u8);
        }
        let addr = Ipv4Addr::from_bits(bits).into();
        Some((self.view.listing(addr, self.among, self.now, self.enough)?, Subject::Address(addr)))
    }

    fn v6<'q>(&self, bits: u128, len: u8) -> Option<(Listing, Subject<'q>)> {
        if len < 128 {
            return None;
        }
        if bits == TEST_V6 {
            return self.test(TEST_CODE);
        }
        let addr = Ipv6Addr::from_bits(bits).into();
        Some((self.view.listing(addr, self.among, self.now, self.enough)?, Subject::Address(addr)))
    }

    /// The test entry of a code: of 2 in every list, of others where the list has them.
    fn test<'q>(&self, last: u8) -> Option<(Listing, Subject<'q>)> {
        let codes = Codes::of(last);
        let has = last == TEST_CODE || !codes.and(self.among).is_empty();
        has.then_some((Listing { codes, until: Millis(u64::MAX) }, Subject::Test))
    }

    fn below_v4(&self, bits: u32, len: u8) -> bool {
        let holds_tests = TESTS_V4 & u32::MAX.checked_shl(u32::from(32 - len)).unwrap_or(0) == bits;
        len < 32 && (holds_tests || self.view.lists_below_v4(bits, len, self.among, self.now))
    }

    fn below_v6(&self, bits: u128, len: u8) -> bool {
        let holds_test = TEST_V6 & u128::MAX.checked_shl(u32::from(128 - len)).unwrap_or(0) == bits;
        len < 128 && (holds_test || self.view.lists_below_v6(bits, len, self.among, self.now))
    }

    fn name<'q>(&self, labels: Labels<'q>) -> Found<'q> {
        let Some(name) = Name::of(labels) else { return Found::Nothing };
        if name.as_str() == TEST_NAME {
            return self.test(TEST_CODE).map_or(Found::Nothing, |(listing, of)| Found::Listed(listing, of));
        }
        if name.as_str() == NEVER_NAME {
            return Found::Nothing;
        }
        match self.view.listing_of_name(name.as_str(), self.among, self.now) {
            Some((listing, _)) => Found::Listed(listing, Subject::Name(labels)),
            None if self.view.lists_names_below(name.as_str(), self.among, self.now) => Found::Below,
            None => Found::Nothing,
        }
    }
}

/// A name in its usual form, in lower case.
struct Name {
    bytes: [u8; NAME_MAX],
    len: usize,
}

impl Name {
    /// `None` where a label holds what no host name does.
    fn of(labels: Labels<'_>) -> Option<Name> {
        let mut name = Name { bytes: [0; NAME_MAX], len: 0 };
        for label in labels {
            if name.len > 0 {
                name.push(b'.')?;
            }
            for byte in label {
                let good = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                name.push(byte.to_ascii_lowercase()).filter(|()| good)?;
            }
        }
        Some(name)
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    fn as_str(&self) -> &str {
        // Only ASCII was pushed.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}
