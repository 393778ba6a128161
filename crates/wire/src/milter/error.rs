//! What can be wrong with what an MTA sends, or with our answer to it.

use std::{error, fmt};

use super::packet::PACKET_LEN_MAX;

/// Bytes that are no packet. The peer's doing; the caller closes the connection.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketError {
    /// Its length is zero, so it has no kind.
    Empty,
    /// It is longer than [`PACKET_LEN_MAX`].
    TooLong {
        /// The length it claims.
        len: u32,
    },
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PacketError::Empty => write!(f, "expected a packet of at least 1 byte, but got an empty one"),
            PacketError::TooLong { len } => {
                write!(f, "expected a packet of at most {PACKET_LEN_MAX} bytes, but got {len}")
            }
        }
    }
}

impl error::Error for PacketError {}

/// A packet that makes no sense.
///
/// Every variant is the peer's doing; the caller closes the connection (STD-77), and the
/// MTA takes its default action.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommandError {
    /// Nobody knows this kind.
    Unknown {
        /// The kind.
        kind: u8,
    },
    /// A text does not end, or is not there.
    Unterminated {
        /// The packet's kind.
        kind: u8,
    },
    /// It is shorter than its kind must be.
    TooShort {
        /// The packet's kind.
        kind: u8,
        /// Its data in bytes.
        len: usize,
    },
    /// Its address is not of its family, or the family is unknown.
    BadAddress {
        /// The family's letter.
        family: u8,
        /// The address, cut at 64 bytes and made printable.
        got: String,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Unknown { kind } => {
                write!(f, "expected a command of the protocol, but got \"{}\"", kind.escape_ascii())
            }
            CommandError::Unterminated { kind } => {
                write!(f, "expected texts that end with NUL in {}, but got none", kind.escape_ascii())
            }
            CommandError::TooShort { kind, len } => {
                write!(f, "expected more in {}, but got {len} bytes", kind.escape_ascii())
            }
            CommandError::BadAddress { family, got } => {
                write!(f, "expected an address of family {}, but got \"{got}\"", family.escape_ascii())
            }
        }
    }
}

impl error::Error for CommandError {}

/// An MTA with which nothing can be agreed. The peer's doing; the caller closes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NegotiationError {
    /// It speaks a version that nobody has spoken for twenty years.
    Version {
        /// The version it offers.
        got: u32,
    },
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NegotiationError::Version { got } = self;
        write!(f, "expected version 2 to 6 of the milter protocol, but got {got}")
    }
}

impl error::Error for NegotiationError {}

/// A reply text that may not go to an MTA. Our own doing, never the peer's.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TextError {
    /// It holds a line break, a control or something outside ASCII.
    NotPrintable {
        /// How many bytes stand before the first such byte.
        at: usize,
        /// The text from there, cut at 64 bytes and made printable.
        got: String,
    },
    /// It is too long once it stands in lines.
    TooLong {
        /// Its length in octets, codes and line ends included.
        len: usize,
    },
    /// It does not begin with a code and an enhanced code of the same class, 4 or 5, or says
    /// nothing after them.
    NotAReply {
        /// The text, cut at 64 bytes and made printable.
        got: String,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextError::NotPrintable { at, got } => {
                write!(f, "expected printable ASCII, but got \"{got}\" after {at} bytes")
            }
            TextError::TooLong { len } => {
                write!(f, "expected at most {} octets of reply, but got {len}", super::REPLY_LEN_MAX)
            }
            TextError::NotAReply { got } => {
                write!(f, "expected a reply such as 550 5.7.1 text, but got \"{got}\"")
            }
        }
    }
}

impl error::Error for TextError {}

/// A header field that may not be added. Our own doing, never the peer's.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FieldError {
    /// Its name is empty, or holds what no name may hold (RFC 5322 §3.6.8).
    BadName {
        /// The name, cut at 64 bytes and made printable.
        got: String,
    },
    /// Its value holds a control, something outside ASCII, or a line that is no continuation.
    BadValue {
        /// How many bytes stand before the first such byte.
        at: usize,
    },
    /// It is longer than [`FIELD_LEN_MAX`](super::FIELD_LEN_MAX).
    TooLong {
        /// Its length in octets.
        len: usize,
    },
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::BadName { got } => write!(f, "expected a field name, but got \"{got}\""),
            FieldError::BadValue { at } => {
                write!(f, "expected folded printable ASCII, but got something else after {at} bytes")
            }
            FieldError::TooLong { len } => {
                write!(f, "expected at most {} octets of field, but got {len}", super::FIELD_LEN_MAX)
            }
        }
    }
}

impl error::Error for FieldError {}
