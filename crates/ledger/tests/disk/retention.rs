//! Which segments go, and which never.

use std::time::Duration;

use ledger::DataDir;
use ledger::journal::{Identity, Options, Reader, Retained, Writer};

use crate::common::{Scratch, birth, identity, open_with, read_from, roomy, segments, write_up_to};

/// Twelve segments of one frame each, of wall times 1,001 to 1,012.
struct Twelve {
    _scratch: Scratch,
    store: DataDir,
    writer: Writer,
}

impl Twelve {
    fn new(options: Options) -> Self {
        let scratch = Scratch::new();
        let store = DataDir::open(&scratch).unwrap();
        let options = Options { segment_bytes_max: 1, ..options };
        let (mut writer, _) = open_with(&store, options).unwrap();
        write_up_to(&mut writer, 12);
        assert_eq!(segments(&store).len(), 12);
        Self { _scratch: scratch, store, writer }
    }

    /// Retains, checks what is left by the numbers of the segments, and reads it.
    #[track_caller]
    fn check(&mut self, now_ms: u64, keep_after: u64, left: std::ops::RangeInclusive<u64>) -> Retained {
        let first = *left.start();
        let retained = self.writer.retain(now_ms, keep_after).unwrap();
        assert_eq!(read_from(&self.store, first).unwrap(), left.collect::<Vec<_>>());
        assert!(Reader::open(&self.store.journal(), first - 1).is_err(), "more is left");
        let bytes: u64 = segments(&self.store).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert_eq!(retained.bytes, bytes);
        retained
    }
}

/// Room for three segments.
fn tight() -> Options {
    Options { total_bytes_max: 900, ..roomy() }
}

fn brief() -> Options {
    Options { age_max: Duration::from_millis(5), ..roomy() }
}

#[test]
fn the_oldest_go_until_the_size_fits() {
    let mut twelve = Twelve::new(tight());
    let before = segments(&twelve.store);
    let retained = twelve.check(2_000, u64::MAX, 10..=12);
    assert_eq!(retained.removed, before[..9]);
    assert!(retained.bytes <= 900);
    assert_eq!(retained.over_bytes, 0);
}

#[test]
fn what_a_restart_needs_stays_whatever_the_cap_says() {
    let mut twelve = Twelve::new(tight());
    let retained = twelve.check(2_000, 4, 5..=12);
    assert_eq!(retained.over_bytes, retained.bytes - 900);
    assert!(retained.over_bytes > 0);
    assert!(twelve.writer.retain(2_000, 4).unwrap().removed.is_empty());
}

#[test]
fn frames_beyond_their_age_go_with_their_segment() {
    let mut twelve = Twelve::new(brief());
    // Frame 7 is of 1,007: the segment of frame 6 ended then, 5 ms before now.
    twelve.check(1_012, u64::MAX, 7..=12);
    twelve.check(1_012, u64::MAX, 7..=12);
    twelve.check(1_013, u64::MAX, 8..=12);
}

#[test]
fn the_segment_that_is_written_stays_and_goes_on() {
    let mut twelve = Twelve::new(brief());
    twelve.check(u64::MAX, u64::MAX, 12..=12);
    write_up_to(&mut twelve.writer, 14);
    twelve.check(0, u64::MAX, 12..=14);
}

#[test]
fn a_reopened_journal_knows_its_segments() {
    let Twelve { _scratch, store, writer } = Twelve::new(brief());
    drop(writer);
    let (writer, _) = open_with(&store, brief()).unwrap();
    let mut twelve = Twelve { _scratch, store, writer };
    twelve.check(1_012, 4, 5..=12);
    twelve.check(1_012, u64::MAX, 7..=12);
}

#[test]
fn a_segment_that_somebody_removed_is_no_error() {
    let mut twelve = Twelve::new(brief());
    std::fs::remove_file(&segments(&twelve.store)[0]).unwrap();
    twelve.check(1_012, u64::MAX, 7..=12);
}

#[test]
fn damage_in_an_old_segment_stops_neither_writing_nor_retention() {
    let Twelve { _scratch, store, writer } = Twelve::new(tight());
    drop(writer);
    crate::common::flip(&segments(&store)[3], 30);
    let (writer, _) = open_with(&store, tight()).unwrap();
    Twelve { _scratch, store, writer }.check(2_000, u64::MAX, 10..=12);
}

// The new segment has the old one's name: were both on the list, the one that is written would go.
#[test]
fn an_empty_segment_that_gave_way_to_a_new_life_is_not_on_the_list() {
    let Twelve { _scratch, store, writer } = Twelve::new(brief());
    drop(writer);
    for life in [2, 3] {
        let identity = Identity { life, ..identity() };
        let (mut writer, _) = Writer::open(&store, &identity, birth(), brief(), 1_020).unwrap();
        writer.retain(u64::MAX, u64::MAX).unwrap();
        assert_eq!(segments(&store), [store.journal().join("00000000000000000013.mwj")]);
    }
}
