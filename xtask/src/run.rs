//! Runs other programs under a time limit.
//!
//! Each program gets a process group of its own. When its time is up, when it has
//! ended, or when this program ends in whatever way, what is left of the group is
//! ended by its id, so that no test server outlives a run.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::TaskError;

/// How often we look whether the program has ended or its time is up.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long we go on reading after the program has ended: a server that it left
/// behind may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_secs(2);

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// How long it ran.
    pub(crate) lasted: Duration,
}

/// What a caller does with a line: its text, and the time since the start.
type OnLine<'a> = &'a mut dyn FnMut(&str, Duration);

/// Runs `command` and hands each line of its output and its errors, in the order
/// in which they were written, to `on_line`.
///
/// After `limit` its process group is killed and the error says so.
pub(crate) fn watched(command: &mut Command, limit: Duration, on_line: OnLine) -> Result<Outcome, TaskError> {
    let (reader, writer) = io::pipe().map_err(TaskError::system("make a pipe"))?;
    let errors = writer.try_clone().map_err(TaskError::system("make a pipe"))?;
    command.stdout(writer).stderr(errors);
    Running::start(command, reader, limit)?.follow(on_line)
}

/// Runs `command` and prints what it prints.
pub(crate) fn shown(command: &mut Command, limit: Duration) -> Result<Outcome, TaskError> {
    watched(command, limit, &mut |line, _| println!("{line}"))
}

/// Runs `command`, whose output goes to our standard error; to end badly is an error.
pub(crate) fn must(command: &mut Command, limit: Duration) -> Result<(), TaskError> {
    eprintln!("$ {}", line(command));
    let outcome = watched(command, limit, &mut |line, _| eprintln!("{line}"))?;
    if outcome.status.success() { Ok(()) } else { Err(failed(command, outcome.status)) }
}

/// Runs `command` and returns its standard output; to end badly is an error. Its
/// errors go where ours go.
pub(crate) fn output(command: &mut Command, limit: Duration) -> Result<String, TaskError> {
    let (reader, writer) = io::pipe().map_err(TaskError::system("make a pipe"))?;
    command.stdout(writer);
    let mut text = String::new();
    let outcome = Running::start(command, reader, limit)?.follow(&mut |line, _| {
        text.push_str(line);
        text.push('\n');
    })?;
    if outcome.status.success() { Ok(text) } else { Err(failed(command, outcome.status)) }
}

/// The command line as a person would type it, without the program's folder.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn failed(command: &Command, status: ExitStatus) -> TaskError {
    TaskError::Failed { command: line(command), how: status.to_string() }
}

/// A program that runs beside us; what is left of its group ends with this value.
pub(crate) struct Background {
    /// The program itself.
    pub(crate) child: Child,
    _keeper: Keeper,
}

impl Background {
    /// Starts `command` in a process group of its own, without input.
    pub(crate) fn start(command: &mut Command) -> Result<Self, TaskError> {
        let spawned = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = spawned.map_err(|source| TaskError::Start { program: line(command), source })?;
        let keeper = Keeper::start(&child)?;
        Ok(Self { child, _keeper: keeper })
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, TaskError> {
        self.child.try_wait().map_err(TaskError::system("wait for a program"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        kill_group(&self.child);
        let _ = self.child.wait();
    }
}

/// A program whose output we read.
struct Running {
    program: Background,
    lines: Receiver<String>,
    name: String,
    started: Instant,
    limit: Duration,
}

impl Running {
    fn start(command: &mut Command, output: io::PipeReader, limit: Duration) -> Result<Self, TaskError> {
        let started = Instant::now();
        let program = Background::start(command);
        // The command holds the writing end of the pipe; without this the end never shows.
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        Ok(Self { program: program?, lines: lines_of(output), name: line(command), started, limit })
    }

    fn follow(mut self, on_line: OnLine) -> Result<Outcome, TaskError> {
        loop {
            let open = self.read(LOOK_EVERY, on_line);
            if let Some(status) = self.program.ended()? {
                let lasted = self.started.elapsed();
                let until = Instant::now() + DRAIN;
                while self.read(until.saturating_duration_since(Instant::now()), on_line)
                    && Instant::now() < until
                {}
                return Ok(Outcome { status, lasted });
            }
            if self.started.elapsed() > self.limit {
                return Err(TaskError::TimedOut { command: self.name.clone(), limit: self.limit });
            }
            if !open {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Reads at most one line; false when there will be no more.
    fn read(&mut self, wait: Duration, on_line: OnLine) -> bool {
        match self.lines.recv_timeout(wait) {
            Ok(line) => on_line(&line, self.started.elapsed()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        true
    }
}

/// A shell that waits for our end and then ends the group it was told.
///
/// An interrupt from the terminal, or a kill, reaches only us; a group of its own
/// would run on. The keeper notices because our end closes its standard input.
struct Keeper(Child);

impl Keeper {
    fn start(child: &Child) -> Result<Self, TaskError> {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read word || kill -s KILL -- \"-$1\"", "keeper"]).arg(child.id().to_string());
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        shell.spawn().map(Self).map_err(|source| TaskError::Start { program: "sh".into(), source })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            let _ = input.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}

/// Kills the process group that `child` leads; it is no error when none is left.
fn kill_group(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Reads lines in a thread of their own, so that waiting for one can be bounded.
fn lines_of(output: io::PipeReader) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_errors_come_in_the_order_written() {
        let mut lines = Vec::new();
        let outcome = watched(&mut shell("echo a; echo b >&2; echo c; exit 3"), LONG, &mut |line, _| {
            lines.push(line.to_owned());
        });
        assert_eq!(lines, ["a", "b", "c"]);
        assert_eq!(outcome.unwrap().status.code(), Some(3));
    }

    #[test]
    fn a_program_past_its_time_is_ended_with_its_children() {
        let mut child = None;
        let limit = Duration::from_millis(300);
        let got = watched(&mut shell("sleep 1000 & echo $!; wait"), limit, &mut |line, _| {
            child = line.parse::<u32>().ok();
        });
        assert!(matches!(got, Err(TaskError::TimedOut { .. })), "{got:?}");
        let child = child.expect("the shell printed its child's id");
        // The kernel ends a killed process when it runs next, which a busy machine delays.
        let alive = || {
            std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        let gone = (0..6000).any(|_| {
            thread::sleep(Duration::from_millis(10));
            !alive()
        });
        assert!(gone, "the child {child} still runs");
    }

    #[test]
    fn what_a_program_leaves_behind_does_not_hold_us_up() {
        let outcome = watched(&mut shell("sleep 1000 & exit 0"), LONG, &mut |_, _| {});
        assert!(outcome.unwrap().status.success());
    }

    #[test]
    fn a_keeper_ends_the_group_when_its_master_is_gone() {
        let mut group = shell("sleep 1000").process_group(0).spawn().unwrap();
        let mut keeper = Keeper::start(&group).unwrap();
        drop(keeper.0.stdin.take());
        assert!(!group.wait().unwrap().success());
    }

    #[test]
    fn failing_output_names_the_command() {
        let error = output(&mut shell("exit 4"), LONG).unwrap_err();
        assert_eq!(error.to_string(), "sh -c exit 4: exit status: 4");
    }
}
