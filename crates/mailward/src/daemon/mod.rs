//! The daemon: recovers, starts the threads and servers, and stops in order.

pub(crate) mod atlases;
mod bench;
pub(crate) mod control;
pub(crate) mod desk;
pub(crate) mod feeds;
pub(crate) mod inbox;
mod intake;
mod keeper;
pub(crate) mod letters;
mod names;
mod pipeline;
mod questions;
mod recover;
pub(crate) mod rerun;
mod scorer;
mod servers;
mod site_file;
mod tell;
mod threads;
mod unlearning;
mod vault;
pub(crate) mod web;
pub(crate) mod zones;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use edge::{Clock, Manners, Persons, Published, Start, Views, WaitingRoom};
use ledger::{DataDir, Exhibits};
use model::{Input, Name, Offence, PersonHash, Policy, Site, policy::RuleMode};

use crate::config::Config;
use desk::Desk;
use intake::{QUEUE, Queue};
use keeper::{Keeper, Redaction};
use letters::Late;
pub(crate) use pipeline::utc;
use pipeline::{Common, Insight};
use questions::Questions;
use recover::Recovered;
pub(crate) use recover::from_stored;
use servers::Servers;
use site_file::SiteFile;
pub(crate) use threads::Threads;
use vault::Vault;

/// The start waits ten seconds for its own first events.
const PATIENCE_STEPS: u32 = 5000;
const STEP: std::time::Duration = std::time::Duration::from_millis(2);

/// How the daemon is started beside its configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Time stands until the operator's API advances it.
    pub(crate) test_clock: bool,
    /// Where the test clock begins, if not now.
    pub(crate) clock_start: Option<model::Millis>,
    /// Threads of the engine.
    pub(crate) engine_threads: usize,
}

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// What an operator should read at the start.
    pub(crate) notes: Vec<String>,
}

/// What servers and the operator's API work with.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) published: Arc<Published>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) persons: Persons,
    pub(crate) mx: Name,
    /// All our names.
    pub(crate) names: Vec<Name>,
    pub(crate) ledger_path: PathBuf,
    pub(crate) exhibits_path: PathBuf,
    /// Taken away at the stop, so that its thread ends.
    keeper: Mutex<Option<Arc<Keeper>>>,
    stop: Arc<AtomicBool>,
    servers: Mutex<Servers>,
    /// Headers that wait for a verdict.
    pub(crate) late: Arc<Late>,
    keys: SiteFile,
    /// Who was asked to come back.
    pub(crate) waiting: Arc<WaitingRoom>,
    /// How clients behaved lately.
    pub(crate) manners: Arc<Manners>,
    /// What only the engine knows.
    pub(crate) insight: Arc<Mutex<Insight>>,
    /// Looks into the engine.
    pub(crate) questions: Questions,
    /// Inputs from the operator's API.
    pub(crate) inputs: Sender<Input>,
    /// Tables of bulk lists that are about to be adopted.
    pub(crate) feeds: Arc<feeds::Shelf>,
    /// Which keys changed, for those who keep zones.
    pub(crate) zone_news: Arc<zones::News>,
}

impl Daemon {
    /// Recovers the store and starts everything but the web.
    ///
    /// # Errors
    ///
    /// A text for the operator: what, where, the way out.
    pub(crate) fn start(config: Config, options: &Options) -> Result<Daemon, String> {
        let store = DataDir::open(config.data_dir()).map_err(|e| e.to_string())?;
        let keys = SiteFile::open(config.data_dir())?;
        let site = Arc::new(site(&config, &keys)?);
        let spread = Threads(options.engine_threads.max(1));
        let mut recovered = recover::recover(&config, &store, &keys, site, &spread)?;
        let clock = clock(options, &mut recovered);
        let (inputs, queued) = bounded(QUEUE);
        let mut first = first_inputs(&config, &keys, &recovered, &clock);
        first.extend(atlases::first_input(&config, &recovered.engine, &mut recovered.notes));
        atlases::prune(&config, &recovered.engine);
        feeds::prune(config.data_dir(), recovered.projector.current());
        let notes = std::mem::take(&mut recovered.notes);
        let shared = Arc::new(share(config, &store, &keys, clock, inputs, &mut recovered));
        let keeping = start_keeper(&shared, &store, &keys)?;
        let taken = std::mem::take(&mut recovered.taken);
        pipeline::take_exhibits(taken.iter(), shared.keeper().as_deref())?;
        let (begins, before) = (!first.is_empty(), shared.view().arrival);
        let mut threads = start_threads(&shared, store, options, recovered, queued, first)?;
        if begins {
            shared.await_change(before)?;
        }
        threads.push(keeping);
        let daemon = Daemon { shared, threads, notes };
        let servers = Servers::start(&daemon.shared)?;
        *daemon.shared.servers() = servers;
        Ok(daemon)
    }

