//! The connection score: what HELO and reverse DNS say together (C.4 step 10, DESIGN §8).
//!
//! Families are HELO, reverse DNS and dynamic names; none counts above three. A confirmed
//! name that is not generic speaks for a sender. Counted in quarters, so that half points
//! stay whole numbers.

use crate::helo::HeloClass;
use crate::rdns::RdnsClass;
use crate::seen::Traits;

/// From here on a message is refused, where the score may refuse: four points.
pub const REFUSE: i32 = 16;

/// The score of one connection with the facts that weighed most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionScore {
    /// The sum, in quarters of a point.
    pub quarters: i32,
    /// The two heaviest facts, heavier first.
    pub heaviest: [Option<&'static str>; 2],
}

/// Scores a connection; `credit` says that the key has good mail of the last 30 days.
pub fn connection(traits: &Traits, credit: bool) -> ConnectionScore {
    let mut facts = facts(traits);
    facts.sort_by_key(|(points, _)| -points);
    let history = if credit { -12 } else { 0 };
    ConnectionScore {
        quarters: facts.iter().map(|(points, _)| points).sum::<i32>() + history,
        heaviest: facts.map(|(p, text)| text.filter(|_| p > 0)),
    }
}

/// What the HELO name and reverse DNS weigh, in quarters of a point, each with its words.
pub fn facts(traits: &Traits) -> [(i32, Option<&'static str>); 2] {
    [(helo_points(traits.helo), traits.helo.fault()), rdns_points(traits.rdns)]
}

fn helo_points(helo: HeloClass) -> i32 {
    if helo.is_faulty() { 8 } else { 0 }
}

fn rdns_points(rdns: RdnsClass) -> (i32, Option<&'static str>) {
    match rdns {
        RdnsClass::Unknown => (0, None),
        RdnsClass::Missing => (4, Some("the address has no reverse DNS name")),
        RdnsClass::Mismatch => (2, Some("its reverse DNS name does not point back")),
        RdnsClass::Generic => (8, Some("its name is that of an end user's line")),
        RdnsClass::Fine => (-8, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(helo: HeloClass, rdns: RdnsClass, credit: bool, expect: i32) {
        assert_eq!(connection(&Traits { helo, rdns, shared: false }, credit).quarters, expect);
    }

    #[test]
    fn a_missing_name_alone_never_refuses() {
        check(HeloClass::Fine, RdnsClass::Missing, false, 4);
        check(HeloClass::NotFqdn, RdnsClass::Missing, false, 12);
        check(HeloClass::NotFqdn, RdnsClass::Generic, false, REFUSE);
        check(HeloClass::NotFqdn, RdnsClass::Generic, true, 4);
        check(HeloClass::NotFqdn, RdnsClass::Fine, false, 0);
    }

    #[test]
    fn the_heaviest_fact_is_named_first() {
        let traits = Traits { helo: HeloClass::NotFqdn, rdns: RdnsClass::Missing, shared: false };
        assert_eq!(connection(&traits, false).heaviest[0], Some("the HELO name has no domain"));
    }
}
