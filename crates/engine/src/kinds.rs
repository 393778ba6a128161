//! In which way a key is blocked for an offence (S15, S16): the table of C.2 and what softens
//! it for one key.
//!
//! A null route drops packets and answers nobody, so it is for strangers only (OFF-5, OFF-6),
//! and so many a minute at most (G-CAP). What is beyond is blocked in the milder way: a
//! botnet must not disarm us.

use minicbor::{Decode, Encode};
use model::{BlockKind, Class, Millis, Offence, Policy};

use crate::entry::Entry;

/// The kind of a block for `offence`, if one begins now.
pub(crate) fn kind_of(offence: Offence, class: Class, entry: &Entry, now: Millis) -> BlockKind {
    let spared = match offence {
        Offence::Dictionary => class >= Class::Known || is_spared(class, entry, now),
        // Its rule fires for nobody who is better known.
        Offence::Flood => class >= Class::Established,
        _ => false,
    };
    if spared { BlockKind::Rbl } else { BlockKind::of(offence) }
}

/// DESIGN §8: an unknown key with FCrDNS and any accepted recipient gets the milder block
/// first, the null route on the second offence in seven days.
fn is_spared(class: Class, entry: &Entry, now: Millis) -> bool {
    let record = &entry.record;
    class == Class::Unknown && record.was_taken(now) && !record.was_spared(now)
}

/// The meter of G-CAP: null routes of this minute.
#[derive(Clone, Copy, Debug, Decode, Default, Encode)]
pub(crate) struct NullRoutes {
    #[n(0)]
    minute: u32,
    #[n(1)]
    count: u32,
}

impl NullRoutes {
    /// Whether another null route may begin; counts it.
    pub(crate) fn take(&mut self, policy: &Policy, now: Millis) -> bool {
        let minute = now.minute();
        if self.minute != minute {
            *self = NullRoutes { minute, count: 0 };
        }
        let room = self.count < policy.guards.null_routes_per_minute();
        self.count += u32::from(room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every offence there is, by its number.
    fn all() -> impl Iterator<Item = Offence> {
        (0..=u8::MAX).filter_map(|n| minicbor::decode(&minicbor::to_vec(n).ok()?).ok())
    }

    #[test]
    fn s16_of_all_offences_two_null_route_strangers_and_none_anybody_else() {
        let now = Millis::from_secs(1_000_000_000);
        let entry = Entry::new(now);
        let routed = |class| -> Vec<Offence> {
            all().filter(|o| kind_of(*o, class, &entry, now) == BlockKind::NullRoute).collect()
        };
        for class in [Class::Dynamic, Class::NoRdns, Class::Unknown] {
            assert_eq!(routed(class), [Offence::Dictionary, Offence::Flood], "{class:?}");
        }
        assert_eq!(routed(Class::Known), [Offence::Flood]);
        let trusted =
            [Class::Established, Class::ListHost, Class::Forwarder, Class::Shared, Class::Protected];
        assert!(trusted.into_iter().all(|class| routed(class).is_empty()));
    }

    #[test]
    fn g_cap_twenty_null_routes_begin_in_a_minute() {
        let (policy, at) = (Policy::shipped(), |n: u64| Millis::from_secs(1_000_000_020 + n));
        let mut meter = NullRoutes::default();
        assert_eq!((0..60).filter(|n| meter.take(&policy, at(*n))).count(), 20);
        assert!(meter.take(&policy, at(60)), "and more in the next");
    }
}
