//! The name server by itself, over one bulk list; `cargo xtask bench dns` runs it.
//!
//!     dns_bench table LIST FILE                     makes the file of a bulk list from addresses and prefixes
//!     dns_bench serve FILE ADDRESS:PORT THREADS [IF]  answers, from the interface IF too (AF_XDP)
//!     dns_bench changes FILE RATE BLOCKS CASE       how long blocks take to be answered, as rows
//!     dns_bench answers FILE QUESTIONS ROUNDS       nanoseconds of an answer by itself, without sockets
//!
//! Answers, limits, cookies and counters are those of the daemon, from a view made by the
//! same projector; what it lacks is the engine and the ledger in front of that. Every
//! limit is on, and so high that none is reached.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edge::dns::{Access, Ahead, Config, Rates, Responder, Running, Transport};
use edge::{Clock, Published};
use model::case::Opened;
use model::event::{Cause, EventId, FORMAT};
use model::sentence::{Severity, Tariff};
use model::{
    Actor, BlockKind, Body, CaseId, Class, Envelope, FeedAdopted, FeedKind, FeedNews, Hybrid, Key, Millis,
    Mode, Node, Prefix, Secs,
};
use projections::Projector;
use projections::feeds::{Builder, FeedEntry, Names, Table};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The zone above the list, and its name in the questions.
const BASE: &str = "dnsbl.test";
const LIST: &str = "bl.dnsbl.test";

/// Answers a second that no network reaches.
const NEVER: u32 = 10_000_000;

/// How often a change is published at most, as the daemon does it.
const PUBLISH_EVERY: Duration = Duration::from_millis(1);

/// Between two questions while a block is awaited.
const ASK_EVERY: Duration = Duration::from_micros(20);

/// A block that is not answered by then never will be.
const GIVE_UP: Duration = Duration::from_secs(10);

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["table", list, file] => table(Path::new(list), Path::new(file)),
        ["serve", file, address, threads] => serve(file, address.parse()?, threads.parse()?, None),
        ["serve", file, address, threads, xdp] => {
            serve(file, address.parse()?, threads.parse()?, Some(xdp.into()))
        }
        ["changes", file, rate, blocks, case] => changes(file, rate.parse()?, blocks.parse()?, case),
        ["answers", file, questions, rounds] => answers(file, Path::new(questions), rounds.parse()?),
        _ => Err("see the head of this file for the arguments".into()),
    }
}

/// Makes the file of a bulk list.
fn table(list: &Path, file: &Path) -> Outcome {
    let minutes = u32::try_from(std::time::UNIX_EPOCH.elapsed()?.as_secs() / 60)?;
    let mut builder = Builder::new(minutes);
    let entry = FeedEntry { code: 2, until_min: Some(minutes + 30 * 24 * 60) };
    for line in std::fs::read_to_string(list)?.lines() {
        let (first, len) = line.split_once('/').unwrap_or((line, "32"));
        let (first, len): (Ipv4Addr, u32) = (first.parse()?, len.parse()?);
        let last = first.to_bits() | u32::MAX.checked_shr(len).unwrap_or(0);
        builder.add(first.into(), Ipv4Addr::from_bits(last).into(), entry)?;
    }
    Ok(std::fs::write(
        file,
        Table::to_bytes(builder.finish()?, Names::empty().as_bytes(), "made by the benchmark"),
    )?)
}

/// Answers finished questions in batches, over and over: what an answer costs beside the kernel.
fn answers(file: &str, questions: &Path, rounds: usize) -> Outcome {
    const BATCH: usize = 64;
    const COUNT: usize = 1_000_000;
    // It stands, so that what is counted is answers.
    let clock = Clock::manual(Millis::from_secs(std::time::UNIX_EPOCH.elapsed()?.as_secs()));
    let published = Arc::new(Published::new(projector(file, &clock)?.view()));
    let mut responder = Responder::alone(config("127.0.0.1:0".parse()?, 1, None)?, published, clock);
    let bytes = std::fs::read(questions)?;
    let mut all = Vec::new();
    let mut rest = &bytes[..];
    while let Some((message, after)) =
        rest.split_first().and_then(|(len, rest)| rest.split_at_checked((*len).into()))
    {
        all.push(message);
        rest = after;
    }
    let from: SocketAddr = "127.0.0.1:5353".parse()?;
    let mut rooms = vec![0_u8; BATCH * 1500];
    let mut out = vec![0_u8; BATCH * 1232];
    let mut times = Vec::new();
    let all: Vec<_> = all.iter().copied().cycle().take(COUNT).collect();
    for _ in 0..rounds {
        let mut octets = 0;
        for batch in all.chunks(BATCH) {
            for (room, message) in rooms.chunks_exact_mut(1500).zip(batch) {
                room[..message.len()].copy_from_slice(message);
            }
            let begun = Instant::now();
            octets += responder.at_once(|responder, at| {
                let mut ahead = Ahead::default();
                let came = batch.iter().zip(rooms.chunks_exact(1500));
                came.for_each(|(message, room)| ahead.add(&room[..message.len()]));
                ahead.read(at);
                let batch =
                    batch.iter().zip(rooms.chunks_exact(1500)).map(|(message, room)| &room[..message.len()]);
                batch
                    .zip(out.chunks_exact_mut(1232))
                    .map(|(message, out)| responder.answer(at, message, from, Transport::Udp, out))
                    .sum::<usize>()
            });
            times.push(begun.elapsed().as_nanos() as f64 / batch.len() as f64);
        }
        std::hint::black_box(octets);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{} questions: {:.1} ns an answer, {:.1} in the best tenth of batches",
        all.len(),
        times[times.len() / 2],
        times[times.len() / 10]
    );
    Ok(())
}

