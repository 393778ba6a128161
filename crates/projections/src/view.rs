//! One published state of everything that follows from the ledger.
//!
//! A [`Projector`] takes events in order of arrival and hands out a [`View`] at any time;
//! a view is a handful of shared pointers. Answers read one view from beginning to end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::case::Force;
use model::key::{client_prefix, fold};
use model::{
    Atlas, Body, Case, CaseId, Envelope, Hybrid, Key, Lesson, Millis, Mode, NetworkNews, Prefix, Protected,
    Secs, Site, Subject,
};

use crate::cases::{CaseView, Cases};
use crate::feeds::{Feed, InForce, Table};
use crate::grade;
use crate::index::{Index, Mark};
use crate::lessons::{Lessons, domain_of};
use crate::listed::{Ends, Listed};
use crate::mailboxes::Mailboxes;
use crate::writers::Writers;

/// For so long after its end a case keeps its page (REQUIREMENTS UNB-2).
pub const KEPT_AFTER_END: Secs = Secs(30 * 86_400);

/// One immutable state.
#[derive(Clone, Debug)]
pub struct View {
    /// Arrival number of the newest event in it.
    pub arrival: u64,
    /// Enforcing, or learning.
    pub mode: Mode,
    /// Keys blocked live.
    pub live: Index,
    /// Keys that would be blocked.
    pub shadow: Index,
    /// Blocked names and IPv6 networks in their order.
    pub listed: Listed,
    /// Cases and keys.
    pub cases: Cases,
    /// Blocked prefixes that are no single client's key; few.
    pub nets: Arc<Vec<Prefix>>,
    /// What can never be blocked.
    pub protected: Arc<Protected>,
    /// The site's own words.
    pub site: Arc<Site>,
    /// SHA-256 of the policy in force, zeros before the first.
    pub policy: [u8; 32],
    /// What the site has learned of strangers.
    pub lessons: Lessons,
    /// Mailboxes that get only spam.
    pub mailboxes: Mailboxes,
    /// Our own people who wrote lately.
    pub writers: Writers,
    /// By which strangers are chosen whom a lesson does not touch.
    pub seed: u64,
    /// The table of networks in force, if there is one.
    pub atlas: Option<Arc<Atlas>>,
    /// Autonomous systems with many blocked servers for their size (OFF-23); few.
    pub systems: Arc<BTreeSet<u32>>,
    /// Bulk lists, by name; one that is over stays for a while, to be shown.
    pub feeds: Arc<Vec<Arc<Feed>>>,
}

/// What holds against a client, with the key it holds against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Threat {
    /// The client's key, or a network around it.
    pub key: Key,
    /// The case and its end.
    pub force: Force,
}

impl View {
    /// A view of nothing.
    pub fn empty(site: Arc<Site>, protected: Arc<Protected>, seed: [u64; 2]) -> View {
        View {
            arrival: 0,
            mode: Mode::Shadow,
            live: Index::new(seed),
            shadow: Index::new(seed),
            listed: Listed::default(),
            cases: Cases::default(),
            nets: Arc::new(Vec::new()),
            protected,
            site,
            policy: [0; 32],
            lessons: Lessons::default(),
            mailboxes: Mailboxes::default(),
            writers: Writers::default(),
            seed: seed[0] ^ seed[1].rotate_left(32),
            systems: Arc::default(),
            feeds: Arc::default(),
            atlas: None,
        }
    }

    /// What holds against one client at `now` in one mode.
    ///
    /// The index answers for everybody; only a hit looks up the case, whose exact end
    /// decides (DESIGN §4, invariant 5).
    pub fn against(&self, addr: IpAddr, mode: Mode, now: Millis) -> Option<Threat> {
        let addr = fold(addr);
        let index = if mode == Mode::Live { &self.live } else { &self.shadow };
        index.get(addr, now.minute())?;
        let own = [client_prefix(addr), Prefix::host(addr)];
        let around = self.nets.iter().filter(|n| n.covers(Prefix::host(addr)));
        let keys = own.iter().chain(around).map(|p| Key::Net(*p));
        keys.filter_map(|key| Some(Threat { force: self.cases.force_on(&key, addr, mode, now)?, key }))
            .max_by_key(|threat| threat.force)
    }

    /// What holds against mail of a domain, in lower case, at `now` in one mode: the case of the
    /// domain, or of one above it.
    pub fn against_domain(&self, domain: &str, mode: Mode, now: Millis) -> Option<Threat> {
        let keys = self.domains_around(domain).into_iter();
        let threats = keys.filter_map(|key| Some(Threat { force: self.cases.force(&key, mode, now)?, key }));
        threats.max_by_key(|threat| threat.force)
    }

