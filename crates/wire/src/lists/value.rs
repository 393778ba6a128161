//! What stands behind an entry: an A record, a text, a comment.

use super::error::LineError;
use crate::text::quoted;

/// Codes that have a meaning: 127.0.0.2 to 127.0.0.19.
const CODES: std::ops::RangeInclusive<u8> = 2..=19;

/// A value as far as it is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Value {
    /// The last octet, if it has a meaning.
    pub(super) code: Option<u8>,
    /// There was an A record of another kind.
    pub(super) is_foreign: bool,
    pub(super) has_text: bool,
}

impl Value {
    /// A text without a code.
    pub(super) const TEXT: Value = Value { code: None, is_foreign: false, has_text: true };
}

/// Splits the first word off a line; the rest is empty where a comment begins.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    // A comment may also follow without a space.
    if let Some(end) = word.iter().position(|byte| matches!(byte, b'#' | b';')) {
        return (&word[..end], &[]);
    }
    let rest = rest.trim_ascii_start();
    (word, if matches!(rest.first(), Some(b'#' | b';')) { &[] } else { rest })
}

/// Reads `:127.0.0.2:text`, `:2:text`, `:2`, `::text`.
pub(super) fn value(text: &[u8]) -> Result<Value, LineError> {
    let inner = text.strip_prefix(b":").unwrap_or(text);
    let end = inner.iter().position(|byte| *byte == b':');
    let (address, said) = inner.split_at(end.unwrap_or(inner.len()));
    let has_text = said.len() > 1;
    let address = address.trim_ascii();
    if address.is_empty() {
        return Ok(Value { code: None, is_foreign: false, has_text });
    }
    let octets = octets(address).ok_or_else(|| LineError::Value { got: quoted(text) })?;
    let code = match octets {
        [127, 0, 0, last] if CODES.contains(&last) => Some(last),
        _ => None,
    };
    Ok(Value { code, is_foreign: code.is_none(), has_text })
}

/// `127.0.0.n`, or `n` alone.
fn octets(address: &[u8]) -> Option<[u8; 4]> {
    let (octets, count) = super::address::octets(address)?;
    match count {
        4 => Some(octets),
        1 => Some([127, 0, 0, octets[0]]),
        _ => None,
    }
}
