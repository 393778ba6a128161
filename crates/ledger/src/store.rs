//! The data directory: one place, one owner, one version.
//!
//! ```text
//! LOCK          held by flock(2) as long as a daemon runs; holds its process number
//! FORMAT        the version of this layout, one line
//! ledger.db     decisions and evidence (SQLite; -wal and -shm beside it belong to it)
//! exhibits.db   headers of messages that can become evidence (SQLite)
//! journal/      inputs, in segments
//! checkpoint/   the engine's state
//! ```
//!
//! Whoever writes needs a [`DataDir`], and only one process can have it: a second daemon on the
//! same directory is told who has it. Reading (verify, dump, backup, replay) needs no lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StoreError;
use crate::files;

/// The version of the directory's layout that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// What stands before the version in the file `FORMAT`.
const FORMAT_WORD: &str = "mailward-data ";

/// `FORMAT` and `LOCK` hold one short line; more is not ours and is not read.
const LINE_LEN_MAX: u64 = 256;

/// A data directory that this process, and no other, may write.
///
/// The lock ends with the last clone of this value (what writes holds one), or with the process
/// however it ends.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: Arc<File>,
}

impl DataDir {
    /// Opens the data directory, and creates it for its owner alone (0700) if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] when another process has it, [`StoreError::Newer`] when a newer
    /// version wrote it, [`StoreError::NotOurs`] when `FORMAT` holds something else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        files::create_private_dir(path)?;
        let lock = lock(&path.join("LOCK"))?;
        check_format(&path.join("FORMAT"))?;
        Ok(Self { path: path.to_path_buf(), _lock: Arc::new(lock) })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal's segments are.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// The database of decisions and evidence.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.db")
    }

    /// The database of exhibits.
    pub fn exhibits(&self) -> PathBuf {
        self.path.join("exhibits.db")
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(path).map_err(StoreError::io(path, "open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked { file: path.to_path_buf(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::io(path, "lock")(error)),
    }
    note_holder(&mut file).map_err(StoreError::io(path, "write"))?;
    Ok(file)
}

/// The lock is the flock; the number is only there to tell the operator whom to stop.
fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(LINE_LEN_MAX).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}

fn check_format(path: &Path) -> Result<(), StoreError> {
    let mut line = Vec::new();
    match File::open(path) {
        // The first thing in a new directory, so nothing of ours is older than it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return files::write_whole(path, &[format!("{FORMAT_WORD}{FORMAT}\n").as_bytes()]);
        }
        opened => opened
            .and_then(|file| file.take(LINE_LEN_MAX).read_to_end(&mut line))
            .map_err(StoreError::io(path, "read"))?,
    };
    let found = parse_format(&line).ok_or_else(|| StoreError::NotOurs {
        file: path.to_path_buf(),
        expected: "a line like \"mailward-data 1\"",
        got: files::quote(&line),
    })?;
    if found > FORMAT {
        return Err(StoreError::Newer { file: path.to_path_buf(), found, understood: FORMAT });
    }
    Ok(())
}

fn parse_format(line: &[u8]) -> Option<u32> {
    let number = std::str::from_utf8(line).ok()?.strip_prefix(FORMAT_WORD)?.strip_suffix('\n')?;
    number.parse().ok().filter(|version| *version > 0)
}
