//! The LMTP server: mail to Mailward itself (reports, and what later addresses need).
//!
//! It speaks on a unix socket only, with the site's own MTA. Who answers for an address and
//! what becomes of a message is the program's affair, which implements [`Mailbox`]. A
//! message is taken when the mailbox has it, and in any trouble the MTA is told to try again
//! later: nothing that a person sent us is lost, and nothing is bounced but what the mailbox
//! refuses.
//!
//! One thread answers; what may block runs beside it, so a slow mailbox holds up its own
//! connection and no other. At most [`Config::connections_max`] messages are in memory.

mod connection;
mod counters;
mod host;
mod rate;
#[cfg(test)]
mod tests;
mod trouble;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Millis;

use crate::clock::Clock;
use crate::listen::ListenError;
use crate::service::{Place, Threads};

pub use counters::Counts;
use host::{Host, Shared};
pub use wire::lmtp::{Limits, Reply};

/// How the server listens, and how much it takes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens: a unix socket, mode 0660.
    pub unix: PathBuf,
    /// What it calls itself.
    pub host: String,
    /// How large a message may be, and to how many.
    pub limits: Limits,
    /// How many recipients are taken in one minute, of all messages together; the others
    /// shall come again (DESIGN §8: 451, never 550).
    pub per_minute: u32,
    /// A connection without commands is closed after this time, at the latest after twice
    /// as long.
    pub idle: Duration,
    /// A message must be whole, and an answer taken, this long after its first command
    /// (ADV-11, slow-loris).
    pub rest: Duration,
    /// Connections at once. Each may hold one message, so this bounds the memory.
    pub connections_max: usize,
}

impl Config {
    /// The shipped limits, on the socket `unix` of the MX host `host`.
    pub fn new(unix: PathBuf, host: String) -> Config {
        Config {
            unix,
            host,
            limits: Limits::default(),
            per_minute: 120,
            idle: Duration::from_secs(300),
            rest: Duration::from_secs(120),
            connections_max: 8,
        }
    }
}

/// One message for one of our own addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivered {
    /// The envelope sender without `<>`; empty is the null sender.
    pub sender: Vec<u8>,
    /// The recipient without `<>`.
    pub recipient: Vec<u8>,
    /// The message as the MTA sent it, with CRLF line ends.
    pub raw: Arc<[u8]>,
    /// When its end was seen.
    pub at: Millis,
}

/// Who answers for our own addresses; the program implements it.
pub trait Mailbox: Send + Sync + 'static {
    /// Whether mail for this recipient is taken. Never blocks.
    ///
    /// # Errors
    ///
    /// The answer for the MTA, if it is not: unknown addresses are refused, and whoever sent
    /// too much shall come again.
    fn accepts(&self, recipient: &[u8]) -> Result<(), Reply>;

    /// Takes a message for one recipient; it may block. Once it says [`Reply::Taken`] the
    /// message is ours, so it must be durable by then, or have had its effect.
    fn deliver(&self, mail: Delivered) -> Reply;
}

/// Starts to answer.
///
/// # Errors
///
/// [`ListenError`]; nothing runs then.
pub fn serve(config: Config, mailbox: Arc<dyn Mailbox>, clock: Clock) -> Result<Running, ListenError> {
    let unix = config.unix.clone();
    let shared = Arc::new(Shared::new(config, mailbox, clock));
    let made_from = shared.clone();
    let make = move |_| Host(made_from.clone());
    let threads = Threads::start("lmtp", &Place { tcp: None, unix: Some(&unix), threads: 1 }, make)?;
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

    /// Stops listening, waits for messages that a mailbox has in its hands, closes all
    /// connections.
    pub fn stop(self) {
        drop(self.threads);
    }
}
