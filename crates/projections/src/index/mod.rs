//! The live prefix index: whether an address is blocked, and how hard.
//!
//! Every answer to an SMTP client looks here. One writer (the projector) applies the
//! changes of a batch and publishes a clone; readers hold a clone and ask it. A clone is
//! a handful of pointers and never changes: versions share all that did not change
//! between them, so there is no rebuild and no pause at any size (DESIGN, ‘The index’).
//! The writer keeps each old version until no reader holds it, so that it is he who gives
//! the memory back; a reader that frees may wait for the allocator.
//!
//! It knows the class and the end of each block, the end rounded up to a minute, and
//! nothing else: the case id and the exact end stand in a map of their own, read only
//! before a refusal. It reads no clock; the caller says what minute it is. Bulk lists are
//! other layers. Figures and reasons: docs/decisions/index.md.

mod columns;
mod key;
mod leaf;
mod memory;
mod merge;
mod own;
mod shuffle;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::net::IpAddr;

use model::Prefix;

pub use self::key::{Change, Mark, PREFIX_V4_LEN_MIN, PREFIX_V6_LEN_MIN, TooWide};

use self::key::Place;
use self::merge::Edit;
use self::own::Own;
use self::shuffle::Shuffle;
use self::tree::Tree;

/// What holds on one client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Marks {
    /// On its own key: the IPv4 address, the IPv6 /64.
    pub own: Option<Mark>,
    /// The hardest on any other prefix around it, and on a single IPv6 address.
    pub around: Option<Mark>,
}

/// One version of the index; see the module's text.
#[derive(Clone)]
pub struct Index {
    /// Marks of single IPv4 addresses, by their 32 bits.
    v4: Tree<0>,
    /// Marks of IPv6 /64s, by their shuffled 64 bits.
    net6: Tree<4>,
    /// Marks of single IPv6 addresses, by their shuffled 128 bits.
    host6: Tree<12>,
    own4: Own,
    own6: Own,
    shuffle: Shuffle,
}

impl Index {
    /// An empty index; `seed` keeps attackers from choosing where their /64s are held.
    ///
    /// The seed changes no answer. Draw it at random once, keep it for the index's life.
    pub fn new(seed: [u64; 2]) -> Index {
        Index {
            v4: Tree::new(),
            net6: Tree::new(),
            host6: Tree::new(),
            own4: Own::new(),
            own6: Own::new(),
            shuffle: Shuffle::new(seed),
        }
    }

    /// The hardest mark that holds on `addr` in minute `now_min` since 1970 (UTC).
    ///
    /// Looks at the address, its /64 and every prefix around it. An IPv4-mapped IPv6
    /// address is taken as IPv6: fold it first ([`model::key::fold`]).
    #[inline(always)]
    pub fn get(&self, addr: IpAddr, now_min: u32) -> Option<Mark> {
        match addr {
            IpAddr::V4(addr) => self.get_v4(addr.to_bits(), now_min),
            IpAddr::V6(addr) => self.get_v6(addr.to_bits(), now_min),
        }
    }

    /// The mark of the client's own key apart from those of networks around it.
    #[inline(always)]
    pub fn marks(&self, addr: IpAddr, now_min: u32) -> Marks {
        match addr {
            IpAddr::V4(addr) => Marks {
                own: self.v4.get(addr.to_bits().into(), now_min),
                around: self.around4(addr.to_bits(), now_min),
            },
            IpAddr::V6(addr) => {
                let net = self.shuffle.net((addr.to_bits() >> 64) as u64);
                let rare = !(self.host6.is_empty() && self.own6.is_empty());
                let around = if rare { self.get_rare_v6(addr.to_bits(), now_min) } else { None };
                Marks { own: self.net6.get(net.into(), now_min), around }
            }
        }
    }

    #[inline]
    fn around4(&self, addr: u32, now_min: u32) -> Option<Mark> {
        if self.own4.is_empty() { None } else { self.own4.get(u128::from(addr) << 96, now_min) }
    }

