//! Exhibits: what stays for whom, and for how long.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ledger::{DataDir, ExhibitRow, Exhibits};

use crate::common::Scratch;

const HOUR: u64 = 3_600_000;

fn row(id: u8, until_ms: u64) -> ExhibitRow {
    let (redacted, full) = (vec![id; 100], b"clear text of somebody@example.org".repeat(30));
    ExhibitRow { id: [id; 16], redacted, full, full_until_ms: until_ms / 2, until_ms }
}

fn there(exhibits: &Exhibits, ids: impl IntoIterator<Item = u8>) -> Vec<(u8, bool)> {
    let known = ids.into_iter().filter_map(|id| {
        exhibits.redacted([id; 16]).unwrap()?;
        Some((id, exhibits.full([id; 16]).unwrap().is_some()))
    });
    known.collect()
}

#[test]
fn the_full_form_goes_first_and_what_a_case_took_stays() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch.join("data")).unwrap();
    let mut exhibits = Exhibits::open(&store).unwrap();
    exhibits.put(&[row(1, 10 * HOUR), row(2, 10 * HOUR)]).unwrap();
    exhibits.put(&[row(2, 99 * HOUR)]).unwrap();
    exhibits.take(&[[1; 16], [9; 16]], 50 * HOUR).unwrap();
    assert_eq!(there(&exhibits, 0..10), [(1, true), (2, true)]);
    assert_eq!(exhibits.sweep(5 * HOUR, u64::MAX).unwrap(), 0);
    assert_eq!(there(&exhibits, 0..10), [(1, false), (2, false)]);
    assert_eq!(exhibits.sweep(10 * HOUR, u64::MAX).unwrap(), 1);
    assert_eq!(there(&exhibits, 0..10), [(1, false)]);
    assert_eq!(exhibits.sweep(50 * HOUR, u64::MAX).unwrap(), 1);
}

#[test]
fn beyond_the_limit_the_oldest_go_that_no_case_took() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch.join("data")).unwrap();
    let mut exhibits = Exhibits::open(&store).unwrap();
    let rows: Vec<_> = (1..=20).map(|id| row(id, (100 + u64::from(id)) * HOUR)).collect();
    exhibits.put(&rows).unwrap();
    exhibits.take(&[[1; 16]], 101 * HOUR).unwrap();
    let one = (rows[0].redacted.len() + rows[0].full.len()) as u64;
    assert_eq!(exhibits.sweep(0, 16 * one).unwrap(), 4);
    let left: Vec<u8> = there(&exhibits, 0..30).into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, [vec![1], (6..=20).collect()].concat());
}

#[test]
fn what_was_erased_stands_nowhere_in_the_files() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch.join("data")).unwrap();
    let mut exhibits = Exhibits::open(&store).unwrap();
    let holds = || {
        let files = fs::read_dir(store.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(8).any(|w| w == b"somebody"))
    };
    exhibits.put(&[row(1, 10 * HOUR)]).unwrap();
    assert!(holds());
    assert_eq!(fs::metadata(store.exhibits()).unwrap().permissions().mode() & 0o777, 0o600);
    exhibits.sweep(10 * HOUR, u64::MAX).unwrap();
    assert!(!holds());
}
