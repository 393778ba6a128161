//! Packets for the name server, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS` sets how
//! many inputs are tried.

#[path = "invariants/dns.rs"]
mod invariants;
#[path = "invariants/noise.rs"]
mod noise;

use invariants::{Outcome, Servers};
use noise::{Noise, rounds, seeds};

/// Enough to meet every code many times; some seconds without optimisation.
const ROUNDS: u64 = 20_000;

/// Pieces of which packets are made, and of which attacks are.
const WORDS: [&[u8]; 14] = [
    b"\x02bl\x05dnsbl\x07example\x03org\x00",
    b"\x017\x03113\x010\x03203",
    b"\x03dom\x05dnsbl\x07example\x03org\x00",
    b"\x12k3y0fsixteenormore",
    b"\xc0\x0c",
    b"\x00\x01\x00\x01",
    b"\x00\x10\x00\x01",
    b"\x00\xff\x00\xff",
    b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00",
    b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08clientid",
    b"\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00",
    b"\x01a",
    b"\xff",
    &[63; 64],
];

/// A seed with some octets changed, some taken out, some words put in, or other counts.
fn mutant(seeds: &[Vec<u8>], noise: &mut Noise) -> Vec<u8> {
    let mut input = seeds[noise.below(seeds.len())].clone();
    for _ in 0..=noise.below(4) {
        let at = noise.below(input.len());
        match noise.below(4) {
            0 if at < input.len() => input[at] = noise.below(256) as u8,
            1 if input.len() > 12 => input[4 + 2 * noise.below(4) + 1] = noise.below(3) as u8,
            2 => {
                let end = input.len().min(at + noise.below(9));
                input.drain(at..end);
            }
            _ => {
                input.splice(at..at, WORDS[noise.below(WORDS.len())].repeat(1 + noise.below(2)));
            }
        }
    }
    input
}

#[test]
fn broken_packets_keep_the_invariants() {
    let (mut servers, mut noise, seeds) = (Servers::new(), Noise(0x6d61_696c_7761_7264), seeds("dns_packet"));
    let (mut silent, mut codes) = (0, [0_u64; 16]);
    for _ in 0..rounds(ROUNDS) {
        match servers.check(&mutant(&seeds, &mut noise)) {
            Outcome::Silence => silent += 1,
            Outcome::Answer(answer) => codes[usize::from(answer[3] & 15)] += 1,
        }
    }
    // A mutator that never comes to an answer, or to a fault, would prove nothing: NOERROR,
    // FORMERR, NXDOMAIN, NOTIMP, REFUSED.
    let least = [silent, codes[0], codes[1], codes[3], codes[4], codes[5]].into_iter().min();
    assert!(least > Some(100) || rounds(ROUNDS) < ROUNDS, "{silent} {codes:?}");
}
