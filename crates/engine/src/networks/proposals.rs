//! Networks that a person may block, because no rule does.
//!
//! Wider than /24 or /48, or with more good mail than a block may cost. A proposal stands
//! as long as enough keys of the network are blocked, and decides nothing.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use model::{Millis, Prefix};

/// Proposals that are kept; more than that nobody reads. The oldest gives way.
const PROPOSALS_MAX: usize = 256;

/// Why a network is only proposed.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Why {
    /// It is wider than a rule may block.
    #[n(0)]
    Wide,
    /// More good mail would be lost than is allowed, or it has too many good senders.
    #[n(1)]
    GoodMail,
}

/// A network that a person may block.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Proposal {
    /// Since when it stands.
    #[n(0)]
    pub since: Millis,
    /// Keys inside that were blocked lately, when it was last counted.
    #[n(1)]
    pub keys: u64,
    /// Good messages of 30 days, those of holes not counted.
    #[n(2)]
    pub good: u64,
    /// Good senders inside.
    #[n(3)]
    pub holes: u64,
    /// Why no rule blocks it.
    #[n(4)]
    pub why: Why,
}

/// All proposals.
#[derive(Debug, Decode, Default, Encode)]
#[cbor(transparent)]
pub(super) struct Proposals(#[n(0)] BTreeMap<Prefix, Proposal>);

impl Proposals {
    /// Proposes a network; says whether that is new.
    pub(super) fn propose(&mut self, network: Prefix, proposal: Proposal) -> bool {
        let known = self.0.get(&network).map(|known| known.since);
        if known.is_none() && self.0.len() >= PROPOSALS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.since).map(|(network, _)| *network);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(network, Proposal { since: known.unwrap_or(proposal.since), ..proposal });
        known.is_none()
    }

    /// Too few are left, or it is blocked.
    pub(super) fn withdraw(&mut self, network: Prefix) {
        self.0.remove(&network);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Prefix, Proposal)> {
        self.0.iter().map(|(network, proposal)| (*network, *proposal))
    }
}
