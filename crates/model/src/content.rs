//! What a message itself showed, in words that a rule can count: no text, no person.

use std::ops::BitOr;

use minicbor::{Decode, Encode};

use crate::exhibit::ExhibitId;
use crate::name::DomainHash;

/// What the sensor and the judges made of one message that came to its end.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Content {
    /// Where its headers are kept, if it can become evidence.
    #[n(0)]
    pub kept: Kept,
    /// SPF for the envelope sender (RFC 7208 §2.6).
    #[n(1)]
    pub spf: Spf,
    /// A domain whose DKIM signature passed (RFC 6376); the author's, if it did.
    #[n(2)]
    pub dkim: Option<DomainHash>,
    /// DMARC for the author's domain (RFC 9989).
    #[n(3)]
    pub dmarc: Dmarc,
    /// The domain of the envelope sender.
    #[n(4)]
    pub sender_domain: Option<DomainHash>,
    /// What kind of mail it looks like.
    #[n(5)]
    pub shape: Shape,
    /// A fuzzy hash of the text of the body: equal for one text with small changes.
    #[n(6)]
    pub text: Option<u64>,
    /// The worst of its attachments (OFF-13).
    #[n(7)]
    pub attachment: Danger,
}

/// Whether the headers of a message are there to be shown.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub enum Kept {
    /// Nothing spoke against the message, or nobody saw its headers.
    #[default]
    #[n(0)]
    No,
    /// They are stored under this name.
    #[n(1)]
    Stored(#[n(0)] ExhibitId),
    /// They should have been stored and could not be: the message is no evidence.
    #[n(2)]
    Lost,
}

/// The results of SPF (RFC 7208 §2.6).
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(index_only)]
#[expect(missing_docs, reason = "RFC 7208 §2.6 explains each")]
pub enum Spf {
    /// Not asked, or the domain says nothing.
    #[default]
    #[n(0)]
    None,
    #[n(1)]
    Neutral,
    #[n(2)]
    Pass,
    #[n(3)]
    Fail,
    #[n(4)]
    SoftFail,
    #[n(5)]
    TempError,
    #[n(6)]
    PermError,
}

/// What DMARC says of the author's domain.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Dmarc {
    /// Not asked, no record, or an error.
    #[default]
    #[n(0)]
    None,
    /// An aligned identifier passed.
    #[n(1)]
    Pass,
    /// None passed, and the domain asks for nothing.
    #[n(2)]
    Fail,
    /// None passed, and the domain asks for quarantine.
    #[n(3)]
    FailQuarantine,
    /// None passed, and the domain asks for rejection.
    #[n(4)]
    FailReject,
}

/// How dangerous the attachments of a message are (OFF-13), from nothing to the worst.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Danger {
    /// Nothing was found, or nobody looked.
    #[default]
    #[n(0)]
    None,
    /// Something that only scores: active PDF, macros, a lure with an archive.
    #[n(1)]
    Score,
    /// An encrypted archive: nobody can look inside.
    #[n(2)]
    Encrypted,
    /// A type that the site does not take.
    #[n(3)]
    Refused,
}

/// What kind of mail a message looks like: a set of marks.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct Shape(#[n(0)] u16);

impl Shape {
    /// The envelope sender is null.
    pub const NULL_SENDER: Shape = Shape(1);
    /// `Auto-Submitted` says so (RFC 3834), or an old mark of an automatic answer.
    pub const AUTOMATIC: Shape = Shape(1 << 1);
    /// A delivery status notification or another report (RFC 3464, RFC 6522).
    pub const BOUNCE: Shape = Shape(1 << 2);
    /// It came through a mailing list (`List-Id`, RFC 2919).
    pub const LIST: Shape = Shape(1 << 3);
    /// It can be unsubscribed from (`List-Unsubscribe`, RFC 2369), or says that it is bulk.
    pub const BULK: Shape = Shape(1 << 4);
    /// A welcome, or a request to confirm a subscription or an account (S70).
    pub const CONFIRMATION: Shape = Shape(1 << 5);
    /// A Received field below the first names one of our MX hosts: it was here before.
    pub const WAS_HERE: Shape = Shape(1 << 6);
    /// The words of a delivery, invoice or account lure (S54).
    pub const LURE: Shape = Shape(1 << 7);
    /// The envelope sender is rewritten by a forwarder (SRS).
    pub const REWRITTEN: Shape = Shape(1 << 8);
    /// It went to an address where people report abuse: its content is no offence.
    pub const TO_ABUSE_DESK: Shape = Shape(1 << 9);

    /// Whether it has any of these marks.
    pub const fn any(self, marks: Shape) -> bool {
        self.0 & marks.0 != 0
    }
}

impl BitOr for Shape {
    type Output = Shape;

    fn bitor(self, other: Shape) -> Shape {
        Shape(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_message_takes_few_bytes() {
        let plain = minicbor::to_vec(Content::default()).unwrap();
        assert!(plain.len() <= 11, "{}", plain.len());
        assert_eq!(minicbor::decode::<Content>(&plain).unwrap(), Content::default());
    }

    #[test]
    fn marks_are_a_set() {
        let both = Shape::LIST | Shape::BULK;
        assert!(both.any(Shape::LIST) && both.any(Shape::BULK | Shape::LURE) && !both.any(Shape::LURE));
    }
}
