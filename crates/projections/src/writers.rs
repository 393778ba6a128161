//! Which of our own people wrote lately, as those who answer look them up: bounces may come to
//! them (A.4, `bounce`).
//!
//! Like [`crate::mailboxes`] this follows from no event, because it is about persons.

use std::hash::BuildHasherDefault;

use model::{Millis, PersonHash};
use rpds::HashTrieMapSync;
use siphasher::sip::SipHasher13;

/// Fixed seed: the map's order never reaches an output, and its keys are keyed hashes.
type Fixed = BuildHasherDefault<SipHasher13>;

/// Fragments of keyed hashes, and until when; clones share everything.
#[derive(Clone, Debug)]
pub struct Writers(HashTrieMapSync<u32, Millis, Fixed>);

impl Default for Writers {
    fn default() -> Self {
        Writers(HashTrieMapSync::new_with_hasher_and_ptr_kind(Fixed::default()))
    }
}

impl Writers {
    /// Whether this person wrote so lately that a bounce may come.
    pub fn wrote(&self, who: PersonHash, now: Millis) -> bool {
        self.0.get(&(who.0 as u32)).is_some_and(|until| *until > now)
    }

    pub(crate) fn set(&mut self, who: u32, until: Millis) {
        self.0.insert_mut(who, until);
    }

    pub(crate) fn sweep(&mut self, now: Millis) {
        let gone: Vec<u32> = self.0.iter().filter(|(_, until)| **until <= now).map(|(who, _)| *who).collect();
        for who in &gone {
            self.0.remove_mut(who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wrote_is_known_until_the_time_is_over() {
        let mut writers = Writers::default();
        writers.set(7, Millis(100));
        // The fragment is the lower half of the hash.
        let wrote = |who: u64, now| writers.wrote(PersonHash(0xabcd_0000_0000 | who), Millis(now));
        assert_eq!([wrote(7, 99), wrote(7, 100), wrote(8, 99)], [true, false, false]);
        writers.sweep(Millis(100));
        assert!(writers.0.is_empty());
    }
}
