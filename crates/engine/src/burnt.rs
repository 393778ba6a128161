//! Traps that betray nobody any more (ADV-4, OFF-2).
//!
//! Who knows a trap can subscribe it to other people's lists, so that they are blocked for
//! writing to it. Then many unrelated senders write to one trap within an hour, and most of
//! them are decent: they have good mail here, or they look like servers and welcome a
//! subscriber, and no filter called what they wrote spam. A signature says nothing: whoever
//! rents addresses signs. Such a trap is burnt: it is none from that moment on, what it counted in the last 24 hours
//! is void, a block that rests on it alone is lifted as an error, and the operator hears of
//! it. A trap that one of our own people writes to is burnt in the same way.
//!
//! Needs: the hits of one day. Shared senders are no witnesses: many customers write through
//! one, and none of them can be blocked. Its danger is the other way: who has ten servers with
//! names in ten networks and knows a trap can take it from us with welcomes.
//!
//! Keyed hashes of traps stand in memory and checkpoints, never in an event.

use std::collections::{BTreeMap, VecDeque};

use detectors::backscatter::is_mild;
use detectors::seen::{Act, Traits};
use detectors::traps::units_of;
use minicbor::{Decode, Encode};
use model::case::Lifted;
use model::content::Shape;
use model::policy::TrapKind;
use model::{
    Actor, Body, Content, Judgement, Millis, Offence, PersonHash, Policy, Prefix, Secs, Sent, Units,
};

use crate::Engine;
use crate::alarm::Alarm;
use crate::council::{Books, Council};
use crate::running::Running;
use crate::seeded::shard_of;
use crate::shard::{Sight, Task, Work};

/// So many networks that write to one trap within [`HOUR`] burn it, if most are decent.
const SENDERS: usize = 10;
/// See [`SENDERS`].
const HOUR: Secs = Secs::HOUR;
/// What a burnt trap counted within this time is void.
const VOIDED: Secs = Secs::DAY;
/// Traps whose hits are remembered, and hits of one: together some megabytes at most.
const TRAPS_MAX: usize = 1024;
/// See [`TRAPS_MAX`].
const HITS_MAX: usize = 128;

/// One hit.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Hit {
    #[n(0)]
    key: Prefix,
    #[n(1)]
    at: Millis,
    /// What it counts; nothing where it was found to be an answer or a welcome.
    #[n(2)]
    units: Units,
    #[n(3)]
    decent: bool,
    /// A filter called it spam, before or after its end.
    #[n(4)]
    #[cbor(default)]
    spam: bool,
}

/// Why a trap is none any more.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum BurntBy {
    /// Many unrelated decent senders wrote to it: somebody subscribed it.
    #[n(0)]
    Senders,
    /// One of our own people wrote to it.
    #[n(1)]
    OurOwn,
}

/// A trap that is none any more, for the operator.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Burnt {
    /// Why.
    #[n(0)]
    pub by: BurntBy,
    /// When.
    #[n(1)]
    pub at: Millis,
    /// Networks that wrote to it in the hour before.
    #[n(2)]
    pub senders: u16,
}

/// What traps heard lately, and which are burnt.
#[derive(Clone, Debug, Decode, Default, Encode)]
pub(crate) struct Watch {
    #[n(0)]
    hits: BTreeMap<PersonHash, VecDeque<Hit>>,
    /// At most as many as the policy has traps.
    #[n(1)]
    burnt: BTreeMap<PersonHash, Burnt>,
    /// What is void and not yet told to its key; empty between inputs.
    #[cbor(skip)]
    void: Vec<(PersonHash, Hit)>,
}

impl Watch {
    /// The burnt traps, in order.
    pub(crate) fn burnt(&self) -> impl Iterator<Item = (PersonHash, Burnt)> {
        self.burnt.iter().map(|(trap, burnt)| (*trap, *burnt))
    }

    /// Takes burnt traps out of a new policy. One that its list does not name is forgotten:
    /// an operator who takes it off the list and sets it again has a trap again.
    pub(crate) fn adopt(&mut self, policy: &mut Policy) {
        self.burnt.retain(|trap, _| policy.traps.iter().any(|(listed, _)| listed == trap));
        self.clear(policy);
    }

