//! Latencies, counted in buckets of equal relative width.

/// Steps of one power of two: the error stays below 1/64.
const STEPS: usize = 64;

/// Counts of durations in nanoseconds; what is below 64 ns counts as 64 ns.
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    /// Nothing counted yet.
    pub(super) fn new() -> Self {
        Self { buckets: vec![0; 64 * STEPS], count: 0 }
    }

    /// Counts one duration.
    pub(super) fn add(&mut self, nanoseconds: u64) {
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
    }

    /// How many were counted.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The duration in microseconds that `percent` of all do not exceed.
    pub(super) fn percentile_us(&self, percent: u64) -> f64 {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return lower_end(at) as f64 / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let value = nanoseconds.max(STEPS as u64);
    let exponent = value.ilog2() as usize;
    exponent * STEPS + (value >> (exponent - 6)) as usize % STEPS
}

/// The smallest duration that [`bucket`] puts into this one.
fn lower_end(bucket: usize) -> u64 {
    let (exponent, step) = (bucket / STEPS, bucket % STEPS);
    (((STEPS + step) as u128) << exponent >> 6) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_begins_at_most_a_64th_below_its_values() {
        for value in [64, 65, 1000, 99_999, 1_000_000_007, u64::MAX] {
            let low = lower_end(bucket(value));
            assert!(low <= value && value - low <= value / 64, "{value} in the bucket from {low}");
        }
    }

    #[test]
    fn percentiles_of_a_hundred_values_are_those_values() {
        let mut histogram = Histogram::new();
        for microseconds in 1..=100 {
            histogram.add(microseconds * 1000);
        }
        assert_eq!(histogram.count(), 100);
        let near = |got: f64, want: f64| (got - want).abs() <= want / 64.0;
        assert!(near(histogram.percentile_us(50), 50.0));
        assert!(near(histogram.percentile_us(99), 99.0));
    }

    #[test]
    fn nothing_counted_is_zero() {
        assert_eq!(Histogram::new().percentile_us(99).to_bits(), 0.0f64.to_bits());
    }
}
