//! Sender authentication against a name server that answers, fails, or keeps silent.

mod dns;
mod letters;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use judges::auth::{Auth, Found, Identity, Mx, Settings};
use model::content::{Dmarc, Spf};
use model::letter::Letter;
use tokio::net::UdpSocket;

use dns::{Entry, Zone};

/// Who may send for example.org, and what it asks for.
fn zone(dmarc: &str) -> Zone {
    let mut zone = Zone::default();
    zone.txt("example.org", b"v=spf1 ip4:192.0.2.25 exp=why.example.org -all");
    zone.txt("why.example.org", b"see https://attacker.example/ for more");
    zone.txt("bounces.example.org", b"v=spf1 ip4:192.0.2.0/24 -all");
    zone.txt("mail.example.org", b"v=spf1 a -all");
    zone.add("mail.example.org", dns::address("192.0.2.25"));
    zone.txt("example.com", b"v=spf1 -all");
    zone.txt("_dmarc.example.org", dmarc.as_bytes());
    zone
}

fn letter(from: &str, sender: &str, addr: &str) -> Letter {
    let mut letter = letters::letter(format!("From: {from}\r\nSubject: hello\r\n\r\nbody\r\n"));
    letter.sender = sender.into();
    letter.client.addr = addr.parse().expect("an address");
    letter
}

async fn found(settings: Settings, letter: Letter) -> (Found, String) {
    let auth = Auth::new(settings).expect("a resolver");
    let found = auth.check(Arc::new(letter)).await;
    let results = auth.results(&found);
    (found, results)
}

#[tokio::test]
async fn spf_and_dmarc_are_judged_together() {
    for (policy, sender, addr, spf, dmarc) in [
        ("v=DMARC1; p=reject", "a@example.org", "192.0.2.25", Spf::Pass, Dmarc::Pass),
        ("v=DMARC1; p=reject", "a@bounces.example.org", "192.0.2.99", Spf::Pass, Dmarc::Pass),
        ("v=DMARC1; p=reject; aspf=s", "a@bounces.example.org", "192.0.2.99", Spf::Pass, Dmarc::FailReject),
        ("v=DMARC1; p=reject", "a@example.org", "198.51.100.1", Spf::Fail, Dmarc::FailReject),
        ("v=DMARC1; p=reject; t=y", "a@example.org", "198.51.100.1", Spf::Fail, Dmarc::FailQuarantine),
        ("v=DMARC1; p=quarantine", "a@example.org", "198.51.100.1", Spf::Fail, Dmarc::FailQuarantine),
        ("v=DMARC1; p=none", "a@example.com", "192.0.2.25", Spf::Fail, Dmarc::Fail),
        ("nothing of the kind", "a@example.org", "198.51.100.1", Spf::Fail, Dmarc::None),
    ] {
        let settings = dns::serve(zone(policy)).await;
        let (found, results) = found(settings, letter("b@example.org", sender, addr)).await;
        assert_eq!((found.spf, found.dmarc), (spf, dmarc), "{policy} {sender} {addr}: {results}");
        assert_eq!(found.spf_aligned, dmarc == Dmarc::Pass, "{results}");
    }
}

#[tokio::test]
async fn a_large_message_is_checked_like_any_other() {
    let mut large = letter("b@example.org", "a@example.org", "192.0.2.25");
    large.body = vec![b'x'; 300 * 1024];
    large.body_len = 300 * 1024;
    let (found, results) = found(dns::serve(zone("v=DMARC1; p=reject")).await, large).await;
    assert_eq!((found.spf, found.dmarc), (Spf::Pass, Dmarc::Pass), "{results}");
}

#[tokio::test]
async fn a_null_sender_is_judged_by_its_helo() {
    let settings = dns::serve(zone("v=DMARC1; p=reject")).await;
    let (found, results) = found(settings, letter("mailer-daemon@mail.example.org", "", "192.0.2.25")).await;
    assert_eq!((found.spf, found.spf_for), (Spf::Pass, Some(Identity::Helo("mail.example.org".into()))));
    assert!(results.contains("spf=pass smtp.helo=mail.example.org;"), "{results}");
}

#[tokio::test]
async fn the_senders_explanation_is_not_repeated() {
    let settings = dns::serve(zone("v=DMARC1; p=reject")).await;
    let (found, results) = found(settings, letter("b@example.org", "a@example.org", "198.51.100.1")).await;
    assert_eq!(found.spf, Spf::Fail);
    assert!(!results.contains("attacker"), "{results}");
}

#[tokio::test]
async fn authors_of_several_domains_have_no_dmarc() {
    let settings = dns::serve(zone("v=DMARC1; p=reject")).await;
    let both = letter("a@example.org, b@example.com", "a@example.com", "198.51.100.1");
    let (found, _) = found(settings, both).await;
    assert_eq!((found.author, found.dmarc), (None, Dmarc::None));
}

#[tokio::test]
async fn a_signature_that_was_not_checked_is_no_failure() {
    let mut cut = letters::letter("DKIM-Signature: v=1\r\nFrom: b@example.org\r\n\r\nbody\r\n");
    cut.client.addr = "198.51.100.1".parse().expect("an address");
    cut.body_len += 1;
    let settings = dns::serve(zone("v=DMARC1; p=reject")).await;
    let (found, _) = found(settings, cut).await;
    assert_eq!((found.spf, found.dmarc), (Spf::Fail, Dmarc::None));
}