    /// Blocked domains, live or in shadow, that are `domain` or stand above it.
    pub fn domains_around(&self, domain: &str) -> Vec<Key> {
        let marked = self.listed.names_of(domain).chain(self.listed.tried_of(domain));
        let mut keys: Vec<Key> =
            marked.filter_map(|(name, _)| Some(Key::Domain(name.name().parse().ok()?))).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Whether the client's key has credit for good mail.
    pub fn has_credit(&self, addr: IpAddr) -> bool {
        let known = self.cases.key(&Key::of_client(addr));
        known.and_then(|k| k.standing).is_some_and(|s| s.credit)
    }

    /// Whether the client's key, which has a history, bursts with spam at `now` (ADV-18).
    pub fn bursts(&self, addr: IpAddr, now: Millis) -> bool {
        let known = self.cases.key(&Key::of_client(addr));
        known.and_then(|k| k.standing?.burst_until).is_some_and(|until| until > now)
    }

    /// Whether a pool passes greylisting at `now`.
    pub fn passes(&self, pool: &Key, now: Millis) -> bool {
        self.cases.key(pool).is_some_and(|known| known.pass_until > now)
    }

    /// A case by its id.
    pub fn case(&self, id: CaseId) -> Option<&Arc<CaseView>> {
        self.cases.get(id)
    }

    /// Cases that hold at `now` in one mode, by id.
    pub fn holding(&self, mode: Mode, now: Millis) -> Vec<Arc<CaseView>> {
        let lifted = |c: &CaseView| self.cases.key(&c.key).map_or(Millis(0), |k| k.lifted_up_to);
        let holds = |c: &Arc<CaseView>| c.case.mode == mode && c.case.holds(now, lifted(c));
        self.cases.sorted().into_iter().filter(holds).collect()
    }
}

/// Takes events and keeps the newest view.
#[derive(Debug)]
pub struct Projector {
    view: View,
    /// Ends of kept cases, for forgetting them in time.
    ends: BTreeSet<(Millis, CaseId)>,
    /// Ends of passes, for the same.
    passes: BTreeSet<(Millis, Key)>,
    /// The protected list of the configuration; commands add to it.
    configured: Vec<Prefix>,
    /// The latest command about each prefix, and whether it put it on the list.
    commanded: BTreeMap<Prefix, (Hybrid, bool)>,
    documentation: bool,
    /// When mode and policy were last decided: of two events, the later counts.
    mode_at: Hybrid,
    policy_at: Hybrid,
    /// The latest news of each AS: of two, the later counts.
    systems: BTreeMap<u32, (Hybrid, bool)>,
    feeds: InForce,
    /// When entries of `View::listed` run out.
    listed_ends: Ends,
}

impl Projector {
    /// Begins with an empty view.
    pub fn new(site: Arc<Site>, configured: Vec<Prefix>, documentation: bool, seed: [u64; 2]) -> Projector {
        let protected = Arc::new(Protected::new(configured.clone(), documentation, 0));
        let view = View::empty(site, protected, seed);
        Projector {
            view,
            ends: BTreeSet::new(),
            passes: BTreeSet::new(),
            configured,
            commanded: BTreeMap::new(),
            documentation,
            mode_at: Hybrid::default(),
            policy_at: Hybrid::default(),
            systems: BTreeMap::new(),
            feeds: InForce::default(),
            listed_ends: Ends::new(),
        }
    }

    /// The state so far; cheap.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The state so far, to look at in place.
    pub fn current(&self) -> &View {
        &self.view
    }

    /// Sets the mode without an event: for a replay that enforces from its first line.
    pub fn set_mode(&mut self, mode: Mode) {
        self.view.mode = mode;
    }

    /// Another table of networks is in force.
    pub fn set_atlas(&mut self, atlas: Arc<Atlas>) {
        self.view.atlas = Some(atlas);
    }

    /// Hands in the table of a file, before the event that adopts it or after; without it
    /// (`None`) the list says nothing.
    pub fn shelve(&mut self, hash: [u8; 32], table: Option<Arc<Table>>) {
        self.feeds.shelve(hash, table, &mut self.view);
    }

    /// The files of lists in force that nobody has handed in yet.
    pub fn wanted_feeds(&self) -> Vec<[u8; 32]> {
        self.feeds.wanted()
    }

    /// Takes the engine's news of a mailbox that gets only spam.
    pub fn set_mailbox(&mut self, who: u32, until: Millis, dead: bool) {
        self.view.mailboxes.set(who, until, dead);
    }

