//! Joins what several sensors and later verdicts say of one message.
//!
//! By the MTA's instance first, by queue id for 24 hours after (DESIGN §4). What is refused
//! because of a case opens no session: no verdict comes for it, and a blocked host must not
//! push others out. Bounded: the oldest session gives way. Each fact counts once.

use std::collections::VecDeque;

use hashbrown::HashMap;
use model::key::client_prefix;
use model::{Answered, Attempt, Fact, Message, Millis, Observation, Policy, Prefix, Secs, Verdict};

use crate::Counters;
use crate::seeded::Seeded;
use crate::session::{Session, Verdicts};
use crate::shard::{Sight, Work};

/// Sessions remembered at once: a day of about three messages a second, near 100 MB at
/// ordinary lengths of names and 200 MB at the longest.
const SESSIONS_MAX: usize = 262_144;
/// For so long a queue id finds its session.
const REMEMBERED: Secs = Secs::DAY;
/// Observations from further in the future are clamped to now (C.0).
const AHEAD_MAX: Secs = Secs(300);
/// Two sensors' times of one message differ by at most this (DESIGN §4).
const APART_MAX_MS: u64 = 120_000;

/// All sessions of the last day.
pub(crate) struct Sessions {
    seeded: Seeded,
    known: HashMap<u64, Box<Session>, Seeded>,
    /// Session tags by queue id.
    queues: HashMap<u64, u64, Seeded>,
    /// Tags in the order in which they were opened.
    order: VecDeque<u64>,
}

impl Sessions {
    pub(crate) fn new(seeded: Seeded) -> Sessions {
        Sessions {
            seeded,
            known: HashMap::with_hasher(seeded),
            queues: HashMap::with_hasher(seeded),
            order: VecDeque::new(),
        }
    }

    /// How many are remembered now.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Joins an observation; says what it means for which key, or nothing.
    pub(crate) fn join(
        &mut self,
        seen: &Observation,
        now: Millis,
        policy: &Policy,
        counters: &mut Counters,
    ) -> Option<(Prefix, Work)> {
        let at = seen.at.min(now.plus(AHEAD_MAX)).max(Millis(1));
        match &seen.fact {
            Fact::Attempt(attempt) => self.attempt(seen, attempt, at, now, policy),
            Fact::Message(message) => {
                self.message(seen.session, message);
                None
            }
            Fact::Rejected(_) | Fact::Reported(_) | Fact::Sent(_) => None,
            Fact::Verdict(verdict) => {
                let judged = self.verdict(seen.session, verdict, now);
                counters.unmatched_verdicts += u64::from(judged.is_none());
                judged?.map(|(key, sight)| (key, Work::Seen(sight)))
            }
        }
    }

    fn attempt(
        &mut self,
        seen: &Observation,
        attempt: &Attempt,
        at: Millis,
        now: Millis,
        policy: &Policy,
    ) -> Option<(Prefix, Work)> {
        if attempt.client.authenticated {
            return None;
        }
        let key = client_prefix(attempt.client.addr);
        let pair =
            || self.seeded.pair(attempt.sender.map_or(0, |s| s.0), attempt.recipient.map_or(0, |r| r.0));
        let pair = match attempt.answered {
            Answered::Blocked(_) => return Some((key, Work::Refused { at, pair: pair() })),
            Answered::Refused => return None,
            Answered::WouldBlock(_) => Some(pair()),
            Answered::Passed | Answered::Exempt => None,
        };
        let hash = self.sample_hash(seen.session);
        let session = self.open(seen, attempt, at, now, policy);
        let sight = session.attempt(seen, attempt, at, hash, policy)?;
        Some((key, Work::Seen(Sight { pair, ..sight })))
    }

    /// By which the samples of a case are chosen among the sessions behind it.
    fn sample_hash(&self, tag: u64) -> u64 {
        self.seeded.pair(tag, 1)
    }

    /// Finds or begins the session of an attempt.
    fn open(
        &mut self,
        seen: &Observation,
        attempt: &Attempt,
        at: Millis,
        now: Millis,
        policy: &Policy,
    ) -> &mut Session {
        if !self.known.contains_key(&seen.session) {
            self.make_room(now);
            self.order.push_back(seen.session);
        }
        let fresh = || Box::new(Session::new(seen, attempt, at, now, policy));
        self.known.entry(seen.session).or_insert_with(fresh)
    }

    fn make_room(&mut self, now: Millis) {
        while let Some(tag) = self.order.front().copied() {
            let old = self.known.get(&tag).is_none_or(|session| is_old(session, now));
            if !old && self.order.len() < SESSIONS_MAX {
                return;
            }
            self.order.pop_front();
            if let Some(queue) = self.known.remove(&tag).and_then(|session| session.queue) {
                self.queues.remove(&queue);
            }
        }
    }

    fn message(&mut self, tag: u64, message: &Message) {
        let Some(session) = self.known.get_mut(&tag) else { return };
        session.message(message);
        let Some(queue) = message.queue.filter(|queue| session.queue != Some(*queue)) else { return };
        if let Some(before) = session.queue.take() {
            self.queues.remove(&before);
        }
        let named = self.queues.get(&queue).copied();
        if named.is_some_and(|first| self.same_message(first, tag)) {
            return;
        }
        // The newest message has the name: queue ids are used again.
        if let Some(before) = named.and_then(|first| self.known.get_mut(&first)) {
            before.queue = None;
        }
        self.queues.insert(queue, tag);
        if let Some(session) = self.known.get_mut(&tag) {
            session.queue = Some(queue);
        }
    }

    /// Whether two tags are one message, seen by two sensors; if so, they become one.
    fn same_message(&mut self, first: u64, second: u64) -> bool {
        if first == second {
            return false;
        }
        let [Some(one), Some(other)] = self.known.get_disjoint_mut([&first, &second]) else { return false };
        let same = one.can_be(other, APART_MAX_MS);
        if same {
            one.join(other);
            other.verdict = Verdicts::At(first);
        }
        same
    }

    /// Finds the message of a verdict; `None` if no sensor reported it, `Some(None)` if the
    /// verdict changes nothing.
    fn verdict(&mut self, tag: u64, verdict: &Verdict, now: Millis) -> Option<Option<(Prefix, Sight)>> {
        let named = verdict.queue.and_then(|queue| self.queues.get(&queue).copied());
        let mut tag = named.unwrap_or(tag);
        if let Verdicts::At(first) = self.known.get(&tag)?.verdict {
            tag = first;
        }
        let hash = self.sample_hash(tag);
        let session = self.known.get_mut(&tag).filter(|session| !is_old(session, now))?;
        Some(session.judge(verdict, hash))
    }

    /// All sessions in the order in which they were opened.
    pub(crate) fn export(&self) -> impl Iterator<Item = (u64, &Session)> {
        self.order.iter().filter_map(|tag| Some((*tag, &**self.known.get(tag)?)))
    }

    pub(crate) fn import(seeded: Seeded, sessions: Vec<(u64, Session)>) -> Sessions {
        let mut all = Sessions::new(seeded);
        for (tag, session) in sessions {
            if let Some(queue) = session.queue {
                all.queues.insert(queue, tag);
            }
            if all.known.insert(tag, Box::new(session)).is_none() {
                all.order.push_back(tag);
            }
        }
        all
    }
}

/// A queue id finds a session for a day.
fn is_old(session: &Session, now: Millis) -> bool {
    now.since(session.since) > REMEMBERED
}
