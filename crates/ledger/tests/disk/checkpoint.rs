//! Checkpoints: the newest whole one is found, and what was skipped is said.

use std::fs;
use std::path::PathBuf;

use ledger::checkpoint::{Flaw, Newest, newest_good, write};

use crate::common::{Scratch, flip};

fn state(position: u64) -> Vec<u8> {
    format!("standing of 192.0.2.25 at {position}\n").repeat(100).into_bytes()
}

fn file(scratch: &Scratch, position: u64) -> PathBuf {
    scratch.join(format!("checkpoint/{position:020}.mwc"))
}

/// Checkpoints at 10, 20 and 30.
fn three() -> Scratch {
    let scratch = Scratch::new();
    for position in [10, 20, 30] {
        write(&scratch.join("checkpoint"), position, &state(position)).unwrap();
    }
    scratch
}

#[track_caller]
fn check(scratch: &Scratch, found: Option<u64>, skipped: &[&str]) {
    let newest = newest_good(&scratch.join("checkpoint")).unwrap();
    assert_eq!(newest.found, found.map(|position| (position, state(position))));
    let said: Vec<_> = newest.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), skipped.len(), "{said:?}");
    for (said, expect) in said.iter().zip(skipped) {
        assert!(said.contains(expect), "{said}");
    }
}

#[test]
fn the_newest_three_are_kept() {
    let scratch = Scratch::new();
    let dir = scratch.join("checkpoint");
    assert!(matches!(newest_good(&dir).unwrap(), Newest { found: None, .. }));
    let kept: Vec<_> =
        [9, 10, 100, 101].map(|position| write(&dir, position, &state(position)).unwrap()).into();
    assert_eq!(kept, [vec![9], vec![9, 10], vec![9, 10, 100], vec![10, 100, 101]]);
    check(&scratch, Some(101), &[]);
}

#[test]
fn an_empty_state_and_the_same_position_again_are_fine() {
    let scratch = Scratch::new();
    let dir = scratch.join("checkpoint");
    write(&dir, 10, b"").unwrap();
    assert_eq!(newest_good(&dir).unwrap().found, Some((10, Vec::new())));
    assert_eq!(write(&dir, 10, &state(10)).unwrap(), [10]);
    check(&scratch, Some(10), &[]);
}

#[test]
fn a_checkpoint_with_any_byte_changed_or_missing_is_skipped() {
    let scratch = three();
    let whole = fs::read(file(&scratch, 30)).unwrap();
    for at in 0..whole.len() {
        flip(&file(&scratch, 30), at);
        check(&scratch, Some(20), &["00000000000000000030.mwc: expected"]);
        fs::write(file(&scratch, 30), &whole[..at]).unwrap();
        check(&scratch, Some(20), &["00000000000000000030.mwc: expected"]);
        fs::write(file(&scratch, 30), &whole).unwrap();
    }
    check(&scratch, Some(30), &[]);
}

#[test]
fn every_one_that_is_skipped_is_said() {
    let scratch = three();
    fs::write(file(&scratch, 30), "").unwrap();
    fs::remove_file(file(&scratch, 20)).unwrap();
    fs::create_dir(file(&scratch, 20)).unwrap();
    check(
        &scratch,
        Some(10),
        &["30.mwc: expected at least 72 bytes, but got 0; an older one is used", "20.mwc: cannot be read: "],
    );
    fs::remove_file(file(&scratch, 10)).unwrap();
    check(&scratch, None, &["30.mwc", "20.mwc"]);
}

#[test]
fn one_under_another_ones_name_is_skipped() {
    let scratch = three();
    fs::copy(file(&scratch, 10), file(&scratch, 40)).unwrap();
    check(&scratch, Some(30), &["40.mwc: expected position 40, but got 10"]);
}

#[test]
fn one_of_a_newer_version_is_skipped_as_such() {
    let scratch = three();
    let mut bytes = fs::read(file(&scratch, 30)).unwrap();
    bytes[8] = 2;
    fs::write(file(&scratch, 30), bytes).unwrap();
    check(&scratch, Some(20), &["30.mwc: expected format 1 or older, but got 2"]);
    let newest = newest_good(&scratch.join("checkpoint")).unwrap();
    assert_eq!(newest.skipped[0].why, Flaw::Newer { found: 2 });
}

#[test]
fn what_a_crash_left_half_written_is_no_checkpoint_and_goes() {
    let scratch = three();
    let leftover = scratch.join("checkpoint/00000000000000000040.mwc.tmp");
    fs::write(&leftover, "half").unwrap();
    check(&scratch, Some(30), &[]);
    write(&scratch.join("checkpoint"), 50, &state(50)).unwrap();
    assert!(!leftover.exists());
}
