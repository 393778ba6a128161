//! One council hears all findings in the order of the inputs and decides.
//!
//! It opens, extends and ends cases, obeys commands, and keeps the calendar of ends. It is
//! the only place that writes events.

use std::collections::{BTreeMap, BTreeSet};

use detectors::facts::PassesOn;
use minicbor::{Decode, Encode};
use model::case::{Opened, total};
use model::event::{Cause, Commitment, RuleStamp, cbor, commit};
use model::{
    Actor, BlockKind, Body, CaseId, Class, Evidence, Finding, Frame, Judgement, Key, Lasts, Millis, Mode,
    Offence, Policy, Prefix, Protected, Reason, Severity, Tariff, Units, evidence, reasons,
};

use crate::alarm::{Alarm, Bell};
use crate::calendar::Calendar;
use crate::entry::Entry;
use crate::experience::{Experience, Met};
use crate::guards::{self, Cap, Ruling, Trigger};
use crate::inspect::{Guard, HeldBack};
use crate::kinds::{NullRoutes, kind_of};
use crate::named::Named;
use crate::networks::{Networks, Price};
use crate::ours::Ours;
use crate::records::Records;
use crate::reference;
use crate::reporters::Outcome;
use crate::rollup::Rollup;
use crate::rotating::Rotating;
use crate::running::Running;
use crate::seeded::{Seeded, shard_of};
use crate::shard::{Found, Shard, Told, What};
use crate::trials::Trials;
use crate::upstream::Upstream;
use crate::writer::{Draft, Origin, Writer};
use crate::{Counters, SideRow, Step, VERSION};

/// From this share of spam on, in percent, refused attempts count (SEN-3a).
const PURE_SPAM: u64 = 90;

/// Everything that is not about one key alone.
#[derive(Decode, Encode)]
pub(crate) struct Council {
    #[n(0)]
    pub(crate) writer: Writer,
    /// Enforcing, or learning.
    #[n(1)]
    pub(crate) mode: Mode,
    #[n(2)]
    pub(crate) walls: Walls,
    #[n(3)]
    pub(crate) calendar: Calendar,
    /// Keys of running cases.
    #[n(4)]
    pub(crate) cases: BTreeMap<CaseId, Prefix>,
    #[n(5)]
    pub(crate) cap: Cap,
    #[n(6)]
    bell: Bell,
    /// First bytes of the policy's hash.
    #[n(7)]
    pub(crate) policy: u64,
    /// What is known of networks.
    #[n(12)]
    #[cbor(default)]
    pub(crate) networks: Networks,
    /// Records of blocks by hand.
    #[n(13)]
    #[cbor(default)]
    pub(crate) records: Records,
    /// Null routes of this minute.
    #[n(18)]
    #[cbor(default)]
    null_routes: NullRoutes,
    /// What the command in work would cost.
    #[cbor(skip)]
    pub(crate) price: Option<Price>,
    /// How good mail fares under rules that may be at fault.
    #[n(21)]
    #[cbor(default)]
    pub(crate) ours: Ours,
    /// Networks with many new keys.
    #[n(22)]
    #[cbor(default)]
    pub(crate) rotating: Rotating,
    /// Rules that are new or were changed.
    #[n(27)]
    #[cbor(default)]
    pub(crate) trials: Trials,
    /// Domains that a person blocked.
    #[n(33)]
    #[cbor(default)]
    pub(crate) named: Named,
    /// The step in work; never stored.
    #[cbor(skip)]
    step: Step,
    /// Commitment to the text of the command in work: every event of it carries it.
    #[cbor(skip)]
    pub(crate) note: Option<Commitment>,
    /// What others have to hear of this step; never stored.
    #[cbor(skip)]
    pub(crate) news: Vec<News>,
    /// What guards held back since the start, to be looked at; never stored.
    #[cbor(skip)]
    pub(crate) held: HeldBack,
}

/// What follows from a decision for books that are not the council's.
#[derive(Debug)]
pub(crate) enum News {
    /// A key passes other people's mail on.
    PassesOn(Prefix, PassesOn),
    /// A case was opened because of these reporters.
    Reported(CaseId, Vec<u32>),
    /// A case by reports is over.
    Outcome(CaseId, Outcome),
}

