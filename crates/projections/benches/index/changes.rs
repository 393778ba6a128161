//! One writer publishes versions, one reader asks without pause.
//!
//! The writer holds each old version until no reader does, so that it is the writer who
//! gives the memory back: a reader that frees would stand in line for the allocator.
//!
//! The reader's clock runs on from one look-up to the next, so no moment is left out. Of
//! a slow look-up, the time that the thread stood in the run queue (`schedstat`) belongs
//! to other work on the machine and is subtracted.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use model::Prefix;
use projections::index::{Change, Index};

use crate::keys::{NOW_MIN, Random, distinct, half_held};
use crate::lookup::{index_of, set};
use crate::report::{Bench, MEDIAN, count, figure, quantile};

/// A batch is published this often.
const TICK: Duration = Duration::from_millis(1);

/// Ten a millisecond: 10 000 changes a second.
const BATCH: usize = 10;

/// No look-up may take longer.
const SLOW_NS: u64 = 1_000_000;

/// A look-up slower than this may have stood in the run queue: ask.
const SUSPECT_NS: u64 = 20_000;

/// How many look-ups run between two looks at the run queue's clock.
const LOOKUPS_BETWEEN_WAITS: usize = 1024;

/// Random addresses.
pub(crate) fn while_reading(bench: &Bench, size: usize) {
    let mut random = Random(7);
    let keys = distinct(size, || random.v4());
    at_both_rates(bench, &format!("{} /32", count(size)), keys, Random::v4);
}

/// Sixteen /16s of which every address is held: the worst that a change can meet.
pub(crate) fn dense(bench: &Bench) {
    const NET: u32 = 11 << 24;
    const HOSTS: u32 = 0xf_ffff;
    let keys = (NET..=NET | HOSTS).collect();
    at_both_rates(bench, "16 whole /16", keys, |random| NET | random.next() as u32 & HOSTS);
}

/// Changes at 10 000 a second, then as fast as one writer can, both beside a reader.
fn at_both_rates(bench: &Bench, case: &str, keys: Vec<u32>, draw: fn(&mut Random) -> u32) {
    let mut random = Random(70);
    let asked = half_held(bench.lookups, &keys, &mut random, Random::v4);
    let mut churn = Churn { live: keys, random, draw, step: 0 };
    let mut index = index_of(&churn.live);
    for (name, tick) in [("10k changes/s", Some(TICK)), ("changes flat out", None)] {
        run(bench, &format!("{case}, {name}"), &mut index, &mut churn, &asked, tick);
    }
}

fn run(
    bench: &Bench,
    case: &str,
    index: &mut Index,
    churn: &mut Churn,
    asked: &[u32],
    tick: Option<Duration>,
) {
    let published = ArcSwap::from_pointee(index.clone());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(&published, asked, &over));
        let mut written = write(bench, index, churn, &published, tick);
        over.store(true, Ordering::Relaxed);
        written.report(case);
        reader.join().unwrap().report(case);
    });
}

/// Changes that keep the size as it is: a new key, one key less, one key extended.
struct Churn {
    live: Vec<u32>,
    random: Random,
    draw: fn(&mut Random) -> u32,
    step: usize,
}

impl Churn {
    fn next(&mut self) -> Change {
        self.step += 1;
        let at = self.random.below(self.live.len());
        match self.step % 3 {
            0 => Change::clear(Prefix::V4(self.live.swap_remove(at), 32)),
            1 => {
                let new = (self.draw)(&mut self.random);
                self.live.push(new);
                set(new, self.random.mark())
            }
            _ => set(self.live[at], self.random.mark()),
        }
    }
}

struct Written {
    changes: usize,
    took: Duration,
    cpu_ns: u64,
    batches_us: Vec<f64>,
}

impl Written {
    fn report(&mut self, case: &str) {
        let changes = self.changes as f64;
        figure(case, "mailward", "changes_per_s", changes / self.took.as_secs_f64(), "1/s");
        figure(case, "mailward", "change_cpu_us", self.cpu_ns as f64 / 1000.0 / changes, "us");
        let ranks = [("publish_us_p50", MEDIAN), ("publish_us_p999", 999), ("publish_us_max", 1000)];
        for (metric, permille) in ranks {
            figure(case, "mailward", metric, quantile(&mut self.batches_us, permille), "us");
        }
    }
}

