//! Points and spans of time, in whole units.
//!
//! Wall time is milliseconds since 1970 in UTC; a sentence is whole seconds. All
//! arithmetic saturates: a hostile or broken clock gives a wrong time, never a panic.

use std::fmt;

use minicbor::{Decode, Encode};

/// A point in wall time: milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct Millis(#[n(0)] pub u64);

impl Millis {
    /// The point `secs` whole seconds after 1970.
    pub const fn from_secs(secs: u64) -> Self {
        Millis(secs.saturating_mul(1000))
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// Whole days since 1970, rounded down.
    pub fn day(self) -> u32 {
        u32::try_from(self.0 / 86_400_000).unwrap_or(u32::MAX)
    }

    /// Minutes since 1970, rounded up: an end in minutes never comes before the true end.
    pub fn minute_up(self) -> u32 {
        u32::try_from(self.0.div_ceil(60_000)).unwrap_or(u32::MAX)
    }

    /// Minutes since 1970, rounded down.
    pub fn minute(self) -> u32 {
        u32::try_from(self.0 / 60_000).unwrap_or(u32::MAX)
    }

    /// The point `span` later.
    #[must_use]
    pub const fn plus(self, span: Secs) -> Self {
        Millis(self.0.saturating_add(span.0.saturating_mul(1000)))
    }

    /// The point `span` earlier, not before 1970.
    #[must_use]
    pub const fn minus(self, span: Secs) -> Self {
        Millis(self.0.saturating_sub(span.0.saturating_mul(1000)))
    }

    /// Whole seconds from `earlier` to here, 0 if `earlier` is later.
    pub const fn since(self, earlier: Millis) -> Secs {
        Secs(self.0.saturating_sub(earlier.0) / 1000)
    }
}

/// A span of time in whole seconds.
#[derive(Clone, Copy, Debug, Default, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct Secs(#[n(0)] pub u64);

impl Secs {
    /// One minute.
    pub const MINUTE: Secs = Secs(60);
    /// One hour.
    pub const HOUR: Secs = Secs(3600);
    /// One day.
    pub const DAY: Secs = Secs(86_400);

    /// `n` of these spans.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Secs(self.0.saturating_mul(n))
    }
}

impl fmt::Display for Secs {
    /// The two largest units that are not zero: `3 h 24 min`, `16 d`, `45 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
        let first = UNITS.iter().position(|(size, _)| self.0 >= *size).unwrap_or(3);
        let (size, unit) = UNITS[first];
        write!(f, "{} {unit}", self.0 / size)?;
        match UNITS.get(first + 1) {
            Some((next, unit)) if self.0 % size / next > 0 => write!(f, " {} {unit}", self.0 % size / next),
            _ => Ok(()),
        }
    }
}

/// A hybrid logical time: wall time that never goes back, with a counter inside one
/// millisecond.
///
/// Events carry it, so that the order of one node's decisions survives a clock that
/// was set back.
#[derive(Clone, Copy, Debug, Default, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hybrid {
    /// Wall time, never before an earlier event's.
    #[n(0)]
    pub wall: Millis,
    /// Position among the events of the same millisecond.
    #[n(1)]
    pub count: u32,
}

impl Hybrid {
    /// The stamp of the next event when the wall clock says `wall`.
    #[must_use]
    pub fn next(self, wall: Millis) -> Hybrid {
        if wall > self.wall {
            Hybrid { wall, count: 0 }
        } else {
            Hybrid { wall: self.wall, count: self.count.saturating_add(1) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_prints_its_two_largest_units() {
        for (secs, text) in
            [(45, "45 s"), (720, "12 min"), (12_240, "3 h 24 min"), (72_000, "20 h"), (2_592_000, "30 d")]
        {
            assert_eq!(Secs(secs).to_string(), text);
        }
    }

    #[test]
    fn hybrid_time_never_goes_back() {
        let first = Hybrid::default().next(Millis(5000));
        let second = first.next(Millis(10));
        assert!(second > first);
        assert_eq!(second.wall, Millis(5000));
        assert_eq!(second.next(Millis(6000)), Hybrid { wall: Millis(6000), count: 0 });
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Millis(u64::MAX).plus(Secs(u64::MAX)), Millis(u64::MAX));
        assert_eq!(Millis(5).minus(Secs::DAY), Millis(0));
        assert_eq!(Millis(5).since(Millis(9000)), Secs(0));
    }

    #[test]
    fn minutes_of_an_end_round_up() {
        assert_eq!(Millis(60_001).minute_up(), 2);
        assert_eq!(Millis(60_000).minute_up(), 1);
        assert_eq!(Millis(119_999).minute(), 1);
    }
}
