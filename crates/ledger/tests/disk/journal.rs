//! Writing and reading back, across segments and lives.

use std::time::Duration;

use ledger::DataDir;
use ledger::journal::{Birth, Frame, INPUTS_LEN_MAX, Identity, JournalError, Options, Reader, Writer};

use crate::common::{
    SEEDS, Scratch, birth, flip, frame, identity, open, open_with, read_from, roomy, segments, write_up_to,
};

/// A few frames fit into one segment.
fn small() -> Options {
    Options { segment_bytes_max: 1_000, ..roomy() }
}

#[test]
fn frames_come_back_as_they_were_written() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, repair) = open(&store).unwrap();
    assert_eq!(repair, None);
    write_up_to(&mut writer, 10);
    assert_eq!(read_from(&store, 1).unwrap(), (1..=10).collect::<Vec<_>>());
}

/// Bytes in which zstd finds nothing to save.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn inputs_that_do_not_shrink_are_kept_as_they_are() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open(&store).unwrap();
    let lengths = [0, 1, 255, 256, 4_000, 70_000];
    for (position, length) in (1..).zip(lengths) {
        writer.append(&Frame { inputs: noise(length), ..frame(position) }).unwrap();
    }
    writer.sync().unwrap();
    for (read, length) in Reader::open(&store.journal(), 1).unwrap().zip(lengths) {
        assert_eq!(read.unwrap().inputs, noise(length));
    }
    let heads_and_bodies: usize = lengths.iter().map(|length| 48 + length).sum();
    assert_eq!(segments(&store)[0].metadata().unwrap().len(), (148 + heads_and_bodies) as u64);
}

#[test]
fn a_reopened_journal_goes_on_where_it_ended() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    write_up_to(&mut open(&store).unwrap().0, 3);
    // Seeds and first position are only for a journal that is not there yet.
    let other = Birth { seeds: [7, 7], first_position: 100 };
    let (mut writer, repair) = Writer::open(&store, &identity(), other, roomy(), 2_000).unwrap();
    assert_eq!((writer.next_position(), writer.synced(), repair), (4, 3, None));
    assert_eq!(writer.header().seeds, SEEDS);
    write_up_to(&mut writer, 5);
    assert_eq!(read_from(&store, 1).unwrap(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_lost_journal_may_begin_behind_a_checkpoint() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let birth = Birth { first_position: 48_212, ..birth() };
    let (mut writer, _) = Writer::open(&store, &identity(), birth, roomy(), 0).unwrap();
    assert_eq!((writer.next_position(), writer.synced()), (48_212, 48_211));
    write_up_to(&mut writer, 48_213);
    assert_eq!(read_from(&store, 48_212).unwrap(), [48_212, 48_213]);
}

#[test]
fn a_segment_ends_before_the_frame_that_is_too_much() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open_with(&store, small()).unwrap();
    write_up_to(&mut writer, 40);
    let segments = segments(&store);
    assert!(segments.len() > 3, "{segments:?}");
    for segment in &segments {
        assert!(segment.metadata().unwrap().len() <= 1_000, "{segment:?}");
    }
    drop(writer);
    let (mut writer, _) = open_with(&store, small()).unwrap();
    write_up_to(&mut writer, 50);
    assert_eq!(read_from(&store, 1).unwrap(), (1..=50).collect::<Vec<_>>());
}

#[test]
fn a_frame_larger_than_a_segment_has_one_of_its_own() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open_with(&store, Options { segment_bytes_max: 1, ..roomy() }).unwrap();
    write_up_to(&mut writer, 1);
    assert_eq!(writer.header().begun_ms, 1_000, "the empty segment was begun again");
    write_up_to(&mut writer, 4);
    assert_eq!(segments(&store).len(), 4);
    assert_eq!(read_from(&store, 1).unwrap(), [1, 2, 3, 4]);
}

#[test]
fn a_segment_ends_when_it_is_old() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let options = Options { segment_age_max: Duration::from_millis(10), ..roomy() };
    let (mut writer, _) = open_with(&store, options).unwrap();
    // The first begins at 1,000, and frame n is of 1,000 + n.
    write_up_to(&mut writer, 9);
    assert_eq!(segments(&store).len(), 1);
    write_up_to(&mut writer, 10);
    assert_eq!(segments(&store).len(), 2);
    assert_eq!(writer.header().begun_ms, 1_010);
    // A clock that went back ages nothing.
    writer.append(&Frame { position: 11, wall_ms: 5, ..Frame::default() }).unwrap();
    assert_eq!(segments(&store).len(), 2);
}

