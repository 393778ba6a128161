//! To which domains our own people wrote lately (DESIGN §8, outbound).
//!
//! Keyed fragments only, for 90 days: a bounce or an automatic answer to somebody who wrote
//! nothing there is backscatter (OFF-15 b), and good mail that answers one of ours counts
//! five (C.0). Both are off while nothing was recorded; and since a bounce may come two
//! weeks after its message, the first is off for so long after the record began, or lost
//! something for lack of room.
//!
//! Who wrote at all lately gets bounces even of a server that is blocked for backscatter (A.4,
//! `bounce`): those who answer hear of it beside the events ([`crate::Step::writers`]), for it is
//! about persons.

use hashbrown::HashMap;
use minicbor::{Decode, Encode};
use model::{DomainHash, Millis, PersonHash, Secs, Sent};

use crate::seeded::Seeded;

/// Pairs of person and domain that are remembered, near 20 bytes each.
const PAIRS_MAX: usize = 1_000_000;
/// Days for which a pair is remembered.
const DAYS: u32 = 90;
/// Days in which a bounce may come.
const BOUNCE_DAYS: u32 = 14;
/// People whose last day of writing is told: near 3 MB. Beyond, some miss bounces of servers that
/// are blocked for backscatter.
const WRITERS_MAX: usize = 262_144;

/// Who wrote where.
#[derive(Debug)]
pub(crate) struct Outbound {
    seeded: Seeded,
    /// The newest day on which a person wrote to a domain; domain 0 stands for any.
    pairs: HashMap<u64, u32, Seeded>,
    /// From this day on the record is whole; `None` while there is none.
    whole_from: Option<u32>,
    swept: u32,
    /// The newest day on which a person wrote, by a fragment of its hash.
    writers: HashMap<u32, u32, Seeded>,
    /// What those who answer have not heard yet.
    news: Vec<(u32, Millis)>,
}

/// As it stands in a checkpoint.
#[derive(Decode, Default, Encode)]
pub(crate) struct StoredOutbound {
    #[n(0)]
    pairs: Vec<(u64, u32)>,
    #[n(1)]
    whole_from: Option<u32>,
    #[n(2)]
    swept: u32,
    #[n(3)]
    #[cbor(default)]
    writers: Vec<(u32, u32)>,
}

impl Outbound {
    pub(crate) fn new(seeded: Seeded) -> Outbound {
        Outbound::restore(seeded, StoredOutbound::default())
    }

    /// One of our own people wrote.
    pub(crate) fn sent(&mut self, sent: &Sent, at: Millis) {
        let Some(PersonHash(person)) = sent.sender else { return };
        self.whole_from.get_or_insert(at.day());
        self.writer(person as u32, at.day());
        for domain in [0, sent.domain.map_or(0, |domain| domain.0)] {
            let pair = self.pair(person, domain);
            self.write(pair, at.day());
        }
    }

    /// A person wrote; those who answer hear of it once a day.
    fn writer(&mut self, who: u32, day: u32) {
        let known = self.writers.get(&who).copied();
        if known.is_some_and(|wrote| wrote >= day) {
            return;
        }
        if known.is_none() && !self.has_room(day) {
            return;
        }
        self.writers.insert(who, day);
        self.news.push((who, bounces_until(day)));
    }

    /// Whether one more writer has room; made once a day where there is none.
    fn has_room(&mut self, day: u32) -> bool {
        if self.writers.len() >= WRITERS_MAX && day > self.swept {
            self.swept = day;
            self.writers.retain(|_, wrote| day.saturating_sub(*wrote) <= BOUNCE_DAYS);
        }
        self.writers.len() < WRITERS_MAX
    }

    /// Who may get bounces, and until when, as far as it was not told.
    pub(crate) fn take_news(&mut self) -> Vec<(u32, Millis)> {
        std::mem::take(&mut self.news)
    }

    /// All who may get bounces, in no order, for those who answer and have just begun.
    pub(crate) fn writers(&self) -> impl Iterator<Item = (u32, Millis)> {
        self.writers.iter().map(|(who, day)| (*who, bounces_until(*day)))
    }

    fn write(&mut self, pair: u64, day: u32) {
        if self.pairs.len() >= PAIRS_MAX && day > self.swept {
            self.swept = day;
            self.pairs.retain(|_, wrote| day.saturating_sub(*wrote) <= DAYS);
        }
        if let Some(wrote) = self.pairs.get_mut(&pair) {
            *wrote = (*wrote).max(day);
        } else if self.pairs.len() < PAIRS_MAX {
            self.pairs.insert(pair, day);
        } else {
            self.whole_from = self.whole_from.max(Some(day + 1));
        }
    }

    /// Whether a person wrote to a domain in the last 90 days.
    pub(crate) fn wrote(&self, person: PersonHash, domain: DomainHash, at: Millis) -> bool {
        self.wrote_within(DAYS, person, domain.0, at)
    }

    /// Whether a bounce to a person is one that nobody caused: they wrote nothing to that
    /// domain in the last two weeks, or nothing at all where the domain is not known.
    pub(crate) fn unasked(&self, person: PersonHash, domain: Option<DomainHash>, at: Millis) -> bool {
        let is_whole = self.whole_from.is_some_and(|from| at.day() >= from.saturating_add(BOUNCE_DAYS));
        is_whole && !self.wrote_within(BOUNCE_DAYS, person, domain.map_or(0, |domain| domain.0), at)
    }

