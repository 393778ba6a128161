//! One council hears all findings in the order of the inputs and decides.
//!
//! It opens, extends and ends cases, obeys commands, and keeps the calendar of ends. It is
//! the only place that writes events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use minicbor::{Decode, Encode};
use model::case::{Opened, total};
use model::event::{Cause, Commitment, RuleStamp, cbor, commit};
use model::{
    Actor, BlockKind, Body, CaseId, Class, Evidence, Finding, Frame, Key, Millis, Mode, Offence, Policy,
    Prefix, Protected, Secs, Severity, Tariff, evidence, reasons,
};

use crate::entry::Entry;
use crate::guards::{self, Cap, Ruling, Trigger};
use crate::running::Running;
use crate::sessions::Sessions;
use crate::shard::{Shard, Told, What};
use crate::writer::{Draft, Origin, Writer};
use crate::{Counters, SideRow, Step, VERSION};

/// Extensions of one case are written at most once a minute (DESIGN §8).
const WRITE_AGAIN_AFTER: Secs = Secs::MINUTE;
/// When more than this share of the running cases would end at once, they wait for one
/// more frame: the clock may be wrong (ADV-13).
const ENDS_AT_ONCE_PERCENT: usize = 20;
/// Below so many running cases a share says nothing.
const ENDS_AT_ONCE_MIN: usize = 50;
/// A block for our own name lasts this long (C.2: 24 h on repeat).
const HELO_SENTENCE: Secs = Secs::DAY;

/// What an operator must hear.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Alarm {
    /// More automatic blocks in a minute than G-CAP allows; the rest run in shadow.
    #[n(0)]
    CapReached,
    /// Many blocks end at once; they wait one frame because the clock may have jumped.
    #[n(1)]
    ManyEnds,
    /// A policy in the journal could not be read; the old one stays.
    #[n(2)]
    UnreadablePolicy,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Alarm::CapReached => {
                "the cap on automatic blocks of known senders is reached; further ones run in shadow"
            }
            Alarm::ManyEnds => "more than a fifth of all blocks end at once; check the clock",
            Alarm::UnreadablePolicy => "a policy could not be read; the old one stays in force",
        })
    }
}

/// Everything that is not about one key alone.
#[derive(Decode, Encode)]
pub(crate) struct Council {
    #[n(0)]
    pub(crate) writer: Writer,
    /// Enforcing, or learning.
    #[n(1)]
    pub(crate) mode: Mode,
    #[n(2)]
    pub(crate) commanded: BTreeSet<Prefix>,
    /// Ends of running cases as last known; the true end may be later.
    #[n(3)]
    ends: BTreeSet<(Millis, Prefix, CaseId)>,
    /// Keys of running cases.
    #[n(4)]
    pub(crate) cases: BTreeMap<CaseId, Prefix>,
    /// When grown sentences are written.
    #[n(5)]
    writes: BTreeSet<(Millis, Prefix)>,
    #[n(6)]
    cap: Cap,
    #[n(7)]
    held_ends: bool,
    /// First bytes of the policy's hash.
    #[n(8)]
    policy: u64,
    /// The step in work; never stored.
    #[cbor(skip)]
    step: Step,
    #[cbor(skip)]
    protected: Option<Protected>,
    /// Commitment to the text of the command in work: every event of it carries it.
    #[cbor(skip)]
    pub(crate) note: Option<Commitment>,
}

