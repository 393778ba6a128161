//! Groups of strangers by what they share, found by a keyed hash.
//!
//! Nearly every judged message of a stranger asks for three of them, so one look must do. Bounded
//! by who asks; stored in the order of their keys, so that the same state gives the same bytes.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Encode, Encoder};

use super::Group;
use crate::seeded::Seeded;

/// The groups by one kind of key.
#[derive(Debug)]
pub(super) struct Groups<K> {
    seeded: Seeded,
    all: Vec<(K, Group)>,
    /// Places in `all`: they are small, so that a table that is half empty is, too.
    by_hash: HashTable<u32>,
}

impl<K: Hash + Ord> Groups<K> {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The group of one kind with its key, made while there are fewer than `max`. Good mail
    /// makes one, too: it keeps the lesson from being learned.
    pub(super) fn at<Q>(&mut self, key: &Q, max: usize, own: impl FnOnce(&Q) -> K) -> Option<&mut (K, Group)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let (seeded, all) = (self.seeded, &mut self.all);
        let is = |place: &u32| all[*place as usize].0.borrow() == key;
        let hash = |place: &u32| seeded.hash_one(all[*place as usize].0.borrow());
        let place = match self.by_hash.entry(seeded.hash_one(key), is, hash) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(_) if all.len() >= max => return None,
            Entry::Vacant(empty) => {
                // Fewer than `max`, which is some ten thousand.
                let place = all.len() as u32;
                empty.insert(place);
                all.push((own(key), Group::default()));
                place
            }
        };
        self.all.get_mut(place as usize)
    }

    /// Forgets all but those of which this is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&Group) -> bool) {
        self.all.retain(|(_, group)| keep(group));
        self.by_hash.clear();
        self.link();
    }

    /// Those of a checkpoint.
    pub(super) fn restore(seeded: Seeded, stored: BTreeMap<K, Group>) -> Groups<K> {
        let mut groups = Groups { seeded, all: stored.into_iter().collect(), by_hash: HashTable::new() };
        groups.link();
        groups
    }

    /// Enters every place into the empty table.
    fn link(&mut self) {
        let (seeded, all) = (self.seeded, &self.all);
        let hash = |place: &u32| seeded.hash_one(&all[*place as usize].0);
        for place in 0..all.len() as u32 {
            self.by_hash.insert_unique(hash(&place), place, hash);
        }
    }
}

impl<C, K: Encode<C> + Ord> Encode<C> for Groups<K>
where
    Group: Encode<C>,
{
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        let in_order: BTreeMap<&K, &Group> = self.all.iter().map(|(key, group)| (key, group)).collect();
        in_order.encode(e, ctx)
    }
}