    /// Where the policy server listens on TCP.
    pub(crate) fn policy_addr(&self) -> Option<std::net::SocketAddr> {
        self.shared.servers().policy.as_ref().and_then(edge::policy::Running::tcp_addr)
    }

    /// Where the milter listens on TCP.
    pub(crate) fn milter_addr(&self) -> Option<std::net::SocketAddr> {
        self.shared.servers().milter.as_ref().and_then(edge::milter::Running::tcp_addr)
    }

    /// Stops answering, then writes everything that was seen.
    pub(crate) fn stop(mut self) {
        drop(std::mem::take(&mut *self.shared.servers()));
        if let Some(keeper) = self.shared.keeper().take() {
            // What it holds is still reported, and written down.
            keeper.flush();
        }
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread panicked");
            }
        }
    }
}

/// The policy of a configuration with traps as this site's hashes.
pub(crate) fn policy(config: &Config, keys: &SiteFile) -> Policy {
    let persons = Persons::new(keys.persons);
    let person = |address: &str| persons.person(address.as_bytes()).unwrap_or(PersonHash(0));
    config.policy_of(&person, &|domain| persons.domain(domain.as_bytes()))
}

fn site(config: &Config, keys: &SiteFile) -> Result<Site, String> {
    let site = config.site(keys.link.clone());
    match answers::lint(&site) {
        Ok(()) => Ok(site),
        Err(over) => Err(over.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn clock(options: &Options, recovered: &mut Recovered) -> Clock {
    let (clock, start) = Clock::start(recovered.last_stamp);
    match start {
        Start::Earlier { by_ms } => recovered.notes.push(format!(
            "the wall clock is {} behind the newest stamp on disk; time stands until it has caught up",
            model::Secs(by_ms / 1000)
        )),
        Start::Later { by_ms } if by_ms > 7 * 86_400_000 => recovered.notes.push(format!(
            "the wall clock is {} after the newest stamp on disk; if it jumped, correct it",
            model::Secs(by_ms / 1000)
        )),
        _ => {}
    }
    if options.test_clock { Clock::manual(options.clock_start.unwrap_or_else(|| clock.now())) } else { clock }
}

/// What the journal must hear before anything else: a changed policy, a wish to enforce.
fn first_inputs(config: &Config, keys: &SiteFile, recovered: &Recovered, clock: &Clock) -> Vec<Input> {
    let mut first = Vec::new();
    let policy = policy(config, keys);
    let new = recovered.projector.current().policy != policy.hash();
    if new {
        first.push(engine::policy_input(&policy));
    }
    // The ledger knows the mode that was last ordered; the engine of a new life does not.
    let view = recovered.projector.current().mode;
    let begins = !policy.learn_first && recovered.projector.current().arrival == 0;
    let wanted = if begins { model::Mode::Live } else { view };
    if recovered.engine.mode() != wanted {
        let order = model::Order::SetMode(wanted);
        let (id, at, actor) = (clock.now().0, clock.now(), model::Actor::Operator);
        first.push(Input::Command(model::Command { id, at, actor, note: None, order }));
    }
    if recovered.unlearnt {
        first.extend(unlearning::orders(&recovered.projector.current().lessons, clock.now()));
    }
    first
}

fn share(
    config: Config,
    store: &DataDir,
    keys: &SiteFile,
    clock: Clock,
    inputs: Sender<Input>,
    recovered: &mut Recovered,
) -> Shared {
    bench::fill(&mut recovered.projector, clock.now());
    recovered.projector.sweep(clock.now());
    let policy = policy(&config, keys);
    let (names, refuses) = (policy.our_names.clone(), policy.mode(Offence::EarlyTalker) == RuleMode::Block);
    let mx = config.mx().unwrap_or_else(|| Name::new(b"localhost"));
    Shared {
        published: Arc::new(Published::new(recovered.projector.view())),
        desk: Arc::new(Desk::new(inputs.clone(), clock.clone())),
        queue: Arc::new(Queue::new(inputs.clone())),
        persons: Persons::new(keys.persons),
        ledger_path: store.ledger(),
        exhibits_path: store.exhibits(),
        keeper: Mutex::new(None),
        stop: Arc::new(AtomicBool::new(false)),
        servers: Mutex::default(),
        late: Arc::default(),
        keys: keys.clone(),
        waiting: Arc::new(WaitingRoom::new(recovered.engine.waiting())),
        manners: Arc::new(Manners::new(refuses)),
        insight: Arc::default(),
        questions: Questions::default(),
        feeds: Arc::default(),
        zone_news: Arc::default(),
        mx,
        names,
        clock,
        config,
        inputs,
    }
}

/// Starts the keeper of headers.
fn start_keeper(shared: &Arc<Shared>, store: &DataDir, keys: &SiteFile) -> Result<JoinHandle<()>, String> {
    let exhibits = Exhibits::open(store).map_err(|e| e.to_string())?;
    let redaction = Redaction { key: keys.persons, ours: shared.config.own_domains() };
    let (bytes_max, queue) = (shared.config.exhibits_max(), shared.queue.clone());
    let (keeper, thread) =
        Keeper::start(exhibits, bytes_max, redaction, queue, shared.clock.clone(), &shared.stop)
            .map_err(|e| format!("threads can not be started: {e}"))?;
    *shared.keeper() = Some(Arc::new(keeper));
    Ok(thread)
}

fn start_threads(
    shared: &Arc<Shared>,
    store: DataDir,
    options: &Options,
    recovered: Recovered,
    inputs: Receiver<Input>,
    first: Vec<Input>,
) -> Result<Vec<JoinHandle<()>>, String> {
    let common = Arc::new(Common {
        store,
        data_dir: shared.config.data_dir().to_owned(),
        clock: shared.clock.clone(),
        queue: shared.queue.clone(),
        desk: shared.desk.clone(),
        published: shared.published.clone(),
        keeper: shared.keeper().clone(),
        insight: shared.insight.clone(),
        questions: shared.questions.clone(),
        feeds: shared.feeds.clone(),
        zone_news: shared.zone_news.clone(),
        stop: shared.stop.clone(),
        engine_threads: options.engine_threads.max(1),
    });
    let Recovered { engine, journal, ledger, projector, .. } = recovered;
    let work = pipeline::Work { inputs, first, journal, engine, ledger, projector };
    pipeline::start(&common, work).map_err(|e| format!("threads can not be started: {e}"))
}

impl Shared {
    /// The newest view.
    pub(crate) fn view(&self) -> Arc<projections::View> {
        self.published.view()
    }

    fn keeper(&self) -> MutexGuard<'_, Option<Arc<Keeper>>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keeper, as long as the daemon runs.
    pub(crate) fn keeper_now(&self) -> Result<Arc<Keeper>, String> {
        self.keeper().clone().ok_or_else(|| "the daemon is stopping".to_owned())
    }

    /// Evidence, read from the disk.
    pub(crate) fn vault(&self) -> Vault {
        Vault::new(self.ledger_path.clone(), self.exhibits_path.clone())
    }

    /// The servers that run.
    pub(crate) fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policy of the configuration, with traps as this site's hashes.
    pub(crate) fn policy_now(&self) -> Policy {
        policy(&self.config, &self.keys)
    }

    /// Waits until what the start itself ordered can be seen: nobody is answered before.
    fn await_change(&self, before: u64) -> Result<(), String> {
        for _ in 0..PATIENCE_STEPS {
            if self.view().arrival > before {
                return Ok(());
            }
            std::thread::sleep(STEP);
        }
        Err(format!("{}: nothing can be written; is the disk full?", self.config.data_dir().display()))
    }

    /// Whether refusals by the connection score are on.
    pub(crate) fn scores(policy: &Policy) -> bool {
        policy.mode(Offence::ReverseDns) == RuleMode::Block
    }
}
