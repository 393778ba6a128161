//! From entries to names: down the tree of nodes, with what covers each.

use model::{Codes, Prefix};

use super::entries::{Entries, SPARED};
use super::{Owner, Row, Zone, node};

/// What covers a node, by source.
#[derive(Clone, Debug, Default)]
struct Cover(Vec<(u8, Codes)>);

impl Cover {
    fn codes(&self) -> Codes {
        match self.0.iter().any(|(source, _)| *source == SPARED) {
            true => Codes::NONE,
            false => self.0.iter().fold(Codes::NONE, |all, (_, codes)| all.or(*codes)),
        }
    }

    fn set(&mut self, source: u8, codes: Codes) {
        match self.0.iter_mut().find(|(known, _)| *known == source) {
            Some(known) => known.1 = codes,
            None => self.0.push((source, codes)),
        }
    }
}

/// One walk through a zone.
pub(super) struct Walk<'a> {
    pub(super) entries: &'a Entries,
    pub(super) zone: &'a Zone,
    /// Names of nodes that share no address with it are left out.
    pub(super) only: Prefix,
    pub(super) out: &'a mut dyn FnMut(Row),
}

impl Walk<'_> {
    /// Tells the names of all nodes around and inside `only`.
    pub(super) fn run(&mut self) {
        self.node(node::root(self.only), &Cover::default());
    }

    /// Tells the names of a node, inside which something is said or which has no name yet
    /// though it is covered.
    fn node(&mut self, node: Prefix, cover: &Cover) {
        let codes = cover.codes();
        if node::is_full(node) {
            return self.tell(node, codes);
        }
        let is_covered = !codes.is_empty();
        let inside = self.said_inside(node, cover, is_covered);
        // Whatever else is said there: what is split depends on holes alone, so that a change
        // of one entry touches no name beside it.
        let has_hole = || inside.iter().any(|(child, _)| self.entries.has_hole(*child));
        let is_split = is_covered && (self.zone.is_mixed() && node::reads_as_nibbles(node) || has_hole());
        let only = self.only;
        if !is_split {
            self.tell(node, codes);
            for (child, cover) in inside.iter().filter(|(child, _)| only.overlaps(*child)) {
                self.node(*child, cover);
            }
            return;
        }
        for child in node::children(node).filter(|child| only.overlaps(*child)) {
            let own = inside.iter().find(|(known, _)| *known == child);
            self.node(child, own.map_or(cover, |(_, own)| own));
        }
    }

    fn tell(&mut self, node: Prefix, codes: Codes) {
        if !codes.is_empty() {
            (self.out)(Row { owner: Owner::Net(node), codes });
        }
    }

    /// The children of a node at or inside which something is said, with what covers them;
    /// only those that matter, unless `all`.
    fn said_inside(&self, node: Prefix, cover: &Cover, all: bool) -> Vec<(Prefix, Cover)> {
        let len = node.bits() + node::step(node);
        let wanted = if self.only.bits() > len { node::around(self.only, len) } else { self.only };
        let within = if !all && node.covers(wanted) { wanted } else { node };
        let (mut found, to) = (Vec::new(), node::last(within));
        let mut from = Some(within);
        while let Some(next) = from.and_then(|from| self.entries.next(from, to, node.bits(), self.zone.codes))
        {
            let child = node::around(next, len);
            found.push((child, self.covered(child, cover)));
            from = node::behind(child).filter(|place| *place <= to);
        }
        found
    }

    fn covered(&self, child: Prefix, above: &Cover) -> Cover {
        let mut cover = above.clone();
        for part in self.entries.parts(child) {
            cover.set(part.source, part.codes.and(self.zone.codes));
        }
        cover
    }
}
