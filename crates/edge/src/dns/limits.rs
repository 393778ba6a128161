//! How much one network is answered.
//!
//! Response rate limiting, as name servers do it: an attacker who writes from a forged address
//! makes us answer his victim, and no more of that than a trickle leaves. Every second answer
//! above the rate goes out cut (TC), so that a client that is really there asks again by TCP.
//! Small, bounded and lossy (DESIGN §4, invariant 3): places of fixed number, found by a keyed
//! hash; networks that share a place share its rate.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use model::Prefix;
use model::key::fold;
use siphasher::sip::SipHasher13;

/// Places: 256 KiB. A flood from forged addresses touches many; two networks share
/// one only by chance, for a while.
const PLACES: usize = 1 << 15;

/// Microseconds of one second.
const SECOND: u64 = 1_000_000;

/// Answers a second to one network (/24, /56); 0 is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rates {
    /// Whether what is too much is only counted.
    pub count_only: bool,
    /// Listings.
    pub listed: u32,
    /// ‘Not listed’ and ‘no data’.
    pub unlisted: u32,
    /// Errors.
    pub errors: u32,
    /// Of so many answers above the rate one goes out cut; 0: none (RRL's ‘slip’).
    pub slip: u32,
    /// Questions a second that one network may ask before it hears that they are too many
    /// (127.255.255.255); 0 is no limit.
    pub quota: u32,
    /// Even known networks are limited: for measurements.
    pub everybody: bool,
}

impl Rates {
    /// No limit at all.
    pub const NONE: Rates =
        Rates { count_only: false, listed: 0, unlisted: 0, errors: 0, slip: 0, quota: 0, everybody: false };
}

/// What kind of answer it is: each has a rate of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Listed,
    Unlisted,
    Error,
    /// Not an answer but the question.
    Question,
}

/// Kinds of one network stand side by side: one line of memory for all that is asked of it.
const KINDS: usize = 4;

/// Where a network is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat(usize);

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Send,
    /// Send it cut.
    Slip,
    Drop,
}

/// All places: for each the time, in microseconds, until which it is filled.
///
/// All threads count in the same ones, because the kernel gives the questions of one network
/// to any of them. Two that count in one place at the same moment may count one for both.
pub(super) struct Limiter {
    rates: Rates,
    hasher: SipHasher13,
    places: Box<[AtomicU64]>,
    above: AtomicU32,
}

impl Limiter {
    pub(super) fn new(rates: Rates, secret: [u8; 16]) -> Limiter {
        let hasher = SipHasher13::new_with_key(&secret);
        let places = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Limiter { rates, hasher, places, above: AtomicU32::new(0) }
    }

    pub(super) fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Where what a client's network gets is counted.
    pub(super) fn seat(&self, from: IpAddr) -> Seat {
        let mut hasher = self.hasher;
        match network(from) {
            Prefix::V4(bits, _) => hasher.write_u32(bits),
            Prefix::V6(bits, _) => hasher.write_u64((bits >> 64) as u64),
        }
        Seat((hasher.finish() % (PLACES / KINDS) as u64) as usize * KINDS)
    }

    /// What becomes of one answer of this kind at `micros`.
    pub(super) fn rule(&self, seat: Seat, kind: Kind, micros: u64) -> Verdict {
        if self.takes(seat, kind, micros) {
            return Verdict::Send;
        }
        let above = self.above.fetch_add(1, Relaxed).wrapping_add(1);
        let slips = self.rates.slip > 0 && above.is_multiple_of(self.rates.slip);
        if slips { Verdict::Slip } else { Verdict::Drop }
    }

    /// Takes one more, if a second's worth is not yet taken.
    pub(super) fn takes(&self, seat: Seat, kind: Kind, micros: u64) -> bool {
        let rate = match kind {
            Kind::Listed => self.rates.listed,
            Kind::Unlisted => self.rates.unlisted,
            Kind::Error => self.rates.errors,
            Kind::Question => self.rates.quota,
        };
        if rate == 0 {
            return true;
        }
        let cost = SECOND / u64::from(rate);
        let place = &self.places[seat.0 + kind as usize];
        let filled = place.load(Relaxed).max(micros).saturating_add(cost);
        let fits = filled - micros <= SECOND.max(cost);
        if fits {
            place.store(filled, Relaxed);
        }
        fits
    }
}

/// The network that shares a rate.
pub(super) fn network(from: IpAddr) -> Prefix {
    let from = fold(from);
    Prefix::new(from, if from.is_ipv4() { 24 } else { 56 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates =
        Rates { count_only: false, listed: 20, unlisted: 10, errors: 5, slip: 2, quota: 0, everybody: false };

    fn answers(limiter: &Limiter, from: &str, kind: Kind, questions: u64, over: u64) -> [usize; 3] {
        let from = limiter.seat(from.parse().unwrap());
        let verdicts: Vec<_> =
            (0..questions).map(|n| limiter.rule(from, kind, 7 * SECOND + n * over / questions)).collect();
        [Verdict::Send, Verdict::Slip, Verdict::Drop]
            .map(|verdict| verdicts.iter().filter(|v| **v == verdict).count())
    }

    #[test]
    fn adv_8_ten_thousand_questions_of_one_network_get_a_trickle() {
        let limiter = Limiter::new(RATES, [1; 16]);
        let [sent, slipped, dropped] = answers(&limiter, "192.0.2.1", Kind::Listed, 10_000, SECOND);
        // A second's worth at once, and those that come back within it.
        assert!((20..=40).contains(&sent), "{sent}");
        assert!(slipped.abs_diff(dropped) <= 1);
        let again = answers(&limiter, "192.0.2.200", Kind::Listed, 1, SECOND)[0];
        assert_eq!(again, 0, "the same /24");
        assert_eq!(answers(&limiter, "192.0.3.1", Kind::Listed, 10, SECOND)[0], 10, "another /24");
        assert_eq!(answers(&limiter, "192.0.2.1", Kind::Unlisted, 5, SECOND)[0], 5, "another kind");
    }

    #[test]
    fn no_rate_is_no_limit() {
        let limiter = Limiter::new(Rates { listed: 0, ..RATES }, [1; 16]);
        assert_eq!(answers(&limiter, "2001:db8::1", Kind::Listed, 100, 1)[0], 100);
    }

    #[test]
    fn mapped_addresses_count_as_what_they_are() {
        assert_eq!(network("::ffff:192.0.2.7".parse().unwrap()), "192.0.2.0/24".parse().unwrap());
        assert_eq!(network("2001:db8:0:12::7".parse().unwrap()), "2001:db8::/56".parse().unwrap());
    }
}
