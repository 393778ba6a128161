//! One recorded SMTP session: a line of JSON.
//!
//! Fields: `ts client_ip client_name name_forged helo mail_from rcpt rcpt_seen label status
//! size id seq`. A label of `spam` or `ham` stands for the content verdict that arrives after
//! the message. Other fields are ignored; a line whose `status` is not `ok` is left out.

use std::borrow::Cow;
use std::net::IpAddr;

use model::observation::{Client, Rdns};
use model::{Judgement, Millis, Name};
use serde::Deserialize;

/// The longest line that is read: a session is near 1 KiB.
pub(crate) const LINE_LEN_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
struct Raw<'a> {
    ts: Option<f64>,
    seq: Option<u64>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    label: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_ip: Option<Cow<'a, str>>,
    /// `null` says that there is no name; a field that is absent says nothing.
    #[serde(borrow, default, deserialize_with = "present")]
    client_name: Option<Option<Cow<'a, str>>>,
    name_forged: Option<bool>,
    #[serde(borrow, default)]
    helo: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mail_from: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    rcpt: Option<Cow<'a, str>>,
    #[serde(default)]
    rcpt_seen: Option<u16>,
}

/// One session of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// When the border MX took it.
    pub(crate) at: Millis,
    /// Its place among sessions of the same second.
    pub(crate) seq: u64,
    /// Its name in the stream, for `--decisions`.
    pub(crate) id: String,
    /// The client.
    pub(crate) client: Client,
    /// The envelope sender, empty for the null sender, `None` where the stream has none.
    pub(crate) sender: Option<String>,
    /// One recipient.
    pub(crate) recipient: Option<String>,
    /// How many recipients there were.
    pub(crate) recipients: u16,
    /// What the content judge will say.
    pub(crate) label: Option<Judgement>,
}

/// What a line turned out to be.
pub(crate) enum Read {
    /// A session.
    Session(Box<Line>),
    /// A session that the stream itself marks as unusable.
    LeftOut,
}

/// Reads one line; the error says what was expected.
pub(crate) fn read(bytes: &[u8], number: u64) -> Result<Read, String> {
    let raw: Raw<'_> =
        serde_json::from_slice(bytes).map_err(|e| format!("expected a JSON session, but {e}"))?;
    if raw.status.as_deref().is_some_and(|s| s != "ok") {
        return Ok(Read::LeftOut);
    }
    let Some(ts) = raw.ts else { return Ok(Read::LeftOut) };
    let at = time(ts)?;
    let addr = raw.client_ip.as_deref().ok_or("expected `client_ip`, but there is none")?;
    let addr: IpAddr =
        addr.parse().map_err(|_| format!("expected an address in `client_ip`, but got {}", short(addr)))?;
    let client = Client {
        addr: model::key::fold(addr),
        port: 0,
        helo: raw.helo.as_deref().map(|h| Name::new(h.as_bytes())),
        rdns: rdns(raw.client_name.as_ref().map(Option::as_deref), raw.name_forged == Some(true)),
        authenticated: false,
    };
    Ok(Read::Session(Box::new(Line {
        at,
        seq: raw.seq.unwrap_or(number),
        id: raw.id.map_or_else(|| number.to_string(), Cow::into_owned),
        client,
        sender: raw.mail_from.map(Cow::into_owned),
        recipient: raw.rcpt.map(Cow::into_owned),
        recipients: raw.rcpt_seen.unwrap_or(1).max(1),
        label: label(raw.label.as_deref())?,
    })))
}

fn time(ts: f64) -> Result<Millis, String> {
    // Year 1970 to 5138: beyond, the number is something else.
    if (0.0..1e11).contains(&ts) {
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "checked above")]
        Ok(Millis((ts * 1000.0) as u64))
    } else {
        Err(format!("expected unix seconds in `ts`, but got {ts}"))
    }
}

fn present<'de, D: serde::Deserializer<'de>>(de: D) -> Result<Option<Option<Cow<'de, str>>>, D::Error> {
    Option::deserialize(de).map(Some)
}

fn rdns(name: Option<Option<&str>>, forged: bool) -> Rdns {
    match name {
        None => Rdns::Unknown,
        Some(None | Some("" | "unknown")) => Rdns::Missing,
        Some(Some(name)) if forged => Rdns::Mismatch(Name::new(name.as_bytes())),
        Some(Some(name)) => Rdns::Confirmed(Name::new(name.as_bytes())),
    }
}

fn label(label: Option<&str>) -> Result<Option<Judgement>, String> {
    match label {
        None | Some("") => Ok(None),
        Some("spam") => Ok(Some(Judgement::Spam)),
        Some("ham") => Ok(Some(Judgement::Ham)),
        Some("virus") => Ok(Some(Judgement::Virus)),
        Some(other) => Err(format!("expected `label` spam, ham or virus, but got {}", short(other))),
    }
}

fn short(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let got = match read(line.as_bytes(), 7) {
            Ok(Read::Session(l)) => {
                format!("{} {} {} {:?} {:?}", l.at.secs(), l.id, l.client.addr, l.client.rdns, l.label)
            }
            Ok(Read::LeftOut) => "left out".to_owned(),
            Err(e) => format!("error: {e}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn a_session_is_read_with_its_label_as_verdict() {
        check(
            r#"{"ts":1176052720,"id":"a","client_ip":"::ffff:192.0.2.1","client_name":"mail.example.org","name_forged":true,"label":"spam","status":"ok","more":[1]}"#,
            r#"1176052720 a 192.0.2.1 Mismatch("mail.example.org") Some(Spam)"#,
        );
        check(r#"{"ts":5,"client_ip":"192.0.2.1","client_name":null}"#, "5 7 192.0.2.1 Missing None");
        check(r#"{"ts":5,"client_ip":"192.0.2.1"}"#, "5 7 192.0.2.1 Unknown None");
        check(r#"{"ts":5,"client_ip":null,"status":"no-ip"}"#, "left out");
        check(r#"{"ts":null,"client_ip":"192.0.2.1"}"#, "left out");
    }

    #[test]
    fn a_broken_line_says_what_was_expected() {
        check(
            r#"{"ts":5,"client_ip":"somewhere"}"#,
            "error: expected an address in `client_ip`, but got \"somewhere\"",
        );
        check(r#"{"ts":-5,"client_ip":"192.0.2.1"}"#, "error: expected unix seconds in `ts`, but got -5");
        check(
            r#"{"ts":5,"client_ip":"192.0.2.1","label":"maybe"}"#,
            "error: expected `label` spam, ham or virus, but got \"maybe\"",
        );
        check("hello", "error: expected a JSON session, but expected value at line 1 column 1");
    }
}
