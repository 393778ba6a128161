//! OFF-5's distributed form: many servers try recipients of one domain, few each.
//!
//! Needs: the recipients that the MTA refused as unknown, with their domain. From 200
//! different ones of a domain in ten minutes by 20 servers with three or more each, a domain
//! is under attack, and every such server is accused; for as long as it lasts, also those
//! that come after. The council judges each by its own record: good mail, or recipients that
//! were taken, spare it.
//!
//! False positives come from: a mailing to an old list that goes out through many servers
//! (hence the ratio of each), domains that are being moved (`catch-all` takes them out).
//!
//! Bounded: a fixed number of domains, and of servers in each; the coldest domain gives way,
//! and servers beyond the bound are not told apart.

use std::collections::BTreeMap;

use detectors::dictionary::MINUTES;
use detectors::repeats::Repeats;
use detectors::seen::Traits;
use minicbor::{Decode, Encode};
use model::damage::DictionaryRule;
use model::finding::{Facts, Measure};
use model::window::Window;
use model::{Class, DomainHash, Finding, Millis, Offence, PersonHash, Prefix, Secs};

use crate::entry::Entry;
use crate::judge::{Surroundings, class_by};
use crate::shard::{Found, Told, What};

/// Domains that are watched at once. Only domains for which our own MTA says 5.1.1 come here;
/// an attack is on few of them.
const DOMAINS_MAX: usize = 256;
/// Servers that are told apart for one domain: 25 times what the rule asks for.
const SERVERS_MAX: usize = 512;
/// Unknown recipients of one server that make it one of the attackers (C.3).
const OF_EACH: u16 = 3;

/// A server that takes part, and what is said of it.
#[derive(Debug)]
pub(crate) struct Accused {
    /// The input that completed the pattern.
    pub(crate) index: u32,
    pub(crate) finding: Finding,
    pub(crate) traits: Traits,
}

impl Accused {
    /// The finding for the council, unless the server's own record speaks for it: good mail,
    /// or recipients that were taken.
    pub(crate) fn weighed(self, entry: &Entry, around: &Surroundings<'_>) -> Option<Told> {
        let Accused { index, finding, traits } = self;
        let key = finding.key;
        let rule = &around.policy.dictionary;
        let mode = around.mode_of(finding.offence)?;
        let class = class_by(entry, key, &traits, around);
        let is_stranger = class < Class::Known && !entry.has_credit(around.standing);
        let guesses = is_stranger && entry.record.mostly_unknown(rule.share_minutes, around.now);
        let what = What::Found(Found { finding, class, mode });
        guesses.then_some(Told { index, key, what })
    }
}

/// What was tried of each domain in the last ten minutes.
#[derive(Clone, Debug, Decode, Default, Encode)]
pub(crate) struct Guesses {
    #[n(0)]
    domains: BTreeMap<DomainHash, Tried>,
    /// Of this step; never stored.
    #[cbor(skip)]
    accused: Vec<(Finding, Traits)>,
}

#[derive(Clone, Debug, Decode, Default, Encode)]
struct Tried {
    #[n(0)]
    named: Repeats,
    #[n(1)]
    unknown: Window,
    #[n(2)]
    servers: BTreeMap<Prefix, Server>,
    /// When something was last tried.
    #[n(3)]
    at: Millis,
    /// It is under attack until then.
    #[n(4)]
    attacked_until: Millis,
    /// The numbers that showed the attack.
    #[n(5)]
    shown: (u64, u64),
}

#[derive(Clone, Copy, Debug, Decode, Encode)]
struct Server {
    #[n(0)]
    traits: Traits,
    /// Recipients that nobody had tried before.
    #[n(1)]
    tried: u16,
    #[n(2)]
    at: Millis,
}

impl Guesses {
    /// A server tried a recipient that does not exist.
    pub(crate) fn note(
        &mut self,
        domain: DomainHash,
        (key, traits): (Prefix, Traits),
        who: PersonHash,
        at: Millis,
        rule: &DictionaryRule,
    ) {
        self.make_room(domain);
        let tried = self.domains.entry(domain).or_default();
        if !tried.count(key, traits, who, at) || !tried.is_attacked(at, rule) {
            return;
        }
        let facts = tried.facts(rule);
        let found = |(key, traits)| {
            let finding = Finding { offence: Offence::Dictionary, key, at, facts: facts.clone() };
            (finding, traits)
        };
        self.accused.extend(tried.take_attackers().into_iter().map(found));
    }

    /// Moves out whom this input accused.
    pub(crate) fn take(&mut self, index: u32) -> impl Iterator<Item = Accused> {
        let accused = self.accused.drain(..);
        accused.map(move |(finding, traits)| Accused { index, finding, traits })
    }

    fn make_room(&mut self, domain: DomainHash) {
        if self.domains.len() < DOMAINS_MAX || self.domains.contains_key(&domain) {
            return;
        }
        let coldest = self.domains.iter().min_by_key(|(_, tried)| tried.at).map(|(domain, _)| *domain);
        coldest.and_then(|coldest| self.domains.remove(&coldest));
    }
}

