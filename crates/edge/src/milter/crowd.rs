//! How many connections each client has, and when it is too many (OFF-6).
//!
//! A milter hears of a session when the MTA has greeted the client, so what is counted here
//! has completed the handshake: no packet in somebody else's name comes this far (ADV-1).
//! Two things follow. Who has too many connections is answered 421 at its next recipient; for
//! that this is a meter: small, bounded, lossy, forgotten at a restart, never evidence
//! (DESIGN §4, invariant 3). And clients with unusually many are reported, once a second at
//! most, so that the engine can judge what came of them.
//!
//! Addresses beyond the table's bound are not counted; a network has its own meter.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::damage::FloodRule;
use model::key::{client_prefix, fold};
use model::observation::Sessions;
use model::{Millis, Prefix, Secs};

/// Clients that are told apart: four times the connections that the shipped milter takes at
/// once; about 2 MB.
const CLIENTS_MAX: usize = 16_384;
/// Networks of the current minute that are told apart.
const NETWORKS_MAX: usize = 4096;
/// From so many connections at once, or in a minute, a client is reported: an eighth of the
/// shipped limits, which a class and strain can lower so far.
const REPORT_AT_ONCE: u32 = 6;
const REPORT_MINUTE: u32 = 15;
/// A client without connections is forgotten after this time.
const FORGOTTEN: Secs = Secs(60);

/// What is done about floods.
#[derive(Clone, Copy, Debug)]
pub struct Flooding {
    /// The limits.
    pub rule: FloodRule,
    /// Too many connections are answered with 421; otherwise they are only reported.
    pub answers: bool,
}

/// All clients that have connections, or had some in the last minute.
#[derive(Debug)]
pub(super) struct Crowd {
    flooding: Flooding,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    clients: HashMap<Prefix, Client>,
    swept_at: u64,
    /// New connections of each network in one minute.
    networks: HashMap<Prefix, u32>,
    minute: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Client {
    /// Not yet reported, but for those that are open.
    sessions: Sessions,
    minute: u32,
    in_minute: u32,
    reported_at: u64,
    at: Millis,
}

/// One session of a client, while it lasts.
#[derive(Debug)]
pub(super) struct Visit {
    crowd: Arc<Crowd>,
    key: Prefix,
    /// The client or its network has too many connections.
    crowded: bool,
    reached: bool,
    stopped: bool,
}

impl Crowd {
    pub(super) fn new(flooding: Flooding) -> Arc<Crowd> {
        Arc::new(Crowd { flooding, table: Mutex::default() })
    }

    /// A client was greeted; `strained` says that few places are left. What is to be reported
    /// of it comes back with its visit.
    pub(super) fn enter(
        self: &Arc<Crowd>,
        addr: IpAddr,
        strained: bool,
        now: Millis,
    ) -> Option<(Visit, Option<Sessions>)> {
        let key = client_prefix(addr);
        let mut table = self.table();
        let from_network = table.count_network(addr, now);
        let client = table.client(key, now)?;
        client.begin(now);
        let rule = self.flooding.rule;
        let limit = |number: u32| if strained { number.div_ceil(2) } else { number };
        let crowded = client.sessions.at_once > limit(rule.at_once)
            || client.in_minute > limit(rule.per_minute)
            || from_network > limit(rule.network_per_minute);
        let report = client.report(strained, now);
        let visit = Visit { crowd: self.clone(), key, crowded, reached: false, stopped: false };
        Some((visit, report))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// New connections of a client's network in this minute.
    fn count_network(&mut self, addr: IpAddr, now: Millis) -> u32 {
        if self.minute != now.minute() {
            (self.minute, self.networks) = (now.minute(), HashMap::new());
        }
        let network = network_of(addr);
        if self.networks.len() >= NETWORKS_MAX && !self.networks.contains_key(&network) {
            return 0;
        }
        let count = self.networks.entry(network).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// The client's place; `None` when there is no room.
    fn client(&mut self, key: Prefix, now: Millis) -> Option<&mut Client> {
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&key) {
            self.sweep(now);
            if self.clients.len() >= CLIENTS_MAX {
                return None;
            }
        }
        Some(self.clients.entry(key).or_default())
    }

    /// Forgets who is gone, once a second at most: a flood of addresses must not make each
    /// look at all.
    fn sweep(&mut self, now: Millis) {
        if self.swept_at != now.secs() {
            self.swept_at = now.secs();
            self.clients.retain(|_, c| c.sessions.at_once > 0 || now.since(c.at) < FORGOTTEN);
        }
    }
}

impl Client {
    fn begin(&mut self, now: Millis) {
        if self.minute != now.minute() {
            (self.minute, self.in_minute) = (now.minute(), 0);
        }
        self.in_minute = self.in_minute.saturating_add(1);
        self.sessions.at_once = self.sessions.at_once.saturating_add(1);
        self.sessions.begun = self.sessions.begun.saturating_add(1);
        self.at = now;
    }

    fn report(&mut self, strained: bool, now: Millis) -> Option<Sessions> {
        let many = self.sessions.at_once >= REPORT_AT_ONCE || self.in_minute >= REPORT_MINUTE;
        if !many || self.reported_at == now.secs() {
            return None;
        }
        self.reported_at = now.secs();
        let kept = Sessions { at_once: self.sessions.at_once, ..Sessions::default() };
        Some(Sessions { strained, ..std::mem::replace(&mut self.sessions, kept) })
    }
}

impl Visit {
    /// Whether its next recipient is answered 421.
    pub(super) fn is_turned_away(&self) -> bool {
        self.crowded && self.crowd.flooding.answers
    }

