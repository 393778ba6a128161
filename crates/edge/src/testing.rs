//! What several tests need.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, thread};

use model::case::{BlockKind, Opened};
use model::event::{Cause, EventId, FORMAT, Node, StandingChange};
use model::policy::RuleMode;
use model::sentence::{Severity, Tariff};
use model::{
    Actor, Body, CaseId, Class, Envelope, Greylist, Hybrid, LinkKey, Millis, Mode, Observation, PersonHash,
    Secs, Site,
};
use projections::Projector;

use crate::intake::{Full, Intake};
use crate::persons::Persons;
use crate::views::Published;

/// A folder of one test's own, removed with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("edge-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// What stands in the log at the default level after `act`.
pub(crate) fn logged(act: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 2026-11-21 22:40:07 UTC.
pub(crate) const NOW: Millis = Millis::from_secs(1_795_300_807);

/// For so long a test waits for what must come; it is never what a test asserts.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An intake with so much room.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) seen: Mutex<Vec<Observation>>,
    pub(crate) room: usize,
}

impl Intake for Heard {
    fn offer(&self, seen: Observation) -> Result<(), Full> {
        let mut all = self.seen.lock().unwrap();
        if all.len() == self.room {
            return Err(Full);
        }
        all.push(seen);
        Ok(())
    }
}

/// What is published, and what changes it.
pub(crate) struct Books {
    pub(crate) published: Arc<Published>,
    projector: Projector,
}

impl Books {
    /// Nothing stands in them yet, and it is enforced.
    pub(crate) fn new() -> Books {
        let mut projector = Projector::new(Arc::new(site()), Vec::new(), true, [1, 2]);
        projector.apply(1, &event(1, None, NOW, Body::ModeChanged(Mode::Live)));
        Books { published: Arc::new(Published::new(projector.view())), projector }
    }

    /// Publishes that nothing is enforced any more.
    pub(crate) fn learn(&mut self, seq: u64) {
        self.apply(seq, &event(seq, None, NOW, Body::ModeChanged(Mode::Shadow)));
    }

    /// Publishes a block of `key` as case `n1-<seq>`, for an hour from `from` on.
    pub(crate) fn block(&mut self, seq: u64, key: &str, from: Millis) {
        self.sentence(seq, key, 2, from, Secs::HOUR);
    }

    /// Publishes a block for the reason of this number, for so long.
    pub(crate) fn sentence(&mut self, seq: u64, key: &str, reason: u8, from: Millis, lasts: Secs) {
        let body = Body::CaseOpened(Opened {
            kind: BlockKind::Rbl,
            reason,
            from,
            until: from.plus(lasts),
            caused_at: from,
            units: Vec::new(),
            repeats: 0,
            severity: Severity::Minor,
            class: Class::Unknown,
            facts: Vec::new(),
            tariff: Tariff::SHIPPED,
        });
        self.apply(seq, &event(seq, Some(key), from, body));
    }

    /// Publishes that a key has good mail.
    pub(crate) fn credit(&mut self, seq: u64, key: &str) {
        let change =
            StandingChange { class: Class::Known, credit: true, pass_until: None, burst_until: None };
        self.apply(seq, &event(seq, Some(key), NOW, Body::StandingChanged(change)));
    }

    /// Publishes that strangers are asked to come back.
    pub(crate) fn greylist(&mut self, rule: Greylist) {
        self.projector.set_site(Arc::new(Site { greylist: Some(rule), ..site() }));
        self.published.publish(self.projector.view());
    }

    /// Publishes that a mailbox gets only spam, by the keyed hash of its address.
    pub(crate) fn only_spam(&mut self, who: PersonHash) {
        self.projector.set_mailbox(who.0 as u32, NOW.plus(Secs::DAY), false);
        self.published.publish(self.projector.view());
    }

    /// Publishes what is done about HELO names that do not exist.
    pub(crate) fn ask_for_names(&mut self, mode: RuleMode) {
        self.projector.set_site(Arc::new(Site { helo_names: Some(mode), ..site() }));
        self.published.publish(self.projector.view());
    }

    pub(crate) fn apply(&mut self, seq: u64, event: &Envelope) {
        self.projector.apply(seq, event);
        self.published.publish(self.projector.view());
    }
}

/// Waits until something holds that must come to hold.
#[track_caller]
pub(crate) fn wait_for(holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn persons() -> Persons {
    Persons::new([7; 16])
}

pub(crate) fn site() -> Site {
    Site {
        name: "Example Networks".into(),
        portal: "https://mw.example.org".into(),
        contact: "postmaster@example.org".into(),
        exempt_local: vec!["postmaster".into(), "abuse".into()],
        exempt_address: Vec::new(),
        may_refuse: true,
        greylist: None,
        by_country: None,
        helo_names: None,
        link_key: LinkKey { secret: [7; 32], epoch: 1 },
    }
}

pub(crate) fn case(seq: u64) -> CaseId {
    CaseId(EventId { node: Node(1), life: 1, seq })
}

pub(crate) fn event(seq: u64, key: Option<&str>, at: Millis, body: Body) -> Envelope {
    Envelope {
        format: FORMAT,
        site: 1,
        id: case(seq).0,
        prev: [0; 32],
        at: Hybrid { wall: at, count: 0 },
        cause: Cause::Input(1, 0),
        actor: Actor::Engine,
        rule: None,
        mode: Mode::Live,
        case: key.map(|_| case(seq)),
        key: key.map(|k| k.parse().unwrap()),
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body,
    }
}
