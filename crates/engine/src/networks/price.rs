//! What a block of a network would cost: wanted mail that would be lost (PEERS M8, S42).
//!
//! Priced by the good mail of the last 30 days: of keys that are remembered, and of those
//! that had to be forgotten for lack of room (`rollup`). A key with good mail that was not
//! blocked lately is a good neighbour, and becomes a hole; what is declared ours or
//! protected as well.

use std::collections::BTreeSet;
use std::fmt;

use model::Prefix;

use super::within;
use crate::council::{Books, Council};

/// A block with more holes is none: so many good servers stand in no spammer's network.
pub(super) const HOLES_MAX: usize = 64;

/// Good mail of the last 30 days from a network.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Price {
    /// Good messages.
    pub messages: u64,
    /// Servers that sent them, as far as they are remembered.
    pub senders: u64,
    /// Our people who got them: at least so many, for of each server five are told apart.
    pub recipients: u64,
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Price { messages, senders, recipients } = self;
        let s = |n: u64| if n == 1 { "" } else { "s" };
        write!(f, "{messages} good message{} in 30 days, ", s(*messages))?;
        write!(f, "from {senders} server{} to at least {recipients} of our users", s(*senders))
    }
}

/// A network with its good neighbours taken out.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Keys inside that are spared; one more than [`HOLES_MAX`] when there are too many.
    pub(super) holes: Vec<Prefix>,
    /// What the rest sent.
    pub(super) rest: Price,
}

impl Council {
    /// What a block of a key would cost, without any holes.
    pub(crate) fn price(&self, network: Prefix, books: &Books<'_>) -> Price {
        let mut people = BTreeSet::<u32>::new();
        let (mut price, standing) = (self.forgotten(network, books), self.standing_now());
        for key in self.networks.credited.range(within(network)) {
            let Some(entry) = books.look(*key) else { continue };
            let good = u64::from(entry.record.standing.good(standing).0);
            price.messages = price.messages.saturating_add(good);
            price.senders += u64::from(good > 0);
            let named = entry.record.standing.recipients();
            people.extend(named.iter().filter(|_| good > 0).copied());
        }
        price.recipients = people.len() as u64;
        price
    }

    /// Good mail of keys that are not remembered any more.
    fn forgotten(&self, network: Prefix, books: &Books<'_>) -> Price {
        Price { messages: books.rollup.good(network, self.now()), ..Price::default() }
    }

    /// Takes the good neighbours out of a network, and prices the rest.
    pub(super) fn survey(&mut self, network: Prefix, books: &Books<'_>) -> Survey {
        let mut survey =
            Survey { holes: self.ours_inside(network, books), rest: self.forgotten(network, books) };
        let standing = self.standing_now();
        for key in self.networks.credited.range(within(network)) {
            let good = books.look(*key).map_or(0, |entry| entry.record.standing.good(standing).0);
            if good > 0 && !self.networks.is_member(*key) {
                survey.holes.push(*key);
            } else {
                survey.rest.messages += u64::from(good);
                survey.rest.senders += u64::from(good > 0);
            }
            if survey.holes.len() > HOLES_MAX {
                break;
            }
        }
        survey.holes.sort_unstable();
        survey.holes.dedup();
        survey
    }

    /// Keys inside a network that are protected, relay for us, or carry much of our mail.
    fn ours_inside(&mut self, network: Prefix, books: &Books<'_>) -> Vec<Prefix> {
        let carriers = books.upstream.all(self.now());
        let protected = self.walls.stand(books.policy).listed();
        let all = protected.iter().chain(&books.policy.relays).chain(&carriers);
        all.filter(|key| network.covers(**key) && **key != network).take(HOLES_MAX + 1).copied().collect()
    }
}
