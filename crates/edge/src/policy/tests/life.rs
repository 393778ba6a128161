//! Starting, stopping, and many at once.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;

use super::*;

#[test]
fn the_unix_socket_is_open_to_our_group_only() {
    let stage = Stage::new();
    assert_eq!(fs::metadata(&stage.path).unwrap().mode() & 0o777, 0o660);
}

#[test]
fn a_stop_answers_what_was_asked_and_leaves_nothing_behind() {
    let mut stage = Stage::new();
    let addr = stage.server().tcp_addr().unwrap();
    let (mut unix, mut tcp) = (stage.unix(), stage.tcp());
    assert_eq!((unix.ask(&[]).as_str(), tcp.ask(&[]).as_str()), ("DUNNO", "DUNNO"));
    unix.send(&request(&[]));
    stage.server.take().unwrap().stop();
    assert_eq!((unix.answer().as_str(), unix.answer().as_str()), ("DUNNO", "closed"));
    assert_eq!(tcp.answer(), "closed");
    assert!(!stage.path.exists());
    TcpListener::bind(addr).unwrap();
}

#[test]
fn a_second_server_on_the_same_addresses_does_not_start() {
    let stage = Stage::new();
    let means = || stage.server().shared.means.clone();
    let config = Config::new(Name::new(b"mx.example.org"));
    let addr = stage.server().tcp_addr();
    let error = serve(Config { tcp: addr, ..config.clone() }, means()).err().expect("must not start");
    assert!(matches!(error, ListenError::Taken { addr: got } if Some(got) == addr), "{error}");
    let error =
        serve(Config { unix: Some(stage.path.clone()), ..config }, means()).err().expect("must not start");
    assert!(matches!(error, ListenError::Answered { .. }), "{error}");
    assert_eq!(stage.unix().ask(&[]), "DUNNO");
}

#[test]
fn many_connections_are_answered_by_all_threads() {
    let stage = Stage::with(|config| config.trust_local = true);
    let mut tcp: Vec<_> = (0..150).map(|_| stage.tcp()).collect();
    let mut unix: Vec<_> = (0..50).map(|_| stage.unix()).collect();
    for round in 0..5 {
        let instance = format!("7b.{round}");
        let bytes = request(&[("instance", &instance)]);
        tcp.iter_mut().for_each(|peer| peer.send(&bytes));
        unix.iter_mut().for_each(|peer| peer.send(&bytes));
        assert!(tcp.iter_mut().all(|peer| peer.answer() == "DUNNO"));
        assert!(unix.iter_mut().all(|peer| peer.answer() == "DUNNO"));
    }
    wait_for(|| stage.heard.seen.lock().unwrap().len() == 1000);
    assert_eq!((stage.counters().connections, stage.counters().requests), (200, 1000));
    let busy = stage.server().shared.per_thread().iter().filter(|counts| counts.requests > 0).count();
    assert_eq!(busy, 2);
    drop((tcp, unix));
    wait_for(|| stage.counters().connections == 0);
}

#[test]
fn a_new_view_is_answered_from_at_once() {
    let mut stage = Stage::new();
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&[("instance", "1")]), "DUNNO");
    stage.block(5, "192.0.2.25", NOW.minus(Secs(1)));
    assert!(peer.ask(&[("instance", "2")]).starts_with("550 "));
}
