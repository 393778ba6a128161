//! Postfix's mail log: who delivered what, as far as old good mail can be learnt from it.
//!
//! A log is text that strangers can write into: HELO names and senders stand in it. The
//! client is taken only from the `client=` field at its fixed place behind the queue id of
//! an smtpd line, never from anywhere else in a line (ADV-15).
//!
//! What postscreen and smtpd say of a client's conduct stands in [`conduct`].
//!
//! Following a live log, rejects and logins come with the sensors; other MTAs too.

pub mod conduct;

use std::net::IpAddr;

/// The longest line that is read; syslog cuts at 8 KiB.
pub const LINE_LEN_MAX: usize = 8192;

/// When a line was written, as far as the line says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stamp {
    /// RFC 3339 with year; seconds since 1970 UTC.
    Unix(i64),
    /// The traditional form without a year: month 1 to 12, day, second of the day.
    Yearless {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// 0 to 86 399.
        second: u32,
    },
}

/// What a line tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event<'a> {
    /// A client handed a message in; `authenticated` if it logged in.
    Client {
        /// Its address.
        addr: IpAddr,
        /// It logged in.
        authenticated: bool,
    },
    /// The message was delivered to this recipient.
    Sent {
        /// The address without `<>`.
        recipient: &'a [u8],
    },
    /// The queue is done with the message.
    Removed,
}

/// One line about one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// When.
    pub stamp: Stamp,
    /// The message's queue id.
    pub queue_id: &'a [u8],
    /// What.
    pub event: Event<'a>,
}

/// Reads one line; `None` for one that tells nothing of a delivered message.
pub fn parse(line: &[u8]) -> Option<Line<'_>> {
    if line.len() > LINE_LEN_MAX {
        return None;
    }
    let (stamp, rest) = stamp(line)?;
    let (program, text) = program(rest)?;
    let (queue_id, text) = split(text, b": ")?;
    let plain = (5..=20).contains(&queue_id.len()) && queue_id.iter().all(u8::is_ascii_alphanumeric);
    let event = if plain { event(program, text)? } else { return None };
    Some(Line { stamp, queue_id, event })
}

fn event<'a>(program: &[u8], text: &'a [u8]) -> Option<Event<'a>> {
    match program {
        b"smtpd" => client(text),
        b"qmgr" => (text == b"removed").then_some(Event::Removed),
        b"smtp" | b"lmtp" | b"local" | b"virtual" | b"pipe" | b"discard" => sent(text),
        _ => None,
    }
}

/// `client=name[address]`, then perhaps `, sasl_method=…`.
fn client(text: &[u8]) -> Option<Event<'_>> {
    let value = text.strip_prefix(b"client=")?;
    // A name in DNS holds no bracket: the first one opens the address.
    let (_, rest) = split(value, b"[")?;
    let (addr, rest) = split(rest, b"]")?;
    let addr = std::str::from_utf8(addr).ok()?.parse().ok()?;
    Some(Event::Client { addr, authenticated: contains(rest, b", sasl_") })
}

/// `to=<recipient>, …, status=sent (…)`.
fn sent(text: &[u8]) -> Option<Event<'_>> {
    let (recipient, rest) = split(text.strip_prefix(b"to=<")?, b">, ")?;
    // The reply of the next host stands in brackets behind the status.
    let status = rest.windows(9).position(|w| w == b" status=s")?;
    let opening = rest.iter().position(|b| *b == b'(').unwrap_or(rest.len());
    (status < opening && rest[status..].starts_with(b" status=sent")).then_some(Event::Sent { recipient })
}

/// `host postfix/smtpd[7]: text` to (`smtpd`, text).
fn program(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_host, rest) = split(rest, b" ")?;
    let (tag, text) = split(rest, b": ")?;
    let (name, _pid) = split(tag, b"[")?;
    let name = name.strip_prefix(b"postfix")?;
    let last = name.rsplit(|b| *b == b'/').next()?;
    Some((last, text))
}