#[test]
fn reading_begins_anywhere() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open_with(&store, small()).unwrap();
    write_up_to(&mut writer, 30);
    for from in 1..=31 {
        assert_eq!(read_from(&store, from).unwrap(), (from..=30).collect::<Vec<_>>());
    }
}

#[track_caller]
fn check_missing(result: Result<Vec<u64>, JournalError>, expect: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(expect), "{error}");
}

#[test]
fn a_position_that_is_not_there_is_named() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    check_missing(read_from(&store, 1), "expected frame 1, but the journal is empty");
    let (mut writer, _) = open_with(&store, small()).unwrap();
    write_up_to(&mut writer, 30);
    check_missing(read_from(&store, 32), "expected frame 32, but the nearest is 30");
    std::fs::remove_file(&segments(&store)[0]).unwrap();
    check_missing(read_from(&store, 1), "expected frame 1, but the nearest is ");
}

#[test]
fn a_missing_segment_in_the_middle_is_named() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open_with(&store, small()).unwrap();
    write_up_to(&mut writer, 30);
    std::fs::remove_file(&segments(&store)[1]).unwrap();
    let error = read_from(&store, 1).unwrap_err();
    assert!(matches!(error, JournalError::Missing { nearest: Some(_), .. }), "{error}");
}

/// Puts the second segment of a journal that began with `seeds` and `first` into ours.
#[track_caller]
fn check_stranger(seeds: [u64; 2], first: &Frame) {
    let (mine, other) = (Scratch::new(), Scratch::new());
    let (mine, other) = (DataDir::open(&mine).unwrap(), DataDir::open(&other).unwrap());
    for (store, seeds, first) in [(&mine, SEEDS, &frame(1)), (&other, seeds, first)] {
        let birth = Birth { seeds, ..birth() };
        let (mut writer, _) =
            Writer::open(store, &identity(), birth, Options { segment_bytes_max: 1, ..roomy() }, 1_000)
                .unwrap();
        writer.append(first).unwrap();
        write_up_to(&mut writer, 3);
    }
    std::fs::copy(&segments(&other)[1], &segments(&mine)[1]).unwrap();
    let error = read_from(&mine, 1).unwrap_err();
    assert!(error.to_string().contains("expected the segment that follows"), "{error}");
}

#[test]
fn a_segment_of_another_journal_does_not_pass() {
    check_stranger([1, 2], &frame(1));
    check_stranger(SEEDS, &Frame { mono_ns: 7, ..frame(1) });
}

#[test]
fn a_reader_follows_a_writer_over_the_end_of_a_segment() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open_with(&store, small()).unwrap();
    write_up_to(&mut writer, 1);
    let mut reader = Reader::open(&store.journal(), 1).unwrap();
    for position in 1..=30 {
        assert_eq!(reader.next().unwrap().unwrap(), frame(position));
        assert!(reader.next().is_none(), "nothing is there yet");
        write_up_to(&mut writer, position + 1);
    }
}

#[test]
fn a_frame_that_is_half_there_is_not_there_yet() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    write_up_to(&mut open(&store).unwrap().0, 3);
    let segment = segments(&store).remove(0);
    let whole = std::fs::read(&segment).unwrap();
    for missing in [1, 60] {
        std::fs::write(&segment, &whole[..whole.len() - missing]).unwrap();
        let mut reader = Reader::open(&store.journal(), 2).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), frame(2));
        assert!(reader.next().is_none());
        std::fs::write(&segment, &whole).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), frame(3));
    }
}

#[test]
fn a_segment_cut_off_before_the_next_one_is_damaged() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    write_up_to(&mut open_with(&store, small()).unwrap().0, 30);
    let segment = segments(&store).remove(0);
    let whole = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &whole[..whole.len() - 1]).unwrap();
    let error = read_from(&store, 1).unwrap_err();
    assert!(matches!(&error, JournalError::Damaged { file, .. } if *file == segment), "{error}");
}

