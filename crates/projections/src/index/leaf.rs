//! A leaf of the tree: the marks of all keys that share their 16 highest bits.
//!
//! One allocation of `u16` words, never changed once made:
//!
//! | words        | what                                                             |
//! |--------------|------------------------------------------------------------------|
//! | 2            | base: the earliest end in the leaf, in minutes; or [`FAR`]       |
//! | n            | the next 16 bits of each key, ascending                          |
//! | `TAIL` · n   | what is left of each key (none, 32 or 96 bits)       |
//! | n            | each end, in minutes after the base; two words each when far     |
//! | n/2, upwards | the classes, two to a word                                       |
//!
//! n follows from the length. 65 535 minutes are 45 days and no sentence is longer than
//! 30, so a leaf is *far* (ends are absolute, 32 bits) only when an operator pinned one
//! of its keys, or expired marks were not swept for a fortnight. A leaf that is made
//! anew takes a new base: nothing has to be re-based as time goes by.

use std::sync::Arc;

use super::Mark;
use super::merge::Entry;

/// Words before the columns.
const HEAD: usize = 2;

/// Stands in place of a base in a leaf whose ends lie too far apart for 16 bits.
const FAR: u32 = u32::MAX;

/// How many neighbours of the interpolated place are looked at together: one cache line.
///
/// With keys spread evenly over a leaf of 150 the guess is off by 6 at most (one standard
/// deviation, in the middle), so the window nearly always holds the key.
const WINDOW: usize = 32;

/// See the module's text. `TAIL` is how many words of a key follow its second one.
#[derive(Clone)]
pub(super) struct Leaf<const TAIL: usize>(Arc<[u16]>);

struct Columns<'a> {
    base: u32,
    /// All columns, from the first of `nexts` on.
    body: &'a [u16],
    nexts: &'a [u16],
    tails: &'a [u16],
    ends: &'a [u16],
    classes: &'a [u16],
}

impl<const TAIL: usize> Leaf<TAIL> {
    /// Bits of a key below the 16 that choose the leaf.
    pub(super) const REST_BITS: usize = 16 * (1 + TAIL);

    /// The part of `key` that tells it from the others in its leaf.
    pub(super) fn rest_of(key: u128) -> u128 {
        key & ((1 << Self::REST_BITS) - 1)
    }

    /// The leaf of these entries, which are in ascending order; none for no entries.
    ///
    /// `words` is scratch space that the caller keeps from leaf to leaf.
    pub(super) fn of(entries: &[Entry<u128>], words: &mut Vec<u16>) -> Option<Self> {
        let ends = entries.iter().map(|e| e.mark.until_min);
        let (first, last) = (ends.clone().min()?, ends.max()?);
        let base = if last - first <= u32::from(u16::MAX) { first } else { FAR };
        words.clear();
        words.extend(halves(base));
        words.extend(entries.iter().map(|e| (e.key >> (16 * TAIL)) as u16));
        for entry in entries {
            words.extend((0..TAIL).map(|i| (entry.key >> (16 * i)) as u16));
        }
        for entry in entries {
            let [low, high] = halves(entry.mark.until_min - if base == FAR { 0 } else { base });
            words.push(low);
            words.extend((base == FAR).then_some(high));
        }
        let class = |e: &Entry<u128>| u16::from(e.mark.class);
        words.extend(entries.chunks(2).map(|two| class(&two[0]) | two.get(1).map_or(0, class) << 8));
        Some(Leaf(Arc::from(words.as_slice())))
    }

    /// The mark of the key with this `rest`, expired or not.
    #[inline]
    pub(super) fn get(&self, rest: u128) -> Option<Mark> {
        let columns = self.columns();
        let at = columns.position::<TAIL>(rest)?;
        Some(columns.mark(at))
    }

    /// How many keys it holds.
    pub(super) fn len(&self) -> usize {
        self.columns().nexts.len()
    }

