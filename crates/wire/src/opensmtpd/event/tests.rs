//! Lines of smtpd 6.8 (0.6) and 7 (0.7), and bad ones.

use super::*;

/// The event in short, or the error.
fn told(line: &[u8]) -> String {
    let text = |bytes: &[u8]| quoted(bytes);
    match parse(line) {
        Err(error) => format!("error: {error}"),
        Ok(Event::Connect { session, client, name }) => {
            let client = client.map_or("local".to_owned(), |client| client.to_string());
            let name = match name {
                HostName::Confirmed(name) => format!("confirmed {}", text(name)),
                HostName::Mismatch(name) => format!("mismatch {}", text(name)),
                HostName::Missing => "missing".to_owned(),
                HostName::Unknown => "unknown".to_owned(),
            };
            format!("{session:x} connect {client} {name}")
        }
        Ok(Event::Identify { session, helo }) => format!("{session:x} helo {}", text(helo)),
        Ok(Event::Auth { session, user }) => format!("{session:x} auth {}", text(user)),
        Ok(Event::Begin { session, message }) => format!("{session:x} begin {}", text(message)),
        Ok(Event::Mail { session, sender }) => format!("{session:x} mail <{}>", text(sender)),
        Ok(Event::AskRcpt { query, recipient }) => format!("{:x} rcpt? {}", query.session, text(recipient)),
        Ok(Event::Ask { query }) => format!("{:x} ?", query.session),
        Ok(other) => format!("{other:?}"),
    }
}

#[track_caller]
fn check(line: impl AsRef<[u8]>, expect: &str) {
    assert_eq!(told(line.as_ref()), expect, "{}", line.as_ref().escape_ascii());
}

#[track_caller]
fn check_report(version: &str, rest: &str, expect: &str) {
    check(format!("report|{version}|1576146008.006099|smtp-in|{rest}"), expect);
}

#[test]
fn the_configuration_ends_with_ready() {
    check("config|smtpd-version|6.8.0p2", "Other");
    check("config|ready", "Ready");
    check("config|readyx", "Other");
}

#[test]
fn connections_tell_address_port_and_name() {
    let connect = |rest: &str, expect: &str| {
        check_report("0.6", &format!("link-connect|7641df9771b4ed00|{rest}|192.0.2.1:25"), expect);
    };
    connect(
        "mx.example.net|pass|192.0.2.25:33174",
        "7641df9771b4ed00 connect 192.0.2.25:33174 confirmed mx.example.net",
    );
    connect(
        "mx.example.net|fail|192.0.2.25:1",
        "7641df9771b4ed00 connect 192.0.2.25:1 mismatch mx.example.net",
    );
    connect("<unknown>|fail|192.0.2.25:1", "7641df9771b4ed00 connect 192.0.2.25:1 missing");
    connect("192.0.2.25|fail|192.0.2.25:1", "7641df9771b4ed00 connect 192.0.2.25:1 missing");
    connect("|fail|192.0.2.25:1", "7641df9771b4ed00 connect 192.0.2.25:1 missing");
    connect("<unknown>|error|192.0.2.25:1", "7641df9771b4ed00 connect 192.0.2.25:1 unknown");
    connect("a|b|pass|[2001:db8::25]:9", "7641df9771b4ed00 connect [2001:db8::25]:9 confirmed a|b");
    connect("x|error|[IPv6:2001:db8::25]:9", "7641df9771b4ed00 connect [2001:db8::25]:9 unknown");
    connect("x|error|[::ffff:192.0.2.25]:9", "7641df9771b4ed00 connect 192.0.2.25:9 unknown");
    connect("x|error|192.0.2.25:65536", "7641df9771b4ed00 connect local unknown");
    check_report(
        "0.7",
        "link-connect|1|localhost|pass|unix:/run/smtpd.sock|unix:/run/smtpd.sock",
        "1 connect local confirmed localhost",
    );
}

#[test]
fn sessions_tell_who_greets_and_logs_in() {
    check_report("0.6", "link-identify|ab|EHLO|mx.example.net", "ab helo mx.example.net");
    check_report("0.6", "link-identify|ab|HELO|a|b", "ab helo a|b");
    check_report("0.6", "link-tls|ab|TLSv1.3:x", "Tls { session: 171 }");
    check_report("0.6", "link-disconnect|ab", "Disconnect { session: 171 }");
    check_report("0.6", "link-auth|ab|alice|pass", "ab auth alice");
    check_report("0.7", "link-auth|ab|pass|alice", "ab auth alice");
    check_report("0.7", "link-auth|ab|pass|a|b", "ab auth a|b");
    check_report("0.7", "link-auth|ab|fail|alice", "Other");
    check_report("0.6", "link-auth|ab|pass|fail", "Other");
}

