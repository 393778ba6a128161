//! The milter: what it costs a real Postfix, and its codec against a bare responder.
//!
//! All milters run at once on one core; each is asked in turn, round after round, so that a
//! busy neighbour hits all alike. Through Postfix, ratios and added times are taken within
//! a round, and then their median. Postfix and its load have both cores. Of the milters by
//! themselves only the runs count that waited least for a processor.

pub(crate) mod bare;
mod mail;
mod postfix;
mod rspamd;
mod session;
mod smtp;
mod socket;
mod subjects;

use std::collections::BTreeMap;
use std::time::Duration;

use self::postfix::Postfix;
use self::socket::Place;
use self::subjects::Milter;
use super::histogram::Histogram;
use super::meter::{Meter, Pinned, Spent, wait_for_quiet};
use super::report::{Row, median};
use crate::debian::{self, Ready};
use crate::error::TaskError;
use crate::table::digits;

/// Sessions at once through Postfix: a busy host, as smtp-source is mostly run.
const SESSIONS: usize = 10;

/// Connections at once to a milter itself.
const CONNECTIONS: [usize; 3] = [1, 4, 16];

/// The core of the load on a milter itself; the milters have the one before.
const LOAD_CORE: usize = 1;

/// A milter that waited for a processor for more than this share of a run was disturbed.
const WAIT_MAX: f64 = 0.06;

/// Fewer runs than this make no median.
const ROUNDS_MIN: usize = 3;

/// The name of Postfix without a milter.
const ALONE: &str = "Postfix alone";

/// How much is measured.
struct Pace {
    rounds: usize,
    /// Of one run through Postfix.
    mail: Duration,
    /// Of one run of milter sessions.
    sessions: Duration,
    /// The longest wait for a quiet machine before one.
    quiet: Duration,
}

impl Pace {
    const FULL: Self = Self {
        rounds: 5,
        mail: Duration::from_secs(3),
        sessions: Duration::from_secs(1),
        quiet: Duration::from_secs(3),
    };
    const QUICK: Self = Self {
        rounds: 3,
        mail: Duration::from_millis(1500),
        sessions: Duration::from_millis(500),
        quiet: Duration::from_secs(1),
    };
}

/// What one run measured, by metric.
type Run = Vec<(&'static str, &'static str, f64)>;

/// The runs of each case and subject, in the order of the rounds.
type Runs = BTreeMap<(String, usize), Vec<Run>>;

/// One that is asked: a milter at one of its places, or none.
struct Asked {
    name: String,
    milter: Option<(usize, Place)>,
}

/// Measures all.
pub(super) fn milter(quick: bool) -> Result<Vec<Row>, TaskError> {
    let pace = if quick { Pace::QUICK } else { Pace::FULL };
    let milters = subjects::start_all()?;
    let asked = asked(&milters);
    let mut rows = match debian::ensure(debian::BENCH_POSTFIX)? {
        Ready::Yes => through_postfix(&pace, &milters, &asked)?,
        Ready::No { reason } => {
            eprintln!("milter: Postfix skipped: {reason}");
            Vec::new()
        }
    };
    rows.extend(by_itself(&pace, &milters, &asked));
    Ok(rows)
}

fn asked(milters: &[Milter]) -> Vec<Asked> {
    let mut all = vec![Asked { name: ALONE.into(), milter: None }];
    for (at, milter) in milters.iter().enumerate() {
        let places = milter.places.iter();
        all.extend(
            places.map(|(name, place)| Asked { name: name.clone(), milter: Some((at, place.clone())) }),
        );
    }
    all
}

