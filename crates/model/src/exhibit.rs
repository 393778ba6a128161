//! What is kept of one message that can become evidence: its headers, never its body.
//!
//! Two forms. The full one is the operator's; it holds recipients in clear and is erased
//! after a week (D.6). The redacted one is made from it at once, by `answers`, and serves
//! the case page as long as the case is shown. An [`Evidence`](crate::Evidence) names its
//! exhibit; the exhibit was durable before the engine heard of the message.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::letter::Letter;
use crate::name::Name;
use crate::observation::{Client, Judgement};
use crate::time::{Millis, Secs};

/// How long recipients are kept in clear, for the operator alone (D.6: ‘7 d clear’).
pub const FULL_KEPT: Secs = Secs(7 * 86_400);
/// How long an exhibit is kept that no case has taken: a little longer than its unit counts.
pub const UNTAKEN_KEPT: Secs = Secs(8 * 86_400);
/// Attachments that are named; more are left out.
pub const ATTACHMENTS_MAX: usize = 50;
/// Judges' tests that are named, of one judge.
pub const TESTS_MAX: usize = 50;

/// The name of an exhibit: random, so that it says nothing of what it names.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct ExhibitId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl fmt::Display for ExhibitId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One message as the operator sees it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Exhibit {
    /// When its end was seen.
    #[n(0)]
    pub at: Millis,
    /// Who connected.
    #[n(1)]
    pub client: Client,
    /// The value of the Received field that our MTA put on top.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub received: Vec<u8>,
    /// Name and value of every header field, from the top.
    #[n(3)]
    pub fields: Vec<HeaderField>,
    /// No field was left out.
    #[n(4)]
    pub fields_whole: bool,
    /// The envelope sender; empty is the null sender.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub sender: Vec<u8>,
    /// The recipients that were taken.
    #[n(6)]
    pub recipients: Vec<Octets>,
    /// How many more there were.
    #[n(7)]
    pub recipients_more: u32,
    /// A recipient was a trap.
    #[n(8)]
    pub trap: bool,
    /// What each judge said.
    #[n(9)]
    pub opinions: Vec<Opinion>,
    /// Attachments, at most [`ATTACHMENTS_MAX`].
    #[n(10)]
    pub attachments: Vec<Attachment>,
    /// Octets of the whole message.
    #[n(11)]
    pub size: u64,
    /// SHA-256 of the body, where it was read to its end.
    #[cbor(n(12), with = "minicbor::bytes")]
    pub body_hash: Option<[u8; 32]>,
}

/// Bytes in a list.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct Octets(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

/// One header field.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct HeaderField {
    /// Its name, as written.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub name: Vec<u8>,
    /// Everything behind the colon, folding included.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub value: Vec<u8>,
}

/// What one judge said.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Opinion {
    /// The judge, a word of the configuration such as `rspamd`.
    #[n(0)]
    pub source: Name,
    /// Its judgement; `None` is ‘unknown’: it was down, late, or had no opinion.
    #[n(1)]
    pub judgement: Option<Judgement>,
    /// Its score in hundredths.
    #[n(2)]
    pub score: Option<i32>,
    /// The names of its tests that spoke, or of the virus; at most [`TESTS_MAX`].
    #[n(3)]
    pub tests: Vec<Name>,
}

/// One attachment.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Attachment {
    /// Its file name as sent, decoded; inside archives with the path, `outer.zip/inner.exe`.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub name: Vec<u8>,
    /// What it is by its first bytes or its name, such as `zip` or `exe`.
    #[n(1)]
    pub kind: Name,
    /// Why the site does not like it, a word such as `executable`; `None` for nothing.
    #[n(2)]
    pub fault: Option<Name>,
}

impl Exhibit {
    /// Cuts an exhibit from a letter; what judges said is added by the caller.
    pub fn of(letter: &Letter) -> Exhibit {
        let field = |f: &crate::letter::Field| HeaderField { name: f.name.clone(), value: f.value.clone() };
        Exhibit {
            at: letter.at,
            client: letter.client.clone(),
            received: letter.received().value,
            fields: letter.fields.iter().map(field).collect(),
            fields_whole: letter.fields_whole,
            sender: letter.sender.clone(),
            recipients: letter.recipients.iter().cloned().map(Octets).collect(),
            recipients_more: letter.recipients_more,
            trap: false,
            opinions: Vec::new(),
            attachments: Vec::new(),
            size: letter.size(),
            body_hash: letter.body_hash,
        }
    }
}

/// One message as a link holder sees it: every text is printable and free of persons.
///
/// Made only by `answers::redact`; stored as it will be shown.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Redacted {
    /// Our own Received field on top, then what may be shown of the header, in order.
    #[n(0)]
    pub fields: Vec<ShownField>,
    /// Names of fields that were there and are not shown, sorted, each once.
    #[n(1)]
    pub withheld: Vec<String>,
    /// Attachments: name with its path, kind, fault.
    #[n(2)]
    pub attachments: Vec<ShownAttachment>,
    /// Octets of the whole message; `None` where it would find the message.
    #[n(3)]
    pub size: Option<u64>,
    /// SHA-256 of the body in hexadecimal; `None` where it would find the message.
    #[n(4)]
    pub body_hash: Option<String>,
    /// Judge, judgement, score and tests, each as text.
    #[n(5)]
    pub opinions: Vec<ShownOpinion>,
}

/// A header field that may be shown.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct ShownField {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its value in one line: letters and printable ASCII, all else as a visible escape.
    #[n(1)]
    pub value: String,
    /// Only who proved control of the address may see it (D.6, L2).
    #[n(2)]
    pub proven_only: bool,
}

/// An attachment as shown.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct ShownAttachment {
    /// Its name, made visible and free of persons.
    #[n(0)]
    pub name: String,
    /// What it is.
    #[n(1)]
    pub kind: String,
    /// What is wrong with it.
    #[n(2)]
    pub fault: Option<String>,
}

/// What a judge said, as shown.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct ShownOpinion {
    /// The judge.
    #[n(0)]
    pub source: String,
    /// `spam`, `ham`, `virus`, `heuristic` or `unknown`.
    #[n(1)]
    pub judgement: String,
    /// Its score, such as `12.50`.
    #[n(2)]
    pub score: Option<String>,
    /// Names of tests, or of the virus.
    #[n(3)]
    pub tests: Vec<String>,
}
