//! Frames as an interface brings them, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS` sets how
//! many inputs are tried.

#[path = "invariants/xdp_frame.rs"]
mod invariants;
#[path = "invariants/noise.rs"]
mod noise;

use edge::xdp::frame::Fault;
use noise::{Noise, rounds, seeds};

/// Enough to meet every fault many times; some seconds without optimisation.
const ROUNDS: u64 = 100_000;

/// Places and octets on which much depends: kinds, lengths, fragments, protocol, ports.
const TELLING: [(usize, u8); 12] = [
    (12, 8),
    (12, 0x86),
    (13, 0xDD),
    (13, 0),
    (14, 0x45),
    (14, 0x60),
    (17, 28),
    (20, 0x20),
    (23, 17),
    (20, 17),
    (38, 0),
    (58, 0),
];

/// A seed with some octets changed, taken out or doubled.
fn mutant(seeds: &[Vec<u8>], noise: &mut Noise) -> Vec<u8> {
    let mut input = seeds[noise.below(seeds.len())].clone();
    for _ in 0..noise.below(4) {
        let at = noise.below(input.len());
        let (place, octet) = TELLING[noise.below(TELLING.len())];
        match noise.below(4) {
            0 if place < input.len() => input[place] = octet,
            1 if at < input.len() => input[at] = noise.below(256) as u8,
            2 => input.truncate(at),
            _ => input.extend_from_within(at..),
        }
    }
    input
}

#[test]
fn broken_frames_keep_the_invariants() {
    let (mut noise, seeds) = (Noise(0x6d61_696c_7761_7264), seeds("xdp_frame"));
    let (mut read, mut faults) = ([0_u64; 2], [0_u64; 6]);
    for _ in 0..rounds(ROUNDS) {
        match invariants::check(&mutant(&seeds, &mut noise)) {
            Ok(is_v4) => read[usize::from(is_v4)] += 1,
            Err(Fault::Short) => faults[0] += 1,
            Err(Fault::Form) => faults[1] += 1,
            Err(Fault::Fragment) => faults[2] += 1,
            Err(Fault::Length) => faults[3] += 1,
            Err(Fault::Checksum) => faults[4] += 1,
            Err(Fault::Sender) => faults[5] += 1,
            Err(Fault::Room) => panic!("nothing was written"),
        }
    }
    // A mutator that never comes to an answer, or to a fault, would prove nothing. What is
    // mended has its checksums, but those beside a wrong length.
    let least = read.into_iter().chain(faults).min();
    assert!(least > Some(0) || rounds(ROUNDS) < ROUNDS, "{read:?} {faults:?}");
}
