//! Blocks for benchmarks: many, synthetic, in memory only.

use model::case::Opened;
use model::event::{Cause, EventId, FORMAT};
use model::sentence::{Severity, Tariff};
use model::{Actor, BlockKind, Body, CaseId, Class, Envelope, Hybrid, Key, Millis, Mode, Node, Prefix, Secs};
use projections::Projector;

/// Fills the view with as many blocks as `MAILWARD_BENCH_BLOCKS` says, for `cargo xtask
/// bench`; none without it. They never reach the ledger.
pub(crate) fn fill(projector: &mut Projector, now: Millis) {
    let count = std::env::var("MAILWARD_BENCH_BLOCKS").ok().and_then(|n| n.parse().ok()).unwrap_or(0u64);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for seq in 1..=count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        projector.apply(0, &block(seq, (state >> 32) as u32, now));
    }
}

fn block(seq: u64, addr: u32, now: Millis) -> Envelope {
    let id = EventId { node: Node(u16::MAX), life: 1, seq };
    let opened = Opened {
        kind: BlockKind::Rbl,
        reason: 2,
        from: now,
        until: now.plus(Secs::DAY),
        caused_at: now,
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Minor,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff::SHIPPED,
    };
    Envelope {
        format: FORMAT,
        site: 0,
        id,
        prev: [0; 32],
        at: Hybrid { wall: now, count: 0 },
        cause: Cause::Command(0),
        actor: Actor::Operator,
        rule: None,
        mode: Mode::Live,
        case: Some(CaseId(id)),
        key: Some(Key::Net(Prefix::V4(addr, 32))),
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body: Body::CaseOpened(opened),
    }
}
