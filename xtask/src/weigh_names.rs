//! Learns what the parts of a host name say of an access line (OFF-11), from labelled streams.
//!
//! Counted are different hosts, not messages. A part weighs three quarters of a point for each
//! bit of its log odds between hosts that sent spam and hosts that sent ham. Three good hosts
//! are added to those that have the part: what was never seen in so few may still be there one
//! time in a hundred (the rule of three). More octets never weigh less than fewer.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use detectors::dynamic::Parts;
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

use crate::Verdict;
use crate::error::TaskError;
use crate::repo;

/// The shipped file.
const FILE: &str = "crates/detectors/data/line-names.txt";
/// Quarters of a point for a bit.
const SCALE: f64 = 3.0;
/// Good hosts that are added to those that have a part.
const UNSEEN: f64 = 3.0;
/// What a part weighs at the most and at the least.
const MOST: f64 = 12.0;
const LEAST: f64 = -10.0;

/// Options of the task.
#[derive(Args)]
pub(crate) struct WeighOptions {
    /// Labelled streams, as the benchmark reads them (JSON lines, gzip).
    #[arg(required = true)]
    streams: Vec<PathBuf>,
    /// Write the weights into the shipped file.
    #[arg(long)]
    write: bool,
}

/// Hosts that have a part, and all hosts.
#[derive(Default)]
struct Count {
    bad: f64,
    good: f64,
}

/// A host by name and address.
type Host = (String, IpAddr);

/// Prints the weights, and writes them where asked to.
pub(crate) fn weigh(options: &WeighOptions) -> Verdict {
    let (mut bad, mut good) = (BTreeSet::new(), BTreeSet::new());
    for path in &options.streams {
        read(path, &mut bad, &mut good)?;
    }
    let text = learned(&bad, &good);
    print!("{text}");
    if options.write {
        let path = repo::top().join(FILE);
        fs::write(&path, text).map_err(TaskError::file(&path))?;
    }
    Ok(true)
}

fn read(path: &PathBuf, bad: &mut BTreeSet<Host>, good: &mut BTreeSet<Host>) -> Result<(), TaskError> {
    let file = fs::File::open(path).map_err(TaskError::file(path))?;
    for line in BufReader::new(MultiGzDecoder::new(BufReader::new(file))).lines() {
        let line = line.map_err(TaskError::file(path))?;
        let Ok(session) = serde_json::from_str::<Value>(&line) else { continue };
        let text = |key: &str| session.get(key).and_then(Value::as_str);
        let addr = text("client_ip").and_then(|addr| addr.parse().ok());
        let (Some(name), Some(addr)) = (text("client_name"), addr) else { continue };
        let hosts = if text("label") == Some("spam") { &mut *bad } else { &mut *good };
        hosts.insert((name.to_ascii_lowercase(), addr));
    }
    Ok(())
}

fn learned(bad: &BTreeSet<Host>, good: &BTreeSet<Host>) -> String {
    let count = |has: &dyn Fn(Parts) -> bool| {
        let of = |hosts: &BTreeSet<Host>| {
            let parts = hosts.iter().map(|(name, addr)| Parts::of(name.as_bytes(), *addr));
            parts.filter(|parts| has(*parts)).count() as f64
        };
        Count { bad: of(bad), good: of(good) }
    };
    let all = Count { bad: bad.len() as f64, good: good.len() as f64 };
    let mut octets: Vec<(Count, usize)> =
        [2, 3, 4].map(|n| (count(&move |parts: Parts| parts.octets == n), 1)).into();
    rising(&mut octets, &all);
    let mut text = header(&all);
    let pooled = octets.iter().flat_map(|(count, times)| std::iter::repeat_n(count, *times));
    for (n, count) in (2..).zip(pooled) {
        let _ = writeln!(text, "octets-{n} {}", weight(count, &all));
    }
    let _ = writeln!(text, "access-word {}", weight(&count(&|parts| parts.access), &all));
    let _ = writeln!(text, "server-word {}", weight(&count(&|parts| parts.server), &all));
    text
}

fn header(all: &Count) -> String {
    format!(
        "# What the parts of a host name say of an access line, in quarters of a point (OFF-11).\n\
         #\n\
         # Made by `cargo xtask weigh-names STREAM… --write` of {} hosts that sent spam and {} that sent\n\
         # none, in the streams that docs/benchmark.md names. A name's points are the sum of its parts,\n\
         # between 0 and 12. From 7 on it counts as the name of a line.\n",
        all.bad, all.good
    )
}

/// Pools neighbours until more octets weigh no less than fewer.
fn rising(octets: &mut Vec<(Count, usize)>, all: &Count) {
    while let Some(at) = (1..octets.len()).find(|at| bits(&octets[*at].0, all) < bits(&octets[at - 1].0, all))
    {
        let (more, times) = octets.remove(at);
        let (fewer, before) = &mut octets[at - 1];
        (fewer.bad, fewer.good, *before) = (fewer.bad + more.bad, fewer.good + more.good, *before + times);
    }
}

/// The log odds of a part, in bits.
fn bits(part: &Count, all: &Count) -> f64 {
    let share = |n: f64, of: f64| (n + 0.5) / (of + 1.0);
    (share(part.bad, all.bad) / share(part.good + UNSEEN - 0.5, all.good + UNSEEN)).log2()
}

fn weight(part: &Count, all: &Count) -> f64 {
    (SCALE * bits(part, all)).round().clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str], many: u8) -> BTreeSet<Host> {
        let host = |name: &&str, n: u8| (name.replace('N', &n.to_string()), IpAddr::from([192, 0, 2, n]));
        names.iter().flat_map(|name| (10..10 + many).map(move |n| host(name, n))).collect()
    }

    #[test]
    fn a_part_weighs_by_who_has_it_and_a_few_good_hosts_prove_little() {
        let bad = hosts(&["192-0-2-N.dsl.isp.example"], 200);
        let weigh = |good: u8| {
            let text = learned(&bad, &hosts(&["mail-N.example.org"], good));
            let line = text.lines().find(|line| line.starts_with("octets-4")).unwrap().to_owned();
            line.split_once(' ').unwrap().1.parse::<f64>().unwrap()
        };
        assert!(weigh(3) < weigh(30) && weigh(30) < weigh(200), "{} {} {}", weigh(3), weigh(30), weigh(200));
        assert!(learned(&bad, &hosts(&["mail-N.example.org"], 99)).contains("server-word -10"));
    }

    #[test]
    fn more_octets_never_weigh_less() {
        let bad = hosts(&["a-2-N.isp.example", "192-0-2-N.isp.example"], 100);
        let good = hosts(&["192-0-2-N.firm.example", "mx-N.example.org"], 90);
        let text = learned(&bad, &good);
        let of = |part: &str| text.lines().find_map(|line| line.strip_prefix(part)).unwrap().to_owned();
        assert_eq!(of("octets-2 "), of("octets-4 "));
    }
}
