//! A permutation of the public IPv4 addresses that keeps networks together.
//!
//! Two addresses share exactly as many leading bits after it as before, so what is one
//! /24 stays one /24. This is the construction of Crypto-PAn (Xu, Fan, Ammar, Moon,
//! "Prefix-preserving IP address anonymization", ICNP 2002) with SipHash-2-4 as its
//! keyed function: whether bit n is flipped follows from the bits before it alone.
//!
//! Special-purpose addresses stay as they are, and no public one becomes special. The
//! key is published, so this hides nobody from those who look: it only keeps addresses
//! that somebody has today out of a demonstration of blocking.

use std::hash::Hasher;
use std::net::Ipv4Addr;

use siphasher::sip::SipHasher24;

/// The key. Another one makes another file.
const KEY: [u8; 16] = *b"mailward demo v1";

/// Networks that no stranger's mail comes from: IANA's special-purpose registry, and
/// everything from multicast on.
const SPECIAL: [([u8; 4], u32); 18] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The address that stands for `address`; a special one stands for itself.
pub(super) fn permuted(address: Ipv4Addr) -> Ipv4Addr {
    let bits = address.to_bits();
    let flips = (0..32).filter(|length| is_flipped(bits, *length)).fold(0, |flips, n| flips | 1 << (31 - n));
    Ipv4Addr::from_bits(bits ^ flips)
}

/// Whether `address` lies in a special-purpose network.
pub(super) fn is_special(address: Ipv4Addr) -> bool {
    overlaps_special(address.to_bits(), 32)
}

/// Whether the bit after the first `length` ones is flipped.
///
/// Never, where those bits lead to a special network or lie in one: so each special
/// network is its own image, which leaves the public addresses for public ones.
fn is_flipped(bits: u32, length: u32) -> bool {
    let prefix = bits & mask(length);
    if overlaps_special(prefix, length) {
        return false;
    }
    let mut hasher = SipHasher24::new_with_key(&KEY);
    hasher.write(&(u64::from(length) << 32 | u64::from(prefix)).to_be_bytes());
    hasher.finish() & 1 == 1
}

fn overlaps_special(prefix: u32, length: u32) -> bool {
    let meets =
        |(octets, of): &([u8; 4], u32)| (u32::from_be_bytes(*octets) ^ prefix) & mask((*of).min(length)) == 0;
    SPECIAL.iter().any(meets)
}

/// The first `length` bits set.
fn mask(length: u32) -> u32 {
    u32::MAX.checked_shl(32 - length).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// How many leading bits two addresses share.
    fn shared(a: Ipv4Addr, b: Ipv4Addr) -> u32 {
        (a.to_bits() ^ b.to_bits()).leading_zeros()
    }

    #[test]
    fn two_addresses_share_as_many_bits_after_as_before() {
        let mut random = Random::new(1);
        for round in 0..40_000 {
            let one = Ipv4Addr::from_bits(random.next() as u32);
            // Every length in turn; random pairs share but a few bits.
            let other = one.to_bits() ^ (random.next() as u32 | 1 << 31) >> (round % 32);
            let other = Ipv4Addr::from_bits(other);
            assert_eq!(shared(permuted(one), permuted(other)), shared(one, other), "{one} {other}");
        }
    }

    #[test]
    fn public_addresses_become_other_public_ones() {
        let mut random = Random::new(2);
        let addresses: Vec<_> = (0..20_000)
            .map(|_| Ipv4Addr::from_bits(random.next() as u32))
            .filter(|a| !is_special(*a))
            .collect();
        assert!(addresses.iter().all(|address| !is_special(permuted(*address))));
        let moved = addresses.iter().filter(|address| permuted(**address) != **address).count();
        assert!(moved * 100 > addresses.len() * 99, "{moved} of {}", addresses.len());
    }

    #[test]
    fn neighbours_of_special_networks_stay_outside_them() {
        for (octets, length) in SPECIAL {
            let neighbour = Ipv4Addr::from_bits(u32::from_be_bytes(octets) ^ 1 << (32 - length));
            assert_eq!(is_special(permuted(neighbour)), is_special(neighbour), "{neighbour}");
        }
    }

    #[test]
    fn special_addresses_stay() {
        for address in ["0.0.0.0", "10.1.2.3", "127.0.0.1", "192.0.2.25", "192.168.0.20", "255.255.255.255"] {
            let address: Ipv4Addr = address.parse().unwrap();
            assert!(is_special(address));
            assert_eq!(permuted(address), address);
        }
    }

    #[test]
    fn the_mapping_is_the_published_one() {
        // Another mapping would make another file than the one that is shipped.
        let got = [[1, 1, 1, 1], [100, 0, 0, 1], [192, 1, 2, 3], [203, 0, 114, 1], [223, 255, 255, 255]]
            .map(|octets| permuted(octets.into()).to_string());
        assert_eq!(got, ["1.203.101.57", "100.34.253.51", "192.1.15.74", "203.0.115.172", "217.155.136.219"]);
    }
}
