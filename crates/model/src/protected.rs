//! What can never be blocked.
//!
//! Two walls stand between a decision and the outside. The hard floor is a property of
//! the program and can not be configured away (DESIGN §4, invariant 4). The protected
//! list is the operator's. Only what passed both becomes a [`Cleared`], and enforcers
//! take nothing else.

use std::fmt;
use std::net::IpAddr;

use crate::key::Prefix;

/// The widest IPv4 prefix that an automatic path may block.
const AUTOMATIC_V4_MIN: u8 = 24;
/// The widest IPv6 prefix that an automatic path may block.
const AUTOMATIC_V6_MIN: u8 = 48;
/// IPv4 prefixes of this length and shorter leave the program on no path.
const NEVER_V4_MAX: u8 = 8;
/// IPv6 prefixes of this length and shorter leave the program on no path.
const NEVER_V6_MAX: u8 = 19;

/// Addresses that are no other party's server (RFC 6890 and its successors).
const SPECIAL: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "fe80::/10",
    "fc00::/7",
    "ff00::/8",
    "2001:db8::/32",
    "64:ff9b:1::/48",
    "100::/64",
];

/// Documentation prefixes: in demonstrations and tests they stand for other parties.
const DOCUMENTATION: [&str; 4] = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"];

/// The protected list together with the hard floor.
#[derive(Clone, Debug)]
pub struct Protected {
    listed: Vec<Prefix>,
    special: Vec<Prefix>,
    generation: u32,
}

/// A prefix that was held against the protected list and is not on it.
///
/// Enforcers take only this type. Its one constructor is [`Protected::clear`], so a code
/// path that forgets the list does not compile. Never stored: it is made anew when the
/// list changes.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cleared {
    prefix: Prefix,
    generation: u32,
}

impl Cleared {
    /// The prefix that may be blocked.
    pub fn prefix(self) -> Prefix {
        self.prefix
    }

    /// Which state of the list let it pass.
    pub fn generation(self) -> u32 {
        self.generation
    }
}

/// Who wants to block: the floor for a program is higher than for a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hand {
    /// A rule.
    Automatic,
    /// An operator.
    Operator,
}

impl Protected {
    /// The list of `listed` prefixes. `documentation` lifts the documentation prefixes
    /// from the hard floor (demo and tests only; the caller then refuses public listeners).
    pub fn new(listed: Vec<Prefix>, documentation: bool, generation: u32) -> Protected {
        let lifted: &[&str] = if documentation { &DOCUMENTATION } else { &[] };
        let kept: &[&str] = if documentation { &[] } else { &DOCUMENTATION };
        let special =
            SPECIAL.iter().filter(|p| !lifted.contains(p)).chain(kept).filter_map(|p| p.parse().ok());
        Protected { special: special.collect(), listed, generation }
    }

    /// Lets a prefix through, or says why not.
    pub fn clear(&self, prefix: Prefix, hand: Hand) -> Result<Cleared, Refused> {
        too_wide(prefix, hand)?;
        if let Some(floor) = self.special.iter().find(|s| s.overlaps(prefix)) {
            return Err(Refused::Special { prefix, range: *floor });
        }
        if let Some(entry) = self.listed.iter().find(|l| l.overlaps(prefix)) {
            return Err(Refused::Listed { prefix, entry: *entry });
        }
        Ok(Cleared { prefix, generation: self.generation })
    }

    /// Whether an address is on the operator's list.
    pub fn lists(&self, addr: IpAddr) -> bool {
        let host = Prefix::host(crate::key::fold(addr));
        self.listed.iter().any(|l| l.covers(host))
    }

    /// The listed prefixes, sorted as given.
    pub fn listed(&self) -> &[Prefix] {
        &self.listed
    }

    /// Ranges that are no other party's server, whatever is listed.
    pub fn special(&self) -> &[Prefix] {
        &self.special
    }

    /// Which state of the list this is; grows with every change.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

fn too_wide(prefix: Prefix, hand: Hand) -> Result<(), Refused> {
    let (never, automatic) = match prefix {
        Prefix::V4(..) => (NEVER_V4_MAX, AUTOMATIC_V4_MIN),
        Prefix::V6(..) => (NEVER_V6_MAX, AUTOMATIC_V6_MIN),
    };
    let longest = if hand == Hand::Automatic { automatic } else { never + 1 };
    if prefix.bits() < longest { Err(Refused::TooWide { prefix, longest }) } else { Ok(()) }
}

/// Why a prefix can not be blocked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refused {
    /// The prefix is wider than this hand may block.
    TooWide {
        /// What was asked for.
        prefix: Prefix,
        /// The shortest length allowed.
        longest: u8,
    },
    /// It overlaps addresses that are no other party's server.
    Special {
        /// What was asked for.
        prefix: Prefix,
        /// The special range.
        range: Prefix,
    },
    /// It overlaps an entry of the protected list.
    Listed {
        /// What was asked for.
        prefix: Prefix,
        /// The entry.
        entry: Prefix,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::TooWide { prefix, longest } => {
                write!(f, "{prefix} is too wide: expected a prefix of at least {longest} bits")
            }
            Refused::Special { prefix, range } => {
                write!(f, "{prefix} can not be blocked: it overlaps the special-purpose range {range}")
            }
            Refused::Listed { prefix, entry } => {
                write!(
                    f,
                    "{prefix} can not be blocked: {entry} is protected (mailward protect remove {entry})"
                )
            }
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: &str, hand: Hand, expect: &str) {
        let own = vec!["198.51.100.0/24".parse().unwrap(), "2001:db8:5::/48".parse().unwrap()];
        let got = Protected::new(own, true, 7).clear(prefix.parse().unwrap(), hand);
        assert_eq!(got.map_or_else(|e| e.to_string(), |c| c.prefix().to_string()), expect);
    }

    #[test]
    fn the_hard_floor_can_not_be_passed() {
        check("0.0.0.0/0", Hand::Operator, "0.0.0.0/0 is too wide: expected a prefix of at least 9 bits");
        check("16.0.0.0/8", Hand::Operator, "16.0.0.0/8 is too wide: expected a prefix of at least 9 bits");
        check("2600::/19", Hand::Operator, "2600::/19 is too wide: expected a prefix of at least 20 bits");
        check(
            "203.0.112.0/23",
            Hand::Automatic,
            "203.0.112.0/23 is too wide: expected a prefix of at least 24 bits",
        );
        check("203.0.112.0/23", Hand::Operator, "203.0.112.0/23");
        check(
            "127.0.0.1",
            Hand::Operator,
            "127.0.0.1 can not be blocked: it overlaps the special-purpose range 127.0.0.0/8",
        );
    }

    #[test]
    fn a_protected_network_and_what_holds_it_are_refused() {
        let way_out = "198.51.100.0/24 is protected (mailward protect remove 198.51.100.0/24)";
        check("198.51.100.7", Hand::Automatic, &format!("198.51.100.7 can not be blocked: {way_out}"));
        check("198.51.96.0/20", Hand::Operator, &format!("198.51.96.0/20 can not be blocked: {way_out}"));
        check("203.0.113.7", Hand::Automatic, "203.0.113.7");
    }

    #[test]
    fn documentation_prefixes_are_special_outside_tests() {
        let list = Protected::new(Vec::new(), false, 0);
        assert!(list.clear("203.0.113.7".parse().unwrap(), Hand::Operator).is_err());
        assert!(list.clear("2001:db8::/64".parse().unwrap(), Hand::Operator).is_err());
        assert_eq!(list.clear("9.9.9.9".parse().unwrap(), Hand::Automatic).unwrap().generation(), 0);
    }
}
