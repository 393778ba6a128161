//! Labelled streams and what a system decided about them, as files of JSON lines.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

use crate::error::TaskError;

/// The most bytes of one stream, unpacked: the largest known has 20 MB.
const STREAM_LEN_MAX: u64 = 1024 * 1024 * 1024;

/// What a message was, as its corpus says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Label {
    /// Unwanted.
    Spam,
    /// Wanted.
    Ham,
    /// Neither is said.
    Other,
}

/// One usable session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Unix seconds.
    pub(super) at: f64,
    /// Its place among those of the same second.
    pub(super) seq: u64,
    /// Its name in the stream.
    pub(super) id: String,
    /// The client's address, as the stream writes it.
    pub(super) client: String,
    /// The same, as an address.
    pub(super) addr: IpAddr,
    /// The site's own relay in between, if any.
    pub(super) relay: Option<String>,
    /// What the message was.
    pub(super) label: Label,
}

impl Session {
    /// Whether it is spam.
    pub(super) fn is_spam(&self) -> bool {
        self.label == Label::Spam
    }

    /// Whether it is ham.
    pub(super) fn is_ham(&self) -> bool {
        self.label == Label::Ham
    }
}

/// What was decided about one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    /// `accept`, `reject` or `tempfail`.
    pub(super) action: String,
    /// The rule, in a word.
    pub(super) reason: Option<String>,
    /// What weighed, in words.
    pub(super) why: String,
}

impl Decision {
    /// The reason as a table shows it.
    pub(super) fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or("None")
    }
}

/// One block, as `--listings` writes it.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// An address or a prefix.
    pub(super) key: String,
    /// Unix seconds.
    pub(super) from: f64,
    /// Unix seconds.
    pub(super) to: f64,
    /// Units, and distinct attempts refused.
    pub(super) hits: f64,
}

/// Reads the usable sessions of a stream, in the order of time.
pub(super) fn sessions(path: &Path) -> Result<Vec<Session>, TaskError> {
    let mut read = Vec::new();
    for value in lines(path)? {
        read.extend(session(&value, path)?);
    }
    read.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.seq.cmp(&b.seq)));
    Ok(read)
}

/// `None` for a session that marks itself as unusable.
fn session(value: &Value, path: &Path) -> Result<Option<Session>, TaskError> {
    let Some(at) = value["ts"].as_f64().filter(|at| *at != 0.0 && value["status"] == "ok") else {
        return Ok(None);
    };
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let client = text("client_ip").and_then(|client| Some((client.parse().ok()?, client)));
    let (Some(id), Some((addr, client)), Some(seq)) = (text("id"), client, value["seq"].as_u64()) else {
        return Err(unreadable(path, "a session with id, client_ip and seq", value));
    };
    let label = match value["label"].as_str() {
        Some("spam") => Label::Spam,
        Some("ham") => Label::Ham,
        _ => Label::Other,
    };
    Ok(Some(Session { at, seq, id, client, addr, relay: text("forwarder_ip"), label }))
}

/// Reads decisions, by session.
pub(super) fn decisions(path: &Path) -> Result<HashMap<String, Decision>, TaskError> {
    let decision = |value: &Value| {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let (Some(id), Some(action)) = (text("id"), text("action")) else {
            return Err(unreadable(path, "a decision with id and action", value));
        };
        Ok((id, Decision { action, reason: text("reason"), why: text("why").unwrap_or_default() }))
    };
    lines(path)?.iter().map(decision).collect()
}

/// Reads blocks.
pub(super) fn listings(path: &Path) -> Result<Vec<Listing>, TaskError> {
    let listing = |value: &Value| {
        let number = |name: &str| value[name].as_f64();
        let (Some(key), Some(from), Some(to), Some(hits)) =
            (value["ip"].as_str(), number("from"), number("to"), number("hits"))
        else {
            return Err(unreadable(path, "a listing with ip, from, to and hits", value));
        };
        Ok(Listing { key: key.to_owned(), from, to, hits })
    };
    lines(path)?.iter().map(listing).collect()
}

/// All lines of a file, plain or packed with gzip, as JSON.
fn lines(path: &Path) -> Result<Vec<Value>, TaskError> {
    let mut file = BufReader::new(File::open(path).map_err(TaskError::file(path))?);
    let packed = file.fill_buf().map_err(TaskError::file(path))?.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut values = Vec::new();
    for line in BufReader::new(reader.take(STREAM_LEN_MAX)).lines() {
        let line = line.map_err(TaskError::file(path))?;
        if !line.trim().is_empty() {
            values.push(serde_json::from_str(&line).map_err(|_| unreadable(path, "a line of JSON", &line))?);
        }
    }
    Ok(values)
}

fn unreadable(path: &Path, expected: &'static str, got: &impl ToString) -> TaskError {
    let got = got.to_string().chars().take(200).collect();
    TaskError::Unreadable { what: path.display().to_string(), expected, got }
}