    fn clear(&self, policy: &mut Policy) {
        policy.traps.retain(|(trap, _)| !self.burnt.contains_key(trap));
    }

    fn named(&mut self, trap: PersonHash, hit: Hit) {
        if self.hits.len() >= TRAPS_MAX && !self.hits.contains_key(&trap) {
            let now = hit.at;
            self.hits.retain(|_, hits| hits.back().is_some_and(|last| now.since(last.at) < VOIDED));
        }
        if self.hits.len() < TRAPS_MAX || self.hits.contains_key(&trap) {
            let hits = self.hits.entry(trap).or_default();
            hits.retain(|old| hit.at.since(old.at) < VOIDED);
            if hits.len() >= HITS_MAX {
                hits.pop_front();
            }
            hits.push_back(hit);
        }
    }

    fn newest(&mut self, trap: PersonHash, key: Prefix) -> Option<&mut Hit> {
        self.hits.get_mut(&trap)?.iter_mut().rev().find(|hit| hit.key == key)
    }

    /// A filter called the message of a hit spam: no list that somebody was subscribed to.
    fn spam(&mut self, trap: PersonHash, key: Prefix) {
        if let Some(hit) = self.newest(trap, key) {
            hit.spam = true;
        }
    }

    /// The message of a hit came to its end.
    fn ended(&mut self, trap: PersonHash, key: Prefix, content: &Content, traits: &Traits) {
        let Some(hit) = self.newest(trap, key) else { return };
        // Anybody can write a welcome, but a bot looks like none that has readers.
        hit.decent |= content.shape.any(Shape::CONFIRMATION) && !traits.suspicious();
        // An answer's units were taken back when it ended (S70).
        if is_mild(content.shape) {
            hit.units = Units::ZERO;
        }
    }

    /// How many networks wrote to a trap in the last hour, if they burn it.
    fn poisoned(&self, trap: PersonHash, now: Millis) -> Option<u16> {
        let lately = self.hits.get(&trap)?.iter().filter(|hit| now.since(hit.at) < HOUR);
        let mut networks = BTreeMap::<Prefix, (bool, bool)>::new();
        for hit in lately {
            let (decent, spams) = networks.entry(network(hit.key)).or_default();
            (*decent, *spams) = (*decent || hit.decent, *spams || hit.spam);
        }
        let decent = networks.values().filter(|(decent, spams)| *decent && !spams).count();
        let burns = networks.len() >= SENDERS && decent * 2 > networks.len();
        burns.then(|| u16::try_from(networks.len()).unwrap_or(u16::MAX))
    }

    fn burn(&mut self, trap: PersonHash, burnt: Burnt) {
        let hits = self.hits.remove(&trap).unwrap_or_default();
        let lately = hits.into_iter().filter(|hit| burnt.at.since(hit.at) < VOIDED);
        self.void.extend(lately.map(|hit| (trap, hit)));
        self.burnt.insert(trap, burnt);
    }
}

/// Keys of one network are one sender.
fn network(key: Prefix) -> Prefix {
    Prefix::new(key.addr(), if matches!(key, Prefix::V4(..)) { 24 } else { 48 })
}

impl Engine {
    /// Traps that are none any more, as keyed hashes.
    pub fn burnt(&self) -> Vec<(PersonHash, Burnt)> {
        self.mail.traps.burnt().collect()
    }

    /// Notes what a sight means for the traps it names, and takes out of it those that are
    /// none any more.
    pub(crate) fn watch_traps(&mut self, key: Prefix, sight: &mut Sight) {
        let (at, traits) = (sight.at, sight.traits);
        match &mut sight.act {
            Act::Attempt { trap, .. } => {
                let Some((who, kind)) = *trap else { return };
                self.trap_named((who, kind), key, at, &traits);
                self.try_trap(who);
                trap.take_if(|(who, _)| self.mail.traps.burnt.contains_key(who));
            }
            Act::Ended(ended) => {
                for (who, _) in &ended.traps {
                    self.mail.traps.ended(*who, key, &ended.content, &traits);
                    self.try_trap(*who);
                }
                ended.traps.retain(|(who, _)| !self.mail.traps.burnt.contains_key(who));
            }
            Act::Judged { judgement: Judgement::Spam, .. } => {
                sight.trapped.iter().for_each(|who| self.mail.traps.spam(*who, key));
            }
            _ => {}
        }
    }

