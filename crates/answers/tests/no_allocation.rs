//! The answer to a client against whom nothing is known does not allocate.

use std::net::IpAddr;
use std::sync::Arc;

use allocation_counter::measure;
use answers::{Answer, Session, Tell, answer};
use model::case::{BlockKind, Opened};
use model::event::{Cause, EventId, FORMAT, Node};
use model::sentence::{Severity, Tariff};
use model::{Actor, Body, CaseId, Class, Envelope, Hybrid, Millis, Mode, Site};
use projections::{Projector, View};

const NOW: Millis = Millis::from_secs(1_795_300_807);

fn event(seq: u64, key: Option<&str>, body: Body) -> Envelope {
    let id = EventId { node: Node(1), life: 1, seq };
    Envelope {
        format: FORMAT,
        site: 1,
        id,
        prev: [0; 32],
        at: Hybrid { wall: Millis(1), count: 0 },
        cause: Cause::Input(1, 0),
        actor: Actor::Engine,
        rule: None,
        mode: Mode::Live,
        case: key.map(|_| CaseId(id)),
        key: key.map(|k| k.parse().expect("a key")),
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body,
    }
}

fn opened() -> Body {
    Body::CaseOpened(Opened {
        kind: BlockKind::Rbl,
        reason: 2,
        from: Millis(1),
        until: Millis(NOW.0 + 60_000),
        caused_at: Millis(1),
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Minor,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff::SHIPPED,
    })
}

/// What is in force with one host, one /64 and one network.
fn projector() -> Projector {
    let site = Site { portal: "https://mw.example.org".into(), may_refuse: true, ..Site::default() };
    let mut projector = Projector::new(Arc::new(site), Vec::new(), true, [1, 2]);
    projector.apply(1, &event(1, None, Body::ModeChanged(Mode::Live)));
    for (seq, key) in (2..).zip(["192.0.2.25", "2001:db8:1:2::/64", "203.0.113.0/24"]) {
        projector.apply(seq, &event(seq, Some(key), opened()));
    }
    projector
}

#[track_caller]
fn check(view: &View, addr: &str, listed: bool) {
    check_mail(view, addr, "x@example.net", listed);
}

#[track_caller]
fn check_mail(view: &View, addr: &str, sender: &str, listed: bool) {
    let addr: IpAddr = addr.parse().expect("an address");
    let session = Session {
        sender: Some(sender.as_bytes()),
        recipient: Some(b"user@example.org"),
        helo: Some(b"mail.example.net"),
        ..Session::new(addr, NOW)
    };
    let mut got: Option<Answer> = None;
    let allocations = measure(|| got = Some(answer(&session, view, NOW))).count_total;
    assert_eq!(matches!(got.expect("an answer").tell, Tell::Refuse(_)), listed, "{addr}");
    assert_eq!(allocations > 0, listed, "{addr}: {allocations} allocations");
}

#[test]
fn only_hits_allocate() {
    let view = projector().view();
    check(&view, "192.0.2.26", false);
    check(&view, "::ffff:192.0.2.26", false);
    check(&view, "2001:db8:1:3::1", false);
    check(&view, "192.0.2.25", true);
    check(&view, "2001:db8:1:2::1", true);
    check(&view, "203.0.113.9", true);
}

/// While domains are blocked, each sender's is looked at.
#[test]
fn only_hits_allocate_where_domains_are_blocked() {
    let mut projector = projector();
    projector.apply(9, &event(9, Some("spam.example"), opened()));
    let view = projector.view();
    check_mail(&view, "192.0.2.26", "x@deep.below.example.net", false);
    check_mail(&view, "192.0.2.26", "x@Spam.Example", true);
    check_mail(&view, "192.0.2.26", "x@news.spam.example", true);
    check_mail(&view, "192.0.2.26", "", false);
}
