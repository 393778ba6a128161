//! Counts what a network did in the last hour, in bounded memory.
//!
//! Lossy on purpose: it slows down guessing and walking through addresses, and is never
//! evidence. The secret of a link is not guarded by it but by its 128 bits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use model::{Millis, Prefix, Secs};

/// The most networks counted at once: some 200 KiB.
const NETWORKS_MAX: usize = 4096;
/// For so long something counts, from the first of its hour.
const SPAN: Secs = Secs::HOUR;

/// One meter.
#[derive(Debug)]
pub(crate) struct Meter {
    most: u32,
    counts: Mutex<HashMap<Prefix, Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Millis,
    number: u32,
}

impl Meter {
    /// A meter that lets `most` an hour through.
    pub(crate) fn new(most: u32) -> Meter {
        Meter { most, counts: Mutex::default() }
    }

    /// Counts one for the network of `client`; false when there were too many.
    pub(crate) fn take(&self, client: IpAddr, now: Millis) -> bool {
        // A counter is whole after every step, so a poisoned lock is as good as any.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network(client);
        if counts.len() >= NETWORKS_MAX && !counts.contains_key(&network) {
            make_room(&mut counts, now);
        }
        let count = counts.entry(network).or_insert(Count { since: now, number: 0 });
        if is_over(*count, now) {
            *count = Count { since: now, number: 0 };
        }
        count.number = count.number.saturating_add(1);
        count.number <= self.most
    }
}

/// IPv4 /24, IPv6 /48: what one requester may have in hand.
fn network(client: IpAddr) -> Prefix {
    let client = model::key::fold(client);
    Prefix::new(client, if client.is_ipv4() { 24 } else { 48 })
}

fn is_over(count: Count, now: Millis) -> bool {
    now >= count.since.plus(SPAN)
}

/// Forgets what is over, or everything when that is not enough.
fn make_room(counts: &mut HashMap<Prefix, Count>, now: Millis) {
    counts.retain(|_, count| !is_over(*count, now));
    if counts.len() >= NETWORKS_MAX {
        counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis::from_secs(1_795_300_807);

    fn takes(meter: &Meter, client: &str, at: Millis) -> bool {
        meter.take(client.parse().unwrap(), at)
    }

    #[test]
    fn a_network_has_its_number_an_hour() {
        let meter = Meter::new(2);
        assert!(takes(&meter, "192.0.2.1", NOW));
        assert!(takes(&meter, "::ffff:192.0.2.9", NOW));
        assert!(!takes(&meter, "192.0.2.200", NOW));
        assert!(takes(&meter, "192.0.3.1", NOW));
        assert!(!takes(&meter, "192.0.2.1", Millis(NOW.plus(SPAN).0 - 1)));
        assert!(takes(&meter, "192.0.2.1", NOW.plus(SPAN)));
    }

    #[test]
    fn ipv6_counts_by_48() {
        let meter = Meter::new(1);
        assert!(takes(&meter, "2001:db8:1:2::1", NOW));
        assert!(!takes(&meter, "2001:db8:1:3::1", NOW));
        assert!(takes(&meter, "2001:db8:2::1", NOW));
    }

    #[test]
    fn its_memory_is_bounded() {
        let meter = Meter::new(1);
        for n in 0..20_000_u32 {
            meter.take(IpAddr::V4((n << 8).into()), NOW);
        }
        assert!(meter.counts.lock().unwrap().len() <= NETWORKS_MAX);
    }
}
