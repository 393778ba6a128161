//! What the tests share: a directory of their own, frames, events.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ledger::journal::{Birth, Frame, Identity, JournalError, Options, Reader, Repair, Writer};
use ledger::{DataDir, EventStore, Head, Sealed, SqliteLedger};
use sha2::{Digest, Sha256};

/// A directory that goes with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("disk-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) const SEEDS: [u64; 2] = [0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00];

pub(crate) fn identity() -> Identity {
    Identity { site: "example".to_owned(), node: "n1".to_owned(), life: 1 }
}

pub(crate) fn birth() -> Birth {
    Birth { seeds: SEEDS, first_position: 1 }
}

/// Nothing rotates and nothing goes, unless a test says so.
pub(crate) fn roomy() -> Options {
    const LONG: Duration = Duration::from_secs(1 << 40);
    Options { segment_bytes_max: 1 << 40, segment_age_max: LONG, total_bytes_max: 1 << 50, age_max: LONG }
}

pub(crate) fn open_with(store: &DataDir, options: Options) -> Result<(Writer, Option<Repair>), JournalError> {
    Writer::open(store, &identity(), birth(), options, 1_000)
}

pub(crate) fn open(store: &DataDir) -> Result<(Writer, Option<Repair>), JournalError> {
    open_with(store, roomy())
}

/// A frame whose inputs follow from its position alone; every third is long enough to be packed.
pub(crate) fn frame(position: u64) -> Frame {
    let line = format!("client=192.0.2.{} position={position}\n", position % 250);
    let inputs = line.repeat(if position.is_multiple_of(3) { 20 } else { 1 }).into_bytes();
    Frame { position, wall_ms: 1_000 + position, mono_ns: position * 1_000_000, inputs }
}

/// Appends the frames up to `last` and syncs.
pub(crate) fn write_up_to(writer: &mut Writer, last: u64) {
    while writer.next_position() <= last {
        writer.append(&frame(writer.next_position())).unwrap();
    }
    writer.sync().unwrap();
}

/// The positions of all frames from `from`; each was checked to hold what was written.
pub(crate) fn read_from(store: &DataDir, from: u64) -> Result<Vec<u64>, JournalError> {
    let frames: Result<Vec<_>, _> = Reader::open(&store.journal(), from)?.collect();
    let frames = frames?;
    for read in &frames {
        assert_eq!(read, &frame(read.position));
    }
    Ok(frames.into_iter().map(|read| read.position).collect())
}

pub(crate) fn segments(store: &DataDir) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(store.journal()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The event that follows `head` on `node`; its bytes follow from its number alone.
pub(crate) fn event_after(head: Head, node: &str, life: u32) -> Sealed {
    let seq = head.seq + 1;
    let bytes = format!("event {node}.{life}.{seq} on 192.0.2.{}", seq % 250).into_bytes();
    Sealed { node: node.to_owned(), life, seq, prev: head.hash, hash: Sha256::digest(&bytes).into(), bytes }
}

/// `count` events in a chain behind `head`.
pub(crate) fn chain(mut head: Head, node: &str, life: u32, count: usize) -> Vec<Sealed> {
    let mut events = Vec::new();
    for _ in 0..count {
        let event = event_after(head, node, life);
        head = Head { seq: event.seq, hash: event.hash };
        events.push(event);
    }
    events
}

/// A ledger of node `n1` with `count` events.
pub(crate) fn ledger_with(store: &DataDir, count: usize) -> SqliteLedger {
    let mut ledger = SqliteLedger::open(store, "n1").unwrap();
    ledger.append(&chain(Head::default(), "n1", 1, count), &[], &[]).unwrap();
    ledger
}

/// Changes one byte of a file.
pub(crate) fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x55;
    fs::write(path, bytes).unwrap();
}
