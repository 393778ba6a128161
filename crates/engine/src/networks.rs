//! OFF-22 and OFF-23: networks many of whose servers are blocked.
//!
//! A rule about one key sees one server; here stands what is known across keys: which were
//! blocked lately, so that it can be counted by network ([`escalate`]) and by AS
//! ([`systems`]), and which have good mail, so that no network is blocked for more than its
//! bad servers ([`price`]).
//!
//! Counted is a key when a rule's block of it began in the last seven days (IPv6: within
//! one day), in the mode of the site, for all of its mail, and nobody lifted it. A /25
//! needs 2 of them, a /24 5, and so on ([`LEVELS_V4`], UCEPROTECT's recurrence); IPv4 also
//! asks for three different days or two different offences. A network's case ends at the
//! same numbers.
//!
//! False positives: a good server among bad neighbours. So its good mail makes a hole in
//! the block, what good mail the rest sent is held against a budget, the boundary of a
//! routed network is never crossed, and nothing wider than /24 or /48 is blocked without a
//! person. Shipped in shadow.

mod escalate;
mod price;
mod proposals;
mod systems;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::calendar::LEAST;
use minicbor::{Decode, Encode};
use model::key::client_prefix;
use model::{Atlas, CaseId, Millis, Offence, Prefix, Secs};

pub use price::Price;
pub use proposals::{Proposal, Why};
pub use systems::{is_over, tenths_per_hundred_thousand};

pub(crate) use escalate::is_network;
use proposals::Proposals;
use systems::Systems;

/// For so long a block counts in IPv4 networks.
const COUNTED_V4: Secs = Secs(7 * 86_400);
/// … and in IPv6 networks.
const COUNTED_V6: Secs = Secs::DAY;
/// Keys that are remembered as blocked: twice as many as a large botnet showed in a week.
/// The one whose block began first gives way. About 30 MB when full.
const MEMBERS_MAX: usize = 200_000;
/// Days and offences of one key that are told apart; four of each are more than is asked.
const MARKS_MAX: usize = 8;
/// Keys of one network that are looked at: what is asked for is at most 65.
const LOOKED_AT_MAX: usize = 1024;

/// A size of network: so many keys inside make it a case, or a proposal.
#[derive(Clone, Copy, Debug)]
struct Level {
    bits: u8,
    least: usize,
    /// A person must say yes: wider than rules may block (DESIGN §4, invariant 4).
    only_proposed: bool,
}

const fn level(bits: u8, least: usize) -> Level {
    Level { bits, least, only_proposed: false }
}

const fn proposed(bits: u8, least: usize) -> Level {
    Level { bits, least, only_proposed: true }
}

/// OFF-22: ‘/25 ≥ 2, /24 > 4, /23 > 9, /22 > 14, /21 > 24, /20 > 39, /19 > 64’.
const LEVELS_V4: [Level; 7] = [
    level(25, 2),
    level(24, 5),
    proposed(23, 10),
    proposed(22, 15),
    proposed(21, 25),
    proposed(20, 40),
    proposed(19, 65),
];
/// OFF-22: ‘/56 ≥ 4 of /64, /48 ≥ 8, /32 ≥ 64 within one day’.
const LEVELS_V6: [Level; 3] = [level(56, 4), level(48, 8), proposed(32, 64)];
/// OFF-22: ‘≥ 3 distinct days or ≥ 2 offence types’, of IPv4. Of IPv6 it is not asked: a
/// day has no three days, and a /48 is one customer's (ADV-12).
const DAYS_LEAST: usize = 3;
const OFFENCES_LEAST: usize = 2;

fn levels(key: Prefix) -> &'static [Level] {
    if matches!(key, Prefix::V4(..)) { &LEVELS_V4 } else { &LEVELS_V6 }
}

fn counted_for(key: Prefix) -> Secs {
    if matches!(key, Prefix::V4(..)) { COUNTED_V4 } else { COUNTED_V6 }
}

