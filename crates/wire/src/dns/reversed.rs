//! What a name under a block list's zone denotes (RFC 5782 §2.1, §2.4).

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

fn read_v4(labels: Labels<'_>) -> Option<(u32, u8)> {
    let (mut bits, mut count) = (0, 0u32);
    for label in labels {
        let octet = octet(label).filter(|_| count < 4)?;
        bits |= octet << (8 * count);
        count += 1;
    }
    // At most four.
    (count > 0).then(|| (bits << (32 - 8 * count), 8 * count as u8))
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

fn octet(label: &[u8]) -> Option<u32> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    match label {
        [one] => digit(one),
        [b'0', ..] => None,
        [ten, one] => Some(digit(ten)? * 10 + digit(one)?),
        [hundred, ten, one] => {
            Some(digit(hundred)? * 100 + digit(ten)? * 10 + digit(one)?).filter(|octet| *octet < 256)
        }
        _ => None,
    }
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
    use super::super::{DnsName, Reversed};

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
