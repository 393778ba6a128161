//! The value of one `Received` header field (RFC 5321 §4.4), and of its many dialects.
//!
//! Whoever handles a message puts such a line on top, so every line below the topmost of
//! our own is what a stranger chose to write. This module reads the words; whom to
//! believe is the caller's affair (`arf::ours`, and the raw mail reader of `replay`).
//!
//! The reading itself is `mail-parser`'s; here are its bounds, and words that no longer
//! borrow anything of it but the text.

use std::borrow::Cow;
use std::net::IpAddr;

use mail_parser::parsers::MessageStream;
use mail_parser::{DateTime, HeaderValue, Host, Protocol};

/// The most octets of one value that are read; what lies behind is as if never written.
///
/// RFC 5322 §2.1.1 allows 998 octets a line, and real fields fold into five lines at most.
pub const VALUE_LEN_MAX: usize = 4 * 1024;

/// What one Received field says; all of it may be missing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Received<'a> {
    /// The word after `from`: what the client called itself (Postfix, Sendmail), or its
    /// verified name (qmail, Exim).
    pub from: Option<Cow<'a, str>>,
    /// What the client said in HELO, EHLO or LHLO, where the field says so in words.
    pub helo: Option<Cow<'a, str>>,
    /// The reverse DNS name in the comment behind `from`, as written.
    pub rdns: Option<Cow<'a, str>>,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// The host that wrote the field.
    pub by: Option<Cow<'a, str>>,
    /// `SMTP`, `ESMTPS`, … (RFC 3848), in upper case.
    pub with: Option<&'static str>,
    /// The message's name in the queue of that host.
    pub id: Option<Cow<'a, str>>,
    /// When it was written, in seconds since 1970-01-01 UTC.
    pub date_secs: Option<u64>,
}