impl Tried {
    /// Counts a recipient; `false` if it was tried already.
    fn count(&mut self, key: Prefix, traits: Traits, who: PersonHash, at: Millis) -> bool {
        self.at = self.at.max(at);
        if !self.named.is_new(who.0, Secs::DAY, at) {
            return false;
        }
        self.unknown.add(MINUTES, at, 1);
        if let Some(server) = self.servers.get_mut(&key) {
            let tried = if is_over(server.at, at) { 0 } else { server.tried };
            *server = Server { traits, tried: tried.saturating_add(1), at };
            return true;
        }
        if self.servers.len() >= SERVERS_MAX {
            self.servers.retain(|_, server| !is_over(server.at, at));
        }
        if self.servers.len() < SERVERS_MAX {
            self.servers.insert(key, Server { traits, tried: 1, at });
        }
        true
    }

    /// Whether the domain is under attack, or was until lately.
    fn is_attacked(&mut self, at: Millis, rule: &DictionaryRule) -> bool {
        let unknown = self.unknown.sum(MINUTES, at);
        if unknown >= u64::from(rule.unknown_domain) {
            let attackers = self.servers.values().filter(|s| s.takes_part() && !is_over(s.at, at)).count();
            // Those that were accused before are counted no more, but the attack goes on.
            if attackers >= rule.servers as usize || at < self.attacked_until {
                self.attacked_until = at.plus(MINUTES);
            }
            if attackers >= rule.servers as usize {
                self.shown = (unknown, attackers as u64);
            }
        }
        at < self.attacked_until
    }

    fn take_attackers(&mut self) -> Vec<(Prefix, Traits)> {
        let attackers = self.servers.iter().filter(|(_, server)| server.takes_part());
        let attackers: Vec<_> = attackers.map(|(key, server)| (*key, server.traits)).collect();
        self.servers.retain(|_, server| !server.takes_part());
        attackers
    }

    fn facts(&self, rule: &DictionaryRule) -> Facts {
        let (unknown, servers) = self.shown;
        vec![
            (Measure::UnknownOfDomain, unknown),
            (Measure::LimitUnknownOfDomain, rule.unknown_domain.into()),
            (Measure::ServersGuessing, servers),
            (Measure::LimitServersGuessing, rule.servers.into()),
        ]
    }
}

impl Server {
    fn takes_part(&self) -> bool {
        self.tried >= OF_EACH
    }
}

fn is_over(last: Millis, now: Millis) -> bool {
    now.since(last) >= MINUTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: DomainHash = DomainHash(1);

    fn at(secs: u64) -> Millis {
        Millis::from_secs(1_000_000_200 + secs)
    }

    fn hash(n: u64) -> PersonHash {
        PersonHash(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13)
    }

    /// `servers` try `each` recipients in turn within `secs`; says how many are accused.
    fn accused(servers: u32, each: u64, secs: u64) -> usize {
        let (mut guesses, rule) = (Guesses::default(), DictionaryRule::default());
        let all = u64::from(servers) * each;
        for n in 0..all {
            let key = Prefix::V4(0xc000_0200 + (n % u64::from(servers)) as u32, 32);
            guesses.note(HOME, (key, Traits::default()), hash(n), at(n * secs / all), &rule);
        }
        guesses.take(0).count()
    }

    #[test]
    fn off_5_two_hundred_of_a_domain_by_twenty_servers_accuse_every_one() {
        assert_eq!(accused(20, 12, 300), 20);
        assert_eq!(accused(100, 3, 300), 100);
        assert_eq!(accused(19, 30, 300), 0, "too few servers");
        assert_eq!(accused(40, 4, 300), 0, "too few recipients");
        assert_eq!(accused(200, 2, 300), 0, "too few of each");
        assert_eq!(accused(20, 12, 3600), 0, "too slow");
    }

    #[test]
    fn the_same_recipients_again_are_no_attack() {
        let (mut guesses, rule) = (Guesses::default(), DictionaryRule::default());
        for n in 0..4000u64 {
            let key = Prefix::V4((n % 40) as u32, 32);
            guesses.note(HOME, (key, Traits::default()), hash(n % 150), at(n / 10), &rule);
        }
        assert_eq!(guesses.take(0).count(), 0);
    }

    #[test]
    fn whoever_joins_while_it_lasts_is_accused_after_three() {
        let (mut guesses, rule) = (Guesses::default(), DictionaryRule::default());
        let mut tries = |server: u32, who: u64, secs: u64| {
            guesses.note(HOME, (Prefix::V4(server, 32), Traits::default()), hash(who), at(secs), &rule);
            guesses.take(0).count()
        };
        let first: usize = (0..240).map(|n| tries((n % 20) as u32, n, n)).sum();
        assert_eq!(first, 20);
        assert_eq!((1000..1003).map(|n| tries(77, n, 250)).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!((2000..2009).map(|n| tries(78, n, 2000)).sum::<usize>(), 0, "it is over");
    }

    #[test]
    fn memory_has_a_bound_whoever_tries_what() {
        let (mut guesses, rule) = (Guesses::default(), DictionaryRule::default());
        for n in 0..20_000u64 {
            let domain = DomainHash(n % 2 * n);
            guesses.note(domain, (Prefix::V4(n as u32, 32), Traits::default()), hash(n), at(0), &rule);
        }
        assert_eq!(guesses.domains.len(), DOMAINS_MAX);
        assert!(guesses.domains.values().all(|tried| tried.servers.len() <= SERVERS_MAX));
    }
}
