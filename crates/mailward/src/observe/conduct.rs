//! What a client did that is no command of SMTP, or not in its place (OFF-18, OFF-19).
//!
//! `{"ts":…,"client_ip":"…","conduct":"early-talk","helo":"…","client_name":"…"}`: one line for
//! each session and kind. Without `client_name` nothing is known of reverse DNS; `null` says
//! that there is no name. Words as in [`Habit::WORDS`].
//!
//! A line of Postfix's mail log is taken, too: `tail -F /var/log/mail.log | mailward observe`. What
//! says nothing of conduct is passed over.

use std::net::IpAddr;

use model::observation::{Client, Conduct, Fact, Habit, Rdns, Sensor};
use model::{Millis, Name, Observation};
use serde::Deserialize;
use wire::maillog::Stamp;
use wire::maillog::conduct::{self as maillog, Act};

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

/// Whether it is a line of a mail log that says nothing of conduct.
pub(super) fn is_other_log(line: &str) -> bool {
    !line.starts_with('{') && maillog::is_log(line.as_bytes()) && maillog::parse(line.as_bytes()).is_none()
}

/// Reads a line of a mail log. One without a year is taken for now: a log is read as it grows.
pub(super) fn of_log(daemon: &Shared, line: &str) -> Option<Observation> {
    let line = maillog::parse(line.as_bytes())?;
    let at = match line.stamp {
        Stamp::Unix(secs) => Millis::from_secs(u64::try_from(secs).ok()?),
        Stamp::Yearless { .. } => daemon.clock.now(),
    };
    let addr = line.addr.to_string();
    let session = daemon.persons.queue(addr.as_bytes(), &at.0.to_be_bytes());
    let fact = Fact::Conduct(of_line(&line));
    Some(Observation { at, sensor: Sensor::MailLog, session, fact })
}

fn of_line(line: &maillog::Line<'_>) -> Conduct {
    let habit = match line.act {
        Act::EarlyTalk => Habit::EarlyTalk,
        Act::Pipelining => Habit::Pipelining,
        Act::BareLf => Habit::BareLf,
        Act::NonSmtp => Habit::NonSmtp,
        Act::Quit => Habit::Quit,
        Act::NoQuit => Habit::NoQuit,
    };
    // What postscreen sees has no name yet, and ‘unknown’ may be a failure of DNS.
    let rdns = line.name.map_or(Rdns::Unknown, |name| Rdns::Confirmed(Name::new(name)));
    let client =
        Client { addr: model::key::fold(line.addr), port: 0, helo: None, rdns, authenticated: false };
    Conduct { client, habit }
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
    fn a_line_of_the_mail_log_is_taken_and_one_that_says_nothing_is_passed_over() {
        let greeted =
            "Nov 21 18:40:00 mx postfix/postscreen[7]: PREGREET 9 after 0 from [192.0.2.1]:9: EHLO x";
        let read = of_line(&maillog::parse(greeted.as_bytes()).unwrap());
        assert_eq!((read.client.addr.to_string(), read.habit), ("192.0.2.1".to_owned(), Habit::EarlyTalk));
        assert!(!is_other_log(greeted));
        assert!(is_other_log("Nov 21 18:40:00 mx postfix/qmgr[8]: 7490499CC21: removed"));
        assert!(!is_other_log("half a li"), "it is told as broken");
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
