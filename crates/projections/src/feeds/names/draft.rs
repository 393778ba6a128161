//! Makes the bytes of a list of domains.

use std::fmt;

use model::Codes;

use super::{FeedEntry, HEAD, MAGIC, NAMES_MAX, NO_ROW, ROW, is_at_or_below, is_name, order};
use crate::feeds::value::{EXCLUDED, NOTHING, Packed, pack, to_bytes};

/// Of what a line of a list speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Covers {
    /// The name alone.
    Name,
    /// All names below it.
    Below,
    /// Both.
    Both,
}

/// Takes names in any order and makes the bytes of a [`Names`](super::Names).
///
/// The longest name decides; of two entries of one name the exclusion, then the one that
/// ends earlier, then the lower code. An entry that has run out says nothing: what is said
/// above it holds.
pub struct NamesBuilder {
    base_min: u32,
    lines: Vec<Line>,
}

struct Line {
    name: Box<str>,
    own: Packed,
    below: Packed,
}

/// Why a name can not be listed. The list's doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NotNamed {
    /// It is no domain name in lower case.
    NoName,
    /// The code is none of 2 to 19.
    NoCode(u8),
    /// There are more than [`NAMES_MAX`].
    TooMany,
}

impl fmt::Display for NotNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotNamed::NoName => f.write_str("expected a domain name in lower case"),
            NotNamed::NoCode(got) => write!(f, "expected a code from 2 to 19, but got {got}"),
            NotNamed::TooMany => write!(f, "expected at most {NAMES_MAX} names"),
        }
    }
}

impl std::error::Error for NotNamed {}

/// Says nothing.
const SAYS_NOTHING: Packed = 0xff_ff00 | NOTHING as Packed;

impl NamesBuilder {
    /// Nothing yet; ends are counted from minute `base_min` since 1970.
    pub fn new(base_min: u32) -> NamesBuilder {
        NamesBuilder { base_min, lines: Vec::new() }
    }

    /// Adds a line: a name in lower case without a dot at the end, and what is said of it,
    /// `None` for an exclusion.
    ///
    /// # Errors
    ///
    /// [`NotNamed`]; nothing is added.
    pub fn add(&mut self, name: &str, covers: Covers, entry: Option<FeedEntry>) -> Result<(), NotNamed> {
        if !is_name(name.as_bytes()) {
            return Err(NotNamed::NoName);
        }
        if let Some(FeedEntry { code, .. }) = entry.filter(|entry| Codes::of(entry.code).is_empty()) {
            return Err(NotNamed::NoCode(code));
        }
        if self.lines.len() >= NAMES_MAX {
            return Err(NotNamed::TooMany);
        }
        let value = entry.map_or(Packed::from(EXCLUDED), |entry| pack(entry, self.base_min));
        let said = |is_meant| if is_meant { value } else { SAYS_NOTHING };
        let (own, below) = (said(covers != Covers::Below), said(covers != Covers::Name));
        self.lines.push(Line { name: name.into(), own, below });
        Ok(())
    }

    /// The bytes of the list.
    pub fn finish(mut self) -> Vec<u8> {
        self.lines.sort_unstable_by(|a, b| order(a.name.as_bytes(), b.name.as_bytes()));
        self.lines.dedup_by(|next, kept| {
            let is_same = next.name == kept.name;
            if is_same {
                (kept.own, kept.below) = (kept.own.min(next.own), kept.below.min(next.below));
            }
            is_same
        });
        let codes: Codes = self.lines.iter().flat_map(|line| [line.own as u8, line.below as u8]).collect();
        let text_len: usize = self.lines.iter().map(|line| 1 + line.name.len()).sum();
        let mut bytes = Vec::with_capacity(HEAD + self.lines.len() * ROW + text_len);
        bytes.extend(MAGIC);
        let numbers = [self.base_min, codes.bits(), self.lines.len() as u32];
        bytes.extend(numbers.map(u32::to_le_bytes).as_flattened());
        write(&self.lines, &mut bytes);
        bytes
    }
}

/// Appends rows and text.
fn write(lines: &[Line], bytes: &mut Vec<u8>) {
    let (mut place, mut above) = (0_u32, Vec::<usize>::new());
    for (at, line) in lines.iter().enumerate() {
        let name = |at: usize| lines[at].name.as_bytes();
        while above.pop_if(|up| !is_at_or_below(name(at), name(*up))).is_some() {}
        bytes.extend(place.to_le_bytes());
        bytes.extend(above.last().map_or(NO_ROW, |up| *up as u32).to_le_bytes());
        bytes.extend(to_bytes(line.own));
        bytes.extend(to_bytes(line.below));
        above.push(at);
        place += 1 + line.name.len() as u32;
    }
    for line in lines {
        bytes.push(line.name.len() as u8);
        bytes.extend(line.name.as_bytes());
    }
}
