//! G-UPSTREAM: a host that carries a large part of our mail, good mail among it, is a relay
//! or forwarder of our own, declared or not.
//!
//! Such a host hands on other people's spam and would be the first to be blocked (DESIGN
//! §8, ADV-20). Counted are accepted messages by day; at most a few keys can have the share
//! that is asked for, so a short list of the most frequent ones (space-saving) is enough.
//! It may take a key for slightly more than it was, never for less.

use std::collections::{BTreeMap, VecDeque};

use detectors::facts::PassesOn;
use minicbor::{Decode, Encode};
use model::{Millis, Prefix, Secs};

/// Days that are looked back on, today not among them.
const DAYS_KEPT: u32 = 7;
/// On so many of them a key must have had its share.
const DAYS_MIN: usize = 3;
/// The share of the site's accepted messages, in percent.
const SHARE: u64 = 20;
/// The share of good mail among the key's own, in percent.
const GOOD: u64 = 10;
/// A day with fewer messages says nothing.
const MESSAGES_MIN: u64 = 100;
/// Keys that are told apart in one day: none is off by more than a 32nd of all messages.
const CARRIERS_MAX: usize = 32;

/// Who carried our mail lately.
#[derive(Debug, Decode, Default, Encode)]
#[cbor(transparent)]
pub(crate) struct Upstream(#[n(0)] VecDeque<Day>);

#[derive(Debug, Decode, Encode)]
struct Day {
    #[n(0)]
    day: u32,
    #[n(1)]
    messages: u64,
    /// The most frequent keys, the last one seen first.
    #[n(2)]
    carriers: VecDeque<Carrier>,
}

#[derive(Debug, Decode, Encode)]
struct Carrier {
    #[n(0)]
    key: Prefix,
    #[n(1)]
    messages: u64,
    #[n(2)]
    good: u64,
}

/// Keys that are remembered to pass mail on by what their messages showed.
const PASSING_MAX: usize = 256;
/// For so long after it was last seen.
const PASSING_KEPT: Secs = Secs(7 * 86_400);

/// Keys whose messages showed that they pass other people's mail on: for `doctor`. Whether
/// one may be blocked says its own record.
#[derive(Debug, Decode, Default, Encode)]
#[cbor(transparent)]
pub(crate) struct Passing(#[n(0)] BTreeMap<Prefix, (PassesOn, Millis)>);

impl Passing {
    /// A key showed it at `now`.
    pub(crate) fn note(&mut self, key: Prefix, why: PassesOn, now: Millis) {
        if self.0.len() >= PASSING_MAX && !self.0.contains_key(&key) {
            self.0.retain(|_, (_, last)| now.since(*last) < PASSING_KEPT);
        }
        if self.0.len() < PASSING_MAX || self.0.contains_key(&key) {
            self.0.insert(key, (why, now));
        }
    }

    /// Every such key of the last week.
    pub(crate) fn all(&self, now: Millis) -> impl Iterator<Item = (Prefix, PassesOn)> {
        let lately = self.0.iter().filter(move |(_, (_, last))| now.since(*last) < PASSING_KEPT);
        lately.map(|(key, (why, _))| (*key, *why))
    }
}

impl Upstream {
    /// A message was accepted from a key.
    pub(crate) fn accepted(&mut self, key: Prefix, now: Millis) {
        self.turn(now.day());
        let Some(today) = self.0.back_mut() else { return };
        today.messages = today.messages.saturating_add(1);
        let carrier = today.carrier(key);
        carrier.messages = carrier.messages.saturating_add(1);
    }

    /// A message of a key was good.
    pub(crate) fn good(&mut self, key: Prefix) {
        let today = self.0.back_mut();
        if let Some(carrier) = today.and_then(|day| day.carriers.iter_mut().find(|c| c.key == key)) {
            carrier.good = carrier.good.saturating_add(1);
        }
    }

    /// Whether a key is upstream of us.
    pub(crate) fn holds(&self, key: Prefix, now: Millis) -> bool {
        let lately = self.0.iter().filter(|day| day.day < now.day());
        lately.filter(|day| day.is_carried_by(key)).count() >= DAYS_MIN
    }

    /// Every key that is upstream of us.
    pub(crate) fn all(&self, now: Millis) -> Vec<Prefix> {
        let mut keys: Vec<Prefix> =
            self.0.iter().flat_map(|day| day.carriers.iter().map(|carrier| carrier.key)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| self.holds(*key, now));
        keys
    }

    fn turn(&mut self, day: u32) {
        if self.0.back().is_none_or(|newest| newest.day < day) {
            self.0.push_back(Day { day, messages: 0, carriers: VecDeque::new() });
            self.0.retain(|kept| day.saturating_sub(kept.day) <= DAYS_KEPT);
        }
    }
}

impl Day {
    /// The count of a key, which takes over that of the least frequent one if it is new.
    fn carrier(&mut self, key: Prefix) -> &mut Carrier {
        let known = self.carriers.iter().position(|carrier| carrier.key == key);
        let place = known.or_else(|| (self.carriers.len() >= CARRIERS_MAX).then(|| self.least()));
        let taken = place.and_then(|place| self.carriers.remove(place));
        let messages = taken.as_ref().map_or(0, |carrier| carrier.messages);
        let good = taken.filter(|_| known.is_some()).map_or(0, |carrier| carrier.good);
        self.carriers.push_front(Carrier { key, messages, good });
        &mut self.carriers[0]
    }

    fn least(&self) -> usize {
        let places = self.carriers.iter().enumerate();
        places.min_by_key(|(_, carrier)| carrier.messages).map_or(0, |(place, _)| place)
    }

    fn is_carried_by(&self, key: Prefix) -> bool {
        let carrier = self.carriers.iter().find(|carrier| carrier.key == key);
        let large = |c: &Carrier| percent(c.messages, self.messages) > SHARE;
        let good = |c: &Carrier| percent(c.good, c.messages) >= GOOD;
        self.messages >= MESSAGES_MIN && carrier.is_some_and(|c| large(c) && good(c))
    }
}

/// A share in whole percent, rounded down.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn key(n: u32) -> Prefix {
        Prefix::new(std::net::Ipv4Addr::from_bits(0x0b00_0000 + n).into(), 32)
    }

    /// After so many days on which a relay carried `of_100` of a hundred messages, `good` of
    /// them good: is it upstream?
    fn after(days: u64, of_100: u32, good: u32) -> bool {
        let mut upstream = Upstream::default();
        for day in 0..days {
            let now = START.plus(Secs(day * 86_400));
            for n in 0..200 {
                upstream.accepted(if n % 100 < of_100 { key(0) } else { key(n) }, now);
            }
            (0..good * 2).for_each(|_| upstream.good(key(0)));
        }
        upstream.holds(key(0), START.plus(Secs(days * 86_400)))
    }

    #[test]
    fn more_than_a_fifth_of_all_mail_on_three_days_makes_a_relay() {
        assert!(after(3, 25, 5));
        assert!(!after(2, 25, 5), "two days are too few");
        assert!(!after(3, 12, 5), "an eighth is too little");
        assert!(!after(9, 60, 5), "of sixty messages, six must be good");
        assert!(after(9, 60, 6));
    }

    #[test]
    fn what_was_a_week_ago_counts_no_more() {
        let mut upstream = Upstream::default();
        for day in 0..12 {
            let now = START.plus(Secs(day * 86_400));
            let relay = if day < 4 { key(0) } else { key(1) };
            for n in 0..100 {
                upstream.accepted(if n < 40 { relay } else { key(n) }, now);
                upstream.good(relay);
            }
            let expected = match day {
                0..=2 => vec![],
                3..=6 => vec![key(0)],
                7..=8 => vec![key(0), key(1)],
                _ => vec![key(1)],
            };
            assert_eq!(upstream.all(now), expected, "day {day}");
        }
    }

    #[test]
    fn a_small_site_s_day_says_nothing() {
        let mut upstream = Upstream::default();
        for day in 0..7 {
            let now = START.plus(Secs(day * 86_400));
            (0..99).for_each(|_| upstream.accepted(key(0), now));
            (0..99).for_each(|_| upstream.good(key(0)));
        }
        assert_eq!(upstream.all(START.plus(Secs(7 * 86_400))), []);
    }

    #[test]
    fn any_number_of_strangers_takes_the_place_of_a_few() {
        let mut upstream = Upstream::default();
        (0..100_000).for_each(|n| upstream.accepted(if n % 4 == 0 { key(0) } else { key(n) }, START));
        let today = &upstream.0[0];
        assert_eq!((today.messages, today.carriers.len()), (100_000, CARRIERS_MAX));
        let relay = today.carriers.iter().find(|c| c.key == key(0)).unwrap();
        assert!((25_000..=25_000 + 100_000 / 32).contains(&relay.messages), "{}", relay.messages);
    }
}