impl<'a> Received<'a> {
    /// Reads what stands behind `Received:`, folded or not.
    pub fn parse(value: &'a [u8]) -> Received<'a> {
        let value = &value[..value.len().min(VALUE_LEN_MAX)];
        let HeaderValue::Received(read) = MessageStream::new(value).parse_received() else {
            return Received::default();
        };
        let ip = read.from_ip.or_else(|| address(read.from.as_ref()));
        Received {
            from: read.from.map(text),
            helo: read.helo.map(text),
            rdns: read.from_iprev,
            ip,
            by: read.by.map(text),
            with: read.with.map(protocol),
            id: read.id,
            date_secs: read.date.as_ref().and_then(unix_secs),
        }
    }
}

/// Seconds since 1970-01-01 UTC, if there was such a second.
pub(crate) fn unix_secs(date: &DateTime) -> Option<u64> {
    // RFC 5322 §4.3: a year of two digits below 50 is of this century; the parser says 19...
    let year = if (1900..1950).contains(&date.year) { date.year + 100 } else { date.year };
    let date = DateTime { year, ..*date };
    date.is_valid().then(|| date.to_timestamp()).and_then(|secs| u64::try_from(secs).ok())
}

fn address(host: Option<&Host<'_>>) -> Option<IpAddr> {
    match host {
        Some(Host::IpAddr(ip)) => Some(*ip),
        _ => None,
    }
}

fn text(host: Host<'_>) -> Cow<'_, str> {
    match host {
        Host::Name(name) => name,
        Host::IpAddr(ip) => Cow::Owned(ip.to_string()),
    }
}

fn protocol(with: Protocol) -> &'static str {
    match with {
        Protocol::SMTP => "SMTP",
        Protocol::ESMTP => "ESMTP",
        Protocol::ESMTPA => "ESMTPA",
        Protocol::ESMTPS => "ESMTPS",
        Protocol::ESMTPSA => "ESMTPSA",
        Protocol::LMTP => "LMTP",
        Protocol::LMTPA => "LMTPA",
        Protocol::LMTPS => "LMTPS",
        Protocol::LMTPSA => "LMTPSA",
        Protocol::MMS => "MMS",
        Protocol::UTF8SMTP => "UTF8SMTP",
        Protocol::UTF8SMTPA => "UTF8SMTPA",
        Protocol::UTF8SMTPS => "UTF8SMTPS",
        Protocol::UTF8SMTPSA => "UTF8SMTPSA",
        Protocol::UTF8LMTP => "UTF8LMTP",
        Protocol::UTF8LMTPA => "UTF8LMTPA",
        Protocol::UTF8LMTPS => "UTF8LMTPS",
        Protocol::UTF8LMTPSA => "UTF8LMTPSA",
        Protocol::HTTP => "HTTP",
        Protocol::HTTPS => "HTTPS",
        Protocol::IMAP => "IMAP",
        Protocol::POP3 => "POP3",
        Protocol::Local => "LOCAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expect: &str) {
        let got = Received::parse(value.as_bytes());
        let word = |word: &Option<Cow<'_, str>>| word.as_deref().unwrap_or("-").to_owned();
        let ip = got.ip.map_or("-".into(), |ip| ip.to_string());
        let date = got.date_secs.map_or("-".into(), |secs| secs.to_string());
        let (from, helo, rdns, by, id) =
            (word(&got.from), word(&got.helo), word(&got.rdns), word(&got.by), word(&got.id));
        let with = got.with.unwrap_or("-");
        assert_eq!(format!("{from} {helo} {rdns} {ip} by {by} {with} {id} {date}"), expect);
    }

    #[test]
    fn reads_what_postfix_writes() {
        check(
            " from mail.example.net (mail.example.net [192.0.2.25])\r\n\t(using TLSv1.3 with cipher \
             TLS_AES_256_GCM_SHA384)\r\n\tby mx1.example.org (Postfix) with ESMTPS id 4T9K2\r\n\tfor \
             <user@example.org>; Sat, 21 Nov 2026 21:39:34 +0000 (UTC)",
            "mail.example.net - mail.example.net 192.0.2.25 by mx1.example.org ESMTPS 4T9K2 1795297174",
        );
    }

    #[test]
    fn reads_what_exim_and_sendmail_write() {
        check(
            "from [192.0.2.25] (helo=mail.example.net)\r\n\tby mx1.example.org with esmtps\r\n\t(Exim 4.96)\r\n\tid \
             1rQ2Xy-0003Zk-1a; Sat, 21 Nov 2026 22:39:34 +0100",
            "192.0.2.25 mail.example.net - 192.0.2.25 by mx1.example.org ESMTPS 1rQ2Xy-0003Zk-1a 1795297174",
        );
        check(
            "from mail.example.net (mail.example.net [IPv6:2001:db8::25] (may be forged)) by mx1.example.org \
             (8.18.1/8.18.1) with ESMTP id 4ALLdYxV001234; Sat, 21 Nov 2026 21:39:34 GMT",
            "mail.example.net - mail.example.net 2001:db8::25 by mx1.example.org ESMTP 4ALLdYxV001234 1795297174",
        );
    }

    #[test]
    fn what_is_no_field_says_nothing() {
        check("", "- - - - by - - - -");
        check("\0\u{ff}(((((((", "- - - - by - - - -");
        check("by mx1.example.org; Sat, 99 Xyz 2026 99:99:99", "- - - - by mx1.example.org - - -");
    }

    #[test]
    fn a_date_before_1970_is_none() {
        check("by mx1.example.org; Sat, 1 Jan 1960 00:00:00 +0000", "- - - - by mx1.example.org - - -");
    }

    #[test]
    fn a_year_of_two_digits_is_of_its_century() {
        check("by mx1.example.org; 1 Jan 03 00:00:00 +0000", "- - - - by mx1.example.org - - 1041379200");
        check("by mx1.example.org; 1 Jan 99 00:00:00 +0000", "- - - - by mx1.example.org - - 915148800");
    }

    #[test]
    fn what_lies_far_behind_is_not_read() {
        let value = format!("from a ({}) by mx1.example.org", "x".repeat(VALUE_LEN_MAX));
        assert_eq!(Received::parse(value.as_bytes()).by, None);
    }
}
