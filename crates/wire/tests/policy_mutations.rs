//! Valid policy requests, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS`
//! sets how many inputs are tried.

use std::collections::BTreeMap;

use invariants::Outcome;
use wire::policy::REQUEST_LEN_MAX;

#[path = "invariants/policy.rs"]
mod invariants;

/// Enough to meet every outcome many times; some seconds without optimisation.
const ROUNDS: u64 = 20_000;

const SEEDS: [&[u8]; 5] = [
    include_bytes!("../../../fuzz/seeds/policy_request/postfix-3.12.txt"),
    include_bytes!("../../../fuzz/seeds/policy_request/postfix-2.1.txt"),
    include_bytes!("../../../fuzz/seeds/policy_request/exim.txt"),
    include_bytes!("../../../fuzz/seeds/policy_request/end-of-message.txt"),
    include_bytes!("../../../fuzz/seeds/policy_request/odd.txt"),
];

const MUTATIONS: [fn(&mut Vec<u8>, &mut Noise); 9] = [
    |input, noise| flip_a_bit(input, noise),
    put_a_telling_byte,
    drop_some_bytes,
    truncate,
    splice,
    double_a_line,
    double_all,
    lengthen_a_line,
    lengthen_all_lines,
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
    input.insert(at, noise.pick(b"\n\n=\r\0\x8a\xbd\xff"));
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

fn double_a_line(input: &mut Vec<u8>, noise: &mut Noise) {
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.is_empty() {
        return;
    }
    let (at, times) = (noise.below(lines.len()), 1 + noise.below(120));
    *input = [&lines[..at], &vec![lines[at]; times], &lines[at..]].concat().concat();
}

fn double_all(input: &mut Vec<u8>, _: &mut Noise) {
    input.extend_from_within(..);
}

fn lengthen_a_line(input: &mut Vec<u8>, noise: &mut Noise) {
    let (at, by) = (noise.below(input.len()), noise.below(3 * 1024));
    input.splice(at..at, std::iter::repeat_n(b'x', by));
}

fn lengthen_all_lines(input: &mut Vec<u8>, noise: &mut Noise) {
    let by = "x".repeat(1800 + noise.below(300)) + "\n";
    *input = input
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| pad(line, by.as_bytes()))
        .collect::<Vec<_>>()
        .concat();
}

/// Puts `by` in place of the line's newline, unless the line is empty or has none.
fn pad(line: &[u8], by: &[u8]) -> Vec<u8> {
    match line.strip_suffix(b"\n") {
        Some(text) if !text.is_empty() => [text, by].concat(),
        _ => line.to_vec(),
    }
}

fn mutant(noise: &mut Noise) -> Vec<u8> {
    let mut input = noise.pick(&SEEDS).to_vec();
    for _ in 0..=noise.below(4) {
        noise.pick(&MUTATIONS)(&mut input, noise);
        input.truncate(2 * REQUEST_LEN_MAX);
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

/// The outcome's name without its length.
fn kind(outcome: Outcome) -> String {
    format!("{outcome:?}").split('(').take(1).collect()
}

#[test]
fn the_seeds_are_requests() {
    for seed in SEEDS {
        assert!(matches!(invariants::check(seed), Outcome::Request(_)), "{}", seed.escape_ascii());
    }
}

#[test]
fn broken_requests_keep_the_invariants() {
    let mut noise = Noise(0x6d61_696c_7761_7264);
    let mut seen = BTreeMap::new();
    for _ in 0..rounds() {
        *seen.entry(kind(invariants::check(&mutant(&mut noise)))).or_insert(0) += 1;
    }
    // A mutator that only ever meets one branch would prove nothing.
    assert!(seen.len() == 6 || rounds() < ROUNDS, "not every outcome was met: {seen:?}");
}
