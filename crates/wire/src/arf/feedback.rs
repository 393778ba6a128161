//! The `message/feedback-report` part of ARF (RFC 5965 §3), with the fields of RFC 6591.
//!
//! It is written like a header section. Real reports leave out fields that are required
//! (§3.1) and repeat those that must not be; what is there is taken, the first of each.

use super::claims::{address, all, first, mail_date, number};
use super::report::{Claims, FeedbackType, NotAReport};
use crate::fields::split_message;

/// Reads what the part says.
pub(super) fn read(part: &[u8]) -> Result<Claims, NotAReport> {
    let fields = split_message(part.trim_ascii_start()).fields;
    let word = first(fields, "Feedback-Type").ok_or(NotAReport::NoFeedbackType)?;
    let reporting_mta = first(fields, "Reporting-MTA");
    // `Received-Date` is the name in the drafts, and still the more usual one.
    let arrival = ["Arrival-Date", "Received-Date"].iter().find_map(|name| fields.first(name));
    Ok(Claims {
        feedback_type: Some(feedback_type(&word)),
        feedback_word: word,
        user_agent: first(fields, "User-Agent"),
        version: first(fields, "Version"),
        source_ip: fields.first("Source-IP").and_then(address),
        source_port: number(fields, "Source-Port"),
        arrival_secs: arrival.and_then(mail_date),
        incidents: number(fields, "Incidents").unwrap_or(1),
        envelope_id: first(fields, "Original-Envelope-Id"),
        mail_from: first(fields, "Original-Mail-From"),
        rcpt_to: all(fields, "Original-Rcpt-To"),
        reporting_mta: reporting_mta.map(without_type),
        authentication_results: all(fields, "Authentication-Results"),
        domains: all(fields, "Reported-Domain"),
        uris: all(fields, "Reported-URI"),
        auth_failure: first(fields, "Auth-Failure"),
        dkim_domain: first(fields, "DKIM-Domain"),
        from: None,
        reporter: None,
    })
}

fn feedback_type(word: &[u8]) -> FeedbackType {
    match word.to_ascii_lowercase().as_slice() {
        b"abuse" => FeedbackType::Abuse,
        b"fraud" => FeedbackType::Fraud,
        b"virus" => FeedbackType::Virus,
        b"other" => FeedbackType::Other,
        b"not-spam" => FeedbackType::NotSpam,
        b"auth-failure" => FeedbackType::AuthFailure,
        _ => FeedbackType::Unregistered,
    }
}

/// RFC 3464 §2.2.2: ‘mta-name-type ";" mta-name’.
fn without_type(name: Vec<u8>) -> Vec<u8> {
    match memchr::memchr(b';', &name) {
        Some(at) => name[at + 1..].trim_ascii().to_vec(),
        None => name,
    }
}
