//! The name servers that are measured: how each starts, reloads and stops.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::data::{Set, ZONE, reversed};
use super::probe::{self, Pace, Seen, Until};
use crate::bench::meter::{Pinned, resident, wait_for_quiet, with_children};
use crate::bench::scratch::Scratch;
use crate::bench::subjects::LIFETIME;
use crate::debian::{self, Ready};
use crate::error::TaskError;
use crate::run::{self, Background};

/// The core that all servers share; the load generator has the next one.
pub(super) const SERVER_CORE: usize = 0;
pub(super) const LOAD_CORE: usize = 1;

/// The slowest server reads ten million entries in a minute and a half.
const START: Pace = Pace { every: Duration::from_millis(1), limit: Duration::from_secs(180) };

/// How often a reloading server is asked.
const RELOAD: Pace = Pace { every: Duration::from_micros(50), limit: Duration::from_secs(120) };

/// How long a server settles before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// How much of a server's own words goes into our error.
const WORDS_MAX: usize = 500;

/// A control command of a server answers at once, or reads the zone first.
const CONTROL_LIMIT: Duration = Duration::from_secs(120);

/// How a server learns that its file has changed.
pub(super) enum Reload {
    /// It can not, or needs not.
    None,
    /// SIGHUP.
    Hangup,
    /// A control program.
    Control(Vec<String>),
}

/// A server that runs and answers.
pub(super) struct Server {
    /// Its name in the rows.
    pub(super) name: String,
    pub(super) address: SocketAddrV4,
    /// From its start to its first answer.
    pub(super) start: Duration,
    pub(super) process: Background,
    pub(super) scratch: Scratch,
    reload: Reload,
}

/// What [`Server::start`] needs to know.
pub(super) struct Plan<'a> {
    pub(super) name: &'a str,
    pub(super) command: Command,
    pub(super) address: SocketAddrV4,
    pub(super) scratch: Scratch,
    /// Kept to [`SERVER_CORE`].
    pub(super) pinned: bool,
    /// The name to ask for at the start, and what ends the waiting.
    pub(super) until: (String, Until),
    pub(super) reload: Reload,
}

impl Server {
    /// Starts it, waits for its first answer and measures how long that takes.
    pub(super) fn start(mut plan: Plan<'_>) -> Result<Self, TaskError> {
        let words = plan.scratch.path().join("output");
        let output = File::create(&words).map_err(TaskError::file(&words))?;
        let errors = output.try_clone().map_err(TaskError::file(&words))?;
        let begun = Instant::now();
        let pinned = plan.pinned.then(|| Pinned::to(SERVER_CORE)).transpose()?;
        let process =
            Background::start(plan.command.stdout(output).stderr(errors).current_dir(plan.scratch.path()))?;
        drop(pinned);
        let asked = probe::ask(plan.address, &plan.until.0, plan.until.1, START);
        let seen = asked.map_err(TaskError::system("ask the server"))?;
        let start = begun.elapsed();
        if seen.after.is_none() {
            return Err(TaskError::Failed { command: plan.name.into(), how: silent(&words) });
        }
        sleep(SETTLE);
        let Plan { name, address, scratch, reload, .. } = plan;
        Ok(Self { name: name.into(), address, start, process, scratch, reload })
    }

    /// Its process and all that it started: some servers answer in children.
    pub(super) fn processes(&self) -> Vec<u32> {
        with_children(self.process.child.id())
    }

    /// Its memory in bytes.
    pub(super) fn memory(&self) -> u64 {
        resident(&self.processes())
    }

