//! What we answer an MTA.

use super::error::FieldError;
use super::macros::Stage;
use super::negotiate::Settings;
use super::packet::write_packet;
use super::text::ReplyText;
use crate::text::{printable, quoted};

/// The most octets of a header field that we add, its name and folding included.
///
/// Authentication-Results of a message with many signatures is the longest we write.
pub const FIELD_LEN_MAX: usize = 8 * 1024;

/// The most octets of a reason for quarantine.
const REASON_LEN_MAX: usize = 128;

/// One answer.
///
/// Changes to a message ([`Insert`](Reply::Insert), [`Change`](Reply::Change),
/// [`Quarantine`](Reply::Quarantine)) and [`Progress`](Reply::Progress) may come only at
/// the end of the message, before the one answer that closes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply<'a> {
    /// What is agreed.
    Agreed(Settings<'a>),
    /// Go on.
    Continue,
    /// Take the message, and ask nothing more about it.
    Accept,
    /// Refuse for good, in the MTA's words.
    Reject,
    /// Refuse for now, in the MTA's words.
    TempFail,
    /// Refuse with this reply.
    Text(&'a ReplyText),
    /// We are still at work.
    Progress,
    /// The rest of the body is not needed. Only where [`Protocol::SKIP`](super::Protocol) is
    /// agreed.
    Skip,
    /// Put a header field at this place, counted from 0 at the top.
    Insert {
        /// The place.
        index: u32,
        /// The field.
        field: &'a NewField,
        /// The MTA sends and takes the space behind the colon as it is
        /// ([`Protocol::LEADING_SPACE`](super::Protocol)).
        leading_space: bool,
    },
    /// Remove the header field of this name that is this many'th, counted from 1.
    Remove {
        /// Which of those with this name.
        index: u32,
        /// The field's name, as the MTA sent it.
        name: &'a [u8],
    },
    /// Put the message into quarantine.
    Quarantine(&'a str),
}

impl Reply<'_> {
    /// Appends the packet.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Reply::Agreed(settings) => write_packet(b'O', &[&settings_bytes(settings)], out),
            Reply::Continue => write_packet(b'c', &[], out),
            Reply::Accept => write_packet(b'a', &[], out),
            Reply::Reject => write_packet(b'r', &[], out),
            Reply::TempFail => write_packet(b't', &[], out),
            Reply::Text(text) => write_packet(b'y', &[text.escaped().as_bytes(), b"\0"], out),
            Reply::Progress => write_packet(b'p', &[], out),
            Reply::Skip => write_packet(b's', &[], out),
            Reply::Insert { index, field, leading_space } => {
                let space: &[u8] = if *leading_space { b" " } else { b"" };
                let parts = [&index.to_be_bytes(), &field.name[..], b"\0", space, &field.value, b"\0"];
                write_packet(b'i', &parts, out);
            }
            Reply::Remove { index, name } => {
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                write_packet(b'm', &[&index.to_be_bytes(), name, b"\0\0"], out);
            }
            Reply::Quarantine(reason) => {
                let reason = printable(reason.as_bytes(), REASON_LEN_MAX);
                write_packet(b'q', &[reason.as_bytes(), b"\0"], out);
            }
        }
    }
}

