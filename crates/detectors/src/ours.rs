//! G-OURS: rules that good mail fails are suspended, because the fault is ours.
//!
//! Where our resolver is broken, every client is without a name; where our own name is written
//! wrongly, friends greet with it. So each message of a key with good mail tests the rules
//! that judge a connection or a sender by DNS, and where too many fail one, `engine` suspends
//! it. Here stands what failing means, and what a connection looks like while a rule rests.

use minicbor::{Decode, Encode};
use model::{Content, Offence};

use crate::helo::HeloClass;
use crate::rdns::RdnsClass;
use crate::record::Record;
use crate::seen::{Act, Traits};

/// The rules that can be suspended, in the order of their bits.
pub const RULES: [Offence; 4] = [Offence::ReverseDns, Offence::Helo, Offence::Dynamic, Offence::ForgedSender];

/// A set of [`RULES`].
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct Rules(#[n(0)] u8);

impl Rules {
    /// The rules that a test names.
    pub fn of(which: impl Fn(Offence) -> bool) -> Rules {
        let bits = RULES.iter().enumerate().filter(|(_, rule)| which(**rule));
        Rules(bits.fold(0, |set, (bit, _)| set | 1 << bit))
    }

    /// Whether a rule is among them.
    pub fn has(self, rule: Offence) -> bool {
        RULES.iter().position(|known| *known == rule).is_some_and(|bit| self.0 & 1 << bit != 0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Which rules a fact of a key with good mail tests, and which of them it fails; `None` if it
/// tests none.
///
/// A key tests a rule only if it passes it, or has passed it before: who never had a name
/// says nothing of our resolver, and a third of one real stream of wanted mail is such.
pub fn test(act: &Act, looks: &Traits, of: &mut Record) -> Option<(Rules, Rules)> {
    let (all, failed) = tested(act, looks)?;
    let passed = &mut of.rare().passed;
    passed.0 |= all.0 & !failed.0;
    let says = Rules(all.0 & passed.0);
    (!says.is_empty()).then_some((says, Rules(failed.0 & says.0)))
}

fn tested(act: &Act, looks: &Traits) -> Option<(Rules, Rules)> {
    match act {
        Act::Attempt { opens_session: true, .. } => {
            let by_traits = |rule| rule != Offence::ForgedSender;
            Some((Rules::of(by_traits), Rules::of(|rule| by_traits(rule) && looks.fails(rule))))
        }
        Act::Ended(ended) => {
            let is_it = |rule| rule == Offence::ForgedSender;
            Some((Rules::of(is_it), Rules::of(|rule| is_it(rule) && fails_spf(&ended.content))))
        }
        _ => None,
    }
}

fn fails_spf(content: &Content) -> bool {
    content.spf == model::content::Spf::Fail && content.dkim.is_none()
}

impl Traits {
    fn fails(&self, rule: Offence) -> bool {
        match rule {
            Offence::ReverseDns => matches!(self.rdns, RdnsClass::Missing | RdnsClass::Mismatch),
            Offence::Helo => self.helo.is_faulty() || self.helo == HeloClass::OurName,
            Offence::Dynamic => self.rdns == RdnsClass::Generic,
            _ => false,
        }
    }

    /// What is left of the connection's look without rules that are suspended: no opinion.
    #[must_use]
    pub fn without(mut self, suspended: Rules) -> Traits {
        if suspended.has(Offence::ReverseDns) && self.fails(Offence::ReverseDns) {
            self.rdns = RdnsClass::Unknown;
        }
        if suspended.has(Offence::Dynamic) {
            self.line = 0;
            if self.fails(Offence::Dynamic) {
                self.rdns = RdnsClass::Unknown;
            }
        }
        if suspended.has(Offence::Helo) && self.fails(Offence::Helo) {
            self.helo = HeloClass::Fine;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{Lessons, connection};
    use crate::seen::tests::ended;
    use model::content::Spf;
    use model::{Client, DomainHash, Name, Rdns};

    fn traits(rdns: Rdns, helo: &str) -> Traits {
        let (addr, helo) = ("192.0.2.25".parse().unwrap(), Some(Name::new(helo.as_bytes())));
        let client = Client { addr, port: 0, helo, rdns, authenticated: false };
        Traits::of(&client, false, &model::Policy::shipped())
    }

    fn failed(traits: Traits) -> Rules {
        let act = Act::Attempt { opens_session: true, trap: None, recipient: None, awaited: false };
        tested(&act, &traits).unwrap().1
    }

    #[test]
    fn a_connection_tests_what_dns_and_helo_say_and_a_message_tests_spf() {
        assert!(failed(traits(Rdns::Unknown, "mail.example.net")).is_empty(), "no opinion fails nothing");
        assert!(failed(traits(Rdns::Missing, "mail.example.net")).has(Offence::ReverseDns));
        assert!(failed(traits(Rdns::Missing, "localhost")).has(Offence::Helo));
        let generic = Rdns::Confirmed(Name::new(b"192-0-2-25.dsl.example.org"));
        assert!(failed(traits(generic, "mail.example.net")).has(Offence::Dynamic));
        let spf = |spf, dkim| {
            let (of, failed) =
                tested(&ended(0, Content { spf, dkim, ..Content::default() }).act, &Traits::default())
                    .unwrap();
            assert_eq!(of, Rules::of(|rule| rule == Offence::ForgedSender));
            failed.has(Offence::ForgedSender)
        };
        assert!(spf(Spf::Fail, None) && !spf(Spf::Pass, None) && !spf(Spf::Fail, Some(DomainHash(1))));
    }

    #[test]
    fn a_key_that_never_had_a_name_says_nothing_of_our_resolver() {
        let (mut record, act) = (
            Record::default(),
            Act::Attempt { opens_session: true, trap: None, recipient: None, awaited: false },
        );
        let mut fails = |rdns: Rdns| {
            let (of, failed) = test(&act, &traits(rdns, "mail.example.net"), &mut record).unwrap();
            of.has(Offence::ReverseDns).then(|| failed.has(Offence::ReverseDns))
        };
        let named = || Rdns::Confirmed(Name::new(b"mail.example.net"));
        let seen = [Rdns::Missing, named(), Rdns::Missing, named()].map(&mut fails);
        assert_eq!(seen, [None, Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn without_a_rule_its_fault_weighs_nothing_and_speaks_for_nobody() {
        let bad = traits(Rdns::Missing, "localhost");
        let weighs = |traits: &Traits| connection(traits, &Lessons::default(), false).quarters();
        let both = Rules::of(|rule| matches!(rule, Offence::ReverseDns | Offence::Helo));
        assert!(weighs(&bad) > 0 && bad.suspicious());
        let rested = bad.without(both);
        assert!(weighs(&rested).abs() <= 2, "{}", weighs(&rested));
        assert!(!rested.suspicious());
        assert_eq!(bad.without(Rules::default()), bad);
        let line = traits(Rdns::Confirmed(Name::new(b"192-0-2-25.dsl.example.org")), "mail.example.net");
        assert!(weighs(&line) > weighs(&line.without(Rules::of(|rule| rule == Offence::Dynamic))));
    }
}
