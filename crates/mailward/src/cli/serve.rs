//! `mailward serve`: the daemon in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::filter::LevelFilter;

use super::{Done, Failed};
use crate::config::Config;
use crate::daemon::web::Web;
use crate::daemon::{Daemon, Options};

/// Options of the daemon.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServeArgs {
    /// Let time stand until `mailward clock advance` moves it: for tests.
    #[arg(long, hide = true)]
    test_clock: bool,
    /// Threads of the engine.
    #[arg(long, hide = true, default_value_t = 1)]
    engine_threads: usize,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn main(config: Config, args: &ServeArgs) -> Done {
    log_to_stderr(&config.log_level().word());
    let options =
        Options { test_clock: args.test_clock, engine_threads: args.engine_threads, ..Options::default() };
    run(config, &options, |_, _| Ok(Next::Run))
}

/// What follows when everything listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// Run until a signal.
    Run,
    /// Stop at once, in order.
    Stop,
}

/// Starts the daemon and the web; calls `ready` when all listen; ends on a signal.
pub(crate) fn run(
    config: Config,
    options: &Options,
    ready: impl FnOnce(&Daemon, &Web) -> Result<Next, String> + Send,
) -> Done {
    let daemon = Daemon::start(config, options)?;
    for note in &daemon.notes {
        tracing::warn!("{note}");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("web").enable_all().build();
    let runtime = runtime.map_err(|e| Failed::Here(e.to_string()))?;
    let served = runtime.block_on(serve(&daemon, ready));
    drop(runtime);
    daemon.stop();
    tracing::info!("stopped");
    served.map(|()| ExitCode::SUCCESS).map_err(Failed::Here)
}

async fn serve(
    daemon: &Daemon,
    ready: impl FnOnce(&Daemon, &Web) -> Result<Next, String> + Send,
) -> Result<(), String> {
    let web = Web::bind(&daemon.shared)?;
    // Before anybody is told that we are here: who is told may stop us at once.
    let mut signals = Signals::new().map_err(|e| e.to_string())?;
    announce(daemon, &web);
    let (stop, stopped) = watch::channel(false);
    let next = tokio::task::block_in_place(|| ready(daemon, &web))?;
    let serving = tokio::spawn(web.serve(stopped));
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    if next == Next::Run {
        signals.ended().await;
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.send_replace(true);
    serving.await.map_err(|e| e.to_string())?
}

fn announce(daemon: &Daemon, web: &Web) {
    let view = daemon.shared.view();
    let learning = view.mode == model::Mode::Shadow;
    let blocks = view.holding(view.mode, daemon.shared.clock.now()).len();
    let config = &daemon.shared.config;
    let policy = both(daemon.policy_addr(), config.listeners().policy_unix);
    let milter = both(daemon.milter_addr(), config.milter().unix);
    let portal = web.portal_addr().map(|a| a.to_string()).unwrap_or_default();
    tracing::info!(policy, milter, portal, learning, blocks, "started");
    for line in daemon.shared.config.missing_for_refusals() {
        tracing::warn!(missing = line, "no refusal leaves this site for clients outside loopback");
    }
}

/// Where a server listens: address, path, or both.
fn both(addr: Option<SocketAddr>, path: Option<PathBuf>) -> String {
    let path = path.map(|path| path.display().to_string());
    addr.map(|addr| addr.to_string()).into_iter().chain(path).collect::<Vec<_>>().join(" ")
}

/// The signals that a service manager or a person sends.
struct Signals {
    term: Signal,
    int: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the daemon shall end.
    async fn ended(&mut self) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                _ = self.hangup.recv() => {
                    tracing::warn!("hangup ignored: restart to read the configuration again");
                }
            }
        }
    }
}

/// Logs to standard error, where service managers read.
pub(crate) fn log_to_stderr(level: &str) {
    let level = level.parse().unwrap_or(LevelFilter::ERROR);
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(std::io::stderr);
    // A second subscriber is a test's own.
    let _ = log.with_ansi(false).try_init();
}
