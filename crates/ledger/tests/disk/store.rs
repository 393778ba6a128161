//! The data directory: private, for one process, of a known version.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ledger::{DataDir, StoreError};

use crate::common::{Scratch, ledger_with, open};

#[test]
fn is_created_for_its_owner_alone_and_opens_again() {
    let scratch = Scratch::new();
    let path = scratch.join("a/b");
    drop(DataDir::open(&path).unwrap());
    drop(DataDir::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(path.join("LOCK")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(path.join("FORMAT")).unwrap(), "mailward-data 1\n");
}

#[test]
fn a_second_daemon_is_told_who_has_it_and_what_to_do() {
    let scratch = Scratch::new();
    let first = DataDir::open(&scratch).unwrap();
    let error = DataDir::open(&scratch).unwrap_err();
    let expect = format!(
        "{}: another mailward (process {}) has this data directory open; \
         stop it first, or give this one a data directory of its own",
        scratch.join("LOCK").display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expect);
    drop(first);
    DataDir::open(&scratch).unwrap();
}

#[test]
fn the_lock_stays_as_long_as_somebody_can_write() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (writer, ledger) = (open(&store).unwrap(), ledger_with(&store, 1));
    drop(store);
    let is_locked = || matches!(DataDir::open(&scratch), Err(StoreError::Locked { .. }));
    assert!(is_locked());
    drop(writer);
    assert!(is_locked());
    drop(ledger);
    assert!(!is_locked());
}

#[track_caller]
fn check_format(content: &[u8], expect: &str) {
    let scratch = Scratch::new();
    fs::write(scratch.join("FORMAT"), content).unwrap();
    let said = DataDir::open(&scratch).map_or_else(|error| error.to_string(), |_| "opened".to_owned());
    assert_eq!(said, expect.replace("FORMAT", &scratch.join("FORMAT").display().to_string()));
    assert_eq!(fs::read(scratch.join("FORMAT")).unwrap(), content, "the file was touched");
}

#[test]
fn only_a_format_that_we_know_is_opened() {
    check_format(b"mailward-data 1\n", "opened");
    check_format(
        b"mailward-data 2\n",
        "FORMAT: expected format 1 or older, but got 2; start the mailward that wrote it, \
         or restore a backup of this version into an empty data directory",
    );
    let not_ours = |got: &str| {
        format!(
            "FORMAT: expected a line like \"mailward-data 1\", but got {got}; \
             move it away, or name another data directory"
        )
    };
    check_format(b"", &not_ours(r#""""#));
    check_format(b"mailward-data 1", &not_ours(r#""mailward-data 1""#));
    check_format(b"mailward-data 0\n", &not_ours(r#""mailward-data 0\n""#));
    check_format(b"\x1b[2J\xff", &not_ours(r#""\x1b[2J\xff""#));
}

#[test]
fn a_directory_in_place_of_a_file_is_named() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("LOCK")).unwrap();
    let error = DataDir::open(&scratch).unwrap_err();
    assert!(matches!(&error, StoreError::Io { file, .. } if file.ends_with("LOCK")), "{error:?}");
}

#[test]
fn a_file_in_place_of_the_directory_is_named() {
    let scratch = Scratch::new();
    let path = scratch.join("data");
    fs::write(&path, "").unwrap();
    let error = DataDir::open(&path).unwrap_err();
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
}
