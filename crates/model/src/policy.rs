//! What the engine is told by configuration: rules, thresholds, lists.
//!
//! A policy enters the journal as its canonical bytes and is named in events by their
//! hash, so that a decision can be explained after the configuration has changed.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::atlas::Country;
use crate::damage::{DictionaryRule, FloodRule, NULL_ROUTES_PER_MINUTE};
use crate::event::cbor;
use crate::finding::Offence;
use crate::greylist::Greylist;
use crate::key::Prefix;
use crate::lasts::Lasts;
use crate::name::{Name, PersonHash};
use crate::sentence::Tariff;
use crate::signatures::{self, Signature};
use crate::time::Secs;

/// How far a rule may go (C.2). Ordered from nothing to a block.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum RuleMode {
    /// It does not run.
    #[n(0)]
    Off,
    /// It decides and records; nothing is refused.
    #[n(1)]
    Shadow,
    /// It gives facts to other rules.
    #[n(2)]
    Score,
    /// It answers 4xx.
    #[n(3)]
    Defer,
    /// It blocks.
    #[n(4)]
    Block,
}

impl RuleMode {
    /// Reads the word of the configuration.
    pub fn from_word(word: &str) -> Option<RuleMode> {
        Some(match word {
            "off" => RuleMode::Off,
            "shadow" => RuleMode::Shadow,
            "score" => RuleMode::Score,
            "defer" => RuleMode::Defer,
            "block" => RuleMode::Block,
            _ => return None,
        })
    }
}

/// Who is blocked on the first message judged spam.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum FirstHit {
    /// Nobody.
    #[n(0)]
    Off,
    /// A key without good mail that has no FCrDNS, a generic name or a bad HELO (DESIGN §8).
    #[n(1)]
    Suspicious,
    /// Everybody: the reference policy of the benchmark.
    #[n(2)]
    Everybody,
}

/// A trap address by what it once was.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum TrapKind {
    /// Never a real mailbox, or published to catch harvesters.
    #[n(0)]
    Pristine,
    /// A mailbox that was closed and refused for a year.
    #[n(1)]
    Recycled,
}

/// Thresholds of OFF-1.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct VolumeRule {
    /// The first-hit tier.
    #[n(0)]
    pub first_hit: FirstHit,
    /// Units in one hour.
    #[n(1)]
    pub units_hour: u32,
    /// Units in 24 hours.
    #[n(2)]
    pub units_day: u32,
    /// Least share of spam among the messages of 24 hours, in percent.
    #[n(3)]
    pub share_percent: u32,
    /// Least number of messages that a share is taken of.
    #[n(4)]
    pub messages_min: u32,
    /// Units in one hour that block an unknown key whatever the share.
    #[n(5)]
    pub dump_units: u32,
}

/// Switches of the guards and of what is not a rule; the reference policy turns all off.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Guards {
    /// Classes multiply thresholds and shield shared senders.
    #[n(0)]
    pub classes: bool,
    /// A key whose good mail outweighs its recent spam is not blocked.
    #[n(1)]
    pub ratio: bool,
    /// Distinct refused attempts lengthen a sentence (SEN-3a).
    #[n(2)]
    pub attempts: bool,
    /// New automatic blocks a minute of keys with good mail, or of prefixes (G-CAP).
    #[n(3)]
    pub blocks_per_minute: u32,
    /// New null routes a minute (G-CAP); beyond, mail is refused instead.
    #[n(4)]
    pub null_routes: Option<u32>,
    /// For so long a rule that is new or was changed runs in shadow first (G-SHADOW).
    #[n(5)]
    pub trial: Option<Secs>,
}

impl Guards {
    /// New null routes a minute.
    pub fn null_routes_per_minute(&self) -> u32 {
        self.null_routes.unwrap_or(NULL_ROUTES_PER_MINUTE)
    }
}

