//! Greylisting, as far as it is remembered: who was asked to come back, and which pools did.
//!
//! Those who answer ask a stranger to come back, and let in who has waited (`edge`). What
//! they did comes here with a ticket. A pool of which one attempt has waited long enough
//! passes from then on, wherever its next attempt comes from; that is an event, so that all
//! who answer know it, also after a restart (docs/decisions/greylist.md).
//!
//! What a stranger writes to before it passes is judged by OFF-3.

use std::collections::{BTreeMap, BTreeSet};

use detectors::greylist::{asks, pool};
use detectors::score::{Lessons, connection};
use detectors::seen::{Act, GreyHit, Traits};
use minicbor::{Decode, Encode};
use model::greylist::{Waited, Waiting};
use model::key::client_prefix;
use model::{
    Actor, Answered, Attempt, Body, CaseId, Client, Evidence, Fact, Greylist, Input, Key, Millis, Mode,
    Offence, PersonHash, Rejected, Rejection, Secs,
};

use crate::Engine;
use crate::intake::clamped;
use crate::mail::bare;
use crate::seeded::shard_of;
use crate::session::trap_kind;
use crate::shard::{Keep, Sample, Sight, Task, Work};

/// Pools that pass at once: far more than a site hears from in a month. The one that was
/// seen longest ago gives way.
const PASSES_MAX: usize = 200_000;
/// New passes in one hour: the ledger is for ever, and a stranger with many networks must
/// not fill it. Who finds no room waits again next time.
const NEW_PER_HOUR: u32 = 10_000;
/// A pass is told anew when a sixth of its time has gone by, and so much longer, so that it
/// never ends early: six events a month for the busiest pool.
const TOLD_AGAIN: u64 = 6;

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Grey {
    waiting: Waiting,
    passes: BTreeMap<Key, Millis>,
    /// The same by their ends.
    ends: BTreeSet<(Millis, Key)>,
    /// The hour, and how many passes began in it.
    new: (u64, u32),
}

/// The stored form.
#[derive(Debug, Decode, Default, Encode)]
pub(crate) struct StoredGrey {
    #[n(0)]
    waiting: Vec<(u64, Millis)>,
    #[n(1)]
    passes: Vec<(Key, Millis)>,
    #[n(2)]
    new: (u64, u32),
}

impl Grey {
    /// Tickets of those who were asked to come back, with their first attempts.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (u64, Millis)> {
        self.waiting.all()
    }

    /// How many pools pass at `now`.
    pub(crate) fn passes(&self, now: Millis) -> usize {
        let from = (Millis(now.0.saturating_add(1)), LEAST);
        self.ends.range(from..).count()
    }

    fn passes_now(&self, pool: &Key, now: Millis) -> bool {
        self.passes.get(pool).is_some_and(|until| *until > now)
    }

    /// A pool has waited long enough, or is seen again; says what is to be told.
    fn pass(&mut self, pool: &Key, now: Millis, rule: &Greylist) -> Option<Millis> {
        let slack = Secs(rule.white.0 / TOLD_AGAIN);
        let until = self.passes.get(pool).copied().unwrap_or_default();
        if until >= now.plus(rule.white) || (until <= now && !self.has_room(now)) {
            return None;
        }
        let until = now.plus(rule.white).plus(slack);
        if let Some(before) = self.passes.insert(pool.clone(), until) {
            self.ends.remove(&(before, pool.clone()));
        }
        self.ends.insert((until, pool.clone()));
        while self.passes.len() > PASSES_MAX
            && let Some((_, oldest)) = self.ends.pop_first()
        {
            self.passes.remove(&oldest);
        }
        Some(until)
    }

    /// Counts a new pass; `false` if it is one too many of its hour.
    fn has_room(&mut self, now: Millis) -> bool {
        let hour = now.secs() / Secs::HOUR.0;
        if self.new.0 != hour {
            self.new = (hour, 0);
        }
        self.new.1 = self.new.1.saturating_add(1);
        self.new.1 <= NEW_PER_HOUR
    }

    pub(crate) fn store(&self) -> StoredGrey {
        StoredGrey {
            waiting: self.waiting.all().collect(),
            passes: self.ends.iter().map(|(until, pool)| (pool.clone(), *until)).collect(),
            new: self.new,
        }
    }

    pub(crate) fn restore(stored: StoredGrey) -> Grey {
        let mut grey = Grey { new: stored.new, ..Grey::default() };
        stored.waiting.into_iter().for_each(|(ticket, since)| grey.waiting.enter(ticket, since));
        for (pool, until) in stored.passes {
            grey.ends.insert((until, pool.clone()));
            grey.passes.insert(pool, until);
        }
        grey
    }
}

/// Before every key.
const LEAST: Key = Key::Net(model::Prefix::V4(0, 0));

/// A hit with what is known of it.
struct Greyed {
    at: Millis,
    traits: Traits,
    hit: GreyHit,
    sample: Evidence,
}

/// A client as greylisting sees it.
struct Stranger {
    traits: Traits,
    pool: Key,
}

