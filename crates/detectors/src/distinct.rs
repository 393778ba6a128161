//! Who was met lately: distinct people or domains, each with its last time.
//!
//! Exact up to a cap that its owner gives; what comes beyond is not told apart and adds
//! nothing, so a count never says more than it was. A member is four bytes of a keyed hash:
//! two of them collide once in four thousand million pairs.

use minicbor::{Decode, Encode};
use model::{Millis, Secs};

/// Members with the minute in which each was last met, and what each weighs.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
pub struct Recent(#[n(0)] Vec<(u32, u32, u8)>);

impl Recent {
    /// Meets a member; says whether it had not been met within `span`.
    ///
    /// Among more than `max` members of that span there is no room for another.
    pub fn meet(&mut self, who: u32, weight: u8, at: Millis, span: Secs, max: usize) -> bool {
        let minute = at.minute();
        self.0.retain(|(_, met, _)| is_within(*met, minute, span));
        if let Some((_, met, weighs)) = self.0.iter_mut().find(|(known, ..)| *known == who) {
            (*met, *weighs) = ((*met).max(minute), (*weighs).max(weight));
            return false;
        }
        let room = self.0.len() < max;
        if room {
            if self.0.is_empty() {
                // Most sets end with one member.
                self.0.reserve_exact(1);
            }
            self.0.push((who, minute, weight));
        }
        room
    }

    /// Whether a member was met in the last `span`.
    pub fn holds(&self, who: u32, span: Secs, now: Millis) -> bool {
        let minute = now.minute();
        self.0.iter().any(|(known, met, _)| *known == who && is_within(*met, minute, span))
    }

    /// How many were met in the last `span`.
    pub fn count(&self, span: Secs, now: Millis) -> u64 {
        self.within(span, now).count() as u64
    }

    /// What those weigh together.
    pub fn weight(&self, span: Secs, now: Millis) -> u64 {
        self.within(span, now).map(u64::from).sum()
    }

    fn within(&self, span: Secs, now: Millis) -> impl Iterator<Item = u8> {
        let minute = now.minute();
        let lately = self.0.iter().filter(move |(_, met, _)| is_within(*met, minute, span));
        lately.map(|(.., weight)| *weight)
    }
}

fn is_within(met: u32, minute: u32, span: Secs) -> bool {
    u64::from(minute.saturating_sub(met)) < span.0 / 60
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Secs = Secs::DAY;

    fn at(minute: u64) -> Millis {
        Millis::from_secs(1_000_000_020 + minute * 60)
    }

    #[test]
    fn the_same_member_twice_is_one() {
        let mut recent = Recent::default();
        assert!(recent.meet(7, 1, at(0), DAY, 9));
        assert!(!recent.meet(7, 2, at(5), DAY, 9));
        assert!(recent.meet(8, 1, at(6), DAY, 9));
        assert_eq!((recent.count(DAY, at(6)), recent.weight(DAY, at(6))), (2, 3));
    }

    #[test]
    fn a_member_is_forgotten_a_span_after_it_was_last_met() {
        let mut recent = Recent::default();
        recent.meet(7, 1, at(0), DAY, 9);
        recent.meet(7, 1, at(1000), DAY, 9);
        assert_eq!([at(1000 + 1439), at(1000 + 1440)].map(|now| recent.count(DAY, now)), [1, 0]);
        assert_eq!(recent.count(Secs::HOUR, at(1060)), 0, "a shorter span may be asked for");
    }

    #[test]
    fn a_full_set_counts_no_further_until_somebody_is_forgotten() {
        let mut recent = Recent::default();
        assert_eq!((0..100).filter(|who| recent.meet(*who, 1, at(0), DAY, 64)).count(), 64);
        assert_eq!(recent.count(DAY, at(0)), 64);
        assert!(recent.meet(100, 1, at(1440), DAY, 64));
        assert_eq!(recent.count(DAY, at(1440)), 1);
    }
}
