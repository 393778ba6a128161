//! `hash-flood` (REQUIREMENTS A.4): spam again, from a server of which we know no good mail.
//!
//! Needs: a verdict for each message. The second message judged spam within 24 hours blocks a
//! key that is not known and sent no good mail in 30 days. Where a milter sees messages, the
//! first one does, if three unrelated networks sent its text as spam within 24 hours and
//! nobody's good mail has that text; the engine keeps the texts. It is OFF-1 for those who
//! send little: it looks at OFF-1's counts, the units are OFF-1's, and so is the sentence,
//! which has a longer floor and slides.
//!
//! False positives come from: a filter's own errors, and list hosts that we hear of for the
//! first time. One good message in 30 days shields a key, where A.4 asks for ten: on one recorded
//! stream nine cost 176 good messages more (docs/decisions/hash-flood.md). Known servers, list
//! hosts, forwarders and shared senders are never blocked here (S109).

use model::content::Shape;
use model::finding::Measure;
use model::{Class, Finding, Judgement, Offence};

use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// The detector. It counts nothing of its own: OFF-1's slot has the numbers.
pub struct HashFlood;

impl Detector for HashFlood {
    fn offence(&self) -> Offence {
        Offence::HashFlood
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Judged { judgement: Judgement::Spam, shape, .. } = seen.act else { return None };
        if shape.any(Shape::TO_ABUSE_DESK) || around.class > Class::Unknown {
            return None;
        }
        let facts = known_text(of, seen, around).or_else(|| again(of, seen, around))?;
        Some(Finding { offence: Offence::HashFlood, key: seen.key, at: seen.at, facts })
    }
}

/// The first message of a stranger, with a text that many networks send as spam.
fn known_text(of: &Record, seen: &Seen, around: &Context<'_>) -> Option<model::Facts> {
    let (networks, limit) = (around.beside.text_networks, around.policy.hash_flood.networks);
    let stranger = around.good == 0 && !of.has_history(seen.at);
    (stranger && networks >= limit).then(|| {
        vec![
            (Measure::TextNetworks, networks.into()),
            (Measure::LimitTextNetworks, limit.into()),
            (Measure::GoodMail30d, around.good.into()),
        ]
    })
}

/// Spam again.
fn again(of: &Record, seen: &Seen, around: &Context<'_>) -> Option<model::Facts> {
    let rule = &around.policy.hash_flood;
    // OFF-1 has not counted this message yet: it stands behind us in the list.
    let (day, week) = (of.volume.spam_day(seen.at) + 1, of.volume.spam_week(seen.at) + 1);
    let (limit, good) = (around.least(rule.spam_day), u64::from(around.good));
    let fires = day >= limit && good < u64::from(rule.good) && week > good;
    fires.then(|| vec![(Measure::SpamDay, day), (Measure::LimitSpamDay, limit), (Measure::GoodMail30d, good)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::{Beside, Traits, tests::around};
    use crate::volume::SpamVolume;
    use model::{Millis, Policy};

    fn judged(at: u64, judgement: Judgement, shape: Shape) -> Seen {
        let act = Act::Judged { judgement, recipients: 1, recipient: None, shape, signed: false };
        let at = Millis::from_secs(1_000_000_000 + at);
        Seen { at, key: "192.0.2.1".parse().unwrap(), traits: Traits::default(), act }
    }

    /// At which of so many spams, each `apart` seconds from the next, the rule fires.
    fn fires_at(spam: u64, apart: u64, around: &Context<'_>) -> Option<u64> {
        let mut record = Record::default();
        (1..=spam).find(|n| {
            let seen = judged(n * apart, Judgement::Spam, Shape::default());
            let found = HashFlood.observe(&seen, &mut record, around);
            SpamVolume.observe(&seen, &mut record, around);
            found.is_some()
        })
    }

    #[test]
    fn a_4_the_second_spam_in_a_day_blocks_a_key_without_good_mail() {
        let policy = Policy::shipped();
        for class in [Class::Dynamic, Class::NoRdns, Class::Unknown] {
            assert_eq!(fires_at(9, 3600, &around(&policy, class)), Some(2), "{class:?}");
        }
        let stranger = around(&policy, Class::Unknown);
        assert_eq!(fires_at(9, 25 * 3600, &stranger), None, "one a day");
        assert_eq!(fires_at(9, 3600, &Context { on_probation: true, ..stranger }), Some(1));
    }

    #[test]
    fn s109_good_mail_and_a_better_class_shield() {
        let policy = Policy::shipped();
        let stranger = around(&policy, Class::Unknown);
        assert_eq!(fires_at(9, 60, &Context { good: 1, ..stranger }), None);
        for class in [Class::Known, Class::Established, Class::ListHost, Class::Forwarder, Class::Shared] {
            assert_eq!(fires_at(9, 60, &around(&policy, class)), None, "{class:?}");
        }
    }

    #[test]
    fn where_some_good_mail_is_allowed_spam_must_outweigh_it() {
        let mut policy = Policy::shipped();
        policy.hash_flood.good = 10;
        let with = |good| fires_at(9, 60, &Context { good, ..around(&policy, Class::Unknown) });
        assert_eq!([1, 2, 8, 9].map(with), [Some(2), Some(3), Some(9), None]);
    }

    #[test]
    fn a_4_the_first_spam_with_a_known_text_blocks_a_stranger() {
        let policy = Policy::shipped();
        let with = |class, good, text_networks| {
            let beside = Beside { text_networks, ..Beside::default() };
            fires_at(1, 60, &Context { good, beside, ..around(&policy, class) })
        };
        assert_eq!(with(Class::Unknown, 0, 3), Some(1));
        assert_eq!(with(Class::Unknown, 0, 2), None);
        assert_eq!(with(Class::Unknown, 1, 9), None);
        assert_eq!(with(Class::Established, 0, 9), None, "per-message refusal only");
    }

    #[test]
    fn what_somebody_shows_an_abuse_desk_is_no_spam_of_his() {
        let policy = Policy::shipped();
        let around = around(&policy, Class::Unknown);
        let mut record = Record::default();
        let fired = (1..9).any(|n| {
            let seen = judged(n, Judgement::Spam, Shape::TO_ABUSE_DESK);
            HashFlood.observe(&seen, &mut record, &around).is_some()
        });
        assert!(!fired);
    }
}
