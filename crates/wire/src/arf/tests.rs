use std::fmt::Write as _;

use super::*;

/// What a report says, in one line a fact.
fn told(report: &Result<Report, NotAReport>) -> String {
    let Report { kind, vote, originals, claims } = match report {
        Ok(report) => report,
        Err(error) => return format!("error: {error}\n"),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let word = |word: &Option<Vec<u8>>| word.as_deref().map_or("-".into(), text);
    let vote = vote.map_or("no vote".into(), |vote| format!("{vote:?}"));
    let mut told = format!("{kind:?} {vote} {} from {}\n", text(&claims.feedback_word), word(&claims.from));
    for original in originals {
        let size = original.size.map_or("headers only".into(), |size| format!("{size} octets"));
        let found = ours(original, &["mx1.example.org"]).map_or("-".into(), |q| text(&q.queue_id));
        let _ = writeln!(told, "{} {size} {found}", word(&original.from_domain));
    }
    told
}

#[track_caller]
fn check(raw: &str, expect: &str) {
    assert_eq!(told(&parse_report(raw.as_bytes())), expect);
}

const SPAM: &str = "Received: from x (x [192.0.2.25]) by mx1.example.org (Postfix) with ESMTP id 4T9K; Sat, 21 Nov \
                    2026 21:39:34 +0000\r\nFrom: <spam@example.net>\r\nSubject: Buy\r\n\r\nnow";

fn mail(content_type: &str, parts: &[(&str, &str)]) -> String {
    let mut raw = format!(
        "Received: from home ([198.51.100.7]) by mx1.example.org with ESMTPA id REPORT\r\nFrom: Some One \
         <user@example.org>\r\nContent-Type: {content_type}; boundary=\"=_b\"\r\n\r\n"
    );
    for (content_type, body) in parts {
        let _ = write!(raw, "--=_b\r\nContent-Type: {content_type}\r\n\r\n{body}\r\n");
    }
    raw + "--=_b--\r\n"
}

fn arf(feedback: &str) -> String {
    mail(
        "multipart/report; report-type=feedback-report",
        &[("text/plain", "Hello"), ("message/feedback-report", feedback), ("message/rfc822", SPAM)],
    )
}

#[test]
fn arf_names_its_type_and_carries_the_message() {
    check(
        &arf("Feedback-Type: abuse\r\nUser-Agent: X/1\r\nVersion: 1"),
        "Arf Junk abuse from user@example.org\nexample.net 161 octets 4T9K\n",
    );
}

#[test]
fn each_type_of_arf_has_its_vote() {
    for (word, vote) in [
        ("abuse", "Junk"),
        ("Fraud", "Junk"),
        ("VIRUS", "Junk"),
        ("other", "Junk"),
        ("not-spam", "NotJunk"),
        ("auth-failure", "no vote"),
        ("opt-out", "no vote"),
    ] {
        let told = told(&parse_report(arf(&format!("Feedback-Type: {word}")).as_bytes()));
        assert_eq!(told.lines().next(), Some(format!("Arf {vote} {word} from user@example.org").as_str()));
    }
}

#[test]
fn arf_may_carry_headers_only() {
    let headers = ("text/rfc822-headers", SPAM.split("\r\n\r\n").next().unwrap());
    let parts = [("message/feedback-report", "Feedback-Type: abuse"), headers];
    check(
        &mail("multipart/report; report-type=feedback-report", &parts),
        "Arf Junk abuse from user@example.org\nexample.net headers only 4T9K\n",
    );
}

#[test]
fn arf_without_its_heart_is_none() {
    check(&arf("User-Agent: X/1"), "error: expected a Feedback-Type, but the report has none\n");
    check(
        &mail("multipart/report; report-type=feedback-report", &[("message/rfc822", SPAM)]),
        "error: expected a message/feedback-report, but the report has none\n",
    );
}

#[test]
fn claims_are_read_and_cut() {
    let long = "x".repeat(2000);
    let many = "Original-Rcpt-To: <a@example.org>\r\n".repeat(40);
    let raw = arf(&format!(
        "Feedback-Type: abuse\r\nUser-Agent: {long}\r\nSource-IP: [IPv6:2001:db8::25]\r\nSource-Port: \
         41822\r\nIncidents: 17\r\nReceived-Date: Sat, 21 Nov 2026 21:39:34 +0000\r\nReporting-MTA: dns; \
         mx.example.com\r\n{many}"
    ));
    let claims = parse_report(raw.as_bytes()).unwrap().claims;
    assert_eq!(claims.user_agent.map(|agent| agent.len()), Some(TEXT_LEN_MAX));
    assert_eq!(claims.source_ip, "2001:db8::25".parse().ok());
    assert_eq!((claims.source_port, claims.incidents), (Some(41822), 17));
    assert_eq!(claims.arrival_secs, Some(1_795_297_174));
    assert_eq!(claims.reporting_mta.as_deref(), Some(&b"mx.example.com"[..]));
    assert_eq!(claims.rcpt_to.len(), LIST_MAX);
}

#[test]
fn a_message_forwarded_as_an_attachment_is_a_report() {
    let expect = "Forward Junk  from user@example.org\nexample.net 161 octets 4T9K\n";
    check(&mail("multipart/mixed", &[("text/plain", "Spam!"), ("message/rfc822", SPAM)]), expect);
    check(&mail("multipart/mixed", &[("application/octet-stream; name=\"Buy.EML\"", SPAM)]), expect);
}

#[test]
fn an_attachment_in_base64_is_read() {
    let part = "application/octet-stream; name=a.eml\r\nContent-Transfer-Encoding: base64";
    let encoded = "RnJvbTogPHNwYW1AZXhhbXBsZS5uZXQ+DQoNCm5vdw==";
    check(
        &mail("multipart/mixed", &[(part, encoded)]),
        "Forward Junk  from user@example.org\nexample.net 31 octets -\n",
    );
}

#[test]
fn several_attached_messages_are_several_up_to_a_limit() {
    let parts = vec![("message/rfc822", SPAM); 40];
    let report = parse_report(mail("multipart/mixed", &parts).as_bytes()).unwrap();
    assert_eq!(report.originals.len(), ORIGINALS_MAX);
}

#[test]
fn a_message_without_a_message_is_none() {
    let none = "error: expected the reported message as an attachment, but got none\n";
    check(&mail("multipart/mixed", &[("text/plain", SPAM)]), none);
    check(SPAM, none);
    check("", "error: expected a message, but got one without a header field\n");
}

const BOUNCE: &str = "multipart/report; report-type=Delivery-Status";

#[test]
fn a_bounce_is_no_report_and_nor_is_a_forwarded_one() {
    let bounce = mail(BOUNCE, &[("message/delivery-status", "Status: 5.1.1"), ("message/rfc822", SPAM)]);
    let none = "error: expected a report, but got a delivery status notification\n";
    check(&bounce, none);
    check(&mail("multipart/mixed", &[("message/rfc822", &bounce.replace("=_b", "=_c"))]), none);
    assert_eq!(told(&parse_bare(bounce.as_bytes(), Vote::Junk)), none);
}

#[test]
fn a_bare_message_is_the_report_whatever_is_in_it() {
    assert_eq!(
        told(&parse_bare(SPAM.as_bytes(), Vote::NotJunk)),
        "Bare NotJunk  from -\nexample.net 161 octets 4T9K\n"
    );
    // A spammer attaches somebody else's message, with a queue id of ours.
    let trick = mail("multipart/mixed", &[("message/rfc822", SPAM)]);
    let told = told(&parse_bare(trick.as_bytes(), Vote::Junk));
    assert!(told.ends_with(" octets REPORT\n"), "{told}");
}

#[test]
fn a_report_beyond_the_limit_is_not_looked_at() {
    let raw = vec![b'x'; RAW_LEN_MAX + 1];
    assert_eq!(parse_report(&raw), Err(NotAReport::TooLong { len: raw.len() }));
    assert_eq!(parse_bare(&raw, Vote::Junk), Err(NotAReport::TooLong { len: raw.len() }));
}

/// Base64 of `From: <spam@example.net>`, an empty line and `now`.
const SAMPLE: &str = "RnJvbTogPHNwYW1AZXhhbXBsZS5uZXQ+DQoNCm5vdw==";

fn xarf4(with: &str) -> String {
    let party = r#"{"org": "Desk", "contact": "desk@example.com", "domain": "example.com"}"#;
    format!(
        r#"{{"xarf_version": "4.2.0", "report_id": "550e8400-e29b-41d4-a716-446655440000", "timestamp":
        "2026-11-21T21:39:34Z", "reporter": {party}, "sender": {party}, "source_identifier": "192.0.2.25", "category":
        "messaging", "type": "spam", {with}, "evidence": [{{"content_type": "message/rfc822", "payload": "{SAMPLE}"}}]}}"#
    )
}

