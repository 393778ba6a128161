//! Failures that only the connection itself can be brought to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::StoreError;
use crate::decisions::chain::hash_of;

/// A data directory that goes with the value.
struct Scratch(PathBuf, DataDir);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mailward-ledger-{}-{name}", std::process::id()));
        let store = DataDir::open(&path).unwrap();
        Self(path, store)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn next(ledger: &SqliteLedger, bytes: Vec<u8>) -> Sealed {
    let Head { seq, hash } = ledger.head("n1", 1).unwrap();
    Sealed { node: "n1".to_owned(), life: 1, seq: seq + 1, prev: hash, hash: hash_of(&bytes), bytes }
}

#[test]
fn a_full_disk_is_named_and_the_same_group_fits_later() {
    let scratch = Scratch::new("full");
    let mut ledger = SqliteLedger::open(&scratch.1, "n1").unwrap();
    ledger.conn.pragma_update(None, "max_page_count", 30).unwrap();
    let error = loop {
        let event = next(&ledger, vec![1; 8_000]);
        if let Err(error) = ledger.append(&[event], &[], &[]) {
            break error;
        }
    };
    let expect = format!("{}: no space left to write; free space", scratch.1.ledger().display());
    assert!(error.to_string().starts_with(&expect), "{error}");
    let before = ledger.head("n1", 1).unwrap();
    ledger.conn.pragma_update(None, "max_page_count", 1_000).unwrap();
    let event = next(&ledger, vec![1; 8_000]);
    ledger.append(&[event], &[], &[]).unwrap();
    assert_eq!(ledger.head("n1", 1).unwrap().seq, before.seq + 1);
}

#[test]
fn a_database_that_another_program_holds_is_named() {
    let scratch = Scratch::new("busy");
    let mut ledger = SqliteLedger::open(&scratch.1, "n1").unwrap();
    ledger.conn.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(scratch.1.ledger()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let event = next(&ledger, b"blocked".to_vec());
    let error = ledger.append(std::slice::from_ref(&event), &[], &[]).unwrap_err();
    assert!(matches!(&error, LedgerError::Store(StoreError::Busy { file }) if is_ledger(file)), "{error}");
    assert!(error.to_string().contains("another program holds the database; close it"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    ledger.append(&[event], &[], &[]).unwrap();
}

fn is_ledger(file: &Path) -> bool {
    file.ends_with("ledger.db")
}

#[test]
fn every_commit_is_synced() {
    let scratch = Scratch::new("pragmas");
    let ledger = SqliteLedger::open(&scratch.1, "n1").unwrap();
    let pragma = |name: &str| {
        ledger.conn.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
    };
    assert_eq!(pragma("journal_mode").unwrap(), "wal".to_owned().into());
    assert_eq!(pragma("synchronous").unwrap(), 2.into()); // FULL
    assert_eq!(pragma("secure_delete").unwrap(), 1.into());
}
