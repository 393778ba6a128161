//! A daemon of its own for each test: a store, a configuration, free ports.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

pub(crate) struct Scratch(pub(crate) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store with its configuration, and the daemon on it.
pub(crate) struct Site {
    pub(crate) dir: Scratch,
    pub(crate) config: PathBuf,
    pub(crate) port: u16,
    daemon: Option<Child>,
    /// What the daemon has told since it listens.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// A site that enforces from its first start.
    pub(crate) fn new(name: &str) -> Site {
        Site::with(name, "mode = \"enforce\"")
    }

    /// A site with this line in its configuration.
    pub(crate) fn with(name: &str, line: &str) -> Site {
        let dir = std::env::temp_dir().join(format!("mailward-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (port, web) = (free_port(), free_port());
        let config = dir.join("mailward.toml");
        let text = format!(
            "data-dir = \"{0}/data\"\n{line}\nallow-documentation-prefixes = true\n\
             [milter]\ntcp = \"off\"\n[policy]\ntcp = \"127.0.0.1:{port}\"\ntrust-local = true\n\
             [portal]\nurl = \"http://127.0.0.1:{web}\"\nlisten = \"127.0.0.1:{web}\"\ncontact = \"postmaster@mx.example.org\"\n\
             [own]\nnames = [\"mx.example.org\"]\n",
            dir.display()
        );
        std::fs::write(&config, text).unwrap();
        Site { dir: Scratch(dir), config, port, daemon: None, log: Arc::default() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.0.join("data")
    }

    /// Starts the daemon; returns what it told, until it listens.
    pub(crate) fn start(&mut self) -> Vec<String> {
        self.start_with(&[])
    }

    /// The same with further options of `serve`.
    pub(crate) fn start_with(&mut self, options: &[&str]) -> Vec<String> {
        let mut command = Command::new(PROGRAM);
        command.args(["--config", self.config.to_str().unwrap(), "serve"]).args(options);
        self.spawn(command)
    }

    /// Runs a command that is the daemon in the end.
    pub(crate) fn spawn(&mut self, mut command: Command) -> Vec<String> {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut told = Vec::new();
        for line in log.by_ref() {
            told.push(line.unwrap());
            if told.last().unwrap().contains("started policy") {
                break;
            }
        }
        let rest = self.log.clone();
        std::thread::spawn(move || {
            for line in log.map_while(Result::ok) {
                rest.lock().unwrap().push(line);
            }
        });
        self.daemon = Some(child);
        if told.last().is_some_and(|line| line.contains("started policy")) {
            self.wait_for_control();
        }
        told
    }

    /// Waits until commands are taken, which on a busy machine is a moment after answers are given.
    fn wait_for_control(&self) {
        let socket = self.data().join("control.sock");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while UnixStream::connect(&socket).is_err() && std::time::Instant::now() < end {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.daemon.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        let mut child = self.daemon.take().unwrap();
        let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(kill.success() && child.wait().unwrap().success());
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.daemon.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// One spam of a client, judged: enough to block it if it looks like an end user's.
    pub(crate) fn spam(&self, client: &str, number: usize) {
        let mut stream = TcpStream::connect(self.addr()).unwrap();
        let queue = format!("Q{number}");
        ask(&mut stream, "RCPT", client, number, "").unwrap();
        ask(&mut stream, "END-OF-MESSAGE", client, number, &queue).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        observe(self, &format!("{{\"queue_id\":\"{queue}\",\"verdict\":\"spam\"}}\n"));
        std::thread::sleep(std::time::Duration::from_millis(150));
    }

    /// What a recipient of this client's next message is answered.
    pub(crate) fn answer(&self, client: &str, number: usize) -> String {
        ask(&mut TcpStream::connect(self.addr()).unwrap(), "RCPT", client, number, "").unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> (bool, String) {
        let out = Command::new(PROGRAM).arg("--config").arg(&self.config).args(args).output().unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    }

    pub(crate) fn addr(&self) -> SocketAddr {
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

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks as a client without a name in DNS: suspicious, and no more than that.
pub(crate) fn ask(
    stream: &mut TcpStream,
    state: &str,
    client: &str,
    number: usize,
    queue: &str,
) -> std::io::Result<String> {
    ask_as(stream, state, client, ("unknown", "mail.sender.example"), number, queue)
}

/// Asks as a client with this name in DNS and this HELO argument.
pub(crate) fn ask_as(
    stream: &mut TcpStream,
    state: &str,
    client: &str,
    (name, helo): (&str, &str),
    number: usize,
    queue: &str,
) -> std::io::Result<String> {
    let request = format!(
        "request=smtpd_access_policy\nprotocol_state={state}\nclient_address={client}\nclient_name={name}\n\
         reverse_client_name={name}\nhelo_name={helo}\nsender=s{number}@sender.example\nrecipient=r@inbox.example\n\
         recipient_count=1\nqueue_id={queue}\ninstance=i{number}\n\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut reply = [0; 1024];
    let read = stream.read(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply[..read]).into_owned())
}

pub(crate) fn observe(site: &Site, verdicts: &str) {
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
