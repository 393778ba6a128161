//! What all connections of a milter share.

use std::fmt::Display;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Millis, Prefix};

use super::connection::talk;
use super::counters::{Counters, Counts, count};
use super::crowd::Crowd;
use super::held::Room;
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
    pub(super) room: Arc<Room>,
    counters: Vec<Arc<Counters>>,
    troubles: Troubles<Trouble>,
    meter: Mutex<Meter>,
    pub(super) crowd: Option<Arc<Crowd>>,
    seats: Arc<Seats>,
    sessions: AtomicU64,
}

impl Shared {
    pub(super) fn new(config: Config, means: Means, threads: usize) -> Shared {
        Shared {
            room: Room::new(config.held_max),
            counters: (0..threads).map(|_| Arc::default()).collect(),
            troubles: Troubles::default(),
            meter: Mutex::new(Meter::new()),
            crowd: config.flooding.map(Crowd::new),
            seats: Seats::new(config.connections_max),
            sessions: AtomicU64::new(0),
            config,
            means,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let mut all = Counts { connections: self.seats.taken(), ..Counts::default() };
        self.counters.iter().for_each(|thread| all += thread.counts());
        all
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Four fifths of the places are taken.
    pub(super) fn is_strained(&self) -> bool {
        self.seats.taken().saturating_mul(5) > (self.config.connections_max as u64).saturating_mul(4)
    }

    /// A number that no other session of this process has.
    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Relaxed)
    }

    pub(super) fn is_ours(&self, host: Prefix) -> bool {
        self.config.ours.iter().any(|net| net.covers(host))
    }

    pub(super) fn is_relay(&self, host: Prefix) -> bool {
        self.config.relays.iter().any(|net| net.covers(host))
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
    pub(super) fn trouble(&self, trouble: Trouble, detail: &dyn Display) {
        trouble.counter(&self.counters).into_iter().for_each(count);
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
