//! Lessons: what a site has learned of kinds of strangers, of names and of networks.
//!
//! A lesson is about no single sender. It weighs in the connection score of strangers until
//! it runs out or is taken back, and it says how many it was learned from.

use minicbor::{Decode, Encode};

use crate::finding::Offence;
use crate::key::Prefix;
use crate::name::Name;
use crate::time::Millis;

/// One lesson; the later one about the same thing replaces the earlier.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Lesson {
    /// What it is about.
    #[n(0)]
    pub of: Subject,
    /// What it weighs, in quarters of a point; 0 takes it back.
    #[n(1)]
    pub quarters: u8,
    /// Until when it holds.
    #[n(2)]
    pub until: Millis,
    /// From how many different strangers it was learned that sent only spam.
    #[n(3)]
    pub bad: u32,
    /// How many others like them sent good mail.
    #[n(4)]
    pub good: u32,
}

/// What a lesson is about.
#[derive(Clone, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// Strangers that connect in one way, by the number of the look.
    #[n(0)]
    Look(#[n(0)] u8),
    /// Hosts whose reverse DNS names belong to one organisation.
    #[n(1)]
    Names(#[n(0)] Name),
    /// The neighbours in one network.
    #[n(2)]
    Network(#[n(0)] Prefix),
    /// Hosts without a confirmed name that greet with names of one organisation.
    #[n(3)]
    Greeting(#[n(0)] Name),
    /// A domain of senders, and what it withholds (OFF-24).
    #[n(10)]
    Conduct(#[n(0)] Name, #[n(1)] Slight),
    /// A rule of ours that good mail fails: it rests (G-OURS).
    #[n(11)]
    Suspended(#[n(0)] Offence),
    /// A /48 that comes with a new /64 each time: it waits where greylisting is on (ADV-12).
    #[n(12)]
    Rotating(#[n(0)] Prefix),
    /// A HELO name that did not exist in DNS, 24 hours apart or more (S78).
    #[n(13)]
    NoSuchName(#[n(0)] Name),
    /// A rule that is new or was changed: it runs in shadow until then (G-SHADOW).
    #[n(14)]
    Trial(#[n(0)] Offence),
}

/// What a domain withholds from those whom it writes to (`rfc-conduct`).
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Slight {
    /// It takes no mail with a null sender, so no bounces.
    #[n(0)]
    Bounces,
    /// It has no postmaster (RFC 5321 §4.5.1).
    #[n(1)]
    Postmaster,
    /// It has no abuse address (RFC 2142).
    #[n(2)]
    Abuse,
    /// Nobody can reach a mail server of it (`bogusmx`).
    #[n(3)]
    Exchanger,
}

impl Slight {
    /// All of them.
    pub const ALL: [Slight; 4] = [Slight::Bounces, Slight::Postmaster, Slight::Abuse, Slight::Exchanger];

    /// What a domain does, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Slight::Bounces => "takes no bounces",
            Slight::Postmaster => "has no postmaster",
            Slight::Abuse => "has no abuse address",
            Slight::Exchanger => "has no mail server that can be reached",
        }
    }
}
