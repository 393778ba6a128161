//! Trap addresses: those in the configuration, and files with one a line.
//!
//! In a file, an empty line and one that begins with `#` say nothing. An address is one
//! kind of trap only, and never one that is open to blocked hosts: who asks for help there
//! would be blocked for asking.

use std::collections::BTreeMap;
use std::path::Path;

use model::policy::TrapKind;

use super::error::{ConfigError, Place};
use super::forms::{Written, quoted};
use super::net::{Mailbox, Recipient};
use super::settings::Settings;
use super::source::printable;

/// Reads a whole text file; the error is what the system says.
pub(super) type Open<'a> = &'a dyn Fn(&Path) -> Result<String, String>;

/// Trap addresses with their kind, in order of address.
pub(super) type Traps = BTreeMap<Mailbox, TrapKind>;

/// One address where it stands.
struct Entry {
    address: Mailbox,
    kind: TrapKind,
    name: &'static str,
    at: Place,
}

/// Collects the traps of `settings` and tells what is wrong with them.
pub(super) fn collect(
    settings: &Settings,
    lines: &BTreeMap<&'static str, usize>,
    file: &str,
    open: Open<'_>,
) -> (Traps, Vec<ConfigError>) {
    let mut reader = Reader { lines, file, open, entries: Vec::new(), errors: Vec::new() };
    let traps = &settings.traps;
    reader.list("traps.pristine", &traps.pristine, TrapKind::Pristine);
    reader.list("traps.recycled", &traps.recycled, TrapKind::Recycled);
    reader.file("traps.pristine-file", traps.pristine_file.as_deref(), TrapKind::Pristine);
    reader.file("traps.recycled-file", traps.recycled_file.as_deref(), TrapKind::Recycled);
    let Reader { entries, mut errors, .. } = reader;
    let mut found = Traps::new();
    for entry in entries {
        errors.extend(admit(entry, settings, &mut found));
    }
    (found, errors)
}

struct Reader<'a> {
    lines: &'a BTreeMap<&'static str, usize>,
    file: &'a str,
    open: Open<'a>,
    entries: Vec<Entry>,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn list(&mut self, name: &'static str, addresses: &[Mailbox], kind: TrapKind) {
        let at = self.place(name);
        let entry = |address: &Mailbox| Entry { address: address.clone(), kind, name, at: at.clone() };
        self.entries.extend(addresses.iter().map(entry));
    }

    fn place(&self, name: &'static str) -> Place {
        Place { file: self.file.to_owned(), line: self.lines.get(name).copied().unwrap_or(1) }
    }

    fn file(&mut self, name: &'static str, path: Option<&Path>, kind: TrapKind) {
        let Some(path) = path else { return };
        match (self.open)(path) {
            Ok(text) => self.lines_of(name, path, &text, kind),
            Err(why) => self.errors.push(ConfigError::Setting {
                at: self.place(name),
                name: name.to_owned(),
                expected: "a readable text file".to_owned(),
                got: format!("{} ({why})", quoted(&printable(&path.display().to_string()))),
                meant: None,
            }),
        }
    }

    fn lines_of(&mut self, name: &'static str, path: &Path, text: &str, kind: TrapKind) {
        for (line, address) in (1..).zip(text.lines().map(str::trim)) {
            if address.is_empty() || address.starts_with('#') {
                continue;
            }
            let at = Place { file: path.display().to_string(), line };
            match Mailbox::parse(address) {
                Ok(address) => self.entries.push(Entry { address, kind, name, at }),
                Err(fault) => self.errors.push(ConfigError::Setting {
                    at,
                    name: name.to_owned(),
                    expected: Mailbox::expected(),
                    got: quoted(&printable(address)),
                    meant: fault.meant,
                }),
            }
        }
    }
}

/// Takes one trap in, or says why it can not be one.
fn admit(entry: Entry, settings: &Settings, found: &mut Traps) -> Option<ConfigError> {
    let expected = if is_open(&entry.address, settings) {
        "an address that is not open to blocked hosts (own.exempt, portal.contact)"
    } else if *found.entry(entry.address.clone()).or_insert(entry.kind) != entry.kind {
        "an address that is not in the other list of traps"
    } else {
        return None;
    };
    Some(ConfigError::Setting {
        at: entry.at,
        name: entry.name.to_owned(),
        expected: expected.to_owned(),
        got: quoted(&entry.address.0),
        meant: None,
    })
}

fn is_open(address: &Mailbox, settings: &Settings) -> bool {
    let local = address.0.rsplit_once('@').map_or("", |(local, _)| local);
    let opens = |recipient: &Recipient| match recipient {
        Recipient::Local(name) => name == local,
        Recipient::Address(open) => open == address,
    };
    settings.portal.contact.as_ref() == Some(address) || settings.own.exempt.iter().any(opens)
}
