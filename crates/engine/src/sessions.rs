//! Joins what several sensors and later verdicts say of one message.
//!
//! By the MTA's instance first, by queue id for 24 hours after, and by client, sender and time
//! where neither says so (DESIGN §4; `connections`). What is refused
//! because of a case opens no session: no verdict comes for it, and a blocked host must not
//! push others out. Bounded: the oldest session gives way. Each fact counts once.

use std::collections::VecDeque;

use detectors::bot::Greeting;
use hashbrown::HashMap;
use model::key::client_prefix;
use model::{
    Answered, Attempt, Fact, Message, Millis, Observation, Offence, Policy, Prefix, Secs, Sensor, Verdict,
};

use crate::Counters;
use crate::connections;
use crate::mail::Mail;
use crate::seeded::Seeded;
use crate::session::{Session, trap_kind};
use crate::shard::{Sample, Sight, Work};

/// Sessions remembered at once: a day of about three messages a second, near 150 MB with
/// the keys behind them, 200 MB where a milter sees messages, 100 MB more at the longest names.
const SESSIONS_MAX: usize = 262_144;
/// For so long a queue id finds its session.
const REMEMBERED: Secs = Secs::DAY;
/// When a milter has shown a message so lately, the shape of the next is awaited (OFF-2).
const AWAITED: Secs = Secs::HOUR;

/// All sessions of the last day.
pub(crate) struct Sessions {
    seeded: Seeded,
    known: HashMap<u64, Box<Session>, Seeded>,
    /// Session tags by queue id.
    queues: HashMap<u64, u64, Seeded>,
    /// Tags of further sensors, and the tag under which the session is known.
    aliases: HashMap<u64, u64, Seeded>,
    /// The newest session of each chain (`connections`).
    chains: HashMap<u64, u64, Seeded>,
    /// Tags in the order in which they were opened.
    order: VecDeque<u64>,
    /// When a message was last seen with its headers.
    shown_at: Millis,
}

/// What an observation is joined with.
pub(crate) struct Around<'a> {
    /// When it happened, not ahead of the clock.
    pub(crate) at: Millis,
    pub(crate) now: Millis,
    pub(crate) policy: &'a Policy,
    pub(crate) mail: &'a mut Mail,
    pub(crate) counters: &'a mut Counters,
}

impl Sessions {
    pub(crate) fn new(seeded: Seeded) -> Sessions {
        Sessions {
            seeded,
            known: HashMap::with_hasher(seeded),
            queues: HashMap::with_hasher(seeded),
            aliases: HashMap::with_hasher(seeded),
            chains: HashMap::with_hasher(seeded),
            order: VecDeque::new(),
            shown_at: Millis(0),
        }
    }

    /// How many are remembered now.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Joins an observation about a message; says what it means for which key, or nothing.
    pub(crate) fn join(&mut self, seen: &Observation, around: &mut Around<'_>) -> Option<(Prefix, Work)> {
        let joined = match &seen.fact {
            Fact::Attempt(attempt) => return self.attempt(seen, attempt, around),
            Fact::Message(message) => self.message(seen.session, message, around),
            Fact::Verdict(verdict) => {
                let judged = self.verdict(seen.session, verdict, around);
                around.counters.unmatched_verdicts += u64::from(judged.is_none());
                judged?
            }
            Fact::Rejected(_)
            | Fact::Reported(_)
            | Fact::Sent(_)
            | Fact::Connected(_)
            | Fact::Conduct(_)
            | Fact::Notice(_)
            | Fact::Resolved(_) => None,
        };
        joined.map(|(key, sight)| (key, Work::Seen(sight)))
    }

    fn attempt(
        &mut self,
        seen: &Observation,
        attempt: &Attempt,
        around: &Around<'_>,
    ) -> Option<(Prefix, Work)> {
        if attempt.client.authenticated {
            return None;
        }
        let (at, key) = (around.at, client_prefix(attempt.client.addr));
        let pair =
            || self.seeded.pair(attempt.sender.map_or(0, |s| s.0), attempt.recipient.map_or(0, |r| r.0));
        let pair = match attempt.answered {
            Answered::Blocked(_) => {
                let slides = around.policy.reference(Offence::Trap).is_some();
                let kind = attempt.recipient.filter(|_| slides).and_then(|to| trap_kind(to, around.policy));
                return Some((key, Work::Refused { at, pair: pair(), trap: kind.is_some() }));
            }
            Answered::Refused | Answered::Deferred => return None,
            Answered::WouldBlock(_) => Some(pair()),
            Answered::Passed | Answered::Exempt => None,
        };
        let tag = self.find_or_open(seen, attempt, around);
        let hash = self.sample_hash(tag);
        let awaited = seen.sensor == Sensor::Milter || around.now.since(self.shown_at) < AWAITED;
        let seeded = self.seeded;
        let session = self.known.get_mut(&tag)?;
        let greeting = session.is_new().then(|| Greeting::of(&attempt.client, |text| seeded.text(text)));
        let greeting = greeting.flatten();
        let sight = session.attempt(seen, attempt, at, (hash, greeting), awaited, around.policy);
        session.seen_by |= connections::bit(seen.sensor);
        sight.map(|sight| (key, Work::Seen(Sight { pair, ..sight })))
    }

