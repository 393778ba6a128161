//! Finds the session that another sensor has reported already: by client, sender and time.
//!
//! Only where neither the MTA's instance nor a queue id says so (DESIGN §4): the same
//! address and port, the same sender, within two minutes, and not yet reported by the
//! sensor that asks. So the second message of a connection is a second one, and each sensor
//! meets it in turn. Where a sensor does not know the port, the recipient stands for it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use model::{Millis, PersonHash, Secs, Sensor};

use crate::seeded::Seeded;

/// Two sensors' times of one message differ by at most this (DESIGN §4).
pub(crate) const APART_MAX: Secs = Secs(120);
/// Sessions of one client and sender that are looked at in each direction of time: bounds
/// the work of a flood.
const LOOKS_MAX: usize = 32;
/// Sets of sensors that take part.
const SETS: usize = 8;

/// The sensors that take part, as a bit; others name the message themselves.
pub(crate) fn bit(sensor: Sensor) -> u8 {
    match sensor {
        Sensor::Milter => 1,
        Sensor::Policy => 2,
        Sensor::MailLog => 4,
        Sensor::Filter | Sensor::Replay | Sensor::Report => 0,
    }
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Spot {
    /// Hash of address and sender.
    pub(crate) hash: u64,
    pub(crate) at: Millis,
    pub(crate) tag: u64,
}

/// Sessions by the set of sensors that reported them, then by client and time.
#[derive(Debug, Default)]
pub(crate) struct Connections([BTreeSet<(u64, Millis, u64)>; SETS]);

impl Connections {
    /// The hash of a client's address and the sender it names.
    pub(crate) fn hash(seeded: Seeded, addr: IpAddr, sender: Option<PersonHash>) -> u64 {
        let addr = match addr {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let folded = seeded.pair((addr >> 64) as u64, addr as u64);
        seeded.pair(folded, sender.map_or(0, |PersonHash(who)| who))
    }

    pub(crate) fn insert(&mut self, seen_by: u8, spot: Spot) {
        if seen_by != 0 {
            self.0[seen_by as usize % SETS].insert((spot.hash, spot.at, spot.tag));
        }
    }

    pub(crate) fn remove(&mut self, seen_by: u8, spot: Spot) {
        self.0[seen_by as usize % SETS].remove(&(spot.hash, spot.at, spot.tag));
    }

    /// Tags of sessions that `sensor` has not reported, of this client, near in time, with
    /// how many milliseconds they are apart.
    pub(crate) fn near(&self, sensor: u8, hash: u64, at: Millis) -> impl Iterator<Item = (u64, u64)> {
        let others = (1..SETS).filter(move |set| sensor != 0 && set & sensor as usize == 0);
        let sets = others.map(|set| &self.0[set]).filter(|set| !set.is_empty());
        sets.flat_map(move |set| {
            let after = set.range((hash, at, 0)..=(hash, at.plus(APART_MAX), u64::MAX)).take(LOOKS_MAX);
            let before = set.range((hash, at.minus(APART_MAX), 0)..(hash, at, 0)).rev().take(LOOKS_MAX);
            after.chain(before).map(move |(_, then, tag)| (then.0.abs_diff(at.0), *tag))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_000_000_000);

    fn spot(secs: u64, tag: u64) -> Spot {
        Spot { hash: 7, at: START.plus(Secs(secs)), tag }
    }

    fn near(all: &Connections, sensor: Sensor, secs: u64) -> Vec<u64> {
        let mut tags: Vec<_> = all.near(bit(sensor), 7, START.plus(Secs(secs))).map(|(_, tag)| tag).collect();
        tags.sort_unstable();
        tags
    }

    #[test]
    fn a_sensor_finds_what_others_reported_within_two_minutes() {
        let mut all = Connections::default();
        all.insert(bit(Sensor::Policy), spot(0, 1));
        all.insert(bit(Sensor::Policy), spot(200, 2));
        all.insert(bit(Sensor::Policy) | bit(Sensor::Milter), spot(100, 3));
        assert_eq!(near(&all, Sensor::Milter, 100), [1, 2]);
        assert_eq!(near(&all, Sensor::MailLog, 121), [2, 3]);
        assert_eq!(near(&all, Sensor::Policy, 100), [0u64; 0]);
        assert_eq!(near(&all, Sensor::Filter, 100), [0u64; 0]);
        all.remove(bit(Sensor::Policy), spot(0, 1));
        assert_eq!(near(&all, Sensor::Milter, 100), [2]);
    }

    #[test]
    fn a_flood_is_not_looked_through() {
        let mut all = Connections::default();
        (0..5000).for_each(|tag| all.insert(2, spot(60, tag)));
        assert_eq!(near(&all, Sensor::Milter, 60).len(), LOOKS_MAX);
    }
}
