//! Points of time as texts, in UTC, without a calendar library.
//!
//! ISO 8601 dates with minutes for people, RFC 3339 for programs.

use std::fmt;

use model::Millis;
use serde::{Serialize, Serializer};

/// The last second that has four digits of year.
const LAST: u64 = 253_402_300_799;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// A point of time and how much of it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct When {
    secs: u64,
    grain: Grain,
}

/// How finely a time is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Grain {
    Day,
    Minute,
    Second,
}

impl When {
    /// The day; of trap hits nothing finer is told (D.6).
    pub fn day(at: Millis) -> When {
        When::at(at.secs() / DAY * DAY, Grain::Day)
    }

    /// The minute in which something happened.
    pub fn minute(at: Millis) -> When {
        When::at(at.secs() / MINUTE * MINUTE, Grain::Minute)
    }

    /// The minute at which something is over: rounded up, so that it is true then.
    pub fn minute_up(at: Millis) -> When {
        When::at(at.0.div_ceil(1000).div_ceil(MINUTE).saturating_mul(MINUTE), Grain::Minute)
    }

    /// The hour in which something happened.
    pub fn hour(at: Millis) -> When {
        When::at(at.secs() / HOUR * HOUR, Grain::Minute)
    }

    /// The hour at which something is over.
    pub fn hour_up(at: Millis) -> When {
        When::at(at.0.div_ceil(1000).div_ceil(HOUR).saturating_mul(HOUR), Grain::Minute)
    }

    /// The second.
    pub fn second(at: Millis) -> When {
        When::at(at.secs(), Grain::Second)
    }

    fn at(secs: u64, grain: Grain) -> When {
        When { secs: secs.min(LAST), grain }
    }

    /// For programs: `2026-11-21T22:40:00Z`, or `2026-11-21` for a day.
    pub fn rfc3339(&self) -> String {
        let (hour, minute, second) = self.clock();
        match self.grain {
            Grain::Day => self.date(),
            _ => format!("{}T{hour:02}:{minute:02}:{second:02}Z", self.date()),
        }
    }

    fn date(&self) -> String {
        let (year, month, day) = civil(self.secs / DAY);
        format!("{year:04}-{month:02}-{day:02}")
    }

    fn clock(&self) -> (u64, u64, u64) {
        let second = self.secs % DAY;
        (second / HOUR, second / MINUTE % 60, second % 60)
    }
}

impl fmt::Display for When {
    /// For people: `2026-11-21 22:40 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((hour, minute, second), date) = (self.clock(), self.date());
        match self.grain {
            Grain::Day => f.write_str(&date),
            Grain::Minute => write!(f, "{date} {hour:02}:{minute:02} UTC"),
            Grain::Second => write!(f, "{date} {hour:02}:{minute:02}:{second:02} UTC"),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar.
///
/// Counts in years that begin on 1 March, so that the leap day is the last of its year,
/// and in eras of 400 years, after which the calendar repeats.
fn civil(day: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let shifted = day + 719_468; // days from 0000-03-01 to 1970-01-01
    let of_era = shifted % ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = shifted / ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(secs: u64, date_and_time: &str) {
        assert_eq!(When::second(Millis::from_secs(secs)).rfc3339(), date_and_time);
    }

    #[test]
    fn dates_follow_the_calendar() {
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_795_300_807, "2026-11-21T22:40:07Z");
        check(4_107_542_399, "2100-02-28T23:59:59Z");
        check(4_107_542_400, "2100-03-01T00:00:00Z");
        check(u64::MAX, "9999-12-31T23:59:59Z");
    }

    #[test]
    fn every_day_of_a_century_follows_the_day_before() {
        let mut before = civil(10_956);
        assert_eq!(before, (1999, 12, 31));
        for day in 10_957..10_957 + 36_525 {
            let (year, month, date) = civil(day);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let lengths = [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let follows = match before {
                (y, 12, 31) => (y + 1, 1, 1),
                (y, m, d) if y == year && d == lengths[m as usize - 1] => (y, m + 1, 1),
                (y, m, d) => (y, m, d + 1),
            };
            assert_eq!((year, month, date), follows);
            before = follows;
        }
    }

    #[test]
    fn an_end_rounds_up_and_a_beginning_down() {
        let at = Millis(1_795_300_807_001);
        assert_eq!(When::minute(at).to_string(), "2026-11-21 22:40 UTC");
        assert_eq!(When::minute_up(at).to_string(), "2026-11-21 22:41 UTC");
        assert_eq!(When::minute_up(Millis(1_795_300_800_000)).to_string(), "2026-11-21 22:40 UTC");
        assert_eq!(When::minute_up(Millis(1_795_300_800_001)).to_string(), "2026-11-21 22:41 UTC");
        assert_eq!(When::hour(at).to_string(), "2026-11-21 22:00 UTC");
        assert_eq!(When::hour_up(at).to_string(), "2026-11-21 23:00 UTC");
        assert_eq!(When::second(at).to_string(), "2026-11-21 22:40:07 UTC");
        assert_eq!((When::day(at).to_string(), When::day(at).rfc3339().len()), ("2026-11-21".into(), 10));
    }

    #[test]
    fn no_time_is_too_late() {
        for at in [When::minute_up(Millis(u64::MAX)), When::hour_up(Millis(u64::MAX))] {
            assert_eq!(at.rfc3339(), "9999-12-31T23:59:59Z");
        }
    }
}
