//! Raw messages instead of recorded sessions: a folder, a tar file or a mailbox.
//!
//! What our border host wrote down of a session stands in the message's Received fields; the
//! session is read from there ([`hop`]), and the judges read the rest. So a site can see, on
//! its own mail and without anybody's labels, what Mailward would have done.

mod find;
pub(super) mod hop;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use model::letter::{FIELDS_LEN_MAX, Field, Letter};
use model::{Millis, Name, Rdns};

use super::line::Line;
pub(super) use find::Mail;
use hop::{Border, Hop};

/// Octets of a body that are held, as the milter does by default.
const BODY_LEN_MAX: usize = 10 << 20;

/// Whether a path holds raw messages: a folder, a tar file, a mailbox or one message.
pub(super) fn is_raw(path: &Path) -> bool {
    path.is_dir() || find::is_archive(path) || find::is_message(path)
}

/// Raw messages in the order in which the border took them.
pub(super) struct RawStream {
    mail: Mail,
    border: Border,
    next: usize,
    order: Vec<(Millis, usize)>,
    /// Border hosts that wrote down a reverse DNS name at least once.
    asking: HashSet<String>,
    /// Messages without a usable Received field.
    pub(super) left_out: u64,
}

/// One message with the session that brought it.
pub(super) struct RawMessage {
    /// The session, as from a recorded stream; without a label.
    pub(super) line: Line,
    /// The message.
    pub(super) letter: Letter,
}

impl RawStream {
    /// Looks through everything once, for the order of time.
    ///
    /// # Errors
    ///
    /// What can not be read, by name.
    pub(super) fn open(paths: &[PathBuf], border: Border) -> Result<RawStream, String> {
        let mut mail = Mail::open(paths)?;
        let (mut order, mut asking, mut left_out) = (Vec::new(), HashSet::new(), 0);
        for index in 0..mail.len() {
            let head = mail.head(index)?;
            let Some(hop) = border.hop(&fields_of(&head)) else {
                left_out += 1;
                continue;
            };
            order.push((hop.at, index));
            if hop.client.rdns.name().is_some() {
                asking.insert(hop.mx);
            }
        }
        order.sort();
        Ok(RawStream { mail, border, next: 0, order, asking, left_out })
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The next message in time.
    pub(super) fn next(&mut self) -> Result<Option<RawMessage>, String> {
        let Some((_, index)) = self.order.get(self.next).copied() else { return Ok(None) };
        self.next += 1;
        let raw = self.mail.whole(index)?;
        let head_len = head_len(&raw);
        let fields = fields_of(&raw[..head_len]);
        let Some(mut hop) = self.border.hop(&fields) else { return Ok(None) };
        // A host that never wrote a name down does not ask: no name of its is missing.
        if !self.asking.contains(&hop.mx) {
            hop.client.rdns = Rdns::Unknown;
        }
        let body = raw.get(head_len..).unwrap_or_default();
        let (name, seq) = (self.mail.name(index), self.next as u64);
        Ok(Some(message(name, seq, hop, &fields, body)))
    }
}

fn message(name: String, seq: u64, hop: Hop, fields: &[Field], body: &[u8]) -> RawMessage {
    let body = with_crlf(without_empty_line(body));
    let held = &body[..body.len().min(BODY_LEN_MAX)];
    // What our own hosts put on top came after the border.
    let below: Vec<Field> = fields[hop.below..].to_vec();
    let sender = sender_of(fields);
    let letter = Letter {
        began: hop.at,
        at: hop.at,
        session: seq,
        client: hop.client.clone(),
        through: None,
        mx: Name::new(hop.mx.as_bytes()),
        queue_id: hop.queue_id.into_bytes(),
        protocol: hop.protocol.into_bytes(),
        tls: None,
        sender: sender.clone().unwrap_or_default().into_bytes(),
        recipients: hop.recipient.iter().map(|r| r.clone().into_bytes()).collect(),
        recipients_more: 0,
        fields: below,
        fields_whole: true,
        body_len: body.len() as u64,
        body: held.to_vec(),
        body_hash: None,
    };
    let line = Line {
        at: hop.at,
        seq,
        id: name,
        client: hop.client,
        sender,
        recipient: hop.recipient,
        recipients: 1,
        label: None,
    };
    RawMessage { line, letter }
}

/// The envelope sender, as final delivery wrote it down (RFC 5321 §4.4).
fn sender_of(fields: &[Field]) -> Option<String> {
    let value = &fields.iter().find(|field| field.is("Return-Path"))?.value;
    let text = String::from_utf8_lossy(value);
    let inner = text.trim().strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(text.trim());
    Some(inner.to_owned())
}

/// Octets of the header section, without the empty line behind it.
fn head_len(raw: &[u8]) -> usize {
    let mut at = 0;
    for line in raw.split_inclusive(|b| *b == b'\n') {
        if line.trim_ascii().is_empty() {
            return at;
        }
        at += line.len();
    }
    at
}

/// The header fields of a section, unfinished lines and all; at most what a milter would hold.
fn fields_of(head: &[u8]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for line in head[..head.len().min(FIELDS_LEN_MAX)].split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.first(), fields.last_mut()) {
            (Some(b' ' | b'\t'), Some(last)) => {
                last.value.extend_from_slice(b"\r\n");
                last.value.extend_from_slice(line);
            }
            _ => fields.extend(field(line)),
        }
    }
    fields
}

