//! The four plain threads between an observation and the view: journal, engine, ledger,
//! projector. Only bounded queues stand between them (DESIGN §4).
//!
//! A frame is written to the journal before it is decided; it is made durable before its
//! first event is; an event is durable before the view shows it. When a disk is full the
//! threads wait and try again, queues fill, observations are dropped and counted, and
//! answers go on from the last view.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use edge::{Clock, Published};
use engine::{Engine, MailboxNews, Step};
use ledger::journal::{Frame as Stored, Writer};
use ledger::{DataDir, EventStore, SqliteLedger, checkpoint};
use model::{Body, Envelope, Evidence, FeedNews, Frame, Input, Millis, NetworkNews, Prefix, Sealed};
use projections::Projector;

use super::atlases;
use super::desk::Desk;
use super::feeds::{self, Shelf};
use super::intake::Queue;
use super::keeper::Keeper;
use super::questions::Questions;
use super::recover::{to_row, to_stored};
use super::site_file::random;
use super::tell;
use super::threads::Threads;
use super::zones::News;

/// An epoch ends after this time …
const EPOCH: Duration = Duration::from_millis(1);
/// … or when it has so many inputs. A quarter of a millisecond of work for each thread:
/// between two frames it gives the core to those who answer.
const EPOCH_INPUTS: usize = 256;
/// On an idle machine the queue is looked at less often, down to this.
const IDLE_MAX: Duration = Duration::from_millis(16);
/// Time goes on at least this often.
const TICK: Duration = Duration::from_secs(1);
/// Frames between two threads: with 256 inputs each, as much as half the intake holds.
const FRAMES: usize = 128;
/// Steps that are made durable together.
const GROUP: usize = 256;
/// A view is published at most this often.
const PUBLISH: Duration = Duration::from_millis(1);
/// Between two checkpoints …
const CHECKPOINT: Duration = Duration::from_secs(60);
/// … and sooner after so many inputs, which a start decides again in a fraction of a second …
const CHECKPOINT_INPUTS: usize = 100_000;
/// … but not sooner than this: a flood shall not make us write all day.
const CHECKPOINT_MIN: Duration = Duration::from_secs(5);
/// Between two attempts to write to a store that refused.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks of the operator into the engine.
const INSIGHT: Duration = Duration::from_secs(2);
/// Exit code of a fault of our own (sysexits.h).
const SOFTWARE_FAULT: i32 = 70;
/// The niceness of threads that decide. Answering threads have 0.
const GIVES_WAY: i32 = 10;
/// Between two sweeps of expired evidence and index entries.
const SWEEP: Duration = Duration::from_secs(60);

/// What the ledger thread gets, in order.
enum Decided {
    Step(Step),
    Checkpoint(u64, Vec<u8>),
}

/// What the projector gets: durable events and receipts.
#[derive(Default)]
struct Durable {
    events: Vec<(u64, Envelope)>,
    receipts: Vec<(u64, Result<engine::Receipt, engine::CommandError>)>,
    /// Mailboxes that get only spam: of no event, but no earlier than the events around it.
    mailboxes: Vec<MailboxNews>,
    /// Our own people who wrote, the same.
    writers: Vec<(u32, Millis)>,
}

/// What the threads share.
pub(crate) struct Common {
    pub(crate) store: DataDir,
    pub(crate) data_dir: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) queue: Arc<Queue>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) published: Arc<Published>,
    pub(crate) keeper: Option<Arc<Keeper>>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) engine_threads: usize,
    pub(crate) insight: Arc<Mutex<Insight>>,
    pub(crate) questions: Questions,
    pub(crate) feeds: Arc<Shelf>,
    /// Who keeps zones hears here which keys changed.
    pub(crate) zone_news: Arc<News>,
}

