//! What kind of line it is that an MTA did not know as a command.
//!
//! Commands of SMTP that an MTA leaves out are no fault of who asks for them (RFC 5321 §4.2.4:
//! ‘502 command not implemented’), nor are private ones, which begin with X (§4.1.5). What
//! other protocols say, and fields of a message's header where commands belong, come from
//! programs that do not read replies.

/// What a line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// A command of SMTP or of an extension, a private one, or nothing.
    Smtp,
    /// A line of another protocol, or of a message.
    Foreign,
    /// A word that is no command.
    Unknown,
}

/// RFC 821, RFC 5321 and extensions, those that nobody offers any more with them.
const SMTP: [&[u8]; 24] = [
    b"HELO",
    b"EHLO",
    b"LHLO",
    b"MAIL",
    b"RCPT",
    b"DATA",
    b"BDAT",
    b"RSET",
    b"NOOP",
    b"QUIT",
    b"VRFY",
    b"EXPN",
    b"HELP",
    b"SEND",
    b"SOML",
    b"SAML",
    b"TURN",
    b"ETRN",
    b"ATRN",
    b"AUTH",
    b"STARTTLS",
    b"BURL",
    b"ONEX",
    b"VERB",
];

/// HTTP, FTP, POP, IMAP, IRC and SIP, as scanners and hijacked browsers speak them.
const FOREIGN: [&[u8]; 20] = [
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PATCH",
    b"PRI",
    b"PROPFIND",
    b"USER",
    b"PASS",
    b"STAT",
    b"LIST",
    b"NICK",
    b"JOIN",
    b"CAPABILITY",
    b"INVITE",
    b"REGISTER",
];

/// Sorts a line, as the MTA hands it on.
pub fn classify(line: &[u8]) -> Verb {
    let line = line.trim_ascii();
    let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let is = |known: &&[u8]| word.eq_ignore_ascii_case(known);
    if SMTP.iter().any(is) || matches!(word.first(), None | Some(b'X' | b'x')) {
        Verb::Smtp
    } else if FOREIGN.iter().any(is) || is_field(line) || is_hello(line) {
        Verb::Foreign
    } else {
        Verb::Unknown
    }
}

/// A field of a header: a name without blanks, a colon, and a blank, which `MAIL FROM:<` without
/// its own blank has not.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    !name.is_empty() && name.iter().all(is_name) && value.first().is_none_or(u8::is_ascii_whitespace)
}

/// The first line of SSH, or the begin of a TLS record (RFC 8446 §5.1: handshake, 3.x).
fn is_hello(line: &[u8]) -> bool {
    line.starts_with(b"SSH-") || line.starts_with(&[0x16, 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&[u8]], expect: Verb) {
        for line in lines {
            assert_eq!(classify(line), expect, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_an_mta_leaves_out_and_private_commands_are_smtp() {
        check(&[b"EXPN staff", b"help", b"TURN", b"AUTH LOGIN", b"XEXCH50 1 2", b"x-link2state"], Verb::Smtp);
        check(&[b"", b"  \t", b"STARTTLS"], Verb::Smtp);
    }

    #[test]
    fn lines_of_other_protocols_and_of_messages_are_foreign() {
        check(&[b"GET / HTTP/1.1", b"user root", b"SSH-2.0-Go", b"\x16\x03\x01\x02\x00"], Verb::Foreign);
        check(&[b"Host: mx.example.org", b"Subject: hello", b"User-Agent:"], Verb::Foreign);
    }

    #[test]
    fn all_else_is_no_command() {
        check(
            &[b"HELLO", b"MAILFROM:<x>", b"a b: c", b": x", b"{\"id\":1}", b"\xff\xfe", b"."],
            Verb::Unknown,
        );
    }
}