    /// Adds `address` to its file, tells it, and asks until it is listed. `None` for a
    /// server that reads no file.
    pub(super) fn reload(
        &self,
        set: &Set,
        address: Ipv4Addr,
        serial: u32,
    ) -> Result<Option<Seen>, TaskError> {
        let kind = match &self.reload {
            Reload::None => return Ok(None),
            Reload::Hangup => "rbldnsd",
            Reload::Control(_) => "zone",
        };
        extend(&set.file(kind), &self.scratch.path().join("zone"), address, serial)?;
        wait_for_quiet(Duration::from_secs(2));
        let name = format!("{}.{ZONE}", reversed(address));
        let asking = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let _pinned = Pinned::to(LOAD_CORE);
                probe::ask(self.address, &name, Until::Listed, RELOAD)
            });
            // The asking is under way before the trigger, so that silence shows whole.
            sleep(Duration::from_millis(20));
            self.tell()?;
            let seen = asking.join().unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()));
            seen.map_err(TaskError::system("ask the server"))
        })?;
        let after = asking.after.map(|after| after.saturating_sub(Duration::from_millis(20)));
        Ok(Some(Seen { after, ..asking }))
    }

    fn tell(&self) -> Result<(), TaskError> {
        match &self.reload {
            Reload::None => Ok(()),
            Reload::Hangup => {
                let process = i32::try_from(self.process.child.id()).ok().and_then(Pid::from_raw);
                let told = process.map_or(Ok(()), |process| kill_process(process, Signal::HUP));
                told.map_err(TaskError::system("signal a server"))
            }
            Reload::Control(words) => {
                let mut command = Command::new(&words[0]);
                run::output(command.args(&words[1..]), CONTROL_LIMIT).map(drop)
            }
        }
    }
}

fn silent(words: &Path) -> String {
    let said = fs::read_to_string(words).unwrap_or_default();
    let said: String = said.chars().take(WORDS_MAX).collect();
    format!("does not answer; it said: {said}")
}

/// Copies a file of the set, with one address more and, for a zone file, a new serial.
fn extend(from: &Path, to: &Path, address: Ipv4Addr, serial: u32) -> Result<(), TaskError> {
    let text = fs::read_to_string(from).map_err(TaskError::file(from))?;
    let is_zone = text.starts_with("$ORIGIN");
    let text = text.replacen(" 1 600 ", &format!(" {serial} 600 "), 1);
    let new = to.with_extension("new");
    let line = if is_zone { format!("{} A 127.0.0.2", reversed(address)) } else { address.to_string() };
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        writeln!(file, "{line}")?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&new, to)).map_err(TaskError::file(to))
}

/// A loopback address whose UDP port was free a moment ago.
pub(super) fn free_address() -> Result<SocketAddrV4, TaskError> {
    let bound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let port = bound.map_err(TaskError::system("find a free port"))?.port();
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The bare responder: what this machine can do at most.
pub(super) fn echo(threads: usize) -> Result<Server, TaskError> {
    let address = free_address()?;
    Server::start(Plan {
        name: "echo",
        command: echo_command(address, threads),
        address,
        scratch: Scratch::new(&format!("dns-echo-{threads}"))?,
        pinned: threads == 1,
        until: (format!("2.0.0.127.{ZONE}"), Until::Answered),
        reload: Reload::None,
    })
}

/// How the bare responder is started.
pub(super) fn echo_command(address: SocketAddrV4, threads: usize) -> Command {
    let mut command = Command::new(crate::repo::target().join("release/xtask"));
    command.args(["dns-echo", "--address", &address.to_string(), "--threads", &threads.to_string()]);
    command.args(["--seconds", &LIFETIME.as_secs().to_string()]);
    command
}

/// rbldnsd with the set as `kind`: `ip4set` for addresses, `ip4trie` for prefixes.
pub(super) fn rbldnsd(set: &Set, kind: &str, pinned: bool) -> Result<Option<Server>, TaskError> {
    if !ready(debian::BENCH_RBLDNSD)? {
        return Ok(None);
    }
    let address = free_address()?;
    let scratch = Scratch::new(&format!("dns-rbldnsd-{kind}-{pinned}"))?;
    copy(set, "rbldnsd", &scratch)?;
    let name = format!("rbldnsd {kind}");
    let command = rbldnsd_command(address, kind, scratch.path());
    let until = (listed(set), Until::Listed);
    let plan = Plan { name: &name, command, address, scratch, pinned, until, reload: Reload::Hangup };
    Server::start(plan).map(Some)
}

/// How rbldnsd is started with the file `zone` in `folder`.
pub(super) fn rbldnsd_command(address: SocketAddrV4, kind: &str, folder: &Path) -> Command {
    let mut command = Command::new("rbldnsd");
    command.args(["-n", "-b", &format!("{}/{}", address.ip(), address.port()), "-c", "0", "-w"]).arg(folder);
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody:nogroup"]);
    }
    command.arg(format!("{ZONE}:{kind}:zone"));
    command
}

