//! What is known of one message.

use detectors::bot::{self, Greeting};
use detectors::facts::passes;
use detectors::helo::HeloClass;
use detectors::seen::{Act, Beside, Ended, Traits};
use minicbor::{Decode, Encode};
use model::content::{Kept, Shape};
use model::key::client_prefix;
use model::policy::TrapKind;
use model::{
    Answered, Attempt, Client, Content, Evidence, Few, Judgement, Message, Millis, Observation, PersonHash,
    Policy, Prefix, Sensor, Verdict,
};

use crate::connections;
use crate::delivered::Delivery;
use crate::experience::Met;
use crate::seeded::Seeded;
use crate::shard::{Keep, Sample, Sight};

/// Distinct recipients of one message that are told apart; beyond, each counts.
const RECIPIENTS_MAX: usize = 64;
/// Further tags of one message: three sensors join by their connections, and what says the
/// same queue id more often than that is no message.
const ALIASES_MAX: usize = 16;
/// Traps of one message that are told apart.
const TRAPS_MAX: usize = 16;

/// One message of one session.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
pub(crate) struct Session {
    #[n(0)]
    client: Client,
    #[n(1)]
    traits: Traits,
    #[n(2)]
    sender: Option<PersonHash>,
    /// The first recipient that was not refused.
    #[n(3)]
    recipient: Option<PersonHash>,
    /// Fragments of the others.
    #[n(4)]
    others: Few<u32>,
    /// How many recipients those stand for.
    #[n(5)]
    recipients: u16,
    /// When the first one was named.
    #[n(6)]
    pub(crate) at: Millis,
    /// When the engine first heard of it; a message is forgotten by this time.
    #[n(7)]
    pub(crate) since: Millis,
    /// Its judgement, once it was judged.
    #[n(8)]
    judgement: Option<Judgement>,
    #[n(9)]
    pub(crate) queue: Option<u64>,
    /// The best sensor that saw it.
    #[n(10)]
    sensor: Sensor,
    /// Traps that were named as recipients.
    #[n(11)]
    traps: Few<(PersonHash, TrapKind)>,
    /// A shadow case would have refused every recipient.
    #[n(12)]
    shadowed: bool,
    /// The sensors that saw it.
    #[n(13)]
    pub(crate) seen_by: u8,
    /// Other tags of the same message, by other sensors.
    #[n(14)]
    pub(crate) aliases: Few<u64>,
    /// What it showed at its end.
    #[n(15)]
    content: Option<Box<Content>>,
    /// A judge had doubts about it.
    #[n(16)]
    near: bool,
    /// It is the newest of its chain, and the tag of the one before it.
    #[n(17)]
    pub(crate) newest: bool,
    #[n(18)]
    pub(crate) before: u64,
}

impl Session {
    /// The session that an attempt opens; it has no recipient yet.
    pub(crate) fn new(
        seen: &Observation,
        attempt: &Attempt,
        at: Millis,
        since: Millis,
        policy: &Policy,
    ) -> Session {
        Session {
            client: with_one_name(&attempt.client),
            traits: Traits::of(&attempt.client, attempt.sender_fits, policy),
            sender: attempt.sender,
            recipient: None,
            others: Few::default(),
            recipients: 0,
            at,
            since,
            judgement: None,
            queue: None,
            sensor: seen.sensor,
            traps: Few::default(),
            shadowed: true,
            seen_by: connections::bit(seen.sensor),
            aliases: Few::default(),
            content: None,
            near: false,
            newest: false,
            before: 0,
        }
    }

    /// The chain it belongs to, if its sensors take part.
    pub(crate) fn chain(&self, seeded: Seeded) -> Option<u64> {
        (self.seen_by != 0).then(|| connections::chain(seeded, self.client.addr, self.sender))
    }

    /// How badly an attempt of another sensor fits: `None` if it is about another message,
    /// else whether its recipient is not known here, and how many milliseconds they are apart.
    pub(crate) fn fits(&self, sensor: u8, attempt: &Attempt, at: Millis) -> Option<(bool, u64)> {
        let same_client = self.client.addr == attempt.client.addr && self.sender == attempt.sender;
        let apart = self.at.0.abs_diff(at.0);
        if self.seen_by & sensor != 0 || !same_client || apart > connections::APART_MAX.0 * 1000 {
            return None;
        }
        let (one, other) = (self.client.port, attempt.client.port);
        let known = attempt.recipient.is_some_and(|who| self.knows(who.0 as u32));
        let fits = if one == 0 || other == 0 { known } else { one == other };
        fits.then_some((!known, apart))
    }

    fn knows(&self, fragment: u32) -> bool {
        self.recipient.is_some_and(|who| who.0 as u32 == fragment) || self.others.contains(&fragment)
    }

