//! Real filters, each out of a temporary folder on a socket of its own.
//!
//! Nothing of the machine's own services is touched, and nothing leaves the machine: only
//! local signatures and rules.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::samples::eicar;

pub(crate) const CLAMD: &str = "/usr/sbin/clamd";
pub(crate) const SPAMD: &str = "/usr/sbin/spamd";
pub(crate) const RSPAMD: &str = "/usr/bin/rspamd";

/// How long a daemon may take to listen: rspamd compiles its patterns first.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks whether it does.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What rspamd would ask the network for, or keep.
const RSPAMD_OFF: &[&str] = &[
    "antivirus",
    "arc",
    "asn",
    "aws_s3",
    "bimi",
    "clickhouse",
    "contextal",
    "dcc",
    "dkim",
    "dkim_signing",
    "dmarc",
    "elastic",
    "external_relay",
    "external_services",
    "fuzzy_check",
    "gpt",
    "greylist",
    "history_redis",
    "known_senders",
    "metadata_exporter",
    "mx_check",
    "neural",
    "p0f",
    "phishing",
    "ratelimit",
    "rbl",
    "replies",
    "spf",
    "surbl",
    "url_redirector",
];

/// A filter's daemon with its folder; both go with the value.
pub(crate) struct Filter {
    folder: PathBuf,
    child: Child,
}

impl Filter {
    /// ClamAV with one signature.
    pub(crate) fn clamd() -> Filter {
        let folder = folder("clamd");
        let at = folder.display();
        for below in ["db", "tmp"] {
            fs::create_dir(folder.join(below)).expect("our own folder");
        }
        // At the start of a file or a part, as EICAR wants it found; a line end may follow.
        let hex = eicar().bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        fs::write(folder.join("db/test.ndb"), format!("Eicar-Test-Signature:0:0:{hex}\n"))
            .expect("our own file");
        let config = format!(
            "DatabaseDirectory {at}/db\nTemporaryDirectory {at}/tmp\nLocalSocket {at}/sock\nForeground yes\nLogFile \
             {at}/log\nStreamMaxLength 25M\nMaxThreads 2\nUser root\n"
        );
        fs::write(folder.join("conf"), config).expect("our own file");
        let config = folder.join("conf");
        Filter::start(folder, bound_to_us(CLAMD).arg("-c").arg(config))
    }

    /// SpamAssassin with its local tests.
    pub(crate) fn spamd() -> Filter {
        let folder = folder("spamd");
        let socket = format!("--socketpath={}", folder.join("sock").display());
        let home = format!("--helper-home-dir={}", folder.display());
        let mut command = bound_to_us(SPAMD);
        command.args([
            "--local",
            "--nouser-config",
            "--socketmode=0666",
            "--max-children=2",
            "--min-children=1",
        ]);
        command.args(["--syslog=stderr", "--username=nobody", &socket, &home]);
        Filter::start(folder, &mut command)
    }

    /// rspamd with what asks no network and keeps nothing.
    pub(crate) fn rspamd() -> Filter {
        let folder = folder("rspamd");
        let etc = folder.join("etc");
        run(Command::new("cp").arg("-r").arg("/etc/rspamd").arg(&etc));
        let put = |name: &str, text: &str| {
            let path = etc.join("override.d").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("our own folder");
            fs::write(path, text).expect("our own file");
        };
        put(
            "worker-normal.inc",
            &format!("bind_socket = \"{}/sock mode=0666\";\ncount = 1;\n", folder.display()),
        );
        for worker in ["worker-controller.inc", "worker-proxy.inc"] {
            put(worker, "count = -1;\nenabled = false;\n");
        }
        put("logging.inc", "type = \"console\";\nlevel = \"error\";\n");
        // Nobody answers there.
        put(
            "options.inc",
            "dns { nameserver = [\"127.0.0.1:9\"]; timeout = 0.05s; retransmits = 1; }\nneighbours {}\n",
        );
        for module in RSPAMD_OFF {
            put(&format!("{module}.conf"), "enabled = false;\n");
        }
        put("classifier-bayes.conf", "");
        run(Command::new("chmod").arg("-R").arg("a+rwX").arg(&folder));
        let mut command = bound_to_us(RSPAMD);
        command.args(["-f", "-u", "_rspamd", "-g", "_rspamd", "-c"]).arg(etc.join("rspamd.conf"));
        for (name, place) in [
            ("DBDIR", &folder),
            ("RUNDIR", &folder),
            ("LOGDIR", &folder),
            ("CONFDIR", &etc),
            ("LOCAL_CONFDIR", &etc),
        ] {
            command.arg(format!("--var={name}={}", place.display()));
        }
        Filter::start(folder, &mut command)
    }

    fn start(folder: PathBuf, command: &mut Command) -> Filter {
        let log = fs::File::create(folder.join("out")).expect("our own file");
        let error = log.try_clone().expect("a file");
        // A group of its own, so that its children end with it.
        let child = command.stdin(Stdio::null()).stdout(log).stderr(error).process_group(0).spawn();
        Filter { folder, child: child.expect("it is installed") }
    }

    /// Waits until it listens; others may start meanwhile.
    pub(crate) fn ready(mut self) -> Filter {
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            let ended = self.child.try_wait().expect("our own child");
            let out = || fs::read_to_string(self.folder.join("out")).unwrap_or_default();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "it does not listen: {ended:?} {}", out());
            std::thread::sleep(LOOK_AGAIN);
        }
        self
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("sock")
    }

    /// Sends a signal to it and all its children.
    pub(crate) fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        run(Command::new("kill").args(["-s", name, "--", &group]));
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}

/// A daemon that dies with this test, also when that is killed.
fn bound_to_us(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("mailward-{name}-{}", std::process::id()));
    fs::create_dir(&path).expect("a new folder");
    fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("our own folder");
    path
}

fn run(command: &mut Command) {
    let status = command.status().expect("part of the base system");
    assert!(status.success(), "{command:?}: {status}");
}
