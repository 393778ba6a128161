//! Joins what several sensors and later verdicts say of one message.
//!
//! By the MTA's instance first, by queue id for 24 hours after (DESIGN §4). Bounded: the
//! oldest session gives way. Each fact counts once.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};

use detectors::seen::{Act, Traits};
use detectors::{helo, providers, rdns};
use hashbrown::HashMap;
use minicbor::{Decode, Encode};
use model::key::client_prefix;
use model::{
    Answered, Attempt, Client, Evidence, Fact, Judgement, Message, Millis, Observation, PersonHash, Policy,
    Prefix, Secs, Sensor, Verdict,
};
use siphasher::sip::SipHasher13;

use crate::shard::Work;
use crate::{Counters, SHARDS, Seeds};

/// Sessions remembered at once: a day of about three messages a second, near 60 MB at most.
const SESSIONS_MAX: usize = 262_144;
/// For so long a queue id finds its session.
const REMEMBERED: Secs = Secs::DAY;
/// Observations from further in the future are clamped to now (C.0).
const AHEAD_MAX: Secs = Secs(300);
/// Distinct recipients of one message that are told apart; beyond, each counts.
const RECIPIENTS_MAX: usize = 64;

/// A hasher with the journal's seeds: replay finds the same order, attackers do not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded(pub(crate) Seeds);

impl BuildHasher for Seeded {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }
}

/// What is known of one message.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
pub(crate) struct Session {
    #[n(0)]
    key: Prefix,
    #[n(1)]
    client: Client,
    #[n(2)]
    sender: Option<PersonHash>,
    /// Distinct recipients that were not refused.
    #[n(3)]
    passed: Vec<u32>,
    /// How many recipients those stand for.
    #[n(4)]
    recipients: u16,
    #[n(5)]
    recipient: Option<PersonHash>,
    #[n(6)]
    at: Millis,
    #[n(7)]
    judged: bool,
    #[n(8)]
    trapped: bool,
    #[n(9)]
    queue: Option<u64>,
    #[n(10)]
    sensor: Sensor,
}

/// All sessions of the last day.
pub(crate) struct Sessions {
    seeded: Seeded,
    known: HashMap<u64, Session, Seeded>,
    /// Session tags by queue id.
    queues: HashMap<u64, u64, Seeded>,
    order: VecDeque<(Millis, u64)>,
}

impl Sessions {
    pub(crate) fn new(seeds: Seeds) -> Sessions {
        let seeded = Seeded(seeds);
        Sessions {
            seeded,
            known: HashMap::with_hasher(seeded),
            queues: HashMap::with_hasher(seeded),
            order: VecDeque::new(),
        }
    }

    pub(crate) fn seeds(&self) -> Seeds {
        self.seeded.0
    }

    /// Which shard a key belongs to.
    pub(crate) fn shard_of(&self, key: Prefix) -> usize {
        (self.seeded.hash_one(key) % SHARDS as u64) as usize
    }

