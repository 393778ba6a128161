//! A keyed permutation of IPv6 networks, and one of addresses.
//!
//! An attacker chooses the /64s that he sends from. Under their own bits they would all
//! fall into a few leaves of the tree (providers lie close together, and one /32 holds
//! 2^32 of them), and each new block would copy a leaf that grows. So the tree holds
//! them under a keyed hash. The hash is a permutation, so that no two keys share one: the
//! part of it that the leaf stores tells them apart, and the key itself is not kept.
//!
//! A Feistel network of three rounds over a pseudorandom function, here SipHash-1-3, is a
//! pseudorandom permutation (Luby and Rackoff, 1988). That is more than we need: nobody
//! outside sees what it gives.

use siphasher::sip::SipHasher13;

/// The permutations of one seed.
#[derive(Clone, Copy)]
pub(super) struct Shuffle(SipHasher13);

/// The two halves of a word, the left one in the higher bits.
type Halves = (u64, u64);

const ROUNDS: [u8; 3] = [0, 1, 2];

impl Shuffle {
    pub(super) fn new(seed: [u64; 2]) -> Shuffle {
        Shuffle(SipHasher13::new_with_keys(seed[0], seed[1]))
    }

    /// Where the /64 with this high half goes.
    #[inline]
    pub(super) fn net(self, net: u64) -> u64 {
        let (left, right) = self.mix((net >> 32, net & LOW_32), LOW_32);
        left << 32 | right
    }

    /// Where this address goes.
    pub(super) fn host(self, addr: u128) -> u128 {
        let (left, right) = self.mix(((addr >> 64) as u64, addr as u64), u64::MAX);
        u128::from(left) << 64 | u128::from(right)
    }

    #[inline]
    fn mix(self, halves: Halves, keep: u64) -> Halves {
        ROUNDS.iter().fold(halves, |(left, right), &round| (right, left ^ self.round(round, right) & keep))
    }

    #[inline]
    fn round(self, round: u8, half: u64) -> u64 {
        let mut input = [round; 9];
        input[..8].copy_from_slice(&half.to_le_bytes());
        self.0.hash(&input)
    }
}

const LOW_32: u64 = 0xffff_ffff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unmix(shuffle: Shuffle, halves: Halves, keep: u64) -> Halves {
        let back = |(left, right), &round| (right ^ shuffle.round(round, left) & keep, left);
        ROUNDS.iter().rev().fold(halves, back)
    }

    // What can be undone is one to one.
    proptest! {
        #[test]
        fn no_two_networks_go_to_one_place(seed: [u64; 2], net: u64) {
            let shuffle = Shuffle::new(seed);
            let went = shuffle.net(net);
            let (left, right) = unmix(shuffle, (went >> 32, went & LOW_32), LOW_32);
            prop_assert_eq!(left << 32 | right, net);
        }

        #[test]
        fn no_two_addresses_go_to_one_place(seed: [u64; 2], addr: u128) {
            let shuffle = Shuffle::new(seed);
            let went = shuffle.host(addr);
            let (left, right) = unmix(shuffle, ((went >> 64) as u64, went as u64), u64::MAX);
            prop_assert_eq!(u128::from(left) << 64 | u128::from(right), addr);
        }
    }

    #[test]
    fn neighbours_are_spread_over_the_leaves() {
        let shuffle = Shuffle::new([1, 2]);
        let mut leaves = [vec![0_u32; 1 << 16], vec![0_u32; 1 << 16]];
        for low in 0..1 << 16 {
            leaves[0][(shuffle.net(0x2001_0db8_0000_0000 | low) >> 48) as usize] += 1;
            leaves[1][(shuffle.host(0x2001_0db8 << 96 | u128::from(low)) >> 112) as usize] += 1;
        }
        // 65 536 balls in as many urns: more than 12 in one has a chance of 1 in 10^5.
        assert!(leaves.iter().flatten().all(|&n| n <= 12), "{:?}", leaves.map(|l| l.into_iter().max()));
    }

    #[test]
    fn another_seed_is_another_permutation() {
        let (one, other) = (Shuffle::new([1, 2]), Shuffle::new([1, 3]));
        assert!((0..64).all(|net| one.net(net) != other.net(net)));
        assert!((0..64).all(|addr| one.host(addr) != other.host(addr)));
    }
}