    /// The tag under which the message of an attempt is known: its own, or that of another
    /// sensor that saw the same; or it is known from here on.
    fn find_or_open(&mut self, seen: &Observation, attempt: &Attempt, around: &Around<'_>) -> u64 {
        let tag = self.resolve(seen.session);
        if self.known.contains_key(&tag) {
            return tag;
        }
        let bit = connections::bit(seen.sensor);
        let chain = (bit != 0).then(|| connections::chain(self.seeded, attempt.client.addr, attempt.sender));
        let newest = chain.and_then(|chain| self.chains.get(&chain).copied());
        let Some(first) = newest.and_then(|newest| self.same_message_as(newest, bit, attempt, around.at))
        else {
            self.open(tag, Session::new(seen, attempt, around.at, around.now, around.policy), around.now);
            return tag;
        };
        self.aliases.insert(tag, first);
        if let Some(session) = self.known.get_mut(&first) {
            session.aliases.push(tag);
        }
        first
    }

    fn resolve(&self, tag: u64) -> u64 {
        if self.aliases.is_empty() { tag } else { self.aliases.get(&tag).copied().unwrap_or(tag) }
    }

    /// The message of a chain that other sensors have reported and this one has not: of
    /// those that can be it, first one to the same recipient, then the nearest in time, then
    /// the first.
    fn same_message_as(&self, newest: u64, sensor: u8, attempt: &Attempt, at: Millis) -> Option<u64> {
        let get = |tag| Some((self.resolve(tag), self.known.get(&self.resolve(tag))?));
        let chain = std::iter::successors(get(newest), |(_, session)| get(session.before));
        let fitting = chain.take(connections::LOOKS_MAX).filter_map(|(tag, session)| {
            let (is_unknown, apart) = session.fits(sensor, attempt, at)?;
            Some((is_unknown, apart, session.at, tag))
        });
        fitting.min().map(|(.., tag)| tag)
    }

    /// By which the samples of a case are chosen among the sessions behind it.
    fn sample_hash(&self, tag: u64) -> u64 {
        self.seeded.pair(tag, 1)
    }

    /// Begins the session of an attempt.
    fn open(&mut self, tag: u64, mut session: Session, now: Millis) {
        self.make_room(now);
        self.order.push_back(tag);
        if let Some(chain) = session.chain(self.seeded) {
            session.newest = true;
            if let Some(before) = self.chains.insert(chain, tag) {
                session.before = before;
                self.set_newest(before, false);
            }
        }
        self.known.insert(tag, Box::new(session));
    }

    fn set_newest(&mut self, tag: u64, newest: bool) {
        if let Some(session) = self.known.get_mut(&tag) {
            session.newest = newest;
        }
    }

    fn make_room(&mut self, now: Millis) {
        while let Some(tag) = self.order.front().copied() {
            let old = self.known.get(&tag).is_none_or(|session| is_old(session, now));
            if !old && self.order.len() < SESSIONS_MAX {
                return;
            }
            self.order.pop_front();
            if let Some(session) = self.remove(tag) {
                self.forget_names(&session);
            }
        }
    }

    fn forget_names(&mut self, session: &Session) {
        for alias in &session.aliases {
            self.aliases.remove(alias);
        }
        if let Some(queue) = session.queue {
            self.queues.remove(&queue);
        }
    }

    /// Takes a session out of what it is found by, but for its names.
    fn remove(&mut self, tag: u64) -> Option<Box<Session>> {
        let session = self.known.remove(&tag)?;
        if let Some(chain) = session.chain(self.seeded).filter(|_| session.newest) {
            self.chains.remove(&chain);
            let before = self.resolve(session.before);
            let is_of_it = self.known.get(&before).and_then(|other| other.chain(self.seeded)) == Some(chain);
            if is_of_it {
                self.chains.insert(chain, before);
                self.set_newest(before, true);
            }
        }
        Some(session)
    }

