//! How much mail a blocked host may send to the open recipients.
//!
//! Postmaster and abuse stay open to blocked hosts, but not for a flood (STD-30): 20 an
//! hour and key. Small, bounded and lossy: a table of fixed size, in which two keys that
//! share a place share its rate; forgotten at a restart; never evidence (DESIGN §4,
//! invariant 3).

use std::net::IpAddr;

use model::Millis;
use model::key::client_prefix;

use crate::persons::Persons;

/// Messages to open recipients that one key may send at once, and in an hour (STD-30).
const PER_HOUR: u64 = 20;

/// What one message costs: an hour's milliseconds are shared out among the messages.
const COST: u64 = 3_600_000 / PER_HOUR;

/// Places: some thousand blocked hosts that write to postmaster within one hour are far
/// more than a site sees, and 32 KiB are nothing.
const PLACES: usize = 4096;

/// A leaky bucket for each place: the time until which it is filled.
#[derive(Debug)]
pub(crate) struct Meter(Box<[u64; PLACES]>);

impl Meter {
    pub(crate) fn new() -> Meter {
        Meter(Box::new([0; PLACES]))
    }

    /// Takes one message of a client at `now`; `false` if it is one too many of its key.
    pub(crate) fn takes(&mut self, persons: &Persons, addr: IpAddr, now: Millis) -> bool {
        self.take(persons.place(client_prefix(addr)), now)
    }

    /// Takes one message at `now` of the key that has this place; `false` if it is one too
    /// many.
    ///
    /// `place` is a keyed hash, so that nobody can choose whose rate he shares.
    fn take(&mut self, place: u64, now: Millis) -> bool {
        let slot = &mut self.0[(place % PLACES as u64) as usize];
        let filled = (*slot).max(now.0).saturating_add(COST);
        let fits = filled - now.0 <= PER_HOUR * COST;
        if fits {
            *slot = filled;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(meter: &mut Meter, place: u64, at: Millis, tries: usize) -> usize {
        (0..tries).filter(|_| meter.take(place, at)).count()
    }

    #[test]
    fn twenty_pass_in_an_hour_and_each_comes_back_in_its_time() {
        let (mut meter, now) = (Meter::new(), Millis(1_795_300_807_000));
        assert_eq!(taken(&mut meter, 7, now, 30), 20);
        assert_eq!(taken(&mut meter, 7, Millis(now.0 + COST - 1), 5), 0);
        assert_eq!(taken(&mut meter, 7, Millis(now.0 + COST), 5), 1);
        assert_eq!(taken(&mut meter, 7, Millis(now.0 + 2 * 3_600_000), 30), 20);
    }

    #[test]
    fn only_keys_of_one_place_share_a_rate() {
        let (mut meter, now) = (Meter::new(), Millis(1_795_300_807_000));
        assert_eq!(taken(&mut meter, 7, now, 30), 20);
        assert_eq!(taken(&mut meter, 8, now, 30), 20);
        assert_eq!(taken(&mut meter, 7 + PLACES as u64, now, 30), 0);
    }

    #[test]
    fn at_the_end_of_time_everything_passes() {
        assert_eq!(taken(&mut Meter::new(), u64::MAX, Millis(u64::MAX), 30), 30);
    }
}
