//! Mailward's own binary as an operator runs it: the daemon, and commands to it.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{PATIENCE, bound_to_us, wait_for};

const MAILWARD: &str = env!("CARGO_BIN_EXE_mailward");

/// A daemon whose clock stands until it is told to go on.
pub(crate) struct Daemon {
    folder: PathBuf,
    running: Option<Child>,
}

impl Daemon {
    /// One that is not running yet, with its configuration in `folder`.
    pub(crate) fn new(folder: &Path, config: &str) -> Daemon {
        fs::create_dir_all(folder).expect("a folder of our own");
        let daemon = Daemon { folder: folder.to_owned(), running: None };
        fs::write(daemon.config(), config).expect("its configuration");
        daemon
    }

    /// Its configuration's file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("mailward.toml")
    }

    /// Its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Starts it, and waits until it answers.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.start_with(&["--test-clock"]);
    }

    /// The same with other options of `serve`.
    #[track_caller]
    pub(crate) fn start_with(&mut self, options: &[&str]) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let mut command = bound_to_us(MAILWARD);
        command.arg("--config").arg(self.config()).arg("serve").args(options).stderr(log);
        self.running = Some(command.spawn().expect("setpriv is part of the base system"));
        let socket = self.folder.join("data/control.sock");
        wait_for("the daemon", || UnixStream::connect(&socket).ok());
    }

    /// Kills it without a warning.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().expect("a running daemon");
        running.kill().expect("our own child");
        running.wait().expect("our own child");
    }

    /// Runs a command that must succeed; its output.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        self.tell(arguments, "")
    }

    /// Runs a command with something to read.
    #[track_caller]
    pub(crate) fn tell(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new("timeout");
        command.arg(PATIENCE.as_secs().to_string()).arg(MAILWARD).arg("--config").arg(self.config());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("timeout is part of the base system");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("our own child");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "mailward {arguments:?}: {told}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Gives a filter's verdict on messages.
    #[track_caller]
    pub(crate) fn judge(&self, queue_ids: &[String], verdict: &str) {
        let line =
            |id| format!("{{\"queue_id\":\"{id}\",\"verdict\":\"{verdict}\",\"source\":\"filter\"}}\n");
        let told = self.tell(&["observe"], &queue_ids.iter().map(line).collect::<String>());
        assert_eq!(told, format!("{} verdicts taken, 0 lines broken.\n", queue_ids.len()));
        self.settle();
    }

    /// Waits until all that was seen so far is decided and shows: a command's receipt comes
    /// in its turn.
    #[track_caller]
    pub(crate) fn settle(&self) {
        self.ask(&["unblock", "192.0.2.254", "--because", "waits its turn"]);
    }

    /// Lets time go on. A block applies to sessions that begin after it, so it takes at least
    /// a second to show.
    #[track_caller]
    pub(crate) fn wait(&self, span: &str) {
        self.ask(&["clock", span]);
    }

    /// The case against an address.
    #[track_caller]
    pub(crate) fn case(&self, addr: &str) -> Option<Value> {
        let known: Value = serde_json::from_str(&self.ask(&["check", addr, "--json"])).expect("JSON");
        Some(known["case"].clone()).filter(|case| !case.is_null())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}
