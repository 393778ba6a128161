//! The house rules, checked on the tracked files.
//!
//! Each rule is one row of [`RULES`] and one pure function from the tree of files to
//! its findings; what a compiler or clippy can check is left to them.

mod dependencies;
mod house;
mod length;
mod links;
mod manifest;
mod words;

use std::fmt;

use crate::error::TaskError;
use crate::libtest::{Summary, Tally};
use crate::repo::Tree;

/// One breach of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    /// The file, from the top of the working copy.
    pub(crate) path: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What stands there.
    pub(crate) got: String,
    /// What the rule asks for.
    pub(crate) expected: String,
    /// What to do.
    pub(crate) way_out: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, got, expected, way_out } = self;
        write!(f, "{path}:{line}: {got}; expected {expected}; {way_out}")
    }
}

/// A rule and the function that checks it.
struct Rule {
    /// Its name in the output.
    name: &'static str,
    /// What it asks for.
    about: &'static str,
    /// Finds its breaches.
    check: fn(&Tree) -> Vec<Finding>,
}

/// All rules, in the order in which they are reported.
const RULES: &[Rule] = &[
    Rule { name: "rooms", about: "crates/ holds exactly the rooms of the table", check: house::rooms },
    Rule {
        name: "imports",
        about: "a crate imports in-house only what the table allows",
        check: house::imports,
    },
    Rule { name: "quiet", about: "a quiet crate depends only on its allow-list", check: house::quiet },
    Rule { name: "headers", about: "every crate's root file says what it is", check: house::headers },
    Rule {
        name: "reasons",
        about: "every direct dependency has a line that says why",
        check: dependencies::reasons,
    },
    Rule {
        name: "lock",
        about: "the default features lock fewer than 300 packages",
        check: dependencies::lock,
    },
    Rule { name: "links", about: "links inside the repository lead somewhere", check: links::links },
    Rule { name: "words", about: "no path of one machine, no mark of unfinished work", check: words::words },
    Rule { name: "length", about: "long files and functions have a reason", check: length::length },
];

/// Checks the working copy and prints findings and statistics; true when clean.
pub(crate) fn tidy() -> Result<bool, TaskError> {
    Ok(report(&Tree::load()?).tally.failed == 0)
}

/// Prints each breach and one sentence of summary; each rule counts as one check.
pub(crate) fn report(tree: &Tree) -> Summary {
    let mut summary = Summary::default();
    for rule in RULES {
        let findings = (rule.check)(tree);
        summary.tally += Tally::one(findings.is_empty());
        if !findings.is_empty() {
            summary.failures.push(format!("{}: {} ({} found)", rule.name, rule.about, findings.len()));
            println!("{}: {} ({} found)", rule.name, rule.about, findings.len());
        }
        for finding in &findings {
            println!("{finding}");
        }
    }
    println!("{}", length::statistics(tree));
    println!("tidy: {} rules kept, {} broken.", summary.tally.passed, summary.tally.failed);
    summary
}

/// The number of the first line of `text` that contains `needle`, else 1.
fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(1, |at| at + 1)
}

/// What a test expects: one line for each finding.
#[cfg(test)]
#[track_caller]
fn expect(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], lines: &[&str]) {
    let got: Vec<_> = check(&Tree::of(files)).iter().map(ToString::to_string).collect();
    assert_eq!(got, lines);
}