/// Thresholds of `hash-flood` (A.4): spam again, or a text that many send as spam.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct HashFloodRule {
    /// Messages judged spam in 24 hours that block a key.
    #[n(0)]
    pub spam_day: u32,
    /// So many good messages in 30 days shield a key.
    #[n(1)]
    pub good: u32,
    /// Unrelated networks whose spam in 24 hours makes a text known.
    #[n(2)]
    pub networks: u32,
    /// A block lasts so long after the last spam, at least.
    #[n(3)]
    pub lasts: Secs,
}

impl Default for HashFloodRule {
    /// As shipped.
    fn default() -> HashFloodRule {
        HashFloodRule { spam_day: 2, good: 1, networks: 3, lasts: Secs(12 * 3600) }
    }
}

/// What a block of a whole network may cost (OFF-22, PEERS M8).
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct NetworkRule {
    /// Good messages of the last 30 days that a network may have sent, those of its holes
    /// not counted, and still be blocked without a person's yes.
    #[n(0)]
    pub good_mail_max: u32,
}

/// Countries from which mail is not taken as from others (OFF-21). Empty as shipped.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct GeoRule {
    /// The countries, sorted.
    #[n(0)]
    pub countries: Vec<Country>,
}

/// Thresholds of OFF-20.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct BotRule {
    /// Organisations in the HELO names of one hour that block.
    #[n(0)]
    pub orgs_hour: u32,
    /// The same of 24 hours.
    #[n(1)]
    pub orgs_day: u32,
    /// Sessions that the hour must have.
    #[n(2)]
    pub sessions: u32,
    /// Families of bots that are known by how they greet and behave.
    #[n(3)]
    #[cbor(default)]
    pub signatures: Vec<Signature>,
}

impl Default for BotRule {
    /// As shipped.
    fn default() -> BotRule {
        BotRule { orgs_hour: 5, orgs_day: 10, sessions: 10, signatures: signatures::shipped() }
    }
}

/// Thresholds of OFF-18 and OFF-19, for 24 hours.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct ProtocolRule {
    /// Sessions that spoke before our greeting.
    #[n(0)]
    pub early_talks: u32,
    /// Kinds of faults.
    #[n(1)]
    pub kinds: u32,
    /// Leaving without QUIT is a fault from so many sessions on,
    #[n(2)]
    pub quit_sessions: u32,
    /// when more than so many percent of them did.
    #[n(3)]
    pub quit_percent: u32,
}

impl Default for ProtocolRule {
    /// As shipped.
    fn default() -> ProtocolRule {
        ProtocolRule { early_talks: 3, kinds: 3, quit_sessions: 20, quit_percent: 90 }
    }
}

