//! The parts of a MIME message (RFC 2045, RFC 2046), as deep as reports go.
//!
//! A tree of parts is never built: a hostile message nests tens of thousands of them, and
//! both the memory and the recursion of a tree are the attacker's to choose. Parts are
//! views into the bytes handed in; only a transfer encoding makes a copy.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};
use memchr::memmem;

use crate::fields::{Fields, Message, first_line, split_message, without_end};

/// Multiparts within multiparts. A report has two; a list or a virus scanner that wraps
/// it adds one each.
const DEPTH_MAX: usize = 8;

/// The most parts that are looked at.
const PARTS_MAX: usize = 64;

/// The most octets of `Content-Type` and its like that are read: a boundary has at most 70
/// (RFC 2046 §5.1.1).
const VALUE_LEN_MAX: usize = 4 * 1024;

/// One part of a message, or all of it.
#[derive(Debug)]
pub(super) struct Entity<'a> {
    pub(super) fields: Fields<'a>,
    body: &'a [u8],
    kind: Option<ContentType<'static>>,
}

impl<'a> Entity<'a> {
    pub(super) fn read(raw: &'a [u8]) -> Entity<'a> {
        let Message { fields, body, .. } = split_message(raw);
        Entity { fields, body, kind: parameters(fields, "Content-Type") }
    }

    /// Whether it is of this type; both words in lower case.
    pub(super) fn is(&self, main: &str, sub: &str) -> bool {
        self.kind.as_ref().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case(main)
                && kind.subtype().is_some_and(|s| s.eq_ignore_ascii_case(sub))
        })
    }

    /// A parameter of its type (RFC 2045 §5.1).
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.kind.as_ref()?.attribute(name)
    }

    /// The name that a mail program would save it under, in lower case.
    pub(super) fn file_name(&self) -> Option<String> {
        let disposition = parameters(self.fields, "Content-Disposition");
        let name = disposition.as_ref().and_then(|d| d.attribute("filename"));
        name.or_else(|| self.parameter("name")).map(str::to_ascii_lowercase)
    }

    /// Its content without the transfer encoding; as written, if that can not be undone.
    pub(super) fn content(&self) -> Cow<'a, [u8]> {
        let encoding = self.fields.first("Content-Transfer-Encoding").unwrap_or_default().trim_ascii();
        let decoded = match encoding {
            e if e.eq_ignore_ascii_case(b"base64") => base64_decode(self.body),
            e if e.eq_ignore_ascii_case(b"quoted-printable") => quoted_printable_decode(self.body),
            _ => None,
        };
        decoded.map_or(Cow::Borrowed(self.body), Cow::Owned)
    }

    /// The parts that hold no other parts, in their order; itself, if it holds none.
    pub(super) fn leaves(self) -> Vec<Entity<'a>> {
        let mut leaves = Vec::new();
        self.gather(DEPTH_MAX, &mut leaves);
        leaves
    }

    fn gather(self, depth: usize, leaves: &mut Vec<Entity<'a>>) {
        let multipart = self.kind.as_ref().is_some_and(|k| k.ctype().eq_ignore_ascii_case("multipart"));
        match self.parameter("boundary") {
            Some(boundary) if multipart && depth > 0 && !boundary.is_empty() => {
                for part in parts(self.body, boundary.as_bytes()) {
                    if leaves.len() >= PARTS_MAX {
                        break;
                    }
                    Entity::read(part).gather(depth - 1, leaves);
                }
            }
            _ => leaves.push(self),
        }
    }
}

