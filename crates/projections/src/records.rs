//! Zones as records, for those who keep a copy: transfers, zone files, response policies.
//!
//! Our own server answers from a view and needs no records. A secondary has nothing else, and
//! it answers by RFC 4592: a wildcard speaks only for names under which nothing is closer. So
//! `*.0.192` for 192.0.0.0/16 alone would fall silent for all of 192.0.2.0/24 as soon as one
//! address of that stood beside it as a name. These are the rules by which no listed address
//! is ever lost, and none is won:
//!
//! - A *node* is what a name can stand for: IPv4 of 8, 16, 24 or 32 bits, IPv6 of whole
//!   nibbles. A prefix between two lengths is as many nodes as it takes.
//! - A node that something covers has one name: of full length the name itself, else the
//!   wildcard below it. A node inside it has one of its own only where names stand below it
//!   (they would shadow the wildcard) or where its codes differ.
//! - A node with a hole in the level below it has no wildcard; its other children have.
//! - Where a zone holds both families, an IPv4 node all of whose octets are single digits
//!   reads as nibbles, too: `*.0.0.2` would list an eighth of all IPv6 (STD-3). Its addresses
//!   are written out.
//! - A domain is listed with all below it: it has its name and the wildcard, and so have the
//!   names between it and a listed one deeper down.
//!
//! What one key can change is its own node's inside and the names of the nodes around it, so
//! the [difference] of two states is found without looking at the rest.
//!
//! [`Entries`] is a persistent map: a transfer takes a clone, and is not in the way of changes.

mod bulk;
mod difference;
mod entries;
mod names;
mod node;
mod of_view;
mod rows;
pub mod shown;
#[cfg(test)]
mod tests;
mod text;
mod walk;

use std::net::Ipv6Addr;

use model::codes::{CODE_EXTERNAL, Lists, SUB_ZONES};
use model::{Codes, Prefix};

pub use bulk::Bulk;
pub use difference::{Change, Place, difference};
pub use entries::{Entries, Held, Scope};
pub use of_view::keys;
pub use rows::Rows;
pub use text::{Head, owner_text, zone_file};

/// Of what one or several records of a zone are.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Owner {
    /// A node: of full length the name that stands for it, else the wildcard below that.
    Net(Prefix),
    /// A domain name, lower case.
    Name(Box<str>),
    /// Everything below a domain name.
    Below(Box<str>),
}

/// One name of a zone: an A record for each code, and a TXT record.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Row {
    /// The name.
    pub owner: Owner,
    /// All codes that hold on it, at least one.
    pub codes: Codes,
}

/// A zone that can leave the house.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Zone {
    /// The label in front of the base zone.
    pub label: &'static str,
    /// What it lists; of a policy zone, addresses beside domains.
    pub lists: Lists,
    /// Which codes it shows.
    pub codes: Codes,
    /// It says what to do with answers that hold such addresses or names (a response policy
    /// zone), not that they are listed.
    pub is_policy: bool,
}

/// The label of the response policy zone.
pub const POLICY_LABEL: &str = "rpz";

impl Zone {
    /// All of them: the sub-zones, and the response policy zone of those that sent abuse.
    ///
    /// None has the code of other people's lists, which are not ours to hand on (STD-83).
    pub fn all() -> impl Iterator<Item = Zone> {
        let ours = |codes: Codes| codes.without(Codes::of(CODE_EXTERNAL));
        let lists = SUB_ZONES.iter().map(move |sub| Zone {
            label: sub.label,
            lists: sub.lists,
            codes: ours(sub.codes),
            is_policy: false,
        });
        let abuse = SUB_ZONES.iter().find(|sub| sub.label == "bl").map(|sub| Zone {
            label: POLICY_LABEL,
            lists: Lists::Addresses,
            codes: ours(sub.codes),
            is_policy: true,
        });
        lists.chain(abuse)
    }

    /// The zone of a label.
    pub fn of(label: &str) -> Option<Zone> {
        Zone::all().find(|zone| zone.label == label)
    }

    fn has_v4(&self) -> bool {
        matches!(self.lists, Lists::Addresses | Lists::V4)
    }

    fn has_v6(&self) -> bool {
        matches!(self.lists, Lists::Addresses | Lists::V6)
    }

    fn has_names(&self) -> bool {
        self.is_policy || self.lists == Lists::Domains
    }

    /// Whether names of both families stand side by side and can be taken for each other.
    fn is_mixed(&self) -> bool {
        self.lists == Lists::Addresses && !self.is_policy
    }

    /// The entries by which others see that the list works (RFC 5782 §5, STD-1).
    ///
    /// A response policy has no addresses among them: 127.0.0.2 is what lists answer, and a
    /// resolver with such a policy would hear of no listing any more.
    fn test_rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let row = |owner, last| Row { owner, codes: Codes::of(last) };
        if self.has_v4() && !self.is_policy {
            let codes = self.codes.or(Codes::of(2));
            rows.extend(codes.addresses().map(|at| row(Owner::Net(Prefix::host(at.into())), at.octets()[3])));
        }
        if self.has_v6() && !self.is_policy {
            let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, 2);
            rows.push(row(Owner::Net(Prefix::host(mapped.into())), 2));
        }
        if self.has_names() {
            rows.push(row(Owner::Name("test".into()), 2));
        }
        rows
    }
}
