//! What a name under a block list's zone denotes (RFC 5782 §2.1, §2.4).

use super::HEADER_LEN;
use super::name::Labels;

/// Both readings of a name: an address or a prefix of IPv4, and one of IPv6. A name of at most
/// four labels can be both: `1.0.0.2` is 2.0.0.1, and also 2001::/16.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reversed {
    /// Bits from the top, and how many of them the name says: 8, 16, 24 or 32.
    pub v4: Option<(u32, u8)>,
    /// The same of IPv6: 4 for each label, up to 128.
    pub v6: Option<(u128, u8)>,
}

impl Reversed {
    /// Reads the labels in front of the zone. Octets are decimal without leading zeros; nibbles
    /// one hexadecimal digit in either case. Nothing is read of the zone itself.
    ///
    /// An IPv4-mapped name stays one of IPv6: the test entries of RFC 5782 §5 are such names.
    pub fn read(labels: Labels<'_>) -> Reversed {
        Reversed { v4: read_v4(labels), v6: read_v6(labels) }
    }
}

/// The IPv4 address that a question seems to be about, to be looked at ahead of time. Nothing is
/// checked: of other messages it is any.
pub fn glimpse(message: &[u8]) -> u32 {
    let labels = message.get(HEADER_LEN..).and_then(<[u8]>::first_chunk);
    let (mut rest, mut bits) = (labels.map_or(0, |labels| u128::from_be_bytes(*labels)), 0);
    for _ in 0..4 {
        let [len, a, b, c, ..] = rest.to_be_bytes();
        let digits = digits([len & 3, a, b, c]) & 0x0f_0f_0f;
        bits = bits >> 8 | number(digits) << 24;
        rest <<= 8 * (u32::from(len & 3) + 1);
    }
    bits
}

fn read_v4(labels: Labels<'_>) -> Option<(u32, u8)> {
    let (mut bits, mut count, mut at) = (0, 0_u32, 0);
    while at < labels.octets() {
        let four = labels.four(at);
        bits |= octet(four).filter(|_| count < 32)? << count;
        (count, at) = (count + 8, at + 1 + usize::from(four[0]));
    }
    // At most 32 bits.
    (count > 0).then(|| (bits << (32 - count), count as u8))
}

fn read_v6(labels: Labels<'_>) -> Option<(u128, u8)> {
    let (mut bits, mut count) = (0, 0u32);
    for label in labels {
        let nibble = nibble(label).filter(|_| count < 32)?;
        bits |= nibble << (4 * count);
        count += 1;
    }
    // At most 32.
    (count > 0).then(|| (bits << (128 - 4 * count), 4 * count as u8))
}

/// A label as a decimal number below 256: its length, and the octets behind that.
///
/// How many digits a label has differs from one to the next, so that a processor would guess
/// wrong at each branch on it; what stands behind a short label is shifted out instead.
fn octet(label: [u8; 4]) -> Option<u32> {
    let [len, first, ..] = label;
    if !(1..=3).contains(&len) {
        return None;
    }
    let digits = digits(label);
    let is_decimal = (digits.wrapping_add(0x76_76_76) | digits) & 0x80_80_80 == 0;
    let is_short = (len == 1) | (first != b'0');
    (is_decimal & is_short & (digits <= 0x02_05_05)).then(|| number(digits))
}

/// One to three digits, each in an octet, the last in the lowest; what is no digit is above 9.
fn digits([len, a, b, c]: [u8; 4]) -> u32 {
    (u32::from_be_bytes([0, a, b, c]) ^ 0x30_30_30) >> (24 - 8 * u32::from(len & 3))
}

/// The number that three digits make.
fn number(digits: u32) -> u32 {
    (digits >> 16) * 100 + (digits >> 8 & 15) * 10 + (digits & 15)
}