    /// All keys with their marks, ascending.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<u128>> {
        let columns = self.columns();
        (0..columns.nexts.len())
            .map(move |at| Entry { key: columns.rest::<TAIL>(at), mark: columns.mark(at) })
    }

    /// Whether a mark has run out by `now_min`; one look when none can have.
    pub(super) fn has_expired(&self, now_min: u32) -> bool {
        let Columns { base, .. } = self.columns();
        let may = base == FAR || base <= now_min;
        may && self.entries().any(|e| !e.mark.holds(now_min))
    }

    /// Bytes of its allocation, without what the allocator adds.
    pub(super) fn heap_len(&self) -> usize {
        size_of_val(&*self.0).next_multiple_of(align_of::<usize>())
    }

    /// Whether both are one allocation.
    #[cfg(test)]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    #[inline(always)]
    fn columns(&self) -> Columns<'_> {
        let (head, body) = self.0.split_at(HEAD);
        let base = u32::from(head[0]) | u32::from(head[1]) << 16;
        // A branch and not a choice of divisors: the processor guesses it right and goes on
        // to the keys before the base has come out of memory.
        if base == FAR { Self::far(body) } else { Self::split(base, body, 1) }
    }

    #[cold]
    fn far(body: &[u16]) -> Columns<'_> {
        Self::split(FAR, body, 2)
    }

    #[inline(always)]
    fn split(base: u32, body: &[u16], end_words: usize) -> Columns<'_> {
        // Half a word for the class: twice the words of an entry is an odd whole number.
        let len = 2 * body.len() / (2 * (1 + TAIL + end_words) + 1);
        let (nexts, rest) = body.split_at(len);
        let (tails, rest) = rest.split_at(TAIL * len);
        let (ends, classes) = rest.split_at(end_words * len);
        Columns { base, body, nexts, tails, ends, classes }
    }
}

