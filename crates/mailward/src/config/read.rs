//! From the file's text to settings: every key known, every value good, or every mistake
//! told.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue, Error as TomlError};

use super::error::ConfigError;
use super::forms::{Meant, Mismatch, Node, quoted};
use super::nearest::nearest;
use super::rows::{ROWS, Row, SECTIONS};
use super::settings::Settings;
use super::source::{Source, printable};

/// What a file says: settings, where each was set, and what is wrong.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) settings: Settings,
    /// Lines of the settings that stand in the file.
    pub(super) lines: BTreeMap<&'static str, usize>,
    pub(super) errors: Vec<ConfigError>,
}

/// Reads `source` over the defaults.
pub(super) fn read(source: Source<'_>) -> Reading {
    let mut reading = Reading { settings: defaults(), ..Reading::default() };
    let (document, syntax) = DeTable::parse_recoverable(source.text);
    let torn = syntax.iter().any(|error| !lacks_quotes(error));
    reading.errors.extend(syntax.iter().map(|error| syntax_error(source, error)));
    // A torn text has keys in wrong sections: what is said of them would mislead.
    if !torn {
        Walk { source, into: &mut reading }.table("", document.get_ref());
    }
    reading
}

/// The settings of the table's defaults.
pub(super) fn defaults() -> Settings {
    let mut settings = Settings::default();
    for row in ROWS {
        let Some(text) = row.default else { continue };
        // A test reads every default; here a bad one leaves the type's own.
        if let Ok(value) = DeValue::parse(text) {
            let _ = (row.slot.read)(&mut settings, &value);
        }
    }
    settings
}

/// What an error shows of a secret.
const WITHHELD: &str = "what is not shown here";

/// Whether a text error is only a string without quotes, which leaves the rest intact.
fn lacks_quotes(error: &TomlError) -> bool {
    error.message().starts_with("string values must be quoted")
}

fn syntax_error(source: Source<'_>, error: &TomlError) -> ConfigError {
    let span = error.span().unwrap_or_default();
    let at = source.place(span.start);
    if is_withheld(source, span.start) {
        let expected = error.message().split(',').next().unwrap_or_default().to_owned();
        return ConfigError::Syntax { at, expected, got: WITHHELD.to_owned(), meant: None };
    }
    let got = source.excerpt(span.clone());
    if lacks_quotes(error) {
        let meant = (!span.is_empty()).then(|| quoted(&got));
        return ConfigError::Syntax { at, expected: "a value".to_owned(), got, meant };
    }
    let got = format!("{got} ({})", error.message());
    ConfigError::Syntax { at, expected: "TOML".to_owned(), got, meant: None }
}

