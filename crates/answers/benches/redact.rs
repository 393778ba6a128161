//! What redacting one message costs: `cargo bench -p answers --bench redact`.
//!
//! Each line is the median of eleven rounds, in processor time. The long headers are of the largest size that
//! a letter keeps, filled with what costs most.

use std::hint::black_box;

use model::exhibit::{HeaderField, Octets};
use model::letter::FIELDS_LEN_MAX;
use model::{Client, Exhibit, Millis, Name, Rdns};

const ROUNDS: usize = 11;
/// The kernel counts in ticks of some milliseconds.
const TIMES: u64 = 100;

fn exhibit(fields: &[(&str, String)], recipients: usize) -> Exhibit {
    let field =
        |(name, value): &(&str, String)| HeaderField { name: (*name).into(), value: value.clone().into() };
    let recipient = |n| Octets(format!("person.number{n}@example.org").into_bytes());
    Exhibit {
        at: Millis::from_secs(1_795_300_807),
        client: Client {
            addr: "192.0.2.25".parse().expect("an address"),
            port: 41_822,
            helo: Some(Name::new(b"mail.example.net")),
            rdns: Rdns::Confirmed(Name::new(b"mail.example.net")),
            authenticated: false,
        },
        received:
            b" from mail.example.net (mail.example.net [192.0.2.25])\r\n\tby mx.example.org with ESMTP id 1"
                .to_vec(),
        fields: fields.iter().map(field).collect(),
        fields_whole: true,
        sender: b"bounce@example.net".to_vec(),
        recipients: (0..recipients).map(recipient).collect(),
        recipients_more: 0,
        trap: false,
        opinions: Vec::new(),
        attachments: Vec::new(),
        size: 4711,
        body_hash: None,
    }
}

/// As many fields of one kind as there is room for.
fn full(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let count = FIELDS_LEN_MAX / (name.len() + value.len() + 3);
    vec![(name, value.to_owned()); count]
}

fn usual() -> Vec<(&'static str, String)> {
    let received = " from pc.example.net (pc.example.net [192.0.2.7]) by mail.example.net (Postfix) with ESMTPA id \
                    4T9K for <person.number0@example.org>; Sat, 21 Nov 2026 22:40:01 +0000 (UTC)";
    let mut fields = vec![("Received", received.to_owned()); 3];
    let more = [
        ("From", " Somebody <somebody@example.net>"),
        ("To", " Person Number <person.number0@example.org>"),
        ("Subject", " =?utf-8?B?w5xiZXJ3ZWlzdW5nIHZvbiBnZXN0ZXJu?= and what else there is to say"),
        ("Message-ID", " <20261121224000.4711.abcdef@mail.example.net>"),
        ("Date", " Sat, 21 Nov 2026 22:40:00 +0000"),
        ("Content-Type", " text/plain; charset=utf-8"),
        ("List-Unsubscribe", " <https://example.net/unsubscribe?u=4711>"),
    ];
    fields.extend(more.map(|(name, value)| (name, value.to_owned())));
    fields
}

fn main() {
    let base64 = "aGVsbG8gd29ybGQg".repeat(250);
    let escapes = "%2561".repeat(800);
    for (what, of) in [
        ("a usual message", exhibit(&usual(), 1)),
        ("a usual message to 1000", exhibit(&usual(), 1000)),
        ("64 KiB of subjects in base64", exhibit(&full("Subject", &base64), 1)),
        ("the same to 1000", exhibit(&full("Subject", &base64), 1000)),
        ("64 KiB of escapes in escapes", exhibit(&full("Subject", &escapes), 1000)),
        ("64 KiB of short Received fields", exhibit(&full("Received", " by a id b"), 1000)),
        ("64 KiB of recipients", exhibit(&full("To", " a.person@example.org,"), 1)),
        ("64 KiB of recipients in one field", exhibit(&[("To", "b@c.de,".repeat(9300))], 1)),
        ("64 KiB of empty fields", exhibit(&full("X", ""), 1000)),
    ] {
        let mut times: Vec<u64> = (0..ROUNDS).map(|_| time(&of)).collect();
        times.sort_unstable();
        println!("{what:<36} {:>8} µs", times[ROUNDS / 2]);
    }
}

/// Microseconds of processor time.
fn time(of: &Exhibit) -> u64 {
    let ours = ["example.org".parse().expect("a domain")];
    let begun = on_cpu();
    for _ in 0..TIMES {
        black_box(answers::redact(black_box(of), &|_| "ABCDE23456".to_owned(), &ours));
    }
    (on_cpu() - begun) / 1000 / TIMES
}

/// Nanoseconds that this thread has had a processor: others may be busy on it as well.
fn on_cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number")
}
