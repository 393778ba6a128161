//! What is known of one message.

use detectors::helo::HeloClass;
use detectors::seen::{Act, Traits};
use minicbor::{Decode, Encode};
use model::key::client_prefix;
use model::policy::TrapKind;
use model::{
    Answered, Attempt, Client, Evidence, Judgement, Message, Millis, Observation, PersonHash, Policy, Prefix,
    Sensor, Verdict,
};

use crate::shard::Sight;

/// Distinct recipients of one message that are told apart; beyond, each counts.
const RECIPIENTS_MAX: usize = 64;

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
    others: Vec<u32>,
    /// How many recipients those stand for.
    #[n(5)]
    recipients: u16,
    /// When the first one was named.
    #[n(6)]
    pub(crate) at: Millis,
    /// When the engine first heard of it; a message is forgotten by this time.
    #[n(7)]
    pub(crate) since: Millis,
    #[n(8)]
    pub(crate) verdict: Verdicts,
    #[n(9)]
    pub(crate) queue: Option<u64>,
    /// The best sensor that saw it.
    #[n(10)]
    sensor: Sensor,
    #[n(11)]
    trap: Option<TrapKind>,
    /// A shadow case would have refused every recipient.
    #[n(12)]
    shadowed: bool,
}

/// Whether a verdict may still come: each message is judged once.
#[derive(Clone, Copy, Debug, Decode, Encode, PartialEq)]
pub(crate) enum Verdicts {
    /// None came yet.
    #[n(0)]
    Open,
    /// It was judged.
    #[n(1)]
    Given,
    /// Another sensor saw the same message; its tag is judged.
    #[n(2)]
    At(#[n(0)] u64),
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
            client: attempt.client.clone(),
            traits: Traits::of(&attempt.client, &policy.our_names, &policy.shared),
            sender: attempt.sender,
            recipient: None,
            others: Vec::new(),
            recipients: 0,
            at,
            since,
            verdict: Verdicts::Open,
            queue: None,
            sensor: seen.sensor,
            trap: None,
            shadowed: true,
        }
    }

    /// Takes a recipient that was not refused, with the hash by which samples are chosen.
    /// `None` if it was counted before (STD-72).
    pub(crate) fn attempt(
        &mut self,
        seen: &Observation,
        attempt: &Attempt,
        at: Millis,
        hash: u64,
        policy: &Policy,
    ) -> Option<Sight> {
        self.sensor = self.sensor.min(seen.sensor);
        let opens_session = self.recipients == 0;
        if !self.count(attempt) {
            return None;
        }
        let shadowed = matches!(attempt.answered, Answered::WouldBlock(_));
        self.shadowed &= shadowed;
        let trap = attempt.recipient.and_then(|who| Some((who, trap_kind(who, policy)?)));
        self.trap = self.trap.or(trap.map(|(_, kind)| kind));
        // What can be an offence by itself is evidence by itself.
        let telling = trap.is_some() || (opens_session && self.traits.helo == HeloClass::OurName);
        let sample = telling.then(|| Box::new((hash, self.evidence(at))));
        let act = Act::Attempt { opens_session, trap };
        Some(Sight { at, traits: self.traits, act, sample, shadowed, pair: None })
    }

    fn count(&mut self, attempt: &Attempt) -> bool {
        let fragment = |who: Option<PersonHash>| who.map_or(0, |PersonHash(r)| r as u32);
        let this = fragment(attempt.recipient);
        if self.recipients == 0 {
            self.recipient = attempt.recipient;
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

    /// Takes a verdict once.
    pub(crate) fn judge(&mut self, verdict: &Verdict, hash: u64) -> Option<(Prefix, Sight)> {
        if self.verdict != Verdicts::Open {
            return None;
        }
        self.verdict = Verdicts::Given;
        let (judgement, recipients, recipient) = (verdict.judgement, self.recipients, self.recipient);
        let sample = (judgement != Judgement::Ham).then(|| {
            let (score, source) = (verdict.score, Some(verdict.source.clone()));
            Box::new((hash, Evidence { judgement: Some(judgement), score, source, ..self.evidence(self.at) }))
        });
        let act = Act::Judged { judgement, recipients, recipient };
        // The message came when it came, however late its verdict.
        let (at, traits, shadowed) = (self.at, self.traits, self.shadowed);
        let sight = Sight { at, traits, act, sample, shadowed, pair: None };
        Some((client_prefix(self.client.addr), sight))
    }

    /// Whether two sensors that name one queue id can have seen one message: queue ids are
    /// used again.
    pub(crate) fn can_be(&self, other: &Session, within_ms: u64) -> bool {
        self.client.addr == other.client.addr && self.at.0.abs_diff(other.at.0) <= within_ms
    }

    /// Takes over what another sensor knew of the same message.
    pub(crate) fn join(&mut self, other: &Session) {
        self.recipients = self.recipients.max(other.recipients);
        self.sensor = self.sensor.min(other.sensor);
        self.trap = self.trap.or(other.trap);
        // Only the sensor that answered knows what it would have answered.
        self.shadowed |= other.shadowed;
        if other.verdict == Verdicts::Given {
            self.verdict = Verdicts::Given;
        }
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
            trap: self.trap,
            exhibit: None,
        }
    }
}

/// Whether a recipient is a trap; the list is sorted when a policy is adopted.
fn trap_kind(who: PersonHash, policy: &Policy) -> Option<TrapKind> {
    let found = policy.traps.binary_search_by_key(&who, |(trap, _)| *trap).ok()?;
    Some(policy.traps[found].1)
}
