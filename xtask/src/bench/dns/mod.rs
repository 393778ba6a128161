//! DNS block lists: Mailward beside rbldnsd, NSD and Knot DNS, and beside a bare responder.
//!
//! All servers run at once on one core and are loaded one after another from the next
//! core, round after round, so that a busy neighbour hits all alike. Reported are medians
//! of the rounds that waited least for a processor; `wait` says how much. Processor time
//! per question is the steadiest figure. `of rbldnsd` and `of echo` are medians of the ratios
//! within each round, because a busy host is slow for a whole round and not for one server.

mod batch;
pub(crate) mod data;
pub(crate) mod echo;
pub(crate) mod load;
mod mailward;
mod probe;
mod question;
mod subjects;
mod veth;

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use self::data::{Kind, Recipe, Set};
use self::subjects::{LOAD_CORE, Server};
use super::meter::wait_for_quiet;
use super::policy::least_disturbed;
use super::report::{Row, median};
use crate::error::TaskError;
use crate::table::digits;
use crate::{repo, run};

/// A round is a few seconds; more means that something is stuck.
const ROUND_LIMIT: Duration = Duration::from_secs(60);

/// Sockets of a generator whose questions two threads share: the kernel chooses the
/// thread by the port, and few ports are shared out unevenly.
const SOCKETS_SHARED: usize = 32;

/// The server whose figures the others are compared with.
const PEER: &str = "rbldnsd";

/// How much is measured.
struct Pace {
    rounds: usize,
    /// Of one round.
    seconds: f64,
    /// The longest wait for a quiet machine before one.
    quiet: Duration,
    reloads: u32,
    sets: &'static [Recipe],
}

impl Pace {
    const FULL: Self = Self {
        rounds: 5,
        seconds: 2.0,
        quiet: Duration::from_secs(5),
        reloads: 3,
        sets: &[Recipe::MILLION, Recipe::TEN_MILLION, Recipe::PREFIXES],
    };
    const QUICK: Self =
        Self { rounds: 3, seconds: 1.0, quiet: Duration::from_secs(1), reloads: 1, sets: &[Recipe::MILLION] };
}

/// Measures all sets and cases.
pub(super) fn dns(quick: bool) -> Result<Vec<Row>, TaskError> {
    let pace = if quick { Pace::QUICK } else { Pace::FULL };
    let mut rows = Vec::new();
    for recipe in pace.sets {
        eprintln!("dns: making the set {}", recipe.name);
        let set = Set::make(*recipe)?;
        rows.extend(one_core(&set, &pace)?);
        if recipe.entries == Recipe::MILLION.entries && recipe.kind == Kind::Addresses {
            rows.extend(two_cores(&set, &pace)?);
            rows.extend(veth::veth(&set, &pace)?);
        }
        rows.extend(mailward::changes(&set)?);
    }
    Ok(rows)
}

/// What was measured of one server.
struct Measured {
    server: Server,
    full: Vec<Value>,
    half: Vec<Value>,
}

impl Measured {
    fn all(servers: Vec<Server>) -> Vec<Self> {
        servers.into_iter().map(|server| Self { server, full: Vec::new(), half: Vec::new() }).collect()
    }

    fn cpu_us(&self) -> Option<f64> {
        median(least_disturbed(&self.full).iter().filter_map(|round| round["cpu_us"].as_f64()))
    }
}

/// Speed, latency, memory, start and reload; servers on one core, the generator on another.
fn one_core(set: &Set, pace: &Pace) -> Result<Vec<Row>, TaskError> {
    let mut all = Measured::all(start(set)?);
    for round in 0..pace.rounds {
        for measured in &mut all {
            let got = one_round(set, &measured.server, pace, &["--core", &LOAD_CORE.to_string()])?;
            say(round, &measured.server.name, &got);
            measured.full.push(got);
        }
    }
    for _ in 0..pace.rounds {
        for measured in &mut all {
            let half = measured.cpu_us().map_or(1000.0, |cpu| 1e6 / cpu / 2.0);
            let options = ["--core", &LOAD_CORE.to_string(), "--rate", &format!("{half:.0}")];
            measured.half.push(one_round(set, &measured.server, pace, &options)?);
        }
    }
    let case = format!("{}, one core", set.recipe.name);
    let mut rows = speed(&case, &all);
    for measured in &all {
        rows.extend(size(&case, set, &measured.server));
        rows.extend(reloads(&case, set, &measured.server, pace.reloads)?);
    }
    Ok(rows)
}

/// The subjects that can hold the set.
fn start(set: &Set) -> Result<Vec<Server>, TaskError> {
    let mut servers = vec![subjects::echo(1)?, mailward::subject(set, 1)?];
    let kind = if set.recipe.kind == Kind::Addresses { "ip4set" } else { "ip4trie" };
    servers.extend(subjects::rbldnsd(set, kind, true)?);
    if set.recipe.name == Recipe::MILLION.name {
        servers.extend(subjects::nsd(set)?);
        servers.extend(subjects::knot(set)?);
    }
    Ok(servers)
}

/// Two cores for two threads, which the generator shares: the processor time of a
/// question tells what two cores can do, its rate what is left of them.
fn two_cores(set: &Set, pace: &Pace) -> Result<Vec<Row>, TaskError> {
    let mut servers = vec![subjects::echo(2)?, mailward::subject(set, 2)?];
    servers.extend(subjects::rbldnsd(set, "ip4set", false)?);
    let mut all = Measured::all(servers);
    for round in 0..pace.rounds {
        for measured in &mut all {
            let options = ["--sockets", &SOCKETS_SHARED.to_string(), "--window", "256"];
            let got = one_round(set, &measured.server, pace, &options)?;
            say(round, &measured.server.name, &got);
            measured.full.push(got);
        }
    }
    Ok(speed(&format!("{}, two cores, shared with the generator", set.recipe.name), &all))
}

