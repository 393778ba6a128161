//! Daemons for world tests, and what they are shown.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{Cursor, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use judges::place::Place;
use model::letter::Letter;

use crate::letters::letter;

pub(crate) const CLAMD: &str = "/usr/sbin/clamd";
pub(crate) const SPAMD: &str = "/usr/sbin/spamd";
pub(crate) const RSPAMD: &str = "/usr/bin/rspamd";

/// How long a daemon may take to listen: rspamd compiles its patterns first.
const PATIENCE: Duration = Duration::from_secs(300);

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

/// Why the world can not be had here, if it can not.
pub(crate) fn missing(programs: &[&str]) -> Option<String> {
    if std::env::var("MAILWARD_WORLD").as_deref() != Ok("1") {
        return Some("MAILWARD_WORLD is not 1 (cargo xtask test world)".to_owned());
    }
    if !fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0) {
        return Some("daemons take on their own users as root only".to_owned());
    }
    let absent = programs.iter().find(|program| !Path::new(program).exists());
    absent.map(|program| format!("{program} is not installed"))
}

/// A daemon with its folder; both go with the value.
pub(crate) struct Daemon {
    folder: PathBuf,
    child: Child,
}

impl Daemon {
    pub(crate) fn clamd() -> Daemon {
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
        Daemon::start(folder, bound_to_us(CLAMD).arg("-c").arg(config))
    }

    pub(crate) fn spamd() -> Daemon {
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
        Daemon::start(folder, &mut command)
    }

    pub(crate) fn rspamd() -> Daemon {
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
        Daemon::start(folder, &mut command)
    }

    fn start(folder: PathBuf, command: &mut Command) -> Daemon {
        let log = fs::File::create(folder.join("out")).expect("our own file");
        let error = log.try_clone().expect("a file");
        // A group of its own, so that its children end with it.
        let child = command.stdin(Stdio::null()).stdout(log).stderr(error).process_group(0).spawn();
        let mut daemon = Daemon { folder, child: child.expect("it is installed") };
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(daemon.folder.join("sock")).is_err() {
            let ended = daemon.child.try_wait().expect("our own child");
            let out = || fs::read_to_string(daemon.folder.join("out")).unwrap_or_default();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "it does not listen: {ended:?} {}", out());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    pub(crate) fn place(&self) -> Place {
        Place::Unix(self.folder.join("sock"))
    }

    /// Sends a signal to it and all its children.
    pub(crate) fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        run(Command::new("kill").args(["-s", name, "--", &group]));
    }
}

impl Drop for Daemon {
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

/// The test virus of EICAR, in halves so that no scanner finds this file.
pub(crate) fn eicar() -> String {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

/// The test spam that every filter knows, in halves.
pub(crate) fn gtube() -> String {
    ["XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"].concat()
}

/// An ordinary message around this text.
pub(crate) fn mail(text: &str) -> Letter {
    letter(format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"))
}

const HEAD: &str = "From: Alice Example <alice@example.org>\r\nTo: Bob Example <bob@example.net>\r\nSubject: Lunch\r\n\
                    Date: Sat, 21 Nov 2026 21:39:00 +0000\r\nMessage-ID: <4T9K.lunch@mail.example.org>\r\n\
                    MIME-Version: 1.0\r\n";

/// The same with an archive that holds one file.
pub(crate) fn mail_with_zip(name: &str, file: &[u8]) -> Letter {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file(name, stored).expect("a name");
    archive.write_all(file).expect("memory");
    let bytes = archive.finish().expect("memory").into_inner();
    letter(format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee \
         there.\r\n--b\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: \
         base64\r\nContent-Disposition: attachment; filename=a.zip\r\n\r\n{}\r\n--b--\r\n",
        base64(&bytes)
    ))
}

/// RFC 4648 §4, in lines.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (count, three) in bytes.chunks(3).enumerate() {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
        if count % 19 == 18 {
            let _ = write!(text, "\r\n");
        }
    }
    text
}
