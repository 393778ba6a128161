//! A live daemon under load is killed −9 again and again: what it acknowledged stays, its
//! chain verifies, and its journal gives its ledger again, byte for byte.
//!
//! `MAILWARD_PROVE_ROUNDS` says how often (1 in `test`, 20 in `prove`).

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod site;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use site::{Site, ask, observe};

/// Sends sessions and verdicts until the time is over; returns references it was refused
/// for: a reply sent because of a block is an acknowledgement of it.
fn load(site: &Site, round: usize, lasts: Duration) -> BTreeSet<String> {
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (end, mut acknowledged, mut verdicts) = (Instant::now() + lasts, BTreeSet::new(), String::new());
    let mut number = round * 1_000_000;
    while Instant::now() < end {
        number += 1;
        let client = format!("203.0.113.{}", number % 250);
        let reply = ask(&mut stream, "RCPT", &client, number, "").unwrap();
        if let Some(at) = reply.find("/c/") {
            acknowledged.insert(reply[at + 3..].split('/').next().unwrap().to_owned());
            continue;
        }
        let queue = format!("Q{number}");
        ask(&mut stream, "END-OF-MESSAGE", &client, number, &queue).unwrap();
        verdicts.push_str(&format!("{{\"queue_id\":\"{queue}\",\"verdict\":\"spam\"}}\n"));
        if number.is_multiple_of(40) {
            observe(site, &std::mem::take(&mut verdicts));
        }
    }
    acknowledged
}

fn rounds() -> usize {
    std::env::var("MAILWARD_PROVE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_daemon_is_killed() {
    let mut site = Site::new("crash");
    let mut acknowledged = BTreeSet::new();
    let first = site.dir.0.join("first-checkpoint");
    for round in 0..rounds() {
        site.start();
        acknowledged.extend(load(&site, round, Duration::from_millis(900 + 137 * (round as u64 % 7))));
        site.kill();
        if round == 0 {
            copy_checkpoint(&site.data().join("checkpoint"), &first);
        }
    }
    assert!(acknowledged.len() > 10, "the load must have been refused for blocks: {}", acknowledged.len());
    // One more start repairs what the last kill tore.
    site.start();
    for case in &acknowledged {
        let (known, told) = site.run(&["show", case]);
        assert!(known, "{case} was acknowledged and is gone: {told}");
    }
    site.kill();
    site.start();
    site.kill();
    for threads in ["1", "2"] {
        let (good, told) = site.run(&["ledger", "verify", "--journal", "--engine-threads", threads]);
        assert!(good, "{told}");
        assert!(told.contains("byte for byte"), "{told}");
    }
    for checkpoint in [first, site.data().join("checkpoint")] {
        let from = checkpoint.to_str().unwrap().to_owned();
        let (good, told) = site.run(&["ledger", "verify", "--journal", "--from", &from]);
        assert!(good, "{told}");
    }
}

fn copy_checkpoint(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(from).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    std::fs::copy(&files[0], to.join(files[0].file_name().unwrap())).unwrap();
}

#[test]
fn a_second_daemon_on_the_same_store_says_who_has_it() {
    let mut site = Site::new("second");
    site.start();
    let (good, told) = site.run(&["serve"]);
    assert!(!good);
    assert!(told.contains("LOCK"), "{told}");
}

#[test]
fn a_torn_tail_is_repaired_at_the_start_and_said_so() {
    let mut site = Site::new("torn");
    site.start();
    load(&site, 1, Duration::from_millis(400));
    site.kill();
    let mut segments: Vec<_> =
        std::fs::read_dir(site.data().join("journal")).unwrap().map(|f| f.unwrap().path()).collect();
    segments.sort();
    let last = std::fs::OpenOptions::new().append(true).open(segments.last().unwrap()).unwrap();
    (&last).write_all(&[0, 0, 1, 44, 7, 7, 7]).unwrap();
    let told = site.start().join("\n");
    assert!(told.contains("cut a torn tail"), "{told}");
    assert!(site.run(&["ledger", "verify"]).0);
}
