//! How much of all messages together is held in memory.
//!
//! A client decides how much it sends, and an MTA may have hundreds of sessions: a limit
//! for each message alone would be none (ADV-11). What does not fit is not held, and the
//! message is inspected by what is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What one server may hold.
#[derive(Debug)]
pub(super) struct Room {
    used: AtomicUsize,
    max: usize,
}

impl Room {
    pub(super) fn new(max: usize) -> Arc<Room> {
        Arc::new(Room { used: AtomicUsize::new(0), max })
    }

    /// A message that holds nothing yet.
    pub(super) fn share(self: &Arc<Room>) -> Share {
        Share { room: self.clone(), held: 0 }
    }
}

/// What one message holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    held: usize,
}

impl Share {
    /// Holds so many octets more, unless there is no room.
    pub(super) fn grow(&mut self, len: usize) -> bool {
        let used = self.room.used.fetch_add(len, Relaxed);
        let fits = used.saturating_add(len) <= self.room.max;
        if fits {
            self.held += len;
        } else {
            self.room.used.fetch_sub(len, Relaxed);
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.held, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_share_one_room_and_give_back_what_they_held() {
        let room = Room::new(100);
        let (mut one, mut two) = (room.share(), room.share());
        assert!(one.grow(60) && !two.grow(41) && two.grow(40) && !one.grow(1));
        drop(one);
        assert!(two.grow(60) && !two.grow(usize::MAX));
        drop(two);
        assert_eq!(room.used.load(Relaxed), 0);
    }
}
