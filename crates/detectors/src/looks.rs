//! Looks: kinds of strangers, told apart by how they connect.
//!
//! A look joins reverse DNS, HELO and whose name is greeted with. The engine counts what came
//! of strangers by their look (`engine::experience`), so that a site learns for itself which
//! looks never bring wanted mail there: a missing reverse DNS name says everything at one
//! site and nothing at another.
//!
//! Confirmed names of servers are no look: what has a name of its own is judged by what it
//! does, never by what others with such names did.

use crate::dynamic::LINE;
use crate::helo::HeloClass;
use crate::rdns::RdnsClass;
use crate::seen::{Fit, Traits};

/// A kind of stranger; its number stands in events.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Look(pub u8);

/// What stands behind the tens of a look's number.
const NAMES: [&str; 6] = [
    "",
    "no reverse DNS name",
    "a name that does not point back",
    "a line's name that does not point back",
    "a line's name",
    "a name made from its address",
];
/// What stands behind its units.
const GREETINGS: [&str; 10] = [
    "another organisation's name in HELO",
    "its own name in HELO",
    "its organisation's name in HELO",
    "the sender's name in HELO",
    "no name that can exist in HELO",
    "its own address in HELO",
    "a line's name in HELO",
    "",
    "",
    "",
];

impl Look {
    /// The look of a connection; `None` for servers with a confirmed name of their own, for
    /// shared senders, and where reverse DNS was not asked.
    pub fn of(traits: &Traits) -> Option<Look> {
        let line = traits.line >= LINE;
        let name = match traits.rdns {
            _ if traits.shared => return None,
            RdnsClass::Missing => 1,
            RdnsClass::Mismatch if line => 3,
            RdnsClass::Mismatch => 2,
            RdnsClass::Generic | RdnsClass::Fine if line => 4,
            RdnsClass::Generic | RdnsClass::Fine if traits.made => 5,
            RdnsClass::Unknown | RdnsClass::Generic | RdnsClass::Fine => return None,
        };
        Some(Look(name * 10 + greeting(traits)))
    }

    /// Both halves in words.
    pub fn words(self) -> [&'static str; 2] {
        let word = |table: &[&'static str], place: u8| table.get(usize::from(place)).copied().unwrap_or("");
        [word(&NAMES, self.0 / 10), word(&GREETINGS, self.0 % 10)]
    }
}

fn greeting(traits: &Traits) -> u8 {
    match (traits.helo, traits.fit) {
        (helo, _) if helo.is_faulty() => 4,
        (HeloClass::Line, _) => 6,
        (_, Fit::Unknown) => 5,
        (_, Fit::OwnName) => 1,
        (_, Fit::OwnOrg) => 2,
        (_, Fit::Sender) => 3,
        (_, Fit::Neither) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(traits: Traits, expect: Option<u8>) {
        assert_eq!(Look::of(&traits).map(|look| look.0), expect, "{traits:?}");
    }

    #[test]
    fn a_look_joins_name_and_greeting() {
        let missing = Traits { rdns: RdnsClass::Missing, fit: Fit::Sender, ..Traits::default() };
        check(missing, Some(13));
        check(Traits { helo: HeloClass::NotFqdn, ..missing }, Some(14));
        let line = Traits { rdns: RdnsClass::Generic, line: LINE, fit: Fit::OwnName, ..Traits::default() };
        check(line, Some(41));
        check(Traits { rdns: RdnsClass::Mismatch, ..line }, Some(31));
    }

    #[test]
    fn who_has_a_name_of_its_own_has_no_look() {
        check(Traits { rdns: RdnsClass::Fine, helo: HeloClass::NotFqdn, ..Traits::default() }, None);
        check(Traits { rdns: RdnsClass::Unknown, ..Traits::default() }, None);
        check(Traits { rdns: RdnsClass::Missing, shared: true, ..Traits::default() }, None);
    }

    #[test]
    fn every_look_has_words() {
        for look in (10..60).filter(|look| look % 10 < 7).map(Look) {
            assert!(look.words().iter().all(|word| !word.is_empty()), "{look:?}");
        }
        assert_eq!(Look(99).words(), ["", ""]);
    }
}
