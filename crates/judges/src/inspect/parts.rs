//! The MIME parts of a message (RFC 2045, RFC 2046), within limits.
//!
//! `mail-parser` reads the fields of each part, with RFC 2047 words and RFC 2231 parameters,
//! and undoes the transfer encodings. It does not see the whole tree: on a tree of a hundred
//! thousand levels it would answer with one as deep, whose end would use up the stack. So
//! parts are split here, level by level, and each is handed on before the next is looked at.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{ContentType, HeaderName, HeaderValue, MessageParser};
use model::Letter;
use model::letter::Field;

use super::budget::Limit;

/// Parts of one message that are looked at, multiparts included. Digests of mailing lists
/// have some dozens.
pub const PARTS_MAX: u32 = 500;
/// Multiparts and messages inside each other that are looked at. Bounces of forwarded
/// bounces come to ten. Each level is searched for its own delimiters.
pub const NESTING_MAX: u32 = 20;
/// Octets of the fields that say what parts are, of all parts together. Five hundred parts
/// have less; joining the pieces of one parameter of this length is still quick.
pub const HEADS_LEN_MAX: usize = 128 * 1024;
/// RFC 2046 §5.1.1 allows 70 octets.
const BOUNDARY_LEN_MAX: usize = 512;

/// One part that holds no others.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// Type and subtype in lower case.
    pub(super) declared: String,
    /// File names, decoded: of the disposition, then of the type.
    pub(super) names: Vec<String>,
    /// Whether it is shown as a file rather than as text.
    pub(super) attached: bool,
    /// The charset of a text.
    pub(super) charset: Option<String>,
    /// The body, transfer encoding undone.
    pub(super) bytes: Cow<'a, [u8]>,
}

/// Takes in parts.
pub(super) trait Sink {
    /// A part that holds no others.
    fn leaf(&mut self, leaf: &Leaf<'_>);
    /// The declared type of the message itself, or of a message or multipart inside it, with
    /// its `report-type`.
    fn holder(&mut self, declared: &str, report: Option<&str>, depth: u32);
    /// A limit was met; the rest is not seen.
    fn stop(&mut self, limit: Limit);
}

/// Hands every part of `letter` to `sink`.
pub(super) fn walk(letter: &Letter, sink: &mut impl Sink) {
    let mut walk = Walk { parts: PARTS_MAX, heads: HEADS_LEN_MAX, sink };
    let head = walk.head(block(&letter.fields));
    walk.entity(&head, &letter.body, 0, false);
}

/// The fields that say what the body is, as one block.
fn block(fields: &[Field]) -> Vec<u8> {
    let mut block = Vec::new();
    for field in fields.iter().filter(|field| is_about_part(&field.name)) {
        block.extend_from_slice(&field.name);
        block.push(b':');
        block.extend_from_slice(&field.value);
        block.extend_from_slice(b"\r\n");
    }
    block
}

fn is_about_part(name: &[u8]) -> bool {
    let names = [&b"Content-Type"[..], b"Content-Disposition", b"Content-Transfer-Encoding"];
    names.iter().any(|known| name.trim_ascii_end().eq_ignore_ascii_case(known))
}

/// What the fields of a part say of its body.
#[derive(Debug, Default)]
struct Head {
    declared: String,
    boundary: Option<String>,
    report: Option<String>,
    charset: Option<String>,
    names: Vec<String>,
    attachment: bool,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Encoding {
    #[default]
    Plain,
    Base64,
    Quoted,
}

impl Head {
    /// Reads a block of fields; without a type it is text (RFC 2045 §5.2).
    ///
    /// Of fields that stand twice programs take the one or the other: names count of all, and
    /// a multipart is one whichever says so.
    fn parse(mut block: Vec<u8>) -> Head {
        block.extend_from_slice(b"\r\n\r\n");
        let parser = MessageParser::new()
            .header_content_type(HeaderName::ContentType)
            .header_content_type(HeaderName::ContentDisposition)
            .header_text(HeaderName::ContentTransferEncoding)
            .default_header_ignore();
        let mut head = Head::default();
        for field in parser.parse_headers(&block).iter().flat_map(mail_parser::Message::headers) {
            head.take(&field.name, &field.value);
        }
        head
    }

