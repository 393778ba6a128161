//! Peers that do not mean well, or are not Postfix.

use super::*;

const SHORT: Duration = Duration::from_millis(200);

/// Sends bytes that can not be told from the next request: a whole request before them is
/// answered, they are not, and the connection is closed and counted.
#[track_caller]
fn check_closes(bytes: &[u8]) {
    let stage = Stage::new();
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&[]), "DUNNO");
    // We may close before all of it is written.
    let _ = peer.stream.write_all(bytes);
    assert_eq!(peer.answer(), "closed");
    wait_for(|| stage.counters().oversize == 1 && stage.counters().connections == 0);
    assert_eq!(stage.counters().requests, 1);
    assert_eq!(stage.unix().ask(&[]), "DUNNO");
}

#[test]
fn a_line_of_three_kilobytes_closes_silently() {
    check_closes(&[b"sender=".as_slice(), &[b'x'; 3 * 1024], b"\n\n"].concat());
    check_closes(&[b'x'; 3 * 1024]);
}

#[test]
fn a_request_without_end_closes_silently() {
    check_closes(&[b"x=".as_slice(), &[b'y'; 1021], b"\n"].concat().repeat(65));
}

#[test]
fn too_many_attributes_close_silently() {
    check_closes(&[b"x=\n".repeat(101), b"\n".to_vec()].concat());
}

#[test]
fn binary_garbage_closes_silently() {
    let garbage: Vec<u8> = (0..8192u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    check_closes(&garbage);
}

/// Sends a whole request that makes no sense: it is answered `DUNNO` and counted, and the
/// connection goes on.
#[track_caller]
fn check_malformed(bytes: &[u8]) {
    let stage = Stage::new();
    let mut peer = stage.unix();
    peer.send(bytes);
    assert_eq!(peer.answer(), "DUNNO");
    assert_eq!(peer.ask(&[]), "DUNNO");
    assert_eq!((stage.counters().malformed, stage.counters().requests), (1, 2));
    assert_eq!(stage.heard(1).len(), 1);
}

#[test]
fn what_makes_no_sense_is_answered_dunno_and_counted() {
    check_malformed(b"\n");
    check_malformed(b"hello\n\n");
    check_malformed(b"\x16\x03\x01\xff=\n\xfe\n\n");
    check_malformed(b"GET / HTTP/1.1\nHost: example.org\n\n");
    check_malformed(&request(&[("request", "something_else")]));
    check_malformed(&request(&[("client_address", "192.0.2.256")]));
    check_malformed(&request(&[("client_address", "192.0.2.25\r")]));
}

#[test]
fn half_a_request_and_then_silence_is_closed() {
    let stage = Stage::with(|config| config.rest = SHORT);
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&[]), "DUNNO");
    peer.send(b"request=smtpd_access_policy\nprotocol_st");
    assert_eq!(peer.answer(), "closed");
    wait_for(|| stage.counters().slow == 1);
}

#[test]
fn half_a_request_behind_a_whole_one_is_closed_too() {
    let stage = Stage::with(|config| config.rest = SHORT);
    let mut peer = stage.tcp();
    peer.send(&[request(&[]).as_slice(), b"request="].concat());
    assert_eq!((peer.answer().as_str(), peer.answer().as_str()), ("DUNNO", "closed"));
    wait_for(|| stage.counters().slow == 1);
}

#[test]
fn one_byte_at_a_time_does_not_win_more_time() {
    let stage = Stage::with(|config| config.rest = SHORT);
    let mut peer = stage.unix();
    // It would go on for ever; the socket fails when the other side has closed.
    while peer.stream.write_all(b"a").is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
    wait_for(|| stage.counters().slow == 1 && stage.counters().connections == 0);
}

#[test]
fn a_peer_that_takes_no_answers_is_closed() {
    let stage = Stage::with(|config| config.rest = SHORT);
    let mut peer = stage.unix();
    let many = request(&[]).repeat(100);
    while peer.stream.write_all(&many).is_ok() {}
    wait_for(|| stage.counters().slow == 1 && stage.counters().connections == 0);
}

#[test]
fn a_silent_connection_is_closed_and_counts_as_nothing_bad() {
    let stage = Stage::with(|config| config.idle = SHORT);
    assert_eq!(stage.unix().answer(), "closed");
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&[]), "DUNNO");
    assert_eq!(peer.answer(), "closed");
    assert_eq!((stage.counters().slow, stage.counters().oversize), (0, 0));
}

#[test]
fn a_request_that_comes_byte_by_byte_is_answered() {
    let stage = Stage::new();
    let mut peer = stage.unix();
    for byte in request(&[]) {
        peer.send(&[byte]);
    }
    assert_eq!(peer.answer(), "DUNNO");
}

#[test]
fn requests_that_come_together_are_answered_in_their_order() {
    let mut stage = Stage::new();
    stage.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    let mut peer = stage.unix();
    let (good, bad) = (request(&[("client_address", "192.0.2.1")]), request(&[]));
    peer.send(&[good.as_slice(), &bad, b"junk\n\n", &good, &bad].concat());
    let answers: Vec<_> = (0..5).map(|_| peer.answer().split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(answers, ["DUNNO", "550", "DUNNO", "DUNNO", "550"]);
    assert_eq!(stage.heard(4).len(), 4);
}

#[test]
fn a_flood_of_empty_requests_is_answered_one_by_one() {
    let stage = Stage::new();
    let mut peer = stage.unix();
    let mut writer = peer.stream.try_clone().unwrap();
    let flood = thread::spawn(move || writer.write_all(&[b'\n'; 100_000]).unwrap());
    for _ in 0..100_000 {
        assert_eq!(peer.answer(), "DUNNO");
    }
    flood.join().unwrap();
    assert_eq!(stage.counters().malformed, 100_000);
}

#[test]
fn a_full_intake_is_counted_and_answers_go_on() {
    let stage = Stage::with_room(2, |_| {});
    let mut peer = stage.unix();
    for _ in 0..5 {
        assert_eq!(peer.ask(&[]), "DUNNO");
    }
    wait_for(|| stage.counters().dropped == 3);
    assert_eq!(stage.heard(2).len(), 2);
}

#[test]
fn beyond_the_cap_connections_are_turned_away_until_one_leaves() {
    let stage = Stage::with(|config| config.connections_max = 2);
    let (mut first, mut second) = (stage.unix(), stage.tcp());
    assert_eq!((first.ask(&[]).as_str(), second.ask(&[]).as_str()), ("DUNNO", "DUNNO"));
    assert_eq!(stage.unix().answer(), "closed");
    assert_eq!(stage.tcp().answer(), "closed");
    let counts = stage.counters();
    assert_eq!((counts.connections, counts.accepted, counts.turned_away), (2, 2, 2));
    drop(first);
    wait_for(|| stage.counters().connections == 1);
    assert_eq!(stage.unix().ask(&[]), "DUNNO");
    assert_eq!(second.ask(&[]), "DUNNO");
}
