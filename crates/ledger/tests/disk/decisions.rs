//! Events in, events out; what is refused leaves the ledger as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ledger::{
    Admitted, DataDir, EventStore, EvidenceRow, Head, LedgerError, Sealed, SideRow, SqliteLedger, StoreError,
    decisions::{EVENT_LEN_MAX, verify},
};

use crate::common::{Scratch, chain, ledger_with};

fn store() -> (Scratch, DataDir) {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    (scratch, store)
}

#[test]
fn events_come_back_in_order_of_arrival() {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 0);
    let own = chain(Head::default(), "n1", 1, 5);
    assert_eq!(ledger.append(&own[..2], &[], &[]).unwrap(), 2);
    assert_eq!(ledger.append(&own[2..], &[], &[]).unwrap(), 5);
    assert_eq!(ledger.append(&[], &[], &[]).unwrap(), 5);
    assert_eq!(ledger.last_arrival().unwrap(), 5);
    assert_eq!(ledger.head("n1", 1).unwrap(), Head { seq: 5, hash: own[4].hash });
    let expect: Vec<_> = (1..).zip(own).collect();
    assert_eq!(ledger.tail(0, 100).unwrap(), expect);
    assert_eq!(ledger.tail(1, 2).unwrap(), expect[1..3]);
    assert_eq!(ledger.tail(5, 100).unwrap(), []);
    assert_eq!(ledger.tail(u64::MAX, usize::MAX).unwrap(), []);
}

#[test]
fn a_reopened_ledger_has_them_still_and_is_private() {
    let (_scratch, store) = store();
    let head = ledger_with(&store, 3).head("n1", 1).unwrap();
    let ledger = SqliteLedger::open(&store, "n1").unwrap();
    assert_eq!((ledger.node(), ledger.life(), ledger.head("n1", 1).unwrap()), ("n1", 1, head));
    assert_eq!(fs::metadata(store.ledger()).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Appends or admits behind three events; says what became of it.
#[track_caller]
fn check_refused(
    put: impl FnOnce(&mut SqliteLedger, &[Sealed]) -> Result<(), LedgerError>,
    spoil: impl FnOnce(&mut Vec<Sealed>),
    expect: &str,
) {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 3);
    let foreign = chain(Head::default(), "n2", 1, 3);
    ledger.admit(&foreign).unwrap();
    let before = ledger.tail(0, 100).unwrap();
    let head = ledger.head("n1", 1).unwrap();
    let mut events = chain(head, "n1", 1, 2);
    spoil(&mut events);
    let error = put(&mut ledger, &events).unwrap_err();
    assert!(error.to_string().starts_with(expect), "{error}");
    assert_eq!(ledger.tail(0, 100).unwrap(), before, "something was stored");
}

fn append(ledger: &mut SqliteLedger, events: &[Sealed]) -> Result<(), LedgerError> {
    ledger.append(events, &[], &[]).map(drop)
}

fn admit(ledger: &mut SqliteLedger, events: &[Sealed]) -> Result<(), LedgerError> {
    ledger.admit(events).map(drop)
}

#[test]
fn an_own_event_that_does_not_follow_is_refused_with_its_group() {
    check_refused(append, |events| events[1].seq = 6, "event n1.1.6: expected seq 5, but got 6");
    check_refused(append, |events| drop(events.remove(0)), "event n1.1.5: expected seq 4, but got 5");
    check_refused(append, |events| events[1].prev = [7; 32], "event n1.1.5: expected prev ");
    check_refused(append, |events| events[1].bytes.push(b'!'), "event n1.1.5: expected hash ");
    check_refused(
        append,
        |events| events[1].life = 2,
        "event n1.2.5: expected node n1, life 1, but got node n1",
    );
    check_refused(
        append,
        |events| events[1].node = "n2".to_owned(),
        "event n2.1.5: expected node n1, life 1",
    );
    check_refused(
        append,
        |events| events[1].bytes = vec![0; EVENT_LEN_MAX + 1],
        "event n1.1.5: expected at most 65536 bytes, but got 65537",
    );
    // An append is not idempotent: its caller knows what is there.
    check_refused(
        append,
        |events| *events = chain(Head::default(), "n1", 1, 3),
        "event n1.1.1: expected seq 4",
    );
}

#[test]
fn a_foreign_event_that_does_not_follow_is_refused_with_its_group() {
    let n2 = |from: usize, to: usize| chain(Head::default(), "n2", 1, to).split_off(from);
    check_refused(admit, |events| *events = n2(4, 6), "event n2.1.5: expected seq 4, but got 5");
    check_refused(
        admit,
        |events| *events = chain(Head::default(), "n3", 1, 3).split_off(1),
        "event n3.1.2: expected seq 1",
    );
    check_refused(
        admit,
        |events| {
            *events = n2(2, 5);
            events[2].bytes.push(b'!');
        },
        "event n2.1.5: expected hash ",
    );
    check_refused(
        admit,
        |events| {
            *events = n2(2, 5);
            events[1].prev = [7; 32];
        },
        "event n2.1.4: expected prev ",
    );
    check_refused(admit, |events| events.truncate(1), "event n1.1.4 came from outside, but this host");
    check_refused(
        admit,
        |events| events[0].node = "n\u{1b}[2J".to_owned(),
        r#"expected a node name of 1 to 32 printable ASCII characters, but got "n\x1b[2J""#,
    );
}

#[test]
fn a_different_event_under_a_known_id_is_a_conflict_that_names_it() {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 0);
    let foreign = chain(Head::default(), "n2", 1, 2);
    ledger.admit(&foreign).unwrap();
    // Node n3's bytes under n2's name.
    let forged = Sealed { node: "n2".to_owned(), ..chain(Head::default(), "n3", 1, 1).remove(0) };
    let error = ledger.admit(&[forged]).unwrap_err();
    assert!(
        matches!(&error, LedgerError::Conflict { event, .. } if event.to_string() == "n2.1.1"),
        "{error}"
    );
}