    fn take(&mut self, name: &HeaderName<'_>, value: &HeaderValue<'_>) {
        match (name, value) {
            (HeaderName::ContentDisposition, HeaderValue::ContentType(disposition)) => {
                self.attachment |= disposition.ctype().eq_ignore_ascii_case("attachment");
                self.names.splice(0..0, names(disposition, "filename"));
            }
            (HeaderName::ContentType, HeaderValue::ContentType(kind)) => self.take_type(kind),
            (HeaderName::ContentTransferEncoding, HeaderValue::Text(word)) => {
                self.encoding = Encoding::of(word);
            }
            _ => {}
        }
    }

    fn take_type(&mut self, kind: &ContentType<'_>) {
        self.names.extend(names(kind, "name"));
        let is_multipart = kind.ctype().eq_ignore_ascii_case("multipart");
        if !self.declared.is_empty() && (!is_multipart || self.boundary.is_some()) {
            return;
        }
        let subtype = kind.subtype().unwrap_or_default();
        self.declared = format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase();
        let boundary = kind.attribute("boundary");
        self.boundary = boundary.filter(|b| !b.is_empty() && b.len() <= BOUNDARY_LEN_MAX).map(Into::into);
        self.report = kind.attribute("report-type").map(str::to_ascii_lowercase);
        self.charset = kind.attribute("charset").map(Into::into);
    }
}

/// Every value of a parameter: programs differ in which of two they take.
fn names(of: &ContentType<'_>, parameter: &str) -> Vec<String> {
    let all = of.attributes().unwrap_or_default();
    all.iter().filter(|a| a.name.eq_ignore_ascii_case(parameter)).map(|a| a.value.to_string()).collect()
}

impl Encoding {
    fn of(word: &str) -> Encoding {
        match word.trim() {
            word if word.eq_ignore_ascii_case("base64") => Encoding::Base64,
            word if word.eq_ignore_ascii_case("quoted-printable") => Encoding::Quoted,
            _ => Encoding::Plain,
        }
    }

    fn undo(self, body: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Encoding::Plain => body.into(),
            Encoding::Base64 => base64_decode(body).unwrap_or_else(|| lenient_base64(body)).into(),
            Encoding::Quoted => quoted_printable_decode(body).unwrap_or_else(|| lenient_quoted(body)).into(),
        }
    }
}

/// RFC 2045 §6.8: ‘All line breaks or other characters not found in Table 1 must be ignored’.
fn lenient_base64(body: &[u8]) -> Vec<u8> {
    let kept: Vec<u8> =
        body.iter().copied().filter(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)).collect();
    base64_decode(&kept).unwrap_or_default()
}

/// RFC 2045 §6.7: what is not valid is shown as it stands.
fn lenient_quoted(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        (rest, _) = match (first, hex) {
            (b'=', Some(byte)) => (&after[2..], bytes.push(byte)),
            (b'=', None) if after.starts_with(b"\r\n") => (&after[2..], ()),
            (b'=', None) if after.starts_with(b"\n") => (&after[1..], ()),
            _ => (after, bytes.push(*first)),
        };
    }
    bytes
}

struct Walk<'s, S> {
    parts: u32,
    heads: usize,
    sink: &'s mut S,
}

