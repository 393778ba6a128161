//! A live daemon under load is killed −9 again and again: what it acknowledged stays, its
//! chain verifies, and its journal gives its ledger again, byte for byte.
//!
//! `MAILWARD_PROVE_ROUNDS` says how often (1 in `test`, 20 in `prove`).

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store with its configuration, and the daemon on it.
struct Site {
    dir: Scratch,
    config: PathBuf,
    port: u16,
    daemon: Option<Child>,
}

impl Site {
    fn new(name: &str) -> Site {
        let dir = std::env::temp_dir().join(format!("mailward-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (port, web) = (free_port(), free_port());
        let config = dir.join("mailward.toml");
        let text = format!(
            "data-dir = \"{0}/data\"\nmode = \"enforce\"\nallow-documentation-prefixes = true\n\
             [policy]\ntcp = \"127.0.0.1:{port}\"\ntrust-local = true\n\
             [portal]\nurl = \"http://127.0.0.1:{web}\"\nlisten = \"127.0.0.1:{web}\"\ncontact = \"postmaster@mx.example.org\"\n\
             [own]\nnames = [\"mx.example.org\"]\n",
            dir.display()
        );
        std::fs::write(&config, text).unwrap();
        Site { dir: Scratch(dir), config, port, daemon: None }
    }

    fn data(&self) -> PathBuf {
        self.dir.0.join("data")
    }

    /// Starts the daemon; returns what it told, until it listens.
    fn start(&mut self) -> Vec<String> {
        let mut child = Command::new(PROGRAM)
            .args(["--config", self.config.to_str().unwrap(), "serve"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut told = Vec::new();
        for line in log.by_ref() {
            told.push(line.unwrap());
            if told.last().unwrap().contains("started policy") {
                break;
            }
        }
        std::thread::spawn(move || log.for_each(drop));
        self.daemon = Some(child);
        told
    }

    fn kill(&mut self) {
        let mut child = self.daemon.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn run(&self, args: &[&str]) -> (bool, String) {
        let out = Command::new(PROGRAM).arg("--config").arg(&self.config).args(args).output().unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    }

    fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.daemon.is_some() {
            self.kill();
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn ask(
    stream: &mut TcpStream,
    state: &str,
    client: &str,
    number: usize,
    queue: &str,
) -> std::io::Result<String> {
    let request = format!(
        "request=smtpd_access_policy\nprotocol_state={state}\nclient_address={client}\nclient_name=unknown\n\
         reverse_client_name=unknown\nhelo_name=pc\nsender=s{number}@sender.example\nrecipient=r@inbox.example\n\
         recipient_count=1\nqueue_id={queue}\ninstance=i{number}\n\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut reply = [0; 1024];
    let read = stream.read(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply[..read]).into_owned())
}

/// Sends sessions and verdicts until the time is over; returns references it was refused
/// for: a reply sent because of a block is an acknowledgement of it.
fn load(site: &Site, round: usize, lasts: Duration) -> BTreeSet<String> {
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (end, mut acknowledged, mut verdicts) = (Instant::now() + lasts, BTreeSet::new(), String::new());
    let mut number = round * 1_000_000;
    while Instant::now() < end {
        number += 1;
        let client = format!("203.0.113.{}", number % 250);
        let reply = ask(&mut stream, "RCPT", &client, number, "").unwrap();
        if let Some(at) = reply.find("/c/") {
            acknowledged.insert(reply[at + 3..].split('/').next().unwrap().to_owned());
            continue;
        }
        let queue = format!("Q{number}");
        ask(&mut stream, "END-OF-MESSAGE", &client, number, &queue).unwrap();
        verdicts.push_str(&format!("{{\"queue_id\":\"{queue}\",\"verdict\":\"spam\"}}\n"));
        if number.is_multiple_of(40) {
            observe(site, &std::mem::take(&mut verdicts));
        }
    }
    acknowledged
}

fn observe(site: &Site, verdicts: &str) {
    let mut child = Command::new(PROGRAM)
        .arg("--config")
        .arg(&site.config)
        .arg("observe")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(verdicts.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn rounds() -> usize {
    std::env::var("MAILWARD_PROVE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_daemon_is_killed() {
    let mut site = Site::new("crash");
    let mut acknowledged = BTreeSet::new();
    let first = site.dir.0.join("first-checkpoint");
    for round in 0..rounds() {
        site.start();
        acknowledged.extend(load(&site, round, Duration::from_millis(900 + 137 * (round as u64 % 7))));
        site.kill();
        if round == 0 {
            copy_checkpoint(&site.data().join("checkpoint"), &first);
        }
    }
    assert!(acknowledged.len() > 10, "the load must have been refused for blocks: {}", acknowledged.len());
    // One more start repairs what the last kill tore.
    site.start();
    for case in &acknowledged {
        let (known, told) = site.run(&["show", case]);
        assert!(known, "{case} was acknowledged and is gone: {told}");
    }
    site.kill();
    site.start();
    site.kill();
    for threads in ["1", "2"] {
        let (good, told) = site.run(&["ledger", "verify", "--journal", "--engine-threads", threads]);
        assert!(good, "{told}");
        assert!(told.contains("byte for byte"), "{told}");
    }
    for checkpoint in [first, site.data().join("checkpoint")] {
        let from = checkpoint.to_str().unwrap().to_owned();
        let (good, told) = site.run(&["ledger", "verify", "--journal", "--from", &from]);
        assert!(good, "{told}");
    }
}

fn copy_checkpoint(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(from).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    std::fs::copy(&files[0], to.join(files[0].file_name().unwrap())).unwrap();
}

#[test]
fn a_second_daemon_on_the_same_store_says_who_has_it() {
    let mut site = Site::new("second");
    site.start();
    let (good, told) = site.run(&["serve"]);
    assert!(!good);
    assert!(told.contains("LOCK"), "{told}");
}

#[test]
fn a_torn_tail_is_repaired_at_the_start_and_said_so() {
    let mut site = Site::new("torn");
    site.start();
    load(&site, 1, Duration::from_millis(400));
    site.kill();
    let mut segments: Vec<_> =
        std::fs::read_dir(site.data().join("journal")).unwrap().map(|f| f.unwrap().path()).collect();
    segments.sort();
    let last = std::fs::OpenOptions::new().append(true).open(segments.last().unwrap()).unwrap();
    (&last).write_all(&[0, 0, 1, 44, 7, 7, 7]).unwrap();
    let told = site.start().join("\n");
    assert!(told.contains("cut a torn tail"), "{told}");
    assert!(site.run(&["ledger", "verify"]).0);
}
