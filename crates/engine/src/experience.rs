//! What the site learns of strangers: of their looks, of names, of networks.
//!
//! A stranger is a key without good mail. What the first judged messages of strangers turn
//! out to be is counted by how they connect ([`detectors::looks`]), by the organisation of
//! their reverse DNS names, and by their network (/24, /48). Where nobody of a kind ever sends
//! anything wanted, that becomes a lesson: points in the connection score of the next stranger
//! of that kind. One good message of a name, a greeting or a network takes the lesson back at
//! once, or keeps it from being learned; of a look, where 400 bad ones do not outweigh it.
//!
//! What keeps it honest: a look weighs only where good strangers were seen, too, and never
//! where servers have confirmed names of their own; names that do not point back teach nothing,
//! and mail servers' names are never taken for those of lines; one stranger in 128 is held to no
//! lesson, so that they are measured for ever (`answers`); lessons of names and networks run out
//! and must be learned anew. Bounded, kept in checkpoints, and the same in every replay.

mod groups;
pub(crate) mod measured;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};

use detectors::distinct::Recent;
use detectors::dynamic::names_server;
use detectors::org::org;
use detectors::{Look, Traits};
use minicbor::{Decode, Encode};
use model::key::client_prefix;
use model::window::Window;
use model::{Client, Judgement, Lesson, Millis, Name, Prefix, Rdns, Secs, Subject};

use crate::seeded::Seeded;
use groups::Groups;
use measured::Measured;

/// For so long strangers count, and good mail protects their kind.
const MONTH: Secs = Secs(30 * 86_400);
/// For so long the lesson of a network holds: addresses of hosters change hands.
const WEEK: Secs = Secs(7 * 86_400);
/// Looks, names and greetings weigh when so many strangers sent good mail in a month: before, a
/// site has nothing to compare with.
const GOOD_STRANGERS: u64 = 20;
/// The bad ones of a look must come from so many /16 or /32.
const REGIONS: u64 = 15;
/// For each good stranger of a look so many must have been bad.
const BAD_PER_GOOD: u64 = 400;
/// What a look weighs by the number of its strangers that sent only spam, in quarters.
const LOOK_WEIGHTS: [(u64, u8); 7] = [(10, 4), (20, 6), (40, 8), (75, 10), (100, 12), (150, 14), (300, 16)];
/// Hosts of one organisation that sent only spam, before their names are those of lines.
const NAME_HOSTS: u64 = 3;
/// The same where there is no good mail to compare with.
const NAME_HOSTS_BLIND: u64 = 6;
/// What names of lines weigh is the score's affair; the lesson only holds or not.
const NAMES_WEIGH: u8 = 12;
/// What a greeting weighs that only spammers used.
const GREETING_WEIGHS: u8 = 12;
/// A network is bad by so many organisations that sent only spam from so many hosts.
const NEIGHBOURS: [(u64, u64); 3] = [(3, 3), (2, 4), (1, 8)];
/// What such a network weighs: as much as refuses.
const NETWORK_WEIGHS: u8 = 16;
/// Members of one set that are told apart: more would change nothing.
const MEMBERS_MAX: usize = 16;
/// Organisations that are remembered; names of new ones wait for room.
const NAMES_MAX: usize = 16_384;
/// Networks that are remembered: 65 536 with three names and hosts each are 16 MB.
const NETWORKS_MAX: usize = 65_536;
/// Room is made at most so often: an attacker must not make us look through all.
const SWEEP_EVERY: Secs = Secs::HOUR;

