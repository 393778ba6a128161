//! Lists of addresses and domains as files: rbldnsd's data files, and plain ones.
//!
//! One line is one entry. rbldnsd has a manual and no standard ([rbldnsd(8)], sections
//! ‘ip4set’, ‘ip4trie’, ‘ip6trie’, ‘dnset’ and ‘Resulting A values’); a plain list has one
//! address, prefix or range a line, with comments.
//!
//! What is taken from a file are entries, exclusions and codes. Its texts are dropped and
//! counted, because the texts of our zones are our own (STD-5), and so are its SOA, NS and
//! TTL. Test entries (RFC 5782 §5) are left out: every zone of ours has them anyway.
//!
//! This module turns one line after another into words. It opens no file and knows nothing
//! of what may be listed.
//!
//! [rbldnsd(8)]: https://manpages.debian.org/stable/rbldnsd/rbldnsd.8.en.html

mod address;
mod error;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

pub use self::error::LineError;

use crate::text::quoted;

/// The longest line that is read: an entry and a text of 255 octets are far below it.
pub const LINE_LEN_MAX: usize = 4096;

/// How many lines [`Format::guess`] looks at.
const GUESS_LINES: usize = 1000;

/// Addresses that every list has for tests (RFC 5782 §5).
const TEST_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const TEST_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, 2));

/// RFC 5782 §5: every list of domains holds ‘test’ and none holds ‘invalid’, whatever a file says.
const TEST_NAMES: [&str; 2] = ["test", "invalid"];

/// How the lines of a file are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// rbldnsd's ip4set: addresses, their beginnings (`192.0.2` is a /24), prefixes, ranges.
    Ip4set,
    /// rbldnsd's ip4trie and ip6trie: prefixes of both families.
    Ip4trie,
    /// rbldnsd's dnset: domains, `*.` for all below one, `.` for both.
    Dnset,
    /// One address, prefix or range a line, written out.
    Plain,
}

impl Format {
    /// What a file seems to be, by its first thousand lines; every line of it is read as that.
    ///
    /// Names with letters make a dnset. Values, directives and beginnings of addresses make
    /// an ip4set, or with IPv6 in it an ip4trie; anything else is a plain list.
    pub fn guess(file: &[u8]) -> Format {
        let (mut is_rbldnsd, mut is_v6) = (false, false);
        for line in file.split(|byte| *byte == b'\n').take(GUESS_LINES) {
            match line.trim_ascii() {
                [] | [b'#' | b';', ..] => {}
                [b'$' | b':', ..] if !line.starts_with(b"::") => is_rbldnsd = true,
                line => {
                    let word = value::word(line.strip_prefix(b"!").unwrap_or(line)).0;
                    if word.contains(&b':') {
                        is_v6 = true;
                    } else if word.iter().any(u8::is_ascii_alphabetic) {
                        return Format::Dnset;
                    }
                    is_rbldnsd |= line[0] == b'!' || address::plain(word).is_err();
                }
            }
        }
        match (is_rbldnsd, is_v6) {
            (true, false) => Format::Ip4set,
            (true, true) => Format::Ip4trie,
            (false, _) => Format::Plain,
        }
    }

    /// Its word on a command line.
    pub fn word(self) -> &'static str {
        match self {
            Format::Ip4set => "ip4set",
            Format::Ip4trie => "ip4trie",
            Format::Dnset => "dnset",
            Format::Plain => "plain",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Format {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Format, LineError> {
        let all = [Format::Ip4set, Format::Ip4trie, Format::Dnset, Format::Plain];
        let named = all.into_iter().find(|format| format.word() == text);
        named.ok_or_else(|| LineError::Format { got: quoted(text.as_bytes()) })
    }
}

/// What is said of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Says {
    /// It is listed, with this 127.0.0.n if the file says one that has a meaning (2 to 19).
    Listed(Option<u8>),
    /// It is no member, whatever wider entries say.
    Excluded,
}

/// Of which names an entry of a dnset speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Covers {
    /// `example.com`: the name alone.
    Name,
    /// `*.example.com`: all names below it.
    Below,
    /// `.example.com`: both.
    Both,
}

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry<'a> {
    /// Addresses from the first to the last, both in it, of one family.
    Addresses(IpAddr, IpAddr, Says),
    /// A name in lower case, without a dot at the end.
    Name(Cow<'a, str>, Covers, Says),
}

