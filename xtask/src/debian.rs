//! Debian packages that tests and benches need, and how they get onto the machine.
//!
//! Packages are installed only by root on Debian, without recommendations and
//! without starting any service. Everywhere else the command to run is printed and
//! what needs them is skipped. Nothing is ever removed.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::TaskError;
use crate::run;

/// What the world tests need.
pub(crate) const WORLD: &[&str] = &[
    "postfix",
    "swaks",
    "iproute2",
    "m4",
    "clamav-daemon",
    "rspamd",
    "spamd",
    "spamassassin",
    "miltertest",
    "unbound",
    "nsd",
    "knot",
    "knot-dnsutils",
    "bind9",
    "bind9-dnsutils",
    "ldnsutils",
    "rbldnsd",
];

/// What the benches need; what is not there is left out. Each is asked for by itself.
pub(crate) const BENCH_KNOT: &[&str] = &["knot"];
pub(crate) const BENCH_NSD: &[&str] = &["nsd"];
pub(crate) const BENCH_POSTFIX: &[&str] = &["postfix"];
pub(crate) const BENCH_POSTGREY: &[&str] = &["postgrey"];
pub(crate) const BENCH_RBLDNSD: &[&str] = &["rbldnsd"];
pub(crate) const BENCH_RSPAMD: &[&str] = &["rspamd"];

/// Answers to questions that packages would ask. Without the first one the
/// installation of Postfix makes a running configuration.
const ANSWERS: &str = "postfix postfix/main_mailer_type select No configuration\n";

/// Local look-ups: dpkg, debconf.
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// Downloads and unpacks a handful of packages.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Init scripts ask this program whether they may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The TCP port on which a mail server would listen.
const SMTP_PORT: u16 = 25;

/// Whether what needs the packages can run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ready {
    /// All are there.
    Yes,
    /// They are not, or must not be used here.
    No {
        /// Why, and what to do.
        reason: String,
    },
}

/// Sees to it that `packages` are there, installing the missing ones when possible.
pub(crate) fn ensure(packages: &[&str]) -> Result<Ready, TaskError> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(Ready::Yes);
    }
    if !is_root_on_debian() {
        return Ok(Ready::No { reason: how_to_install(&missing) });
    }
    install(&missing)?;
    let still = self::missing(packages);
    let reason = format!("still not installed: {}", still.join(" "));
    Ok(if still.is_empty() { Ready::Yes } else { Ready::No { reason } })
}

/// Whether packages can be installed here.
pub(crate) fn is_root_on_debian() -> bool {
    Path::new("/etc/debian_version").exists() && rustix::process::geteuid().is_root()
}

/// Says whether the world may be used on a machine where mail may be served.
///
/// On a terminal a person is asked; without one the answer is no.
pub(crate) fn may_use() -> Result<Ready, TaskError> {
    let Some(server) = mail_server() else { return Ok(Ready::Yes) };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let reason = format!("{server}; run it from a terminal to be asked, or on another machine");
        return Ok(Ready::No { reason });
    }
    eprint!("{server}. The tests use their own ports, queues and configurations. Go on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(TaskError::system("read the answer"))?;
    let yes = matches!(answer.trim(), "y" | "Y" | "yes");
    Ok(if yes { Ready::Yes } else { Ready::No { reason: "declined on the terminal".into() } })
}

fn how_to_install(missing: &[&str]) -> String {
    format!(
        "not installed: {0}; as root on Debian run: echo '{1}' | debconf-set-selections; apt-get install \
         --no-install-recommends {0}",
        missing.join(" "),
        ANSWERS.trim_end(),
    )
}

/// The packages that are not fully installed.
fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().copied().filter(|package| !installed(package)).collect()
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f=${db:Status-Status}", package]);
    let mut status = String::new();
    let outcome = run::watched(&mut query, LOOK_LIMIT, &mut |line, _| status.push_str(line));
    outcome.is_ok() && status == "installed"
}

/// Installs `packages`; refreshes the lists once when they are absent or too old.
fn install(packages: &[&str]) -> Result<(), TaskError> {
    eprintln!("installing Debian packages: {}", packages.join(" "));
    let _no_services = NoServices::begin(Path::new(POLICY))?;
    answer_questions()?;
    if !has_lists() {
        run::must(&mut apt(&["update", "-q"]), INSTALL_LIMIT)?;
    } else if run::must(&mut apt_install(packages), INSTALL_LIMIT).is_ok() {
        return Ok(());
    } else {
        run::must(&mut apt(&["update", "-q"]), INSTALL_LIMIT)?;
    }
    run::must(&mut apt_install(packages), INSTALL_LIMIT)
}