/// What only the engine knows, for the operator; told once in a few seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Insight {
    pub(crate) counters: engine::Counters,
    pub(crate) keys: usize,
    pub(crate) sessions: usize,
    pub(crate) deliveries: usize,
    /// Attempts that greylisting asked to come back lately, and pools that pass it.
    pub(crate) waiting: usize,
    pub(crate) passes: usize,
    /// Hosts that behave like relays of ours, and by what.
    pub(crate) upstream: Vec<(Prefix, engine::PassesOn)>,
    /// Networks that a person may block.
    pub(crate) proposals: Vec<(Prefix, engine::Proposal)>,
    /// Providers with many blocked servers.
    pub(crate) systems: Vec<u32>,
    /// Records whose review is due.
    pub(crate) records_due: Vec<(u32, model::CaseId)>,
    /// Traps that are none any more, and why.
    pub(crate) burnt: Vec<(model::PersonHash, engine::Burnt)>,
    /// What measures the lessons of the connection score.
    pub(crate) let_in: engine::LetIn,
}

/// What they work on.
pub(crate) struct Work {
    pub(crate) inputs: Receiver<Input>,
    pub(crate) first: Vec<Input>,
    pub(crate) journal: Writer,
    pub(crate) engine: Engine,
    pub(crate) ledger: SqliteLedger,
    pub(crate) projector: Projector,
}

/// Starts the threads; they end after `stop` is set, the journal first.
pub(crate) fn start(common: &Arc<Common>, work: Work) -> std::io::Result<Vec<JoinHandle<()>>> {
    let (to_engine, frames) = bounded(FRAMES);
    let (to_ledger, decided) = bounded(FRAMES);
    let (to_projector, durable) = bounded(FRAMES);
    let journal = Arc::new(Mutex::new(work.journal));
    let (common1, journal1) = (common.clone(), journal.clone());
    let framer = Framer { common: common1, journal: journal1, inputs: work.inputs, out: to_engine };
    let (common2, common3, common4) = (common.clone(), common.clone(), common.clone());
    let (engine, ledger, projector, first) = (work.engine, work.ledger, work.projector, work.first);
    Ok(vec![
        spawn("journal", &common.stop, move || framer.run(first))?,
        spawn("engine", &common.stop, move || decide(engine, &frames, &to_ledger, &common2))?,
        spawn("ledger", &common.stop, move || {
            make_durable(ledger, &journal, &decided, &to_projector, &common3);
        })?,
        spawn("projector", &common.stop, move || project(projector, &durable, &common4))?,
    ])
}

/// Starts a thread that gives way to those who answer: on a busy core an answer would
/// otherwise wait for the end of our time slice.
pub(super) fn spawn(
    name: &'static str,
    stop: &Arc<AtomicBool>,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let watch = Watch { name, stop: stop.clone() };
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _watch = watch;
        // Where it is not allowed, things are as they were.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), GIVES_WAY);
        work();
    })
}

/// Ends the process when its thread ends before the daemon does: without it nothing new
/// would be decided, and nobody would notice. Nothing is lost by it; the service manager
/// starts again.
struct Watch {
    name: &'static str,
    stop: Arc<AtomicBool>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.stop.load(Ordering::Acquire) {
            tracing::error!(thread = self.name, "a thread ended; the daemon ends, too");
            std::process::exit(SOFTWARE_FAULT);
        }
    }
}

/// The journal thread: inputs become frames.
struct Framer {
    common: Arc<Common>,
    journal: Arc<Mutex<Writer>>,
    inputs: Receiver<Input>,
    out: Sender<(u64, Frame)>,
}

impl Framer {
    fn run(self, first: Vec<Input>) {
        let mut ticked = Instant::now();
        let (mut inputs, mut idle) = (first, EPOCH);
        loop {
            let stopping = self.common.stop.load(Ordering::Acquire) && self.inputs.is_empty();
            self.gather(&mut inputs, &mut idle);
            if ticked.elapsed() >= TICK || stopping {
                ticked = Instant::now();
                inputs.push(self.tick());
                inputs.extend(self.common.queue.dropped());
            }
            if !inputs.is_empty() && !self.write(std::mem::take(&mut inputs)) || stopping {
                return;
            }
        }
    }

