//! What can be wrong with a store as a whole: its lock, its version, its disk.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file or directory of the store that we cannot use.
///
/// Every variant is for the operator: its text names the file and the way out. What the operating
/// system or SQLite said is the [`source`](Error::source) and is not repeated in the text.
#[non_exhaustive]
#[derive(Debug)]
pub enum StoreError {
    /// Another process has the data directory open.
    Locked {
        /// The lock file.
        file: PathBuf,
        /// The process that wrote its number into the lock file, if it did.
        holder: Option<u32>,
    },
    /// Another connection holds the database for longer than we wait.
    Busy {
        /// The database.
        file: PathBuf,
    },
    /// A newer version of Mailward wrote this.
    Newer {
        /// The file that says so.
        file: PathBuf,
        /// The version it names.
        found: u32,
        /// The newest version that we read and write.
        understood: u32,
    },
    /// The file is not what its name says.
    NotOurs {
        /// The file.
        file: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What it holds instead; cut and made printable.
        got: String,
    },
    /// The content is damaged.
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The disk, a quota or a size limit is full.
    Full {
        /// The file that could not grow.
        file: PathBuf,
    },
    /// The file or its file system can only be read.
    ReadOnly {
        /// The file that should have been written.
        file: PathBuf,
    },
    /// The operating system does not let us at the file.
    Denied {
        /// The file.
        file: PathBuf,
        /// What we were doing.
        doing: &'static str,
    },
    /// Something stands where we would write, and we do not overwrite it.
    InTheWay {
        /// What is in the way.
        file: PathBuf,
    },
    /// Any other failure of the operating system.
    Io {
        /// The file.
        file: PathBuf,
        /// What we were doing.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// Any other failure of SQLite.
    Sqlite {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Turns what the operating system said while we were `doing` something to `file` into words.
    pub(crate) fn io(file: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_path_buf();
        move |source| match source.kind() {
            // A quota and `ulimit -f` feel like a full disk and end the same way.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { file }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { file },
            io::ErrorKind::PermissionDenied => Self::Denied { file, doing },
            _ => Self::Io { file, doing, source },
        }
    }

    /// Turns what SQLite said about `file` into words.
    pub(crate) fn sqlite(file: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let file = file.to_path_buf();
        move |source| match source.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full { file },
            Some(Code::ReadOnly) => Self::ReadOnly { file },
            Some(Code::PermissionDenied) => Self::Denied { file, doing: "open" },
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy { file },
            Some(Code::DatabaseCorrupt) => Self::Damaged { file, what: source.to_string() },
            Some(Code::CannotOpen) => {
                Self::Io { file, doing: "open as a database", source: io::Error::other(source) }
            }
            Some(Code::NotADatabase) => {
                Self::NotOurs { file, expected: "an SQLite database", got: "something else".to_owned() }
            }
            _ => Self::Sqlite { file, source },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { file, holder } => {
                let holder = holder.map_or_else(String::new, |pid| format!(" (process {pid})"));
                let file = file.display();
                write!(
                    f,
                    "{file}: another mailward{holder} has this data directory open; \
                     stop it first, or give this one a data directory of its own"
                )
            }
            Self::Busy { file } => write!(
                f,
                "{}: another program holds the database; close it (sqlite3, a file-level backup) and try again",
                file.display()
            ),
            Self::Newer { file, found, understood } => write!(
                f,
                "{}: expected format {understood} or older, but got {found}; start the mailward that wrote it, \
                 or restore a backup of this version into an empty data directory",
                file.display()
            ),
            Self::NotOurs { file, expected, got } => write!(
                f,
                "{}: expected {expected}, but got {got}; move it away, or name another data directory",
                file.display()
            ),
            Self::Damaged { file, what } => write!(
                f,
                "{}: damaged: {what}; keep the file for inquiry, and restore the newest backup into an \
                 empty data directory (mailward ledger restore)",
                file.display()
            ),
            Self::Full { file } => write!(
                f,
                "{}: no space left to write; free space on its file system or raise the quota, then go on",
                file.display()
            ),
            Self::ReadOnly { file } => write!(
                f,
                "{}: can only be read; remount its file system writable, or name another data directory",
                file.display()
            ),
            Self::Denied { file, doing } => write!(
                f,
                "{}: may not {doing}; give the data directory to the user that mailward runs as (chown -R)",
                file.display()
            ),
            Self::InTheWay { file } => {
                write!(f, "{}: is already there; move it away, or name another target", file.display())
            }
            Self::Io { file, doing, .. } => {
                write!(f, "{}: cannot {doing}; see to the disk or the path, then start again", file.display())
            }
            Self::Sqlite { file, .. } => {
                write!(f, "{}: the database refuses; check it with mailward ledger verify", file.display())
            }
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Sqlite { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(errno: i32, expect: &str) {
        let error = StoreError::io(Path::new("/data/x"), "write")(io::Error::from_raw_os_error(errno));
        assert!(error.to_string().starts_with(expect), "{error}");
    }

    #[test]
    fn system_errors_become_words_with_a_way_out() {
        check(28, "/data/x: no space left to write; free space"); // ENOSPC
        check(122, "/data/x: no space left to write; free space"); // EDQUOT
        check(27, "/data/x: no space left to write; free space"); // EFBIG
        check(30, "/data/x: can only be read; remount"); // EROFS
        check(13, "/data/x: may not write; give the data directory"); // EACCES
        check(5, "/data/x: cannot write; see to the disk"); // EIO
    }

    #[test]
    fn a_device_that_is_really_full_says_so() {
        let error =
            std::fs::write("/dev/full", b"x").map_err(StoreError::io(Path::new("/dev/full"), "write"));
        assert!(matches!(error, Err(StoreError::Full { .. })), "{error:?}");
    }
}
