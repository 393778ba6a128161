//! The test suite of RFC 7208 against our SPF, one name server per scenario.
//!
//! What we do not pass stands in [`EXPECTED`] with its reason; the test fails as soon as
//! that table is no longer true, in either direction.

mod dns;
mod letters;

use std::collections::BTreeMap;
use std::sync::Arc;

use judges::auth::{Auth, results};
use saphyr::{LoadableYamlNode, Scalar, Yaml};

use dns::{Entry, Zone};
use letters::data;

/// Tests of the suite that we do not pass: name, what we say instead, why.
const EXPECTED: &[(&str, &str, &str)] = &[(
    "null-text",
    "temperror",
    "a TXT record without any string is not well formed in DNS (RFC 1035 §3.3.14); the resolver refuses the response",
)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_of_rfc_7208_is_passed_but_for_known_cases() {
    let Some(folder) = data("suites/spf") else { return };
    let text = std::fs::read(folder.join("rfc7208-tests.yml")).expect("the suite");
    let text = String::from_utf8_lossy(&text);
    let scenarios = Yaml::load_from_str(&text).expect("YAML");
    let (mut all, mut wrong) = (0, BTreeMap::new());
    for scenario in &scenarios {
        let settings = dns::serve(zone(&scenario["zonedata"])).await;
        let auth = Auth::new(settings).expect("a resolver");
        for (name, test) in entries(&scenario["tests"]) {
            all += 1;
            let (got, want) = (ask(&auth, test).await, wanted(&test["result"]));
            if !want.contains(&got) {
                wrong.insert(word(name), (got, want.join(" or ")));
            }
        }
    }
    println!("spf: {} of {all} passed", all - wrong.len());
    for (name, (got, want)) in &wrong {
        let why = EXPECTED.iter().find(|(known, ..)| known == name).map_or("UNKNOWN", |known| known.2);
        println!("  {name}: expected {want}, but got {got}: {why}");
    }
    let got: Vec<_> = wrong.iter().map(|(name, (got, _))| (&name[..], &got[..])).collect();
    let mut known: Vec<_> = EXPECTED.iter().map(|(name, got, _)| (*name, *got)).collect();
    known.sort_unstable();
    assert_eq!(got, known);
    assert_eq!(all, 203, "tests in the suite");
}

async fn ask(auth: &Auth, test: &Yaml<'_>) -> String {
    let mut letter = letters::letter(b"Subject: x\r\n\r\n");
    letter.client.addr = word(&test["host"]).parse().expect("an address");
    letter.client.helo = Some(model::Name::new(word(&test["helo"]).as_bytes()));
    letter.sender = word(&test["mailfrom"]).into_bytes();
    results::spf(auth.check(Arc::new(letter)).await.spf).to_owned()
}

fn wanted(result: &Yaml<'_>) -> Vec<String> {
    match result {
        Yaml::Sequence(several) => several.iter().map(word).collect(),
        one => vec![word(one)],
    }
}

fn entries<'a, 'y>(map: &'a Yaml<'y>) -> impl Iterator<Item = (&'a Yaml<'y>, &'a Yaml<'y>)> {
    map.as_mapping().expect("a mapping").iter()
}

fn word(value: &Yaml<'_>) -> String {
    match value {
        Yaml::Value(Scalar::String(text)) => text.to_string(),
        Yaml::Value(Scalar::Integer(number)) => number.to_string(),
        Yaml::Value(Scalar::Null) | Yaml::BadValue => String::new(),
        other => panic!("expected a word, but got {other:?}"),
    }
}

fn zone(names: &Yaml<'_>) -> Zone {
    let mut zone = Zone::default();
    for (name, held) in entries(names) {
        let held = held.as_sequence().expect("a list");
        let name = word(name).trim_end_matches('.').to_ascii_lowercase();
        let entries = zone.0.entry(name).or_default();
        // The suite's rule: SPF records stand for TXT records where there are none.
        let has_txt = held
            .iter()
            .any(|entry| entry.as_mapping().is_some_and(|m| m.iter().any(|(k, _)| word(k) == "TXT")));
        for entry in held {
            match entry {
                Yaml::Mapping(map) => {
                    let (kind, value) = map.iter().next().expect("one type");
                    let kind = word(kind);
                    let kind = if kind == "SPF" && !has_txt { "TXT" } else { &kind };
                    entries.extend(record(kind, value));
                }
                _ => entries.push(Entry::Fails),
            }
        }
    }
    zone
}

fn record(kind: &str, value: &Yaml<'_>) -> Option<Entry> {
    if let Yaml::Value(Scalar::String(text)) = value {
        match &text[..] {
            "TIMEOUT" => return Some(Entry::Fails),
            "NONE" => return None,
            _ => {}
        }
    }
    let data = match kind {
        "A" | "AAAA" => dns::address(&word(value)),
        "CNAME" => dns::cname(&word(value)),
        "PTR" => dns::ptr(&word(value)),
        "MX" => dns::mx(word(&value[0]).parse().expect("a preference"), &word(&value[1])),
        "TXT" => {
            // Scalars of this file are Latin-1 where they are not ASCII.
            let strings: Vec<Vec<u8>> = wanted(value).iter().map(|text| latin1(text)).collect();
            dns::txt(&strings.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }
        "SPF" => return None,
        other => panic!("expected a type of record, but got {other}"),
    };
    Some(Entry::Data(data))
}

fn latin1(text: &str) -> Vec<u8> {
    let narrow = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
    text.chars().map(narrow).collect()
}
