//! One fact that a sensor saw, with its time.
//!
//! Sensors differ (policy server, milter, log follower, replay); what they report is the
//! same. Persons are keyed hashes from the edge on; host names are bounded bytes.

use std::net::IpAddr;

use minicbor::{Decode, Encode};

use crate::case::CaseId;
use crate::content::Content;
use crate::key::Prefix;
use crate::name::{DomainHash, Name, PersonHash};
use crate::time::Millis;

/// What a sensor saw.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Observation {
    /// When it happened, by the sensor's clock.
    #[n(0)]
    pub at: Millis,
    /// Who saw it.
    #[n(1)]
    pub sensor: Sensor,
    /// Which message of which session: a keyed hash of the MTA's instance. One value
    /// joins what several sensors saw of one message.
    #[n(2)]
    pub session: u64,
    /// What was seen.
    #[n(3)]
    pub fact: Fact,
}

/// Who saw it. Where two saw the same fact, the smaller value counts.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Sensor {
    /// The milter.
    #[n(0)]
    Milter,
    /// The policy server.
    #[n(1)]
    Policy,
    /// The mail log.
    #[n(2)]
    MailLog,
    /// A content filter, through `mailward observe`.
    #[n(3)]
    Filter,
    /// A recorded stream.
    #[n(4)]
    Replay,
    /// A user's report.
    #[n(5)]
    Report,
}

