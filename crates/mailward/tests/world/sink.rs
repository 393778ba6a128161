//! Where mail ends: a server that takes all of it.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use super::{bound_to_us, wait_for};

/// The program behind a [`Sink`].
pub(crate) const PROGRAM: &str = "/usr/sbin/smtp-sink";

/// A server that takes all mail, one file a message.
pub(crate) struct Sink {
    folder: PathBuf,
    running: Child,
}

impl Sink {
    /// Starts it.
    pub(crate) fn start(folder: &Path, port: u16) -> Sink {
        fs::create_dir(folder).expect("a folder of our own");
        // It runs as postfix and writes here.
        fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("our own folder");
        let mut command = bound_to_us(PROGRAM);
        command.args(["-u", "postfix", "-R"]).arg(folder).args([
            "-d",
            "message.",
            &format!("127.0.0.1:{port}"),
            "10",
        ]);
        let running = command.spawn().expect("setpriv is part of the base system");
        wait_for("smtp-sink", || TcpStream::connect(("127.0.0.1", port)).ok());
        Sink { folder: folder.to_owned(), running }
    }

    /// The first message that holds `text`, once it is there.
    #[track_caller]
    pub(crate) fn message(&self, text: &str) -> String {
        wait_for(&format!("a message with {text}"), || {
            let files = fs::read_dir(&self.folder).ok()?.flatten();
            files
                .filter_map(|file| fs::read_to_string(file.path()).ok())
                .find(|message| message.contains(text))
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.running.kill().expect("our own child");
        self.running.wait().expect("our own child");
    }
}
