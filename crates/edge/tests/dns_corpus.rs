//! Packets of every kind that there is, and what a stranger hears of each (fuzz/seeds/dns_packet).

#[path = "invariants/dns.rs"]
mod invariants;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hickory_proto::op::Message;
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::opt::EdnsCode;
use invariants::{Outcome, Servers};

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/dns_packet")
}

/// An answer in words: its code, its records, and what else is of interest.
fn told(outcome: &Outcome) -> String {
    let Outcome::Answer(bytes) = outcome else { return "silence".to_owned() };
    let message = Message::from_vec(bytes).expect("a message");
    let mut words = vec![code(message.metadata.response_code.into()).to_owned()];
    words.extend(message.answers.iter().map(|record| match &record.data {
        RData::A(address) => address.to_string(),
        other => other.record_type().to_string(),
    }));
    let is_zone = message.authorities.iter().any(|record| matches!(record.data, RData::SOA(_)));
    let has_cookie = message.edns.as_ref().is_some_and(|edns| edns.option(EdnsCode::Cookie).is_some());
    words.extend(is_zone.then(|| "of-zone".to_owned()));
    words.extend(message.metadata.truncation.then(|| "cut".to_owned()));
    words.extend(has_cookie.then(|| "cookie".to_owned()));
    words.join(" ")
}

