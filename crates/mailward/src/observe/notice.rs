//! What became of our own bounces and notices (OFF-24), as JSON Lines.
//!
//! `{"ts":…,"notice":"bounce|postmaster|abuse","domain":"…","reply":"550 5.1.1 …"}`: the domain
//! that it went to, and what its server replied. Without `ts` now. We ask nobody; whoever reads
//! the log of our outgoing mail hands such lines in.

use model::observation::{Fact, Notice, Outcome, Purpose, Sensor};
use model::{Domain, Name, Observation};
use serde::Deserialize;
use wire::refusal::{Cause, cause};

use crate::daemon::Shared;

#[derive(Deserialize)]
struct Line {
    ts: Option<f64>,
    notice: String,
    domain: String,
    reply: String,
}

/// Whether a line is about a notice of ours.
pub(super) fn is_meant(line: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(line).is_ok_and(|value| value.get("notice").is_some())
}

/// Reads it.
pub(super) fn read(daemon: &Shared, line: &str) -> Result<Observation, String> {
    let (ts, notice) = notice(line)?;
    let at = ts.map_or(daemon.clock.now(), super::seconds);
    Ok(Observation { at, sensor: Sensor::Filter, session: 0, fact: Fact::Notice(notice) })
}

fn notice(line: &str) -> Result<(Option<f64>, Notice), String> {
    let line: Line = serde_json::from_str(line)
        .map_err(|e| format!("expected a notice with domain and reply, but {e}"))?;
    let domain: Domain = line.domain.parse().map_err(|e| format!("domain: {e}"))?;
    let purpose = match line.notice.as_str() {
        "bounce" => Purpose::Bounce,
        "postmaster" => Purpose::Postmaster,
        "abuse" => Purpose::Abuse,
        _ => return Err("expected a notice of bounce, postmaster or abuse".to_owned()),
    };
    let outcome = match cause(&line.reply) {
        Cause::Accepted => Outcome::Accepted,
        Cause::AddressUnknown => Outcome::AddressUnknown,
        Cause::NullSender => Outcome::NullSender,
        Cause::Other => Outcome::Other,
    };
    Ok((line.ts, Notice { domain: Name::new(domain.as_str().as_bytes()), purpose, outcome }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Option<Result<(Purpose, Outcome), &str>>) {
        let read = is_meant(line).then(|| notice(line));
        let got = read.map(|read| read.map(|(_, notice)| (notice.purpose, notice.outcome)));
        match (&got, &expect) {
            (Some(Err(why)), Some(Err(part))) => assert!(why.contains(part), "{why}"),
            _ => assert_eq!(got, expect.map(|told| told.map_err(str::to_owned)), "{line}"),
        }
    }

    #[test]
    fn off_24_a_notice_of_ours_is_told_by_its_reply() {
        let line = |what: &str, domain: &str, reply: &str| {
            serde_json::json!({"notice": what, "domain": domain, "reply": reply}).to_string()
        };
        let unknown = "550 5.1.1 <postmaster@shop.example>: user unknown";
        check(
            &line("postmaster", "Shop.Example", unknown),
            Some(Ok((Purpose::Postmaster, Outcome::AddressUnknown))),
        );
        check(&line("abuse", "shop.example", "550 listed in X"), Some(Ok((Purpose::Abuse, Outcome::Other))));
        check(
            &line("bounce", "shop.example", "550 null sender refused"),
            Some(Ok((Purpose::Bounce, Outcome::NullSender))),
        );
        check(&line("hello", "shop.example", "250 ok"), Some(Err("bounce, postmaster or abuse")));
        check(&line("abuse", "no domain", "250 ok"), Some(Err("domain")));
        check(r#"{"notice": "abuse"}"#, Some(Err("missing field")));
        check(r#"{"queue_id": "4T", "verdict": "spam"}"#, None);
        check("{", None);
    }
}
