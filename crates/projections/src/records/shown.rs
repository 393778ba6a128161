//! Own bulk lists, as far as they go into zones (STD-83: those of others do not).

use std::net::IpAddr;
use std::sync::Arc;

use model::{Codes, FeedKind, Millis, Prefix};

use super::{Bulk, Scope};
use crate::View;
use crate::feeds::{Feed, FeedEntry, Said};

/// One list as zones show it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The list's file.
    pub hash: [u8; 32],
    /// Its addresses.
    pub bulk: Arc<Bulk>,
    /// Names with how far they reach.
    pub names: Vec<(Box<str>, Scope)>,
    /// When something of it ends next.
    pub due: Millis,
}

/// The lists in force that are ours, of which nothing has ended since it was made.
pub fn is_current(shown: &[Shown], view: &View, now: Millis) -> bool {
    let ours: Vec<_> = ours(view, now).collect();
    ours.len() == shown.len()
        && ours.iter().zip(shown).all(|(feed, shown)| feed.hash == shown.hash && shown.due > now)
}

/// The same lists, made anew where it must be.
pub fn show(shown: &[Shown], view: &View, now: Millis) -> Vec<Shown> {
    let known = |feed: &Feed| shown.iter().find(|shown| shown.hash == feed.hash && shown.due > now).cloned();
    ours(view, now).map(|feed| known(feed).unwrap_or_else(|| of(feed, now))).collect()
}

fn ours(view: &View, now: Millis) -> impl Iterator<Item = &Feed> {
    let in_force = move |feed: &&Feed| feed.kind == FeedKind::Curated && !feed.is_missing && feed.until > now;
    view.feeds.iter().map(Arc::as_ref).filter(in_force)
}

fn of(feed: &Feed, now: Millis) -> Shown {
    let (now_min, mut due) = (now.minute(), feed.until);
    let mut hold = |entry: FeedEntry| {
        let holds = entry.holds(now_min);
        if let Some(end) = entry.until_min.filter(|_| holds) {
            due = due.min(Millis::from_secs(u64::from(end) * 60));
        }
        holds
    };
    let spans: Vec<_> = feed.flat.entries().filter(|span| hold(span.entry)).collect();
    let mut codes = |said| match said {
        Said::Listed(entry) if hold(entry) => Codes::of(entry.code),
        _ => Codes::NONE,
    };
    let named = feed
        .names
        .entries()
        .map(|named| (Box::from(named.name), Scope { name: codes(named.own), below: codes(named.below) }));
    let names = named.filter(|(_, scope)| *scope != Scope::default()).collect();
    let prefixes = spans
        .iter()
        .flat_map(|span| prefixes(span.first, span.last).into_iter().map(|prefix| (prefix, span.entry.code)));
    Shown { hash: feed.hash, bulk: Arc::new(Bulk::new(prefixes)), names, due }
}

/// The prefixes that together are a range.
fn prefixes(first: IpAddr, last: IpAddr) -> Vec<Prefix> {
    let (mut from, to, full) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (first.to_bits().into(), last.to_bits().into(), 32u32),
        (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits(), last.to_bits(), 128),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    while from <= to {
        let aligned = from.trailing_zeros().min(full);
        // Not even an IPv6 list has all 2^128 addresses.
        let fits = (to - from).saturating_add(1).ilog2();
        let (free, len) = (aligned.min(fits), full - aligned.min(fits));
        let addr = if full == 32 {
            IpAddr::from(std::net::Ipv4Addr::from_bits(from as u32))
        } else {
            std::net::Ipv6Addr::from_bits(from).into()
        };
        found.push(Prefix::new(addr, len as u8));
        match from.checked_add(1u128.checked_shl(free).unwrap_or(0)) {
            Some(next) if free < 128 => from = next,
            _ => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_fewest_prefixes() {
        #[track_caller]
        fn check(first: &str, last: &str, expect: &[&str]) {
            let found = prefixes(first.parse().unwrap(), last.parse().unwrap());
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
        }
        check("192.0.2.0", "192.0.2.255", &["192.0.2.0/24"]);
        check("192.0.2.1", "192.0.2.6", &["192.0.2.1", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6"]);
        check("255.255.255.255", "255.255.255.255", &["255.255.255.255"]);
        check("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", &["2001:db8::/64"]);
        check("2001:db8::1", "192.0.2.1", &[]);
        let all = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        check(all, all, &[all]);
    }
}
