//! What all connections of a server share.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Millis;

use super::connection::talk;
use super::counters::{Counters, Counts, count};
use super::trouble::Trouble;
use super::{Config, Means};
use crate::meter::Meter;
use crate::seats::{Seat, Seats};
use crate::service::{Service, Stream};
use crate::trouble::Troubles;

/// What all threads share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) means: Means,
    counters: Vec<Arc<Counters>>,
    troubles: Troubles<Trouble>,
    meter: Mutex<Meter>,
    seats: Arc<Seats>,
}

impl Shared {
    pub(super) fn new(config: Config, means: Means, threads: usize) -> Shared {
        let counters = (0..threads).map(|_| Arc::default()).collect();
        let seats = Seats::new(config.connections_max);
        let (troubles, meter) = (Troubles::default(), Mutex::new(Meter::new()));
        Shared { config, means, counters, troubles, meter, seats }
    }

    pub(super) fn counts(&self) -> Counts {
        let mut all = Counts { connections: self.seats.taken(), ..Counts::default() };
        self.per_thread().into_iter().for_each(|thread| all += thread);
        all
    }

    pub(super) fn per_thread(&self) -> Vec<Counts> {
        self.counters.iter().map(|counters| counters.counts()).collect()
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the connections of one thread share.
pub(super) struct Host {
    pub(super) shared: Arc<Shared>,
    pub(super) counters: Arc<Counters>,
}

impl Host {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Host {
        let counters = shared.counters[index].clone();
        Host { shared, counters }
    }

    pub(super) fn now(&self) -> Millis {
        self.shared.means.clock.now()
    }

    /// Counts a trouble and logs it, if its kind was silent for a minute.
    pub(super) fn trouble(&self, trouble: Trouble, detail: &dyn std::fmt::Display) {
        let counter = match trouble {
            Trouble::Malformed => Some(&self.counters.malformed),
            Trouble::Oversize => Some(&self.counters.oversize),
            Trouble::Slow => Some(&self.counters.slow),
            Trouble::TurnedAway => Some(&self.counters.turned_away),
            Trouble::Dropped => Some(&self.counters.dropped),
            Trouble::Accept | Trouble::OurText => None,
        };
        counter.into_iter().for_each(count);
        self.shared.troubles.log(trouble, self.now(), detail);
    }
}

impl Service for Host {
    fn talk<S: Stream>(
        self: Rc<Self>,
        stream: S,
        seat: Seat,
        heard: bool,
    ) -> impl Future<Output = ()> + 'static {
        talk(stream, self, seat, heard)
    }

    fn seat(&self) -> Option<Seat> {
        let seat = self.shared.seats.take();
        match &seat {
            Some(_) => count(&self.counters.accepted),
            None => self.trouble(Trouble::TurnedAway, &self.shared.config.connections_max),
        }
        seat
    }

    fn trusts_tcp(&self) -> bool {
        self.shared.config.trust_local
    }

    fn lost(&self, error: &io::Error) {
        self.trouble(Trouble::Accept, error);
    }
}
