//! Who may ask (STD-22).

use std::hash::Hasher;
use std::net::IpAddr;

use model::Prefix;
use siphasher::sip::SipHasher24;

/// To whom the lists are open, beside the networks that are always known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// To nobody else; others hear REFUSED, as they do of names that are not ours.
    Local,
    /// To nobody else; others hear that they are not permitted (127.255.255.254).
    Listed,
    /// To whoever has a key, in front of the zone's name.
    Keyed,
    /// To everybody.
    Public,
}

/// Keys that stand in front of a zone's name, as large lists do it: `7.113.0.203.KEY.bl.…`.
///
/// They are found by a keyed hash, so that how long a look takes says nothing of them. Prints
/// none.
#[derive(Clone, Default)]
pub struct Keys {
    secret: [u8; 16],
    /// Sorted by the hash.
    keys: Vec<(u64, Box<[u8]>)>,
}

impl Keys {
    /// These keys, in any case of letters; `secret` is drawn by the caller.
    pub fn new<'k>(keys: impl Iterator<Item = &'k str>, secret: [u8; 16]) -> Keys {
        let mut made = Keys { secret, keys: Vec::new() };
        made.keys = keys
            .map(|key| (made.hash(key.as_bytes()), key.to_ascii_lowercase().into_bytes().into()))
            .collect();
        made.keys.sort_unstable();
        made
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a label is a key.
    pub(super) fn hold(&self, label: &[u8]) -> bool {
        if self.keys.is_empty() {
            return false;
        }
        let hash = self.hash(label);
        let from = self.keys.partition_point(|(known, _)| *known < hash);
        let same = self.keys[from..].iter().take_while(|(known, _)| *known == hash);
        same.into_iter().any(|(_, key)| key.eq_ignore_ascii_case(label))
    }

    fn hash(&self, label: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        label.iter().for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
        hasher.finish()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.keys.len())
    }
}

/// Whether a client is in a known network.
pub(super) fn is_known(known: &[Prefix], from: IpAddr) -> bool {
    let host = Prefix::host(from);
    known.iter().any(|network| network.covers(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_in_any_case_of_letters_and_printed_nowhere() {
        let keys = Keys::new(["k2h8exampleexample", "another0example0"].into_iter(), [7; 16]);
        assert!(keys.hold(b"K2H8exampleexample") && keys.hold(b"another0example0"));
        assert!(!keys.hold(b"k2h8exampleexampl") && !keys.hold(b"") && !Keys::default().hold(b""));
        assert_eq!(format!("{keys:?}"), "2 keys");
    }

    #[test]
    fn networks_are_known_by_their_prefixes() {
        let known = ["127.0.0.0/8", "2001:db8::/32"].map(|prefix| prefix.parse().unwrap());
        assert!(is_known(&known, "127.1.2.3".parse().unwrap()));
        assert!(is_known(&known, "2001:db8::9".parse().unwrap()));
        assert!(!is_known(&known, "192.0.2.1".parse().unwrap()));
    }
}
