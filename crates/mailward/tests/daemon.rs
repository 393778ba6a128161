//! The daemon as an operator meets it: first start, restart, trouble with the store, the
//! clock.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod site;

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use site::{PROGRAM, Site, ask, ask_as, observe};

#[test]
fn a_first_start_learns_and_enforcing_begins_with_no_block() {
    let mut site = Site::with("learn", "");
    site.start();
    site.spam("203.0.113.7", 1);
    assert!(site.run(&["list", "--shadow"]).1.contains("203.0.113.7"));
    assert!(site.answer("203.0.113.7", 2).starts_with("action=DUNNO"), "learning refuses nothing");
    let (_, preview) = site.run(&["enforce", "--dry-run"]);
    assert!(preview.contains("1 servers would be blocked"), "{preview}");
    assert!(site.run(&["enforce"]).0);
    assert!(site.answer("203.0.113.7", 3).starts_with("action=DUNNO"));
    site.spam("203.0.113.7", 4);
    assert!(site.answer("203.0.113.7", 5).starts_with("action=550 5.7.1 [203.0.113.7]"));
    assert!(site.run(&["learn"]).0);
    assert!(site.answer("203.0.113.7", 6).starts_with("action=DUNNO"));
}

#[test]
fn an_established_sender_before_a_kill_is_one_after() {
    let mut site = Site::new("standing");
    site.start_with(&["--test-clock"]);
    let log = site.dir.0.join("mail.log");
    std::fs::write(&log, good_mail("198.51.100.9")).unwrap();
    let (good, told) = site.run(&["learn", log.to_str().unwrap()]);
    assert!(good && told.contains("160 good messages"), "{told}");
    // Standing is told at most hourly, and its class looks at the connection, too.
    assert!(site.run(&["clock", "2 h"]).0);
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    let fine = ("mail.example.org", "mail.example.org");
    ask_as(&mut stream, "RCPT", "198.51.100.9", fine, 1, "").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let (_, before) = site.run(&["check", "198.51.100.9", "--json"]);
    assert!(before.contains("\"class\":\"established\""), "{before}");
    site.kill();
    site.start();
    assert_eq!(site.run(&["check", "198.51.100.9", "--json"]).1, before);
    // The engine has not forgotten either: one spam of it blocks nobody.
    site.spam("198.51.100.9", 2);
    assert!(site.answer("198.51.100.9", 3).starts_with("action=DUNNO"));
}