    fn wrote_within(&self, days: u32, PersonHash(person): PersonHash, domain: u64, at: Millis) -> bool {
        let wrote = self.pairs.get(&self.pair(person, domain));
        wrote.is_some_and(|day| at.day().saturating_sub(*day) <= days)
    }

    fn pair(&self, person: u64, domain: u64) -> u64 {
        self.seeded.pair(person, domain)
    }

    pub(crate) fn store(&self) -> StoredOutbound {
        let mut pairs = Vec::with_capacity(self.pairs.len());
        pairs.extend(self.pairs.iter().map(|(pair, day)| (*pair, *day)));
        // The order of the map must not reach a checkpoint.
        pairs.sort_unstable();
        let mut writers: Vec<_> = self.writers.iter().map(|(who, day)| (*who, *day)).collect();
        writers.sort_unstable();
        StoredOutbound { pairs, whole_from: self.whole_from, swept: self.swept, writers }
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredOutbound) -> Outbound {
        let mut pairs = HashMap::with_hasher(seeded);
        pairs.extend(stored.pairs.into_iter().take(PAIRS_MAX));
        let mut writers = HashMap::with_hasher(seeded);
        writers.extend(stored.writers.into_iter().take(WRITERS_MAX));
        let (whole_from, swept) = (stored.whole_from, stored.swept);
        Outbound { seeded, pairs, whole_from, swept, writers, news: Vec::new() }
    }
}

/// The end of the last day on which a bounce of something written on `day` may come.
fn bounces_until(day: u32) -> Millis {
    Millis::from_secs((u64::from(day) + u64::from(BOUNCE_DAYS) + 1) * Secs::DAY.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn day(n: u64) -> Millis {
        START.plus(Secs::DAY.times(n))
    }

    fn sent(person: u64, domain: u64) -> Sent {
        let (sender, recipient) = (Some(PersonHash(person)), PersonHash(99));
        Sent { sender, recipient, domain: Some(DomainHash(domain)) }
    }

    #[test]
    fn a_bounce_is_unasked_if_nobody_wrote_there_in_two_weeks() {
        let mut out = Outbound::new(Seeded([1, 2]));
        let unasked = |out: &Outbound, person, domain: Option<u64>, on| {
            out.unasked(PersonHash(person), domain.map(DomainHash), day(on))
        };
        assert!(!unasked(&out, 1, Some(5), 50), "nothing was ever recorded");
        out.sent(&sent(1, 5), day(0));
        assert!(!unasked(&out, 2, Some(5), 13), "the record is too young");
        assert!(unasked(&out, 2, Some(5), 14));
        assert!(!unasked(&out, 1, Some(5), 14) && unasked(&out, 1, Some(5), 15));
        out.sent(&sent(1, 5), day(20));
        assert!(unasked(&out, 1, Some(6), 21), "to another domain");
        assert!(!unasked(&out, 1, None, 21) && unasked(&out, 2, None, 21), "the domain is not known");
    }

    #[test]
    fn who_wrote_is_remembered_for_ninety_days() {
        let mut out = Outbound::new(Seeded([1, 2]));
        out.sent(&sent(1, 5), day(0));
        let wrote = |domain, on| out.wrote(PersonHash(1), DomainHash(domain), day(on));
        assert_eq!([wrote(5, 90), wrote(5, 91), wrote(6, 1)], [true, false, false]);
    }

    #[test]
    fn that_somebody_wrote_is_told_once_a_day() {
        let mut out = Outbound::new(Seeded([1, 2]));
        out.sent(&sent(1, 5), day(0));
        out.sent(&sent(1, 6), day(0));
        assert_eq!(out.take_news(), [(1, day(15))]);
        out.sent(&sent(1, 5), day(1));
        assert_eq!(out.take_news(), [(1, day(16))]);
        assert_eq!(out.writers().collect::<Vec<_>>(), [(1, day(16))]);
    }

    #[test]
    fn a_day_that_never_comes_breaks_nothing() {
        let mut out = Outbound::new(Seeded([1, 2]));
        out.sent(&sent(1, 5), Millis(u64::MAX));
        assert!(out.take_news()[0].1 > day(0));
    }

    #[test]
    fn writers_are_bounded_and_old_ones_give_way() {
        let mut out = Outbound::new(Seeded([1, 2]));
        (0..WRITERS_MAX as u32 + 9).for_each(|who| out.writer(who, 100));
        assert_eq!(out.writers.len(), WRITERS_MAX);
        out.writer(u32::MAX, 115);
        assert_eq!(out.writers().collect::<Vec<_>>(), [(u32::MAX, bounces_until(115))]);
    }

    #[test]
    fn all_is_there_after_a_checkpoint() {
        let mut out = Outbound::new(Seeded([1, 2]));
        (0..500).for_each(|n| out.sent(&sent(n, n % 7), day(n % 30)));
        let bytes = minicbor::to_vec(out.store()).unwrap();
        let again = Outbound::restore(Seeded([1, 2]), minicbor::decode(&bytes).unwrap());
        assert_eq!(minicbor::to_vec(again.store()).unwrap(), bytes);
    }
}
