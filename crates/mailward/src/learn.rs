//! `mailward learn`: good mail of old logs becomes credit, so that nobody who has written
//! for months is a stranger on the first day.
//!
//! A message counts when a client that did not log in handed it in and it was delivered.
//! Nothing of a log is kept but days, counts and hashes of recipients, under the caps of
//! every credit (50 a day, 5 for one recipient).

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use model::key::client_prefix;
use model::standing::{CREDIT_PER_DAY_MAX, CREDIT_PER_RECIPIENT_MAX};
use model::{Millis, Secs};
use wire::maillog::{self, Event, Stamp};

use crate::cli::client::Client;
use crate::cli::{Done, Failed};
use crate::daemon::control::Wish;

/// Messages that are open in the log at once; a queue holds fewer.
const OPEN_MAX: usize = 200_000;
/// Credit older than this counts nothing (C.1).
const MEMORY: Secs = Secs(30 * 86_400);

#[derive(Args)]
pub(crate) struct LearnArgs {
    /// Postfix logs, plain or gzip. Without one: go back to learning.
    files: Vec<PathBuf>,
    /// Only count.
    #[arg(long)]
    dry_run: bool,
}

/// Recipients by client and day.
type Credits = BTreeMap<(IpAddr, u32), Vec<String>>;

pub(crate) fn main(client: &Client, args: &LearnArgs) -> Done {
    if args.files.is_empty() {
        send(client, &Wish::Learn)?;
        crate::say!("Learning: nothing is refused until `mailward enforce`.");
        return Ok(ExitCode::SUCCESS);
    }
    let now = Millis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0));
    let mut credits = Credits::new();
    for file in &args.files {
        read(file, now, &mut credits)?;
    }
    let messages: usize = credits.values().map(Vec::len).sum();
    let servers = credits.keys().map(|(addr, _)| addr).collect::<std::collections::BTreeSet<_>>().len();
    if !args.dry_run {
        credits.iter().try_for_each(|((addr, day), people)| credit(client, *addr, *day, people))?;
    }
    crate::say!(
        "{messages} good messages of the last 30 days from {servers} servers (at most 50 a day and server count)."
    );
    Ok(ExitCode::SUCCESS)
}

fn credit(client: &Client, addr: IpAddr, day: u32, people: &[String]) -> Result<(), Failed> {
    let (prefix, at) = (client_prefix(addr).to_string(), u64::from(day) * 86_400 + 43_200);
    send(client, &Wish::Credit { prefix, at, people: people.to_vec() })
}

fn send(client: &Client, wish: &Wish) -> Result<(), Failed> {
    let body = serde_json::to_string(wish).map_err(|e| e.to_string())?;
    Ok(client.post("/v1/order", body).map(drop)?)
}

fn read(path: &Path, now: Millis, credits: &mut Credits) -> Result<(), Failed> {
    let named = |e: std::io::Error| Failed::Here(format!("{}: expected a mail log, but {e}", path.display()));
    let mut file = BufReader::new(File::open(path).map_err(named)?);
    let gzip = file.fill_buf().map_err(named)?.starts_with(&[0x1f, 0x8b]);
    let mut lines: Box<dyn BufRead> = if gzip {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    };
    let mut open: HashMap<Vec<u8>, IpAddr> = HashMap::new();
    let mut bytes = Vec::new();
    while lines.read_until(b'\n', &mut bytes).map_err(named)? > 0 {
        if let Some(line) = maillog::parse(bytes.trim_ascii_end()) {
            take(&line, now, &mut open, credits);
        }
        bytes.clear();
    }
    Ok(())
}

fn take(line: &maillog::Line<'_>, now: Millis, open: &mut HashMap<Vec<u8>, IpAddr>, credits: &mut Credits) {
    match line.event {
        Event::Client { addr, authenticated: false } if open.len() < OPEN_MAX => {
            open.insert(line.queue_id.to_vec(), addr);
        }
        Event::Client { .. } => {}
        Event::Removed => drop(open.remove(line.queue_id)),
        Event::Sent { recipient } => {
            let (Some(addr), Some(at)) = (open.get(line.queue_id), time(line.stamp, now)) else { return };
            if now.since(at) <= MEMORY && at <= now {
                let people = credits.entry((*addr, at.day())).or_default();
                add(people, String::from_utf8_lossy(recipient).into_owned());
            }
        }
    }
}

