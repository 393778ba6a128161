//! Hashing with the seeds of one journal: a replay finds the same, an attacker does not.

use std::hash::{BuildHasher, Hasher};

use model::Prefix;
use siphasher::sip::SipHasher13;

use crate::{SHARDS, Seeds};

/// Builds hashers with the journal's seeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded(pub(crate) Seeds);

impl BuildHasher for Seeded {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }
}

impl Seeded {
    /// The hash of a key: names its shard and its place in it.
    pub(crate) fn key(self, key: Prefix) -> u64 {
        self.hash_one(key)
    }

    /// The hash of a text.
    pub(crate) fn text(self, text: &[u8]) -> u64 {
        let mut hasher = self.build_hasher();
        hasher.write(text);
        hasher.finish()
    }

    /// The hash of two numbers.
    pub(crate) fn pair(self, a: u64, b: u64) -> u64 {
        let mut hasher = self.build_hasher();
        hasher.write_u64(a);
        hasher.write_u64(b);
        hasher.finish()
    }
}

/// Which shard a key with this hash belongs to.
///
/// From the middle of the hash: tables look at its lowest and highest bits, which must
/// differ among the keys of one shard.
pub(crate) fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}