#[tokio::test]
async fn each_part_can_be_off() {
    let ask = letter("b@example.org", "a@example.org", "198.51.100.1");
    let served = dns::serve(zone("v=DMARC1; p=reject")).await;
    let (no_spf, results) = found(Settings { spf: false, ..served.clone() }, ask.clone()).await;
    assert_eq!((no_spf.spf, no_spf.spf_for), (Spf::None, None), "{results}");
    let (no_dmarc, results) = found(Settings { dmarc: false, ..served }, ask).await;
    assert_eq!((no_dmarc.spf, no_dmarc.dmarc), (Spf::Fail, Dmarc::None), "{results}");
}

#[tokio::test]
async fn what_was_asked_is_remembered() {
    let zone = zone("v=DMARC1; p=reject");
    let asked = Arc::clone(&zone.1);
    let auth = Auth::new(dns::serve(zone).await).expect("a resolver");
    let ask = Arc::new(letter("b@example.org", "a@example.org", "192.0.2.25"));
    let first = auth.check(Arc::clone(&ask)).await;
    let once = asked.load(Ordering::Relaxed);
    assert_eq!(auth.check(ask).await, first);
    assert_eq!((first.spf, asked.load(Ordering::Relaxed)), (Spf::Pass, once));
}

#[tokio::test]
async fn a_server_that_fails_is_a_temporary_error() {
    let mut failing = Zone::default();
    for name in ["example.org", "_dmarc.example.org", "s._domainkey.example.org"] {
        failing.0.insert(name.into(), vec![Entry::Fails]);
    }
    let settings = dns::serve(failing).await;
    undecided(settings).await;
}

#[tokio::test]
async fn a_silent_server_is_a_temporary_error() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let asked = dns::settings(silent.local_addr().expect("an address"));
    // The query outlives the message, or the message the query.
    undecided(Settings { deadline: Duration::from_millis(200), ..asked.clone() }).await;
    undecided(Settings { timeout: Duration::from_millis(100), ..asked }).await;
}

#[tokio::test]
async fn an_absent_server_is_a_temporary_error() {
    let port = UdpSocket::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    undecided(Settings { timeout: Duration::from_millis(200), ..dns::settings(port) }).await;
}

/// Nothing is known, and nothing fails.
async fn undecided(settings: Settings) {
    let ask = letters::letter(
        "DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=example.org; s=s; h=from; \
         bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\nFrom: b@example.org\r\n\r\n",
    );
    let (found, results) = found(settings, ask).await;
    assert_eq!((found.spf, found.dmarc), (Spf::TempError, Dmarc::None), "{results}");
    assert!(!results.contains("=fail"), "{results}");
}

/// OFF-24: where answers to a sender would go.
fn mx_zone() -> Zone {
    let mut zone = Zone::default();
    let mut domain = |name: &str, targets: &[&str]| {
        targets.iter().for_each(|target| zone.add(name, dns::mx(10, target)));
    };
    domain("good.example", &["mail.good.example"]);
    domain("half.example", &["inside.example", "mail.good.example"]);
    domain("inside.bogus.example", &["inside.example"]);
    domain("loop.bogus.example", &["localhost", "loop.example"]);
    domain("literal.bogus.example", &["192.0.2.25"]);
    domain("gone.bogus.example", &["nobody.example", "none.example"]);
    domain("null.example", &["."]);
    domain("broken.example", &["fails.example"]);
    zone.add("mail.good.example", dns::address("192.0.2.25"));
    zone.add("six.example", dns::mx(10, "mail.six.example"));
    zone.add("mail.six.example", dns::address("2001:db8::25"));
    zone.add("inside.example", dns::address("10.1.2.3"));
    zone.add("inside.example", dns::address("fd00::1"));
    zone.add("loop.example", dns::address("127.0.0.1"));
    zone.add("bare.example", dns::address("192.0.2.26"));
    zone.0.insert("fails.example".into(), vec![Entry::Fails]);
    zone
}

#[tokio::test]
async fn off_24_a_domain_is_bogus_whose_every_mx_nobody_can_reach() {
    let settings = Settings { mx: true, ..dns::serve(mx_zone()).await };
    for (sender, expect) in [
        ("a@good.example", Mx::Fine),
        ("a@half.example", Mx::Fine),
        ("a@six.example", Mx::Fine),
        ("a@bare.example", Mx::Fine),
        ("a@inside.bogus.example", Mx::Bogus),
        ("a@loop.bogus.example", Mx::Bogus),
        ("a@literal.bogus.example", Mx::Bogus),
        ("a@gone.bogus.example", Mx::Bogus),
        ("a@null.example", Mx::Null),
        ("a@broken.example", Mx::Unknown),
        ("", Mx::Unknown),
    ] {
        let (found, _) = found(settings.clone(), letter("b@good.example", sender, "192.0.2.25")).await;
        assert_eq!(found.mx, expect, "{sender}");
    }
    let unasked = Settings { mx: false, ..settings };
    let (found, _) = found(unasked, letter("b@good.example", "a@null.example", "192.0.2.25")).await;
    assert_eq!(found.mx, Mx::Unknown);
}
