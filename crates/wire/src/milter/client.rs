//! What an MTA reads: the reverse of [`Reply`](super::Reply), for who plays the MTA.

use super::error::CommandError;
use super::packet::Packet;

/// One answer of a filter, as it stands on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told<'a> {
    /// What is agreed.
    Agreed {
        /// The version.
        version: u32,
        /// What the filter may do.
        actions: u32,
        /// Which steps are not sent or not answered.
        protocol: u32,
        /// Stage, names and NUL, any number of times.
        macros: &'a [u8],
    },
    /// Go on.
    Continue,
    /// Take the message.
    Accept,
    /// Refuse for good.
    Reject,
    /// Refuse for now.
    TempFail,
    /// Take the message and throw it away.
    Discard,
    /// Refuse with this reply; `%` is doubled.
    Text(&'a [u8]),
    /// Still at work.
    Progress,
    /// Skip the rest of the body.
    Skip,
    /// Add a field at the bottom.
    Add {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// Insert a field.
    Insert {
        /// Where.
        index: u32,
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// Change a field, or remove it where the value is empty.
    Change {
        /// Which of those with this name.
        index: u32,
        /// Its name.
        name: &'a [u8],
        /// Its new value.
        value: &'a [u8],
    },
    /// Quarantine.
    Quarantine(&'a [u8]),
}

impl<'a> Told<'a> {
    /// Reads a packet that a filter sent.
    ///
    /// # Errors
    ///
    /// [`CommandError`] for what no filter of ours sends.
    pub fn read(packet: Packet<'a>) -> Result<Told<'a>, CommandError> {
        let Packet { kind, data } = packet;
        let text = |data: &'a [u8]| data.strip_suffix(b"\0").ok_or(CommandError::Unterminated { kind });
        let pair = |data: &'a [u8]| {
            let end = data.iter().position(|byte| *byte == 0).ok_or(CommandError::Unterminated { kind })?;
            Ok((&data[..end], text(&data[end + 1..])?))
        };
        Ok(match kind {
            b'O' => {
                let (version, rest) = word(kind, data)?;
                let (actions, rest) = word(kind, rest)?;
                let (protocol, macros) = word(kind, rest)?;
                Told::Agreed { version, actions, protocol, macros }
            }
            b'c' => Told::Continue,
            b'a' => Told::Accept,
            b'r' => Told::Reject,
            b't' => Told::TempFail,
            b'd' => Told::Discard,
            b'y' => Told::Text(text(data)?),
            b'p' => Told::Progress,
            b's' => Told::Skip,
            b'h' => {
                let (name, value) = pair(data)?;
                Told::Add { name, value }
            }
            b'i' | b'm' => {
                let (index, rest) = word(kind, data)?;
                let (name, value) = pair(rest)?;
                match kind {
                    b'i' => Told::Insert { index, name, value },
                    _ => Told::Change { index, name, value },
                }
            }
            b'q' => Told::Quarantine(text(data)?),
            _ => return Err(CommandError::Unknown { kind }),
        })
    }

    /// Whether it closes what was asked, and nothing more follows.
    pub fn is_last(&self) -> bool {
        !matches!(
            self,
            Told::Progress
                | Told::Add { .. }
                | Told::Insert { .. }
                | Told::Change { .. }
                | Told::Quarantine(_)
        )
    }
}

fn word(kind: u8, data: &[u8]) -> Result<(u32, &[u8]), CommandError> {
    let split = data.split_first_chunk().ok_or(CommandError::TooShort { kind, len: data.len() });
    split.map(|(word, rest)| (u32::from_be_bytes(*word), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milter::{NewField, Reply, ReplyText, split_packet};

    #[track_caller]
    fn check(reply: Reply<'_>, expect: &Told<'_>) {
        let mut out = Vec::new();
        reply.write(&mut out);
        let (packet, rest) = split_packet(&out).unwrap().unwrap();
        assert_eq!((Told::read(packet).as_ref(), rest), (Ok(expect), &b""[..]));
    }

    #[test]
    fn what_we_answer_is_read() {
        check(Reply::Continue, &Told::Continue);
        check(Reply::Text(&ReplyText::new("550 5.7.1 5%").unwrap()), &Told::Text(b"550 5.7.1 5%%"));
        check(Reply::Remove { index: 3, name: b"X-A" }, &Told::Change { index: 3, name: b"X-A", value: b"" });
        let field = NewField::new(b"X-A", b"b").unwrap();
        let insert = Reply::Insert { index: 0, field: &field, leading_space: true };
        check(insert, &Told::Insert { index: 0, name: b"X-A", value: b" b" });
        assert!(Told::read(Packet { kind: b'b', data: b"" }).is_err());
        assert!(Told::Skip.is_last() && !Told::Progress.is_last());
    }
}