fn nibble(label: &[u8]) -> Option<u128> {
    match label {
        [digit] => char::from(*digit).to_digit(16).map(u128::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::wire;
    use super::super::{DnsName, Reversed, glimpse};

    fn read(name: &str) -> Reversed {
        let bytes = wire(name);
        Reversed::read(DnsName::whole(&bytes).unwrap().labels())
    }

    #[track_caller]
    fn check(name: &str, v4: Option<(u32, u8)>, v6: Option<(u128, u8)>) {
        assert_eq!(read(name), Reversed { v4, v6 }, "{name}");
    }

    #[test]
    fn octets_stand_backwards_and_may_be_few() {
        check("7.113.0.203", Some((0xcb00_7107, 32)), None);
        check("113.0.203", Some((0xcb00_7100, 24)), None);
        check("203", Some((0xcb00_0000, 8)), None);
        check("255.255.255.255", Some((u32::MAX, 32)), None);
    }

    #[test]
    fn an_octet_is_what_a_decimal_number_is() {
        let plain = |label: &str| {
            let octet =
                label.bytes().all(|byte| byte.is_ascii_digit()).then(|| label.parse::<u8>().ok())??;
            (octet.to_string() == label).then_some(octet)
        };
        // What stands behind a label must not matter.
        let odd = [b'0', b'1', b'2', b'5', b'6', b'9', b'/', b':', 0, 0x7f, 0x80, 0xff].map(char::from);
        let mut labels: Vec<String> = (0..1200).map(|number| number.to_string()).collect();
        for a in odd {
            labels.push(a.into());
            labels
                .extend(odd.iter().flat_map(|b| [format!("{a}{b}"), format!("{a}{b}1"), format!("2{a}{b}")]));
        }
        for label in labels.iter().filter(|label| label.chars().all(|c| u32::from(c) < 256)) {
            let octets: Vec<u8> = label.chars().map(|c| c as u32 as u8).collect();
            let bytes = [&[octets.len() as u8], &octets[..], b"\x019\x00"].concat();
            let zone = DnsName::whole(b"\x019\x00").unwrap();
            let front = DnsName::whole(&bytes).unwrap().within(zone).unwrap().front();
            let expect = plain(label).map(|octet| (u32::from(octet) << 24, 8));
            assert_eq!(Reversed::read(front).v4, expect, "{label:?}");
        }
    }

    #[test]
    fn a_glimpse_shows_the_address_of_a_question() {
        for (name, expect) in [
            ("7.113.0.203.bl.dnsbl.example", 0xcb00_7107),
            ("255.255.255.255.bl.example", u32::MAX),
            ("1.0.0.2.bl.example", 0x0200_0001),
            ("1.0.0.2", 0),
        ] {
            let message = [&[0; 12][..], &wire(name), &[0, 1, 0, 1]].concat();
            assert_eq!(glimpse(&message), expect, "{name}");
        }
        assert_eq!((0..60).filter(|len| glimpse(&vec![0; *len]) != 0).count(), 0);
    }

    #[test]
    fn single_digits_can_be_both() {
        check("1.0.0.2", Some((0x0200_0001, 32)), Some((0x2001 << 112, 16)));
        check("8.b.d.0.1.0.0.2", None, Some((0x2001_0db8 << 96, 32)));
        check("F", None, Some((0xf << 124, 4)));
    }

    #[test]
    fn a_whole_address_of_ipv6_has_32_nibbles() {
        let name = format!("5.2.{}8.b.d.0.1.0.0.2", "0.".repeat(22));
        check(&name, None, Some(("2001:db8::25".parse::<std::net::Ipv6Addr>().unwrap().to_bits(), 128)));
        check(&format!("0.{name}"), None, None);
    }

    #[test]
    fn nothing_else_denotes_anything() {
        for name in
            ["", "256.0.0.203", "07.113.0.203", "-1.0.0.1", "x.0.0.1", "1.7.113.0.203", "00", "1000.1"]
        {
            check(name, None, None);
        }
    }
}