    fn trap_named(&mut self, (who, kind): (PersonHash, TrapKind), key: Prefix, at: Millis, traits: &Traits) {
        if traits.shared {
            return;
        }
        let hash = self.seeded.key(key);
        let known = self.shards[shard_of(hash)].look(hash, key);
        let decent = known.is_some_and(|entry| entry.has_credit(self.council.standing_now()));
        self.mail.traps.named(who, Hit { key, at, units: Units::whole(units_of(kind)), decent, spam: false });
    }

    fn try_trap(&mut self, who: PersonHash) {
        if let Some(senders) = self.mail.traps.poisoned(who, self.council.now()) {
            self.burn(who, BurntBy::Senders, senders);
        }
    }

    /// One of our own people wrote to somebody: no trap any more, if it was one.
    pub(crate) fn wrote_to(&mut self, sent: &Sent) {
        if self.policy.traps.binary_search_by_key(&sent.recipient, |(trap, _)| *trap).is_ok() {
            self.burn(sent.recipient, BurntBy::OurOwn, 0);
        }
    }

    fn burn(&mut self, who: PersonHash, by: BurntBy, senders: u16) {
        self.mail.traps.burn(who, Burnt { by, at: self.council.now(), senders });
        self.mail.traps.clear(std::sync::Arc::make_mut(&mut self.policy));
        self.council.alarm(Alarm::TrapBurnt);
    }

    /// Tells the keys what is void since the last input.
    pub(crate) fn queue_void(&mut self, index: u32) {
        for (trap, Hit { key, at, units, .. }) in std::mem::take(&mut self.mail.traps.void) {
            let hash = self.seeded.key(key);
            let work = Work::Void { trap, at, units };
            self.shards[shard_of(hash)].queue(Task { index, key, hash, work });
        }
    }
}

