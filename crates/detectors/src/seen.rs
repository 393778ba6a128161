//! What a detector is shown, and the shape of a detector.

use minicbor::{Decode, Encode};
use model::content::Shape;
use model::key::fold;
use model::observation::{Habit, Sessions};
use model::policy::TrapKind;
use model::{
    Class, Client, Content, Finding, Judgement, Millis, Name, Offence, PersonHash, Policy, Prefix, Vote,
};

use crate::bot::Greeting;
use crate::dynamic::{self, MADE, Parts};
use crate::helo::{self, HeloClass};
use crate::org::org;
use crate::providers::is_shared;
use crate::rdns::{self, RdnsClass};
use crate::record::Record;

/// One fact about one key, joined with what is known of its session.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it happened.
    pub at: Millis,
    /// The client's key.
    pub key: Prefix,
    /// What the connection looked like.
    pub traits: Traits,
    /// What was done.
    pub act: Act,
}

/// The judgement of connection facts alone, made once a session.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Traits {
    /// Class of the HELO argument.
    #[n(0)]
    pub helo: HeloClass,
    /// Class of the reverse DNS name.
    #[n(1)]
    pub rdns: RdnsClass,
    /// Address or confirmed name belong to a mailbox provider or mail service.
    #[n(2)]
    pub shared: bool,
    /// What its name weighs as that of a line, in quarters of a point: its reverse DNS name,
    /// confirmed or not, or its HELO name where there is none.
    #[n(3)]
    pub line: u8,
    /// Whose name it greets with.
    #[n(4)]
    pub fit: Fit,
    /// Its reverse DNS name is made from its address, whatever else stands in it.
    #[n(5)]
    pub made: bool,
}

/// Whose name a client greets with, by organisation.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Fit {
    /// No name that belongs to an organisation.
    #[default]
    #[n(0)]
    Unknown,
    /// Its reverse DNS name itself.
    #[n(1)]
    OwnName,
    /// Another name of the organisation of its reverse DNS name.
    #[n(2)]
    OwnOrg,
    /// A name of the organisation of the envelope sender.
    #[n(3)]
    Sender,
    /// Somebody else's.
    #[n(4)]
    Neither,
}

impl Traits {
    /// What a connection looks like. `sender_fits` says that HELO name and sender are of one
    /// organisation, the policy has the site's own names and its shared senders.
    pub fn of(client: &Client, sender_fits: bool, policy: &Policy) -> Traits {
        // An IPv4 client of a socket that takes both is the same client.
        let addr = fold(client.addr);
        let greeting = client.helo.as_ref().map(Name::as_bytes);
        let name = client.rdns.name().map(Name::as_bytes);
        // A name is looked over once: servers greet with the one that they have.
        let parts = name.map_or_else(Parts::default, |name| Parts::of(name, addr));
        let points = |of: &[u8]| {
            if name == Some(of) { parts.points() } else { dynamic::points(of, addr) }
        };
        let helo = helo::classify(greeting, addr, &policy.our_names, points);
        Traits {
            helo,
            rdns: rdns::classify(&client.rdns, parts.points()),
            shared: is_shared(addr, client.rdns.confirmed(), policy),
            line: name.or(greeting.filter(|_| helo == HeloClass::Line)).map_or(0, points),
            fit: Fit::of(greeting, name, sender_fits),
            made: parts.octets >= MADE,
        }
    }

    /// Whether the connection looks like an end user's computer: no FCrDNS, a generic name,
    /// or a HELO of the classes b to f and i (the first-hit tier of DESIGN §8).
    pub fn suspicious(&self) -> bool {
        self.helo.is_faulty() || !self.rdns.is_confirmed() || self.rdns == RdnsClass::Generic
    }
}

impl Fit {
    fn of(greeting: Option<&[u8]>, name: Option<&[u8]>, sender_fits: bool) -> Fit {
        match greeting.and_then(org) {
            None => Fit::Unknown,
            Some(_) if greeting == name => Fit::OwnName,
            Some(own) if name.and_then(org) == Some(own) => Fit::OwnOrg,
            Some(_) if sender_fits => Fit::Sender,
            Some(_) => Fit::Neither,
        }
    }
}