/// The fact itself.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Fact {
    /// A recipient was named, and we answered.
    #[n(0)]
    Attempt(#[n(0)] Attempt),
    /// A message came to its end and was taken.
    #[n(1)]
    Message(#[n(0)] Message),
    /// Somebody judged a message.
    #[n(2)]
    Verdict(#[n(0)] Verdict),
    /// The MTA itself refused a recipient.
    #[n(3)]
    Rejected(#[n(0)] Rejected),
    /// A user said that a delivered message was spam, or was none.
    #[n(4)]
    Reported(#[n(0)] Reported),
    /// One of our own people sent a message outward.
    #[n(5)]
    Sent(#[n(0)] Sent),
    /// How many sessions a client has with us, and what came of them (OFF-6).
    #[n(6)]
    Connected(#[n(0)] Connected),
    /// How a client behaved, the commands aside (OFF-18, OFF-19).
    #[n(7)]
    Conduct(#[n(0)] Conduct),
    /// What became of a bounce or a notice of ours (OFF-24).
    #[n(8)]
    Notice(#[n(0)] Notice),
    /// What DNS said of a name with which a stranger greeted (S78).
    #[n(12)]
    Resolved(#[n(0)] Resolved),
}

/// One RCPT command and our answer to it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Attempt {
    /// Who connected.
    #[n(0)]
    pub client: Client,
    /// The envelope sender; `None` is the null sender.
    #[n(1)]
    pub sender: Option<PersonHash>,
    /// The recipient; `None` where the sensor does not see it.
    #[n(2)]
    pub recipient: Option<PersonHash>,
    /// How many recipients this stands for (1 from a live sensor).
    #[n(3)]
    pub recipients: u16,
    /// What we answered.
    #[n(4)]
    pub answered: Answered,
    /// The HELO name and the sender's domain belong to one organisation.
    #[n(5)]
    #[cbor(default)]
    pub sender_fits: bool,
    /// By which greylisting knows it again, where that looked at it: a keyed hash of the
    /// client's pool, and of the sender's domain and the recipient where the pool is a
    /// network.
    #[n(6)]
    pub ticket: Option<u64>,
}

/// The SMTP client, as far as the connection shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    /// Its address; v4-mapped addresses are folded.
    pub addr: IpAddr,
    /// Its port, 0 where unknown.
    pub port: u16,
    /// The HELO or EHLO argument.
    pub helo: Option<Name>,
    /// Its name in DNS.
    pub rdns: Rdns,
    /// It logged in.
    pub authenticated: bool,
}

/// What reverse DNS says of a client (OFF-10).
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Rdns {
    /// Nobody asked, or DNS failed for now: no opinion.
    #[n(0)]
    Unknown,
    /// There is no PTR name.
    #[n(1)]
    Missing,
    /// There is a name, and its addresses do not hold the client's.
    #[n(2)]
    Mismatch(#[n(0)] Name),
    /// Name and address confirm each other (FCrDNS).
    #[n(3)]
    Confirmed(#[n(0)] Name),
}

impl Rdns {
    /// The PTR name, confirmed or not.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Rdns::Mismatch(name) | Rdns::Confirmed(name) => Some(name),
            Rdns::Unknown | Rdns::Missing => None,
        }
    }

    /// The name, if it is confirmed.
    pub fn confirmed(&self) -> Option<&Name> {
        match self {
            Rdns::Confirmed(name) => Some(name),
            _ => None,
        }
    }
}

/// What the client was told.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Answered {
    /// Nothing against it.
    #[n(0)]
    Passed,
    /// Nothing, because the recipient is open to blocked hosts.
    #[n(1)]
    Exempt,
    /// Refused because of a case.
    #[n(2)]
    Blocked(#[n(0)] CaseId),
    /// Refused for this message only, without a case.
    #[n(3)]
    Refused,
    /// Passed, but a shadow case would have refused it.
    #[n(4)]
    WouldBlock(#[n(0)] CaseId),
    /// Asked to come back later (greylisting).
    #[n(5)]
    Deferred,
}

/// A message that came to its end.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Message {
    /// Keyed hash of MX name and queue id; later verdicts are found by it.
    #[n(0)]
    pub queue: Option<u64>,
    /// Recipients that were accepted.
    #[n(1)]
    pub recipients: u16,
    /// Size in octets, 0 where unknown.
    #[n(2)]
    pub size: u64,
    /// What the message itself showed; `None` from a sensor that does not see it.
    #[n(3)]
    pub content: Option<Box<Content>>,
}

/// A recipient that the MTA refused before we could: the facts of a dictionary attack
/// (OFF-5) and of relay probes.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Rejected {
    /// Who connected.
    #[n(0)]
    pub client: Client,
    /// The envelope sender; `None` is the null sender.
    #[n(1)]
    pub sender: Option<PersonHash>,
    /// The recipient.
    #[n(2)]
    pub recipient: Option<PersonHash>,
    /// The recipient's domain.
    #[n(3)]
    pub domain: Option<DomainHash>,
    /// Why.
    #[n(4)]
    pub why: Rejection,
}

/// Why the MTA refused a recipient, by its enhanced status code (RFC 3463).
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Rejection {
    /// 5.1.1: no such mailbox.
    #[n(0)]
    UnknownUser,
    /// 5.7.1 or 4.7.1 with the words of relaying: not our domain.
    #[n(1)]
    Relaying,
    /// Anything else.
    #[n(2)]
    Other,
}

/// A user's report about a message that we delivered (OFF-4).
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Reported {
    /// Keyed hash of MX name and queue id, from our own topmost Received field.
    #[n(0)]
    pub queue: u64,
    /// Who reports.
    #[n(1)]
    pub reporter: PersonHash,
    /// The domain of the author.
    #[n(2)]
    pub sender_domain: Option<DomainHash>,
    /// What they say.
    #[n(3)]
    pub vote: Vote,
    /// The client that our Received field names: a queue id alone can be guessed, or read in
    /// a bounce.
    #[n(4)]
    pub client: Option<Prefix>,
    /// When our Received field says that it came, to the second.
    #[n(5)]
    pub taken_at: Option<Millis>,
}

/// Junk, or not.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Vote {
    /// Unwanted.
    #[n(0)]
    Junk,
    /// Wanted after all.
    #[n(1)]
    NotJunk,
}

/// A message that one of our own people sent (DESIGN §8, outbound).
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Sent {
    /// Who wrote it.
    #[n(0)]
    pub sender: Option<PersonHash>,
    /// To whom.
    #[n(1)]
    pub recipient: PersonHash,
    /// The recipient's domain.
    #[n(2)]
    pub domain: Option<DomainHash>,
}

/// How a client behaved in one session.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Conduct {
    /// Who connected.
    #[n(0)]
    pub client: Client,
    /// What it did.
    #[n(1)]
    pub habit: Habit,
}

/// What a client did that is no command of SMTP, or not in its place.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Habit {
    /// It spoke before our greeting (OFF-18).
    #[n(0)]
    EarlyTalk,
    /// It sent commands ahead that were not offered (RFC 2920).
    #[n(1)]
    Pipelining,
    /// It ended lines with a bare line feed, or without one (RFC 5321 §2.3.8).
    #[n(2)]
    BareLf,
    /// It sent commands of another protocol, such as HTTP's.
    #[n(3)]
    NonSmtp,
    /// It sent words that are no commands.
    #[n(4)]
    UnknownCommand,
    /// It sent commands where they have no place, such as MAIL before EHLO.
    #[n(5)]
    OutOfPlace,
    /// It began over and over with RSET.
    #[n(6)]
    ResetLoop,
    /// It left without QUIT (RFC 5321 §4.1.1.10).
    #[n(7)]
    NoQuit,
    /// It ended its session as it should: no fault, and the rest of the ratio.
    #[n(8)]
    Quit,
}

impl Habit {
    /// How many there are.
    pub const COUNT: usize = Habit::WORDS.len();

    /// Each with its word in observations and logs.
    pub const WORDS: [(&'static str, Habit); 9] = [
        ("early-talk", Habit::EarlyTalk),
        ("pipelining", Habit::Pipelining),
        ("bare-lf", Habit::BareLf),
        ("non-smtp", Habit::NonSmtp),
        ("unknown-command", Habit::UnknownCommand),
        ("out-of-place", Habit::OutOfPlace),
        ("reset-loop", Habit::ResetLoop),
        ("no-quit", Habit::NoQuit),
        ("quit", Habit::Quit),
    ];

    /// The habit of a word.
    pub fn from_word(word: &str) -> Option<Habit> {
        Habit::WORDS.iter().find(|(known, _)| *known == word).map(|(_, habit)| *habit)
    }
}

/// What DNS said of a HELO name. Failures and silence say nothing, and are not told.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Resolved {
    /// The name.
    #[n(0)]
    pub name: Name,
    /// There is such a name.
    #[n(1)]
    pub exists: bool,
}

/// A bounce or a notice of ours on its way out, with a null sender, or a look at where one would
/// go. It names the domain alone: no local part and no person.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Notice {
    /// The domain that it went to, in lower case.
    #[n(0)]
    pub domain: Name,
    /// What it was.
    #[n(1)]
    pub purpose: Purpose,
    /// What became of it.
    #[n(2)]
    pub outcome: Outcome,
}

/// What a notice of ours was.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Purpose {
    /// A delivery status notification to a sender.
    #[n(0)]
    Bounce,
    /// A notice to the postmaster.
    #[n(1)]
    Postmaster,
    /// A report to the abuse address.
    #[n(2)]
    Abuse,
    /// None: DNS was asked, when the domain sent mail, where answers would go.
    #[n(3)]
    Look,
}

/// What became of a notice of ours.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Outcome {
    /// It was taken.
    #[n(0)]
    Accepted,
    /// Refused: there is no such address.
    #[n(1)]
    AddressUnknown,
    /// Refused: no mail with a null sender is taken.
    #[n(2)]
    NullSender,
    /// Refused for what the other side thinks of us, or not delivered for now.
    #[n(3)]
    Other,
    /// No mail server of the domain can be reached by anybody.
    #[n(4)]
    Unreachable,
}

