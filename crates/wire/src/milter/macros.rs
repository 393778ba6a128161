//! What an MTA says beside a command: names and values, called macros.

use super::error::CommandError;
use super::packet::write_packet;

/// The command that macros belong to, as a filter names it when it asks for them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
#[expect(missing_docs, reason = "each is the SMTP command of that name")]
pub enum Stage {
    Connect = 0,
    Helo = 1,
    Mail = 2,
    Rcpt = 3,
    Data = 4,
    /// The end of the message.
    EndOfBody = 5,
    /// The end of the header.
    EndOfHeader = 6,
}

/// The macros of one packet. They hold for the one command that follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MacroList<'a> {
    /// The kind of the command that follows.
    pub of: u8,
    /// `name NUL value NUL`, any number of times.
    pairs: &'a [u8],
}

impl<'a> MacroList<'a> {
    pub(super) fn read(kind: u8, data: &'a [u8]) -> Result<MacroList<'a>, CommandError> {
        let Some((of, pairs)) = data.split_first() else {
            return Err(CommandError::TooShort { kind, len: 0 });
        };
        MacroList::of_pairs(*of, pairs).ok_or(CommandError::Unterminated { kind })
    }

    /// Takes pairs that were kept, see [`pairs`](MacroList::pairs); `None`, if they are none.
    pub fn of_pairs(of: u8, pairs: &'a [u8]) -> Option<MacroList<'a>> {
        let even = pairs.iter().filter(|byte| **byte == 0).count() % 2 == 0;
        let closed = pairs.last().is_none_or(|byte| *byte == 0);
        (even && closed).then_some(MacroList { of, pairs })
    }

    /// All of it as sent, to be kept until the command comes.
    pub fn pairs(&self) -> &'a [u8] {
        self.pairs
    }

    /// Names without braces, and values, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut texts = self.pairs.split(|byte| *byte == 0);
        std::iter::from_fn(move || {
            let (name, value) = (texts.next()?, texts.next()?);
            Some((bare(name), value))
        })
    }

    /// The value of the macro `name`, which is written without braces; the last one, if it
    /// was sent twice. Missing macros are normal (STD-75).
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().filter(|(n, _)| *n == name.as_bytes()).map(|(_, value)| value).last()
    }
}

/// Postfix sends `{name}`, and so does Sendmail; single letters stand bare.
fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{").and_then(|n| n.strip_suffix(b"}")).unwrap_or(name)
}

/// Appends a packet of macros for the command `of`, as an MTA does. A NUL in a name or
/// value would end it.
pub fn write_macros(of: u8, pairs: &[(&str, &[u8])], out: &mut Vec<u8>) {
    let mut data = vec![of];
    for (name, value) in pairs {
        for text in [name.as_bytes(), value] {
            data.extend_from_slice(text);
            data.push(0);
        }
    }
    write_packet(b'D', &[&data], out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milter::split_packet;

    #[test]
    fn macros_are_found_with_and_without_braces() {
        let mut out = Vec::new();
        write_macros(b'R', &[("i", b"4T9K"), ("{rcpt_host}", b"5.1.1"), ("rcpt_addr", b"")], &mut out);
        let (packet, _) = split_packet(&out).unwrap().unwrap();
        let list = MacroList::read(packet.kind, packet.data).unwrap();
        assert_eq!(list.of, b'R');
        assert_eq!([list.get("i"), list.get("rcpt_host")], [Some(&b"4T9K"[..]), Some(&b"5.1.1"[..])]);
        assert_eq!([list.get("rcpt_addr"), list.get("rcpt_mailer")], [Some(&b""[..]), None]);
        assert_eq!(list.iter().count(), 3);
    }

    #[track_caller]
    fn check(data: &[u8], expect: &str) {
        assert_eq!(MacroList::read(b'D', data).unwrap_err().to_string(), expect);
    }

    #[test]
    fn macros_come_in_pairs_that_end() {
        check(b"", "expected more in D, but got 0 bytes");
        check(b"Ri\0x", "expected texts that end with NUL in D, but got none");
        check(b"Ri\0x\0j\0", "expected texts that end with NUL in D, but got none");
        assert_eq!(MacroList::read(b'D', b"R").unwrap().iter().count(), 0);
    }
}
