//! Processor time of this thread and memory of this process, from `/proc`.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use engine::Alone;
use model::Frame;

use crate::stream::{Stream, engine};

/// One round.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    observations: usize,
    on_cpu: Duration,
    lasted: Duration,
}

impl Run {
    pub(crate) fn per_cpu_s(&self) -> f64 {
        self.observations as f64 / self.on_cpu.as_secs_f64()
    }

    pub(crate) fn per_s(&self) -> f64 {
        self.observations as f64 / self.lasted.as_secs_f64()
    }
}

/// Adds up what is spent in parts of a round.
pub(crate) struct Meter {
    pub(crate) run: Run,
}

impl Meter {
    pub(crate) fn new(stream: &Stream) -> Meter {
        let (on_cpu, lasted) = (Duration::ZERO, Duration::ZERO);
        Meter { run: Run { observations: stream.observations, on_cpu, lasted } }
    }

    pub(crate) fn during(&mut self, work: impl FnOnce()) {
        let (began, before) = (Instant::now(), on_cpu());
        work();
        self.run.on_cpu += on_cpu() - before;
        self.run.lasted += began.elapsed();
    }
}

/// Of this thread so far.
fn on_cpu() -> Duration {
    // The kernel brings the account up to date when it looks for other work.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// What an engine weighs.
pub(crate) struct Weight {
    /// By how many bytes the process has grown.
    pub(crate) grown: u64,
    /// Keys that it remembers.
    pub(crate) keys: u64,
}

impl Weight {
    pub(crate) fn bytes_per_key(&self) -> f64 {
        self.grown as f64 / self.keys.max(1) as f64
    }
}

/// Weighs an engine in a fresh process, which gets the stream by a pipe: an allocator hands
/// freed pages on.
pub(crate) fn in_a_process_of_its_own(stream: &Stream) -> Weight {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let command = command.arg("--weigh").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for frame in &stream.frames {
        pipe.write_all(&(frame.len() as u64).to_be_bytes()).unwrap();
        pipe.write_all(frame).unwrap();
    }
    drop(pipe);
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    Weight { grown: numbers.next().unwrap(), keys: numbers.next().unwrap() }
}

/// Takes a stream, and prints by how many bytes the process grew and how many keys it knows.
pub(crate) fn child() {
    let (mut engine, mut input) = (engine(), std::io::stdin().lock());
    let before = resident_bytes();
    let (mut len, mut position) = ([0; 8], 0);
    while input.read_exact(&mut len).is_ok() {
        let mut bytes = vec![0; u64::from_be_bytes(len) as usize];
        input.read_exact(&mut bytes).unwrap();
        position += 1;
        engine.step(position, &Frame::from_bytes(&bytes).unwrap(), &Alone);
    }
    println!("{} {}", resident_bytes().saturating_sub(before), engine.keys());
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
