//! Signatures of bot families (OFF-20): how their programs greet and behave, as a text file.
//!
//! A family is told by at least two features that do not follow from each other: HELO name,
//! reverse DNS, conduct. Each has the day on which it was seen and one by which somebody must
//! look again; after that it says nothing. The shipped file explains the form.

use minicbor::{Decode, Encode};

use crate::name::Name;
use crate::observation::Habit;
use crate::time::Millis;

/// Families at once: each session is held against all of them.
pub const SIGNATURES_MAX: usize = 32;
/// The shipped file.
const SHIPPED: &str = include_str!("signatures.txt");

/// One family.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Signature {
    /// What it is called.
    #[n(0)]
    pub name: Name,
    /// The HELO name, with one `*` at its beginning or end.
    #[n(1)]
    pub helo: Option<Name>,
    /// What reverse DNS says: any of these.
    #[n(2)]
    pub rdns: Vec<Unnamed>,
    /// What the client was seen to do within a day.
    #[n(3)]
    pub conduct: Option<Habit>,
    /// The end of the day by which it must be reviewed.
    #[n(4)]
    pub until: Millis,
}

/// A client without a name of its own.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Unnamed {
    /// No name in reverse DNS.
    #[n(0)]
    Missing,
    /// One that does not point back.
    #[n(1)]
    Mismatch,
    /// One that is made from the address.
    #[n(2)]
    Generic,
}

impl Signature {
    /// How many features it has.
    pub fn features(&self) -> u64 {
        let given = [self.helo.is_some(), !self.rdns.is_empty(), self.conduct.is_some()];
        given.iter().filter(|given| **given).count() as u64
    }

    /// Whether a HELO name is its; one without a feature of the HELO takes any.
    pub fn takes_helo(&self, helo: Option<&Name>) -> bool {
        let Some(pattern) = &self.helo else { return true };
        helo.is_some_and(|helo| matches(pattern.as_bytes(), helo.as_bytes()))
    }
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if let Some(end) = pattern.strip_prefix(b"*") {
        return name.ends_with(end);
    }
    pattern.strip_suffix(b"*").map_or(pattern == name, |start| name.starts_with(start))
}

/// The families of the shipped file.
pub fn shipped() -> Vec<Signature> {
    parse(SHIPPED).unwrap_or_default()
}

/// Reads a file; the error names the line, from 1, and what was expected.
///
/// # Errors
///
/// The first line that is no signature, or one too many.
pub fn parse(text: &str) -> Result<Vec<Signature>, (usize, &'static str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let told = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let all = told.map(|(at, line)| signature(line).map_err(|expected| (at, expected)));
    let all: Vec<Signature> = all.collect::<Result<_, _>>()?;
    if all.len() > SIGNATURES_MAX {
        return Err((text.lines().count(), "at most 32 families"));
    }
    Ok(all)
}

fn signature(line: &str) -> Result<Signature, &'static str> {
    let mut words = line.split_whitespace();
    let name = words.next().map(|word| Name::new(word.as_bytes())).ok_or("a name")?;
    let seen = words.next().and_then(day).ok_or("the day on which it was seen, as 2026-11-22")?;
    let review = words.next().and_then(day).ok_or("the day by which it is reviewed, as 2027-11-22")?;
    if review < seen {
        return Err("a day of review after the day on which it was seen");
    }
    let until = Millis::from_secs((review + 1) * 86_400);
    let mut signature = Signature { name, helo: None, rdns: Vec::new(), conduct: None, until };
    for word in words {
        feature(&mut signature, word)?;
    }
    if signature.features() < 2 {
        return Err("two features of helo=, rdns= and conduct=");
    }
    Ok(signature)
}

fn feature(signature: &mut Signature, word: &str) -> Result<(), &'static str> {
    match word.split_once('=') {
        Some(("helo", pattern)) if is_pattern(pattern) => {
            signature.helo = Some(Name::new(pattern.as_bytes()));
        }
        Some(("rdns", list)) => {
            signature.rdns = list.split(',').map(unnamed).collect::<Option<_>>().ok_or(RDNS)?;
        }
        Some(("conduct", habit)) => {
            signature.conduct = Some(Habit::from_word(habit).ok_or("a conduct that `observe` knows")?);
        }
        _ => return Err("helo=NAME, rdns=… or conduct=…"),
    }
    Ok(())
}

const RDNS: &str = "rdns= with missing, mismatch or generic, several with commas";

fn unnamed(word: &str) -> Option<Unnamed> {
    Some(match word {
        "missing" => Unnamed::Missing,
        "mismatch" => Unnamed::Mismatch,
        "generic" => Unnamed::Generic,
        _ => return None,
    })
}

/// Three letters at least: a shorter pattern is half the world's.
fn is_pattern(pattern: &str) -> bool {
    let bare = pattern.strip_prefix('*').or(pattern.strip_suffix('*')).unwrap_or(pattern);
    bare.len() >= 3 && bare.is_ascii() && !bare.contains('*')
}

/// Days since 1970 of `2026-11-22`.
fn day(text: &str) -> Option<u64> {
    let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
    let (y, m, d) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = (1970..=9999).contains(&y) && (1..=12).contains(&m) && (1..=31).contains(&d);
    if !fits || parts.next().is_some() {
        return None;
    }
    // March is the first month, so that the leap day is the last of its year.
    let (y, m) = if m > 2 { (y, m - 3) } else { (y - 1, m + 9) };
    Some(y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + d - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let got = parse(line).map(|all| format!("{} with {}", all[0].name, all[0].features()));
        assert_eq!(got.unwrap_or_else(|(at, expected)| format!("{at}: expected {expected}")), expect);
    }

    #[test]
    fn the_shipped_file_is_good() {
        let shipped = parse(SHIPPED).unwrap();
        assert!(!shipped.is_empty() && shipped.iter().all(|one| one.features() >= 2));
        assert_eq!(shipped[0].until, Millis::from_secs(1_827_619_200), "2027-12-01");
    }

    #[test]
    fn off_20_a_family_needs_two_features_and_two_dates() {
        check("a 2026-11-22 2027-11-22 helo=pc-* conduct=early-talk", "a with 2");
        check("a 2026-11-22 2027-11-22 helo=pc-*", "1: expected two features of helo=, rdns= and conduct=");
        check("# x\na 2026-11-22 helo=pc-*", "2: expected the day by which it is reviewed, as 2027-11-22");
        check(
            "a 2026-11-22 2025-11-22 helo=pc-* rdns=missing",
            "1: expected a day of review after the day on which it was seen",
        );
        check("a 2026-11-22 2027-11-22 helo=* rdns=missing", "1: expected helo=NAME, rdns=… or conduct=…");
        check("a 2026-13-22 x", "1: expected the day on which it was seen, as 2026-11-22");
        check(
            &"a 2026-11-22 2027-11-22 helo=pc-* rdns=missing\n".repeat(33),
            "33: expected at most 32 families",
        );
    }

    #[test]
    fn one_star_stands_for_anything() {
        let of = |pattern: &str, name: &str| matches(pattern.as_bytes(), name.as_bytes());
        assert!(of("pc-*", "pc-7") && of("*.lan", "x.lan") && of("ylmf-pc", "ylmf-pc"));
        assert!(!of("pc-*", "xpc-7") && !of("ylmf-pc", "ylmf-pc2"));
    }
}
