//! A disk that is full in the middle of a frame: what is there stays, and it goes on later.
//!
//! The disk is a child process under `ulimit -f`: a write beyond it is done in part, as on a disk
//! that fills up, and needs neither root nor a file system of its own.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use ledger::journal::JournalError;
use ledger::{DataDir, StoreError, checkpoint};

use crate::common::{Scratch, frame, open, read_from, write_up_to};

/// Where the child finds the store.
const STORE: &str = "MAILWARD_TEST_FULL_STORE";

/// What the child's file size limit is about: `ulimit` counts in 512 or 1024 bytes.
const BLOCKS: u32 = 64;

/// Longer than the limit, and without a pattern that zstd finds.
fn large_state() -> Vec<u8> {
    let numbers = (0_u64..40_000).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    numbers.flat_map(u64::to_be_bytes).collect()
}

#[test]
fn a_full_disk_stops_a_frame_whole_and_names_the_file() {
    let scratch = Scratch::new();
    let child = Command::new("sh")
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "full::the_daemon_on_a_small_disk", "--ignored", "--nocapture"])
        .env(STORE, &*scratch)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");

    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, repair) = open(&store).unwrap();
    assert_eq!(repair, None, "a part of a frame was left");
    let last = writer.next_position() - 1;
    assert!(last > 100, "only {last} frames fitted");
    write_up_to(&mut writer, last + 5);
    assert_eq!(read_from(&store, 1).unwrap(), (1..=last + 5).collect::<Vec<_>>());
}

#[test]
#[ignore = "the child of a_full_disk_stops_a_frame_whole_and_names_the_file"]
fn the_daemon_on_a_small_disk() {
    let store = env::var(STORE).expect("only a_full_disk_stops_a_frame_whole_and_names_the_file runs this");
    let store = DataDir::open(Path::new(&store)).unwrap();
    fill_journal(&store);
    fill_checkpoints(&store);
}

fn fill_journal(store: &DataDir) {
    let (mut writer, _) = open(store).unwrap();
    let mut append = || writer.append(&frame(writer.next_position()));
    let error = (0..100_000).find_map(|_| append().err()).expect("the limit was never reached");
    assert!(matches!(&error, JournalError::Store(StoreError::Full { .. })), "{error}");
    assert!(error.to_string().contains("00000000000000000001.mwj: no space left to write;"), "{error}");
    // Still full, and still not broken.
    let again = append().unwrap_err();
    assert!(matches!(&again, JournalError::Store(StoreError::Full { .. })), "{again}");
    writer.sync().unwrap();
    let whole = (1..=writer.synced()).collect::<Vec<_>>();
    assert_eq!(read_from(store, 1).unwrap(), whole);
}

fn fill_checkpoints(store: &DataDir) {
    let dir = store.checkpoints();
    checkpoint::write(&dir, 1, b"small").unwrap();
    let error = checkpoint::write(&dir, 2, &large_state()).unwrap_err();
    assert!(error.to_string().contains("00000000000000000002.mwc: no space left to write;"), "{error}");
    assert_eq!(checkpoint::newest_good(&dir).unwrap().found, Some((1, b"small".to_vec())));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "a half-written file was left");
}
