//! Valid reports, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS`
//! sets how many inputs are tried.

use std::collections::BTreeMap;

use invariants::Outcome;

#[path = "invariants/arf.rs"]
mod invariants;

/// Enough to meet every outcome many times; some seconds without optimisation.
const ROUNDS: u64 = 10_000;

/// What a mutant may grow to.
const LEN_MAX: usize = 256 * 1024;

const SEEDS: [&[u8]; 10] = [
    include_bytes!("../../../fuzz/seeds/arf/arf.eml"),
    include_bytes!("../../../fuzz/seeds/arf/arf-headers.eml"),
    include_bytes!("../../../fuzz/seeds/arf/forward.eml"),
    include_bytes!("../../../fuzz/seeds/arf/forward-base64.eml"),
    include_bytes!("../../../fuzz/seeds/arf/xarf-3.eml"),
    include_bytes!("../../../fuzz/seeds/arf/xarf-4.eml"),
    include_bytes!("../../../fuzz/seeds/arf/xarf-plain.eml"),
    include_bytes!("../../../fuzz/seeds/arf/bounce.eml"),
    include_bytes!("../../../fuzz/seeds/arf/forwarded-bounce.eml"),
    include_bytes!("../../../fuzz/seeds/arf/bare.eml"),
];

const MUTATIONS: [fn(&mut Vec<u8>, &mut Noise); 10] = [
    |input, noise| flip_a_bit(input, noise),
    put_a_telling_byte,
    put_a_telling_word,
    drop_some_bytes,
    drop_a_line,
    truncate,
    splice,
    multiply_a_line,
    attach_to_a_mail,
    |input, noise| change_a_digit(input, noise),
];

/// Words that decide something.
const WORDS: [&[u8]; 14] = [
    b"--=_b\r\n",
    b"--=_b--\r\n",
    b"\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=\"=_b\"\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Received: from x ([192.0.2.25]) by mx1.example.org id A\r\n",
    b"by mx1.example.org",
    b"[[[[[[[[",
    b"{\"a\":",
    b"(((((((",
    b"=?utf-8?Q?",
    b"\"",
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
    input.insert(at, noise.pick(b"\r\n\n :;,=-\"\\<>@[](){}\0\x80\xff"));
}

fn put_a_telling_word(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len() + 1);
    let word = noise.pick(&WORDS).repeat(1 + noise.below(3));
    input.splice(at..at, word);
}

fn change_a_digit(input: &mut [u8], noise: &mut Noise) {
    let digits: Vec<usize> = (0..input.len()).filter(|at| input[*at].is_ascii_digit()).collect();
    if let Some(at) = digits.get(noise.below(digits.len())) {
        input[*at] = noise.pick(b"0123456789-:.");
    }
}

fn drop_some_bytes(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len());
    let end = (at + 1 + noise.below(16)).min(input.len());
    input.drain(at..end);
}

fn lines(input: &[u8]) -> Vec<&[u8]> {
    input.split_inclusive(|byte| *byte == b'\n').collect()
}

fn drop_a_line(input: &mut Vec<u8>, noise: &mut Noise) {
    let mut lines = lines(input);
    if !lines.is_empty() {
        lines.remove(noise.below(lines.len()));
        *input = lines.concat();
    }
}

fn truncate(input: &mut Vec<u8>, noise: &mut Noise) {
    input.truncate(noise.below(input.len()));
}

fn splice(input: &mut Vec<u8>, noise: &mut Noise) {
    let other = noise.pick(&SEEDS);
    input.truncate(noise.below(input.len()));
    input.extend_from_slice(&other[noise.below(other.len())..]);
}

fn multiply_a_line(input: &mut Vec<u8>, noise: &mut Noise) {
    let lines = lines(input);
    if lines.is_empty() {
        return;
    }
    let (at, times) = (noise.below(lines.len()), 1 + noise.below(120));
    *input = [&lines[..at], &vec![lines[at]; times], &lines[at..]].concat().concat();
}

/// Forwards the whole of it, so that what was outside is within.
fn attach_to_a_mail(input: &mut Vec<u8>, noise: &mut Noise) {
    let kind = noise.pick(&["message/rfc822", "multipart/mixed; boundary=\"=_b\"", "application/json"]);
    let boundary = noise.pick(&["=_b", "=_c"]);
    let head = format!(
        "From: a@example.org\r\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n\
         Content-Type: {kind}\r\n\r\n"
    );
    *input = [head.as_bytes(), input, b"\r\n--", boundary.as_bytes(), b"--\r\n"].concat();
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

/// The outcome's name without what is in it.
fn kind(outcome: &Outcome) -> String {
    let name = match outcome {
        Ok(kind) => format!("{kind:?}"),
        Err(error) => format!("no:{error:?}"),
    };
    name.split(['(', ' ']).take(1).collect()
}

#[test]
fn each_seed_is_what_it_should_be() {
    let kinds = SEEDS.map(|seed| kind(&invariants::check(seed)));
    let forward = ["Arf", "Arf", "Forward", "Forward", "Xarf", "Xarf", "XarfPlain"];
    assert_eq!(kinds[..7], forward);
    assert_eq!(kinds[7..], ["no:Bounce", "no:Bounce", "no:NothingAttached"]);
}

#[test]
fn broken_reports_keep_the_invariants() {
    let mut noise = Noise(0x6d61_696c_7761_7264);
    let mut seen = BTreeMap::new();
    for _ in 0..rounds() {
        *seen.entry(kind(&invariants::check(&mutant(&mut noise)))).or_insert(0) += 1;
    }
    // A mutator that only ever meets one branch would prove nothing.
    assert!(seen.len() == 11 || rounds() < ROUNDS, "not every outcome was met: {seen:?}");
}
