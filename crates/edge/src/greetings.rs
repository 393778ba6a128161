//! HELO names that strangers greet with, and what DNS says of them (S78).
//!
//! Nobody who answers waits for DNS: a name that was not looked up yet is put into a queue, and
//! the answer is that of a name of which nothing is known. Who looks names up takes them from
//! the queue and hands the answers in. A meter (DESIGN §4, invariant 3): bounded, lossy,
//! forgotten at a restart. What stays is the engine's: it hears of each answer.
//!
//! Strangers choose the names, so the looks are bounded, too: so many a second, each name
//! once an hour while it does not exist and once a day while it does. What is beyond is
//! dropped and counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Client, Millis, Name, Secs};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Names that are told apart: a day of a busy site's strangers; about 2 MB.
const NAMES_MAX: usize = 16_384;
/// Names that wait to be looked up.
const QUEUE_LEN: usize = 256;
/// Looks a second: a resolver on this machine does a hundred times as many.
const LOOKS_PER_SECOND: u32 = 50;
/// A name that exists is looked up again after this time.
const EXISTS_FOR: Secs = Secs::DAY;
/// One that does not: who repairs it shall not wait long.
const ABSENT_FOR: Secs = Secs::HOUR;
/// One that DNS did not answer for, or that waits in the queue.
const AGAIN: Secs = Secs(600);

/// What DNS said of a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Existence {
    /// There is no such name (NXDOMAIN).
    Absent,
    /// It exists.
    Exists,
    /// Nothing, or a failure: no opinion.
    Unknown,
}

/// Names and what is known of them.
#[derive(Debug)]
pub struct Greetings {
    table: Mutex<Table>,
    queue: Sender<Name>,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    names: HashMap<Name, Known>,
    swept_at: u64,
    /// Looks in one second.
    second: u64,
    looks: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    existence: Existence,
    /// When it is looked up again.
    due: Millis,
}

impl Greetings {
    /// Nothing is known yet; the receiver is for who looks names up.
    pub fn new() -> (Greetings, Receiver<Name>) {
        let (queue, names) = channel(QUEUE_LEN);
        (Greetings { table: Mutex::default(), queue, dropped: AtomicU64::new(0) }, names)
    }

    /// Meets a stranger: whether DNS lately said that its name does not exist. A name that is
    /// due is put into the queue.
    pub fn meet(&self, client: &Client, now: Millis) -> bool {
        let Some(name) = client.helo.as_ref().filter(|name| is_host_name(name.as_bytes())) else {
            return false;
        };
        let mut table = self.table();
        let known = table.names.get(name).copied();
        if known.is_none_or(|known| known.due <= now) && !self.ask(name, known, &mut table, now) {
            self.dropped.fetch_add(1, Relaxed);
        }
        known.is_some_and(|known| known.existence == Existence::Absent)
    }

    fn ask(&self, name: &Name, known: Option<Known>, table: &mut Table, now: Millis) -> bool {
        if known.is_none() && !table.has_room(now) || !table.may_look(now) {
            return false;
        }
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = self.queue.try_send(name.clone()) {
            return false;
        }
        let existence = known.map_or(Existence::Unknown, |known| known.existence);
        table.names.insert(name.clone(), Known { existence, due: now.plus(AGAIN) });
        true
    }

    /// Takes in what DNS said; what was known before.
    pub fn found(&self, name: &Name, existence: Existence, now: Millis) -> Existence {
        let mut table = self.table();
        let Some(known) = table.names.get_mut(name) else { return Existence::Unknown };
        let before = known.existence;
        let again = match existence {
            Existence::Absent => ABSENT_FOR,
            Existence::Exists => EXISTS_FOR,
            Existence::Unknown => AGAIN,
        };
        // Silence says nothing of what was known.
        let existence = if existence == Existence::Unknown { before } else { existence };
        *known = Known { existence, due: now.plus(again) };
        before
    }

    /// Whether DNS lately said that a name does not exist.
    pub fn is_absent(&self, name: Option<&Name>) -> bool {
        let known = name.and_then(|name| self.table().names.get(name).copied());
        known.is_some_and(|known| known.existence == Existence::Absent)
    }