/// What can not be blocked: the lists of configuration and commands.
#[derive(Decode, Default, Encode)]
pub(crate) struct Walls {
    #[n(0)]
    pub(crate) commanded: BTreeSet<Prefix>,
    /// Made when it is first asked for, and again when a list changed.
    #[cbor(skip)]
    made: Option<Protected>,
}

impl Walls {
    pub(crate) fn stand(&mut self, policy: &Policy) -> &Protected {
        let listed = || policy.protected.iter().chain(&self.commanded).copied().collect();
        self.made.get_or_insert_with(|| Protected::new(listed(), policy.documentation, 0))
    }

    /// A list has changed.
    pub(crate) fn fall(&mut self) {
        self.made = None;
    }
}

/// What the council decides over.
pub(crate) struct Books<'a> {
    pub(crate) shards: &'a mut [Shard],
    pub(crate) seeded: Seeded,
    pub(crate) policy: &'a Policy,
    pub(crate) upstream: &'a Upstream,
    pub(crate) experience: &'a mut Experience,
    pub(crate) rollup: &'a Rollup,
    pub(crate) counters: &'a mut Counters,
}

impl Books<'_> {
    pub(crate) fn entry(&mut self, key: Prefix) -> Option<&mut Entry> {
        let hash = self.seeded.key(key);
        self.shards[shard_of(hash)].entry(hash, key)
    }

    /// The entry of a key, only to be looked at.
    pub(crate) fn look(&self, key: Prefix) -> Option<&Entry> {
        let hash = self.seeded.key(key);
        self.shards[shard_of(hash)].look(hash, key)
    }

    /// The entry of a key that a person named.
    pub(crate) fn entry_by_hand(&mut self, key: Prefix, at: Millis) -> &mut Entry {
        let hash = self.seeded.key(key);
        self.shards[shard_of(hash)].entry_by_hand(hash, key, at)
    }
}

