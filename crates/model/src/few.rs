//! A list that is nearly always empty.
//!
//! Of half a million keys most have no strike, no sample, no waiting unit. An empty list
//! costs eight bytes here and a `Vec` twenty-four; its stored form is that of a `Vec`. It
//! grows by what is put in, and no further.

use std::ops::{Deref, DerefMut};

use minicbor::{Decode, Encode};

/// The list; as a slice it can do what a slice can.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::box_collection, reason = "the box is what makes an empty one small")]
pub struct Few<T>(Option<Box<Vec<T>>>);

impl<T> Few<T> {
    /// Puts one at the end.
    pub fn push(&mut self, one: T) {
        self.insert(self.len(), one);
    }

    /// Puts one at a place, which is not beyond the end.
    pub fn insert(&mut self, place: usize, one: T) {
        let list = self.0.get_or_insert_default();
        list.reserve_exact(1);
        list.insert(place, one);
    }

    /// Takes one out of a place that is not empty.
    pub fn remove(&mut self, place: usize) -> T {
        let one = self.0.get_or_insert_default().remove(place);
        self.shrink();
        one
    }

    /// Keeps those of which this is true.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        if let Some(list) = &mut self.0 {
            list.retain(keep);
            self.shrink();
        }
    }

    /// Keeps at most the first so many.
    pub fn truncate(&mut self, most: usize) {
        if let Some(list) = &mut self.0 {
            list.truncate(most);
            self.shrink();
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Takes all out.
    pub fn take(&mut self) -> Vec<T> {
        self.0.take().map_or_else(Vec::new, |list| *list)
    }

    /// An empty list is no list: so that equal ones are equal.
    fn shrink(&mut self) {
        if self.is_empty() {
            self.0 = None;
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Few<T> {
        Few(None)
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(list: Vec<T>) -> Few<T> {
        Few((!list.is_empty()).then(|| Box::new(list)))
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |list| list)
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_mut().map_or(&mut [], |list| list)
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Few<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<C, T: Encode<C>> Encode<C> for Few<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.len() as u64)?;
        self.iter().try_for_each(|one| one.encode(e, ctx))
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for Few<T> {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Vec::decode(d, ctx).map(Few::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_does_what_a_list_does() {
        assert_eq!(size_of::<Few<[u64; 9]>>(), 8);
        let mut few = Few::default();
        assert!(few.is_empty() && few.iter().next().is_none());
        few.push(1);
        few.push(3);
        few.insert(1, 2);
        assert_eq!(few[..], [1, 2, 3]);
        few.iter_mut().for_each(|one| *one *= 10);
        assert_eq!(few.remove(0), 10);
        few.retain(|one| *one > 20);
        assert_eq!(few[..], [30]);
        few.push(40);
        few.truncate(1);
        assert_eq!((few.take(), few.take()), (vec![30], vec![]));
    }

    #[test]
    fn emptied_it_equals_one_that_was_never_filled() {
        let filled = || Few::from(vec![1]);
        let (mut removed, mut retained, mut truncated) = (filled(), filled(), filled());
        removed.remove(0);
        retained.retain(|_| false);
        truncated.truncate(0);
        assert_eq!([removed, retained, truncated], [const { Few(None) }; 3]);
        assert_eq!(Few::from(Vec::<u8>::new()), Few::default());
    }

    #[test]
    fn its_stored_form_is_that_of_a_vec() {
        for list in [vec![], vec![7u32], vec![1, 2, 300]] {
            let bytes = minicbor::to_vec(&list).unwrap();
            let few = Few::from(list);
            assert_eq!(minicbor::to_vec(&few).unwrap(), bytes);
            assert_eq!(minicbor::decode::<Few<u32>>(&bytes).unwrap(), few);
        }
    }
}
