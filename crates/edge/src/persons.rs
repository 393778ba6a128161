//! Keyed hashes of what must not be written down: addresses of persons, queue ids.
//!
//! SipHash-2-4 under the site's key: equal on every host of the site, so that one person
//! is one person everywhere, and of no use to anybody who does not hold the key. What is
//! hashed has a mark of its kind in front, so that a queue id can not be taken for a
//! mailbox.

use std::fmt;
use std::hash::{Hash, Hasher};

use model::{DomainHash, Key, PersonHash, Prefix};
use siphasher::sip::SipHasher24;

/// The most octets of a mail address that are hashed: 64 of local part, the `@` and 255 of
/// domain (RFC 5321 §4.5.3.1). Postfix takes longer ones; they are cut.
pub const ADDRESS_LEN_MAX: usize = 320;

/// The most octets of a domain that are hashed (RFC 1035 §2.3.4).
const DOMAIN_LEN_MAX: usize = 255;

/// Makes keyed hashes; prints nothing of its key.
#[derive(Clone)]
pub struct Persons {
    hasher: SipHasher24,
}

/// What kind of thing was hashed.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Person = 1,
    Instance = 2,
    Queue = 3,
    Key = 4,
    Domain = 5,
    Ticket = 6,
}

impl Persons {
    /// Under the site's key.
    pub fn new(key: [u8; 16]) -> Persons {
        Persons { hasher: SipHasher24::new_with_key(&key) }
    }

    /// The person behind a mail address, with or without `<>`; letters are folded to lower
    /// case, in the local part too. `None` is the null sender.
    pub fn person(&self, address: &[u8]) -> Option<PersonHash> {
        let inner = address.strip_prefix(b"<").and_then(|a| a.strip_suffix(b">")).unwrap_or(address);
        let cut = &inner[..inner.len().min(ADDRESS_LEN_MAX)];
        if cut.is_empty() {
            return None;
        }
        let mut folded = [0; ADDRESS_LEN_MAX];
        let folded = &mut folded[..cut.len()];
        folded.copy_from_slice(cut);
        folded.make_ascii_lowercase();
        let mut hasher = self.of(Kind::Person);
        hasher.write(folded);
        Some(PersonHash(hasher.finish()))
    }

    /// A mail domain, in any case, with or without a last dot; `None` where it is empty.
    ///
    /// International names are hashed as they are written: in one form, A-labels, by all who
    /// are compared.
    pub fn domain(&self, domain: &[u8]) -> Option<DomainHash> {
        let bare = domain.strip_suffix(b".").unwrap_or(domain);
        let cut = &bare[..bare.len().min(DOMAIN_LEN_MAX)];
        if cut.is_empty() {
            return None;
        }
        let mut folded = [0; DOMAIN_LEN_MAX];
        let folded = &mut folded[..cut.len()];
        folded.copy_from_slice(cut);
        folded.make_ascii_lowercase();
        let mut hasher = self.of(Kind::Domain);
        hasher.write(folded);
        Some(DomainHash(hasher.finish()))
    }

    /// The domain of a mail address, with or without `<>`; `None` where it has none.
    pub fn domain_of(&self, address: &[u8]) -> Option<DomainHash> {
        let inner = address.strip_prefix(b"<").and_then(|a| a.strip_suffix(b">")).unwrap_or(address);
        let at = inner.iter().rposition(|byte| *byte == b'@')?;
        self.domain(&inner[at + 1..])
    }

    /// One message of one session, as the MTA of host `mx` names it before it has a queue id.
    pub fn instance(&self, mx: &[u8], instance: &[u8]) -> u64 {
        self.pair(Kind::Instance, mx, instance)
    }

    /// One message in the queue of host `mx`.
    pub fn queue(&self, mx: &[u8], queue_id: &[u8]) -> u64 {
        self.pair(Kind::Queue, mx, queue_id)
    }

