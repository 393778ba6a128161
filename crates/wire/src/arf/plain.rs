//! X-ARF 0.1 and 0.2: lines `Key: value` in a text part called `report.txt`.
//!
//! They are YAML on paper. Every program in the field writes plain lines, which read like
//! header fields, and that is all that is read here.

use super::claims::{address, first, mail_date, text};
use super::entity::Entity;
use super::report::{Claims, FeedbackType, NotAReport};
use crate::fields::{Fields, split_message};

/// Whether a message says that it is one.
pub(super) fn is_announced(fields: Fields<'_>) -> bool {
    fields.first("X-XARF").or_else(|| fields.first("X-ARF")).is_some()
}

/// The part that holds the lines: the one that is called so, or the second, as 0.1 has it.
pub(super) fn part<'l, 'a>(leaves: &'l [Entity<'a>]) -> Option<&'l Entity<'a>> {
    let called = |leaf: &&Entity<'_>| leaf.file_name().as_deref() == Some("report.txt");
    leaves.iter().find(called).or_else(|| leaves.get(1).filter(|leaf| leaf.is("text", "plain")))
}

/// Reads what the lines say.
pub(super) fn read(part: &[u8]) -> Result<Claims, NotAReport> {
    let text_of_yaml = part.trim_ascii_start();
    let body = text_of_yaml.strip_prefix(b"---").unwrap_or(text_of_yaml).trim_ascii_start();
    let fields = split_message(body).fields;
    let category = word(fields, "Category").ok_or(NotAReport::NoFeedbackType)?;
    let kind = word(fields, "Report-Type").unwrap_or_default();
    let feedback_type = of_mail(&category.to_ascii_lowercase(), &kind.to_ascii_lowercase())
        .ok_or_else(|| NotAReport::not_mail(&String::from_utf8_lossy(&kind)))?;
    Ok(Claims {
        reporter: word(fields, "Reported-From"),
        feedback_type: Some(feedback_type),
        feedback_word: [category, kind].join(&b'/'),
        user_agent: word(fields, "User-Agent"),
        version: word(fields, "Version"),
        source_ip: word(fields, "Source").as_deref().and_then(address),
        arrival_secs: word(fields, "Date").as_deref().and_then(date),
        incidents: 1,
        envelope_id: word(fields, "Report-ID"),
        ..Claims::default()
    })
}

/// A value without the quotes that YAML allows around it.
fn word(fields: Fields<'_>, name: &str) -> Option<Vec<u8>> {
    let value = first(fields, name)?;
    text(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(&value))
}

fn date(value: &[u8]) -> Option<u64> {
    mail_date(value).or_else(|| super::claims::json_date(str::from_utf8(value).ok()?))
}

/// What the report is about, if that is mail; attacks on logins and copyright are not.
fn of_mail(category: &[u8], kind: &[u8]) -> Option<FeedbackType> {
    match (category, kind) {
        (b"fraud", b"" | b"phishing") => Some(FeedbackType::Fraud),
        (b"abuse", b"virus" | b"malware" | b"malware-attack") => Some(FeedbackType::Virus),
        (b"abuse", b"" | b"spam" | b"mail" | b"e-mail" | b"spamvertized" | b"unsolicited-email") => {
            Some(FeedbackType::Abuse)
        }
        _ => None,
    }
}
