//! What a bulk list says of one entry, and its three bytes.
//!
//! | bytes | what                                                                    |
//! |-------|-------------------------------------------------------------------------|
//! | 2     | the end, in minutes after the base; `0xffff`: as long as the feed       |
//! | 1     | the last octet of 127.0.0.n; of names also [`EXCLUDED`] and [`NOTHING`] |

use model::Codes;

/// Bytes of a value.
pub(super) const VALUE: usize = 3;

/// The end of an entry that has none of its own.
const AS_THE_FEED: u16 = u16::MAX;

/// In place of a code: the entry is an exclusion.
pub(super) const EXCLUDED: u8 = 0;

/// In place of a code: nothing is said.
pub(super) const NOTHING: u8 = u8::MAX;

/// What a bulk list says of an address or a domain.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FeedEntry {
    /// The last octet of 127.0.0.n, from 2 to 19.
    pub code: u8,
    /// The first minute since 1970 (UTC) in which the entry no longer holds; `None`: it
    /// holds as long as the feed.
    pub until_min: Option<u32>,
}

impl FeedEntry {
    /// Whether it still holds in minute `now_min`.
    pub fn holds(self, now_min: u32) -> bool {
        self.until_min.is_none_or(|until| until > now_min)
    }

    /// Whether it is of one of `codes` and still holds.
    pub(super) fn counts(self, codes: Codes, now_min: u32) -> bool {
        !codes.and(Codes::of(self.code)).is_empty() && self.holds(now_min)
    }
}

/// The three bytes as one number, in which claims are compared.
pub(super) type Packed = u32;

/// Packs an entry. An end before the base is the base; one more than 45 days behind it is
/// brought to there, because an entry that ends too early harms nobody.
pub(super) fn pack(entry: FeedEntry, base_min: u32) -> Packed {
    let end = entry
        .until_min
        .map_or(AS_THE_FEED, |until| until.saturating_sub(base_min).min(u32::from(AS_THE_FEED) - 1) as u16);
    Packed::from(end) << 8 | Packed::from(entry.code)
}

/// The bytes of a packed value.
pub(super) fn to_bytes(packed: Packed) -> [u8; VALUE] {
    let [code, low, high, _] = packed.to_le_bytes();
    [low, high, code]
}

/// The entry of these bytes; `bytes` holds at least three.
#[inline]
pub(super) fn read(bytes: &[u8], base_min: u32) -> FeedEntry {
    let end = u16::from_le_bytes([bytes[0], bytes[1]]);
    let until_min = (end != AS_THE_FEED).then(|| base_min.saturating_add(end.into()));
    FeedEntry { code: bytes[2], until_min }
}
