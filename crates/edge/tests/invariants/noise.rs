//! What seeded mutators have in common.

use std::path::Path;

/// Xorshift64*: noise that is the same everywhere.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    /// A number from 0 up to, not including, `end`; 0 if there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end.max(1)
    }
}

/// The seeds of a target, in the order of their names.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("seeds").map(|file| file.expect("a seed").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a seed")).collect()
}

/// How many inputs are tried, if nobody says otherwise.
pub(crate) fn rounds(usual: u64) -> u64 {
    match std::env::var("MAILWARD_FUZZ_ROUNDS") {
        Ok(text) => text.parse().expect("MAILWARD_FUZZ_ROUNDS: expected a number"),
        Err(_) => usual,
    }
}
