//! Small things done to files, once and rightly: whole or not at all, private, on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// What a file is called while it is being written; [`remove_leftovers`] removes such files.
const TEMPORARY: &str = ".tmp";

/// The digits of a numbered file's name: as many as the largest `u64` has, so that names sort.
const NUMBER_DIGITS: usize = 20;

/// The most bytes of a foreign file's content that an error text repeats.
const QUOTE_LEN_MAX: usize = 64;

/// Creates `dir` for its owner alone, with the directories above it; no matter if it is there.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(StoreError::io(dir, "create"))?;
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

/// Makes the names in `dir` durable: a new or renamed file is only safe after this.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|opened| opened.sync_all()).map_err(StoreError::io(dir, "sync"))
}

/// Creates `path` for its owner alone and opens it; cuts what was there.
pub(crate) fn create_private(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(StoreError::io(path, "create"))
}

/// Writes a file that is there whole or not at all, and is durable on return.
///
/// A crash before the end leaves `path` as it was, and perhaps a leftover.
pub(crate) fn write_whole(path: &Path, parts: &[&[u8]]) -> Result<(), StoreError> {
    let temporary = temporary_for(path);
    let mut file = create_private(&temporary)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    if let Err(error) = written {
        // On a full disk the half-written file is the first thing that must go.
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::io(path, "write")(error));
    }
    put_in_place(&temporary, path)
}

/// Gives the finished `temporary` its name, durably, in place of what had it.
pub(crate) fn put_in_place(temporary: &Path, path: &Path) -> Result<(), StoreError> {
    let file = File::open(temporary).map_err(StoreError::io(temporary, "open"))?;
    file.sync_all().map_err(StoreError::io(temporary, "sync"))?;
    fs::rename(temporary, path).map_err(StoreError::io(path, "rename to"))?;
    sync_dir(directory_of(path))
}

/// What `path` is called while it is being written: beside it, so that renaming is atomic.
pub(crate) fn temporary_for(path: &Path) -> PathBuf {
    with_suffix(path, TEMPORARY)
}

/// `path` with `suffix` behind its whole name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The directory that holds `path`'s name.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Whether `path` is there in any form, a broken link included.
pub(crate) fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Removes what a crash left half-written in `dir`.
pub(crate) fn remove_leftovers(dir: &Path) -> Result<(), StoreError> {
    for path in list(dir)? {
        if path.as_os_str().as_encoded_bytes().ends_with(TEMPORARY.as_bytes()) {
            fs::remove_file(&path).map_err(StoreError::io(&path, "remove"))?;
        }
    }
    Ok(())
}

/// The name of the file number `number`.
pub(crate) fn numbered_path(dir: &Path, number: u64, extension: &str) -> PathBuf {
    dir.join(format!("{number:0NUMBER_DIGITS$}.{extension}"))
}

/// The numbered files of `dir`, lowest first; all other names are none of ours. Empty without `dir`.
pub(crate) fn numbered(dir: &Path, extension: &str) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let named = |path: PathBuf| number_of(&path, extension).map(|number| (number, path));
    let mut files: Vec<_> = list(dir)?.into_iter().filter_map(named).collect();
    files.sort_unstable();
    Ok(files)
}

fn number_of(path: &Path, extension: &str) -> Option<u64> {
    let (digits, after) = path.file_name()?.to_str()?.split_at_checked(NUMBER_DIGITS)?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    (all_digits && after.strip_prefix('.') == Some(extension)).then(|| digits.parse().ok())?
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(StoreError::io(dir, "list"))?,
    };
    let paths: io::Result<Vec<_>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    paths.map_err(StoreError::io(dir, "list"))
}

/// Foreign bytes for an error text: cut, printable, in quotes.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(QUOTE_LEN_MAX)];
    format!("\"{}\"", cut.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: Option<u64>) {
        assert_eq!(number_of(Path::new(name), "mwj"), expect, "{name}");
    }

    #[test]
    fn only_twenty_digits_and_the_extension_make_a_numbered_name() {
        check("/j/00000000000000000001.mwj", Some(1));
        check("/j/18446744073709551615.mwj", Some(u64::MAX));
        check("/j/18446744073709551616.mwj", None);
        check("/j/+0000000000000000001.mwj", None);
        check("/j/00000000000000000001.mwj.tmp", None);
        check("/j/00000000000000000001.mwc", None);
        check("/j/1.mwj", None);
        check("/j/LOCK", None);
    }

    #[test]
    fn foreign_bytes_are_cut_and_escaped() {
        assert_eq!(quote(b"\x1b[2J\""), r#""\x1b[2J\"""#);
        assert_eq!(quote(&[b'a'; 100]).len(), QUOTE_LEN_MAX + 2);
    }
}
