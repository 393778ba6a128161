//! The server over its unix socket; slow peers on tokio's own clock.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::thread;

use model::Secs;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::testing::{Folder, logged};

/// 2026-11-21 22:40:07 UTC.
const NOW: Millis = Millis::from_secs(1_795_300_807);

/// For so long a test waits for what must come; it is never what a test asserts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Knows `report@`, `stuck@` and `broken@example.org`; keeps what it takes.
#[derive(Default)]
struct Keeper {
    taken: Mutex<Vec<Delivered>>,
    /// Held by a test that wants `stuck@` to wait.
    lock: Mutex<()>,
}

impl Mailbox for Keeper {
    fn accepts(&self, recipient: &[u8]) -> Result<(), Reply> {
        let known: [&[u8]; 3] = [b"report@example.org", b"stuck@example.org", b"broken@example.org"];
        match recipient {
            known_one if known.contains(&known_one) => Ok(()),
            b"later@example.org" => Err(Reply::Later("over the limit".into())),
            _ => Err(Reply::Refused("no such address here".into())),
        }
    }

    fn deliver(&self, mail: Delivered) -> Reply {
        assert_ne!(mail.recipient, b"broken@example.org", "broken on purpose");
        if mail.recipient == b"stuck@example.org" {
            drop(self.lock.lock());
        }
        if mail.raw.is_empty() {
            return Reply::Refused("expected a report".into());
        }
        self.taken.lock().unwrap().push(mail);
        Reply::Taken
    }
}

struct Stage {
    server: Running,
    mailbox: Arc<Keeper>,
    clock: Clock,
    folder: Folder,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Stage {
        let folder = Folder::new();
        let mut config = Config::new(folder.path("lmtp"), "mx1.example.org".into());
        change(&mut config);
        let (mailbox, clock) = (Arc::new(Keeper::default()), Clock::manual(NOW));
        let server = serve(config, mailbox.clone(), clock.clone()).unwrap();
        Stage { server, mailbox, clock, folder }
    }

    fn peer(&self) -> Peer {
        let stream = UnixStream::connect(self.folder.path("lmtp")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { stream, unread: Vec::new() }
    }

    /// A peer that has been greeted and has said LHLO.
    fn greeted(&self) -> Peer {
        let mut peer = self.peer();
        assert!(peer.line().starts_with("220 mx1.example.org"));
        peer.send("LHLO mx1.example.org\r\n");
        while !peer.line().starts_with("250 ") {}
        peer
    }
}

struct Peer {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Peer {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// The next line of an answer; `closed` instead of one.
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return String::from_utf8(line).unwrap().trim_end().to_owned();
            }
            let mut room = [0; 4096];
            match self.stream.read(&mut room) {
                Ok(0) => return "closed".into(),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return "closed".into(),
                Ok(len) => self.unread.extend_from_slice(&room[..len]),
                Err(e) => panic!("no answer came: {e}"),
            }
        }
    }

    /// The answers to a message for these recipients, sent in one go.
    fn mail(&mut self, recipients: &[&str], data: &str) -> Vec<String> {
        let rcpt: String = recipients.iter().map(|r| format!("RCPT TO:<{r}>\r\n")).collect();
        self.send(&format!("MAIL FROM:<user@example.net>\r\n{rcpt}DATA\r\n"));
        let envelope: Vec<_> = (0..recipients.len() + 2).map(|_| self.line()).collect();
        let taken = envelope.iter().filter(|line| line.starts_with("250 2.1.5")).count();
        if taken == 0 {
            return envelope;
        }
        self.send(&format!("{data}.\r\n"));
        (0..taken).map(|_| self.line()).collect()
    }
}

/// Waits until something holds that must come to hold.
#[track_caller]
fn wait_for(holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come");
        thread::sleep(Duration::from_millis(2));
    }
}

const TAKEN: &str = "250 2.0.0 message taken";

#[test]
fn a_message_reaches_the_mailbox_once_for_each_recipient() {
    let stage = Stage::new();
    let mut peer = stage.greeted();
    let answers = peer.mail(
        &["report@example.org", "nobody@example.org", "later@example.org", "report@example.org"],
        "Subject: x\r\n\r\n..dot\r\n",
    );
    assert_eq!(answers, [TAKEN; 2]);
    let taken = stage.mailbox.taken.lock().unwrap().clone();
    let expect = Delivered {
        sender: b"user@example.net".to_vec(),
        recipient: b"report@example.org".to_vec(),
        raw: b"Subject: x\r\n\r\n.dot\r\n".as_slice().into(),
        at: NOW,
    };
    assert_eq!(taken, [expect.clone(), expect]);
    let counts = stage.server.counters();
    assert_eq!((counts.messages, counts.taken, counts.refused, counts.deferred), (1, 4, 1, 1));
    peer.send("QUIT\r\n");
    assert_eq!([peer.line(), peer.line()], ["221 2.0.0 bye", "closed"]);
}

#[test]
fn a_mailbox_refuses_a_recipient_or_a_message() {
    let stage = Stage::new();
    let mut peer = stage.greeted();
    assert_eq!(peer.mail(&["nobody@example.org"], "")[1], "550 5.1.1 no such address here");
    assert_eq!(peer.line_after("RSET\r\n"), "250 2.0.0 forgotten");
    assert_eq!(peer.mail(&["report@example.org"], ""), ["550 5.6.0 expected a report"]);
    assert!(stage.mailbox.taken.lock().unwrap().is_empty());
}

impl Peer {
    fn line_after(&mut self, send: &str) -> String {
        self.send(send);
        self.line()
    }
}

