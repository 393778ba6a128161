//! From files of lists to one table (`mailward import`).
//!
//! Lines are read as `wire::lists` says; what may be listed is decided here: nothing of our
//! own networks and of protected keys, no name that is ours or everybody's, nothing very wide
//! without a word (STD-16), and code 17 for all that comes from others and for nothing else
//! (STD-83).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use engine::Keeper;
use model::atlas::ends;
use model::codes::CODE_EXTERNAL;
use model::{FeedKind, Prefix};
use projections::feeds::{self, Builder, FeedEntry, NamesBuilder, Table};
use wire::lists::{Entry, Format, Reader, Says, Skipped};

/// Errors that are told one by one.
const TOLD: usize = 5;

/// Entries of one kind that are named.
const NAMED: usize = 10;

/// Entries wider than /16 (IPv6: /32) need a word (STD-16).
const WIDE_V4: u128 = 1 << 16;
const WIDE_V6: u128 = 1 << 96;

/// How a list is taken.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Whose it is.
    pub(crate) kind: FeedKind,
    /// How its lines are written; by their looks if nothing is said.
    pub(crate) format: Option<Format>,
    /// The code of entries without one.
    pub(crate) code: u8,
    /// What is never listed.
    pub(crate) walls: Vec<Prefix>,
    /// The same of names.
    pub(crate) keeper: Keeper,
}

/// Entries that are counted, the first of them by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    pub(crate) count: u64,
    pub(crate) first: Vec<String>,
}

impl Noted {
    fn note(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(what);
        }
    }
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What was found in the files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) lines: u64,
    pub(crate) addresses: u64,
    pub(crate) names: u64,
    pub(crate) exclusions: u64,
    /// Entries by code.
    pub(crate) codes: BTreeMap<u8, u64>,
    pub(crate) formats: Vec<Format>,
    pub(crate) skipped: Skipped,
    pub(crate) broken: u64,
    /// The first errors, with file and line.
    pub(crate) errors: Vec<String>,
    /// Entries that need a word.
    pub(crate) wide: Noted,
    /// Names that no list may hold, by what keeps them.
    pub(crate) kept: BTreeMap<&'static str, Noted>,
    /// Files that end inside a line, which is left out: half an address is a whole network.
    pub(crate) torn: Vec<String>,
    /// The widest entry.
    widest: Option<(u128, String)>,
    /// How many entries lost something to which wall.
    pub(crate) cut: BTreeMap<Prefix, u64>,
}

impl Found {
    /// All entries that list something.
    pub(crate) fn entries(&self) -> u64 {
        self.addresses + self.names
    }

    /// The widest entry, in words.
    pub(crate) fn widest(&self) -> Option<&str> {
        self.widest.as_ref().map(|(_, text)| text.as_str())
    }
}

/// A table that is being made.
pub(crate) struct Import {
    terms: Terms,
    walls: Vec<(IpAddr, IpAddr, Prefix)>,
    addresses: Builder,
    names: NamesBuilder,
    pub(crate) found: Found,
}

impl Import {
    /// Nothing yet.
    pub(crate) fn new(terms: Terms) -> Import {
        let walls = terms.walls.iter().map(|wall| (ends(*wall).0, ends(*wall).1, *wall)).collect();
        // No line says when it ends: all hold as long as the list.
        let (addresses, names) = (Builder::new(0), NamesBuilder::new(0));
        Import { terms, walls, addresses, names, found: Found::default() }
    }

    /// Takes a file. `name` is how errors call it; `went` hears of bytes that are done.
    pub(crate) fn file(&mut self, name: &str, bytes: &[u8], went: &mut dyn FnMut(u64)) {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (bytes, torn) = bytes.split_at(end);
        if !torn.trim_ascii().is_empty() {
            self.found.torn.push(name.to_owned());
        }
        went(torn.len() as u64);
        let format = self.terms.format.unwrap_or_else(|| Format::guess(bytes));
        let mut reader = Reader::new(format);
        for (number, line) in (1_u64..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let line = &line[..line.len() - 1];
            if let Err(error) = self.line(&mut reader, line) {
                self.found.broken += 1;
                if self.found.errors.len() < TOLD {
                    self.found.errors.push(format!("{name}:{number}: {error}"));
                }
            }
            self.found.lines += 1;
            went(line.len() as u64 + 1);
        }
        self.found.formats.push(format);
        self.skip(reader.skipped());
    }

    fn skip(&mut self, skipped: Skipped) {
        let all = &mut self.found.skipped;
        all.specials += skipped.specials;
        all.texts += skipped.texts;
        all.values += skipped.values;
        all.tests += skipped.tests;
    }

