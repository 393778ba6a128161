//! What must hold for milter packets whatever the bytes are.
//!
//! Shared by the property tests, the seeded mutations and the fuzz target.

use wire::milter::{
    Command, CommandError, NewField, PACKET_LEN_MAX, Packet, Protocol, ReplyText, Told, Wish, negotiate,
    split_packet,
};

/// What became of some input, without the data.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    /// Not all there yet.
    More,
    /// A command of this kind, of so many bytes.
    Command(u8, usize),
    /// A packet of so many bytes that is no command.
    NoCommand(usize),
    /// Not a packet.
    NoPacket,
}

/// Reads packets off the front until something ends it; the outcome of the first.
pub(crate) fn check(input: &[u8]) -> Outcome {
    let first = check_one(input);
    let mut rest = input;
    while let Outcome::Command(_, len) = check_one(rest) {
        rest = &rest[len..];
    }
    check_text(input);
    check_field(input);
    first
}

fn check_one(input: &[u8]) -> Outcome {
    let told = split_packet(input);
    assert_eq!(told.is_err(), input.len() >= 4 && !fits(input), "{}", input.escape_ascii());
    let Ok(Some((packet, rest))) = told else {
        let Ok(None) = told else { return Outcome::NoPacket };
        assert!(input.len() < 4 || input.len() - 4 < len(input));
        return Outcome::More;
    };
    let used = packet.wire_len();
    assert_eq!(used, 4 + len(input));
    assert!(std::ptr::eq(rest, &raw const input[used..]), "the rest is the input's own end");
    assert_eq!(split_packet(&input[..used]), Ok(Some((packet, &b""[..]))));
    assert_eq!(split_packet(&input[..used - 1]), Ok(None));
    // Whoever plays the MTA reads strangers' bytes, too.
    drop(Told::read(packet));
    check_command(packet, used)
}

fn len(input: &[u8]) -> usize {
    let len = input.first_chunk().map_or(0, |len| u32::from_be_bytes(*len));
    usize::try_from(len).expect("64 bits")
}

fn fits(input: &[u8]) -> bool {
    (1..=PACKET_LEN_MAX).contains(&len(input))
}

fn check_command(packet: Packet<'_>, used: usize) -> Outcome {
    let command = match Command::read(packet) {
        Ok(command) => command,
        Err(error) => {
            check_error(&error, packet.kind);
            return Outcome::NoCommand(used);
        }
    };
    // What is read, written again, is read as the same.
    let mut written = Vec::new();
    command.write(&mut written);
    let (again, rest) = split_packet(&written).expect("a packet").expect("whole");
    assert_eq!(rest, b"");
    if let Command::Macros(list) = command {
        let Ok(Command::Macros(other)) = Command::read(again) else { panic!("no macros") };
        assert!(list.of == other.of && list.iter().eq(other.iter()));
        assert!(list.iter().all(|(name, _)| std::str::from_utf8(name).is_err() || of(&list, name).is_some()));
    } else {
        assert_eq!(Command::read(again), Ok(command));
    }
    if let Command::Negotiate(offer) = command {
        check_negotiation(offer);
    }
    Outcome::Command(packet.kind, used)
}

fn of<'a>(list: &wire::milter::MacroList<'a>, name: &[u8]) -> Option<&'a [u8]> {
    list.get(std::str::from_utf8(name).ok()?)
}

/// Nothing is taken that was not offered, and recipients and the end stay answered.
fn check_negotiation(offer: wire::milter::Offer) {
    for quarantine in [false, true] {
        let Ok(agreed) = negotiate(offer, Wish { quarantine }) else {
            assert!(offer.version < 2);
            return;
        };
        assert_eq!((agreed.actions.0 & !offer.actions.0, agreed.protocol.0 & !offer.protocol.0), (0, 0));
        assert!(!agreed.protocol.is_silent(b'R') && !agreed.protocol.is_silent(b'E'));
        let both = Protocol::SKIP | Protocol::SILENT_BODY;
        assert!(!agreed.protocol.has(both), "what is not answered can not be skipped");
    }
}

/// The text of an error is one printable line, and short.
fn check_error(error: &CommandError, kind: u8) {
    let text = error.to_string();
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.len() < 400, "{text}");
    if !b"ODCHMRTULNBEAQK".contains(&kind) {
        assert_eq!(error, &CommandError::Unknown { kind });
    }
}

/// Whatever somebody makes a reply of, an MTA gets whole lines with one code.
fn check_text(input: &[u8]) {
    let text = format!("550 5.7.1 {}", String::from_utf8_lossy(&input[..input.len().min(600)]));
    let Ok(reply) = ReplyText::new(&text) else { return };
    assert!(reply.as_str().len() <= 480);
    let lines: Vec<&str> = reply.as_str().split("\r\n").collect();
    for (at, line) in lines.iter().enumerate() {
        let start = if at + 1 == lines.len() { "550 5.7.1 " } else { "550-5.7.1 " };
        assert!(line.starts_with(start) && line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
    }
    let words =
        |lines: &[&str]| lines.iter().flat_map(|l| l[10..].split_whitespace()).map(str::to_owned).collect();
    let (got, expect): (Vec<String>, Vec<String>) = (words(&lines), words(&[&text]));
    assert_eq!(got, expect, "no word is lost");
}

/// Whatever somebody makes a header field of, it stays one field.
fn check_field(input: &[u8]) {
    let Ok(field) = NewField::new(b"X-Mailward", input) else { return };
    assert!(!field.value().contains(&b'\r') && !field.value().contains(&0));
    let lines: Vec<&[u8]> = field.value().split(|byte| *byte == b'\n').collect();
    assert!(lines[1..].iter().all(|line| line.starts_with(b" ") || line.starts_with(b"\t")));
}
