//! What kind of mail a message looks like: one mark a test.

use judges::inspect::{Rules, inspect};
use model::Letter;
use model::Name;
use model::content::Shape;

use letters::letter;

#[path = "inspect/mod.rs"]
mod letters;

const ALL: [(&str, Shape); 10] = [
    ("null", Shape::NULL_SENDER),
    ("automatic", Shape::AUTOMATIC),
    ("bounce", Shape::BOUNCE),
    ("list", Shape::LIST),
    ("bulk", Shape::BULK),
    ("confirmation", Shape::CONFIRMATION),
    ("was here", Shape::WAS_HERE),
    ("lure", Shape::LURE),
    ("rewritten", Shape::REWRITTEN),
    ("abuse desk", Shape::TO_ABUSE_DESK),
];

fn rules() -> Rules {
    Rules {
        our_names: vec![Name::new(b"mx1.example.net"), Name::new(b"mx2.example.net")],
        report_addresses: vec![b"report@example.net".to_vec()],
        ..Rules::default()
    }
}

fn marks(letter: &Letter) -> String {
    let shape = inspect(letter, &rules()).shape;
    ALL.iter().filter(|(_, mark)| shape.any(*mark)).map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(raw: &str, expect: &str) {
    assert_eq!(marks(&letter(raw.as_bytes())), expect, "{raw}");
}

#[test]
fn an_ordinary_message_has_no_mark() {
    check("Subject: lunch\nFrom: bob@example.org\n\nAt noon?", "");
}

#[test]
fn the_null_sender_is_marked() {
    check("Return-Path: <>\nSubject: lunch\n\nAt noon?", "null");
}

#[test]
fn automatic_answers_are_marked() {
    for field in [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated (rejected)",
        "auto-submitted:AUTO-NOTIFIED",
        "X-Autoreply: yes",
        "X-FC-MachineGenerated: true",
        "Precedence: auto_reply",
        "Subject: Out of Office: lunch",
        "Subject: Automatic reply: lunch",
        "Subject: =?utf-8?B?QWJ3ZXNlbmhlaXRzbm90aXo6?= lunch",
    ] {
        check(&format!("{field}\n\nI am away."), "automatic");
    }
    for field in ["Auto-Submitted: no", "Auto-Submitted:", "Subject: We met out of office hours, remember?"] {
        check(&format!("{field}\n\nI am away."), "");
    }
}

#[test]
fn reports_are_marked() {
    for raw in [
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b--",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nx\n--b--",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b--",
        "X-Failed-Recipients: bob@example.net\n\nThis message was created automatically.",
        "From: MAILER-DAEMON@mail.example.org\nSubject: failure notice\n\nHi.",
        "From: MAILER-DAEMON@mail.example.org\n\nHi. This is the qmail-send program at mail.example.org.",
    ] {
        check(raw, "bounce");
    }
    check("Return-Path: <>\nSubject: Undelivered Mail Returned to Sender\n\nx", "null, bounce");
    // Somebody forwards a bounce to a friend and asks what it means.
    check("From: bob@example.org\nSubject: Fwd: Undelivered Mail Returned to Sender\n\nWhat is this?", "");
}

#[test]
fn lists_and_bulk_are_marked() {
    check("List-Id: <talk.example.org>\n\nx", "list");
    check("List-Unsubscribe: <mailto:leave@example.org>\n\nx", "bulk");
    check("Precedence: bulk\n\nx", "bulk");
    check("List-Id: <talk.example.org>\nPrecedence: list\n\nx", "list, bulk");
    check("Precedence: first-class\n\nx", "");
}

#[test]
fn welcomes_and_requests_to_confirm_are_marked() {
    let robot = "From: talk-request@lists.example.org\n";
    check(&format!("{robot}Subject: confirm 8f3a\n\nPlease confirm your subscription."), "confirmation");
    check(&format!("{robot}Subject: Welcome to talk\n\nYou are now subscribed."), "confirmation");
    check("Subject: Confirm your newsletter subscription\n\nClick to confirm.", "confirmation");
    check("Precedence: bulk\nSubject: Please verify your address\n\nTo verify, click.", "bulk, confirmation");
    check(
        "Subject: =?utf-8?Q?Newsletter-Anmeldung_best=C3=A4tigen?=\n\nBitte bestätigen Sie.",
        "confirmation",
    );
    // The words of phishing, without a list behind them.
    check("From: Bank <security@bank.example>\nSubject: Verify your account\n\nPlease verify it now.", "");
    check("Subject: dinner confirmed\n\nSee you.", "");
}

#[test]
fn a_confirmation_goes_to_one_recipient() {
    let mut letter = letter(b"Subject: Confirm your newsletter subscription\n\nClick to confirm.");
    letter.recipients.push(b"carol@example.net".to_vec());
    assert_eq!(marks(&letter), "");
}

#[test]
fn a_message_that_was_here_before_is_marked() {
    let hop = |by: &str| {
        format!(
            "Received: from a.example.org (a.example.org [192.0.2.1])\n\tby {by} (Postfix) with ESMTP id 1;\n Sat, 21 Nov 2026 21:39:34 +0000\n"
        )
    };
    let (out, ours) = (hop("out.example.org"), hop("MX2.example.net."));
    check(&format!("{out}{ours}\nx"), "was here");
    check(&format!("{out}{out}\nx"), "");
    // The topmost is of whoever sent it to us.
    check(&format!("{ours}{out}\nx"), "");
    check(&format!("{out}{}\nx", hop("notmx2.example.net")), "");
    check(&format!("{out}Received: by\n\nx"), "");
}

#[test]
fn rewritten_senders_are_marked() {
    for sender in [
        "SRS0=8f3a=AB=example.org=bob@forwarder.example",
        "srs1+8f3a=x==y@forwarder.example",
        "bounces+SRS=8f3a=AB@tenant.example",
        "bob+caf_=alice=example.net@gmail.example",
    ] {
        check(&format!("Return-Path: <{sender}>\n\nx"), "rewritten");
    }
    check("Return-Path: <srs0user@example.org>\n\nx", "");
}

#[test]
fn mail_to_desks_alone_is_marked() {
    let to = |recipients: &[&str]| {
        let mut letter = letter(b"Subject: spam report\n\nx");
        letter.recipients = recipients.iter().map(|to| to.as_bytes().to_vec()).collect();
        marks(&letter)
    };
    assert_eq!(to(&["abuse@example.net"]), "abuse desk");
    assert_eq!(to(&["Postmaster@example.net", "REPORT@example.net"]), "abuse desk");
    assert_eq!(to(&["postmaster"]), "abuse desk");
    // A copy to a desk excuses nobody.
    assert_eq!(to(&["abuse@example.net", "bob@example.net"]), "");
    assert_eq!(to(&["abuse.bob@example.net"]), "");
    assert_eq!(to(&[]), "");
}
