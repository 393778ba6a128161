//! Sessions behind a block, redacted for link holders (REQUIREMENTS D.6, level L1).
//!
//! Shown are the facts of the connection, which the sender's own log has as well, and the
//! headers where they were seen. Never shown are sender, recipient, and that a recipient
//! was a trap.
//!
//! A session that met a trap shows its day and what is blocked, and nothing else. All that
//! the sender chose (port, HELO name, which address of its network, the name in its DNS,
//! every header field) may be another one for every recipient that it tries, so that one
//! look at a page would name the trap (ADV-5). All such sessions look the same, so one of
//! them is shown, and their number is not.

use model::evidence::SAMPLES_MAX;
use model::{Evidence, ExhibitId, Judgement, Key, Name, Rdns, Redacted};
use serde::Serialize;

use super::headers::{self, Headers};
use crate::redact;
use crate::when::When;

/// One session.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Sample {
    /// When, to the second; to the day where a trap was met.
    pub at: When,
    /// The client's address; where a trap was met, what is blocked.
    pub address: String,
    /// Its port, if it may be told and is known.
    pub port: Option<u16>,
    /// The HELO argument, everything but printable ASCII escaped.
    pub helo: Option<String>,
    /// The reverse DNS name, escaped likewise.
    pub rdns: Option<String>,
    /// What reverse DNS said: `confirmed`, `mismatch`, `missing` or `unknown`.
    pub rdns_state: Option<&'static str>,
    /// Recipients of the message.
    pub recipients: Option<u16>,
    /// `spam`, `virus`, `heuristic` or `ham`.
    pub judgement: Option<&'static str>,
    /// Who judged.
    pub judge: Option<String>,
    /// The judge's score.
    pub score: Option<String>,
    /// The headers of its message, where they were seen and may be shown.
    pub headers: Option<Headers>,
}

/// At most five sessions, in the order of time, traps' last.
pub(crate) fn shown(evidence: &[Evidence], exhibits: &[(ExhibitId, Redacted)], key: &Key) -> Vec<Sample> {
    let kept = evidence.iter().take(SAMPLES_MAX).map(|e| (e, exhibit(e, exhibits)));
    let (trapped, mut plain): (Vec<_>, Vec<_>) = kept.partition(|(e, exhibit)| met_trap(e, *exhibit));
    plain.sort_by_key(|(e, _)| e.at);
    let newest = trapped.into_iter().max_by_key(|(e, _)| e.at);
    let plain = plain.into_iter().map(|(e, exhibit)| open(e, exhibit));
    plain.chain(newest.map(|(e, _)| closed(e, key))).collect()
}

/// Whether the session met a trap, or its message did through another session's eyes: an
/// exhibit without its size is one that must not be found.
fn met_trap(e: &Evidence, exhibit: Option<&Redacted>) -> bool {
    e.trap.is_some() || exhibit.is_some_and(|x| x.size.is_none())
}

fn exhibit<'a>(e: &Evidence, exhibits: &'a [(ExhibitId, Redacted)]) -> Option<&'a Redacted> {
    exhibits.iter().find(|(id, _)| Some(*id) == e.exhibit).map(|(_, exhibit)| exhibit)
}

fn open(e: &Evidence, exhibit: Option<&Redacted>) -> Sample {
    let may = |fact: &str| exhibit.is_none_or(|x| !x.withheld.iter().any(|name| name == fact));
    let name = |name: Option<&Name>, fact| name.filter(|_| may(fact)).map(ToString::to_string);
    Sample {
        at: When::second(e.at),
        address: e.client.addr.to_string(),
        port: Some(e.client.port).filter(|p| *p > 0),
        helo: name(e.client.helo.as_ref(), redact::HELO),
        rdns: name(e.client.rdns.name(), redact::PTR),
        rdns_state: Some(rdns_state(&e.client.rdns)),
        recipients: Some(e.recipients),
        judgement: e.judgement.map(judgement),
        judge: e.source.as_ref().map(ToString::to_string),
        score: e.score.map(hundredths),
        headers: exhibit.map(headers::shown),
    }
}

fn closed(e: &Evidence, key: &Key) -> Sample {
    Sample {
        at: When::day(e.at),
        address: key.to_string(),
        port: None,
        helo: None,
        rdns: None,
        rdns_state: None,
        recipients: None,
        judgement: None,
        judge: None,
        score: None,
        headers: None,
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

/// The word for a judgement.
pub(crate) fn judgement(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Spam => "spam",
        Judgement::Ham => "ham",
        Judgement::Virus => "virus",
        Judgement::Heuristic => "heuristic",
    }
}

/// `12.50` from 1250.
pub(crate) fn hundredths(score: i32) -> String {
    let sign = if score < 0 { "-" } else { "" };
    let size = score.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}
