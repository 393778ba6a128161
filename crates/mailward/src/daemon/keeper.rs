//! The keeper: the headers of a message become durable before the engine hears of it.
//!
//! One plain thread. What it is handed waits in a bounded queue; when that is full, or the
//! disk refuses, the message is reported as one whose headers are lost, and the engine takes
//! it for no evidence: no automatic block without evidence (DESIGN §3, invariant 5).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use edge::{Clock, Intake};
use hmac::{Hmac, KeyInit, Mac};
use ledger::{ExhibitRow, Exhibits};
use model::content::Kept;
use model::key::Domain;
use model::observation::Fact;
use model::{Exhibit, ExhibitId, Millis, Observation, exhibit};
use sha2::Sha256;

use super::intake::Queue;
use super::letters::late;
use super::pipeline;
use super::site_file::random;

/// Messages that wait: a burst of spam of a busy second …
const QUEUE: usize = 4096;
/// … and octets of their headers and recipients.
const HELD_MAX: usize = 64 << 20;
/// Messages that are made durable together.
const GROUP: usize = 64;
/// Sweeps at a time.
const SWEEPS_MAX: usize = 50;
/// Between two sweeps.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a year is, for the key of redacted recipients (PRI-1: ‘rotated yearly’).
const YEAR_MS: u64 = 366 * 86_400_000;

/// What the keeper is asked to do.
enum Errand {
    /// Store an exhibit, then report what names it.
    Keep(Box<Bad>),
    /// A case takes exhibits: they stay as long as its evidence. Answered when that is durable.
    Take(Vec<[u8; 16]>, Millis, Sender<Result<(), String>>),
}

/// A message that can become evidence, with all that is to be reported of it.
struct Bad {
    exhibit: Exhibit,
    seen: Vec<Observation>,
    size: usize,
}

/// The keeper's entrance.
pub(crate) struct Keeper {
    into: Sender<Errand>,
    queue: Arc<Queue>,
    /// Octets that wait.
    held: Arc<AtomicUsize>,
    /// Messages whose headers could not be kept.
    pub(crate) lost: Arc<AtomicU64>,
}

/// Who is told as a keyed hash, and at which domains.
pub(crate) struct Redaction {
    pub(crate) key: [u8; 16],
    pub(crate) ours: Vec<Domain>,
}

impl Keeper {
    /// Starts the thread; it ends when the last entrance is gone.
    pub(crate) fn start(
        exhibits: Exhibits,
        bytes_max: u64,
        redaction: Redaction,
        queue: Arc<Queue>,
        clock: Clock,
        stop: &Arc<AtomicBool>,
    ) -> std::io::Result<(Keeper, JoinHandle<()>)> {
        let (into, errands) = bounded(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let held = Arc::<AtomicUsize>::default();
        let (queue1, lost1, held1) = (queue.clone(), lost.clone(), held.clone());
        let room = Room { exhibits, bytes_max, redaction, queue: queue1, clock, lost: lost1, held: held1 };
        let thread = pipeline::spawn("keeper", stop, move || room.work(&errands))?;
        Ok((Keeper { into, queue, held, lost }, thread))
    }

    /// Keeps an exhibit and reports, when it is durable, what was seen of its message.
    pub(crate) fn keep(&self, exhibit: Exhibit, seen: Vec<Observation>) {
        let size = late::size(&exhibit);
        if self.held.fetch_add(size, Relaxed) > HELD_MAX {
            self.held.fetch_sub(size, Relaxed);
            return self.lose(seen);
        }
        let errand = Errand::Keep(Box::new(Bad { exhibit, seen, size }));
        let Err(back) = self.into.try_send(errand) else { return };
        if let Errand::Keep(bad) = back.into_inner() {
            self.held.fetch_sub(size, Relaxed);
            self.lose(bad.seen);
        }
    }

    fn lose(&self, seen: Vec<Observation>) {
        self.lost.fetch_add(1, Relaxed);
        report(&self.queue, seen, Kept::Lost);
    }

    /// Waits until everything that was handed in before is reported.
    pub(crate) fn flush(&self) {
        let _ = self.take(Vec::new(), Millis(0));
    }

    /// A case takes these; returns when that is durable, for its event must not be before.
    ///
    /// # Errors
    ///
    /// What the disk says, or that the keeper has ended.
    pub(crate) fn take(&self, ids: Vec<ExhibitId>, until: Millis) -> Result<(), String> {
        let (done, wait) = bounded(1);
        let errand = Errand::Take(ids.into_iter().map(|id| id.0).collect(), until, done);
        self.into.send(errand).map_err(|_| "the keeper of headers has ended".to_owned())?;
        wait.recv().map_err(|_| "the keeper of headers has ended".to_owned())?
    }
}

/// Where the keeper works.
struct Room {
    exhibits: Exhibits,
    bytes_max: u64,
    redaction: Redaction,
    queue: Arc<Queue>,
    clock: Clock,
    lost: Arc<AtomicU64>,
    held: Arc<AtomicUsize>,
}

impl Room {
    fn work(mut self, errands: &Receiver<Errand>) {
        let mut swept = Instant::now();
        loop {
            let mut next = match errands.recv_timeout(SWEEP) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (mut bad, mut taken) = (Vec::new(), Vec::new());
            while let Some(errand) = next {
                match errand {
                    Errand::Keep(one) => bad.push(*one),
                    Errand::Take(ids, until, done) => taken.push((ids, until, done)),
                }
                next = if bad.len() < GROUP { errands.try_recv().ok() } else { None };
            }
            self.keep(bad);
            for (ids, until, done) in taken {
                // Who does not wait any more is stopping.
                let _ = done.send(self.exhibits.take(&ids, until.0).map_err(|e| e.to_string()));
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep();
            }
        }
    }

