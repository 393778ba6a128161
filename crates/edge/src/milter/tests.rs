//! The server over real sockets, with a scripted MTA.

mod conduct;
mod content;
mod floods;
mod hostile;
mod inspected;
mod recipients;
mod relays;
mod slow;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use model::{Fact, Letter, Name, Observation};
use wire::milter::{Actions, Command, Offer, Peer, Protocol, Told, split_packet, write_macros};

use super::*;
use crate::clock::Clock;
use crate::testing::{Books, Folder, Heard, NOW, PATIENCE, persons, wait_for};

/// What Postfix 3.7 offers.
const POSTFIX: Offer = Offer { version: 6, actions: Actions(0x1ff), protocol: Protocol(0x1f_ffff) };
/// An MTA of 2001, which waits for an answer to each step.
const OLD: Offer = Offer { version: 2, actions: Actions(0x3f), protocol: Protocol(0x7f) };

/// An inspector that keeps what it is shown and ends all messages alike.
struct Keeps {
    shown: Mutex<Vec<(Letter, About)>>,
    ending: Ending,
}

impl Keeps {
    fn new(ending: Ending) -> Arc<Keeps> {
        Arc::new(Keeps { shown: Mutex::default(), ending })
    }

    fn letters(&self) -> Vec<Letter> {
        self.shown.lock().unwrap().iter().map(|(letter, _)| letter.clone()).collect()
    }

    /// The one letter that was shown.
    #[track_caller]
    fn letter(&self) -> Letter {
        let mut all = self.letters();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }
}

impl Inspector for Keeps {
    fn inspect(&self, letter: Letter, about: About) -> Inspection {
        self.shown.lock().unwrap().push((letter, about));
        Inspection::Done(self.ending.clone())
    }
}

/// A server with everything around it that a test moves.
struct Stage {
    server: Running,
    books: Books,
    heard: Arc<Heard>,
    clock: Clock,
    keeps: Arc<Keeps>,
    path: PathBuf,
    _folder: Folder,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Stage {
        Stage::ending(Ending::default(), change)
    }

    /// On a unix socket and a free TCP port of loopback; all messages end so.
    fn ending(ending: Ending, change: impl FnOnce(&mut Config)) -> Stage {
        let folder = Folder::new();
        let path = folder.path("milter");
        let (books, keeps) = (Books::new(), Keeps::new(ending));
        let heard = Arc::new(Heard { room: 5000, ..Heard::default() });
        let clock = Clock::manual(NOW);
        let mut config = Config {
            tcp: Some("127.0.0.1:0".parse().unwrap()),
            unix: Some(path.clone()),
            inspector: Some(keeps.clone()),
            ..Config::new(Name::new(b"mx.example.org"))
        };
        change(&mut config);
        let means = Means {
            views: books.published.clone(),
            intake: heard.clone(),
            clock: clock.clone(),
            persons: persons(),
        };
        let server = serve(config, means).unwrap();
        Stage { server, books, heard, clock, keeps, path, _folder: folder }
    }

    fn unix(&self) -> Mta<UnixStream> {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Mta::new(stream)
    }

    fn tcp(&self) -> Mta<TcpStream> {
        let stream = TcpStream::connect(self.server.tcp_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Mta::new(stream)
    }

    /// An MTA whose client has connected and said HELO.
    fn greeted(&self) -> Mta<UnixStream> {
        let mut mta = self.unix();
        mta.greet("192.0.2.25");
        mta
    }

    fn counters(&self) -> Counts {
        self.server.counters()
    }

    /// Waits for `count` observations: they are offered after the answer was sent.
    fn heard(&self, count: usize) -> Vec<Observation> {
        wait_for(|| self.heard.seen.lock().unwrap().len() >= count);
        self.heard.seen.lock().unwrap().clone()
    }

    fn facts(&self, count: usize) -> Vec<Fact> {
        self.heard(count).into_iter().map(|seen| seen.fact).collect()
    }

    /// All that was heard, once everything before it has been reported: the reports of a
    /// connection that is gone are.
    fn facts_at_last(&self) -> Vec<Fact> {
        wait_for(|| self.counters().connections == 0);
        self.facts(0)
    }
}

/// One connection as an MTA holds it.
struct Mta<S> {
    stream: S,
    unread: Vec<u8>,
    /// What is collected to be sent at once.
    out: Vec<u8>,
    agreed: Protocol,
    /// Replies that were waited for.
    waits: usize,
}

impl<S: Read + Write> Mta<S> {
    fn new(stream: S) -> Mta<S> {
        Mta { stream, unread: Vec::new(), out: Vec::new(), agreed: Protocol(0), waits: 0 }
    }

    /// Sends what is collected.
    fn flush(&mut self) {
        self.stream.write_all(&self.out).unwrap();
        self.out.clear();
    }