impl Engine {
    /// Remembers what greylisting did with an attempt, and what strangers write to.
    pub(crate) fn greylist(&mut self, index: u32, input: &Input) {
        let (Input::Observed(seen), Some(rule)) = (input, self.policy.greylist.clone()) else { return };
        let at = clamped(seen.at, self.council.now());
        let (client, stranger, hit) = match &seen.fact {
            Fact::Attempt(attempt) => {
                let stranger = self.stranger(&attempt.client, attempt.sender_fits);
                self.came(index, attempt, &stranger.pool, at, &rule);
                (&attempt.client, stranger, self.trap_hit(attempt))
            }
            Fact::Rejected(rejected) => {
                let stranger = self.stranger(&rejected.client, false);
                let quarters = connection(&stranger.traits, &Lessons::default(), false).quarters();
                let hit = rejected_hit(rejected).filter(|_| asks(&rule, quarters));
                (&rejected.client, stranger, hit)
            }
            _ => return,
        };
        let Some((hit, evidence)) = hit else { return };
        if !self.grey.passes_now(&stranger.pool, at) && !self.is_known(client) {
            let sample = Evidence { at, sensor: seen.sensor, ..evidence };
            self.greyed(index, client, Greyed { at, traits: stranger.traits, hit, sample }, seen.session);
        }
    }

    /// A stranger wrote where none should: OFF-3 judges it with all that is known of the key.
    fn greyed(&mut self, index: u32, client: &Client, greyed: Greyed, session: u64) {
        let key = client_prefix(client.addr);
        let (hash, session) = (self.seeded.key(key), self.seeded.pair(session, 1));
        let sample = Box::new(Sample { hash: session, keep: Keep::IfCounted, evidence: greyed.sample });
        let sight = Sight::of(greyed.at, greyed.traits, Act::Greyed(greyed.hit));
        let work = Work::Seen(Sight { sample: Some(sample), ..sight });
        self.shards[shard_of(hash)].queue(Task { index, key, hash, work });
    }

    /// Tickets of those who were asked to come back, with their first attempts: for those who
    /// answer, after a restart.
    pub fn waiting(&self) -> Vec<(u64, Millis)> {
        self.grey.waiting().collect()
    }

    /// How many of those there are.
    pub fn waiting_len(&self) -> usize {
        self.grey.waiting.len()
    }

    /// How many pools pass greylisting now.
    pub fn passes(&self) -> usize {
        self.grey.passes(self.council.now())
    }

    fn stranger(&self, client: &Client, sender_fits: bool) -> Stranger {
        let traits = Traits::of(client, sender_fits, &self.policy);
        Stranger { traits, pool: pool(client, &traits) }
    }

    /// Protected clients, relays and logins are no strangers.
    fn is_known(&self, client: &Client) -> bool {
        let host = client_prefix(client.addr);
        self.policy.protected.iter().chain(&self.policy.relays).any(|net| net.covers(host))
            || client.authenticated
    }

    /// An attempt came: the first of its ticket, or one that has waited, or one of a pool
    /// that passes.
    fn came(&mut self, index: u32, attempt: &Attempt, pool: &Key, at: Millis, rule: &Greylist) {
        let passes = match (attempt.answered, attempt.ticket) {
            (Answered::Blocked(_) | Answered::Refused, _) => false,
            (_, Some(ticket)) => self.grey.waiting.meet(ticket, at, rule) == Waited::Enough,
            (_, None) => self.grey.passes_now(pool, at),
        };
        let told = if passes { self.grey.pass(pool, at, rule) } else { None };
        if let Some(until) = told {
            let (cause, body) = (self.council.writer.input(index), Body::GreylistPassed(until));
            self.council.write(cause, Actor::Engine, Mode::Live, None, Some(pool.clone()), body);
        }
    }

    /// Whether an attempt that was deferred names a trap. One that is deferred for OFF-3
    /// itself is a further hit; one that is refused for something else is none.
    fn trap_hit(&self, attempt: &Attempt) -> Option<(GreyHit, Evidence)> {
        let counts = match attempt.answered {
            Answered::Deferred => true,
            Answered::Blocked(case) => self.is_greytrapped(attempt.client.addr, case),
            _ => false,
        };
        attempt.sender.filter(|_| counts)?;
        let kind = trap_kind(attempt.recipient?, &self.policy)?;
        let bare = bare(Millis(0), attempt.client.clone());
        Some((GreyHit::Trap, Evidence { trap: Some(kind), sender: attempt.sender, ..bare }))
    }

    fn is_greytrapped(&self, addr: std::net::IpAddr, case: CaseId) -> bool {
        let key = client_prefix(addr);
        let hash = self.seeded.key(key);
        let entry = self.shards[shard_of(hash)].look(hash, key);
        let is_for_it =
            |running: &crate::running::Running| running.case == case && running.offence == Offence::Greytrap;
        entry.is_some_and(|entry| entry.running.iter().any(is_for_it))
    }
}

/// What a recipient shows that the mail server itself refused; a bounce shows nothing.
fn rejected_hit(rejected: &Rejected) -> Option<(GreyHit, Evidence)> {
    rejected.sender?;
    let hit = match rejected.why {
        Rejection::UnknownUser => {
            GreyHit::Unknown(rejected.recipient.map_or(0, |PersonHash(who)| who as u32))
        }
        Rejection::Relaying => GreyHit::NotOurs,
        Rejection::Other => return None,
    };
    Some((hit, Evidence { sender: rejected.sender, ..bare(Millis(0), rejected.client.clone()) }))
}
