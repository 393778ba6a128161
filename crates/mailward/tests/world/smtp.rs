//! A small SMTP client (RFC 5321) that keeps the replies, and can pose as another client by
//! XCLIENT (Postfix's XCLIENT_README). One command at a time, no TLS.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::PATIENCE;

/// Who a session pretends to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// The address.
    pub(crate) addr: &'static str,
    /// The confirmed reverse name; `None` has none.
    pub(crate) name: Option<&'static str>,
    /// What it greets with.
    pub(crate) helo: &'static str,
}

impl Client {
    /// A client without reverse DNS, as end users' computers are.
    pub(crate) const fn nameless(addr: &'static str) -> Client {
        Client { addr, name: None, helo: "client.example.net" }
    }

    /// A well-run mail server.
    pub(crate) const fn well_run(addr: &'static str) -> Client {
        Client { addr, name: Some("mail.example.net"), helo: "mail.example.net" }
    }

    /// The command that makes Postfix take us for it.
    pub(crate) fn xclient(&self) -> String {
        let name = self.name.unwrap_or("[UNAVAILABLE]");
        let family = if self.addr.contains(':') { "IPV6:" } else { "" };
        format!("XCLIENT ADDR={family}{} NAME={name} HELO={}", self.addr, self.helo)
    }
}

/// A reply: its code, and all its lines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Reply {
    /// The three digits.
    pub(crate) code: u16,
    /// The lines as they came, joined with newlines.
    pub(crate) text: String,
}

impl Reply {
    /// The queue id of Postfix's ‘queued as’.
    #[track_caller]
    pub(crate) fn queue_id(&self) -> String {
        let id = self.text.split("queued as ").nth(1).map(str::trim);
        id.unwrap_or_else(|| panic!("expected a queue id, but got {self:?}")).to_owned()
    }

    /// The link in a refusal.
    #[track_caller]
    pub(crate) fn link(&self) -> String {
        let word = self.text.split_whitespace().find(|word| word.starts_with("http"));
        word.unwrap_or_else(|| panic!("expected a link, but got {self:?}")).to_owned()
    }
}

/// A session.
pub(crate) struct Smtp {
    /// The connection; what was not read yet stands in it.
    pub(crate) stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects, and reads the greeting.
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Smtp {
        Smtp::greeted(TcpStream::connect(("127.0.0.1", port)).expect("an SMTP server on loopback"))
    }

    /// The same from an address of ours.
    #[track_caller]
    pub(crate) fn connect_from(client: &str, port: u16) -> Smtp {
        let from = SocketAddr::new(client.parse().expect("an IPv4 address"), 0);
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &from).unwrap_or_else(|e| panic!("{client} is not ours: {e}"));
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        connect(&socket, &server).expect("an SMTP server on loopback");
        Smtp::greeted(TcpStream::from(socket))
    }

    #[track_caller]
    fn greeted(stream: TcpStream) -> Smtp {
        for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
            set(&stream, Some(PATIENCE)).expect("a time limit");
        }
        let mut session = Smtp { stream: BufReader::new(stream) };
        session.expect(220, "greeting");
        session
    }

    /// Connects as `client`, greeted and ready for mail.
    #[track_caller]
    pub(crate) fn connect_as(port: u16, client: &Client) -> Smtp {
        let mut session = Smtp::connect(port);
        session.pose(client);
        session.ask(250, &format!("EHLO {}", client.helo));
        session
    }

    /// Becomes `client`; what follows is the greeting's answer.
    #[track_caller]
    pub(crate) fn pose(&mut self, client: &Client) {
        self.ask(250, "EHLO relay.example.org");
        self.ask(220, &client.xclient());
    }

    /// Sends a command and returns the reply.
    #[track_caller]
    pub(crate) fn say(&mut self, command: &str) -> Reply {
        let line = format!("{command}\r\n");
        self.stream.get_mut().write_all(line.as_bytes()).expect("the server listens");
        self.reply()
    }

    /// Names a recipient.
    #[track_caller]
    pub(crate) fn rcpt(&mut self, recipient: &str) -> Reply {
        self.say(&format!("RCPT TO:<{recipient}>"))
    }

    /// Sends a command that must have this reply.
    #[track_caller]
    pub(crate) fn ask(&mut self, code: u16, command: &str) -> Reply {
        let reply = self.say(command);
        assert_eq!(reply.code, code, "{command}: {}", reply.text);
        reply
    }

    /// Begins a message.
    #[track_caller]
    pub(crate) fn mail(&mut self) {
        // With a parameter, as servers do: so a milter knows of ESMTP.
        self.ask(250, "MAIL FROM:<someone@example.net> SIZE=1000");
    }

    /// Sends the message's text; the last reply.
    #[track_caller]
    pub(crate) fn data(&mut self) -> Reply {
        self.send("Subject: An offer\r\nFrom: someone@example.net\r\n\r\nBuy now.\r\n")
    }

    /// Sends this text, which ends its lines with CRLF and begins none with a dot.
    #[track_caller]
    pub(crate) fn send(&mut self, message: &str) -> Reply {
        self.ask(354, "DATA");
        self.say(&format!("{message}."))
    }

    #[track_caller]
    fn expect(&mut self, code: u16, what: &str) {
        let reply = self.reply();
        assert_eq!(reply.code, code, "{what}: {}", reply.text);
    }

    #[track_caller]
    fn reply(&mut self) -> Reply {
        let mut text = String::new();
        loop {
            let begin = text.len();
            let read = self.stream.read_line(&mut text).expect("a reply in time");
            assert!(read > 0, "the server hung up after {text:?}");
            if text.as_bytes().get(begin + 3) != Some(&b'-') {
                let code = text.get(begin..begin + 3).and_then(|code| code.parse().ok());
                let code = code.unwrap_or_else(|| panic!("expected a reply, but got {text:?}"));
                return Reply { code, text: text.replace("\r\n", "\n").trim_end().to_owned() };
            }
        }
    }
}