fn through_postfix(pace: &Pace, milters: &[Milter], asked: &[Asked]) -> Result<Vec<Row>, TaskError> {
    let places: Vec<_> =
        asked.iter().map(|one| one.milter.as_ref().map(|(_, place)| place.clone())).collect();
    let postfix = Postfix::start(&places)?;
    let mut runs = Runs::new();
    let case = format!("through Postfix, {SESSIONS} sessions");
    // The first round warms processes and patterns.
    for round in 0..=pace.rounds {
        let begun = runs.clone();
        for at in turns(round, asked.len()) {
            wait_for_quiet(pace.quiet);
            let meter = asked[at].milter.as_ref().map(|(of, _)| milters[*of].subject.processes());
            let run = mail_run(pace, postfix.ports[at], round, &meter.unwrap_or_default());
            postfix.drain();
            tell(round, &case, &asked[at].name, &run);
            runs.entry((case.clone(), at)).or_default().push(run);
        }
        if round == 0 {
            runs = begun;
        }
    }
    let alone = runs.get(&(case, 0)).cloned().unwrap_or_default();
    runs.values_mut().for_each(|of_one| compare(of_one, &alone));
    Ok(rows(&runs, asked))
}

/// Each subject once, each round beginning with another one.
fn turns(round: usize, all: usize) -> impl Iterator<Item = usize> {
    (0..all).map(move |at| (at + round) % all)
}

/// Delivers mail to one service and meters its milter.
fn mail_run(pace: &Pace, port: u16, round: usize, processes: &[u32]) -> Run {
    let before = Meter::read(processes);
    let got = smtp::deliver(port, SESSIONS, pace.mail, round as u64 + 1);
    let spent = Meter::read(processes).since(&before);
    if got.refused > 0 {
        eprintln!("milter: {} messages not taken: {}", got.refused, got.words);
    }
    let mut run = times(&got.latency, got.lasted, got.refused, "messages_s");
    run.extend(processor(&got.latency, spent, got.lasted, processes));
    run
}

/// Appends what a subject's runs are beside Postfix alone in the same round.
fn compare(runs: &mut [Run], alone: &[Run]) {
    for (run, alone) in runs.iter_mut().zip(alone) {
        let pair = |metric| Some((value(run, metric)?, value(alone, metric)?));
        let ratio = pair("messages_s").map(|(own, alone)| ("of_alone", "ratio", own / alone));
        let p50 = pair("p50_us").map(|(own, alone)| ("added_p50_us", "us", own - alone));
        let p99 = pair("p99_us").map(|(own, alone)| ("added_p99_us", "us", own - alone));
        run.extend([ratio, p50, p99].into_iter().flatten());
    }
}

fn by_itself(pace: &Pace, milters: &[Milter], asked: &[Asked]) -> Vec<Row> {
    let mut runs = Runs::new();
    for round in 0..pace.rounds {
        for connections in CONNECTIONS {
            // Wide enough for the cases to stand in the order of their numbers.
            let case = format!("a milter session a message, {connections:>2} at once");
            for at in turns(round, asked.len()) {
                let Some((of, place)) = &asked[at].milter else { continue };
                wait_for_quiet(pace.quiet);
                let run = session_run(pace, place, connections, round, &milters[*of].subject.processes());
                tell(round, &case, &asked[at].name, &run);
                runs.entry((case.clone(), at)).or_default().push(run);
            }
        }
    }
    runs.values_mut().for_each(|of_one| *of_one = least_disturbed(std::mem::take(of_one)));
    rows(&runs, asked)
}

fn session_run(pace: &Pace, place: &Place, connections: usize, round: usize, processes: &[u32]) -> Run {
    let _pinned = Pinned::to(LOAD_CORE);
    session::hold(place, connections, pace.sessions / 5, 0);
    let before = Meter::read(processes);
    let got = session::hold(place, connections, pace.sessions, round as u64 + 1);
    let spent = Meter::read(processes).since(&before);
    let mut run = times(&got.latency, got.lasted, got.failed, "messages_s");
    run.extend(processor(&got.latency, spent, got.lasted, processes));
    run
}

