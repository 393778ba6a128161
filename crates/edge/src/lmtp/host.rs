//! What all connections share, and what they ask of the mailbox.

use std::fmt::Display;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;
use wire::lmtp::Mail;

use super::connection::talk;
use super::counters::{Counters, Counts, count};
use super::rate::Rate;
use super::trouble::Trouble;
use super::{Config, Delivered, Mailbox, Reply};
use crate::clock::Clock;
use crate::seats::{Seat, Seats};
use crate::service::{Service, Stream};
use crate::trouble::Troubles;

/// What the thread that answers and the one that started it share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) counters: Counters,
    mailbox: Arc<dyn Mailbox>,
    clock: Clock,
    troubles: Troubles<Trouble>,
    seats: Arc<Seats>,
    rate: Mutex<Rate>,
}

impl Shared {
    pub(super) fn new(config: Config, mailbox: Arc<dyn Mailbox>, clock: Clock) -> Shared {
        let (seats, rate) = (Seats::new(config.connections_max), Mutex::new(Rate::new(config.per_minute)));
        let (counters, troubles) = (Counters::default(), Troubles::default());
        Shared { config, counters, mailbox, clock, troubles, seats, rate }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counters.counts(self.seats.taken())
    }

    /// Counts a trouble and logs it, if its kind was silent for a minute.
    pub(super) fn trouble(&self, trouble: Trouble, detail: &dyn Display) {
        let counter = match trouble {
            Trouble::Slow => Some(&self.counters.slow),
            Trouble::TurnedAway => Some(&self.counters.turned_away),
            Trouble::TooMany => Some(&self.counters.too_many),
            Trouble::Failed => Some(&self.counters.failed),
            // Lines are counted where they are known by number.
            Trouble::Malformed | Trouble::Accept => None,
        };
        counter.into_iter().for_each(|counter| count(counter, 1));
        self.troubles.log(trouble, self.clock.now(), detail);
    }

    /// The answer for a recipient.
    pub(super) fn admit(&self, recipient: &[u8]) -> Reply {
        let reply = match self.mailbox.accepts(recipient) {
            Ok(()) if self.has_room() => Reply::Taken,
            Ok(()) => {
                self.trouble(Trouble::TooMany, &self.config.per_minute);
                Reply::Later("too much mail in this minute".into())
            }
            Err(reply) => reply,
        };
        self.count(&reply);
        reply
    }

    fn has_room(&self) -> bool {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.now())
    }

    /// The answers for a message, fewer than recipients if the mailbox broke down.
    pub(super) async fn deliver(&self, mail: Mail) -> Vec<Reply> {
        count(&self.counters.messages, 1);
        let (mailbox, at) = (self.mailbox.clone(), self.clock.now());
        let Mail { sender, recipients, raw } = mail;
        let raw: Arc<[u8]> = raw.into();
        let work = move || {
            let each = |recipient| Delivered { sender: sender.clone(), recipient, raw: raw.clone(), at };
            recipients.into_iter().map(each).map(|mail| mailbox.deliver(mail)).collect()
        };
        let replies: Vec<Reply> = spawn_blocking(work).await.unwrap_or_else(|error| {
            self.trouble(Trouble::Failed, &error);
            Vec::new()
        });
        replies.iter().for_each(|reply| self.count(reply));
        replies
    }

    fn count(&self, reply: &Reply) {
        let counter = match reply {
            Reply::Taken => &self.counters.taken,
            Reply::Later(_) => &self.counters.deferred,
            Reply::Refused(_) => &self.counters.refused,
        };
        count(counter, 1);
    }
}

/// What the thread that answers does with its connections.
pub(super) struct Host(pub(super) Arc<Shared>);

impl Service for Host {
    fn talk<S: Stream>(self: Rc<Self>, stream: S, seat: Seat, _: bool) -> impl Future<Output = ()> + 'static {
        talk(stream, self.0.clone(), seat)
    }

    fn seat(&self) -> Option<Seat> {
        let seat = self.0.seats.take();
        match &seat {
            Some(_) => count(&self.0.counters.accepted, 1),
            None => self.0.trouble(Trouble::TurnedAway, &self.0.config.connections_max),
        }
        seat
    }

    /// It is never there.
    fn trusts_tcp(&self) -> bool {
        false
    }

    fn lost(&self, error: &io::Error) {
        self.0.trouble(Trouble::Accept, error);
    }
}
