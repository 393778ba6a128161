//! XARF, versions 3 and 4: one JSON document of one incident.
//!
//! What both versions require is required here, and every field that is read is held to
//! its schema. Fields of reports that are not about mail are not read, so they are not
//! checked either.

mod check;
mod v3;
mod v4;

use std::fmt;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::report::FeedbackType;

/// The most octets of one document. XARF 4 allows 50 samples of 5 MiB; a message whose
/// headers count is a small part of that.
pub const XARF_LEN_MAX: usize = 8 * 1024 * 1024;

/// The most values in one document: `[[[[…` would need seventy times its length in memory.
pub const XARF_VALUES_MAX: usize = 64 * 1024;

/// What a XARF document says, as far as it matters to mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Xarf {
    /// Its version.
    pub version: XarfVersion,
    /// What it is of: `Activity/Spam` in version 3, `messaging/spam` in version 4.
    pub kind: String,
    /// The reporter's own name for it.
    pub report_id: Option<Vec<u8>>,
    /// Who reports: an organisation's domain or a person's address.
    pub reporter: Vec<u8>,
    /// The address to blame, if it is an IP address.
    pub source_ip: Option<IpAddr>,
    /// The port that it used (RFC 6302).
    pub source_port: Option<u16>,
    /// When it happened, in seconds since 1970-01-01 UTC.
    pub at_secs: Option<u64>,
    /// The envelope sender.
    pub mail_from: Option<Vec<u8>>,
    /// The recipient: a person.
    pub rcpt_to: Option<Vec<u8>>,
    /// The first sample that is a message.
    pub sample: Option<Vec<u8>>,
}

/// The version of a XARF document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum XarfVersion {
    /// `"Version": "3"`.
    V3,
    /// `"xarf_version": "4.x.y"`.
    V4,
}

impl XarfVersion {
    pub(super) fn text(self) -> &'static str {
        match self {
            XarfVersion::V3 => "3",
            XarfVersion::V4 => "4",
        }
    }
}

/// Why a document is no XARF report. The reporter's doing.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum XarfError {
    /// It is longer than we read.
    TooLong {
        /// Its octets.
        len: usize,
    },
    /// It may hold more values than we read.
    TooMany,
    /// It is no JSON object.
    NotJson,
    /// It is of a version that we do not know.
    Version,
    /// A field that is required is not there.
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A field does not hold what its schema says.
    Bad {
        /// Its name.
        field: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// There is no such kind of report.
    Kind,
}

impl fmt::Display for XarfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            XarfError::TooLong { len } => {
                write!(f, "expected at most {XARF_LEN_MAX} octets, but got {len}")
            }
            XarfError::TooMany => write!(f, "expected at most {XARF_VALUES_MAX} values, but got more"),
            XarfError::NotJson => f.write_str("expected a JSON object, but got something else"),
            XarfError::Version => f.write_str("expected version 3 or 4, but got another"),
            XarfError::Missing { field } => write!(f, "expected {field}, but it is not there"),
            XarfError::Bad { field, expected } => {
                write!(f, "expected {expected} in {field}, but got something else")
            }
            XarfError::Kind => f.write_str("expected a kind of report that exists, but got another"),
        }
    }
}

impl std::error::Error for XarfError {}

/// Whether a JSON document looks like XARF.
pub(super) fn announces_itself(json: &[u8]) -> bool {
    let holds = |word: &str| memchr::memmem::find(json, word.as_bytes()).is_some();
    holds("\"xarf_version\"") || holds("\"ReporterInfo\"")
}

/// Reads one XARF document.
///
/// # Errors
///
/// [`XarfError`].
pub fn parse_xarf(json: &[u8]) -> Result<Xarf, XarfError> {
    if json.len() > XARF_LEN_MAX {
        return Err(XarfError::TooLong { len: json.len() });
    }
    // Every value but the first follows a comma, a colon or an opening.
    let values = json.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    if values > XARF_VALUES_MAX {
        return Err(XarfError::TooMany);
    }
    let document: Map<String, Value> = serde_json::from_slice(json).map_err(|_| XarfError::NotJson)?;
    match (document.get("xarf_version"), document.get("Version")) {
        (Some(_), _) => v4::read(&document),
        (None, Some(_)) => v3::read(&document),
        (None, None) => Err(XarfError::Missing { field: "xarf_version" }),
    }
}

impl Xarf {
    /// The nearest word of ARF, if it is about mail.
    pub(super) fn feedback_type(&self) -> Option<FeedbackType> {
        match self.kind.as_str() {
            "Activity/Spam" | "messaging/spam" | "messaging/bulk_messaging" => Some(FeedbackType::Abuse),
            "Content/Phishing" | "messaging/phishing" => Some(FeedbackType::Fraud),
            _ => None,
        }
    }
}

/// Whether a content type is that of a message.
fn is_message(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    ["message/rfc822", "application/rfc822", "text/email"].iter().any(|t| essence.eq_ignore_ascii_case(t))
}
