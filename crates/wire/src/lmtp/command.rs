//! One command line of LMTP.

use crate::fields::without_end;

/// The most octets of a path: 256 (RFC 5321 §4.5.3.1.3) twice, because a UTF-8 address may
/// be that much longer.
const PATH_LEN_MAX: usize = 512;

/// A command, as far as this server knows them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Command {
    Lhlo,
    Mail {
        sender: Vec<u8>,
        size: u64,
    },
    Rcpt {
        recipient: Vec<u8>,
    },
    Data,
    Rset,
    Noop,
    Quit,
    /// Known, and not for us: `VRFY`, `EXPN`, `HELP`, and what only SMTP has.
    NotHere,
}

/// What is wrong with a line: codes and text of the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Wrong(pub(super) &'static str, pub(super) &'static str);

const SYNTAX: Wrong = Wrong("501 5.5.4", "expected a path in <>");
const PARAMETER: Wrong = Wrong("555 5.5.4", "parameter not known");

impl Command {
    pub(super) fn read(line: &[u8]) -> Result<Command, Wrong> {
        let line = without_end(line);
        let verb_end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (verb, rest) = line.split_at(verb_end);
        match verb.to_ascii_uppercase().as_slice() {
            b"LHLO" if rest.trim_ascii().is_empty() => Err(Wrong("501 5.5.4", "expected a name after LHLO")),
            b"LHLO" => Ok(Command::Lhlo),
            b"MAIL" => mail(rest),
            b"RCPT" => rcpt(rest),
            b"DATA" => bare(rest, Command::Data),
            b"RSET" => bare(rest, Command::Rset),
            b"NOOP" => Ok(Command::Noop),
            b"QUIT" => bare(rest, Command::Quit),
            // RFC 2033 §4.1: LHLO stands in their place, so that a client of the wrong protocol is
            // noticed.
            b"HELO" | b"EHLO" | b"VRFY" | b"EXPN" | b"HELP" | b"TURN" | b"AUTH" | b"STARTTLS" => {
                Ok(Command::NotHere)
            }
            _ => Err(Wrong("500 5.5.2", "command not known")),
        }
    }
}

fn bare(rest: &[u8], command: Command) -> Result<Command, Wrong> {
    let nothing = rest.trim_ascii().is_empty();
    nothing.then_some(command).ok_or(Wrong("501 5.5.4", "expected nothing behind the command"))
}

fn mail(rest: &[u8]) -> Result<Command, Wrong> {
    let (sender, parameters) = path(rest, b"FROM:")?;
    let mut size = 0;
    for parameter in words(parameters) {
        let (name, value) = halves(parameter);
        match name.to_ascii_uppercase().as_slice() {
            b"SIZE" => size = number(value).ok_or(Wrong("501 5.5.4", "expected a number in SIZE"))?,
            b"BODY" | b"SMTPUTF8" => {}
            _ => return Err(PARAMETER),
        }
    }
    Ok(Command::Mail { sender, size })
}

fn rcpt(rest: &[u8]) -> Result<Command, Wrong> {
    let (recipient, parameters) = path(rest, b"TO:")?;
    if words(parameters).next().is_some() {
        return Err(PARAMETER);
    }
    if recipient.is_empty() { Err(SYNTAX) } else { Ok(Command::Rcpt { recipient }) }
}

/// The path behind `FROM:` or `TO:` without `<>` and source route, and what follows it.
fn path<'l>(rest: &'l [u8], keyword: &[u8]) -> Result<(Vec<u8>, &'l [u8]), Wrong> {
    let rest = rest.trim_ascii_start();
    let (word, rest) = rest.split_at_checked(keyword.len()).ok_or(SYNTAX)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"<").ok_or(SYNTAX)?;
    let end = closing(rest).filter(|_| word.eq_ignore_ascii_case(keyword)).ok_or(SYNTAX)?;
    let address = without_route(&rest[..end]);
    let control = address.iter().any(u8::is_ascii_control);
    if control || address.len() > PATH_LEN_MAX {
        return Err(SYNTAX);
    }
    Ok((address.to_vec(), &rest[end + 1..]))
}

/// Where the path ends: a quoted local part may hold `>` itself.
fn closing(path: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    path.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'>' => return !quoted,
            _ => {}
        }
        false
    })
}

/// RFC 5321 §4.1.1.3: a server should ignore a source route.
fn without_route(path: &[u8]) -> &[u8] {
    match path.iter().position(|byte| *byte == b':') {
        Some(colon) if path.starts_with(b"@") => &path[colon + 1..],
        _ => path,
    }
}

fn words(parameters: &[u8]) -> impl Iterator<Item = &[u8]> {
    parameters.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

fn halves(parameter: &[u8]) -> (&[u8], &[u8]) {
    let equals = parameter.iter().position(|byte| *byte == b'=');
    equals.map_or((parameter, &[][..]), |at| (&parameter[..at], &parameter[at + 1..]))
}

fn number(value: &[u8]) -> Option<u64> {
    str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let got = match Command::read(line.as_bytes()) {
            Ok(Command::Mail { sender, size }) => format!("from {} size {size}", text(&sender)),
            Ok(Command::Rcpt { recipient }) => format!("to {}", text(&recipient)),
            Ok(other) => format!("{other:?}"),
            Err(Wrong(codes, text)) => format!("{codes} {text}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn verbs_are_known_in_any_case() {
        check("lhlo mx1.example.org\r\n", "Lhlo");
        check("data\n", "Data");
        check("NOOP whatever\r\n", "Noop");
        check("EHLO mx1.example.org\r\n", "NotHere");
        check("\r\n", "500 5.5.2 command not known");
        check("LHLO\r\n", "501 5.5.4 expected a name after LHLO");
        check("QUIT now\r\n", "501 5.5.4 expected nothing behind the command");
    }

    #[test]
    fn a_path_is_read_without_its_dress() {
        check("MAIL FROM:<user@example.org> SIZE=123 BODY=8BITMIME\r\n", "from user@example.org size 123");
        check("mail from: <> smtputf8\r\n", "from  size 0");
        check("RCPT TO:<@a.example,@b.example:report@example.org>\r\n", "to report@example.org");
        check("RCPT TO:<\"a>b\\\">\"@example.org>\r\n", "to \\\"a>b\\\\\\\">\\\"@example.org");
        check("RCPT TO:<postmaster>\r\n", "to postmaster");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let none = "501 5.5.4 expected a path in <>";
        for line in ["MAIL", "MAIL FROM:", "MAIL TO:<a@b>", "RCPT TO:a@b", "RCPT TO:<a@b", "RCPT TO:<>"] {
            check(line, none);
        }
        check("RCPT TO:<a\tb@example.org>", none);
        check(&format!("RCPT TO:<{}@example.org>", "x".repeat(PATH_LEN_MAX)), none);
    }

    #[test]
    fn parameters_that_were_not_offered_are_refused() {
        check("MAIL FROM:<> AUTH=<>", "555 5.5.4 parameter not known");
        check("RCPT TO:<a@b> NOTIFY=NEVER", "555 5.5.4 parameter not known");
        check("MAIL FROM:<> SIZE=1x", "501 5.5.4 expected a number in SIZE");
    }
}