    /// Takes a recipient that was not refused, with the hash by which samples are chosen.
    /// `None` if it was counted before (STD-72).
    pub(crate) fn attempt(
        &mut self,
        seen: &Observation,
        attempt: &Attempt,
        at: Millis,
        (hash, greeting): (u64, Option<Greeting>),
        awaited: bool,
        policy: &Policy,
    ) -> Option<Sight> {
        self.sensor = self.sensor.min(seen.sensor);
        let opens_session = self.recipients == 0;
        let shadowed = matches!(attempt.answered, Answered::WouldBlock(_));
        let is_another = self.seen_by & connections::bit(seen.sensor) == 0;
        if !self.count(attempt) {
            // Only the sensor that answered knows what it would have answered.
            self.shadowed |= shadowed && is_another && self.others.is_empty();
            return None;
        }
        self.shadowed &= shadowed;
        let trap = attempt.recipient.and_then(|who| Some((who, trap_kind(who, policy)?)));
        if let Some(trap) = trap.filter(|_| self.traps.len() < TRAPS_MAX) {
            self.traps.push(trap);
        }
        // What can be an offence by itself is evidence by itself.
        let telling = trap.is_some() || (opens_session && self.traits.helo == HeloClass::OurName);
        let families =
            if opens_session { bot::families(&policy.bot.signatures, self.client.helo.as_ref()) } else { 0 };
        // A name that does not fit may be one of many (OFF-20).
        let odd = opens_session && (self.traits.helo.is_faulty() || greeting.is_some_and(|one| !one.fits))
            || families != 0;
        let keep = if telling { Keep::Always } else { Keep::IfCounted };
        let sample = (telling || odd).then(|| self.sample(hash, keep, self.evidence(at)));
        let beside = Beside { greeting, families, ..Beside::default() };
        let act = Act::Attempt { opens_session, trap, recipient: attempt.recipient, awaited };
        Some(Sight { sample, shadowed, beside, ..Sight::of(at, self.traits, act) })
    }

    /// No recipient was named yet.
    pub(crate) fn is_new(&self) -> bool {
        self.recipients == 0
    }

    fn count(&mut self, attempt: &Attempt) -> bool {
        let fragment = |who: Option<PersonHash>| who.map_or(0, |PersonHash(r)| r as u32);
        let this = fragment(attempt.recipient);
        if self.recipients == 0 {
            self.recipient = attempt.recipient;
        } else if attempt.recipient.is_none() {
            return false;
        } else if self.recipient.is_none() && self.others.is_empty() {
            // Another sensor did not see whom it was counted for.
            self.recipient = attempt.recipient;
            return true;
        } else if this == fragment(self.recipient) || self.others.contains(&this) {
            return false;
        } else if self.others.len() < RECIPIENTS_MAX {
            self.others.push(this);
        }
        self.recipients = self.recipients.saturating_add(attempt.recipients.max(1));
        true
    }

    /// The message came to its end.
    ///
    /// The MTA's count holds a recipient that was named twice; ours does not, as long as it
    /// can tell recipients apart (STD-72).
    pub(crate) fn message(&mut self, message: &Message) {
        if self.recipient.is_none() || self.others.len() >= RECIPIENTS_MAX {
            self.recipients = self.recipients.max(message.recipients);
        }
    }

    /// Takes what the message showed at its end; `None` if that was known.
    pub(crate) fn ended(&mut self, content: &Content, hash: u64) -> Option<(Prefix, Sight)> {
        if let Some(known) = &mut self.content {
            // The headers of a good-looking message are kept when a late verdict asks for them.
            if known.kept == Kept::No {
                known.kept = content.kept;
            }
            return None;
        }
        self.content = Some(Box::new(content.clone()));
        let ended = Ended {
            content: content.clone(),
            recipients: self.recipients,
            recipient: self.recipient,
            traps: self.traps.to_vec(),
            unasked: false,
        };
        let sample = Some(self.sample(hash, Keep::IfCounted, self.evidence(self.at)));
        let act = Act::Ended(Box::new(ended));
        Some(self.sight(Sight { sample, ..Sight::of(self.at, self.traits, act) }))
    }

    /// Takes a verdict once.
    pub(crate) fn judge(
        &mut self,
        verdict: &Verdict,
        near: bool,
        hash: u64,
        seeded: Seeded,
    ) -> Option<(Prefix, Sight)> {
        if self.judgement.is_some() {
            return None;
        }
        (self.judgement, self.near) = (Some(verdict.judgement), near);
        let (judgement, recipients, recipient) = (verdict.judgement, self.recipients, self.recipient);
        let sample = (judgement != Judgement::Ham).then(|| {
            let (score, source) = (verdict.score, Some(verdict.source.clone()));
            self.sample(hash, Keep::Always, Evidence { score, source, ..self.evidence(self.at) })
        });
        let signed = self.content.as_ref().is_some_and(|content| passes(content));
        let act = Act::Judged { judgement, recipients, recipient, shape: self.shape(), signed };
        // The message came when it came, however late its verdict.
        let met = Some(Box::new(Met::of(&self.client, &self.traits, seeded)));
        let trapped = self.traps.iter().map(|(trap, _)| *trap).collect();
        Some(self.sight(Sight { sample, met, trapped, ..Sight::of(self.at, self.traits, act) }))
    }