/// One line as a field; a mailbox's `From ` line is none (RFC 4155).
fn field(line: &[u8]) -> Option<Field> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let good = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    good.then(|| Field { name: name.to_vec(), value: value.to_vec() })
}

fn without_empty_line(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\r\n").or_else(|| body.strip_prefix(b"\n")).unwrap_or(body)
}

/// Line ends as they were on the wire.
fn with_crlf(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + body.len() / 32);
    for line in body.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_section_is_read_as_a_milter_would_hand_it_over() {
        let raw = b"From somebody Sat Nov 21 21:39:34 2026\nSubject: one\n two\nX:y\r\n\r\nbody\nmore";
        let len = head_len(raw);
        let fields = fields_of(&raw[..len]);
        let pairs: Vec<_> = fields.iter().map(|f| (&f.name[..], &f.value[..])).collect();
        assert_eq!(pairs, [(&b"Subject"[..], &b" one\r\n two"[..]), (b"X", b"y")]);
        assert_eq!(with_crlf(without_empty_line(&raw[len..])), b"body\r\nmore");
    }

    #[test]
    fn a_border_that_never_names_anybody_does_not_miss_names() {
        let dir = crate::testing::Scratch::new("raw-asking");
        let put = |name: &str, from: &str, by: &str| {
            let field = format!(
                "Received: from {from} by {by} with SMTP id 1; Sat, 21 Nov 2026 21:39:34 +0000\n\nx\n"
            );
            std::fs::write(dir.path().join(name), field).unwrap();
        };
        put("1", "a ([203.0.113.9])", "mx.example.org");
        put("2", "a ([203.0.113.9])", "mx.example.net");
        put("3", "b (b.example.com [203.0.113.10])", "mx.example.net");
        let mut stream = RawStream::open(&[dir.path().to_path_buf()], Border::default()).unwrap();
        let mut seen = Vec::new();
        while let Some(message) = stream.next().unwrap() {
            seen.push((message.line.id, message.line.client.rdns));
        }
        let confirmed = Rdns::Confirmed(Name::new(b"b.example.com"));
        let expect = [("1", Rdns::Unknown), ("2", Rdns::Missing), ("3", confirmed)];
        assert_eq!(seen, expect.map(|(id, rdns)| (id.to_owned(), rdns)));
    }

    #[test]
    fn the_return_path_names_the_envelope_sender() {
        let path = |value: &[u8]| vec![Field { name: b"return-path".to_vec(), value: value.to_vec() }];
        assert_eq!(sender_of(&path(b" <a@example.org>")).as_deref(), Some("a@example.org"));
        assert_eq!(sender_of(&path(b" <>")).as_deref(), Some(""));
        assert_eq!(sender_of(&[]), None);
    }
}
