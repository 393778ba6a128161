//! Load for DNS servers: finished questions over UDP, in batches.
//!
//! A closed loop keeps a window of questions outstanding; with a rate, questions go out
//! when they are due and latency counts from then, so that a server that stalls can not
//! slow its measurement down. Prints one JSON object with what it measured.

use std::io::IoSlice;
use std::net::{SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::socket::{MultiHeaders, SockaddrIn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use super::batch::{BATCH, Batch, connect};
use super::question;
use crate::bench::histogram::Histogram;
use crate::bench::meter::{Meter, Pinned, processor_time};
use crate::error::TaskError;

/// Questions of one send.
const SEND_MAX: usize = 32;

/// Outstanding questions of a socket whose rate is fixed: message ids must not return.
const OUTSTANDING_MAX: usize = 30_000;

/// What is not answered after this long was dropped.
const LOST_AFTER: Duration = Duration::from_millis(100);

/// Nanoseconds of a second.
const SECOND: u128 = 1_000_000_000;

/// How long a generator that shares its core sleeps when nothing is to be done.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Whom to load, how and for how long.
#[derive(Args)]
pub(crate) struct LoadOptions {
    /// Where the server listens: loopback, or a namespace of the bench's own.
    #[arg(long)]
    address: SocketAddrV4,
    /// Finished questions.
    #[arg(long)]
    questions: PathBuf,
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Questions outstanding on all sockets together.
    #[arg(long, default_value_t = 100)]
    window: usize,
    /// Questions a second, instead of a window.
    #[arg(long)]
    rate: Option<u64>,
    /// Sockets: a server with several threads tells them apart by the port.
    #[arg(long, default_value_t = 1)]
    sockets: usize,
    /// The core that this generator keeps to; without one it sleeps when it may.
    #[arg(long)]
    core: Option<usize>,
    /// The server's process; may be given more than once.
    #[arg(long)]
    process: Vec<u32>,
}

/// Loads the server and prints what it measured.
pub(crate) fn load(options: &LoadOptions) -> Result<bool, TaskError> {
    let ip = options.address.ip();
    if !(ip.is_loopback() || ip.is_private()) {
        return Err(TaskError::Missing {
            what: "a loopback address".into(),
            way_out: "give one; load never leaves this machine".into(),
        });
    }
    let _pinned = options.core.map(Pinned::to).transpose()?;
    let bytes = std::fs::read(&options.questions).map_err(TaskError::file(&options.questions))?;
    let questions = question::load(&bytes).filter(|all| !all.is_empty());
    let questions = questions.ok_or_else(|| TaskError::Unreadable {
        what: options.questions.display().to_string(),
        expected: "finished questions",
        got: "a cut or empty file".into(),
    })?;
    let lines: std::io::Result<Vec<_>> =
        (0..options.sockets.max(1)).map(|_| Line::to(options.address)).collect();
    let lines = lines.map_err(TaskError::system("connect to the server"))?;
    let mut generator = Generator { options, questions, next: start(), lines, told: Told::default() };
    let everyone: Vec<u32> = options.process.iter().copied().chain([std::process::id()]).collect();
    let (meter, spent) = (Meter::read(&everyone), processor_time(&options.process));
    let begun = Instant::now();
    generator.run(begun).map_err(TaskError::system("load the server"))?;
    let lasted = begun.elapsed();
    let spent = processor_time(&options.process).saturating_sub(spent);
    let waited = Meter::read(&everyone).since(&meter).waited;
    println!("{}", generator.told.report(lasted, spent, waited));
    Ok(true)
}

/// When a question is due, counted from the begin.
fn due_after(question: u64, rate: u64) -> Duration {
    Duration::from_nanos((u128::from(question) * SECOND / u128::from(rate.max(1))) as u64)
}

/// Where in the questions a run begins: two runs in a row must not find a warm cache.
fn start() -> usize {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.subsec_nanos() as usize
}

/// One socket and what is outstanding on it.
struct Line {
    socket: UdpSocket,
    headers: MultiHeaders<SockaddrIn>,
    batch: Batch,
    /// By message id: when the question was due, if it is outstanding.
    due: Vec<Option<Instant>>,
    id: u16,
    outstanding: usize,
    heard: Instant,
}

/// What was measured.
struct Told {
    latency: Histogram,
    sent: u64,
    lost: u64,
    listed: u64,
    /// Answers that say neither "listed" nor "no such name".
    others: u64,
}

impl Default for Told {
    fn default() -> Self {
        Self { latency: Histogram::new(), sent: 0, lost: 0, listed: 0, others: 0 }
    }
}

struct Generator<'a> {
    options: &'a LoadOptions,
    questions: Vec<Vec<u8>>,
    next: usize,
    lines: Vec<Line>,
    told: Told,
}

impl Generator<'_> {
    fn run(&mut self, begun: Instant) -> std::io::Result<()> {
        let until = begun + Duration::from_secs_f64(self.options.seconds);
        let mut now = begun;
        while now < until {
            let mut idle = true;
            for at in 0..self.lines.len() {
                idle &= self.ask(at, begun, now) == 0;
                now = Instant::now();
                idle &= self.lines[at].hear(&mut self.told, now)? == 0;
            }
            if idle && self.options.core.is_none() {
                self.nap()?;
                now = Instant::now();
            }
        }
        Ok(())
    }

    /// How many questions may go out on a line now.
    fn allowed(&self, line: &Line, begun: Instant, now: Instant) -> usize {
        let room = match self.options.rate {
            Some(rate) => {
                let due = (now - begun).as_nanos() * u128::from(rate) / SECOND;
                let open = (due as u64).saturating_sub(self.told.sent) as usize;
                open.min(OUTSTANDING_MAX.saturating_sub(line.outstanding))
            }
            None => (self.options.window / self.lines.len()).saturating_sub(line.outstanding),
        };
        room.min(SEND_MAX)
    }

    fn ask(&mut self, at: usize, begun: Instant, now: Instant) -> usize {
        let allowed = self.allowed(&self.lines[at], begun, now);
        if allowed == 0 {
            return 0;
        }
        let line = &mut self.lines[at];
        let count = self.questions.len();
        let first = self.next % count;
        for step in 0..allowed {
            let id = line.id.wrapping_add(step as u16);
            self.questions[(first + step) % count][..2].copy_from_slice(&id.to_be_bytes());
            line.due[usize::from(id)] = Some(match self.options.rate {
                Some(rate) => begun + due_after(self.told.sent + step as u64, rate),
                None => now,
            });
        }
        let messages: Vec<_> =
            (0..allowed).map(|step| [IoSlice::new(&self.questions[(first + step) % count])]).collect();
        let sent = super::batch::send(&line.socket, &mut line.headers, &messages);
        line.sent(sent, allowed);
        self.next = first + sent;
        self.told.sent += sent as u64;
        sent
    }

    fn nap(&self) -> std::io::Result<()> {
        let mut all: Vec<_> =
            self.lines.iter().map(|line| PollFd::new(&line.socket, PollFlags::IN)).collect();
        poll(&mut all, Some(&NAP))?;
        Ok(())
    }
}

