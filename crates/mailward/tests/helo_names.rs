//! S78 at a live daemon with a name server on loopback that denies every name: nobody waits for
//! DNS, a stranger is put off first, and refused when the name does not exist a day later either.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

#[path = "scenario/dns.rs"]
mod dns;
mod site;

use std::time::{Duration, Instant};

use site::Site;

/// For so long we wait for what must come; it is never what a test asserts.
const PATIENCE: Duration = Duration::from_secs(30);

fn site(name: &str, mode: &str) -> Site {
    let site = Site::new(name);
    let more = format!(
        "[judges]\nauthentication = false\nresolvers = [\"{}\"]\n[rules.helo-name]\nmode = \"{mode}\"\n",
        dns::start()
    );
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, text + &more).unwrap();
    site
}

/// Asks, as one client in ever new sessions, until the answer has these words.
#[track_caller]
fn await_answer(site: &Site, client: &str, expect: &str) {
    let began = Instant::now();
    for number in 1.. {
        let answer = site.answer(client, number);
        if answer.contains(expect) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn run(site: &Site, args: &[&str]) -> String {
    let (done, told) = site.run(args);
    assert!(done, "{args:?}: {told}");
    told
}

#[test]
fn s78_a_stranger_s_name_that_does_not_exist_is_450_first_and_550_a_day_later() {
    let mut site = site("helo-names", "block");
    site.start_with(&["--test-clock"]);
    assert!(site.answer("203.0.113.70", 0).starts_with("action=DUNNO"), "nobody waits for DNS");
    let first = "450 4.7.1 [203.0.113.70] deferred: its HELO name is not in DNS.";
    await_answer(&site, "203.0.113.70", first);
    run(&site, &["clock", "23 h"]);
    await_answer(&site, "203.0.113.70", first);
    run(&site, &["clock", "1 h 1 s"]);
    await_answer(&site, "203.0.113.70", "550 5.7.1 [203.0.113.70] refused: its HELO name is not in DNS.");
    // What the site learned outlives a restart; what one look said does not.
    site.kill();
    site.start_with(&["--test-clock"]);
    assert!(site.answer("203.0.113.70", 0).starts_with("action=DUNNO"));
    await_answer(&site, "203.0.113.70", "550 5.7.1 [203.0.113.70]");
    site.stop();
    run(&site, &["ledger", "verify", "--journal"]);
}

/// Asks, day after day, until the log has these words; every answer must be that all is well.
#[track_caller]
fn await_log(site: &Site, client: &str, expect: &str) {
    let began = Instant::now();
    for number in 1.. {
        let answer = site.answer(client, number);
        assert!(answer.starts_with("action=DUNNO"), "{answer}");
        if site.log.lock().unwrap().iter().any(|line| line.contains(expect)) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {expect}");
        if number % 100 == 0 {
            run(site, &["clock", "1 d 1 s"]);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn s78_where_it_only_scores_it_is_learned_and_nobody_is_refused_for_it_alone() {
    let mut site = site("helo-names-score", "score");
    site.start_with(&["--test-clock"]);
    await_log(&site, "203.0.113.70", "NoSuchName(\"mail.sender.example\")");
}