fn write(
    bench: &Bench,
    index: &mut Index,
    churn: &mut Churn,
    published: &ArcSwap<Index>,
    tick: Option<Duration>,
) -> Written {
    let (start, cpu_before) = (Instant::now(), Sched::now().ran_ns);
    let (mut batches_us, mut retired) = (Vec::new(), Vec::new());
    while start.elapsed() < bench.lasts {
        let batch: Vec<Change> = (0..BATCH).map(|_| churn.next()).collect();
        let (began, waited) = (Instant::now(), Sched::now().waited_ns);
        index.apply(batch);
        index.sweep(NOW_MIN);
        retired.push(published.swap(index.clone().into()));
        retired.retain(|version| Arc::strong_count(version) > 1);
        let took = nanos(began.elapsed()).saturating_sub(Sched::now().waited_ns - waited);
        batches_us.push(took as f64 / 1000.0);
        let due = tick.unwrap_or_default() * u32::try_from(batches_us.len()).unwrap();
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    let cpu_ns = Sched::now().ran_ns - cpu_before;
    Written { changes: batches_us.len() * BATCH, took: start.elapsed(), cpu_ns, batches_us }
}

#[derive(Default)]
struct Read {
    lookups: u64,
    /// Slower than [`SLOW_NS`], as measured and without the wait in the run queue.
    slow_raw: u64,
    slow: u64,
    slowest_raw_ns: u64,
    slowest_ns: u64,
    took: Duration,
}

impl Read {
    fn report(&self, case: &str) {
        let share = |slow: u64| 1.0 - slow as f64 / self.lookups as f64;
        figure(case, "mailward", "share_under_1ms", share(self.slow), "1");
        figure(case, "mailward", "share_under_1ms_raw", share(self.slow_raw), "1");
        figure(case, "mailward", "lookups_over_1ms", self.slow as f64, "1");
        figure(case, "mailward", "slowest_us", self.slowest_ns as f64 / 1000.0, "us");
        figure(case, "mailward", "slowest_us_raw", self.slowest_raw_ns as f64 / 1000.0, "us");
        figure(case, "mailward", "lookups_per_s", self.lookups as f64 / self.took.as_secs_f64(), "1/s");
    }

    fn count(&mut self, took_ns: u64, waited_ns: u64) {
        let own_ns = took_ns.saturating_sub(waited_ns);
        self.slow_raw += u64::from(took_ns > SLOW_NS);
        self.slow += u64::from(own_ns > SLOW_NS);
        self.slowest_raw_ns = self.slowest_raw_ns.max(took_ns);
        self.slowest_ns = self.slowest_ns.max(own_ns);
    }
}

fn read(published: &ArcSwap<Index>, asked: &[u32], over: &AtomicBool) -> Read {
    let (mut read, mut waited, begun) = (Read::default(), Sched::now().waited_ns, Instant::now());
    let mut last = begun;
    let mut found = 0_u64;
    for (at, &key) in asked.iter().cycle().enumerate() {
        let mark = published.load().get(Ipv4Addr::from_bits(key).into(), NOW_MIN);
        found += u64::from(mark.is_some());
        let now = Instant::now();
        let took_ns = nanos(now - last);
        last = now;
        if took_ns > SUSPECT_NS || at % LOOKUPS_BETWEEN_WAITS == 0 {
            let waits = Sched::now().waited_ns;
            read.count(took_ns, waits - waited);
            waited = waits;
            // Our own look at /proc is no part of a look-up.
            last = Instant::now();
            if over.load(Ordering::Relaxed) {
                read.lookups = at as u64 + 1;
                break;
            }
        }
    }
    std::hint::black_box(found);
    Read { took: begun.elapsed(), ..read }
}

/// What the scheduler says of this thread.
struct Sched {
    ran_ns: u64,
    waited_ns: u64,
}

impl Sched {
    fn now() -> Sched {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let mut fields = text.split_whitespace().map(|field| field.parse().unwrap());
        Sched { ran_ns: fields.next().unwrap(), waited_ns: fields.next().unwrap() }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
