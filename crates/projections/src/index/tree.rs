//! A persistent tree from the 16 highest bits of a key to its leaf.
//!
//! A clone is one pointer. A change copies the leaf and the three nodes above it, unless
//! no other version shares them; all else is shared. The nodes are narrow because a copy
//! counts one more reference to each child, which touches the child's memory: at 256
//! children that was two thirds of a change (docs/decisions/index.md).

use std::sync::Arc;

use super::Mark;
use super::leaf::{Leaf, Scratch};
use super::memory::allocation;
use super::merge::Edit;

/// Bits of the leaf number that each level takes, root first; together 16.
const ROOT_BITS: u32 = 6;
const MIDDLE_BITS: u32 = 5;
const BOTTOM_BITS: u32 = 5;

/// Every leaf number, used and unused.
const LEAVES: usize = 1 << (ROOT_BITS + MIDDLE_BITS + BOTTOM_BITS);

/// The most leaf numbers one sweep looks at: a whole round takes 256 sweeps.
const SWEEP_LEAVES_MAX: usize = LEAVES / 256;

/// One sweep stops when it has read this many marks: some 50 µs.
const SWEEP_ENTRIES_MAX: usize = 16 * 1024;

/// A question whether there is any mark of a kind looks at so many: whoever fills a
/// network with marks of another kind shall not make each such question long.
const LOOKS_MAX: usize = 4096;

/// Marks of keys of `4 + TAIL` bytes; see the module's text.
#[derive(Clone)]
pub(super) struct Tree<const TAIL: usize> {
    root: Arc<Root<TAIL>>,
    len: usize,
    /// The next leaf number to be swept.
    cursor: u16,
}

type Root<const TAIL: usize> = Node<Arc<Middle<TAIL>>, { 1 << ROOT_BITS }>;
type Middle<const TAIL: usize> = Node<Arc<Bottom<TAIL>>, { 1 << MIDDLE_BITS }>;
type Bottom<const TAIL: usize> = Node<Leaf<TAIL>, { 1 << BOTTOM_BITS }>;

#[derive(Clone)]
struct Node<T, const WIDTH: usize>([Option<T>; WIDTH]);

impl<T, const WIDTH: usize> Node<T, WIDTH> {
    #[inline]
    fn child(&self, bits: usize) -> Option<&T> {
        self.0[bits % WIDTH].as_ref()
    }

