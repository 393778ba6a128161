//! Networks that come with a new /64 each time (ADV-12).
//!
//! Who has a /48 has 65,536 keys, each of them a stranger. Where greylisting is on, a /48 of
//! which more than thirty keys were new within one hour is asked to come back for a day,
//! whatever its connections look like; its good mail, and pools that pass, are not. Shared
//! senders are not counted. That is a lesson, so all who answer know it.
//!
//! False positives come from large sites that send from many /64: they lose five minutes,
//! once, because a pool passes with its name. Bounded: networks that brought a single new key
//! give way, and while there is no room others are not watched.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use model::window::Window;
use model::{Actor, Body, Lesson, Millis, Mode, Prefix, Secs, Subject};

use crate::council::Council;

/// More new keys than this within an hour are a rotation.
const FRESH_MAX: u64 = 30;
/// For so long the network waits.
const LASTS: Secs = Secs::DAY;
/// Networks that are watched at once, about 100 bytes each.
const NETWORKS_MAX: usize = 4096;
/// A flood must not make us look at every network for each of its keys.
const SWEEP_AGAIN_AFTER: Secs = Secs::MINUTE;

/// New keys by network.
#[derive(Debug, Decode, Default, Encode)]
pub(crate) struct Rotating {
    #[n(0)]
    networks: BTreeMap<Prefix, Fresh>,
    #[n(1)]
    swept: Millis,
}

#[derive(Debug, Decode, Default, Encode)]
struct Fresh {
    #[n(0)]
    hour: Window,
    #[n(1)]
    until: Millis,
}

impl Rotating {
    /// Counts a key that was never seen; says so when its network has brought too many.
    fn note(&mut self, key: Prefix, now: Millis) -> Option<Lesson> {
        let network = Prefix::new(key.addr(), 48);
        let fresh = self.fresh(network, now)?;
        fresh.hour.add(Secs::HOUR, now, 1);
        let bad = fresh.hour.sum(Secs::HOUR, now);
        if bad <= FRESH_MAX || fresh.until > now {
            return None;
        }
        fresh.until = now.plus(LASTS);
        let bad = u32::try_from(bad).unwrap_or(u32::MAX);
        Some(Lesson { of: Subject::Rotating(network), quarters: 1, until: fresh.until, bad, good: 0 })
    }

    /// What is known of a network, if it is known or there is room.
    fn fresh(&mut self, network: Prefix, now: Millis) -> Option<&mut Fresh> {
        if self.networks.len() >= NETWORKS_MAX && now.since(self.swept) >= SWEEP_AGAIN_AFTER {
            self.swept = now;
            self.networks.retain(|_, fresh| fresh.until > now || fresh.hour.sum(Secs::HOUR, now) > 1);
        }
        if self.networks.len() >= NETWORKS_MAX && !self.networks.contains_key(&network) {
            return None;
        }
        Some(self.networks.entry(network).or_default())
    }
}

impl Council {
    /// Hears of a key that was never seen.
    pub(crate) fn fresh(&mut self, index: u32, key: Prefix) {
        let now = self.now();
        if let Some(lesson) = self.rotating.note(key, now) {
            let cause = self.writer.input(index);
            self.write(cause, Actor::Engine, Mode::Live, None, None, Body::Learnt(lesson));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis::from_secs(1_793_491_200);

    fn nth(network: u32, key: u32) -> Prefix {
        format!("2001:{network:x}:7:{key:x}::/64").parse().unwrap()
    }

    #[test]
    fn adv_12_the_thirty_first_new_key_within_an_hour_is_one_too_many() {
        let mut rotating = Rotating::default();
        let told = (1..=40).filter(|n| rotating.note(nth(0xdb8, *n), NOW).is_some()).collect::<Vec<_>>();
        assert_eq!(told, [31]);
        let mut slow = Rotating::default();
        let later = |n: u32| NOW.plus(Secs(u64::from(n) * 150));
        assert!((1..=400).all(|n| slow.note(nth(0xdb8, n), later(n)).is_none()), "24 an hour");
        let again = (1..=40).filter(|n| rotating.note(nth(0xdb8, *n), NOW.plus(LASTS)).is_some());
        assert_eq!(again.count(), 1, "a day later it is counted anew");
    }

    #[test]
    fn no_flood_of_networks_takes_more_room_or_hides_one_that_rotates() {
        let mut rotating = Rotating::default();
        (1..=20).for_each(|n| _ = rotating.note(nth(2, n), NOW));
        (10..=20_000).for_each(|n| _ = rotating.note(nth(n, 1), NOW));
        assert_eq!(rotating.networks.len(), NETWORKS_MAX);
        let told = (21..=31).filter(|n| rotating.note(nth(2, *n), NOW).is_some()).count();
        assert_eq!(told, 1, "its twenty were not forgotten");
        let later = NOW.plus(Secs::MINUTE);
        let other = (1..=31).filter(|n| rotating.note(nth(3, *n), later).is_some()).count();
        assert_eq!((other, rotating.networks.len()), (1, 2), "those of a single key have given way");
    }
}
