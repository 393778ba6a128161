//! Mailward's name server as a subject.
//!
//! What runs is an example of `edge`: the daemon's name server over the daemon's projector,
//! with a bulk list in force. Only the engine, which answers nobody, is missing. This is the
//! one place that knows how it is started.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::data::Set;
use super::probe::Until;
use super::subjects::{Plan, Reload, Server, free_address, listed};
use crate::bench::report::Row;
use crate::bench::scratch::Scratch;
use crate::error::TaskError;
use crate::{repo, run};

/// Sorting ten million entries takes seconds, waiting for some hundred blocks less.
const LIMIT: Duration = Duration::from_secs(300);

/// Blocks whose way to the first answer is measured.
const BLOCKS: u32 = 300;

/// Changes a second that the last case has on top.
const CHANGES: u32 = 10_000;

/// An example of `edge`, from the optimised build.
pub(super) fn example(name: &str) -> PathBuf {
    repo::target().join("release/examples").join(name)
}

/// Makes the file of a bulk list from a set.
pub(super) fn table(set: &Set, folder: &Path) -> Result<PathBuf, TaskError> {
    let file = folder.join("feed");
    let mut command = Command::new(example("dns_bench"));
    run::output(command.arg("table").arg(set.file("plain")).arg(&file), LIMIT)?;
    Ok(file)
}

/// How it is started, with AF_XDP on the interface `xdp` where one is named.
pub(super) fn command(file: &Path, address: SocketAddrV4, threads: usize, xdp: Option<&str>) -> Command {
    let mut command = Command::new(example("dns_bench"));
    command.arg("serve").arg(file).args([address.to_string(), threads.to_string()]).args(xdp);
    command
}

/// The server, with all limits on.
pub(super) fn subject(set: &Set, threads: usize) -> Result<Server, TaskError> {
    let address = free_address()?;
    let scratch = Scratch::new(&format!("dns-mailward-{threads}"))?;
    let file = table(set, scratch.path())?;
    Server::start(Plan {
        name: "mailward",
        command: command(&file, address, threads, None),
        address,
        scratch,
        pinned: threads == 1,
        until: (listed(set), Until::Listed),
        reload: Reload::None,
    })
}

/// How long a block takes from its event to the first answer, without other changes and with many.
pub(super) fn changes(set: &Set) -> Result<Vec<Row>, TaskError> {
    let scratch = Scratch::new("dns-changes")?;
    let file = table(set, scratch.path())?;
    let mut rows = Vec::new();
    for (rate, words) in [(0, "a block from its event on"), (CHANGES, "the same with 10 000 changes/s")] {
        let mut command = Command::new(example("dns_bench"));
        command.arg("changes").arg(&file).args([rate.to_string(), BLOCKS.to_string()]);
        let text = run::output(command.arg(format!("{}, {words}", set.recipe.name)), LIMIT)?;
        rows.extend(text.lines().filter_map(Row::from_json));
    }
    Ok(rows)
}
