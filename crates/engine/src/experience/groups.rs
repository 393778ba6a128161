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
    table: HashTable<(K, Group)>,
}

impl<K: Hash + Ord> Groups<K> {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The group of one kind with its key, made while there are fewer than `max`. Good mail
    /// makes one, too: it keeps the lesson from being learned.
    pub(super) fn at<Q>(&mut self, key: &Q, max: usize, own: impl FnOnce(&Q) -> K) -> Option<&mut (K, Group)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let (seeded, room) = (self.seeded, self.table.len() < max);
        let is = |(known, _): &(K, Group)| known.borrow() == key;
        match self.table.entry(seeded.hash_one(key), is, |(known, _)| seeded.hash_one(known.borrow())) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) if room => Some(place.insert((own(key), Group::default())).into_mut()),
            Entry::Vacant(_) => None,
        }
    }

    /// Forgets all but those of which this is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&Group) -> bool) {
        self.table.retain(|(_, group)| keep(group));
    }

    /// Those of a checkpoint.
    pub(super) fn restore(seeded: Seeded, stored: BTreeMap<K, Group>) -> Groups<K> {
        let mut table = HashTable::with_capacity(stored.len());
        for one in stored {
            table.insert_unique(seeded.hash_one(&one.0), one, |(known, _)| seeded.hash_one(known));
        }
        Groups { seeded, table }
    }
}

impl<C, K: Encode<C> + Ord> Encode<C> for Groups<K>
where
    Group: Encode<C>,
{
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        let in_order: BTreeMap<&K, &Group> = self.table.iter().map(|(key, group)| (key, group)).collect();
        in_order.encode(e, ctx)
    }
}
