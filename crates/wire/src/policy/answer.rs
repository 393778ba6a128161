//! What we answer Postfix: one `action=` line and an empty line.
//!
//! Postfix takes any action of `access(5)`; here are those that Mailward uses. It
//! shows the client `550 5.7.1 <recipient>: Recipient address rejected: our text`, in
//! one reply line. The words themselves are made in `answers`.

use super::error::AnswerError;
use crate::reply::class;
use crate::text::quoted;

/// The most octets of a reply text, its codes included.
///
/// An SMTP reply line ends at 512 octets (RFC 5321 §4.5.3.1.5), and Postfix puts the
/// recipient (up to 256) and 29 octets of its own words into the line, too.
pub const REPLY_LEN_MAX: usize = 200;

/// The most octets of a prepended header line (RFC 5322 §2.1.1).
pub const HEADER_LEN_MAX: usize = 998;

/// What Postfix shall do with the command it asked about.
///
/// There is no `Ok` on purpose: `OK` ends the whole restriction list, so a message we
/// merely have nothing against would skip every check that the operator wrote behind
/// ours; placed before `reject_unauth_destination` it would make an open relay. We
/// refuse or have no opinion. Nor is there a `DISCARD`: nobody would learn that mail
/// was lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action<'a> {
    /// We have no opinion; Postfix goes on with its next restriction.
    Dunno,
    /// Refuse for good. Made by [`Action::reject`].
    Reject {
        /// A reply of class 5.
        text: ReplyText<'a>,
    },
    /// Refuse for now; the client may come again. Made by [`Action::defer`].
    Defer {
        /// A reply of class 4.
        text: ReplyText<'a>,
    },
    /// Put this line before the message's header. Postfix then goes on with its next
    /// restriction. Made by [`Action::prepend`].
    Prepend {
        /// The header line.
        header: HeaderLine<'a>,
    },
}

