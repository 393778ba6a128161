//! What each group of tests runs, and for how long at most.

use std::process::Command;
use std::time::Duration;

use crate::beside;
use crate::debian::{self, Ready};
use crate::error::TaskError;
use crate::libtest::{Grain, Reader, Summary, Tally};
use crate::repo::{self, Tree};
use crate::{licences, metadata, run};

/// rustfmt reads every file once.
const FMT_LIMIT: Duration = Duration::from_secs(2 * 60);

/// A cold build of everything that is checked, on two cores.
const CLIPPY_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A cold build and all tests of all crates, on two cores.
const UNIT_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Real servers start, work and stop; nothing new is built.
const WORLD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// World tests run when this is 1, and say `skipped: …` when it is not set.
const WORLD_VARIABLE: &str = "MAILWARD_WORLD";

/// Test targets of the world group begin so.
const WORLD_PREFIX: &str = "world_";

pub(super) fn fmt() -> Result<Summary, TaskError> {
    check(&mut repo::cargo(&["fmt", "--all", "--", "--check", "--color", "never"]), FMT_LIMIT)
}

pub(super) fn tidy() -> Result<Summary, TaskError> {
    Ok(crate::tidy::report(&Tree::load()?))
}

pub(super) fn licences() -> Result<Summary, TaskError> {
    Ok(whole(licences::licences()?, "packages that deny.toml does not allow"))
}

pub(super) fn clippy() -> Result<Summary, TaskError> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    check(&mut repo::cargo(&arguments), CLIPPY_LIMIT)
}

/// All test targets but the world's, then the doc tests, which cargo runs only alone.
pub(super) fn unit() -> Result<Summary, TaskError> {
    let mut command = repo::cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins"]);
    for target in test_targets()?.iter().filter(|name| !name.starts_with(WORLD_PREFIX)) {
        command.args(["--test", target]);
    }
    let mut summary = tests(&mut command, Grain::Binaries, UNIT_LIMIT)?;
    let mut documents = repo::cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--doc"]);
    summary += tests(&mut documents, Grain::Binaries, UNIT_LIMIT)?;
    Ok(summary)
}

/// The tests with real peers, one at a time.
pub(super) fn world() -> Result<Summary, TaskError> {
    let targets: Vec<String> =
        test_targets()?.into_iter().filter(|name| name.starts_with(WORLD_PREFIX)).collect();
    if targets.is_empty() {
        println!("world: there is no test target {WORLD_PREFIX}…");
        return Ok(Summary::default());
    }
    let mut command = repo::cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    for target in &targets {
        command.args(["--test", target]);
    }
    command.args(["--", "--nocapture", "--test-threads=1"]).env_remove(WORLD_VARIABLE);
    match world_ready()? {
        Ready::Yes => _ = command.env(WORLD_VARIABLE, "1"),
        Ready::No { reason } => println!("world: skipped: {reason}"),
    }
    let summary = tests(&mut command, Grain::Tests, WORLD_LIMIT)?;
    Ok(if in_ci() { skips_as_failures(summary) } else { summary })
}

fn world_ready() -> Result<Ready, TaskError> {
    let mut ready = debian::may_use()?;
    if ready == Ready::Yes {
        ready = debian::ensure(debian::WORLD)?;
    }
    if ready == Ready::Yes
        && let Ready::No { reason } = beside::ensure()?
    {
        // The tests of these servers say `skipped`; the others run.
        println!("world: {reason}");
    }
    Ok(ready)
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// In CI nobody reads a skip, so it fails.
fn skips_as_failures(mut summary: Summary) -> Summary {
    summary.tally.failed += summary.tally.skipped;
    summary.tally.skipped = 0;
    summary.failures.extend(summary.skips.drain(..).map(|reason| format!("skipped in CI: {reason}")));
    summary
}

/// The names of all integration test targets, each once.
fn test_targets() -> Result<Vec<String>, TaskError> {
    let packages = metadata::ours()?;
    let targets = packages.into_iter().flat_map(|package| package.targets);
    let mut names: Vec<_> =
        targets.filter(|target| target.kind == "test").map(|target| target.name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Runs a command that is right or wrong as a whole.
fn check(command: &mut Command, limit: Duration) -> Result<Summary, TaskError> {
    let right = run::shown(command, limit)?.status.success();
    Ok(whole(right, &run::line(command)))
}

/// One check, named when it is wrong.
fn whole(right: bool, name: &str) -> Summary {
    let failures = if right { Vec::new() } else { vec![name.to_owned()] };
    Summary { tally: Tally::one(right), failures, ..Summary::default() }
}

/// Runs `cargo test` and reads its results.
fn tests(command: &mut Command, grain: Grain, limit: Duration) -> Result<Summary, TaskError> {
    let mut reader = Reader::new(grain);
    let outcome = run::watched(command, limit, &mut |line, at| {
        if grain == Grain::Tests || worth_showing(line) {
            println!("{line}");
        }
        reader.line(line, at);
    })?;
    Ok(reader.finish(outcome.status.success()))
}

/// Leaves out what a run without failures repeats a thousand times.
fn worth_showing(line: &str) -> bool {
    let passed = line.starts_with("test ") && line.ends_with(" ... ok");
    let counted = line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test"));
    !(line.is_empty() || passed || counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_ci_a_skip_is_a_failure_with_its_reason() {
        let tally = Tally { passed: 1, failed: 0, skipped: 2 };
        let summary = Summary { tally, skips: vec!["no Postfix".into()], ..Summary::default() };
        let got = skips_as_failures(summary);
        assert_eq!(got.tally, Tally { passed: 1, failed: 2, skipped: 0 });
        assert_eq!(got.failures, ["skipped in CI: no Postfix"]);
    }

    #[test]
    fn only_what_went_well_is_left_out() {
        let lines =
            ["", "running 3 tests", "test a ... ok", "test b ... FAILED", "test result: ok. 1 passed"];
        assert_eq!(lines.map(worth_showing), [false, false, false, true, true]);
    }
}
