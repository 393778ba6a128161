//! OFF-14, forged senders.
//!
//! Needs: SPF for the envelope sender (RFC 7208). One message that fails says little: a
//! forwarder breaks SPF for everybody behind it. A host that fails for many unrelated
//! domains at once, with no signature that holds among them, forges.
//!
//! False positives come from: forwarders (class; a rewritten sender does not count), list
//! hosts (the shape of a list does not count), DNS trouble (an error is no failure),
//! careful domains (softfail is none).

use minicbor::{Decode, Encode};
use model::content::{Shape, Spf};
use model::finding::Measure;
use model::window::Window;
use model::{Class, Content, Finding, Millis, Offence, Secs, Units};

use crate::distinct::Recent;
use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// Failures in one hour that block, under the class factor.
const FAILS: u32 = 50;
/// Sender domains that they must be of.
const DOMAINS: u64 = 10;
/// Domains that are told apart.
const DOMAINS_MAX: usize = 16;

/// Failures of one hour.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Counts>>);

#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Counts {
    #[n(0)]
    fails: Window,
    /// Failures whose DKIM signature holds.
    #[n(1)]
    signed: Window,
    #[n(2)]
    domains: Recent,
}

impl Slot {
    /// What they weigh against good mail: their units.
    pub fn weight(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |counts| counts.fails.sum(Secs::HOUR, now))
    }
}

/// The detector.
pub struct ForgedSender;

impl Detector for ForgedSender {
    fn offence(&self) -> Offence {
        Offence::ForgedSender
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Ended(ended) = &seen.act else { return None };
        if !is_failure(&ended.content, around.good > 0 || around.class >= Class::Known) {
            return None;
        }
        let counts = of.rare().forged.0.get_or_insert_default();
        if ended.content.dkim.is_some() {
            counts.signed.add(Secs::HOUR, seen.at, 1);
            return None;
        }
        counts.fails.add(Secs::HOUR, seen.at, 1);
        if let Some(domain) = ended.content.sender_domain {
            counts.domains.meet(domain.0 as u32, 1, seen.at, Secs::HOUR, DOMAINS_MAX);
        }
        let facts = facts(counts, seen.at, around.scaled(FAILS));
        // A message with a forged sender is one nobody asked for.
        of.account.add(Offence::ForgedSender, seen.at, Units::whole(1));
        Some(Finding { offence: Offence::ForgedSender, key: seen.key, at: seen.at, facts: facts? })
    }
}

/// RFC 7208 §8.4: ‘an explicit statement that the client is not authorized’; softfail
/// (§8.5) is a weak one, an error (§8.6, §8.7) none. The marks of a forwarder and of a list
/// stand in the message itself, so a stranger's explain nothing.
fn is_failure(content: &Content, known: bool) -> bool {
    content.spf == Spf::Fail && !(known && content.shape.any(Shape::REWRITTEN | Shape::LIST))
}

fn facts(counts: &Counts, now: Millis, limit: Option<u64>) -> Option<model::Facts> {
    let limit = limit?;
    let (fails, domains) = (counts.fails.sum(Secs::HOUR, now), counts.domains.count(Secs::HOUR, now));
    let forges = fails >= limit && domains >= DOMAINS && counts.signed.sum(Secs::HOUR, now) == 0;
    forges.then(|| {
        vec![
            (Measure::SpfFailsHour, fails),
            (Measure::LimitSpfFailsHour, limit),
            (Measure::SenderDomainsHour, domains),
            (Measure::LimitSenderDomainsHour, DOMAINS),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::Policy;
    use model::name::DomainHash;

    fn fail(domain: u64) -> Content {
        Content { spf: Spf::Fail, sender_domain: Some(DomainHash(domain)), ..Content::default() }
    }

    /// Two hundred messages, one every `apart` seconds: at which does it fire?
    fn fires_at(class: Class, apart: u64, content: impl Fn(u64) -> Content) -> Option<u64> {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, class);
        (1..=200)
            .find(|n| ForgedSender.observe(&ended(n * apart, content(*n)), &mut record, &around).is_some())
    }

    #[test]
    fn fifty_failures_over_ten_domains_in_an_hour() {
        assert_eq!(fires_at(Class::Unknown, 10, |n| fail(n % 10)), Some(50));
        assert_eq!(fires_at(Class::Unknown, 10, |n| fail(n % 9)), None, "nine domains");
        assert_eq!(fires_at(Class::Unknown, 90, |n| fail(n % 10)), None, "forty an hour");
        assert_eq!(fires_at(Class::Known, 10, |n| fail(n % 10)), Some(150));
        assert_eq!(fires_at(Class::Forwarder, 1, |n| fail(n % 10)), None);
    }

    #[test]
    fn one_signature_that_holds_among_them_speaks_for_a_forwarder() {
        let signed = |n: u64| Content { dkim: (n == 20).then_some(DomainHash(1)), ..fail(n) };
        assert_eq!(fires_at(Class::Unknown, 10, signed), None);
    }

    #[test]
    fn only_a_plain_failure_counts() {
        for spf in [Spf::None, Spf::Neutral, Spf::Pass, Spf::SoftFail, Spf::TempError, Spf::PermError] {
            assert_eq!(fires_at(Class::Unknown, 10, |n| Content { spf, ..fail(n) }), None, "{spf:?}");
        }
        for shape in [Shape::REWRITTEN, Shape::LIST] {
            let marked = |class| fires_at(class, 10, |n| Content { shape, ..fail(n) });
            assert_eq!(marked(Class::Known), None);
            assert_eq!(marked(Class::Unknown), Some(50), "anybody can write it");
        }
    }
}