fn settings_bytes(settings: &Settings<'_>) -> Vec<u8> {
    let Settings { version, actions, protocol, macros } = settings;
    let mut bytes = [*version, actions.0, protocol.0].map(u32::to_be_bytes).concat();
    for (stage, names) in *macros {
        bytes.extend_from_slice(&stage_number(*stage).to_be_bytes());
        bytes.extend_from_slice(names.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn stage_number(stage: Stage) -> u32 {
    stage as u32
}

/// A header field to be added: printable ASCII, folded with LF and white space.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewField {
    name: Vec<u8>,
    value: Vec<u8>,
}

impl NewField {
    /// Takes a name, and a value without the space behind the colon; its line ends may be LF
    /// or CRLF, and each must be followed by a blank or a tab.
    ///
    /// # Errors
    ///
    /// [`FieldError`].
    pub fn new(name: &[u8], value: &[u8]) -> Result<NewField, FieldError> {
        // RFC 5322 §3.6.8: ‘printable US-ASCII characters not including ":"’, nor space.
        let good = |byte: &u8| (b'!'..=b'~').contains(byte) && *byte != b':';
        if name.is_empty() || !name.iter().all(good) {
            return Err(FieldError::BadName { got: quoted(name) });
        }
        let len = name.len() + 2 + value.len();
        if len > FIELD_LEN_MAX {
            return Err(FieldError::TooLong { len });
        }
        if let Some(at) = (0..value.len()).find(|at| !fits(&value[*at..])) {
            return Err(FieldError::BadValue { at });
        }
        let value = value.iter().copied().filter(|byte| *byte != b'\r').collect();
        Ok(NewField { name: name.to_vec(), value })
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Its value, folded with LF.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// Whether a value may go on so.
fn fits(rest: &[u8]) -> bool {
    match rest {
        [b'\r', b'\n', b' ' | b'\t', ..] | [b'\n', b' ' | b'\t', ..] | [] => true,
        [byte, ..] => (b' '..=b'~').contains(byte) || *byte == b'\t',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milter::{Actions, Protocol};

    #[track_caller]
    fn check(reply: Reply<'_>, expect: &[u8]) {
        let mut out = Vec::new();
        reply.write(&mut out);
        let (len, data) = out.split_at(4);
        assert_eq!(len, u32::try_from(data.len()).unwrap().to_be_bytes());
        assert_eq!(data.escape_ascii().to_string(), expect.escape_ascii().to_string());
    }

    #[test]
    fn writes_each_reply() {
        check(Reply::Continue, b"c");
        check(Reply::Accept, b"a");
        check(Reply::Reject, b"r");
        check(Reply::TempFail, b"t");
        check(Reply::Progress, b"p");
        check(Reply::Skip, b"s");
        let text = ReplyText::new("550 5.7.1 100% no").unwrap();
        check(Reply::Text(&text), b"y550 5.7.1 100%% no\0");
        check(Reply::Remove { index: 2, name: b"X-A\0b" }, b"m\0\0\0\x02X-A\0\0");
        check(Reply::Quarantine("a\r\nb"), b"qa\\r\\nb\0");
        let field = NewField::new(b"X-A", b"1;\r\n\ta=b").unwrap();
        check(
            Reply::Insert { index: 0, field: &field, leading_space: false },
            b"i\0\0\0\0X-A\x001;\n\ta=b\0",
        );
        check(
            Reply::Insert { index: 1, field: &field, leading_space: true },
            b"i\0\0\0\x01X-A\0 1;\n\ta=b\0",
        );
    }

    #[test]
    fn what_is_agreed_names_the_macros() {
        let settings = Settings {
            version: 6,
            actions: Actions(0x101),
            protocol: Protocol(0x80),
            macros: &[(Stage::Mail, "i {auth_authen}"), (Stage::EndOfBody, "i")],
        };
        check(
            Reply::Agreed(settings),
            b"O\0\0\0\x06\0\0\x01\x01\0\0\0\x80\0\0\0\x02i {auth_authen}\0\0\0\0\x05i\0",
        );
    }

    #[track_caller]
    fn check_field(name: &[u8], value: &[u8], expect: &str) {
        let got = NewField::new(name, value).map_or_else(|e| e.to_string(), |_| "good".into());
        assert_eq!(got, expect);
    }

    #[test]
    fn a_field_can_not_begin_another() {
        check_field(b"X-A", b"", "good");
        check_field(b"X-A", b"a\tb\r\n c\n\td", "good");
        for value in [&b"a\r\nX: y"[..], b"a\nX: y", b"a\r b", b"a\0", b"a\n", b"a\r\n\r\n b", b"a\xc3"] {
            check_field(
                b"X-A",
                value,
                "expected folded printable ASCII, but got something else after 1 bytes",
            );
        }
        for name in [&b""[..], b"X A", b"X:", b"X\n", b"\xc3"] {
            check_field(name, b"a", &format!("expected a field name, but got \"{}\"", quoted(name)));
        }
        check_field(b"X", &[b'a'; 8190], "expected at most 8192 octets of field, but got 8193");
    }
}
