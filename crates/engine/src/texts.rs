//! Texts that many servers send as spam (REQUIREMENTS A.4, `hash-flood`).
//!
//! Of each fuzzy hash of a message that was judged spam the networks are remembered that sent
//! it lately: /24 of IPv4, /48 of IPv6, so that one renter of many addresses is one. A message
//! with the same text that was judged good makes the text unfit for a day: a template that
//! some filter errs on must not list those who use it.
//!
//! Bounded: two halves of which the older is dropped when the younger is full; who is asked
//! for moves to the younger. What is dropped was not seen for as long as it takes to fill one.

use hashbrown::HashMap;
use minicbor::{Decode, Encode};
use model::{Judgement, Millis, Prefix, Secs};

use crate::Seeds;
use crate::seeded::Seeded;

/// Texts of each half: a site that judges a message of a text of its own every two seconds
/// fills it in a day; near 5 MB.
const TEXTS_MAX: usize = 32_768;
/// Networks of one text that are told apart: the largest limit.
const NETWORKS_MAX: usize = 8;
/// For so long a network counts.
const SPAN: Secs = Secs::DAY;

/// The texts of a day or more, with those who sent them.
#[derive(Debug)]
pub struct Texts {
    seeded: Seeded,
    young: HashMap<u64, Text, Seeded>,
    old: HashMap<u64, Text, Seeded>,
}

/// Who sent a text.
#[derive(Clone, Debug, Decode, Default, Encode)]
struct Text {
    /// Networks that sent it as spam, each with the last minute.
    #[n(0)]
    networks: Vec<(Prefix, u32)>,
    /// The minute in which it was last judged good; 0 is never.
    #[n(1)]
    good: u32,
}

/// As they stand in a checkpoint: the younger half, then the older one, each in order.
#[derive(Decode, Default, Encode)]
pub(crate) struct StoredTexts {
    #[n(0)]
    halves: [Vec<(u64, Text)>; 2],
}

impl Text {
    fn count(&self, minute: u32) -> u32 {
        if self.good != 0 && is_recent(self.good, minute) {
            return 0;
        }
        self.networks.iter().filter(|(_, met)| is_recent(*met, minute)).count() as u32
    }

    fn meet(&mut self, network: Prefix, minute: u32) {
        self.networks.retain(|(known, met)| *known != network && is_recent(*met, minute));
        if self.networks.len() >= NETWORKS_MAX {
            self.networks.remove(0);
        }
        self.networks.push((network, minute));
    }
}

fn is_recent(met: u32, minute: u32) -> bool {
    u64::from(minute.saturating_sub(met)) < SPAN.0 / 60
}

impl Texts {
    /// None; `seeds` keep strangers from choosing their places.
    pub fn new(seeds: Seeds) -> Texts {
        let seeded = Seeded(seeds);
        let half = || HashMap::with_hasher(seeded);
        Texts { seeded, young: half(), old: half() }
    }

    /// Takes the judgement of a message with this text, and says how many networks had sent it
    /// as spam before, the sender's own not among them.
    pub fn judged(&mut self, text: u64, key: Prefix, judgement: Judgement, at: Millis) -> u32 {
        let (network, minute) = (network_of(key), at.minute());
        // Good mail says something only of what is remembered: most texts never come again.
        if judgement != Judgement::Spam && !self.holds(text) {
            return 0;
        }
        let known = self.entry(text);
        let own = known.networks.iter().any(|(n, met)| *n == network && is_recent(*met, minute));
        let before = known.count(minute).saturating_sub(u32::from(own));
        match judgement {
            Judgement::Spam => known.meet(network, minute),
            Judgement::Ham => known.good = minute,
            Judgement::Virus | Judgement::Heuristic => {}
        }
        before
    }

    /// How many networks sent this text as spam in the last 24 hours.
    pub fn networks(&self, text: u64, now: Millis) -> u32 {
        let known = self.young.get(&text).or_else(|| self.old.get(&text));
        known.map_or(0, |text| text.count(now.minute()))
    }

    fn holds(&self, text: u64) -> bool {
        self.young.contains_key(&text) || self.old.contains_key(&text)
    }

    fn entry(&mut self, text: u64) -> &mut Text {
        if !self.young.contains_key(&text) && self.young.len() >= TEXTS_MAX {
            let empty = HashMap::with_hasher(self.seeded);
            self.old = std::mem::replace(&mut self.young, empty);
        }
        let before = self.old.remove(&text);
        self.young.entry(text).or_insert_with(|| before.unwrap_or_default())
    }

