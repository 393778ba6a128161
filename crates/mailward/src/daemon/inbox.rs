//! Mail to Mailward itself: what users report (OFF-4).
//!
//! A report is a claim. What counts of it is the queue id in our own topmost Received field
//! (ADV-2); the engine looks it up among the messages that we took, and what it does not find
//! counts for nothing. Every report lies on a shelf for the operator, for a month and
//! bounded in number: some of them only a person can read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use edge::lmtp::{Delivered, Mailbox, Reply};
use edge::{Clock, Intake, Persons};
use model::key::fold;
use model::observation::{Fact, Reported, Sensor, Vote};
use model::{Millis, Name, Observation, Prefix, Secs};
use std::sync::Arc;
use wire::arf::{self, NotAReport, Report};

use super::intake::Queue;
use crate::config::Config;

/// Reports on the shelf.
const SHELF_MAX: usize = 1000;
/// Octets of one report that are shelved: the text and the headers behind it.
const SHELVED_LEN_MAX: usize = 256 * 1024;
/// How long a report lies there.
const SHELVED: Secs = Secs(30 * 86_400);

/// Takes reports, from users' mail and from their junk buttons.
pub(crate) struct Inbox {
    config: Config,
    mx: Name,
    names: Vec<Name>,
    persons: Persons,
    queue: Arc<Queue>,
    clock: Clock,
    shelf: PathBuf,
    numbers: AtomicU64,
}

/// What became of one report.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Taken {
    /// So many messages in it may be ours; the engine looks them up.
    Counted(usize),
    /// It names none of ours: for the operator.
    Unmatched,
}

impl Inbox {
    /// An inbox with its shelf in the data directory.
    pub(crate) fn new(
        config: &Config,
        mx: &Name,
        names: &[Name],
        persons: Persons,
        queue: Arc<Queue>,
        clock: Clock,
    ) -> Inbox {
        let shelf = config.data_dir().join("reports");
        let (mx, names) = (mx.clone(), names.to_vec());
        Inbox { config: config.clone(), mx, names, persons, queue, clock, shelf, numbers: AtomicU64::new(0) }
    }

    /// Takes a report that arrived as mail; `reporter` is its envelope sender.
    ///
    /// # Errors
    ///
    /// Why it is no report, for the person who sent it.
    pub(crate) fn mail(&self, reporter: &[u8], raw: &[u8]) -> Result<Taken, String> {
        self.shelve(raw);
        let report = arf::parse_report(raw).map_err(|why| no_report(&why))?;
        Ok(self.count(reporter, &report))
    }

    /// Takes a message itself, as a junk button hands it over.
    ///
    /// # Errors
    ///
    /// Why it is no message.
    pub(crate) fn button(&self, reporter: &[u8], raw: &[u8], vote: Vote) -> Result<Taken, String> {
        let vote = match vote {
            Vote::Junk => arf::Vote::Junk,
            Vote::NotJunk => arf::Vote::NotJunk,
        };
        let report = arf::parse_bare(raw, vote).map_err(|why| no_report(&why))?;
        let taken = self.count(reporter, &report);
        if taken == Taken::Unmatched {
            self.shelve(raw);
        }
        Ok(taken)
    }

    fn count(&self, reporter: &[u8], report: &Report) -> Taken {
        let (Some(vote), Some(reporter)) = (report.vote, self.persons.person(reporter)) else {
            return Taken::Unmatched;
        };
        let names: Vec<&[u8]> = self.names.iter().map(Name::as_bytes).collect();
        let mut counted = 0;
        for original in &report.originals {
            let Some(found) = arf::ours(original, &names) else { continue };
            let reported = Reported {
                queue: self.persons.queue(self.mx_of(&found.mx), &found.queue_id),
                reporter,
                sender_domain: original.from_domain.as_deref().and_then(|d| self.persons.domain(d)),
                vote: match vote {
                    arf::Vote::Junk => Vote::Junk,
                    arf::Vote::NotJunk => Vote::NotJunk,
                },
                client: found.from_ip.map(|ip| Prefix::host(fold(ip))),
                taken_at: found.at_secs.map(Millis::from_secs),
            };
            let (at, session) = (self.clock.now(), reported.queue);
            let seen = Observation { at, sensor: Sensor::Report, session, fact: Fact::Reported(reported) };
            counted += usize::from(self.queue.offer(seen).is_ok());
        }
        if counted > 0 { Taken::Counted(counted) } else { Taken::Unmatched }
    }

    /// Each of our own names means this host, as for verdicts; another host's queue ids are
    /// its own.
    fn mx_of<'a>(&'a self, named: &'a [u8]) -> &'a [u8] {
        let own = self.names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(named));
        if own { self.mx.as_bytes() } else { named }
    }

    fn shelve(&self, raw: &[u8]) {
        let number = self.numbers.fetch_add(1, Relaxed);
        let name = format!("{}-{number}.eml", self.clock.now().0);
        if let Err(error) = self.put(&name, &raw[..raw.len().min(SHELVED_LEN_MAX)]) {
            tracing::warn!(%error, "a report can not be kept for the operator");
        }
    }

    fn put(&self, name: &str, raw: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.shelf)?;
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(self.shelf.join(name))?;
        io::Write::write_all(&mut file, raw)?;
        tidy(&self.shelf, self.clock.now())
    }

    /// Reports on the shelf.
    pub(crate) fn shelved(&self) -> usize {
        fs::read_dir(&self.shelf).map_or(0, Iterator::count)
    }
}

