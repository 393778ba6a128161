//! The event: one decision, for ever.
//!
//! The canonical bytes of an event are one CBOR map with integer keys in ascending order
//! (RFC 8949 §4.2.1), hashed as stored and never rewritten. They hold no free text and no
//! person: such things are side rows that enter as salted commitments, so that erasing
//! them keeps the chain valid. A reader skips map keys it does not know; a kind it does
//! not know is kept, verified and shipped, but not applied.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::case::{CaseId, Extended, Lifted, Opened};
use crate::class::Class;
use crate::command::Actor;
use crate::feed::FeedNews;
use crate::finding::Offence;
use crate::key::{Key, Prefix};
use crate::lesson::Lesson;
use crate::time::{Hybrid, Millis};

/// The format of the canonical bytes that this program writes.
pub const FORMAT: u8 = 1;

/// A node of the site; prints as `n1`.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct Node(#[n(0)] pub u16);

/// Which event: node, life of that node's store (new after every restore), and a number
/// without gaps in that life, from 1.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventId {
    /// The node that decided.
    #[n(0)]
    pub node: Node,
    /// The life of its store, from 1.
    #[n(1)]
    pub life: u16,
    /// The number in that life, from 1.
    #[n(2)]
    pub seq: u64,
}

/// Whether a decision is enforced.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Mode {
    /// Enforced.
    #[default]
    #[n(0)]
    Live,
    /// Decided and recorded, not enforced.
    #[n(1)]
    Shadow,
}

/// What made an event happen.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Cause {
    /// An input of the journal: frame position and place in the frame.
    #[n(0)]
    Input(#[n(0)] u64, #[n(1)] u32),
    /// A command by its id.
    #[n(1)]
    Command(#[n(0)] u64),
    /// Another event.
    #[n(2)]
    Event(#[n(0)] EventId),
}

/// The rule behind a decision: offence, engine version, first bytes of the policy's hash.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct RuleStamp {
    /// Which rule.
    #[n(0)]
    pub offence: Offence,
    /// Version of the engine's logic.
    #[n(1)]
    pub engine: u16,
    /// First eight bytes of the policy's SHA-256.
    #[n(2)]
    pub policy: u64,
}

/// Where a decision holds; absent parts mean ‘everywhere’.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Scope {
    /// One node only.
    #[n(0)]
    pub node: Option<Node>,
    /// One brand only.
    #[n(1)]
    pub brand: Option<u16>,
    /// One list only.
    #[n(2)]
    pub list: Option<u16>,
}

/// SHA-256 over a salt and a side row: proves the row without holding it.
pub type Commitment = [u8; 32];

/// Everything about an event but its hash.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Envelope {
    /// Format of these bytes.
    #[n(0)]
    pub format: u8,
    /// The site, a random number drawn at set-up.
    #[n(1)]
    pub site: u64,
    /// Which event.
    #[n(2)]
    pub id: EventId,
    /// Hash of the event before it in the same life; zeros for the first.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub prev: [u8; 32],
    /// When it was decided.
    #[n(4)]
    pub at: Hybrid,
    /// Why it happened.
    #[n(5)]
    pub cause: Cause,
    /// Who decided.
    #[n(6)]
    pub actor: Actor,
    /// By which rule, if by a rule.
    #[n(7)]
    pub rule: Option<RuleStamp>,
    /// Enforced or shadow.
    #[n(8)]
    pub mode: Mode,
    /// The case it speaks of.
    #[n(9)]
    pub case: Option<CaseId>,
    /// The key it speaks of.
    #[n(10)]
    pub key: Option<Key>,
    /// Where it holds; `None` is the whole site.
    #[n(11)]
    pub scope: Option<Scope>,
    /// Epoch of the link key that made this case's link.
    #[n(12)]
    pub link_epoch: u16,
    /// Commitments to evidence and side rows.
    #[n(13)]
    pub evidence: Vec<minicbor::bytes::ByteArray<32>>,
    /// A reader that does not know the kind must stop, not go on without it.
    #[n(14)]
    pub must_understand: bool,
    /// Kind and content.
    #[n(15)]
    pub body: Body,
}