    pub(crate) fn store(&self) -> StoredTexts {
        StoredTexts { halves: [&self.young, &self.old].map(sorted) }
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredTexts) -> Texts {
        let [young, old] = stored.halves;
        let mut texts = Texts::new(seeded.0);
        texts.young.extend(young);
        texts.old.extend(old);
        texts
    }
}

fn sorted(half: &HashMap<u64, Text, Seeded>) -> Vec<(u64, Text)> {
    let mut all: Vec<_> = half.iter().map(|(hash, text)| (*hash, text.clone())).collect();
    all.sort_unstable_by_key(|(hash, _)| *hash);
    all
}

/// The network that a key belongs to.
fn network_of(key: Prefix) -> Prefix {
    let len = if key.addr().is_ipv4() { 24 } else { 48 };
    Prefix::new(key.addr(), len.min(key.bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn key(addr: &str) -> Prefix {
        model::key::client_prefix(addr.parse().unwrap())
    }

    fn spam(texts: &mut Texts, addr: &str, secs: u64) -> u32 {
        texts.judged(7, key(addr), Judgement::Spam, START.plus(Secs(secs)))
    }

    fn texts() -> Texts {
        Texts::new([1, 2])
    }

    #[test]
    fn a_4_unrelated_networks_are_counted_once_each() {
        let mut texts = texts();
        assert_eq!(spam(&mut texts, "192.0.2.1", 0), 0);
        assert_eq!(spam(&mut texts, "192.0.2.9", 60), 0, "its own network is not another");
        assert_eq!(spam(&mut texts, "198.51.100.1", 120), 1);
        assert_eq!(spam(&mut texts, "2001:db8:0:1::1", 180), 2);
        assert_eq!(spam(&mut texts, "2001:db8:0:2::1", 240), 2, "one /48");
        assert_eq!(spam(&mut texts, "203.0.113.1", 300), 3);
        assert_eq!(texts.networks(7, START.plus(Secs(300))), 4);
        assert_eq!(texts.networks(8, START), 0);
    }

    #[test]
    fn a_network_counts_for_a_day() {
        let mut texts = texts();
        spam(&mut texts, "192.0.2.1", 0);
        spam(&mut texts, "198.51.100.1", 3600);
        let after = |hours: u64| texts.networks(7, START.plus(Secs(hours * 3600)));
        assert_eq!([after(23), after(24), after(25)], [2, 1, 0]);
    }

    #[test]
    fn a_text_of_good_mail_is_not_held_against_anybody_for_a_day() {
        let mut texts = texts();
        for (n, addr) in (0..).zip(["192.0.2.1", "198.51.100.1", "203.0.113.1"]) {
            spam(&mut texts, addr, n);
        }
        texts.judged(7, key("192.0.2.77"), Judgement::Ham, START.plus(Secs(60)));
        assert_eq!(spam(&mut texts, "2001:db8::1", 120), 0);
        assert_eq!(texts.networks(7, START.plus(Secs(86_400 + 3600))), 0);
        assert_eq!(texts.judged(9, key("192.0.2.1"), Judgement::Ham, START), 0);
        assert!(!texts.holds(9), "good texts take no room");
    }

    #[test]
    fn any_number_of_texts_takes_the_place_of_two_halves() {
        let mut texts = texts();
        for n in 0..3 * TEXTS_MAX as u64 {
            texts.judged(n + 100, key("192.0.2.1"), Judgement::Spam, START);
            if n % 1000 == 0 {
                spam(&mut texts, "198.51.100.1", 0);
            }
        }
        assert!(texts.young.len() + texts.old.len() <= 2 * TEXTS_MAX);
        assert_eq!(texts.networks(7, START), 1, "what is seen again stays");
        assert_eq!(texts.networks(100, START), 0, "the oldest went");
    }

    #[test]
    fn a_checkpoint_keeps_the_texts_in_one_order() {
        let mut texts = texts();
        for n in 0..50 {
            texts.judged(n, key("192.0.2.1"), Judgement::Spam, START);
        }
        let bytes = minicbor::to_vec(texts.store()).unwrap();
        let again = Texts::restore(Seeded([1, 2]), minicbor::decode(&bytes).unwrap());
        assert_eq!(minicbor::to_vec(again.store()).unwrap(), bytes);
        assert_eq!(again.networks(49, START), 1);
    }
}