/// A judged message of a stranger, or the first good one of a key on its day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Met {
    pub(crate) look: Option<Look>,
    /// The organisation of its confirmed name: of another anybody could teach us anything.
    pub(crate) name: Option<Name>,
    /// That name may turn out to be one of a line: it is none of a mail server.
    pub(crate) learnable: bool,
    /// The organisation of the name that it greets with.
    pub(crate) greeting: Option<Name>,
    /// Reverse DNS was asked, and confirms no name.
    pub(crate) unconfirmed: bool,
    /// The network around the client.
    pub(crate) network: Prefix,
    /// Fragment of the hash of its /16 or /32.
    pub(crate) region: u32,
    /// The same of the network around it.
    pub(crate) nearby: u32,
    /// Fragment of the hash of its key.
    pub(crate) who: u32,
    /// Fragment of the hash of the organisation that its names speak of, or of its key.
    pub(crate) of: u32,
}

impl Met {
    /// Who a client is, by its kind.
    pub(crate) fn of(client: &Client, traits: &Traits, seeded: Seeded) -> Met {
        let (network, region) = if client.addr.is_ipv4() { (24, 16) } else { (48, 32) };
        let prefix = |bits| Prefix::new(client.addr, bits);
        let who = fragment(seeded, client_prefix(client.addr));
        let name = client.rdns.name().map(Name::as_bytes);
        let greeting = client.helo.as_ref().map(Name::as_bytes);
        let name_org = name.and_then(org);
        let greeting_org = if greeting == name { name_org } else { greeting.and_then(org) };
        let of = name_org.or(greeting_org);
        let confirmed = client.rdns.confirmed().is_some();
        let learnable =
            name_org.is_some_and(|org| name.is_some_and(|name| org != name && !names_server(name)));
        Met {
            look: Look::of(traits),
            name: name_org.filter(|_| confirmed).map(Name::new),
            learnable,
            greeting: greeting_org.map(Name::new),
            unconfirmed: !confirmed && client.rdns != Rdns::Unknown,
            network: prefix(network),
            region: fragment(seeded, prefix(region)),
            nearby: fragment(seeded, prefix(network)),
            who,
            of: of.map_or(who, |of| fragment(seeded, of)),
        }
    }
}

fn fragment(seeded: Seeded, of: impl Hash) -> u32 {
    seeded.hash_one(of) as u32
}

/// All that was learned.
#[derive(Debug, Encode)]
pub(crate) struct Experience {
    /// Strangers whose first mail was good.
    #[n(0)]
    good: Window,
    #[n(1)]
    looks: BTreeMap<u8, Kind>,
    #[n(2)]
    names: Groups<Name>,
    #[n(3)]
    networks: Groups<Prefix>,
    #[n(4)]
    swept: Millis,
    #[n(5)]
    greetings: Groups<Name>,
    /// How strangers of looks that weigh turned out.
    #[n(6)]
    pub(crate) measured: Measured,
}

/// As it is read from a checkpoint.
#[derive(Decode, Default)]
pub(crate) struct StoredExperience {
    #[n(0)]
    good: Window,
    #[n(1)]
    looks: BTreeMap<u8, Kind>,
    #[n(2)]
    names: BTreeMap<Name, Group>,
    #[n(3)]
    networks: BTreeMap<Prefix, Group>,
    #[n(4)]
    swept: Millis,
    #[n(5)]
    greetings: BTreeMap<Name, Group>,
    #[n(6)]
    #[cbor(default)]
    measured: Measured,
}

/// Strangers of one look.
#[derive(Debug, Decode, Default, Encode)]
struct Kind {
    #[n(0)]
    bad: Window,
    #[n(2)]
    regions: Recent,
    #[n(3)]
    told: Told,
    /// Who sent good mail: strangers and old friends alike, each once.
    #[n(4)]
    #[cbor(default)]
    friends: Recent,
}

/// Strangers of one organisation, or organisations of one network.
#[derive(Debug, Decode, Default, Encode)]
struct Group {
    /// Who sent only spam.
    #[n(0)]
    bad: Recent,
    /// When good mail last came.
    #[n(1)]
    good_at: Millis,
    #[n(2)]
    told: Told,
    #[n(3)]
    last: Millis,
    /// The hosts among them, of a network.
    #[n(4)]
    hosts: Recent,
}

