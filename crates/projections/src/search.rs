//! Search in a sorted column of 16-bit numbers, as leaves and bulk lists have them.
//!
//! Interpolated: keys lie about evenly in what shares their 16 highest bits, so that the
//! first guess is nearly always within one cache line of the place. Reasons and figures:
//! docs/decisions/index.md.

/// How many neighbours of the interpolated place are looked at together: one cache line.
///
/// With keys spread evenly over a leaf of 150 the guess is off by 6 at most (one standard
/// deviation, in the middle), so the window nearly always holds the key.
const WINDOW: usize = 32;

/// The place of the first of `len` pairs that is not below `key`; `len` if none is.
///
/// `pairs` begins with those pairs and may go on behind them: what follows is looked at
/// and not counted.
#[inline]
pub(crate) fn lower_bound(pairs: &[[u8; 2]], len: usize, key: u16) -> usize {
    let sorted = &pairs[..len];
    let below = |&pair: &[u8; 2]| u16::from_le_bytes(pair) < key;
    let (start, end) = window(len, key);
    if start > 0 && !below(&sorted[start]) {
        return sorted[..start].partition_point(below);
    }
    if end < len && below(&sorted[end - 1]) {
        return end + sorted[end..].partition_point(below);
    }
    start + count_below(&pairs[start..], end - start, key)
}

/// Which of `len` pairs [`lower_bound`] looks at first.
#[inline]
pub(crate) fn window(len: usize, key: u16) -> (usize, usize) {
    let start = ((usize::from(key) * len) >> 16).saturating_sub(WINDOW / 2);
    let start = start.min(len.saturating_sub(WINDOW));
    (start, len.min(start + WINDOW))
}

/// The place of the first of `len` pairs that is above `key`; `pairs` as in [`lower_bound`].
#[inline]
pub(crate) fn upper_bound(pairs: &[[u8; 2]], len: usize, key: u16) -> usize {
    key.checked_add(1).map_or(len, |above| lower_bound(pairs, len, above))
}

/// How many of the first `len` pairs are below `key`; `len` is at most [`WINDOW`].
///
/// Always looks at a whole number of lanes, also at bytes behind the first `len` pairs,
/// which it does not count: a loop whose length differs from leaf to leaf would stall the
/// processor more often than it saves.
#[inline]
fn count_below(pairs: &[[u8; 2]], len: usize, key: u16) -> usize {
    if let Some(lanes) = pairs.first_chunk::<WINDOW>() {
        lanes_below(lanes, len, key)
    } else if let Some(lanes) = pairs.first_chunk::<{ WINDOW / 2 }>().filter(|lanes| len <= lanes.len()) {
        lanes_below(lanes, len, key)
    } else {
        pairs[..len].iter().filter(|&&pair| u16::from_le_bytes(pair) < key).count()
    }
}

/// Written for the compiler's vectors: signed numbers, because processors compare those, and
/// a mask for each lane, counted only at the end. Adding up `bool`s takes six times the
/// instructions.
#[inline]
fn lanes_below<const N: usize>(lanes: &[[u8; 2]; N], len: usize, key: u16) -> usize {
    // At most `N` and so at most 32.
    let (len, key) = ((len as u16).cast_signed(), signed(key));
    let below = |lane: usize| {
        mask((lane as u16).cast_signed() < len) & mask(signed(u16::from_le_bytes(lanes[lane])) < key)
    };
    let below: [i16; N] = std::array::from_fn(below);
    below.iter().fold(0_i16, |count, mask| count.wrapping_sub(*mask)).unsigned_abs().into()
}

/// The number whose order among signed ones is that of `number` among unsigned ones.
#[inline]
fn signed(number: u16) -> i16 {
    (number ^ 0x8000).cast_signed()
}

/// All bits, or none.
#[inline]
fn mask(holds: bool) -> i16 {
    if holds { -1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_that_of_a_plain_search() {
        for (len, step) in
            [(0, 1), (1, 1), (15, 3), (17, 3800), (31, 2000), (33, 1), (150, 430), (4000, 16), (65_536, 1)]
        {
            let keys: Vec<u16> = (0..len).map(|i: u32| (i * step) as u16).collect();
            // Something follows, as in a leaf, or little, or nothing.
            for behind in [40, 3, 0] {
                let all = keys.iter().chain(&[0; 40][..behind]);
                let pairs: Vec<[u8; 2]> = all.map(|k| k.to_le_bytes()).collect();
                for key in (0..=u16::MAX).step_by(13).chain([u16::MAX]) {
                    let plain = [keys.partition_point(|k| *k < key), keys.partition_point(|k| *k <= key)];
                    let found = [lower_bound, upper_bound].map(|search| search(&pairs, keys.len(), key));
                    assert_eq!(found, plain, "{key} in {len} by {step}, {behind} behind");
                }
            }
        }
    }
}
