//! Finds the session that another sensor has reported already: by client, sender and time.
//!
//! Only where neither the MTA's instance nor a queue id says so (DESIGN §4): the same
//! address and port, the same sender, within two minutes, and not yet reported by the
//! sensor that asks. So the second message of a connection is a second one, and each sensor
//! meets it in turn. Where a sensor does not know the port, the recipient stands for it.
//!
//! Sessions of one address and sender are a chain from the newest to older ones; each holds
//! the tag of the one before it.

use std::net::IpAddr;

use model::{PersonHash, Secs, Sensor};

use crate::seeded::Seeded;

/// Two sensors' times of one message differ by at most this (DESIGN §4).
pub(crate) const APART_MAX: Secs = Secs(120);
/// Sessions of one chain that are looked at: bounds the work of a flood. Sensors are
/// seconds apart at most, so what is asked for is among the newest.
pub(crate) const LOOKS_MAX: usize = 32;

/// The sensors that take part, as a bit; others name the message themselves.
pub(crate) fn bit(sensor: Sensor) -> u8 {
    match sensor {
        Sensor::Milter => 1,
        Sensor::Policy => 2,
        Sensor::MailLog => 4,
        Sensor::Filter | Sensor::Replay | Sensor::Report => 0,
    }
}

/// The chain of a client's address and the sender it names.
pub(crate) fn chain(seeded: Seeded, addr: IpAddr, sender: Option<PersonHash>) -> u64 {
    let sender = sender.map_or(0, |PersonHash(who)| who);
    match addr {
        IpAddr::V4(v4) => seeded.pair(v4.to_bits().into(), sender),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            seeded.pair(seeded.pair((bits >> 64) as u64, bits as u64), sender)
        }
    }
}
