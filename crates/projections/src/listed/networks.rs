//! IPv6 networks in their order, in small pieces.
//!
//! A hundred thousand may be blocked at once (ADV-11), so that a tree with a node for each
//! would take five times the memory of what it holds.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use crate::index::Mark;

/// Networks of one piece; a change copies one.
const PIECE_MAX: usize = 128;

/// Pieces that one sweep looks at; those of a hundred thousand networks take some hundred sweeps.
const SWEEP_PIECES: usize = 8;

/// The lowest address and the length.
type Net = (u128, u8);

/// One network and its mark, without the room that a `u128` would be aligned to.
#[derive(Clone, Copy, Debug)]
struct Entry {
    high: u64,
    low: u64,
    len: u8,
    class: u8,
    until_min: u32,
}

impl Entry {
    fn new((bits, len): Net, mark: Mark) -> Entry {
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        Entry { high, low, len, class: mark.class, until_min: mark.until_min }
    }

    fn net(self) -> Net {
        (u128::from(self.high) << 64 | u128::from(self.low), self.len)
    }

    fn mark(self) -> Mark {
        Mark { class: self.class, until_min: self.until_min }
    }
}

/// Blocked networks; a clone shares everything.
#[derive(Clone, Debug)]
pub(super) struct Networks {
    /// Each piece by its first network; none is empty, none overlaps another.
    pieces: RedBlackTreeMapSync<Net, Arc<[Entry]>>,
    /// Where the next sweep goes on.
    cursor: Net,
}

impl Default for Networks {
    fn default() -> Networks {
        Networks { pieces: RedBlackTreeMapSync::new_sync(), cursor: (0, 0) }
    }
}

impl Networks {
    /// Brings the entry of a network in line.
    pub(super) fn set(&mut self, net: Net, mark: Option<Mark>) {
        let before = self.pieces.range(..=net).next_back();
        let Some((first, piece)) = before.or_else(|| self.pieces.first()) else {
            return self.put(&mark.map(|mark| Entry::new(net, mark)).into_iter().collect::<Vec<_>>());
        };
        let (first, mut entries) = (*first, piece.to_vec());
        let found = entries.binary_search_by_key(&net, |entry| entry.net());
        match (found, mark) {
            (Ok(at), Some(mark)) => entries[at] = Entry::new(net, mark),
            (Ok(at), None) => drop(entries.remove(at)),
            (Err(at), Some(mark)) => entries.insert(at, Entry::new(net, mark)),
            (Err(_), None) => return,
        }
        self.pieces.remove_mut(&first);
        self.put(&entries);
    }

    /// Puts a piece in, or two where it is too long.
    fn put(&mut self, entries: &[Entry]) {
        let middle = if entries.len() > PIECE_MAX { entries.len() / 2 } else { entries.len() };
        for piece in [&entries[..middle], &entries[middle..]] {
            if let Some(first) = piece.first() {
                self.pieces.insert_mut(first.net(), piece.into());
            }
        }
    }

    /// Drops what has run out by `now_min`, in some pieces; those of the next sweep follow.
    pub(super) fn sweep(&mut self, now_min: u32) {
        let some = self.pieces.range(self.cursor..).take(SWEEP_PIECES + 1);
        let some: Vec<_> = some.map(|(first, piece)| (*first, piece.clone())).collect();
        self.cursor = some.get(SWEEP_PIECES).map_or((0, 0), |(first, _)| *first);
        for (first, piece) in some.into_iter().take(SWEEP_PIECES) {
            if piece.iter().any(|entry| !entry.mark().holds(now_min)) {
                let kept: Vec<_> = piece.iter().copied().filter(|e| e.mark().holds(now_min)).collect();
                self.pieces.remove_mut(&first);
                self.put(&kept);
            }
        }
    }

    /// Whether the mark of a network from `first` to `last` fits.
    pub(super) fn any(&self, first: Net, last: Net, fits: impl Fn(Mark) -> bool) -> bool {
        let begin = self.pieces.range(..=first).next_back().map_or(first, |(begin, _)| *begin);
        let pieces = self.pieces.range(begin..=last).map(|(_, piece)| piece);
        let inside = |entry: &&Entry| (first..=last).contains(&entry.net());
        pieces.flat_map(|piece| piece.iter()).filter(inside).any(|entry| fits(entry.mark()))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.pieces.values().map(|piece| piece.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn net() -> impl Strategy<Value = Net> {
        // Few enough that they meet.
        (0..600_u128, prop::sample::select(vec![48_u8, 64, 128])).prop_map(|(bits, len)| (bits << 70, len))
    }

    proptest! {
        #[test]
        fn networks_are_those_of_a_plain_map(
            changes in prop::collection::vec((net(), prop::option::weighted(0.7, 1..100_u32)), 0..1500),
            asked in prop::collection::vec((net(), net()), 20), now_min in 0..100_u32,
        ) {
            let (mut networks, mut plain) = (Networks::default(), BTreeMap::new());
            for (net, until_min) in changes {
                let mark = until_min.map(|until_min| Mark { class: 1 << 6 | 2, until_min });
                networks.set(net, mark);
                match mark {
                    Some(mark) => _ = plain.insert(net, mark),
                    None => _ = plain.remove(&net),
                }
            }
            prop_assert!(networks.pieces.values().all(|piece| (1..=PIECE_MAX).contains(&piece.len())));
            for round in [false, true] {
                if round {
                    // More sweeps than there can be groups of pieces.
                    (0..300).for_each(|_| networks.sweep(now_min));
                    plain.retain(|_, mark| mark.holds(now_min));
                }
                prop_assert_eq!(networks.len(), plain.len());
                for (a, b) in &asked {
                    let (first, last) = (*a.min(b), *a.max(b));
                    let expect = plain.range(first..=last).next().is_some();
                    prop_assert_eq!(networks.any(first, last, |mark| mark.class == 1 << 6 | 2), expect);
                    prop_assert!(!networks.any(first, last, |mark| mark.class == 3));
                }
            }
        }
    }
}