#[test]
fn messages_tell_number_sender_and_end() {
    check_report("0.6", "tx-begin|ab|8f2e3c1d", "ab begin 8f2e3c1d");
    check_report("0.5", "tx-mail|ab|8f2e3c1d|a@example.net|ok", "ab mail <a@example.net>");
    check_report("0.5", "tx-mail|ab|8f2e3c1d||ok", "ab mail <>");
    check_report("0.5", "tx-mail|ab|8f2e3c1d|\"a|b\"@example.net|ok", "ab mail <\\\"a|b\\\"@example.net>");
    check_report("0.6", "tx-mail|ab|8f2e3c1d|ok|a@example.net", "ab mail <a@example.net>");
    check_report("0.6", "tx-mail|ab|8f2e3c1d|ok|", "ab mail <>");
    check_report("0.10", "tx-mail|ab|8f2e3c1d|ok|a@example.net", "ab mail <a@example.net>");
    check_report("0.7", "tx-mail|ab|8f2e3c1d|permfail|a@example.net", "Other");
    check_report("0.6", "tx-rcpt|ab|8f2e3c1d|ok|bob@example.org", "Rcpt { session: 171 }");
    check_report("0.5", "tx-rcpt|ab|8f2e3c1d|bob@example.org|ok", "Rcpt { session: 171 }");
    check_report("0.6", "tx-rcpt|ab|8f2e3c1d|permfail|nobody@example.org", "Other");
    check_report("0.6", "tx-commit|ab|8f2e3c1d|1234", "Commit { session: 171, size: 1234 }");
    check_report("0.6", "tx-rollback|ab|8f2e3c1d", "Rollback { session: 171 }");
    check_report("0.6", "tx-reset|ab|8f2e3c1d", "Rollback { session: 171 }");
}

#[test]
fn what_is_not_ours_is_passed_over() {
    check("report|0.6|1.0|smtp-out|tx-begin|ab|8f2e3c1d", "Other");
    check("report|0.7|1.0|stats|snapshot-begin", "Other");
    check_report("0.6", "link-greeting|ab|mx.example.org", "Other");
    check_report("0.7", "something-new|ab", "Other");
}

#[test]
fn questions_name_session_and_recipient() {
    check("filter|0.6|1.0|smtp-in|rcpt-to|ab|1f|bob@example.org", "ab rcpt? bob@example.org");
    check("filter|0.6|1.0|smtp-in|rcpt-to|ab|1f|\"a|b\"@example.org", "ab rcpt? \\\"a|b\\\"@example.org");
    check("filter|0.6|1.0|smtp-in|rcpt-to|ab|1f", "ab rcpt? ");
    check("filter|0.6|1.0|smtp-in|commit|ab|1f|", "ab ?");
}

#[test]
fn bad_lines_are_told_and_not_answered() {
    check("", "error: expected config, report or filter, but got \"\"");
    check("stop|now", "error: expected config, report or filter, but got \"stop\"");
    check("filter|0.6", "error: expected a time, but got the end of the line");
    check("filter|six|", "error: expected a version, but got \"six\"");
    check("filter|+0.6|1|smtp-in|rcpt-to|ab|1f|x", "error: expected a version, but got \"+0.6\"");
    check("filter|0.6|1|smtp-in|rcpt-to|xy|1f|x", "error: expected a session, but got \"xy\"");
    check("filter|0.6|1|smtp-in|rcpt-to|ab|+1|x", "error: expected a token, but got \"+1\"");
    check("filter|0.6|1|smtp-in|rcpt-to|ab||x", "error: expected a token, but got \"\"");
    let long = format!("filter|0.6|1|smtp-in|rcpt-to|{}|1|x", "1".repeat(17));
    check(long, "error: expected a session, but got \"11111111111111111\"");
    check("report|0.6|1|smtp-in|tx-commit|ab|8f|-1", "error: expected a size, but got \"-1\"");
    check(b"report|0.6|1|smtp-in|tx-begin|\xff", "error: expected a session, but got \"\\xff\"");
}