    /// Collects one epoch: what came since the last look, at most 256 inputs.
    ///
    /// Looks once a millisecond instead of waiting in the queue: a reader that sleeps there
    /// would have to be woken by those who answer, at their cost.
    fn gather(&self, inputs: &mut Vec<Input>, idle: &mut Duration) {
        if idle.is_zero() {
            thread::yield_now();
        } else {
            thread::sleep(*idle);
        }
        inputs.extend(self.inputs.try_iter().take(EPOCH_INPUTS - inputs.len().min(EPOCH_INPUTS)));
        *idle = match inputs.len() {
            0 => (*idle * 2).clamp(EPOCH, IDLE_MAX),
            EPOCH_INPUTS.. => Duration::ZERO,
            _ => EPOCH,
        };
    }

    fn tick(&self) -> Input {
        if let Some(jump) = self.common.clock.tick() {
            tracing::error!(by_ms = jump.by_ms, followed = jump.followed, "clock jumped");
        }
        let mono = u64::try_from(self.common.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Input::Tick(self.common.clock.now(), mono)
    }

    /// Writes one frame and hands it on; `false` when the engine is gone.
    fn write(&self, inputs: Vec<Input>) -> bool {
        let salt = random().unwrap_or_default();
        let frame = Frame { wall: self.common.clock.now(), salt, inputs };
        let bytes = frame.to_bytes();
        let mut told = false;
        loop {
            match self.append(&frame, bytes.clone()) {
                Ok(position) => return self.out.send((position, frame)).is_ok(),
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!(%error, "journal can not be written; answers go on from the last view");
                    }
                    // What could not be written was not decided: on a stop it is lost, unacknowledged.
                    if self.common.stop.load(Ordering::Acquire) {
                        return false;
                    }
                    thread::sleep(RETRY);
                }
            }
        }
    }

    fn append(&self, frame: &Frame, inputs: Vec<u8>) -> Result<u64, ledger::journal::JournalError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let position = journal.next_position();
        let mono_ns = u64::try_from(self.common.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        journal.append(&Stored { position, wall_ms: frame.wall.0, mono_ns, inputs })?;
        Ok(position)
    }
}

fn insight(engine: &Engine) -> Insight {
    Insight {
        counters: engine.counters(),
        keys: engine.keys(),
        sessions: engine.sessions(),
        deliveries: engine.deliveries(),
        waiting: engine.waiting_len(),
        passes: engine.passes(),
        upstream: engine.upstream(),
        proposals: engine.proposals(),
        systems: engine.systems(),
        records_due: engine.records_due(),
        burnt: engine.burnt(),
        let_in: engine.let_in(),
    }
}

/// The engine thread.
fn decide(mut engine: Engine, frames: &Receiver<(u64, Frame)>, out: &Sender<Decided>, common: &Common) {
    let spread = Threads(common.engine_threads);
    let (mut saved_at, mut saved) = (Instant::now(), None::<u64>);
    let (mut last, mut inputs, mut told) = (0, 0, None::<Instant>);
    while let Some((position, frame)) = common.questions.answer_until(frames, &engine) {
        if told.is_none_or(|at| at.elapsed() >= INSIGHT) {
            told = Some(Instant::now());
            *common.insight.lock().unwrap_or_else(PoisonError::into_inner) = insight(&engine);
        }
        if let Err(error) = atlases::hand_in(&mut engine, &common.data_dir, &frame) {
            tracing::error!(%error, "a table of networks can not be read");
        }
        let step = engine.step(position, &frame, &spread);
        for alarm in &step.alarms {
            tracing::error!(%alarm, position, "engine alarm");
        }
        last = position;
        if out.send(Decided::Step(step)).is_err() {
            return;
        }
        thread::yield_now();
        inputs += frame.inputs.len();
        let since = saved_at.elapsed();
        let many = inputs >= CHECKPOINT_INPUTS && since >= CHECKPOINT_MIN;
        let due = saved.is_none() || since >= CHECKPOINT || many;
        if due {
            (saved_at, saved, inputs) = (Instant::now(), Some(position), 0);
            if out.send(Decided::Checkpoint(position, engine.to_checkpoint())).is_err() {
                return;
            }
        }
    }
    if saved != Some(last) && last > 0 {
        // The stop: the next start has nothing to replay.
        let _ = out.send(Decided::Checkpoint(last, engine.to_checkpoint()));
    }
}

