//! Real mail with labels: whom the inspection would refuse, and what the fuzzy hash joins.
//! The mail lies beside the project, not in it; where it is absent, the tests say so and pass.
//! One message in four is read; `MAILWARD_MAIL=all` reads them all.

#![allow(clippy::unwrap_used, reason = "what a test makes or reads itself is there")]

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

use flate2::read::GzDecoder;
use judges::inspect::{Inspected, Rules, inspect};
use model::content::Danger;

use letters::{data, letter};

#[path = "inspect/mod.rs"]
mod letters;

/// Id, whether it is spam, and what was found.
type Seen = (String, bool, Inspected);

fn labels(corpus: &str) -> HashMap<String, bool> {
    let Some(file) = data(&format!("mail/{corpus}.jsonl.gz")) else { return HashMap::new() };
    let lines = BufReader::new(GzDecoder::new(File::open(file).unwrap())).lines();
    let label = |line: String| {
        let session: serde_json::Value = serde_json::from_str(&line).unwrap();
        (session["id"].as_str().unwrap().to_owned(), session["label"] == "spam")
    };
    lines.map(|line| label(line.unwrap())).collect()
}

fn step() -> usize {
    if std::env::var_os("MAILWARD_MAIL").is_some_and(|how| how == "all") { 1 } else { 4 }
}

/// Inspects labelled messages of an archive.
fn seen(corpus: &str) -> Vec<Seen> {
    let labels = labels(corpus);
    let Some(file) = data(&format!("mail/{corpus}.tar.zst")) else { return Vec::new() };
    let mut packed = zstd::Decoder::new(File::open(file).unwrap()).unwrap();
    // The archives are packed with a window of 128 MiB.
    packed.window_log_max(27).unwrap();
    let mut archive = tar::Archive::new(packed);
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap().step_by(step()) {
        let mut entry = entry.unwrap();
        let id = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        let Some(spam) = labels.get(&id) else { continue };
        let mut raw = Vec::new();
        entry.read_to_end(&mut raw).unwrap();
        seen.push((id, *spam, inspect(&letter(&raw), &Rules::default())));
    }
    seen
}

/// No good message of these archives is refused, or counts as dangerous.
fn check_ham(corpus: &str, all: &[Seen]) {
    let refused = |spam: bool| {
        all.iter().filter(|(_, s, found)| *s == spam && found.danger >= Danger::Encrypted).count()
    };
    let count = |spam: bool| all.iter().filter(|(_, s, _)| *s == spam).count();
    println!(
        "{corpus}: refused or encrypted: {} of {} spam, {} of {} ham",
        refused(true),
        count(true),
        refused(false),
        count(false)
    );
    let wrong: Vec<_> =
        all.iter().filter(|(_, spam, found)| !spam && found.score > 0).map(|(id, ..)| id).collect();
    assert!(wrong.is_empty(), "good mail with faults: {wrong:?}");
    assert!(all.iter().all(|(.., found)| found.stopped.is_none()), "real mail meets no limit");
}

/// Spam and ham of each hash that more than one message has.
fn groups(all: &[Seen]) -> Vec<(usize, usize)> {
    let mut groups: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for (_, spam, found) in all {
        if let Some(hash) = found.text {
            let group = groups.entry(hash).or_default();
            if *spam { group.0 += 1 } else { group.1 += 1 }
        }
    }
    groups.into_values().filter(|(spam, ham)| spam + ham > 1).collect()
}

fn check_groups(corpus: &str, all: &[Seen]) {
    let groups = groups(all);
    let sum = |of: &[(usize, usize)]| of.iter().fold((0, 0), |sum, group| (sum.0 + group.0, sum.1 + group.1));
    let hashed = all.iter().filter(|(.., found)| found.text.is_some()).count();
    let known: Vec<_> = groups.iter().copied().filter(|(spam, _)| *spam >= 3).collect();
    let mixed = groups.iter().filter(|(spam, ham)| *spam > 0 && *ham > 0).count();
    let (spam, ham) = sum(&known);
    println!(
        "{corpus}: {hashed} of {} messages have a hash; {} hashes are shared, {mixed} by spam and ham",
        all.len(),
        groups.len()
    );
    println!("{corpus}: {} hashes have three spams or more: {spam} spam, {ham} ham", known.len());
    // What the list kind hash-flood makes of a hash that three spams had.
    assert!(!known.is_empty() && ham == 0, "good mail has the hash of a campaign");
}

#[track_caller]
fn check(corpus: &str) {
    let all = seen(corpus);
    if !all.is_empty() {
        check_ham(corpus, &all);
        check_groups(corpus, &all);
    }
}

#[test]
fn a_universitys_mail() {
    check("trec07p-dev");
}

#[test]
fn several_peoples_mail() {
    check("spamassassin");
}
