//! What one detector says of one key, and the unit in which it counts.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::key::Prefix;
use crate::time::Millis;

/// The offences of REQUIREMENTS C.2, by their numbers there.
///
/// A number is stored in events and never given to anything else.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
#[expect(missing_docs, reason = "the table of C.2 explains each; `title` prints it")]
pub enum Offence {
    #[n(0)]
    Operator,
    #[n(1)]
    SpamVolume,
    #[n(2)]
    Trap,
    #[n(3)]
    Greytrap,
    #[n(4)]
    Reports,
    #[n(5)]
    Dictionary,
    #[n(6)]
    Flood,
    #[n(7)]
    Relay,
    #[n(8)]
    Proxy,
    #[n(9)]
    Helo,
    #[n(10)]
    ReverseDns,
    #[n(11)]
    Dynamic,
    #[n(12)]
    Virus,
    #[n(13)]
    Attachment,
    #[n(14)]
    ForgedSender,
    #[n(15)]
    Backscatter,
    #[n(16)]
    ExternalList,
    #[n(17)]
    BruteForce,
    #[n(18)]
    EarlyTalker,
    #[n(19)]
    Protocol,
    #[n(20)]
    Bot,
    #[n(21)]
    Geo,
    #[n(22)]
    PrefixEscalation,
    #[n(23)]
    AsnEscalation,
    #[n(24)]
    DomainConduct,
    /// Spam again, or a text that many servers send as spam (A.4, `hash-flood`): the sibling
    /// of OFF-1, without a number of its own in C.2.
    #[n(25)]
    HashFlood,
}

impl Offence {
    /// `OFF-1` for spam volume, and so on; `operator` for a block by hand, and `hash-flood`,
    /// which has no number.
    pub fn id(self) -> String {
        match self {
            Offence::Operator => "operator".to_owned(),
            Offence::HashFlood => "hash-flood".to_owned(),
            other => format!("OFF-{}", other as u8),
        }
    }
}