    /// Takes the engine's news of one of our people who wrote.
    pub fn set_writer(&mut self, who: u32, until: Millis) {
        self.view.writers.set(who, until);
    }

    /// Changes the site's words (a reload).
    pub fn set_site(&mut self, site: Arc<Site>) {
        self.view.site = site;
    }

    /// Joins one event that arrived as number `arrival`.
    pub fn apply(&mut self, arrival: u64, event: &Envelope) {
        self.view.arrival = self.view.arrival.max(arrival);
        match &event.body {
            Body::ModeChanged(mode) if event.at >= self.mode_at => {
                (self.mode_at, self.view.mode) = (event.at, *mode);
            }
            Body::PolicyAdopted(hash) if event.at >= self.policy_at => {
                (self.policy_at, self.view.policy) = (event.at, *hash);
            }
            Body::ModeChanged(_) | Body::PolicyAdopted(_) => {}
            Body::Learnt(lesson) => self.learn(lesson, event),
            Body::Network(NetworkNews::As(system, on, ..)) => {
                self.list_system(*system, event.at, *on && event.mode == Mode::Live);
            }
            Body::ProtectedChanged(prefix, on) => self.protect(*prefix, event.at, *on),
            Body::Feed(news) => self.feeds.hear(news, event.at, &mut self.view),
            _ => self.apply_to_cases(event),
        }
    }

    /// Drops what ended long ago: index entries and the pages of old cases.
    pub fn sweep(&mut self, now: Millis) {
        self.view.live.sweep(now.minute());
        self.view.shadow.sweep(now.minute());
        self.view.listed.sweep(now.minute(), &mut self.listed_ends);
        self.view.lessons.sweep(now);
        self.view.mailboxes.sweep(now);
        self.view.writers.sweep(now);
        self.feeds.sweep(now, &mut self.view);
        while let Some((_, key)) = self.passes.first().cloned().filter(|(end, _)| *end <= now) {
            self.passes.pop_first();
            self.view.cases.pass_over(&key, now);
        }
        let old = now.minus(KEPT_AFTER_END);
        while let Some((end, id)) = self.ends.first().copied().filter(|(end, _)| *end < old) {
            self.ends.remove(&(end, id));
            let still = self.view.cases.get(id).is_some_and(|c| c.case.until() >= old);
            if !still {
                self.view.cases.forget(id);
            }
        }
    }

    fn learn(&mut self, lesson: &Lesson, event: &Envelope) {
        self.view.lessons.learn(lesson, event.at, event.mode);
        let Subject::Conduct(name, _) = &lesson.of else { return };
        let Some(domain) = domain_of(lesson) else { return };
        let until = self.view.lessons.conduct_entries(name, event.at.wall).map(|entry| entry.until).max();
        let mark = until.map(|until| Mark::new(grade::conduct(), until));
        self.view.listed.set_conduct(&domain, mark, &mut self.listed_ends);
    }

    fn protect(&mut self, prefix: Prefix, at: Hybrid, on: bool) {
        let known = self.commanded.entry(prefix).or_insert((at, on));
        *known = (*known).max((at, on));
        let commanded = self.commanded.iter().filter(|(_, (_, on))| *on).map(|(prefix, _)| prefix);
        let listed = self.configured.iter().chain(commanded).copied().collect();
        let generation = self.view.protected.generation() + 1;
        self.view.protected = Arc::new(Protected::new(listed, self.documentation, generation));
    }

    fn list_system(&mut self, system: u32, at: Hybrid, on: bool) {
        let known = self.systems.entry(system).or_insert((at, on));
        *known = (*known).max((at, on));
        let listed = self.systems.iter().filter(|(_, (_, on))| *on).map(|(system, _)| *system);
        self.view.systems = Arc::new(listed.collect());
    }

    fn apply_to_cases(&mut self, event: &Envelope) {
        self.view.cases.apply(event);
        if let Some(case) = event.case.and_then(|id| self.view.cases.get(id)) {
            self.ends.insert((case.case.until(), case.id));
        }
        let Some(key) = &event.key else { return };
        if let Body::GreylistPassed(until) = event.body {
            self.passes.insert((until, key.clone()));
        }
        if matches!(event.body, Body::StandingChanged(_) | Body::GreylistPassed(_)) {
            return;
        }
        match key {
            Key::Net(prefix) => self.mark(key, *prefix, event.at.wall),
            Key::Domain(domain) => {
                for mode in [Mode::Live, Mode::Shadow] {
                    let mark = self.mark_of(key, mode, event.at.wall);
                    self.view.listed.set_name(domain, mode, mark, &mut self.listed_ends);
                }
            }
            Key::DomainAt(..) => {}
        }
    }

