//! Units to duration: the proportional sentence F1 (REQUIREMENTS D.1, amended in DESIGN §8).
//!
//! At the trigger `D = min(max(k·U, Dmin) · 2^min(r,4), Dmax)`. Units that come later push
//! the end by `k·u·2^min(r,4)`, never beyond now + Dmax. Whole seconds, saturating, no
//! floats (SEN-7); what counts as a unit and what as a repeat is decided elsewhere.

use minicbor::{Decode, Encode};

use crate::finding::Units;
use crate::time::{Millis, Secs};

/// The numbers of the formula.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Tariff {
    /// k: seconds for each unit.
    #[n(0)]
    pub per_unit: Secs,
    /// Dmin: the shortest sentence before doubling.
    #[n(1)]
    pub floor: Secs,
    /// Dmax: the longest sentence.
    #[n(2)]
    pub cap: Secs,
    /// How many earlier sentences double it, at most.
    #[n(3)]
    pub doublings: u8,
}

impl Tariff {
    /// Six minutes a unit, two hours at least, thirty days at most, four doublings.
    pub const SHIPPED: Tariff =
        Tariff { per_unit: Secs(360), floor: Secs(2 * 3600), cap: Secs(30 * 86_400), doublings: 4 };

    /// What `units` cost before floor, doubling and cap.
    fn plain(&self, units: Units) -> u64 {
        (u128::from(self.per_unit.0) * u128::from(units.quarters()) / 4).try_into().unwrap_or(u64::MAX)
    }

    /// 2^min(r, doublings).
    pub fn factor(&self, repeats: u32) -> u64 {
        1 << repeats.min(u32::from(self.doublings)).min(63)
    }

    /// The sentence at the trigger.
    pub fn sentence(&self, units: Units, repeats: u32) -> Secs {
        let base = self.plain(units).max(self.floor.0);
        Secs(base.saturating_mul(self.factor(repeats)).min(self.cap.0))
    }

    /// The new end of a block in force when `units` more came at `now`.
    ///
    /// Never earlier than `until`, never beyond now + Dmax (SEN-8).
    pub fn extend(&self, until: Millis, now: Millis, units: Units, repeats: u32) -> Millis {
        let more = Secs(self.plain(units).saturating_mul(self.factor(repeats)));
        until.max(now).plus(more).min(now.plus(self.cap)).max(until)
    }
}

/// How grave a case is, taken at the trigger from U·2^r (D.3).
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Severity {
    /// At most 40 units: up to 4 hours.
    #[n(0)]
    Minor,
    /// At most 240 units: up to a day.
    #[n(1)]
    Moderate,
    /// At most 1 680 units: up to a week.
    #[n(2)]
    Major,
    /// More.
    #[n(3)]
    Extreme,
}

impl Severity {
    /// The band of `units` with `repeats` earlier sentences.
    pub fn of(units: Units, repeats: u32) -> Severity {
        let weight = units.quarters().saturating_mul(1 << repeats.min(4)) / 4;
        match weight {
            0..=40 => Severity::Minor,
            41..=240 => Severity::Moderate,
            241..=1680 => Severity::Major,
            _ => Severity::Extreme,
        }
    }

    /// The word in output.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Minor => "minor",
            Severity::Moderate => "moderate",
            Severity::Major => "major",
            Severity::Extreme => "extreme",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 3600;
    const DAY: u64 = 86_400;

    #[track_caller]
    fn check(units: u64, repeats: u32, expect: u64) {
        assert_eq!(
            Tariff::SHIPPED.sentence(Units::whole(units), repeats),
            Secs(expect),
            "U={units} r={repeats}"
        );
    }

    #[test]
    fn the_vectors_of_the_design() {
        check(1, 0, 2 * HOUR);
        check(1, 3, 16 * HOUR);
        check(34, 0, 3 * HOUR + 24 * 60);
        check(100, 1, 20 * HOUR);
        check(9000, 4, 30 * DAY);
    }

