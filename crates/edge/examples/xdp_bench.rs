//! The other end of the AF_XDP benchmark, and its limits; `cargo xtask bench dns` runs it
//! in network namespaces of its own.
//!
//!     xdp_bench load IF SERVER-MAC FROM:PORT TO:PORT QUESTIONS SECONDS WINDOW CORE
//!     xdp_bench echo IF ADDRESS:PORT     turns questions into answers by one bit, from AF_XDP
//!     xdp_bench pass IF ADDRESS          takes nothing: the way of ordinary sockets, with a program
//!
//! A generator on a socket would be slower than what it measures. `load` keeps a window of
//! questions outstanding and prints one JSON object; reception of its interface runs in a
//! thread of the kernel that is put on the generator's core.

use std::error::Error;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::{Duration, Instant};

use edge::xdp::{Filter, Interface, Queue, Side, frame, open};
use rustix::thread::{CpuSet, Pid, sched_setaffinity};

/// Questions of one turn.
const BATCH: usize = 64;

/// What is not answered after this long was dropped.
const LOST_AFTER: Duration = Duration::from_millis(300);

/// The port that `pass` waits for: discard (RFC 863), which nobody uses.
const NOBODY: u16 = 9;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["load", interface, mac, from, to, questions, seconds, window, core] => {
            pin(None, core.parse()?)?;
            let mut load = Load::new(interface, mac, from.parse()?, to.parse()?, Path::new(questions))?;
            receive_on(interface, core.parse()?)?;
            load.run(Duration::from_secs_f64(seconds.parse()?), window.parse()?)
        }
        ["echo", interface, address] => serve(interface, address.parse()?),
        ["pass", interface, address] => serve(interface, SocketAddr::new(address.parse()?, NOBODY)),
        _ => Err("see the head of this file for the arguments".into()),
    }
}

/// Answers until it is ended.
fn serve(interface: &str, address: SocketAddr) -> Outcome {
    let filter = Filter { port: address.port(), side: Side::To, addresses: vec![address.ip()] };
    let mut queues = open(&Interface::read(interface)?, &filter)?;
    println!("ready");
    loop {
        let taken = queues[0].turn(64, |question, _, answer| {
            let Some(answer) = answer.get_mut(..question.len()) else { return 0 };
            answer.copy_from_slice(question);
            if let [_, _, flags, ..] = answer {
                *flags |= 0x80;
            }
            question.len()
        });
        if taken == 0 {
            queues[0].wait(Duration::from_millis(200));
        }
    }
}

struct Load {
    queue: Queue,
    frames: Vec<Vec<u8>>,
    next: usize,
    answers: u64,
    listed: u64,
    lost: u64,
}

impl Load {
    fn new(
        interface: &str,
        mac: &str,
        from: SocketAddrV4,
        to: SocketAddrV4,
        questions: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let about = Interface::read(interface)?;
        let filter = Filter { port: to.port(), side: Side::From, addresses: vec![(*to.ip()).into()] };
        let queue = open(&about, &filter)?.remove(0);
        let bytes = std::fs::read(questions)?;
        let own = std::fs::read_to_string(format!("/sys/class/net/{interface}/address"))?;
        let head = [octets(mac)?, octets(&own)?, vec![8, 0]].concat();
        let frames = split(&bytes).map(|question| frame_of(&head, from, to, question)).collect();
        Ok(Self { queue, frames, next: 0, answers: 0, listed: 0, lost: 0 })
    }

    fn run(&mut self, lasting: Duration, window: usize) -> Outcome {
        let begun = Instant::now();
        let (mut outstanding, mut heard) = (0usize, begun);
        while begun.elapsed() < lasting {
            let (sent, got) = (self.ask(window - outstanding), self.hear());
            outstanding = (outstanding + sent).saturating_sub(got);
            if got > 0 {
                heard = Instant::now();
            } else if outstanding > 0 && heard.elapsed() > LOST_AFTER {
                self.lost += outstanding as u64;
                (outstanding, heard) = (0, Instant::now());
            } else if sent == 0 {
                // Reception shares this core: let it run.
                self.queue.wait(Duration::from_millis(1));
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let Self { answers, listed, lost, .. } = self;
        let (qps, share) = (*answers as f64 / seconds, *listed as f64 / (*answers).max(1) as f64);
        println!("{{\"qps\":{qps},\"answers\":{answers},\"listed\":{share},\"lost\":{lost}}}");
        Ok(())
    }

    fn ask(&mut self, room: usize) -> usize {
        let (frames, next) = (&self.frames, &mut self.next);
        self.queue.send(room.min(BATCH), |buffer| {
            let question = &frames[*next];
            *next = (*next + 1) % frames.len();
            buffer[..question.len()].copy_from_slice(question);
            question.len()
        })
    }

    fn hear(&mut self) -> usize {
        let (mut answers, mut listed) = (0, 0);
        let frames = self.queue.frames(|frame, len| {
            // The whole check would cost more than the server's; both ends are ours.
            answers += 1;
            listed += u64::from(len > 50 && (frame[48] != 0 || frame[49] != 0));
            0
        });
        self.answers += answers;
        self.listed += listed;
        frames
    }
}

/// A frame with a question: an empty one from the server, turned round.
fn frame_of(head: &[u8], from: SocketAddrV4, to: SocketAddrV4, question: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 42 + question.len()];
    buffer[..6].copy_from_slice(&head[6..12]);
    buffer[6..12].copy_from_slice(&head[..6]);
    buffer[12..14].copy_from_slice(&head[12..]);
    buffer[14] = 0x45;
    buffer[23] = 17;
    buffer[26..30].copy_from_slice(&to.ip().octets());
    buffer[30..34].copy_from_slice(&from.ip().octets());
    buffer[34..36].copy_from_slice(&to.port().to_be_bytes());
    buffer[36..38].copy_from_slice(&from.port().to_be_bytes());
    // It fits: the buffer was made for it.
    let _ = frame::turn_round(&mut buffer, question);
    buffer
}

/// Questions, each behind its length.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = bytes.split_first()?;
        let (question, rest) = rest.split_at_checked(usize::from(*len))?;
        bytes = rest;
        Some(question)
    })
}

fn octets(mac: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    mac.trim().split(':').map(|octet| u8::from_str_radix(octet, 16)).collect()
}

/// Moves reception of an interface into threads of the kernel, and puts them on a core.
fn receive_on(interface: &str, core: usize) -> Outcome {
    std::fs::write(format!("/sys/class/net/{interface}/threaded"), "1")?;
    for process in std::fs::read_dir("/proc")?.flatten() {
        let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        if name.starts_with(&format!("napi/{interface}-")) {
            let id = process.file_name().to_string_lossy().parse()?;
            pin(Pid::from_raw(id), core)?;
        }
    }
    Ok(())
}

fn pin(thread: Option<Pid>, core: usize) -> Outcome {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(thread, &cores)?)
}