/// Everything the engine is told.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Policy {
    /// The sentence.
    #[n(0)]
    pub tariff: Tariff,
    /// Rules whose mode is not the shipped one.
    #[n(1)]
    pub modes: Vec<(Offence, RuleMode)>,
    /// OFF-1.
    #[n(2)]
    pub volume: VolumeRule,
    /// Guards.
    #[n(3)]
    pub guards: Guards,
    /// Trap addresses as keyed hashes.
    #[n(4)]
    pub traps: Vec<(PersonHash, TrapKind)>,
    /// Names that are ours: a stranger must not greet with them (OFF-9 a).
    #[n(5)]
    pub our_names: Vec<Name>,
    /// The protected list of the configuration.
    #[n(6)]
    pub protected: Vec<Prefix>,
    /// Declared forwarders and upstream MX: no automatic block.
    #[n(7)]
    pub relays: Vec<Prefix>,
    /// Further suffixes of confirmed names that are shared senders.
    #[n(8)]
    pub shared: Vec<Name>,
    /// Documentation prefixes may be blocked (demo and tests).
    #[n(9)]
    pub documentation: bool,
    /// The most keys remembered at once; the coldest unblocked one gives way.
    #[n(10)]
    pub keys_max: u32,
    /// The mode at the very first start: learning, or enforcing.
    #[n(11)]
    pub learn_first: bool,
    /// OFF-5.
    #[cbor(n(12), default)]
    pub dictionary: DictionaryRule,
    /// OFF-6.
    #[cbor(n(13), default)]
    pub flood: FloodRule,
    /// OFF-20.
    #[n(14)]
    #[cbor(default)]
    pub bot: BotRule,
    /// `hash-flood`.
    #[n(15)]
    #[cbor(default)]
    pub hash_flood: HashFloodRule,
    /// Further networks of shared senders: in order, none within another.
    #[n(26)]
    #[cbor(default)]
    pub shared_networks: Vec<Prefix>,
    /// Greylisting, where it is on.
    #[n(31)]
    pub greylist: Option<Greylist>,
    /// OFF-22: whole networks.
    #[n(20)]
    #[cbor(default)]
    pub networks: NetworkRule,
    /// OFF-21: countries.
    #[n(21)]
    #[cbor(default)]
    pub geo: GeoRule,
    /// OFF-18 and OFF-19.
    #[n(16)]
    #[cbor(default)]
    pub protocol: ProtocolRule,
    /// Rules whose blocks end as the kinds of list do that they follow (A.4); `None` is none.
    #[n(40)]
    pub reference: Option<Vec<Offence>>,
    /// Further names that are ours: domains of our senders, the portal's, the contact's. No
    /// domain that holds one can be blocked, nor one below.
    #[n(41)]
    pub our_domains: Option<Vec<Name>>,
}

/// Rules that could block before or beside the reference policy's one.
const OTHER_RULES: [Offence; 8] = [
    Offence::ReverseDns,
    Offence::Dynamic,
    Offence::EarlyTalker,
    Offence::Protocol,
    Offence::Bot,
    Offence::HashFlood,
    Offence::Dictionary,
    Offence::Flood,
];

/// Keys remembered at once where nothing is configured (C.0).
pub const KEYS_MAX: u32 = 500_000;

impl Policy {
    /// The policy that is shipped.
    pub fn shipped() -> Policy {
        Policy {
            tariff: Tariff::SHIPPED,
            modes: Vec::new(),
            volume: VolumeRule {
                first_hit: FirstHit::Suspicious,
                units_hour: 10,
                units_day: 30,
                share_percent: 60,
                messages_min: 10,
                dump_units: 500,
            },
            guards: Guards {
                classes: true,
                ratio: true,
                attempts: true,
                blocks_per_minute: 200,
                null_routes: None,
                trial: None,
            },
            traps: Vec::new(),
            our_names: Vec::new(),
            protected: Vec::new(),
            relays: Vec::new(),
            shared: Vec::new(),
            documentation: false,
            keys_max: KEYS_MAX,
            learn_first: true,
            dictionary: DictionaryRule::default(),
            flood: FloodRule::default(),
            bot: BotRule::default(),
            hash_flood: HashFloodRule::default(),
            shared_networks: Vec::new(),
            greylist: None,
            networks: NetworkRule::default(),
            geo: GeoRule::default(),
            protocol: ProtocolRule::default(),
            reference: None,
            our_domains: None,
        }
    }

    /// For how long after the last of it a block for an offence holds, where the option
    /// `reference` is on for its kind.
    pub fn reference(&self, offence: Offence) -> Option<Secs> {
        let asked = self.reference.as_ref().is_some_and(|listed| listed.contains(&offence));
        Lasts::of_reference(offence).filter(|_| asked)
    }

    /// Fixed 24 hours on the first verdict, with every guard, class, repeat and score off:
    /// the yardstick that other blockers can be held against.
    pub fn reference_24h() -> Policy {
        let day = Secs::DAY;
        Policy {
            tariff: Tariff { per_unit: Secs(0), floor: day, cap: day, doublings: 0 },
            modes: OTHER_RULES.map(|offence| (offence, RuleMode::Off)).to_vec(),
            volume: VolumeRule { first_hit: FirstHit::Everybody, ..Policy::shipped().volume },
            guards: Guards {
                classes: false,
                ratio: false,
                attempts: false,
                blocks_per_minute: u32::MAX,
                null_routes: None,
                trial: None,
            },
            ..Policy::shipped()
        }
    }

