//! Sessions behind a block, redacted for link holders (REQUIREMENTS D.6, level L1).
//!
//! Shown are the facts of the connection, which the sender's own log has as well. Never
//! shown are sender, recipient, and that a recipient was a trap. A session that met a trap
//! shows its day and its names and no more: port, second or number of recipients would
//! find the message in the sender's log, and with it the trap. All such sessions of one
//! name look the same, so one of them is shown, and their number is not.

use model::evidence::SAMPLES_MAX;
use model::{Evidence, Judgement, Millis, Rdns};
use serde::Serialize;

use crate::when::When;

/// One session.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Sample {
    /// When, to the second; to the day where a trap was met.
    pub at: When,
    /// The client's address.
    pub address: String,
    /// Its port, if it may be told and is known.
    pub port: Option<u16>,
    /// The HELO argument, everything but printable ASCII escaped.
    pub helo: Option<String>,
    /// The reverse DNS name, escaped likewise.
    pub rdns: Option<String>,
    /// What reverse DNS said: `confirmed`, `mismatch`, `missing` or `unknown`.
    pub rdns_state: &'static str,
    /// Recipients of the message.
    pub recipients: Option<u16>,
    /// `spam`, `virus`, `heuristic` or `ham`.
    pub judgement: Option<&'static str>,
    /// Who judged.
    pub judge: Option<String>,
    /// The judge's score.
    pub score: Option<String>,
}

/// At most five sessions, in the order of time, traps' last.
pub(crate) fn shown(evidence: &[Evidence]) -> Vec<Sample> {
    let kept = &evidence[..evidence.len().min(SAMPLES_MAX)];
    let mut plain: Vec<&Evidence> = kept.iter().filter(|e| e.trap.is_none()).collect();
    plain.sort_by_key(|e| e.at);
    let trapped = kept.iter().find(|e| e.trap.is_some());
    plain.into_iter().map(open).chain(trapped.map(closed)).collect()
}

fn open(e: &Evidence) -> Sample {
    Sample {
        port: Some(e.client.port).filter(|p| *p > 0),
        recipients: Some(e.recipients),
        judgement: e.judgement.map(judgement),
        judge: e.source.as_ref().map(ToString::to_string),
        score: e.score.map(hundredths),
        ..connection(e, When::second(e.at))
    }
}

fn closed(e: &Evidence) -> Sample {
    connection(e, When::day(Millis(e.at.0)))
}

fn connection(e: &Evidence, at: When) -> Sample {
    Sample {
        at,
        address: e.client.addr.to_string(),
        port: None,
        helo: e.client.helo.as_ref().map(ToString::to_string),
        rdns: e.client.rdns.name().map(ToString::to_string),
        rdns_state: rdns_state(&e.client.rdns),
        recipients: None,
        judgement: None,
        judge: None,
        score: None,
    }
}

fn rdns_state(rdns: &Rdns) -> &'static str {
    match rdns {
        Rdns::Unknown => "unknown",
        Rdns::Missing => "missing",
        Rdns::Mismatch(_) => "mismatch",
        Rdns::Confirmed(_) => "confirmed",
    }
}

fn judgement(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Spam => "spam",
        Judgement::Ham => "ham",
        Judgement::Virus => "virus",
        Judgement::Heuristic => "heuristic",
    }
}

/// `12.50` from 1250.
fn hundredths(score: i32) -> String {
    let sign = if score < 0 { "-" } else { "" };
    let size = score.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}
