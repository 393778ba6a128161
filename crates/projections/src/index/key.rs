//! What goes into the index: marks, and changes that set or clear them.
//!
//! Here stands the one guard of the index: a prefix that the hard floor forbids in any
//! output (DESIGN, invariant 4) can not be made into a [`Change`] that sets it.

use std::fmt;

use model::{Millis, Prefix};

/// The shortest IPv4 prefix the index takes: nothing of /8 or wider reaches any output.
pub const PREFIX_V4_LEN_MIN: u8 = 9;

/// The shortest IPv6 prefix the index takes: nothing of /19 or wider reaches any output.
pub const PREFIX_V6_LEN_MIN: u8 = 20;

/// What the index says of one key.
///
/// Ordered by hardness: the larger class is harder; of two of one class, the one that
/// lasts longer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mark {
    /// How hard the key is held; the caller's own scale, larger is harder.
    pub class: u8,
    /// The first minute since 1970 (UTC) at which the mark no longer holds.
    pub until_min: u32,
}

impl Mark {
    /// A mark that holds to the end of the minute in which `until` lies.
    ///
    /// Rounded up, so that a block never ends early in the index; the exact end beside
    /// the case id decides before a refusal (DESIGN, invariant 5).
    pub fn new(class: u8, until: Millis) -> Mark {
        Mark { class, until_min: until.minute_up() }
    }

    /// Whether the mark still holds in minute `now_min`.
    pub fn holds(self, now_min: u32) -> bool {
        self.until_min > now_min
    }
}

/// One change of the index: a prefix gets a mark, or loses the one it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    pub(super) place: Place,
    pub(super) mark: Option<Mark>,
}

impl Change {
    /// Gives `prefix` this mark, whatever it had before.
    pub fn set(prefix: Prefix, mark: Mark) -> Result<Change, TooWide> {
        let len_min = match prefix {
            Prefix::V4(..) => PREFIX_V4_LEN_MIN,
            Prefix::V6(..) => PREFIX_V6_LEN_MIN,
        };
        if prefix.bits() < len_min {
            return Err(TooWide { prefix, len_min });
        }
        Ok(Change { place: Place::of(prefix), mark: Some(mark) })
    }

    /// Takes the mark of exactly `prefix` away; marks of wider or narrower ones stay.
    pub fn clear(prefix: Prefix) -> Change {
        Change { place: Place::of(prefix), mark: None }
    }
}

/// The layer of the index in which a prefix lives, and its key there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// One IPv4 address.
    V4(u32),
    /// The high half of an IPv6 /64.
    Net6(u64),
    /// Another IPv4 prefix: its bits at the high end, and its length.
    Own4(u128, u8),
    /// One IPv6 address.
    Host6(u128),
    /// Another IPv6 prefix.
    Own6(u128, u8),
}

impl Place {
    fn of(prefix: Prefix) -> Place {
        // A prefix put together by hand may carry bits beyond its length.
        match Prefix::new(prefix.addr(), prefix.bits()) {
            Prefix::V4(bits, 32) => Place::V4(bits),
            Prefix::V4(bits, len) => Place::Own4(u128::from(bits) << 96, len),
            Prefix::V6(bits, 64) => Place::Net6((bits >> 64) as u64),
            Prefix::V6(bits, 128) => Place::Host6(bits),
            Prefix::V6(bits, len) => Place::Own6(bits, len),
        }
    }
}

/// A prefix that no output may hold. The caller's doing: the council or an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooWide {
    /// The prefix as given.
    pub prefix: Prefix,
    /// The shortest length of its family that the index takes.
    pub len_min: u8,
}

impl fmt::Display for TooWide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, len_min } = self;
        write!(f, "expected a prefix of /{len_min} or longer, but got {prefix}")
    }
}

impl std::error::Error for TooWide {}