    fn sight(&self, sight: Sight) -> (Prefix, Sight) {
        let sender_domain = self.content.as_ref().and_then(|content| content.sender_domain);
        let text = self.content.as_ref().and_then(|content| content.text);
        (client_prefix(self.client.addr), Sight { shadowed: self.shadowed, sender_domain, text, ..sight })
    }

    fn shape(&self) -> Shape {
        self.content.as_ref().map_or_else(Shape::default, |content| content.shape)
    }

    /// The session as a sample; one whose headers were lost is none.
    fn sample(&self, hash: u64, keep: Keep, evidence: Evidence) -> Box<Sample> {
        let lost = self.content.as_ref().is_some_and(|content| content.kept == Kept::Lost);
        Box::new(Sample { hash, keep: if lost { Keep::Never } else { keep }, evidence })
    }

    /// The session as the sample of a report.
    pub(crate) fn reported(&self, hash: u64) -> Box<Sample> {
        self.sample(hash, Keep::IfCounted, self.evidence(self.at))
    }

    /// A shadow case would have refused it.
    pub(crate) fn is_shadowed(&self) -> bool {
        self.shadowed
    }

    /// What is remembered of it as a message that we took.
    pub(crate) fn delivery(&self, queue: u64) -> Delivery {
        Delivery {
            queue,
            at: self.at,
            addr: self.client.addr,
            recipient: self.recipient.map_or(0, |who| who.0 as u32),
            single: self.others.is_empty(),
            rdns: self.traits.rdns,
            shared: self.traits.shared,
            judgement: self.judgement,
            near: self.near,
            bulk: self.shape().any(Shape::LIST | Shape::BULK),
        }
    }

    /// Fragments of its recipients.
    pub(crate) fn people(&self) -> impl Iterator<Item = u32> {
        let first = self.recipient.map(|who| who.0 as u32);
        first.into_iter().chain(self.others.iter().copied())
    }

    /// Fragments of its recipients but the traps, which must look like any other address.
    pub(crate) fn mailboxes(&self) -> impl Iterator<Item = u32> {
        let is_trap = |who: &u32| self.traps.iter().any(|(trap, _)| trap.0 as u32 == *who);
        self.people().filter(move |who| !is_trap(who))
    }

    /// Where its headers are kept.
    pub(crate) fn exhibit(&self) -> Option<model::ExhibitId> {
        match self.content.as_ref()?.kept {
            Kept::Stored(id) => Some(id),
            Kept::No | Kept::Lost => None,
        }
    }

    /// Whether two sensors that name one queue id can have seen one message: queue ids are
    /// used again.
    pub(crate) fn can_be(&self, other: &Session) -> bool {
        let apart = self.at.0.abs_diff(other.at.0);
        self.client.addr == other.client.addr && apart <= connections::APART_MAX.0 * 1000
    }

    /// Takes over what another sensor knew of the same message.
    pub(crate) fn join(&mut self, other: Session, tag: u64) {
        self.recipients = self.recipients.max(other.recipients);
        self.sensor = self.sensor.min(other.sensor);
        for trap in &other.traps {
            if self.traps.len() < TRAPS_MAX && !self.traps.contains(trap) {
                self.traps.push(*trap);
            }
        }
        // Only the sensor that answered knows what it would have answered.
        self.shadowed |= other.shadowed;
        self.judgement = self.judgement.or(other.judgement);
        self.near |= other.near;
        self.seen_by |= other.seen_by;
        self.content = self.content.take().or(other.content);
        self.aliases.push(tag);
        other.aliases.iter().for_each(|alias| self.aliases.push(*alias));
        self.aliases.truncate(ALIASES_MAX);
    }

    fn evidence(&self, at: Millis) -> Evidence {
        Evidence {
            at,
            client: self.client.clone(),
            sensor: self.sensor,
            sender: self.sender,
            recipients: self.recipients,
            judgement: self.judgement,
            score: None,
            source: None,
            trap: self.traps.first().map(|(_, kind)| *kind),
            exhibit: self.exhibit(),
        }
    }
}

/// A client whose names are held once, if it greets with the one that it has.
fn with_one_name(client: &Client) -> Client {
    let name = client.rdns.name().filter(|name| client.helo.as_ref() == Some(*name));
    Client { helo: name.or(client.helo.as_ref()).cloned(), ..client.clone() }
}

/// Whether a recipient is a trap; the list is sorted when a policy is adopted.
pub(crate) fn trap_kind(who: PersonHash, policy: &Policy) -> Option<TrapKind> {
    let found = policy.traps.binary_search_by_key(&who, |(trap, _)| *trap).ok()?;
    Some(policy.traps[found].1)
}
