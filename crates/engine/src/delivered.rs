//! Messages that we took, so that a report can be matched (OFF-4, ADV-2).
//!
//! For seven days each is remembered under its keyed queue name: who handed it over, when,
//! how it was judged. What nobody here took counts for nothing. Bounded; the oldest gives
//! way. One takes 35 bytes and its place in a hash table, near 45 together, and 35 in a
//! checkpoint.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

use detectors::Traits;
use detectors::rdns::RdnsClass;
use hashbrown::{HashMap, HashTable};
use minicbor::{Decode, Encode};
use model::{ExhibitId, Judgement, Millis, Name, Secs, Verdict};

use crate::seeded::Seeded;

/// Messages remembered at once: a week of a site with 140,000 a day, near 45 MB.
const MESSAGES_MAX: usize = 1_000_000;
/// Names of exhibits remembered at once; few messages have one.
const EXHIBITS_MAX: usize = 100_000;
/// Reports of older messages are ignored (C.3).
pub(crate) const KEPT: Secs = Secs(7 * 86_400);
/// Judges whose marks are known; configuration names fewer.
const JUDGES_MAX: usize = 16;
/// Bytes of one message.
const LEN: usize = 35;
/// In the last of them: another message has taken its name.
const NAMELESS: u8 = 0x80;

/// One message that we took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) queue: u64,
    /// When its first recipient was named, to the second.
    pub(crate) at: Millis,
    pub(crate) addr: IpAddr,
    /// Fragment of its first recipient.
    pub(crate) recipient: u32,
    /// There was one recipient, and no more.
    pub(crate) single: bool,
    pub(crate) rdns: RdnsClass,
    pub(crate) shared: bool,
    pub(crate) judgement: Option<Judgement>,
    /// A judge had doubts about it.
    pub(crate) near: bool,
    /// It came through a list, or can be unsubscribed from.
    pub(crate) bulk: bool,
}

impl Delivery {
    /// What the connection looked like, as far as reports need it.
    pub(crate) fn traits(&self) -> Traits {
        Traits { rdns: self.rdns, shared: self.shared, ..Traits::default() }
    }

    fn pack(&self) -> [u8; LEN] {
        let addr = match self.addr {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let rdns = RDNS.iter().position(|class| *class == self.rdns).unwrap_or(0);
        let judged = JUDGED.iter().position(|judged| *judged == self.judgement).unwrap_or(0);
        let flags = [self.single, self.shared, self.near, self.bulk];
        let flags = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag));
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&self.queue.to_be_bytes());
        bytes[8..12].copy_from_slice(&u32::try_from(self.at.secs()).unwrap_or(u32::MAX).to_be_bytes());
        bytes[12..16].copy_from_slice(&self.recipient.to_be_bytes());
        bytes[16..32].copy_from_slice(&addr.octets());
        // Both places are among the first five.
        bytes[32..].copy_from_slice(&[rdns as u8, judged as u8, flags]);
        bytes
    }

    fn unpack(bytes: &[u8; LEN]) -> Delivery {
        let [q0, q1, q2, q3, q4, q5, q6, q7, a0, a1, a2, a3, r0, r1, r2, r3, rest @ ..] = *bytes;
        let [addr @ .., rdns, judged, flags] = rest;
        Delivery {
            queue: u64::from_be_bytes([q0, q1, q2, q3, q4, q5, q6, q7]),
            at: Millis::from_secs(u32::from_be_bytes([a0, a1, a2, a3]).into()),
            recipient: u32::from_be_bytes([r0, r1, r2, r3]),
            addr: model::key::fold(IpAddr::V6(Ipv6Addr::from(addr))),
            rdns: RDNS.get(usize::from(rdns)).copied().unwrap_or_default(),
            judgement: JUDGED.get(usize::from(judged)).copied().flatten(),
            single: flags & 1 != 0,
            shared: flags & 2 != 0,
            near: flags & 4 != 0,
            bulk: flags & 8 != 0,
        }
    }
}