    /// Brings the index entry of a key in line with its cases.
    fn mark(&mut self, key: &Key, prefix: Prefix, now: Millis) {
        let mut blocked = false;
        for mode in [Mode::Live, Mode::Shadow] {
            let mark = self.mark_of(key, mode, now);
            let index = if mode == Mode::Live { &mut self.view.live } else { &mut self.view.shadow };
            match mark {
                // `Protected` keeps prefixes this wide from ever becoming a case.
                Some(mark) => drop(index.set(prefix, mark)),
                None => index.remove(prefix),
            }
            if mode == Mode::Live {
                self.view.listed.set_net(prefix, mark);
            }
            blocked |= mark.is_some();
        }
        self.mark_net(prefix, blocked);
    }

    /// What the index says of a key by its cases.
    fn mark_of(&self, key: &Key, mode: Mode, now: Millis) -> Option<Mark> {
        let cases = &self.view.cases;
        let force = cases.force(key, mode, now)?;
        let end = cases.holding_on(key, mode, now).map(Case::until).max()?;
        let mut holding = cases.holding_on(key, mode, now);
        let more = holding.next().is_some_and(|case| !case.holes.is_empty()) || holding.next().is_some();
        Some(Mark::new(grade::class(force, more), end))
    }

    fn mark_net(&mut self, prefix: Prefix, blocked: bool) {
        if prefix.is_host() || prefix == client_prefix(prefix.addr()) {
            return;
        }
        let nets = Arc::make_mut(&mut self.view.nets);
        nets.retain(|n| *n != prefix);
        if blocked {
            nets.push(prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{event, opened};
    use model::Class;
    use model::case::{Extended, Lifted};
    use model::event::{EventId, StandingChange};
    use proptest::prelude::*;

    fn projector() -> Projector {
        Projector::new(Arc::new(Site::default()), Vec::new(), true, [1, 2])
    }

    #[track_caller]
    fn check(projector: &Projector, addr: &str, now: u64, expect: Option<&str>) {
        let threat = projector.view().against(addr.parse().unwrap(), Mode::Live, Millis(now));
        assert_eq!(threat.map(|t| t.key.to_string()).as_deref(), expect);
    }

    #[test]
    fn a_block_holds_from_its_event_to_its_exact_end() {
        let mut projector = projector();
        check(&projector, "192.0.2.1", 1_000_000, None);
        projector.apply(1, &event(1, 1_000_000, "192.0.2.1", opened(1_000_000, 2_000_500)));
        check(&projector, "192.0.2.1", 1_000_001, Some("192.0.2.1"));
        check(&projector, "::ffff:192.0.2.1", 2_000_499, Some("192.0.2.1"));
        check(&projector, "192.0.2.1", 2_000_500, None);
        check(&projector, "192.0.2.2", 1_000_001, None);
    }

    #[test]
    fn a_lift_ends_it_and_an_old_view_keeps_its_answer() {
        let mut projector = projector();
        projector.apply(1, &event(1, 1_000_000, "192.0.2.0/24", opened(1_000_000, 9_000_000)));
        let before = projector.view();
        let lifted = Body::KeyLifted(Lifted { at: Millis(1_500_000), error: false });
        projector.apply(2, &event(2, 1_500_000, "192.0.2.0/24", lifted));
        check(&projector, "192.0.2.77", 1_600_000, None);
        assert!(before.against("192.0.2.77".parse().unwrap(), Mode::Live, Millis(1_600_000)).is_some());
        projector.apply(3, &event(3, 2_000_000, "192.0.2.0/24", opened(2_000_000, 9_000_000)));
        check(&projector, "192.0.2.77", 2_600_000, Some("192.0.2.0/24"));
    }

    #[test]
    fn off_22_a_hole_in_the_block_of_a_network_is_not_blocked() {
        let mut projector = projector();
        let open = event(1, 1_000_000, "192.0.2.0/24", opened(1_000_000, 9_000_000));
        projector.apply(1, &open);
        let hole = Body::Network(NetworkNews::Holes(vec!["192.0.2.7".parse().unwrap()]));
        projector.apply(2, &Envelope { case: open.case, ..event(2, 1_000_000, "192.0.2.0/24", hole) });
        check(&projector, "192.0.2.7", 1_600_000, None);
        check(&projector, "192.0.2.8", 1_600_000, Some("192.0.2.0/24"));
        // Blocked for itself it is blocked.
        projector.apply(3, &event(3, 1_700_000, "192.0.2.7", opened(1_700_000, 9_000_000)));
        check(&projector, "192.0.2.7", 1_800_000, Some("192.0.2.7"));
    }

    #[test]
    fn off_23_a_view_knows_the_systems_that_are_listed_live() {
        let mut projector = projector();
        let news = |seq, at, on, mode| {
            let body = Body::Network(NetworkNews::As(64_496, on, 55, 1024));
            Envelope { case: None, key: None, mode, ..event(seq, at, "192.0.2.1", body) }
        };
        projector.apply(1, &news(1, 1_000, true, Mode::Shadow));
        assert!(projector.view().systems.is_empty());
        projector.apply(2, &news(2, 2_000, true, Mode::Live));
        projector.apply(3, &news(3, 1_500, false, Mode::Live));
        assert_eq!(projector.view().systems.iter().collect::<Vec<_>>(), [&64_496]);
        projector.apply(4, &news(4, 3_000, false, Mode::Live));
        assert!(projector.view().systems.is_empty());
    }

    #[test]
    fn an_ipv6_client_is_blocked_with_its_net() {
        let mut projector = projector();
        projector.apply(1, &event(1, 1_000_000, "2001:db8:1:2::/64", opened(1_000_000, 9_000_000)));
        check(&projector, "2001:db8:1:2::99", 1_000_001, Some("2001:db8:1:2::/64"));
        check(&projector, "2001:db8:1:3::99", 1_000_001, None);
    }

    #[test]
    fn a_case_is_forgotten_thirty_days_after_its_end() {
        let mut projector = projector();
        projector.apply(1, &event(1, 1_000_000, "192.0.2.1", opened(1_000_000, 2_000_000)));
        projector.sweep(Millis(2_000_000).plus(KEPT_AFTER_END));
        assert_eq!(projector.view().cases.len(), 1);
        projector.sweep(Millis(2_000_001).plus(KEPT_AFTER_END));
        assert_eq!(projector.view().cases.len(), 0);
    }

    /// A history of two keys on two hosts, as a list of events in the order of decision.
    fn history() -> impl Strategy<Value = Vec<Envelope>> {
        let one = (0usize..2, 0u8..6, 1u64..400, any::<bool>());
        prop::collection::vec(one, 1..30).prop_map(|steps| {
            let mut last = [None::<EventId>; 2];
            let events = (1u64..).zip(steps).map(|(seq, (who, what, span, flag))| {
                let now = seq * 1_000_000;
                let body = match what {
                    0 | 1 => opened(now, now + span * 20_000),
                    2 => Body::CaseExtended(Extended {
                        until: Millis(now + span * 30_000),
                        later: Vec::new(),
                        attempts: span,
                    }),
                    3 => Body::CaseLifted(Lifted { at: Millis(now), error: flag }),
                    4 => Body::KeyLifted(Lifted { at: Millis(now), error: flag }),
                    _ => Body::StandingChanged(StandingChange {
                        class: Class::Known,
                        credit: flag,
                        pass_until: None,
                        burst_until: flag.then_some(Millis(now + span)),
                    }),
                };
                let key = ["192.0.2.1", "2001:db8:1:2::/64"][who];
                let mut event = event(seq, now, key, body);
                if matches!(event.body, Body::CaseOpened(_)) {
                    last[who] = Some(event.id);
                } else {
                    event.case = last[who].map(CaseId).filter(|_| what < 4);
                }
                event
            });
            events.collect()
        })
    }

    /// What is said of both keys at some times.
    fn said(events: &[&Envelope]) -> Vec<String> {
        let mut projector = projector();
        (1..).zip(events).for_each(|(arrival, event)| projector.apply(arrival, event));
        let view = projector.view();
        let keys = ["192.0.2.1", "2001:db8:1:2::/64"].map(|k| k.parse::<Key>().unwrap());
        let force = |key: &Key, now| view.cases.force(key, Mode::Live, Millis(now));
        let at = (0..40u64).map(|step| step * 900_000);
        let forces = at.flat_map(|now| keys.iter().map(move |key| format!("{:?}", force(key, now))));
        let standing = keys.iter().map(|k| format!("{:?}", view.cases.key(k).and_then(|k| k.standing)));
        forces.chain(standing).collect()
    }

    proptest! {
        #[test]
        fn shuffled_and_repeated_events_say_the_same(
            (events, order) in history().prop_flat_map(|h| {
                let indices: Vec<usize> = (0..h.len()).chain(0..h.len()).collect();
                (Just(h), Just(indices).prop_shuffle())
            })
        ) {
            let plain: Vec<&Envelope> = events.iter().collect();
            let shuffled: Vec<&Envelope> = order.iter().map(|i| &events[*i]).collect();
            prop_assert_eq!(said(&plain), said(&shuffled));
        }
    }
}