impl<'a> Action<'a> {
    /// Refuses for good with a reply such as `550 5.7.1 [192.0.2.25] is blocked`.
    ///
    /// # Errors
    ///
    /// What [`ReplyText::new`] refuses, and any reply that is not of class 5.
    pub fn reject(reply: &'a str) -> Result<Action<'a>, AnswerError> {
        Ok(Action::Reject { text: ReplyText::of_class(b'5', reply)? })
    }

    /// Refuses for now with a reply such as `451 4.7.1 [192.0.2.25] is blocked`.
    ///
    /// # Errors
    ///
    /// What [`ReplyText::new`] refuses, and any reply that is not of class 4.
    pub fn defer(reply: &'a str) -> Result<Action<'a>, AnswerError> {
        Ok(Action::Defer { text: ReplyText::of_class(b'4', reply)? })
    }

    /// Adds a header line such as `X-Mailward: would refuse`.
    ///
    /// # Errors
    ///
    /// What [`HeaderLine::new`] refuses.
    pub fn prepend(header: &'a str) -> Result<Action<'a>, AnswerError> {
        Ok(Action::Prepend { header: HeaderLine::new(header)? })
    }

    /// Appends the whole answer to `out`, closing empty line included.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (verb, text) = match self {
            Action::Dunno => ("DUNNO", ""),
            Action::Reject { text } | Action::Defer { text } => ("", text.0),
            Action::Prepend { header } => ("PREPEND ", header.0),
        };
        for part in ["action=", verb, text, "\n\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// A reply that Postfix and the client will both understand.
///
/// One line of printable ASCII, at most [`REPLY_LEN_MAX`] octets: basic code, enhanced
/// code of the same class, text. Its one constructor is [`ReplyText::new`], so no name
/// that a client made up can end our line and begin one of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplyText<'a>(&'a str);

impl<'a> ReplyText<'a> {
    /// Takes a reply of class 4 or 5, such as `550 5.7.1 [192.0.2.25] is blocked`.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] for anything else.
    pub fn new(reply: &'a str) -> Result<ReplyText<'a>, AnswerError> {
        let line = one_line(reply, REPLY_LEN_MAX)?;
        match class(line) {
            Some(b'4' | b'5') => Ok(ReplyText(line)),
            _ => Err(AnswerError::NotAReply { got: quoted(line.as_bytes()) }),
        }
    }

    fn of_class(class: u8, reply: &'a str) -> Result<ReplyText<'a>, AnswerError> {
        let text = ReplyText::new(reply)?;
        if text.0.as_bytes().first() == Some(&class) {
            return Ok(text);
        }
        Err(AnswerError::WrongClass { expected: char::from(class), got: quoted(reply.as_bytes()) })
    }

    /// The reply as given.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

/// A header line to prepend: `Name: text`, printable ASCII, at most
/// [`HEADER_LEN_MAX`] octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeaderLine<'a>(&'a str);

impl<'a> HeaderLine<'a> {
    /// Takes a header line such as `X-Mailward: would refuse`.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] for anything else.
    pub fn new(header: &'a str) -> Result<HeaderLine<'a>, AnswerError> {
        let line = one_line(header, HEADER_LEN_MAX)?;
        match line.split_once(": ") {
            // RFC 5322 §3.6.8: ‘printable US-ASCII characters not including ":"’, nor space.
            Some((name, text)) if !name.is_empty() && !name.contains([' ', ':']) && !text.is_empty() => {
                Ok(HeaderLine(line))
            }
            _ => Err(AnswerError::NotAHeader { got: quoted(line.as_bytes()) }),
        }
    }

    /// The line as given.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

fn one_line(text: &str, len_max: usize) -> Result<&str, AnswerError> {
    if let Some(at) = text.bytes().position(|byte| !(b' '..=b'~').contains(&byte)) {
        return Err(AnswerError::NotPrintable { at, got: quoted(&text.as_bytes()[at..]) });
    }
    if text.len() > len_max {
        return Err(AnswerError::TooLong { len: text.len(), len_max });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(action: Result<Action<'_>, AnswerError>, expect: &str) {
        let told = match action {
            Ok(action) => {
                let mut out = Vec::new();
                action.write(&mut out);
                assert!(out.ends_with(b"\n\n"), "an answer ends with an empty line");
                assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 2);
                String::from_utf8(out).unwrap().trim_end_matches('\n').to_owned()
            }
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(told, expect);
    }

    #[test]
    fn writes_each_action() {
        check(Ok(Action::Dunno), "action=DUNNO");
        check(Action::reject("550 5.7.1 [192.0.2.25] blocked"), "action=550 5.7.1 [192.0.2.25] blocked");
        check(Action::reject("521 5.7.1 go away"), "action=521 5.7.1 go away");
        check(Action::defer("451 4.7.1 come again"), "action=451 4.7.1 come again");
        check(Action::defer("450 4.7.28 x"), "action=450 4.7.28 x");
        check(Action::prepend("X-Mailward: would refuse"), "action=PREPEND X-Mailward: would refuse");
    }

    #[test]
    fn answers_are_appended() {
        let mut out = Vec::new();
        Action::Dunno.write(&mut out);
        Action::Dunno.write(&mut out);
        assert_eq!(out, b"action=DUNNO\n\naction=DUNNO\n\n");
    }

    #[test]
    fn a_text_can_not_end_the_line() {
        let error = r#"error: expected printable ASCII, but got "\naction=OK" after 11 bytes"#;
        check(Action::reject("550 5.7.1 x\naction=OK"), error);
        check(Action::prepend("X-Name: xyz\naction=OK"), error);
        check(
            Action::defer("451 4.7.1 x\r"),
            r#"error: expected printable ASCII, but got "\r" after 11 bytes"#,
        );
        check(
            Action::reject("550 5.7.1 ü"),
            r#"error: expected printable ASCII, but got "\xc3\xbc" after 10 bytes"#,
        );
        check(
            Action::reject("550 5.7.1 \u{202e}"),
            r#"error: expected printable ASCII, but got "\xe2\x80\xae" after 10 bytes"#,
        );
    }

    #[test]
    fn a_reply_keeps_its_budget() {
        let of_len = |len: usize| format!("550 5.7.1 {}", "x".repeat(len - 10));
        check(Action::reject(&of_len(200)), &format!("action={}", of_len(200)));
        check(Action::reject(&of_len(201)), "error: expected at most 200 octets of text, but got 201");
        let header = |len: usize| format!("X: {}", "x".repeat(len - 3));
        check(Action::prepend(&header(998)), &format!("action=PREPEND {}", header(998)));
        check(Action::prepend(&header(999)), "error: expected at most 998 octets of text, but got 999");
    }

    #[test]
    fn a_reply_has_two_codes_of_one_class() {
        for reply in [
            "",
            "550",
            "550 5.7.1",
            "550 5.7.1 ",
            "550  5.7.1 x",
            "550 blocked by us",
            "55 5.7.1 x",
            "5500 5.7.1 x",
            "5x0 5.7.1 x",
            "550 5.7 x",
            "550 5.7.1.1 x",
            "550 5..1 x",
            "550 5.7777.1 x",
            "550 55.7.1 x",
            "550-5.7.1 x",
            "550 4.7.1 x",
            "450 5.7.1 x",
            "250 2.0.0 x",
            "350 3.0.0 x",
            "OK",
        ] {
            let error = format!("error: expected a reply such as 550 5.7.1 text, but got \"{reply}\"");
            check(Action::reject(reply), &error);
            check(Action::defer(reply), &error);
        }
    }

    #[test]
    fn rejecting_needs_class_5_and_deferring_class_4() {
        check(Action::reject("451 4.7.1 x"), "error: expected a reply of class 5, but got \"451 4.7.1 x\"");
        check(Action::defer("550 5.7.1 x"), "error: expected a reply of class 4, but got \"550 5.7.1 x\"");
        assert_eq!(ReplyText::new("451 4.7.1 x").map(|text| text.as_str()), Ok("451 4.7.1 x"));
    }

    #[test]
    fn a_header_has_a_name_and_a_text() {
        for header in ["", "X", "X:", "X: ", ": x", "X :x", "X Y: x", "X:y: z", "X:x"] {
            let error = format!("error: expected a header such as Name: text, but got \"{header}\"");
            check(Action::prepend(header), &error);
        }
        assert_eq!(HeaderLine::new("X: a: b").map(|line| line.as_str()), Ok("X: a: b"));
    }
}
