//! From interface to interface: the name servers over a pair of virtual cards, by UDP socket
//! and by AF_XDP.
//!
//! Closer to a real server than loopback, where the sender does the receiver's work: the
//! cards' reception runs in threads of the kernel, that of the server on the server's core
//! and counted with it. Questions come from a generator on AF_XDP, because a socket would be
//! slower than what it measures. Needs root, for network namespaces of its own.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Pid;
use serde_json::Value;

use super::data::Set;
use super::mailward::{self, example};
use super::subjects::{LOAD_CORE, SERVER_CORE, rbldnsd_command, ready};
use super::{Pace, read, row};
use crate::bench::meter::{Pinned, pin_process, processor_time, wait_for_quiet, with_children};
use crate::bench::report::{Row, median};
use crate::bench::scratch::Scratch;
use crate::debian;
use crate::error::TaskError;
use crate::run::{self, Background};

/// The network of the pair, which exists in the namespaces only.
const CLIENT: &str = "10.99.0.1";
const SERVER: &str = "10.99.0.2";
const PORT: u16 = 5353;

/// Questions outstanding: enough that the server never waits.
const WINDOW: &str = "1024";

/// How long a server starts, and a command on a namespace may take.
const SETTLE: Duration = Duration::from_millis(2500);
const LIMIT: Duration = Duration::from_secs(60);

/// The servers, by their names in the rows.
const SUBJECTS: [&str; 4] = ["echo, AF_XDP", "rbldnsd ip4set", "mailward", "mailward, AF_XDP"];

/// The case in the rows.
const CASE: &str = "1M /32, over a veth pair, one core";

/// Two namespaces with a card each; they go with the value.
struct Pair {
    id: u32,
}

impl Pair {
    fn new() -> Result<Self, TaskError> {
        let pair = Self { id: std::process::id() };
        for side in ["c", "s"] {
            ip(&["netns", "add", &pair.space(side)])?;
        }
        Ok(pair)
    }

    fn space(&self, side: &str) -> String {
        format!("mwb{}{side}", self.id)
    }

    fn card(&self, side: &str) -> String {
        format!("mw{side}{}", self.id)
    }

    /// New cards: nothing of the subject before is left on them.
    fn connect(&self) -> Result<(), TaskError> {
        let [(cs, cc), (ss, sc)] = ["c", "s"].map(|side| (self.space(side), self.card(side)));
        ip(&["link", "add", &cc, "netns", &cs, "type", "veth", "peer", "name", &sc, "netns", &ss])?;
        for (space, card, address) in [(&cs, &cc, CLIENT), (&ss, &sc, SERVER)] {
            ip(&["-n", space, "addr", "add", &format!("{address}/24"), "dev", card])?;
            ip(&["-n", space, "link", "set", "lo", "up"])?;
            ip(&["-n", space, "link", "set", card, "up"])?;
        }
        // No exchange of ARP while programs come and go.
        let mac = self.mac("c")?;
        ip(&["-n", &ss, "neigh", "replace", CLIENT, "lladdr", &mac, "dev", &sc])
    }

    fn disconnect(&self) -> Result<(), TaskError> {
        ip(&["-n", &self.space("s"), "link", "del", &self.card("s")])
    }

    fn mac(&self, side: &str) -> Result<String, TaskError> {
        let file = format!("/sys/class/net/{}/address", self.card(side));
        Ok(run::output(self.inside(side, "cat").arg(file), LIMIT)?.trim().to_owned())
    }

