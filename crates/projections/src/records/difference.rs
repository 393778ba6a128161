//! What one state of a zone has that another has not.

use std::collections::{BTreeMap, BTreeSet};

use model::{Codes, Prefix};

use super::entries::{Entries, Held, turned};
use super::walk::Walk;
use super::{Owner, Row, Zone, names, node};

/// What may have changed.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// The entry of a prefix, or of something inside it.
    Net(Prefix),
    /// The entry of a domain.
    Name(Box<str>),
}

impl Place {
    /// Where names can change when what is held on a prefix changes.
    pub fn of(prefix: Prefix, before: &Held, after: &Held) -> Vec<Place> {
        let holes = before.holes.iter().chain(&after.holes).map(|(hole, _)| Place::spared(*hole));
        holes.chain([Place::Net(prefix)]).collect()
    }

    /// Where names can change when a prefix is spared, or no longer: the nodes around it are
    /// split for it.
    pub fn spared(prefix: Prefix) -> Place {
        let step = node::step(prefix);
        let len = prefix.bits().next_multiple_of(step).saturating_sub(step);
        Place::Net(node::around(prefix, len.min(prefix.bits())))
    }
}

/// One name whose records are others now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The name.
    pub owner: Owner,
    /// Its codes before; none where the name was not there.
    pub before: Codes,
    /// Its codes now; none where the name is gone.
    pub after: Codes,
}

/// How a zone gets from `before` to `after`, given all the places where they differ; in the
/// order of the names.
pub fn difference(before: &Entries, after: &Entries, zone: &Zone, places: &BTreeSet<Place>) -> Vec<Change> {
    let was = rows_at([before, after], before, zone, places);
    let is = rows_at([before, after], after, zone, places);
    let owners: BTreeSet<&Owner> = was.keys().chain(is.keys()).collect();
    let change = |owner: &Owner| Change {
        owner: owner.clone(),
        before: was.get(owner).copied().unwrap_or_default(),
        after: is.get(owner).copied().unwrap_or_default(),
    };
    owners.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

/// The rows of one state that a change at some places could have touched, seen from both.
fn rows_at(
    both: [&Entries; 2],
    entries: &Entries,
    zone: &Zone,
    places: &BTreeSet<Place>,
) -> BTreeMap<Owner, Codes> {
    let mut rows = BTreeMap::new();
    let mut out = |row: Row| _ = rows.insert(row.owner, row.codes);
    for place in places {
        match place {
            Place::Net(only) if is_of(zone, *only) => {
                Walk { entries, zone, only: *only, out: &mut out }.run();
            }
            Place::Name(name) if zone.has_names() => {
                let key = turned(name);
                let keys: BTreeSet<_> = both.iter().flat_map(|state| names::touched(state, &key)).collect();
                keys.iter().for_each(|key| names::rows_of(entries, key, zone.codes, &mut out));
            }
            Place::Net(_) | Place::Name(_) => {}
        }
    }
    rows
}

fn is_of(zone: &Zone, prefix: Prefix) -> bool {
    match prefix {
        Prefix::V4(..) => zone.has_v4(),
        Prefix::V6(..) => zone.has_v6(),
    }
}