/// Adds one message, under the caps of a day: 5 for one recipient, 50 in all (C.0).
fn add(people: &mut Vec<String>, recipient: String) {
    let same = people.iter().filter(|p| **p == recipient).count();
    if people.len() < usize::from(CREDIT_PER_DAY_MAX) && same < usize::from(CREDIT_PER_RECIPIENT_MAX) {
        people.push(recipient);
    }
}

/// A stamp without a year is the latest such day that is not in the future.
fn time(stamp: Stamp, now: Millis) -> Option<Millis> {
    let at = |days: i64, second: i64| u64::try_from(days * 86_400 + second).ok().map(Millis::from_secs);
    match stamp {
        Stamp::Unix(second) => at(0, second),
        Stamp::Yearless { month, day, second } => {
            let year = i64::from(
                jiff::Timestamp::from_millisecond(i64::try_from(now.0).ok()?)
                    .ok()?
                    .strftime("%Y")
                    .to_string()
                    .parse::<i16>()
                    .ok()?,
            );
            let of = |year| at(maillog::days(year, i64::from(month), i64::from(day))?, i64::from(second));
            // A clock a day ahead, or another time zone, is not next year.
            of(year).filter(|t| *t <= now.plus(Secs::DAY)).or_else(|| of(year - 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
Nov 20 10:00:00 mx postfix/smtpd[7]: 7490499CC21: client=mail.example.org[192.0.2.1]
Nov 20 10:00:01 mx postfix/lmtp[9]: 7490499CC21: to=<u@example.net>, relay=x, dsn=2.0.0, status=sent (250 ok)
Nov 20 10:00:01 mx postfix/lmtp[9]: 7490499CC21: to=<v@example.net>, relay=x, dsn=5.0.0, status=bounced (550 no)
Nov 20 10:00:02 mx postfix/qmgr[8]: 7490499CC21: removed
Nov 20 10:00:03 mx postfix/lmtp[9]: 7490499CC21: to=<w@example.net>, relay=x, dsn=2.0.0, status=sent (250 ok)
Nov 20 10:01:00 mx postfix/smtpd[7]: AAAAA99CC21: client=home.example[192.0.2.2], sasl_method=PLAIN
Nov 20 10:01:01 mx postfix/lmtp[9]: AAAAA99CC21: to=<u@example.net>, relay=x, dsn=2.0.0, status=sent (250 ok)
Sep 20 10:01:00 mx postfix/smtpd[7]: BBBBB99CC21: client=old.example[192.0.2.3]
Sep 20 10:01:01 mx postfix/lmtp[9]: BBBBB99CC21: to=<u@example.net>, relay=x, dsn=2.0.0, status=sent (250 ok)
";

    #[test]
    fn only_what_strangers_delivered_in_thirty_days_is_credit() {
        let dir = crate::testing::Scratch::new("learn");
        let path = dir.path().join("mail.log");
        std::fs::write(&path, LOG).unwrap();
        let mut credits = Credits::new();
        let now = Millis::from_secs(1_795_282_800); // 2026-11-21 17:40 UTC
        assert!(read(&path, now, &mut credits).is_ok());
        let all: Vec<_> =
            credits.iter().map(|((addr, _), people)| (addr.to_string(), people.clone())).collect();
        assert_eq!(all, [("192.0.2.1".to_owned(), vec!["u@example.net".to_owned()])]);
    }

    #[test]
    fn a_stamp_without_a_year_is_the_latest_that_has_been() {
        let now = Millis::from_secs(1_767_312_000); // 2026-01-02
        let december = Stamp::Yearless { month: 12, day: 31, second: 0 };
        assert_eq!(time(december, now), Some(Millis::from_secs(1_767_139_200)));
    }
}
