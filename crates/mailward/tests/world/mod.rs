//! The world that world tests share: real servers out of a temporary directory, on ports of
//! their own, and what tells a test how they did.
//!
//! Nothing of the machine's own mail system is touched. Every wait has a limit, and every
//! process ends with the test, also with one that is killed.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod beside;
pub(crate) mod daemon;
pub(crate) mod http;
pub(crate) mod mx;
pub(crate) mod postfix;
pub(crate) mod room;
pub(crate) mod sink;
pub(crate) mod smtp;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for: long, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at what a test waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Why the world can not be had here, if it can not; `programs` are what it is made of.
pub(crate) fn missing(programs: &[&str]) -> Option<String> {
    if std::env::var("MAILWARD_WORLD").as_deref() != Ok("1") {
        return Some("MAILWARD_WORLD is not 1 (cargo xtask test world)".to_owned());
    }
    if !fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0) {
        return Some("mail servers start as root only".to_owned());
    }
    let absent = programs.iter().find(|program| !Path::new(program).exists());
    absent.map(|program| format!("{program} is not installed"))
}

/// A folder that goes with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder that servers of other users may enter.
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("mailward-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("our own folder");
        Folder(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

/// A port on loopback that nobody has now.
pub(crate) fn free_port() -> u16 {
    let probe = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr());
    probe.expect("a free port on loopback").port()
}

/// Waits until `look` finds something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A server that dies with this test, however the test ends.
pub(crate) fn bound_to_us(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]).stdin(Stdio::null());
    command
}

/// Runs a command to its end, within a limit; its standard output.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let seconds = PATIENCE.as_secs().to_string();
    let output = Command::new("timeout").args([&seconds, program]).args(arguments).output();
    let output = output.expect("timeout is part of the base system");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Tells stories one by one, with their times; all are told, whatever becomes of the first.
#[derive(Default)]
pub(crate) struct Stories {
    failed: Vec<&'static str>,
}

impl Stories {
    /// Tells one.
    pub(crate) fn tell(&mut self, name: &'static str, story: impl FnOnce()) {
        let begun = Instant::now();
        let told = catch_unwind(AssertUnwindSafe(story));
        println!("story {name}: {:.2} s", begun.elapsed().as_secs_f64());
        if told.is_err() {
            self.failed.push(name);
        }
    }

    /// Ends them; `logs` are shown if one failed.
    pub(crate) fn end(self, logs: &[PathBuf]) {
        if self.failed.is_empty() {
            return;
        }
        for log in logs {
            let text = fs::read_to_string(log).unwrap_or_default();
            eprintln!("== {}\n{text}", log.display());
        }
        panic!("failed: {}", self.failed.join(", "));
    }
}