    /// Whether a mark that `fits` holds on an IPv4 address of the prefix that has these high bits
    /// and this length.
    ///
    /// Where very many marks do not fit, the answer is yes without having seen them all.
    pub fn any_in_v4(&self, bits: u32, len: u8, fits: impl Fn(Mark) -> bool) -> bool {
        let last = bits | u32::MAX.checked_shr(len.into()).unwrap_or(0);
        let [first, last] = [bits, last].map(u128::from);
        self.v4.any_between(first, last, &fits)
            || self.own4.any_between(first << 96, last << 96 | u128::from(u32::MAX) << 64, &fits)
    }

    #[inline]
    fn get_v4(&self, addr: u32, now_min: u32) -> Option<Mark> {
        let exact = self.v4.get(addr.into(), now_min);
        if self.own4.is_empty() { exact } else { exact.max(self.own4.get(u128::from(addr) << 96, now_min)) }
    }

    #[inline]
    fn get_v6(&self, addr: u128, now_min: u32) -> Option<Mark> {
        let net = self.net6.get(self.shuffle.net((addr >> 64) as u64).into(), now_min);
        let alone = self.host6.is_empty() && self.own6.is_empty();
        if alone { net } else { net.max(self.get_rare_v6(addr, now_min)) }
    }

    fn get_rare_v6(&self, addr: u128, now_min: u32) -> Option<Mark> {
        self.host6.get(self.shuffle.host(addr), now_min).max(self.own6.get(addr, now_min))
    }

    /// Gives `prefix` this mark; refuses what is too wide for any output.
    ///
    /// For more than one at a time [`Index::apply`] is cheaper.
    pub fn set(&mut self, prefix: Prefix, mark: Mark) -> Result<(), TooWide> {
        self.apply([Change::set(prefix, mark)?]);
        Ok(())
    }

    /// Takes the mark of exactly this prefix away, if it has one.
    pub fn remove(&mut self, prefix: Prefix) {
        self.apply([Change::clear(prefix)]);
    }

    /// Carries out a batch in its order: what comes later wins.
    ///
    /// Each leaf that the batch touches is copied once, however many of its keys change.
    /// A change that changes nothing copies nothing.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        let (mut v4, mut net6, mut host6) = (Vec::new(), Vec::new(), Vec::new());
        let (mut own4, mut own6) = (Vec::new(), Vec::new());
        for Change { place, mark } in changes {
            match place {
                Place::V4(addr) => v4.push(Edit { key: addr.into(), mark }),
                Place::Net6(net) => net6.push(Edit { key: self.shuffle.net(net).into(), mark }),
                Place::Host6(addr) => host6.push(Edit { key: self.shuffle.host(addr), mark }),
                Place::Own4(bits, len) => own4.push(Edit { key: (bits, len), mark }),
                Place::Own6(bits, len) => own6.push(Edit { key: (bits, len), mark }),
            }
        }
        self.v4.apply(v4);
        self.net6.apply(net6);
        self.host6.apply(host6);
        self.own4.apply(own4);
        self.own6.apply(own6);
    }

    /// Drops marks that have run out by `now_min`; returns how many.
    ///
    /// Only to save memory: an expired mark is never answered. One call looks at a part
    /// of each layer, at some 16 000 marks in all, and the next call goes on from there;
    /// some hundreds of calls go once round. One call a batch is plenty.
    pub fn sweep(&mut self, now_min: u32) -> usize {
        let trees = self.v4.sweep(now_min) + self.net6.sweep(now_min) + self.host6.sweep(now_min);
        trees + self.own4.sweep(now_min) + self.own6.sweep(now_min)
    }

    /// Keys that hold a mark, expired ones too until they are swept.
    pub fn len(&self) -> usize {
        self.v4.len() + self.net6.len() + self.host6.len() + self.own4.len() + self.own6.len()
    }

    /// Whether no key holds a mark.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of heap that this version holds, counted node by node.
    ///
    /// What it shares with other versions counts in each. Walks the whole structure: for
    /// measurements, not for every batch.
    pub fn heap_bytes(&self) -> usize {
        let trees = self.v4.heap_bytes() + self.net6.heap_bytes() + self.host6.heap_bytes();
        trees + self.own4.heap_bytes() + self.own6.heap_bytes()
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("len", &self.len()).finish_non_exhaustive()
    }
}