    /// The mode of a rule: configured, or as shipped (C.2, INDEX).
    pub fn mode(&self, offence: Offence) -> RuleMode {
        let set = self.modes.iter().find(|(o, _)| *o == offence);
        set.map_or_else(|| shipped_mode(offence), |(_, mode)| *mode)
    }

    /// The formula that the sentence for an offence is made of: `hash-flood` has a longer floor.
    pub fn tariff_of(&self, offence: Offence) -> Tariff {
        let own = if offence == Offence::HashFlood { self.hash_flood.lasts } else { Secs(0) };
        Tariff { floor: self.tariff.floor.max(own), ..self.tariff.clone() }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor(self)
    }

    /// Reads canonical bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Policy, minicbor::decode::Error> {
        minicbor::decode(bytes)
    }

    /// SHA-256 over the canonical bytes.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// The mode of a rule as shipped.
fn shipped_mode(offence: Offence) -> RuleMode {
    match offence {
        Offence::Operator
        | Offence::SpamVolume
        | Offence::Trap
        | Offence::Greytrap
        | Offence::Reports
        | Offence::Dictionary
        | Offence::Flood
        | Offence::Helo
        | Offence::Virus
        | Offence::Attachment
        | Offence::ReverseDns
        | Offence::Dynamic
        | Offence::Backscatter
        | Offence::EarlyTalker
        | Offence::Protocol
        | Offence::Bot
        | Offence::HashFlood => RuleMode::Block,
        Offence::ForgedSender | Offence::DomainConduct => RuleMode::Score,
        Offence::PrefixEscalation | Offence::AsnEscalation => RuleMode::Shadow,
        _ => RuleMode::Off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_survives_its_bytes_and_has_a_stable_hash() {
        let policy = Policy { traps: vec![(PersonHash(5), TrapKind::Pristine)], ..Policy::shipped() };
        assert_eq!(Policy::from_bytes(&policy.to_bytes()).unwrap(), policy);
        assert_ne!(policy.hash(), Policy::shipped().hash());
    }

    #[test]
    fn what_only_scores_as_shipped_blocks_nobody() {
        let mode = |offence| Policy::shipped().mode(offence);
        for offence in [Offence::Reports, Offence::Virus, Offence::Attachment, Offence::Backscatter] {
            assert_eq!(mode(offence), RuleMode::Block, "{offence:?}");
        }
        assert_eq!([mode(Offence::ForgedSender), mode(Offence::Relay)], [RuleMode::Score, RuleMode::Off]);
    }

    #[test]
    fn a_policy_of_an_earlier_program_has_the_shipped_rules_for_what_it_did_not_know() {
        let shipped = Policy::shipped();
        let bytes = shipped.to_bytes();
        let mut d = minicbor::Decoder::new(&bytes);
        d.array().unwrap();
        let begin = d.position();
        // An array of twelve, which ends before `dictionary`.
        (0..12).for_each(|_| d.skip().unwrap());
        let earlier = [&[0x80 + 12], &bytes[begin..d.position()]].concat();
        assert_eq!(Policy::from_bytes(&earlier).unwrap(), shipped);
    }

    #[test]
    fn a_configured_mode_wins_over_the_shipped_one() {
        let policy = Policy { modes: vec![(Offence::SpamVolume, RuleMode::Shadow)], ..Policy::shipped() };
        assert_eq!(policy.mode(Offence::SpamVolume), RuleMode::Shadow);
        assert_eq!(policy.mode(Offence::Trap), RuleMode::Block);
    }
}
