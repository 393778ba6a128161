//! Messages with attachments of every form, broken in seeded ways: a fuzzer for every machine.
//!
//! The same seed gives the same inputs, so a failure repeats. `MAILWARD_FUZZ_ROUNDS` sets how
//! many inputs are tried. Half of the rounds break the message, the others a file before it
//! is encoded: what breaks base64 rarely comes to the readers of archives.

use std::collections::BTreeMap;

use letters::archives::*;
use letters::{invariants, letter, mail};

#[path = "inspect/mod.rs"]
mod letters;

/// Enough to meet every outcome many times; some seconds without optimisation.
const ROUNDS: u64 = 4_000;

/// The messages that the fuzz target starts from too.
const SEEDS: [&[u8]; 5] = [
    include_bytes!("../../../fuzz/seeds/mime_inspect/zip.eml"),
    include_bytes!("../../../fuzz/seeds/mime_inspect/nested.eml"),
    include_bytes!("../../../fuzz/seeds/mime_inspect/names.eml"),
    include_bytes!("../../../fuzz/seeds/mime_inspect/bounce.eml"),
    include_bytes!("../../../fuzz/seeds/mime_inspect/html.eml"),
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

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const MUTATIONS: [fn(&mut Vec<u8>, &mut Noise); 7] = [
    |input, noise| flip_a_bit(input, noise),
    put_a_telling_byte,
    |input, noise| put_a_telling_number(input, noise),
    drop_some_bytes,
    |input, noise| input.truncate(noise.below(input.len())),
    double_a_piece,
    splice,
];

fn flip_a_bit(input: &mut [u8], noise: &mut Noise) {
    let at = noise.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << noise.below(8);
    }
}

fn put_a_telling_byte(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len() + 1);
    input.insert(at, *noise.pick(b"\n\r-=?;:\"\0\xff/#<"));
}

/// Lengths and offsets are numbers: the smallest, the largest and those around them.
fn put_a_telling_number(input: &mut [u8], noise: &mut Noise) {
    let number = *noise.pick(&[0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, u32::MAX]);
    let at = noise.below(input.len());
    for (byte, new) in input.iter_mut().skip(at).zip(number.to_le_bytes()) {
        *byte = new;
    }
}

fn drop_some_bytes(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len());
    let end = (at + 1 + noise.below(16)).min(input.len());
    input.drain(at..end);
}

fn double_a_piece(input: &mut Vec<u8>, noise: &mut Noise) {
    let at = noise.below(input.len());
    let end = (at + noise.below(300)).min(input.len());
    let piece = input[at..end].to_vec();
    input.splice(at..at, piece);
}

fn splice(input: &mut Vec<u8>, noise: &mut Noise) {
    let other = *noise.pick(&SEEDS);
    let (at, from) = (noise.below(input.len()), noise.below(other.len()));
    let end = (from + noise.below(200)).min(other.len());
    input.splice(at..at, other[from..end].iter().copied());
}

fn broken(mut input: Vec<u8>, noise: &mut Noise) -> Vec<u8> {
    for _ in 0..=noise.below(4) {
        noise.pick(&MUTATIONS)(&mut input, noise);
    }
    input
}

/// One file of every form that is opened.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let members: [(&str, &[u8]); 2] =
        [("setup.exe", &program()), ("a.pdf", b"%PDF-1.4 << /S /JavaScript >>")];
    let pdf = b"%PDF-1.5\n<< /OpenAction << /S /URI /URI (http://example.org/) >> >>\n5 0 obj << /Type /ObjStm >>\nstream\n";
    vec![
        ("a.zip", zip(&[("b.zip", &zip(&members)), ("c.tgz", &gzip(&tar(&members)))])),
        ("a.zip", encrypted(zip(&members))),
        ("a.7z", seven(&members)),
        ("a.tar", tar(&members)),
        ("a.rar", rar_4(&members, 0, 0x30)),
        ("a.rar", rar_5(&members, b"\x02\x01\0", 0)),
        ("a.cab", cab(&["setup.exe", "a.txt"])),
        ("a.doc", with_macro("AutoOpen")),
        (
            "a.xls",
            ole(
                &[
                    ("/Workbook", &[0x85, 0, 8, 0, 1, 2, 3, 4, 0, 1, 0, 0]),
                    ("/\u{1}Ole10Native", b"\0\0\0\0\0\0a.exe\0"),
                ],
                None,
            ),
        ),
        ("a.docm", word(&[("word/vbaProject.bin", b"x"), ("word/embeddings/a.bin", &program())])),
        ("a.pdf", pdf.to_vec()),
    ]
}

fn rounds() -> u64 {
    match std::env::var("MAILWARD_FUZZ_ROUNDS") {
        Ok(text) => text.parse().expect("MAILWARD_FUZZ_ROUNDS: expected a number"),
        Err(_) => ROUNDS,
    }
}

#[test]
fn the_seeds_show_what_they_are_made_for() {
    use invariants::Outcome::{Clean, Refused, Scored};
    let outcomes = SEEDS.map(|seed| invariants::check(&letter(seed)));
    assert_eq!(outcomes, [Refused, Scored, Refused, Clean, Scored]);
}

#[test]
fn broken_messages_and_files_keep_the_invariants() {
    let mut noise = Noise(0x6d61_696c_7761_7264);
    let mut seen = BTreeMap::new();
    let files = files();
    for round in 0..rounds() {
        let letter = match round % 2 {
            0 => letter(&broken(noise.pick(&SEEDS).to_vec(), &mut noise)),
            _ => {
                let (name, bytes) = noise.pick(&files).clone();
                mail("Your invoice", "see attached", &[(name, &broken(bytes, &mut noise))])
            }
        };
        *seen.entry(invariants::check(&letter)).or_insert(0) += 1;
    }
    println!("{seen:?}");
    // A mutator that only ever meets one branch would prove nothing.
    assert!(seen.len() == 5 || rounds() < ROUNDS, "not every outcome was met: {seen:?}");
}
