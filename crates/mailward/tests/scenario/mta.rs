//! A mail server that shows one session to the milter, as Postfix does.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use wire::milter::{Actions, Command, Offer, Peer, Protocol, Told, split_packet, write_macros};

use super::PATIENCE;

/// What Postfix 3.7 offers.
const POSTFIX: Offer = Offer { version: 6, actions: Actions(0x1ff), protocol: Protocol(0x1f_ffff) };

/// One session of a client.
pub(crate) struct Shown<'a> {
    pub(crate) client: &'a str,
    /// Its confirmed name in DNS, or `unknown`.
    pub(crate) name: &'a str,
    pub(crate) helo: &'a str,
    pub(crate) from: &'a str,
    /// Nobody: it only connects and greets.
    pub(crate) to: Vec<&'a str>,
    /// The user that logged in.
    pub(crate) login: Option<&'a str>,
    /// Code and words with which the mail server refuses the recipients itself.
    pub(crate) refused: Option<(&'a str, &'a str)>,
    /// The header, then the body.
    pub(crate) header: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) queue_id: String,
}

/// Shows a session; what the client hears at last: `accept` and the fields that the message
/// got, or a reply with its code.
pub(crate) fn show(socket: &Path, session: &Shown<'_>) -> String {
    let stream = UnixStream::connect(socket).expect("the milter listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut mta = Mta { stream, unread: Vec::new(), out: Vec::new(), agreed: Protocol(0) };
    let heard = mta.session(session);
    mta.step(&Command::Quit);
    heard
}

struct Mta {
    stream: UnixStream,
    unread: Vec<u8>,
    out: Vec<u8>,
    agreed: Protocol,
}

impl Mta {
    fn session(&mut self, session: &Shown<'_>) -> String {
        self.greet(session);
        if session.to.is_empty() {
            return "accept".to_owned();
        }
        let login = session.login.map(|user| ("{auth_authen}", user));
        self.macros(b'M', &login.into_iter().collect::<Vec<_>>());
        let path = format!("<{}>", session.from);
        self.step(&Command::Mail { path: path.as_bytes(), parameters: b"" });
        let mut refused = None;
        for to in &session.to {
            let heard = self.rcpt(to, session.refused);
            refused = refused.or(Some(heard).filter(|heard| heard != "continue"));
        }
        match refused {
            Some(refused) => refused,
            None if session.refused.is_some() => "accept".to_owned(),
            None => self.message(session),
        }
    }

    fn greet(&mut self, session: &Shown<'_>) {
        self.step(&Command::Negotiate(POSTFIX));
        let (resolved, name) =
            if session.name == "unknown" { ("FAIL", "unknown") } else { ("OK", session.name) };
        self.macros(b'C', &[("{client_resolve}", resolved), ("{client_ptr}", name), ("{client_name}", name)]);
        let peer = Peer::Ip(session.client.parse().expect("an address"), 40001);
        self.step(&Command::Connect { host: name.as_bytes(), peer });
        self.step(&Command::Helo(session.helo.as_bytes()));
    }

    fn rcpt(&mut self, to: &str, refused: Option<(&str, &str)>) -> String {
        if let Some((code, words)) = refused {
            self.macros(b'R', &[("{rcpt_mailer}", "error"), ("{rcpt_host}", code), ("{rcpt_addr}", words)]);
        }
        let path = format!("<{to}>");
        self.step(&Command::Rcpt { path: path.as_bytes(), parameters: b"" })
    }

    fn message(&mut self, session: &Shown<'_>) -> String {
        self.macros(b'T', &[("i", &session.queue_id)]);
        self.step(&Command::Data);
        for (name, value) in &session.header {
            self.step(&Command::Field { name: name.as_bytes(), value: value.as_bytes() });
        }
        self.step(&Command::EndOfHeader);
        self.step(&Command::Body(session.body.as_bytes()));
        self.macros(b'E', &[("i", &session.queue_id)]);
        let heard = self.step(&Command::EndOfBody(b""));
        heard.strip_prefix("continue").map_or(heard.clone(), |fields| format!("accept{fields}"))
    }

    fn macros(&mut self, of: u8, pairs: &[(&str, &str)]) {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        write_macros(of, &pairs, &mut self.out);
    }

    /// Sends a command and waits for what closes its answer, if an answer was agreed.
    fn step(&mut self, command: &Command<'_>) -> String {
        let start = self.out.len() + 4;
        command.write(&mut self.out);
        let silent = self.agreed.is_silent(self.out[start]) || matches!(command, Command::Quit);
        self.stream.write_all(&std::mem::take(&mut self.out)).unwrap();
        if silent { "continue".to_owned() } else { self.told() }
    }

    fn told(&mut self) -> String {
        let mut fields = String::new();
        loop {
            if let Some((packet, rest)) = split_packet(&self.unread).expect("a packet") {
                let told = Told::read(packet).expect("an answer");
                if let Told::Agreed { protocol, .. } = told {
                    self.agreed = Protocol(protocol);
                }
                if let Told::Insert { name, value, .. } | Told::Add { name, value } = told {
                    let [name, value] = [name, value].map(|text| String::from_utf8_lossy(text).into_owned());
                    fields = format!("{fields} {name}:{value}");
                }
                let (last, words, used) = (told.is_last(), words(&told), self.unread.len() - rest.len());
                self.unread.drain(..used);
                if last {
                    return words + &fields;
                }
            } else {
                let mut room = [0; 4096];
                let read = self.stream.read(&mut room).expect("an answer in time");
                assert!(read > 0, "the milter closed the connection");
                self.unread.extend_from_slice(&room[..read]);
            }
        }
    }
}

fn words(told: &Told<'_>) -> String {
    match told {
        Told::Accept => "accept".to_owned(),
        Told::Reject => "550".to_owned(),
        Told::TempFail => "451".to_owned(),
        Told::Discard => "discard".to_owned(),
        // A per cent sign is doubled on the wire; lines are told as one.
        Told::Text(text) => String::from_utf8_lossy(text).replace("%%", "%").replace("\r\n", " "),
        _ => "continue".to_owned(),
    }
}
