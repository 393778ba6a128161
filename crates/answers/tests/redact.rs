//! Nobody is found in a redacted exhibit, however a sender writes him down.

mod canary;

use canary::{Canary, ENCODINGS, found};
use model::exhibit::{Attachment, HeaderField, Octets, Opinion};
use model::{Client, Exhibit, Judgement, Millis, Name, Rdns, Redacted};
use proptest::prelude::*;
use proptest::sample::select;

fn exhibit(fields: Vec<(String, String)>, recipients: &[&str]) -> Exhibit {
    let field = |(name, value): (String, String)| HeaderField { name: name.into(), value: value.into() };
    Exhibit {
        at: Millis::from_secs(1_795_300_807),
        client: Client {
            addr: "192.0.2.25".parse().expect("an address"),
            port: 41_822,
            helo: Some(Name::new(b"mail.example.net")),
            rdns: Rdns::Confirmed(Name::new(b"mail.example.net")),
            authenticated: false,
        },
        received: b" from mail.example.net (mail.example.net [192.0.2.25])\r\n\t(using TLSv1.3 with cipher \
            TLS_AES_256_GCM_SHA384)\r\n\tby mx.example.org with ESMTPS id 4T9K;\r\n\tSat, 21 Nov 2026 22:40:07 +0000"
            .to_vec(),
        fields: fields.into_iter().map(field).collect(),
        fields_whole: true,
        sender: b"bounce@example.net".to_vec(),
        recipients: recipients.iter().map(|r| Octets(r.as_bytes().to_vec())).collect(),
        recipients_more: 0,
        trap: false,
        opinions: Vec::new(),
        attachments: Vec::new(),
        size: 4711,
        body_hash: Some([7; 32]),
    }
}

fn redact(exhibit: &Exhibit) -> Redacted {
    answers::redact(exhibit, &|_| "ABCDE23456".to_owned(), &["example.org".parse().expect("a domain")])
}

/// All that a page could show.
fn bytes(of: &Redacted) -> Vec<u8> {
    let mut all: Vec<String> = of.fields.iter().flat_map(|f| [f.name.clone(), f.value.clone()]).collect();
    all.extend(of.withheld.clone());
    all.extend(
        of.attachments.iter().flat_map(|a| [a.name.clone(), a.kind.clone(), format!("{:?}", a.fault)]),
    );
    all.extend(of.opinions.iter().map(|o| format!("{o:?}")));
    all.join("\n").into_bytes()
}

const FIELDS: [&str; 14] = [
    "Subject",
    "Message-ID",
    "Date",
    "Received",
    "From",
    "Reply-To",
    "Sender",
    "To",
    "List-Id",
    "X-Mailer",
    "References",
    "Content-Type",
    "Return-Path",
    "X-Canary",
];

