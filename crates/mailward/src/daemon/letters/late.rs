//! Headers of messages whose verdict is still to come.
//!
//! A filter behind the MTA tells its verdict by queue id, seconds or hours after the message
//! (`mailward observe`). Until then headers are held here, in memory, bounded: the oldest
//! give way, and a restart forgets them. A verdict without headers still counts; its page
//! shows the facts of the connection.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Exhibit;

/// Octets of headers that are held: a quarter of an hour of a busy site.
const HELD_MAX: usize = 64 << 20;

/// Headers by queue id.
#[derive(Default)]
pub(crate) struct Late(Mutex<Held>);

#[derive(Default)]
struct Held {
    by_queue: HashMap<u64, (u64, Waiting)>,
    /// Queue id, number and size, the oldest first.
    order: VecDeque<(u64, u64, usize)>,
    len: usize,
    /// Numbers each message, for queue ids are used again.
    numbers: u64,
}

/// A message that waits for its verdict.
pub(crate) struct Waiting {
    /// Which message of which session.
    pub(crate) session: u64,
    /// Its headers.
    pub(crate) exhibit: Exhibit,
}

impl Late {
    /// Holds the headers of a message.
    pub(crate) fn hold(&self, queue: u64, session: u64, exhibit: Exhibit) {
        let size = size(&exhibit);
        let mut held = self.lock();
        held.len += size;
        held.numbers += 1;
        let number = held.numbers;
        held.order.push_back((queue, number, size));
        held.by_queue.insert(queue, (number, Waiting { session, exhibit }));
        while held.len > HELD_MAX {
            let Some((oldest, number, size)) = held.order.pop_front() else { return };
            held.len -= size;
            if held.by_queue.get(&oldest).is_some_and(|(newest, _)| *newest == number) {
                held.by_queue.remove(&oldest);
            }
        }
    }

    /// Gives the headers of a message out, once.
    pub(crate) fn take(&self, queue: u64) -> Option<Waiting> {
        self.lock().by_queue.remove(&queue).map(|(_, waiting)| waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an exhibit takes, allocations and all, roughly.
pub(crate) fn size(exhibit: &Exhibit) -> usize {
    let fields: usize = exhibit.fields.iter().map(|f| f.name.len() + f.value.len() + 80).sum();
    let recipients: usize = exhibit.recipients.iter().map(|r| r.0.len() + 40).sum();
    512 + fields + recipients + exhibit.received.len() + exhibit.sender.len()
}
