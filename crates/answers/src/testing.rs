//! A small site with blocks, for the tests of this crate.

use std::sync::Arc;

use model::case::{BlockKind, Extended, Lifted, Opened};
use model::event::{Cause, EventId, FORMAT, Node, RuleStamp, StandingChange};
use model::finding::{Facts, Measure};
use model::greylist::{Asks, Greylist};
use model::sentence::{Severity, Tariff};
use model::{
    Actor, Body, CaseId, Class, Envelope, Hybrid, LinkKey, Millis, Mode, NetworkNews, Offence, Prefix, Secs,
    Site, Units,
};
use projections::{Projector, View};

/// 2026-11-21 22:40:07 UTC.
pub(crate) const NOW: Millis = Millis::from_secs(1_795_300_807);

pub(crate) fn site() -> Site {
    Site {
        name: "Example Networks".into(),
        portal: "https://mw.example.org".into(),
        contact: "postmaster@example.org".into(),
        exempt_local: vec!["postmaster".into(), "abuse".into(), "unblock".into()],
        exempt_address: vec!["help@example.org".into()],
        may_refuse: true,
        greylist: Some(Greylist::shipped(Asks::Suspicious)),
        by_country: None,
        helo_names: None,
        link_key: LinkKey { secret: [7; 32], epoch: 1 },
    }
}

/// A block as the engine would open it; `n1-1` is the first of a view.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) key: &'static str,
    pub(crate) mode: Mode,
    pub(crate) actor: Actor,
    pub(crate) opened: Opened,
    pub(crate) extended: Option<Extended>,
    pub(crate) lifted: Option<Lifted>,
    pub(crate) resentenced: Option<Millis>,
    pub(crate) holes: Vec<Prefix>,
}

impl Block {
    /// 34 unwanted messages, an hour ago, for the first time: 3 h 24 min.
    pub(crate) fn of(key: &'static str) -> Block {
        let from = NOW.minus(Secs::HOUR);
        let facts: Facts = vec![(Measure::UnitsHour, 34), (Measure::LimitUnitsHour, 10)];
        let opened = Opened {
            kind: BlockKind::Rbl,
            reason: 2,
            from,
            until: from.plus(Secs(34 * 360)),
            caused_at: from,
            units: vec![(Offence::SpamVolume, Units::whole(34))],
            repeats: 0,
            severity: Severity::Minor,
            class: Class::Unknown,
            facts,
            tariff: Tariff::SHIPPED,
        };
        let (extended, lifted, resentenced, holes) = (None, None, None, Vec::new());
        Block { key, mode: Mode::Live, actor: Actor::Engine, opened, extended, lifted, resentenced, holes }
    }

    /// The same with other units, repeats and the sentence that follows.
    pub(crate) fn sentenced(mut self, units: &[(Offence, u64)], repeats: u32) -> Block {
        self.opened.units = units.iter().map(|(o, n)| (*o, Units::whole(*n))).collect();
        self.opened.repeats = repeats;
        let sentence = self.opened.tariff.sentence(model::case::total(&self.opened.units), repeats);
        self.opened.until = self.opened.from.plus(sentence);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Opened)) -> Block {
        change(&mut self.opened);
        self
    }

    fn bodies(&self) -> Vec<Body> {
        let mut bodies = vec![Body::CaseOpened(self.opened.clone())];
        bodies.extend(self.extended.clone().map(Body::CaseExtended));
        bodies.extend(self.lifted.map(Body::CaseLifted));
        bodies.extend(self.resentenced.map(Body::CaseResentenced));
        let holes = (!self.holes.is_empty()).then(|| NetworkNews::Holes(self.holes.clone()));
        bodies.extend(holes.map(Body::Network));
        bodies
    }
}

pub(crate) fn case(seq: u64) -> CaseId {
    CaseId(EventId { node: Node(1), life: 1, seq })
}

fn event(case: Option<CaseId>, key: Option<&str>, mode: Mode, actor: Actor, body: Body) -> Envelope {
    Envelope {
        format: FORMAT,
        site: 1,
        id: self::case(1).0,
        prev: [0; 32],
        at: Hybrid { wall: NOW.minus(Secs::HOUR), count: 0 },
        cause: Cause::Input(1, 0),
        actor,
        rule: Some(RuleStamp { offence: Offence::SpamVolume, engine: 1, policy: 0xfeed }),
        mode,
        case,
        key: key.map(|k| k.parse().unwrap()),
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body,
    }
}

/// What the site learned.
pub(crate) fn learnt(lesson: model::Lesson) -> Envelope {
    event(None, None, Mode::Live, Actor::Engine, Body::Learnt(lesson))
}

/// A projector of the site that enforces these blocks, as cases `n1-1`, `n1-2` …
pub(crate) fn projector(blocks: &[Block]) -> Projector {
    let protected = vec!["198.51.100.0/24".parse().unwrap()];
    let mut projector = Projector::new(Arc::new(site()), protected, true, [1, 2]);
    projector.apply(1, &event(None, None, Mode::Live, Actor::Operator, Body::ModeChanged(Mode::Live)));
    for (seq, block) in (1..).zip(blocks) {
        for body in block.bodies() {
            projector.apply(seq, &event(Some(case(seq)), Some(block.key), block.mode, block.actor, body));
        }
    }
    projector
}

pub(crate) fn view(blocks: &[Block]) -> View {
    projector(blocks).view()
}

/// The same, with what is remembered of one key.
pub(crate) fn view_with_class(blocks: &[Block], key: &str, class: Class) -> View {
    view_with_standing(blocks, key, class, true)
}

/// The same, with good mail of the key or without.
pub(crate) fn view_with_standing(blocks: &[Block], key: &str, class: Class, credit: bool) -> View {
    let mut projector = projector(blocks);
    let change = StandingChange { class, credit, pass_until: None, burst_until: None };
    projector.apply(99, &event(None, Some(key), Mode::Live, Actor::Engine, Body::StandingChanged(change)));
    projector.view()
}

/// The same, with a pool that passes greylisting until then.
pub(crate) fn view_with_pass(blocks: &[Block], pool: &str, until: Millis) -> View {
    let mut projector = projector(blocks);
    projector.apply(99, &event(None, Some(pool), Mode::Live, Actor::Engine, Body::GreylistPassed(until)));
    projector.view()
}

/// The same, of a site that learned something.
pub(crate) fn taught(blocks: &[Block], lesson: model::Lesson) -> View {
    let mut projector = projector(blocks);
    projector.apply(99, &learnt(lesson));
    projector.view()
}

/// The same, but learning.
pub(crate) fn learning(blocks: &[Block]) -> View {
    let mut projector = projector(blocks);
    projector.apply(99, &event(None, None, Mode::Live, Actor::Operator, Body::ModeChanged(Mode::Shadow)));
    projector.view()
}

/// A view in which the client's own key is blocked by a case of this node and number.
pub(crate) fn view_of_client(addr: std::net::IpAddr, node: u16, seq: u64, class: Class) -> View {
    let key = model::Key::of_client(addr).to_string();
    let id = CaseId(EventId { node: Node(node), life: u16::MAX, seq });
    let mut projector = projector(&[]);
    let opened = Body::CaseOpened(Block::of("192.0.2.25").opened);
    projector.apply(1, &event(Some(id), Some(&key), Mode::Live, Actor::Engine, opened));
    let change = StandingChange { class, credit: false, pass_until: None, burst_until: None };
    projector.apply(2, &event(None, Some(&key), Mode::Live, Actor::Engine, Body::StandingChanged(change)));
    projector.view()
}