/// What is known across keys.
#[derive(Debug, Decode, Default, Encode)]
pub(crate) struct Networks {
    /// Keys blocked lately.
    #[n(0)]
    members: BTreeMap<Prefix, Member>,
    /// What a person may do.
    #[n(1)]
    proposals: Proposals,
    #[n(2)]
    systems: Systems,
    /// The table of networks in force, by its name.
    #[n(3)]
    atlas: Option<minicbor::bytes::ByteArray<32>>,
    /// The same keys, the one whose block began first in front; made from `members`.
    #[cbor(skip)]
    by_age: BTreeSet<(Millis, Prefix)>,
    /// Keys with credit for good mail; made from the books.
    #[cbor(skip)]
    credited: BTreeSet<Prefix>,
    /// Running cases of networks, so that a key's case costs no look-up of each network
    /// around it; made from the cases.
    #[cbor(skip)]
    cases: BTreeSet<(Prefix, CaseId)>,
    /// Whose networks are to be counted again, and the case behind it.
    #[cbor(skip)]
    touched: Vec<(Prefix, Option<CaseId>)>,
    /// Tables that were handed in; the one in force is looked up here.
    #[cbor(skip)]
    shelf: Vec<([u8; 32], Arc<Atlas>)>,
}

/// A key that was blocked lately.
#[derive(Clone, Debug, Decode, Encode)]
struct Member {
    /// When its newest block began.
    #[n(0)]
    began: Millis,
    /// On which days blocks began, and for what.
    #[n(1)]
    marks: Vec<(u32, Offence)>,
}

impl Member {
    /// Another block of it began.
    fn blocked(&mut self, offence: Offence, now: Millis) {
        let day = now.day();
        let lately = |then: &u32| day.saturating_sub(*then) < 7;
        self.marks.retain(|(then, what)| lately(then) && (*then, *what) != (day, offence));
        self.marks.truncate(MARKS_MAX - 1);
        self.marks.insert(0, (day, offence));
        self.began = now;
    }
}

/// What is counted in one network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Census {
    network: Prefix,
    keys: usize,
    days: usize,
    offences: usize,
    /// When there will be too few keys, if nothing happens.
    falls: Millis,
}

impl Census {
    /// Whether what is asked for beside the number of keys is there.
    fn is_broad(&self) -> bool {
        matches!(self.network, Prefix::V6(..)) || self.days >= DAYS_LEAST || self.offences >= OFFENCES_LEAST
    }
}

impl Networks {
    /// A rule's block of a key began.
    pub(crate) fn blocked(&mut self, key: Prefix, offence: Offence, case: CaseId, now: Millis) {
        if !counts(key, offence) {
            return;
        }
        if let Some(member) = self.members.get_mut(&key) {
            self.by_age.remove(&(member.began, key));
            member.blocked(offence, now);
        } else {
            let atlas = self.atlas();
            self.systems.joined(key, atlas.as_deref());
            self.members.insert(key, Member { began: now, marks: vec![(now.day(), offence)] });
        }
        self.by_age.insert((now, key));
        self.touched.push((key, Some(case)));
        if self.members.len() > MEMBERS_MAX
            && let Some((_, oldest)) = self.by_age.first().copied()
        {
            self.forget(oldest);
        }
    }

    /// A key's block was lifted: it counts no more.
    pub(crate) fn forget(&mut self, key: Prefix) {
        let Some(member) = self.members.remove(&key) else { return };
        self.by_age.remove(&(member.began, key));
        let atlas = self.atlas();
        self.systems.left(key, atlas.as_deref());
        self.touched.push((key, None));
    }

    /// Nothing that was counted counts any more: the site's mode changed.
    pub(crate) fn clear(&mut self) {
        let keys: Vec<Prefix> = self.members.keys().copied().collect();
        keys.into_iter().for_each(|key| self.forget(key));
    }

    /// Forgets whose block began too long ago.
    fn pass_time(&mut self, now: Millis) {
        while let Some((began, key)) = self.by_age.first().copied() {
            if now.since(began) < COUNTED_V4 {
                return;
            }
            self.forget(key);
        }
    }

    /// Whether a key was blocked lately.
    fn is_member(&self, key: Prefix) -> bool {
        self.members.contains_key(&key)
    }

    /// A key has credit for good mail, or no longer.
    pub(crate) fn credit(&mut self, key: Prefix, credit: bool) {
        if credit {
            self.credited.insert(key);
        } else {
            self.credited.remove(&key);
        }
    }

    /// How many keys inside a network were blocked lately; at most `most` are counted.
    fn members_in(&self, network: Prefix, most: usize) -> usize {
        self.members.range(within(network)).take(most).count()
    }