/// Takes what is too old, and the oldest of too many, off the shelf.
fn tidy(shelf: &Path, now: Millis) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(shelf)?.filter_map(|e| Some(e.ok()?.file_name())).collect();
    // Names begin with the time, thirteen digits until the year 2286.
    names.sort();
    let oldest = now.minus(SHELVED);
    let too_many = names.len().saturating_sub(SHELF_MAX);
    for (at, name) in names.iter().enumerate() {
        let since = name.to_str().and_then(|n| n.split_once('-')).and_then(|(ms, _)| ms.parse().ok());
        if at < too_many || since.is_some_and(|ms| Millis(ms) < oldest) {
            match fs::remove_file(shelf.join(name)) {
                // Another report was tidied for at the same time.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

fn no_report(why: &NotAReport) -> String {
    format!("{why}; please forward the message as an attachment")
}

impl Mailbox for Inbox {
    fn accepts(&self, recipient: &[u8]) -> Result<(), Reply> {
        let known = std::str::from_utf8(recipient).is_ok_and(|address| self.config.takes_reports(address));
        if known { Ok(()) } else { Err(Reply::Refused("no such address here".into())) }
    }

    fn deliver(&self, mail: Delivered) -> Reply {
        match self.mail(&mail.sender, &mail.raw) {
            Ok(taken) => tracing::info!(?taken, "report taken"),
            // It lies on the shelf: a person wrote in words of their own.
            Err(why) => tracing::info!(why, "mail that is no report"),
        }
        Reply::Taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use crossbeam_channel::{Receiver, bounded};
    use model::Input;

    const CONFIG: &str = "[own]\nnames = ['mx.example.org', 'example.org']\n";
    const SPAM: &str = "Received: from bad.example.net (unknown [192.0.2.9]) by mx.example.org (Postfix) with SMTP id \
                        4T9K; Sat, 21 Nov 2026 21:39:34 +0000\r\nFrom: x@shop.example\r\nSubject: buy\r\n\r\nbuy\r\n";

    fn inbox(dir: &Scratch) -> (Inbox, Receiver<Input>) {
        let config = format!("data-dir = '{}'\n{CONFIG}", dir.path().display());
        let config = Config::from_str("t.toml", &config).unwrap();
        let (into, inputs) = bounded(10);
        let names = [Name::new(b"mx.example.org"), Name::new(b"example.org")];
        let (queue, clock) = (Arc::new(Queue::new(into)), Clock::manual(Millis(1_795_297_174_000)));
        (Inbox::new(&config, &names[0], &names, Persons::new([1; 16]), queue, clock), inputs)
    }

    fn reported(input: &Input) -> &Reported {
        let Input::Observed(Observation { fact: Fact::Reported(reported), .. }) = input else {
            panic!("a report")
        };
        reported
    }

    fn forward(of: &str) -> String {
        format!(
            "From: user@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\n{of}\r\n--b--\r\n"
        )
    }

    #[test]
    fn a_forwarded_message_is_looked_up_by_our_own_queue_id() {
        let dir = Scratch::new("inbox");
        let (inbox, inputs) = inbox(&dir);
        let taken = inbox.mail(b"user@example.org", forward(SPAM).as_bytes());
        assert_eq!(taken, Ok(Taken::Counted(1)));
        let input = inputs.recv().unwrap();
        let expect = Persons::new([1; 16]).queue(b"mx.example.org", b"4T9K");
        assert_eq!((reported(&input).queue, reported(&input).vote), (expect, Vote::Junk));
        assert_eq!(inbox.shelved(), 1);
    }

    #[test]
    fn a_junk_button_hands_over_the_message_itself() {
        let dir = Scratch::new("inbox-button");
        let (inbox, inputs) = inbox(&dir);
        assert_eq!(inbox.button(b"user@example.org", SPAM.as_bytes(), Vote::NotJunk), Ok(Taken::Counted(1)));
        assert_eq!(reported(&inputs.recv().unwrap()).vote, Vote::NotJunk);
        let foreign = SPAM.replace("by mx.example.org", "by mx.example.net");
        assert_eq!(inbox.button(b"user@example.org", foreign.as_bytes(), Vote::Junk), Ok(Taken::Unmatched));
        assert_eq!((inputs.len(), inbox.shelved()), (0, 1));
    }

    #[test]
    fn words_of_a_person_are_kept_and_accuse_nobody() {
        let dir = Scratch::new("inbox-words");
        let (inbox, inputs) = inbox(&dir);
        let words = b"Received: from pc.example.org ([192.0.2.7]) by mx.example.org with ESMTP id 99; Sat, 21 Nov 2026 \
                      21:39:34 +0000\r\nSubject: help\r\n\r\nI get spam.\r\n";
        assert!(inbox.mail(b"user@example.org", words).is_err());
        assert_eq!((inputs.len(), inbox.shelved()), (0, 1));
    }

    #[test]
    fn the_shelf_is_bounded_in_number_and_age() {
        let dir = Scratch::new("inbox-shelf");
        let (inbox, _inputs) = inbox(&dir);
        fs::create_dir_all(&inbox.shelf).unwrap();
        let old = 1_795_297_174_000 - 31 * 86_400_000u64;
        fs::write(inbox.shelf.join(format!("{old}-0.eml")), "old").unwrap();
        (0..SHELF_MAX + 5).for_each(|_| inbox.shelve(b"x"));
        assert_eq!(inbox.shelved(), SHELF_MAX);
        assert!(!inbox.shelf.join(format!("{old}-0.eml")).exists());
    }
}
