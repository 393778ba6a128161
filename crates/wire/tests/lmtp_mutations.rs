//! LMTP sessions, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS`
//! sets how many inputs are tried.

#[path = "invariants/lmtp.rs"]
mod invariants;

/// Enough to meet every outcome many times; some seconds without optimisation.
const ROUNDS: u64 = 3_000;

const SEEDS: [&[u8]; 2] = [
    include_bytes!("../../../fuzz/seeds/lmtp/session.txt"),
    include_bytes!("../../../fuzz/seeds/lmtp/odd.txt"),
];

/// Pieces of which a session is made, and of which attacks are.
const WORDS: [&[u8]; 16] = [
    b"LHLO a\r\n",
    b"MAIL FROM:<>\r\n",
    b"RCPT TO:<a@example.org>\r\n",
    b"RCPT TO:<ab@example.org>\r\n",
    b"DATA\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r.\r",
    b".",
    b"\r",
    b"\n",
    b"RSET\r\n",
    b"SIZE=99999",
    b"x\0\xff",
    &[b'x'; 3000],
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
    for _ in 0..=noise.below(8) {
        let at = noise.below(input.len());
        let end = if noise.below(2) == 0 { at } else { input.len().min(at + noise.below(40)) };
        input.splice(at..end, WORDS[noise.below(WORDS.len())].repeat(1 + noise.below(3)));
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
fn the_seed_hands_over_a_message() {
    let outcome = invariants::check(SEEDS[0]);
    assert_eq!((outcome.mails.len(), outcome.closed), (1, true));
    assert_eq!(outcome.mails[0].raw, b"Subject: x\r\n\r\n.dot\r\n");
}

#[test]
fn broken_sessions_keep_the_invariants() {
    let mut noise = Noise(0x6d61_696c_7761_7264);
    let (mut mails, mut closed, mut too_long) = (0, 0, 0);
    for _ in 0..rounds() {
        let outcome = invariants::check(&mutant(&mut noise));
        mails += outcome.mails.len();
        closed += usize::from(outcome.closed);
        too_long += usize::from(outcome.said.windows(4).any(|said| said == b"552 "));
    }
    // A mutator that never comes to a message, or to a limit, would prove nothing.
    assert!(mails.min(closed).min(too_long) > 10 || rounds() < ROUNDS, "{mails} {closed} {too_long}");
}
