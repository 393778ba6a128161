//! The policy server: what Postfix asks at each recipient, answered from the newest view.
//!
//! Each thread has its own runtime and its own listening socket, so answering threads
//! share nothing that they write but counters of their own. A request is answered from
//! one immutable view in one go; what was seen is offered to the engine afterwards, and
//! nothing here waits for anybody but the peer (DESIGN §4). In any trouble the answer is
//! `DUNNO` or a closed connection, so that mail flows (ADV-24).
//!
//! Who reaches the socket could inject observations (ADV-16): the unix socket is open to
//! our group only, and a TCP listener counts what it hears only when it is told to.

mod connection;
mod counters;
mod deadline;
mod desk;
mod host;
mod inbox;
mod meter;
mod reply;
#[cfg(test)]
mod tests;
mod trouble;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use model::{Client, Name, Prefix};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::intake::Intake;
use crate::listen::{self, Access, ListenError, UnixSocket};
use crate::persons::Persons;
use crate::views::Views;

pub use counters::Counts;
use host::Shared;
use worker::{Listeners, Worker};

/// How the server listens and what it knows of the site.
#[derive(Clone)]
pub struct Config {
    /// Where it listens on TCP.
    pub tcp: Option<SocketAddr>,
    /// Where it listens on a unix socket, mode 0660.
    pub unix: Option<PathBuf>,
    /// Threads that answer; none is one.
    pub threads: usize,
    /// Count what is heard on TCP, too. Whoever can connect can then make us block others.
    pub trust_local: bool,
    /// A connection without requests is closed after this time, at the latest after twice
    /// as long. Postfix's own limit is 300 s (`smtpd_policy_service_max_idle`).
    pub idle: Duration,
    /// A request must be whole, and an answer taken, this long after its first byte
    /// (STD-71; ADV-11, slow-loris).
    pub rest: Duration,
    /// Connections at once; Postfix opens one for each smtpd process.
    pub connections_max: usize,
    /// The MX host whose Postfix asks; queue ids are its own.
    pub mx: Name,
    /// Our own networks, declared relays and MX peers: never refused (C.4 step 2).
    pub ours: Vec<Prefix>,
    /// Refuses by the connection score, if there is one (C.4 step 10).
    pub scorer: Option<Arc<dyn Scorer>>,
}

impl Config {
    /// The shipped limits for the Postfix of host `mx`, listening nowhere.
    pub fn new(mx: Name) -> Config {
        Config {
            tcp: None,
            unix: None,
            threads: 2,
            trust_local: false,
            idle: Duration::from_secs(300),
            rest: Duration::from_secs(10),
            connections_max: 4096,
            mx,
            ours: Vec::new(),
            scorer: None,
        }
    }
}

/// Judges a connection by its facts; the program implements it with the classifiers.
pub trait Scorer: Send + Sync {
    /// What HELO and reverse DNS say together; `credit` says that the key has good mail.
    fn score(&self, client: &Client, credit: bool) -> answers::ConnectionScore;
}

/// What the server works with.
#[derive(Clone)]
pub struct Means {
    /// Where answers come from.
    pub views: Arc<dyn Views>,
    /// Where observations go.
    pub intake: Arc<dyn Intake>,
    /// The time.
    pub clock: Clock,
    /// The site's keyed hashes.
    pub persons: Persons,
}

/// Starts to answer.
///
/// # Errors
///
/// [`ListenError`]; nothing runs then.
pub fn serve(config: Config, means: Means) -> Result<Running, ListenError> {
    let count = config.threads.max(1);
    let tcp = config.tcp.map_or(Ok(Vec::new()), |addr| listen::tcp_shared(addr, count))?;
    let unix = config.unix.as_deref().map(|path| listen::unix(path, Access::Group)).transpose()?;
    let tcp_addr = tcp.first().and_then(|l| l.local_addr().ok());
    let (stop, stopped) = watch::channel(false);
    let shared = Arc::new(Shared::new(config, means, count));
    let mut running = Running { shared, tcp_addr, unix, threads: Vec::new(), stop };
    let mut tcp = tcp.into_iter();
    for index in 0..count {
        running.start(index, tcp.next(), stopped.clone()).map_err(|source| ListenError::Thread { source })?;
    }
    Ok(running)
}

/// A server that answers, until it is dropped.
pub struct Running {
    shared: Arc<Shared>,
    tcp_addr: Option<SocketAddr>,
    /// Its file goes with it.
    unix: Option<UnixSocket>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// What has happened so far.
    pub fn counters(&self) -> Counts {
        self.shared.counts()
    }

    /// Where it listens on TCP; the real port where 0 was asked for.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        self.tcp_addr
    }

    /// Stops listening, answers what has already been asked, closes all connections.
    pub fn stop(self) {
        drop(self);
    }

    fn start(
        &mut self,
        index: usize,
        tcp: Option<std::net::TcpListener>,
        stopped: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let unix = self.unix.as_ref().map(|u| u.listener().try_clone()).transpose()?;
        let worker = Worker::new(self.shared.clone(), index);
        let (ready, is_ready) = mpsc::channel();
        let run = move || worker.run(Listeners { tcp, unix }, stopped, &ready);
        self.threads.push(thread::Builder::new().name(format!("policy-{index}")).spawn(run)?);
        outcome(&is_ready)
    }
}

/// What a thread says once it listens; one that died before says nothing.
fn outcome(is_ready: &Receiver<io::Result<()>>) -> io::Result<()> {
    is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended at once")))
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails if no thread listens any more, and then there is nothing to stop.
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("policy thread panicked");
            }
        }
    }
}
