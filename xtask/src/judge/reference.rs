//! The figures that Mailward is held against: those written down beside the streams, and
//! what the oracle reaches in any part of one.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::oracle::{self, Rule};
use super::score::{Share, rounded};
use super::stream::Session;

/// The row of signals that everybody can use at connection time, and the one below it.
const SIGNALS: &str = "fqrdns.pcre or no rDNS";

/// How far the oracle may be from the figure written down before we say so, in points: the
/// tables are rounded.
const SAME: f64 = 0.02;

/// One reference.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// Its name in the tables.
    pub(super) name: String,
    /// Of the whole stream: spam refused and ham refused in percent, ham refused.
    pub(super) whole: (f64, f64, u64),
    /// The same of the later half, where the oracle can be asked.
    pub(super) later: Option<Share>,
}

impl Reference {
    /// As JSON.
    pub(super) fn to_json(&self) -> Value {
        let (spam, ham, ham_n) = self.whole;
        json!({
            "name": self.name,
            "spam_pct": spam,
            "ham_pct": ham,
            "ham_n": ham_n,
            "later_spam_pct": self.later.as_ref().map(|share| rounded(share.spam_pct(), 2)),
            "later_ham_pct": self.later.as_ref().map(|share| rounded(share.ham_pct(), 3)),
            "later_ham_n": self.later.as_ref().map(|share| share.ham.1),
        })
    }
}

/// The references of one stream. `results` is the folder of tables; a stream without one
/// has what the oracle says.
pub(super) fn references(results: &Path, stream: &str, sessions: &[Session]) -> Vec<Reference> {
    let table = fs::read_to_string(results.join(format!("{stream}.md"))).unwrap_or_default();
    let rules = [oracle::FIXED_24, oracle::FIXED_96, oracle::GROWING];
    let mut found: Vec<_> = rules.map(|rule| by_rule(&table, stream, rule, sessions)).into();
    let signals = fs::read_to_string(results.join(format!("signals.{stream}.md"))).unwrap_or_default();
    found.extend(by_signals(&signals));
    found
}

fn by_rule(table: &str, stream: &str, rule: Rule, sessions: &[Session]) -> Reference {
    let refused = oracle::refused(sessions, rule);
    let share = |from: usize| {
        let places = sessions.iter().enumerate().skip(from);
        Share::of(places.map(|(place, session)| (session, refused.contains(&place))))
    };
    let own = share(0);
    let own = (rounded(own.spam_pct(), 2), rounded(own.ham_pct(), 3), own.ham.1);
    let row = rows(table).find(|(name, _)| name == rule.name);
    let written = row.map(|(_, cells)| (number(&cells, 0), number(&cells, 1), count(&cells)));
    if let Some(written) = written.filter(|w| (w.0 - own.0).abs() > SAME || w.2 != own.2) {
        eprintln!("{stream}: {}: the table says {written:?}, but the oracle {own:?}", rule.name);
    }
    Reference {
        name: rule.name.to_owned(),
        whole: written.unwrap_or(own),
        later: Some(share(sessions.len() / 2)),
    }
}

/// Two rows: the signals by themselves, then the oracle on what they leave.
fn by_signals(table: &str) -> Vec<Reference> {
    let rows = rows(table).skip_while(|(name, _)| name != SIGNALS).take(2);
    let names = [SIGNALS, "… then fixed 24 h on the rest, ham senders spared"];
    let reference = |((_, cells), name): ((String, Vec<String>), &str)| Reference {
        name: name.to_owned(),
        whole: (number(&cells, 0), number(&cells, 1), count(&cells)),
        later: None,
    };
    rows.zip(names).map(reference).collect()
}

/// The rows of a table in Markdown: the first cell, and the others.
fn rows(table: &str) -> impl Iterator<Item = (String, Vec<String>)> {
    table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(|cell| cell.trim().to_owned());
        Some((cells.next()?, cells.collect()))
    })
}

/// The messages of ham, in the third cell.
fn count(cells: &[String]) -> u64 {
    cells.get(2).and_then(|cell| cell.parse().ok()).unwrap_or(0)
}

/// The number in a cell; `None` there means nothing to count.
fn number(cells: &[String], at: usize) -> f64 {
    cells.get(at).and_then(|cell| cell.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_name() {
        let table = "words\n| policy | spam |\n|---|---:|\n| fixed 24 h | 26.75 | 0.73 | 47 |\n| fixed 24 h, x | 1 |\n";
        let reference = by_rule(table, "made up", oracle::FIXED_24, &[]);
        assert_eq!(reference.whole, (26.75, 0.73, 47));
        let reference = by_rule("", "made up", oracle::FIXED_24, &[]);
        assert_eq!(reference.whole, (0.0, 0.0, 0));
    }

    #[test]
    fn signals_are_two_rows() {
        let table = "| any | 1 | 2 | 3 | 4 |\n| fqrdns.pcre or no rDNS | 66.8 | 0.02 | 1 | 1 |\n|  … then IP oracle | 84.3 | 0.03 | 2 | |\n";
        let found: Vec<_> = by_signals(table).iter().map(|reference| reference.whole).collect();
        assert_eq!(found, [(66.8, 0.02, 1), (84.3, 0.03, 2)]);
    }
}
