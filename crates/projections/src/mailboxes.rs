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

/// Fragments of keyed hashes, until when, and whether nobody uses it any more; clones share
/// everything.
#[derive(Clone, Debug)]
pub struct Mailboxes(HashTrieMapSync<u32, (Millis, bool), Fixed>);

impl Default for Mailboxes {
    fn default() -> Self {
        Mailboxes(HashTrieMapSync::new_with_hasher_and_ptr_kind(Fixed::default()))
    }
}

impl Mailboxes {
    /// Whether only spammers write to this recipient, and if so, whether for so long and so many
    /// that nobody uses it any more.
    pub fn only_spam(&self, who: PersonHash, now: Millis) -> Option<bool> {
        let known = if self.0.is_empty() { None } else { self.0.get(&(who.0 as u32)) };
        known.filter(|(until, _)| *until > now).map(|(_, dead)| *dead)
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.0.size()
    }

    /// None is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn set(&mut self, who: u32, until: Millis, dead: bool) {
        if until > Millis(0) {
            self.0.insert_mut(who, (until, dead));
        } else {
            self.0.remove_mut(&who);
        }
    }

    pub(crate) fn sweep(&mut self, now: Millis) {
        let over = self.0.iter().filter(|(_, (until, _))| *until <= now);
        let gone: Vec<u32> = over.map(|(who, _)| *who).collect();
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
        mailboxes.set(7, Millis(100), false);
        mailboxes.set(8, Millis(100), true);
        // The fragment is the lower half of the hash.
        let knows = |mailboxes: &Mailboxes, who: u64, now| {
            mailboxes.only_spam(PersonHash(0xabcd_0000_0000 | who), Millis(now))
        };
        let known = [(7, 99), (7, 100), (8, 99), (9, 99)].map(|(who, now)| knows(&mailboxes, who, now));
        assert_eq!(known, [Some(false), None, Some(true), None]);
        mailboxes.set(8, Millis(0), false);
        assert_eq!(knows(&mailboxes, 8, 99), None);
        mailboxes.sweep(Millis(100));
        assert!(mailboxes.is_empty());
    }
}