/// What a server of ours counted of a client's sessions: of connections that completed the
/// handshake and reached our greeting, never of packets (ADV-1). A sensor reports a client
/// once a second at most, and only one with unusually many.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Connected {
    /// Who connects.
    #[n(0)]
    pub client: Client,
    /// The counts.
    #[n(1)]
    pub sessions: Sessions,
}

/// Counts of one client's sessions.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Sessions {
    /// Open now, the newest included.
    #[n(0)]
    pub at_once: u32,
    /// Begun since the last report.
    #[n(1)]
    pub begun: u32,
    /// Ended since the last report, those aside in which we refused something: what we stop
    /// says nothing about the client.
    #[n(2)]
    pub ended: u32,
    /// Of those, the ones that reached a recipient whose mail was taken.
    #[n(3)]
    pub reached: u32,
    /// The server has few places left.
    #[n(4)]
    pub strained: bool,
}

/// What a content judge says of one message.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Verdict {
    /// Keyed hash of MX name and queue id; `None` where the session names the message.
    #[n(0)]
    pub queue: Option<u64>,
    /// The judgement.
    #[n(1)]
    pub judgement: Judgement,
    /// The judge's score in hundredths, if it gave one.
    #[n(2)]
    pub score: Option<i32>,
    /// Which judge: a closed word from configuration, such as `rspamd`.
    #[n(3)]
    pub source: Name,
}

/// Spam, virus or neither.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Judgement {
    /// Unwanted.
    #[n(0)]
    Spam,
    /// Wanted.
    #[n(1)]
    Ham,
    /// Infected.
    #[n(2)]
    Virus,
    /// A scanner's guess: a heuristic, or a program that many do not want.
    #[n(3)]
    Heuristic,
}

impl<C> Encode<C> for Client {
    /// Address as bytes (4 or 16), port, HELO, reverse DNS, login.
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(5)?;
        match self.addr {
            IpAddr::V4(a) => e.bytes(&a.octets())?,
            IpAddr::V6(a) => e.bytes(&a.octets())?,
        };
        e.u16(self.port)?
            .encode_with(&self.helo, ctx)?
            .encode_with(&self.rdns, ctx)?
            .bool(self.authenticated)?
            .ok()
    }
}

impl<'b, C> Decode<'b, C> for Client {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.array()?;
        let bytes = d.bytes()?;
        let addr = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
            (Ok(v4), _) => IpAddr::from(v4),
            (_, Ok(v6)) => IpAddr::from(v6),
            _ => return Err(minicbor::decode::Error::message("expected an address of 4 or 16 bytes")),
        };
        let (port, helo) = (d.u16()?, d.decode_with(ctx)?);
        Ok(Client { addr, port, helo, rdns: d.decode_with(ctx)?, authenticated: d.bool()? })
    }
}
