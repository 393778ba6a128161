//! Answers to Postfix's policy requests: Mailward, a bare responder and postgrey.
//!
//! All servers run at once on one core and are loaded one after another from the
//! next core, round after round, so that a busy neighbour hits all alike. Reported are
//! medians of the rounds that waited least for a processor; `wait` says how much.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::meter::wait_for_quiet;
use super::report::{Row, median};
use super::subjects::{Subject, echo_subject, mailward_subject, postgrey_subject};
use crate::error::TaskError;
use crate::table::digits;
use crate::{repo, run};

/// Connections as Postfix opens them: an idle host, a busy one, one at its default limit.
const CONNECTIONS: [usize; 3] = [1, 10, 100];

/// The blocks in force in the two runs of Mailward: none to speak of, and a great many.
const BLOCKS: [u32; 2] = [1, 1_000_000];

/// The core of the load generator.
const LOAD_CORE: &str = "1";

/// A round that waited longer than this share of its time was disturbed.
const WAIT_MAX: f64 = 0.06;

/// Fewer rounds than this make no median.
const ROUNDS_MIN: usize = 3;

/// A round is a few seconds; more means that something is stuck.
const ROUND_LIMIT: Duration = Duration::from_secs(60);

/// What the load generator measures: field, unit.
const METRICS: [(&str, &str); 6] = [
    ("rps", "1/s"),
    ("p50_us", "us"),
    ("p99_us", "us"),
    ("cpu_us", "us"),
    ("cpu_us_answering", "us"),
    ("wait", "share"),
];

/// How much is measured.
struct Pace {
    rounds: usize,
    /// Of one round.
    seconds: f64,
    /// The longest wait for a quiet machine before one.
    quiet: Duration,
}

impl Pace {
    const FULL: Self = Self { rounds: 7, seconds: 2.0, quiet: Duration::from_secs(10) };
    const QUICK: Self = Self { rounds: 3, seconds: 1.0, quiet: Duration::from_secs(1) };
}

/// Rounds of one subject under one number of connections.
type Rounds = BTreeMap<(usize, usize), Vec<Value>>;

/// Measures all subjects.
pub(super) fn policy(quick: bool) -> Result<Vec<Row>, TaskError> {
    let pace = if quick { Pace::QUICK } else { Pace::FULL };
    let subjects = start_all()?;
    let mut measured = Rounds::new();
    for round in 0..pace.rounds {
        for connections in CONNECTIONS {
            for (at, subject) in subjects.iter().enumerate() {
                let got = one_round(subject, connections, &pace, round)?;
                measured.entry((connections, at)).or_default().push(got);
            }
        }
    }
    Ok(measured
        .iter()
        .flat_map(|((connections, at), got)| rows(*connections, &subjects[*at].name, got))
        .collect())
}

fn start_all() -> Result<Vec<Subject>, TaskError> {
    let mut subjects = vec![echo_subject()?];
    for blocks in BLOCKS {
        subjects.push(mailward_subject(blocks)?);
    }
    subjects.extend(postgrey_subject()?);
    Ok(subjects)
}

/// Loads one server once, after a short warm-up.
fn one_round(subject: &Subject, connections: usize, pace: &Pace, round: usize) -> Result<Value, TaskError> {
    wait_for_quiet(pace.quiet);
    load(subject, connections, 0.2, 0)?;
    let got = load(subject, connections, pace.seconds, round + 1)?;
    let number = |metric: &str| got[metric].as_f64().map_or("-".into(), digits);
    eprintln!(
        "policy: round {round}, {connections} connections, {}: {} answers/s, {} us of processor, waited {}, {}",
        subject.name,
        number("rps"),
        number("cpu_us"),
        number("wait"),
        got["actions"],
    );
    Ok(got)
}

