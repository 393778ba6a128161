//! Mailboxes that get only spam, as those who answer look them up.
//!
//! They follow from no event, because a recipient is a person: the engine tells of them beside
//! its events, and anew at each start.

use std::hash::BuildHasherDefault;

use model::{Millis, PersonHash};
use rpds::HashTrieMapSync;
use siphasher::sip::SipHasher13;

/// Fixed seed: the map's order never reaches an output, and its keys are keyed hashes.
type Fixed = BuildHasherDefault<SipHasher13>;

/// Fragments of keyed hashes, and until when; clones share everything.
#[derive(Clone, Debug)]
pub struct Mailboxes(HashTrieMapSync<u32, Millis, Fixed>);

impl Default for Mailboxes {
    fn default() -> Self {
        Mailboxes(HashTrieMapSync::new_with_hasher_and_ptr_kind(Fixed::default()))
    }
}

impl Mailboxes {
    /// Whether only spammers write to this recipient.
    pub fn get_only_spam(&self, who: PersonHash, now: Millis) -> bool {
        !self.0.is_empty() && self.0.get(&(who.0 as u32)).is_some_and(|until| *until > now)
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.0.size()
    }

    /// None is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn set(&mut self, who: u32, until: Millis) {
        if until > Millis(0) {
            self.0.insert_mut(who, until);
        } else {
            self.0.remove_mut(&who);
        }
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
    fn a_mailbox_is_known_until_its_time_or_until_it_is_taken_back() {
        let mut mailboxes = Mailboxes::default();
        mailboxes.set(7, Millis(100));
        mailboxes.set(8, Millis(100));
        // The fragment is the lower half of the hash.
        let knows = |mailboxes: &Mailboxes, who: u64, now| {
            mailboxes.get_only_spam(PersonHash(0xabcd_0000_0000 | who), Millis(now))
        };
        assert!(knows(&mailboxes, 7, 99) && !knows(&mailboxes, 7, 100) && !knows(&mailboxes, 9, 99));
        mailboxes.set(8, Millis(0));
        assert!(!knows(&mailboxes, 8, 99));
        mailboxes.sweep(Millis(100));
        assert!(mailboxes.is_empty());
    }
}
