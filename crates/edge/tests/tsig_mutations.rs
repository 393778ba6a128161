//! Messages to whoever hands out zones, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS` sets how
//! many inputs are tried.

#[path = "invariants/dns_tsig.rs"]
mod invariants;
#[path = "invariants/noise.rs"]
mod noise;

use std::collections::BTreeMap;

use invariants::{Outcome, Server};
use noise::{Noise, rounds, seeds};

/// Enough to meet every code many times; some seconds without optimisation.
const ROUNDS: u64 = 40_000;

/// Pieces of which messages are made.
const WORDS: [&[u8]; 9] = [
    b"\x02bl\x05dnsbl\x07example\x00",
    b"\x03xfr\x00",
    b"\x0bhmac-sha256\x00",
    b"\xc0\x0c",
    b"\x00\xfc\x00\x01",
    b"\x00\xfa\x00\xff\x00\x00\x00\x00",
    b"\x00\x10",
    b"\x00\x00",
    b"\xff\xff",
];

/// A seed with some octets changed, taken out or put in, or other counts.
fn mutant(seeds: &[Vec<u8>], noise: &mut Noise) -> Vec<u8> {
    let mut input = seeds[noise.below(seeds.len())].clone();
    for _ in 0..noise.below(4) {
        let at = noise.below(input.len());
        match noise.below(4) {
            0 if at < input.len() => input[at] = noise.below(256) as u8,
            1 if input.len() > 12 => input[4 + 2 * noise.below(4) + 1] = noise.below(3) as u8,
            2 => {
                let end = input.len().min(at + noise.below(9));
                input.drain(at..end);
            }
            _ => {
                input.splice(at..at, WORDS[noise.below(WORDS.len())].iter().copied());
            }
        }
    }
    input
}

#[test]
fn adv_14_broken_messages_get_no_zone_and_right_signatures_an_answer_of_ours() {
    let (server, mut noise, seeds) = (Server::new(), Noise(0x6d61_696c_7761_7264), seeds("dns_tsig"));
    let mut outcomes = BTreeMap::<&str, u64>::new();
    for _ in 0..rounds(ROUNDS) {
        let outcome = match server.check(&mutant(&seeds, &mut noise)) {
            Outcome::Silence => "silence",
            Outcome::Answer(0, _) => "records",
            Outcome::Answer(1, _) => "FORMERR",
            Outcome::Answer(5, _) => "REFUSED",
            Outcome::Answer(..) => "another code",
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    // A mutator that never comes to an answer, or to a fault, would prove nothing.
    let met = |what| outcomes.get(what).is_some_and(|count| *count > 50);
    let all = ["silence", "records", "FORMERR", "REFUSED"].into_iter().all(met);
    assert!(all || rounds(ROUNDS) < ROUNDS, "{outcomes:?}");
}