#[test]
fn foreign_events_are_admitted_once() {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 2);
    let foreign = chain(Head::default(), "n2", 1, 4);
    let admitted = ledger.admit(&foreign[..3]).unwrap();
    assert_eq!(admitted, Admitted { new: 3, repeated: 0, last_arrival: 5 });
    let admitted = ledger.admit(&foreign).unwrap();
    assert_eq!(admitted, Admitted { new: 1, repeated: 3, last_arrival: 6 });
    // Twice in one group, and our own that came back.
    let own: Vec<_> = ledger.tail(0, 2).unwrap().into_iter().map(|(_, event)| event).collect();
    let again = [&foreign[3..], &foreign[3..], &own].concat();
    assert_eq!(ledger.admit(&again).unwrap(), Admitted { new: 0, repeated: 4, last_arrival: 6 });
    // Chains of different nodes and lives do not touch each other.
    ledger.admit(&chain(Head::default(), "n2", 2, 1)).unwrap();
    ledger.append(&chain(ledger.head("n1", 1).unwrap(), "n1", 1, 1), &[], &[]).unwrap();
    assert_eq!(verify(&store.ledger(), &mut |_, _| {}).unwrap().events, 8);
}

#[test]
fn shipping_marks_are_kept_by_node() {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 0);
    assert_eq!(ledger.shipped("hub").unwrap(), 0);
    ledger.set_shipped("hub", 7).unwrap();
    ledger.set_shipped("hub", 9).unwrap();
    ledger.set_shipped("other", 1).unwrap();
    drop(ledger);
    let ledger = SqliteLedger::open(&store, "n1").unwrap();
    assert_eq!((ledger.shipped("hub").unwrap(), ledger.shipped("other").unwrap()), (9, 1));
}

fn evidence(case: &str, position: u64, expires_ms: Option<u64>) -> EvidenceRow {
    EvidenceRow {
        case: case.to_owned(),
        event: "n1.1.1".to_owned(),
        position,
        salt: vec![7; 16],
        body: format!("evidence at {position}").into_bytes(),
        expires_ms,
    }
}

fn note(number: u8, expires_ms: Option<u64>) -> SideRow {
    SideRow {
        commitment: vec![number; 32],
        salt: vec![9; 16],
        body: b"Ask Jane Roe, +1 555 0100".to_vec(),
        expires_ms,
    }
}

#[test]
fn evidence_stands_beside_its_event_until_it_expires() {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 0);
    let rows = [evidence("n1-1", 5, Some(100)), evidence("n1-1", 4, Some(200)), evidence("n1-2", 6, None)];
    let side = [note(1, Some(100)), note(2, None)];
    ledger.append(&chain(Head::default(), "n1", 1, 2), &rows, &side).unwrap();
    assert_eq!(ledger.evidence_for("n1-1").unwrap(), [rows[1].clone(), rows[0].clone()]);
    assert_eq!(ledger.side(&[1; 32]).unwrap().as_ref(), Some(&side[0]));

    assert_eq!(ledger.expire(99).unwrap(), 0);
    assert_eq!(ledger.expire(100).unwrap(), 2);
    assert_eq!(ledger.evidence_for("n1-1").unwrap(), [rows[1].clone()]);
    assert_eq!(ledger.side(&[1; 32]).unwrap(), None);

    // The block was extended; then somebody asked for erasure.
    assert_eq!(ledger.set_evidence_expiry("n1-1", Some(300)).unwrap(), 1);
    assert_eq!(ledger.expire(299).unwrap(), 0);
    assert_eq!(ledger.erase_evidence("n1-1").unwrap(), 1);
    assert_eq!(ledger.erase_side(&[2; 32]).unwrap(), 1);
    assert_eq!(ledger.expire(u64::MAX).unwrap(), 0);
    assert_eq!(ledger.evidence_for("n1-2").unwrap(), [rows[2].clone()]);
    verify(&store.ledger(), &mut |_, _| {}).unwrap();
}

