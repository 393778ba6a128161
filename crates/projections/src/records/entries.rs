//! What is listed, in the order in which names are made of it.

use std::sync::Arc;

use model::{Codes, Prefix};
use rpds::RedBlackTreeMapSync;

use super::bulk::Bulk;
use super::node;

/// What holds on one prefix.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// All codes.
    pub codes: Codes,
    /// Prefixes inside on which fewer codes hold, and which.
    pub holes: Vec<(Prefix, Codes)>,
}

/// How far a domain entry reaches.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    /// On the name itself.
    pub name: Codes,
    /// On all names below it.
    pub below: Codes,
}

impl Scope {
    /// The name with all below it, as a blocked domain is listed.
    pub fn whole(codes: Codes) -> Scope {
        Scope { name: codes, below: codes }
    }
}

/// All that is listed: own entries by prefix and name, and bulk lists.
///
/// A clone is cheap, and does not change with the original.
#[derive(Clone, Debug)]
pub struct Entries {
    nodes: RedBlackTreeMapSync<Prefix, Parts>,
    /// By the name with its labels turned round: `com.example`.
    pub(super) names: RedBlackTreeMapSync<Box<str>, Scopes>,
    bulk: Arc<[Arc<Bulk>]>,
}

/// Who says what of a domain, by source; never empty.
pub(super) type Scopes = Arc<[(u8, Scope)]>;

/// What is said of a node, by source; never empty.
#[derive(Clone, Debug)]
enum Parts {
    One(Part),
    Many(Arc<[Part]>),
}

/// What one source says of a node and all inside it, until a closer node says otherwise of
/// the same source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// The length of the prefix that the entry is of, or another number for other sources.
    pub(super) source: u8,
    /// It takes codes away.
    is_hole: bool,
    pub(super) codes: Codes,
}

/// The first source that is a bulk list.
const BULK: u8 = 129;
/// The source that takes away everything: what can never be listed.
pub(super) const SPARED: u8 = 255;
/// Bulk lists in all; a site has a handful.
const BULK_MAX: usize = (SPARED - BULK) as usize;

impl Default for Entries {
    fn default() -> Self {
        Entries {
            nodes: RedBlackTreeMapSync::new_sync(),
            names: RedBlackTreeMapSync::new_sync(),
            bulk: Arc::new([]),
        }
    }
}

impl Entries {
    /// Brings what is said of a prefix from `before`, which must be what it was, to `after`.
    ///
    /// Prefixes that are too wide for any output are left out. What changes by it lies in
    /// [`Place::of`](super::Place::of).
    pub fn set(&mut self, prefix: Prefix, before: &Held, after: &Held) {
        if is_too_wide(prefix) {
            return;
        }
        let source = prefix.bits();
        self.put(prefix, source, None);
        before.holes.iter().for_each(|(hole, _)| self.put(*hole, source, None));
        if !after.codes.is_empty() {
            self.put(prefix, source, Some((false, after.codes)));
            after.holes.iter().for_each(|(hole, left)| self.put(*hole, source, Some((true, *left))));
        }
    }

    /// Brings what is said of a domain by one source (0: our cases) to `scope`.
    pub fn set_name(&mut self, domain: &str, source: u8, scope: Scope) {
        let key = turned(domain);
        let known = self.names.get(&key).map(|known| known.to_vec()).unwrap_or_default();
        let mut said: Vec<_> = known.into_iter().filter(|(by, _)| *by != source).collect();
        if scope != Scope::default() {
            said.push((source, scope));
        }
        match said.is_empty() {
            true => _ = self.names.remove_mut(&key),
            false => self.names.insert_mut(key, said.into()),
        }
    }

    /// Takes a prefix out of everything, or lets it in again. What changes by that lies in
    /// [`Place::spared`](super::Place::spared).
    pub fn spare(&mut self, prefix: Prefix, on: bool) {
        self.put(prefix, SPARED, on.then_some((true, Codes::NONE)));
    }

    /// Takes these bulk lists in place of those before; more than a hundred are cut.
    pub fn set_bulk(&mut self, lists: &[Arc<Bulk>]) {
        self.bulk = lists.iter().take(BULK_MAX).cloned().collect();
    }

    /// The bulk lists.
    pub fn bulk(&self) -> &[Arc<Bulk>] {
        &self.bulk
    }

    fn put(&mut self, prefix: Prefix, source: u8, said: Option<(bool, Codes)>) {
        for piece in node::pieces(prefix) {
            let known = self.nodes.get(&piece).map(Parts::as_slice).unwrap_or_default();
            let kept = known.iter().filter(|part| part.source != source).copied();
            let new = said.map(|(is_hole, codes)| Part { source, is_hole, codes });
            match kept.chain(new).collect::<Vec<_>>()[..] {
                [] => _ = self.nodes.remove_mut(&piece),
                [one] => self.nodes.insert_mut(piece, Parts::One(one)),
                ref many => self.nodes.insert_mut(piece, Parts::Many(many.into())),
            }
        }
    }

    /// What is said of exactly this node.
    pub(super) fn parts(&self, node: Prefix) -> impl Iterator<Item = Part> {
        let own = self.nodes.get(&node).map(Parts::as_slice).unwrap_or_default();
        let bulk = self.bulk.iter().zip(BULK..).filter_map(move |(list, source)| {
            list.get(node).map(|codes| Part { source, is_hole: false, codes })
        });
        own.iter().copied().chain(bulk)
    }

    /// Whether something is taken away from exactly this node.
    pub(super) fn has_hole(&self, node: Prefix) -> bool {
        self.nodes.get(&node).is_some_and(|parts| parts.as_slice().iter().any(|part| part.is_hole))
    }

    /// The first node at or behind `from`, up to `to`, that is longer than `longer` bits and
    /// of which something is said that matters to `among`.
    pub(super) fn next(&self, from: Prefix, to: Prefix, longer: u8, among: Codes) -> Option<Prefix> {
        let fits = |node: &Prefix| node.bits() > longer;
        let own = self.nodes.range(from..=to).find(|(node, parts)| fits(node) && parts.matter(among));
        let bulk = self.bulk.iter().filter_map(|list| next_of(list, from, longer, among));
        own.map(|(node, _)| *node).into_iter().chain(bulk).filter(|node| *node <= to).min()
    }
}

/// The same of one bulk list.
fn next_of(list: &Bulk, from: Prefix, longer: u8, among: Codes) -> Option<Prefix> {
    let mut place = Some(from);
    while let Some((node, last)) = place.and_then(|place| list.from(place)) {
        if node.bits() > longer && !Codes::of(last).and(among).is_empty() {
            return Some(node);
        }
        // In a bulk list nothing stands inside a node.
        place = node::behind(node);
    }
    None
}

/// Prefixes that stand in no output (DESIGN §4, invariant 4): IPv4 of 8 bits and less, IPv6
/// of 19 and less.
pub(super) fn is_too_wide(prefix: Prefix) -> bool {
    match prefix {
        Prefix::V4(_, len) => len <= 8,
        Prefix::V6(_, len) => len <= 19,
    }
}

/// A domain name with its labels turned round; and back.
pub(super) fn turned(domain: &str) -> Box<str> {
    domain.rsplit('.').collect::<Vec<_>>().join(".").into()
}

impl Parts {
    fn as_slice(&self) -> &[Part] {
        match self {
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Many(parts) => parts,
        }
    }

    fn matter(&self, among: Codes) -> bool {
        self.as_slice().iter().any(|part| part.is_hole || !part.codes.and(among).is_empty())
    }
}