    /// By which greylisting knows an attempt again: all of a pool that proves who it is; of
    /// a network only one message, by its sender's domain and its recipient. A list's
    /// sender is another one at each attempt, its domain is not (STD-40).
    pub fn ticket(&self, pool: &Key, sender: &[u8], recipient: &[u8]) -> u64 {
        let mut hasher = self.of(Kind::Ticket);
        pool.hash(&mut hasher);
        if let Key::Net(_) = pool {
            hasher.write_u64(self.domain_of(sender).map_or(0, |DomainHash(domain)| domain));
            hasher.write_u64(self.person(recipient).map_or(0, |PersonHash(who)| who));
        }
        hasher.finish()
    }

    /// A place for a client's key in a small table, which nobody outside can choose.
    pub(crate) fn place(&self, key: Prefix) -> u64 {
        let mut hasher = self.of(Kind::Key);
        key.hash(&mut hasher);
        hasher.finish()
    }

    fn pair(&self, kind: Kind, mx: &[u8], id: &[u8]) -> u64 {
        let mut hasher = self.of(kind);
        hasher.write(&(mx.len() as u64).to_le_bytes());
        hasher.write(mx);
        hasher.write(id);
        hasher.finish()
    }

    fn of(&self, kind: Kind) -> SipHasher24 {
        let mut hasher = self.hasher;
        hasher.write(&[kind as u8]);
        hasher
    }
}

impl fmt::Debug for Persons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Persons")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persons() -> Persons {
        Persons::new(std::array::from_fn(|i| u8::try_from(i).unwrap()))
    }

    #[track_caller]
    fn same(a: &[u8], b: &[u8]) {
        assert_eq!(persons().person(a), persons().person(b));
    }

    #[test]
    fn one_person_has_one_hash() {
        same(b"<User@Example.ORG>", b"user@example.org");
        same(b"<>", b"");
        assert_eq!(persons().person(b""), None);
        assert_ne!(persons().person(b"user@example.org"), persons().person(b"user@example.net"));
        assert_ne!(persons().person(b"<user@example.org"), persons().person(b"user@example.org"));
    }

    #[test]
    fn a_long_address_is_cut() {
        same(&[b'a'; ADDRESS_LEN_MAX + 1], &[b'a'; ADDRESS_LEN_MAX]);
        assert_ne!(
            persons().person(&[b'a'; ADDRESS_LEN_MAX]),
            persons().person(&[b'a'; ADDRESS_LEN_MAX - 1])
        );
    }

    #[test]
    fn one_domain_has_one_hash() {
        let of = |domain: &[u8]| persons().domain(domain);
        assert_eq!(of(b"Example.ORG."), of(b"example.org"));
        assert_eq!(persons().domain_of(b"<\"a@b\"@Example.org>"), of(b"example.org"));
        assert_ne!(of(b"example.org"), of(b"example.net"));
        assert_eq!([of(b""), of(b"."), persons().domain_of(b"<>"), persons().domain_of(b"user")], [None; 4]);
        assert_eq!(of(&[b'a'; 300]), of(&[b'a'; 255]));
        assert_ne!(of(b"example.org").unwrap().0, persons().person(b"example.org").unwrap().0);
    }

    // Reckoned with another implementation of SipHash-2-4.
    // The hashes stand in journals and checkpoints: other values would make every person a stranger.
    #[test]
    fn the_hashes_stay_what_they_are() {
        assert_eq!(persons().person(b"user@example.org"), Some(PersonHash(0xfb7c_f680_a198_ea78)));
        assert_eq!(persons().instance(b"mx1.example.org", b"7b.65.0"), 0x0048_5204_20a3_d3bb);
        assert_eq!(persons().queue(b"mx1.example.org", b"4cTn5y2Z3xz9"), 0x2750_daed_7d9b_d87b);
    }

    #[test]
    fn the_key_and_the_kind_matter() {
        let other = Persons::new([9; 16]);
        assert_ne!(other.person(b"a@example.org"), persons().person(b"a@example.org"));
        assert_ne!(persons().instance(b"mx", b"A"), persons().queue(b"mx", b"A"));
        assert_ne!(persons().queue(b"mx", b"1A"), persons().queue(b"mx1", b"A"));
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", Persons::new([0x41; 16])), "Persons");
    }
}
