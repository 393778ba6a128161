//! Copies of a ledger that is being written, and a new life from one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ledger::decisions::{VerifyError, backup, restore, verify};
use ledger::{DataDir, EventStore, Head, LedgerError, SqliteLedger, StoreError};

use crate::common::{Scratch, chain, event_after, ledger_with};

fn stores() -> (Scratch, DataDir, DataDir) {
    let scratch = Scratch::new();
    let (old, new) = (scratch.join("old"), scratch.join("new"));
    let (old, new) = (DataDir::open(&old).unwrap(), DataDir::open(&new).unwrap());
    (scratch, old, new)
}

#[test]
fn copies_made_while_a_writer_appends_are_whole_and_grow() {
    let (scratch, store, _) = stores();
    let to = scratch.join("backup.db");
    let mut ledger = ledger_with(&store, 1);
    let done = AtomicBool::new(false);
    let (appended, copies) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let head = ledger.head("n1", 1).unwrap();
                ledger.append(&chain(head, "n1", 1, 3), &[], &[]).unwrap();
            }
            ledger.last_arrival().unwrap()
        });
        // No panic before the writer is told to end: the scope would wait for it for ever.
        let copies: Vec<_> = (0..20).map(|_| copy(&store, &to)).collect();
        done.store(true, Ordering::Relaxed);
        (writer.join().unwrap(), copies)
    });
    let copies: Vec<u64> = copies.into_iter().map(Result::unwrap).collect();
    // Groups of three behind the first event: no copy holds a part of one.
    assert!(copies.iter().all(|events| events % 3 == 1), "{copies:?}");
    assert!(
        copies.is_sorted() && copies[19] > copies[0] && copies[19] <= appended,
        "{copies:?} of {appended}"
    );
}

/// Makes a copy over the one before, and returns how many events it holds.
fn copy(store: &DataDir, to: &Path) -> Result<u64, VerifyError> {
    backup(&store.ledger(), to).map_err(VerifyError::Ledger)?;
    Ok(verify(to, &mut |_, _| {})?.events)
}

#[test]
fn a_copy_is_one_private_file_and_replaces_the_one_before() {
    let (scratch, store, _) = stores();
    let ledger = ledger_with(&store, 5);
    let to = scratch.join("backup.db");
    fs::write(&to, "last week's").unwrap();
    // A copy that was interrupted.
    fs::write(scratch.join("backup.db.tmp"), "half").unwrap();
    fs::write(scratch.join("backup.db.tmp-journal"), "half").unwrap();
    ledger.backup(&to).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(&*scratch).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["backup.db", "new", "old"]);
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = SqliteLedger::open_to_read(&to).unwrap();
    assert_eq!(copy.tail(0, 100).unwrap(), ledger.tail(0, 100).unwrap());
}

#[test]
fn a_database_in_use_is_not_overwritten() {
    let (_scratch, store, other) = stores();
    let (ledger, used) = (ledger_with(&store, 5), ledger_with(&other, 7));
    for target in [store.ledger(), other.ledger()] {
        let error = ledger.backup(&target).unwrap_err();
        assert!(error.to_string().contains("ledger.db-wal: is already there; move it away"), "{error}");
    }
    assert_eq!(used.tail(0, 100).unwrap().len(), 7);
}

#[test]
fn a_target_that_cannot_be_written_is_named() {
    let (scratch, store, _) = stores();
    let ledger = ledger_with(&store, 5);
    let error = ledger.backup(&scratch.join("no-such-dir/backup.db")).unwrap_err();
    assert!(error.to_string().contains("no-such-dir/backup.db.tmp: cannot create;"), "{error}");
    fs::create_dir(scratch.join("dir.db")).unwrap();
    let error = ledger.backup(&scratch.join("dir.db")).unwrap_err();
    assert!(error.to_string().contains("dir.db: cannot rename to;"), "{error}");
}

#[test]
fn a_restored_ledger_lives_a_new_life_behind_the_old_events() {
    let (scratch, old, new) = stores();
    let backup = scratch.join("backup.db");
    let mut ledger = ledger_with(&old, 5);
    ledger.set_shipped("hub", 4).unwrap();
    ledger.backup(&backup).unwrap();
    // After the backup, and lost with the old host but for a peer that had them.
    let head = ledger.head("n1", 1).unwrap();
    let lost = chain(head, "n1", 1, 2);
    ledger.append(&lost, &[], &[]).unwrap();

    assert_eq!(restore(&backup, &new, 0).unwrap(), 2);
    let mut ledger = SqliteLedger::open(&new, "n1").unwrap();
    assert_eq!((ledger.life(), ledger.head("n1", 2).unwrap()), (2, Head::default()));
    assert_eq!(ledger.shipped("hub").unwrap(), 4);
    ledger.append(&[event_after(Head::default(), "n1", 2)], &[], &[]).unwrap();
    assert_eq!(ledger.admit(&lost).unwrap().new, 2);
    assert_eq!(verify(&new.ledger(), &mut |_, _| {}).unwrap().events, 8);
}

#[test]
fn no_life_is_lived_twice() {
    let (scratch, old, new) = stores();
    let backup = scratch.join("backup.db");
    let mut ledger = ledger_with(&old, 1);
    // A peer gave us back our own events of life 3, which this copy never lived.
    ledger.admit(&chain(Head::default(), "n1", 3, 1)).unwrap();
    ledger.backup(&backup).unwrap();
    assert_eq!(restore(&backup, &new, 0).unwrap(), 4);
    fs::remove_file(new.ledger()).unwrap();
    // The same backup again: only the caller can know that life 4 was begun.
    assert_eq!(restore(&backup, &new, 4).unwrap(), 5);
}

#[test]
fn a_restore_overwrites_nothing_and_takes_no_damage() {
    let (scratch, old, new) = stores();
    let backup = scratch.join("backup.db");
    ledger_with(&old, 5).backup(&backup).unwrap();
    let kept = ledger_with(&new, 2);
    let error = restore(&backup, &new, 0).unwrap_err();
    let in_the_way = |error: &VerifyError| matches!(error, VerifyError::Ledger(LedgerError::Store(StoreError::InTheWay { file })) if *file == new.ledger());
    assert!(in_the_way(&error), "{error}");
    drop(kept);
    fs::remove_file(new.ledger()).unwrap();

    let mut bytes = fs::read(&backup).unwrap();
    let at = bytes.windows(12).position(|window| window == b"event n1.1.3").unwrap();
    bytes[at] = b'E';
    fs::write(&backup, bytes).unwrap();
    let error = restore(&backup, &new, 0).unwrap_err();
    assert!(error.to_string().starts_with("event n1.1.3 (arrival 3): expected hash"), "{error}");
    assert!(!new.ledger().exists());
}