/// What was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Act {
    /// A recipient was named and not refused.
    Attempt {
        /// The first one of its session.
        opens_session: bool,
        /// The recipient is a trap, with its keyed hash.
        trap: Option<(PersonHash, TrapKind)>,
        /// The recipient, where the sensor sees it. The MTA may still refuse it.
        recipient: Option<PersonHash>,
        /// Whoever reports it will see the message's headers, too, if it comes to its end.
        awaited: bool,
    },
    /// A message was judged.
    Judged {
        /// Spam, ham or virus.
        judgement: Judgement,
        /// To how many recipients it went.
        recipients: u16,
        /// One of the recipients.
        recipient: Option<PersonHash>,
        /// What kind of mail it looks like, where that was seen.
        shape: Shape,
        /// Somebody vouches for it: DKIM, or SPF.
        signed: bool,
    },
    /// A message came to its end, and its headers were seen.
    Ended(Box<Ended>),
    /// The MTA refused a recipient.
    Rejected {
        /// The recipient.
        recipient: Option<PersonHash>,
        /// It does not exist (5.1.1).
        unknown: bool,
        /// The envelope sender was null.
        null_sender: bool,
    },
    /// A user said what a message was that we had taken.
    Reported(Report),
    /// How a client behaved, the commands aside.
    Conduct(Habit),
    /// A server of ours counted its sessions.
    Connected(Sessions),
    /// A client that has not passed greylisting wrote where no stranger should (OFF-3).
    Greyed(GreyHit),
}

/// Where it wrote to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GreyHit {
    /// A trap.
    Trap,
    /// A domain that is not ours.
    NotOurs,
    /// A recipient that does not exist: a fragment of its hash.
    Unknown(u32),
}

/// A message that came to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// What it showed.
    pub content: Content,
    /// To how many recipients it went.
    pub recipients: u16,
    /// One of them.
    pub recipient: Option<PersonHash>,
    /// The traps among them.
    pub traps: Vec<(PersonHash, TrapKind)>,
    /// By the record of our own people's mail nobody of ours wrote to where it comes from.
    pub unasked: bool,
}

/// A user's report, weighed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report {
    /// When it was made; the message itself is older.
    pub when: Millis,
    /// Fragment of the reporter's hash.
    pub reporter: u32,
    /// How much the reporter's word is worth, in percent.
    pub weight: u8,
    /// The message is one of a list, or can be unsubscribed from.
    pub bulk: bool,
    /// Junk, or not.
    pub vote: Vote,
    /// The filter had doubts about the message.
    pub near: bool,
}

/// What surrounds an observation and is the same for all detectors.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Rules and thresholds in force.
    pub policy: &'a Policy,
    /// The key's class.
    pub class: Class,
    /// Triggers are four times as sharp.
    pub on_probation: bool,
    /// Good messages in 30 days.
    pub good: u32,
    /// The time by which standing is read: behind the clock for a day after a jump.
    pub standing: Millis,
    /// What is known from elsewhere of this one fact.
    pub beside: Beside,
}

/// What the engine adds to one fact: the client's own words, and what other keys sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Beside {
    /// How the client greeted, where the fact opens its session.
    pub greeting: Option<Greeting>,
    /// Families of bots that greet so, by their place in the policy: bit 0 is the first.
    pub families: u32,
    /// Unrelated networks whose spam of 24 hours had the text of this message before.
    pub text_networks: u32,
    /// Good mail to this recipient counts no more today: it has had all of this key's that
    /// does (C.0).
    pub spent: bool,
}

impl Context<'_> {
    /// A threshold under the class factor, at least 1; `None` where the class is never blocked.
    pub fn scaled(&self, threshold: u32) -> Option<u64> {
        if !self.policy.guards.classes {
            return Some(u64::from(threshold).max(1));
        }
        let quarters = self.class.factor_quarters(self.on_probation)?;
        Some((u64::from(threshold) * quarters).div_ceil(4).max(1))
    }

    /// The same for a key that is to have at least the room of `class`.
    #[must_use]
    pub fn at_least(&self, class: Class) -> Self {
        Context { class: self.class.max(class), ..*self }
    }

    /// The least number that a share is taken of: classes do not change it, probation does.
    pub fn least(&self, number: u32) -> u64 {
        u64::from(if self.on_probation { number.div_ceil(4) } else { number })
    }
}

/// One rule about one key.
pub trait Detector: Sync {
    /// The offence it speaks of.
    fn offence(&self) -> Offence;

    /// Takes in one observation and says whether it completes a pattern.
    ///
    /// `of` is the key's one record, found once per observation; a detector owns a slot in
    /// it, not a map. Units are written to the record's account, whatever the answer.
    fn observe(&self, seen: &Seen, of: &mut Record, around: &Context<'_>) -> Option<Finding>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_000_000_000);

    /// A key of this class, without good mail.
    pub(crate) fn around(policy: &Policy, class: Class) -> Context<'_> {
        Context { policy, class, on_probation: false, good: 0, standing: START, beside: Beside::default() }
    }

    /// A message of a stranger that ended so many seconds after the start.
    pub(crate) fn ended(secs: u64, content: Content) -> Seen {
        let ended = Ended { content, recipients: 1, recipient: None, traps: Vec::new(), unasked: false };
        Seen {
            at: START.plus(model::Secs(secs)),
            key: "192.0.2.1".parse().unwrap(),
            traits: Traits::default(),
            act: Act::Ended(Box::new(ended)),
        }
    }
}
