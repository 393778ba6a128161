//! What is left of keys that were forgotten for lack of room: a trace by network.
//!
//! A flood of addresses pushes keys out of memory with units that no sentence has used.
//! They are summed by IPv4 /24 and IPv6 /48 (REQUIREMENTS C.0, ADV-11), so that an operator
//! sees where the flood came from. Nothing is decided by these sums. Bounded: the network
//! with the least to tell gives way.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use model::{Millis, Prefix, Secs, Units};

/// Networks remembered at once; each is about a hundred bytes.
pub const NETWORKS_MAX: usize = 4096;
/// A network is forgotten when nothing was added for so long: units count for a week, too.
const KEPT: Secs = Secs(7 * 86_400);
/// … and good mail for thirty days.
const GOOD_KEPT: Secs = Secs(30 * 86_400);
/// A flood must not make us look at every network for each of its keys.
const SWEEP_AGAIN_AFTER: Secs = Secs::HOUR;

/// What keys of one network left behind.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
pub struct Trace {
    /// How many keys were forgotten, or found no room.
    #[n(0)]
    pub keys: u64,
    /// Units of theirs that no sentence has used.
    #[n(1)]
    pub units: Units,
    /// When the first and the last of them went.
    #[n(2)]
    pub first: Millis,
    /// See `first`.
    #[n(3)]
    pub last: Millis,
    /// Good messages that they had sent in 30 days.
    #[n(4)]
    #[cbor(default)]
    pub good: u64,
}

impl Trace {
    /// The more, the later it gives way.
    fn weight(&self) -> u64 {
        self.units.quarters().saturating_add(self.keys).saturating_add(self.good)
    }

    /// Whether it tells anything at `now`.
    fn counts(&self, now: Millis) -> bool {
        now.since(self.last) < if self.good > 0 { GOOD_KEPT } else { KEPT }
    }
}

/// Traces by network.
#[derive(Debug, Default)]
pub(crate) struct Rollup {
    traces: BTreeMap<Prefix, Trace>,
    /// The same networks, least weight first.
    by_weight: BTreeSet<(u64, Prefix)>,
    swept_at: Millis,
}

/// The stored form.
#[derive(Debug, Decode, Encode)]
pub(crate) struct StoredRollup {
    #[n(0)]
    traces: Vec<(Prefix, Trace)>,
    #[n(1)]
    swept_at: Millis,
}

impl Rollup {
    /// Adds a key that went at `now` with `units`, and with so much good mail.
    pub(crate) fn add(&mut self, key: Prefix, units: Units, good: u64, now: Millis) {
        let network = network_of(key);
        if !self.traces.contains_key(&network) {
            self.make_room(now);
        }
        let trace = self.traces.entry(network).or_insert(Trace { first: now, ..Trace::default() });
        self.by_weight.remove(&(trace.weight(), network));
        trace.keys = trace.keys.saturating_add(1);
        (trace.units, trace.last) = (trace.units.plus(units), now);
        trace.good = trace.good.saturating_add(good);
        self.by_weight.insert((trace.weight(), network));
    }

    fn make_room(&mut self, now: Millis) {
        if self.traces.len() >= NETWORKS_MAX && now.since(self.swept_at) >= SWEEP_AGAIN_AFTER {
            self.sweep(now);
        }
        if self.traces.len() >= NETWORKS_MAX
            && let Some((_, least)) = self.by_weight.pop_first()
        {
            self.traces.remove(&least);
        }
    }

    fn sweep(&mut self, now: Millis) {
        self.swept_at = now;
        self.traces.retain(|_, trace| trace.counts(now));
        self.by_weight = by_weight(&self.traces);
    }

    /// Good mail of forgotten keys inside a network, or around it where it is smaller than
    /// what leaves one trace.
    pub(crate) fn good(&self, network: Prefix, now: Millis) -> u64 {
        let (first, last) = model::atlas::ends(network);
        let traces = self.traces.range(network_of(Prefix::host(first))..=Prefix::host(last));
        let inside = traces.filter(|(net, trace)| net.overlaps(network) && trace.counts(now));
        inside.map(|(_, trace)| trace.good).fold(0, u64::saturating_add)
    }

    /// All traces, by network.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Prefix, Trace)> {
        self.traces.iter().map(|(network, trace)| (*network, *trace))
    }

    pub(crate) fn store(&self) -> StoredRollup {
        StoredRollup { traces: self.iter().collect(), swept_at: self.swept_at }
    }

    pub(crate) fn restore(stored: StoredRollup) -> Rollup {
        let traces = stored.traces.into_iter().collect();
        Rollup { by_weight: by_weight(&traces), traces, swept_at: stored.swept_at }
    }
}

fn by_weight(traces: &BTreeMap<Prefix, Trace>) -> BTreeSet<(u64, Prefix)> {
    traces.iter().map(|(network, trace)| (trace.weight(), *network)).collect()
}

/// The network whose trace a key leaves.
fn network_of(key: Prefix) -> Prefix {
    let len = if matches!(key, Prefix::V4(..)) { 24 } else { 48 };
    Prefix::new(key.addr(), key.bits().min(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis::from_secs(1_000_000_000);

    fn key(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn nth(n: u32) -> Prefix {
        Prefix::new(std::net::Ipv4Addr::from_bits(0x0b00_0000 + n * 256).into(), 32)
    }

    #[test]
    fn keys_of_one_network_leave_one_trace() {
        let mut rollup = Rollup::default();
        rollup.add(key("192.0.2.1"), Units::whole(2), 0, NOW);
        rollup.add(key("192.0.2.9"), Units::whole(1), 0, NOW.plus(Secs(60)));
        rollup.add(key("2001:db8:1:2::/64"), Units::ZERO, 0, NOW);
        let traces: Vec<_> = rollup.iter().collect();
        let both = Trace { keys: 2, units: Units::whole(3), first: NOW, last: NOW.plus(Secs(60)), good: 0 };
        assert_eq!(traces[0], (key("192.0.2.0/24"), both));
        assert_eq!((traces[1].0, traces[1].1.keys), (key("2001:db8:1::/48"), 1));
    }

    #[test]
    fn the_network_with_the_least_to_tell_gives_way() {
        let mut rollup = Rollup::default();
        rollup.add(nth(0), Units::whole(9), 0, NOW);
        (1..=5000).for_each(|n| rollup.add(nth(n), Units::ZERO, 0, NOW));
        (1..=5000).for_each(|n| rollup.add(nth(n), Units::ZERO, 0, NOW));
        assert_eq!(rollup.iter().count(), NETWORKS_MAX);
        assert_eq!(rollup.by_weight.len(), NETWORKS_MAX);
        assert_eq!(rollup.iter().next().unwrap().0, network_of(nth(0)));
    }

    #[test]
    fn a_week_without_news_is_forgotten_when_room_is_needed() {
        let mut rollup = Rollup::default();
        (0..4096).for_each(|n| rollup.add(nth(n), Units::whole(1), 0, NOW));
        rollup.add(nth(9000), Units::ZERO, 0, NOW.plus(KEPT));
        assert_eq!((rollup.iter().count(), rollup.by_weight.len()), (1, 1));
    }
}