/// The runs whose milter hardly waited; when those are too few, the better half.
fn least_disturbed(mut runs: Vec<Run>) -> Vec<Run> {
    let wait = |run: &Run| value(run, "wait").unwrap_or(0.0);
    runs.sort_by(|a, b| wait(a).total_cmp(&wait(b)));
    let clean = runs.iter().filter(|run| wait(run) <= WAIT_MAX).count();
    runs.truncate(if clean >= ROUNDS_MIN { clean } else { ROUNDS_MIN.max(runs.len() / 2) });
    runs
}

fn times(latency: &Histogram, lasted: Duration, refused: u64, rate: &'static str) -> Run {
    let count = latency.count() as f64;
    let all = (count + refused as f64).max(1.0);
    vec![
        (rate, "1/s", count / lasted.as_secs_f64()),
        ("p50_us", "us", latency.percentile_us(50)),
        ("p99_us", "us", latency.percentile_us(99)),
        ("not_taken", "share", refused as f64 / all),
    ]
}

/// The milter's time on a processor for each message, and the share of the time that it
/// waited for one; nothing where there is no milter.
fn processor(latency: &Histogram, spent: Spent, lasted: Duration, processes: &[u32]) -> Run {
    if processes.is_empty() || latency.count() == 0 {
        return Vec::new();
    }
    let cpu = spent.on_cpu as f64 / latency.count() as f64 / 1e3;
    vec![("cpu_us", "us", cpu), ("wait", "share", spent.waited as f64 / lasted.as_nanos() as f64)]
}

fn value(run: &Run, metric: &str) -> Option<f64> {
    run.iter().find(|(name, ..)| *name == metric).map(|(.., value)| *value)
}

fn tell(round: usize, case: &str, subject: &str, run: &Run) {
    let words: Vec<_> = run.iter().map(|(metric, _, value)| format!("{metric} {}", digits(*value))).collect();
    eprintln!("milter: round {round}, {case}, {subject}: {}", words.join(", "));
}

/// The median of each metric.
fn rows(runs: &Runs, asked: &[Asked]) -> Vec<Row> {
    let of_one = |((case, at), runs): (&(String, usize), &Vec<Run>)| {
        let (metrics, subject) = (runs.first().cloned().unwrap_or_default(), &asked[*at].name);
        let row = |(metric, unit, _): (&'static str, &'static str, f64)| {
            let value = median(runs.iter().filter_map(|run| value(run, metric)))?;
            let (bench, case, subject) = ("milter".into(), case.clone(), subject.clone());
            Some(Row { bench, case, subject, metric: metric.into(), value, unit: unit.into() })
        };
        metrics.into_iter().filter_map(row).collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_asks_all_and_begins_with_another() {
        assert_eq!(turns(0, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(turns(4, 3).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn disturbed_runs_are_left_out() {
        let waits = |waits: &[f64]| {
            let runs = waits.iter().map(|wait| vec![("wait", "share", *wait)]).collect();
            let kept: Vec<f64> = least_disturbed(runs).iter().flat_map(|run| value(run, "wait")).collect();
            kept
        };
        assert_eq!(waits(&[0.5, 0.01, 0.02, 0.03, 0.2]), [0.01, 0.02, 0.03]);
        assert_eq!(waits(&[0.5, 0.4, 0.3, 0.2, 0.9, 0.8, 0.7, 0.6]), [0.2, 0.3, 0.4, 0.5]);
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let run = |rate, p50| vec![("messages_s", "1/s", rate), ("p50_us", "us", p50)];
        // The machine was twice as fast in the second round.
        let mut own = vec![run(50.0, 200.0), run(100.0, 100.0), run(90.0, 110.0)];
        compare(&mut own, &[run(100.0, 150.0), run(200.0, 50.0), run(100.0, 50.0)]);
        let runs = Runs::from([(("case".to_owned(), 0), own)]);
        let rows = rows(&runs, &[Asked { name: "mailward".into(), milter: None }]);
        let got: Vec<_> = rows.iter().map(|row| (row.metric.as_str(), row.value)).collect();
        assert_eq!(got, [("messages_s", 90.0), ("p50_us", 110.0), ("of_alone", 0.5), ("added_p50_us", 50.0)]);
    }
}