    /// The next packet, in words; `closed` instead of one.
    fn told(&mut self) -> String {
        loop {
            if let Some((packet, rest)) = split_packet(&self.unread).unwrap() {
                let (text, len) = (words(&Told::read(packet).unwrap()), self.unread.len() - rest.len());
                self.unread.drain(..len);
                return text;
            }
            let mut room = [0; 4096];
            match self.stream.read(&mut room) {
                Ok(0) => return self.closed(),
                Ok(len) => self.unread.extend_from_slice(&room[..len]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return self.closed(),
                Err(e) => panic!("no answer came: {e}"),
            }
        }
    }

    fn closed(&self) -> String {
        assert_eq!(self.unread, b"", "half a packet");
        "closed".into()
    }

    /// Sends a command and waits for its answer, if one was agreed.
    fn step(&mut self, command: Command<'_>) -> String {
        let start = self.out.len() + 4;
        command.write(&mut self.out);
        if self.agreed.is_silent(self.out[start]) {
            return String::new();
        }
        self.flush();
        self.waits += 1;
        self.told()
    }

    fn macros(&mut self, of: u8, pairs: &[(&str, &str)]) {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        write_macros(of, &pairs, &mut self.out);
    }

    fn agree(&mut self, offer: Offer) {
        let text = self.step(Command::Negotiate(offer));
        let protocol = text.rsplit(' ').next().unwrap();
        self.agreed = Protocol(u32::from_str_radix(protocol, 16).unwrap());
    }

    fn greet(&mut self, client: &str) {
        self.agree(POSTFIX);
        self.connect(client);
    }

    fn connect(&mut self, client: &str) {
        let name = "mail.example.net";
        let resolved = [("{client_resolve}", "OK"), ("{client_ptr}", name), ("{client_name}", name)];
        self.macros(b'C', &resolved);
        let peer = Peer::Ip(client.parse().unwrap(), 40001);
        assert_silent(&self.step(Command::Connect { host: name.as_bytes(), peer }));
        assert_silent(&self.step(Command::Helo(b"mail.example.net")));
    }

    fn mail(&mut self, path: &str) {
        let answer = self.step(Command::Mail { path: path.as_bytes(), parameters: b"" });
        assert_silent(&answer);
    }

    fn login(&mut self, path: &str) {
        self.macros(b'M', &[("{auth_authen}", "user")]);
        self.mail(path);
    }

    fn rcpt(&mut self, path: &str) -> String {
        self.step(Command::Rcpt { path: path.as_bytes(), parameters: b"" })
    }

    /// A recipient that the MTA refuses with this code and these words.
    fn refused_rcpt(&mut self, path: &str, code: &str, words: &str) -> String {
        let macros = [("{rcpt_mailer}", "error"), ("{rcpt_host}", code), ("{rcpt_addr}", words)];
        self.macros(b'R', &macros);
        self.rcpt(path)
    }

    fn field(&mut self, name: &str, value: &str) {
        let answer = self.step(Command::Field { name: name.as_bytes(), value: value.as_bytes() });
        assert_silent(&answer);
    }

    fn end(&mut self) -> Vec<String> {
        self.macros(b'E', &[("i", "4T9K2x1z")]);
        let mut all = vec![self.step(Command::EndOfBody(b""))];
        while matches!(all.last(), Some(text) if !is_last(text)) {
            all.push(self.told());
        }
        all
    }

    /// Sends a message to one recipient; what its end is answered.
    fn message(&mut self) -> Vec<String> {
        self.mail("<a@example.net>");
        assert_eq!(self.rcpt("<b@example.org>"), "continue");
        self.content()
    }

    /// Header, body and end of a message.
    fn content(&mut self) -> Vec<String> {
        self.field("Subject", " hello");
        self.step(Command::Body(b"hello\r\n"));
        self.end()
    }

    /// Says that it goes, and waits until we have, too.
    fn quit(mut self) {
        Command::Quit.write(&mut self.out);
        self.flush();
        assert_eq!(self.told(), "closed");
    }
}

#[track_caller]
fn assert_silent(answer: &str) {
    assert!(answer.is_empty() || answer == "continue", "{answer}");
}

fn is_last(text: &str) -> bool {
    !["progress", "insert", "change", "quarantine"].iter().any(|word| text.starts_with(word))
}

/// An answer in words.
fn words(told: &Told<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match told {
        Told::Agreed { version, actions, protocol, .. } => {
            format!("agreed {version} {actions:x} {protocol:x}")
        }
        Told::Continue => "continue".into(),
        Told::Skip => "skip".into(),
        Told::Progress => "progress".into(),
        Told::Text(reply) => text(reply),
        Told::Insert { index, name, value } => {
            format!("insert {index} {}:{}", text(name), text(value))
        }
        Told::Change { index, name, value } => {
            format!("change {index} {}:{}", text(name), text(value))
        }
        Told::Quarantine(reason) => format!("quarantine {}", text(reason)),
        other => format!("{other:?}"),
    }
}
