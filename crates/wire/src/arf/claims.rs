//! Words and numbers of a report, cut to size.

use std::net::IpAddr;

use mail_parser::DateTime;
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use super::report::{LIST_MAX, TEXT_LEN_MAX};
use crate::fields::{Fields, unfolded};
use crate::received::unix_secs;

/// A value in one line, if it says anything.
pub(super) fn text(value: &[u8]) -> Option<Vec<u8>> {
    let line = unfolded(value, TEXT_LEN_MAX);
    (!line.is_empty()).then_some(line)
}

/// The topmost field of a name.
pub(super) fn first(fields: Fields<'_>, name: &str) -> Option<Vec<u8>> {
    fields.first(name).and_then(text)
}

/// All fields of a name.
pub(super) fn all(fields: Fields<'_>, name: &str) -> Vec<Vec<u8>> {
    fields.all(name).filter_map(text).take(LIST_MAX).collect()
}

/// A number that is written in digits, and nothing else.
pub(super) fn number<T: std::str::FromStr>(fields: Fields<'_>, name: &str) -> Option<T> {
    str::from_utf8(fields.first(name)?).ok()?.trim().parse().ok()
}

/// An IP address, with or without brackets and `IPv6:`; a comment may follow, as OpenDMARC
/// has it.
pub(super) fn address(value: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(value).ok()?.split_ascii_whitespace().next()?;
    let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    text.strip_prefix("IPv6:").unwrap_or(text).parse().ok()
}

/// A date of mail (RFC 5322 §3.3), in seconds since 1970-01-01 UTC.
pub(super) fn mail_date(value: &[u8]) -> Option<u64> {
    let line = unfolded(value, TEXT_LEN_MAX);
    DateTime::parse_rfc822(&String::from_utf8_lossy(&line)).as_ref().and_then(unix_secs)
}

/// A date of RFC 3339, in seconds since 1970-01-01 UTC.
pub(super) fn json_date(value: &str) -> Option<u64> {
    DateTime::parse_rfc3339(value.get(..value.len().min(64))?).as_ref().and_then(unix_secs)
}

/// The first address of a From field.
pub(super) fn mailbox(fields: Fields<'_>, name: &str) -> Option<Vec<u8>> {
    let line = unfolded(fields.first(name)?, 8 * TEXT_LEN_MAX);
    let HeaderValue::Address(read) = MessageStream::new(&line).parse_address() else { return None };
    let address = read.first()?.address()?;
    text(address.as_bytes())
}

/// The domain of a mail address, in lower case.
pub(super) fn domain(address: &[u8]) -> Option<Vec<u8>> {
    let at = memchr::memrchr(b'@', address)?;
    let domain = address[at + 1..].trim_ascii_end();
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}
