//! Abuse reports of the wild, and what others read in them.
//!
//! Where we read something else than a suite says, a row of the table says why.

use serde_json::Value;
use wire::arf::{Claims, FeedbackType, Kind, Report, Vote, parse_report};

mod suites;

/// What a report of the first folder says, read by eye: name, word, address of the source;
/// who handed the message over and its queue id, from the topmost Received field.
type Sample = [&'static str; 5];

const SAMPLES: [Sample; 10] = [
    ["arf-01.eml", "abuse", "192.0.2.89", "192.0.2.41", "RRRRRRRRRRR.qqqqqqqqqqqq000"],
    ["arf-02.eml", "abuse", "-", "192.0.2.8", "-"],
    ["arf-11.eml", "abuse", "-", "192.0.2.2", "00000000000fff"],
    ["arf-12.eml", "opt-out", "-", "192.0.2.89", "ffffffffffff00"],
    ["arf-14.eml", "abuse", "-", "192.0.2.2", "-"],
    ["arf-15.eml", "abuse", "192.0.2.222", "192.0.2.22", "-"],
    ["arf-16.eml", "abuse", "192.0.2.1", "192.0.2.22", "FFFFFFFFFF0"],
    ["arf-17.eml", "abuse", "192.0.2.3", "192.0.2.3", "000000-FFFFFF-22"],
    // Its `id` stands in a comment that is never closed.
    ["arf-18.eml", "auth-failure", "192.0.2.222", "192.0.2.222", "-"],
    ["arf-19.eml", "auth-failure", "203.0.113.2", "198.51.100.22", "00000"],
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn word<T: ToString>(word: Option<T>) -> String {
    word.map_or("-".into(), |word| word.to_string())
}

/// A report in the words of the table, without its name.
fn told(report: &Report) -> [String; 4] {
    let hop = &report.originals[0].hops[0];
    let says = text(&report.claims.feedback_word);
    [says, word(report.claims.source_ip), word(hop.from_ip), word(hop.id.as_deref().map(text))]
}

#[test]
fn real_reports_say_what_one_reads_in_them() {
    let Some(folder) = suites::folder("arf") else { return };
    let files = suites::files(&folder.join("sisimai"), ".eml");
    assert_eq!(files.len(), SAMPLES.len());
    for (path, sample) in files.iter().zip(&SAMPLES) {
        assert!(path.ends_with(sample[0]), "{}", path.display());
        let report = parse_report(&suites::read(path)).expect(sample[0]);
        let vote = (sample[1] == "abuse").then_some(Vote::Junk);
        assert_eq!((report.kind, report.vote, report.originals.len()), (Kind::Arf, vote, 1), "{}", sample[0]);
        assert_eq!(told(&report), sample[1..], "{}", sample[0]);
    }
    println!("arf, samples of the wild: {} of {}", SAMPLES.len(), SAMPLES.len());
}

/// Without white space, which the suite keeps as written and we do not.
fn squeezed(value: &Value) -> Option<String> {
    Some(value.as_str()?.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(squeezed).collect()
}

fn texts(list: &[Vec<u8>]) -> Vec<String> {
    list.iter().map(|value| text(value)).collect()
}

/// The facts of which the suite and we both speak, in the suite's words.
fn facts(claims: &Claims) -> Vec<(&'static str, Vec<String>)> {
    let one = |value: &Option<Vec<u8>>| value.iter().map(|value| text(value)).collect::<Vec<_>>();
    vec![
        ("arrival_date", claims.arrival_secs.iter().map(u64::to_string).collect()),
        ("authentication_results", texts(&claims.authentication_results)),
        ("incidents", vec![claims.incidents.to_string()]),
        ("original_envelope_id", one(&claims.envelope_id)),
        ("original_mail_from", one(&claims.mail_from)),
        ("original_rcpt_to", texts(&claims.rcpt_to)),
        ("reported_domain", texts(&claims.domains)),
        ("reported_uri", texts(&claims.uris)),
        ("reporting_mta", one(&claims.reporting_mta)),
        ("source_ip", claims.source_ip.iter().map(ToString::to_string).collect()),
        ("user_agent", one(&claims.user_agent)),
        ("version", one(&claims.version)),
        ("dkim_domain", one(&claims.dkim_domain)),
    ]
}

fn expected(value: &Value) -> Vec<String> {
    match value {
        Value::Number(number) => vec![number.to_string()],
        Value::Array(_) => list(value),
        other => squeezed(other).into_iter().collect(),
    }
}

/// The suite's name of a type, and of what failed.
fn types(claims: &Claims) -> [&'static str; 2] {
    let kind = match claims.feedback_type {
        Some(FeedbackType::Abuse) => "Abuse",
        Some(FeedbackType::AuthFailure) => "AuthFailure",
        _ => "another",
    };
    let failure = match claims.auth_failure.as_deref() {
        Some(b"bodyhash") => "BodyHash",
        Some(b"dmarc") => "Dmarc",
        _ => "Unspecified",
    };
    [kind, failure]
}

#[test]
fn reports_are_read_as_the_suite_reads_them() {
    let Some(folder) = suites::folder("arf") else { return };
    let files = suites::files(&folder.join("mail-auth"), ".eml");
    assert_eq!(files.len(), 5);
    for path in &files {
        let suite: Value = serde_json::from_slice(&suites::read(&path.with_extension("json"))).expect("JSON");
        let report = parse_report(&suites::read(path)).expect("a report");
        for (name, got) in facts(&report.claims) {
            assert_eq!(got, expected(&suite[name]), "{name} in {}", path.display());
        }
        assert_eq!(types(&report.claims), [&suite["feedback_type"], &suite["auth_failure"]]);
        if let Some(headers) = suite["headers"].as_str() {
            assert_eq!(text(&report.originals[0].headers).trim_end(), headers.trim_end());
        }
    }
    println!("arf, pairs: {} of {}", files.len(), files.len());
}
