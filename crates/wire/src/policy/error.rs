//! What can be wrong with a policy request, or with our answer to it.

use std::{error, fmt};

use super::split::{ATTRIBUTES_MAX, LINE_LEN_MAX, REQUEST_LEN_MAX};

/// A policy request that we cannot read.
///
/// Every variant is the peer's doing. A request that merely holds an odd *value* is
/// not an error: see [`ClientAddress`](super::ClientAddress). Ask
/// [`request_len`](RequestError::request_len) what to do.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RequestError {
    /// A line is longer than [`LINE_LEN_MAX`].
    LineTooLong {
        /// The line's number in the request, from 1.
        line: usize,
        /// The line's start, cut at 64 bytes and made printable.
        got: String,
    },
    /// There is no closing empty line within [`REQUEST_LEN_MAX`].
    RequestTooLong,
    /// There are more than [`ATTRIBUTES_MAX`] lines.
    TooManyAttributes,
    /// A line has no `=`. Known only once the whole request is there.
    NotAnAttribute {
        /// The first such line's number in the request, from 1.
        line: usize,
        /// The line, cut at 64 bytes and made printable.
        got: String,
        /// The request's length in bytes, its closing empty line included.
        request_len: usize,
    },
}

impl RequestError {
    /// How long the unreadable request is, in bytes, if its end was found.
    ///
    /// `Some`: answer `DUNNO`, skip so many bytes, go on. `None`: the connection can
    /// not be trusted to have an end; close it without an answer.
    pub fn request_len(&self) -> Option<usize> {
        match self {
            RequestError::NotAnAttribute { request_len, .. } => Some(*request_len),
            RequestError::LineTooLong { .. }
            | RequestError::RequestTooLong
            | RequestError::TooManyAttributes => None,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::LineTooLong { line, got } => {
                write!(f, "expected at most {LINE_LEN_MAX} bytes in line {line}, but got more: \"{got}\"")
            }
            RequestError::RequestTooLong => {
                write!(f, "expected an empty line within {REQUEST_LEN_MAX} bytes, but got none")
            }
            RequestError::TooManyAttributes => {
                write!(f, "expected at most {ATTRIBUTES_MAX} attributes, but got more")
            }
            RequestError::NotAnAttribute { line, got, .. } => {
                write!(f, "expected name=value in line {line}, but got \"{got}\"")
            }
        }
    }
}

impl error::Error for RequestError {}

/// A text that may not go to Postfix.
///
/// Our own doing, never the peer's: a template or the configuration is wrong.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnswerError {
    /// It holds a line break, a control or something outside ASCII.
    NotPrintable {
        /// How many bytes stand before the first such byte.
        at: usize,
        /// The text from there, cut at 64 bytes and made printable.
        got: String,
    },
    /// It is longer than its kind may be.
    TooLong {
        /// Its length in octets.
        len: usize,
        /// The most octets it may have.
        len_max: usize,
    },
    /// It does not begin with a code and an enhanced code of the same class, 4 or 5,
    /// or says nothing after them.
    NotAReply {
        /// The text, cut at 64 bytes and made printable.
        got: String,
    },
    /// It is a reply, but of the other class.
    WrongClass {
        /// The first digit that was needed.
        expected: char,
        /// The text, cut at 64 bytes and made printable.
        got: String,
    },
    /// It is not a header line.
    NotAHeader {
        /// The text, cut at 64 bytes and made printable.
        got: String,
    },
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::NotPrintable { at, got } => {
                write!(f, "expected printable ASCII, but got \"{got}\" after {at} bytes")
            }
            AnswerError::TooLong { len, len_max } => {
                write!(f, "expected at most {len_max} octets of text, but got {len}")
            }
            AnswerError::NotAReply { got } => {
                write!(f, "expected a reply such as 550 5.7.1 text, but got \"{got}\"")
            }
            AnswerError::WrongClass { expected, got } => {
                write!(f, "expected a reply of class {expected}, but got \"{got}\"")
            }
            AnswerError::NotAHeader { got } => {
                write!(f, "expected a header such as Name: text, but got \"{got}\"")
            }
        }
    }
}

impl error::Error for AnswerError {}
