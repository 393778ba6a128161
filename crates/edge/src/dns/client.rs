//! Who asks.

use std::net::IpAddr;

use model::Prefix;

use super::access;
use super::cookies::COOKIE_LEN;
use super::limits::{Limiter, Seat};
use super::responder::Transport;

/// What is known of an address.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    pub(super) addr: IpAddr,
    /// Loopback, our own networks, and those that the operator lists.
    pub(super) is_known: bool,
    /// Where what it gets is counted, if it is limited.
    pub(super) seat: Option<Seat>,
}

/// One client with its question.
pub(super) struct Client {
    pub(super) asker: Asker,
    pub(super) transport: Transport,
    /// It is where it says it is: it holds a connection, or one of our cookies.
    pub(super) is_there: bool,
    /// Octets of the question.
    pub(super) asked: usize,
    pub(super) cookie: Option<[u8; COOKIE_LEN]>,
}

/// Remembers who asked last: a resolver seldom asks once.
#[derive(Default)]
pub(super) struct Askers {
    last: Option<Asker>,
}

impl Askers {
    /// What is known of an address, of those `known` and of their limits; the same two each time.
    pub(super) fn of(&mut self, addr: IpAddr, known: &[Prefix], limiter: &Limiter) -> Asker {
        match self.last {
            Some(last) if last.addr == addr => last,
            _ => {
                let is_known = access::is_known(known, addr);
                let is_limited = !is_known || limiter.rates().everybody;
                *self.last.insert(Asker { addr, is_known, seat: is_limited.then(|| limiter.seat(addr)) })
            }
        }
    }
}
