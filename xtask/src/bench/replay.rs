//! A long recorded stream of sessions through `mailward replay`: how many sessions a
//! second, how much memory, and what of spam and ham is refused.
//!
//! The stream is made up from a seed ([`crate::synth`]), so the shares refused say that
//! the rules ran, not how good they are: that takes real mail.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::meter::{peak_kib, wait_for_quiet};
use super::report::{Row, median};
use super::scratch::Scratch;
use crate::error::TaskError;
use crate::run::{Background, line};
use crate::{repo, synth};

/// The seed of the stream; another one gives other sessions of the same mix.
const SEED: u64 = 1;

/// Timed runs; the median counts.
const RUNS: usize = 3;

/// The longest wait for a quiet machine before a run.
const QUIET_LIMIT: Duration = Duration::from_secs(10);

/// The longest that one run may take.
const RUN_LIMIT: Duration = Duration::from_secs(20 * 60);

/// How often memory is read, and so how exact a run's time is.
const SAMPLE_EVERY: Duration = Duration::from_millis(5);

/// One timed run.
struct Run {
    lasted: Duration,
    peak_mib: f64,
}

/// Makes the stream, replays it several times and once more for its decisions.
pub(super) fn replay(quick: bool) -> Result<Vec<Row>, TaskError> {
    let sessions = if quick { 100_000 } else { 1_000_000 };
    let scratch = Scratch::new("replay")?;
    let stream = scratch.path().join("sessions.jsonl");
    let labels = synth::write(&stream, SEED, sessions)?;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        wait_for_quiet(QUIET_LIMIT);
        runs.push(timed(&mut command(&stream))?);
    }
    let decisions = scratch.path().join("decisions.jsonl");
    timed(command(&stream).arg("--decisions").arg(&decisions))?;
    let [spam, ham] = refused(&decisions, &labels)?;
    let rate = median(runs.iter().map(|run| sessions as f64 / run.lasted.as_secs_f64())).unwrap_or(0.0);
    let peak = median(runs.iter().map(|run| run.peak_mib)).unwrap_or(0.0);
    let rows = [
        ("sessions_per_s", rate, "1/s"),
        ("peak", peak, "MiB"),
        ("spam_refused", spam, "%"),
        ("ham_refused", ham, "%"),
    ];
    Ok(rows.iter().map(|(metric, value, unit)| row(sessions, metric, *value, unit)).collect())
}

fn row(sessions: u64, metric: &str, value: f64, unit: &str) -> Row {
    Row {
        bench: "replay".into(),
        case: format!("{sessions} made-up sessions, seed {SEED}"),
        subject: "mailward".into(),
        metric: metric.into(),
        value,
        unit: unit.into(),
    }
}

fn command(stream: &Path) -> Command {
    let mut command = Command::new(repo::target().join("release/mailward"));
    command.arg("replay").arg(stream).arg("--json").stdout(Stdio::null());
    command
}

/// Runs a command and watches its memory.
fn timed(command: &mut Command) -> Result<Run, TaskError> {
    let begun = Instant::now();
    let mut program = Background::start(command)?;
    let mut peak = 0;
    loop {
        peak = peak_kib(program.child.id()).unwrap_or(0).max(peak);
        if let Some(status) = program.ended()? {
            let run = Run { lasted: begun.elapsed(), peak_mib: peak as f64 / 1024.0 };
            let failed = || TaskError::Failed { command: line(command), how: status.to_string() };
            return status.success().then_some(run).ok_or_else(failed);
        }
        if begun.elapsed() > RUN_LIMIT {
            return Err(TaskError::TimedOut { command: line(command), limit: RUN_LIMIT });
        }
        sleep(SAMPLE_EVERY);
    }
}

/// The shares of spam and of ham that were not accepted, in percent. A session without
/// a decision counts as accepted.
fn refused(decisions: &PathBuf, labels: &[bool]) -> Result<[f64; 2], TaskError> {
    let file = File::open(decisions).map_err(TaskError::file(decisions))?;
    let mut counted = HashSet::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(TaskError::file(decisions))?;
        if let Some(session) = refused_session(&line)? {
            counted.insert(session);
        }
    }
    let _ = fs::remove_file(decisions);
    let share = |spam: bool| {
        let all = labels.iter().filter(|label| **label == spam).count();
        let of = counted.iter().filter(|session| labels.get(**session) == Some(&spam)).count();
        100.0 * of as f64 / all.max(1) as f64
    };
    Ok([share(true), share(false)])
}

/// The number of the session that a line of decisions refuses.
fn refused_session(line: &str) -> Result<Option<usize>, TaskError> {
    let unreadable = || TaskError::Unreadable {
        what: "mailward replay --decisions".into(),
        expected: "objects with id and action accept, reject or tempfail",
        got: line.chars().take(200).collect(),
    };
    let decision: Value = serde_json::from_str(line).map_err(|_| unreadable())?;
    let id = decision["id"].as_str().and_then(synth::number_of).ok_or_else(unreadable)?;
    match decision["action"].as_str() {
        Some("accept") => Ok(None),
        Some("reject" | "tempfail") => Ok(Some(id)),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_each_label_and_a_session_counts_once() {
        let scratch = Scratch::new("refused").unwrap();
        let text = r#"{"id":"s0","action":"reject"}
{"id":"s0","action":"reject"}
{"id":"s1","action":"accept"}
{"id":"s2","action":"tempfail"}
"#;
        let path = scratch.write("decisions", text).unwrap();
        let [spam, ham] = refused(&path, &[true, true, false, false, false, false]).unwrap();
        assert_eq!((spam.round() as i64, ham.round() as i64), (50, 25));
    }

    #[test]
    fn a_decision_of_another_form_is_an_error() {
        for line in ["", "{}", r#"{"id":"s1","action":"maybe"}"#, r#"{"id":"x","action":"reject"}"#] {
            assert!(refused_session(line).is_err(), "{line}");
        }
    }
}
