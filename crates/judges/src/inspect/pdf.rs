//! PDFs that act when they are opened (ISO 32000-2 §12.6), by the names in them.
//!
//! The file is not parsed: names are read wherever they stand, and in object streams
//! (§7.5.7), which hold them compressed. What an encrypted file holds in object streams
//! stays unknown.

use flate2::read::ZlibDecoder;

use super::budget::Budget;

/// Object streams that are unpacked.
const STREAMS_MAX: usize = 500;
/// Streams that are looked at, whether they are object streams or not.
const CANDIDATES_MAX: usize = 40_000;
/// Octets that one object stream may unpack to. They hold dictionaries, no pictures.
const UNPACKED_MAX: u64 = 16 * 1024 * 1024;
/// How far before `stream` its dictionary is sought.
const DICTIONARY_LEN_MAX: usize = 512;

/// The names that matter.
#[derive(Default)]
struct Names {
    script: bool,
    launch: bool,
    file: bool,
    opens: bool,
    link: bool,
}

/// Whether the file runs a script or program, holds a file, or opens a link by itself.
pub(super) fn acts(bytes: &[u8], budget: &mut Budget) -> bool {
    let mut names = Names::default();
    names.take_all(bytes);
    let streams = memchr::memmem::find_iter(bytes, b"stream").take(CANDIDATES_MAX);
    for at in streams.filter(|at| is_object_stream(bytes, *at)).take(STREAMS_MAX) {
        let data = &bytes[at + b"stream".len()..];
        let data = data.strip_prefix(b"\r").unwrap_or(data);
        let data = data.strip_prefix(b"\n").unwrap_or(data);
        names.take_all(&budget.read_document(ZlibDecoder::new(data), UNPACKED_MAX));
    }
    names.script || names.launch || names.file || names.opens && names.link
}

/// Whether the dictionary before this `stream` says /ObjStm, in whatever spelling.
fn is_object_stream(bytes: &[u8], at: usize) -> bool {
    let before = bytes[at.saturating_sub(DICTIONARY_LEN_MAX)..at].trim_ascii_end();
    if !before.ends_with(b">>") {
        return false;
    }
    let from = memchr::memmem::rfind(before, b"obj").unwrap_or(0);
    names_in(&before[from..]).any(|name| name.as_bytes() == b"ObjStm")
}

impl Names {
    fn take_all(&mut self, bytes: &[u8]) {
        for name in names_in(bytes) {
            match name.as_bytes() {
                b"JavaScript" => self.script = true,
                b"Launch" => self.launch = true,
                b"EmbeddedFile" => self.file = true,
                b"OpenAction" | b"AA" => self.opens = true,
                b"URI" => self.link = true,
                _ => {}
            }
        }
    }
}

/// A name, `#xx` undone (§7.3.5); of long ones the beginning.
struct Name {
    bytes: [u8; NAME_LEN_MAX],
    len: usize,
}

/// Longer than every name that matters.
const NAME_LEN_MAX: usize = 16;

impl Name {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Every name in `bytes`.
fn names_in(bytes: &[u8]) -> impl Iterator<Item = Name> {
    memchr::memchr_iter(b'/', bytes).map(|at| name_at(&bytes[at + 1..]))
}

fn name_at(mut rest: &[u8]) -> Name {
    let mut name = Name { bytes: [0; NAME_LEN_MAX], len: 0 };
    for slot in &mut name.bytes {
        let (byte, after) = match rest {
            [b'#', high, low, after @ ..] if let Some(byte) = hex(*high, *low) => (byte, after),
            [first, after @ ..] if first.is_ascii_graphic() && !b"/<>[](){}%".contains(first) => {
                (*first, after)
            }
            _ => break,
        };
        (*slot, rest) = (byte, after);
        name.len += 1;
    }
    name
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    #[track_caller]
    fn check(body: &str, expect: bool) {
        assert_eq!(acts(format!("%PDF-1.4\n{body}").as_bytes(), &mut Budget::new()), expect, "{body}");
    }

    #[test]
    fn what_acts_is_told_from_what_does_not() {
        check("<< /Type /Catalog /Pages 2 0 R >>", false);
        check("<< /S /JavaScript /JS (app.alert(1)) >>", true);
        check("<< /S /Launch /F (cmd.exe) >>", true);
        check("<< /Type /EmbeddedFile >>", true);
        check("<< /OpenAction << /S /URI /URI (http://example.org/) >> >>", true);
        check("<< /A << /S /URI /URI (http://example.org/) >> >>", false);
        check("<< /OpenAction [3 0 R /Fit] >>", false);
        check("(a text about /JavaScripts)", false);
    }

    #[test]
    fn escaped_names_are_read() {
        check("<< /S /J#61va#53cript >>", true);
        check("<< /S /J#6>>", false);
    }

    fn object_stream(inside: &[u8]) -> Vec<u8> {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        packed.write_all(inside).unwrap();
        [
            b"%PDF-1.5\n5 0 obj\n<< /Type /Obj#53tm /Filter /FlateDecode >>\nstream\r\n",
            packed.finish().unwrap().as_slice(),
            b"\nendstream",
        ]
        .concat()
    }

    #[test]
    fn object_streams_are_unpacked() {
        assert!(acts(&object_stream(b"<< /S /JavaScript >>"), &mut Budget::new()));
        assert!(!acts(&object_stream(b"<< /S /GoTo >>"), &mut Budget::new()));
    }

    #[test]
    fn an_object_stream_that_grows_without_end_is_left() {
        let mut big = vec![b' '; usize::try_from(UNPACKED_MAX).unwrap()];
        big.extend_from_slice(b"/JavaScript");
        assert!(!acts(&object_stream(&big), &mut Budget::new()));
    }
}
