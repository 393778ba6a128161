//! Mail that must not be answered by a machine (RFC 3834).
//!
//! Answering it makes loops, or sends bounces to people who never wrote: what we refuse
//! others for (backscatter). This module says why a message gets no answer; whether one is
//! due at all, to whom and how often is the caller's affair.

use crate::fields::{Fields, unfolded};

/// The most octets of a value that are compared with the words below.
const WORD_LEN_MAX: usize = 256;

/// Why a message gets no automatic answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoAnswer {
    /// Its envelope sender is null: nobody wants to hear (RFC 5321 §4.5.5).
    NullSender,
    /// Its envelope sender is a machine: `mailer-daemon`, `owner-…`, `…-request`, ….
    SystemSender,
    /// It says that a machine wrote it: `Auto-Submitted`, or a mark older than that.
    AutoSubmitted,
    /// It came through a mailing list, or went to many.
    List,
    /// It is a report on other mail (RFC 6522).
    Report,
}

/// Why the message with this envelope sender and these fields gets no automatic answer;
/// `None` if it may get one.
pub fn no_answer(sender: &[u8], fields: Fields<'_>) -> Option<NoAnswer> {
    // RFC 3834 §2: ‘a responder MUST NOT generate any response for which the destination of
    // that response would be a null address’.
    if sender.is_empty() || sender == b"<>" {
        return Some(NoAnswer::NullSender);
    }
    if is_system(sender) {
        return Some(NoAnswer::SystemSender);
    }
    if says_automatic(fields) {
        return Some(NoAnswer::AutoSubmitted);
    }
    if is_list(fields) {
        return Some(NoAnswer::List);
    }
    starts(fields, "Content-Type", "multipart/report").then_some(NoAnswer::Report)
}

/// §2: addresses of machines, to which no response should go.
fn is_system(sender: &[u8]) -> bool {
    let local = sender.split(|byte| *byte == b'@').next().unwrap_or_default().to_ascii_lowercase();
    let whole: [&[u8]; 6] =
        [b"mailer-daemon", b"mailerdaemon", b"listserv", b"majordomo", b"noreply", b"no-reply"];
    whole.contains(&local.as_slice())
        || local.starts_with(b"owner-")
        || local.ends_with(b"-request")
        || local.ends_with(b"-bounces")
        || local.starts_with(b"bounce-")
}

/// §5: any `Auto-Submitted` but `no`; and what programs wrote before there was one.
fn says_automatic(fields: Fields<'_>) -> bool {
    // ‘no’ may be followed by parameters or a comment.
    let is_no = |text: &str| text.split([' ', ';', '(']).next() == Some("no");
    let submitted = fields.all("Auto-Submitted").any(|value| !is_no(&word(value)));
    let marks = ["X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "X-Loop"];
    submitted || marks.iter().any(|name| fields.first(name).is_some())
}

/// §2: no response to mail of lists (RFC 2369, RFC 2919), nor to `Precedence: bulk`.
fn is_list(fields: Fields<'_>) -> bool {
    let marks = ["List-Id", "List-Post", "List-Unsubscribe", "List-Help", "Mailing-List"];
    let precedence = fields.first("Precedence").map(word).unwrap_or_default();
    marks.iter().any(|name| fields.first(name).is_some())
        || ["bulk", "list", "junk", "auto_reply"].contains(&precedence.as_str())
}

fn starts(fields: Fields<'_>, name: &str, with: &str) -> bool {
    fields.first(name).is_some_and(|value| word(value).starts_with(with))
}

/// A value in lower case without folding.
fn word(value: &[u8]) -> String {
    String::from_utf8_lossy(&unfolded(value, WORD_LEN_MAX)).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::split_message;

    #[track_caller]
    fn check(sender: &str, fields: &str, expect: Option<NoAnswer>) {
        let raw = format!("From: x\r\n{fields}\r\n\r\n");
        assert_eq!(no_answer(sender.as_bytes(), split_message(raw.as_bytes()).fields), expect);
    }

    const PERSON: &str = "user@example.net";

    #[test]
    fn a_person_may_be_answered() {
        check(PERSON, "Subject: help", None);
        check(PERSON, "Auto-Submitted: no", None);
        check(PERSON, "Auto-Submitted: No (really)", None);
        check(PERSON, "Precedence: first-class", None);
        check("request@example.net", "Subject: x", None);
    }

    #[test]
    fn nobody_is_not_answered() {
        check("", "Subject: x", Some(NoAnswer::NullSender));
        check("<>", "Subject: x", Some(NoAnswer::NullSender));
        for sender in ["MAILER-DAEMON@example.net", "owner-list@example.net", "list-request@example.net"] {
            check(sender, "Subject: x", Some(NoAnswer::SystemSender));
        }
    }

    #[test]
    fn a_machine_is_not_answered() {
        for field in [
            "Auto-Submitted: auto-replied",
            "auto-submitted:\r\n auto-generated; owner-email=a@example.net",
            "Auto-Submitted: no\r\nAuto-Submitted: auto-notified",
            "Auto-Submitted:",
            "Auto-Submitted: notify",
            "X-Autoreply: yes",
        ] {
            check(PERSON, field, Some(NoAnswer::AutoSubmitted));
        }
    }

    #[test]
    fn a_list_is_not_answered() {
        for field in ["List-Id: <a.example.net>", "Precedence: Bulk", "precedence: list"] {
            check(PERSON, field, Some(NoAnswer::List));
        }
    }

    #[test]
    fn a_report_on_mail_is_not_answered() {
        check(PERSON, "Content-Type: Multipart/Report; report-type=delivery-status", Some(NoAnswer::Report));
    }
}
