//! OFF-3, greytrapping: strangers that write to traps before they pass greylisting.
//!
//! Needs: greylisting, and recipients that the mail server itself refuses (a milter). Only
//! a client is looked at that greylisting would ask to come back and that has no pass; the
//! engine says so. One trap, one recipient at a domain that is not ours, or two different
//! recipients that do not exist: then it is deferred until a day has passed without another.
//!
//! It defers and never refuses, so a server that tries again is merely late. False positives
//! come from a first message with two misspelt recipients, and from mail that a wrong DNS
//! entry sends here; a client with any good mail is exempt, and so are bounces.

use minicbor::{Decode, Encode};
use model::finding::Measure;
use model::{Finding, Millis, Offence, Secs, Units};

use crate::distinct::Recent;
use crate::record::Record;
use crate::seen::{Act, Context, Detector, GreyHit, Seen};

/// Different recipients that do not exist, in a day (C.3: at least two).
const UNKNOWN: u64 = 2;
/// So many are told apart; two are enough.
const UNKNOWN_MAX: usize = 8;

/// What a stranger wrote to.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub struct Slot {
    /// Recipients that do not exist.
    #[n(0)]
    unknown: Recent,
}

impl Slot {
    /// What a hit is, as far as it fires.
    fn hit(&mut self, hit: GreyHit, at: Millis) -> Option<Vec<(Measure, u64)>> {
        Some(match hit {
            GreyHit::Trap => vec![(Measure::GreyTrapsDay, 1)],
            GreyHit::NotOurs => vec![(Measure::GreyRelaysDay, 1)],
            GreyHit::Unknown(who) => {
                self.unknown.meet(who, 1, at, Secs::DAY, UNKNOWN_MAX);
                let count = self.unknown.count(Secs::DAY, at);
                let facts = vec![(Measure::GreyUnknownDay, count), (Measure::LimitGreyUnknown, UNKNOWN)];
                return (count >= UNKNOWN).then_some(facts);
            }
        })
    }
}

/// The detector.
pub struct Greytrap;

impl Detector for Greytrap {
    fn offence(&self) -> Offence {
        Offence::Greytrap
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Greyed(hit) = seen.act else { return None };
        if around.good > 0 {
            return None;
        }
        of.account.add(Offence::Greytrap, seen.at, Units::whole(1));
        let facts = of.rare().greytrap.hit(hit, seen.at)?;
        Some(Finding { offence: Offence::Greytrap, key: seen.key, at: seen.at, facts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::{Class, Content, Policy};

    /// At which of these hits, each so many seconds after the start, the rule fires.
    #[track_caller]
    fn check(good: u32, hits: &[(u64, GreyHit)], expect: Option<usize>) {
        let policy = Policy::shipped();
        let around = Context { good, ..around(&policy, Class::Unknown) };
        let mut record = Record::default();
        let fired = hits.iter().position(|(secs, hit)| {
            let seen = Seen { act: Act::Greyed(*hit), ..ended(*secs, Content::default()) };
            Greytrap.observe(&seen, &mut record, &around).is_some()
        });
        assert_eq!(fired, expect, "{hits:?}");
    }

    #[test]
    fn one_trap_or_one_foreign_domain_is_enough() {
        check(0, &[(0, GreyHit::Trap)], Some(0));
        check(0, &[(0, GreyHit::NotOurs)], Some(0));
    }

    #[test]
    fn of_recipients_that_do_not_exist_two_different_ones_are() {
        let unknown = |secs, who| (secs, GreyHit::Unknown(who));
        check(0, &[unknown(0, 1), unknown(60, 1), unknown(120, 1)], None);
        check(0, &[unknown(0, 1), unknown(60, 1), unknown(120, 2)], Some(2));
        check(0, &[unknown(0, 1), unknown(86_400, 2)], None);
    }

    #[test]
    fn good_mail_exempts() {
        check(1, &[(0, GreyHit::Trap), (1, GreyHit::NotOurs)], None);
    }
}
