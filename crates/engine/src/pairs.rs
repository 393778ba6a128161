//! Pairs of sender and recipient that were refused lately: the same pair again is a retry.
//!
//! A few are kept exactly. From there on a fixed number of bits (a Bloom filter) tells
//! pairs apart, so that one key can not fill the memory: it never takes a retry for a new
//! pair, and the more pairs there are, the more new ones it takes for retries.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use model::{Millis, Secs};

/// For so long the same sender and recipient are a retry: the longest time a mail queue
/// keeps trying (RFC 5321 §4.5.4.1 asks for 4 to 5 days).
const RETRY: Secs = Secs(5 * 86_400);
/// Pairs that are kept exactly, as REQUIREMENTS C.0 has it for all distinct counts.
const EXACT_MAX: usize = 64;
/// Bytes of the filter: a thousand pairs are told apart with 5 % loss, and a thousand
/// reach the most that attempts can add in a day.
const FILTER_LEN: usize = 1024;

/// Pairs of the current five days, and of the five before.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub(crate) struct Pairs {
    #[n(0)]
    current: Set,
    #[n(1)]
    earlier: Set,
    #[n(2)]
    since: Millis,
}

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
enum Set {
    #[n(0)]
    Exact(#[n(0)] Vec<u32>),
    #[n(1)]
    Filter(#[n(0)] Box<ByteArray<FILTER_LEN>>),
}

impl Default for Set {
    fn default() -> Self {
        Set::Exact(Vec::new())
    }
}

impl Pairs {
    /// Notes a pair; says whether it was not asked for in the last five days.
    pub(crate) fn is_new(&mut self, pair: u64, now: Millis) -> bool {
        self.turn(now);
        let fragment = pair as u32;
        // Asked for again, a pair stays a retry for five more days.
        self.current.insert(fragment) && !self.earlier.contains(fragment)
    }

    /// Begins another five days when these are over.
    fn turn(&mut self, now: Millis) {
        let gone = now.since(self.since);
        if gone >= RETRY {
            let last = std::mem::take(&mut self.current);
            self.earlier = if gone < RETRY.times(2) { last } else { Set::default() };
            self.since = now;
        }
    }
}

impl Set {
    fn insert(&mut self, pair: u32) -> bool {
        match self {
            Set::Exact(pairs) => {
                let Err(place) = pairs.binary_search(&pair) else { return false };
                pairs.insert(place, pair);
                if pairs.len() > EXACT_MAX {
                    *self = filter(pairs);
                }
                true
            }
            Set::Filter(bits) => {
                let mut new = false;
                for (byte, bit) in places(pair) {
                    new |= bits[byte] & bit == 0;
                    bits[byte] |= bit;
                }
                new
            }
        }
    }

    fn contains(&self, pair: u32) -> bool {
        match self {
            Set::Exact(pairs) => pairs.binary_search(&pair).is_ok(),
            Set::Filter(bits) => places(pair).into_iter().all(|(byte, bit)| bits[byte] & bit != 0),
        }
    }
}

fn filter(pairs: &[u32]) -> Set {
    let mut set = Set::Filter(Box::new(ByteArray::from([0; FILTER_LEN])));
    for pair in pairs {
        set.insert(*pair);
    }
    set
}

/// The two bits of a pair; the pair is a keyed hash, so its own bits serve.
fn places(pair: u32) -> [(usize, u8); 2] {
    [pair, pair >> 16].map(|half| (half as usize % FILTER_LEN, 1 << (half >> 10 & 7)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_000_000_000);

    /// Spreads small numbers as a keyed hash would.
    fn hash(n: u64) -> u64 {
        n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13
    }

    fn new_among(pairs: std::ops::Range<u64>, of: &mut Pairs) -> usize {
        pairs.filter(|n| of.is_new(hash(*n), START)).count()
    }

    #[test]
    fn a_retry_is_never_new_however_many_pairs_there_are() {
        let mut pairs = Pairs::default();
        assert_eq!(new_among(0..64, &mut pairs), 64);
        assert_eq!(new_among(0..64, &mut pairs), 0);
        assert!(new_among(64..1000, &mut pairs) > 850, "few are lost up to a thousand");
        assert_eq!(new_among(0..1000, &mut pairs), 0);
        new_among(1000..100_000, &mut pairs);
        assert_eq!(new_among(0..100_000, &mut pairs), 0);
    }

    #[test]
    fn a_pair_is_a_retry_for_five_days_after_its_last_attempt() {
        let mut pairs = Pairs::default();
        let mut at = |day: u64, pair: u64| pairs.is_new(pair, START.plus(Secs(day * 86_400)));
        assert!(at(0, 7));
        assert!((1..12).all(|day| !at(day, 7)));
        assert!(at(30, 7));
        assert!(at(41, 8));
        assert!(at(50, 7));
    }

    #[test]
    fn both_forms_survive_their_bytes() {
        for count in [0, 64, 500] {
            let mut pairs = Pairs::default();
            new_among(0..count, &mut pairs);
            let bytes = minicbor::to_vec(&pairs).unwrap();
            assert_eq!(minicbor::decode::<Pairs>(&bytes).unwrap(), pairs);
        }
    }
}
