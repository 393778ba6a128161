//! Plain views of a text in which something may be written in another way: folded,
//! unescaped, decoded. Pure functions over bytes, each linear in its input.

pub(crate) fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' => byte + 13,
        b'n'..=b'z' => byte - 13,
        other => other,
    }
}

/// Letters and digits in lower case; white space as one space each, all else left out.
pub(crate) fn folded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match narrow(c) {
                c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase() as u8),
                c if c.is_whitespace() => out.push(b' '),
                c if c.is_alphanumeric() => {
                    let lower = c.to_lowercase().next().unwrap_or(c);
                    out.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => {}
            }
        }
    }
    out
}

/// Fullwidth forms read as the ASCII that they show (Unicode, block FF00).
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    }
}

pub(crate) fn squeezed(text: &[u8]) -> Vec<u8> {
    folded(text).into_iter().filter(|b| *b != b' ').collect()
}

/// Decoded bytes without what separates the parts of an address, and without the NULs of
/// UTF-16; other bytes stay, so that two pieces of noise do not make a name.
pub(crate) fn joined(bytes: &[u8]) -> Vec<u8> {
    let kept = bytes.iter().filter(|b| !matches!(b, 0 | b'.' | b'_' | b'-' | b'+' | b'=' | b'@'));
    kept.map(u8::to_ascii_lowercase).collect()
}

/// Undoes one layer of `%6a`, `=6A` (and `=` at a line's end), `\x6a`, `\u006a`, `&#106;`
/// and `&#x6a;`.
pub(crate) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (length, code) = match first {
            b'%' | b'=' => hex_escape(after, 0, 2),
            b'\\' if after.first() == Some(&b'x') => hex_escape(after, 1, 2),
            b'\\' if after.first() == Some(&b'u') => hex_escape(after, 1, 4),
            b'&' if after.first() == Some(&b'#') => entity(after),
            _ => None,
        }
        .unwrap_or((0, u32::from(first)));
        match u8::try_from(code) {
            // A soft line break of quoted-printable.
            _ if first == b'=' && after.starts_with(b"\r\n") => rest = &after[2..],
            Ok(byte) => {
                out.push(byte);
                rest = &after[length..];
            }
            Err(_) => {
                let c = char::from_u32(code).unwrap_or(' ');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &after[length..];
            }
        }
    }
    out
}

/// `digits` hexadecimal digits after `skip` bytes: length with what was skipped, and value.
fn hex_escape(after: &[u8], skip: usize, digits: usize) -> Option<(usize, u32)> {
    let text = std::str::from_utf8(after.get(skip..skip + digits)?).ok()?;
    Some((skip + digits, number(text, 16)?))
}

/// `#106;` or `#x6a;`.
fn entity(after: &[u8]) -> Option<(usize, u32)> {
    let end = after.iter().take(9).position(|b| *b == b';')?;
    let text = std::str::from_utf8(&after[1..end]).ok()?;
    let code = match text.strip_prefix(['x', 'X']) {
        Some(digits) => number(digits, 16),
        None => number(text, 10),
    };
    Some((end + 1, code?))
}

/// `from_str_radix` takes a sign; an escape has none.
fn number(digits: &str, radix: u32) -> Option<u32> {
    u32::from_str_radix(digits, radix).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

pub(crate) fn without_0x(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        match (byte, out.last()) {
            (b'x', Some(b'0')) => drop(out.pop()),
            (other, _) => out.push(*other),
        }
    }
    out
}

pub(crate) fn from_hex(run: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    run.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Six bits of a digit of base64 or base64url (RFC 4648 §4, §5).
pub(crate) fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Digits of base64, the last one padded with zero bits.
pub(crate) fn to_base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(bytes.len() * 4 / 3 + 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0usize, |bits, b| bits << 8 | usize::from(*b)) << (8 * (3 - group.len()));
        out.extend((0..=group.len()).map(|place| DIGITS[bits >> (18 - 6 * place) & 63]));
    }
    out
}

/// The bytes of a run of digits, those of the last, unfinished group included.
pub(crate) fn from_base64(run: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(run.len() / 4 * 3 + 2);
    for group in run.chunks(4) {
        let bits = group.iter().fold(0u32, |bits, b| bits << 6 | u32::from(sextet(*b).unwrap_or(0)));
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        out.extend_from_slice(&bytes[1..group.len().max(1)]);
    }
    out
}
