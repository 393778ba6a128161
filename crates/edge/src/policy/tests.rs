//! The server over real sockets: on loopback, and in a folder of the test's own.

mod answers;
mod conduct;
mod greylist;
mod hostile;
mod life;
mod order;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use model::{Millis, Name, Observation, Secs};
use projections::Projector;

use super::*;
use crate::intake::Full;
use crate::testing::{Books, Folder, Heard, NOW, PATIENCE, case, persons, site, wait_for};
use crate::views::Published;

/// The names of a usual request, as Postfix sends them.
const USUAL: [(&str, &str); 10] = [
    ("request", "smtpd_access_policy"),
    ("protocol_state", "RCPT"),
    ("client_address", "192.0.2.25"),
    ("client_name", "mail.example.net"),
    ("reverse_client_name", "mail.example.net"),
    ("client_port", "40001"),
    ("helo_name", "mail.example.net"),
    ("sender", "a@example.net"),
    ("recipient", "b@example.org"),
    ("instance", "7b.65.0"),
];

/// A usual request, but for `changes`.
fn request(changes: &[(&str, &str)]) -> Vec<u8> {
    let kept = USUAL.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let lines: Vec<_> = kept.chain(changes).map(|(name, value)| (*name, value.as_bytes())).collect();
    let mut bytes = Vec::new();
    wire::policy::encode(&lines, &mut bytes).unwrap();
    bytes
}

/// A server with everything around it that a test moves.
struct Stage {
    server: Option<Running>,
    books: Books,
    heard: Arc<Heard>,
    clock: Clock,
    path: PathBuf,
    _folder: Folder,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(|_| {})
    }

    /// On a unix socket and a free TCP port of loopback, with these changes.
    fn with(change: impl FnOnce(&mut Config)) -> Stage {
        Stage::with_room(1000, change)
    }

    fn with_room(room: usize, change: impl FnOnce(&mut Config)) -> Stage {
        let folder = Folder::new();
        let path = folder.path("policy");
        let books = Books::new();
        let heard = Arc::new(Heard { room, ..Heard::default() });
        let clock = Clock::manual(NOW);
        let mut config = Config {
            tcp: Some("127.0.0.1:0".parse().unwrap()),
            unix: Some(path.clone()),
            ..Config::new(Name::new(b"mx.example.org"))
        };
        change(&mut config);
        let means = Means {
            views: books.published.clone(),
            intake: heard.clone(),
            clock: clock.clone(),
            persons: persons(),
        };
        let server = Some(serve(config, means).unwrap());
        Stage { server, books, heard, clock, path, _folder: folder }
    }

    fn server(&self) -> &Running {
        self.server.as_ref().unwrap()
    }

    fn counters(&self) -> Counts {
        self.server().counters()
    }

    fn unix(&self) -> Peer<UnixStream> {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { stream, unread: Vec::new() }
    }

    fn tcp(&self) -> Peer<TcpStream> {
        let stream = TcpStream::connect(self.server().tcp_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { stream, unread: Vec::new() }
    }

    fn block(&mut self, seq: u64, key: &str, from: Millis) {
        self.books.block(seq, key, from);
    }

    /// Waits for `count` observations: they are offered after the answer was sent.
    fn heard(&self, count: usize) -> Vec<Observation> {
        wait_for(|| self.heard.seen.lock().unwrap().len() >= count);
        self.heard.seen.lock().unwrap().clone()
    }
}

/// One end of a connection, as Postfix holds it.
struct Peer<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: Read + Write> Peer<S> {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next answer without `action=` and the empty line; `closed` instead of one.
    fn answer(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|w| w == b"\n\n") {
                let line = self.unread.drain(..end + 2).collect::<Vec<_>>();
                let text = String::from_utf8(line).unwrap();
                return text.trim_end().strip_prefix("action=").expect("an action").to_owned();
            }
            let mut room = [0; 4096];
            match self.stream.read(&mut room) {
                Ok(0) => return self.closed(),
                Ok(len) => self.unread.extend_from_slice(&room[..len]),
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return self.closed(),
                Err(e) => panic!("no answer came: {e}"),
            }
        }
    }

    fn closed(&self) -> String {
        assert_eq!(self.unread, b"", "half an answer");
        "closed".into()
    }

    fn ask(&mut self, changes: &[(&str, &str)]) -> String {
        self.send(&request(changes));
        self.answer()
    }
}
