//! The first word of a line: addresses in all the ways in which lists write them, and names.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::LineError;
use crate::text::quoted;

/// The first and the last address, both in it.
type Range = (IpAddr, IpAddr);

/// An IPv4 address, its beginning, a prefix, or a range of those: `192.0.2`, `192.0.2/24`,
/// `192.0.2.1-7`.
pub(super) fn ip4set(word: &[u8]) -> Result<Range, LineError> {
    let Some((from, to)) = halves(word, b'-') else { return short(word) };
    let unknown = || LineError::Address { got: quoted(word) };
    let ((first, count), (mut last, ends)) =
        (octets(from).ok_or_else(unknown)?, octets(to).ok_or_else(unknown)?);
    let mut known = ends;
    if ends == 1 && count > 1 {
        // One octet stands for the last one of the beginning (rbldnsd(8), ‘ip4set’).
        (last, known) = ([first[0], first[1], first[2], first[3]], count);
        last[count - 1] = octets(to).ok_or_else(unknown)?.0[0];
    }
    last[known..].fill(u8::MAX);
    range(Ipv4Addr::from(first).into(), Ipv4Addr::from(last).into(), word)
}

/// A prefix of either family, or the beginning of one.
pub(super) fn trie(word: &[u8]) -> Result<Range, LineError> {
    if !word.contains(&b':') {
        return short(word);
    }
    let (addr, len) = halves(word, b'/').map_or((word, None), |(addr, len)| (addr, Some(len)));
    let text = std::str::from_utf8(addr).unwrap_or_default();
    let words = text.split(':').count();
    // ‘trailing :0s can be omitted’ (rbldnsd(8), ‘ip6trie’).
    let is_short = !text.contains("::") && words < 8;
    let whole = if is_short { Cow::from(format!("{text}::")) } else { text.into() };
    let addr: Ipv6Addr = whole.parse().map_err(|_| LineError::Address { got: quoted(word) })?;
    let len = match len {
        Some(len) => length(len, 128).ok_or_else(|| LineError::Length { got: quoted(word) })?,
        None if is_short => 16 * words as u8,
        None => 128,
    };
    prefix(addr.into(), len, word)
}

/// An address, a prefix or a range, written out, of either family.
pub(super) fn plain(word: &[u8]) -> Result<Range, LineError> {
    let unknown = || LineError::Address { got: quoted(word) };
    if let Some((from, to)) = halves(word, b'-') {
        return range(whole(from).ok_or_else(unknown)?, whole(to).ok_or_else(unknown)?, word);
    }
    let Some((addr, len)) = halves(word, b'/') else {
        let addr = whole(word).ok_or_else(unknown)?;
        return Ok((addr, addr));
    };
    let addr = whole(addr).ok_or_else(unknown)?;
    let full = if addr.is_ipv4() { 32 } else { 128 };
    let len = length(len, full).ok_or_else(|| LineError::Length { got: quoted(word) })?;
    prefix(addr, len, word)
}

/// An IPv4 address or its beginning, with or without a length.
fn short(word: &[u8]) -> Result<Range, LineError> {
    let (addr, len) = halves(word, b'/').map_or((word, None), |(addr, len)| (addr, Some(len)));
    let (octets, count) = octets(addr).ok_or_else(|| LineError::Address { got: quoted(word) })?;
    let len = match len {
        Some(len) => length(len, 32).ok_or_else(|| LineError::Length { got: quoted(word) })?,
        None => 8 * count as u8,
    };
    prefix(Ipv4Addr::from(octets).into(), len, word)
}

fn halves(word: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = word.iter().position(|byte| *byte == at)?;
    Some((&word[..place], &word[place + 1..]))
}

/// One to four octets in decimal, zeros for the rest, and how many there were.
pub(super) fn octets(text: &[u8]) -> Option<([u8; 4], usize)> {
    let (mut octets, mut count, mut digits) = ([0_u8; 4], 1, 0);
    for byte in text {
        match byte {
            // A leading zero may mean an octal number.
            b'0'..=b'9' if digits == 0 || octets[count - 1] > 0 => {
                octets[count - 1] = octets[count - 1].checked_mul(10)?.checked_add(byte - b'0')?;
                digits += 1;
            }
            b'.' if digits > 0 && count < 4 => (count, digits) = (count + 1, 0),
            _ => return None,
        }
    }
    (digits > 0).then_some((octets, count))
}

/// A whole address.
fn whole(text: &[u8]) -> Option<IpAddr> {
    match octets(text) {
        Some((octets, 4)) => Some(IpAddr::from(octets)),
        Some(_) => None,
        None => std::str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

fn length(text: &[u8], full: u8) -> Option<u8> {
    if text.is_empty() || text.len() > 3 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = text.iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    (number <= full.into()).then_some(number as u8)
}

fn prefix(addr: IpAddr, len: u8, word: &[u8]) -> Result<Range, LineError> {
    let last = match addr {
        IpAddr::V4(a) => {
            let host = u32::MAX.checked_shr(len.into()).unwrap_or(0);
            (a.to_bits() & host == 0).then(|| Ipv4Addr::from_bits(a.to_bits() | host).into())
        }
        IpAddr::V6(a) => {
            let host = u128::MAX.checked_shr(len.into()).unwrap_or(0);
            (a.to_bits() & host == 0).then(|| Ipv6Addr::from_bits(a.to_bits() | host).into())
        }
    };
    last.map(|last| (addr, last)).ok_or_else(|| LineError::HostBits { got: quoted(word) })
}

fn range(first: IpAddr, last: IpAddr, word: &[u8]) -> Result<Range, LineError> {
    let fits = first.is_ipv4() == last.is_ipv4() && first <= last;
    if fits { Ok((first, last)) } else { Err(LineError::Range { got: quoted(word) }) }
}

/// A domain name in lower case, without a dot at the end: at most 253 octets, labels of 1 to
/// 63 letters, digits, `-` and `_`.
pub(super) fn name(text: &[u8]) -> Option<Cow<'_, str>> {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let octet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &[u8]| (1..=63).contains(&label.len()) && label.iter().all(octet);
    if text.len() > 253 || !text.split(|byte| *byte == b'.').all(label) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if is_lower { text.into() } else { text.to_ascii_lowercase().into() })
}
