//! The name server: our block lists, asked by DNS.
//!
//! UDP is answered by plain threads, each with a socket of its own on the same address and
//! with answers in batches; TCP by one thread more. Both hand packets to a [`Responder`],
//! which makes each answer from one immutable view in one go, and waits for nobody.
//!
//! Anybody can send anything from a forged address. So an answer to an address that has not
//! shown that it is real is at most three times as long as the question (STD-21), answers to
//! one network are limited in number (RRL), and a response is never answered.

mod access;
mod ahead;
mod client;
mod cookies;
mod counters;
mod finding;
mod limits;
mod responder;
mod tcp;
#[cfg(test)]
mod tests;
pub mod transfer;
mod transfers;
mod udp;
mod xdp;
mod zones;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::Prefix;

use crate::clock::Clock;
use crate::listen::ListenError;
use crate::views::Views;

pub use access::{Access, Keys};
pub use ahead::Ahead;
pub use counters::{Counts, ZoneCounts};
pub use limits::Rates;
pub use responder::{Moment, Responder, Transport};
pub use transfers::{Messages, Serials, Transfers};
pub use wire::dns::{OwnedName, ParseNameError};
pub use zones::{EXPIRE, REFRESH, RETRY, ZONES, zone_index, zone_name};

/// How the name server listens, and what it says of itself.
#[derive(Clone)]
pub struct Config {
    /// Where it listens, on UDP and TCP alike; never a wildcard address.
    pub listen: Vec<SocketAddr>,
    /// The interface from which questions are taken straight, beside the sockets.
    pub xdp: Option<String>,
    /// Threads for each UDP address.
    pub threads: usize,
    /// The base zone; each list is a sub-zone of it.
    pub base: OwnedName,
    /// The names of the zone's servers; the first one is the primary.
    pub servers: Vec<OwnedName>,
    /// The mailbox of the zone's keeper, its `@` a dot.
    pub contact: OwnedName,
    /// Seconds for which an answer may be remembered at most.
    pub ttl: u32,
    /// Seconds for which ‘not listed’ may be remembered.
    pub negative_ttl: u32,
    /// Who may ask.
    pub access: Access,
    /// Networks that may always ask and are under no limits: loopback, our own, and those that
    /// the operator lists.
    pub known: Vec<Prefix>,
    /// Those who keep copies of our zones: each has a connection for each zone, and hears their
    /// numbers whoever may ask. To other questions they are nobody special.
    pub secondaries: Vec<Prefix>,
    /// Labels in front of a zone that let anybody ask.
    pub keys: Keys,
    /// How much is answered.
    pub rates: Rates,
    /// Under which server cookies are made (RFC 9018).
    pub cookie_secret: [u8; 32],
    /// Connections at once on TCP.
    pub connections_max: usize,
    /// A connection on TCP without a question is closed after this time (RFC 7766 §6.2.3).
    pub idle: Duration,
    /// The numbers of the zones.
    pub serials: Arc<Serials>,
    /// Answers signed questions and transfers, where zones may be fetched.
    pub transfers: Option<Arc<dyn Transfers>>,
}

impl Config {
    /// A server that listens nowhere, knows no network, limits nothing, and serves itself.
    pub fn plain(base: OwnedName, access: Access) -> Config {
        Config {
            listen: Vec::new(),
            xdp: None,
            threads: 1,
            servers: Vec::new(),
            contact: base.clone(),
            base,
            ttl: 300,
            negative_ttl: 60,
            access,
            known: Vec::new(),
            secondaries: Vec::new(),
            keys: Keys::default(),
            rates: Rates::NONE,
            cookie_secret: [0; 32],
            connections_max: 1,
            idle: Duration::from_secs(10),
            serials: Arc::default(),
            transfers: None,
        }
    }
}

impl Responder {
    /// One that belongs to no socket: for whoever has packets of another source.
    pub fn alone(config: Config, views: Arc<dyn Views>, clock: Clock) -> Responder {
        Responder::new(Arc::new(responder::Shared::new(config, views, clock)))
    }
}

/// A running name server; stops when it is dropped.
pub struct Running {
    udp: udp::Threads,
    xdp: Option<xdp::Threads>,
    tcp: Option<tcp::Running>,
    counters: Vec<Arc<counters::Counters>>,
}

impl Running {
    /// Listens and answers.
    ///
    /// # Errors
    ///
    /// [`ListenError`].
    pub fn start(config: Config, views: Arc<dyn Views>, clock: Clock) -> Result<Running, ListenError> {
        let shared = Arc::new(responder::Shared::new(config, views, clock));
        let mut counters = Vec::new();
        let mut made = || {
            let responder = Responder::new(shared.clone());
            counters.push(responder.counters());
            responder
        };
        let udp = udp::Threads::start(&shared, &mut made)?;
        let xdp = shared.config.xdp.as_deref();
        let xdp = xdp.map(|name| xdp::Threads::start(name, &udp.addresses(), &mut made));
        let tcp = tcp::Running::start(&shared, &udp.addresses(), &mut made)?;
        Ok(Running { udp, xdp, tcp, counters })
    }

    /// Where it listens; real ports where 0 was asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.udp.addresses()
    }

    /// What was asked and answered so far.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.counters.iter().for_each(|thread| thread.add_to(&mut sum));
        sum.connections = self.tcp.as_ref().map_or(0, tcp::Running::connections);
        sum.frames = self.xdp.as_ref().map_or((0, 0), xdp::Threads::counts);
        sum
    }
}