#[test]
fn over_the_rate_the_answer_is_later_until_the_minute_is_over() {
    let stage = Stage::with(|config| config.per_minute = 2);
    let mut peer = stage.greeted();
    peer.send("MAIL FROM:<>\r\n");
    assert_eq!(peer.line(), "250 2.1.0 sender taken");
    let rcpt = "RCPT TO:<report@example.org>\r\n";
    let unknown = "RCPT TO:<nobody@example.org>\r\n";
    assert_eq!(peer.line_after(rcpt), "250 2.1.5 recipient taken");
    assert_eq!(peer.line_after(rcpt), "250 2.1.5 recipient taken");
    assert_eq!(peer.line_after(rcpt), "451 4.3.0 too much mail in this minute");
    assert_eq!(peer.line_after(unknown), "550 5.1.1 no such address here");
    stage.clock.advance(Secs::MINUTE).unwrap();
    assert_eq!(peer.line_after(rcpt), "250 2.1.5 recipient taken");
    assert_eq!(stage.server.counters().too_many, 1);
}

#[test]
fn a_mailbox_that_breaks_down_costs_no_message() {
    let stage = Stage::new();
    let mut peer = stage.greeted();
    assert_eq!(peer.mail(&["broken@example.org"], "x\r\n"), ["451 4.3.0 try again later"]);
    assert_eq!(stage.server.counters().failed, 1);
    assert_eq!(peer.mail(&["report@example.org"], "x\r\n"), [TAKEN]);
}

#[test]
fn a_slow_mailbox_holds_up_nobody_else() {
    let stage = Stage::new();
    let held = stage.mailbox.lock.lock().unwrap();
    let mut stuck = stage.greeted();
    stuck.send("MAIL FROM:<>\r\nRCPT TO:<stuck@example.org>\r\nDATA\r\nx\r\n.\r\n");
    wait_for(|| stage.server.counters().messages == 1);
    assert_eq!(stage.greeted().mail(&["report@example.org"], "x\r\n"), [TAKEN]);
    drop(held);
    let lines: Vec<_> = (0..4).map(|_| stuck.line()).collect();
    assert_eq!(lines[3], TAKEN);
}

#[test]
fn a_message_beyond_the_limit_is_refused_and_the_session_goes_on() {
    let stage = Stage::with(|config| config.limits.message_len_max = 1000);
    let mut peer = stage.greeted();
    let long = format!("{}\r\n", "x".repeat(998)).repeat(200);
    assert_eq!(peer.mail(&["report@example.org"], &long), ["552 5.3.4 message too long"]);
    assert_eq!(peer.mail(&["report@example.org"], "x\r\n"), [TAKEN]);
    assert_eq!(stage.server.counters().messages, 1);
}

#[test]
fn too_many_connections_are_turned_away() {
    let stage = Stage::with(|config| config.connections_max = 1);
    let first = stage.greeted();
    assert_eq!(stage.peer().line(), "closed");
    assert_eq!(stage.server.counters().turned_away, 1);
    drop(first);
    wait_for(|| stage.server.counters().connections == 0);
    stage.greeted();
}

#[test]
fn garbage_is_closed_and_counted() {
    let stage = Stage::new();
    let mut peer = stage.peer();
    let garbage: Vec<u8> = (0..8192u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // We may close before all of it is written.
    let _ = peer.stream.write_all(&garbage.repeat(16));
    while peer.line() != "closed" {}
    wait_for(|| stage.server.counters().malformed == u64::from(wire::lmtp::ERRORS_MAX));
}

#[test]
fn the_socket_goes_with_the_server() {
    let stage = Stage::new();
    let mut peer = stage.greeted();
    stage.server.stop();
    assert_eq!(peer.line(), "closed");
    assert!(!stage.folder.path("lmtp").exists());
}

/// After how many seconds a connection is closed on which `said` was sent, and whether that
/// was for slowness. Time stands still but for the connection's own timers.
#[track_caller]
fn check_closes(said: &[u8], expect: (u64, u64)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let config = Config::new("unused".into(), "mx1.example.org".into());
    let shared = Arc::new(Shared::new(config, Arc::new(Keeper::default()), Clock::manual(NOW)));
    let seat = crate::seats::Seats::new(1).take().unwrap();
    let began_and_ended = runtime.unwrap().block_on(async {
        let (mut peer, ours) = duplex(64 * 1024);
        let began = tokio::time::Instant::now();
        peer.write_all(said).await.unwrap();
        let talk = connection::talk(ours, shared.clone(), seat);
        let ((), heard) = tokio::join!(talk, async {
            let mut heard = Vec::new();
            peer.read_to_end(&mut heard).await.map(|_| heard)
        });
        assert!(heard.unwrap().starts_with(b"220 "));
        began.elapsed().as_secs()
    });
    assert_eq!((began_and_ended, shared.counts().slow), expect);
}

#[test]
fn who_says_nothing_has_the_idle_time() {
    check_closes(b"", (300, 0));
    check_closes(b"LHLO a\r\n", (600, 0));
}

#[test]
fn who_does_not_end_what_he_began_is_slow() {
    check_closes(b"LHL", (120, 1));
    check_closes(b"LHLO a\r\nMAIL FROM:<>\r\n", (120, 1));
    check_closes(
        b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<report@example.org>\r\nDATA\r\nSubject: x\r\n",
        (120, 1),
    );
}

#[test]
fn persons_are_not_logged_by_default() {
    let config = Config::new("unused".into(), "mx1.example.org".into());
    let shared = Shared::new(config, Arc::new(Keeper::default()), Clock::manual(NOW));
    let line = logged(|| {
        assert_ne!(shared.admit(b"person@example.org"), Reply::Taken);
        shared.trouble(trouble::Trouble::Malformed, &"person@example.org");
    });
    assert!(line.contains("WARN") && line.contains("lmtp") && !line.contains("person"), "{line}");
}
