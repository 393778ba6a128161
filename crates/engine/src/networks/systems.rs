//! OFF-23: autonomous systems with many blocked servers for their size.
//!
//! Needs a table of networks; without one the rule rests. UCEPROTECT's level 3: at least 50
//! blocked IPv4 keys in seven days, and at least 50 for 100 000 addresses. It gives half a
//! point to the connection score, never refuses and is never exported: most of an AS's
//! servers did nothing.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use model::event::Cause;
use model::policy::RuleMode;
use model::{Actor, Atlas, Body, CaseId, Mode, NetworkNews, Offence, Policy, Prefix};

use crate::alarm::Alarm;
use crate::council::Council;

/// Blocked keys that an AS must have …
const IMPACTS_LEAST: u64 = 50;
/// … and so many for each 100 000 of its addresses.
const SHARE_LEAST: u64 = 50;

/// Blocked keys for each 100 000 addresses of an AS, in tenths, rounded.
pub fn tenths_per_hundred_thousand(impacts: u64, size: u64) -> u64 {
    impacts.saturating_mul(1_000_000).saturating_add(size / 2).checked_div(size).unwrap_or(0)
}

/// Whether an AS of `size` addresses with `impacts` blocked keys is listed.
pub fn is_over(impacts: u64, size: u64) -> bool {
    impacts >= IMPACTS_LEAST
        && size > 0
        && impacts.saturating_mul(100_000) >= size.saturating_mul(SHARE_LEAST)
}

/// What is known of autonomous systems.
#[derive(Debug, Decode, Default, Encode)]
pub(super) struct Systems {
    /// Those that are listed; each has 50 members, so there are some thousands at most.
    #[n(0)]
    pub(super) listed: BTreeSet<u32>,
    /// Blocked keys of each, made from the members and the table.
    #[cbor(skip)]
    impacts: BTreeMap<u32, u64>,
}

impl Systems {
    /// A key was blocked that was not before.
    pub(super) fn joined(&mut self, key: Prefix, atlas: Option<&Atlas>) {
        if let Some(system) = system_of(key, atlas) {
            *self.impacts.entry(system).or_default() += 1;
        }
    }

    /// A key counts no more.
    pub(super) fn left(&mut self, key: Prefix, atlas: Option<&Atlas>) {
        let Some(system) = system_of(key, atlas) else { return };
        if let Some(impacts) = self.impacts.get_mut(&system) {
            *impacts = impacts.saturating_sub(1);
            if *impacts == 0 {
                self.impacts.remove(&system);
            }
        }
    }

    /// Counts all keys again.
    pub(super) fn recount(&mut self, keys: impl Iterator<Item = Prefix>, atlas: Option<&Atlas>) {
        self.impacts.clear();
        keys.for_each(|key| self.joined(key, atlas));
    }
}

/// The AS of an IPv4 key: sizes are those of IPv4.
fn system_of(key: Prefix, atlas: Option<&Atlas>) -> Option<u32> {
    atlas.filter(|_| matches!(key, Prefix::V4(..)))?.system(key.addr())
}

impl Council {
    /// A key of an AS was blocked or let go.
    pub(super) fn weigh_system(&mut self, key: Prefix, case: Option<CaseId>, policy: &Policy) {
        let atlas = self.networks.atlas();
        if let Some((system, atlas)) = system_of(key, atlas.as_deref()).zip(atlas.as_deref()) {
            let cause = case.map_or(Cause::Event(self.writer.head().0), |case| Cause::Event(case.0));
            self.list_system(system, atlas, cause, policy);
        }
    }

    fn list_system(&mut self, system: u32, atlas: &Atlas, cause: Cause, policy: &Policy) {
        let systems = &mut self.networks.systems;
        let impacts = systems.impacts.get(&system).copied().unwrap_or(0);
        let size = atlas.size(system).unwrap_or(0);
        let rule = policy.mode(Offence::AsnEscalation);
        let over = rule != RuleMode::Off && is_over(impacts, size);
        if over == systems.listed.contains(&system) {
            return;
        }
        if over {
            systems.listed.insert(system)
        } else {
            systems.listed.remove(&system)
        };
        let mode = if rule == RuleMode::Shadow { Mode::Shadow } else { self.mode };
        let body = Body::Network(NetworkNews::As(system, over, impacts, size));
        self.write(cause, Actor::Engine, mode, None, None, body);
    }

    /// Another table of networks is in force.
    pub(crate) fn adopt_atlas(&mut self, index: u32, hash: [u8; 32], policy: &Policy) {
        let cause = self.writer.input(index);
        self.networks.adopt(hash);
        let body = Body::Network(NetworkNews::AtlasAdopted(hash));
        self.write(cause, Actor::Operator, Mode::Live, None, None, body);
        let Some(atlas) = self.networks.atlas() else { return self.alarm(Alarm::UnknownAtlas) };
        let systems = &self.networks.systems;
        let all: BTreeSet<u32> = systems.impacts.keys().chain(&systems.listed).copied().collect();
        all.into_iter().for_each(|system| self.list_system(system, &atlas, cause, policy));
    }
}