/// What the lesson said last.
#[derive(Clone, Copy, Debug, Decode, Default, Encode)]
struct Told {
    #[n(0)]
    quarters: u8,
    #[n(1)]
    until: Millis,
}

impl Told {
    fn holds(&self, now: Millis) -> bool {
        self.quarters > 0 && self.until > now
    }

    /// Takes what is to be said now; `None` where that was said already and still holds long
    /// enough.
    fn say(&mut self, quarters: u8, lasts: Secs, now: Millis) -> Option<Millis> {
        let until = if quarters > 0 { now.plus(lasts) } else { Millis(0) };
        let half = Secs(lasts.0 / 2);
        let holds = quarters == 0 || self.until.since(now) > half;
        if self.quarters == quarters && holds {
            return None;
        }
        *self = Told { quarters, until };
        Some(until)
    }
}

impl Experience {
    pub(crate) fn new(seeded: Seeded) -> Experience {
        Experience::restore(seeded, StoredExperience::default())
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredExperience) -> Experience {
        let StoredExperience { good, looks, names, networks, swept, greetings, measured } = stored;
        Experience {
            good,
            looks,
            names: Groups::restore(seeded, names),
            networks: Groups::restore(seeded, networks),
            swept,
            greetings: Groups::restore(seeded, greetings),
            measured,
        }
    }

    /// A message of a stranger was judged; what the site learns of it, if that is new.
    pub(crate) fn note(&mut self, met: &Met, judgement: Judgement, first: bool, now: Millis) -> Vec<Lesson> {
        self.sweep(now);
        let good = judgement == Judgement::Ham;
        if good && first {
            self.good.add(MONTH, now, 1);
        }
        let look =
            met.look.filter(|_| first || good).and_then(|look| self.look(look, met, (good, first), now));
        let (name, greeting) = (self.name(met, good, now), self.greeting(met, good, now));
        [look, name, greeting, self.network(met, good, now)].into_iter().flatten().collect()
    }

    fn look(&mut self, look: Look, met: &Met, (good, first): (bool, bool), now: Millis) -> Option<Lesson> {
        let strangers = self.good.sum(MONTH, now);
        let kind = self.looks.entry(look.0).or_default();
        if first && kind.told.holds(now) {
            self.measured.add(good, now);
        }
        kind.count(met, good, now);
        let until = kind.told.say(kind.weight(strangers, now), MONTH, now)?;
        Some(Lesson {
            of: Subject::Look(look.0),
            quarters: kind.told.quarters,
            until,
            bad: count(kind.bad.sum(MONTH, now)),
            good: count(kind.good(now)),
        })
    }

    fn name(&mut self, met: &Met, good: bool, now: Millis) -> Option<Lesson> {
        let name = met.name.as_ref().filter(|_| good || met.learnable)?;
        let least = self.hosts_needed(now);
        let (name, group) = self.names.at(name.as_bytes(), NAMES_MAX, Name::new)?;
        let quarters = if group.host(met.who, good, least, now) { NAMES_WEIGH } else { 0 };
        group.lesson(|| Subject::Names(name.clone()), quarters, MONTH, now)
    }

    /// Of a greeting that nobody confirms; good mail of anybody who greets so protects it.
    fn greeting(&mut self, met: &Met, good: bool, now: Millis) -> Option<Lesson> {
        let greeting = met.greeting.as_ref().filter(|_| good || met.unconfirmed)?;
        let least = self.hosts_needed(now);
        let (name, group) = self.greetings.at(greeting.as_bytes(), NAMES_MAX, Name::new)?;
        let quarters = if group.host(met.nearby, good, least, now) { GREETING_WEIGHS } else { 0 };
        group.lesson(|| Subject::Greeting(name.clone()), quarters, MONTH, now)
    }

    /// How many hosts of a name must have sent only spam: more as long as few strangers sent good
    /// mail, for a filter may report spam alone.
    fn hosts_needed(&self, now: Millis) -> u64 {
        if self.good.sum(MONTH, now) >= GOOD_STRANGERS { NAME_HOSTS } else { NAME_HOSTS_BLIND }
    }

