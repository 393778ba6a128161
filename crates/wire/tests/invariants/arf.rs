//! What must hold for any bytes that are handed in as a report.

use wire::arf::{
    Claims, HEADERS_LEN_MAX, HOPS_MAX, Kind, LIST_MAX, NotAReport, ORIGINALS_MAX, Original, Report,
    TEXT_LEN_MAX, Vote, ours, parse_bare, parse_report,
};
use wire::automatic::no_answer;
use wire::fields::{FIELDS_LEN_MAX, split_message, unfolded};
use wire::received::Received;

/// What became of the bytes as mail to the report address.
pub(crate) type Outcome = Result<Kind, NotAReport>;

/// Reads `input` in every way that there is, and panics where something does not hold.
pub(crate) fn check(input: &[u8]) -> Outcome {
    check_fields(input);
    let report = parse_report(input);
    assert_eq!(report, parse_report(input), "one input, two reports");
    if let Ok(bare) = parse_bare(input, Vote::Junk) {
        assert_eq!((bare.kind, bare.originals.len()), (Kind::Bare, 1));
        check_report(&bare);
    }
    let report = report?;
    assert_ne!(report.kind, Kind::Bare, "mail to us is never itself the spam");
    check_report(&report);
    Ok(report.kind)
}

/// Fields and body are what was handed in, and fields that are split again are the same.
fn check_fields(input: &[u8]) {
    let message = split_message(input);
    assert!(input.ends_with(message.body));
    let bytes = message.fields.as_bytes();
    assert!(bytes.len() <= FIELDS_LEN_MAX && bytes.len() + message.body.len() <= input.len());
    let again = split_message(bytes);
    assert!(message.fields.iter().eq(again.fields.iter()) && again.fields_whole);
    for field in message.fields.iter() {
        assert!(!field.name.is_empty() && field.name.iter().all(u8::is_ascii_graphic));
        let line = unfolded(field.value, 100);
        assert!(line.len() <= 100 && !line.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
        let _ = Received::parse(field.value);
    }
    let _ = no_answer(b"user@example.net", message.fields);
}

fn check_report(report: &Report) {
    let Report { kind, originals, claims, .. } = report;
    let most = if *kind == Kind::Forward { ORIGINALS_MAX } else { 1 };
    assert!(originals.len() <= most);
    originals.iter().for_each(check_original);
    check_claims(claims);
    if *kind == Kind::Forward {
        assert!(!originals.is_empty() && originals.iter().all(|original| !original.is_bounce));
    }
}

fn check_original(original: &Original) {
    assert!(original.headers.len() <= HEADERS_LEN_MAX && original.hops.len() <= HOPS_MAX);
    for text in [&original.message_id, &original.from_domain].into_iter().flatten() {
        check_text(text);
    }
    for hop in &original.hops {
        hop.by.iter().chain(&hop.id).for_each(|text| check_text(text));
    }
    let Some(found) = ours(original, &["mx1.example.org"]) else { return };
    assert_eq!(found.mx, b"mx1.example.org");
    assert!(original.hops.iter().any(|hop| hop.id.as_ref() == Some(&found.queue_id)));
}

/// One line, neither empty nor long.
fn check_text(text: &[u8]) {
    assert!(!text.is_empty() && text.len() <= TEXT_LEN_MAX, "{} octets", text.len());
    assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n')), "{}", text.escape_ascii());
}

fn check_claims(claims: &Claims) {
    let singles = [
        &claims.from,
        &claims.user_agent,
        &claims.version,
        &claims.envelope_id,
        &claims.mail_from,
        &claims.auth_failure,
        &claims.dkim_domain,
    ];
    let lists = [&claims.rcpt_to, &claims.authentication_results, &claims.domains, &claims.uris];
    assert!(lists.iter().all(|list| list.len() <= LIST_MAX));
    let listed = lists.into_iter().flatten();
    singles.into_iter().flatten().chain(listed).for_each(|text| check_text(text));
}