/// Classes and judgements by their stored numbers.
const RDNS: [RdnsClass; 5] =
    [RdnsClass::Unknown, RdnsClass::Missing, RdnsClass::Mismatch, RdnsClass::Generic, RdnsClass::Fine];
const JUDGED: [Option<Judgement>; 5] =
    [None, Some(Judgement::Spam), Some(Judgement::Ham), Some(Judgement::Virus), Some(Judgement::Heuristic)];

/// All messages of the last seven days.
pub(crate) struct Delivered {
    seeded: Seeded,
    ring: VecDeque<[u8; LEN]>,
    /// Number of the first message in the ring; numbers wrap around.
    first: u32,
    /// Numbers by queue name.
    by_queue: HashTable<u32>,
    exhibits: HashMap<u64, ExhibitId, Seeded>,
    /// The lowest score with which each judge called something spam.
    marks: Vec<(Name, i32)>,
}

/// As it stands in a checkpoint.
#[derive(Decode, Default, Encode)]
pub(crate) struct StoredDelivered {
    #[cbor(n(0), with = "minicbor::bytes")]
    messages: Vec<u8>,
    #[n(1)]
    exhibits: Vec<(u64, ExhibitId)>,
    #[n(2)]
    marks: Vec<(Name, i32)>,
}

impl Delivered {
    pub(crate) fn new(seeded: Seeded) -> Delivered {
        Delivered {
            seeded,
            ring: VecDeque::new(),
            first: 0,
            by_queue: HashTable::new(),
            exhibits: HashMap::with_hasher(seeded),
            marks: Vec::new(),
        }
    }

    /// Messages remembered now.
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Remembers a message, in the place of what was known of it: under the queue name
    /// `before`, or under its own from the same client at the same time.
    pub(crate) fn put(&mut self, before: Option<u64>, delivery: &Delivery, now: Millis) {
        self.make_room(now);
        let older = self.number(delivery.queue);
        let renamed = before.filter(|queue| *queue != delivery.queue).and_then(|queue| self.number(queue));
        let named = before == Some(delivery.queue);
        let known = older.filter(|number| named || self.is_same(*number, delivery));
        match (renamed, known, older) {
            (Some(number), ..) => self.rename(number, delivery),
            (None, Some(number), _) => self.write(number, delivery),
            (None, None, Some(number)) => {
                // Queue ids are used again: the newest message has the name.
                self.bury(number);
                self.exhibits.remove(&delivery.queue);
                self.push(delivery);
            }
            (None, None, None) => self.push(delivery),
        }
    }

    /// A message was judged.
    pub(crate) fn judge(&mut self, queue: u64, judgement: Judgement, near: bool) {
        let Some(number) = self.number(queue) else { return };
        let mut delivery = self.at(number);
        (delivery.judgement, delivery.near) = (Some(judgement), near);
        self.write(number, &delivery);
    }

    /// The message of this queue name, if we took it in the last seven days.
    pub(crate) fn find(&self, queue: u64, now: Millis) -> Option<Delivery> {
        let delivery = self.at(self.number(queue)?);
        (now.since(delivery.at) < KEPT).then_some(delivery)
    }

    /// Where the headers of a message are kept.
    pub(crate) fn exhibit(&self, queue: u64) -> Option<ExhibitId> {
        self.exhibits.get(&queue).copied()
    }

    /// Remembers where the headers of a message are kept.
    pub(crate) fn keep_exhibit(&mut self, queue: u64, exhibit: ExhibitId) {
        if self.exhibits.len() < EXHIBITS_MAX {
            self.exhibits.insert(queue, exhibit);
        }
    }

    /// Whether a judge had doubts about a message that it let pass: three quarters of the
    /// lowest score that it ever called spam. Learns that score.
    pub(crate) fn is_near(&mut self, verdict: &Verdict) -> bool {
        let Some(score) = verdict.score else { return false };
        let room = self.marks.len() < JUDGES_MAX;
        let known = self.marks.iter_mut().find(|(judge, _)| *judge == verdict.source);
        match (verdict.judgement, known) {
            (Judgement::Spam, Some((_, mark))) => *mark = (*mark).min(score),
            (Judgement::Spam, None) if room => self.marks.push((verdict.source.clone(), score)),
            (Judgement::Spam, None) | (_, None) => {}
            (_, Some((_, mark))) => return *mark > 0 && i64::from(score) * 4 >= i64::from(*mark) * 3,
        }
        false
    }