impl Line {
    fn to(address: SocketAddrV4) -> std::io::Result<Self> {
        Ok(Self {
            socket: connect(address)?,
            headers: MultiHeaders::preallocate(BATCH, None),
            batch: Batch::new(),
            due: vec![None; 1 << 16],
            id: 0,
            outstanding: 0,
            heard: Instant::now(),
        })
    }

    /// Takes note that the kernel took `sent` of `offered` questions.
    fn sent(&mut self, sent: usize, offered: usize) {
        for step in sent..offered {
            self.due[usize::from(self.id.wrapping_add(step as u16))] = None;
        }
        self.id = self.id.wrapping_add(sent as u16);
        self.outstanding += sent;
    }

    fn hear(&mut self, told: &mut Told, now: Instant) -> std::io::Result<usize> {
        let arrived = self.batch.receive(&self.socket, false)?;
        for answer in self.batch.messages().filter_map(question::answer) {
            let Some(due) = self.due[usize::from(answer.id)].take() else { continue };
            self.outstanding -= 1;
            told.latency.add(now.saturating_duration_since(due).as_nanos() as u64);
            told.listed += u64::from(answer.listed);
            told.others += u64::from(!matches!(answer.rcode, 0 | 3));
        }
        if arrived > 0 {
            self.heard = now;
        } else if self.outstanding > 0 && now.saturating_duration_since(self.heard) > LOST_AFTER {
            told.lost += self.outstanding as u64;
            self.outstanding = 0;
            self.due.fill(None);
            self.heard = now;
        }
        Ok(arrived)
    }
}

impl Told {
    /// What was measured, per answer. Without an answer there is no time to tell.
    fn report(&self, lasted: Duration, spent: Duration, waited: u64) -> Value {
        let answers = self.latency.count();
        let told = |value: f64| (answers > 0).then_some(value);
        json!({
            "qps": answers as f64 / lasted.as_secs_f64(),
            "cpu_us": told(spent.as_secs_f64() * 1e6 / answers as f64),
            "used": spent.as_secs_f64() / lasted.as_secs_f64(),
            "p50_us": told(self.latency.percentile_us(50)),
            "p99_us": told(self.latency.percentile_us(99)),
            "listed": told(self.listed as f64 / answers as f64),
            "others": self.others,
            "lost": self.lost,
            "wait": waited as f64 / lasted.as_nanos() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_never_leaves_the_machine() {
        let options = LoadOptions {
            address: "192.0.2.1:53".parse().unwrap(),
            questions: "questions".into(),
            seconds: 0.1,
            window: 1,
            rate: None,
            sockets: 1,
            core: None,
            process: Vec::new(),
        };
        assert!(matches!(load(&options), Err(TaskError::Missing { .. })));
    }

    #[test]
    fn a_question_that_the_kernel_did_not_take_is_not_outstanding() {
        let mut line = Line::to("127.0.0.1:9".parse().unwrap()).unwrap();
        line.id = u16::MAX;
        for id in [u16::MAX, 0, 1] {
            line.due[usize::from(id)] = Some(Instant::now());
        }
        line.sent(2, 3);
        assert_eq!((line.id, line.outstanding), (1, 2));
        assert_eq!(line.due[1], None);
        assert!(line.due[0].is_some());
    }

    #[test]
    fn questions_are_due_at_equal_distances() {
        assert_eq!(due_after(3, 1000), Duration::from_millis(3));
        assert_eq!(due_after(5_000_000_000, 1_000_000), Duration::from_secs(5000));
    }

    #[test]
    fn without_an_answer_there_is_no_time_per_answer() {
        let report = Told::default().report(Duration::from_secs(1), Duration::from_secs(1), 0);
        assert_eq!((&report["cpu_us"], &report["p99_us"]), (&Value::Null, &Value::Null));
        assert_eq!(report["qps"], 0.0);
    }
}