    fn keyed(&self, a: u64, b: u64) -> u64 {
        let mut hasher = self.seeded.build_hasher();
        hasher.write_u64(a);
        hasher.write_u64(b);
        hasher.finish()
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
            Fact::Attempt(attempt) => self.attempt(seen, at, attempt, policy),
            Fact::Message(message) => {
                self.message(seen.session, message);
                None
            }
            Fact::Verdict(verdict) => {
                let tag = verdict.queue.and_then(|q| self.queues.get(&q).copied()).unwrap_or(seen.session);
                let hash = self.keyed(tag, 1);
                let Some(session) = self.known.get_mut(&tag) else {
                    counters.unmatched_verdicts += 1;
                    return None;
                };
                session.judge(verdict, hash, policy)
            }
        }
    }

    fn attempt(
        &mut self,
        seen: &Observation,
        at: Millis,
        attempt: &Attempt,
        policy: &Policy,
    ) -> Option<(Prefix, Work)> {
        if attempt.client.authenticated {
            return None;
        }
        let key = client_prefix(attempt.client.addr);
        let pair = self.keyed(attempt.sender.map_or(0, |s| s.0), attempt.recipient.map_or(0, |r| r.0));
        let opens = self.open(seen, at, key, attempt);
        let shadow = matches!(attempt.answered, Answered::WouldBlock(_));
        match attempt.answered {
            Answered::Blocked(_) | Answered::WouldBlock(_) => {
                return Some((key, Work::Refused { at, pair, shadow }));
            }
            Answered::Refused => return None,
            Answered::Passed | Answered::Exempt => {}
        }
        let session = self.known.get_mut(&seen.session)?;
        if !session.pass(attempt) {
            return None;
        }
        let trap = attempt.recipient.and_then(|who| {
            policy
                .traps
                .binary_search_by_key(&who, |(t, _)| *t)
                .ok()
                .map(|found| (who, policy.traps[found].1))
        });
        session.trapped |= trap.is_some();
        let sample = trap.map(|(_, kind)| Evidence { trap: Some(kind), ..session.evidence(at) });
        let traits = traits_of(&attempt.client, policy);
        let act = Act::Attempt { opens_session: opens, trap };
        let hash = self.keyed(seen.session, 1);
        Some((key, Work::Seen { at, traits, act, sample: sample.map(|s| Box::new((hash, s))) }))
    }

    /// Finds or begins the session of an attempt; says whether it is new.
    fn open(&mut self, seen: &Observation, at: Millis, key: Prefix, attempt: &Attempt) -> bool {
        if self.known.contains_key(&seen.session) {
            return false;
        }
        self.make_room(at);
        let session = Session {
            key,
            client: attempt.client.clone(),
            sender: attempt.sender,
            passed: Vec::new(),
            recipients: 0,
            recipient: None,
            at,
            judged: false,
            trapped: false,
            queue: None,
            sensor: seen.sensor,
        };
        self.known.insert(seen.session, session);
        self.order.push_back((at, seen.session));
        true
    }

    fn make_room(&mut self, now: Millis) {
        let old = now.minus(REMEMBERED);
        while let Some((at, tag)) = self.order.front().copied() {
            if at >= old && self.order.len() < SESSIONS_MAX {
                return;
            }
            self.order.pop_front();
            if let Some(queue) = self.known.remove(&tag).and_then(|s| s.queue) {
                self.queues.remove(&queue);
            }
        }
    }

    fn message(&mut self, tag: u64, message: &Message) {
        let Some(session) = self.known.get_mut(&tag) else { return };
        session.recipients = session.recipients.max(message.recipients);
        if let Some(queue) = message.queue {
            session.queue = Some(queue);
            self.queues.insert(queue, tag);
        }
    }

    pub(crate) fn export(&self) -> Vec<(u64, Session)> {
        self.order.iter().filter_map(|(_, tag)| Some((*tag, self.known.get(tag)?.clone()))).collect()
    }

    pub(crate) fn import(&mut self, sessions: Vec<(u64, Session)>) {
        for (tag, session) in sessions {
            if let Some(queue) = session.queue {
                self.queues.insert(queue, tag);
            }
            self.order.push_back((session.at, tag));
            self.known.insert(tag, session);
        }
    }
}

impl Session {
    /// Counts a recipient that was not refused; `false` if it was counted before (STD-72).
    fn pass(&mut self, attempt: &Attempt) -> bool {
        let fragment = attempt.recipient.map_or(0, |r| r.0 as u32);
        if self.passed.contains(&fragment) {
            return false;
        }
        if self.passed.len() < RECIPIENTS_MAX {
            self.passed.push(fragment);
        }
        self.recipients = self.recipients.saturating_add(attempt.recipients.max(1));
        self.recipient = self.recipient.or(attempt.recipient);
        true
    }

    /// Takes a verdict once; one about a message that was refused everywhere means nothing.
    fn judge(&mut self, verdict: &Verdict, hash: u64, policy: &Policy) -> Option<(Prefix, Work)> {
        if self.judged || self.recipients == 0 {
            return None;
        }
        self.judged = true;
        let act = Act::Judged {
            judgement: verdict.judgement,
            recipients: self.recipients,
            recipient: self.recipient,
        };
        let sample = (verdict.judgement != Judgement::Ham).then(|| Evidence {
            judgement: Some(verdict.judgement),
            score: verdict.score,
            source: Some(verdict.source.clone()),
            ..self.evidence(self.at)
        });
        let sample = sample.map(|s| Box::new((hash, s)));
        // The message came when it came, however late its verdict.
        Some((self.key, Work::Seen { at: self.at, traits: traits_of(&self.client, policy), act, sample }))
    }

    fn evidence(&self, at: Millis) -> Evidence {
        Evidence {
            at,
            client: self.client.clone(),
            sensor: self.sensor,
            sender: self.sender,
            recipients: self.recipients,
            judgement: None,
            score: None,
            source: None,
            trap: self.trapped.then_some(model::policy::TrapKind::Pristine),
        }
    }
}

fn traits_of(client: &Client, policy: &Policy) -> Traits {
    let confirmed = client.rdns.confirmed();
    Traits {
        helo: helo::classify(client.helo.as_ref().map(model::Name::as_bytes), client.addr, &policy.our_names),
        rdns: rdns::classify(&client.rdns, client.addr),
        shared: confirmed.is_some_and(|name| providers::is_shared(name, &policy.shared)),
    }
}
