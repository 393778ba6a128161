//! A message as header fields and a body (RFC 5322 §2.1), and nothing finer.
//!
//! Everything borrows from the bytes handed in, so a message of a million fields costs no
//! memory here; what is looked at is bounded by [`FIELDS_LEN_MAX`]. Values are handed out
//! as written, folding included. Lines may end in CRLF or LF: mail programs that put a
//! message into a file or a pipe write what their system likes.

use memchr::memchr;

/// The most octets of a header section that are looked at.
///
/// RFC 5322 sets no limit; REQUIREMENTS ADV-11 asks for 64 KiB. Fields that end behind it
/// are as if never written.
pub const FIELDS_LEN_MAX: usize = 64 * 1024;

/// A message split in two.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its header fields.
    pub fields: Fields<'a>,
    /// No field lies behind [`FIELDS_LEN_MAX`].
    pub fields_whole: bool,
    /// What comes after the empty line.
    pub body: &'a [u8],
}

/// A header section, or what was looked at of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a>(&'a [u8]);

/// One header field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field<'a> {
    /// Its name, as written.
    pub name: &'a [u8],
    /// Everything behind the colon but the last line end.
    pub value: &'a [u8],
}

/// Splits a message. Bytes that are no message have no fields and are all body.
///
/// An mbox `From ` line in front is skipped. A line that is neither a field nor the
/// continuation of one ends the section as an empty line does; so do Postfix and Sendmail.
pub fn split_message(raw: &[u8]) -> Message<'_> {
    let start = if raw.starts_with(b"From ") { first_line(raw).len() } else { 0 };
    let section = &raw[start..];
    let (mut end, mut kept) = (0, 0);
    loop {
        let line = first_line(&section[end..]);
        let text = without_end(line);
        if !is_continuation(line) || end == 0 {
            kept = if end <= FIELDS_LEN_MAX { end } else { kept };
            if name_len(text).is_none() {
                let empty = if text.is_empty() { line.len() } else { 0 };
                let body = &section[end + empty..];
                return Message { fields: Fields(&section[..kept]), fields_whole: kept == end, body };
            }
        }
        end += line.len();
    }
}

impl<'a> Fields<'a> {
    /// The fields as written.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The fields, topmost first.
    pub fn iter(self) -> impl Iterator<Item = Field<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (field, after) = split_field(rest)?;
            rest = after;
            Some(field)
        })
    }

    /// The values of the fields called `name`, topmost first.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |field| field.is(name)).map(|field| field.value)
    }

    /// The value of the topmost field called `name`.
    pub fn first(self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|field| field.is(name)).map(|field| field.value)
    }
}

impl Field<'_> {
    /// Whether this is the field `name`, in any case (RFC 5322 §1.2.2).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// A value in one line: folding and runs of white space become one space, the ends are
/// trimmed, and what exceeds `len_max` octets is cut off.
pub fn unfolded(value: &[u8], len_max: usize) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut line = Vec::new();
    for word in words {
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(&word[..word.len().min(len_max)]);
        if line.len() >= len_max {
            line.truncate(len_max);
            break;
        }
    }
    line
}

fn split_field(section: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let len = name_len(without_end(first_line(section)))?;
    let mut end = first_line(section).len();
    while is_continuation(&section[end..]) {
        end += first_line(&section[end..]).len();
    }
    let (field, rest) = section.split_at(end);
    let name = field[..len].trim_ascii_end();
    Some((Field { name, value: without_end(&field[len + 1..]) }, rest))
}

/// The first line with its end; all there is, if it has none.
pub(crate) fn first_line(text: &[u8]) -> &[u8] {
    memchr(b'\n', text).map_or(text, |at| &text[..=at])
}

pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// §2.2.3: a line that begins with white space goes on with the field before it. One of
/// white space alone is obsolete syntax (§4.2), and MTAs take it the same way.
fn is_continuation(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// How long the name of a field is with the space before its colon, which §4.5 knows.
fn name_len(line: &[u8]) -> Option<usize> {
    let colon = memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    // §3.6.8: ‘ftext = %d33-57 / %d59-126’
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(colon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &[u8], fields: &[(&str, &str)], body: &[u8]) {
        let message = split_message(raw);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let got: Vec<_> = message.fields.iter().map(|f| (text(f.name), text(f.value))).collect();
        let expect: Vec<_> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!((got, text(message.body)), (expect, text(body)));
    }

    #[test]
    fn fields_end_at_the_empty_line() {
        check(b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n", &[("A", " 1"), ("B", " 2")], b"C: 3\r\n");
        check(b"A: 1\nB: 2\n\nC: 3\n", &[("A", " 1"), ("B", " 2")], b"C: 3\n");
        check(b"A: 1", &[("A", " 1")], b"");
    }

    #[test]
    fn folding_belongs_to_the_value() {
        check(b"A: 1\r\n\t2\r\n \r\n 3\r\nB :4\r\n\r\n", &[("A", " 1\r\n\t2\r\n \r\n 3"), ("B", "4")], b"");
    }

    #[test]
    fn what_is_no_field_is_body() {
        check(b"", &[], b"");
        check(b"\r\nA: 1\r\n", &[], b"A: 1\r\n");
        check(b"hello\nA: 1\n", &[], b"hello\nA: 1\n");
        check(b" A: 1\n", &[], b" A: 1\n");
        check(b"A: 1\nhello\n", &[("A", " 1")], b"hello\n");
        check(b"A\x01: 1\n", &[], b"A\x01: 1\n");
    }

    #[test]
    fn an_mbox_line_is_skipped() {
        check(b"From someone Sat Nov 21 2026\nA: 1\n\nx", &[("A", " 1")], b"x");
    }

    #[test]
    fn fields_beyond_the_limit_are_not_there_and_the_body_is() {
        let long = format!("X: {}\n", "y".repeat(FIELDS_LEN_MAX - 20));
        let raw = format!("A: 1\n{long}B: 2345678901234567890\nC: 3\n\nbody");
        let message = split_message(raw.as_bytes());
        assert_eq!(message.fields.iter().count(), 2);
        assert_eq!((message.fields_whole, message.body), (false, &b"body"[..]));
        assert!(message.fields.as_bytes().len() <= FIELDS_LEN_MAX);
    }

    #[test]
    fn names_are_found_in_any_case_and_topmost_first() {
        let fields = split_message(b"a: 1\nB: 2\nA: 3\n\n").fields;
        assert_eq!(fields.all("A").collect::<Vec<_>>(), [b" 1", b" 3"]);
        assert_eq!((fields.first("b"), fields.first("c")), (Some(&b" 2"[..]), None));
    }

    #[test]
    fn a_value_in_one_line_has_a_limit() {
        assert_eq!(unfolded(b" a\r\n\t b  c ", 100), b"a b c");
        assert_eq!(unfolded(b"abcdef ghi", 8), b"abcdef g");
        assert_eq!(unfolded(&[b'x'; 100], 8), b"xxxxxxxx");
    }
}
