//! Valid milter sessions, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS`
//! sets how many inputs are tried.

use std::collections::BTreeMap;

use invariants::Outcome;
use wire::milter::split_packet;

#[path = "invariants/milter.rs"]
mod invariants;

/// Enough to meet every outcome many times; some seconds without optimisation.
const ROUNDS: u64 = 20_000;

/// What a mutant may grow to.
const LEN_MAX: usize = 64 * 1024;

const SEEDS: [&[u8]; 3] = [
    include_bytes!("../../../fuzz/seeds/milter/postfix.bin"),
    include_bytes!("../../../fuzz/seeds/milter/rejected.bin"),
    include_bytes!("../../../fuzz/seeds/milter/odd.bin"),
];

const MUTATIONS: [fn(&mut Vec<u8>, &mut Noise); 8] = [
    |input, noise| flip_a_bit(input, noise),
    put_a_telling_byte,
    drop_some_bytes,
    truncate,
    splice,
    |input, noise| lie_about_a_length(input, noise),
    lengthen_a_packet,
    begin_with_another_packet,
];

/// Xorshift64*: noise that is the same everywhere.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 up to, not including, `end`; 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn flip_a_bit(input: &mut [u8], noise: &mut Noise) {
    let at = noise.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << noise.below(8);
    }
}

fn put_a_telling_byte(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len() + 1);
    input.insert(at, noise.pick(b"\0\0\0\x01CDLRO46\n%\xff"));
}

fn drop_some_bytes(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len());
    let end = (at + 1 + noise.below(16)).min(input.len());
    input.drain(at..end);
}

fn truncate(input: &mut Vec<u8>, noise: &mut Noise) {
    input.truncate(noise.below(input.len()));
}

fn splice(input: &mut Vec<u8>, noise: &mut Noise) {
    let other = noise.pick(&SEEDS);
    input.truncate(noise.below(input.len()));
    input.extend_from_slice(&other[noise.below(other.len())..]);
}

/// Where the packets of an input begin.
fn starts(input: &[u8]) -> Vec<usize> {
    let (mut starts, mut rest) = (vec![0], input);
    while let Ok(Some((packet, behind))) = split_packet(rest) {
        starts.push(starts[starts.len() - 1] + packet.wire_len());
        rest = behind;
    }
    starts
}

fn lie_about_a_length(input: &mut [u8], noise: &mut Noise) {
    let at = noise.pick(&starts(input));
    let lie = noise.pick(&[0, 1, 2, 12, 13, 0x10_0000, 0x10_0001, u32::MAX]);
    if let Some(len) = input.get_mut(at..at + 4) {
        len.copy_from_slice(&lie.to_be_bytes());
    }
}

/// Makes a packet longer, and says so in front of it.
fn lengthen_a_packet(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.pick(&starts(input));
    let Ok(Some((packet, _))) = split_packet(&input[at..]) else { return };
    let (used, by) = (packet.wire_len(), noise.below(2000));
    let inside = at + 5 + noise.below(used - 4);
    input.splice(inside..inside, std::iter::repeat_n(noise.pick(b"a\0"), by));
    let len = u32::try_from(used - 4 + by).expect("short");
    input[at..at + 4].copy_from_slice(&len.to_be_bytes());
}

/// So that each kind of command comes first now and then.
fn begin_with_another_packet(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.pick(&starts(input));
    input.drain(..at);
}

fn mutant(noise: &mut Noise) -> Vec<u8> {
    let mut input = noise.pick(&SEEDS).to_vec();
    for _ in 0..=noise.below(4) {
        noise.pick(&MUTATIONS)(&mut input, noise);
        input.truncate(LEN_MAX);
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

/// The outcome without its length.
fn kind(outcome: Outcome) -> String {
    match outcome {
        Outcome::Command(kind, _) => char::from(kind).to_string(),
        Outcome::NoCommand(_) => "no command".into(),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_seeds_are_sessions() {
    for seed in SEEDS {
        assert!(matches!(invariants::check(seed), Outcome::Command(b'O', _)), "{}", seed.escape_ascii());
        assert_eq!(starts(seed).last(), Some(&seed.len()));
    }
}

#[test]
fn broken_sessions_keep_the_invariants() {
    let mut noise = Noise(0x6d61_696c_7761_7264);
    let mut seen = BTreeMap::new();
    for _ in 0..rounds() {
        *seen.entry(kind(invariants::check(&mutant(&mut noise)))).or_insert(0) += 1;
    }
    // A mutator that only ever meets one branch would prove nothing: fifteen commands, none
    // of them, no packet, more to come.
    assert!(seen.len() == 18 || rounds() < ROUNDS, "not every outcome was met: {seen:?}");
}
