//! Bulk lists: addresses and domains by the million that an operator adopts from a file.
//!
//! Their entries are no events (DESIGN §4). Adopting a list is one event with the SHA-256
//! of its file, and the file is the table that answers look into: [`Flat`] for addresses,
//! [`Names`] for domains, both checked in one pass and never copied or changed. A newer
//! version of a list is another file, and one more event.
//!
//! What comes from lists of others has code 17 and nothing else; own ones never have it.
//! So no entry of others reaches a public or a transferred zone (STD-83).
//!
//! Protected keys are not looked at here: who answers asks the protected list of the day.
//! Figures and reasons: docs/decisions/feeds.md.

mod damaged;
mod flat;
mod in_force;
mod names;
mod overlap;
#[cfg(test)]
mod tests;
mod v4;
mod v6;
mod value;

use std::net::IpAddr;
use std::sync::Arc;

use model::codes::CODE_EXTERNAL;
use model::{Codes, FeedAdopted, FeedKind, FeedName, Millis, Prefix};

pub use self::damaged::Damaged;
pub use self::flat::{Builder, ENTRIES_MAX, Flat, NotListed, Span};
pub(crate) use self::in_force::InForce;
pub use self::names::{Covers, NAMES_MAX, Named, Names, NamesBuilder, NotNamed, Said};
pub use self::value::FeedEntry;

use self::damaged::check;

/// The most lists in force at once: each is asked at each look-up.
pub const FEEDS_MAX: usize = 32;

/// The most octets of a list's source text.
pub const SOURCE_LEN_MAX: usize = 400;

/// What stands in one file: the tables, and where they come from.
///
/// The bytes of [`Flat`], those of [`Names`], the source text; then the lengths of names and
/// text in four bytes each, little-endian, and `MWFEED1` and a zero.
#[derive(Clone, Debug)]
pub struct Table {
    /// The addresses.
    pub flat: Arc<Flat>,
    /// The domains.
    pub names: Arc<Names>,
    /// Where it comes from, as the operator said or as the files are called; printable.
    pub source: Arc<str>,
}

const MAGIC: &[u8; 8] = b"MWFEED1\0";
const FOOT: usize = 16;

impl Table {
    /// The bytes of a file of these parts; of `source` what is printable and not too long.
    pub fn to_bytes(mut flat: Vec<u8>, names: &[u8], source: &str) -> Vec<u8> {
        let source = printable(source);
        flat.extend(names);
        flat.extend(source.as_bytes());
        flat.extend((names.len() as u32).to_le_bytes());
        flat.extend((source.len() as u32).to_le_bytes());
        flat.extend(MAGIC);
        flat
    }

    /// Takes the bytes of a file, after one look at everything in them.
    ///
    /// # Errors
    ///
    /// They are no list, or one of a later format; never panics.
    pub fn from_bytes(mut bytes: Vec<u8>) -> Result<Table, Damaged> {
        check(bytes.ends_with(MAGIC) && bytes.len() >= FOOT, "the last bytes")?;
        let foot = bytes.split_off(bytes.len() - FOOT);
        let number = |at: usize| u32::from_le_bytes([foot[at], foot[at + 1], foot[at + 2], foot[at + 3]]);
        let mut part = |len: u32| {
            let from = bytes.len().checked_sub(len as usize).ok_or(Damaged("the lengths"))?;
            Ok(bytes.split_off(from))
        };
        let (source, names) = (part(number(4))?, part(number(0))?);
        let source = String::from_utf8(source).ok().filter(|text| *text == printable(text));
        Ok(Table {
            flat: Flat::from_bytes(bytes)?.into(),
            names: Names::from_bytes(names)?.into(),
            source: source.ok_or(Damaged("the source text"))?.into(),
        })
    }

    /// A table of nothing.
    pub fn empty() -> Table {
        Table { flat: Flat::empty().into(), names: Names::empty().into(), source: "".into() }
    }

    /// Which codes stand in it.
    pub fn codes(&self) -> Codes {
        self.flat.codes().or(self.names.codes())
    }
}

/// Printable ASCII of a text, everything else as `?`, cut at [`SOURCE_LEN_MAX`].
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(SOURCE_LEN_MAX).map(plain).collect()
}

/// One list in force.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Its name.
    pub name: FeedName,
    /// Whose it is.
    pub kind: FeedKind,
    /// SHA-256 of its file.
    pub hash: [u8; 32],
    /// How many entries its lines named.
    pub entries: u64,
    /// When it came into force.
    pub adopted_at: Millis,
    /// When it is no longer in force, unless it is adopted again.
    pub until: Millis,
    /// Where it comes from; printable.
    pub source: Arc<str>,
    /// The code of entries that have none of their own.
    pub code: u8,
    /// Its file is missing or damaged: the tables are empty, nothing is answered from it.
    pub is_missing: bool,
    /// The addresses.
    pub flat: Arc<Flat>,
    /// The domains.
    pub names: Arc<Names>,
}

impl Feed {
    /// A list with its table, or without one where that is missing.
    ///
    /// # Errors
    ///
    /// Code 17 stands in a list of our own, or another code in one of others (STD-83).
    pub fn new(adopted: &FeedAdopted, at: Millis, table: Option<&Table>) -> Result<Feed, Damaged> {
        let external = Codes::of(CODE_EXTERNAL);
        let codes = table.map_or(Codes::NONE, Table::codes);
        let is_apart = match adopted.kind {
            FeedKind::External => codes.without(external).is_empty(),
            FeedKind::Curated => codes.and(external).is_empty(),
        };
        check(is_apart, "the codes for its kind")?;
        Ok(Feed::of(adopted, at, table))
    }

    /// A list whose file can not be read, or is of another kind.
    pub fn missing(adopted: &FeedAdopted, at: Millis) -> Feed {
        Feed::of(adopted, at, None)
    }

    fn of(adopted: &FeedAdopted, at: Millis, table: Option<&Table>) -> Feed {
        let Table { flat, names, source } = table.cloned().unwrap_or_else(Table::empty);
        let FeedAdopted { name, kind, hash, code, until, entries } = adopted.clone();
        let is_missing = table.is_none();
        Feed { name, kind, hash, entries, adopted_at: at, until, source, code, is_missing, flat, names }
    }

    /// Whether it is in force at `now`.
    pub fn holds(&self, now: Millis) -> bool {
        now < self.until
    }

    /// What it says of an address at `now`; nothing once it is over.
    #[inline]
    pub fn get(&self, addr: IpAddr, now: Millis) -> Option<FeedEntry> {
        if self.holds(now) { self.flat.get(addr, now.minute()) } else { None }
    }

    /// What it says of a name at `now`, in lower case and without a dot at the end.
    pub fn get_name(&self, name: &str, now: Millis) -> Option<FeedEntry> {
        if self.holds(now) { self.names.get(name, now.minute()) } else { None }
    }

    /// Whether an address in `prefix` is listed with one of `codes` at `now`.
    pub fn any_in(&self, prefix: Prefix, codes: Codes, now: Millis) -> bool {
        self.holds(now) && self.flat.any_in(prefix, codes, now.minute())
    }

    /// Whether a name at or below `name` is listed with one of `codes` at `now`.
    pub fn any_below(&self, name: &str, codes: Codes, now: Millis) -> bool {
        self.holds(now) && self.names.any_below(name, codes, now.minute())
    }

    /// When an entry ends: with the list, or before it.
    pub fn end_of(&self, entry: FeedEntry) -> Millis {
        let own = entry.until_min.map(|until| Millis(u64::from(until) * 60_000));
        own.map_or(self.until, |own| own.min(self.until))
    }
}