fn person() -> impl Strategy<Value = Canary> {
    // Letters that no text of ours has in such a row.
    let bare = ("[qxz][a-z0-9]{2,5}[._-]?[qxzj][a-z0-9]{2,4}", "example\\.(org|net)");
    let role = (select(vec!["sales", "info", "qz"]), "[qxz][a-z]{4,8}\\.example");
    prop_oneof![
        4 => bare.prop_map(|(local, domain)| Canary::new(&format!("{local}@{domain}"), true)),
        1 => role.prop_map(|(local, domain)| Canary::new(&format!("{local}@{domain}"), false)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_recipient_is_found_nowhere(
        person in person(),
        encoding in 0..ENCODINGS.len(),
        whole in any::<bool>(),
        field in select(FIELDS.to_vec()),
        around in ("[ -~]{0,12}", "[ -~]{0,12}"),
        tight in any::<bool>(),
        in_envelope in any::<bool>(),
    ) {
        let written = person.written(&ENCODINGS[encoding], whole);
        let space = if tight { "" } else { " " };
        let value = format!(" {}{space}{written}{space}{}", around.0, around.1);
        let mut fields = vec![(field.to_owned(), value)];
        let recipients = if in_envelope { vec![person.address.as_str()] } else { Vec::new() };
        if !in_envelope {
            fields.push(("Cc".to_owned(), format!(" \"Some One\" <{}>", person.address)));
        }
        let mut of = exhibit(fields, &recipients);
        let name = person.written(&ENCODINGS[encoding], whole);
        of.attachments.push(Attachment {
            name: format!("scan {name} x.zip/inner.exe").into(),
            kind: Name::new(b"zip"),
            fault: Some(Name::new(name.as_bytes())),
        });
        of.opinions.push(Opinion {
            source: Name::new(b"rspamd"),
            judgement: Some(Judgement::Spam),
            score: Some(1250),
            tests: vec![Name::new(name.as_bytes()), Name::new(b"R_SPF_FAIL")],
        });
        of.client.helo = Some(Name::new(format!("{name}.example.net").as_bytes()));
        of.client.rdns = Rdns::Confirmed(Name::new(format!("a.{name}.example.net").as_bytes()));
        of.sender = format!("x@{name}.example.net").into_bytes();
        let shown = redact(&of);
        prop_assert_eq!(found(&bytes(&shown), &person), None, "{:?}", shown);
    }

    #[test]
    fn hostile_bytes_become_one_visible_line_each(
        fields in prop::collection::vec((select(FIELDS.to_vec()), prop::collection::vec(any::<u8>(), 0..300)), 0..20),
        recipient in prop::collection::vec(any::<u8>(), 0..40),
        received in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let fields = fields.into_iter();
        let mut of = exhibit(Vec::new(), &[]);
        of.fields = fields.map(|(name, value)| HeaderField { name: name.into(), value }).collect();
        of.recipients.push(Octets(recipient));
        of.received = received;
        let shown = redact(&of);
        for field in &shown.fields {
            let plain = |c: char| c == '…' || (' '..='~').contains(&c) || (!c.is_ascii() && c.is_alphanumeric());
            prop_assert!(field.value.chars().all(plain), "{field:?}");
            prop_assert!(!field.value.contains(['\r', '\n']));
        }
        prop_assert_eq!(shown, redact(&of));
    }
}

#[track_caller]
fn check(fields: &[(&str, &str)], expect: &[&str], withheld: &[&str]) {
    let fields = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let shown = redact(&exhibit(fields, &["jane.roe@example.org"]));
    let lines: Vec<_> = shown.fields.iter().skip(2).map(|f| format!("{}: {}", f.name, f.value)).collect();
    assert_eq!(lines, expect);
    assert_eq!(shown.withheld, withheld);
}

#[test]
fn an_ordinary_message_shows_what_d_6_allows() {
    let shown = redact(&exhibit(Vec::new(), &["jane.roe@example.org"]));
    assert_eq!(
        shown.fields[0].value,
        "from mail.example.net (mail.example.net [192.0.2.25]:41822) (using TLSv1.3 with cipher \
         TLS_AES_256_GCM_SHA384) by mx.example.org with ESMTPS id 4T9K; Sat, 21 Nov 2026 22:40:07 +0000"
    );
    assert_eq!(
        (shown.fields[1].name.as_str(), shown.fields[1].value.as_str()),
        ("Return-Path", "<…@example.net>")
    );
    assert_eq!((shown.size, shown.body_hash.as_deref()), (Some(4711), Some("07".repeat(32).as_str())));
    check(
        &[
            (
                "received",
                " from pc (pc.example.net [192.0.2.7]) by mail.example.net for <jane.roe@example.org>; Sat, 21 \
                Nov 2026 22:40:01 +0000",
            ),
            ("From", " =?utf-8?q?J=C3=BCrgen?= <juergen@example.net>"),
            ("To", " \"Roe, Jane\" <Jane.Roe@example.org>, other@example.com"),
            ("Subject", " =?utf-8?B?w5xiZXJ3ZWlzdW5n?= for Jane: http://example.com/x"),
            ("Message-ID", " <4711@example.net>"),
            ("Date", " Sat, 21 Nov 2026 22:40:00 +0000"),
            ("X-Mailer", " Example 1.0"),
            ("List-Unsubscribe", " <https://example.net/u?jane>"),
            ("DKIM-Signature", " v=1; b=abc"),
        ],
        &[
            "Received: from pc (pc.example.net [192.0.2.7]) by mail.example.net; Sat, 21 Nov 2026 22:40:01 +0000",
            "From: …@example.net",
            "To: ABCDE23456@example.org, …",
            "Subject: Überweisung for …: …",
            "Message-ID: <4711@example.net>",
            "Date: Sat, 21 Nov 2026 22:40:00 +0000",
            "X-Mailer: Example 1.0",
        ],
        &["DKIM-Signature", "List-Unsubscribe"],
    );
}

#[test]
fn a_text_that_holds_a_recipient_is_withheld_and_named() {
    check(
        &[
            ("Subject", " Dear jane.roe@example.org"),
            ("Message-ID", " <amFuZS5yb2U@example.net>"),
            ("X-jane-roe", " 1"),
        ],
        &[],
        &["Message-ID", "others", "Subject"],
    );
}

#[test]
fn a_message_to_a_trap_shows_host_and_day_only() {
    let fields = vec![("Subject".to_owned(), " probe 17".to_owned()), ("X-17".to_owned(), " x".to_owned())];
    let mut of = Exhibit { trap: true, ..exhibit(fields, &["jane.roe@example.org"]) };
    of.client.helo = Some(Name::new(b"probe17.example.net"));
    let shown = redact(&of);
    assert_eq!(bytes(&shown), b"Received\nby mx.example.org; 2026-11-21");
    assert_eq!((shown.size, shown.body_hash), (None, None));
}

#[test]
fn if_not_everybody_is_known_nothing_of_the_sender_is_shown() {
    let of = exhibit(vec![("Subject".to_owned(), " hello".to_owned())], &[]);
    let shown = |of: &Exhibit| String::from_utf8(bytes(&redact(of))).unwrap();
    assert!(shown(&of).contains("hello"));
    for of in [Exhibit { recipients_more: 1, ..of.clone() }, Exhibit { fields_whole: false, ..of }] {
        assert!(!shown(&of).contains("hello") && !shown(&of).contains("example.net"), "{}", shown(&of));
    }
}