/// The ledger thread: what was decided becomes durable, in groups.
fn make_durable(
    mut ledger: SqliteLedger,
    journal: &Mutex<Writer>,
    decided: &Receiver<Decided>,
    out: &Sender<Durable>,
    common: &Common,
) {
    let mut swept = Instant::now();
    while let Ok(first) = decided.recv() {
        let (mut steps, mut checkpoint) = (Vec::new(), None);
        let mut next = Some(first);
        while let Some(one) = next {
            match one {
                Decided::Step(step) => steps.push(step),
                Decided::Checkpoint(position, bytes) => checkpoint = Some((position, bytes)),
            }
            let full = steps.len() >= GROUP || checkpoint.is_some();
            next = if full { None } else { decided.try_recv().ok() };
        }
        let Some(durable) = persist(&mut ledger, journal, steps, common) else { return };
        let Durable { events, receipts, mailboxes, writers } = &durable;
        let none = events.is_empty() && receipts.is_empty() && mailboxes.is_empty() && writers.is_empty();
        let news = !none;
        if news && out.send(durable).is_err() {
            return;
        }
        if let Some((position, bytes)) = checkpoint {
            save(journal, position, &bytes, common);
        }
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            if let Err(error) = ledger.expire(common.clock.now().0) {
                tracing::warn!(%error, "expired evidence can not be erased");
            }
        }
    }
}

/// Makes the events of some steps durable, however long it takes; `None` on a stop.
fn persist(
    ledger: &mut SqliteLedger,
    journal: &Mutex<Writer>,
    steps: Vec<Step>,
    common: &Common,
) -> Option<Durable> {
    let sealed: Vec<&Sealed> = steps.iter().flat_map(|s| &s.events).collect();
    let mut durable = Durable::default();
    if !sealed.is_empty() {
        let own: Vec<_> = sealed.iter().map(|s| to_stored(s)).collect();
        let rows: Vec<_> = steps.iter().flat_map(|s| &s.side_rows).map(to_row).collect();
        let notes = common.desk.notes_of(steps.iter().flat_map(|s| &s.receipts).map(|(id, _)| *id));
        let last = retry(common, "ledger", || {
            // Invariant 1: the frame is durable before its event.
            journal.lock().unwrap_or_else(PoisonError::into_inner).sync().map_err(|e| e.to_string())?;
            take_exhibits(steps.iter().flat_map(|s| &s.side_rows), common.keeper.as_deref())?;
            ledger.append(&own, &rows, &notes).map_err(|e| e.to_string())
        })?;
        let first = last + 1 - own.len() as u64;
        let opened = sealed.iter().filter_map(|s| s.open().ok());
        durable.events = (first..).zip(opened).collect();
    }
    for step in steps {
        durable.receipts.extend(step.receipts);
        durable.mailboxes.extend(step.mailboxes);
        durable.writers.extend(step.writers);
    }
    Some(durable)
}