    /// A recipient of it was taken.
    pub(super) fn reached(&mut self) {
        self.reached = true;
    }

    /// We refused or deferred something of it: that says nothing about the client.
    pub(super) fn stopped(&mut self) {
        self.stopped = true;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut table = self.crowd.table();
        let Some(client) = table.clients.get_mut(&self.key) else { return };
        let counts = u32::from(self.reached || !self.stopped);
        let sessions = &mut client.sessions;
        sessions.at_once = sessions.at_once.saturating_sub(1);
        sessions.ended = sessions.ended.saturating_add(counts);
        sessions.reached = sessions.reached.saturating_add(u32::from(self.reached));
    }
}

/// The /24 or /48 of a client.
fn network_of(addr: IpAddr) -> Prefix {
    match fold(addr) {
        IpAddr::V4(addr) => Prefix::V4(addr.to_bits() & !0xff, 24),
        IpAddr::V6(addr) => Prefix::V6(addr.to_bits() & !(u128::MAX >> 48), 48),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(answers: bool) -> Arc<Crowd> {
        Crowd::new(Flooding { rule: FloodRule::default(), answers })
    }

    fn at(secs: u64) -> Millis {
        Millis::from_secs(1_795_300_800 + secs)
    }

    fn addr(n: u32) -> IpAddr {
        IpAddr::from(std::net::Ipv4Addr::from_bits(0xc000_0200 + n))
    }

    /// `n` visits at the same second, all kept; the number of the first that is turned away.
    fn turned_away(
        crowd: &Arc<Crowd>,
        n: u32,
        strained: bool,
        client: impl Fn(u32) -> IpAddr,
    ) -> Option<u32> {
        let visits: Vec<Visit> =
            (0..n).filter_map(|n| crowd.enter(client(n), strained, at(0))).map(|(visit, _)| visit).collect();
        visits.iter().position(Visit::is_turned_away).map(|n| n as u32 + 1)
    }

    #[test]
    fn off_6_the_fifty_first_connection_at_once_is_turned_away() {
        assert_eq!(turned_away(&crowd(true), 99, false, |_| addr(1)), Some(51));
        assert_eq!(turned_away(&crowd(true), 99, true, |_| addr(1)), Some(26), "half under strain");
        assert_eq!(turned_away(&crowd(false), 99, false, |_| addr(1)), None, "in shadow");
        assert_eq!(turned_away(&crowd(true), 99, false, addr), None, "each is another client");
    }

    #[test]
    fn off_6_more_than_120_new_connections_in_a_minute_are_turned_away() {
        let crowd = crowd(true);
        let passed = |secs| {
            let visit = crowd.enter(addr(1), false, at(secs)).unwrap().0;
            !visit.is_turned_away()
        };
        assert_eq!((0..200).filter(|n| passed(n / 10)).count(), 120);
        assert!(passed(60), "and the next minute begins anew");
    }

    #[test]
    fn off_6_a_network_is_slowed_down_as_one() {
        let crowd = crowd(true);
        let passed =
            (0..1000).filter(|n| !crowd.enter(addr(n % 250), false, at(0)).unwrap().0.is_turned_away());
        assert_eq!(passed.count(), 600);
    }

    #[test]
    fn an_ordinary_client_is_never_reported_and_a_busy_one_once_a_second() {
        let crowd = crowd(true);
        let reports = |from, n: u64, per_second: u64| {
            (0..n).filter(|n| crowd.enter(addr(from), false, at(n / per_second)).unwrap().1.is_some()).count()
        };
        assert_eq!(reports(1, 14, 1), 0);
        assert_eq!(reports(2, 100, 20), 5);
    }

    #[test]
    fn what_came_of_sessions_is_reported_with_the_next_one() {
        let crowd = crowd(true);
        let mut kept = Vec::new();
        for n in 0..10 {
            let (mut visit, _) = crowd.enter(addr(1), false, at(0)).unwrap();
            match n {
                0 => visit.reached(),
                1 => visit.stopped(),
                2 => (visit.reached(), visit.stopped()).0,
                _ => {}
            }
            if n >= 7 {
                kept.push(visit);
            }
        }
        kept.push(crowd.enter(addr(1), false, at(1)).unwrap().0);
        kept.push(crowd.enter(addr(1), false, at(1)).unwrap().0);
        let report = crowd.enter(addr(1), true, at(2)).unwrap().1.unwrap();
        // Of seven that ended one was stopped, and two reached somebody.
        let expect = Sessions { at_once: 6, begun: 13, ended: 6, reached: 2, strained: true };
        assert_eq!(report, expect);
        let next = crowd.enter(addr(1), false, at(3)).unwrap().1.unwrap();
        assert_eq!((next.begun, next.ended), (1, 1), "what was reported is not reported again");
    }

    #[test]
    fn the_table_has_a_bound_and_forgets_who_is_gone() {
        let crowd = crowd(true);
        let enter = |n: u32, secs| crowd.enter(addr(n * 256), false, at(secs)).is_some();
        assert_eq!((0..20_000).filter(|n| enter(*n, 0)).count(), CLIENTS_MAX);
        assert!(crowd.table().networks.len() <= NETWORKS_MAX);
        assert!(enter(50_000, 61), "a minute later there is room");
        assert_eq!(crowd.table().clients.len(), 1);
    }

    #[test]
    fn networks_are_a_24_or_a_48() {
        assert_eq!(network_of("192.0.2.77".parse().unwrap()).to_string(), "192.0.2.0/24");
        assert_eq!(network_of("2001:db8:1:2::3".parse().unwrap()).to_string(), "2001:db8:1::/48");
    }
}
