//! Where other people's conformance data lies, if it is there.
//!
//! It may be tested against and not be handed on, so it is no part of this repository:
//! `MAILWARD_SHARED_DATA` names its folder, by default `shared/data` beside the workspace.
#![expect(clippy::disallowed_methods, reason = "a test reads files and its environment; the crate does not")]

use std::path::{Path, PathBuf};

/// The folder of a suite; prints that the test is skipped where there is none.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("MAILWARD_SHARED_DATA").map_or(beside, PathBuf::from);
    let folder = data.join("suites").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no suite {name} in MAILWARD_SHARED_DATA");
    None
}

/// What a file of a suite holds.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below `folder` whose names end with `end`, in order.
#[allow(dead_code, reason = "not every test lists files")]
pub(crate) fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(end));
    found.sort();
    found
}
