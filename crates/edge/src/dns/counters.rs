//! What the name server counts.
//!
//! One set for each answering thread. Nobody else writes it, so a plain load and store do, and
//! no core waits for another's.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::zones::ZONES;

/// Last octets of codes: 0 to 31.
const CODES: usize = 32;

/// What was asked of one zone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ZoneCounts {
    /// Questions about it.
    pub questions: u64,
    /// Answers that name a code, by its last octet.
    pub listed: [u64; CODES],
    /// Answers that nothing is listed there.
    pub unlisted: u64,
    /// Answers that the name exists and has no such record.
    pub no_data: u64,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// By zone: the base zone, then the sub-zones in their order.
    pub zones: [ZoneCounts; ZONES],
    /// Connections on TCP that are open.
    pub connections: u64,
    /// Frames taken straight from an interface, and those among them without a whole datagram.
    pub frames: (u64, u64),
    /// What can not be answered at all: responses, and less than a header.
    pub silent: u64,
    /// Messages that can not be read, or ask for what we do not do.
    pub malformed: u64,
    /// Questions about names that are not ours, or of clients that may not ask.
    pub refused: u64,
    /// Questions answered with 127.255.255.252, .254 or .255.
    pub errors: u64,
    /// Answers above the rate of a network: dropped.
    pub dropped: u64,
    /// The same: sent cut.
    pub slipped: u64,
    /// Answers that were cut because they are too long.
    pub truncated: u64,
    /// Signed questions, and those for whole zones.
    pub transfers: u64,
    /// Answers that the kernel would not send.
    pub unsent: u64,
    /// Connections that were turned away.
    pub turned_away: u64,
}

/// One thread's counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    zones: [ZoneCounters; ZONES],
    pub(super) silent: Count,
    pub(super) malformed: Count,
    pub(super) refused: Count,
    pub(super) errors: Count,
    pub(super) dropped: Count,
    pub(super) slipped: Count,
    pub(super) truncated: Count,
    pub(super) transfers: Count,
    pub(super) unsent: Count,
    pub(super) turned_away: Count,
}

/// One number that one thread writes.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// One more.
    #[inline]
    pub(super) fn up(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct ZoneCounters {
    pub(super) questions: Count,
    pub(super) listed: [Count; CODES],
    pub(super) unlisted: Count,
    pub(super) no_data: Count,
}

impl Counters {
    pub(super) fn zone(&self, zone: usize) -> &ZoneCounters {
        &self.zones[zone]
    }

    pub(super) fn add_to(&self, sum: &mut Counts) {
        for (of, zone) in self.zones.iter().zip(&mut sum.zones) {
            zone.questions += of.questions.get();
            zone.unlisted += of.unlisted.get();
            zone.no_data += of.no_data.get();
            zone.listed.iter_mut().zip(&of.listed).for_each(|(sum, count)| *sum += count.get());
        }
        let counts = [
            (&mut sum.silent, &self.silent),
            (&mut sum.malformed, &self.malformed),
            (&mut sum.refused, &self.refused),
            (&mut sum.errors, &self.errors),
            (&mut sum.dropped, &self.dropped),
            (&mut sum.slipped, &self.slipped),
            (&mut sum.truncated, &self.truncated),
            (&mut sum.transfers, &self.transfers),
            (&mut sum.unsent, &self.unsent),
            (&mut sum.turned_away, &self.turned_away),
        ];
        counts.into_iter().for_each(|(sum, count)| *sum += count.get());
    }
}
