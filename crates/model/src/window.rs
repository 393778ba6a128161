//! Sliding counts: how much came in the last hour, day or week.
//!
//! Twelve sub-buckets a window (REQUIREMENTS C.0). The time comes from what is counted,
//! so that a recorded year replays the same. A late event counts in its own bucket while
//! the window still covers it; an older one is dropped.

use minicbor::{Decode, Encode};

use crate::time::{Millis, Secs};

/// Sub-buckets of one window.
pub const BUCKETS: usize = 12;

/// A sum over a sliding span, exact to one twelfth of it.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Window {
    /// Number of the newest bucket since 1970.
    #[n(0)]
    newest: u32,
    /// Counts; bucket `b` stands at `b % 12`.
    #[n(1)]
    counts: [u32; BUCKETS],
}

impl Window {
    /// Adds `amount` at `at` to a window of `span`.
    pub fn add(&mut self, span: Secs, at: Millis, amount: u32) {
        let bucket = bucket_of(span, at);
        self.roll(bucket);
        if self.newest.saturating_sub(bucket) < BUCKETS as u32 {
            let count = &mut self.counts[bucket as usize % BUCKETS];
            *count = count.saturating_add(amount);
        }
    }

    /// Takes an amount back that was added at `at`, as far as it is still there.
    pub fn take(&mut self, span: Secs, at: Millis, amount: u32) {
        let bucket = bucket_of(span, at);
        if bucket <= self.newest && self.newest - bucket < BUCKETS as u32 {
            let count = &mut self.counts[bucket as usize % BUCKETS];
            *count = count.saturating_sub(amount);
        }
    }

    /// The sum over the last `span` before `now`.
    pub fn sum(&self, span: Secs, now: Millis) -> u64 {
        let oldest = bucket_of(span, now).saturating_sub(BUCKETS as u32 - 1);
        if self.newest < oldest {
            return 0;
        }
        (0..BUCKETS as u32)
            .filter_map(|back| self.newest.checked_sub(back))
            .filter(|bucket| *bucket >= oldest)
            .map(|bucket| u64::from(self.counts[bucket as usize % BUCKETS]))
            .sum()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts = [0; BUCKETS];
    }

    fn roll(&mut self, bucket: u32) {
        if bucket <= self.newest {
            return;
        }
        let steps = (bucket - self.newest).min(BUCKETS as u32);
        for step in 0..steps {
            self.counts[(bucket - step) as usize % BUCKETS] = 0;
        }
        self.newest = bucket;
    }
}

fn bucket_of(span: Secs, at: Millis) -> u32 {
    u32::try_from(at.0 / (span.0 * 1000 / BUCKETS as u64).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Secs = Secs::DAY;

    fn at(hours: u64) -> Millis {
        Millis::from_secs(1_000_000_000 + hours * 3600)
    }

    #[test]
    fn counts_slide_out_of_the_window() {
        let mut window = Window::default();
        window.add(DAY, at(0), 3);
        window.add(DAY, at(10), 4);
        assert_eq!(window.sum(DAY, at(10)), 7);
        assert_eq!(
            window.sum(DAY, at(23)),
            4 + if at(0).0 / 7_200_000 + 12 > at(23).0 / 7_200_000 { 3 } else { 0 }
        );
        assert_eq!(window.sum(DAY, at(27)), 4);
        assert_eq!(window.sum(DAY, at(400)), 0);
    }

    #[test]
    fn a_late_event_counts_in_its_own_time() {
        let mut window = Window::default();
        window.add(DAY, at(30), 1);
        window.add(DAY, at(20), 5);
        window.add(DAY, at(1), 9);
        assert_eq!(window.sum(DAY, at(30)), 6);
        assert_eq!(window.sum(DAY, at(45)), 1);
    }

    #[test]
    fn what_was_added_can_be_taken_back_in_its_own_time() {
        let mut window = Window::default();
        window.add(DAY, at(0), 3);
        window.add(DAY, at(10), 4);
        window.take(DAY, at(0), 2);
        assert_eq!(window.sum(DAY, at(10)), 5);
        window.take(DAY, at(10), 9);
        window.take(DAY, at(20), 9);
        assert_eq!(window.sum(DAY, at(10)), 1);
        window.take(DAY, at(400), 1);
        assert_eq!(window.sum(DAY, at(10)), 1);
    }

    proptest! {
        #[test]
        fn the_order_of_events_does_not_matter(mut events in prop::collection::vec((0u64..40, 1u32..9), 1..40)) {
            // Only events that the window covers at its end: what falls out depends on nothing else.
            let fill = |events: &[(u64, u32)]| {
                let mut window = Window::default();
                events.iter().for_each(|(h, n)| window.add(DAY, at(*h), *n));
                window.sum(DAY, at(40))
            };
            let forward = fill(&events);
            events.reverse();
            prop_assert_eq!(forward, fill(&events));
        }
    }
}
