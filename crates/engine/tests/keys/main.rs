//! Millions of keys. ADV-11: ten million clients in ten minutes, each from a /64 of its own;
//! ADV-12: a network that changes its /64 with every message ([`rotation`]).
//!
//! The whole of judgement (engine, sessions, projector) stays within 512 MiB, those who are
//! blocked are still refused at once, and what had to be forgotten leaves a trace. In an
//! ordinary run with one per cent of the clients; `cargo xtask prove keys` takes all of them
//! and asks how long the answers took.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a proof needs a clock, a second thread and /proc"
)]

#[cfg(test)]
mod rotation;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use answers::{Session, Tell, answer};
use engine::{Alone, Engine, Origin};
use model::key::client_prefix;
use model::{
    Actor, Answered, Attempt, BlockKind, Client, Command, Fact, Frame, Input, Judgement, Key, Millis, Name,
    Observation, Order, PersonHash, Policy, Prefix, Rdns, Secs, Sensor, Site, Verdict,
};
use projections::{Projector, View};

/// What engine, sessions and projector may take (ADV-11).
const RESIDENT_MAX_KIB: u64 = 512 * 1024;
/// What 99 of 100 answers to blocked hosts may take.
const ANSWER_MAX: Duration = Duration::from_millis(5);
/// All clients; an ordinary run takes one per cent.
const CLIENTS: u32 = 10_000_000;
/// The flood lasts so long by the engine's clock.
const LASTS: Secs = Secs(600);
const FRAME: u32 = 256;
/// 2026-11-01 00:00 UTC.
const START: Millis = Millis::from_secs(1_793_491_200);

/// How many of the clients are judged, too, and found to send spam.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spam {
    None,
    OneInTen,
}

#[test]
fn adv_11_strangers_by_the_million_leave_bounds_and_blocks_standing() {
    prove(Spam::None);
}

#[test]
fn adv_11_spammers_by_the_million_leave_bounds_and_blocks_standing() {
    prove(Spam::OneInTen);
}

fn prove(spam: Spam) {
    let clients = std::env::var("MAILWARD_PROVE_KEYS").map_or(CLIENTS / 100, |n| n.parse().unwrap());
    let mut house = House::new(clients);
    let published = Arc::new(Mutex::new(house.view.clone()));
    let over = Arc::new(AtomicBool::new(false));
    let asker = thread::spawn({
        let (published, over) = (published.clone(), over.clone());
        let blocked = (0..house.blocks).map(blocked).collect();
        move || ask(blocked, &published, &over)
    });
    house.flood(clients, spam, &published);
    over.store(true, Ordering::Relaxed);
    let mut waits = asker.join().unwrap();
    report(clients, spam, &house, &mut waits);
    house.check(clients, spam);
}

/// Engine and projector, as the program puts them together.
struct House {
    engine: Engine,
    projector: Projector,
    view: Arc<View>,
    now: Millis,
    position: u64,
    arrival: u64,
    /// How many hosts were blocked before.
    blocks: u32,
    keys_max: usize,
}

impl House {
    fn new(clients: u32) -> House {
        // One per cent of the clients meet one per cent of the room.
        let share = |whole: u32| u64::from(whole) * u64::from(clients) / u64::from(CLIENTS);
        let keys_max = share(model::policy::KEYS_MAX).clamp(2048, u64::from(model::policy::KEYS_MAX)) as u32;
        let policy = Policy { learn_first: false, keys_max, ..Policy::shipped() };
        let origin = Origin { site: 5, node: model::Node(1), life: 1, link_epoch: 1 };
        let site = Site {
            portal: "https://mw.example.org".into(),
            contact: "postmaster@example.org".into(),
            may_refuse: true,
            ..Site::default()
        };
        let mut projector = Projector::new(Arc::new(site), Vec::new(), false, [1, 2]);
        projector.set_mode(model::Mode::Live);
        let mut house = House {
            engine: Engine::new(origin, [3, 4], policy),
            view: Arc::new(projector.view()),
            projector,
            now: START,
            position: 0,
            arrival: 0,
            blocks: share(10_000).max(10) as u32,
            keys_max: keys_max as usize,
        };
        let orders = (0..house.blocks).map(|n| block(u64::from(n), blocked(n))).collect();
        house.step(orders);
        house
    }

    fn step(&mut self, inputs: Vec<Input>) {
        self.position += 1;
        let frame = Frame { wall: self.now, salt: [7; 16], inputs };
        for sealed in self.engine.step(self.position, &frame, &Alone).events {
            self.arrival += 1;
            self.projector.apply(self.arrival, &sealed.open().unwrap());
        }
        self.view = Arc::new(self.projector.view());
    }