fn code(number: u16) -> &'static str {
    match number {
        0 => "NOERROR",
        1 => "FORMERR",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        other => panic!("code {other}"),
    }
}

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    let mut servers = Servers::new();
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(name, expect)| {
            let packet =
                std::fs::read(seeds().join(format!("{name}.bin"))).unwrap_or_else(|e| panic!("{name}: {e}"));
            let told = told(&servers.check(&packet));
            (told != *expect).then(|| format!("{name}: expected {expect}, but got {told}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const QUESTIONS: &[(&str, &str)] = &[
    ("listed", "NOERROR 127.0.0.3"),
    ("listed-txt", "NOERROR TXT"),
    ("listed-txt-plain", "NOERROR TXT"),
    ("listed-aaaa", "NOERROR of-zone"),
    // RFC 8482 §4.2.
    ("listed-any", "NOERROR HINFO"),
    ("listed-v6", "NOERROR 127.0.0.4"),
    ("not-listed", "NXDOMAIN of-zone"),
    // RFC 8020: names below it exist.
    ("empty-non-terminal", "NOERROR of-zone"),
    ("test-entry", "NOERROR 127.0.0.2"),
    ("leading-zero", "NXDOMAIN of-zone"),
    ("too-many-octets", "NXDOMAIN of-zone"),
    ("mixed-case", "NOERROR 127.0.0.3"),
    ("domain-below", "NOERROR 127.0.0.2"),
    ("zone-soa", "NOERROR SOA"),
    ("zone-ns", "NOERROR NS"),
    ("unknown-list", "NOERROR 127.255.255.252"),
    // A key is one only where keys are wanted; there the invariants hold for it.
    ("with-key", "NXDOMAIN of-zone"),
    // Where keys are wanted it was taken for the zone, and its SOA pointed to nowhere.
    ("key-alone", "NXDOMAIN of-zone"),
    ("key-alone-soa", "NXDOMAIN of-zone"),
    ("foreign", "REFUSED"),
    ("root", "REFUSED"),
];

/// A question's name is never compressed: nothing stands before it that a pointer could mean.
const NAMES: &[(&str, &str)] = &[
    ("pointer-to-itself", "FORMERR"),
    ("pointer-loop", "FORMERR"),
    ("pointer-forward", "FORMERR"),
    ("pointer-outside", "FORMERR"),
    ("pointer-to-header", "FORMERR"),
    ("pointer-cut", "FORMERR"),
    // Names behind the question are passed over, not followed.
    ("record-pointer-loop", "NOERROR 127.0.0.3"),
    // RFC 6891 §5: extended labels are no more; RFC 1035 §4.1.4: 10 is reserved.
    ("label-extended", "FORMERR"),
    ("label-reserved", "FORMERR"),
    ("label-cut", "FORMERR"),
    ("label-empty-octets", "NXDOMAIN of-zone"),
    // RFC 1035 §2.3.4: 255 octets.
    ("name-255", "REFUSED"),
    ("name-256", "FORMERR"),
    ("name-255-of-ours", "NXDOMAIN of-zone"),
    ("name-nibbles-33", "NXDOMAIN of-zone"),
];

const COUNTS: &[(&str, &str)] = &[
    ("empty", "silence"),
    ("header-cut", "silence"),
    // RFC 9619: one question; none where a cookie is asked for (RFC 7873 §5.4).
    ("header-alone", "FORMERR"),
    ("questions-0-edns", "FORMERR"),
    ("questions-0-cookie", "NOERROR cookie"),
    ("questions-2", "FORMERR"),
    ("questions-65535", "FORMERR"),
    ("question-cut", "FORMERR"),
    ("question-missing", "FORMERR"),
    ("answer-in-question", "FORMERR"),
    ("authority-in-question", "FORMERR"),
    ("additional-record", "NOERROR 127.0.0.3"),
    ("additional-cut", "FORMERR"),
    ("additional-65535", "FORMERR"),
    ("octets-behind", "FORMERR"),
];

const KINDS: &[(&str, &str)] = &[
    ("response", "silence"),
    ("response-refused", "silence"),
    ("response-cut", "silence"),
    ("opcode-iquery", "NOTIMP"),
    ("opcode-status", "NOTIMP"),
    ("opcode-notify", "NOTIMP"),
    ("opcode-update", "NOTIMP"),
    ("opcode-15", "NOTIMP"),
    ("odd-flags", "NOERROR 127.0.0.3"),
    ("class-ch", "REFUSED"),
    ("class-ch-of-ours", "REFUSED"),
    ("class-any", "REFUSED"),
    ("class-none", "REFUSED"),
    ("type-0", "NOERROR of-zone"),
    ("type-opt", "NOERROR of-zone"),
    ("type-tsig", "NOERROR of-zone"),
    ("type-65535", "NOERROR of-zone"),
    // ADV-14: no transfer to strangers.
    ("axfr", "REFUSED"),
    ("ixfr", "REFUSED"),
    ("ixfr-soa-cut", "FORMERR"),
    ("tsig", "REFUSED"),
    ("tsig-cut", "FORMERR"),
    ("tsig-header-cut", "FORMERR"),
    // RFC 8945 §5.1: the last record.
    ("tsig-not-last", "FORMERR"),
    ("tsig-of-a-question", "REFUSED"),
];

const EDNS: &[(&str, &str)] = &[
    ("edns-version-1", "BADVERS"),
    ("edns-version-255", "BADVERS"),
    ("edns-twice", "FORMERR"),
    ("edns-not-of-root", "FORMERR"),
    // RFC 6891 §6.2.3: less than 512 is 512.
    ("edns-payload-0", "NOERROR TXT"),
    ("edns-payload-65535", "NOERROR TXT"),
    ("edns-option-cut", "FORMERR"),
    ("edns-option-too-long", "FORMERR"),
    ("edns-data-too-long", "FORMERR"),
    ("edns-many-options", "NOERROR 127.0.0.3"),
    // RFC 7873 §5.2: 8 octets of the client's, and 8 to 32 of a server's.
    ("cookie", "NOERROR 127.0.0.3 cookie"),
    ("cookie-of-7", "FORMERR"),
    ("cookie-of-41", "FORMERR"),
    ("cookie-forged", "NOERROR 127.0.0.3 cookie"),
    ("cookie-twice", "NOERROR 127.0.0.3 cookie"),
];

#[test]
fn questions_that_can_be_read_are_answered() {
    check(QUESTIONS);
}

#[test]
fn names_that_are_none_are_faults() {
    check(NAMES);
}

#[test]
fn what_is_counted_is_there_and_nothing_else() {
    check(COUNTS);
}

#[test]
fn responses_have_no_answer_and_other_messages_their_code() {
    check(KINDS);
}

#[test]
fn options_are_read_or_refused() {
    check(EDNS);
}

#[test]
fn no_seed_is_without_an_expectation() {
    let rows = [QUESTIONS, NAMES, COUNTS, KINDS, EDNS].concat();
    let known: BTreeSet<String> = rows.iter().map(|(name, _)| format!("{name}.bin")).collect();
    let there =
        std::fs::read_dir(seeds()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    // What a fuzzer found is named by its hash, and stands for itself.
    let there: BTreeSet<String> = there.filter(|name| name.ends_with(".bin")).collect();
    assert_eq!(there, known);
}
