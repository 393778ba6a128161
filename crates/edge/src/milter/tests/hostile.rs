//! Peers that do not mean well, or are no MTA.

use std::time::Duration;

use super::*;

const SHORT: Duration = Duration::from_millis(200);

/// Sends bytes after a greeting: the connection is closed, counted as `expect` (malformed,
/// oversize), and the next one is answered.
#[track_caller]
fn check_closes(bytes: &[u8], expect: (u64, u64)) {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.flush();
    // We may close before all of it is written.
    let _ = mta.stream.write_all(bytes);
    assert_eq!(mta.told(), "closed");
    wait_for(|| stage.counters().connections == 0);
    assert_eq!((stage.counters().malformed, stage.counters().oversize), expect);
    assert_eq!(stage.greeted().message(), ["continue"]);
}

#[test]
fn what_is_no_packet_closes_silently() {
    check_closes(b"\0\0\0\0", (0, 1));
    check_closes(b"\0\x10\0\x01B", (0, 1));
    check_closes(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", (0, 1));
    let garbage: Vec<u8> = (0..8192u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    check_closes(&garbage, (0, 1));
}

#[test]
fn what_is_no_command_closes_silently() {
    check_closes(b"\0\0\0\x01Z", (1, 0));
    check_closes(b"\0\0\0\x02Hx", (1, 0));
    check_closes(b"\0\0\0\x09Cx\x004\0\x19no\0", (1, 0));
    check_closes(b"\0\0\0\x04DRi\0", (1, 0));
    check_closes(b"\0\0\0\x0dO\0\0\0\x01\0\0\0\0\0\0\0\0", (1, 0));
}

#[test]
fn nothing_is_done_before_anything_is_agreed() {
    let stage = Stage::new();
    let mut mta = stage.unix();
    assert_eq!(mta.step(Command::Helo(b"x")), "closed");
    wait_for(|| stage.counters().malformed == 1);
}

#[test]
fn commands_out_of_order_are_answered_and_do_nothing() {
    let stage = Stage::new();
    let mut mta = stage.unix();
    mta.agree(POSTFIX);
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    assert_eq!(mta.content(), ["continue"]);
    mta.mail("<a@example.net>");
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    mta.connect("192.0.2.25");
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    mta.step(Command::Abort);
    mta.step(Command::Abort);
    mta.agree(POSTFIX);
    assert_eq!(mta.message(), ["continue"]);
    assert_eq!((stage.heard(1).len(), stage.keeps.letters().len()), (1, 1));
}

#[test]
fn a_packet_of_a_mebibyte_is_taken() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    let long = vec![b'x'; wire::milter::PACKET_LEN_MAX - 3];
    mta.step(Command::Helo(&long));
    mta.step(Command::Mail { path: &long, parameters: b"" });
    assert_eq!(mta.step(Command::Rcpt { path: &long, parameters: b"" }), "continue");
    mta.step(Command::Field { name: &long[1..], value: b"" });
    mta.step(Command::Body(&long));
    assert_eq!(mta.end(), ["continue"]);
    let letter = stage.keeps.letter();
    assert_eq!((letter.sender.len(), letter.recipients[0].len()), (1024, 1024));
    assert_eq!((letter.fields_whole, letter.body.len()), (false, long.len()));
}

#[test]
fn a_session_that_comes_byte_by_byte_is_answered() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    Command::Rcpt { path: b"<b@example.org>", parameters: b"" }.write(&mut mta.out);
    for byte in std::mem::take(&mut mta.out) {
        mta.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(mta.told(), "continue");
}

#[test]
fn half_a_command_and_then_silence_is_closed() {
    let stage = Stage::with(|config| config.rest = SHORT);
    let mut mta = stage.greeted();
    mta.flush();
    mta.stream.write_all(b"\0\0\0\x10H").unwrap();
    assert_eq!(mta.told(), "closed");
    wait_for(|| stage.counters().slow == 1 && stage.counters().connections == 0);
}

#[test]
fn a_peer_that_takes_no_answers_is_closed() {
    let stage = Stage::with(|config| config.rest = SHORT);
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    let mut many = Vec::new();
    (0..1000).for_each(|_| Command::Rcpt { path: b"<b@example.org>", parameters: b"" }.write(&mut many));
    mta.flush();
    while mta.stream.write_all(&many).is_ok() {}
    wait_for(|| stage.counters().slow == 1 && stage.counters().connections == 0);
}

#[test]
fn a_silent_connection_is_closed_and_counts_as_nothing_bad() {
    let stage = Stage::with(|config| config.idle = SHORT);
    assert_eq!(stage.unix().told(), "closed");
    wait_for(|| stage.counters().connections == 0);
    assert_eq!((stage.counters().slow, stage.counters().malformed), (0, 0));
}

#[test]
fn a_connection_that_breaks_in_a_message_leaves_nothing_behind() {
    let stage = Stage::with(|config| config.held_max = 1000);
    for _ in 0..20 {
        let mut mta = stage.greeted();
        mta.mail("<a@example.net>");
        mta.rcpt("<b@example.org>");
        mta.step(Command::Body(&[b'x'; 900]));
        mta.flush();
        drop(mta);
        wait_for(|| stage.counters().connections == 0);
    }
    assert_eq!(stage.counters().crowded, 0);
}

#[test]
fn beyond_the_cap_connections_are_turned_away_until_one_leaves() {
    let stage = Stage::with(|config| config.connections_max = 2);
    let (first, mut second) = (stage.greeted(), stage.greeted());
    assert_eq!(stage.unix().told(), "closed");
    assert_eq!((stage.counters().connections, stage.counters().turned_away), (2, 1));
    first.quit();
    wait_for(|| stage.counters().connections == 1);
    assert_eq!(stage.greeted().message(), ["continue"]);
    assert_eq!(second.message(), ["continue"]);
}

#[test]
fn a_full_intake_is_counted_and_answers_go_on() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    for _ in 0..5003 {
        assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    }
    wait_for(|| stage.counters().dropped == 3);
    assert_eq!(mta.content(), ["continue"]);
}

#[test]
fn a_stop_answers_what_was_asked_and_leaves_nothing_behind() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    Command::Rcpt { path: b"<b@example.org>", parameters: b"" }.write(&mut mta.out);
    mta.flush();
    let Stage { server, path, .. } = stage;
    server.stop();
    assert_eq!((mta.told().as_str(), mta.told().as_str()), ("continue", "closed"));
    assert!(!path.exists());
}
