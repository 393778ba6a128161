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
mod desk;
mod host;
mod inbox;
mod reply;
#[cfg(test)]
mod tests;
mod trouble;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use answers::MailPath;
use model::{Client, Key, Millis, Name, Prefix};
use projections::View;

use crate::clock::Clock;
use crate::greetings::Greetings;
use crate::greylist::WaitingRoom;
use crate::intake::Intake;
use crate::listen::ListenError;
use crate::manners::Manners;
use crate::persons::Persons;
use crate::service::{Place, Threads};
use crate::views::Views;

pub use counters::Counts;
use host::{Host, Shared};

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
    /// Who was asked to come back.
    pub waiting: Arc<WaitingRoom>,
    /// How clients behaved lately.
    pub manners: Arc<Manners>,
    /// Names with which strangers greet, where DNS is asked for them (S78).
    pub greetings: Option<Arc<Greetings>>,
    /// Tell what a session shows of its client's conduct: nobody else does who sees more of it.
    pub tells_conduct: bool,
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
            waiting: Arc::default(),
            manners: Arc::default(),
            greetings: None,
            tells_conduct: true,
        }
    }
}

/// Judges a connection by its facts; the program implements it with the classifiers.
pub trait Scorer: Send + Sync {
    /// What a client's connection and the site's lessons say together at `now`.
    fn score(&self, client: &Client, path: MailPath, view: &View, now: Millis) -> answers::ConnectionScore;

    /// Whether the score may refuse by itself.
    fn refuses(&self) -> bool {
        true
    }

    /// As whom greylisting would know a client with this score again, if it is on and asks
    /// such a client to come back.
    fn pool(
        &self,
        _client: &Client,
        _score: &answers::ConnectionScore,
        _view: &View,
        _now: Millis,
    ) -> Option<Key> {
        None
    }
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
    let threads = config.threads.max(1);
    let (tcp, unix) = (config.tcp, config.unix.clone());
    let shared = Arc::new(Shared::new(config, means, threads));
    let made_from = shared.clone();
    let make = move |index| Host::new(made_from.clone(), index);
    let threads = Threads::start("policy", &Place { tcp, unix: unix.as_deref(), threads }, make)?;
    Ok(Running { shared, threads })
}

/// A server that answers, until it is dropped.
pub struct Running {
    shared: Arc<Shared>,
    threads: Threads,
}

impl Running {
    /// What has happened so far.
    pub fn counters(&self) -> Counts {
        self.shared.counts()
    }

    /// Where it listens on TCP; the real port where 0 was asked for.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        self.threads.tcp_addr()
    }

    /// Stops listening, answers what has already been asked, closes all connections.
    pub fn stop(self) {
        drop(self);
    }
}
