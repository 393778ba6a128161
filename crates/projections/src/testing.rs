//! Events that several tests make.

use model::case::{BlockKind, Opened};
use model::event::{Cause, EventId, FORMAT, Node};
use model::sentence::{Severity, Tariff};
use model::{Actor, Body, CaseId, Class, Envelope, Hybrid, Millis, Mode};

/// An event of a live case of its own.
pub(crate) fn event(seq: u64, at: u64, key: &str, body: Body) -> Envelope {
    let id = EventId { node: Node(1), life: 1, seq };
    Envelope {
        format: FORMAT,
        site: 1,
        id,
        prev: [0; 32],
        at: Hybrid { wall: Millis(at), count: 0 },
        cause: Cause::Input(1, 0),
        actor: Actor::Engine,
        rule: None,
        mode: Mode::Live,
        case: Some(CaseId(id)),
        key: Some(key.parse().unwrap()),
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body,
    }
}

/// A block for spam.
pub(crate) fn opened(from: u64, until: u64) -> Body {
    sentence(2, from, until)
}

/// A block for the reason of this number.
pub(crate) fn sentence(reason: u8, from: u64, until: u64) -> Body {
    Body::CaseOpened(Opened {
        kind: BlockKind::Rbl,
        reason,
        from: Millis(from),
        until: Millis(until),
        caused_at: Millis(from),
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Minor,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff::SHIPPED,
    })
}