    /// A program in one of the namespaces.
    fn inside(&self, side: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(side)]).arg(program);
        command
    }

    /// Puts reception of the server's card into a thread of the kernel, on the server's core.
    fn receive_apart(&self) -> Result<u32, TaskError> {
        let card = self.card("s");
        let switch = format!("echo 1 > /sys/class/net/{card}/threaded");
        run::output(self.inside("s", "sh").args(["-c", &switch]), LIMIT)?;
        sleep(Duration::from_millis(200));
        let thread = fs::read_dir("/proc").into_iter().flatten().flatten().find_map(|process| {
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            let id = process.file_name().to_str()?.parse::<u32>().ok()?;
            name.starts_with(&format!("napi/{card}-")).then_some(id)
        });
        let thread = thread.ok_or_else(|| TaskError::Missing {
            what: "the card's thread of reception".into(),
            way_out: "it needs Linux 5.12 or newer and a program on the card".into(),
        })?;
        if let Some(id) = i32::try_from(thread).ok().and_then(Pid::from_raw) {
            pin_process(id, SERVER_CORE)?;
        }
        Ok(thread)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for side in ["c", "s"] {
            let _ = ip(&["netns", "del", &self.space(side)]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), TaskError> {
    run::output(Command::new("ip").args(arguments), LIMIT).map(drop)
}

/// Processor time of the whole server side for a question, round after round.
pub(super) fn veth(set: &Set, pace: &Pace) -> Result<Vec<Row>, TaskError> {
    if !debian::is_root_on_debian() || !ready(debian::BENCH_RBLDNSD)? {
        eprintln!("dns: over a veth pair skipped: it needs root, for network namespaces of its own");
        return Ok(Vec::new());
    }
    let scratch = Scratch::new("dns-veth")?;
    mailward::table(set, scratch.path())?;
    fs::copy(set.file("rbldnsd"), scratch.path().join("zone")).map_err(TaskError::file(scratch.path()))?;
    let pair = Pair::new()?;
    let mut measured = vec![Vec::new(); SUBJECTS.len()];
    for round in 0..pace.rounds {
        for (name, rounds) in SUBJECTS.iter().zip(&mut measured) {
            pair.connect()?;
            let got = one(&pair, name, set, scratch.path(), pace)?;
            pair.disconnect()?;
            super::say(round, name, &got);
            rounds.push(got);
        }
    }
    Ok(rows(&measured))
}

/// Starts one server, loads it and ends it.
fn one(pair: &Pair, name: &str, set: &Set, folder: &Path, pace: &Pace) -> Result<Value, TaskError> {
    let mut beside = Vec::new();
    if !name.ends_with("AF_XDP") {
        // Both cards need a program, or the kernel receives in another way.
        let mut pass = pair.inside("s", example("xdp_bench"));
        beside.push(start(pass.args(["pass", &pair.card("s"), SERVER]), folder)?);
    }
    let pinned = Pinned::to(SERVER_CORE)?;
    let server = start(&mut subject(pair, name, folder), folder)?;
    drop(pinned);
    sleep(SETTLE);
    let thread = pair.receive_apart()?;
    let mut processes = with_children(server.child.id());
    processes.push(thread);
    wait_for_quiet(pace.quiet);
    let mut load = pair.inside("c", example("xdp_bench"));
    let [from, to] = [(CLIENT, 40_000), (SERVER, PORT)].map(|(address, port)| format!("{address}:{port}"));
    load.args(["load", &pair.card("c"), &pair.mac("s")?, &from, &to]).arg(set.file("questions"));
    load.args([&pace.seconds.to_string(), WINDOW, &LOAD_CORE.to_string()]);
    let before = processor_time(&processes);
    let mut got = read(&run::output(&mut load, LIMIT)?)?;
    let spent = processor_time(&processes).saturating_sub(before);
    let answers = got["answers"].as_f64().filter(|answers| *answers > 0.0);
    got["cpu_us"] = answers.map(|answers| spent.as_secs_f64() * 1e6 / answers).into();
    drop(beside);
    Ok(got)
}

/// How a subject is started in its namespace.
fn subject(pair: &Pair, name: &str, folder: &Path) -> Command {
    let (card, address) = (pair.card("s"), format!("{SERVER}:{PORT}"));
    let to = |address: &str| address.parse::<SocketAddrV4>();
    let inner = match (name, to(&address)) {
        ("rbldnsd ip4set", Ok(at)) => rbldnsd_command(at, "ip4set", folder),
        ("mailward", Ok(at)) => mailward::command(&folder.join("feed"), at, 1, None),
        ("mailward, AF_XDP", Ok(at)) => mailward::command(&folder.join("feed"), at, 1, Some(&card)),
        _ => {
            let mut echo = Command::new(example("xdp_bench"));
            echo.args(["echo", &card, &address]);
            echo
        }
    };
    let mut command = pair.inside("s", inner.get_program());
    command.args(inner.get_args());
    command
}

fn start(command: &mut Command, folder: &Path) -> Result<Background, TaskError> {
    let silence = std::process::Stdio::null;
    Background::start(command.current_dir(folder).stdout(silence()).stderr(silence()))
}

/// The medians, and how they stand to the peer's.
fn rows(measured: &[Vec<Value>]) -> Vec<Row> {
    let of = |rounds: &[Value], metric: &str| median(rounds.iter().filter_map(|got| got[metric].as_f64()));
    let peer = SUBJECTS.iter().zip(measured).find(|(name, _)| name.starts_with(super::PEER));
    let of_peer = |rounds: &[Value]| peer.and_then(|(_, peer)| super::times(peer, rounds));
    let mut rows = Vec::new();
    for (name, rounds) in SUBJECTS.iter().zip(measured) {
        let values = [
            ("qps", of(rounds, "qps"), "1/s"),
            ("cpu_us", of(rounds, "cpu_us"), "us"),
            ("of_rbldnsd", of_peer(rounds), "x"),
            ("listed", of(rounds, "listed"), "share"),
            ("lost", of(rounds, "lost"), "questions"),
        ];
        rows.extend(
            values
                .into_iter()
                .filter_map(|(metric, value, unit)| Some(row(CASE, name, metric, value?, unit))),
        );
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rate_is_the_median_of_those_of_the_rounds() {
        let rounds = |cpu: [f64; 3]| cpu.map(|cpu| json!({"cpu_us": cpu})).to_vec();
        let measured = [[1.0; 3], [6.0, 6.6, 9.0], [4.0; 3], [1.0, 1.65, 2.0]].map(rounds);
        let rows = rows(&measured);
        let of = |subject: &str| {
            rows.iter().find(|r| r.subject == subject && r.metric == "of_rbldnsd").unwrap().value
        };
        assert_eq!((of("rbldnsd ip4set"), of("mailward"), of("mailward, AF_XDP")), (1.0, 1.65, 4.5));
    }
}
