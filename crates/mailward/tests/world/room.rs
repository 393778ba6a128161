//! A room of its own for mail servers that know only fixed places and names: its own
//! network, in which every documentation address is ours, and its own users, queue and run
//! folders. All of it ends with the test; nothing of the machine is changed.
//!
//! The thread of the test stands in the room's network, and so does what it starts; only
//! what [`Room::command`] starts sees the room's files as well.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{PATIENCE, bound_to_us};

/// The room's users and groups, each its own. Numbers that Debian gives to nobody.
const USERS: [&str; 6] = ["Debian-exim", "opensmtpd", "opensmtpq", "smmta", "smmsp", "mailward"];

/// The first of their numbers.
const FIRST_ID: u32 = 64_970;

/// The keeper of the room goes by itself after this time, should nobody end it.
const SECONDS_MAX: &str = "900";

/// Programs that make a room.
pub(crate) const PROGRAMS: [&str; 2] = ["/usr/bin/unshare", "/usr/sbin/ip"];

/// The room.
pub(crate) struct Room {
    keeper: Child,
}

impl Room {
    /// Makes a room and moves this thread into its network; the error is why there is none.
    pub(crate) fn enter() -> Result<Room, String> {
        let mut command = bound_to_us("unshare");
        command.args(["--net", "--mount", "--propagation", "private", "--", "sh", "-ec", &furnishing()]);
        let mut keeper = command.stdout(Stdio::piped()).spawn().expect("setpriv is part of the base system");
        let mut ready = String::new();
        let stdout = keeper.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut ready).expect("the keeper's own words");
        let room = Room { keeper };
        if ready != "ready\n" {
            return Err("this machine gives no network or mounts of our own (unshare)".to_owned());
        }
        let network = File::open(room.proc().join("ns/net")).expect("a running keeper");
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|error| format!("no network of our own: {error}"))?;
        Ok(room)
    }

    /// A program that dies with this test and sees the room's network and files.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = bound_to_us("nsenter");
        command.args(self.target()).arg(program);
        command
    }

    /// Runs a command line in the room to its end.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> String {
        let seconds = PATIENCE.as_secs().to_string();
        let mut arguments = vec![seconds, "nsenter".to_owned()];
        arguments.extend(self.target());
        arguments.extend(["sh", "-c", line].map(str::to_owned));
        let output = Command::new("timeout").args(&arguments).output();
        let output = output.expect("timeout is part of the base system");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn target(&self) -> [String; 4] {
        ["--target".into(), self.keeper.id().to_string(), "--mount".into(), "--net".into()]
    }

    fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.keeper.id().to_string())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.keeper.kill().expect("our own child");
        self.keeper.wait().expect("our own child");
    }
}

/// What the keeper does before it sleeps.
fn furnishing() -> String {
    let (mut passwd, mut group) = (String::new(), String::new());
    for (id, user) in (FIRST_ID..).zip(USERS) {
        passwd.push_str(&format!("{user}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin\n"));
        group.push_str(&format!("{user}:x:{id}:\n"));
    }
    format!(
        "for folder in /run /var/spool; do mount -t tmpfs -o mode=755 none $folder; done
mkdir /run/upper /run/work
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/upper,workdir=/run/work none /var/lib
cp /etc/passwd /etc/group /run
echo \"127.0.0.1 mx.example.org $(hostname) localhost\" >/run/hosts
printf '{}' >>/run/passwd
printf '{}' >>/run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
mount --bind /run/hosts /etc/hosts
ip link set lo up
ip route add local 203.0.113.0/24 dev lo
echo ready
exec sleep {SECONDS_MAX}
",
        passwd.replace('\n', "\\n"),
        group.replace('\n', "\\n")
    )
}

/// Where `cargo xtask test world` unpacks a Debian package that can not be installed beside
/// Postfix.
pub(crate) fn unpacked(package: &str, path: &str) -> String {
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("beside");
    beside.join(package).join(path).display().to_string()
}

/// Writes a file of the test that all may read.
pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
