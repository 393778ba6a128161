//! Return codes of our block lists, and the sub-zones that carry them (REQUIREMENTS A.3).
//!
//! Many who ask a list take any answer for ‘refuse’. So what is not meant for refusal
//! stands in a sub-zone of its own, and each code belongs to one of them.

use std::net::Ipv4Addr;

/// The lowest code: 127.0.0.2; 127.0.0.1 is never one (RFC 5782 §5).
pub const CODE_MIN: u8 = 2;
/// The highest code that has a meaning.
pub const CODE_MAX: u8 = 19;

/// The code of entries that come from lists of others. It leaves this host in no public and
/// in no transferred zone (STD-83).
pub const CODE_EXTERNAL: u8 = 17;

/// What a code says, in a word or two.
pub const fn meaning(last: u8) -> &'static str {
    match last {
        2 => "operator",
        3 => "spam",
        4 => "bot",
        5 => "open relay",
        6 => "open proxy",
        7 => "trap",
        8 => "greytrap",
        9 => "network",
        10 => "dynamic line",
        11 => "country",
        12 => "provider",
        13 => "dictionary attack or flood",
        14 => "virus",
        15 => "backscatter",
        16 => "reports of users",
        17 => "lists of others",
        18 => "guessed passwords",
        19 => "reverse DNS or HELO",
        _ => "no meaning",
    }
}

/// A set of return codes: of 127.0.0.n the bit n.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Codes(u32);

impl Codes {
    /// No code.
    pub const NONE: Codes = Codes(0);
    /// Every code that has a meaning.
    pub const ALL: Codes = Codes::range(CODE_MIN, CODE_MAX);

    /// The set of 127.0.0.`last`; empty where that has no meaning.
    pub const fn of(last: u8) -> Codes {
        if last >= CODE_MIN && last <= CODE_MAX { Codes(1 << last) } else { Codes::NONE }
    }

    const fn range(first: u8, last: u8) -> Codes {
        Codes((1 << (last + 1)) - (1 << first))
    }

    /// Codes of either set.
    pub const fn or(self, other: Codes) -> Codes {
        Codes(self.0 | other.0)
    }

    /// Codes of both sets.
    pub const fn and(self, other: Codes) -> Codes {
        Codes(self.0 & other.0)
    }

    /// Codes that `other` has not.
    pub const fn without(self, other: Codes) -> Codes {
        Codes(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as bits: of 127.0.0.n the bit n.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of these bits; those without a meaning fall away.
    pub const fn from_bits(bits: u32) -> Codes {
        Codes(bits & Codes::ALL.0)
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The last octets, ascending.
    pub fn octets(self) -> impl Iterator<Item = u8> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let next = (left != 0).then(|| left.trailing_zeros() as u8)?;
            left &= left - 1;
            Some(next)
        })
    }

    /// The answers that say them, ascending.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        self.octets().map(|last| Ipv4Addr::new(127, 0, 0, last))
    }
}

impl FromIterator<u8> for Codes {
    fn from_iter<I: IntoIterator<Item = u8>>(octets: I) -> Codes {
        octets.into_iter().fold(Codes::NONE, |codes, last| codes.or(Codes::of(last)))
    }
}

/// What a sub-zone lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lists {
    /// Addresses of both families.
    Addresses,
    /// Addresses of IPv4.
    V4,
    /// Addresses of IPv6.
    V6,
    /// Domains.
    Domains,
}

/// A zone below the site's base zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubZone {
    /// The label in front of the base zone.
    pub label: &'static str,
    /// What is listed in it.
    pub lists: Lists,
    /// Which codes it answers.
    pub codes: Codes,
    /// One line: what it is for.
    pub doc: &'static str,
}

/// Codes of servers that send abuse: to be refused.
const ABUSE: Codes = Codes::range(2, 8).or(Codes::of(13)).or(Codes::of(14)).or(Codes::range(16, 18));

/// Every sub-zone there is.
pub const SUB_ZONES: &[SubZone] = &[
    sub("bl", Lists::Addresses, ABUSE, "servers that sent abuse: for refusing mail"),
    sub("bl4", Lists::V4, ABUSE, "the same, of IPv4 only"),
    sub("bl6", Lists::V6, ABUSE, "the same, of IPv6 only"),
    sub("net", Lists::Addresses, Codes::of(9).or(Codes::of(12)), "networks around many of them: for scores"),
    sub(
        "policy",
        Lists::Addresses,
        Codes::of(10).or(Codes::of(11)),
        "dynamic lines and countries: no accusation",
    ),
    sub("bounce", Lists::Addresses, Codes::of(15), "senders of backscatter: for bounces only"),
    sub("info", Lists::Addresses, Codes::of(19), "reverse DNS and HELO: for information"),
    sub("dom", Lists::Domains, Codes::ALL, "domains"),
    sub("all", Lists::Addresses, Codes::ALL, "every address and every code: only for who asked for it"),
];

const fn sub(label: &'static str, lists: Lists, codes: Codes, doc: &'static str) -> SubZone {
    SubZone { label, lists, codes, doc }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_a_meaning_is_none() {
        assert_eq!([0, 1, 20, 32, 255].map(Codes::of), [Codes::NONE; 5]);
        assert_eq!(Codes::ALL.octets().collect::<Vec<_>>(), (2..=19).collect::<Vec<_>>());
    }

    #[test]
    fn every_code_says_something_of_its_own() {
        let said: std::collections::BTreeSet<&str> = (CODE_MIN..=CODE_MAX).map(meaning).collect();
        assert_eq!(said.len(), Codes::ALL.len());
        assert!(!said.contains(meaning(1)));
    }

    #[test]
    fn sets_are_told_as_addresses_ascending() {
        let codes: Codes = [16, 3, 3, 1].into_iter().collect();
        let told: Vec<_> = codes.addresses().map(|a| a.to_string()).collect();
        assert_eq!((told, codes.len()), (vec!["127.0.0.3".to_owned(), "127.0.0.16".to_owned()], 2));
        assert_eq!(Codes::from_bits(codes.bits() | 0b11), codes);
        assert_eq!(codes.and(Codes::of(3)).or(Codes::of(4)).without(Codes::of(3)), Codes::of(4));
    }

    #[test]
    fn each_code_has_one_home() {
        for last in CODE_MIN..=CODE_MAX {
            let homes = ["bl", "net", "policy", "bounce", "info"];
            let of =
                |zone: &&SubZone| homes.contains(&zone.label) && !zone.codes.and(Codes::of(last)).is_empty();
            assert_eq!(SUB_ZONES.iter().filter(of).count(), 1, "{last}");
        }
    }
}