/// NSD with the set as a zone file.
pub(super) fn nsd(set: &Set) -> Result<Option<Server>, TaskError> {
    if !ready(debian::BENCH_NSD)? {
        return Ok(None);
    }
    let address = free_address()?;
    let scratch = Scratch::new("dns-nsd")?;
    copy(set, "zone", &scratch)?;
    let at = scratch.path().display();
    let text = format!(
        "server:\n ip-address: {}@{}\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"{at}\"\n \
         database: \"\"\n logfile: \"{at}/log\"\n pidfile: \"{at}/pid\"\n xfrdfile: \"{at}/xfrd\"\n \
         zonelistfile: \"{at}/zones\"\n xfrdir: \"{at}\"\n rrl-ratelimit: 0\n\
         remote-control:\n control-enable: yes\n control-interface: {at}/control\n\
         zone:\n name: {ZONE}\n zonefile: zone\n",
        address.ip(),
        address.port(),
    );
    let configuration = scratch.write("nsd.conf", &text)?;
    let mut command = Command::new("nsd");
    command.arg("-d").arg("-c").arg(&configuration);
    let control = ["nsd-control", "-c", &configuration.to_string_lossy(), "reload", ZONE].map(str::to_owned);
    let reload = Reload::Control(control.to_vec());
    let until = (listed(set), Until::Listed);
    Server::start(Plan { name: "nsd", command, address, scratch, pinned: true, until, reload }).map(Some)
}

/// Knot DNS with the set as a zone file.
pub(super) fn knot(set: &Set) -> Result<Option<Server>, TaskError> {
    if !ready(debian::BENCH_KNOT)? {
        return Ok(None);
    }
    let address = free_address()?;
    let scratch = Scratch::new("dns-knot")?;
    copy(set, "zone", &scratch)?;
    let at = scratch.path().display();
    let text = format!(
        "server:\n rundir: {at}\n listen: {}@{}\n udp-workers: 1\n tcp-workers: 1\n background-workers: 1\n\
         control:\n listen: control\ndatabase:\n storage: {at}/db\nlog:\n - target: {at}/log\n   any: info\n\
         zone:\n - domain: {ZONE}\n   storage: {at}\n   file: zone\n   zonefile-sync: -1\n   \
         semantic-checks: off\n   journal-content: none\n",
        address.ip(),
        address.port(),
    );
    let configuration = scratch.write("knot.conf", &text)?;
    let control = scratch.path().join("control");
    let mut command = Command::new("knotd");
    command.arg("-c").arg(configuration);
    let words = ["knotc", "-s", &control.to_string_lossy(), "zone-reload", ZONE].map(str::to_owned);
    let until = (listed(set), Until::Listed);
    let reload = Reload::Control(words.to_vec());
    Server::start(Plan { name: "knot", command, address, scratch, pinned: true, until, reload }).map(Some)
}

/// Copies a file of the set to where a server reads it.
fn copy(set: &Set, kind: &str, scratch: &Scratch) -> Result<PathBuf, TaskError> {
    let to = scratch.path().join("zone");
    fs::copy(set.file(kind), &to).map_err(TaskError::file(&to))?;
    Ok(to)
}

/// The name of an address that the set lists.
pub(super) fn listed(set: &Set) -> String {
    format!("{}.{ZONE}", reversed(set.listed))
}

/// Whether a peer's packages are there; says so when they are not.
pub(super) fn ready(packages: &[&str]) -> Result<bool, TaskError> {
    let ready = debian::ensure(packages)?;
    if let Ready::No { reason } = &ready {
        eprintln!("dns: {} skipped: {reason}", packages.join(" "));
    }
    Ok(ready == Ready::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_adds_one_address_and_a_new_serial() {
        let scratch = Scratch::new("dns-test-extend").unwrap();
        let from = scratch.write("from", "$ORIGIN bl.test.\n@ SOA a. b. 1 600 300 86400 300\n").unwrap();
        let to = scratch.path().join("to");
        extend(&from, &to, Ipv4Addr::new(192, 0, 2, 25), 7).unwrap();
        let text = fs::read_to_string(&to).unwrap();
        assert_eq!(text, "$ORIGIN bl.test.\n@ SOA a. b. 7 600 300 86400 300\n25.2.0.192 A 127.0.0.2\n");
        let from = scratch.write("from", "192.0.2.1\n").unwrap();
        extend(&from, &to, Ipv4Addr::new(192, 0, 2, 25), 7).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "192.0.2.1\n192.0.2.25\n");
    }
}