impl Council {
    /// Lifts what rules decided because of traps: they are none any more.
    pub(crate) fn cleared(&mut self, index: u32, key: Prefix, books: &mut Books<'_>) {
        let Some(entry) = books.entry(key) else { return };
        let now = self.now();
        let is_new = |r: &Running| now.since(r.from) < VOIDED;
        let rests = |r: &Running| r.offence == Offence::Trap && r.actor == Actor::Engine && is_new(r);
        while let Some(place) = entry.running.iter().position(rests) {
            let mut running = entry.running.remove(place);
            self.over(running.case);
            entry.record.pardon(running.mode, running.from);
            self.write_growth(key, &mut running);
            let body = Body::CaseLifted(Lifted { at: now, error: true });
            self.write_for(key, &running, self.writer.input(index), Actor::Engine, body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_793_491_200);
    const TRAP: PersonHash = PersonHash(1);

    fn looks(rdns: model::Rdns) -> Traits {
        let helo = Some(model::Name::new(b"mail.example.net"));
        let addr = "192.0.2.1".parse().unwrap();
        let client = model::Client { addr, port: 0, helo, rdns, authenticated: false };
        Traits::of(&client, false, &Policy::shipped())
    }

    fn server() -> Traits {
        looks(model::Rdns::Confirmed(model::Name::new(b"mail.example.net")))
    }

    fn bot() -> Traits {
        looks(model::Rdns::Missing)
    }

    /// After so many senders, each in a network of its own and so many seconds after the one
    /// before, of which `decent` are: how many burn the trap.
    fn burnt_by(senders: u32, decent: u32, apart: u64) -> Option<u16> {
        let (mut watch, mut now) = (Watch::default(), START);
        for n in 0..senders {
            now = START.plus(Secs(u64::from(n) * apart));
            let key = Prefix::new(std::net::Ipv4Addr::from_bits(0x0b00_0001 + n * 256).into(), 32);
            watch.named(TRAP, Hit { key, at: now, units: Units::whole(5), decent: n < decent, spam: false });
        }
        watch.poisoned(TRAP, now)
    }

    #[test]
    fn adv_4_ten_networks_within_an_hour_burn_a_trap_if_most_are_decent() {
        assert_eq!(burnt_by(10, 6, 399), Some(10));
        assert_eq!(burnt_by(9, 9, 60), None);
        assert_eq!(burnt_by(10, 5, 60), None, "half are not most");
        assert_eq!(burnt_by(10, 10, 400), None, "the first was an hour ago");
        assert_eq!(burnt_by(100, 40, 1), None, "a botnet burns nothing");
    }

    #[test]
    fn what_a_filter_called_spam_is_not_decent_whichever_came_first() {
        let key = |n: u32| Prefix::new(std::net::Ipv4Addr::from_bits(0x0b00_0001 + n * 256).into(), 32);
        let welcome = Content { shape: Shape::CONFIRMATION, ..Content::default() };
        let burns = |spams: u32, spam_first: bool| {
            let mut watch = Watch::default();
            for n in 0..10 {
                let hit = Hit { key: key(n), at: START, units: Units::whole(5), decent: false, spam: false };
                watch.named(TRAP, hit);
                let is_spam = n < spams;
                (is_spam && spam_first).then(|| watch.spam(TRAP, key(n)));
                watch.ended(TRAP, key(n), &welcome, &server());
                (is_spam && !spam_first).then(|| watch.spam(TRAP, key(n)));
            }
            watch.poisoned(TRAP, START).is_some()
        };
        assert_eq!([burns(4, true), burns(5, true)], [true, false]);
        assert_eq!([burns(4, false), burns(5, false)], [true, false]);
    }

    #[test]
    fn only_who_looks_like_a_server_welcomes_and_a_signature_says_nothing() {
        let key: Prefix = "192.0.2.1".parse().unwrap();
        let decent = |shape, dkim, traits: &Traits| {
            let mut watch = Watch::default();
            let hit = Hit { key, at: START, units: Units::whole(5), decent: false, spam: false };
            watch.named(TRAP, hit);
            watch.ended(TRAP, key, &Content { shape, dkim, ..Content::default() }, traits);
            watch.hits[&TRAP][0].decent
        };
        let signed = Some(model::DomainHash(1));
        assert!(decent(Shape::CONFIRMATION, None, &server()));
        assert!(!decent(Shape::CONFIRMATION, signed, &bot()));
        assert!(!decent(Shape::LIST | Shape::BULK, signed, &server()));
        assert!(!decent(Shape::NULL_SENDER | Shape::BOUNCE, signed, &server()), "an answer is no list");
    }

    #[test]
    fn neighbours_are_one_sender() {
        let mut watch = Watch::default();
        for n in 0..100 {
            let key = Prefix::new(std::net::Ipv4Addr::from_bits(0x0b00_0001 + n).into(), 32);
            watch.named(TRAP, Hit { key, at: START, units: Units::whole(5), decent: true, spam: false });
        }
        assert_eq!(watch.poisoned(TRAP, START), None);
    }

    #[test]
    fn hits_are_bounded() {
        let mut watch = Watch::default();
        let key = "192.0.2.1".parse().unwrap();
        let hit = |at| Hit { key, at, units: Units::whole(5), decent: false, spam: false };
        for n in 0..3 * TRAPS_MAX as u64 {
            (0..2).for_each(|_| watch.named(PersonHash(n), hit(START)));
        }
        (0..500).for_each(|_| watch.named(TRAP, hit(START)));
        assert_eq!((watch.hits.len(), watch.hits[&TRAP].len()), (TRAPS_MAX, HITS_MAX));
        watch.named(PersonHash(u64::MAX), hit(START.plus(VOIDED)));
        assert_eq!(watch.hits.len(), 1, "those of yesterday make room");
    }
}
