//! What Postfix says of a client's conduct: postscreen's tests and smtpd's remarks.
//!
//! `PREGREET`, `COMMAND PIPELINING`, `NON-SMTP COMMAND` and `BARE NEWLINE` of postscreen; improper
//! pipelining, commands of other protocols and the end of a session of smtpd. The texts are
//! those of Postfix 2.8 to 3.10. What the client said stands behind them and is not looked
//! at; its address stands at a place that it can not reach (ADV-15).

use std::net::IpAddr;

use super::{LINE_LEN_MAX, Stamp, contains, program, split, stamp};

/// What the client did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// It spoke before the greeting.
    EarlyTalk,
    /// It sent commands ahead that were not offered.
    Pipelining,
    /// It ended a line with a bare line feed.
    BareLf,
    /// It sent a command of another protocol.
    NonSmtp,
    /// It ended its session with QUIT.
    Quit,
    /// It ended its session without.
    NoQuit,
}

/// One line about one client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// When.
    pub stamp: Stamp,
    /// The client.
    pub addr: IpAddr,
    /// Its confirmed name, where smtpd says one: `unknown` is none.
    pub name: Option<&'a [u8]>,
    /// What it did.
    pub act: Act,
}

/// Whether a line looks like one of Postfix's log at all.
pub fn is_log(line: &[u8]) -> bool {
    line.len() <= LINE_LEN_MAX && stamp(line).is_some_and(|(_, rest)| program(rest).is_some())
}

/// Reads one line; `None` for one that tells nothing of a client's conduct.
pub fn parse(line: &[u8]) -> Option<Line<'_>> {
    if line.len() > LINE_LEN_MAX {
        return None;
    }
    let (stamp, rest) = stamp(line)?;
    let (program, text) = program(rest)?;
    let (act, (name, addr)) = match program {
        b"postscreen" => postscreen(text)?,
        b"smtpd" => smtpd(text)?,
        _ => return None,
    };
    Some(Line { stamp, addr, name, act })
}

type Found<'a> = (Act, (Option<&'a [u8]>, IpAddr));

/// Each text is followed by words of Postfix's own up to `from [address]:port`.
const POSTSCREEN: [(&[u8], Act); 4] = [
    (b"PREGREET ", Act::EarlyTalk),
    (b"COMMAND PIPELINING ", Act::Pipelining),
    (b"NON-SMTP COMMAND ", Act::NonSmtp),
    (b"BARE NEWLINE ", Act::BareLf),
];

fn postscreen(text: &[u8]) -> Option<Found<'_>> {
    let (rest, act) = POSTSCREEN.iter().find_map(|(head, act)| Some((text.strip_prefix(*head)?, *act)))?;
    // `PREGREET` names a length and a time before; the others begin with the client.
    let (before, rest) = match rest.strip_prefix(b"from [") {
        Some(rest) => (&b""[..], rest),
        None => split(rest, b" from [")?,
    };
    let (addr, _) = split(rest, b"]")?;
    let plain = before.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'.'));
    plain.then_some(())?;
    Some((act, (None, address(addr)?)))
}

fn smtpd(text: &[u8]) -> Option<Found<'_>> {
    if let Some(rest) = text.strip_prefix(b"improper command pipelining after ") {
        let (verb, rest) = split(rest, b" from ")?;
        verb.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b' ' | b'-')).then_some(())?;
        return Some((Act::Pipelining, client(rest)?.0));
    }
    if let Some(rest) = text.strip_prefix(b"warning: non-SMTP command from ") {
        return Some((Act::NonSmtp, client(rest)?.0));
    }
    // Postfix 3.0 and later count the commands: ` ehlo=1 mail=1 quit=1 commands=3`.
    let (client, counts) = client(text.strip_prefix(b"disconnect from ")?)?;
    let counted = counts.starts_with(b" ") && contains(counts, b" commands=");
    // Who tried to log in is a user of ours, or OFF-17's.
    let counted = counted && !contains(counts, b" auth=");
    let act = if contains(counts, b" quit=1") { Act::Quit } else { Act::NoQuit };
    counted.then_some((act, client))
}

/// `name[address]`, and what follows it.
#[expect(clippy::type_complexity, reason = "said once, and used at once")]
fn client(text: &[u8]) -> Option<((Option<&[u8]>, IpAddr), &[u8])> {
    // A name in DNS holds no bracket: the first one opens the address.
    let (name, rest) = split(text, b"[")?;
    let (addr, rest) = split(rest, b"]")?;
    Some((((name != b"unknown").then_some(name), address(addr)?), rest))
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let line = format!("Nov 21 18:40:00 mx postfix/{text}");
        let got = parse(line.as_bytes()).map_or_else(
            || "nothing".to_owned(),
            |l| format!("{:?} {} {}", l.act, l.addr, l.name.unwrap_or(b"-").escape_ascii()),
        );
        assert_eq!(got, expect, "{text}");
        assert!(is_log(line.as_bytes()));
    }

    #[test]
    fn off_18_and_off_19_what_postscreen_says_is_read() {
        check(
            "postscreen[7]: PREGREET 11 after 0.05 from [192.0.2.1]:4321: EHLO x\\r\\n",
            "EarlyTalk 192.0.2.1 -",
        );
        check(
            "postscreen[7]: NON-SMTP COMMAND from [2001:db8::1]:99 after CONNECT: GET / HTTP/1.1",
            "NonSmtp 2001:db8::1 -",
        );
        check("postscreen[7]: BARE NEWLINE from [192.0.2.1]:4321 after HELO", "BareLf 192.0.2.1 -");
        check(
            "postscreen[7]: COMMAND PIPELINING from [192.0.2.1]:4321 after HELO: MAIL FROM:<x>",
            "Pipelining 192.0.2.1 -",
        );
        check("postscreen[7]: PASS NEW [192.0.2.1]:4321", "nothing");
    }

    #[test]
    fn off_19_what_smtpd_says_is_read() {
        check(
            "smtpd[7]: improper command pipelining after DATA from unknown[192.0.2.1]: x",
            "Pipelining 192.0.2.1 -",
        );
        check(
            "smtpd[7]: warning: non-SMTP command from mail.example.net[192.0.2.1]: GET / HTTP/1.0",
            "NonSmtp 192.0.2.1 mail.example.net",
        );
        check(
            "smtpd[7]: disconnect from unknown[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
            "Quit 192.0.2.1 -",
        );
        check("smtpd[7]: disconnect from unknown[192.0.2.1] ehlo=1 mail=1 commands=2", "NoQuit 192.0.2.1 -");
        check("smtpd[7]: disconnect from unknown[192.0.2.1]", "nothing");
        check("submission/smtpd[7]: disconnect from unknown[192.0.2.1] ehlo=1 auth=1 commands=2", "nothing");
    }

    #[test]
    fn adv_15_what_a_stranger_says_names_no_client() {
        check("postscreen[7]: PREGREET 11 after 0.05: x from [203.0.113.9]:1", "nothing");
        check(
            "smtpd[7]: improper command pipelining after X: from a[203.0.113.9] from b[192.0.2.1]: x",
            "nothing",
        );
        check(
            "smtpd[7]: warning: non-SMTP command from unknown[192.0.2.1]: from x[203.0.113.9]",
            "NonSmtp 192.0.2.1 -",
        );
        check(
            "smtpd[7]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 disconnect from y[203.0.113.9] commands=1",
            "nothing",
        );
        check("cleanup[7]: disconnect from unknown[192.0.2.1] ehlo=1 commands=1", "nothing");
        check("smtpd[7]: disconnect from unknown[somewhere] ehlo=1 commands=1", "nothing");
    }
}
