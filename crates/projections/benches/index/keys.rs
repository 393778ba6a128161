//! Random keys and marks, the same in every run.

use hashbrown::HashSet;
use projections::index::Mark;

/// The minute in which all look-ups are asked; no key has expired in it.
pub(crate) const NOW_MIN: u32 = 29_000_000;

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// A unicast IPv4 address.
    pub(crate) fn v4(&mut self) -> u32 {
        loop {
            let addr = self.next() as u32;
            if !matches!(addr >> 24, 0 | 10 | 127 | 224..) {
                return addr;
            }
        }
    }

    /// A /64 of global unicast space (2000::/3).
    pub(crate) fn net6(&mut self) -> u64 {
        self.next() >> 3 | 1 << 61
    }

    /// One of seven classes, for up to 30 days.
    pub(crate) fn mark(&mut self) -> Mark {
        Mark { class: 1 + self.below(7) as u8, until_min: NOW_MIN + 1 + self.below(43_200) as u32 }
    }
}

/// `n` different keys.
pub(crate) fn distinct<K: Copy + Eq + std::hash::Hash>(n: usize, mut draw: impl FnMut() -> K) -> Vec<K> {
    let mut seen = HashSet::with_capacity(n);
    let mut keys = Vec::with_capacity(n);
    while keys.len() < n {
        let key = draw();
        if seen.insert(key) {
            keys.push(key);
        }
    }
    keys
}

/// Keys to ask for: half of them held, half not.
pub(crate) fn half_held<K: Copy + Eq + std::hash::Hash>(
    n: usize,
    held: &[K],
    random: &mut Random,
    draw: impl Fn(&mut Random) -> K,
) -> Vec<K> {
    let set: HashSet<K> = held.iter().copied().collect();
    let mut ask = |_| {
        if random.below(2) == 0 {
            return held[random.below(held.len())];
        }
        loop {
            let key = draw(random);
            if !set.contains(&key) {
                return key;
            }
        }
    };
    (0..n).map(&mut ask).collect()
}