/// `apt-get`, which asks nothing.
pub(crate) fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    command
}

fn apt_install(packages: &[&str]) -> Command {
    let mut command = apt(&["install", "-q", "-y", "--no-install-recommends"]);
    command.args(packages);
    command
}

fn has_lists() -> bool {
    let lists = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    lists.into_iter().any(|list| list.file_name().to_string_lossy().contains("_Packages"))
}

fn answer_questions() -> Result<(), TaskError> {
    let started = |source| TaskError::Start { program: "debconf-set-selections".into(), source };
    let mut child = Command::new("debconf-set-selections").stdin(Stdio::piped()).spawn().map_err(started)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(ANSWERS.as_bytes()).map_err(started)?;
    }
    let status = child.wait().map_err(started)?;
    let failed = || TaskError::Failed { command: "debconf-set-selections".into(), how: status.to_string() };
    status.success().then_some(()).ok_or_else(failed)
}

/// While this value lives, no package may start a service: `policy-rc.d` answers 101.
/// What stood there before comes back with its end.
struct NoServices {
    path: PathBuf,
    before: Option<(Vec<u8>, Permissions)>,
}

impl NoServices {
    fn begin(path: &Path) -> Result<Self, TaskError> {
        let before =
            fs::metadata(path).ok().and_then(|about| Some((fs::read(path).ok()?, about.permissions())));
        let guard = Self { path: path.to_owned(), before };
        fs::write(path, "#!/bin/sh\nexit 101\n").map_err(TaskError::file(path))?;
        fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(TaskError::file(path))?;
        Ok(guard)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let restored = match self.before.take() {
            Some((bytes, mode)) => {
                fs::write(&self.path, bytes).and_then(|()| fs::set_permissions(&self.path, mode))
            }
            None => fs::remove_file(&self.path),
        };
        if let Err(error) = restored {
            eprintln!(
                "{}: {error}; it still forbids starting services, put it right by hand",
                self.path.display()
            );
        }
    }
}

/// What says that mail is served on this machine, if anything does.
fn mail_server() -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    if tables.iter().any(|table| listens_on(table, SMTP_PORT)) {
        return Some("something listens on TCP port 25".into());
    }
    let configured = Path::new("/etc/postfix/main.cf").exists();
    let running = || {
        Path::new("/var/spool/postfix/pid/master.pid").exists() && processes().any(|name| name == "master")
    };
    (configured && running()).then(|| "Postfix is configured and runs here".into())
}

/// Whether a table of `/proc/net/tcp` has a listening socket on `port`.
fn listens_on(table: &str, port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // Field 3 is the state; 0A is LISTEN.
        matches!(fields.as_slice(), [_, local, _, "0A", ..] if local.ends_with(&suffix))
    })
}

fn processes() -> impl Iterator<Item = String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
         0: 0100007F:0019 00000000:0000 0A 00000000:00000000\n   \
         1: 0100007F:C350 0100007F:0BB8 01 00000000:00000000\n";

    #[test]
    fn a_listening_socket_is_told_from_a_connection() {
        assert!(listens_on(TABLE, 25));
        assert!(!listens_on(TABLE, 50000));
        assert!(!listens_on(TABLE, 2525));
    }

    #[test]
    fn the_way_out_is_a_command_that_can_be_pasted() {
        assert_eq!(
            how_to_install(&["postfix", "swaks"]),
            "not installed: postfix swaks; as root on Debian run: echo 'postfix postfix/main_mailer_type select No \
             configuration' | debconf-set-selections; apt-get install --no-install-recommends postfix swaks"
        );
    }

    #[test]
    fn the_policy_is_put_back_as_it_was() {
        let path = std::env::temp_dir().join(format!("xtask-policy-{}", std::process::id()));
        drop(NoServices::begin(&path).unwrap());
        assert!(!path.exists());

        fs::write(&path, "ours").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let guard = NoServices::begin(&path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("exit 101\n"));
        drop(guard);
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        fs::remove_file(&path).unwrap();
    }
}
