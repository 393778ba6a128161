//! What a report says.

use std::fmt;
use std::net::IpAddr;

use super::original::Original;
use super::xarf::XarfError;
use crate::text::quoted;

/// The most octets that are kept of one word or line of a report.
pub const TEXT_LEN_MAX: usize = 512;

/// The most values that are kept of a field that may be repeated.
pub const LIST_MAX: usize = 16;

/// One report of one or more messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Which form it has.
    pub kind: Kind,
    /// What the reporter asks for; `None` where a report is no complaint.
    pub vote: Option<Vote>,
    /// The messages that it is about: none where the form has room for none, several only
    /// where several were attached.
    pub originals: Vec<Original>,
    /// What else it says, none of it checked.
    pub claims: Claims,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// RFC 5965.
    Arf,
    /// A JSON document of XARF.
    Xarf,
    /// The line form of X-ARF 0.1 and 0.2.
    XarfPlain,
    /// A message with the reported ones attached.
    Forward,
    /// The reported message itself.
    Bare,
}

/// What the reporter says of the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vote {
    /// Unwanted.
    Junk,
    /// Wanted after all.
    NotJunk,
}

/// What a report is about (RFC 5965 §7.3 and its registry).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FeedbackType {
    /// Unsolicited mail, or another kind of abuse.
    Abuse,
    /// Fraud or phishing.
    Fraud,
    /// A virus in the message.
    Virus,
    /// Something else.
    Other,
    /// It was taken for spam, and is none (RFC 6430).
    NotSpam,
    /// It failed SPF, DKIM or DMARC at somebody else's (RFC 6591): a machine's remark to the
    /// domain's owner, no complaint.
    AuthFailure,
    /// A word that is not registered, such as `opt-out`.
    Unregistered,
}

impl FeedbackType {
    /// What the reporter asks for with it.
    pub fn vote(self) -> Option<Vote> {
        match self {
            FeedbackType::Abuse | FeedbackType::Fraud | FeedbackType::Virus | FeedbackType::Other => {
                Some(Vote::Junk)
            }
            FeedbackType::NotSpam => Some(Vote::NotJunk),
            FeedbackType::AuthFailure | FeedbackType::Unregistered => None,
        }
    }
}

/// What a report says and nobody has checked, for the operator to read.
///
/// Each text has at most [`TEXT_LEN_MAX`] octets of one line, each list [`LIST_MAX`] texts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Claims {
    /// The address in the From field of the report.
    pub from: Option<Vec<u8>>,
    /// Who reports, where the form has a word for it (XARF).
    pub reporter: Option<Vec<u8>>,
    /// What it is about; for XARF the nearest word.
    pub feedback_type: Option<FeedbackType>,
    /// The word that says so, as written.
    pub feedback_word: Vec<u8>,
    /// The program that wrote the report.
    pub user_agent: Option<Vec<u8>>,
    /// The version of the form.
    pub version: Option<Vec<u8>>,
    /// The address that the message came from.
    pub source_ip: Option<IpAddr>,
    /// The port that it came from (RFC 6692; RFC 6302).
    pub source_port: Option<u16>,
    /// When it arrived, in seconds since 1970-01-01 UTC.
    pub arrival_secs: Option<u64>,
    /// How many messages the report stands for; 1 unless it says more.
    pub incidents: u32,
    /// The reporter's name for the message.
    pub envelope_id: Option<Vec<u8>>,
    /// The envelope sender, as written.
    pub mail_from: Option<Vec<u8>>,
    /// The recipients, as written: persons.
    pub rcpt_to: Vec<Vec<u8>>,
    /// The MTA that reports, without `dns;`.
    pub reporting_mta: Option<Vec<u8>>,
    /// What the reporter's MTA found out about the sender (RFC 8601).
    pub authentication_results: Vec<Vec<u8>>,
    /// Domains that are thought to be to blame.
    pub domains: Vec<Vec<u8>>,
    /// Addresses in the message that are thought to be to blame.
    pub uris: Vec<Vec<u8>>,
    /// What failed (RFC 6591).
    pub auth_failure: Option<Vec<u8>>,
    /// The domain whose signature failed (RFC 6591).
    pub dkim_domain: Option<Vec<u8>>,
}

/// Mail that is no report. The sender's doing; nothing is to be counted, and only
/// [`NotAReport::NothingAttached`] deserves an answer to a person.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotAReport {
    /// It is longer than we read.
    TooLong {
        /// Its octets.
        len: usize,
    },
    /// A delivery status notification, another report of that family, or the forward of one.
    Bounce,
    /// It says that it is ARF and has no `message/feedback-report`.
    NoFeedback,
    /// Its feedback has no `Feedback-Type`.
    NoFeedbackType,
    /// It is XARF that breaks its own rules.
    Xarf(XarfError),
    /// It is a report, but not of mail.
    NotMail {
        /// What it is of, cut and made printable.
        got: String,
    },
    /// A message without a message in it: most likely somebody wrote in his own words.
    NothingAttached,
    /// What should be a message has no header field.
    Empty,
}

impl NotAReport {
    pub(super) fn not_mail(got: &str) -> NotAReport {
        NotAReport::NotMail { got: quoted(got.as_bytes()) }
    }
}

impl fmt::Display for NotAReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = super::read::RAW_LEN_MAX;
        match self {
            NotAReport::TooLong { len } => {
                write!(f, "expected a report of at most {max} octets, but got {len}")
            }
            NotAReport::Bounce => f.write_str("expected a report, but got a delivery status notification"),
            NotAReport::NoFeedback => {
                f.write_str("expected a message/feedback-report, but the report has none")
            }
            NotAReport::NoFeedbackType => f.write_str("expected a Feedback-Type, but the report has none"),
            NotAReport::Xarf(error) => write!(f, "expected a valid XARF report: {error}"),
            NotAReport::NotMail { got } => write!(f, "expected a report of mail, but got one of {got}"),
            NotAReport::NothingAttached => {
                f.write_str("expected the reported message as an attachment, but got none")
            }
            NotAReport::Empty => f.write_str("expected a message, but got one without a header field"),
        }
    }
}

impl std::error::Error for NotAReport {}