/// Whether a byte stands in or behind a setting that is never shown, and before the next one.
///
/// The text is no TOML there, so lines tell: one too many is withheld rather than a secret shown.
fn is_withheld(source: Source<'_>, at: usize) -> bool {
    let names = source.text.lines().take(source.line(at)).filter_map(|line| {
        let (name, _) = line.split_once('=')?;
        let name = name.trim().trim_matches(['"', '\'']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    });
    let withheld = |name: &str| ROWS.iter().any(|row| row.withheld && joined_ends(row.name, name));
    names.last().is_some_and(withheld)
}

/// Whether a setting may be written so in its section or above it.
fn joined_ends(whole: &str, written: &str) -> bool {
    let front = whole.strip_suffix(written);
    front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

struct Walk<'a, 'b> {
    source: Source<'a>,
    into: &'b mut Reading,
}

impl Walk<'_, '_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = joined(section, key.get_ref());
            if let Some(row) = ROWS.iter().find(|row| row.name == name && is_plain(key.get_ref())) {
                self.setting(row, key.span().start, value);
            } else if !is_plain(key.get_ref()) || !SECTIONS.iter().any(|s| s.is_or_holds(&name)) {
                self.unknown(section, key.get_ref(), key.span().start);
            } else if let DeValue::Table(inner) = value.get_ref() {
                self.table(&name, inner);
            } else {
                self.not_a_section(name, key.span().start, value);
            }
        }
    }

    fn setting(&mut self, row: &'static Row, key_at: usize, value: Node<'_>) {
        // A duplicate is a syntax error, but its second place would win here.
        if self.syntax_error_at(self.source.line(value.span().start)) {
            return;
        }
        self.into.lines.insert(row.name, self.source.line(key_at));
        for fault in (row.slot.read)(&mut self.into.settings, value).err().unwrap_or_default() {
            let error = self.bad_value(row, fault, value);
            self.into.errors.push(error);
        }
    }

    fn syntax_error_at(&self, line: usize) -> bool {
        let is_here = |e: &ConfigError| matches!(e, ConfigError::Syntax { at, .. } if at.line == line);
        self.into.errors.iter().any(is_here)
    }

    fn bad_value(&self, row: &Row, fault: Mismatch, whole: Node<'_>) -> ConfigError {
        let got = if row.withheld {
            WITHHELD.to_owned()
        } else if fault.at == whole.span() {
            self.source.excerpt_of(whole)
        } else {
            self.source.excerpt(fault.at.clone())
        };
        ConfigError::Setting {
            at: self.source.place(fault.at.start),
            name: row.name.to_owned(),
            expected: fault.expected,
            got,
            meant: match fault.meant {
                Meant::Unknown => None,
                _ if row.withheld => None,
                Meant::Toml(text) => Some(text),
                Meant::WithUnit(number) => with_unit_of(&number, row),
            },
        }
    }

    fn not_a_section(&mut self, name: String, at: usize, value: Node<'_>) {
        let expected = format!("a section [{name}]");
        let got = self.source.excerpt_of(value);
        let at = self.source.place(at);
        self.into.errors.push(ConfigError::Setting { at, name, expected, got, meant: None });
    }

    fn unknown(&mut self, section: &str, key: &str, at: usize) {
        let known = children(section);
        let near = nearest(key, known.iter().copied()).map(str::to_owned).or_else(|| elsewhere(key));
        let expected = match (&near, section) {
            (Some(_), "") => "a known key or section".to_owned(),
            (Some(_), _) => format!("a key of [{section}]"),
            (None, _) => format!("one of {}", known.join(", ")),
        };
        self.into.errors.push(ConfigError::Setting {
            at: self.source.place(at),
            name: printable(&joined(section, key)),
            expected,
            got: quoted(&printable(key)),
            meant: near.map(|near| quoted(&near)),
        });
    }
}

/// Whether a key is one name: a quoted key may hold dots, or nothing.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && !key.contains('.')
}

fn joined(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The keys and sections that may stand directly in `section`.
fn children(section: &str) -> Vec<&'static str> {
    let names = ROWS.iter().map(|row| row.name).chain(SECTIONS.iter().map(|s| s.name));
    let below = names.filter_map(|name| match section {
        "" => Some(name),
        _ => name.strip_prefix(section)?.strip_prefix('.'),
    });
    let mut found: Vec<_> =
        below.filter_map(|name| name.split('.').next()).filter(|n| !n.is_empty()).collect();
    found.dedup();
    found.sort_unstable();
    found.dedup();
    found
}

/// The full name of a key or section that stands in another section.
fn elsewhere(key: &str) -> Option<String> {
    let names = ROWS.iter().map(|row| row.name).chain(SECTIONS.iter().map(|s| s.name));
    let mut same = names.filter(|name| !name.is_empty() && name.rsplit('.').next() == Some(key));
    same.next().map(str::to_owned)
}

/// `number` with the unit of the row's default: `6` beside `2 h` is `6 h`.
fn with_unit_of(number: &str, row: &Row) -> Option<String> {
    let default = (row.slot.shown)(&defaults()).to_toml()?;
    let unit = default.trim_matches('"').split_once(' ')?.1;
    let unit = unit.split(' ').next()?;
    Some(quoted(&format!("{number} {unit}")))
}
