//! What a client did that is no command of SMTP, or not in its place (OFF-18, OFF-19).
//!
//! `{"ts":…,"client_ip":"…","conduct":"early-talk","helo":"…","client_name":"…"}`: one line for
//! each session and kind. Without `client_name` nothing is known of reverse DNS; `null` says
//! that there is no name. Words as in [`Habit::WORDS`].

use std::net::IpAddr;

use model::observation::{Client, Conduct, Fact, Habit, Rdns, Sensor};
use model::{Name, Observation};
use serde::Deserialize;

use super::{WORD_LEN_MAX, seconds};
use crate::daemon::Shared;

#[derive(Deserialize)]
struct Line {
    ts: Option<f64>,
    client_ip: String,
    conduct: String,
    helo: Option<String>,
    /// `null` says that there is no name; a field that is absent says nothing.
    #[serde(default, deserialize_with = "present")]
    client_name: Option<Option<String>>,
}

fn present<'de, D: serde::Deserializer<'de>>(de: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(de).map(Some)
}

/// Whether a line is about conduct.
pub(super) fn is_meant(line: &str) -> bool {
    line.contains("\"conduct\"")
}

/// Reads one line; the error says what was expected.
pub(super) fn read(daemon: &Shared, line: &str) -> Result<Observation, String> {
    let line: Line = serde_json::from_str(line).map_err(|e| format!("expected a conduct, but {e}"))?;
    let at = line.ts.map_or(daemon.clock.now(), seconds);
    let conduct = conduct(line)?;
    // Each line stands for itself: what a client does at one time is one session's.
    let session = daemon.persons.queue(conduct.client.addr.to_string().as_bytes(), &at.0.to_be_bytes());
    Ok(Observation { at, sensor: Sensor::Filter, session, fact: Fact::Conduct(conduct) })
}

fn conduct(line: Line) -> Result<Conduct, String> {
    let addr: IpAddr = line
        .client_ip
        .parse()
        .map_err(|_| format!("expected an address in `client_ip`, but got {}", short(&line.client_ip)))?;
    let habit = Habit::from_word(&line.conduct)
        .ok_or_else(|| format!("expected a `conduct` of {}, but got {}", words(), short(&line.conduct)))?;
    let name = |text: &str| Name::new(&text.as_bytes()[..text.len().min(WORD_LEN_MAX)]);
    let rdns = match line.client_name {
        None => Rdns::Unknown,
        Some(None) => Rdns::Missing,
        Some(Some(text)) if text.is_empty() || text == "unknown" => Rdns::Missing,
        Some(Some(text)) => Rdns::Confirmed(name(&text)),
    };
    let client = Client {
        addr: model::key::fold(addr),
        port: 0,
        helo: line.helo.as_deref().map(name),
        rdns,
        authenticated: false,
    };
    Ok(Conduct { client, habit })
}

fn words() -> String {
    Habit::WORDS.map(|(word, _)| word).join(", ")
}

fn short(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let got = serde_json::from_str(line).map_err(|e| e.to_string()).and_then(conduct);
        let got = got.map_or_else(|e| e, |c| format!("{} {:?} {:?}", c.client.addr, c.habit, c.client.rdns));
        assert_eq!(got, expect);
    }

    #[test]
    fn off_18_and_off_19_a_line_names_client_and_conduct() {
        check(r#"{"client_ip":"::ffff:192.0.2.1","conduct":"early-talk"}"#, "192.0.2.1 EarlyTalk Unknown");
        check(
            r#"{"client_ip":"192.0.2.1","conduct":"no-quit","client_name":null,"helo":"x"}"#,
            "192.0.2.1 NoQuit Missing",
        );
    }

    #[test]
    fn a_broken_line_says_what_was_expected() {
        check(
            r#"{"client_ip":"here","conduct":"early-talk"}"#,
            "expected an address in `client_ip`, but got \"here\"",
        );
        check(
            r#"{"client_ip":"192.0.2.1","conduct":"rude"}"#,
            "expected a `conduct` of early-talk, pipelining, bare-lf, non-smtp, unknown-command, out-of-place, \
             reset-loop, no-quit, quit, but got \"rude\"",
        );
    }
}