impl Council {
    pub(crate) fn new(origin: Origin, policy: &Policy) -> Council {
        Council {
            writer: Writer::new(origin),
            mode: if policy.learn_first { Mode::Shadow } else { Mode::Live },
            walls: Walls::default(),
            calendar: Calendar::default(),
            cases: BTreeMap::new(),
            cap: Cap::default(),
            bell: Bell::default(),
            policy: stamp(policy),
            networks: Networks::default(),
            records: Records::default(),
            price: None,
            null_routes: NullRoutes::default(),
            ours: Ours::default(),
            rotating: Rotating::default(),
            trials: Trials::default(),
            named: Named::default(),
            step: Step::default(),
            note: None,
            news: Vec::new(),
            held: HeldBack::default(),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.writer.now
    }

    /// The time by which standing is read: behind `now` for a day after a jump.
    pub(crate) fn standing_now(&self) -> Millis {
        self.calendar.standing_now(self.now())
    }

    pub(crate) fn begin(&mut self, position: u64, frame: &Frame) {
        let before = self.now();
        self.writer.begin(position, frame);
        if let Some(alarm) = self.calendar.begin(before, frame.wall) {
            self.alarm(alarm);
        }
    }

    pub(crate) fn finish(&mut self) -> Step {
        std::mem::take(&mut self.step)
    }

    pub(crate) fn alarm(&mut self, alarm: Alarm) {
        if self.bell.rings(alarm, self.now()) {
            self.step.alarms.push(alarm);
        }
    }

    pub(crate) fn receipt(&mut self, id: u64, result: Result<crate::Receipt, crate::CommandError>) {
        self.step.receipts.push((id, result));
    }

    /// A new policy rules from here on.
    pub(crate) fn adopt(&mut self, index: u32, policy: &Policy) {
        self.policy = stamp(policy);
        self.walls.fall();
        let cause = self.writer.input(index);
        self.write(cause, Actor::Operator, Mode::Live, None, None, Body::PolicyAdopted(policy.hash()));
    }

    /// Hears one piece of news.
    pub(crate) fn hear(&mut self, told: Told, books: &mut Books<'_>) {
        match told.what {
            What::Found(found) => self.found(told.index, &found, books),
            What::Grown => self.grown(told.key, books),
            What::Standing(change) => {
                let cause = self.writer.input(told.index);
                let (key, body) = (Key::Net(told.key), Body::StandingChanged(change));
                self.write(cause, Actor::Engine, Mode::Live, None, Some(key), body);
                self.has_credit(told.key, change.credit, books);
            }
            What::Met { met, judgement, first } => {
                self.learn(told.index, &met, judgement, first, books.experience);
            }
            What::Tested(test) => self.heard_test(told.index, test),
            What::Fresh => self.fresh(told.index, told.key),
            What::Cleared => self.cleared(told.index, told.key, books),
            What::PassesOn(why) => self.news.push(News::PassesOn(told.key, why)),
            What::NoRoom => self.alarm(Alarm::TableFull),
        }
    }

    /// Somebody was met for the first time, or with good mail.
    fn learn(&mut self, index: u32, met: &Met, judgement: Judgement, first: bool, site: &mut Experience) {
        for lesson in site.note(met, judgement, first, self.now()) {
            let cause = self.writer.input(index);
            self.write(cause, Actor::Engine, Mode::Live, None, None, Body::Learnt(lesson));
        }
    }

    fn found(&mut self, index: u32, found: &Found, books: &mut Books<'_>) {
        let (now, standing, policy) = (self.now(), self.standing_now(), books.policy);
        let carries = books.upstream.holds(found.finding.key, now);
        let Some(entry) = books.entry(found.finding.key) else { return };
        let Found { finding, class, mode } = found;
        let Finding { offence, key, .. } = *finding;
        let kind = kind_of(offence, *class, entry, now);
        if entry.is_sentenced(*mode, offence, kind, now) {
            return;
        }
        let upstream = carries || entry.record.passes_on(now).is_some();
        let trigger = Trigger { key, offence, entry, upstream, class: *class, mode: *mode, now, standing };
        let (ruling, alarm) = guards::rule(&trigger, self.walls.stand(policy), policy, &mut self.cap);
        let guard = Guard::of(&trigger, ruling, self.walls.stand(policy), policy);
        if let Some(guard) = guard {
            self.held.note(now, key, offence, guard);
        }
        if let Some(alarm) = alarm {
            self.alarm(alarm);
        }
        match ruling {
            Ruling::Open(mode) if entry.is_sentenced(mode, offence, kind, now) => {}
            Ruling::Open(_) if guards::is_full(self.cases.len(), policy) => {
                books.counters.guarded += 1;
                self.alarm(Alarm::CasesFull);
            }
            Ruling::Open(mode) => {
                let kind = self.capped(kind, found, mode, policy);
                if !entry.is_sentenced(mode, offence, kind, now) {
                    self.open(self.writer.input(index), found, (mode, kind), entry, policy);
                }
            }
            Ruling::Held => books.counters.guarded += 1,
            Ruling::NoEvidence => books.counters.without_evidence += 1,
        }
    }

    /// Opens a case, in the finding's mode or, where the cap says so, in shadow.
    fn open(
        &mut self,
        cause: Cause,
        found: &Found,
        (mode, kind): (Mode, BlockKind),
        entry: &mut Entry,
        policy: &Policy,
    ) {
        let Found { finding, .. } = found;
        let Some(reason) = reasons::of_offence(finding.offence) else { return };
        self.end_passed(finding.key, entry, mode);
        let opened = self.sentence(reason, found, (mode, kind), entry, policy);
        let partial = matches!(finding.offence, Offence::Backscatter | Offence::Greytrap);
        let pure =
            !partial && policy.guards.attempts && is_pure_spammer(entry, self.now(), self.standing_now());
        let case = CaseId(self.writer.next_id());
        // Evidence of a case that is not enforced, or not for all mail, may serve one that is.
        let whole = mode == self.mode && !partial;
        let samples = if whole { entry.record.take_samples() } else { entry.record.samples() };
        if finding.offence == Offence::Reports && mode == Mode::Live {
            self.news.push(News::Reported(case, entry.record.reporters()));
        }
        let running = Running::begin(case, mode, Actor::Engine, &opened, pure);
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
        self.run(finding.key, entry, running);
        if finding.offence == Offence::Dictionary
            && let Some(rare) = entry.record.rare_if_any()
        {
            rare.dictionary.sentenced(kind == BlockKind::Rbl, self.now());
        }
    }

    /// The kind in which a case opens, and what the operator must hear of it.
    fn capped(&mut self, kind: BlockKind, found: &Found, mode: Mode, policy: &Policy) -> BlockKind {
        let now = self.now();
        if found.finding.offence == Offence::Dictionary && found.class >= Class::Known {
            self.alarm(Alarm::KnownGuesses);
        }
        if kind == BlockKind::NullRoute && mode == Mode::Live && !self.null_routes.take(policy, now) {
            self.alarm(Alarm::ManyNullRoutes);
            return BlockKind::Rbl;
        }
        kind
    }

    fn sentence(
        &self,
        reason: &Reason,
        found: &Found,
        (mode, kind): (Mode, BlockKind),
        entry: &mut Entry,
        policy: &Policy,
    ) -> Opened {
        let (now, Finding { offence, at, facts, .. }) = (self.now(), &found.finding);
        let tariff = tariff(*offence, (mode, kind), entry, policy, now);
        let repeats = entry.record.repeats(mode, self.standing_now());
        let units = units(entry, found, mode, now);
        Opened {
            kind,
            reason: reason.number,
            from: now,
            until: now.plus(tariff.sentence(total(&units), repeats)),
            caused_at: *at,
            severity: Severity::of(total(&units), repeats),
            units,
            repeats,
            class: found.class,
            facts: facts.clone(),
            tariff,
        }
    }

    /// A sentence is over: who reported the key hears how it went.
    pub(crate) fn outcome(&mut self, running: &Running, outcome: Outcome) {
        if running.offence == Offence::Reports && running.mode == Mode::Live {
            self.news.push(News::Outcome(running.case, outcome));
        }
    }

    /// Enters a new sentence into the calendar and the strikes.
    pub(crate) fn run(&mut self, key: Prefix, entry: &mut Entry, running: Running) {
        self.calendar.ends_at(running.until, key, running.case);
        self.cases.insert(running.case, key);
        self.networks.opened(key, running.case);
        entry.record.strike(running.mode, running.from);
        if running.actor == Actor::Engine && running.mode == self.mode {
            self.networks.blocked(key, running.offence, running.case, self.now());
        }
        entry.running.push(running);
    }

    /// A case runs no more; says whose it was.
    pub(crate) fn over(&mut self, case: CaseId) -> Option<Prefix> {
        let key = self.cases.remove(&case)?;
        self.networks.closed(key, case);
        Some(key)
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
        self.emit(Draft { cause, actor, rule: None, mode, case, key, evidence, body });
    }

    pub(crate) fn emit(&mut self, draft: Draft) {
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

/// The first bytes of a policy's hash.
fn stamp(policy: &Policy) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = policy.hash();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The formula for an offence; a ladder is climbed by it.
fn tariff(
    offence: Offence,
    (mode, kind): (Mode, BlockKind),
    entry: &mut Entry,
    policy: &Policy,
    now: Millis,
) -> Tariff {
    if let Some(tariff) = reference::tariff(offence, entry, policy) {
        return tariff;
    }
    let lasts = Lasts::of(offence);
    let Lasts::Ladder { memory, .. } = lasts else {
        return floored(&lasts.tariff(&policy.tariff_of(offence), 0), kind, policy);
    };
    let standing = &mut entry.record.standing;
    let rung = standing.rung(offence, mode, now, memory);
    let tariff = lasts.tariff(&policy.tariff, rung);
    standing.climb(offence, mode, rung, now, now.plus(tariff.sentence(Units::ZERO, 0)));
    tariff
}

/// A null route for unknown recipients has a floor of its own (C.2: ‘∝ units, min 24 h’).
fn floored(tariff: &Tariff, kind: BlockKind, policy: &Policy) -> Tariff {
    let floor = match kind {
        BlockKind::Rbl => tariff.floor,
        BlockKind::NullRoute => tariff.floor.max(policy.dictionary.floor),
    };
    Tariff { floor, ..tariff.clone() }
}

/// The units to sentence: taken out, or only read where the cap put a live rule's case into
/// shadow, so that they still wait for a live sentence.
fn units(entry: &mut Entry, found: &Found, mode: Mode, now: Millis) -> Vec<(Offence, Units)> {
    let which = |offence| Lasts::add_up(found.finding.offence, offence);
    let account = &mut entry.record.account;
    if mode == found.mode {
        return account.take(mode, now, which);
    }
    let waiting = account.units(found.mode, now);
    waiting.into_iter().filter(|(offence, _)| which(*offence)).collect()
}

/// Whether refused attempts count: nearly only spam at the trigger, and no good mail in 30
/// days (SEN-3a).
fn is_pure_spammer(entry: &Entry, now: Millis, standing: Millis) -> bool {
    entry.record.volume.share_percent(now) >= PURE_SPAM && !entry.has_credit(standing)
}