/// What was decided. The number is the kind, stored, and never given to anything else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// 1: a case was opened.
    CaseOpened(Opened),
    /// 2: its end moved.
    CaseExtended(Extended),
    /// 3: it was lifted.
    CaseLifted(Lifted),
    /// 4: everything against the key with causes up to a time was lifted.
    KeyLifted(Lifted),
    /// 5: it came to its end by itself.
    CaseEnded(Millis),
    /// 6: an operator gave it another end.
    CaseResentenced(Millis),
    /// 7: what is remembered of a key changed enough to change an answer.
    StandingChanged(StandingChange),
    /// 8: from now on live, or shadow (learning).
    ModeChanged(Mode),
    /// 9: a prefix was put on the protected list (`true`) or taken off.
    ProtectedChanged(Prefix, bool),
    /// 10: a policy came into force: its SHA-256.
    PolicyAdopted([u8; 32]),
    /// 11: the site learned something of a kind of strangers, or takes it back.
    Learnt(Lesson),
    /// 14: a pool came back in time, and passes greylisting until then.
    GreylistPassed(Millis),
    /// 13: news of a network: a hole in a case's block, an AS, the table of networks.
    Network(NetworkNews),
    /// 15: a bulk list came into force, or was removed.
    Feed(FeedNews),
    /// A kind that this program does not know: its number and its bytes.
    Unknown(u16, Vec<u8>),
}

/// What an answer may depend on; no counts and no persons.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct StandingChange {
    /// The class now.
    #[n(0)]
    pub class: Class,
    /// It has credit for good mail of the last 30 days.
    #[n(1)]
    pub credit: bool,
    /// Until when it passes greylisting.
    #[n(2)]
    pub pass_until: Option<Millis>,
    /// Until when its mail of the last hour counts as a burst of spam: what a filter calls
    /// spam is refused message by message (ADV-18).
    #[n(3)]
    pub burst_until: Option<Millis>,
}

