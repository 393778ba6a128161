//! What all connections of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Millis;

use super::counters::{Counters, Counts, count};
use super::meter::Meter;
use super::trouble::{Trouble, Troubles};
use super::{Config, Means};

/// What all threads share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) means: Means,
    counters: Vec<Arc<Counters>>,
    troubles: Troubles,
    meter: Mutex<Meter>,
    open: AtomicUsize,
}

impl Shared {
    pub(super) fn new(config: Config, means: Means, threads: usize) -> Shared {
        let counters = (0..threads).map(|_| Arc::default()).collect();
        let (troubles, meter) = (Troubles::default(), Mutex::new(Meter::new()));
        Shared { config, means, counters, troubles, meter, open: AtomicUsize::new(0) }
    }

    pub(super) fn counts(&self) -> Counts {
        let connections = self.open.load(Relaxed) as u64;
        let mut all = Counts { connections, ..Counts::default() };
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

    /// A place for one more connection, unless all are taken.
    pub(super) fn seat(&self) -> Option<Seat> {
        let shared = self.shared.clone();
        if shared.open.fetch_add(1, Relaxed) < shared.config.connections_max {
            count(&self.counters.accepted);
            return Some(Seat(shared));
        }
        shared.open.fetch_sub(1, Relaxed);
        self.trouble(Trouble::TurnedAway, &shared.config.connections_max);
        None
    }
}

/// A connection's place; free again when it is dropped.
pub(super) struct Seat(Arc<Shared>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