/// What was in a file and is not taken from it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Skipped {
    /// `$SOA`, `$NS`, `$TTL` and their like.
    pub specials: u64,
    /// Texts.
    pub texts: u64,
    /// A records that are none of 127.0.0.2 to 127.0.0.19.
    pub values: u64,
    /// Test entries.
    pub tests: u64,
}

/// Reads the lines of one file.
#[derive(Clone, Debug)]
pub struct Reader {
    format: Format,
    /// The code of entries without one, as the last line that began with a colon said.
    default: Option<u8>,
    skipped: Skipped,
}

impl Reader {
    /// For the lines of one file.
    pub fn new(format: Format) -> Reader {
        Reader { format, default: None, skipped: Skipped::default() }
    }

    /// Takes the next line, with or without its line break; `None` where no entry stands.
    ///
    /// # Errors
    ///
    /// The line is none of this format; the next one can be read all the same.
    pub fn line<'a>(&mut self, line: &'a [u8]) -> Result<Option<Entry<'a>>, LineError> {
        if line.len() > LINE_LEN_MAX {
            return Err(LineError::TooLong { got: quoted(line) });
        }
        let line = line.trim_ascii();
        match line {
            [b'$', ..] | [b'#' | b';' | b':', b'$', ..] if self.format != Format::Plain => {
                self.skipped.specials += 1;
                Ok(None)
            }
            [] | [b'#' | b';', ..] => Ok(None),
            // `::1` is an address.
            [b':', ..] if self.format != Format::Plain && !line.starts_with(b"::") => self.set_default(line),
            _ => self.entry(line),
        }
    }

    /// What was left out so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    fn set_default(&mut self, line: &[u8]) -> Result<Option<Entry<'static>>, LineError> {
        let value = value::value(line)?;
        self.default = value.code;
        self.count(&value);
        Ok(None)
    }

    fn count(&mut self, value: &value::Value) {
        self.skipped.texts += u64::from(value.has_text);
        self.skipped.values += u64::from(value.is_foreign);
    }

    fn entry<'a>(&mut self, line: &'a [u8]) -> Result<Option<Entry<'a>>, LineError> {
        let bare = line.strip_prefix(b"!").map(<[u8]>::trim_ascii_start);
        let (word, rest) = value::word(bare.unwrap_or(line));
        let says = match (bare, self.format) {
            (Some(_), _) => Says::Excluded,
            (None, Format::Plain) => Says::Listed(None),
            (None, _) => self.says(rest)?,
        };
        let entry = match self.format {
            Format::Ip4set => address::ip4set(word),
            Format::Ip4trie => address::trie(word),
            Format::Plain => address::plain(word),
            Format::Dnset => return self.name(word, says),
        };
        let (first, last) = entry?;
        if first == last && [TEST_V4, TEST_V6].contains(&first) {
            self.skipped.tests += 1;
            return Ok(None);
        }
        Ok(Some(Entry::Addresses(first, last, says)))
    }

    /// What the rest of a line says.
    fn says(&mut self, rest: &[u8]) -> Result<Says, LineError> {
        if rest.is_empty() {
            return Ok(Says::Listed(self.default));
        }
        let value = if rest[0] == b':' { value::value(rest)? } else { value::Value::TEXT };
        self.count(&value);
        Ok(Says::Listed(value.code.or(self.default)))
    }

    fn name<'a>(&mut self, word: &'a [u8], says: Says) -> Result<Option<Entry<'a>>, LineError> {
        let (covers, name) = match word {
            [b'*', b'.', name @ ..] => (Covers::Below, name),
            [b'.', name @ ..] => (Covers::Both, name),
            name => (Covers::Name, name),
        };
        let name = address::name(name).ok_or_else(|| LineError::Name { got: quoted(word) })?;
        if TEST_NAMES.contains(&&*name) {
            self.skipped.tests += 1;
            return Ok(None);
        }
        Ok(Some(Entry::Name(name, covers, says)))
    }
}
