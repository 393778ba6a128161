//! A reply for the client, in as many lines as it needs.
//!
//! An MTA hands it to the client as it is, so what stands here is all that a blocked
//! person's mail server shows. Its one constructor refuses what could end our line and
//! begin one of somebody else (TXT-R4).

use super::error::TextError;
use crate::reply::parts;
use crate::text::quoted;

/// The most octets of a whole reply, codes and line ends between its lines included
/// (REQUIREMENTS B.12).
///
/// An SMTP reply line ends at 512 octets (RFC 5321 §4.5.3.1.5), and Sendmail takes 980 for
/// all lines together; half of that leaves room for what relays put around it in a bounce.
pub const REPLY_LEN_MAX: usize = 480;

/// The most octets of a line, codes and line end included, where words allow it.
///
/// A link of 68 octets and its codes fit, and so does a line into a bounce on a screen.
pub const LINE_LEN_MAX: usize = 100;

/// How long lines may be, in the order tried: each line more costs twelve octets, and a text
/// that just keeps to its budget gets fewer, longer ones.
const LINE_LENS: [usize; 3] = [LINE_LEN_MAX, 2 * LINE_LEN_MAX, REPLY_LEN_MAX + 2];

/// A reply of class 4 or 5: one or more lines of printable ASCII with equal codes, at most
/// [`REPLY_LEN_MAX`] octets together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplyText(String);

impl ReplyText {
    /// Takes a reply in one line, such as `550 5.7.1 [192.0.2.25] is blocked`, and breaks it
    /// at blanks into lines of [`LINE_LEN_MAX`], or longer ones where it would not fit
    /// otherwise; a longer word has a line of its own.
    ///
    /// # Errors
    ///
    /// [`TextError`].
    pub fn new(reply: &str) -> Result<ReplyText, TextError> {
        if let Some(at) = reply.bytes().position(|byte| !(b' '..=b'~').contains(&byte)) {
            return Err(TextError::NotPrintable { at, got: quoted(&reply.as_bytes()[at..]) });
        }
        let not_a_reply = || TextError::NotAReply { got: quoted(reply.as_bytes()) };
        let (code, enhanced, text) = parts(reply).ok_or_else(not_a_reply)?;
        if !code.starts_with(['4', '5']) {
            return Err(not_a_reply());
        }
        let around = code.len() + 1 + enhanced.len() + 1 + 2;
        let of_lines = |len: usize| join(code, enhanced, &broken(text, len - around));
        let fitting = LINE_LENS.into_iter().map(of_lines).find(|lines| lines.len() <= REPLY_LEN_MAX);
        fitting.map(ReplyText).ok_or(TextError::TooLong { len: reply.len() })
    }

    /// The lines with CRLF between them, as the client gets them.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the client is told never to try again.
    pub fn is_final(&self) -> bool {
        self.0.starts_with('5')
    }

    /// As the packet wants it: an MTA reads `%` as a format, so it is doubled.
    pub(super) fn escaped(&self) -> String {
        self.0.replace('%', "%%")
    }
}

fn join(code: &str, enhanced: &str, lines: &[String]) -> String {
    let last = lines.len().saturating_sub(1);
    let line = |(at, text): (usize, &String)| {
        let (mark, end) = if at == last { (' ', "") } else { ('-', "\r\n") };
        format!("{code}{mark}{enhanced} {text}{end}")
    };
    lines.iter().enumerate().map(line).collect()
}

/// Words in lines of at most `room` octets.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= room) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expect: &str) {
        let got =
            ReplyText::new(reply).map_or_else(|e| format!("error: {e}"), |text| text.as_str().to_owned());
        assert_eq!(got, expect);
    }

    #[test]
    fn a_short_reply_is_one_line() {
        check("550 5.7.1 [192.0.2.25] is blocked", "550 5.7.1 [192.0.2.25] is blocked");
        check("451 4.7.1  come  again ", "451 4.7.1 come again");
    }

    #[test]
    fn a_long_reply_has_its_codes_in_each_line() {
        let url = format!("https://mw.example.org/c/n1-48211/{}", "4".repeat(26));
        check(
            &format!(
                "550 5.7.1 [2001:db8::25] blocked: spam received from it. Why and how to unblock: {url} now"
            ),
            &format!(
                "550-5.7.1 [2001:db8::25] blocked: spam received from it. Why and how to unblock:\r\n\
                 550 5.7.1 {url} now"
            ),
        );
        let word = "x".repeat(200);
        check(&format!("550 5.7.1 a {word} b"), &format!("550-5.7.1 a\r\n550-5.7.1 {word}\r\n550 5.7.1 b"));
    }

    #[test]
    fn the_whole_reply_keeps_its_budget() {
        let of_words = |count: usize| format!("550 5.7.1{}", " 456789".repeat(count));
        for (count, lines, line_len_max) in [(58, 5, LINE_LEN_MAX), (62, 3, 200), (67, 1, 482)] {
            let reply = ReplyText::new(&of_words(count)).unwrap();
            assert!(reply.as_str().len() <= REPLY_LEN_MAX, "{}", reply.as_str().len());
            assert!(reply.as_str().split("\r\n").all(|line| line.len() + 2 <= line_len_max));
            assert_eq!(reply.as_str().split("\r\n").count(), lines, "of {count} words");
        }
        check(&of_words(68), "error: expected at most 480 octets of reply, but got 485");
    }

    #[test]
    fn nothing_can_end_a_line_of_ours() {
        check(
            "550 5.7.1 x\r\n250 2.0.0 y",
            r#"error: expected printable ASCII, but got "\r\n250 2.0.0 y" after 11 bytes"#,
        );
        check("550 5.7.1 x\0", r#"error: expected printable ASCII, but got "\x00" after 11 bytes"#);
        check("550 5.7.1 ü", r#"error: expected printable ASCII, but got "\xc3\xbc" after 10 bytes"#);
        for reply in ["", "550 no", "250 2.0.0 ok", "550 4.7.1 x", "550 5.7.1 "] {
            check(reply, &format!("error: expected a reply such as 550 5.7.1 text, but got \"{reply}\""));
        }
    }

    #[test]
    fn a_percent_sign_is_doubled_on_the_wire_only() {
        let text = ReplyText::new("550 5.7.1 100% %s").unwrap();
        assert_eq!((text.as_str(), text.escaped().as_str()), ("550 5.7.1 100% %s", "550 5.7.1 100%% %%s"));
    }
}
