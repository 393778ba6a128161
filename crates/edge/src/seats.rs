//! How many connections a server holds at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// All places of one server.
#[derive(Debug)]
pub(crate) struct Seats {
    open: AtomicUsize,
    max: usize,
}

impl Seats {
    pub(crate) fn new(max: usize) -> Arc<Seats> {
        Arc::new(Seats { open: AtomicUsize::new(0), max })
    }

    /// A place for one more connection, unless all are taken.
    pub(crate) fn take(self: &Arc<Seats>) -> Option<Seat> {
        if self.open.fetch_add(1, Relaxed) < self.max {
            return Some(Seat(self.clone()));
        }
        self.open.fetch_sub(1, Relaxed);
        None
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u64 {
        self.open.load(Relaxed) as u64
    }
}

/// A connection's place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Seats>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
