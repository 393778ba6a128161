//! Header text as a person reads it: unfolded, encoded words decoded (RFC 2047), and what
//! can not be seen made visible (PRI-3).
//!
//! Charsets are UTF-8, US-ASCII and ISO-8859-1; bytes of others are shown as escapes where
//! they are not ASCII. Malformed encoded words stay as they are.

use super::views::from_base64;

/// Stands where something was cut out.
pub(crate) const CUT: &str = "…";
/// Octets of one field that are read; what stands beyond is not shown.
pub(crate) const FIELD_LEN_MAX: usize = 4096;

/// The bytes of a field's value without folding (RFC 5322 §2.2.3) and outer white space.
pub(crate) fn unfolded(value: &[u8]) -> Vec<u8> {
    let cut = &value[..value.len().min(FIELD_LEN_MAX)];
    let plain: Vec<u8> = cut.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    plain.trim_ascii().to_vec()
}

/// Decodes the encoded words of an unfolded value to UTF-8; other bytes stay.
pub(crate) fn decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut after_word = false;
    while !rest.is_empty() {
        let start = find(rest, b"=?").unwrap_or(rest.len());
        let (plain, at) = rest.split_at(start);
        // §6.2: white space between two encoded words is no text.
        let word = encoded_word(at);
        if !(after_word && word.is_some() && plain.trim_ascii().is_empty()) {
            out.extend_from_slice(plain);
        }
        after_word = word.is_some();
        let (bytes, length) = word.unwrap_or_else(|| (at.get(..2).unwrap_or(at).to_vec(), at.len().min(2)));
        out.extend_from_slice(&bytes);
        rest = &at[length..];
    }
    out
}

/// `=?charset?encoding?text?=` at the front: its text as UTF-8, and how long it is.
fn encoded_word(at: &[u8]) -> Option<(Vec<u8>, usize)> {
    let inner = at.strip_prefix(b"=?")?;
    let mut parts = inner.splitn(3, |b| *b == b'?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = find(rest, b"?=")?;
    let text = &rest[..end];
    let bytes = match encoding {
        b"B" | b"b" => from_base64(text.trim_ascii_end().split(|b| *b == b'=').next()?),
        b"Q" | b"q" => from_q(text),
        _ => return None,
    };
    // RFC 2231 §5: the charset may carry a language behind a `*`.
    let charset = charset.split(|b| *b == b'*').next()?.to_ascii_lowercase();
    let latin = matches!(charset.as_slice(), b"iso-8859-1" | b"iso-8859-15" | b"windows-1252" | b"latin1");
    let utf8 =
        if latin { bytes.iter().map(|b| char::from(*b)).collect::<String>().into_bytes() } else { bytes };
    Some((utf8, at.len() - rest.len() + end + 2))
}

/// RFC 2047 §4.2.
fn from_q(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let code = after.first_chunk::<2>().filter(|_| first == b'=').and_then(hex_pair);
        out.push(code.unwrap_or(if first == b'_' { b' ' } else { first }));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    out
}

fn hex_pair(pair: &[u8; 2]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(pair[0])? << 4 | digit(pair[1])?)
}

pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|w| w == part)
}

/// One line that shows all that is in `text`: letters, digits and printable ASCII as they
/// are, white space as one space, everything else (controls, bidi marks, joiners, fillers,
/// bytes that are no UTF-8) as an escape. At most `chars_max` characters.
pub(crate) fn visible(text: &[u8], chars_max: usize) -> String {
    let mut out = String::new();
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|c| show(c, &mut out));
        chunk.invalid().iter().for_each(|b| out += &format!("\\x{b:02x}"));
    }
    let cut = out.char_indices().nth(chars_max).map(|(at, _)| at);
    match cut {
        Some(at) => format!("{}{CUT}", &out[..at]),
        None => out,
    }
}

fn show(c: char, out: &mut String) {
    match c {
        ' ' | '\t' if out.ends_with(' ') => {}
        ' ' | '\t' => out.push(' '),
        '\\' => *out += "\\\\",
        '…' => out.push(c),
        // Letters that look like nothing.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => out.extend(c.escape_unicode()),
        _ if c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric()) => out.push(c),
        _ => out.extend(c.escape_unicode()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &[u8], expect: &str) {
        assert_eq!(visible(&decoded(&unfolded(value)), 60), expect);
    }

    #[test]
    fn encoded_words_are_read_and_their_neighbours_joined() {
        check(b" hello\r\n world ", "hello world");
        check(b" =?utf-8?B?w5xiZXJ3ZWlzdW5n?=", "Überweisung");
        check(b"=?UTF-8?q?=C3=9Cber_?= =?utf-8*de?Q?weisung?= now", "Über weisung now");
        check(b"=?iso-8859-1?q?=DCber?=", "Über");
        // A character may be split between two words.
        check(b"=?utf-8?q?=C3?=\r\n =?utf-8?q?=9C?=", "Ü");
    }

    #[test]
    fn what_is_no_encoded_word_stays() {
        check(b"=?utf-8?X?abc?= =?", "=?utf-8?X?abc?= =?");
        check(b"=?utf-8?B?YWJj", "=?utf-8?B?YWJj");
        check(b"=?gb2312?B?xOO6ww==?=", "\\xc4\\xe3\\xba\\xc3");
        check(b"=?utf-8?q?a=zz=4?=", "a=zz=4");
        check(b"", "");
    }

    #[test]
    fn what_can_not_be_seen_is_shown() {
        check("a\u{202e}b\u{200b}c\u{7}d\u{3164}\\".as_bytes(), "a\\u{202e}b\\u{200b}c\\u{7}d\\u{3164}\\\\");
        check(&[b'a'; 90], &format!("{}{CUT}", "a".repeat(60)));
    }
}
