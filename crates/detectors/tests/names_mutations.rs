//! Names of clients, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS`
//! sets how many inputs are tried.

#[path = "invariants/names.rs"]
mod invariants;

use detectors::helo::HeloClass;

/// Enough to meet every class many times; some seconds without optimisation.
const ROUNDS: u64 = 5_000;

const SEEDS: [&[u8]; 3] = [
    include_bytes!("../../../fuzz/seeds/names/line.txt"),
    include_bytes!("../../../fuzz/seeds/names/literal.txt"),
    include_bytes!("../../../fuzz/seeds/names/shared.txt"),
];

/// Pieces of which names are made, and of which forgeries are.
const WORDS: [&[u8]; 30] = [
    b".",
    b"..",
    b"-",
    b"_",
    b"[",
    b"]",
    b"[203.0.113.9]",
    b"[IPv6:2001:db8::7]",
    b"::ffff:192.0.2.25",
    b"192.0.2.25",
    b"c0000219",
    b"3221225985",
    b"192-0-2-25",
    b"025.002.000.192",
    b"dyn",
    b"static",
    b"dsl",
    b"mail",
    b"localhost",
    b"localhost.localdomain",
    b"example.co.uk",
    b"google.com",
    b"xn--80ak6aa92e.xn--p1ai",
    b"xn--",
    b"\n",
    b" ",
    b"\x00\x1b\x7f",
    b"\xff\xfe\x80",
    b"\xe2\x80\xae",
    &[b'a'; 300],
];

/// Xorshift64*: noise that is the same everywhere.
struct Noise(u64);

impl Noise {
    /// A number from 0 up to, not including, `end`; 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end.max(1)
    }
}

/// A seed with some bytes taken out and some words put in.
fn mutant(noise: &mut Noise) -> Vec<u8> {
    let mut input = SEEDS[noise.below(SEEDS.len())].to_vec();
    for _ in 0..=noise.below(6) {
        let at = noise.below(input.len());
        let end = if noise.below(2) == 0 { at } else { input.len().min(at + noise.below(20)) };
        input.splice(at..end, WORDS[noise.below(WORDS.len())].repeat(1 + noise.below(2)));
    }
    input
}

#[expect(clippy::disallowed_methods, reason = "a test asks how long it may run; the crate does not")]
fn rounds() -> u64 {
    match std::env::var("MAILWARD_FUZZ_ROUNDS") {
        Ok(text) => text.parse().expect("MAILWARD_FUZZ_ROUNDS: expected a number"),
        Err(_) => ROUNDS,
    }
}

#[test]
fn the_seeds_are_what_they_look_like() {
    let classes = SEEDS.map(|seed| invariants::check(seed).helo);
    assert_eq!(classes, [HeloClass::Fine, HeloClass::Fine, HeloClass::RawAddress]);
}

#[test]
fn broken_names_keep_the_invariants() {
    let mut noise = Noise(0x6d61_696c_7761_7264);
    let (mut classes, mut orgs, mut lines) = ([0; 11], 0, 0);
    for _ in 0..rounds() {
        let outcome = invariants::check(&mutant(&mut noise));
        classes[outcome.helo as usize] += 1;
        orgs += usize::from(outcome.org);
        lines += usize::from(outcome.line);
    }
    // A mutator that never comes to most classes would prove nothing.
    let met = classes.iter().filter(|count| **count > 5).count();
    assert!(met >= 8 && orgs.min(lines) > 50 || rounds() < ROUNDS, "{classes:?} {orgs} {lines}");
}

#[test]
fn an_ipv6_mapped_client_is_its_ipv4_address() {
    let input = |addr: &str| format!("{addr}\n[192.0.2.25]\n192-0-2-25.dsl.pool.example");
    let [one, other] =
        ["192.0.2.25", "::ffff:192.0.2.25"].map(|addr| invariants::check(input(addr).as_bytes()));
    assert_eq!((one.helo, one.line), (other.helo, other.line));
}