/// What became of a network.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum NetworkNews {
    /// The block of the event's case spares these keys inside it, beside those it spared
    /// before; a hole is never closed again (OFF-22).
    #[n(0)]
    Holes(#[n(0)] Vec<Prefix>),
    /// An AS has many blocked servers for its size, or no longer (`false`) (OFF-23): its
    /// number, and how many servers of how many addresses.
    #[n(1)]
    As(#[n(0)] u32, #[n(1)] bool, #[n(2)] u64, #[n(3)] u64),
    /// The table of networks with this SHA-256 came into force.
    #[n(2)]
    AtlasAdopted(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
}

impl Body {
    fn kind(&self) -> u16 {
        match self {
            Body::CaseOpened(_) => 1,
            Body::CaseExtended(_) => 2,
            Body::CaseLifted(_) => 3,
            Body::KeyLifted(_) => 4,
            Body::CaseEnded(_) => 5,
            Body::CaseResentenced(_) => 6,
            Body::StandingChanged(_) => 7,
            Body::ModeChanged(_) => 8,
            Body::ProtectedChanged(..) => 9,
            Body::PolicyAdopted(_) => 10,
            Body::Learnt(_) => 11,
            Body::GreylistPassed(_) => 14,
            Body::Network(_) => 13,
            Body::Feed(_) => 15,
            Body::Unknown(kind, _) => *kind,
        }
    }

    fn content(&self) -> Vec<u8> {
        match self {
            Body::CaseOpened(b) => cbor(b),
            Body::CaseExtended(b) => cbor(b),
            Body::CaseLifted(b) | Body::KeyLifted(b) => cbor(b),
            Body::CaseEnded(at) | Body::CaseResentenced(at) | Body::GreylistPassed(at) => cbor(at),
            Body::StandingChanged(b) => cbor(b),
            Body::ModeChanged(mode) => cbor(mode),
            Body::ProtectedChanged(prefix, on) => cbor(&(prefix, on)),
            Body::PolicyAdopted(hash) => cbor(&minicbor::bytes::ByteArray::from(*hash)),
            Body::Learnt(lesson) => cbor(lesson),
            Body::Network(news) => cbor(news),
            Body::Feed(news) => cbor(news),
            Body::Unknown(_, bytes) => bytes.clone(),
        }
    }

    fn read(kind: u16, bytes: &[u8]) -> Result<Body, minicbor::decode::Error> {
        Ok(match kind {
            1 => Body::CaseOpened(minicbor::decode(bytes)?),
            2 => Body::CaseExtended(minicbor::decode(bytes)?),
            3 => Body::CaseLifted(minicbor::decode(bytes)?),
            4 => Body::KeyLifted(minicbor::decode(bytes)?),
            5 => Body::CaseEnded(minicbor::decode(bytes)?),
            6 => Body::CaseResentenced(minicbor::decode(bytes)?),
            7 => Body::StandingChanged(minicbor::decode(bytes)?),
            8 => Body::ModeChanged(minicbor::decode(bytes)?),
            9 => {
                let (prefix, on) = minicbor::decode(bytes)?;
                Body::ProtectedChanged(prefix, on)
            }
            10 => Body::PolicyAdopted(minicbor::decode::<minicbor::bytes::ByteArray<32>>(bytes)?.into()),
            11 => Body::Learnt(minicbor::decode(bytes)?),
            14 => Body::GreylistPassed(minicbor::decode(bytes)?),
            13 => Body::Network(minicbor::decode(bytes)?),
            15 => Body::Feed(minicbor::decode(bytes)?),
            _ => Body::Unknown(kind, bytes.to_vec()),
        })
    }
}

impl<C> Encode<C> for Body {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u16(self.kind())?.bytes(&self.content())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Body {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.array()?;
        Body::read(d.u16()?, d.bytes()?)
    }
}

/// Most events and samples fit without growing.
const CBOR_LEN: usize = 512;

/// CBOR of a value; a `Vec` takes every byte, so this can not fail.
pub fn cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CBOR_LEN);
    minicbor::encode(value, &mut bytes)
        .unwrap_or_else(|never: minicbor::encode::Error<std::convert::Infallible>| unreachable!("{never}"));
    bytes
}

/// An event with its canonical bytes and their hash: what is stored and shipped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// Which event.
    pub id: EventId,
    /// Hash of the event before it.
    pub prev: [u8; 32],
    /// SHA-256 over `bytes`.
    pub hash: [u8; 32],
    /// The canonical bytes.
    pub bytes: Vec<u8>,
}

impl Envelope {
    /// Makes the canonical bytes and their hash.
    pub fn seal(&self) -> Sealed {
        let bytes = cbor(self);
        Sealed { id: self.id, prev: self.prev, hash: Sha256::digest(&bytes).into(), bytes }
    }
}

impl Sealed {
    /// Reads the canonical bytes, of this format or an earlier one.
    ///
    /// The upcasters of earlier formats stand here; there is none yet.
    pub fn open(&self) -> Result<Envelope, minicbor::decode::Error> {
        minicbor::decode(&self.bytes)
    }
}

