//! A ledger that was touched: verify names the first entry that is not what it was.

use std::fs;

use ledger::decisions::{FirstBad, Verified, VerifyError, verify};
use ledger::{DataDir, EventStore, Head};
use rusqlite::Connection;

use crate::common::{Scratch, chain, ledger_with};

/// Ten own events with five foreign ones between them: own 1–6 arrive as 1–6, foreign as 7–11.
fn ledger() -> (Scratch, DataDir) {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let mut ledger = ledger_with(&store, 6);
    ledger.admit(&chain(Head::default(), "n2", 3, 5)).unwrap();
    let head = ledger.head("n1", 1).unwrap();
    ledger.append(&chain(head, "n1", 1, 4), &[], &[]).unwrap();
    (scratch, store)
}

fn verified(store: &DataDir) -> Result<Verified, VerifyError> {
    verify(&store.ledger(), &mut |_, _| {})
}

#[track_caller]
fn check(sql: &str, expect: &str) {
    let (_scratch, store) = ledger();
    assert_eq!(verified(&store).unwrap(), Verified { events: 15 });
    Connection::open(store.ledger()).unwrap().execute_batch(sql).unwrap();
    match verified(&store).unwrap_err() {
        VerifyError::Bad(bad) => assert!(bad.to_string().starts_with(expect), "{bad}"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_first_bad_entry_is_named() {
    check(
        "UPDATE event SET bytes = CAST(bytes || 'x' AS BLOB) WHERE arrival = 4",
        "event n1.1.4 (arrival 4): expected hash ",
    );
    check(
        "UPDATE event SET hash = randomblob(32) WHERE arrival = 15",
        "event n1.1.10 (arrival 15): expected hash ",
    );
    check("UPDATE event SET hash = x'00' WHERE arrival = 9", "event n2.3.3 (arrival 9): expected hash ");
    check(
        "UPDATE event SET prev = zeroblob(32) WHERE arrival = 8",
        "event n2.3.2 (arrival 8): expected prev ",
    );
    check(
        "UPDATE event SET prev = x'' WHERE arrival = 1",
        "event n1.1.1 (arrival 1): expected prev 00000000",
    );
    check("DELETE FROM event WHERE arrival = 5", "event n1.1.6 (arrival 6): expected seq 5, but got 6");
    check("DELETE FROM event WHERE arrival = 1", "event n1.1.2 (arrival 2): expected seq 1, but got 2");
    check(
        "UPDATE event SET seq = 77 WHERE arrival = 10",
        "event n2.3.77 (arrival 10): expected seq 4, but got 77",
    );
    check(
        "UPDATE event SET life = 2 WHERE arrival = 3",
        "event n1.2.3 (arrival 3): expected seq 1, but got 3",
    );
    check(
        "UPDATE event SET arrival = 100 WHERE arrival = 2; UPDATE event SET arrival = 2 WHERE arrival = 3",
        "event n1.1.3 (arrival 2): expected seq 2, but got 3",
    );
    // Two at once: the first is named.
    check(
        "UPDATE event SET bytes = x'00' WHERE arrival IN (12, 7)",
        "event n2.3.1 (arrival 7): expected hash ",
    );
}

#[test]
fn a_byte_changed_on_the_disk_is_found_at_its_entry() {
    let (_scratch, store) = ledger();
    let mut file = fs::read(store.ledger()).unwrap();
    let bytes = b"event n2.3.4 on";
    let at = file.windows(bytes.len()).position(|window| window == bytes).unwrap();
    file[at] = b'E';
    fs::write(store.ledger(), file).unwrap();
    match verified(&store).unwrap_err() {
        VerifyError::Bad(FirstBad { arrival, node, life, seq, what }) => {
            assert_eq!((arrival, node.as_str(), life, seq), (10, "n2", 3, 4));
            assert!(what.expected.starts_with("hash "), "{what}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_damaged_structure_around_right_events_is_found() {
    let (_scratch, store) = ledger();
    // The index is forgotten, and its page lies about.
    let forget = "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'evidence_case'";
    Connection::open(store.ledger()).unwrap().execute_batch(forget).unwrap();
    match verified(&store).unwrap_err() {
        VerifyError::Structure { what } => assert!(what.contains("never used"), "{what}"),
        other => panic!("{other}"),
    }
}

#[test]
fn progress_runs_from_front_to_end() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    drop(ledger_with(&store, 2_500));
    let mut reports = Vec::new();
    verify(&store.ledger(), &mut |done, total| reports.push((done, total))).unwrap();
    assert_eq!(reports, [(1_024, 2_500), (2_048, 2_500), (2_500, 2_500)]);
}

#[test]
fn an_empty_ledger_is_right_and_a_missing_one_is_named() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let error = verified(&store).unwrap_err();
    assert!(error.to_string().contains("ledger.db"), "{error}");
    drop(ledger_with(&store, 0));
    assert_eq!(verified(&store).unwrap(), Verified { events: 0 });
}