    fn network(&mut self, met: &Met, good: bool, now: Millis) -> Option<Lesson> {
        let (_, group) = self.networks.at(&met.network, NETWORKS_MAX, |network| *network)?;
        group.count(met.of, good, now);
        if !good {
            group.hosts.meet(met.who, 1, now, MONTH, MEMBERS_MAX);
        }
        let hosts = group.hosts.count(MONTH, now);
        let bad = NEIGHBOURS.iter().any(|(of, least)| hosts >= *least && group.is_bad(*of, now));
        let quarters = if bad { NETWORK_WEIGHS } else { 0 };
        group.lesson(|| Subject::Network(met.network), quarters, WEEK, now)
    }

    /// Forgets whom nothing was heard of for a month, when the tables are nearly full.
    fn sweep(&mut self, now: Millis) {
        let names = self.names.len().max(self.greetings.len());
        let full = names >= NAMES_MAX || self.networks.len() >= NETWORKS_MAX;
        if !full || now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        self.names.retain(|group| group.is_used(now));
        self.greetings.retain(|group| group.is_used(now));
        self.networks.retain(|group| group.is_used(now));
    }
}

impl Kind {
    fn count(&mut self, met: &Met, good: bool, now: Millis) {
        if good {
            self.friends.meet(met.who, 1, now, MONTH, MEMBERS_MAX);
            return;
        }
        self.bad.add(MONTH, now, 1);
        self.regions.meet(met.region, 1, now, MONTH, MEMBERS_MAX);
    }

    /// Keys that sent good mail in a month, as far as they are told apart.
    fn good(&self, now: Millis) -> u64 {
        self.friends.count(MONTH, now)
    }

    fn weight(&self, good_strangers: u64, now: Millis) -> u8 {
        let (bad, good) = (self.bad.sum(MONTH, now), self.good(now));
        let spread = self.regions.count(MONTH, now) >= REGIONS;
        if good_strangers < GOOD_STRANGERS || !spread || good * BAD_PER_GOOD > bad {
            return 0;
        }
        let reached = LOOK_WEIGHTS.iter().rev().find(|(least, _)| bad >= *least);
        reached.map_or(0, |(_, quarters)| *quarters)
    }
}

impl Group {
    fn count(&mut self, who: u32, good: bool, now: Millis) {
        self.last = self.last.max(now);
        if good {
            self.good_at = self.good_at.max(now);
        } else {
            self.bad.meet(who, 1, now, MONTH, MEMBERS_MAX);
        }
    }

    /// Enough that sent only spam, and nobody who sent anything good for a month.
    fn is_bad(&self, least: u64, now: Millis) -> bool {
        let lately_good = self.good_at > Millis(0) && now.since(self.good_at) < MONTH;
        !lately_good && self.bad.count(MONTH, now) >= least
    }

    /// Counts a host of one name; whether enough of them are bad then.
    fn host(&mut self, who: u32, good: bool, least: u64, now: Millis) -> bool {
        self.count(who, good, now);
        self.is_bad(least, now)
    }

    fn lesson(
        &mut self,
        of: impl FnOnce() -> Subject,
        quarters: u8,
        lasts: Secs,
        now: Millis,
    ) -> Option<Lesson> {
        let until = self.told.say(quarters, lasts, now)?;
        let good = u32::from(quarters == 0);
        Some(Lesson { of: of(), quarters, until, bad: count(self.bad.count(MONTH, now)), good })
    }

    /// One of which a single host was heard gives way sooner: most are of no more.
    fn is_used(&self, now: Millis) -> bool {
        let hosts = self.hosts.count(MONTH, now).max(self.bad.count(MONTH, now));
        let lone = self.good_at == Millis(0) && hosts < 2;
        now.since(self.last) < if lone { WEEK } else { MONTH }
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
