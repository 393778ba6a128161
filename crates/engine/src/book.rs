//! The keys of one shard, found by hash, bounded in number.
//!
//! When it is full the coldest key gives way. Keys without good mail go first, as long as
//! they have a quarter of the room; keys with good mail have a quarter to themselves; a
//! blocked key never goes (DESIGN §4). ‘Cold’ is by second chance: a key that was seen
//! since it was last looked at goes to the end of its queue.

use std::collections::VecDeque;

use hashbrown::HashTable;
use model::{Millis, Prefix};

use crate::entry::Entry;
use crate::seeded::Seeded;

/// Queue places that are looked at to make room for one key: bounds the work of a flood.
const LOOKS_MAX: usize = 64;
/// The last of them are spent on keys with good mail, when the others are all blocked.
const LOOKS_AT_CREDITED: usize = 16;

/// The keys of one shard.
pub(crate) struct Book {
    seeded: Seeded,
    places: Vec<Place>,
    free: Vec<u32>,
    by_hash: HashTable<u32>,
    /// Places in the order in which they were last looked at: keys without good mail, as far
    /// as is known, and keys with.
    plain: VecDeque<u32>,
    credited: VecDeque<u32>,
}

struct Place {
    key: Prefix,
    looked_at: Millis,
    /// Empty while the place is free.
    entry: Option<Box<Entry>>,
}

/// A key with its place in the queue, for a checkpoint.
pub(crate) type Kept<E> = (Prefix, Millis, E);

impl Book {
    pub(crate) fn new(seeded: Seeded) -> Book {
        Book {
            seeded,
            places: Vec::new(),
            free: Vec::new(),
            by_hash: HashTable::new(),
            plain: VecDeque::new(),
            credited: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Where a key stands.
    pub(crate) fn find(&self, hash: u64, key: Prefix) -> Option<usize> {
        let found = self.by_hash.find(hash, |place| self.places[*place as usize].key == key);
        found.map(|place| *place as usize)
    }

    /// The entry at a place that [`Book::find`] or [`Book::insert`] has just named.
    pub(crate) fn at(&mut self, place: usize) -> &mut Entry {
        self.places[place].entry.get_or_insert_default()
    }

    pub(crate) fn get(&mut self, hash: u64, key: Prefix) -> Option<&mut Entry> {
        self.find(hash, key).map(|place| self.at(place))
    }

    /// The entry of a key, only to be looked at.
    pub(crate) fn look(&self, hash: u64, key: Prefix) -> Option<&Entry> {
        self.places[self.find(hash, key)?].entry.as_deref()
    }

    /// Enters a key that is not there yet; says where.
    pub(crate) fn insert(&mut self, hash: u64, key: Prefix, at: Millis) -> usize {
        let place = self.put(hash, key, at, Entry::new(at));
        self.plain.push_back(place);
        place as usize
    }

    fn put(&mut self, hash: u64, key: Prefix, looked_at: Millis, entry: Entry) -> u32 {
        let full = Place { key, looked_at, entry: Some(Box::new(entry)) };
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = full;
                place
            }
            None => {
                self.places.push(full);
                // A shard holds a 64th of `keys_max`, which is a `u32`.
                (self.places.len() - 1) as u32
            }
        };
        let (places, seeded) = (&self.places, self.seeded);
        self.by_hash.insert_unique(hash, place, |place| seeded.key(places[*place as usize].key));
        place
    }

    /// Makes room for one more key below `cap`; `gone` hears of each key that goes. `false`
    /// when none can.
    pub(crate) fn make_room(
        &mut self,
        cap: usize,
        now: Millis,
        gone: &mut dyn FnMut(Prefix, &Entry),
    ) -> bool {
        if self.len() < cap {
            return true;
        }
        self.demote(now);
        for look in (0..LOOKS_MAX).rev() {
            let Some((place, was_credited)) = self.coldest(cap, look < LOOKS_AT_CREDITED) else { break };
            if let Some(entry) = self.remove_if_cold(place, was_credited, now) {
                gone(self.places[place as usize].key, &entry);
                if self.len() < cap {
                    return true;
                }
            }
        }
        false
    }

    /// A key whose good mail is forgotten goes back among the others.
    fn demote(&mut self, now: Millis) {
        let Some(place) = self.credited.pop_front() else { return };
        let credit = self.entry(place).is_some_and(|entry| entry.has_credit(now));
        if credit { self.credited.push_back(place) } else { self.plain.push_front(place) }
    }

    /// Takes the place out of its queue that is to be looked at next.
    fn coldest(&mut self, cap: usize, any: bool) -> Option<(u32, bool)> {
        let crowded = self.credited.len() > cap - cap / 4;
        let spare = self.credited.len() > cap / 4;
        let from_credited = crowded || (spare && (any || self.plain.is_empty()));
        let queue = if from_credited { &mut self.credited } else { &mut self.plain };
        queue.pop_front().map(|place| (place, from_credited))
    }

