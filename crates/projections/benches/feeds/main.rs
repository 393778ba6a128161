//! How fast a bulk list answers, what it weighs, and how long reading its file takes.
//!
//! Prints one JSON object a line (DESIGN §7). The live index over the same addresses stands
//! beside it in the same run, turn by turn.
//!
//! `cargo bench -p projections --bench feeds -- [--quick]`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a bench needs a clock, and may stop at the first surprise"
)]
#![allow(dead_code, reason = "keys and quantiles are those of the index's bench, which uses more of them")]

#[path = "../index/keys.rs"]
mod keys;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use keys::{NOW_MIN, Random, distinct, half_held};
use model::atlas::ends;
use model::{Codes, Prefix};
use projections::feeds::{Builder, FeedEntry, Flat};
use projections::index::{Change, Index};

const RUNS: usize = 7;
const LOOKUPS: usize = 1_000_000;
const PIECE: usize = 4096;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` starts benches too, without this word.
        return;
    }
    single(1_000_000);
    mixed(1_000_000);
    if !args.iter().any(|arg| arg == "--quick") {
        single(10_000_000);
    }
}

fn figure(case: &str, subject: &str, metric: &str, value: f64, unit: &str) {
    println!(
        r#"{{"bench":"feeds","case":"{case}","subject":"{subject}","metric":"{metric}","value":{value:.4},"unit":"{unit}"}}"#
    );
}

/// Random single addresses, each with a code and an end.
fn single(size: usize) {
    let case = format!("{}M /32", size / 1_000_000);
    let mut random = Random(7);
    let keys = distinct(size, || random.v4());
    let prefixes: Vec<Prefix> = keys.iter().map(|key| Prefix::V4(*key, 32)).collect();
    let flat = flat(&case, &prefixes, &mut random);
    let mut index = Index::new([1, 2]);
    index.apply(prefixes.iter().map(|prefix| Change::set(*prefix, random.mark()).unwrap()));
    let asked = half_held(LOOKUPS, &keys, &mut Random(70), Random::v4);
    let get = |key: u32| flat.get(addr(key), NOW_MIN).map_or(0, |entry| u32::from(entry.code));
    let live = |key: u32| index.get(addr(key), NOW_MIN).map_or(0, |mark| u32::from(mark.class));
    compare(&case, &asked, &[("feed", &get), ("live index", &live)]);
    below(&case, &flat, &asked);
}

/// Random prefixes from /24 to /29.
fn mixed(size: usize) {
    let case = format!("{}M /24 to /29", size / 1_000_000);
    let mut random = Random(8);
    let prefixes: Vec<Prefix> =
        (0..size).map(|_| Prefix::new(addr(random.v4()), 24 + random.below(6) as u8)).collect();
    let flat = flat(&case, &prefixes, &mut random);
    let held: Vec<u32> = prefixes.iter().map(|prefix| inside(*prefix, &mut random)).collect();
    let asked = half_held(LOOKUPS, &held, &mut Random(70), Random::v4);
    let get = |key: u32| flat.get(addr(key), NOW_MIN).map_or(0, |entry| u32::from(entry.code));
    compare(&case, &asked, &[("feed", &get)]);
    below(&case, &flat, &asked);
}

fn addr(bits: u32) -> IpAddr {
    Ipv4Addr::from_bits(bits).into()
}

fn inside(prefix: Prefix, random: &mut Random) -> u32 {
    match prefix {
        Prefix::V4(bits, len) => bits | random.next() as u32 & u32::MAX.checked_shr(len.into()).unwrap_or(0),
        Prefix::V6(..) => 0,
    }
}

/// Makes a list, and says what it weighs and how long its making and its reading took.
fn flat(case: &str, prefixes: &[Prefix], random: &mut Random) -> Flat {
    let mut builder = Builder::new(NOW_MIN);
    for prefix in prefixes {
        let (first, last) = ends(*prefix);
        let until_min = Some(random.mark().until_min);
        builder.add(first, last, FeedEntry { code: 2 + random.below(8) as u8, until_min }).unwrap();
    }
    let start = Instant::now();
    let bytes = builder.finish().unwrap();
    figure(case, "feed", "make", start.elapsed().as_secs_f64() * 1e3, "ms");
    let path = std::env::temp_dir().join(format!("mailward-feeds-bench-{}", std::process::id()));
    std::fs::write(&path, &bytes).unwrap();
    let start = Instant::now();
    let flat = Flat::from_bytes(std::fs::read(&path).unwrap()).unwrap();
    figure(case, "feed", "read_and_check", start.elapsed().as_secs_f64() * 1e3, "ms");
    std::fs::remove_file(&path).unwrap();
    let weight = flat.heap_bytes() as f64 / prefixes.len() as f64;
    figure(case, "feed", "bytes_per_entry", weight, "B");
    flat
}

/// One subject: a word for each key.
type Subject<'a> = (&'a str, &'a dyn Fn(u32) -> u32);

fn compare(case: &str, asked: &[u32], subjects: &[Subject<'_>]) {
    let zero = black_box(0);
    let mut took = vec![(Vec::new(), Vec::new()); subjects.len()];
    for _ in 0..RUNS {
        for ((_, get), took) in subjects.iter().zip(&mut took) {
            took.0.push(median_ns(asked, |some| {
                some.iter().fold(0, |sum: u32, key| sum.wrapping_add(get(*key)))
            }));
            took.1.push(median_ns(asked, |some| some.iter().fold(0, |last, key| get(*key ^ (last & zero)))));
        }
    }
    for ((name, _), (independent, dependent)) in subjects.iter().zip(&mut took) {
        figure(case, name, "ns_dependent", median(dependent), "ns");
        figure(case, name, "ns_dependent_best", dependent[0], "ns");
        figure(case, name, "ns_independent", median(independent), "ns");
    }
}

/// Whether anything is listed below prefixes of all lengths that a resolver asks for.
fn below(case: &str, flat: &Flat, asked: &[u32]) {
    for len in [8, 16, 24] {
        let any = |key: u32| u32::from(flat.any_in(Prefix::new(addr(key), len), Codes::of(2), NOW_MIN));
        let took = median_ns(asked, |some| some.iter().fold(0, |sum: u32, key| sum.wrapping_add(any(*key))));
        figure(case, "feed", &format!("ns_below_{len}"), took, "ns");
    }
}

fn median_ns(asked: &[u32], run: impl Fn(&[u32]) -> u32) -> f64 {
    let piece = |some: &[u32]| {
        let start = Instant::now();
        black_box(run(some));
        start.elapsed().as_nanos() as f64 / some.len() as f64
    };
    median(&mut asked.chunks_exact(PIECE).map(piece).collect::<Vec<_>>())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
