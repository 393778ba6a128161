//! Sliding counts: how much came in the last hour, day or week.
//!
//! Twelve sub-buckets a window (REQUIREMENTS C.0). The time comes from what is counted,
//! so that a recorded year replays the same. A late event counts in its own bucket while
//! the window still covers it; an older one is dropped.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::time::{Millis, Secs};

/// Sub-buckets of one window.
pub const BUCKETS: usize = 12;

/// A sum over a sliding span, exact to one twelfth of it.
///
/// Nearly all counts of nearly all keys are below 256, so a bucket is a byte until one is not.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Number of the newest bucket since 1970.
    newest: u32,
    counts: Counts,
}

/// Counts; bucket `b` stands at `b % 12`.
#[derive(Clone, Debug)]
enum Counts {
    Small([u8; BUCKETS]),
    Large(Box<[u32; BUCKETS]>),
}

impl Default for Counts {
    fn default() -> Counts {
        Counts::Small([0; BUCKETS])
    }
}

impl Counts {
    fn get(&self, bucket: u32) -> u32 {
        let place = bucket as usize % BUCKETS;
        match self {
            Counts::Small(counts) => counts[place].into(),
            Counts::Large(counts) => counts[place],
        }
    }

    fn set(&mut self, bucket: u32, count: u32) {
        let place = bucket as usize % BUCKETS;
        match (&mut *self, u8::try_from(count)) {
            (Counts::Small(counts), Ok(small)) => counts[place] = small,
            (Counts::Large(counts), _) => counts[place] = count,
            (Counts::Small(_), Err(_)) => {
                let mut counts = self.all();
                counts[place] = count;
                *self = Counts::Large(Box::new(counts));
            }
        }
    }

    fn all(&self) -> [u32; BUCKETS] {
        match self {
            Counts::Small(counts) => counts.map(u32::from),
            Counts::Large(counts) => **counts,
        }
    }

    /// The sum of all buckets.
    fn sum(&self) -> u64 {
        match self {
            Counts::Small(counts) => counts.iter().map(|count| u64::from(*count)).sum(),
            Counts::Large(counts) => counts.iter().map(|count| u64::from(*count)).sum(),
        }
    }
}

impl Window {
    /// Adds `amount` at `at` to a window of `span`.
    pub fn add(&mut self, span: Secs, at: Millis, amount: u32) {
        let bucket = bucket_of(span, at);
        self.roll(bucket);
        if self.newest.saturating_sub(bucket) < BUCKETS as u32 {
            self.counts.set(bucket, self.counts.get(bucket).saturating_add(amount));
        }
    }

    /// Takes an amount back that was added at `at`, as far as it is still there.
    pub fn take(&mut self, span: Secs, at: Millis, amount: u32) {
        let bucket = bucket_of(span, at);
        if bucket <= self.newest && self.newest - bucket < BUCKETS as u32 {
            self.counts.set(bucket, self.counts.get(bucket).saturating_sub(amount));
        }
    }

    /// The sum over the last `span` before `now`.
    pub fn sum(&self, span: Secs, now: Millis) -> u64 {
        let oldest = bucket_of(span, now).saturating_sub(BUCKETS as u32 - 1);
        if self.newest < oldest {
            return 0;
        }
        // Buckets before 1970 hold nothing.
        if self.newest - oldest >= BUCKETS as u32 - 1 {
            return self.counts.sum();
        }
        (oldest..=self.newest).map(|bucket| u64::from(self.counts.get(bucket))).sum()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts = Counts::default();
    }

    fn roll(&mut self, bucket: u32) {
        if bucket <= self.newest {
            return;
        }
        if bucket - self.newest >= BUCKETS as u32 {
            self.counts = Counts::default();
        } else {
            (self.newest + 1..=bucket).for_each(|passed| self.counts.set(passed, 0));
        }
        self.newest = bucket;
    }
}

impl PartialEq for Window {
    fn eq(&self, other: &Window) -> bool {
        self.newest == other.newest && self.counts.all() == other.counts.all()
    }
}

impl Eq for Window {}

impl<C> Encode<C> for Window {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(2)?.u32(self.newest)?.encode(self.counts.all())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Window {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Window, DecodeError> {
        let (newest, all): (u32, [u32; BUCKETS]) = d.decode()?;
        let mut counts = Counts::default();
        (0..).zip(all).for_each(|(place, count)| counts.set(place, count));
        Ok(Window { newest, counts })
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

    #[test]
    fn a_window_is_small_until_a_count_is_large_and_stored_alike() {
        assert_eq!(size_of::<Window>(), 24);
        let mut window = Window::default();
        for (hour, amount, sum) in
            [(0, 200, 200), (1, 55, 255), (1, 1, 256), (9, u32::MAX, 256 + u64::from(u32::MAX))]
        {
            window.add(DAY, at(hour), amount);
            assert_eq!(window.sum(DAY, at(hour)), sum);
            let bytes = minicbor::to_vec(&window).unwrap();
            assert_eq!(minicbor::decode::<(u32, [u32; BUCKETS])>(&bytes).unwrap().1.len(), BUCKETS);
            assert_eq!(minicbor::decode::<Window>(&bytes).unwrap(), window);
        }
        window.add(DAY, at(9), 1);
        assert_eq!(
            window.sum(DAY, at(9)),
            256 + u64::from(u32::MAX),
            "a bucket is full at its largest number"
        );
        window.clear();
        let fresh = Window { newest: window.newest, ..Window::default() };
        assert_eq!((window.sum(DAY, at(9)), window == fresh), (0, true));
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