    /// A case began; it may be that of a network.
    pub(crate) fn opened(&mut self, key: Prefix, case: CaseId) {
        if key != client_prefix(key.addr()) {
            self.cases.insert((key, case));
        }
    }

    /// A case is over.
    pub(crate) fn closed(&mut self, key: Prefix, case: CaseId) {
        if !self.cases.is_empty() {
            self.cases.remove(&(key, case));
        }
    }

    fn has_case(&self, network: Prefix) -> bool {
        let next = self.cases.range((network, LEAST)..).next();
        next.is_some_and(|(with_case, _)| *with_case == network)
    }

    /// Counts the keys of one network around `key` that were blocked after `lifted`.
    fn census(&self, key: Prefix, level: Level, lifted: Millis, now: Millis) -> Census {
        let network = Prefix::new(key.addr(), level.bits);
        let oldest = now.minus(counted_for(key)).max(lifted);
        let (mut days, mut offences, mut began) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let inside = self.members.range(within(network)).take(LOOKED_AT_MAX);
        for (_, member) in inside.filter(|(_, member)| member.began > oldest) {
            began.push(member.began);
            let lately = member.marks.iter().filter(|(day, _)| *day >= oldest.day());
            for (day, offence) in lately {
                days.insert(*day);
                offences.insert(*offence);
            }
        }
        began.sort_unstable_by(|a, b| b.cmp(a));
        let falls = began.get(level.least - 1).map_or(now, |at| at.plus(counted_for(key)));
        Census { network, keys: began.len(), days: days.len(), offences: offences.len(), falls }
    }

    /// The table of networks in force.
    fn atlas(&self) -> Option<Arc<Atlas>> {
        let hash = **self.atlas.as_ref()?;
        self.shelf.iter().find(|(known, _)| *known == hash).map(|(_, atlas)| atlas.clone())
    }

    /// The name of the table of networks in force.
    pub(crate) fn atlas_hash(&self) -> Option<[u8; 32]> {
        self.atlas.as_ref().map(|hash| **hash)
    }

    /// Another table is in force from here on.
    fn adopt(&mut self, hash: [u8; 32]) {
        self.atlas = Some(hash.into());
        self.shelf.retain(|(known, _)| *known == hash);
        self.recount_systems();
    }

    /// Hands in a table, which may be the one in force.
    pub(crate) fn shelve(&mut self, hash: [u8; 32], atlas: Arc<Atlas>) {
        self.shelf.push((hash, atlas));
        self.recount_systems();
    }

    fn recount_systems(&mut self) {
        let atlas = self.atlas();
        self.systems.recount(self.members.keys().copied(), atlas.as_deref());
    }

    /// Whether a table is in force and a boundary between routed networks runs through one.
    fn crosses_boundary(&self, network: Prefix) -> bool {
        self.atlas().is_some_and(|atlas| atlas.has_systems() && !atlas.is_one_network(network))
    }

    /// Makes what is not stored: the order by age, and what the books say of good mail.
    pub(crate) fn restore<'a>(
        &mut self,
        credited: impl Iterator<Item = Prefix>,
        cases: impl Iterator<Item = (&'a CaseId, &'a Prefix)>,
    ) {
        cases.for_each(|(case, key)| self.opened(*key, *case));
        self.by_age = self.members.iter().map(|(key, member)| (member.began, *key)).collect();
        self.credited = credited.collect();
    }

    /// Autonomous systems that are listed.
    pub(crate) fn systems(&self) -> impl Iterator<Item = u32> {
        self.systems.listed.iter().copied()
    }

    /// What a person may do.
    pub(crate) fn proposals(&self) -> impl Iterator<Item = (Prefix, Proposal)> {
        self.proposals.iter()
    }
}

/// Whether a block of a key counts: of one client, for all its mail, by a rule about it.
fn counts(key: Prefix, offence: Offence) -> bool {
    let about_it = !matches!(
        offence,
        Offence::Operator
            | Offence::Backscatter
            | Offence::Geo
            | Offence::PrefixEscalation
            | Offence::AsnEscalation
    );
    about_it && (key.is_host() || key == client_prefix(key.addr()))
}

/// All keys inside a network, in the order of [`Prefix`].
fn within(network: Prefix) -> std::ops::RangeInclusive<Prefix> {
    let (first, last) = model::atlas::ends(network);
    Prefix::new(first, network.bits())..=Prefix::host(last)
}