/// The value and the parameters of a field like `Content-Type`.
fn parameters(fields: Fields<'_>, name: &str) -> Option<ContentType<'static>> {
    let value = fields.first(name)?;
    // The parser takes a value for whole when its line ends.
    let line = [&value[..value.len().min(VALUE_LEN_MAX)], b"\r\n"].concat();
    match MessageStream::new(&line).parse_content_type().into_owned() {
        HeaderValue::ContentType(kind) => Some(kind),
        _ => None,
    }
}

/// What lies between the delimiter lines of `boundary`, at most [`PARTS_MAX`] times; the
/// last part may lack its end.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let delimiter = [b"--", boundary].concat();
    let (mut parts, mut began) = (Vec::new(), None);
    for at in memmem::find_iter(body, &delimiter) {
        // First, because a line may hold the delimiter a million times.
        if at > 0 && body[at - 1] != b'\n' {
            continue;
        }
        let line = first_line(&body[at..]);
        let Some(last) = ends_as_delimiter(&line[delimiter.len()..]) else { continue };
        // §5.1.1: ‘The CRLF preceding the boundary delimiter line is conceptually attached to
        // the boundary’.
        parts.extend(began.map(|began: usize| without_end(&body[began.min(at)..at])));
        began = (!last).then_some(at + line.len());
        if last || parts.len() >= PARTS_MAX {
            break;
        }
    }
    if parts.len() < PARTS_MAX {
        parts.extend(began.map(|began| &body[began..]));
    }
    parts
}

/// Whether `rest` may follow a delimiter, and if so, whether that was the last.
///
/// RFC 2046 §5.1.1: ‘boundary delimiters must not appear within the encapsulated
/// material’, but a longer boundary of an inner multipart may begin with ours.
fn ends_as_delimiter(rest: &[u8]) -> Option<bool> {
    let (rest, last) = rest.strip_prefix(b"--").map_or((rest, false), |rest| (rest, true));
    rest.trim_ascii().is_empty().then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expect: &[&str]) {
        let got: Vec<_> = parts(body.as_bytes(), b"b").into_iter().map(String::from_utf8_lossy).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn parts_lie_between_delimiters() {
        check("preamble\r\n--b\r\none\r\n--b  \r\ntwo\r\n--b--\r\nepilogue", &["one", "two"]);
        check("--b\none\n--b--", &["one"]);
        check("--b\r\n--b\r\n--b--", &["", ""]);
    }

    #[test]
    fn a_longer_boundary_is_another() {
        check("--b\n--bb\n x--b\n--b-\n--b--", &["--bb\n x--b\n--b-"]);
    }

    #[test]
    fn a_last_part_without_end_counts() {
        check("--b\none\n--b\ntwo\n", &["one", "two\n"]);
        check("no delimiter", &[]);
        check("--b", &[""]);
    }

    fn leaves(raw: &str) -> Vec<String> {
        let content = |leaf: Entity<'_>| String::from_utf8_lossy(&leaf.content()).into_owned();
        Entity::read(raw.as_bytes()).leaves().into_iter().map(content).collect()
    }

    #[test]
    fn leaves_come_in_order_and_decoded() {
        let raw = "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: multipart/alternative; \
                   boundary=c\n\n--c\n\none\n--c\nContent-Transfer-Encoding: base64\n\ndHdv\n--c--\n--b\n\
                   Content-Transfer-Encoding: QUOTED-printable\n\nthr=65e\n--b--\n";
        assert_eq!(leaves(raw), ["one", "two", "three"]);
    }

    #[test]
    fn what_is_no_multipart_is_its_own_leaf() {
        assert_eq!(leaves("Subject: x\n\nbody"), ["body"]);
        assert_eq!(leaves("Content-Type: multipart/mixed\n\nbody"), ["body"]);
        assert_eq!(leaves("Content-Type: multipart/mixed; boundary=\"\"\n\nbody"), ["body"]);
    }

    #[test]
    fn a_million_parts_and_ten_thousand_levels_are_cut() {
        let many = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(1_000_000));
        assert_eq!(leaves(&many).len(), PARTS_MAX);
        let deep = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(10_000);
        assert!(leaves(&deep).len() <= PARTS_MAX);
        let one_line = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b".repeat(1_000_000));
        assert_eq!(leaves(&one_line), [""; 0]);
        let messages = "Content-Type: message/rfc822\n\n".repeat(100_000);
        assert_eq!(leaves(&messages).len(), 1);
    }

    #[test]
    fn a_file_name_comes_from_either_field() {
        let name = |raw: &str| Entity::read(raw.as_bytes()).file_name();
        assert_eq!(name("Content-Disposition: attachment; filename=A.EML\n\n").as_deref(), Some("a.eml"));
        assert_eq!(name("Content-Type: x/y; name=\"b.eml\"\n\n").as_deref(), Some("b.eml"));
        assert_eq!(name("Subject: x\n\n"), None);
    }
}
