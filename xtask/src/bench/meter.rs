//! Processor time of other processes, and how busy the machine is, from `/proc`.
//!
//! Times are those of the threads that are alive when read; a thread that ended in
//! between is not counted. `schedstat` lags behind by at most one scheduler tick of
//! each running thread.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::TaskError;

/// Threads whose name begins so answer policy requests in Mailward.
const ANSWERING: &str = "policy";

/// Share of all cores that others may use while we measure.
const BUSY_MAX: f64 = 0.12;

/// How long the busy share is looked at.
const BUSY_WINDOW: Duration = Duration::from_millis(250);

/// The thread times of some processes at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(BTreeMap<u32, Thread>);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Thread {
    answers: bool,
    on_cpu: u64,
    waited: u64,
}

/// What happened between two moments, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Spent {
    /// On a processor.
    pub(super) on_cpu: u64,
    /// On a processor, in threads that answer.
    pub(super) answering: u64,
    /// Ready to run, but behind others in the run queue; all threads together.
    pub(super) waited: u64,
}

impl Meter {
    /// Reads all threads of `processes`.
    pub(super) fn read(processes: &[u32]) -> Self {
        let folders = processes.iter().map(|process| format!("/proc/{process}/task"));
        let tasks = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        Self(
            tasks
                .filter_map(|task| Some((task.file_name().to_str()?.parse().ok()?, thread(&task.path())?)))
                .collect(),
        )
    }

    /// What the threads spent since `before`.
    pub(super) fn since(&self, before: &Self) -> Spent {
        let mut spent = Spent::default();
        for (id, now) in &self.0 {
            let then = before.0.get(id).cloned().unwrap_or_default();
            let on_cpu = now.on_cpu.saturating_sub(then.on_cpu);
            spent.on_cpu += on_cpu;
            spent.answering += if now.answers { on_cpu } else { 0 };
            spent.waited += now.waited.saturating_sub(then.waited);
        }
        spent
    }
}

/// Time on a processor so far of `processes`, ended threads included.
///
/// The process clock (clock_getcpuclockid(3)) is exact to the nanosecond. What the kernel
/// does for network packets within a system call counts as the caller's, where the
/// kernel does not account interrupts apart.
pub(super) fn processor_time(processes: &[u32]) -> Duration {
    processes.iter().filter_map(|process| of_process(*process)).sum()
}

fn of_process(process: u32) -> Option<Duration> {
    let process = Pid::from_raw(i32::try_from(process).ok()?);
    clock_getcpuclockid(process).and_then(ClockId::now).ok().map(Duration::from)
}

/// Memory of `processes` in bytes, pages that several share counted once (Pss).
pub(super) fn resident(processes: &[u32]) -> u64 {
    let kib = |process: &u32| {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    processes.iter().filter_map(kib).sum::<u64>() * 1024
}

fn thread(task: &Path) -> Option<Thread> {
    let name = fs::read_to_string(task.join("comm")).ok()?;
    let times = fs::read_to_string(task.join("schedstat")).ok()?;
    let mut times = times.split_whitespace().map_while(|time| time.parse().ok());
    Some(Thread { answers: name.starts_with(ANSWERING), on_cpu: times.next()?, waited: times.next()? })
}

/// A process and its children, theirs too.
pub(super) fn with_children(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let mut at = 0;
    while let Some(parent) = all.get(at) {
        let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let lists = threads.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<u32> =
            lists.flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<_>>()).collect();
        all.extend(children);
        at += 1;
    }
    all
}

/// The most memory that a process has used so far, in KiB; `None` when it has ended.
pub(super) fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Waits until other programs leave the machine alone, but not longer than `limit`:
/// then we measure anyway, and the waiting for a processor tells.
pub(super) fn wait_for_quiet(limit: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < limit && busy_share() > BUSY_MAX {
        sleep(BUSY_WINDOW);
    }
}

fn busy_share() -> f64 {
    let before = ticks();
    sleep(BUSY_WINDOW);
    let after = ticks();
    let (all, idle) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    if all == 0 { 0.0 } else { 1.0 - idle as f64 / all as f64 }
}

/// Ticks of all cores since the start of the machine: all, and idle ones.
fn ticks() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = first.split_whitespace().skip(1).take(8).filter_map(|f| f.parse().ok()).collect();
    // Fields 4 and 5: idle, and idle while waiting for a disc.
    (fields.iter().sum(), fields.iter().skip(3).take(2).sum())
}

/// Keeps this thread, and what it starts, on one core until the value ends.
pub(super) struct Pinned(CpuSet);

impl Pinned {
    /// Pins to core `core`; a machine with fewer cores is left as it is.
    pub(super) fn to(core: usize) -> Result<Self, TaskError> {
        let before = sched_getaffinity(None).map_err(TaskError::system("read the core affinity"))?;
        if before.is_set(core) {
            let mut one = CpuSet::new();
            one.set(core);
            sched_setaffinity(None, &one).map_err(TaskError::system("pin to one core"))?;
        }
        Ok(Self(before))
    }
}

/// Puts another process, a thread of the kernel too, on one core for good.
pub(super) fn pin_process(process: rustix::process::Pid, core: usize) -> Result<(), TaskError> {
    let mut one = CpuSet::new();
    one.set(core);
    sched_setaffinity(Some(process), &one).map_err(TaskError::system("pin a process to one core"))
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(threads: &[(u32, bool, u64, u64)]) -> Meter {
        let thread =
            |&(id, answers, on_cpu, waited): &(u32, bool, u64, u64)| (id, Thread { answers, on_cpu, waited });
        Meter(threads.iter().map(thread).collect())
    }

    #[test]
    fn only_answering_threads_count_as_answering_and_a_new_thread_counts_whole() {
        let before = meter(&[(1, false, 100, 1), (2, true, 10, 0), (9, true, 5, 5)]);
        let after = meter(&[(1, false, 150, 2), (2, true, 40, 7), (3, true, 6, 0)]);
        assert_eq!(after.since(&before), Spent { on_cpu: 86, answering: 36, waited: 8 });
    }

    #[test]
    fn this_process_has_threads_and_memory() {
        let own = std::process::id();
        assert!(!Meter::read(&[own]).0.is_empty());
        assert!(peak_kib(own).is_some_and(|kib| kib > 0));
        assert!(ticks().0 >= ticks().1);
        assert!(processor_time(&[own]) > Duration::ZERO);
        assert!(resident(&[own]) > 0);
    }

    #[test]
    fn a_thread_is_pinned_only_as_long_as_the_value_lives() {
        let before = sched_getaffinity(None).unwrap();
        let core = (0..64).find(|core| before.is_set(*core)).expect("a core to run on");
        let pinned = Pinned::to(core).unwrap();
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
        drop(pinned);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
