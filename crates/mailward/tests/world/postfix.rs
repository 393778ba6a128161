//! A Postfix of its own: everything in one folder, Debian's services in Debian's chroot.
//!
//! `postfix start` takes seconds to look over a new queue, so the folders are made here and
//! master(8) is started directly.

use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, SystemTime};

use super::{bound_to_us, run, wait_for};

/// The programs that a Postfix is made of.
pub(crate) const PROGRAMS: [&str; 3] = [MASTER, "/usr/sbin/postconf", SERVICES];

const MASTER: &str = "/usr/lib/postfix/sbin/master";

/// Debian's services, as they are installed.
const SERVICES: &str = "/usr/share/postfix/master.cf.dist";

/// master(8) ends by itself after this time, should nobody end it.
const SECONDS_MAX: &str = "600";

/// The queue's folders with the modes of Debian's `postfix-files`; group postdrop where the
/// last is true.
const QUEUE: [(&str, u32, bool); 14] = [
    ("active", 0o700, false),
    ("bounce", 0o700, false),
    ("corrupt", 0o700, false),
    ("defer", 0o700, false),
    ("deferred", 0o700, false),
    ("flush", 0o700, false),
    ("hold", 0o700, false),
    ("incoming", 0o700, false),
    ("private", 0o700, false),
    ("saved", 0o700, false),
    ("trace", 0o700, false),
    ("public", 0o710, true),
    ("maildrop", 0o730, true),
    ("pid", 0o755, false),
];

/// What Debian's start script copies into the chroot.
const CHROOT: [&str; 6] = ["localtime", "services", "resolv.conf", "hosts", "host.conf", "nsswitch.conf"];

/// A Postfix.
pub(crate) struct Postfix {
    folder: PathBuf,
    /// Where its smtpd listens on loopback.
    pub(crate) port: u16,
    running: Option<Child>,
}

impl Postfix {
    /// One that is not running yet. `settings` are lines of main.cf beside those that keep
    /// it in its folder.
    pub(crate) fn new(folder: &Path, port: u16, settings: &str) -> Postfix {
        let postfix = Postfix { folder: folder.to_owned(), port, running: None };
        for name in ["etc", "data", "queue/etc"] {
            fs::create_dir_all(folder.join(name)).expect("a folder of our own");
        }
        write_old(&folder.join("etc/main.cf"), &(basics(folder) + settings));
        write_old(&folder.join("etc/master.cf"), &services(port));
        postfix.make_queue();
        postfix
    }

    /// The folder of its configuration.
    pub(crate) fn etc(&self) -> String {
        self.folder.join("etc").display().to_string()
    }

    /// Its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("maillog")
    }

    /// What `postconf -n` says of it.
    pub(crate) fn postconf(&self) -> String {
        run("postconf", &["-c", &self.etc(), "-n"])
    }

    /// Puts lines at the end of main.cf.
    pub(crate) fn paste(&self, lines: &str) {
        let path = self.folder.join("etc/main.cf");
        let text = fs::read_to_string(&path).expect("main.cf");
        write_old(&path, &(text + lines));
    }

    /// Puts lines at the end of master.cf.
    pub(crate) fn add_services(&self, lines: &str) {
        let path = self.folder.join("etc/master.cf");
        let text = fs::read_to_string(&path).expect("master.cf");
        write_old(&path, &(text + lines));
    }

    /// Starts it, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        let mut command = bound_to_us(MASTER);
        // master(8) ends its children by process group.
        command.args(["-c", &self.etc(), "-d", "-e", SECONDS_MAX]).process_group(0);
        self.running = Some(command.spawn().expect("setpriv is part of the base system"));
        wait_for("Postfix", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    fn make_queue(&self) {
        let (owner, group) = (id("/etc/passwd", "postfix"), id("/etc/group", "postdrop"));
        let set = |path: &Path, mode, group| {
            chown(path, Some(owner), group).expect("root may");
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("root may");
        };
        set(&self.folder.join("data"), 0o700, None);
        for (name, mode, dropped) in QUEUE {
            let path = self.folder.join("queue").join(name);
            fs::create_dir(&path).expect("a folder of our own");
            set(&path, mode, dropped.then_some(group));
        }
        for name in CHROOT {
            // Machines differ in which of them they have.
            let _ = fs::copy(Path::new("/etc").join(name), self.folder.join("queue/etc").join(name));
        }
        chown(self.folder.join("queue/pid"), Some(0), None).expect("root may");
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        run("sh", &["-c", &format!("kill {}", running.id())]);
        running.wait().expect("our own child");
    }
}

/// Writes a file that looks old: Postfix waits for seconds where it may still be written to.
fn write_old(path: &Path, text: &str) {
    fs::write(path, text).expect("our own folder");
    let file = File::options().write(true).open(path).expect("our own file");
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("our own file");
}

fn basics(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = all
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
in_flow_delay = 0
"
    )
}

/// Debian's master.cf with our port in place of 25.
fn services(port: u16) -> String {
    let shipped = fs::read_to_string(SERVICES).expect("Debian's services");
    let lines = shipped.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["smtp", "inet", rest @ ..] => {
                // The point of this Postfix: its smtpd sees the queue directory only.
                assert_eq!(rest.get(2), Some(&"y"), "expected a chroot, but got {line}");
                format!("127.0.0.1:{port} inet {}\n", rest.join(" "))
            }
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// The number of a user or group, the third field of its line.
fn id(file: &str, name: &str) -> u32 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    let id = line.and_then(|line| line.split(':').nth(2)).and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("{file} has no {name}"))
}
