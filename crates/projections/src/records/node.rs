//! Nodes: prefixes for which a name can stand.

use model::Prefix;

/// Bits of one label.
pub(super) fn step(prefix: Prefix) -> u8 {
    match prefix {
        Prefix::V4(..) => 8,
        Prefix::V6(..) => 4,
    }
}

/// Whether it is as long as its family allows.
pub(super) fn is_full(node: Prefix) -> bool {
    node.is_host()
}

/// The family's widest prefix.
pub(super) fn root(of: Prefix) -> Prefix {
    match of {
        Prefix::V4(..) => Prefix::V4(0, 0),
        Prefix::V6(..) => Prefix::V6(0, 0),
    }
}

/// The prefix of `len` bits around the lowest address of `prefix`.
pub(super) fn around(prefix: Prefix, len: u8) -> Prefix {
    Prefix::new(prefix.addr(), len)
}

/// The highest address, as a prefix of full length.
pub(super) fn last(prefix: Prefix) -> Prefix {
    match prefix {
        Prefix::V4(bits, len) => Prefix::V4(bits | u32::MAX.checked_shr(len.into()).unwrap_or(0), 32),
        Prefix::V6(bits, len) => Prefix::V6(bits | u128::MAX.checked_shr(len.into()).unwrap_or(0), 128),
    }
}

/// What stands first in the order of prefixes among those that begin behind `prefix`.
pub(super) fn behind(prefix: Prefix) -> Option<Prefix> {
    match last(prefix) {
        Prefix::V4(bits, _) => bits.checked_add(1).map(|next| Prefix::V4(next, 0)),
        Prefix::V6(bits, _) => bits.checked_add(1).map(|next| Prefix::V6(next, 0)),
    }
}

/// The nodes that together are `prefix`: 128 at most, 8 of IPv6.
pub(super) fn pieces(prefix: Prefix) -> impl Iterator<Item = Prefix> {
    let len = prefix.bits().next_multiple_of(step(prefix)).max(step(prefix));
    parts(prefix, len)
}

/// The children of a node that has any.
pub(super) fn children(node: Prefix) -> impl Iterator<Item = Prefix> {
    parts(node, node.bits() + step(node))
}

/// A prefix in parts of `len` bits each.
fn parts(prefix: Prefix, len: u8) -> impl Iterator<Item = Prefix> {
    let count = 1u32 << (len - prefix.bits());
    (0..count).map(move |nth| match prefix {
        Prefix::V4(bits, _) => Prefix::V4(bits | nth << (32 - len), len),
        Prefix::V6(bits, _) => Prefix::V6(bits | u128::from(nth) << (128 - len), len),
    })
}

/// Whether an IPv4 node's labels could be nibbles of IPv6.
pub(super) fn reads_as_nibbles(node: Prefix) -> bool {
    let Prefix::V4(bits, len) = node else { return false };
    bits.to_be_bytes().iter().take(usize::from(len / 8)).all(|octet| *octet < 10)
}
