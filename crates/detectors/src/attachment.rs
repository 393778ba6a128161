//! OFF-13, dangerous attachments.
//!
//! Needs: somebody who looked at the attachments. Counted is what the site does not take;
//! an encrypted archive, a macro or a lure alone is no offence. Each such message was
//! refused by itself already, so five in a day speak of the server, not of one user.

use minicbor::{Decode, Encode};
use model::content::{Danger, Shape};
use model::finding::Measure;
use model::window::Window;
use model::{Finding, Millis, Offence, Secs, Units};

use crate::record::Record;
use crate::seen::{Act, Context, Detector, Seen};

/// Units of one message (C.3).
const UNITS: u64 = 5;
/// Messages in 24 hours that block, under the class factor.
const MESSAGES: u32 = 5;

/// Such messages of 24 hours.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] Option<Box<Window>>);

impl Slot {
    fn day(&self, now: Millis) -> u64 {
        self.0.as_ref().map_or(0, |window| window.sum(Secs::DAY, now))
    }

    /// What they weigh against good mail: their units.
    pub fn weight(&self, now: Millis) -> u64 {
        self.day(now) * UNITS
    }
}

/// The detector.
pub struct Attachment;

impl Detector for Attachment {
    fn offence(&self) -> Offence {
        Offence::Attachment
    }

    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding> {
        let Act::Ended(ended) = &seen.act else { return None };
        let content = &ended.content;
        if content.attachment != Danger::Refused || content.shape.any(Shape::TO_ABUSE_DESK) {
            return None;
        }
        let slot = &mut of.rare().attachment;
        slot.0.get_or_insert_default().add(Secs::DAY, seen.at, 1);
        let messages = slot.day(seen.at);
        of.account.add(Offence::Attachment, seen.at, Units::whole(UNITS));
        let limit = around.scaled(MESSAGES)?;
        let facts = vec![(Measure::AttachmentsDay, messages), (Measure::LimitAttachmentsDay, limit)];
        let finding = Finding { offence: Offence::Attachment, key: seen.key, at: seen.at, facts };
        (messages >= limit).then_some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::tests::{around, ended};
    use model::{Class, Content};

    fn fires_at(class: Class, attachment: Danger, shape: Shape) -> Option<u64> {
        let (policy, mut record) = (model::Policy::shipped(), Record::default());
        let content = Content { attachment, shape, ..Content::default() };
        let around = around(&policy, class);
        (1..=99).find(|n| Attachment.observe(&ended(*n, content.clone()), &mut record, &around).is_some())
    }

    #[test]
    fn five_in_a_day_block_a_stranger_and_more_others() {
        let refused = |class| fires_at(class, Danger::Refused, Shape::default());
        assert_eq!(refused(Class::Dynamic), Some(3));
        assert_eq!(refused(Class::Unknown), Some(5));
        assert_eq!(refused(Class::Known), Some(15));
        assert_eq!(refused(Class::Established), Some(50));
        assert_eq!(refused(Class::Shared), None);
    }

    #[test]
    fn what_only_scores_and_samples_for_the_abuse_desk_are_no_offence() {
        for danger in [Danger::None, Danger::Score, Danger::Encrypted] {
            assert_eq!(fires_at(Class::Unknown, danger, Shape::default()), None, "{danger:?}");
        }
        assert_eq!(fires_at(Class::Unknown, Danger::Refused, Shape::TO_ABUSE_DESK), None);
    }

    #[test]
    fn each_counts_five_units() {
        let (policy, mut record) = (model::Policy::shipped(), Record::default());
        let content = Content { attachment: Danger::Refused, ..Content::default() };
        Attachment.observe(&ended(1, content), &mut record, &around(&policy, Class::Unknown));
        assert_eq!(record.account.take_fresh()[0].units, Units::whole(5));
    }
}