fn load(subject: &Subject, connections: usize, seconds: f64, seed: usize) -> Result<Value, TaskError> {
    let mut command = Command::new(repo::target().join("release/xtask"));
    command.arg("policy-load").args(["--address", &subject.address.to_string()]);
    command.args(["--connections", &connections.to_string(), "--seconds", &seconds.to_string()]);
    command.args(["--seed", &seed.to_string(), "--core", LOAD_CORE]);
    command.args(["--process", &subject.process().to_string()]);
    let text = run::output(&mut command, ROUND_LIMIT)?;
    serde_json::from_str(&text).map_err(|error| TaskError::Unreadable {
        what: "the load generator".into(),
        expected: "one JSON object",
        got: error.to_string(),
    })
}

/// The medians of the least disturbed rounds.
fn rows(connections: usize, subject: &str, rounds: &[Value]) -> Vec<Row> {
    let clean = least_disturbed(rounds);
    let plural = if connections == 1 { "" } else { "s" };
    let row = |(metric, unit): &(&str, &str)| {
        let value = median(clean.iter().filter_map(|round| round[*metric].as_f64()))?;
        // Only Mailward names its answering threads; nobody else's are known.
        let unknown = *metric == "cpu_us_answering" && !subject.starts_with("mailward");
        (!unknown).then(|| Row {
            bench: "policy".into(),
            case: format!("{connections} connection{plural}"),
            subject: subject.into(),
            metric: (*metric).into(),
            value,
            unit: (*unit).into(),
        })
    };
    METRICS.iter().filter_map(row).collect()
}

/// The rounds that hardly waited; when those are too few, the better half.
pub(super) fn least_disturbed(rounds: &[Value]) -> Vec<&Value> {
    let wait = |round: &Value| round["wait"].as_f64().unwrap_or(1.0);
    let mut sorted: Vec<&Value> = rounds.iter().collect();
    sorted.sort_by(|a, b| wait(a).total_cmp(&wait(b)));
    let clean = sorted.iter().filter(|round| wait(round) <= WAIT_MAX).count();
    let kept = if clean >= ROUNDS_MIN { clean } else { ROUNDS_MIN.max(rounds.len() / 2) };
    sorted.truncate(kept);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rounds(waits: &[f64]) -> Vec<Value> {
        waits.iter().map(|wait| json!({"wait": wait, "rps": 1000.0 * (1.0 - wait)})).collect()
    }

    #[test]
    fn disturbed_rounds_are_left_out_when_enough_are_clean() {
        let all = rounds(&[0.5, 0.01, 0.02, 0.03, 0.2]);
        let waits: Vec<_> = least_disturbed(&all).iter().map(|round| round["wait"].clone()).collect();
        assert_eq!(waits, [json!(0.01), json!(0.02), json!(0.03)]);
    }

    #[test]
    fn the_better_half_is_kept_when_all_are_disturbed() {
        let all = rounds(&[0.5, 0.4, 0.3, 0.2, 0.9, 0.8, 0.7, 0.6]);
        assert_eq!(least_disturbed(&all).len(), 4);
        assert_eq!(least_disturbed(&all[..3]).len(), 3);
    }

    #[test]
    fn a_row_is_the_median_of_its_rounds() {
        let got = rows(1, "echo", &rounds(&[0.01, 0.02, 0.03]));
        let got: Vec<_> = got.iter().map(|row| (row.case.as_str(), row.metric.as_str(), row.value)).collect();
        assert_eq!(got, [("1 connection", "rps", 980.0), ("1 connection", "wait", 0.02)]);
    }

    #[test]
    fn answering_time_is_given_only_for_mailward() {
        let round = [json!({"wait": 0.0, "cpu_us_answering": 3.0})];
        let metrics =
            |subject| rows(10, subject, &round).into_iter().map(|row| row.metric).collect::<Vec<_>>();
        assert_eq!(metrics("postgrey"), ["wait"]);
        assert_eq!(metrics("mailward, 1 block"), ["cpu_us_answering", "wait"]);
    }
}
