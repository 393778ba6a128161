//! The verdicts as tables: for a terminal, and for the page that keeps them.

use super::verdict::{RefusedHam, Verdict};
use crate::error::TaskError;
use crate::{repo, table};

/// The page that keeps the newest tables.
const PAGE: &str = "docs/benchmark.md";

/// Where they begin and end on it.
const BEGIN: &str = "<!-- made by `cargo xtask judge --write` -->";
const END: &str = "<!-- end of what judge writes -->";

/// One table.
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The tables of all verdicts, in the order in which they are read.
pub(super) fn tables(verdicts: &[Verdict]) -> Vec<Table> {
    let mut tables = vec![shares(verdicts), reasons(verdicts)];
    tables.extend(networks(verdicts));
    tables
}

/// Who refused how much: Mailward and its references, a group of rows a stream.
fn shares(verdicts: &[Verdict]) -> Table {
    let head = [
        "stream",
        "who",
        "spam refused %",
        "ham refused %",
        "ham n",
        "ham keys",
        "later half: spam %",
        "ham %",
        "ham n",
    ];
    Table { head: head.map(str::to_owned).into(), rows: verdicts.iter().flat_map(of_stream).collect() }
}

fn of_stream(verdict: &Verdict) -> Vec<Vec<String>> {
    let (whole, later) = (&verdict.whole, &verdict.later);
    let figures = |spam: f64, ham: f64, n: u64| [format!("{spam:.2}"), format!("{ham:.3}"), n.to_string()];
    let mut row = vec![verdict.name.clone(), "Mailward".to_owned()];
    row.extend(figures(whole.spam_pct(), whole.ham_pct(), whole.ham.1));
    row.push(format!("{} of {}", whole.ham_keys.1, whole.ham_keys.0));
    row.extend(figures(later.spam_pct(), later.ham_pct(), later.ham.1));
    let mut rows = vec![row];
    for reference in &verdict.references {
        let (spam, ham, n) = reference.whole;
        let mut row = vec![String::new(), reference.name.clone()];
        row.extend(figures(spam, ham, n));
        row.push("-".to_owned());
        let later =
            reference.later.as_ref().map(|later| figures(later.spam_pct(), later.ham_pct(), later.ham.1));
        row.extend(later.unwrap_or_else(|| ["-", "-", "-"].map(str::to_owned)));
        rows.push(row);
    }
    rows
}

/// What refused: a column a rule, spam and ham in each cell.
fn reasons(verdicts: &[Verdict]) -> Table {
    let mut names: Vec<&String> = verdicts.iter().flat_map(|verdict| verdict.reasons.keys()).collect();
    names.sort();
    names.dedup();
    let row = |verdict: &Verdict| {
        let cell = |name: &&String| match verdict.reasons.get(*name) {
            Some((spam, ham, _)) => format!("{spam} / {ham}"),
            None => "-".to_owned(),
        };
        std::iter::once(verdict.name.clone()).chain(names.iter().map(cell)).collect()
    };
    let head = std::iter::once("spam / ham refused by".to_owned()).chain(names.iter().map(|n| (*n).clone()));
    Table { head: head.collect(), rows: verdicts.iter().map(row).collect() }
}

/// Whom we listed and missed, by network.
fn networks(verdicts: &[Verdict]) -> Option<Table> {
    let found = verdicts.iter().filter_map(|verdict| Some((verdict, verdict.networks.as_ref()?)));
    let rows: Vec<_> = found
        .flat_map(|(verdict, networks)| {
            let named = |row: [String; 3]| std::iter::once(verdict.name.clone()).chain(row).collect();
            networks.rows().into_iter().map(named).collect::<Vec<_>>()
        })
        .collect();
    let head = ["stream", "networks", "Mailward", "fixed 96 h"].map(str::to_owned).into();
    (!rows.is_empty()).then_some(Table { head, rows })
}

impl Table {
    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let head: Vec<&str> = self.head.iter().map(String::as_str).collect();
        table::lay_out(&head, &self.rows)
    }

    /// In Markdown.
    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|{}\n", "---|".repeat(self.head.len()));
        line(&self.head) + &rule + &self.rows.iter().map(|row| line(row)).collect::<String>()
    }
}

/// Every address whose ham was refused, with what weighed. It names addresses of recorded
/// mail, and so is for a terminal only.
pub(super) fn ham(verdict: &Verdict) -> Vec<String> {
    let line = |ham: &RefusedHam| {
        let why = ham.why.iter().map(|((reason, why), count)| {
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            format!("{count} × {reason}{why}")
        });
        let why = why.collect::<Vec<_>>().join("; ");
        format!("{}: ham of {} refused: {} of {}: {why}", verdict.name, ham.client, ham.count, ham.of)
    };
    verdict.ham.iter().map(line).collect()
}

/// Puts the tables in the place of those on the page. `how` says of what they were made.
pub(super) fn write(verdicts: &[Verdict], how: &str) -> Result<(), TaskError> {
    let text = repo::read_text(PAGE)?;
    let page = repo::top().join(PAGE);
    let new = replaced(&text, &tables(verdicts), how).ok_or_else(|| TaskError::Missing {
        what: format!("the place for the tables in {PAGE}"),
        way_out: format!("put the lines `{BEGIN}` and `{END}` where they should stand"),
    })?;
    std::fs::write(&page, new).map_err(TaskError::file(&page))?;
    eprintln!("wrote {PAGE}");
    Ok(())
}

fn replaced(text: &str, tables: &[Table], how: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let tables = tables.iter().map(Table::markdown).collect::<Vec<_>>().join("\n");
    Some(format!("{before}{BEGIN}\n{how}\n\n{tables}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_tables_stays() {
        let text = format!("# Benchmark\n\n{BEGIN}\nold\n{END}\n\nHow to read it.\n");
        let table = Table { head: vec!["a".into(), "b".into()], rows: vec![vec!["1".into(), "2".into()]] };
        let expect = format!(
            "# Benchmark\n\n{BEGIN}\nMade so.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n{END}\n\nHow to read it.\n"
        );
        assert_eq!(replaced(&text, &[table], "Made so."), Some(expect));
        assert_eq!(replaced("# Benchmark\n", &[], ""), None);
    }
}
