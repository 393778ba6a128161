//! Servers that are measured: how each is started and stopped, and those of the policy bench.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::meter::{Pinned, with_children};
use super::scratch::Scratch;
use crate::debian::{self, Ready};
use crate::error::TaskError;
use crate::repo;
use crate::run::Background;

/// The core that all servers share; the load generator has the next one.
const SERVER_CORE: Option<usize> = Some(0);

/// How long a server may take until it answers: one of them fills a million blocks first.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long servers that end by themselves may live: longer than any run.
pub(super) const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

/// How much of a server's own words goes into our error.
const WORDS_MAX: usize = 500;

/// A server that runs and answers.
pub(super) struct Subject {
    /// Its name in the rows.
    pub(super) name: String,
    /// Where it listens.
    pub(super) address: SocketAddr,
    process: Background,
    scratch: Scratch,
}

impl Subject {
    /// Its process.
    pub(super) fn process(&self) -> u32 {
        self.process.child.id()
    }

    /// Its process and all that it started: some servers answer in children.
    pub(super) fn processes(&self) -> Vec<u32> {
        with_children(self.process())
    }

    /// The folder of its files.
    pub(super) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts `command`, on one core where one is given, and waits until it takes connections.
    pub(super) fn start(
        name: &str,
        command: &mut Command,
        address: SocketAddr,
        scratch: Scratch,
        core: Option<usize>,
    ) -> Result<Self, TaskError> {
        let words = scratch.path().join("output");
        let output = File::create(&words).map_err(TaskError::file(&words))?;
        let errors = output.try_clone().map_err(TaskError::file(&words))?;
        let pinned = core.map(Pinned::to).transpose()?;
        let process = Background::start(command.stdout(output).stderr(errors).current_dir(scratch.path()))?;
        drop(pinned);
        let mut subject = Self { name: name.into(), address, process, scratch };
        subject.wait_until_it_answers(&words)?;
        Ok(subject)
    }

    fn wait_until_it_answers(&mut self, words: &Path) -> Result<(), TaskError> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.ended()?;
            if ended.is_some() || begun.elapsed() > START_LIMIT {
                let how = ended.map_or("does not answer".into(), |status| status.to_string());
                let said = fs::read_to_string(words).unwrap_or_default();
                let said: String = said.chars().take(WORDS_MAX).collect();
                return Err(TaskError::Failed {
                    command: self.name.clone(),
                    how: format!("{how}; it said: {said}"),
                });
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// A loopback address with a port that was free a moment ago.
pub(super) fn free_address() -> Result<SocketAddr, TaskError> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TaskError::system("find a free port"))?;
    listener.local_addr().map_err(TaskError::system("find a free port"))
}

/// Mailward with `blocks` made-up blocks in force.
///
/// This is the one place that knows its configuration. `MAILWARD_BENCH_BLOCKS` makes
/// the daemon fill its index with that many blocks of random addresses from a fixed
/// seed before it listens; they stand in no ledger.
pub(super) fn mailward_subject(blocks: u32) -> Result<Subject, TaskError> {
    let (address, portal) = (free_address()?, free_address()?);
    let scratch = Scratch::new(&format!("mailward-{blocks}"))?;
    // Without a portal and a contact it would refuse nothing, and names of RFC 2606 count
    // as none. The operator's socket lies in its data-dir, so that each has its own.
    let text = format!(
        "data-dir = '{}'\n\
         mode = 'enforce'\n\
         [portal]\n\
         url = 'http://{portal}'\n\
         listen = '{portal}'\n\
         contact = 'postmaster@mail.internal'\n\
         [policy]\n\
         tcp = '{address}'\n\
         trust-local = true\n\
         threads = 1\n",
        scratch.path().join("data").display(),
    );
    let configuration = scratch.write("mailward.toml", &text)?;
    let mut command = Command::new(repo::target().join("release/mailward"));
    command.args(["serve", "--config"]).arg(configuration).env("MAILWARD_BENCH_BLOCKS", blocks.to_string());
    let plural = if blocks == 1 { "" } else { "s" };
    Subject::start(&format!("mailward, {blocks} block{plural}"), &mut command, address, scratch, SERVER_CORE)
}

/// The bare responder: what this machine can do at most.
pub(super) fn echo_subject() -> Result<Subject, TaskError> {
    let address = free_address()?;
    let mut command = Command::new(repo::target().join("release/xtask"));
    command.args(["policy-echo", "--port", &address.port().to_string()]);
    command.args(["--seconds", &LIFETIME.as_secs().to_string()]);
    Subject::start("echo", &mut command, address, Scratch::new("echo")?, SERVER_CORE)
}

/// postgrey, if its package is there or can be installed. Every request is a new
/// triplet, so it greylists all and writes each to its database.
pub(super) fn postgrey_subject() -> Result<Option<Subject>, TaskError> {
    if let Ready::No { reason } = debian::ensure(debian::BENCH_POSTGREY)? {
        eprintln!("policy: postgrey skipped: {reason}");
        return Ok(None);
    }
    let address = free_address()?;
    let scratch = Scratch::new("postgrey")?;
    let mut command = Command::new("postgrey");
    command
        .arg(format!("--inet={address}"))
        .arg(format!("--dbdir={}", scratch.path().display()))
        .arg("--quiet");
    if rustix::process::geteuid().is_root() {
        command.args(["--user=nobody", "--group=nogroup"]);
    }
    Subject::start("postgrey", &mut command, address, scratch, SERVER_CORE).map(Some)
}
