//! Entries of a bulk list: many, unchanged for days, and none inside another.

use model::{Codes, Prefix};

use super::node;

/// Nodes of one bulk list, each with one code; immutable and flat, 8 bytes a node of IPv4.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bulk {
    /// Sorted; address, length and code in one number.
    four: Vec<u64>,
    /// Sorted.
    six: Vec<(u128, u8, u8)>,
}

impl Bulk {
    /// Takes prefixes of which none covers another, with the last octet of their code.
    pub fn new(entries: impl Iterator<Item = (Prefix, u8)>) -> Bulk {
        let mut bulk = Bulk::default();
        for (prefix, last) in entries.filter(|(prefix, _)| !super::entries::is_too_wide(*prefix)) {
            for piece in node::pieces(prefix) {
                match piece {
                    Prefix::V4(bits, len) => bulk.four.push(pack(bits, len, last)),
                    Prefix::V6(bits, len) => bulk.six.push((bits, len, last)),
                }
            }
        }
        bulk.four.sort_unstable();
        bulk.six.sort_unstable();
        bulk
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.four.len() + self.six.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The code of exactly this node.
    pub(super) fn get(&self, node: Prefix) -> Option<Codes> {
        let (found, last) = self.from(node)?;
        (found == node).then_some(Codes::of(last))
    }

    /// The first node from a place in the order of prefixes on, with its code; of its family.
    pub(super) fn from(&self, place: Prefix) -> Option<(Prefix, u8)> {
        match place {
            Prefix::V4(bits, len) => {
                let at = self.four.partition_point(|packed| *packed < pack(bits, len, 0));
                self.four.get(at).map(|packed| unpack(*packed))
            }
            Prefix::V6(bits, len) => {
                let at = self.six.partition_point(|(b, l, _)| (*b, *l) < (bits, len));
                self.six.get(at).map(|(bits, len, last)| (Prefix::V6(*bits, *len), *last))
            }
        }
    }

    /// The nodes that one of two lists has and the other has not, or with another code.
    pub fn apart<'a>(&'a self, other: &'a Bulk) -> impl Iterator<Item = Prefix> {
        let four = apart(&self.four, &other.four).map(|packed| unpack(*packed).0);
        let six = apart(&self.six, &other.six).map(|(bits, len, _)| Prefix::V6(*bits, *len));
        four.chain(six)
    }
}

/// What only one of two sorted lists holds.
fn apart<'a, T: Ord>(mut one: &'a [T], mut other: &'a [T]) -> impl Iterator<Item = &'a T> {
    std::iter::from_fn(move || {
        loop {
            let (side, rest) = match (one.split_first(), other.split_first()) {
                (Some((a, rest)), Some((b, after))) if a == b => {
                    (one, other) = (rest, after);
                    continue;
                }
                (Some((a, _)), Some((b, after))) if b < a => (b, (one, after)),
                (Some((a, rest)), _) => (a, (rest, other)),
                (None, Some((b, after))) => (b, (one, after)),
                (None, None) => return None,
            };
            (one, other) = rest;
            return Some(side);
        }
    })
}

fn pack(bits: u32, len: u8, last: u8) -> u64 {
    u64::from(bits) << 32 | u64::from(len) << 8 | u64::from(last)
}

fn unpack(packed: u64) -> (Prefix, u8) {
    let [b0, b1, b2, b3, .., len, last] = packed.to_be_bytes();
    (Prefix::V4(u32::from_be_bytes([b0, b1, b2, b3]), len), last)
}