    /// Remembers a message whose name no other has.
    fn push(&mut self, delivery: &Delivery) {
        let number = self.first.wrapping_add(self.ring.len() as u32);
        self.ring.push_back(delivery.pack());
        self.link(number, delivery.queue);
    }

    fn rename(&mut self, number: u32, delivery: &Delivery) {
        let before = self.at(number).queue;
        self.unlink(number);
        if let Some(older) = self.number(delivery.queue) {
            self.bury(older);
        }
        if let Some(exhibit) = self.exhibits.remove(&before) {
            self.exhibits.insert(delivery.queue, exhibit);
        }
        self.write(number, delivery);
        self.link(number, delivery.queue);
    }

    /// A message has lost its name to a newer one.
    fn bury(&mut self, number: u32) {
        self.unlink(number);
        let place = self.place(number);
        self.ring[place][LEN - 1] |= NAMELESS;
    }

    fn write(&mut self, number: u32, delivery: &Delivery) {
        let place = self.place(number);
        self.ring[place] = delivery.pack();
    }

    fn link(&mut self, number: u32, queue: u64) {
        let (seeded, ring, first) = (self.seeded, &self.ring, self.first);
        let hash = |number: &u32| seeded.pair(queue_of(&ring[number.wrapping_sub(first) as usize]), 0);
        self.by_queue.insert_unique(seeded.pair(queue, 0), number, hash);
    }