fn stamp(line: &[u8]) -> Option<(Stamp, &[u8])> {
    if line.first()?.is_ascii_digit() {
        let (text, rest) = split(line, b" ")?;
        return Some((Stamp::Unix(rfc3339(std::str::from_utf8(text).ok()?)?), rest));
    }
    let text = std::str::from_utf8(line.get(..15)?).ok()?;
    let month = 1 + MONTHS.iter().position(|m| text.starts_with(m))?;
    let day = text.get(4..6)?.trim_start().parse().ok().filter(|d| (1..=31).contains(d))?;
    let second = clock(text.get(7..15)?)?;
    let month = u8::try_from(month).ok()?;
    Some((Stamp::Yearless { month, day, second }, line.get(16..)?))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn clock(text: &str) -> Option<u32> {
    let (h, m, s) = (text.get(..2)?, text.get(3..5)?, text.get(6..8)?);
    let (h, m, s): (u32, u32, u32) = (h.parse().ok()?, m.parse().ok()?, s.parse().ok()?);
    (h < 24 && m < 60 && s < 61).then_some(h * 3600 + m * 60 + s.min(59))
}

/// `2026-11-21T18:40:00.123456+01:00`, as rsyslog and journald write it.
fn rfc3339(text: &str) -> Option<i64> {
    let (y, mo, d) =
        (text.get(..4)?.parse().ok()?, text.get(5..7)?.parse().ok()?, text.get(8..10)?.parse().ok()?);
    let second = i64::from(clock(text.get(11..19)?)?);
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    Some(days(y, mo, d)? * 86_400 + second - offset(zone)?)
}

fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'Z' => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes): (i64, i64) = (zone.get(1..3)?.parse().ok()?, zone.get(4..6)?.parse().ok()?);
    Some(sign * (hours * 3600 + minutes * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
pub fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // March is the first month, so that the leap day is the last of its year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468)
}

fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|w| w == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let got = parse(line.as_bytes()).map_or_else(
            || "nothing".to_owned(),
            |l| match l.event {
                Event::Client { addr, authenticated } => format!("client {addr} {authenticated}"),
                Event::Sent { recipient } => format!("sent {}", recipient.escape_ascii()),
                Event::Removed => "removed".to_owned(),
            },
        );
        assert_eq!(got, expect, "{line}");
    }

    #[test]
    fn a_delivered_message_is_read_from_its_lines() {
        check(
            "Nov 21 18:40:00 mx postfix/smtpd[7]: 7490499CC21: client=mail.example.org[192.0.2.1]",
            "client 192.0.2.1 false",
        );
        check(
            "Nov  1 18:40:00 mx postfix/submission/smtpd[7]: 7490499CC21: client=home.example[2001:db8::1], sasl_method=PLAIN, sasl_username=a",
            "client 2001:db8::1 true",
        );
        check(
            "2026-11-21T18:40:00.5+01:00 mx postfix/lmtp[9]: 7490499CC21: to=<u@example.net>, relay=x, delay=1, dsn=2.0.0, status=sent (250 ok)",
            "sent u@example.net",
        );
        check("Nov 21 18:40:00 mx postfix/qmgr[8]: 7490499CC21: removed", "removed");
    }

    #[test]
    fn what_a_stranger_writes_into_a_line_is_no_client() {
        check(
            "Nov 21 18:40:00 mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 x; helo=<client=foo[203.0.113.9]>",
            "nothing",
        );
        check("Nov 21 18:40:00 mx postfix/smtpd[7]: warning: x: client=foo[203.0.113.9]", "nothing");
        check("Nov 21 18:40:00 mx postfix/cleanup[7]: 7490499CC21: client=foo[203.0.113.9]", "nothing");
        check(
            "Nov 21 18:40:00 mx postfix/smtp[9]: 7490499CC21: to=<u@example.net>, relay=x, status=bounced (550 status=sent (x))",
            "nothing",
        );
        check("Nov 21 18:40:00 mx other[9]: 7490499CC21: client=foo[203.0.113.9]", "nothing");
        check("", "nothing");
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let stamp = |line: &str| parse(line.as_bytes()).unwrap().stamp;
        let rest = "mx postfix/qmgr[8]: 7490499CC21: removed";
        assert_eq!(stamp(&format!("2026-11-21T18:40:00.5+01:00 {rest}")), Stamp::Unix(1_795_282_800));
        assert_eq!(stamp(&format!("2026-11-21T17:40:00Z {rest}")), Stamp::Unix(1_795_282_800));
        assert_eq!(
            stamp(&format!("Feb  3 00:01:02 {rest}")),
            Stamp::Yearless { month: 2, day: 3, second: 62 }
        );
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(2026, 13, 1)), (Some(0), Some(11_017), None));
    }
}
