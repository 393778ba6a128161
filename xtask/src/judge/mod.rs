//! `cargo xtask judge`: how well Mailward judges real mail.
//!
//! Recorded streams of SMTP sessions, each labelled spam or ham, go through `mailward
//! replay` in the order of time; what was refused is counted and set beside what a blocker
//! with perfect knowledge of each message, but of addresses only, reaches. The streams are
//! no part of the repository: `MAILWARD_SHARED_DATA` names their folder, otherwise
//! `../shared/data` beside the working copy counts; one that is absent is skipped with the
//! reason. `docs/benchmark.md` says how to read the tables.

mod networks;
mod oracle;
mod reference;
mod report;
mod score;
mod stream;
mod verdict;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::error::TaskError;
use crate::{repo, run};
use score::Run;
use verdict::{Networks, Verdict};

/// The streams to develop against, in the order of the tables. Others, of other times, are
/// kept apart to judge with.
const STREAMS: [&str; 4] = ["trec07p-dev", "spamassassin", "ccert", "phishing_pot-dev"];

/// The one whose networks are looked at: phishing comes through providers and hosting.
const OF_NETWORKS: &str = "phishing_pot";

/// A cold build on two cores, the bundled C libraries included.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);

/// The longest that one stream may take: the longest known takes seconds.
const REPLAY_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What to judge, and how to show it.
#[derive(Args)]
pub(crate) struct JudgeOptions {
    /// Streams (JSON Lines, plain or gzip); those for development when none is named.
    streams: Vec<PathBuf>,
    /// The program to judge [default: an unoptimised build of this working copy].
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// A configuration in place of the shipped rules.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Verdicts arrive this long after their message, such as `1 min`.
    #[arg(long, value_name = "SPAN")]
    evidence_delay: Option<String>,
    /// Put the tables into docs/benchmark.md.
    #[arg(long)]
    write: bool,
    /// Print one JSON object a stream instead of tables.
    #[arg(long)]
    json: bool,
}

/// Judges and prints; false when a provider's address was listed.
pub(crate) fn judge(options: &JudgeOptions) -> Result<bool, TaskError> {
    let data = data();
    let program = program(options)?;
    let mut verdicts = Vec::new();
    for stream in streams(options, &data) {
        if stream.exists() {
            verdicts.push(one(options, &program, &data, &stream)?);
        } else {
            eprintln!("skipped: {}: there is no such file (MAILWARD_SHARED_DATA)", stream.display());
        }
    }
    print(options, &verdicts);
    if options.write && !verdicts.is_empty() {
        report::write(&verdicts, &how(options)?)?;
    }
    let listed = verdicts.iter().filter_map(|verdict| verdict.networks.as_ref());
    Ok(listed.map(Networks::listed_providers).sum::<usize>() == 0)
}

/// The folder of public data.
fn data() -> PathBuf {
    let beside = || repo::top().join("../shared/data");
    std::env::var_os("MAILWARD_SHARED_DATA").map_or_else(beside, PathBuf::from)
}

fn streams(options: &JudgeOptions, data: &Path) -> Vec<PathBuf> {
    if options.streams.is_empty() {
        STREAMS.map(|name| data.join("mail").join(format!("{name}.jsonl.gz"))).into()
    } else {
        options.streams.clone()
    }
}

fn program(options: &JudgeOptions) -> Result<PathBuf, TaskError> {
    if let Some(program) = &options.program {
        return Ok(program.clone());
    }
    run::must(&mut repo::cargo(&["build", "--locked", "-p", "mailward"]), BUILD_LIMIT)?;
    Ok(repo::target().join("debug/mailward"))
}

/// Replays one stream and judges what came of it.
fn one(options: &JudgeOptions, program: &Path, data: &Path, path: &Path) -> Result<Verdict, TaskError> {
    let name = name(path);
    let sessions = stream::sessions(path)?;
    eprintln!("{name}: {} sessions …", sessions.len());
    let scratch = Scratch::new(&name)?;
    let [decisions, listings, relays] =
        ["decisions", "listings", "relays"].map(|file| scratch.0.join(format!("{file}.jsonl")));
    write_relays(&relays, &sessions)?;
    let mut command = Command::new(program);
    if let Some(config) = &options.config {
        command.arg("--config").arg(config);
    }
    command.arg("replay").arg(path).arg("--json").arg("--decisions").arg(&decisions);
    command.arg("--listings").arg(&listings).arg("--relays").arg(&relays);
    if let Some(delay) = &options.evidence_delay {
        command.arg("--evidence-delay").arg(delay);
    }
    run::output(&mut command, REPLAY_LIMIT)?;
    let (decisions, listings) = (stream::decisions(&decisions)?, stream::listings(&listings)?);
    let run = Run { sessions: &sessions, decisions: &decisions, listings: &listings };
    let references = reference::references(&data.join("results"), &name, &sessions);
    let mut verdict = Verdict::of(&name, &run, references);
    verdict.networks = networks(data, &name, &run)?;
    Ok(verdict)
}

fn networks(data: &Path, name: &str, run: &Run<'_>) -> Result<Option<Networks>, TaskError> {
    if !name.starts_with(OF_NETWORKS) {
        return Ok(None);
    }
    if !data.join("net").exists() {
        eprintln!("skipped: the networks of {name}: there is no folder of networks (MAILWARD_SHARED_DATA)");
        return Ok(None);
    }
    Networks::of(data, run).map(Some)
}

/// The stream's name: its file's, without what says how it is packed.
fn name(path: &Path) -> String {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    file.trim_end_matches(".gz").trim_end_matches(".jsonl").to_owned()
}

/// The site's own relays, which the stream knows: an operator would have declared them.
fn write_relays(path: &Path, sessions: &[stream::Session]) -> Result<(), TaskError> {
    let relays: BTreeSet<&str> = sessions.iter().filter_map(|session| session.relay.as_deref()).collect();
    let text: String = relays.iter().map(|relay| format!("{relay}\n")).collect();
    std::fs::write(path, text).map_err(TaskError::file(path))
}

fn print(options: &JudgeOptions, verdicts: &[Verdict]) {
    if options.json {
        verdicts.iter().for_each(|verdict| println!("{}", verdict.to_json()));
        return;
    }
    for table in report::tables(verdicts) {
        println!("{}\n", table.text());
    }
    verdicts.iter().flat_map(report::ham).for_each(|line| println!("{line}"));
}

/// Of what the tables were made, in one sentence.
fn how(options: &JudgeOptions) -> Result<String, TaskError> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(repo::top()).args(["-c", "safe.directory=*"]).args(arguments);
        run::output(&mut git, Duration::from_secs(60)).map(|text| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=10", "HEAD"])?;
    let changed =
        !git(&["status", "--porcelain", "--untracked-files=no", "--", "crates", "Cargo.lock"])?.is_empty();
    let changed = if changed { " with changes" } else { "" };
    let rules = if options.config.is_some() { "another configuration" } else { "the shipped rules" };
    let delay = options.evidence_delay.as_deref().map(|delay| format!(", verdicts {delay} late"));
    Ok(format!("Commit {commit}{changed}, {rules}{}; verdicts are the labels.", delay.unwrap_or_default()))
}

/// A folder for the files of one run; it goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Self, TaskError> {
        let path = std::env::temp_dir().join(format!("mailward-judge-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(TaskError::file(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
