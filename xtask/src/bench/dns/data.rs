//! Data sets of the DNS measurements, made from a fixed seed.
//!
//! A set is written once for a run: as rbldnsd reads it, as a plain list, as a zone
//! file where one can be, and as finished questions, half of them about listed
//! addresses. A deny list of a million prefixes has no zone file: each /25 … /29 would
//! have to be written out address by address.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::question;
use crate::bench::scratch::Scratch;
use crate::error::TaskError;
use crate::random::Random;

/// The zone that every subject answers for.
pub(super) const ZONE: &str = "bl.dnsbl.test";

/// Finished questions of a set: far more than fit into a cache.
const QUESTIONS: usize = 1_000_000;

/// What a set consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Single addresses.
    Addresses,
    /// Prefixes of 24 to 29 bits.
    Prefixes,
}

/// The name of a set, its size and its seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// As it stands in the rows.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) entries: usize,
    seed: u64,
}

impl Recipe {
    pub(super) const MILLION: Self =
        Self { name: "1M /32", kind: Kind::Addresses, entries: 1_000_000, seed: 1 };
    pub(super) const TEN_MILLION: Self =
        Self { name: "10M /32", kind: Kind::Addresses, entries: 10_000_000, seed: 3 };
    pub(super) const PREFIXES: Self =
        Self { name: "1M /24../29", kind: Kind::Prefixes, entries: 1_000_000, seed: 2 };
}

/// A set that lies on disk; it goes with the value.
pub(super) struct Set {
    pub(super) recipe: Recipe,
    /// A listed address.
    pub(super) listed: Ipv4Addr,
    scratch: Scratch,
}

/// One entry: the first address and the length of the prefix.
type Entry = (u32, u8);

impl Set {
    /// Makes the set and writes its files.
    pub(super) fn make(recipe: Recipe) -> Result<Self, TaskError> {
        let scratch = Scratch::new(&format!("dns-set-{}", recipe.seed))?;
        let mut random = Random::new(recipe.seed);
        let (entries, seen) = entries(recipe, &mut random);
        let folder = scratch.path();
        write(&folder.join("plain"), |out| entries.iter().try_for_each(|entry| plain(out, *entry)))?;
        write(&folder.join("rbldnsd"), |out| rbldnsd(out, &entries))?;
        if recipe.kind == Kind::Addresses {
            write(&folder.join("zone"), |out| zone(out, &entries))?;
        }
        write(&folder.join("questions"), |out| questions(out, &entries, &seen, &mut random))?;
        Ok(Self { recipe, listed: Ipv4Addr::from_bits(entries[0].0), scratch })
    }

    /// One of its files: `plain`, `rbldnsd`, `zone` or `questions`.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// The name that asks for an address: its octets reversed, below the zone.
pub(super) fn reversed(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}")
}

fn entries(recipe: Recipe, random: &mut Random) -> (Vec<Entry>, HashSet<Entry>) {
    let mut seen = HashSet::with_capacity(recipe.entries);
    let mut entries = Vec::with_capacity(recipe.entries);
    while entries.len() < recipe.entries {
        let len = if recipe.kind == Kind::Addresses { 32 } else { 24 + random.below(6) as u8 };
        let entry = (random.address().to_bits() & mask(len), len);
        if seen.insert(entry) {
            entries.push(entry);
        }
    }
    (entries, seen)
}

fn mask(len: u8) -> u32 {
    u32::MAX << (32 - u32::from(len))
}

fn plain(out: &mut impl Write, (first, len): Entry) -> io::Result<()> {
    let address = Ipv4Addr::from_bits(first);
    if len == 32 { writeln!(out, "{address}") } else { writeln!(out, "{address}/{len}") }
}

fn rbldnsd(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    writeln!(out, "$SOA 3600 ns.{ZONE} hostmaster.{ZONE} 1 600 300 86400 300\n$NS 3600 ns.{ZONE}")?;
    writeln!(out, ":127.0.0.2:Listed, see https://mx.test/c/$")?;
    entries.iter().try_for_each(|entry| plain(out, *entry))
}

fn zone(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    writeln!(out, "$ORIGIN {ZONE}.\n$TTL 2100")?;
    writeln!(out, "@ 3600 SOA ns.{ZONE}. hostmaster.{ZONE}. 1 600 300 86400 300")?;
    writeln!(out, "@ 3600 NS ns.{ZONE}.\nns A 127.0.0.1")?;
    entries
        .iter()
        .try_for_each(|(first, _)| writeln!(out, "{} A 127.0.0.2", reversed(Ipv4Addr::from_bits(*first))))
}

/// Half of the questions are about a listed address, in random order.
fn questions(
    out: &mut impl Write,
    entries: &[Entry],
    seen: &HashSet<Entry>,
    random: &mut Random,
) -> io::Result<()> {
    let mut message = Vec::new();
    for _ in 0..QUESTIONS {
        let address = if random.chance(50) {
            let (first, len) = entries[random.below(entries.len() as u64) as usize];
            first | (random.next() as u32 & !mask(len))
        } else {
            unlisted(seen, random)
        };
        let name = format!("{}.{ZONE}", reversed(Ipv4Addr::from_bits(address)));
        question::write(&mut message, &name);
        question::save(out, &message)?;
    }
    Ok(())
}

fn unlisted(seen: &HashSet<Entry>, random: &mut Random) -> u32 {
    loop {
        let address = random.address().to_bits();
        if !(24..=32).any(|len| seen.contains(&(address & mask(len), len))) {
            return address;
        }
    }
}

fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), TaskError> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        content(&mut out).and_then(|()| out.flush())
    });
    written.map_err(TaskError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Recipe = Recipe { name: "small", kind: Kind::Prefixes, entries: 500, seed: 9 };

    #[test]
    fn a_seed_makes_the_same_distinct_entries_again() {
        let (first, seen) = entries(SMALL, &mut Random::new(SMALL.seed));
        assert_eq!(first, entries(SMALL, &mut Random::new(SMALL.seed)).0);
        assert_eq!((first.len(), seen.len()), (500, 500));
        assert!(first.iter().all(|(at, len)| (24..=29).contains(len) && at & !mask(*len) == 0));
    }

    #[test]
    fn half_of_the_questions_are_about_listed_addresses() {
        let mut random = Random::new(1);
        let (entries, seen) = entries(SMALL, &mut random);
        assert!((0..1000).all(|_| {
            let address = unlisted(&seen, &mut random);
            entries.iter().all(|(first, len)| address & mask(*len) != *first)
        }));
        let mut out = Vec::new();
        questions(&mut out, &entries, &seen, &mut random).unwrap();
        let asked = question::load(&out).unwrap();
        assert_eq!(asked.len(), QUESTIONS);
        let listed = asked.iter().filter(|message| {
            let address = question::address(message).unwrap();
            entries.iter().any(|(first, len)| address.to_bits() & mask(*len) == *first)
        });
        let share = listed.count() as f64 / QUESTIONS as f64;
        assert!((0.49..0.51).contains(&share), "{share}");
    }

    #[test]
    fn a_prefix_is_written_with_its_length_and_an_address_without() {
        let mut out = Vec::new();
        plain(&mut out, (0xC000_0200, 24)).unwrap();
        plain(&mut out, (0xC000_0219, 32)).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "192.0.2.0/24\n192.0.2.25\n");
        assert_eq!(reversed(Ipv4Addr::new(192, 0, 2, 25)), "25.2.0.192");
    }
}