/// Answers until it is ended.
fn serve(file: &str, address: SocketAddr, threads: usize, xdp: Option<String>) -> Outcome {
    let (clock, _) = Clock::start(None);
    let projector = projector(file, &clock)?;
    let published = Arc::new(Published::new(projector.view()));
    let _running = Running::start(config(address, threads, xdp)?, published, clock)?;
    println!("ready");
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// A projector with the list in force.
fn projector(file: &str, clock: &Clock) -> Result<Projector, Box<dyn Error>> {
    let mut projector = Projector::new(Arc::default(), Vec::new(), false, [1, 2]);
    projector.set_mode(Mode::Live);
    let table = Table::from_bytes(std::fs::read(file)?)?;
    let hash = [1; 32];
    projector.shelve(hash, Some(Arc::new(table)));
    let until = clock.now().plus(Secs::DAY);
    let name = "bench".parse()?;
    let adopted = FeedAdopted { name, kind: FeedKind::Curated, hash, code: 2, until, entries: 1 };
    projector.apply(0, &event(1, clock.now(), None, Body::Feed(FeedNews::Adopted(adopted))));
    Ok(projector)
}

fn config(address: SocketAddr, threads: usize, xdp: Option<String>) -> Result<Config, Box<dyn Error>> {
    Ok(Config {
        listen: vec![address],
        xdp,
        threads,
        known: vec!["127.0.0.0/8".parse()?, "10.0.0.0/8".parse()?],
        rates: Rates {
            count_only: false,
            listed: NEVER,
            unlisted: NEVER,
            errors: NEVER,
            slip: 2,
            quota: NEVER,
            everybody: true,
        },
        cookie_secret: [7; 32],
        connections_max: 100,
        ..Config::plain(BASE.parse()?, Access::Local)
    })
}

/// What the projector and whoever asks share.
struct Race {
    address: SocketAddr,
    /// Blocks that are measured.
    blocks: u32,
    done: AtomicBool,
}

/// Publishes `rate` changes a second, and now and then one that somebody waits for.
fn changes(file: &str, rate: u64, blocks: u32, case: &str) -> Outcome {
    let (clock, _) = Clock::start(None);
    let mut projector = projector(file, &clock)?;
    let published = Arc::new(Published::new(projector.view()));
    pin(0)?;
    let running = Running::start(config("127.0.0.1:0".parse()?, 1, None)?, published.clone(), clock.clone())?;
    let address = running.addresses()[0];
    sched_setaffinity(None, &both())?;
    let race = Race { address, blocks, done: AtomicBool::new(false) };
    let (order, orders) = std::sync::mpsc::sync_channel(1);
    let measured = std::thread::scope(|scope| {
        let asking = scope.spawn(|| race.ask(&order));
        let (mut seq, mut random) = (1, 0x9E37_79B9_7F4A_7C15_u64);
        let begun = Instant::now();
        while !race.done.load(Ordering::Relaxed) {
            let awaited: Option<(Ipv4Addr, std::sync::mpsc::SyncSender<Instant>)> = orders.try_recv().ok();
            let due = begun.elapsed().as_micros() as u64 * rate / 1_000_000;
            while seq < due {
                seq += 1;
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                projector.apply(0, &block(seq, (random >> 32) as u32, clock.now()));
            }
            let now = Instant::now();
            if let Some((address, _)) = &awaited {
                projector.apply(
                    0,
                    &block(1_000_000_000 + u64::from(address.to_bits()), address.to_bits(), clock.now()),
                );
            }
            projector.sweep(clock.now());
            published.publish(projector.view());
            if let Some((_, appended)) = awaited {
                let _ = appended.send(now);
            }
            std::thread::sleep(PUBLISH_EVERY.saturating_sub(now.elapsed()));
        }
        asking.join()
    });
    let (mut after, silence) = measured.map_err(|_| "the asking thread ended")??;
    after.sort();
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let at = |percent: usize| us(after[(after.len() * percent / 100).min(after.len() - 1)]);
    for (metric, value) in [("answered_p50", at(50)), ("answered_p99", at(99)), ("silence_max", us(silence))]
    {
        println!(
            "{{\"bench\":\"dns\",\"case\":\"{case}\",\"subject\":\"mailward\",\"metric\":\"{metric}\",\"value\":{value},\"unit\":\"us\"}}"
        );
    }
    Ok(())
}

/// How long each block took to be answered, and the longest time without any answer.
type Measured = Result<(Vec<Duration>, Duration), std::io::Error>;

impl Race {
    /// Asks for one address after another from before its block is ordered.
    fn ask(
        &self,
        order: &std::sync::mpsc::SyncSender<(Ipv4Addr, std::sync::mpsc::SyncSender<Instant>)>,
    ) -> Measured {
        let measured = self.ask_for_all(order);
        self.done.store(true, Ordering::Relaxed);
        measured
    }

    fn ask_for_all(
        &self,
        order: &std::sync::mpsc::SyncSender<(Ipv4Addr, std::sync::mpsc::SyncSender<Instant>)>,
    ) -> Measured {
        let _ = pin(1);
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(self.address)?;
        socket.set_nonblocking(true)?;
        let (mut after, mut silence, mut last) = (Vec::new(), Duration::ZERO, Instant::now());
        for number in 0..self.blocks {
            // RFC 2544's network: no list has it.
            let address = Ipv4Addr::from_bits(0xC612_0000 + number);
            let question = question(address);
            let (appended, when) = std::sync::mpsc::sync_channel(1);
            let begun = Instant::now();
            let mut next = begun;
            let mut ordered = false;
            let answered = loop {
                // Some questions first, so that the block comes between two of them.
                if !ordered && begun.elapsed() > Duration::from_micros(300 + 137 * u64::from(number % 7)) {
                    let _ = order.try_send((address, appended.clone()));
                    ordered = true;
                }
                if Instant::now() >= next {
                    socket.send(&question)?;
                    next = Instant::now() + ASK_EVERY;
                }
                let mut buffer = [0; 1500];
                if let Ok(len) = socket.recv(&mut buffer) {
                    let now = Instant::now();
                    silence = silence.max(now - last);
                    last = now;
                    if len > 20 && buffer[7] > 0 && buffer[12..len].starts_with(&question[12..]) {
                        break Some(now);
                    }
                }
                if begun.elapsed() > GIVE_UP {
                    break None;
                }
            };
            let times = answered.zip(when.recv_timeout(GIVE_UP).ok());
            let (now, appended) = times.ok_or_else(|| std::io::Error::other("a block was never answered"))?;
            after.push(now.saturating_duration_since(appended));
        }
        Ok((after, silence))
    }
}

/// A question for an address of the list.
fn question(address: Ipv4Addr) -> Vec<u8> {
    let [a, b, c, d] = address.octets();
    let mut message = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in format!("{d}.{c}.{b}.{a}.{LIST}").split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// A block of an address by an operator.
fn block(seq: u64, address: u32, now: Millis) -> Envelope {
    let opened = Opened {
        kind: BlockKind::Rbl,
        reason: 2,
        from: now,
        until: now.plus(Secs::DAY),
        caused_at: now,
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Minor,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff::SHIPPED,
    };
    event(seq, now, Some(Key::Net(Prefix::V4(address, 32))), Body::CaseOpened(opened))
}

fn event(seq: u64, now: Millis, key: Option<Key>, body: Body) -> Envelope {
    let id = EventId { node: Node(u16::MAX), life: 1, seq };
    Envelope {
        format: FORMAT,
        site: 0,
        id,
        prev: [0; 32],
        at: Hybrid { wall: now, count: 0 },
        cause: Cause::Command(0),
        actor: Actor::Operator,
        rule: None,
        mode: Mode::Live,
        case: key.is_some().then_some(CaseId(id)),
        key,
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body,
    }
}

fn pin(core: usize) -> Outcome {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

fn both() -> CpuSet {
    let mut cores = CpuSet::new();
    (0..2).for_each(|core| cores.set(core));
    cores
}
