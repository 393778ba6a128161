//! Bulk lists on disk, each under the SHA-256 of its bytes.
//!
//! An event names a list's file; here it is looked up. The journal is replayed without it:
//! nothing is decided by a bulk list. So a file that is missing leaves its list empty, with
//! a word to the operator, and never stops a start.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use projections::feeds::Table;
use projections::{Projector, View};
use sha2::{Digest, Sha256};

/// A file that nothing names is kept so long: its order may be under way.
const KEPT_UNNAMED: Duration = Duration::from_secs(3600);

/// Tables that wait for their event.
const SHELF_MAX: usize = 4;

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("feeds")
}

/// Where the file with this hash lies.
pub(crate) fn file(data_dir: &Path, hash: &[u8; 32]) -> PathBuf {
    folder(data_dir).join(format!("{}.feed", hex(hash)))
}

/// A hash as file names and orders have it.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash in such a text.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let bytes =
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// Keeps the bytes of a table; returns their hash.
///
/// # Errors
///
/// What is wrong with the disk.
pub(crate) fn keep(data_dir: &Path, bytes: &[u8]) -> Result<[u8; 32], String> {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let (folder, path) = (folder(data_dir), file(data_dir, &hash));
    let fresh = !folder.exists();
    write_whole(&path, bytes)?;
    // The daemon may run as somebody else than who imports.
    if let Ok(owner) = fs::metadata(data_dir) {
        let new = if fresh { &[&folder, &path][..] } else { &[&path][..] };
        for path in new {
            // Where it is not allowed, the daemon says that it can not read the file.
            let _ = std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()));
        }
    }
    Ok(hash)
}

/// Writes a file that is there whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let part = path.with_extension("part");
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut out = fs::File::create(&part)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        fs::rename(&part, path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error: std::io::Error| format!("{}: {error}", part.display()))
}

/// The table with this hash.
///
/// # Errors
///
/// It is missing, its bytes are others, or they are no list.
pub(crate) fn load(data_dir: &Path, hash: &[u8; 32]) -> Result<Table, String> {
    let path = file(data_dir, hash);
    let wrong = |why: String| format!("{}: {why}; import the list again", path.display());
    let bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    if <[u8; 32]>::from(Sha256::digest(&bytes)) != *hash {
        return Err(wrong("the bytes are not those of its name".to_owned()));
    }
    Table::from_bytes(bytes).map_err(|error| wrong(error.to_string()))
}

/// Tables that the operator's API has read, on their way to the projector.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Vec<([u8; 32], Arc<Table>)>>);

impl Shelf {
    /// Puts a table there before its event is ordered.
    pub(crate) fn put(&self, hash: [u8; 32], table: Table) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.len() >= SHELF_MAX {
            shelf.remove(0);
        }
        shelf.push((hash, Arc::new(table)));
    }

    fn take(&self, hash: &[u8; 32]) -> Option<Arc<Table>> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = shelf.iter().position(|(known, _)| known == hash)?;
        Some(shelf.remove(place).1)
    }
}

/// Hands the projector the table that an event names, from the shelf before it is asked for.
pub(super) fn hand_over(projector: &mut Projector, shelf: &Shelf, hash: [u8; 32]) {
    if let Some(table) = shelf.take(&hash) {
        projector.shelve(hash, Some(table));
    }
}

/// Hands the projector every table that it lacks; says what can not be read.
pub(super) fn hand_in(projector: &mut Projector, data_dir: &Path) -> Vec<String> {
    let mut errors = Vec::new();
    for hash in projector.wanted_feeds() {
        let table = load(data_dir, &hash).map_err(|error| errors.push(error)).ok();
        projector.shelve(hash, table.map(Arc::new));
    }
    errors
}

/// Removes files that no list in force names.
pub(super) fn prune(data_dir: &Path, view: &View) {
    let used: Vec<PathBuf> = view.feeds.iter().map(|feed| file(data_dir, &feed.hash)).collect();
    let old = |entry: &fs::DirEntry| {
        let written = entry.metadata().and_then(|meta| meta.modified());
        written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|since| since > KEPT_UNNAMED))
    };
    let entries = fs::read_dir(folder(data_dir)).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| !used.contains(&entry.path()) && old(entry)) {
        // One that stays costs some megabytes.
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use projections::feeds::{Builder, NamesBuilder};

    #[test]
    fn a_file_is_found_by_its_hash_and_refused_when_it_was_changed() {
        let scratch = Scratch::new("feeds");
        let bytes = Table::to_bytes(Builder::new(0).finish().unwrap(), &NamesBuilder::new(0).finish(), "x");
        let hash = keep(scratch.path(), &bytes).unwrap();
        assert_eq!(from_hex(&hex(&hash)), Some(hash));
        assert_eq!(&*load(scratch.path(), &hash).unwrap().source, "x");
        fs::write(file(scratch.path(), &hash), &bytes[1..]).unwrap();
        assert!(load(scratch.path(), &hash).unwrap_err().contains("not those of its name"));
        let other = keep(scratch.path(), &bytes[1..]).unwrap();
        assert!(load(scratch.path(), &other).unwrap_err().contains("expected a bulk list of format 1"));
        fs::remove_file(file(scratch.path(), &hash)).unwrap();
        assert!(load(scratch.path(), &hash).unwrap_err().contains("import the list again"));
        assert_eq!([from_hex("zz"), from_hex("00"), from_hex("é")], [None; 3]);
    }
}