    fn make_room(&mut self, now: Millis) {
        while let Some(oldest) = self.ring.front() {
            let oldest = Delivery::unpack(oldest);
            if now.since(oldest.at) < KEPT && self.ring.len() < MESSAGES_MAX {
                return;
            }
            if self.number(oldest.queue) == Some(self.first) {
                self.unlink(self.first);
                self.exhibits.remove(&oldest.queue);
            }
            self.ring.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    fn number(&self, queue: u64) -> Option<u32> {
        let is = |number: &u32| queue_of(&self.ring[self.place(*number)]) == queue;
        self.by_queue.find(self.seeded.pair(queue, 0), is).copied()
    }

    fn unlink(&mut self, number: u32) {
        let queue = queue_of(&self.ring[self.place(number)]);
        if let Ok(found) = self.by_queue.find_entry(self.seeded.pair(queue, 0), |known| *known == number) {
            found.remove();
        }
    }

    fn is_same(&self, number: u32, delivery: &Delivery) -> bool {
        let known = self.at(number);
        known.addr == delivery.addr && known.at.secs() == delivery.at.secs()
    }

    fn at(&self, number: u32) -> Delivery {
        Delivery::unpack(&self.ring[self.place(number)])
    }

    fn place(&self, number: u32) -> usize {
        number.wrapping_sub(self.first) as usize
    }

    pub(crate) fn store(&self) -> StoredDelivered {
        let mut exhibits: Vec<(u64, ExhibitId)> =
            self.ring.iter().map(queue_of).filter_map(|queue| Some((queue, self.exhibit(queue)?))).collect();
        exhibits.sort_unstable();
        exhibits.dedup();
        let messages: Vec<u8> = self.ring.iter().flatten().copied().collect();
        StoredDelivered { messages, exhibits, marks: self.marks.clone() }
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredDelivered) -> Delivered {
        let mut all = Delivered::new(seeded);
        let (messages, _) = stored.messages.as_chunks::<LEN>();
        for bytes in messages.iter().take(MESSAGES_MAX) {
            let number = all.ring.len() as u32;
            all.ring.push_back(*bytes);
            if bytes[LEN - 1] & NAMELESS == 0 && all.number(queue_of(bytes)).is_none() {
                all.link(number, queue_of(bytes));
            }
        }
        all.exhibits.extend(stored.exhibits.into_iter().take(EXHIBITS_MAX));
        all.marks = stored.marks;
        all.marks.truncate(JUDGES_MAX);
        all
    }
}

fn queue_of(bytes: &[u8; LEN]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);

    fn delivery(queue: u64, secs: u64) -> Delivery {
        Delivery {
            queue,
            at: START.plus(Secs(secs)),
            addr: "192.0.2.1".parse().unwrap(),
            recipient: 77,
            single: true,
            rdns: RdnsClass::Fine,
            shared: false,
            judgement: None,
            near: false,
            bulk: true,
        }
    }

    fn delivered() -> Delivered {
        Delivered::new(Seeded([1, 2]))
    }

    #[test]
    fn every_part_survives_its_bytes() {
        let v6 = "2001:db8::7".parse().unwrap();
        for rdns in RDNS {
            for judgement in JUDGED {
                let one = Delivery { rdns, judgement, near: true, bulk: false, ..delivery(5, 6) };
                assert_eq!(Delivery::unpack(&one.pack()), one);
            }
        }
        let other = Delivery { addr: v6, single: false, shared: true, ..delivery(u64::MAX, 9) };
        assert_eq!(Delivery::unpack(&other.pack()), other);
    }

    #[test]
    fn a_message_is_found_for_seven_days() {
        let mut all = delivered();
        all.put(None, &delivery(5, 0), START);
        let found = |all: &Delivered, days: u64| all.find(5, START.plus(Secs(days * 86_400))).is_some();
        assert_eq!([found(&all, 6), found(&all, 7)], [true, false]);
        assert!(all.find(6, START).is_none());
        all.put(None, &delivery(6, 8 * 86_400), START.plus(Secs(8 * 86_400)));
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn a_queue_name_that_is_used_again_names_the_newer_message() {
        let mut all = delivered();
        all.put(None, &delivery(5, 0), START);
        all.keep_exhibit(5, ExhibitId([1; 16]));
        all.put(None, &delivery(5, 0), START);
        assert_eq!((all.len(), all.exhibit(5)), (1, Some(ExhibitId([1; 16]))), "the same message again");
        all.put(None, &delivery(5, 900), START);
        assert_eq!((all.len(), all.exhibit(5)), (2, None));
        assert_eq!(all.find(5, START).unwrap().at, START.plus(Secs(900)));
    }

    #[test]
    fn a_message_that_changes_its_name_keeps_one() {
        let mut all = delivered();
        all.put(None, &delivery(0, 0), START);
        (1..5000).for_each(|n| all.put(Some(n - 1), &delivery(n, 0), START));
        assert_eq!((all.len(), all.by_queue.len()), (1, 1));
        assert!(all.find(4999, START).is_some() && all.find(17, START).is_none());
    }

    #[test]
    fn a_message_just_under_a_judge_s_mark_is_near_it() {
        let mut all = delivered();
        let mut near = |judgement, score, source: &[u8]| {
            all.is_near(&Verdict { queue: None, judgement, score, source: Name::new(source) })
        };
        assert!(!near(Judgement::Ham, Some(590), b"rspamd"), "no mark is known");
        assert!(!near(Judgement::Spam, Some(900), b"rspamd"));
        assert!(!near(Judgement::Spam, Some(600), b"rspamd"));
        assert!(near(Judgement::Ham, Some(450), b"rspamd"));
        assert!(!near(Judgement::Ham, Some(449), b"rspamd"));
        assert!(!near(Judgement::Ham, Some(450), b"other"));
        assert!(!near(Judgement::Ham, None, b"rspamd"));
    }

    #[test]
    fn all_is_there_after_a_checkpoint() {
        let mut all = delivered();
        for n in 0..300 {
            all.put((n % 3 == 0).then_some(n % 7), &delivery(n % 200, n), START);
            all.keep_exhibit(n % 200, ExhibitId([n as u8; 16]));
        }
        let bytes = minicbor::to_vec(all.store()).unwrap();
        let again = Delivered::restore(Seeded([1, 2]), minicbor::decode(&bytes).unwrap());
        assert_eq!(minicbor::to_vec(again.store()).unwrap(), bytes);
        assert!((0..200).all(|n| again.find(n, START) == all.find(n, START)));
    }
}
