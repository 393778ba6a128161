//! What can be blocked: an address, a network, a domain, or a domain at an address.
//!
//! The text form is canonical: one key has one text. One address prints bare, a wider
//! prefix with its length, an IPv6 /64 as `2001:db8::/64` (DESIGN, amendments).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use minicbor::{Decode, Encode};

/// An IP prefix in canonical form: no bit is set beyond its length.
///
/// Ordered by family, address, length.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Prefix {
    /// An IPv4 prefix of 0 to 32 bits.
    #[n(4)]
    V4(#[n(0)] u32, #[n(1)] u8),
    /// An IPv6 prefix of 0 to 128 bits.
    #[n(6)]
    V6(#[cbor(n(0), with = "u128_bytes")] u128, #[n(1)] u8),
}

impl Prefix {
    /// The prefix of `len` bits around `addr`; longer lengths than the family has are cut.
    pub fn new(addr: IpAddr, len: u8) -> Prefix {
        match addr {
            IpAddr::V4(a) => {
                let len = len.min(32);
                Prefix::V4(a.to_bits() & mask(u128::from(len) + 96) as u32, len)
            }
            IpAddr::V6(a) => {
                let len = len.min(128);
                Prefix::V6(a.to_bits() & mask(u128::from(len)), len)
            }
        }
    }

    /// The one address as a prefix of full length.
    pub fn host(addr: IpAddr) -> Prefix {
        Prefix::new(addr, 128)
    }

    /// The lowest address.
    pub fn addr(self) -> IpAddr {
        match self {
            Prefix::V4(bits, _) => Ipv4Addr::from_bits(bits).into(),
            Prefix::V6(bits, _) => Ipv6Addr::from_bits(bits).into(),
        }
    }

    /// The length in bits.
    pub fn bits(self) -> u8 {
        match self {
            Prefix::V4(_, len) | Prefix::V6(_, len) => len,
        }
    }

    /// Whether it is a single address.
    pub fn is_host(self) -> bool {
        matches!(self, Prefix::V4(_, 32) | Prefix::V6(_, 128))
    }

    /// Whether every address of `other` lies in `self`.
    pub fn covers(self, other: Prefix) -> bool {
        match (self, other) {
            (Prefix::V4(bits, len), Prefix::V4(inner, inner_len)) => {
                len <= inner_len && (bits ^ inner) & mask(u128::from(len.min(32)) + 96) as u32 == 0
            }
            (Prefix::V6(bits, len), Prefix::V6(inner, inner_len)) => {
                len <= inner_len && (bits ^ inner) & mask(len.min(128).into()) == 0
            }
            _ => false,
        }
    }

    /// Whether the two share an address: one covers the other.
    pub fn overlaps(self, other: Prefix) -> bool {
        self.covers(other) || other.covers(self)
    }
}

/// A mask with the `len` highest of 128 bits set.
fn mask(len: u128) -> u128 {
    if len == 0 { 0 } else { u128::MAX << (128 - len) }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.addr())
        } else {
            write!(f, "{}/{}", self.addr(), self.bits())
        }
    }
}

impl FromStr for Prefix {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, Some(len)),
            None => (text, None),
        };
        let addr = fold(addr.parse().map_err(|_| KeyError::Address { got: cut(text) })?);
        let full = if addr.is_ipv4() { 32 } else { 128 };
        let Some(len) = len else { return Ok(Prefix::host(addr)) };
        let len: u8 =
            len.parse().ok().filter(|l| *l <= full).ok_or(KeyError::Length { got: cut(text), full })?;
        let prefix = Prefix::new(addr, len);
        if prefix.addr() == addr {
            Ok(prefix)
        } else {
            Err(KeyError::HostBits { got: cut(text), meant: prefix })
        }
    }
}

/// An IPv4-mapped IPv6 address as the IPv4 address it stands for; others unchanged.
///
/// A dual-stack socket reports `::ffff:192.0.2.1` for an IPv4 client (STD-2).
pub fn fold(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V6(a) => a.to_ipv4_mapped().map_or(addr, IpAddr::V4),
        IpAddr::V4(_) => addr,
    }
}

/// A domain name as a key: lower-case ASCII labels, A-labels for international names, at
/// most 253 octets, no trailing dot.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Domain(Arc<str>);