/// The commitment to a side row: SHA-256 over salt and body.
pub fn commit(salt: &[u8; 16], body: &[u8]) -> Commitment {
    Sha256::new().chain_update(salt).chain_update(body).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::BlockKind;
    use crate::finding::{Measure, Units};
    use crate::sentence::{Severity, Tariff};

    fn sample(body: Body) -> Envelope {
        Envelope {
            format: FORMAT,
            site: 0x0123_4567_89ab_cdef,
            id: EventId { node: Node(1), life: 1, seq: 48_211 },
            prev: [7; 32],
            at: Hybrid { wall: Millis::from_secs(1_700_000_000), count: 2 },
            cause: Cause::Input(99, 3),
            actor: Actor::Engine,
            rule: Some(RuleStamp { offence: Offence::SpamVolume, engine: 1, policy: 5 }),
            mode: Mode::Live,
            case: Some(CaseId(EventId { node: Node(1), life: 1, seq: 48_211 })),
            key: Some("192.0.2.1".parse().unwrap()),
            scope: None,
            link_epoch: 1,
            evidence: vec![[9; 32].into()],
            must_understand: false,
            body,
        }
    }

    fn bodies() -> Vec<Body> {
        let opened = Opened {
            kind: BlockKind::Rbl,
            reason: 2,
            from: Millis(10),
            until: Millis(20),
            caused_at: Millis(9),
            units: vec![(Offence::SpamVolume, Units::whole(34))],
            repeats: 1,
            severity: Severity::Minor,
            class: Class::Unknown,
            facts: vec![(Measure::UnitsHour, 34), (Measure::LimitUnitsHour, 10)],
            tariff: Tariff::SHIPPED,
        };
        let lifted = Lifted { at: Millis(15), error: true };
        vec![
            Body::CaseOpened(opened),
            Body::CaseExtended(Extended {
                until: Millis(30),
                later: vec![(Offence::Trap, Units::whole(5))],
                attempts: 8,
            }),
            Body::CaseLifted(lifted),
            Body::KeyLifted(lifted),
            Body::CaseEnded(Millis(30)),
            Body::CaseResentenced(Millis(25)),
            Body::StandingChanged(StandingChange {
                class: Class::Known,
                credit: true,
                pass_until: None,
                burst_until: None,
            }),
            Body::ModeChanged(Mode::Shadow),
            Body::ProtectedChanged("198.51.100.0/24".parse().unwrap(), true),
            Body::PolicyAdopted([3; 32]),
            Body::Unknown(777, vec![1, 2, 3]),
            Body::GreylistPassed(Millis(40)),
        ]
    }

    #[test]
    fn news_of_lists_survive_their_bytes_which_are_pinned() {
        let envelope = sample(Body::Feed(FeedNews::Dropped("drop".parse().unwrap())));
        assert_eq!(envelope.seal().open().unwrap(), envelope);
        let bytes: String = cbor(&envelope.body).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(bytes, "820f488201816464726f70");
    }

    #[test]
    fn news_of_networks_survive_their_bytes_which_are_pinned() {
        #[track_caller]
        fn check(news: NetworkNews, hex: &str) {
            let envelope = sample(Body::Network(news));
            assert_eq!(envelope.seal().open().unwrap(), envelope);
            let bytes: String = cbor(&envelope.body).iter().map(|b| format!("{b:02x}")).collect();
            assert!(bytes.starts_with(hex), "{bytes}");
        }
        check(NetworkNews::Holes(vec!["203.0.113.9".parse().unwrap()]), "820d4e820081818204821acb007109");
        check(NetworkNews::As(64_496, true, 55, 1024), "820d4c82018419fbf0f51837190400");
        check(NetworkNews::AtlasAdopted([6; 32]), "820d5825820281582006060606060606");
    }

    #[test]
    fn every_kind_survives_its_bytes() {
        for body in bodies() {
            let envelope = sample(body);
            assert_eq!(envelope.seal().open().unwrap(), envelope);
        }
    }

    #[test]
    fn the_canonical_bytes_are_pinned() {
        let lines: String = bodies()
            .into_iter()
            .map(|body| {
                let sealed = sample(body).seal();
                let hex = |b: &[u8]| b.iter().map(|b| format!("{b:02x}")).collect::<String>();
                format!("{}\n  {}\n", hex(&sealed.bytes), hex(&sealed.hash))
            })
            .collect();
        // Changing this file changes what stands in every ledger: add a format instead.
        assert_eq!(lines, include_str!("../golden/events.hex"));
    }

    #[test]
    fn a_field_of_a_later_program_is_skipped() {
        let envelope = sample(Body::CaseEnded(Millis(1)));
        let mut bytes = cbor(&envelope);
        bytes[0] += 1; // one more entry in the map
        bytes.extend([0x18, 99, 0x63, b'n', b'e', b'w']);
        let sealed = Sealed { bytes, ..envelope.seal() };
        assert_eq!(sealed.open().unwrap(), envelope);
    }
}
