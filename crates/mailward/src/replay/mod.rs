//! `mailward replay`: recorded sessions through the real engine, without a disk.

mod cases;
#[cfg(test)]
mod grey_tests;
mod judged;
pub(crate) mod line;
mod raw;
mod report;
mod run;
pub(crate) mod stream;

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use answers::{Answer, Tell};
use clap::Args;
use detectors::ConnectionScore;
use indicatif::{ProgressBar, ProgressStyle};
use model::{Policy, Prefix, Secs};

use crate::cli::{Done, Failed};
use serde_json::json;

pub(crate) use stream::Stream;

use cases::Cases;
use report::Report;
use run::Replay;

/// Replays recorded SMTP sessions and prints what would have been refused.
#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// Streams (JSON Lines, plain, gzip or zstd), or raw messages: folders, tar files, mailboxes.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write one decision a line: {"id", "action", "reason", "why"}.
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Write one block a line: {"ip", "from", "to", "hits"}.
    #[arg(long, value_name = "FILE")]
    listings: Option<PathBuf>,
    /// Verdicts arrive this long after their message, such as `60 s` or `1 min`.
    #[arg(long, value_name = "SPAN", default_value = "0 s")]
    evidence_delay: String,
    /// Addresses of our own relays, one a line: never a key.
    #[arg(long, value_name = "FILE")]
    relays: Option<PathBuf>,
    /// With raw messages: a stream whose labels are the filter's verdicts on them, found by `id`,
    /// which is a message's name as `--decisions` prints it.
    #[arg(long, value_name = "STREAM")]
    labels: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn main(args: &ReplayArgs, config: Option<&Path>) -> Done {
    let delay = crate::config::span(&args.evidence_delay);
    let delay = delay.map_err(|e| Failed::Usage(format!("--evidence-delay: {e}")))?;
    let mut policy = policy(config)?;
    if let Some(file) = &args.relays {
        policy.relays.extend(relays(file)?);
    }
    let raw = args.files.iter().any(|path| raw::is_raw(path));
    if args.labels.is_some() && !raw {
        return Err(Failed::Usage("--labels: expected raw messages, for streams have their own".to_owned()));
    }
    match args.files.iter().filter(|path| raw::is_raw(path)).count() {
        0 => Ok(run(args, policy, delay)?),
        all if all == args.files.len() => judged::main(args, config, policy),
        _ => Err(Failed::Usage("expected either recorded streams or raw messages, but got both".to_owned())),
    }
}

fn run(args: &ReplayArgs, policy: Policy, delay: Secs) -> Result<ExitCode, String> {
    let mut stream = Stream::open(&args.files)?;
    let mut decisions = Lines::create(args.decisions.as_deref())?;
    let (mut report, mut cases) = (Report::default(), Cases::default());
    let mut replay = Replay::new(policy, delay);
    let (started, progress) = (Instant::now(), progress());
    while let Some(line) = stream.next()? {
        let answer = replay.session(&line, &mut |event| cases.hear(event));
        let decision = report.count(&line, &answer, &cases);
        decisions.write(|| {
            let why = why(&answer, replay.weighed(), &cases);
            json!({"id": line.id, "action": decision.action, "reason": decision.reason, "why": why})
        })?;
        progress.inc(1);
    }
    replay.finish(&mut |event| cases.hear(event));
    progress.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    decisions.finish()?;
    write_listings(args.listings.as_deref(), &cases)?;
    let figures = report.to_json(&cases, &stream.faults, seconds);
    tell(args, &figures, &stream.faults, &replay);
    Ok(if stream.faults.broken > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What weighed against a session that did not pass; nothing of one that did.
fn why(answer: &Answer, score: Option<&ConnectionScore>, cases: &Cases) -> String {
    match (&answer.tell, answer.case.and_then(|case| cases.opened(case))) {
        (Tell::Pass, _) => String::new(),
        (_, Some(opened)) => answers::explain::why(opened),
        (_, None) => score.map(in_words).unwrap_or_default(),
    }
}

fn in_words(score: &ConnectionScore) -> String {
    let points = |quarters: i32| f64::from(quarters) / 4.0;
    let parts = score.parts.iter().map(|part| format!("{} {:+}", part.text, points(part.quarters)));
    format!("score {}: {}", points(score.quarters()), parts.collect::<Vec<_>>().join(", "))
}

fn tell(args: &ReplayArgs, figures: &serde_json::Value, faults: &stream::Faults, replay: &Replay) {
    if args.json {
        crate::say!("{figures}");
    } else {
        crate::say!("{}", report::table(figures));
    }
    for told in &faults.told {
        eprintln!("{told}");
    }
    if faults.broken > 0 {
        eprintln!("{} broken lines were skipped.", faults.broken);
    }
    let evicted = replay.engine().counters().evicted;
    if evicted > 0 {
        eprintln!("{evicted} keys were forgotten for lack of room (memory.keys).");
    }
}

fn policy(config: Option<&Path>) -> Result<Policy, Failed> {
    match config {
        None => Ok(Policy::shipped()),
        Some(path) => Ok(crate::cli::load(path)?.policy(&run::person)),
    }
}

fn relays(path: &Path) -> Result<Vec<Prefix>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("{}: expected a list of relays, but {e}", path.display()))?;
    let lines = text
        .lines()
        .map(|l| l.split('#').next().unwrap_or("").trim())
        .enumerate()
        .filter(|(_, l)| !l.is_empty());
    lines.map(|(n, l)| l.parse().map_err(|e| format!("{}:{}: {e}", path.display(), n + 1))).collect()
}

fn write_listings(path: Option<&Path>, cases: &Cases) -> Result<(), String> {
    let mut lines = Lines::create(path)?;
    for listed in cases.live() {
        let (from, to) = (listed.from(), listed.case.until());
        lines.write(|| json!({"ip": listed.key.to_string(), "from": from.secs(), "to": to.secs(), "hits": listed.hits()}))?;
    }
    lines.finish()
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    let style = ProgressStyle::with_template("{spinner} {human_pos} sessions, {per_sec}");
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// JSON Lines into a file, or nowhere.
struct Lines(Option<(PathBuf, BufWriter<File>)>);

impl Lines {
    fn create(path: Option<&Path>) -> Result<Lines, String> {
        let Some(path) = path else { return Ok(Lines(None)) };
        let file = File::create(path).map_err(|e| format!("{}: can not be written: {e}", path.display()))?;
        Ok(Lines(Some((path.to_owned(), BufWriter::new(file)))))
    }

    fn write(&mut self, value: impl FnOnce() -> serde_json::Value) -> Result<(), String> {
        let Some((path, file)) = &mut self.0 else { return Ok(()) };
        writeln!(file, "{}", value()).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn finish(self) -> Result<(), String> {
        let Some((path, mut file)) = self.0 else { return Ok(()) };
        file.flush().map_err(|e| format!("{}: {e}", path.display()))
    }
}