    /// All clients, one after the other, and every frame a view is published.
    fn flood(&mut self, clients: u32, spam: Spam, published: &Mutex<Arc<View>>) {
        for first in (0..clients).step_by(FRAME as usize) {
            let past = LASTS.0 * 1000 * u64::from(first) / u64::from(clients);
            self.now = Millis(START.0 + past);
            let inputs = (first..clients.min(first + FRAME)).flat_map(|n| seen(n, self.now, spam));
            self.step(inputs.collect());
            *published.lock().unwrap() = self.view.clone();
        }
    }

    fn check(&self, clients: u32, spam: Spam) {
        assert!(self.engine.keys() <= self.keys_max, "{} keys", self.engine.keys());
        let traces: Vec<_> = self.engine.rollup().collect();
        assert!(!traces.is_empty() && traces.len() <= engine::rollup::NETWORKS_MAX);
        assert!(self.engine.counters().evicted >= u64::from(clients) * 9 / 10 - self.engine.keys() as u64);
        let units = traces.iter().map(|(_, trace)| trace.units.quarters()).sum::<u64>();
        assert!(spam == Spam::None || self.engine.running() > self.blocks as usize || units > 0);
        assert!(peak_kib() < RESIDENT_MAX_KIB, "{} KiB with {spam:?}", peak_kib());
    }
}

/// The `n`th host that is blocked when the flood begins.
fn blocked(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0b00_0000 + n * 257).into()
}

fn block(id: u64, addr: IpAddr) -> Input {
    let order = Order::Block(Key::Net(client_prefix(addr)), BlockKind::Rbl, Secs::DAY);
    Input::Command(Command { id, at: START, actor: Actor::Operator, note: None, order })
}

/// The `n`th client: half of them spread over one provider's /32, half over all of 2000::/3.
fn client(n: u32) -> Client {
    let spread = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let net = if n.is_multiple_of(2) {
        0x2a0b_0000_0000_0000 | u64::from(n.wrapping_mul(2_654_435_761))
    } else {
        ((spread >> 64) as u64 & !0x1fff_0000_0000) >> 3 | 1 << 61
    };
    let addr = Ipv6Addr::from_bits(u128::from(net) << 64 | 25);
    let helo = Some(Name::new(format!("host{n}.flood.example").as_bytes()));
    Client { addr: addr.into(), port: 0, helo, rdns: Rdns::Missing, authenticated: false }
}

fn seen(n: u32, at: Millis, spam: Spam) -> impl Iterator<Item = Input> {
    let attempt = Attempt {
        client: client(n),
        sender: Some(PersonHash(u64::from(n))),
        recipient: Some(PersonHash(u64::from(n % 1000))),
        recipients: 1,
        answered: Answered::Passed,
        sender_fits: false,
        ticket: None,
    };
    let source = Name::new(b"rspamd");
    let verdict = Verdict { queue: None, judgement: Judgement::Spam, score: Some(900), source };
    let judged = spam == Spam::OneInTen && n.is_multiple_of(10);
    let observed =
        move |sensor, fact| Input::Observed(Observation { at, sensor, session: u64::from(n) + 1, fact });
    let first = observed(Sensor::Policy, Fact::Attempt(attempt));
    std::iter::once(first).chain(judged.then(|| observed(Sensor::Filter, Fact::Verdict(verdict))))
}

/// Asks for blocked hosts, one after the other, until all is over; says how long each took.
fn ask(blocked: Vec<IpAddr>, published: &Mutex<Arc<View>>, over: &AtomicBool) -> Vec<Duration> {
    let mut waits = Vec::new();
    for addr in blocked.into_iter().cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let now = START.plus(LASTS);
        let began = Instant::now();
        let view = published.lock().unwrap().clone();
        let session = Session { recipient: Some(b"user@example.org"), ..Session::new(addr, now) };
        let told = answer(&session, &view, now).tell;
        waits.push(began.elapsed());
        assert!(matches!(told, Tell::Refuse(_)), "{addr}: {told:?}");
        thread::sleep(Duration::from_micros(300));
    }
    waits
}

fn report(clients: u32, spam: Spam, house: &House, waits: &mut [Duration]) {
    waits.sort_unstable();
    let quantile = |permille: usize| waits[(waits.len() - 1) * permille / 1000];
    println!(
        "{clients} clients, spam {spam:?}: {} MiB at most, {} keys, {} sessions, {} cases, {} traces; \
         {} answers, median {:?}, p99 {:?}, longest {:?}",
        peak_kib() / 1024,
        house.engine.keys(),
        house.engine.sessions(),
        house.engine.running(),
        house.engine.rollup().count(),
        waits.len(),
        quantile(500),
        quantile(990),
        quantile(1000),
    );
    // A short run says nothing about time.
    assert!(clients < CLIENTS / 10 || quantile(990) < ANSWER_MAX);
}

/// The most memory that this process has used.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn no_two_clients_share_a_key() {
    let mut keys: Vec<Prefix> = (0..100_000).map(|n| client_prefix(client(n).addr)).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 100_000);
}
