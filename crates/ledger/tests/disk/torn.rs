//! Tails that a crash tore, and damage that only looks like it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ledger::DataDir;
use ledger::journal::{Birth, JournalError, Repair, Writer};

use crate::common::{Scratch, flip, frame, identity, open, read_from, roomy, segments, write_up_to};

/// A journal with frames 1 to `synced` acknowledged and those up to `written` not.
struct Torn {
    _scratch: Scratch,
    store: DataDir,
    segment: PathBuf,
    /// Where each frame ends, from the header's end on.
    ends: Vec<usize>,
}

impl Torn {
    fn new(synced: u64, written: u64) -> Self {
        let scratch = Scratch::new();
        let store = DataDir::open(&scratch).unwrap();
        let (mut writer, _) = open(&store).unwrap();
        let segment = segments(&store).remove(0);
        let mut ends = vec![length(&segment)];
        for position in 1..=written {
            append(&mut writer, position, position <= synced);
            ends.push(length(&segment));
        }
        Self { _scratch: scratch, store, segment, ends }
    }

    /// Opens the journal, checks that exactly the frames up to `last` are left, and writes on.
    #[track_caller]
    fn check_left(&self, last: u64) -> Option<Repair> {
        let (mut writer, repair) = open(&self.store).unwrap();
        assert_eq!((writer.next_position(), writer.synced()), (last + 1, last));
        assert_eq!(length(&self.segment), self.ends[usize::try_from(last).unwrap()]);
        write_up_to(&mut writer, last + 2);
        assert_eq!(read_from(&self.store, 1).unwrap(), (1..=last + 2).collect::<Vec<_>>());
        repair
    }

    fn restore(&self, bytes: &[u8]) {
        fs::write(&self.segment, bytes).unwrap();
    }
}

fn append(writer: &mut Writer, position: u64, sync: bool) {
    writer.append(&frame(position)).unwrap();
    if sync {
        writer.sync().unwrap();
    }
}

fn length(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_to_the_last_whole_frame() {
    let torn = Torn::new(2, 5);
    let whole = fs::read(&torn.segment).unwrap();
    for at in torn.ends[2]..whole.len() {
        torn.restore(&whole[..at]);
        let last = torn.ends.iter().rposition(|end| *end <= at).unwrap();
        let cut_bytes = (at - torn.ends[last]) as u64;
        let expect = (cut_bytes > 0).then(|| Repair { file: torn.segment.clone(), cut_bytes });
        assert_eq!(torn.check_left(last as u64), expect, "torn at byte {at}");
    }
}

#[test]
fn a_tail_with_any_byte_changed_is_cut_before_the_changed_frame() {
    let torn = Torn::new(2, 4);
    let whole = fs::read(&torn.segment).unwrap();
    for at in torn.ends[2]..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        torn.restore(&bytes);
        let last = torn.ends.iter().rposition(|end| *end <= at).unwrap();
        assert!(torn.check_left(last as u64).is_some(), "changed at byte {at}");
    }
}

#[test]
fn a_tail_that_the_file_system_left_zero_is_cut() {
    let torn = Torn::new(2, 2);
    OpenOptions::new().append(true).open(&torn.segment).unwrap().write_all(&[0; 10_000]).unwrap();
    assert_eq!(torn.check_left(2).unwrap().cut_bytes, 10_000);
}

// Pages of one unsynced group reach the disk in any order.
#[test]
fn a_whole_frame_behind_a_torn_one_is_cut_too_when_neither_was_acknowledged() {
    let torn = Torn::new(2, 5);
    flip(&torn.segment, torn.ends[3] + 50);
    assert!(torn.check_left(3).is_some());
}

#[test]
fn damage_to_an_acknowledged_frame_is_an_error_and_nothing_is_cut() {
    let torn = Torn::new(5, 6);
    let whole = fs::read(&torn.segment).unwrap();
    // Frame 6 knows that 5 was synced; every byte of 2 and 5 matters.
    for at in (torn.ends[1]..torn.ends[2]).chain(torn.ends[4]..torn.ends[5]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        torn.restore(&bytes);
        let frame = torn.ends.iter().rposition(|end| *end <= at).unwrap();
        match open(&torn.store).err() {
            Some(JournalError::Damaged { file, offset, .. }) => {
                assert_eq!((file, offset), (torn.segment.clone(), torn.ends[frame] as u64));
            }
            other => panic!("changed at byte {at}: {other:?}"),
        }
        assert_eq!(fs::read(&torn.segment).unwrap(), bytes, "the file was touched");
    }
}

// Inputs hold what peers sent. If a frame in them counted, its sender could make a torn tail look
// like damage, and mailward would not start after a power failure.
#[test]
fn a_frame_inside_a_peers_bytes_does_not_count() {
    let stranger = Scratch::new();
    let stranger = DataDir::open(&stranger).unwrap();
    let birth = Birth { seeds: [1, 2], first_position: 1 };
    let (mut forger, _) = Writer::open(&stranger, &identity(), birth, roomy(), 1_000).unwrap();
    (1..=9).for_each(|position| append(&mut forger, position, true));
    let forged = fs::read(&segments(&stranger)[0]).unwrap().split_off(148);

    let torn = Torn::new(2, 2);
    let mut file = OpenOptions::new().append(true).open(&torn.segment).unwrap();
    file.write_all(&[&[0xee; 48], &forged[..]].concat()).unwrap();
    assert_eq!(torn.check_left(2).unwrap().cut_bytes, (48 + forged.len()) as u64);
}

#[test]
fn a_half_written_segment_file_is_removed() {
    let torn = Torn::new(2, 2);
    let leftover = torn.store.journal().join("00000000000000000003.mwj.tmp");
    fs::write(&leftover, "MWJR").unwrap();
    assert_eq!(torn.check_left(2), None);
    assert!(!leftover.exists());
}

#[test]
fn a_damaged_header_is_named() {
    let torn = Torn::new(2, 2);
    let whole = fs::read(&torn.segment).unwrap();
    // All of the header but the format byte, which has its own error.
    for at in (0..148).filter(|at| *at != 8) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        torn.restore(&bytes);
        let error = open(&torn.store).err().unwrap();
        assert!(matches!(&error, JournalError::Damaged { offset: 0, .. }), "byte {at}: {error}");
    }
    torn.restore(&whole[..100]);
    let error = open(&torn.store).err().unwrap();
    assert!(error.to_string().contains("expected a header of 148 bytes, but got a shorter file"), "{error}");
}