    #[test]
    fn the_table_of_worked_examples_cell_by_cell() {
        // D.3; rows below U = 20 as amended: the floor doubles too.
        let rows: [(u64, [u64; 5]); 9] = [
            (1, [2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, 32 * HOUR]),
            (20, [2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, 32 * HOUR]),
            (30, [3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY]),
            (50, [5 * HOUR, 10 * HOUR, 20 * HOUR, 40 * HOUR, 80 * HOUR]),
            (100, [10 * HOUR, 20 * HOUR, 40 * HOUR, 80 * HOUR, 160 * HOUR]),
            (240, [DAY, 2 * DAY, 4 * DAY, 8 * DAY, 16 * DAY]),
            (500, [50 * HOUR, 100 * HOUR, 200 * HOUR, 400 * HOUR, 30 * DAY]),
            (1000, [100 * HOUR, 200 * HOUR, 400 * HOUR, 30 * DAY, 30 * DAY]),
            (7200, [30 * DAY, 30 * DAY, 30 * DAY, 30 * DAY, 30 * DAY]),
        ];
        for (units, cells) in rows {
            for (repeats, cell) in cells.into_iter().enumerate() {
                check(units, u32::try_from(repeats).unwrap(), cell);
            }
        }
    }

    #[test]
    fn later_units_push_the_end() {
        let tariff = Tariff::SHIPPED;
        let now = Millis::from_secs(1_000_000);
        let until = now.plus(Secs(10 * HOUR));
        // Five more units with one earlier block: an hour. Eight distinct attempts: 12 min.
        assert_eq!(tariff.extend(until, now, Units::whole(5), 1), until.plus(Secs(HOUR)));
        assert_eq!(tariff.extend(until, now, Units::from_quarters(8), 0), until.plus(Secs(720)));
        assert_eq!(tariff.extend(until, now, Units::ZERO, 4), until);
    }

    #[test]
    fn nothing_overflows() {
        check(u64::MAX, 10, 30 * DAY);
        let end = Tariff::SHIPPED.extend(Millis(0), Millis(u64::MAX), Units::whole(u64::MAX), u32::MAX);
        assert_eq!(end, Millis(u64::MAX));
        assert_eq!(Severity::of(Units::whole(u64::MAX), 4), Severity::Extreme);
    }

    #[test]
    fn severity_has_four_bands() {
        for (units, repeats, expect) in [
            (40, 0, Severity::Minor),
            (41, 0, Severity::Moderate),
            (20, 1, Severity::Minor),
            (240, 0, Severity::Moderate),
            (1680, 0, Severity::Major),
            (1681, 0, Severity::Extreme),
            (106, 4, Severity::Extreme),
        ] {
            assert_eq!(Severity::of(Units::whole(units), repeats), expect);
        }
    }

    proptest! {
        #[test]
        fn sen_1_more_units_never_cost_less(a in 0u64..100_000, b in 0u64..100_000, r in 0u32..8) {
            let of = |u| Tariff::SHIPPED.sentence(Units::from_quarters(u), r);
            prop_assert!(of(a.max(b)) >= of(a.min(b)));
        }

        #[test]
        fn sen_2_the_plain_sentence_is_additive(a in 0u64..1_000_000, b in 0u64..1_000_000) {
            let tariff = Tariff::SHIPPED;
            let plain = |u| tariff.plain(Units::from_quarters(u));
            prop_assert_eq!(plain(a) + plain(b), plain(a + b));
        }

        #[test]
        fn sen_8_no_end_lies_beyond_the_cap(u in any::<u64>(), r in any::<u32>(), until in 0u64..1 << 41, now in 0u64..1 << 41) {
            let tariff = Tariff::SHIPPED;
            let (until, now) = (Millis(until), Millis(now));
            let end = tariff.extend(until, now, Units::from_quarters(u), r);
            prop_assert!(end <= now.plus(tariff.cap).max(until));
            prop_assert!(end >= until);
        }
    }
}
