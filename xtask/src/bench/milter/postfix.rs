//! A Postfix of its own that throws away what it takes: one smtpd service a milter.
//!
//! Everything lies in one folder. `postfix start` takes seconds to look over a new
//! queue, so the folders are made here and master(8) is started directly.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use super::socket::Place;
use crate::bench::scratch::Scratch;
use crate::bench::subjects::{LIFETIME, Subject, free_address};
use crate::error::TaskError;

/// The folder of Debian's Postfix programs.
const PROGRAMS: &str = "/usr/lib/postfix/sbin";

/// Debian's services, as they are installed.
const SERVICES: &str = "/usr/share/postfix/master.cf.dist";

/// How long the queue may take to empty after a run.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// The queue's folders with the modes of Debian's `postfix-files`; group postdrop where
/// the last is true.
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

/// A running Postfix.
pub(super) struct Postfix {
    subject: Subject,
    /// The port of each service, in the order of the milters given.
    pub(super) ports: Vec<u16>,
}

impl Postfix {
    /// Starts one with a service for each milter; `None` is a service without.
    pub(super) fn start(milters: &[Option<Place>]) -> Result<Self, TaskError> {
        let scratch = Scratch::new("postfix")?;
        let addresses: Vec<_> = milters.iter().map(|_| free_address()).collect::<Result<_, _>>()?;
        let ports: Vec<u16> = addresses.iter().map(std::net::SocketAddr::port).collect();
        // Others may pass through, but Postfix warns of a folder that they may write to.
        mode(scratch.path(), 0o755)?;
        make_folders(scratch.path())?;
        write_old(&scratch.path().join("etc/main.cf"), &settings(scratch.path()))?;
        write_old(&scratch.path().join("etc/master.cf"), &services(&ports, milters)?)?;
        let mut master = Command::new(format!("{PROGRAMS}/master"));
        master.arg("-c").arg(scratch.path().join("etc")).args(["-d", "-e", &LIFETIME.as_secs().to_string()]);
        let first = addresses.first().copied().ok_or_else(|| TaskError::Missing {
            what: "a service for Postfix".into(),
            way_out: "name one".into(),
        })?;
        let subject = Subject::start("Postfix", &mut master, first, scratch, None)?;
        Ok(Self { subject, ports })
    }

    /// Waits until all that was taken is thrown away: no run pays for the one before it.
    pub(super) fn drain(&self) {
        let begun = Instant::now();
        let queue = self.subject.folder().join("queue");
        let waits = |name| fs::read_dir(queue.join(name)).is_ok_and(|mut folder| folder.next().is_some());
        while begun.elapsed() < DRAIN_MAX && ["incoming", "active", "maildrop"].into_iter().any(waits) {
            sleep(Duration::from_millis(20));
        }
    }
}

fn settings(folder: &Path) -> String {
    let folder = folder.display();
    // in_flow_delay would slow down who is faster than the queue is emptied, and the
    // peername look-up would ask DNS.
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {PROGRAMS}
command_directory = /usr/sbin
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.corp.test
mydestination =
relay_domains = corp.test
transport_maps = static:discard:
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_upstream_proxy_protocol = haproxy
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
milter_default_action = tempfail
"
    )
}

/// Debian's master.cf, outside its chroot, with our services in place of port 25.
fn services(ports: &[u16], milters: &[Option<Place>]) -> Result<String, TaskError> {
    let path = Path::new(SERVICES);
    let shipped = fs::read_to_string(path).map_err(TaskError::file(path))?;
    let mut text: String = shipped.lines().filter_map(line).collect();
    for (port, milter) in ports.iter().zip(milters) {
        let milter = milter.as_ref().map(|place| format!(" -o smtpd_milters={}", place.of_postfix()));
        text.push_str(&format!("127.0.0.1:{port} inet n - n - - smtpd{}\n", milter.unwrap_or_default()));
    }
    Ok(text)
}

/// One line of Debian's, or nothing in place of its smtpd. In the chroot a service would not
/// reach a milter's socket.
fn line(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["smtp", "inet", ..] => None,
        [name, kind @ ("unix" | "inet"), private, unprivileged, "y", rest @ ..] if !line.starts_with('#') => {
            Some(format!("{name} {kind} {private} {unprivileged} n {}\n", rest.join(" ")))
        }
        _ => Some(format!("{line}\n")),
    }
}

fn make_folders(folder: &Path) -> Result<(), TaskError> {
    let (owner, group) = (id("/etc/passwd", "postfix")?, id("/etc/group", "postdrop")?);
    for name in ["etc", "data", "queue"] {
        let path = folder.join(name);
        fs::create_dir(&path).map_err(TaskError::file(&path))?;
        mode(&path, 0o755)?;
    }
    let data = folder.join("data");
    chown(&data, Some(owner), None).map_err(TaskError::file(&data))?;
    for (name, bits, dropped) in QUEUE {
        let path = folder.join("queue").join(name);
        fs::create_dir(&path).map_err(TaskError::file(&path))?;
        let owner = if name == "pid" { 0 } else { owner };
        chown(&path, Some(owner), dropped.then_some(group)).map_err(TaskError::file(&path))?;
        mode(&path, bits)?;
    }
    Ok(())
}

fn mode(path: &Path, bits: u32) -> Result<(), TaskError> {
    fs::set_permissions(path, Permissions::from_mode(bits)).map_err(TaskError::file(path))
}

/// Writes a file that looks old: Postfix waits for seconds where it may still be written to.
fn write_old(path: &Path, text: &str) -> Result<(), TaskError> {
    let write = || {
        fs::write(path, text)?;
        File::options().write(true).open(path)?.set_modified(SystemTime::now() - Duration::from_secs(60))
    };
    write().map_err(TaskError::file(path))
}

/// The number of a user or group, the third field of its line.
fn id(file: &str, name: &str) -> Result<u32, TaskError> {
    let text = fs::read_to_string(file).map_err(TaskError::file(Path::new(file)))?;
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    let id = line.and_then(|line| line.split(':').nth(2)).and_then(|id| id.parse().ok());
    id.ok_or_else(|| TaskError::Missing {
        what: format!("{name} in {file}"),
        way_out: "install Postfix".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_leave_the_chroot_and_the_smtpd_of_port_25_goes() {
        assert_eq!(line("smtp      inet  n       -       y       -       -       smtpd"), None);
        let expect = Some("cleanup unix n - n - 0 cleanup\n".to_owned());
        assert_eq!(line("cleanup   unix  n       -       y       -       0       cleanup"), expect);
        for kept in ["#smtps inet n - y - - smtpd", "qmgr unix n - n 300 1 qmgr", "  -o a=b"] {
            assert_eq!(line(kept), Some(format!("{kept}\n")));
        }
    }
}
