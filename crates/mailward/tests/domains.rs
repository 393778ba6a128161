//! Domains that a person blocks, and what is learned of a domain's conduct: refused at RCPT,
//! asked in `dom.` over UDP, and the same after the daemon was killed.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod site;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use site::{Site, free_port, observe};

/// A site with block lists.
struct Lists {
    site: Site,
    port: u16,
}

const A: u8 = 1;
const TXT: u8 = 16;
const NO_SUCH_NAME: u8 = 3;

impl Lists {
    fn new(name: &str) -> Lists {
        let (site, port) = (Site::new(name), free_port());
        let more = format!("[dns]\nzone = \"dnsbl.example.org\"\nlisten = [\"127.0.0.1:{port}\"]\n");
        let text = std::fs::read_to_string(&site.config).unwrap();
        std::fs::write(&site.config, text + &more).unwrap();
        Lists { site, port }
    }

    /// What `dom.` answers: the response code, how many records, and the last of them.
    fn ask(&self, name: &str, kind: u8) -> (u8, u8, Vec<u8>) {
        let mut packet = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in format!("{name}.dom.dnsbl.example.org").split('.') {
            packet.push(u8::try_from(label.len()).unwrap());
            packet.extend(label.bytes());
        }
        packet.extend([0, 0, kind, 0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut answer = [0; 512];
        let mut read = 0;
        for _ in 0..4 {
            socket.send_to(&packet, ("127.0.0.1", self.port)).unwrap();
            if let Ok(len) = socket.recv(&mut answer) {
                read = len;
                break;
            }
        }
        assert!(read > 12, "no answer for {name}");
        let (code, count) = (answer[3] & 15, answer[7]);
        let data = if kind == A { &answer[read - 4..read] } else { &answer[..read] };
        (code, count, if count == 0 { Vec::new() } else { data.to_vec() })
    }

    /// The last octet of 127.0.0.n, if the name is listed.
    fn code(&self, name: &str) -> Option<u8> {
        let (_, count, data) = self.ask(name, A);
        (count == 1).then(|| {
            assert_eq!(data[..3], [127, 0, 0]);
            data[3]
        })
    }

    #[track_caller]
    fn told(&self, args: &[&str], good: bool) -> String {
        let (done, told) = self.site.run(args);
        assert_eq!(done, good, "{args:?}: {told}");
        told
    }
}

#[test]
fn a_domain_is_blocked_listed_survives_a_crash_and_is_lifted() {
    let mut lists = Lists::new("domains");
    lists.site.start();
    assert!(lists.site.answer("192.0.2.7", 1).starts_with("action=DUNNO"));
    assert_eq!(lists.ask("sender.example", A).0, NO_SUCH_NAME);
    let block = ["block", "sender.example", "--for", "7d", "--because", "sells addresses"];
    let told = lists.told(&block, true);
    assert!(told.contains("sender.example is blocked until"), "{told}");
    for time in ["at once", "after a crash"] {
        let refused = lists.site.answer("192.0.2.7", 2);
        assert!(
            refused.contains("550 5.7.1 Mail of this sender's domain is blocked here."),
            "{time}: {refused}"
        );
        assert!(refused.contains("/c/n1-"), "{time}: {refused}");
        assert_eq!(lists.code("sender.example"), Some(2), "{time}");
        assert_eq!(lists.code("news.sender.example"), Some(2), "{time}");
        assert_eq!(lists.ask("example", A), (0, 0, Vec::new()), "{time}: it exists (RFC 8020)");
        let (_, _, text) = lists.ask("sender.example", TXT);
        assert!(String::from_utf8_lossy(&text).contains("Blocked: operator since"), "{time}");
        let checked = lists.told(&["check", "news.sender.example"], true);
        assert!(checked.contains("news.sender.example is blocked until"), "{time}: {checked}");
        if time == "at once" {
            lists.site.kill();
            lists.site.start();
        }
    }
    let listed = lists.told(&["list", "--json"], true);
    assert!(listed.contains("\"key\":\"sender.example\""), "{listed}");
    let explained = lists.told(&["explain", "sender.example"], true);
    assert!(explained.contains("mailward unblock sender.example"), "{explained}");
    let below = ["unblock", "news.sender.example", "--because", "wrong name"];
    let told = lists.told(&below, false);
    assert!(told.contains("still blocked, with sender.example around it"), "{told}");
    lists.told(&["unblock", "sender.example", "--because", "they stopped"], true);
    assert_eq!(lists.ask("sender.example", A).0, NO_SUCH_NAME);
    assert!(lists.site.answer("192.0.2.7", 3).starts_with("action=DUNNO"));
    lists.site.stop();
    lists.told(&["ledger", "verify", "--journal"], true);
}

#[test]
fn what_is_ours_is_no_domain_to_block_and_a_null_route_has_no_domains() {
    let mut lists = Lists::new("own-domains");
    lists.site.start();
    for (domain, why) in [
        ("example.org", "is ours"),
        ("co.uk", "strangers have their names below it"),
        ("dnsbl.example.org", "is ours"),
        ("gmail.google.com", ""),
        ("google.com", "sends for many"),
    ] {
        let told = lists.told(&["block", domain, "--for", "1h", "--because", "test"], why.is_empty());
        assert!(told.contains(why), "{domain}: {told}");
    }
    let route = ["block", "spam.example", "--for", "1h", "--kind", "null-route", "--because", "test"];
    let told = lists.told(&route, false);
    assert!(told.contains("expected --kind rbl for spam.example"), "{told}");
}

#[test]
fn off_24_a_domain_without_a_postmaster_is_listed_for_information_until_a_person_lifts_it() {
    let mut lists = Lists::new("conduct");
    lists.site.start();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let refusal = |days: u64| {
        let ts = now - days * 86_400;
        let reply = "550 5.1.1 <postmaster@sender.example>: user unknown";
        format!(
            "{{\"ts\":{ts},\"notice\":\"postmaster\",\"domain\":\"sender.example\",\"reply\":\"{reply}\"}}\n"
        )
    };
    observe(&lists.site, &[4, 2, 0].map(refusal).concat());
    let end = Instant::now() + Duration::from_secs(20);
    while lists.code("sender.example").is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(lists.code("sender.example"), Some(19));
    assert_eq!(lists.code("news.sender.example"), None, "another's conduct");
    assert!(lists.site.answer("192.0.2.7", 1).starts_with("action=DUNNO"), "it refuses nothing");
    let (_, _, text) = lists.ask("sender.example", TXT);
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("not blocked: the domain has no postmaster") && !text.contains('@'), "{text}");
    lists.site.kill();
    lists.site.start();
    assert_eq!(lists.code("sender.example"), Some(19), "after a crash");
    let checked = lists.told(&["check", "sender.example"], true);
    assert!(checked.contains("listed for information: it has no postmaster"), "{checked}");
    let told = lists.told(&["unblock", "sender.example", "--because", "they have one now"], true);
    assert!(told.contains("Taken off the list of domains: it has no postmaster."), "{told}");
    assert_eq!(lists.ask("sender.example", A).0, NO_SUCH_NAME);
}
