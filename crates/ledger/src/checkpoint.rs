//! Checkpoints: the engine's state at a journal position, so that a start need not read it all.
//!
//! What the bytes mean is the engine's business; here they are opaque. A checkpoint is written
//! beside the old ones and gets its name when it is whole and durable; the newest
//! [`KEEP`] stay, for a damaged one must not cost the state.
//!
//! `checkpoint/00000000000000048211.mwc`; the number is the journal position. Little-endian:
//!
//! | at | bytes | |
//! |---:|---:|---|
//! | 0 | 8 | `MWCHKP\r\n` |
//! | 8 | 1 | format, 1 |
//! | 9 | 1 | key id, 0 = not encrypted |
//! | 10 | 6 | zero |
//! | 16 | 8 | journal position |
//! | 24 | 8 | length of the body |
//! | 32 | 8 | length of the state before compression |
//! | 40 | 32 | SHA-256 of bytes 0–39 and the body |
//! | 72 | | body: the state, zstd |

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::StoreError;
use crate::files::{self, quote};

/// How many checkpoints stay: the newest, and two to fall back to.
pub const KEEP: usize = 3;

/// The format byte that this code writes, and the newest that it reads.
const FORMAT: u8 = 1;

const MAGIC: [u8; 8] = *b"MWCHKP\r\n";
const EXTENSION: &str = "mwc";

/// The header before its hash, and with it.
const FIELDS_LEN: usize = 40;
const HEADER_LEN: usize = FIELDS_LEN + 32;

/// The fastest level: the engine waits, and most of the state is counters.
const ZSTD_LEVEL: i32 = 1;

/// Writes a checkpoint and removes those beyond the newest [`KEEP`].
///
/// `position` is that of the last journal frame that `state` has taken in, and must be synced.
/// Returns the positions that there are now, lowest first: the journal must keep what is newer
/// than the first of them.
///
/// # Errors
///
/// When it fails, the earlier checkpoints are there as before.
pub fn write(dir: &Path, position: u64, state: &[u8]) -> Result<Vec<u64>, StoreError> {
    files::create_private_dir(dir)?;
    files::remove_leftovers(dir)?;
    let path = files::numbered_path(dir, position, EXTENSION);
    let body = zstd::bulk::compress(state, ZSTD_LEVEL).map_err(StoreError::io(&path, "compress"))?;
    files::write_whole(&path, &[&header(position, state.len(), &body), &body])?;
    let mut there = files::numbered(dir, EXTENSION)?;
    let surplus = there.len().saturating_sub(KEEP);
    for (_, old) in there.drain(..surplus) {
        fs::remove_file(&old).map_err(StoreError::io(&old, "remove"))?;
    }
    Ok(there.into_iter().map(|(position, _)| position).collect())
}

/// What [`newest_good`] found.
#[derive(Debug, Default)]
pub struct Newest {
    /// The journal position and the state of the newest checkpoint that is whole, if there is one.
    pub found: Option<(u64, Vec<u8>)>,
    /// Newer ones that are not, newest first.
    pub skipped: Vec<Skipped>,
}

/// A checkpoint that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Skipped {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: Flaw,
}

/// What is wrong with a checkpoint.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// A newer version wrote it.
    Newer {
        /// The format that it names.
        found: u8,
    },
    /// It is not what was written.
    Damaged {
        /// What should be there.
        expected: String,
        /// What is there.
        got: String,
    },
    /// The operating system does not give it to us.
    Unreadable {
        /// What it said.
        error: String,
    },
}

/// Reads the newest checkpoint that is whole, and says which newer ones it had to skip.
///
/// # Errors
///
/// Only when the directory cannot be listed; without one there is nothing to find.
pub fn newest_good(dir: &Path) -> Result<Newest, StoreError> {
    let mut newest = Newest::default();
    for (position, file) in files::numbered(dir, EXTENSION)?.into_iter().rev() {
        match read(&file, position) {
            Ok(state) => {
                newest.found = Some((position, state));
                break;
            }
            Err(why) => newest.skipped.push(Skipped { file, why }),
        }
    }
    Ok(newest)
}

fn header(position: u64, state_len: usize, body: &[u8]) -> [u8; HEADER_LEN] {
    let mut out = [0; HEADER_LEN];
    out[..8].copy_from_slice(&MAGIC);
    out[8] = FORMAT;
    out[16..24].copy_from_slice(&position.to_le_bytes());
    out[24..32].copy_from_slice(&(body.len() as u64).to_le_bytes());
    out[32..40].copy_from_slice(&(state_len as u64).to_le_bytes());
    let hash = hash(&out[..FIELDS_LEN], body);
    out[FIELDS_LEN..].copy_from_slice(&hash);
    out
}

fn hash(fields: &[u8], body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(fields).chain_update(body).finalize().into()
}

fn read(file: &Path, position: u64) -> Result<Vec<u8>, Flaw> {
    let bytes = fs::read(file).map_err(|error| Flaw::Unreadable { error: error.to_string() })?;
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(damaged(format!("at least {HEADER_LEN} bytes"), bytes.len().to_string()));
    };
    check(header, body, position)?;
    unpack(body, u64_at(header, 32))
}

fn check(header: &[u8; HEADER_LEN], body: &[u8], position: u64) -> Result<(), Flaw> {
    if header[..8] != MAGIC {
        return Err(damaged("a checkpoint", quote(&header[..8])));
    }
    if header[8] > FORMAT {
        return Err(Flaw::Newer { found: header[8] });
    }
    let length = u64_at(header, 24);
    if length != body.len() as u64 {
        return Err(damaged(format!("{length} bytes of body"), body.len().to_string()));
    }
    if header[FIELDS_LEN..] != hash(&header[..FIELDS_LEN], body) {
        return Err(damaged("the bytes that were written", "others"));
    }
    if u64_at(header, 16) != position {
        return Err(damaged(format!("position {position}"), u64_at(header, 16).to_string()));
    }
    if header[8] != FORMAT || header[9..16] != [0; 7] {
        return Err(damaged("format 1, not encrypted", quote(&header[8..16])));
    }
    Ok(())
}

fn unpack(body: &[u8], length: u64) -> Result<Vec<u8>, Flaw> {
    let length = usize::try_from(length).map_err(|_| damaged("a state that fits", length.to_string()))?;
    zstd::bulk::decompress(body, length).map_err(|error| damaged("a zstd body", error.to_string()))
}

fn u64_at(header: &[u8; HEADER_LEN], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&header[at..at + 8]);
    u64::from_le_bytes(field)
}

fn damaged(expected: impl Into<String>, got: impl Into<String>) -> Flaw {
    Flaw::Damaged { expected: expected.into(), got: got.into() }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.why {
            Flaw::Newer { found } => {
                write!(f, "{file}: expected format {FORMAT} or older, but got {found}; an older one is used")
            }
            Flaw::Damaged { expected, got } => {
                write!(f, "{file}: expected {expected}, but got {got}; an older one is used")
            }
            Flaw::Unreadable { error } => write!(f, "{file}: cannot be read: {error}; an older one is used"),
        }
    }
}
