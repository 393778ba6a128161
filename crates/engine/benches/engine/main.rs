//! How many observations the engine judges, and what it remembers of one key.
//!
//! Prints one JSON object a line (DESIGN §7). Streams are made up from a seed ([`stream`]), with
//! the shipped policy and every rule on; what only decodes and hashes the same inputs, and a
//! bare count of each key, stand beside the engine in the same run, round by round in turn. A
//! figure is a median of several rounds, in processor time of the one thread that works,
//! because other work shares these machines.
//!
//! `cargo bench -p engine --bench engine -- [--quick] [--only STREAM]…`; streams: `policy`,
//! `milter`, `strangers`.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench needs /proc and a clock, and may stop at the first surprise"
)]

mod hosts;
mod meter;
mod report;
mod stream;
mod subjects;

use meter::Run;
use report::{Bench, figure, median};
use stream::{Kind, Stream};
use subjects::Subject;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone());
    let quick = args.iter().any(|arg| arg == "--quick");
    let bench = if quick { Bench::QUICK } else { Bench::FULL };
    if args.iter().any(|arg| arg == "--weigh") {
        return meter::child();
    }
    if !args.iter().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` starts benches too, without this word.
        return;
    }
    let only = value("--only");
    for kind in Kind::ALL {
        if only.as_ref().is_none_or(|only| only == kind.name()) {
            measure(kind, &bench);
        }
    }
}

fn measure(kind: Kind, bench: &Bench) {
    let stream = Stream::of(kind, bench.observations);
    let case = kind.case(&stream);
    for (subject, rounds) in speeds(&stream, bench.rounds) {
        figure(&case, subject.name(), "obs_per_cpu_s", median(rounds.iter().map(Run::per_cpu_s)), "1/s");
        figure(&case, subject.name(), "obs_per_s", median(rounds.iter().map(Run::per_s)), "1/s");
    }
    let weight = meter::in_a_process_of_its_own(&stream);
    figure(&case, "engine", "bytes_per_key", weight.bytes_per_key(), "B");
    figure(&case, "engine", "keys", weight.keys as f64, "1");
    figure(&case, "engine", "grown", weight.grown as f64 / f64::from(1 << 20), "MiB");
}

/// All subjects in turn, round after round.
fn speeds(stream: &Stream, rounds: usize) -> Vec<(Subject, Vec<Run>)> {
    let mut all: Vec<_> = Subject::ALL.map(|subject| (subject, Vec::new())).into();
    for _ in 0..rounds {
        for (subject, runs) in &mut all {
            runs.push(subject.run(stream));
        }
    }
    all
}