impl Council {
    pub(crate) fn new(origin: Origin, policy: &Policy) -> Council {
        Council {
            writer: Writer::new(origin),
            mode: if policy.learn_first { Mode::Shadow } else { Mode::Live },
            commanded: BTreeSet::new(),
            ends: BTreeSet::new(),
            cases: BTreeMap::new(),
            writes: BTreeSet::new(),
            cap: Cap::default(),
            held_ends: false,
            policy: stamp(policy),
            step: Step::default(),
            protected: None,
            note: None,
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.writer.now
    }

    pub(crate) fn running(&self) -> usize {
        self.cases.len()
    }

    pub(crate) fn begin(&mut self, position: u64, frame: &Frame) {
        self.writer.begin(position, frame);
    }

    pub(crate) fn finish(&mut self) -> Step {
        std::mem::take(&mut self.step)
    }

    pub(crate) fn alarm(&mut self, alarm: Alarm) {
        if !self.step.alarms.contains(&alarm) {
            self.step.alarms.push(alarm);
        }
    }

    pub(crate) fn receipt(&mut self, id: u64, result: Result<crate::Receipt, crate::CommandError>) {
        self.step.receipts.push((id, result));
    }

    /// The protected list of configuration and commands.
    pub(crate) fn protected(&mut self, policy: &Policy) -> &Protected {
        let listed = || policy.protected.iter().chain(&self.commanded).copied().collect();
        self.protected.get_or_insert_with(|| Protected::new(listed(), policy.documentation, 0))
    }

    /// The list is made anew when it or the policy changed.
    pub(crate) fn protected_changed(&mut self) {
        self.protected = None;
    }

    /// A new policy rules from here on.
    pub(crate) fn adopt(&mut self, index: u32, policy: &Policy) {
        self.policy = stamp(policy);
        self.protected_changed();
        let cause = self.writer.input(index);
        self.write(cause, Actor::Operator, Mode::Live, None, None, Body::PolicyAdopted(policy.hash()));
    }

    /// Writes what is due and ends what has ended, before anything new is heard.
    pub(crate) fn pass_time(&mut self, shards: &mut [Shard], sessions: &Sessions) {
        while let Some((due, key)) = self.writes.first().copied().filter(|(due, _)| *due <= self.now()) {
            self.writes.remove(&(due, key));
            self.write_growth(key, shards, sessions);
        }
        if !self.ends_confirmed() {
            return;
        }
        while let Some((end, key, case)) = self.ends.first().copied().filter(|(end, ..)| *end <= self.now()) {
            self.ends.remove(&(end, key, case));
            self.end(key, case, shards, sessions);
        }
    }

    /// Whether the ends that are due may be carried out in this frame.
    fn ends_confirmed(&mut self) -> bool {
        let due = self.ends.range(..(Millis(self.now().0 + 1), Prefix::V4(0, 0), LEAST)).count();
        let many =
            self.cases.len() >= ENDS_AT_ONCE_MIN && due * 100 > self.cases.len() * ENDS_AT_ONCE_PERCENT;
        if many && !self.held_ends {
            self.held_ends = true;
            self.alarm(Alarm::ManyEnds);
            return false;
        }
        self.held_ends = false;
        true
    }

    fn end(&mut self, key: Prefix, case: CaseId, shards: &mut [Shard], sessions: &Sessions) {
        let now = self.now();
        let Some(entry) = shards[sessions.shard_of(key)].entry(key) else { return };
        let Some(place) = entry.running.iter().position(|r| r.case == case) else { return };
        let until = entry.running[place].until;
        if until > now {
            self.ends.insert((until, key, case));
            return;
        }
        let running = entry.running.remove(place);
        self.cases.remove(&case);
        self.write_ended(key, &running);
    }

    fn write_ended(&mut self, key: Prefix, running: &Running) {
        let mut last = running.clone();
        if running.dirty {
            let body = Body::CaseExtended(last.write(self.now()));
            self.write_for(key, running, Cause::Event(running.case.0), Actor::Engine, body);
        }
        let body = Body::CaseEnded(running.until);
        self.write_for(key, running, Cause::Event(running.case.0), Actor::Engine, body);
    }

    /// Hears one piece of news.
    pub(crate) fn hear(
        &mut self,
        told: Told,
        policy: &Policy,
        shards: &mut [Shard],
        sessions: &Sessions,
        counters: &mut Counters,
    ) {
        let Some(entry) = shards[sessions.shard_of(told.key)].entry(told.key) else { return };
        match told.what {
            What::Found(finding, class, mode) => {
                self.found(told.index, &finding, class, mode, entry, policy, counters);
            }
            What::Grown => self.grown(told.key, entry),
            What::Standing(change) => {
                let cause = self.writer.input(told.index);
                let (key, body) = (Key::Net(told.key), Body::StandingChanged(change));
                self.write(cause, Actor::Engine, Mode::Live, None, Some(key), body);
            }
        }
    }

    /// A sentence has grown: write it now, or when its minute is over.
    fn grown(&mut self, key: Prefix, entry: &mut Entry) {
        let now = self.now();
        for running in entry.running.iter_mut().filter(|r| r.dirty) {
            let due = running.written_at.plus(WRITE_AGAIN_AFTER);
            if due > now {
                self.writes.insert((due, key));
                continue;
            }
            let body = Body::CaseExtended(running.write(now));
            let copy = running.clone();
            self.write_for(key, &copy, Cause::Event(copy.case.0), Actor::Engine, body);
        }
    }

    fn write_growth(&mut self, key: Prefix, shards: &mut [Shard], sessions: &Sessions) {
        if let Some(entry) = shards[sessions.shard_of(key)].entry(key) {
            self.grown(key, entry);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one trigger with what surrounds it; called once")]
    fn found(
        &mut self,
        index: u32,
        finding: &Finding,
        class: Class,
        mode: Mode,
        entry: &mut Entry,
        policy: &Policy,
        counters: &mut Counters,
    ) {
        let now = self.now();
        if entry.active(mode, now).is_some() {
            return;
        }
        let mut cap = self.cap;
        let trigger = Trigger { key: finding.key, entry, class, mode, now };
        let ruling = guards::rule(&trigger, self.protected(policy), policy, &mut cap);
        self.cap = cap;
        let mode = match ruling {
            Ruling::Open(mode) => mode,
            Ruling::Shadow(alarm) => {
                self.alarm(alarm);
                Mode::Shadow
            }
            Ruling::Held => return counters.guarded += 1,
            Ruling::NoEvidence => return counters.without_evidence += 1,
        };
        if entry.active(mode, now).is_none() {
            self.open(self.writer.input(index), finding, class, mode, entry, policy);
        }
    }

    fn open(
        &mut self,
        cause: Cause,
        finding: &Finding,
        class: Class,
        mode: Mode,
        entry: &mut Entry,
        policy: &Policy,
    ) {
        let Some(reason) = reasons::of_offence(finding.offence) else { return };
        self.end_passed(finding.key, entry, mode);
        let (now, tariff) = (self.now(), tariff_of(finding.offence, policy));
        let repeats = repeats(entry, mode, now);
        let units = self.units(entry, mode);
        let until = now.plus(tariff.sentence(total(&units), repeats));
        let opened = Opened {
            kind: BlockKind::Rbl,
            reason: reason.number,
            from: now,
            until,
            caused_at: finding.at,
            severity: Severity::of(total(&units), repeats),
            units,
            repeats,
            class,
            facts: finding.facts.clone(),
            tariff: tariff.clone(),
        };
        let counts_attempts = policy.guards.attempts && is_pure_spammer(entry, now);
        let case = CaseId(self.writer.next_id());
        let samples = if mode == self.mode { entry.record.take_samples() } else { entry.record.samples() };
        let draft = Draft {
            cause,
            actor: Actor::Engine,
            rule: Some(RuleStamp { offence: finding.offence, engine: VERSION, policy: self.policy }),
            mode,
            case: Some(case),
            key: Some(Key::Net(finding.key)),
            evidence: self.side_rows(case, &samples),
            body: Body::CaseOpened(opened),
        };
        self.step.events.push(self.writer.write(draft));
        let running = Running::begin(case, mode, Actor::Engine, now, until, repeats, tariff, counts_attempts);
        self.run(finding.key, entry, running);
    }

    /// Enters a new sentence into the calendar and the strikes.
    pub(crate) fn run(&mut self, key: Prefix, entry: &mut Entry, running: Running) {
        self.ends.insert((running.until, key, running.case));
        self.cases.insert(running.case, key);
        match running.mode {
            Mode::Live => entry.record.standing.strike(running.from),
            Mode::Shadow => entry.record.shadow_strikes.push(running.from),
        }
        entry.running.push(running);
    }

    /// Enters a new end of a running case.
    pub(crate) fn calendar(&mut self, until: Millis, key: Prefix, case: CaseId) {
        self.ends.insert((until, key, case));
    }

    /// Ends a sentence of this mode whose time is over but whose end was not yet written.
    pub(crate) fn end_passed(&mut self, key: Prefix, entry: &mut Entry, mode: Mode) {
        while let Some(place) = entry.running.iter().position(|r| r.mode == mode && r.until <= self.now()) {
            let running = entry.running.remove(place);
            self.cases.remove(&running.case);
            self.write_ended(key, &running);
        }
    }

    /// The units to sentence: taken where this mode prevails, copied for a rule in shadow.
    fn units(&self, entry: &mut Entry, mode: Mode) -> Vec<(Offence, model::Units)> {
        let account = &mut entry.record.account;
        if mode == self.mode { account.take(self.now()) } else { account.units(self.now()) }
    }

    fn side_rows(&mut self, case: CaseId, samples: &[Evidence]) -> Vec<[u8; 32]> {
        let mut commitments = Vec::new();
        for sample in samples {
            let (salt, body) = (self.writer.next_salt(), cbor(sample));
            commitments.push(commit(&salt, &body));
            let expires = self.now().plus(evidence::KEPT);
            self.step.side_rows.push(SideRow { case, salt, body, expires });
        }
        commitments
    }

    pub(crate) fn write(
        &mut self,
        cause: Cause,
        actor: Actor,
        mode: Mode,
        case: Option<CaseId>,
        key: Option<Key>,
        body: Body,
    ) {
        let evidence = self.note.into_iter().collect();
        let draft = Draft { cause, actor, rule: None, mode, case, key, evidence, body };
        self.step.events.push(self.writer.write(draft));
    }

    pub(crate) fn write_for(
        &mut self,
        key: Prefix,
        running: &Running,
        cause: Cause,
        actor: Actor,
        body: Body,
    ) {
        self.write(cause, actor, running.mode, Some(running.case), Some(Key::Net(key)), body);
    }
}

/// The least case id, for range queries.
const LEAST: CaseId = CaseId(model::EventId { node: model::Node(0), life: 0, seq: 0 });

/// The first bytes of a policy's hash.
fn stamp(policy: &Policy) -> u64 {
    let hash = policy.hash();
    u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}

/// The formula for an offence.
fn tariff_of(offence: Offence, policy: &Policy) -> Tariff {
    match offence {
        Offence::Helo => Tariff { per_unit: Secs(0), floor: HELO_SENTENCE, ..policy.tariff.clone() },
        _ => policy.tariff.clone(),
    }
}

/// r of the mode: shadow sentences never lengthen live ones.
fn repeats(entry: &mut Entry, mode: Mode, now: Millis) -> u32 {
    if mode == Mode::Live {
        return entry.record.standing.repeats(now);
    }
    let oldest = now.minus(model::standing::STRIKE_MEMORY);
    entry.record.shadow_strikes.retain(|s| *s >= oldest);
    u32::try_from(entry.record.shadow_strikes.len()).unwrap_or(u32::MAX)
}

/// Whether refused attempts count: at least 90 % spam at the trigger and no good mail in
/// 30 days (SEN-3a).
fn is_pure_spammer(entry: &Entry, now: Millis) -> bool {
    entry.record.volume.share_percent(now) >= 90 && !entry.has_credit(now)
}