impl Domain {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other`, in lower case, is this name or stands below it.
    pub fn holds(&self, other: &[u8]) -> bool {
        is_at_or_below(other, self.0.as_bytes())
    }
}

/// Whether a name is another or stands below it; both in lower case.
pub fn is_at_or_below(name: &[u8], upper: &[u8]) -> bool {
    name.strip_suffix(upper).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> Encode<C> for Domain {
    /// As its text.
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Domain {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(|_| minicbor::decode::Error::message("expected a domain name"))
    }
}

impl FromStr for Domain {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label_ok = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if name.len() <= 253 && name.contains('.') && name.split('.').all(label_ok) {
            Ok(Domain(name.into()))
        } else {
            Err(KeyError::Domain { got: cut(text) })
        }
    }
}

/// What is blocked, listed, protected or looked up.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Key {
    /// An address or a network.
    Net(Prefix),
    /// A domain, wherever it sends from.
    Domain(Domain),
    /// Mail of one domain from one address or network: for hosts that many share.
    DomainAt(Domain, Prefix),
}

impl Key {
    /// The key of one SMTP client: IPv4 /32, IPv6 /64; a v4-mapped address counts as IPv4.
    pub fn of_client(addr: IpAddr) -> Key {
        Key::Net(client_prefix(addr))
    }

    /// The network part, if there is one.
    pub fn prefix(&self) -> Option<Prefix> {
        match self {
            Key::Net(prefix) | Key::DomainAt(_, prefix) => Some(*prefix),
            Key::Domain(_) => None,
        }
    }
}

/// The prefix that stands for one SMTP client: IPv4 /32, IPv6 /64.
pub fn client_prefix(addr: IpAddr) -> Prefix {
    let addr = fold(addr);
    Prefix::new(addr, if addr.is_ipv4() { 32 } else { 64 })
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Net(prefix) => prefix.fmt(f),
            Key::Domain(domain) => f.write_str(&domain.0),
            Key::DomainAt(domain, prefix) => write!(f, "{}@{prefix}", domain.0),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Reads a key as a person types it; a bare IPv6 address means that one address.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Some((domain, net)) = text.split_once('@') {
            return Ok(Key::DomainAt(domain.parse()?, net.parse()?));
        }
        let looks_like_net =
            text.contains(':') || text.contains('/') || text.bytes().all(|b| b == b'.' || b.is_ascii_digit());
        if looks_like_net { text.parse().map(Key::Net) } else { text.parse().map(Key::Domain) }
    }
}

impl<C> Encode<C> for Key {
    /// As its canonical text: readable in any dump, and one form for ever.
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            // Most keys, in every event: by hand that takes a fifth of the time.
            Key::Net(Prefix::V4(bits, 32)) => {
                let (text, len) = dotted(bits.to_be_bytes());
                e.str(std::str::from_utf8(&text[..len]).unwrap_or_default())?.ok()
            }
            _ => e.str(&self.to_string())?.ok(),
        }
    }
}

/// An IPv4 address as its text, and the length of that.
fn dotted(octets: [u8; 4]) -> ([u8; 15], usize) {
    let (mut text, mut len) = ([b'.'; 15], 0);
    for octet in octets {
        len += usize::from(len > 0);
        for divisor in [100, 10, 1] {
            if octet >= divisor || divisor == 1 {
                text[len] = b'0' + octet / divisor % 10;
                len += 1;
            }
        }
    }
    (text, len)
}

impl<'b, C> Decode<'b, C> for Key {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(|_| minicbor::decode::Error::message("expected a key in its text form"))
    }
}

/// A text that is no key. The writer's doing; the text says what was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither an IPv4 nor an IPv6 address.
    Address {
        /// The text, cut.
        got: String,
    },
    /// The prefix length is no number, or longer than the family has.
    Length {
        /// The text, cut.
        got: String,
        /// The family's full length.
        full: u8,
    },
    /// Bits are set beyond the prefix length.
    HostBits {
        /// The text, cut.
        got: String,
        /// The prefix that was probably meant.
        meant: Prefix,
    },
    /// Not a domain name.
    Domain {
        /// The text, cut.
        got: String,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Address { got } => write!(f, "expected an IP address or prefix, but got {got:?}"),
            KeyError::Length { got, full } => {
                write!(f, "expected a prefix length of 0 to {full}, but got {got:?}")
            }
            KeyError::HostBits { got, meant } => {
                write!(f, "expected no bits beyond the prefix length, but got {got:?}; did you mean {meant}?")
            }
            KeyError::Domain { got } => {
                write!(f, "expected an address, a prefix, a domain or domain@address, but got {got:?}")
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// At most 64 characters of a text for an error message.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

mod u128_bytes {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    pub(super) fn encode<C, W: Write>(
        v: &u128,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&v.to_be_bytes())?.ok()
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<u128, DecodeError> {
        let bytes: [u8; 16] = d.bytes()?.try_into().map_err(|_| DecodeError::message("expected 16 bytes"))?;
        Ok(u128::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        let got = text.parse::<Key>().map_or_else(|e| format!("error: {e}"), |k| k.to_string());
        assert_eq!(got, canonical);
    }

    #[test]
    fn one_key_has_one_text() {
        check("192.0.2.1", "192.0.2.1");
        check("192.0.2.1/32", "192.0.2.1");
        check("192.0.2.0/24", "192.0.2.0/24");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("2001:DB8:0:0::/64", "2001:db8::/64");
        check("2001:db8::25", "2001:db8::25");
        check("Example.ORG.", "example.org");
        check("example.org@192.0.2.1", "example.org@192.0.2.1");
    }

    #[test]
    fn refuses_what_is_no_key() {
        check(
            "192.0.2.1/24",
            "error: expected no bits beyond the prefix length, but got \"192.0.2.1/24\"; did you mean 192.0.2.0/24?",
        );
        check("192.0.2.0/33", "error: expected a prefix length of 0 to 32, but got \"192.0.2.0/33\"");
        check("192.0.2.256", "error: expected an IP address or prefix, but got \"192.0.2.256\"");
        check(
            "localhost",
            "error: expected an address, a prefix, a domain or domain@address, but got \"localhost\"",
        );
    }

    #[test]
    fn a_client_is_one_v4_address_or_a_v6_net() {
        let of = |a: &str| Key::of_client(a.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    }

    #[test]
    fn a_prefix_covers_what_lies_in_it() {
        let p = |t: &str| t.parse::<Prefix>().unwrap();
        assert!(p("192.0.2.0/24").covers(p("192.0.2.9")));
        assert!(!p("192.0.2.9").covers(p("192.0.2.0/24")));
        assert!(p("192.0.2.9").overlaps(p("192.0.2.0/24")));
        assert!(p("0.0.0.0/0").covers(p("255.255.255.255")));
        assert!(!p("::/0").covers(p("192.0.2.1")));
    }

    #[test]
    fn the_stored_text_of_an_address_is_what_is_printed() {
        for octets in [[0; 4], [255; 4], [9, 10, 99, 100], [192, 0, 2, 1], [1, 20, 255, 0]] {
            let key = Key::of_client(octets.into());
            let bytes = minicbor::to_vec(&key).unwrap();
            assert_eq!(minicbor::decode::<&str>(&bytes).unwrap(), key.to_string());
        }
    }

    #[test]
    fn a_domain_holds_itself_and_what_stands_below_it() {
        let domain: Domain = "shop.example".parse().unwrap();
        let holds = |name: &str| domain.holds(name.as_bytes());
        assert!(holds("shop.example") && holds("mail.shop.example") && holds("a.b.shop.example"));
        assert!(!holds("example") && !holds("workshop.example") && !holds("shop.example.net") && !holds(""));
        assert_eq!(minicbor::decode::<Domain>(&minicbor::to_vec(&domain).unwrap()).unwrap(), domain);
    }

    #[test]
    fn keys_survive_their_bytes() {
        for text in ["192.0.2.1", "2001:db8::/64", "2001:db8::25", "example.org@192.0.2.0/24"] {
            let key: Key = text.parse().unwrap();
            let bytes = minicbor::to_vec(&key).unwrap();
            assert_eq!(minicbor::decode::<Key>(&bytes).unwrap(), key);
        }
        let prefix: Prefix = "2001:db8::/64".parse().unwrap();
        assert_eq!(minicbor::decode::<Prefix>(&minicbor::to_vec(prefix).unwrap()).unwrap(), prefix);
    }
}