impl Columns<'_> {
    #[inline]
    fn position<const TAIL: usize>(&self, rest: u128) -> Option<usize> {
        let next = (rest >> (16 * TAIL)) as u16;
        let mut at = self.lower_bound(next);
        while *self.nexts.get(at)? == next {
            if TAIL == 0 || self.rest::<TAIL>(at) == rest {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// The place of the first key not below `next`.
    #[inline]
    fn lower_bound(&self, next: u16) -> usize {
        let nexts = self.nexts;
        let start = ((usize::from(next) * nexts.len()) >> 16).saturating_sub(WINDOW / 2);
        let start = start.min(nexts.len().saturating_sub(WINDOW));
        let end = nexts.len().min(start + WINDOW);
        if start > 0 && nexts[start] >= next {
            return nexts[..start].partition_point(|&n| n < next);
        }
        if end < nexts.len() && nexts[end - 1] < next {
            return end + nexts[end..].partition_point(|&n| n < next);
        }
        start + count_below(&self.body[start..], end - start, next)
    }

    #[inline]
    fn rest<const TAIL: usize>(&self, at: usize) -> u128 {
        let tail = (0..TAIL).map(|i| u128::from(self.tails[TAIL * at + i]) << (16 * i));
        tail.fold(u128::from(self.nexts[at]) << (16 * TAIL), |rest, word| rest | word)
    }

    #[inline]
    fn mark(&self, at: usize) -> Mark {
        let until_min = if self.base == FAR {
            u32::from(self.ends[2 * at]) | u32::from(self.ends[2 * at + 1]) << 16
        } else {
            self.base + u32::from(self.ends[at])
        };
        Mark { class: (self.classes[at / 2] >> (8 * (at % 2))) as u8, until_min }
    }
}

/// How many of the first `len` words are below `next`; `len` is at most [`WINDOW`].
///
/// Always looks at a whole number of lanes, also at words behind the first `len`, which
/// it does not count: a loop whose length differs from leaf to leaf would stall the
/// processor more often than it saves.
#[inline]
fn count_below(words: &[u16], len: usize, next: u16) -> usize {
    if let Some(lanes) = words.first_chunk::<WINDOW>() {
        lanes_below(lanes, len, next)
    } else if let Some(lanes) = words.first_chunk::<{ WINDOW / 2 }>() {
        lanes_below(lanes, len, next)
    } else {
        words[..len].iter().filter(|&&n| n < next).count()
    }
}

#[inline]
fn lanes_below<const N: usize>(lanes: &[u16; N], len: usize, next: u16) -> usize {
    let len = len as u16;
    let below = (0..N as u16).zip(lanes).map(|(lane, &n)| u16::from(lane < len && n < next));
    usize::from(below.sum::<u16>())
}

fn halves(word: u32) -> [u16; 2] {
    [word as u16, (word >> 16) as u16]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf<const TAIL: usize>(entries: &[(u128, u8, u32)]) -> Option<Leaf<TAIL>> {
        let entry = |&(key, class, until_min): &_| Entry { key, mark: Mark { class, until_min } };
        Leaf::of(&entries.iter().map(entry).collect::<Vec<_>>(), &mut Vec::new())
    }

    /// Makes a leaf of these entries and finds them again, and their neighbours not.
    #[track_caller]
    fn check<const TAIL: usize>(entries: &[(u128, u8, u32)], words: usize) {
        let made = leaf::<TAIL>(entries).unwrap();
        assert_eq!(made.0.len(), words);
        assert_eq!(made.len(), entries.len());
        let back: Vec<_> = made.entries().map(|e| (e.key, e.mark.class, e.mark.until_min)).collect();
        assert_eq!(back, entries);
        for &(key, class, until_min) in entries {
            assert_eq!(made.get(key), Some(Mark { class, until_min }), "{key:#x}");
            let next = key.wrapping_add(1);
            assert_eq!(made.get(next).is_some(), entries.iter().any(|e| e.0 == next), "{next:#x}");
        }
    }

    #[test]
    fn no_keys_no_leaf() {
        assert!(leaf::<0>(&[]).is_none());
    }

    #[test]
    fn any_number_of_keys_comes_back() {
        for n in 1..200_u32 {
            let entry = |i: u32| (u128::from(i) * 327, (i * 7 + n) as u8, 1000 + i * 300);
            let entries: Vec<_> = (0..n).map(entry).collect();
            let classes = entries.len().div_ceil(2);
            check::<0>(&entries, HEAD + 2 * entries.len() + classes);
            check::<2>(&entries, HEAD + 4 * entries.len() + classes);
            check::<6>(&entries, HEAD + 8 * entries.len() + classes);
        }
    }

    #[test]
    fn ends_take_two_words_only_when_they_lie_far_apart() {
        check::<0>(&[(1, 1, 7), (2, 2, 7 + 0xffff)], 2 + 4 + 1);
        check::<0>(&[(1, 1, 7), (2, 2, 7 + 0x1_0000)], 2 + 6 + 1);
        check::<0>(&[(1, 1, u32::MAX - 1), (2, 2, u32::MAX)], 2 + 4 + 1);
        check::<0>(&[(1, 1, u32::MAX), (2, 2, u32::MAX)], 2 + 6 + 1);
        check::<0>(&[(1, 1, 0), (2, 2, u32::MAX)], 2 + 6 + 1);
        check::<2>(&[(1, 1, 0), (2, 2, u32::MAX), (3, 3, 5)], 2 + 5 * 3 + 2);
    }

    #[test]
    fn keys_are_found_however_they_lie() {
        let all = 0..=u16::MAX;
        let spread: [&dyn Fn(u16) -> bool; 6] = [
            &|n| n < 300,
            &|n| n >= u16::MAX - 300,
            &|n| !(100..65_400).contains(&n),
            &|n| (40_000..40_500).contains(&n),
            &|n| n % 257 == 0,
            &|n| n.is_power_of_two() || n == 0 || n == u16::MAX,
        ];
        for (case, held) in spread.iter().enumerate() {
            let entries: Vec<_> = all.clone().filter(|&n| held(n)).map(|n| (n.into(), 1, n.into())).collect();
            let made = leaf::<0>(&entries).unwrap();
            for n in all.clone() {
                let got = made.get(n.into()).map(|mark| mark.until_min);
                assert_eq!(got, held(n).then_some(n.into()), "{n} in spread {case}");
            }
        }
    }

    #[test]
    fn keys_that_differ_in_their_last_words_only_are_told_apart() {
        let entries: Vec<_> = (0..100_u32).map(|i| (0x1234_0000_0000 | u128::from(i) << 8, 1, i)).collect();
        check::<2>(&entries, 2 + 400 + 50);
        let entries: Vec<_> = (0..100_u32).map(|i| (7 << 96 | u128::from(i) << 77, 1, i)).collect();
        check::<6>(&entries, 2 + 800 + 50);
    }

    #[test]
    fn a_leaf_knows_whether_to_sweep_it() {
        let near = leaf::<0>(&[(1, 1, 100), (2, 1, 200)]).unwrap();
        let far = leaf::<0>(&[(1, 1, 100), (2, 1, 200_000)]).unwrap();
        for leaf in [near, far] {
            assert_eq!([99, 100, 101].map(|now| leaf.has_expired(now)), [false, true, true]);
        }
    }
}