#[test]
fn a_segment_is_synced_before_the_next_one_begins() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open_with(&store, small()).unwrap();
    while segments(&store).len() < 2 {
        assert_eq!(writer.synced(), 0);
        writer.append(&frame(writer.next_position())).unwrap();
    }
    assert_eq!(writer.synced(), writer.header().first_position - 1);
}

#[test]
fn a_new_life_begins_a_new_segment() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let reopen = |life: u32| Writer::open(&store, &Identity { life, ..identity() }, birth(), roomy(), 5_000);
    // Again before the first frame: the empty segment gives way.
    drop(reopen(1).unwrap());
    write_up_to(&mut reopen(2).unwrap().0, 3);
    assert_eq!(segments(&store).len(), 1);
    drop(reopen(3).unwrap());
    let (mut writer, _) = reopen(4).unwrap();
    assert_eq!((writer.header().identity.life, writer.header().seeds), (4, SEEDS));
    write_up_to(&mut writer, 6);
    assert_eq!(segments(&store).len(), 2);
    assert_eq!(read_from(&store, 1).unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn another_nodes_journal_is_refused() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    drop(open(&store).unwrap());
    let stranger = Identity { node: "n2".to_owned(), ..identity() };
    let error = Writer::open(&store, &stranger, birth(), roomy(), 0).err().unwrap();
    let expect = "expected the journal of site example, node n2, but got that of site example, node n1;";
    assert!(error.to_string().contains(expect), "{error}");
}

#[test]
fn a_name_that_does_not_fit_is_refused() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    for node in ["", "n 1", "n\u{e9}", "n\n", &"n".repeat(33)] {
        let bad = Identity { node: node.to_owned(), ..identity() };
        let error = Writer::open(&store, &bad, birth(), roomy(), 0).err().unwrap();
        assert!(matches!(error, JournalError::BadName { .. }), "{error}");
    }
    let long = Identity { node: "n".repeat(32), ..identity() };
    drop(Writer::open(&store, &long, birth(), roomy(), 0).unwrap());
    assert_eq!(Writer::open(&store, &long, birth(), roomy(), 0).unwrap().0.header().identity, long);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    write_up_to(&mut open(&store).unwrap().0, 3);
    let segment = segments(&store).remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[8] = 2;
    std::fs::write(&segment, &bytes).unwrap();
    let expect = format!("{}: expected format 1 or older, but got 2; start the mailward", segment.display());
    for error in [open(&store).err().unwrap(), read_from(&store, 1).unwrap_err()] {
        assert!(error.to_string().starts_with(&expect), "{error}");
    }
    assert_eq!(std::fs::read(&segment).unwrap(), bytes);
}

#[test]
fn frames_out_of_order_or_too_long_are_refused_and_leave_no_trace() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open(&store).unwrap();
    write_up_to(&mut writer, 2);
    for wrong in [0, 2, 4] {
        let error = writer.append(&frame(wrong)).unwrap_err();
        assert_eq!(error.to_string(), format!("expected frame 3, but got {wrong}"));
    }
    let long = Frame { inputs: vec![0; INPUTS_LEN_MAX + 1], ..frame(3) };
    assert!(matches!(writer.append(&long).unwrap_err(), JournalError::TooLong { .. }));
    let longest = Frame { inputs: vec![0; INPUTS_LEN_MAX], ..frame(3) };
    writer.append(&longest).unwrap();
    writer.sync().unwrap();
    let read = Reader::open(&store.journal(), 3).unwrap().next().unwrap().unwrap();
    assert_eq!(read.inputs.len(), INPUTS_LEN_MAX);
}

#[test]
fn the_reader_names_file_and_offset_of_damage() {
    let scratch = Scratch::new();
    let store = DataDir::open(&scratch).unwrap();
    let (mut writer, _) = open_with(&store, small()).unwrap();
    write_up_to(&mut writer, 30);
    drop(writer);
    let segment = segments(&store).remove(1);
    let (first, whole) = (148, std::fs::metadata(&segment).unwrap().len());
    flip(&segment, usize::try_from(whole).unwrap() - 1);
    match read_from(&store, 1).unwrap_err() {
        JournalError::Damaged { file, offset, .. } => {
            assert_eq!(file, segment);
            assert!(offset > first && offset < whole, "{offset}");
        }
        other => panic!("{other}"),
    }
}
