//! What one answer costs: `cargo bench -p answers`.
//!
//! Each line is the median of eleven rounds over many clients, against a view with a
//! hundred thousand blocked hosts and, in the second half, ten blocked networks and ten thousand
//! blocked domains.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use answers::{Session, answer, link};
use model::case::{BlockKind, Opened};
use model::event::{Cause, EventId, FORMAT, Node};
use model::sentence::{Severity, Tariff};
use model::{Actor, Body, CaseId, Class, Envelope, Hybrid, Key, Millis, Mode, Prefix, Site};
use projections::{Projector, View};

const NOW: Millis = Millis::from_secs(1_795_300_807);
const HOSTS: u64 = 100_000;
const DOMAINS: u64 = 10_000;
const ROUNDS: usize = 11;
const CLIENTS: u32 = 100_000;

fn event(seq: u64, key: Option<Prefix>, body: Body) -> Envelope {
    event_of(seq, key.map(Key::Net), body)
}

fn event_of(seq: u64, key: Option<Key>, body: Body) -> Envelope {
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
        case: key.as_ref().map(|_| CaseId(id)),
        key,
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
        until: Millis(NOW.0 + 3_600_000),
        caused_at: Millis(1),
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Minor,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff::SHIPPED,
    })
}

/// An even address of the IPv4 space for a blocked host; odd ones are free.
fn blocked(n: u32) -> u32 {
    n.wrapping_mul(2_654_435_761) & !1
}

fn projector() -> Projector {
    let site = Site { portal: "https://mw.example.org".into(), may_refuse: true, ..Site::default() };
    let mut projector = Projector::new(Arc::new(site), Vec::new(), true, [1, 2]);
    projector.apply(1, &event(1, None, Body::ModeChanged(Mode::Live)));
    for (n, seq) in (0..).zip(2..HOSTS + 2) {
        projector.apply(seq, &event(seq, Some(Prefix::V4(blocked(n), 32)), opened()));
    }
    projector
}

fn ask(name: &str, view: &View, addr: impl Fn(u32) -> IpAddr) {
    let clients: Vec<IpAddr> = (0..CLIENTS).map(addr).collect();
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for addr in &clients {
                let session = Session {
                    sender: Some(b"news@mail.shop.example"),
                    recipient: Some(b"user@example.org"),
                    ..Session::new(*addr, NOW)
                };
                black_box(answer(black_box(&session), view, NOW));
            }
            began.elapsed().as_nanos()
        })
        .collect();
    rounds.sort_unstable();
    println!("{name:<44} {:>6} ns", rounds[ROUNDS / 2] / u128::from(CLIENTS));
}

fn main() {
    let mut projector = projector();
    let view = projector.view();
    let spread = |n: u32| n.wrapping_mul(2_246_822_519);
    ask("unlisted IPv4", &view, |n| IpAddr::V4((spread(n) | 1).into()));
    ask("unlisted IPv4, a thousand clients", &view, |n| IpAddr::V4((spread(n % 1000) | 1).into()));
    ask("unlisted IPv6", &view, |n| {
        IpAddr::V6((0x2001_0db8_u128 << 96 | u128::from(spread(n)) << 64).into())
    });
    ask("blocked IPv4, the whole reply", &view, |n| IpAddr::V4(blocked(n % 100_000).into()));
    for n in 0..10 {
        let net = Prefix::V4(0xcb00_0000 | n << 8, 24);
        projector.apply(HOSTS + 9, &event(HOSTS + 9 + u64::from(n), Some(net), opened()));
    }
    let view = projector.view();
    ask("unlisted IPv4, ten networks blocked", &view, |n| IpAddr::V4((spread(n) & 0x7fff_ffff | 1).into()));
    for n in 0..DOMAINS {
        let key = format!("d{n}.example").parse().ok();
        projector.apply(HOSTS + 9, &event_of(HOSTS + 99 + n, key, opened()));
    }
    let view = projector.view();
    ask("unlisted IPv4, ten thousand domains blocked", &view, |n| {
        IpAddr::V4((spread(n) & 0x7fff_ffff | 1).into())
    });
    let began = Instant::now();
    for _ in 0..1000 {
        black_box(link::open(black_box(&view), "n1-48211", "2B4SXG2RR2Q4G40W25XG232CP6"));
    }
    println!("{:<44} {:>6} ns", "a wrong link", began.elapsed().as_nanos() / 1000);
}