/// Loads one server once, after a short warm-up.
fn one_round(set: &Set, server: &Server, pace: &Pace, options: &[&str]) -> Result<Value, TaskError> {
    wait_for_quiet(pace.quiet);
    load(set, server, 0.2, options)?;
    load(set, server, pace.seconds, options)
}

fn load(set: &Set, server: &Server, seconds: f64, options: &[&str]) -> Result<Value, TaskError> {
    let mut command = Command::new(repo::target().join("release/xtask"));
    command.arg("dns-load").args(["--address", &server.address.to_string()]);
    command.arg("--questions").arg(set.file("questions")).args(["--seconds", &seconds.to_string()]);
    command.args(options);
    for process in server.processes() {
        command.args(["--process", &process.to_string()]);
    }
    read(&run::output(&mut command, ROUND_LIMIT)?)
}

/// What a generator printed.
fn read(text: &str) -> Result<Value, TaskError> {
    serde_json::from_str(text).map_err(|error| TaskError::Unreadable {
        what: "the load generator".into(),
        expected: "one JSON object",
        got: error.to_string(),
    })
}

fn say(round: usize, name: &str, got: &Value) {
    let number = |metric: &str| got[metric].as_f64().map_or("-".into(), digits);
    eprintln!(
        "dns: round {round}, {name}: {} answers/s, {} us of processor, listed {}, lost {}, waited {}",
        number("qps"),
        number("cpu_us"),
        number("listed"),
        got["lost"],
        number("wait"),
    );
}

/// Rates, processor time and latency of all servers, beside the peer and the limit.
fn speed(case: &str, all: &[Measured]) -> Vec<Row> {
    let of = |name: &str| all.iter().find(|m| m.server.name.starts_with(name)).map(|m| &m.full[..]);
    let (peer, echo) = (of(PEER), of("echo"));
    let mut rows = Vec::new();
    for measured in all {
        let cpu = measured.cpu_us();
        let ratio = |to: Option<&[Value]>| to.and_then(|to| times(to, &measured.full));
        let full = |metric| of_rounds(&measured.full, metric);
        let half = |metric| of_rounds(&measured.half, metric);
        let values = [
            ("qps", full("qps"), "1/s"),
            ("cpu_us", cpu, "us"),
            ("of_rbldnsd", ratio(peer), "x"),
            ("of_echo", ratio(echo), "x"),
            ("listed", full("listed"), "share"),
            ("lost", full("lost"), "questions"),
            ("wait", full("wait"), "share"),
            ("p50_half", half("p50_us"), "us"),
            ("p99_half", half("p99_us"), "us"),
        ];
        rows.extend(values.into_iter().filter_map(|(metric, value, unit)| {
            value.map(|value| row(case, &measured.server.name, metric, value, unit))
        }));
    }
    rows
}

/// How many times the processor time of `own` questions those of `other` take, round by round.
fn times(other: &[Value], own: &[Value]) -> Option<f64> {
    let cpu = |round: &Value| round["cpu_us"].as_f64();
    median(other.iter().zip(own).filter_map(|(other, own)| Some(cpu(other)? / cpu(own)?)))
}

/// The median of a metric over the least disturbed rounds.
fn of_rounds(rounds: &[Value], metric: &str) -> Option<f64> {
    median(least_disturbed(rounds).iter().filter_map(|round| round[metric].as_f64()))
}

/// Memory of an entry, and how long the start took.
fn size(case: &str, set: &Set, server: &Server) -> Vec<Row> {
    if server.name == "echo" {
        return Vec::new();
    }
    let bytes = server.memory() as f64 / set.recipe.entries as f64;
    vec![
        row(case, &server.name, "entry", bytes, "B"),
        row(case, &server.name, "start", server.start.as_secs_f64(), "s"),
    ]
}

/// How long one added entry takes to be answered, and the silence meanwhile.
fn reloads(case: &str, set: &Set, server: &Server, times: u32) -> Result<Vec<Row>, TaskError> {
    let mut seen = Vec::new();
    for time in 0..times {
        let address = Ipv4Addr::new(203, 0, 113, 1 + time as u8);
        seen.extend(server.reload(set, address, time + 2)?);
    }
    let after = median(seen.iter().filter_map(|seen| seen.after).map(|after| after.as_secs_f64() * 1e3));
    let silence = median(seen.iter().map(|seen| seen.silence.as_secs_f64() * 1e3));
    let values = [("reload", after), ("silence", silence)];
    let row = |(metric, value): (&str, Option<f64>)| Some(row(case, &server.name, metric, value?, "ms"));
    Ok(values.into_iter().filter_map(row).collect())
}

fn row(case: &str, subject: &str, metric: &str, value: f64, unit: &str) -> Row {
    let [case, subject, metric, unit] = [case, subject, metric, unit].map(str::to_owned);
    Row { bench: "dns".into(), case, subject, metric, value, unit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_round_is_slow_for_both() {
        let rounds = |cpu: [f64; 3]| cpu.map(|cpu| serde_json::json!({ "cpu_us": cpu })).to_vec();
        let (peer, own) = (rounds([3.0, 9.0, 4.0]), rounds([2.0, 6.0, 4.0]));
        assert_eq!(times(&peer, &own), Some(1.5));
        assert_eq!(times(&peer, &[]), None);
    }
}
