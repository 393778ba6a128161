//! `mailward filter-opensmtpd` as smtpd would run it, without an smtpd: its two pipes.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod site;

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use site::{PROGRAM, Site, free_port};

/// The filter, and the side of smtpd.
struct Filter {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    version: &'static str,
}

impl Filter {
    /// Starts it, and sees it register.
    fn start(version: &'static str, options: &[&str]) -> Filter {
        let mut command = Command::new(PROGRAM);
        command.arg("filter-opensmtpd").args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut filter = Filter { stdin: child.stdin.take(), answers, child, version };
        filter.write("config|smtpd-version|6.8.0p2\nconfig|subsystem|smtp-in\nconfig|ready\n");
        while filter.answer() != "register|ready" {}
        filter
    }

    fn write(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn report(&mut self, rest: &str) {
        let line = format!("report|{}|1.000000|smtp-in|{rest}\n", self.version);
        self.write(&line);
    }

    /// A session with a message, up to RCPT.
    fn begin(&mut self, session: &str, client: &str) {
        self.report(&format!("link-connect|{session}|<unknown>|fail|{client}:4711|192.0.2.1:25"));
        self.report(&format!("link-identify|{session}|EHLO|client.example.net"));
        self.report(&format!("tx-begin|{session}|0000{session}"));
        let mail = match self.version {
            "0.5" => format!("tx-mail|{session}|0000{session}|a@example.net|ok"),
            _ => format!("tx-mail|{session}|0000{session}|ok|a@example.net"),
        };
        self.report(&mail);
    }

    fn ask(&mut self, session: &str, recipient: &str) {
        let line = format!("filter|{}|1.000000|smtp-in|rcpt-to|{session}|77|{recipient}\n", self.version);
        self.write(&line);
    }

    fn answer(&mut self) -> String {
        self.answers.next().unwrap().unwrap()
    }

    /// Closes its pipe: the one reason to end.
    fn end(mut self) {
        self.stdin = None;
        assert!(self.child.wait().unwrap().success());
    }
}

const PROCEED: &str = "filter-result|000000000000ab01|0000000000000077|proceed";

#[test]
fn every_version_hears_the_refusal_word_for_word() {
    let mut site = Site::new("filter");
    site.start();
    let (blocked, told) = site.run(&["block", "203.0.113.9", "--for", "1 h", "--because", "a test"]);
    assert!(blocked, "{told}");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let policy = site.answer("203.0.113.9", 1);
    let reply = policy.strip_prefix("action=").unwrap().trim_end();
    assert!(reply.starts_with("550 5.7.1 "), "{policy}");
    let addr = site.addr().to_string();
    for version in ["0.5", "0.6", "0.7"] {
        let mut filter = Filter::start(version, &["--policy", &addr]);
        filter.begin("ab01", "203.0.113.9");
        filter.ask("ab01", "bob@example.org");
        let refusal = PROCEED.replace("proceed", "reject|");
        assert_eq!(filter.answer(), format!("{refusal}{reply}"), "{version}");
        filter.ask("ab01", "postmaster@example.org");
        assert_eq!(filter.answer(), PROCEED, "{version}");
        filter.begin("ab02", "203.0.113.10");
        filter.ask("ab02", "bob@example.org");
        assert_eq!(filter.answer(), PROCEED.replace("ab01", "ab02"), "{version}");
        filter.end();
    }
}

#[test]
fn without_a_server_mail_passes() {
    let (nowhere, nothing) = (format!("127.0.0.1:{}", free_port()), "/nonexistent/policy");
    for place in [["--policy", &nowhere], ["--socket", nothing], ["--config", nothing]] {
        let mut filter = Filter::start("0.7", &place);
        filter.begin("ab01", "203.0.113.9");
        for _ in 0..3 {
            filter.ask("ab01", "bob@example.org");
            assert_eq!(filter.answer(), PROCEED, "{place:?}");
        }
        filter.end();
    }
}

/// One that takes connections and never answers, and one that answers rubbish.
#[test]
fn a_server_that_hangs_or_raves_lets_mail_pass() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let raving = TcpListener::bind("127.0.0.1:0").unwrap();
    let places = [&silent, &raving].map(|server| server.local_addr().unwrap().to_string());
    std::thread::spawn(move || {
        for mut peer in raving.incoming().flatten() {
            let _ =
                peer.write_all(b"action=550 5.7.1\x07\n\naction=550 5.7.1 x\nfilter-result|1|2|proceed\n\n");
        }
    });
    for place in &places {
        let mut filter = Filter::start("0.7", &["--policy", place]);
        filter.begin("ab01", "203.0.113.9");
        filter.ask("ab01", "bob@example.org");
        assert_eq!(filter.answer(), PROCEED, "{place}");
        filter.end();
    }
    drop(silent);
}

#[test]
fn what_it_does_not_know_is_passed() {
    let nowhere = format!("127.0.0.1:{}", free_port());
    let mut filter = Filter::start("0.7", &["--policy", &nowhere]);
    filter.write("rubbish\n\u{0}|\nfilter|0.7|1|smtp-in|rcpt-to|no|number|x\nreport|9\n");
    filter.write(&format!("filter|0.7|1|smtp-in|rcpt-to|ab01|77|{}\n", "x".repeat(100_000)));
    assert_eq!(filter.answer(), PROCEED, "a session that was never told");
    filter.write("filter|0.7|1|smtp-in|commit|ab01|77|\n");
    assert_eq!(filter.answer(), PROCEED, "a phase that was not registered");
    filter.report("link-connect|ab01|localhost|pass|unix:/run/smtpd.sock|unix:/run/smtpd.sock");
    filter.ask("ab01", "bob@example.org");
    assert_eq!(filter.answer(), PROCEED, "a program of this machine");
    filter.end();
}