    /// Names that were not looked up, because there were too many.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn has_room(&mut self, now: Millis) -> bool {
        if self.names.len() >= NAMES_MAX && self.swept_at != now.secs() {
            self.swept_at = now.secs();
            self.names.retain(|_, known| known.due > now);
        }
        self.names.len() < NAMES_MAX
    }

    fn may_look(&mut self, now: Millis) -> bool {
        if self.second != now.secs() {
            (self.second, self.looks) = (now.secs(), 0);
        }
        self.looks += 1;
        self.looks <= LOOKS_PER_SECOND
    }
}

/// Whether a greeting is a name that DNS can be asked for: labels of letters, digits, hyphens and
/// underscores, two at least, the last not of digits.
fn is_host_name(name: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    name.len() <= 253
        && name.contains(&b'.')
        && name.split(|byte| *byte == b'.').all(is_label)
        && !last.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Rdns;

    fn at(secs: u64) -> Millis {
        Millis::from_secs(1_795_300_800 + secs)
    }

    fn client(helo: &str) -> Client {
        let (addr, helo) = ("192.0.2.25".parse().unwrap(), Some(Name::new(helo.as_bytes())));
        Client { addr, port: 0, helo, rdns: Rdns::Missing, authenticated: false }
    }

    fn waiting(names: &mut Receiver<Name>) -> usize {
        std::iter::from_fn(|| names.try_recv().ok()).count()
    }

    #[test]
    fn s78_nobody_waits_and_the_answer_counts_from_the_next_time_on() {
        let (greetings, mut names) = Greetings::new();
        let met = |secs| greetings.meet(&client("mx.bot.example"), at(secs));
        let name = Name::new(b"mx.bot.example");
        assert_eq!([met(0), met(1)], [false, false]);
        assert_eq!(waiting(&mut names), 1, "one look is enough");
        assert_eq!(greetings.found(&name, Existence::Absent, at(2)), Existence::Unknown);
        assert!(met(3) && greetings.is_absent(Some(&name)));
        assert_eq!((met(3601), waiting(&mut names)), (true, 0));
        assert_eq!((met(3602), waiting(&mut names)), (true, 1), "an hour later it is asked again");
        assert_eq!(greetings.found(&name, Existence::Exists, at(3603)), Existence::Absent);
        assert_eq!((met(3604), met(3604 + 86_398), waiting(&mut names)), (false, false, 0));
    }

    #[test]
    fn s78_silence_says_nothing_and_is_asked_again_soon() {
        let (greetings, mut names) = Greetings::new();
        let met = |secs| greetings.meet(&client("mx.bot.example"), at(secs));
        let name = Name::new(b"mx.bot.example");
        met(0);
        greetings.found(&name, Existence::Unknown, at(1));
        assert_eq!((met(600), waiting(&mut names)), (false, 1));
        assert_eq!((met(601), waiting(&mut names)), (false, 1));
        greetings.found(&name, Existence::Absent, at(602));
        greetings.found(&name, Existence::Unknown, at(4202));
        assert!(met(4203), "a failure does not take back what was known");
    }

    #[test]
    fn what_is_no_host_name_is_not_asked_for() {
        let (greetings, mut names) = Greetings::new();
        for helo in
            ["", ".", "pc", "[192.0.2.25]", "192.0.2.25", "a..example", "a b.example", "x.\u{e9}", "-"]
        {
            assert!(!greetings.meet(&client(helo), at(0)));
        }
        greetings.meet(&client(&format!("{}.example", "a".repeat(64))), at(0));
        assert_eq!(waiting(&mut names), 0);
        greetings.meet(&client("my_pc.example"), at(0));
        assert_eq!(waiting(&mut names), 1);
    }

    #[test]
    fn adv_11_looks_and_names_are_bounded_and_what_is_dropped_is_counted() {
        let (greetings, mut names) = Greetings::new();
        let flood = |second: u64, n: usize| {
            (0..n).for_each(|i| _ = greetings.meet(&client(&format!("n{i}.s{second}.example")), at(second)));
        };
        flood(0, 90);
        assert_eq!((waiting(&mut names), greetings.dropped()), (50, 40));
        (1..400).for_each(|second| {
            flood(second, 50);
            waiting(&mut names);
        });
        assert_eq!(greetings.table().names.len(), NAMES_MAX);
        flood(1000, 50);
        assert!(greetings.table().names.len() < NAMES_MAX, "those that are due again make room");
    }

    #[test]
    fn a_queue_that_nobody_reads_holds_nobody_up() {
        let (greetings, names) = Greetings::new();
        drop(names);
        assert!(!greetings.meet(&client("mx.bot.example"), at(0)));
        assert_eq!(greetings.dropped(), 1);
    }
}
