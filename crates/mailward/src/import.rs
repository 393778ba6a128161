//! From files of lists to one table (`mailward import`).
//!
//! Lines are read as `wire::lists` says; what may be listed is decided here: nothing of our
//! own networks and of protected keys, nothing very wide without a word (STD-16), and code
//! 17 for all that comes from others and for nothing else (STD-83).

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::atlas::ends;
use model::codes::CODE_EXTERNAL;
use model::{FeedKind, Prefix};
use projections::feeds::{self, Builder, FeedEntry, NamesBuilder, Table};
use wire::lists::{Entry, Format, Reader, Says, Skipped};

/// Errors that are told one by one.
const TOLD: usize = 5;

/// Wide entries that are named.
const NAMED: usize = 5;

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
    /// Entries that need a word, the first few by name.
    pub(crate) wide: u64,
    pub(crate) wide_named: Vec<String>,
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
        let format = self.terms.format.unwrap_or_else(|| Format::guess(bytes));
        let mut reader = Reader::new(format);
        for (number, line) in (1_u64..).zip(bytes.split(|byte| *byte == b'\n')) {
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
                    self.wide(format!("everything below {name}"));
                }
            }
        }
        Ok(())
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
            self.wide(span(first, last));
        }
    }

    fn wide(&mut self, what: String) {
        self.found.wide += 1;
        if self.found.wide_named.len() < NAMED {
            self.found.wide_named.push(what);
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
mod tests {
    use super::*;

    fn import(kind: FeedKind, walls: &[&str], file: &str) -> (Table, Found) {
        let walls = walls.iter().map(|wall| wall.parse().unwrap()).collect();
        let mut import = Import::new(Terms { kind, format: None, code: 3, walls });
        let mut went = 0;
        import.file("list.txt", file.as_bytes(), &mut |bytes| went += bytes);
        assert_eq!(went, file.len() as u64 + 1);
        let (bytes, found) = import.finish("list.txt").unwrap();
        (Table::from_bytes(bytes).unwrap(), found)
    }

    fn code(table: &Table, addr: &str) -> Option<u8> {
        table.flat.get(addr.parse().unwrap(), 0).map(|entry| entry.code)
    }

    #[test]
    fn std_83_what_comes_from_others_has_code_17_and_own_entries_never() {
        let file = ":4:x\n192.0.2.1\n192.0.2.2 :17:\n192.0.2.3 :5:\n";
        let (table, found) = import(FeedKind::External, &[], file);
        assert_eq!(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|a| code(&table, a)), [Some(17); 3]);
        assert_eq!((found.entries(), found.broken), (3, 0));
        let (table, found) = import(FeedKind::Curated, &[], file);
        assert_eq!(
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|a| code(&table, a)),
            [Some(4), None, Some(5)]
        );
        assert_eq!(found.errors, ["list.txt:3: code 17 is for lists of others (--as external)"]);
        assert_eq!(found.codes.into_iter().collect::<Vec<_>>(), [(4, 1), (5, 1)]);
    }

    #[test]
    fn own_networks_and_protected_keys_are_cut_out_and_named() {
        let walls = ["192.0.2.64/26", "198.51.100.7", "203.0.113.0/24"];
        let (table, found) = import(FeedKind::Curated, &walls, "192.0.2.0/24\n192.0.2.65\n198.51.100.7\n");
        let asked = ["192.0.2.63", "192.0.2.64", "192.0.2.65", "192.0.2.128", "198.51.100.7"];
        assert_eq!(asked.map(|a| code(&table, a)), [Some(3), None, None, Some(3), None]);
        let cut: Vec<_> = found.cut.iter().map(|(wall, entries)| format!("{wall} {entries}")).collect();
        assert_eq!(cut, ["192.0.2.64/26 2", "198.51.100.7 1"]);
    }

    #[test]
    fn std_16_wide_entries_are_counted_and_named_and_the_widest_is_told() {
        let file =
            "198.18.0.0/16\n10.0.0.0/15\n172.16.0.0-172.17.0.9\n2001:db8::/31\n2001:db9::/33\n11.0.0.0/8\n";
        let (_, found) = import(FeedKind::Curated, &[], file);
        assert_eq!(found.wide_named, ["10.0.0.0/15", "172.16.0.0-172.17.0.9", "2001:db8::/31"]);
        assert_eq!((found.wide, found.widest()), (3, Some("10.0.0.0/15")));
        let errors = ["list.txt:6: 11.0.0.0-11.255.255.255: a whole IPv4 /8 or IPv6 /19 can not be listed"];
        assert_eq!(found.errors, errors);
        let (_, found) = import(FeedKind::Curated, &[], ".top\n.example.top\ncom\n");
        assert_eq!(found.wide_named, ["everything below top"]);
    }

    #[test]
    fn what_is_left_out_is_counted_and_only_the_first_errors_are_told() {
        let file = format!("$TTL 5\n127.0.0.2\n192.0.2.1 text\n!192.0.2.9\n{}", "x/y\n".repeat(9));
        let mut import = Import::new(Terms {
            kind: FeedKind::Curated,
            format: Some(Format::Ip4set),
            code: 2,
            walls: Vec::new(),
        });
        import.file("a", file.as_bytes(), &mut |_| {});
        let (_, found) = import.finish("a").unwrap();
        assert_eq!((found.broken, found.errors.len(), found.exclusions, found.entries()), (9, TOLD, 1, 1));
        assert_eq!(found.skipped, Skipped { specials: 1, texts: 1, tests: 1, values: 0 });
        assert!(found.errors[0].starts_with("a:5: expected an address"), "{:?}", found.errors);
    }
}
