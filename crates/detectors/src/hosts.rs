//! Hosts that many domains share: forwarders that are learned (G-FWD), and web and mail
//! hosting (G-HOST).
//!
//! Needs: messages seen to their end, with SPF and DKIM. A forwarder shows signatures of five
//! domains or more that hold, while SPF fails for the sender or a forwarder has rewritten it
//! (SRS), and writes to three of our recipients at most: those who have their mail sent on.
//! A host of many customers shows signatures of five domains or more.
//!
//! Both shield a key, and both signs can be made by whoever owns five domains. So good mail
//! is asked for beside: five messages in 30 days, and of a forwarder a tenth of a week's
//! mail. Without it a key is judged as any other.

use minicbor::{Decode, Encode};
use model::content::{Shape, Spf};
use model::{Millis, Secs};

use crate::distinct::Recent;
use crate::record::Record;
use crate::seen::{Act, Ended, Seen};

/// For so long a domain or a person is remembered.
const MONTH: Secs = Secs(30 * 86_400);
/// Domains whose signatures make a host, or a forwarder.
pub const DOMAINS: u64 = 5;
/// Domains that are told apart: more would change nothing.
const DOMAINS_MAX: usize = 8;
/// The most recipients of ours that a forwarder has.
const PEOPLE: u64 = 3;
/// One more is told apart, so that there can be too many.
const PEOPLE_MAX: usize = PEOPLE as usize + 1;
/// Good messages of 30 days that are asked for.
const GOOD: u32 = 5;
/// What is bad of a forwarder's mail of a week is at most so many times the good of 30 days.
const BAD_PER_GOOD: u64 = 9;

/// What a key's messages showed of those behind it.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Shown>>);

#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Shown {
    /// Domains whose signatures held.
    #[n(0)]
    signed: Recent,
    /// Those of mail that was sent on.
    #[n(1)]
    sent_on: Recent,
    /// To whom that went.
    #[n(2)]
    people: Recent,
}

/// How much that is bad in a week a host may pass on that brought so much good mail in 30 days.
pub(crate) fn bears(good: u32) -> u64 {
    u64::from(good) * BAD_PER_GOOD
}

impl Slot {
    fn ended(&mut self, ended: &Ended, at: Millis) {
        let content = &ended.content;
        let Some(domain) = content.dkim else { return };
        let shown = self.0.get_or_insert_default();
        shown.signed.meet(domain.0 as u32, 1, at, MONTH, DOMAINS_MAX);
        let fails = matches!(content.spf, Spf::Fail | Spf::SoftFail);
        if !fails && !content.shape.any(Shape::REWRITTEN) {
            return;
        }
        shown.sent_on.meet(domain.0 as u32, 1, at, MONTH, DOMAINS_MAX);
        if let Some(who) = ended.recipient {
            shown.people.meet(who.0 as u32, 1, at, MONTH, PEOPLE_MAX);
        }
    }

    /// Domains whose signatures held in 30 days, as far as they are told apart.
    pub fn signed(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |shown| shown.signed.count(MONTH, now))
    }

    fn sends_on(&self, now: Millis) -> bool {
        self.0.as_ref().is_some_and(|shown| {
            let people = shown.people.count(MONTH, now);
            shown.sent_on.count(MONTH, now) >= DOMAINS && (1..=PEOPLE).contains(&people)
        })
    }
}

impl Record {
    /// Whether it is a forwarder by what its mail shows.
    pub fn is_forwarder(&self, now: Millis) -> bool {
        let (good, _) = self.standing.good(now);
        good >= GOOD && self.hosts().is_some_and(|slot| slot.sends_on(now)) && self.bad(now) <= bears(good)
    }

    /// How many domains share it, if it is a host of many customers.
    pub fn customers(&self, now: Millis) -> Option<u64> {
        let (good, _) = self.standing.good(now);
        self.hosts().map(|slot| slot.signed(now)).filter(|signed| good >= GOOD && *signed >= DOMAINS)
    }
}

/// Notes what a message showed at its end.
pub fn note(seen: &Seen, of: &mut Record) {
    if let Act::Ended(ended) = &seen.act
        && ended.content.dkim.is_some()
    {
        of.rare().hosts.ended(ended, seen.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::ended;
    use model::{Class, Content, DomainHash, PersonHash};

    /// A record of so many good messages, and messages of so many domains to so many people.
    fn record(good: u32, domains: u64, people: u64, content: &Content) -> Record {
        let mut record = Record::default();
        for n in 0..good {
            record.standing.credit(ended(0, Content::default()).at, n, 1);
        }
        for n in 0..domains.max(people) {
            let dkim = content.dkim.map(|_| DomainHash(n % domains));
            let mut seen = ended(n, Content { dkim, ..content.clone() });
            if let Act::Ended(ended) = &mut seen.act {
                ended.recipient = Some(PersonHash(n % people));
            }
            note(&seen, &mut record);
        }
        record
    }

    fn forwarder(good: u32, domains: u64, people: u64, content: &Content) -> bool {
        record(good, domains, people, content).is_forwarder(ended(99, Content::default()).at)
    }

    fn sent_on(spf: Spf, shape: Shape) -> Content {
        Content { spf, shape, dkim: Some(DomainHash(1)), ..Content::default() }
    }

    #[test]
    fn signatures_of_five_domains_without_spf_to_three_people_make_a_forwarder() {
        let plain = Shape::default();
        for content in
            [sent_on(Spf::Fail, plain), sent_on(Spf::SoftFail, plain), sent_on(Spf::Pass, Shape::REWRITTEN)]
        {
            assert!(forwarder(5, 5, 3, &content), "{content:?}");
            assert!(!forwarder(5, 4, 3, &content), "four domains");
            assert!(!forwarder(5, 5, 4, &content), "four people");
            assert!(!forwarder(4, 5, 3, &content), "too little good mail");
        }
        assert!(!forwarder(5, 5, 3, &sent_on(Spf::Pass, plain)), "it may send for them");
        assert!(!forwarder(5, 5, 3, &Content { dkim: None, ..sent_on(Spf::Fail, plain) }), "unsigned");
    }

    #[test]
    fn a_learned_forwarder_is_of_that_class_for_a_month() {
        let record = record(5, 5, 1, &sent_on(Spf::Fail, Shape::default()));
        let class = |days: u64| {
            record.class(&crate::Traits::default(), ended(days * 86_400 + 99, Content::default()).at)
        };
        assert_eq!([class(0), class(29)], [Class::Forwarder; 2]);
        assert_ne!(class(31), Class::Forwarder);
    }

    #[test]
    fn five_customers_make_a_host_if_good_mail_is_among_theirs() {
        let at = ended(99, Content::default()).at;
        let customers =
            |good, domains| record(good, domains, 9, &sent_on(Spf::Pass, Shape::default())).customers(at);
        assert_eq!(
            [customers(5, 5), customers(5, 20), customers(5, 4), customers(4, 5)],
            [Some(5), Some(8), None, None]
        );
    }
}