/// Unwanted messages times recipients, kept in quarters.
///
/// A distinct refused attempt counts a quarter of a unit (SEN-3a), so a quarter is the
/// smallest amount and everything stays whole numbers (SEN-7).
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct Units(#[n(0)] u64);

impl Units {
    /// None.
    pub const ZERO: Units = Units(0);
    /// The smallest amount.
    pub const QUARTER: Units = Units(1);

    /// `n` whole units, saturating.
    pub const fn whole(n: u64) -> Units {
        Units(n.saturating_mul(4))
    }

    /// `n` quarters of a unit.
    pub const fn from_quarters(n: u64) -> Units {
        Units(n)
    }

    /// The amount in quarters.
    pub const fn quarters(self) -> u64 {
        self.0
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Units) -> Units {
        Units(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Units {
    /// `12`, `12.25`, `12.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = ["", ".25", ".5", ".75"][(self.0 % 4) as usize];
        write!(f, "{}{fraction}", self.0 / 4)
    }
}

/// A number that a rule looked at, or a limit it held it against.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
#[expect(missing_docs, reason = "each variant's text is in `label`")]
pub enum Measure {
    #[n(0)]
    UnitsHour,
    #[n(1)]
    UnitsDay,
    #[n(2)]
    MessagesDay,
    #[n(3)]
    SpamSharePercent,
    #[n(4)]
    LimitUnitsHour,
    #[n(5)]
    LimitUnitsDay,
    #[n(6)]
    LimitSharePercent,
    #[n(7)]
    FirstVerdict,
    #[n(8)]
    DistinctTraps,
    #[n(9)]
    LimitTraps,
    #[n(10)]
    Sessions,
    #[n(11)]
    LimitSessions,
    #[n(12)]
    FactorQuarters,
    #[n(13)]
    GoodMail30d,
    #[n(14)]
    DistinctRecipients,
    #[n(15)]
    HeloClass,
    #[n(16)]
    RdnsClass,
    #[n(17)]
    VirusesDay,
    #[n(18)]
    HeuristicsDay,
    #[n(19)]
    LimitVirusesDay,
    #[n(20)]
    AttachmentsDay,
    #[n(21)]
    LimitAttachmentsDay,
    #[n(22)]
    SpfFailsHour,
    #[n(23)]
    LimitSpfFailsHour,
    #[n(24)]
    SenderDomainsHour,
    #[n(25)]
    LimitSenderDomainsHour,
    #[n(26)]
    BackscatterDay,
    #[n(27)]
    LimitBackscatterDay,
    #[n(28)]
    Reporters48h,
    #[n(29)]
    LimitReporters,
    #[n(30)]
    ReportsSharePercent,
    #[n(31)]
    LimitReportsSharePercent,
    #[n(32)]
    UnknownRecipientsDay,
    #[n(33)]
    ShapeSeen,
    #[n(34)]
    InfectedSharePercent,
    #[n(35)]
    UnknownRecipientsMinutes,
    #[n(36)]
    LimitUnknownRecipientsMinutes,
    #[n(37)]
    UnknownSharePercent,
    #[n(38)]
    LimitUnknownSharePercent,
    #[n(39)]
    LimitUnknownRecipientsDay,
    #[n(40)]
    UnknownOfDomain,
    #[n(41)]
    LimitUnknownOfDomain,
    #[n(42)]
    ServersGuessing,
    #[n(43)]
    LimitServersGuessing,
    #[n(44)]
    ConnectionsAtOnce,
    #[n(45)]
    LimitConnectionsAtOnce,
    #[n(46)]
    ConnectionsMinute,
    #[n(47)]
    LimitConnectionsMinute,
    #[n(48)]
    SessionsReachingPercent,
    #[n(49)]
    LimitSessionsReachingPercent,
    #[n(50)]
    SpamDay,
    #[n(51)]
    LimitSpamDay,
    #[n(53)]
    TextNetworks,
    #[n(54)]
    LimitTextNetworks,
    #[n(100)]
    GreyTrapsDay,
    #[n(101)]
    GreyRelaysDay,
    #[n(102)]
    GreyUnknownDay,
    #[n(103)]
    LimitGreyUnknown,
    #[n(85)]
    SignedDomains,
    #[n(65)]
    NetworkKeys,
    #[n(66)]
    LimitNetworkKeys,
    #[n(67)]
    NetworkDays,
    #[n(68)]
    NetworkOffences,
    #[n(69)]
    NetworkHoles,
    #[n(70)]
    NetworkGoodMail,
    #[n(71)]
    LimitNetworkGoodMail,
    #[n(72)]
    RecordNumber,
    #[n(73)]
    RecordEvidence,
    #[n(74)]
    RecordEarlier,
    #[n(55)]
    HeloOrgsHour,
    #[n(56)]
    LimitHeloOrgsHour,
    #[n(57)]
    HeloOrgsDay,
    #[n(58)]
    LimitHeloOrgsDay,
    #[n(59)]
    BotSignals,
    #[n(52)]
    LimitBotSignals,
    #[n(60)]
    EarlyTalksDay,
    #[n(61)]
    LimitEarlyTalksDay,
    #[n(62)]
    ProtocolFaultsDay,
    #[n(63)]
    LimitProtocolFaultsDay,
    #[n(64)]
    SignatureFeatures,
    #[n(110)]
    SpamShareHourPercent,
    #[n(111)]
    LimitShareHourPercent,
}

impl Measure {
    /// The words on the page and in `explain`.
    // long: one line for each measure.
    pub fn label(self) -> &'static str {
        match self {
            Measure::UnitsHour => "unwanted messages in one hour",
            Measure::UnitsDay => "unwanted messages in 24 hours",
            Measure::MessagesDay => "messages in 24 hours",
            Measure::SpamSharePercent => "share of spam in percent",
            Measure::LimitUnitsHour => "limit for one hour",
            Measure::LimitUnitsDay => "limit for 24 hours",
            Measure::LimitSharePercent => "limit for the share of spam in percent",
            Measure::FirstVerdict => "first message judged spam, from a server without good mail",
            Measure::DistinctTraps => "different trap addresses written to",
            Measure::LimitTraps => "limit of different trap addresses",
            Measure::Sessions => "sessions",
            Measure::LimitSessions => "limit of sessions",
            Measure::FactorQuarters => "class factor in quarters (4 = one)",
            Measure::GoodMail30d => "good messages in 30 days",
            Measure::DistinctRecipients => "different recipients",
            Measure::HeloClass => "class of the HELO name",
            Measure::RdnsClass => "class of the reverse DNS name",
            Measure::VirusesDay => "infected messages in 24 hours",
            Measure::HeuristicsDay => "messages that a scanner suspects in 24 hours (five count as one)",
            Measure::LimitVirusesDay => "limit of infected messages in 24 hours",
            Measure::AttachmentsDay => "messages with a dangerous attachment in 24 hours",
            Measure::LimitAttachmentsDay => "limit of messages with a dangerous attachment",
            Measure::SpfFailsHour => "messages with a sender that SPF forbids in one hour",
            Measure::LimitSpfFailsHour => "limit of messages that SPF forbids",
            Measure::SenderDomainsHour => "different domains of those senders",
            Measure::LimitSenderDomainsHour => "limit of different domains",
            Measure::BackscatterDay => "bounces and automatic answers nobody caused in 24 hours",
            Measure::LimitBackscatterDay => "limit of bounces and automatic answers",
            Measure::Reporters48h => "different people who reported it in 48 hours, weighted",
            Measure::LimitReporters => "limit of different people who report",
            Measure::ReportsSharePercent => "reports in percent of its good mail of 7 days",
            Measure::LimitReportsSharePercent => "limit for that share in percent",
            Measure::UnknownRecipientsMinutes => "different recipients that do not exist in ten minutes",
            Measure::LimitUnknownRecipientsMinutes => "limit for ten minutes",
            Measure::UnknownSharePercent => "share of recipients that do not exist in percent",
            Measure::LimitUnknownSharePercent => {
                "limit for the share of recipients that do not exist in percent"
            }
            Measure::LimitUnknownRecipientsDay => "limit of recipients that do not exist in 24 hours",
            Measure::UnknownOfDomain => {
                "different recipients of one domain that do not exist, tried by many servers in ten minutes"
            }
            Measure::LimitUnknownOfDomain => "limit of recipients of one domain that do not exist",
            Measure::ServersGuessing => "servers that tried them, three or more each",
            Measure::LimitServersGuessing => "limit of servers that try them",
            Measure::ConnectionsAtOnce => "connections at the same time",
            Measure::LimitConnectionsAtOnce => "limit of connections at the same time",
            Measure::ConnectionsMinute => "new connections in one minute",
            Measure::LimitConnectionsMinute => "limit of new connections in one minute",
            Measure::SessionsReachingPercent => {
                "share of sessions that reached a recipient whose mail we take, in percent"
            }
            Measure::LimitSessionsReachingPercent => "limit for that share in percent, below which it counts",
            Measure::UnknownRecipientsDay => "different recipients that do not exist in 24 hours",
            Measure::ShapeSeen => "messages whose headers were seen",
            Measure::InfectedSharePercent => "share of infected messages in percent",
            Measure::SpamDay => "messages judged spam in 24 hours",
            Measure::LimitSpamDay => "limit of messages judged spam in 24 hours",
            Measure::TextNetworks => "unrelated networks that sent this text as spam in 24 hours",
            Measure::LimitTextNetworks => "limit of unrelated networks",
            Measure::GreyTrapsDay => {
                "mail to addresses that never asked for any, before it passed greylisting"
            }
            Measure::GreyRelaysDay => "mail to domains that are not ours, before it passed greylisting",
            Measure::GreyUnknownDay => {
                "different recipients that do not exist, in 24 hours before it passed greylisting"
            }
            Measure::LimitGreyUnknown => "limit of different recipients that do not exist",
            Measure::SignedDomains => "different domains that sign its mail (a host of many)",
            Measure::NetworkKeys => "servers of the network that were blocked lately",
            Measure::LimitNetworkKeys => "so many make a network",
            Measure::NetworkDays => "days on which they were blocked",
            Measure::NetworkOffences => "different reasons for which they were blocked",
            Measure::NetworkHoles => "servers of the network that are not blocked with it",
            Measure::NetworkGoodMail => "good messages in 30 days from the rest of the network",
            Measure::LimitNetworkGoodMail => "limit of good messages that a network may have sent",
            Measure::RecordNumber => "number of the operator's record",
            Measure::RecordEvidence => "items of evidence in the record",
            Measure::RecordEarlier => "earlier entries of the same record",
            Measure::HeloOrgsHour => "organisations in its HELO names in one hour",
            Measure::LimitHeloOrgsHour => "limit of organisations in one hour",
            Measure::HeloOrgsDay => "organisations in its HELO names in 24 hours",
            Measure::LimitHeloOrgsDay => "limit of organisations in 24 hours",
            Measure::BotSignals => "kinds of other signs of bots in 24 hours, beside a bad HELO name",
            Measure::LimitBotSignals => "limit of kinds of other signs",
            Measure::EarlyTalksDay => "sessions in 24 hours that spoke before our greeting",
            Measure::LimitEarlyTalksDay => "limit of such sessions",
            Measure::ProtocolFaultsDay => "kinds of faults against the protocol in 24 hours",
            Measure::LimitProtocolFaultsDay => "limit of kinds of faults",
            Measure::SignatureFeatures => {
                "features that it shares with a family of bots, all that are asked for"
            }
            Measure::SpamShareHourPercent => "share of spam in its last hour in percent",
            Measure::LimitShareHourPercent => {
                "limit for the share of one hour in percent, above which it counts"
            }
        }
    }
}

/// The numbers behind a decision, as they were then.
pub type Facts = Vec<(Measure, u64)>;

/// What one detector says of one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The offence it found.
    pub offence: Offence,
    /// The key it speaks of.
    pub key: Prefix,
    /// When the last observation behind it happened.
    pub at: Millis,
    /// Numbers and limits, for the page and for `explain`.
    pub facts: Facts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_print_their_quarters() {
        for (quarters, text) in [(0, "0"), (4, "1"), (49, "12.25"), (50, "12.5"), (51, "12.75")] {
            assert_eq!(Units::from_quarters(quarters).to_string(), text);
        }
        assert_eq!(Units::whole(u64::MAX).plus(Units::whole(1)).quarters(), u64::MAX);
    }

    #[test]
    fn an_offence_keeps_its_number() {
        assert_eq!(Offence::SpamVolume.id(), "OFF-1");
        assert_eq!(Offence::DomainConduct.id(), "OFF-24");
        assert_eq!(Offence::HashFlood.id(), "hash-flood");
        assert_eq!(minicbor::to_vec(Offence::Dynamic).unwrap(), [11]);
        assert_eq!(minicbor::to_vec(Offence::HashFlood).unwrap(), [24, 25]);
    }
}
