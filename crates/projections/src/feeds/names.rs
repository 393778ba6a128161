//! A bulk list of domains, in the bytes of its file.
//!
//! | bytes | what                                                                    |
//! |-------|-------------------------------------------------------------------------|
//! | 8     | `MWNAME1` and a zero                                                    |
//! | 4     | base: ends are counted from this minute since 1970                      |
//! | 4     | which codes there are, bit n for 127.0.0.n                              |
//! | 4     | names                                                                   |
//! | 14 n  | rows: where the name begins in the text (4), the row of the nearest name above it (4), what is said of itself (3), and of all below it (3) |
//! | …     | text: each name behind an octet with its length                         |
//!
//! Names are in lower case without a dot at the end, in the order of RFC 4034 §6.1: label
//! by label from the right. So all that lies below a name stands together behind it, and
//! one search finds what holds on a name: it is the last row not behind the name, or one
//! of the rows above that.

use std::cmp::Ordering;
use std::fmt;

use model::Codes;

use super::damaged::{Damaged, check};
use super::value::{self, EXCLUDED, FeedEntry, NOTHING, VALUE};

pub use self::draft::{Covers, NamesBuilder, NotNamed};

mod draft;

const MAGIC: &[u8; 8] = b"MWNAME1\0";
const HEAD: usize = 20;
const ROW: usize = 8 + 2 * VALUE;

/// In place of a row: no name stands above.
const NO_ROW: u32 = u32::MAX;

/// The most names of one list.
pub const NAMES_MAX: usize = 16_000_000;

/// How many names [`Names::any_below`] looks at before it says yes.
const LOOKS_MAX: usize = 4096;

/// A bulk list of domains; see the module's text.
pub struct Names {
    bytes: Vec<u8>,
    base_min: u32,
    codes: Codes,
    len: usize,
}

/// What a list says of a name, or of all below it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Said {
    /// Nothing: what is said above holds.
    Nothing,
    /// It is no member, whatever is said above.
    Excluded,
    /// It is one.
    Listed(FeedEntry),
}

/// One name of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Named<'a> {
    /// The name, in lower case, without a dot at the end.
    pub name: &'a str,
    /// What is said of the name itself.
    pub own: Said,
    /// What is said of every name below it.
    pub below: Said,
}

/// A row, taken apart.
struct Row<'a> {
    name: &'a [u8],
    parent: u32,
    own: &'a [u8],
    below: &'a [u8],
}

impl Names {
    /// A list of nothing.
    pub fn empty() -> Names {
        Names { bytes: NamesBuilder::new(0).finish(), base_min: 0, codes: Codes::NONE, len: 0 }
    }

