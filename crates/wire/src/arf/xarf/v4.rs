//! XARF 4.

use mail_parser::decoders::base64::base64_decode;
use serde_json::{Map, Value};

use super::check::Rule::{Date, Email, Host, OneOf, Port, Text};
use super::check::{Rule, hold, line, object, objects, port, require, text};
use super::{Xarf, XarfError, XarfVersion};
use crate::arf::claims::json_date;

const CATEGORIES: [&str; 7] =
    ["messaging", "content", "copyright", "connection", "vulnerability", "infrastructure", "reputation"];

const REQUIRED: [&str; 8] =
    ["xarf_version", "report_id", "timestamp", "reporter", "sender", "source_identifier", "category", "type"];

const CORE: [(&str, Rule); 11] = [
    ("report_id", Text),
    ("timestamp", Date),
    ("source_identifier", Text),
    ("source_port", Port),
    ("category", OneOf(&CATEGORIES)),
    ("type", Text),
    ("evidence_source", Text),
    ("protocol", Text),
    ("smtp_from", Email),
    ("smtp_to", Email),
    ("description", Text),
];

const CONTACT: [(&str, Rule); 3] = [("org", Text), ("contact", Email), ("domain", Host)];

const EVIDENCE: [(&str, Rule); 3] = [("content_type", Text), ("description", Text), ("payload", Text)];

/// The most pieces of evidence that the schema allows.
const EVIDENCE_MAX: usize = 50;

pub(super) fn read(document: &Map<String, Value>) -> Result<Xarf, XarfError> {
    if !text(document, "xarf_version").is_some_and(is_version) {
        return Err(XarfError::Version);
    }
    require(document, &REQUIRED)?;
    hold(document, &CORE)?;
    for contact in ["reporter", "sender"] {
        let contact = object(document, contact)?;
        require(contact, &["org", "contact", "domain"])?;
        hold(contact, &CONTACT)?;
    }
    let category = text(document, "category").unwrap_or_default();
    let kind = text(document, "type").unwrap_or_default();
    if category == "messaging" {
        of_mail(document)?;
    }
    Ok(Xarf {
        version: XarfVersion::V4,
        kind: format!("{category}/{}", &kind[..kind.floor_char_boundary(64)]),
        report_id: line(document, "report_id"),
        reporter: line(object(document, "reporter")?, "domain").unwrap_or_default(),
        source_ip: text(document, "source_identifier").and_then(|ip| ip.parse().ok()),
        source_port: document.get("source_port").and_then(port),
        at_secs: text(document, "timestamp").and_then(json_date),
        mail_from: line(document, "smtp_from"),
        rcpt_to: line(document, "smtp_to"),
        sample: sample(document)?,
    })
}

/// `4.x.y`.
fn is_version(version: &str) -> bool {
    let mut numbers = version.split('.');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.next() == Some("4") && numbers.clone().count() == 2 && numbers.all(is_number)
}

/// What the kinds of the category `messaging` require besides.
fn of_mail(document: &Map<String, Value>) -> Result<(), XarfError> {
    require(document, &["protocol"])?;
    if text(document, "protocol") == Some("smtp") {
        require(document, &["smtp_from", "source_port"])?;
    }
    Ok(())
}

/// The first piece of evidence that is a message; all are checked.
fn sample(document: &Map<String, Value>) -> Result<Option<Vec<u8>>, XarfError> {
    let evidence = objects(document, "evidence")?;
    if evidence.len() > EVIDENCE_MAX {
        return Err(XarfError::Bad { field: "evidence", expected: "at most 50 pieces" });
    }
    let mut message = None;
    for piece in evidence {
        require(piece, &["content_type", "payload"])?;
        hold(piece, &EVIDENCE)?;
        if message.is_none() && text(piece, "content_type").is_some_and(super::is_message) {
            message = base64_decode(text(piece, "payload").unwrap_or_default().as_bytes());
        }
    }
    Ok(message)
}
