//! Messages in full, for the operator alone: a week after they came they are erased.
//!
//! Text is made printable: a terminal obeys what a spammer writes into a subject.

use model::exhibit::{Attachment, HeaderField, Opinion};
use model::{Exhibit, Judgement};
use serde_json::{Value, json};

use crate::daemon::utc;

/// One message.
pub(super) fn told(exhibit: &Exhibit) -> Value {
    let received = HeaderField { name: b"Received".to_vec(), value: exhibit.received.clone() };
    let header = std::iter::once(&received).chain(&exhibit.fields).flat_map(lines);
    json!({
        "at": utc(exhibit.at),
        "client": exhibit.client.addr.to_string(),
        "port": exhibit.client.port,
        "sender": text(&exhibit.sender),
        "recipients": exhibit.recipients.iter().map(|to| text(&to.0)).collect::<Vec<_>>(),
        "recipients_more": exhibit.recipients_more,
        "trap": exhibit.trap,
        "size": exhibit.size,
        "body_sha256": exhibit.body_hash.map(|hash| hash.iter().map(|b| format!("{b:02x}")).collect::<String>()),
        "opinions": exhibit.opinions.iter().map(opinion).collect::<Vec<_>>(),
        "attachments": exhibit.attachments.iter().map(attachment).collect::<Vec<_>>(),
        "header": header.collect::<Vec<_>>(),
        "header_whole": exhibit.fields_whole,
    })
}

fn opinion(said: &Opinion) -> Value {
    json!({
        "source": said.source.to_string(),
        "judgement": said.judgement.map_or("unknown", word),
        "score": said.score.map(|score| f64::from(score) / 100.0),
        "tests": said.tests.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Spam => "spam",
        Judgement::Ham => "ham",
        Judgement::Virus => "virus",
        Judgement::Heuristic => "heuristic",
    }
}

fn attachment(file: &Attachment) -> Value {
    json!({
        "name": text(&file.name),
        "kind": file.kind.to_string(),
        "fault": file.fault.as_ref().map(ToString::to_string),
    })
}

/// A field's lines, folded as they were.
fn lines(field: &HeaderField) -> Vec<String> {
    let all = [&field.name[..], b":", &field.value].concat();
    all.split(|b| *b == b'\n').map(|line| text(line.strip_suffix(b"\r").unwrap_or(line))).collect()
}

/// Printable: tabs as blanks, everything else that is no ASCII escaped.
fn text(bytes: &[u8]) -> String {
    let shown = |b: &u8| match *b {
        b'\t' => " ".to_owned(),
        b' '..=b'~' => char::from(*b).to_string(),
        other => format!("\\x{other:02x}"),
    };
    bytes.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_by_a_subject() {
        let field = HeaderField { name: b"Subject".to_vec(), value: b" a\x1b[2J\r\n\tb\xff".to_vec() };
        assert_eq!(lines(&field), ["Subject: a\\x1b[2J", " b\\xff"]);
    }
}