    /// Frees a place, or puts it to the end of the queue where it belongs.
    fn remove_if_cold(&mut self, place: u32, was_credited: bool, now: Millis) -> Option<Box<Entry>> {
        let looked_at = self.places[place as usize].looked_at;
        let entry = self.entry(place)?;
        let last_seen = entry.record.last_seen;
        let credit = entry.has_credit(now);
        let promoted = credit && !was_credited;
        if entry.is_blocked() || last_seen > looked_at || promoted {
            self.places[place as usize].looked_at = last_seen;
            let queue = if credit { &mut self.credited } else { &mut self.plain };
            queue.push_back(place);
            return None;
        }
        let hash = self.seeded.key(self.places[place as usize].key);
        if let Ok(found) = self.by_hash.find_entry(hash, |known| *known == place) {
            found.remove();
        }
        self.free.push(place);
        self.places[place as usize].entry.take()
    }

    fn entry(&self, place: u32) -> Option<&Entry> {
        self.places[place as usize].entry.as_deref()
    }

    /// Both queues with their entries: plain, then credited.
    pub(crate) fn export(&self) -> [Vec<Kept<&Entry>>; 2] {
        [&self.plain, &self.credited].map(|queue| {
            let kept = queue.iter().filter_map(|place| {
                let Place { key, looked_at, entry } = &self.places[*place as usize];
                Some((*key, *looked_at, entry.as_deref()?))
            });
            kept.collect()
        })
    }

    /// The book that was exported so; of a key that stands there twice the first counts.
    pub(crate) fn import(seeded: Seeded, queues: [Vec<Kept<Entry>>; 2]) -> Book {
        let mut book = Book::new(seeded);
        let [plain, credited] = queues.map(|queue| {
            let mut places = VecDeque::with_capacity(queue.len());
            for (key, looked_at, entry) in queue {
                let hash = seeded.key(key);
                if book.find(hash, key).is_none() {
                    places.push_back(book.put(hash, key, looked_at, entry));
                }
            }
            places
        });
        Book { plain, credited, ..book }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDED: Seeded = Seeded([1, 2]);

    fn key(n: u32) -> Prefix {
        Prefix::new(std::net::Ipv4Addr::from_bits(n).into(), 32)
    }

    /// Enters keys one after the other, each if there is room; says which went for them.
    fn enter(book: &mut Book, cap: usize, keys: std::ops::Range<u32>) -> Vec<Prefix> {
        let mut gone = Vec::new();
        for n in keys {
            let at = Millis(u64::from(n));
            if book.make_room(cap, at, &mut |key, _| gone.push(key)) {
                book.insert(SEEDED.key(key(n)), key(n), at);
            }
        }
        gone
    }

    fn get(book: &mut Book, n: u32) -> Option<&mut Entry> {
        book.get(SEEDED.key(key(n)), key(n))
    }

    #[test]
    fn the_key_that_was_entered_first_goes_first_and_its_place_is_used_again() {
        let mut book = Book::new(SEEDED);
        let gone = enter(&mut book, 10, 0..1000);
        assert_eq!(gone, (0..990).map(key).collect::<Vec<_>>());
        assert_eq!((book.len(), book.places.len()), (10, 10));
        assert!(get(&mut book, 989).is_none() && get(&mut book, 990).is_some());
    }

    /// C.0 allows 512 bytes for a key; beside these are a hash place, a queue place, and what
    /// rules keep once they have counted something.
    #[test]
    fn c_0_a_key_that_was_only_seen_takes_less_than_300_bytes() {
        assert!(size_of::<Entry>() + size_of::<Place>() < 300);
    }

    #[test]
    fn a_key_that_was_seen_since_gets_a_second_chance() {
        let mut book = Book::new(SEEDED);
        enter(&mut book, 10, 0..10);
        get(&mut book, 0).unwrap().record.last_seen = Millis(99);
        assert_eq!(enter(&mut book, 10, 100..102), [key(1), key(2)]);
        assert_eq!(enter(&mut book, 10, 102..110).last(), Some(&key(0)), "the second is the last");
    }

    #[test]
    fn a_smaller_cap_shrinks_the_book() {
        let mut book = Book::new(SEEDED);
        enter(&mut book, 100, 0..100);
        // The first finds no room: it may not look at more than 64 for one.
        assert_eq!(enter(&mut book, 10, 100..103).len(), 64 + 27 + 1);
        assert_eq!((book.len(), book.free.len()), (10, 90));
    }

    #[test]
    fn a_book_is_the_same_after_export_and_import() {
        let mut book = Book::new(SEEDED);
        enter(&mut book, 10, 0..35);
        let queues = book.export().map(|q| q.into_iter().map(|(k, at, e)| (k, at, e.clone())).collect());
        let mut again = Book::import(SEEDED, queues);
        assert_eq!(again.export(), book.export());
        assert_eq!(enter(&mut again, 10, 50..60), enter(&mut book, 10, 50..60));
    }

    #[test]
    fn a_key_that_stands_twice_in_a_checkpoint_is_entered_once() {
        let kept = |n: u32| (key(n), Millis(1), Entry::new(Millis(1)));
        let mut book = Book::import(SEEDED, [vec![kept(1), kept(2), kept(1)], vec![kept(2), kept(3)]]);
        assert_eq!(book.len(), 3);
        assert_eq!((book.plain.len(), book.credited.len()), (2, 1));
        assert_eq!(enter(&mut book, 3, 9..12).len(), 3);
    }
}
