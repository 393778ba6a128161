//! What the server says.

use std::borrow::Cow;

use crate::text::printable;

/// The most octets of one text; with code and line end it stays below the 512 octets of
/// RFC 5321 §4.5.3.1.5.
const TEXT_LEN_MAX: usize = 120;

/// An answer for one recipient, before its data or after it.
///
/// Texts are made printable and cut when they are sent, so they can not hold a line end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// 250: we have it.
    Taken,
    /// 451: the MTA should try again later.
    Later(Cow<'static, str>),
    /// 550: never.
    Refused(Cow<'static, str>),
}

impl Reply {
    /// As the answer to RCPT.
    pub(super) fn write_to_rcpt(&self, out: &mut Vec<u8>) {
        match self {
            Reply::Taken => line(out, "250 2.1.5", "recipient taken"),
            Reply::Later(text) => line(out, "451 4.3.0", text),
            Reply::Refused(text) => line(out, "550 5.1.1", text),
        }
    }

    /// As the answer to a message.
    pub(super) fn write_to_data(&self, out: &mut Vec<u8>) {
        match self {
            Reply::Taken => line(out, "250 2.0.0", "message taken"),
            Reply::Later(text) => line(out, "451 4.3.0", text),
            Reply::Refused(text) => line(out, "550 5.6.0", text),
        }
    }
}

/// One line: codes, text.
pub(super) fn line(out: &mut Vec<u8>, codes: &str, text: &str) {
    out.extend_from_slice(codes.as_bytes());
    out.push(b' ');
    out.extend_from_slice(printable(text.as_bytes(), TEXT_LEN_MAX).as_bytes());
    out.extend_from_slice(b"\r\n");
}