    /// Takes the bytes of a list, after one look at everything in them.
    ///
    /// # Errors
    ///
    /// They are no list, or one of a later format. Whatever they are, nothing panics, and a
    /// list that was taken answers.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Names, Damaged> {
        check(bytes.starts_with(MAGIC) && bytes.len() >= HEAD, "the first bytes of the names")?;
        let [base_min, codes, len] = [8, 12, 16].map(|at| number(&bytes, at));
        let len = len as usize;
        check(len <= NAMES_MAX && bytes.len() >= HEAD + len * ROW, "the number of names")?;
        let names = Names { bytes, base_min, codes: Codes::from_bits(codes), len };
        check(names.checked()?.bits() == codes, "the codes of the names")?;
        Ok(names)
    }

    /// Its bytes, as [`Names::from_bytes`] takes them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What holds on a name, in lower case and without a dot at the end, in minute `now_min`
    /// since 1970 (UTC). Allocates nothing.
    pub fn get(&self, name: &str, now_min: u32) -> Option<FeedEntry> {
        let name = name.as_bytes();
        let mut at = self.first_from(name, Ordering::is_le).checked_sub(1);
        while let Some(row) = at.map(|at| self.row(at)) {
            let said = if row.name == name { row.own } else { row.below };
            match self.said(said) {
                Said::Excluded if is_at_or_below(name, row.name) => return None,
                Said::Listed(entry) if entry.holds(now_min) && is_at_or_below(name, row.name) => {
                    return Some(entry);
                }
                _ => at = (row.parent != NO_ROW).then_some(row.parent as usize),
            }
        }
        None
    }

    /// Whether a name at or below `name` stands in the list with one of `codes` in minute
    /// `now_min`. Looks at some thousand names at most, and says yes if there are more.
    pub fn any_below(&self, name: &str, codes: Codes, now_min: u32) -> bool {
        if self.codes.and(codes).is_empty() {
            return false;
        }
        let name = name.as_bytes();
        let from = self.first_from(name, Ordering::is_lt);
        let rows = (from..self.len).map(|at| self.row(at));
        let mut below = rows.take_while(|row| is_at_or_below(row.name, name));
        let counts = |said: &[u8]| matches!(self.said(said), Said::Listed(e) if e.counts(codes, now_min));
        let any = below.by_ref().take(LOOKS_MAX).any(|row| counts(row.own) || counts(row.below));
        any || below.next().is_some()
    }

    /// Everything in it, in its order; what has run out too.
    pub fn entries(&self) -> impl Iterator<Item = Named<'_>> {
        (0..self.len).map(|at| {
            let row = self.row(at);
            // Checked to be ASCII.
            let name = std::str::from_utf8(row.name).unwrap_or_default();
            Named { name, own: self.said(row.own), below: self.said(row.below) }
        })
    }

    /// Which codes there are.
    pub fn codes(&self) -> Codes {
        self.codes
    }

    /// How many names it holds, exclusions too.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of heap that it holds.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn said(&self, value: &[u8]) -> Said {
        let entry = value::read(value, self.base_min);
        match entry.code {
            NOTHING => Said::Nothing,
            EXCLUDED => Said::Excluded,
            _ => Said::Listed(entry),
        }
    }

    /// The first row of which `is_before` does not hold.
    fn first_from(&self, name: &[u8], is_before: fn(Ordering) -> bool) -> usize {
        let (mut from, mut to) = (0, self.len);
        while from < to {
            let middle = from.midpoint(to);
            if is_before(order(self.row(middle).name, name)) { from = middle + 1 } else { to = middle }
        }
        from
    }

    fn row(&self, at: usize) -> Row<'_> {
        let row = &self.bytes[HEAD + at * ROW..][..ROW];
        let text = &self.bytes[HEAD + self.len * ROW + number(row, 0) as usize..];
        Row {
            name: &text[1..][..usize::from(text[0])],
            parent: number(row, 4),
            own: &row[8..8 + VALUE],
            below: &row[8 + VALUE..],
        }
    }

    /// Looks at everything once; the codes that stand in it.
    fn checked(&self) -> Result<Codes, Damaged> {
        let (mut codes, mut above, mut place) = (Codes::NONE, Vec::<u32>::new(), 0);
        let text = &self.bytes[HEAD + self.len * ROW..];
        for at in 0..self.len {
            let row = &self.bytes[HEAD + at * ROW..][..ROW];
            let end = text.get(place).map(|len| place + 1 + usize::from(*len));
            check(
                number(row, 0) as usize == place && end.is_some_and(|e| e <= text.len()),
                "the text of the names",
            )?;
            place = end.unwrap_or_default();
            let row = self.row(at);
            check(is_name(row.name), "the names")?;
            check(at == 0 || order(self.row(at - 1).name, row.name).is_lt(), "the order of the names")?;
            while above.pop_if(|up| !is_at_or_below(row.name, self.row(*up as usize).name)).is_some() {}
            check(above.last().copied().unwrap_or(NO_ROW) == row.parent, "the names above")?;
            above.push(at as u32);
            codes = codes.or(code_of(row.own)?).or(code_of(row.below)?);
        }
        check(place == text.len(), "the end of the names")?;
        Ok(codes)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("len", &self.len).finish_non_exhaustive()
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn code_of(value: &[u8]) -> Result<Codes, Damaged> {
    let codes = Codes::of(value[2]);
    check(!codes.is_empty() || [NOTHING, EXCLUDED].contains(&value[2]), "the codes of the names")?;
    Ok(codes)
}

/// Label by label from the right; what ends first stands first (RFC 4034 §6.1).
fn order(a: &[u8], b: &[u8]) -> Ordering {
    a.rsplit(|octet| *octet == b'.').cmp(b.rsplit(|octet| *octet == b'.'))
}

/// Whether `name` is `above` or lies below it.
fn is_at_or_below(name: &[u8], above: &[u8]) -> bool {
    name.strip_suffix(above).is_some_and(|front| front.is_empty() || front.ends_with(b"."))
}

/// Whether it is a name as the list holds them: at most 253 octets, labels of 1 to 63.
fn is_name(name: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.iter().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || [b'-', b'_'].contains(c))
    };
    name.len() <= 253 && name.split(|octet| *octet == b'.').all(is_label)
}
