//! OFF-10, reverse DNS: none, unconfirmed, generic or fine.
//!
//! A temporary error is no opinion, and a missing name alone never refuses (DESIGN §8): a
//! third of one real stream of wanted mail came from servers without one.

use minicbor::{Decode, Encode};
use model::Rdns;

use crate::dynamic::LINE;

/// What the name of a client says. The numbers stand in facts of events.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum RdnsClass {
    /// Nobody asked, or DNS failed: no opinion.
    #[default]
    #[n(0)]
    Unknown,
    /// No name.
    #[n(1)]
    Missing,
    /// A name that does not point back.
    #[n(2)]
    Mismatch,
    /// A name made from the address, or of an access line (OFF-11).
    #[n(3)]
    Generic,
    /// A confirmed name of its own.
    #[n(4)]
    Fine,
}

impl RdnsClass {
    /// Whether name and address confirm each other; no opinion counts as yes.
    pub fn is_confirmed(self) -> bool {
        !matches!(self, RdnsClass::Missing | RdnsClass::Mismatch)
    }
}

/// Sorts what reverse DNS said into its class; `points` is what the name weighs as that of a
/// line ([`crate::dynamic::points`]).
pub fn classify(rdns: &Rdns, points: u8) -> RdnsClass {
    match rdns {
        Rdns::Unknown => RdnsClass::Unknown,
        Rdns::Missing => RdnsClass::Missing,
        Rdns::Mismatch(_) => RdnsClass::Mismatch,
        Rdns::Confirmed(_) if points >= LINE => RdnsClass::Generic,
        Rdns::Confirmed(_) => RdnsClass::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Name;

    #[test]
    fn a_generic_name_is_told_from_a_fine_one() {
        let points = |name: &[u8]| crate::dynamic::points(name, "192.0.2.25".parse().unwrap());
        let of = |name: &[u8]| classify(&Rdns::Confirmed(Name::new(name)), points(name));
        assert_eq!(of(b"mail.example.org"), RdnsClass::Fine);
        assert_eq!(of(b"192-0-2-25.dsl.example.org"), RdnsClass::Generic);
        assert_eq!(classify(&Rdns::Missing, 0), RdnsClass::Missing);
        assert!(classify(&Rdns::Unknown, 0).is_confirmed());
    }
}
