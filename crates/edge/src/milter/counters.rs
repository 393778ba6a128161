//! What a milter counts.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Makes the counters of a thread and their sum from one list.
macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// What has happened since the start, and how many connections there are now.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub struct Counts {
            /// Connections that are open.
            pub connections: u64,
            $($(#[$doc])+ pub $name: u64,)+
        }

        /// One thread's counters; nobody else writes them.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)+
        }

        impl Counters {
            pub(super) fn counts(&self) -> Counts {
                Counts { connections: 0, $($name: self.$name.load(Relaxed),)+ }
            }
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Counts) {
                self.connections += other.connections;
                $(self.$name += other.$name;)+
            }
        }
    };
}

counters! {
    /// Connections that were taken.
    accepted,
    /// Connections that were closed at once, because there were too many.
    turned_away,
    /// Commands that were read.
    commands,
    /// Recipients that were answered.
    recipients,
    /// Recipients that we refused or deferred.
    refused,
    /// Recipients answered 421, because the client had too many connections.
    turned,
    /// Recipients that the MTA itself had refused.
    rejected,
    /// Messages that came to their end with a recipient.
    messages,
    /// Messages that we refused or deferred at their end.
    stopped,
    /// Header fields removed because they were forged under our name.
    forged,
    /// Connections closed because of a command that makes no sense.
    malformed,
    /// Connections closed because of a packet beyond every limit.
    oversize,
    /// Connections closed because the rest of a command, or the reading of an answer, took
    /// too long.
    slow,
    /// Messages that passed because their inspector took too long.
    overdue,
    /// Messages that passed because their inspector panicked.
    panicked,
    /// Messages that were not held whole, because all together were too large.
    crowded,
    /// Observations that the intake had no room for.
    dropped,
}

/// Counts one more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
