//! Reproducible pseudo-random numbers: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
//! For load and made-up data only, never for secrets.

use std::net::Ipv4Addr;

/// A generator; the same seed gives the same numbers everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound` - 1; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// An address that looks like a public one: load must not hit the rules for private
    /// and documentation networks.
    pub(crate) fn address(&mut self) -> Ipv4Addr {
        loop {
            let address = Ipv4Addr::from_bits(self.next() as u32);
            let [first, second, ..] = address.octets();
            let benchmark = first == 198 && (second & 0xFE) == 18;
            let shared = first == 100 && (second & 0xC0) == 64;
            let special = first == 0 || first >= 224 || benchmark || shared || address.is_loopback();
            if !(special || address.is_private() || address.is_link_local() || address.is_documentation()) {
                return address;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_published_ones() {
        // The reference implementation's first three outputs for seed 1234567.
        let mut random = Random::new(1_234_567);
        let got = [random.next(), random.next(), random.next()];
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_keep_their_bound() {
        let mut random = Random::new(1);
        assert!((0..10_000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn addresses_are_public_ones() {
        let mut random = Random::new(2);
        assert!((0..100_000).all(|_| {
            let address = random.address();
            !address.is_private()
                && !address.is_documentation()
                && !address.is_multicast()
                && address.octets()[0] != 127
        }));
    }
}
