//! `mailward observe`: verdicts of a content filter, by queue id, as JSON Lines; and what
//! other programs saw clients do ([`conduct`]), or became of our own notices ([`notice`]).
//!
//! `{"ts":…,"queue_id":"…","mx":"…","verdict":"spam|ham|virus","score":…,"source":"…"}`.
//! Without `mx` the site's own first name is meant, without `ts` now. So a filter reaches the
//! engine that no judge of the milter asks; the headers of its messages are held meanwhile.

use edge::{Full, Intake};
use model::exhibit::Opinion;
use model::observation::{Fact, Message, Sensor, Verdict};
use model::{Content, Judgement, Millis, Name, Observation};
use serde::Deserialize;

use crate::daemon::Shared;

mod conduct;
mod notice;

/// Broken lines that are told one by one.
const TOLD_MAX: usize = 20;
/// The longest queue id, MX or source name that is read.
const WORD_LEN_MAX: usize = 255;

#[derive(Deserialize)]
struct Line {
    ts: Option<f64>,
    queue_id: String,
    mx: Option<String>,
    verdict: String,
    score: Option<f64>,
    source: Option<String>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) taken: u64,
    pub(crate) dropped: u64,
    /// Line numbers from 1 with what was expected.
    pub(crate) broken: Vec<(u64, String)>,
    /// Broken lines in all.
    pub(crate) broken_count: u64,
}

/// Takes a batch of lines.
pub(crate) fn take(daemon: &Shared, body: &str) -> Told {
    let mut told = Told::default();
    let tells = |line: &str| !line.trim().is_empty() && !conduct::is_other_log(line);
    for (number, line) in (1..).zip(body.lines()).filter(|(_, line)| tells(line)) {
        match read(daemon, line).map(|seen| hand_in(daemon, seen)) {
            Ok(Ok(())) => told.taken += 1,
            Ok(Err(_)) => told.dropped += 1,
            Err(what) => {
                told.broken_count += 1;
                if told.broken.len() < TOLD_MAX {
                    told.broken.push((number, what));
                }
            }
        }
    }
    told
}

/// Hands a verdict to the engine; with the headers of its message, if the milter holds them.
fn hand_in(daemon: &Shared, seen: Observation) -> Result<(), Full> {
    if let Fact::Conduct(conduct) = &seen.fact {
        // Those who answer hear of it at once: its session may still be open.
        daemon.manners.note(conduct.client.addr, conduct.habit, seen.at, daemon.clock.now());
    }
    let Fact::Verdict(verdict) = &seen.fact else { return daemon.queue.offer(seen) };
    let waiting = verdict.queue.and_then(|queue| daemon.late.take(queue));
    match (waiting, daemon.keeper_now()) {
        (Some(waiting), Ok(keeper)) if verdict.judgement != Judgement::Ham => {
            let opinion = Opinion {
                source: verdict.source.clone(),
                judgement: Some(verdict.judgement),
                score: verdict.score,
                tests: Vec::new(),
            };
            let mut exhibit = waiting.exhibit;
            exhibit.opinions.push(opinion);
            let content = Some(Box::new(Content::default()));
            let again = Message { queue: verdict.queue, recipients: 0, size: 0, content };
            let ended = Observation {
                at: seen.at,
                sensor: Sensor::Milter,
                session: waiting.session,
                fact: Fact::Message(again),
            };
            keeper.keep(exhibit, vec![ended, seen]);
            Ok(())
        }
        _ => daemon.queue.offer(seen),
    }
}

fn read(daemon: &Shared, line: &str) -> Result<Observation, String> {
    if conduct::is_meant(line) {
        return conduct::read(daemon, line);
    }
    if let Some(seen) = conduct::of_log(daemon, line) {
        return Ok(seen);
    }
    if notice::is_meant(line) {
        return notice::read(daemon, line);
    }
    let line: Line = serde_json::from_str(line).map_err(|e| format!("expected a verdict, but {e}"))?;
    let mx = mx(daemon, line.mx.as_deref());
    if line.queue_id.is_empty() || line.queue_id.len() > WORD_LEN_MAX || mx.len() > WORD_LEN_MAX {
        return Err("expected a queue id and an MX name of at most 255 octets".to_owned());
    }
    let queue = daemon.persons.queue(mx, line.queue_id.as_bytes());
    let verdict = Verdict {
        queue: Some(queue),
        judgement: judgement(&line.verdict)?,
        score: line.score.map(hundredths),
        source: Name::new(line.source.as_deref().unwrap_or("filter").as_bytes()),
    };
    let at = line.ts.map_or(daemon.clock.now(), seconds);
    Ok(Observation { at, sensor: Sensor::Filter, session: queue, fact: Fact::Verdict(verdict) })
}

/// The MX host whose queue id it is. Each of our own names means this host: its Postfix
/// does not say by which of them it asks.
fn mx<'a>(daemon: &'a Shared, named: Option<&'a str>) -> &'a [u8] {
    let ours =
        |name: &&str| daemon.names.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name.as_bytes()));
    named.filter(|name| !ours(name)).map_or(daemon.mx.as_bytes(), str::as_bytes)
}

fn judgement(word: &str) -> Result<Judgement, String> {
    match word {
        "spam" => Ok(Judgement::Spam),
        "ham" => Ok(Judgement::Ham),
        "virus" => Ok(Judgement::Virus),
        other => Err(format!(
            "expected a verdict of spam, ham or virus, but got {:?}",
            other.chars().take(40).collect::<String>()
        )),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn hundredths(score: f64) -> i32 {
    (score * 100.0).round() as i32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from float saturates")]
fn seconds(ts: f64) -> Millis {
    Millis((ts * 1000.0) as u64)
}
