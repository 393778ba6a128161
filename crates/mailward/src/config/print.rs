//! The table for people: the sample file, `config show`, the manual's section.

use serde_json::{Value as Json, json};

use super::Config;
use super::forms::Shown;
use super::read::defaults;
use super::rows::{ROWS, Row, SECTIONS, Section};
use super::settings::Settings;

/// Comments of the sample end before this column.
const WIDTH: usize = 100;

/// The first lines of the sample.
const HEAD: &str = "\
# Configuration of Mailward: every setting, commented out with its default.
# `mailward config check` tells every mistake; `mailward config show` tells what is in force.
";

/// The commented sample: a TOML text that says nothing but the defaults.
pub(super) fn sample() -> String {
    let settings = defaults();
    let sections = SECTIONS.iter().map(|section| sample_section(section, &settings));
    format!("{HEAD}{}", sections.collect::<String>())
}

fn sample_section(section: &Section, settings: &Settings) -> String {
    let head = if section.name.is_empty() { String::new() } else { format!("[{}]\n", section.name) };
    let rows = section.rows().map(|row| sample_row(row, settings));
    format!("\n{head}{}{}", comment(section.doc), rows.collect::<String>())
}

fn sample_row(row: &Row, settings: &Settings) -> String {
    let text = format!("{} Value: {}.{}", row.doc, row.expected(), such_as(row));
    let value = (row.slot.shown)(settings).to_toml().or_else(|| example(row)).unwrap_or_default();
    format!("\n{}# {} = {value}\n", comment(&text), row.key())
}

fn such_as(row: &Row) -> String {
    match (row.default, example(row)) {
        (None, _) => " Not set by default; an example:".to_owned(),
        (Some(_), Some(example)) => format!(" Such as {example}."),
        (Some(_), None) => String::new(),
    }
}

/// The row's example in canonical form.
fn example(row: &Row) -> Option<String> {
    row.example.map(|text| text.replace('\'', "\""))
}

/// `text` as comment lines, broken at spaces.
fn comment(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split(' ') {
        let fits = lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() < WIDTH);
        match lines.last_mut() {
            Some(line) if fits => *line = format!("{line} {word}"),
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}

/// The manual's section: one table for each section of the file, in Markdown.
pub(super) fn markdown() -> String {
    let settings = defaults();
    SECTIONS.iter().map(|section| markdown_section(section, &settings)).collect::<Vec<_>>().join("\n")
}

fn markdown_section(section: &Section, settings: &Settings) -> String {
    let title =
        if section.name.is_empty() { "Top of the file".to_owned() } else { format!("`[{}]`", section.name) };
    let rows: String = section.rows().map(|row| markdown_row(row, settings)).collect();
    format!(
        "### {title}\n\n{}\n\n| key | value | default | meaning |\n|---|---|---|---|\n{rows}",
        section.doc
    )
}

fn markdown_row(row: &Row, settings: &Settings) -> String {
    let default = (row.slot.shown)(settings).to_toml().map_or("not set".to_owned(), |d| format!("`{d}`"));
    let such_as = example(row).map(|text| format!("; such as `{text}`")).unwrap_or_default();
    let cells = [format!("`{}`", row.key()), row.expected() + &such_as, default, row.doc.to_owned()];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

impl Config {
    /// The values in force with their origin, as a TOML text that says the same.
    ///
    /// Trap addresses are only counted: what an operator passes on must not burn them.
    pub(crate) fn show(&self) -> String {
        let lines: Vec<_> = ROWS.iter().map(|row| (self.show_value(row), self.origin(row))).collect();
        let width = lines.iter().map(|(value, _)| value.chars().count()).filter(|w| *w < WIDTH / 2).max();
        let width = width.unwrap_or(0);
        lines.iter().map(|(value, origin)| format!("{value:width$}  # {origin}\n")).collect()
    }

    fn show_value(&self, row: &Row) -> String {
        match (row.slot.shown)(&self.settings) {
            Shown::List(items) if row.withheld => format!("# {} counts {}", row.name, items.len()),
            shown => shown.to_toml().map_or_else(
                || format!("# {} is not set", row.name),
                |value| format!("{} = {value}", row.name),
            ),
        }
    }

    fn origin(&self, row: &Row) -> String {
        let line = self.lines.get(row.name);
        line.map_or("default".to_owned(), |line| format!("{}:{line}", self.file))
    }

    /// The same as one JSON object: the file, and a list of settings.
    pub(crate) fn show_json(&self) -> Json {
        let settings: Vec<_> = ROWS.iter().map(|row| self.show_json_row(row)).collect();
        json!({ "file": self.file, "settings": settings })
    }

    fn show_json_row(&self, row: &Row) -> Json {
        let value = match (row.slot.shown)(&self.settings) {
            Shown::List(items) if row.withheld => json!({ "addresses": items.len() }),
            shown => shown.to_json(),
        };
        json!({
            "name": row.name,
            "value": value,
            "origin": if self.lines.contains_key(row.name) { "file" } else { "default" },
            "line": self.lines.get(row.name),
            "default": (row.slot.shown)(&defaults()).to_json(),
            "expected": row.expected(),
            "doc": row.doc,
        })
    }
}