/// What a case shows stays as long as its evidence, and is taken before the case is durable:
/// headers without a case go by themselves, a case without its headers does not get them back.
pub(super) fn take_exhibits<'a>(
    rows: impl Iterator<Item = &'a engine::SideRow>,
    keeper: Option<&Keeper>,
) -> Result<(), String> {
    let named = |row: &engine::SideRow| {
        let evidence = minicbor::decode::<Evidence>(&row.body).ok()?;
        Some((evidence.exhibit?, row.expires))
    };
    let (ids, until): (Vec<_>, Vec<_>) = rows.filter_map(named).unzip();
    match (until.into_iter().max(), keeper) {
        (Some(until), Some(keeper)) => keeper.take(ids, until),
        _ => Ok(()),
    }
}

/// Tries until it succeeds; says once that it does not.
fn retry<T>(common: &Common, what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> Option<T> {
    let mut told = false;
    loop {
        match attempt() {
            Ok(done) => return Some(done),
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, store = what, "can not be written; answers go on from the last view");
                }
                if common.stop.load(Ordering::Acquire) {
                    return None;
                }
                thread::sleep(RETRY);
            }
        }
    }
}

/// Writes a checkpoint whose events are durable, and lets old journal segments go.
///
/// Its frames become durable first: after a power cut the journal may not end before the
/// checkpoint.
fn save(journal: &Mutex<Writer>, position: u64, bytes: &[u8], common: &Common) {
    if let Err(error) = journal.lock().unwrap_or_else(PoisonError::into_inner).sync() {
        return tracing::error!(%error, "journal can not be made durable; no checkpoint is written");
    }
    let kept = match checkpoint::write(&common.store.checkpoints(), position, bytes) {
        Ok(kept) => kept,
        Err(error) => return tracing::error!(%error, "checkpoint can not be written; the journal is kept"),
    };
    let oldest = kept.first().copied().unwrap_or(position);
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = journal.retain(common.clock.now().0, oldest) {
        tracing::warn!(%error, "old journal segments can not be removed");
    }
}

/// The projector thread: durable events become views.
fn project(mut projector: Projector, durable: &Receiver<Durable>, common: &Common) {
    let mut swept = Instant::now();
    loop {
        let (mut receipts, mut news, mut events) = (Vec::new(), false, Vec::new());
        let end = Instant::now() + PUBLISH;
        let mut next = match durable.recv_timeout(SWEEP) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        while let Some(one) = next {
            news = true;
            apply(&mut projector, &one.events, common);
            one.mailboxes.iter().for_each(|m| projector.set_mailbox(m.who, m.until, m.dead));
            one.writers.iter().for_each(|(who, until)| projector.set_writer(*who, *until));
            receipts.extend(one.receipts);
            events.extend(one.events);
            next = if Instant::now() < end { durable.try_recv().ok() } else { None };
        }
        if swept.elapsed() >= SWEEP {
            (swept, news) = (Instant::now(), true);
            projector.sweep(common.clock.now());
        }
        if news {
            common.published.publish(projector.view());
        }
        common.zone_news.tell(events.iter().map(|(_, event)| event));
        common.desk.deliver(receipts);
    }
}

fn apply(projector: &mut Projector, events: &[(u64, Envelope)], common: &Common) {
    for (arrival, event) in events {
        match &event.body {
            Body::Network(NetworkNews::AtlasAdopted(hash)) => {
                atlases::show(projector, &common.data_dir, hash);
            }
            Body::Feed(FeedNews::Adopted(adopted)) => {
                feeds::hand_over(projector, &common.feeds, adopted.hash);
            }
            _ => {}
        }
        projector.apply(*arrival, event);
        tell::event(*arrival, event);
        if matches!(event.body, Body::Feed(_)) {
            for error in feeds::hand_in(projector, &common.data_dir) {
                tracing::error!(%error, "a bulk list can not be read; nothing is answered from it");
            }
        }
    }
}

/// Wall time of a stamp for a message.
pub(crate) fn utc(at: Millis) -> String {
    let stamp = jiff::Timestamp::from_millisecond(i64::try_from(at.0).unwrap_or(i64::MAX));
    stamp.map_or_else(|_| at.0.to_string(), |t| t.strftime("%Y-%m-%dT%H:%MZ").to_string())
}