    fn keep(&mut self, bad: Vec<Bad>) {
        if bad.is_empty() {
            return;
        }
        let size: usize = bad.iter().map(|one| one.size).sum();
        self.held.fetch_sub(size, Relaxed);
        let (named, bad, broken) = self.redacted(bad);
        self.lose(broken);
        let (named, rows): (Vec<_>, Vec<_>) = named.into_iter().map(|row| (row.id, row)).unzip();
        if let Err(error) = self.exhibits.put(&rows) {
            tracing::error!(%error, "headers can not be kept; their messages are no evidence");
            return self.lose(bad);
        }
        for (one, id) in bad.into_iter().zip(named) {
            report(&self.queue, one.seen, Kept::Stored(ExhibitId(id)));
        }
    }

    /// The rows of some messages. One whose headers can not be redacted is a defect of ours, and
    /// is lost instead of ending the thread.
    fn redacted(&self, bad: Vec<Bad>) -> (Vec<ExhibitRow>, Vec<Bad>, Vec<Bad>) {
        let (mut rows, mut good, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        for one in bad {
            let row = random::<16>().and_then(|id| {
                catch_unwind(AssertUnwindSafe(|| self.row(&one, id))).map_err(|_| "a panic".to_owned())
            });
            match row {
                Ok(row) => {
                    rows.push(row);
                    good.push(one);
                }
                Err(_) => broken.push(one),
            }
        }
        (rows, good, broken)
    }

    fn lose(&self, bad: Vec<Bad>) {
        self.lost.fetch_add(bad.len() as u64, Relaxed);
        bad.into_iter().for_each(|one| report(&self.queue, one.seen, Kept::Lost));
    }

    fn row(&self, bad: &Bad, id: [u8; 16]) -> ExhibitRow {
        let now = self.clock.now();
        let person = |address: &[u8]| self.redaction.person(address, now);
        let redacted = answers::redact::redact(&bad.exhibit, &person, &self.redaction.ours);
        ExhibitRow {
            id,
            redacted: model::event::cbor(&redacted),
            full: model::event::cbor(&bad.exhibit),
            full_until_ms: now.plus(exhibit::FULL_KEPT).0,
            until_ms: now.plus(exhibit::UNTAKEN_KEPT).0,
        }
    }

    fn sweep(&mut self) {
        // A flood may bring more than one sweep takes away.
        for _ in 0..SWEEPS_MAX {
            match self.exhibits.sweep(self.clock.now().0, self.bytes_max) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return tracing::warn!(%error, "expired headers can not be erased"),
            }
        }
    }
}

impl Redaction {
    /// PRI-1: ten digits of base 32 of a keyed hash, with another key each year (RFC 6590).
    fn person(&self, address: &[u8], now: Millis) -> String {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(b"redacted recipient");
        mac.update(&(now.0 / YEAR_MS).to_be_bytes());
        mac.update(&address.to_ascii_lowercase());
        let hash = mac.finalize().into_bytes();
        hash.iter().take(10).map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
    }
}

/// Reports what was seen, its messages with what became of their headers.
fn report(queue: &Queue, seen: Vec<Observation>, kept: Kept) {
    for mut one in seen {
        if let Fact::Message(message) = &mut one.fact
            && let Some(content) = &mut message.content
        {
            content.kept = kept;
        }
        // A full queue counts for itself.
        let _ = queue.offer(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use model::Input;
    use model::content::Content;
    use model::observation::{Client, Message, Rdns, Sensor};

    fn exhibit() -> Exhibit {
        let addr = "192.0.2.1".parse().unwrap();
        let client = Client { addr, port: 25, helo: None, rdns: Rdns::Missing, authenticated: false };
        Exhibit {
            at: Millis(1),
            client,
            received: b" from x by mx.example.org".to_vec(),
            fields: Vec::new(),
            fields_whole: true,
            sender: b"a@example.com".to_vec(),
            recipients: Vec::new(),
            recipients_more: 0,
            trap: false,
            opinions: Vec::new(),
            attachments: Vec::new(),
            size: 1,
            body_hash: None,
        }
    }

    fn seen() -> Vec<Observation> {
        let content = Some(Box::new(Content::default()));
        let fact = Fact::Message(Message { queue: Some(1), recipients: 1, size: 1, content });
        vec![Observation { at: Millis(1), sensor: Sensor::Milter, session: 1, fact }]
    }

    fn kept_of(input: Input) -> Kept {
        let Input::Observed(seen) = input else { panic!("an observation") };
        let Fact::Message(message) = seen.fact else { panic!("a message") };
        message.content.unwrap().kept
    }

    fn redaction() -> Redaction {
        Redaction { key: [7; 16], ours: Vec::new() }
    }

    #[test]
    fn a_message_is_reported_when_its_headers_are_on_disk() {
        let dir = Scratch::new("keeper");
        let store = ledger::DataDir::open(dir.path()).unwrap();
        let (into, inputs) = bounded(10);
        let queue = Arc::new(Queue::new(into));
        let clock = Clock::manual(Millis(1_000_000));
        let exhibits = Exhibits::open(&store).unwrap();
        let stop = Arc::new(AtomicBool::new(true));
        let (keeper, thread) = Keeper::start(exhibits, 1 << 20, redaction(), queue, clock, &stop).unwrap();
        keeper.keep(exhibit(), seen());
        let Kept::Stored(id) = kept_of(inputs.recv().unwrap()) else { panic!("stored") };
        let reader = Exhibits::open_to_read(&store.exhibits()).unwrap();
        let full: Exhibit = minicbor::decode(&reader.full(id.0).unwrap().unwrap()).unwrap();
        assert_eq!(full, exhibit());
        keeper.take(vec![id], Millis(99_000_000_000)).unwrap();
        drop(keeper);
        thread.join().unwrap();
        drop(reader);
        let mut exhibits = Exhibits::open(&store).unwrap();
        assert_eq!(exhibits.sweep(98_000_000_000, 0).unwrap(), 0, "a case took it");
    }

    #[test]
    fn headers_that_can_not_be_kept_are_reported_as_lost() {
        let dir = Scratch::new("keeper-lost");
        let store = ledger::DataDir::open(dir.path()).unwrap();
        drop(Exhibits::open(&store).unwrap());
        let (into, inputs) = bounded(10);
        let queue = Arc::new(Queue::new(into));
        // A connection that only reads stands for a disk that takes nothing any more.
        let exhibits = Exhibits::open_to_read(&store.exhibits()).unwrap();
        let clock = Clock::manual(Millis(1_000_000));
        let stop = Arc::new(AtomicBool::new(true));
        let (keeper, thread) = Keeper::start(exhibits, 1 << 20, redaction(), queue, clock, &stop).unwrap();
        keeper.keep(exhibit(), seen());
        assert_eq!(kept_of(inputs.recv().unwrap()), Kept::Lost);
        assert_eq!(keeper.lost.load(Relaxed), 1);
        drop(keeper);
        thread.join().unwrap();
    }

    #[test]
    fn a_redacted_recipient_is_the_same_all_year_and_another_next_year() {
        let of = |address: &[u8], now| redaction().person(address, Millis(now));
        assert_eq!(of(b"A@example.org", 5), of(b"a@example.org", YEAR_MS - 1));
        assert_ne!(of(b"a@example.org", 5), of(b"a@example.org", YEAR_MS));
        assert_ne!(of(b"a@example.org", 5), of(b"b@example.org", 5));
        assert_eq!(of(b"a@example.org", 5).len(), 10);
    }
}
