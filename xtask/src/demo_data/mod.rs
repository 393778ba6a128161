//! `cargo xtask demo-data`: the recorded stream that the demo plays.
//!
//! Made from a stream of SMTP sessions, one JSON object a line, of a public mail corpus.
//! Of each session that has a usable border hop the file keeps when it came, from where,
//! with which HELO, and whether the message was spam; addresses are permuted. Nothing of
//! sender, recipient or message is kept. `examples/demo/README.md` names source and
//! licence.

mod helo;
mod permute;

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

use crate::error::TaskError;
use crate::repo;
use helo::permuted_helo;
use permute::{is_special, permuted};

/// The file that is shipped.
const SHIPPED: &str = "examples/demo/spamassassin.jsonl.zst";

/// The most bytes of a stream, unpacked: the corpus has 3 MB.
const STREAM_LEN_MAX: u64 = 64 * 1024 * 1024;

/// zstd's best level that needs no more memory to unpack.
const LEVEL: i32 = 19;

/// What to make the file from.
#[derive(Args)]
pub(crate) struct DemoDataOptions {
    /// The stream, JSON lines packed with gzip.
    #[arg(long, value_name = "STREAM.jsonl.gz")]
    from: PathBuf,
    /// Write nothing: say whether the shipped file is what this command makes.
    #[arg(long)]
    check: bool,
}

/// Writes or checks the file; false when the check fails.
pub(crate) fn demo_data(options: &DemoDataOptions) -> Result<bool, TaskError> {
    let text = demo(&unpacked_gzip(&options.from)?)?;
    let shipped = repo::top().join(SHIPPED);
    if options.check {
        return Ok(compare(&unpacked_zstd(&shipped)?, &text));
    }
    let packed = zstd::encode_all(text.as_bytes(), LEVEL).map_err(TaskError::file(&shipped))?;
    fs::write(&shipped, &packed).map_err(TaskError::file(&shipped))?;
    println!("{SHIPPED}: {} sessions, {} KiB", text.lines().count(), packed.len().div_ceil(1024));
    Ok(true)
}

/// Compares unpacked text: another version of zstd may pack the same text otherwise.
fn compare(shipped: &str, made: &str) -> bool {
    if shipped == made {
        println!("{SHIPPED} is what this command makes: {} sessions.", made.lines().count());
        return true;
    }
    let same = shipped.lines().zip(made.lines()).take_while(|(a, b)| a == b).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("the end").to_owned();
    println!("{SHIPPED}:{}: expected {}, but got {}", same + 1, line(made), line(shipped));
    false
}

fn unpacked_gzip(path: &Path) -> Result<String, TaskError> {
    let file = BufReader::new(File::open(path).map_err(TaskError::file(path))?);
    text_of(MultiGzDecoder::new(file), path)
}

fn unpacked_zstd(path: &Path) -> Result<String, TaskError> {
    let file = File::open(path).map_err(TaskError::file(path))?;
    text_of(zstd::Decoder::new(file).map_err(TaskError::file(path))?, path)
}

fn text_of(reader: impl Read, path: &Path) -> Result<String, TaskError> {
    let mut text = String::new();
    reader.take(STREAM_LEN_MAX).read_to_string(&mut text).map_err(TaskError::file(path))?;
    Ok(text)
}

/// One session as it is kept.
struct Session {
    /// Unix seconds.
    ts: u64,
    /// Its place among those of the same second.
    seq: u64,
    label: &'static str,
    client: Ipv4Addr,
    helo: Option<String>,
}

/// The text of the file: the usable sessions in the order of time, numbered from 1.
fn demo(stream: &str) -> Result<String, TaskError> {
    let mut sessions = Vec::new();
    for (at, line) in stream.lines().enumerate() {
        sessions.extend(session(line, at + 1)?);
    }
    sessions.sort_by_key(|session| (session.ts, session.seq));
    Ok(sessions.iter().zip(1..).map(|(session, number)| session.line(number)).collect())
}

/// One line of the stream; `None` when it marks itself as unusable.
fn session(line: &str, number: usize) -> Result<Option<Session>, TaskError> {
    let fault = |expected, got: String| TaskError::Unreadable {
        what: format!("line {number} of the stream"),
        expected,
        got,
    };
    let read: Value = serde_json::from_str(line).map_err(|e| fault("a JSON object", e.to_string()))?;
    if read["status"] != "ok" {
        return Ok(None);
    }
    let whole = |name: &str| {
        read[name].as_u64().ok_or_else(|| fault("whole numbers in `ts` and `seq`", read[name].to_string()))
    };
    Ok(Some(Session {
        ts: whole("ts")?,
        seq: whole("seq")?,
        label: label(&read["label"]).ok_or_else(|| fault("spam or ham", read["label"].to_string()))?,
        client: client(&read["client_ip"])
            .ok_or_else(|| fault("a public IPv4 address", read["client_ip"].to_string()))?,
        helo: read["helo"].as_str().map(str::to_owned),
    }))
}

