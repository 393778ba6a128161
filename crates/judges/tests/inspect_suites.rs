//! Real bounces and other people's MIME messages. They lie beside the project, not in it.

#![allow(clippy::unwrap_used, reason = "what a test makes or reads itself is there")]

use std::fs;
use std::path::PathBuf;

use judges::inspect::{Inspected, Rules, inspect};
use model::content::{Danger, Shape};

use letters::{data, letter};

#[path = "inspect/mod.rs"]
mod letters;

/// Files that the collection has among its bounces, and that look like none.
const NO_BOUNCES: [(&str, &str); 5] = [
    ("lhost-amazonses-09.eml", "a notification in JSON that a subscriber asked for, from no-reply@"),
    ("lhost-amazonses-11.eml", "the same"),
    ("lhost-amazonses-13.eml", "the same"),
    ("lhost-fml-03.eml", "a list server tells its administrator of a loop"),
    ("lhost-sendmail-14.eml", "a person forwards a bounce, as text"),
];

fn messages(folder: &str) -> Vec<(String, Inspected)> {
    let Some(folder) = data(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
    files.sort();
    let judge = |file: &PathBuf| {
        let raw = fs::read(file).unwrap();
        (file.file_name().unwrap().to_string_lossy().into_owned(), inspect(&letter(&raw), &Rules::default()))
    };
    files.iter().map(judge).collect()
}

#[test]
fn bounces_are_known_as_bounces_and_refused_by_nobody() {
    let all = messages("suites/dsn/sisimai");
    if all.is_empty() {
        return;
    }
    let automatic = Shape::NULL_SENDER | Shape::BOUNCE | Shape::AUTOMATIC;
    let missed: Vec<&str> =
        all.iter().filter(|(_, f)| !f.shape.any(automatic)).map(|(name, _)| name.as_str()).collect();
    println!("bounces known as bounces: {}/{}", all.len() - missed.len(), all.len());
    assert_eq!(missed, NO_BOUNCES.map(|(name, _)| name));
    for (name, found) in &all {
        assert!(found.danger < Danger::Refused && found.stopped.is_none(), "{name}: {:?}", found.faults);
    }
}

#[test]
fn messages_of_the_standards_have_no_fault() {
    let all = [messages("suites/mime/rfc"), messages("suites/mime/legacy")].concat();
    let faulty = all.iter().filter(|(_, found)| found.danger > Danger::None || found.stopped.is_some());
    let faulty: Vec<String> = faulty.map(|(name, found)| format!("{name}: {:?}", found.faults)).collect();
    println!("messages without a fault: {}/{}", all.len() - faulty.len(), all.len());
    assert!(faulty.is_empty(), "{faulty:?}");
}