const SMTP: &str = r#""protocol": "smtp", "smtp_from": "spam@example.net", "source_port": 41822"#;

#[test]
fn xarf_4_is_read_wherever_it_is_attached() {
    let json = xarf4(SMTP);
    let expect = "Xarf Junk messaging/spam from user@example.org\nexample.net 31 octets -\n";
    check(&mail("multipart/mixed", &[("application/json; name=xarf.json", &json)]), expect);
    let parts = [("message/feedback-report", "Feedback-Type: xarf"), ("application/json", &json)];
    check(&mail("multipart/report; report-type=feedback-report", &parts), expect);
    let read = parse_xarf(json.as_bytes()).unwrap();
    assert_eq!((read.source_ip, read.source_port), ("192.0.2.25".parse().ok(), Some(41822)));
    assert_eq!((read.at_secs, read.reporter.as_slice()), (Some(1_795_297_174), &b"example.com"[..]));
    assert_eq!(read.mail_from.as_deref(), Some(&b"spam@example.net"[..]));
}

#[track_caller]
fn check_xarf(json: &str, expect: &str) {
    let got = parse_xarf(json.as_bytes()).map_or_else(|error| error.to_string(), |xarf| xarf.kind);
    assert_eq!(got, expect);
}

#[test]
fn xarf_4_is_held_to_its_schema() {
    let json = xarf4(SMTP);
    check_xarf(&json, "messaging/spam");
    check_xarf(&json.replace("4.2.0", "5.0.0"), "expected version 3 or 4, but got another");
    check_xarf(&json.replace("\"sender\"", "\"x\""), "expected sender, but it is not there");
    check_xarf(
        &json.replace("41822", "70000"),
        "expected a port number in source_port, but got something else",
    );
    check_xarf(&xarf4(r#""protocol": "smtp""#), "expected smtp_from, but it is not there");
    check_xarf(&xarf4(r#""protocol": "sms""#), "messaging/spam");
    check_xarf(
        &json.replace("messaging\"", "nothing\""),
        "expected one of the words of the schema in category, but got something else",
    );
}

#[test]
fn xarf_of_something_else_is_no_report_of_mail() {
    let json = xarf4(SMTP).replace("messaging\"", "connection\"").replace("\"spam\"", "\"ddos\"");
    check(
        &mail("multipart/mixed", &[("application/json", &json)]),
        "error: expected a report of mail, but got one of connection/ddos\n",
    );
}

#[test]
fn json_that_is_no_report_is_left_alone() {
    check(
        &mail("multipart/mixed", &[("application/json", "{\"a\": 1}"), ("message/rfc822", SPAM)]),
        "Forward Junk  from user@example.org\nexample.net 161 octets 4T9K\n",
    );
}

#[test]
fn json_is_bounded() {
    assert_eq!(parse_xarf(&vec![b' '; XARF_LEN_MAX + 1]), Err(XarfError::TooLong { len: XARF_LEN_MAX + 1 }));
    let many = format!("{{\"xarf_version\":[{}1]}}", "1,".repeat(XARF_VALUES_MAX));
    check_xarf(&many, "expected at most 65536 values, but got more");
    let deep = format!("{{\"xarf_version\":{}", "[".repeat(60_000));
    check_xarf(&deep, "expected a JSON object, but got something else");
}

fn plain(lines: &str) -> String {
    let parts =
        [("text/plain", "Hello"), ("text/plain; name=\"report.txt\"", lines), ("message/rfc822", SPAM)];
    mail("multipart/mixed", &parts).replacen("From: Some", "X-XARF: PLAIN\r\nFrom: Some", 1)
}

#[test]
fn the_line_form_of_xarf_is_read() {
    check(
        &plain(
            "---\r\nReported-From: desk@example.com\r\nCategory: abuse\r\nReport-Type: spam\r\nReport-ID: \
             1@example.com\r\nDate: Sat, 21 Nov 2026 21:39:34 +0000\r\nSource: \"192.0.2.25\"",
        ),
        "XarfPlain Junk abuse/spam from user@example.org\nexample.net 161 octets 4T9K\n",
    );
    check(
        &plain("Category: abuse\r\nReport-Type: login-attack\r\n"),
        "error: expected a report of mail, but got one of login-attack\n",
    );
}
