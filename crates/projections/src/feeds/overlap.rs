//! Claims that overlap, made into disjoint ranges: the narrowest one wins.
//!
//! One pass from the lowest address to the highest, with a heap of the claims that are
//! open. An exclusion is a claim of nothing and wins as the others do; a cut always wins.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::value::Packed;

/// The value of an exclusion.
pub(super) const NONE: Packed = 0;

/// The value of a cut: nothing here, however narrow the others are.
pub(super) const CUT: Packed = u32::MAX;

/// A number that addresses are counted in.
pub(super) trait Number: Copy + Ord {
    fn before(self) -> Self;
    fn after(self) -> Option<Self>;
    fn minus(self, other: Self) -> Self;
}

macro_rules! number {
    ($($of:ty)*) => { $(impl Number for $of {
        fn before(self) -> Self { self.saturating_sub(1) }
        fn after(self) -> Option<Self> { self.checked_add(1) }
        fn minus(self, other: Self) -> Self { self - other }
    })* };
}

number!(u32 u128);

/// One claim: first and last address, both in it, and what is said of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Claim<A> {
    pub(super) first: A,
    pub(super) last: A,
    pub(super) value: Packed,
}

/// An open claim, ordered by who wins: cuts, then the narrower, then of two of one width
/// the exclusion, then the smaller value; so the order of the lines says nothing.
type Open<A> = Reverse<(bool, A, Packed, A)>;

fn open<A: Number>(claim: Claim<A>) -> Open<A> {
    Reverse((claim.value != CUT, claim.last.minus(claim.first), claim.value, claim.last))
}

/// Gives `emit` the disjoint ranges of `claims`, ascending, as wide as they can be.
pub(super) fn flatten<A: Number>(mut claims: Vec<Claim<A>>, emit: impl FnMut(Claim<A>)) {
    claims.sort_unstable_by_key(|claim| claim.first);
    let mut joined = Joined { last: None, emit };
    let (mut claims, mut heap) = (claims.into_iter().peekable(), BinaryHeap::new());
    let mut at = claims.peek().map(|claim| claim.first);
    while let Some(from) = at {
        while let Some(claim) = claims.next_if(|claim| claim.first <= from) {
            heap.push(open(claim));
        }
        while heap.peek().is_some_and(|Reverse((.., last))| *last < from) {
            heap.pop();
        }
        let next = claims.peek().map(|claim| claim.first);
        let Some(Reverse((.., value, last))) = heap.peek().copied() else {
            at = next;
            continue;
        };
        let to = next.map_or(last, |next| last.min(next.before()));
        joined.push(Claim { first: from, last: to, value });
        at = to.after();
    }
    joined.finish();
}

/// Joins neighbours of one value, and leaves out what claims nothing.
struct Joined<A, F> {
    last: Option<Claim<A>>,
    emit: F,
}

impl<A: Number, F: FnMut(Claim<A>)> Joined<A, F> {
    fn push(&mut self, piece: Claim<A>) {
        match &mut self.last {
            Some(last) if last.value == piece.value && last.last.after() == Some(piece.first) => {
                last.last = piece.last;
            }
            _ => self.turn(Some(piece)),
        }
    }

    fn turn(&mut self, next: Option<Claim<A>>) {
        if let Some(done) =
            std::mem::replace(&mut self.last, next).filter(|d| ![NONE, CUT].contains(&d.value))
        {
            (self.emit)(done);
        }
    }

    fn finish(mut self) {
        self.turn(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat(claims: &[(u32, u32, Packed)]) -> Vec<(u32, u32, Packed)> {
        let mut got = Vec::new();
        let claims = claims.iter().map(|&(first, last, value)| Claim { first, last, value });
        flatten(claims.collect(), |c| got.push((c.first, c.last, c.value)));
        got
    }

    #[test]
    fn the_narrowest_wins_an_exclusion_too_and_a_cut_always() {
        assert_eq!(
            flat(&[(0, 99, 2), (10, 19, 3), (12, 12, 4)]),
            [(0, 9, 2), (10, 11, 3), (12, 12, 4), (13, 19, 3), (20, 99, 2)]
        );
        assert_eq!(flat(&[(0, 99, 2), (10, 19, NONE), (12, 12, 4)]), [(0, 9, 2), (12, 12, 4), (20, 99, 2)]);
        assert_eq!(flat(&[(0, 99, 2), (10, 19, CUT), (12, 12, 4)]), [(0, 9, 2), (20, 99, 2)]);
        assert_eq!(flat(&[(5, 5, 2), (5, 5, NONE)]), []);
        assert_eq!(flat(&[(5, 5, 2), (6, 9, 2), (10, 10, 3)]), [(5, 9, 2), (10, 10, 3)]);
        assert_eq!(
            flat(&[(0, u32::MAX, 2), (u32::MAX, u32::MAX, 3)]),
            [(0, u32::MAX - 1, 2), (u32::MAX, u32::MAX, 3)]
        );
    }

    proptest! {
        #[test]
        fn every_number_has_the_value_of_its_narrowest_claim(
            claims in prop::collection::vec((0u32..60, 0u32..20, 0u32..4), 0..12)
        ) {
            let claims: Vec<_> = claims.into_iter().map(|(f, w, v)| (f, f + w, v)).collect();
            let got = flat(&claims);
            prop_assert!(got.windows(2).all(|p| p[0].1 < p[1].0));
            for at in 0..80 {
                let around = claims.iter().filter(|(f, l, _)| (*f..=*l).contains(&at));
                let expect = around.min_by_key(|(f, l, v)| (l - f, *v)).map(|c| c.2).filter(|v| *v != NONE);
                let found = got.iter().find(|(f, l, _)| (*f..=*l).contains(&at)).map(|c| c.2);
                prop_assert_eq!(found, expect, "at {}", at);
            }
        }
    }
}
