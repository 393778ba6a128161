//! Lists, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS` sets
//! how many inputs are tried.

#[path = "invariants/lists.rs"]
mod invariants;

use invariants::Outcome;

/// Some seconds without optimisation.
const ROUNDS: u64 = 20_000;

const SEEDS: [&[u8]; 3] = [
    include_bytes!("../../../fuzz/seeds/lists/ip4set.txt"),
    include_bytes!("../../../fuzz/seeds/lists/trie.txt"),
    include_bytes!("../../../fuzz/seeds/lists/dnset.txt"),
];

/// What tells in a list.
const TELLING: &[u8] = b"0129./-:!*#;$ \n\t\\aF\xff\0";

/// Xorshift64*: noise that is the same everywhere.
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end.max(1)
    }
}

fn mutate(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len());
    match noise.below(5) {
        0 => input[at] = TELLING[noise.below(TELLING.len())],
        1 => input.insert(at, TELLING[noise.below(TELLING.len())]),
        2 => drop(input.drain(at..(at + 1 + noise.below(12)).min(input.len()))),
        3 => {
            let piece: Vec<u8> = input[at..(at + noise.below(40)).min(input.len())].to_vec();
            let to = noise.below(input.len());
            input.splice(to..to, piece);
        }
        _ => input[at] ^= 1 << noise.below(8),
    }
    if input.is_empty() {
        input.push(b'1');
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long to look is the machine's choice")]
fn a_broken_list_gives_sound_entries_and_says_what_is_wrong() {
    let rounds = std::env::var("MAILWARD_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok());
    let (mut noise, mut all) = (Noise(20_261_122), Outcome::default());
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let mut input = SEEDS[(round % 3) as usize].to_vec();
        for _ in 0..=noise.below(12) {
            mutate(&mut input, &mut noise);
        }
        let Outcome { addresses, names, errors } = invariants::check(&input);
        all.addresses += addresses;
        all.names += names;
        all.errors += errors;
    }
    assert!(all.addresses > 1000 && all.names > 1000 && all.errors > 1000, "{all:?}");
}
