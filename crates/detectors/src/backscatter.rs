//! OFF-15, backscatter: bounces and automatic answers that nobody caused.
//!
//! Needs: the traps, or the record of what our own people sent, or the recipients that the
//! MTA refused. Such a host answers to forged senders; the block refuses its null-sender
//! mail and nothing else, so good mail need not outweigh it.
//!
//! False positives come from: a subscription robot that was told a trap's address (a
//! welcome counts half, and is no trap hit: S70), bounces of mail that our people sent
//! around Mailward (hence the record of two weeks before it counts).

use minicbor::{Decode, Encode};
use model::content::Shape;
use model::finding::Measure;
use model::{Finding, Judgement, Offence, PersonHash, Secs, Units};

use crate::distinct::Recent;
use crate::record::Record;
use crate::seen::{Act, Context, Detector, Ended, Seen};

/// Distinct recipients in 24 hours that block, under the class factor.
const RECIPIENTS: u32 = 5;
/// Recipients that are told apart; an established server needs fifty.
const RECIPIENTS_MAX: usize = 64;
/// A recipient's weight, in halves.
const WHOLE: u8 = 2;
const HALF: u8 = 1;

/// Recipients of 24 hours, with their weights.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Recent>>);

/// Whether a message was written by a machine in answer to another: a bounce, or an answer
/// that says so.
pub fn is_answer(shape: Shape) -> bool {
    shape.any(Shape::NULL_SENDER | Shape::AUTOMATIC | Shape::BOUNCE)
}

/// Whether a message that reached a trap is no spam: an answer, or what a subscription
/// robot sends to anybody whose address it was given (S70).
pub fn is_mild(shape: Shape) -> bool {
    is_answer(shape) || shape.any(Shape::CONFIRMATION)
}

/// G-BOUNCE: whether a fact is about a bounce or an automatic answer, and about nothing else.
/// A filter that calls it spam, or a scanner that finds a virus in it, speaks of what came to
/// the host, not of what it is.
///
/// The marks stand in the message itself, so a bot could set them. Only who looks like a mail
/// server or has sent good mail is spared (docs/decisions/bounces.md).
pub fn is_only_answer(seen: &Seen, around: &Context<'_>) -> bool {
    let shape = match &seen.act {
        Act::Judged { judgement, shape, .. } if *judgement != Judgement::Ham => *shape,
        Act::Ended(ended) => ended.content.shape,
        _ => return false,
    };
    is_answer(shape) && (around.good > 0 || !seen.traits.suspicious())
}

/// Whether an offence is about what messages hold, and so not about a bounce's host.
pub fn spares(offence: Offence) -> bool {
    use Offence::{Attachment, ForgedSender, HashFlood, SpamVolume, Virus};
    matches!(offence, SpamVolume | HashFlood | Virus | Attachment | ForgedSender)
}

/// The detector.
pub struct Backscatter;

impl Detector for Backscatter {
    fn offence(&self) -> Offence {
        Offence::Backscatter
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let hits = match &seen.act {
            Act::Ended(ended) => hits(ended),
            Act::Rejected { recipient: Some(who), unknown: true, null_sender: true } => vec![(*who, WHOLE)],
            _ => return None,
        };
        if hits.is_empty() {
            return None;
        }
        let recent = of.rare().backscatter.0.get_or_insert_default();
        let new = hits.iter().filter(|(PersonHash(who), weight)| {
            recent.meet(*who as u32, *weight, seen.at, Secs::DAY, RECIPIENTS_MAX)
        });
        let halves: u64 = new.map(|(_, weight)| u64::from(*weight)).sum();
        let day = recent.weight(Secs::DAY, seen.at);
        // The sentence slides with every hit, whoever got it (C.2).
        of.account.add(Offence::Backscatter, seen.at, Units::from_quarters(halves * 2));
        let limit = around.scaled(RECIPIENTS)?;
        let facts = vec![(Measure::BackscatterDay, day / 2), (Measure::LimitBackscatterDay, limit)];
        let finding = Finding { offence: Offence::Backscatter, key: seen.key, at: seen.at, facts };
        (day >= limit * u64::from(WHOLE)).then_some(finding)
    }
}

/// Whom a message hit: the traps at half, or a recipient who had not written.
fn hits(ended: &Ended) -> Vec<(PersonHash, u8)> {
    let shape = ended.content.shape;
    if !is_mild(shape) {
        return Vec::new();
    }
    if !ended.traps.is_empty() {
        return ended.traps.iter().map(|(who, _)| (*who, HALF)).collect();
    }
    let unasked = ended.unasked && is_answer(shape);
    ended.recipient.filter(|_| unasked).map(|who| (who, WHOLE)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::policy::TrapKind;
    use model::{Class, Content, Policy};

    fn seen(n: u64, act: Act) -> Seen {
        Seen { act, ..ended(n, Content::default()) }
    }

    fn message(n: u64, shape: Shape, trap: bool, unasked: bool) -> Seen {
        let who = PersonHash(n);
        let content = Content { shape, ..Content::default() };
        let traps = trap.then_some((who, TrapKind::Pristine)).into_iter().collect();
        seen(n, Act::Ended(Box::new(Ended { content, recipient: Some(who), recipients: 1, traps, unasked })))
    }

    fn fires_at(class: Class, seen: impl Fn(u64) -> Seen) -> Option<u64> {
        let (policy, mut record) = (Policy::shipped(), Record::default());
        let around = around(&policy, class);
        (1..=99).find(|n| Backscatter.observe(&seen(*n), &mut record, &around).is_some())
    }

    #[test]
    fn ten_traps_that_got_a_welcome_or_a_bounce_count_five() {
        for shape in [Shape::CONFIRMATION, Shape::AUTOMATIC, Shape::BOUNCE, Shape::NULL_SENDER] {
            assert_eq!(fires_at(Class::Unknown, |n| message(n, shape, true, false)), Some(10));
        }
        assert_eq!(fires_at(Class::Known, |n| message(n, Shape::BOUNCE, true, false)), Some(30));
        assert_eq!(fires_at(Class::Unknown, |n| message(n, Shape::default(), true, false)), None);
    }

    #[test]
    fn five_people_who_had_not_written_block() {
        assert_eq!(fires_at(Class::Unknown, |n| message(n, Shape::BOUNCE, false, true)), Some(5));
        assert_eq!(fires_at(Class::Unknown, |n| message(n, Shape::BOUNCE, false, false)), None);
        assert_eq!(fires_at(Class::Unknown, |n| message(n, Shape::CONFIRMATION, false, true)), None);
        assert_eq!(fires_at(Class::Unknown, |n| message(n % 4, Shape::BOUNCE, false, true)), None);
    }

    #[test]
    fn five_bounces_to_nobody_block() {
        let rejected = |n, unknown, null_sender| {
            seen(n, Act::Rejected { recipient: Some(PersonHash(n)), unknown, null_sender })
        };
        assert_eq!(fires_at(Class::Unknown, |n| rejected(n, true, true)), Some(5));
        assert_eq!(fires_at(Class::Unknown, |n| rejected(n, false, true)), None);
        assert_eq!(fires_at(Class::Unknown, |n| rejected(n, true, false)), None);
    }
}