fn label(value: &Value) -> Option<&'static str> {
    ["spam", "ham"].into_iter().find(|label| value == label)
}

fn client(value: &Value) -> Option<Ipv4Addr> {
    value.as_str()?.parse().ok().filter(|address| !is_special(*address))
}

impl Session {
    /// Its line, with everything permuted. A session's name is its number, written as the
    /// text that a stream's `id` is.
    fn line(&self, number: u64) -> String {
        let Self { ts, label, client, .. } = self;
        let address = permuted(*client);
        let helo = Value::from(self.helo.as_ref().map(|helo| permuted_helo(helo, *client)));
        format!(
            r#"{{"ts":{ts},"seq":{number},"id":"{number}","label":"{label}","client_ip":"{address}","helo":{helo}}}"#
        ) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = r#"{"ts":20,"corpus":"made up","id":"b/2.txt","label":"ham","status":"ok","client_ip":"1.20.130.240","client_name":"mx.example.org","helo":"[1.20.130.240]","mail_from":"a@example.org","rcpt":"b@example.com","message_id":"<1@example.org>","size":700,"seq":9}
{"ts":20,"id":"a/1.txt","label":"spam","status":"ok","client_ip":"1.20.130.9","helo":"say \"hello\"","mail_from":"c@example.org","seq":8}
{"ts":null,"id":"a/3.txt","label":"spam","status":"no-ip","client_ip":null,"helo":null,"seq":1}
{"ts":10,"id":"a/4.txt","label":"spam","status":"ok","client_ip":"150.7.60.33","helo":null,"seq":12}
"#;

    fn address(octets: [u8; 4]) -> Ipv4Addr {
        permuted(octets.into())
    }

    #[test]
    fn the_agreed_facts_are_kept_in_the_order_of_time_and_nothing_else() {
        let (first, second) = (address([150, 7, 60, 33]), address([1, 20, 130, 9]));
        let third = address([1, 20, 130, 240]);
        let expected = format!(
            r#"{{"ts":10,"seq":1,"id":"1","label":"spam","client_ip":"{first}","helo":null}}
{{"ts":20,"seq":2,"id":"2","label":"spam","client_ip":"{second}","helo":"say \"hello\""}}
{{"ts":20,"seq":3,"id":"3","label":"ham","client_ip":"{third}","helo":"[{third}]"}}
"#
        );
        assert_eq!(demo(STREAM).unwrap(), expected);
        assert_eq!(demo(STREAM).unwrap(), expected, "the same again");
    }

    #[track_caller]
    fn check_fault(from: &str, to: &str, expect: &str) {
        assert!(STREAM.contains(from));
        assert_eq!(demo(&STREAM.replace(from, to)).err().map(|e| e.to_string()).as_deref(), Some(expect));
    }

    #[test]
    fn what_is_not_a_session_is_refused_with_its_line() {
        check_fault(
            "1.20.130.9",
            "192.0.2.9",
            "line 2 of the stream: expected a public IPv4 address, but got \"192.0.2.9\"",
        );
        check_fault("\"ham\"", "\"maybe\"", "line 1 of the stream: expected spam or ham, but got \"maybe\"");
        check_fault(
            "\"ts\":10",
            "\"ts\":1.5",
            "line 4 of the stream: expected whole numbers in `ts` and `seq`, but got 1.5",
        );
    }

    #[test]
    fn a_check_tells_the_same_from_another() {
        let made = demo(STREAM).unwrap();
        assert!(compare(&made, &made));
        assert!(!compare(&made, &made.replace("\"ham\"", "\"spam\"")));
        assert!(!compare("", &made));
    }

    #[test]
    fn packed_streams_are_read() {
        let path = std::env::temp_dir().join(format!("mailward-demo-data-{}", std::process::id()));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, STREAM.as_bytes()).unwrap();
        fs::write(&path, packed.finish().unwrap()).unwrap();
        let read = unpacked_gzip(&path);
        fs::remove_file(&path).unwrap();
        assert_eq!(read.unwrap(), STREAM);
    }

    #[test]
    fn the_shipped_file_holds_the_agreed_facts_and_nothing_else() {
        let text = unpacked_zstd(&repo::top().join(SHIPPED)).unwrap();
        for (line, number) in text.lines().zip(1_u64..) {
            let read: Value = serde_json::from_str(line).unwrap();
            let names: Vec<_> = read.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, ["ts", "seq", "id", "label", "client_ip", "helo"], "{line}");
            assert_eq!(read["seq"], number);
            assert!(client(&read["client_ip"]).is_some(), "{line}");
        }
        assert_eq!(text.lines().count(), 5220);
    }
}