impl<S: Sink> Walk<'_, S> {
    /// Reads the fields of a part, as long as there is work left for it.
    fn head(&mut self, mut block: Vec<u8>) -> Head {
        if block.len() > self.heads {
            self.sink.stop(Limit::Fields);
            block.truncate(self.heads);
        }
        self.heads -= block.len();
        Head::parse(block)
    }

    /// One part: fields already read, body still encoded. `digest` is whether it stands in a
    /// multipart/digest.
    fn entity(&mut self, head: &Head, body: &[u8], depth: u32, digest: bool) {
        let Some(left) = self.parts.checked_sub(1) else { return self.sink.stop(Limit::Parts) };
        self.parts = left;
        // RFC 2046 §5.1.5: in a digest a part without a type is a message.
        let message = matches!(head.declared.as_str(), "message/rfc822" | "message/global" | "message/news")
            || digest && head.declared.is_empty();
        let multipart = head.declared.starts_with("multipart/");
        if depth == 0 || message || multipart {
            self.sink.holder(&head.declared, head.report.as_deref(), depth);
        }
        match &head.boundary {
            _ if (message || multipart) && depth >= NESTING_MAX => self.sink.stop(Limit::Nesting),
            Some(boundary) if multipart && opens(body, boundary) => {
                let digest = head.declared == "multipart/digest";
                self.multipart(boundary, body, depth, digest);
            }
            _ if message => {
                let bytes = head.encoding.undo(body);
                let (fields, body) = split_head(&bytes);
                let head = self.head(interesting(fields));
                self.entity(&head, body, depth + 1, false);
            }
            _ => self.hand_on(head, body),
        }
    }

    fn multipart(&mut self, boundary: &str, body: &[u8], depth: u32, digest: bool) {
        let mut parts = Parts { rest: body, boundary: boundary.as_bytes(), open: false };
        while let Some(part) = parts.next_part() {
            if self.parts == 0 {
                return self.sink.stop(Limit::Parts);
            }
            let (fields, body) = split_head(part);
            let head = self.head(interesting(fields));
            self.entity(&head, body, depth + 1, digest);
        }
    }

    fn hand_on(&mut self, head: &Head, body: &[u8]) {
        let text = head.declared.is_empty()
            || head.declared.starts_with("text/")
            || head.declared.starts_with("multipart/");
        let leaf = Leaf {
            declared: head.declared.clone(),
            names: head.names.clone(),
            attached: head.attachment || !text || !head.names.is_empty(),
            charset: head.charset.clone(),
            bytes: head.encoding.undo(body),
        };
        self.sink.leaf(&leaf);
    }
}

/// The parts of a multipart body, one after the other (RFC 2046 §5.1.1).
struct Parts<'a> {
    rest: &'a [u8],
    boundary: &'a [u8],
    /// Whether the first delimiter was met: what stands before it is a preamble.
    open: bool,
}

impl<'a> Parts<'a> {
    fn next_part(&mut self) -> Option<&'a [u8]> {
        if !self.open {
            self.open = true;
            let (_, after, last) = find_delimiter(self.rest, self.boundary)?;
            self.rest = if last { &[] } else { after };
        }
        if self.rest.is_empty() {
            return None;
        }
        // A part that nothing closes goes to the end, as mail programs show it.
        let (part, after, last) = find_delimiter(self.rest, self.boundary).unwrap_or((self.rest, &[], true));
        self.rest = if last { &[] } else { after };
        Some(part)
    }
}

fn opens(body: &[u8], boundary: &str) -> bool {
    find_delimiter(body, boundary.as_bytes()).is_some()
}

/// What stands before the next delimiter line, what behind, and whether it was the last.
fn find_delimiter<'a>(body: &'a [u8], boundary: &[u8]) -> Option<(&'a [u8], &'a [u8], bool)> {
    let delimiter = [b"--", boundary].concat();
    for at in memchr::memmem::find_iter(body, &delimiter) {
        let before = &body[..at];
        if !before.is_empty() && !before.ends_with(b"\n") {
            continue;
        }
        let line = &body[at + delimiter.len()..];
        let (rest, after) = line.split_at(memchr::memchr(b'\n', line).map_or(line.len(), |end| end + 1));
        let last = match rest.trim_ascii_end() {
            b"" => false,
            b"--" => true,
            _ => continue,
        };
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        return Some((before.strip_suffix(b"\r").unwrap_or(before), after, last));
    }
    None
}

/// Splits a part at its first empty line.
fn split_head(part: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    while start < part.len() {
        let end = memchr::memchr(b'\n', &part[start..]).map_or(part.len(), |at| start + at + 1);
        if matches!(&part[start..end], b"\n" | b"\r\n") {
            return (&part[..start], &part[end..]);
        }
        start = end;
    }
    (part, &[])
}

/// The three fields of a part that are read, with their folded lines.
fn interesting(fields: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut keep = false;
    for line in fields.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            keep = line.split(|byte| *byte == b':').next().is_some_and(is_about_part);
        }
        if keep {
            kept.extend_from_slice(line);
        }
        if kept.len() > HEADS_LEN_MAX {
            break;
        }
    }
    kept
}
