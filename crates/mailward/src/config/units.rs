//! Values with a unit: durations, sizes, percent.
//!
//! A number without its unit is refused: `floor = 6` has been six seconds, minutes and
//! hours in other programs.

use model::Secs;

use super::forms::{Fault, Written};

/// A unit's names and how many of the smallest make one: the first name is canonical,
/// the others are only recognised, to be corrected.
struct Unit {
    size: u64,
    names: &'static [&'static str],
}

/// Units of time, largest first.
const TIME: &[Unit] = &[
    Unit { size: 86_400, names: &["d", "day", "days"] },
    Unit { size: 3600, names: &["h", "hr", "hrs", "hour", "hours"] },
    Unit { size: 60, names: &["min", "m", "mins", "minute", "minutes"] },
    Unit { size: 1, names: &["s", "sec", "secs", "second", "seconds"] },
];

/// Units of size, largest first.
const SIZE: &[Unit] = &[
    Unit { size: 1 << 40, names: &["TiB", "tb", "t"] },
    Unit { size: 1 << 30, names: &["GiB", "gb", "g"] },
    Unit { size: 1 << 20, names: &["MiB", "mb", "m"] },
    Unit { size: 1 << 10, names: &["KiB", "kb", "k"] },
    Unit { size: 1, names: &["B", "byte", "bytes"] },
];

/// A number with a unit as it is written.
struct Amount<'a> {
    digits: &'a str,
    unit: &'a str,
}

/// Splits `3 h 24 min` into its amounts; `None` when a number or a unit is missing.
fn amounts(text: &str) -> Option<Vec<Amount<'_>>> {
    let mut rest = text.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (digits, after) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_where(after.trim_start(), |c| !c.is_ascii_alphabetic());
        if digits.is_empty() || unit.is_empty() {
            return None;
        }
        found.push(Amount { digits, unit });
        rest = after.trim_start();
    }
    (!found.is_empty()).then_some(found)
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// The sum of all amounts in the smallest unit, if units stand as they should, largest first.
fn sum(text: &str, units: &[Unit]) -> Result<u64, Fault> {
    let amounts = amounts(text).ok_or_else(Fault::default)?;
    let exact = |amount: &Amount<'_>| units.iter().find(|u| u.names.first() == Some(&amount.unit));
    let mut total: u64 = 0;
    let mut above = u64::MAX;
    for amount in &amounts {
        let unit = exact(amount).ok_or_else(|| Fault::meant(corrected(&amounts, units)))?;
        let number: u64 = amount.digits.parse().map_err(|_| Fault::default())?;
        let more = number.checked_mul(unit.size).filter(|_| unit.size < above);
        total = more.and_then(|m| total.checked_add(m)).ok_or_else(Fault::default)?;
        above = unit.size;
    }
    Ok(total)
}

/// The same amounts with canonical unit names, if all are known.
fn corrected(amounts: &[Amount<'_>], units: &[Unit]) -> Option<String> {
    let one = |amount: &Amount<'_>| {
        let known = |u: &&Unit| u.names.iter().any(|name| name.eq_ignore_ascii_case(amount.unit));
        let unit = units.iter().find(known)?.names.first()?;
        Some(format!("{} {unit}", amount.digits))
    };
    Some(amounts.iter().map(one).collect::<Option<Vec<_>>>()?.join(" "))
}

/// `amount` in all units that it has, largest first: exact, unlike a text for people.
fn exact(amount: u64, units: &[Unit]) -> String {
    let mut rest = amount;
    let mut parts = Vec::new();
    for unit in units {
        if rest >= unit.size || (unit.size == 1 && parts.is_empty()) {
            parts.push(format!("{} {}", rest / unit.size, unit.names.first().unwrap_or(&"")));
            rest %= unit.size;
        }
    }
    parts.join(" ")
}

impl Written for Secs {
    const HAS_UNIT: bool = true;

    fn expected() -> String {
        "a duration with a unit (s, min, h or d)".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        sum(text, TIME).map(Secs)
    }

    fn text(&self) -> String {
        exact(self.0, TIME)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Bytes(pub(super) u64);

impl Written for Bytes {
    const HAS_UNIT: bool = true;

    fn expected() -> String {
        "a size with a unit (KiB, MiB or GiB)".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        sum(text, SIZE).map(Bytes)
    }

    fn text(&self) -> String {
        exact(self.0, SIZE)
    }
}

/// A share in percent, 0 to 100.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Percent(pub(super) u32);

impl Written for Percent {
    const HAS_UNIT: bool = true;

    fn expected() -> String {
        "a share from \"0 %\" to \"100 %\"".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let number = text.trim().strip_suffix('%').and_then(|n| n.trim_end().parse().ok());
        number.filter(|n| *n <= 100).map(Percent).ok_or_else(Fault::default)
    }

    fn text(&self) -> String {
        format!("{} %", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Written>(text: &str, expect: &str) {
        let got = T::parse(text).map_or_else(
            |fault| fault.meant.map_or("error".to_owned(), |m| format!("error: {m}?")),
            |value| value.text(),
        );
        assert_eq!(got, expect);
    }

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        check::<Secs>("6 min", "6 min");
        check::<Secs>("24h", "1 d");
        check::<Secs>(" 30  d ", "30 d");
        check::<Secs>("3 h 24 min", "3 h 24 min");
        check::<Secs>("1 d 1 h 1 min 1 s", "1 d 1 h 1 min 1 s");
        check::<Secs>("0 s", "0 s");
    }

    #[test]
    fn other_names_of_units_are_corrected_but_not_taken() {
        check::<Secs>("6 hours", "error: 6 h?");
        check::<Secs>("5m", "error: 5 min?");
        check::<Secs>("1 Day 2 hrs", "error: 1 d 2 h?");
        check::<Bytes>("64 MB", "error: 64 MiB?");
        check::<Bytes>("64 mib", "error: 64 MiB?");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "6", "min", "h 6", "-6 h", "1.5 h", "6 parsecs", "24 min 3 h", "6 h 6 h", "6 h 1"] {
            check::<Secs>(text, "error");
        }
        check::<Secs>("18446744073709551615 d", "error");
        check::<Secs>("99999999999999999999 s", "error");
    }

    #[test]
    fn a_size_is_shown_in_its_largest_units() {
        check::<Bytes>("64 MiB", "64 MiB");
        check::<Bytes>("2048 MiB", "2 GiB");
        check::<Bytes>("65536 B", "64 KiB");
        check::<Bytes>("64 XiB", "error");
    }

    #[test]
    fn a_share_ends_at_a_hundred() {
        check::<Percent>("60 %", "60 %");
        check::<Percent>("100%", "100 %");
        check::<Percent>("101 %", "error");
        check::<Percent>("60", "error");
    }
}