    fn line(&mut self, reader: &mut Reader, line: &[u8]) -> Result<(), String> {
        match reader.line(line).map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(Entry::Addresses(first, last, says)) => self.addresses(first, last, says),
            Some(Entry::Name(name, covers, says)) => self.name(&name, covers, says),
        }
    }

    fn addresses(&mut self, first: IpAddr, last: IpAddr, says: Says) -> Result<(), String> {
        let Some(code) = self.code(says)? else {
            self.found.exclusions += 1;
            return self.addresses.exclude(first, last).map_err(|error| error.to_string());
        };
        let entry = FeedEntry { code, until_min: None };
        self.addresses.add(first, last, entry).map_err(|error| format!("{first}-{last}: {error}"))?;
        self.found.addresses += 1;
        *self.found.codes.entry(code).or_default() += 1;
        self.weigh(first, last);
        for (from, to, wall) in &self.walls {
            if from.is_ipv4() == first.is_ipv4() && *from <= last && first <= *to {
                *self.found.cut.entry(*wall).or_default() += 1;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str, covers: wire::lists::Covers, says: Says) -> Result<(), String> {
        let code = self.code(says)?;
        if code.is_some() && self.keeps(name) {
            return Ok(());
        }
        let covers = match covers {
            wire::lists::Covers::Name => feeds::Covers::Name,
            wire::lists::Covers::Below => feeds::Covers::Below,
            wire::lists::Covers::Both => feeds::Covers::Both,
        };
        let entry = code.map(|code| FeedEntry { code, until_min: None });
        self.names.add(name, covers, entry).map_err(|error| format!("{name}: {error}"))?;
        match code {
            None => self.found.exclusions += 1,
            Some(code) => {
                self.found.names += 1;
                *self.found.codes.entry(code).or_default() += 1;
                if !name.contains('.') && covers != feeds::Covers::Name {
                    self.found.wide.note(format!("everything below {name}"));
                }
            }
        }
        Ok(())
    }

    /// Whether no list may hold a name. A wider entry would hold it too, and is kept itself.
    fn keeps(&mut self, name: &str) -> bool {
        let why = self.terms.keeper.why(name.as_bytes());
        let noted = why.map(|why| self.found.kept.entry(why.heading()).or_default());
        noted.map(|noted| noted.note(name.to_owned())).is_some()
    }

    /// The code of an entry; none of an exclusion.
    fn code(&self, says: Says) -> Result<Option<u8>, String> {
        match (says, self.terms.kind) {
            (Says::Excluded, _) => Ok(None),
            (_, FeedKind::External) => Ok(Some(CODE_EXTERNAL)),
            (Says::Listed(Some(CODE_EXTERNAL)), FeedKind::Curated) => {
                Err("code 17 is for lists of others (--as external)".to_owned())
            }
            (Says::Listed(code), FeedKind::Curated) => Ok(Some(code.unwrap_or(self.terms.code))),
        }
    }

    /// Notes how wide an entry is.
    fn weigh(&mut self, first: IpAddr, last: IpAddr) {
        let (width, limit, bits) = match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (u128::from(b.to_bits() - a.to_bits()), WIDE_V4, u128::from(u32::MAX))
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => (b.to_bits() - a.to_bits(), WIDE_V6, u128::MAX),
            _ => return,
        };
        // Compared by the share of the family: a /64 is less than a /24.
        let share = if bits == u128::MAX { width >> 96 } else { width };
        if self.found.widest.as_ref().is_none_or(|(known, _)| share > *known) {
            self.found.widest = Some((share, span(first, last)));
        }
        if width >= limit {
            self.found.wide.note(span(first, last));
        }
    }

    /// The bytes of the table, and what was found.
    ///
    /// # Errors
    ///
    /// A text: all entries together list what can not be listed.
    pub(crate) fn finish(mut self, source: &str) -> Result<(Vec<u8>, Found), String> {
        for wall in &self.terms.walls {
            self.addresses.cut(*wall).map_err(|error| error.to_string())?;
        }
        let addresses = self.addresses.finish().map_err(|error| error.to_string())?;
        Ok((Table::to_bytes(addresses, &self.names.finish(), source), self.found))
    }
}

/// A range as a person reads it: an address, a prefix where it is one, else its two ends.
pub(crate) fn span(first: IpAddr, last: IpAddr) -> String {
    let mut prefixes = projections::spans::prefixes(first, last);
    match (prefixes.next(), prefixes.next()) {
        (Some(prefix), None) => prefix.to_string(),
        _ => format!("{first}-{last}"),
    }
}

#[cfg(test)]
mod tests;