#[test]
fn explain_tells_what_is_known_with_a_case_and_without() {
    let mut site = Site::new("explain");
    site.start();
    let (good, told) = site.run(&["explain", "192.0.2.77"]);
    assert!(good && told.contains("the engine remembers nothing of it"), "{told}");
    site.spam("203.0.113.7", 1);
    let told = site.run(&["explain", "203.0.113.7"]).1;
    for part in [
        "(rule spam-volume, OFF-1)",
        "mail     0 good on 0 days of 30; 1 against it in 7 days; 1 judged in 24 hours, 1 of them spam",
        "room     class no-rdns: thresholds × 0.5",
        "HELO mail.sender.example, no name in DNS, 1 recipient, judged spam",
        "of 4 points at which a connection is refused: the address has no reverse DNS name +1",
        "blocks   at the next message judged spam",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let line = "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 550 5.7.1";
    let told: serde_json::Value =
        serde_json::from_str(&site.run(&["explain", "--log", line, "--json"]).1).unwrap();
    assert_eq!((&told["case"]["reason"], &told["memory"]["spam_day"]), (&"spam-volume".into(), &1.into()));
    assert_eq!(told["facts"][0]["label"], "first message judged spam, from a server without good mail");
    assert_eq!(told["sessions"][0]["helo"], "mail.sender.example");
    assert!(told.get("text").is_none() && told["score"]["parts"].as_array().is_some_and(|p| !p.is_empty()));
}

/// Eight messages a day on twenty days to eight people.
fn good_mail(client: &str) -> String {
    let now = jiff::Timestamp::now();
    let mut log = String::new();
    for (day, message) in (1..=20).flat_map(|day| (0..8).map(move |m| (day, m))) {
        let stamp = now - jiff::SignedDuration::from_hours(24 * day);
        let id = format!("{day:02}{message:02}499CC21");
        log.push_str(&format!("{stamp} mx postfix/smtpd[7]: {id}: client=mail.example.org[{client}]\n"));
        log.push_str(&format!("{stamp} mx postfix/lmtp[9]: {id}: to=<u{message}@inbox.example>, relay=x, dsn=2.0.0, status=sent (ok)\n"));
    }
    log
}

#[test]
fn what_an_operator_orders_is_seen_at_once() {
    let mut site = Site::new("operator");
    site.start();
    let (good, told) = site.run(&["block", "203.0.113.9", "--for", "6 h", "--because", "they asked for it"]);
    assert!(good && told.contains("203.0.113.9 is blocked until"), "{told}");
    assert!(site.answer("203.0.113.9", 1).contains("decision of the operator"));
    // The text itself stands beside the ledger; the event holds the commitment to it.
    let dump = site.run(&["ledger", "dump"]).1;
    let opened = dump.lines().find(|l| l.contains("CaseOpened")).unwrap();
    assert!(opened.contains("\"commitments\":1") && !dump.contains("asked for it"), "{opened}");
    let (good, told) = site.run(&["block", "203.0.113.9", "--for", "6 h", "--because", "again"]);
    assert!(!good && told.contains("is blocked already by n1-"), "{told}");
    assert!(site.run(&["block", "203.0.112.0/22", "--for", "6 h", "--because", "wide"]).0);
    let (good, told) = site.run(&["unblock", "203.0.113.10", "--because", "asked"]);
    assert!(!good && told.contains("still blocked, with 203.0.112.0/22 around it"), "{told}");
    assert!(site.run(&["unblock", "203.0.112.0/22", "--because", "asked"]).0);
    assert!(site.run(&["protect", "add", "203.0.113.0/24"]).1.contains("Lifted: n1-"));
    assert!(site.answer("203.0.113.9", 2).starts_with("action=DUNNO"));
    let (good, told) = site.run(&["block", "203.0.113.9", "--for", "6 h", "--because", "once more"]);
    assert!(!good && told.contains("203.0.113.0/24 is protected"), "{told}");
    let (_, told) = site.run(&["block", "127.0.0.1", "--for", "6 h", "--because", "mistake"]);
    assert!(told.contains("special-purpose range 127.0.0.0/8"), "{told}");
    site.spam("198.51.100.8", 3);
    assert!(site.answer("198.51.100.8", 4).starts_with("action=550"));
    assert!(site.run(&["panic"]).1.starts_with("1 automatic blocks"));
    assert!(site.answer("198.51.100.8", 5).starts_with("action=DUNNO"));
}

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_mail_flows() {
    let mut site = Site::new("full");
    site.start();
    site.spam("203.0.113.7", 1);
    site.stop();
    // A file may not grow beyond 128 KiB: the ledger's own size, or a few thousand inputs.
    let mut limited = Command::new("bash");
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" --config \"$1\" serve";
    limited.args(["-c", script, PROGRAM]).arg(&site.config);
    site.spawn(limited);
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let told = |site: &Site| site.log.lock().unwrap().iter().any(|l| l.contains("can not be written"));
    let mut number = 10;
    while !told(&site) && Instant::now() < end {
        number += 1;
        let reply = ask(&mut stream, "RCPT", &format!("198.51.100.{}", number % 200), number, "").unwrap();
        assert!(reply.starts_with("action=DUNNO"), "{reply}");
    }
    assert!(told(&site), "the limit must have been hit");
    assert!(
        ask(&mut stream, "RCPT", "203.0.113.7", 5, "").unwrap().starts_with("action=550"),
        "old blocks hold"
    );
    assert!(
        ask(&mut stream, "RCPT", "198.51.100.1", 6, "").unwrap().starts_with("action=DUNNO"),
        "mail flows"
    );
    site.kill();
    site.start();
    assert!(site.answer("203.0.113.7", 7).starts_with("action=550"));
    assert!(site.run(&["ledger", "verify", "--journal"]).0);
}

#[test]
fn a_restored_site_goes_on_enforcing_in_a_new_life() {
    let mut site = Site::new("restore");
    site.start();
    site.spam("203.0.113.7", 1);
    let backup = site.dir.0.join("backup.db");
    assert!(site.run(&["ledger", "backup", backup.to_str().unwrap()]).0);
    site.kill();
    std::fs::remove_dir_all(site.data()).unwrap();
    assert!(site.run(&["ledger", "restore", backup.to_str().unwrap()]).0);
    site.start();
    assert!(site.run(&["list"]).1.contains("203.0.113.7"), "the block of the first life");
    site.spam("198.51.100.7", 2);
    assert!(site.run(&["list"]).1.contains("n1.2-"), "a case of the second life");
    assert!(site.answer("198.51.100.7", 3).starts_with("action=550"), "enforcing as before");
}

#[test]
fn a_hangup_is_no_end() {
    let mut site = Site::new("hangup");
    site.start();
    site.signal("HUP");
    std::thread::sleep(Duration::from_millis(200));
    assert!(site.answer("203.0.113.7", 1).starts_with("action=DUNNO"));
    site.stop();
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let mut site = Site::new("newer");
    site.start();
    site.stop();
    std::fs::write(site.data().join("FORMAT"), "mailward-data 99\n").unwrap();
    let (good, told) = site.run(&["serve"]);
    assert!(!good && told.contains("FORMAT") && told.contains("99"), "{told}");
}

#[test]
fn time_stands_when_the_wall_clock_is_behind_the_store() {
    let mut site = Site::new("clock");
    site.start_with(&["--test-clock"]);
    site.spam("203.0.113.7", 1);
    assert!(site.run(&["clock", "1 h"]).0);
    assert!(site.answer("203.0.113.7", 2).starts_with("action=550"));
    site.stop();
    let told = site.start().join("\n");
    assert!(told.contains("behind the newest stamp on disk"), "{told}");
    // Had time gone back, the block would last an hour longer than it was told.
    assert!(site.answer("203.0.113.7", 3).starts_with("action=550"));
    site.kill();
}

#[test]
fn blocks_end_by_themselves_after_a_year_of_silence_and_standing_stays() {
    let mut site = Site::new("year");
    site.start_with(&["--test-clock"]);
    site.spam("203.0.113.7", 1);
    assert!(site.run(&["clock", "365 d"]).0);
    assert!(site.answer("203.0.113.7", 2).starts_with("action=DUNNO"));
    site.stop();
}

#[test]
fn broken_verdicts_are_told_by_line_and_the_others_count() {
    let mut site = Site::new("observe");
    site.start();
    let file = site.dir.0.join("verdicts");
    std::fs::write(
        &file,
        "{\"queue_id\":\"A1\",\"verdict\":\"spam\"}\nhello\n{\"queue_id\":\"A2\",\"verdict\":\"maybe\"}\n",
    )
    .unwrap();
    let (good, told) = site.run(&["observe", file.to_str().unwrap()]);
    assert!(!good);
    for part in [
        "1 verdicts taken, 2 lines broken.",
        "line 2: expected a verdict",
        "line 3: expected a verdict of spam, ham or virus, but got \"maybe\"",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let mut site = Site::new("port");
    let _holder = std::net::TcpListener::bind(site.addr()).unwrap();
    let (good, told) = site.run(&["serve"]);
    assert!(!good && told.contains(&site.port.to_string()), "{told}");
    site.port = 0;
}

/// Seconds, client and whether it is spam, of a morning with two spammers, a good server
/// that errs once, and a stranger.
fn morning() -> Vec<(u64, &'static str, bool)> {
    let mut sessions = Vec::new();
    for step in 0..12u64 {
        sessions.push((step * 600, "203.0.113.1", true));
        sessions.push((step * 600 + 60, "198.51.100.2", step == 7));
        if step.is_multiple_of(3) {
            sessions.push((step * 600 + 120, "203.0.113.3", true));
        }
    }
    sessions.push((9 * 3600, "203.0.113.1", true));
    sessions.push((9 * 3600 + 5, "203.0.113.1", true));
    sessions.push((9 * 3600 + 10, "198.51.100.4", false));
    sessions
}

#[test]
fn a_live_daemon_decides_as_a_replay_of_the_same_sessions() {
    let mut site = Site::new("same");
    site.start_with(&["--test-clock"]);
    let (mut live, mut stream, mut before) = (Vec::new(), TcpStream::connect(site.addr()).unwrap(), 0);
    let mut recorded = String::new();
    for (number, (at, client, spam)) in (1..).zip(morning()) {
        assert!(site.run(&["clock", &format!("{} s", at - before)]).0);
        before = at;
        let reply = ask(&mut stream, "RCPT", client, number, "").unwrap();
        live.push(if reply.starts_with("action=DUNNO") { "accept" } else { "reject" });
        let word = if spam { "spam" } else { "ham" };
        if live.last() == Some(&"accept") {
            ask(&mut stream, "END-OF-MESSAGE", client, number, &format!("Q{number}")).unwrap();
            std::thread::sleep(Duration::from_millis(40));
            observe(&site, &format!("{{\"queue_id\":\"Q{number}\",\"verdict\":\"{word}\"}}\n"));
            std::thread::sleep(Duration::from_millis(120));
        }
        recorded.push_str(&format!(
            "{{\"ts\":{},\"id\":\"{number}\",\"client_ip\":\"{client}\",\"client_name\":null,\"helo\":\"mail.sender.example\",\"mail_from\":\"s{number}@sender.example\",\"rcpt\":\"r@inbox.example\",\"label\":\"{word}\"}}\n",
            1_700_000_000 + at
        ));
    }
    let (file, decisions) = (site.dir.0.join("morning.jsonl"), site.dir.0.join("decisions"));
    std::fs::write(&file, recorded).unwrap();
    let (good, told) =
        site.run(&["replay", file.to_str().unwrap(), "--decisions", decisions.to_str().unwrap(), "--json"]);
    assert!(good, "{told}");
    let decided = std::fs::read_to_string(decisions).unwrap();
    let replayed: Vec<_> =
        decided.lines().map(|l| if l.contains("\"reject\"") { "reject" } else { "accept" }).collect();
    assert_eq!(live, replayed);
    assert!(live.contains(&"reject") && live.ends_with(&["accept", "reject", "accept"]), "{live:?}");
    let cases = site.run(&["list", "--all", "--json"]).1.matches("\"mode\":\"live\"").count();
    assert!(told.contains(&format!("\"blocks\":{cases},")), "{cases}: {told}");
}

#[test]
fn raw_messages_are_replayed_with_labels_as_verdicts() {
    let site = Site::new("labels");
    let folder = site.dir.0.join("mail");
    std::fs::create_dir(&folder).unwrap();
    let mut labels = String::new();
    for (number, label) in [(1, "spam"), (2, "ham"), (3, "ham")] {
        let message = format!(
            "Received: from pc ([203.0.113.7]) by mx.example.org with SMTP id Q{number}\n\
             \tfor <user@example.org>; Mon, 2 Nov 2026 10:0{number}:00 +0000\nSubject: {number}\n\nHello\n"
        );
        std::fs::write(folder.join(number.to_string()), message).unwrap();
        let line =
            format!("{{\"ts\":1,\"id\":\"{number}\",\"client_ip\":\"203.0.113.7\",\"label\":\"{label}\"}}\n");
        labels.push_str(&line);
    }
    let file = site.dir.0.join("labels.jsonl");
    std::fs::write(&file, labels).unwrap();
    let (folder, file) = (folder.to_str().unwrap(), file.to_str().unwrap());
    let (good, told) = site.run(&["replay", folder, "--labels", file, "--json"]);
    assert!(good, "{told}");
    // The first is spam of a computer without a name, which is blocked when the others come.
    for part in
        ["\"labelled_spam\":1", "\"labelled_spam_refused_at_rcpt\":0", "\"labelled_ham_refused_at_rcpt\":2"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!site.run(&["replay", file, "--labels", file]).0, "a stream has labels of its own");
}

/// How many blocks; 100 000 in `prove`.
fn blocks() -> usize {
    std::env::var("MAILWARD_PROVE_BLOCKS").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

#[test]
fn a_restart_keeps_all_blocks() {
    let mut site = Site::new("many");
    site.start();
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    let client = |n: usize| format!("{}.{}.{}.7", 45 + n / 62_500, n / 250 % 250, n % 250);
    for start in (0..blocks()).step_by(1000) {
        let mut verdicts = String::new();
        for n in start..(start + 1000).min(blocks()) {
            ask(&mut stream, "RCPT", &client(n), n, "").unwrap();
            ask(&mut stream, "END-OF-MESSAGE", &client(n), n, &format!("Q{n}")).unwrap();
            verdicts.push_str(&format!("{{\"queue_id\":\"Q{n}\",\"verdict\":\"spam\"}}\n"));
        }
        std::thread::sleep(Duration::from_millis(100));
        observe(&site, &verdicts);
    }
    std::thread::sleep(Duration::from_millis(500));
    let live = |site: &Site| site.run(&["export"]).1.lines().count();
    assert_eq!(live(&site), blocks());
    site.kill();
    let begun = Instant::now();
    site.start();
    let took = begun.elapsed();
    assert!(site.answer(&client(blocks() - 1), usize::MAX).starts_with("action=550"));
    println!("restart after kill -9 with {} blocks: {} ms until it listens", blocks(), took.as_millis());
    std::io::stdout().flush().unwrap();
    assert_eq!(live(&site), blocks());
}
