//! Ranges of addresses out of lists that others publish.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::error::TaskError;
use crate::run;

/// Unpacking a list of some 100 KB takes a moment.
const UNPACK_LIMIT: Duration = Duration::from_secs(60);

/// Addresses as disjoint ranges, both ends included, IPv4 as mapped IPv6.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    /// Reads a list: JSON with `list`, plain lines, or either packed with xz.
    pub(super) fn read(path: &Path) -> Result<Self, TaskError> {
        let text = if path.extension().is_some_and(|end| end == "xz") {
            run::output(Command::new("xzcat").arg(path), UNPACK_LIMIT)?
        } else {
            fs::read_to_string(path).map_err(TaskError::file(path))?
        };
        let unreadable = |got: &str| TaskError::Unreadable {
            what: path.display().to_string(),
            expected: "addresses and prefixes",
            got: got.chars().take(80).collect(),
        };
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(list)) => {
                let entries =
                    list.get("list").and_then(Value::as_array).ok_or_else(|| unreadable("no list"))?;
                Self::of(entries.iter().filter_map(Value::as_str)).map_err(unreadable)
            }
            _ => Self::of(text.lines()).map_err(unreadable),
        }
    }

    /// Takes prefixes and addresses, one each; what follows a `#` does not count. The error
    /// is the entry that is neither.
    fn of<'a>(entries: impl Iterator<Item = &'a str>) -> Result<Self, &'a str> {
        let entries = entries.map(|entry| entry.split('#').next().unwrap_or("").trim());
        let ranges = entries.filter(|entry| !entry.is_empty()).map(|entry| range(entry).ok_or(entry));
        let mut ranges: Vec<_> = ranges.collect::<Result<_, _>>()?;
        ranges.sort_unstable();
        ranges.dedup_by(|next, last| {
            let joins = next.0 <= last.1;
            last.1 = if joins { last.1.max(next.1) } else { last.1 };
            joins
        });
        Ok(Self(ranges))
    }

    /// Whether an address lies in one of them.
    pub(super) fn hold(&self, addr: IpAddr) -> bool {
        self.meet(bits(addr), bits(addr))
    }

    /// Whether an address or prefix shares an address with one of them.
    pub(super) fn touch(&self, key: &str) -> bool {
        range(key).is_some_and(|(first, last)| self.meet(first, last))
    }

    fn meet(&self, first: u128, last: u128) -> bool {
        let at = self.0.partition_point(|range| range.1 < first);
        self.0.get(at).is_some_and(|range| range.0 <= last)
    }
}

fn bits(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => addr.to_ipv6_mapped().to_bits(),
        IpAddr::V6(addr) => addr.to_bits(),
    }
}

fn range(entry: &str) -> Option<(u128, u128)> {
    let (addr, len) = entry.split_once('/').map_or((entry, None), |(addr, len)| (addr, Some(len)));
    let addr: IpAddr = addr.parse().ok()?;
    let width: u32 = if addr.is_ipv4() { 32 } else { 128 };
    let len: u32 = len.map_or(Some(width), |len| len.parse().ok())?;
    let free = width.checked_sub(len)?;
    let low = u128::MAX.checked_shr(128 - free).unwrap_or(0);
    Some((bits(addr) & !low, bits(addr) | low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, key: &str, expect: bool) {
        let ranges = Ranges::of(list.split(' ')).unwrap();
        assert_eq!(ranges.touch(key), expect, "{key} in {list}");
    }

    #[test]
    fn a_key_touches_a_range_that_shares_an_address_with_it() {
        check("192.0.2.0/25 198.51.100.7", "192.0.2.127", true);
        check("192.0.2.0/25 198.51.100.7", "192.0.2.128", false);
        check("192.0.2.0/25 198.51.100.7", "198.51.100.0/24", true);
        check("192.0.2.0/24 192.0.2.8/29 192.0.2.64", "192.0.2.200", true);
        check("2001:db8:1::/48 192.0.2.1 #x", "2001:db8:1:2::/64", true);
        check("::/0", "2001:db8::1", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("0.0.0.0/0", "203.0.113.1", true);
    }

    #[test]
    fn an_entry_that_is_no_range_is_an_error() {
        for entry in ["example.org", "192.0.2.0/33", "192.0.2.0/x"] {
            assert_eq!(Ranges::of([entry].into_iter()).unwrap_err(), entry);
        }
    }
}