    /// A message came to its end.
    fn message(&mut self, tag: u64, message: &Message, around: &mut Around<'_>) -> Option<(Prefix, Sight)> {
        let tag = self.resolve(tag);
        let session = self.known.get_mut(&tag)?;
        session.message(message);
        let before = session.queue;
        let tag = message.queue.map_or(tag, |queue| self.name(tag, queue));
        let hash = self.sample_hash(tag);
        let session = self.known.get_mut(&tag)?;
        let ended = message.content.as_deref().and_then(|content| session.ended(content, hash));
        if let Some(queue) = session.queue {
            around.mail.took(before, queue, session, around.now);
        }
        if message.content.is_some() {
            self.shown_at = around.now;
        }
        ended
    }

    /// Gives a message its queue name; says under which tag it is known then.
    fn name(&mut self, tag: u64, queue: u64) -> u64 {
        let named = self.queues.get(&queue).copied();
        if named == Some(tag) {
            return tag;
        }
        if let Some(before) = self.known.get_mut(&tag).and_then(|session| session.queue.take()) {
            self.queues.remove(&before);
        }
        if let Some(first) = named.filter(|first| self.same_message(*first, tag)) {
            return first;
        }
        // The newest message has the name: queue ids are used again.
        if let Some(before) = named.and_then(|first| self.known.get_mut(&first)) {
            before.queue = None;
        }
        self.queues.insert(queue, tag);
        if let Some(session) = self.known.get_mut(&tag) {
            session.queue = Some(queue);
        }
        tag
    }

    /// Whether two tags are one message, seen by two sensors; if so, they become one.
    fn same_message(&mut self, first: u64, second: u64) -> bool {
        let same = match (self.known.get(&first), self.known.get(&second)) {
            (Some(one), Some(other)) => one.can_be(other),
            _ => false,
        };
        if same && let Some(other) = self.remove(second) {
            self.merge(first, second, *other);
        }
        same
    }

    /// Lets `first` take over what was known under `second`.
    fn merge(&mut self, first: u64, second: u64, other: Session) {
        // It was opened lately, so the search is short.
        if let Some(place) = self.order.iter().rposition(|tag| *tag == second) {
            self.order.remove(place);
        }
        self.forget_names(&other);
        let Some(session) = self.known.get_mut(&first) else { return };
        session.join(other, second);
        self.aliases.extend(session.aliases.iter().map(|alias| (*alias, first)));
    }

    /// Finds the message of a verdict; `None` if no sensor reported it, `Some(None)` if the
    /// verdict changes nothing.
    fn verdict(
        &mut self,
        tag: u64,
        verdict: &Verdict,
        around: &mut Around<'_>,
    ) -> Option<Option<(Prefix, Sight)>> {
        let named = verdict.queue.and_then(|queue| self.queues.get(&queue).copied());
        let tag = named.unwrap_or_else(|| self.resolve(tag));
        let hash = self.sample_hash(tag);
        let now = around.now;
        let session = self.known.get_mut(&tag).filter(|session| !is_old(session, now))?;
        let near = around.mail.delivered.is_near(verdict);
        let judged = session.judge(verdict, near, hash, self.seeded);
        if let Some((key, _)) = &judged {
            let client = self.seeded.key(*key);
            around.mail.mailboxes.judged(session.mailboxes(), client, verdict.judgement, around.at);
            session.queue.inspect(|queue| around.mail.delivered.judge(*queue, verdict.judgement, near));
        }
        Some(judged)
    }

    /// The session of a queue name as the sample of a report, and whether a shadow case
    /// would have refused it.
    pub(crate) fn reported(&self, queue: u64) -> Option<(Box<Sample>, bool)> {
        let tag = *self.queues.get(&queue)?;
        let session = self.known.get(&tag)?;
        Some((session.reported(self.sample_hash(tag)), session.is_shadowed()))
    }

    /// All sessions in the order in which they were opened.
    pub(crate) fn export(&self) -> impl Iterator<Item = (u64, &Session)> {
        self.order.iter().filter_map(|tag| Some((*tag, &**self.known.get(tag)?)))
    }

    /// When a message was last seen with its headers.
    pub(crate) fn shown_at(&self) -> Millis {
        self.shown_at
    }

    pub(crate) fn import(seeded: Seeded, shown_at: Millis, sessions: Vec<(u64, Session)>) -> Sessions {
        let mut all = Sessions { shown_at, ..Sessions::new(seeded) };
        for (tag, session) in sessions {
            if let Some(queue) = session.queue {
                all.queues.insert(queue, tag);
            }
            all.aliases.extend(session.aliases.iter().map(|alias| (*alias, tag)));
            if let Some(chain) = session.chain(seeded).filter(|_| session.newest) {
                all.chains.insert(chain, tag);
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
