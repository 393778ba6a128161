//! What one disk takes: frames and events per second, by how many share one sync.
//!
//! `cargo run --release -p ledger --example throughput -- DIRECTORY [SECONDS]` prints one JSON
//! object a line. Beside our own figures stands `disk`: the same bytes appended to a plain file
//! with the same syncs, measured in turn with ours, since no store can be faster.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use ledger::journal::{Birth, Frame, Identity, Options, Writer};
use ledger::{DataDir, EventStore, Head, Sealed, SqliteLedger};
use sha2::{Digest, Sha256};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How many frames or events share one sync.
const GROUPS: [usize; 4] = [1, 16, 128, 1024];

/// The bytes of one frame's inputs, and of one event.
const LEN: usize = 1024;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("expected a directory to write in")?;
    let lasts = Duration::from_secs_f64(args.next().map_or(Ok(2.0), |seconds| seconds.parse())?);
    let dir = Path::new(&dir).join("throughput");
    for group in GROUPS {
        fs::create_dir_all(&dir)?;
        disk(&dir, group, lasts)?;
        journal(&dir, "log text", text, group, lasts)?;
        journal(&dir, "noise", noise, group, lasts)?;
        events(&dir, group, lasts)?;
        fs::remove_dir_all(&dir)?;
    }
    Ok(())
}

fn disk(dir: &Path, group: usize, lasts: Duration) -> Outcome<()> {
    let mut file = File::create(dir.join("plain"))?;
    let bytes: Vec<u8> = (0..group as u64).flat_map(noise).collect();
    report("disk", &format!("append, group {group}"), group, lasts, || {
        file.write_all(&bytes)?;
        Ok(file.sync_data()?)
    })
}

fn journal(dir: &Path, what: &str, inputs: fn(u64) -> Vec<u8>, group: usize, lasts: Duration) -> Outcome<()> {
    let store = DataDir::open(&dir.join(what))?;
    let identity = Identity { site: "example".to_owned(), node: "n1".to_owned(), life: 1 };
    let birth = Birth { seeds: [1, 2], first_position: 1 };
    let (mut writer, _) = Writer::open(&store, &identity, birth, Options::default(), 0)?;
    report("mailward", &format!("journal, {what}, group {group}"), group, lasts, || {
        for _ in 0..group {
            let position = writer.next_position();
            writer.append(&Frame { position, wall_ms: 0, mono_ns: 0, inputs: inputs(position) })?;
        }
        Ok(writer.sync()?)
    })
}

fn events(dir: &Path, group: usize, lasts: Duration) -> Outcome<()> {
    let store = DataDir::open(&dir.join("events"))?;
    let mut ledger = SqliteLedger::open(&store, "n1")?;
    let mut head = Head::default();
    report("mailward", &format!("ledger, group {group}"), group, lasts, || {
        let events: Vec<_> = (0..group).map(|_| next(&mut head)).collect();
        ledger.append(&events, &[], &[])?;
        Ok(())
    })
}

fn next(head: &mut Head) -> Sealed {
    let bytes = noise(head.seq);
    let event = Sealed {
        node: "n1".to_owned(),
        life: 1,
        seq: head.seq + 1,
        prev: head.hash,
        hash: Sha256::digest(&bytes).into(),
        bytes,
    };
    *head = Head { seq: event.seq, hash: event.hash };
    event
}

/// Runs `write` again and again, and prints the rate of what it writes and its CPU time.
fn report(
    subject: &str,
    case: &str,
    group: usize,
    lasts: Duration,
    mut write: impl FnMut() -> Outcome<()>,
) -> Outcome<()> {
    let (begun, cpu) = (Instant::now(), cpu_ns()?);
    let mut done = 0;
    while begun.elapsed() < lasts {
        write()?;
        done += group;
    }
    let rate = done as f64 / begun.elapsed().as_secs_f64();
    let cpu_us = (cpu_ns()? - cpu) as f64 / 1e3 / done as f64;
    print(subject, case, "rate", rate, "1/s");
    print(subject, case, "cpu_us", cpu_us, "us");
    Ok(())
}

fn print(subject: &str, case: &str, metric: &str, value: f64, unit: &str) {
    println!(
        r#"{{"bench":"store","case":"{case}","subject":"{subject}","metric":"{metric}","value":{value:.1},"unit":"{unit}"}}"#
    );
}

/// The CPU time of this (the only) thread.
fn cpu_ns() -> Outcome<u64> {
    let stat = fs::read_to_string("/proc/self/schedstat")?;
    Ok(stat.split(' ').next().unwrap_or_default().parse()?)
}

/// What a log line looks like, of [`LEN`] bytes.
fn text(number: u64) -> Vec<u8> {
    let client = number % 250;
    let line = format!(
        "postfix/smtpd[{}]: NOQUEUE: reject: RCPT from unknown[192.0.2.{client}]: 550 5.1.1 <user{number}@example.org>: ",
        number % 30_000
    );
    line.bytes().cycle().take(LEN).collect()
}

/// [`LEN`] bytes in which nothing repeats.
fn noise(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    std::iter::repeat_with(next).flat_map(u64::to_le_bytes).take(LEN).collect()
}
