//! How fast the prefix index answers, what it weighs, and what a change costs.
//!
//! Prints one JSON object a line (DESIGN §7). The peers stand beside it in the same run,
//! run by run in turn; every figure is a median of several runs, beside it the best one,
//! because other work shares these machines.
//!
//! `cargo bench -p projections --bench index -- [--quick] [--keys N]… [--only PART]…`;
//! parts: `lookup`, `changes`, `net6`, `own`, `dense`. `--keys` defaults to 1 and 10 million. With
//! `--addresses FILE` the look-ups run over that list instead, one address a line.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a bench needs a clock, threads and /proc, and may stop at the first surprise"
)]

mod changes;
mod keys;
mod lookup;
mod memory;
mod report;

use std::time::Duration;

use report::Bench;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let values = |name: &str| -> Vec<String> {
        args.windows(2).filter(|pair| pair[0] == name).map(|pair| pair[1].clone()).collect()
    };
    let mut sizes: Vec<usize> = values("--keys").iter().map(|n| n.parse().unwrap()).collect();
    if let Some(subject) = values("--memory-of").first() {
        return memory::child(subject, sizes[0]);
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    if sizes.is_empty() {
        sizes = if quick { vec![1_000_000] } else { vec![1_000_000, 10_000_000] };
    }
    let bench = if quick {
        Bench { runs: 3, lookups: 400_000, lasts: Duration::from_secs(2) }
    } else {
        Bench { runs: 7, lookups: 2_000_000, lasts: Duration::from_secs(10) }
    };
    if !args.iter().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` starts benches too, without this word.
        return;
    }
    if let Some(path) = values("--addresses").first() {
        return lookup::of_file(&bench, path);
    }
    let only = values("--only");
    let wanted = |part: &str| only.is_empty() || only.iter().any(|o| o == part);
    for &size in &sizes {
        if wanted("lookup") {
            lookup::single_addresses(&bench, size);
        }
        if wanted("changes") {
            changes::while_reading(&bench, size);
        }
    }
    if wanted("net6") {
        lookup::net6(&bench, sizes[0]);
    }
    if wanted("own") {
        lookup::own_prefixes(&bench, sizes[0]);
    }
    if wanted("dense") {
        changes::dense(&bench);
    }
}