    fn slot(&mut self, bits: usize) -> &mut Option<T> {
        &mut self.0[bits % WIDTH]
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    fn children(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    fn heap_bytes() -> usize {
        allocation(size_of::<Self>())
    }
}

impl<T, const WIDTH: usize> Default for Node<T, WIDTH> {
    fn default() -> Self {
        Node(std::array::from_fn(|_| None))
    }
}

impl<const TAIL: usize> Tree<TAIL> {
    pub(super) fn new() -> Self {
        Tree { root: Arc::default(), len: 0, cursor: 0 }
    }

    /// Keys held, expired ones too until they are swept.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether no key is held.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mark of `key`, if it holds in minute `now_min`.
    #[inline]
    pub(super) fn get(&self, key: u128, now_min: u32) -> Option<Mark> {
        self.find(key).filter(|mark| mark.holds(now_min))
    }

    /// Carries out `edits` in their order; each touched leaf is made anew once.
    pub(super) fn apply(&mut self, mut edits: Vec<Edit<u128>>) {
        edits.sort_by_key(|edit| edit.key);
        let mut scratch = Scratch::default();
        for edits in edits.chunk_by(|a, b| leaf_number::<TAIL>(a.key) == leaf_number::<TAIL>(b.key)) {
            self.edit_leaf(edits, &mut scratch);
        }
    }

    /// Drops marks that have run out, in the next few leaves; returns how many.
    pub(super) fn sweep(&mut self, now_min: u32) -> usize {
        let (before, mut seen, mut scratch) = (self.len, 0, Scratch::default());
        for _ in 0..SWEEP_LEAVES_MAX {
            seen += self.sweep_leaf(self.cursor, now_min, &mut scratch);
            self.cursor = self.cursor.wrapping_add(1);
            if seen >= SWEEP_ENTRIES_MAX {
                break;
            }
        }
        before - self.len
    }

    /// Whether a key from `first` to `last` has a mark that `fits`.
    ///
    /// Looks at no more than [`LOOKS_MAX`] marks, and then says yes: there are keys.
    pub(super) fn any_between(&self, first: u128, last: u128, fits: impl Fn(Mark) -> bool) -> bool {
        let mut left = LOOKS_MAX;
        let numbers = leaf_number::<TAIL>(first)..=leaf_number::<TAIL>(last);
        numbers.filter_map(|number| Some((number, self.leaf(number)?))).any(|(number, leaf)| {
            let rest = |key: u128, at_edge: bool, else_: u128| {
                if at_edge { Leaf::<TAIL>::rest_of(key) } else { else_ }
            };
            let from = rest(first, number == leaf_number::<TAIL>(first), 0);
            let to = rest(last, number == leaf_number::<TAIL>(last), u128::MAX);
            leaf.any_between(from, to, &mut left, &fits)
        })
    }

    /// Bytes of heap that this version holds, shared or not.
    pub(super) fn heap_bytes(&self) -> usize {
        let mut bytes = Root::<TAIL>::heap_bytes();
        for middle in self.root.children() {
            bytes += Middle::<TAIL>::heap_bytes();
            for bottom in middle.children() {
                let leaves = bottom.children().map(|leaf| allocation(leaf.heap_len()));
                bytes += Bottom::<TAIL>::heap_bytes() + leaves.sum::<usize>();
            }
        }
        bytes
    }

    /// The mark of `key`, expired or not.
    #[inline]
    fn find(&self, key: u128) -> Option<Mark> {
        self.leaf(leaf_number::<TAIL>(key))?.get(Leaf::<TAIL>::rest_of(key))
    }

    #[inline]
    fn leaf(&self, number: u16) -> Option<&Leaf<TAIL>> {
        let bits = usize::from(number);
        let middle = self.root.child(bits >> (MIDDLE_BITS + BOTTOM_BITS))?;
        middle.child(bits >> BOTTOM_BITS)?.child(bits)
    }

    /// `edits` are for one leaf, ascending.
    fn edit_leaf(&mut self, edits: &[Edit<u128>], scratch: &mut Scratch) {
        // Events may come twice; the second time nothing is copied.
        if edits.iter().all(|edit| self.find(edit.key) == edit.mark) {
            return;
        }
        let number = leaf_number::<TAIL>(edits[0].key);
        let rests = edits.iter().map(|edit| Edit { key: Leaf::<TAIL>::rest_of(edit.key), ..*edit });
        let new = Leaf::edited(self.leaf(number), rests, scratch);
        self.replace(number, new);
    }

    /// Returns how many marks it read.
    fn sweep_leaf(&mut self, number: u16, now_min: u32, scratch: &mut Scratch) -> usize {
        let Some(leaf) = self.leaf(number) else { return 0 };
        let seen = leaf.len();
        if leaf.has_expired(now_min) {
            let new = leaf.swept(now_min, scratch);
            self.replace(number, new);
        }
        seen
    }

    /// Puts `new` in the place of leaf `number`.
    fn replace(&mut self, number: u16, new: Option<Leaf<TAIL>>) {
        let (bits, len) = (usize::from(number), new.as_ref().map_or(0, Leaf::len));
        let root = Arc::make_mut(&mut self.root);
        let in_root = root.slot(bits >> (MIDDLE_BITS + BOTTOM_BITS));
        let middle = Arc::make_mut(in_root.get_or_insert_default());
        let in_middle = middle.slot(bits >> BOTTOM_BITS);
        let bottom = Arc::make_mut(in_middle.get_or_insert_default());
        let old = std::mem::replace(bottom.slot(bits), new);
        if len == 0 && bottom.is_empty() {
            *in_middle = None;
            if middle.is_empty() {
                *in_root = None;
            }
        }
        self.len = self.len + len - old.map_or(0, |leaf| leaf.len());
    }
}

#[inline]
fn leaf_number<const TAIL: usize>(key: u128) -> u16 {
    (key >> Leaf::<TAIL>::REST_BITS) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: u128) -> Edit<u128> {
        Edit { key, mark: Some(Mark { class: 1, until_min: 100 }) }
    }

    /// The numbers of the leaves that the two versions do not share.
    fn unshared(one: &Tree<0>, other: &Tree<0>) -> Vec<u16> {
        let same = |at: &u16| match (one.leaf(*at), other.leaf(*at)) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        (0..=u16::MAX).filter(|at| !same(at)).collect()
    }

    #[test]
    fn versions_share_every_leaf_that_did_not_change() {
        let mut tree = Tree::<0>::new();
        tree.apply((0..1000).map(|i| set(i << 18)).collect());
        let before = tree.clone();
        tree.apply(vec![set(1 << 18 | 5), set(1 << 18 | 6), set(7 << 18 | 5)]);
        assert_eq!(unshared(&before, &tree), [4, 28]);
        tree.apply(vec![Edit { key: 28 << 16, mark: None }]);
        assert_eq!(unshared(&before, &tree), [4, 28]);
        assert_eq!((before.len(), tree.len()), (1000, 1002));
    }

    #[test]
    fn a_change_that_changes_nothing_copies_nothing() {
        let mut tree = Tree::<0>::new();
        tree.apply(vec![set(0xc000_0219)]);
        let before = tree.clone();
        tree.apply(vec![set(0xc000_0219), Edit { key: 0xc000_021a, mark: None }]);
        assert_eq!(tree.sweep(99), 0);
        assert!(Arc::ptr_eq(&before.root, &tree.root));
    }

    #[test]
    fn nodes_go_with_their_last_key() {
        let mut tree = Tree::<0>::new();
        let empty = tree.heap_bytes();
        tree.apply(vec![set(0), set(u32::MAX.into())]);
        let clear = |key| vec![Edit { key, mark: None }];
        tree.apply(clear(0));
        assert_eq!(tree.root.children().count(), 1);
        tree.apply(clear(u32::MAX.into()));
        assert_eq!((tree.len(), tree.heap_bytes()), (0, empty));
    }
}
