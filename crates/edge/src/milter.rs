//! The milter: sees whole SMTP sessions of Postfix or Sendmail, and answers with the
//! client's own ears.
//!
//! Built as the policy server is: threads that share nothing they write, answers from one
//! immutable view, observations offered after the answer, nothing that waits for deciding
//! (DESIGN §4). It sees what policy does not: recipients that the MTA itself refuses, the
//! header, the body. At the end of a message an [`Inspector`] is asked, and while it works
//! the MTA hears that we are at work.
//!
//! In any trouble the connection is closed, and the MTA takes its default action, which has
//! to be `accept` (`milter_default_action`): mail flows (ADV-24).
//!
//! **Acknowledgements.** We ask the MTA to send most steps without waiting for an answer.
//! Over TCP those small packets meet two habits of the kernels: the sender keeps a small
//! packet back while an earlier one is not acknowledged (Nagle), and the receiver delays
//! acknowledgements by 40 ms in the hope of an answer to send them with. Measured with ten
//! sessions of Postfix that made 47 ms a message, a third of the rate with all answers
//! (BASELINES §4: 211 messages a second against 582). So each read asks the kernel to
//! acknowledge at once (`TCP_QUICKACK`, which Linux forgets again by itself), and the rate
//! is 0.85 of Postfix alone. A unix socket has neither habit.

mod begun;
mod client;
mod conduct;
mod connection;
mod counters;
mod crowd;
mod desk;
mod ending;
mod held;
mod host;
mod inbox;
mod inner;
mod inspect;
mod message;
mod rcpt;
mod session;
#[cfg(test)]
mod tests;
mod trouble;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use answers::{Public, Reply};
use model::{CaseId, Letter, Name, Prefix};

use crate::greetings::Greetings;
use crate::greylist::WaitingRoom;
use crate::listen::ListenError;
use crate::manners::Manners;
use crate::service::{Place, Threads};

pub use crate::policy::{Means, Scorer};
pub use counters::Counts;
pub use crowd::Flooding;
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
    /// A connection without commands is closed after this time, at the latest after twice as
    /// long. While a client sends its data the MTA is silent, and a client that could outwait
    /// us would be inspected by nobody: libmilter waits 7210 s.
    pub idle: Duration,
    /// A command must be whole, and an answer taken, this long after its first byte
    /// (STD-71; ADV-11, slow-loris).
    pub rest: Duration,
    /// Connections at once; Postfix opens one for each SMTP session.
    pub connections_max: usize,
    /// The MX host whose MTA asks: queue ids are its own, and it is our authserv-id
    /// (RFC 8601 §2.2).
    pub mx: Name,
    /// Our own networks: never refused, and what they send is outbound.
    pub ours: Vec<Prefix>,
    /// Declared upstream MX hosts: never refused, and their client is the one before them.
    pub relays: Vec<Prefix>,
    /// Refuses by the connection score, if there is one (C.4 step 10).
    pub scorer: Option<Arc<dyn Scorer>>,
    /// Who was asked to come back: the policy server's own room, where there is one.
    pub waiting: Arc<WaitingRoom>,
    /// How clients behaved lately: the policy server's own memory, where there is one.
    pub manners: Arc<Manners>,
    /// Names with which strangers greet, where DNS is asked for them (S78).
    pub greetings: Option<Arc<Greetings>>,
    /// What is done about floods of connections; `None`: nobody counts them.
    pub flooding: Option<Flooding>,
    /// Judges whole messages, if somebody does.
    pub inspector: Option<Arc<dyn Inspector>>,
    /// The inspector may put messages into quarantine.
    pub quarantine: bool,
    /// Octets of one body that are held.
    pub body_max: usize,
    /// Octets of all messages together that are held; beyond, messages are inspected by what
    /// fits.
    pub held_max: usize,
    /// How long a message may wait for its inspector; then it passes. Postfix gives up after
    /// 300 s (`milter_content_timeout`).
    pub inspect_max: Duration,
    /// How often the MTA hears meanwhile that we are at work.
    pub progress: Duration,
}

impl Config {
    /// The shipped limits for the MTA of host `mx`, listening nowhere.
    pub fn new(mx: Name) -> Config {
        Config {
            tcp: None,
            unix: None,
            threads: 2,
            trust_local: false,
            idle: Duration::from_secs(7210),
            rest: Duration::from_secs(10),
            connections_max: 4096,
            mx,
            ours: Vec::new(),
            relays: Vec::new(),
            scorer: None,
            waiting: Arc::default(),
            manners: Arc::default(),
            greetings: None,
            flooding: None,
            inspector: None,
            quarantine: false,
            body_max: 10 * 1024 * 1024,
            held_max: 256 * 1024 * 1024,
            inspect_max: Duration::from_secs(60),
            progress: Duration::from_secs(10),
        }
    }
}

/// Judges whole messages; the program implements it.
///
/// Asked once for each message that comes to its end, has a recipient that nobody refused,
/// and comes from neither our own networks nor a login. What it finds, the message and the
/// verdicts on it, it offers to the engine itself, before its ending is known here. If it
/// panics or takes too long, the message passes.
pub trait Inspector: Send + Sync {
    /// Takes a message in. Must not block: other connections wait meanwhile. What takes
    /// longer is [`Inspection::Pending`].
    fn inspect(&self, letter: Letter, about: About) -> Inspection;
}

/// What an inspector must know besides the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct About {
    /// What is found counts. It does not where the message came over a connection that any
    /// local user can open (ADV-16): then the inspector answers, and offers nothing.
    pub counts: bool,
    /// The case that would have refused it, were it enforced.
    pub would: Option<CaseId>,
}

/// How an inspection goes on.
pub enum Inspection {
    /// It is over.
    Done(Ending),
    /// It needs time. Dropped when its time is up.
    Pending(Pin<Box<dyn Future<Output = Ending> + Send>>),
}

/// How a message ends.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ending {
    /// What the client hears.
    pub tell: EndTell,
    /// Header fields to put on top of a message that is taken, the first one topmost: name,
    /// and value without the space behind the colon.
    pub insert: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What the client hears of a whole message. Nothing is ever discarded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum EndTell {
    /// Nothing from us.
    #[default]
    Pass,
    /// A reply of class 5.
    Refuse(Public<Reply>),
    /// A reply of class 4.
    TempFail(Public<Reply>),
    /// Nothing, and the message goes into the MTA's quarantine, with this reason for its
    /// operator. It passes where the MTA has none.
    Quarantine(String),
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
    let threads = Threads::start("milter", &Place { tcp, unix: unix.as_deref(), threads }, make)?;
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