#[test]
fn a_group_that_is_refused_leaves_no_evidence() {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 3);
    let stale = chain(Head::default(), "n1", 1, 1);
    ledger.append(&stale, &[evidence("n1-1", 1, None)], &[note(1, None)]).unwrap_err();
    assert_eq!(ledger.evidence_for("n1-1").unwrap(), []);
    assert_eq!(ledger.side(&[1; 32]).unwrap(), None);
}

// A row that is only unlinked can be read back from the file, or from the log beside it.
#[test]
fn what_is_erased_is_in_no_byte_of_the_files() {
    let (_scratch, store) = store();
    let mut ledger = ledger_with(&store, 0);
    let found = || {
        ["ledger.db", "ledger.db-wal"].into_iter().any(|name| {
            let bytes = fs::read(store.path().join(name)).unwrap_or_default();
            bytes.windows(8).any(|window| window == b"Jane Roe")
        })
    };
    ledger.append(&chain(Head::default(), "n1", 1, 1), &[], &[note(1, Some(5))]).unwrap();
    assert!(found());
    ledger.expire(5).unwrap();
    assert!(!found());
}

#[test]
fn another_nodes_ledger_is_refused() {
    let (_scratch, store) = store();
    drop(ledger_with(&store, 1));
    let error = SqliteLedger::open(&store, "n2").err().unwrap();
    let expect = "expected the ledger of node n2, but got that of n1; correct the node's name";
    assert!(error.to_string().contains(expect), "{error}");
}

#[track_caller]
fn check_not_opened(prepare: impl FnOnce(&DataDir), expect: &str) {
    let (_scratch, store) = store();
    prepare(&store);
    let error = SqliteLedger::open(&store, "n1").err().unwrap();
    let expect = format!("{}: {expect}", store.ledger().display());
    assert!(error.to_string().starts_with(&expect), "{error}");
}

fn alter(store: &DataDir, sql: &str) {
    rusqlite::Connection::open(store.ledger()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_file_that_is_no_ledger_of_this_version_is_refused_by_name() {
    check_not_opened(
        |store| {
            drop(ledger_with(store, 1));
            alter(store, "UPDATE meta SET value = '2' WHERE key = 'schema'");
        },
        "expected format 1 or older, but got 2; start the mailward that wrote it",
    );
    check_not_opened(
        |store| {
            drop(ledger_with(store, 1));
            alter(store, "UPDATE meta SET value = 'x' WHERE key = 'life'");
        },
        "damaged: expected a number as life in table meta, but got \"x\"",
    );
    check_not_opened(
        |store| alter(store, "CREATE TABLE mail(id)"),
        "expected a ledger of mailward, but got another program's database; move it away",
    );
    check_not_opened(
        |store| fs::write(store.ledger(), "From nobody@example.org\n".repeat(100)).unwrap(),
        "expected an SQLite database, but got something else; move it away",
    );
    check_not_opened(
        |store| fs::create_dir(store.ledger()).unwrap(),
        "cannot open as a database; see to the disk",
    );
}

#[test]
fn a_ledger_opened_to_read_takes_nothing_and_sees_whole_groups() {
    let (_scratch, store) = store();
    let mut writer = ledger_with(&store, 3);
    let mut reader = SqliteLedger::open_to_read(&store.ledger()).unwrap();
    assert_eq!(reader.tail(0, 100).unwrap().len(), 3);
    let next = chain(writer.head("n1", 1).unwrap(), "n1", 1, 2);
    let error = reader.append(&next, &[], &[]).unwrap_err();
    assert!(matches!(error, LedgerError::Store(StoreError::ReadOnly { .. })), "{error}");
    assert!(error.to_string().contains("ledger.db: can only be read; remount"), "{error}");
    writer.append(&next, &[], &[]).unwrap();
    assert_eq!(reader.tail(0, 100).unwrap().len(), 5);
}
