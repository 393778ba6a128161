//! Forged observations: what strangers put into HELO and into their names in DNS, from each
//! sensor's socket to the last output (ADV-10, ADV-15).
//!
//! Each forged name comes with a client of its own that sends one spam. It is blocked like any
//! other, the address that it pretends to is not, and what we say of it is plain text.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

#[path = "scenario/mta.rs"]
mod mta;
mod site;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use site::Site;

/// For so long we wait for what must come; it is never what a test asserts.
const PATIENCE: Duration = Duration::from_secs(30);
/// Whom forged names pretend to be.
const VICTIM: &str = "203.0.113.9";
/// What must not stand in any output: marks that turn text around, or hide it.
const INVISIBLE: [char; 12] = [
    '\u{200b}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2028}',
    '\u{2066}', '\u{2067}', '\u{2069}', '\u{feff}',
];

/// Names that no honest server has; the last ones are no text at all.
fn forged() -> Vec<Vec<u8>> {
    let texts = [
        "[203.0.113.9]",
        "203.0.113.9",
        "x client=foo[203.0.113.9]",
        "mail.example.net (mx.example.org [203.0.113.9])",
        "203.0.113.9].example.net [",
        "9.113.0.203.in-addr.arpa",
        "[IPv6:::ffff:203.0.113.9]",
        "xn--80ak6aa92e.xn--p1ai",
        "xn--\u{e9}.example.net",
        "xn--",
        "",
        ".",
        "..",
        "-",
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</dd></dl><h1>owned</h1>",
        "a\u{1b}[31mred\u{1b}[0m",
        "a\u{7}\u{8}\u{7f}b",
        "a\rclient_address=203.0.113.9",
        "\u{202e}gro.elpmaxe\u{202c}",
        "\u{200b}\u{feff}zero\u{2066}.example.net",
        "{\"client_ip\":\"203.0.113.9\"}",
        "%n%s%d.example.net",
    ];
    let label = "a".repeat(63);
    let long = [255, 256, 320, 512, 998, 2000]
        .map(|n| format!("{label}.{}", "b.".repeat(n)).as_bytes()[..n].to_vec());
    let raw: [&[u8]; 4] =
        [b"\xff\xfe\x80.example.net", b"\xc0\xaf..\xf5", b"\xe2\x80", b"\xed\xa0\x80.example.net"];
    let texts = texts.map(|text| text.as_bytes().to_vec());
    texts.into_iter().chain(long).chain(raw.map(<[u8]>::to_vec)).collect()
}

/// A daemon that takes what policy server and milter say.
struct House(Site);

impl House {
    fn new(name: &str) -> House {
        let mut site = Site::new(name);
        let socket = site.dir.0.join("milter");
        let config = std::fs::read_to_string(&site.config).unwrap();
        let milter = format!("[milter]\nunix = \"{}\"", socket.display());
        // The connection score would refuse most of them before anybody judges a message.
        let more = "[rules.connection]\nmode = \"shadow\"\n[judges]\nauthentication = false\nheader = \"X-Spam-Flag: YES\"\n";
        std::fs::write(&site.config, config.replace("[milter]", &milter) + more).unwrap();
        site.start();
        House(site)
    }

    fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = UnixStream::connect(self.0.data().join("control.sock")).unwrap();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: mailward\r\nContent-Type: application/json\r\n");
        let length = body.len();
        write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {answer}"))
    }

    /// One question to the policy server, in bytes; what it says, or nothing.
    fn ask(
        &self,
        state: &str,
        client: &str,
        (ptr, helo): (&[u8], &[u8]),
        number: usize,
        queue: &str,
    ) -> String {
        let mut request = format!(
            "request=smtpd_access_policy\nprotocol_state={state}\nclient_address={client}\nsender=s@sender.example\n\
             recipient=r@inbox.example\nrecipient_count=1\nqueue_id={queue}\ninstance=i{number}\n"
        )
        .into_bytes();
        let fields: [(&[u8], &[u8]); 3] =
            [(b"client_name=unknown\nreverse_client_name=", ptr), (b"\nhelo_name=", helo), (b"\n\n", b"")];
        fields.iter().for_each(|(name, value)| request.extend([*name, *value].concat()));
        let mut stream = TcpStream::connect(self.0.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&request).unwrap();
        let mut reply = [0; 1024];
        let read = stream.read(&mut reply).unwrap();
        String::from_utf8(reply[..read].to_vec()).expect("a reply in ASCII")
    }

    /// Waits until what was seen so far is decided: a command's receipt comes in its turn.
    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(5));
        let order =
            json!({"order": "unblock", "target": "192.0.2.254", "error": false, "because": "its turn"});
        self.control("POST", "/v1/order", &order.to_string());
    }

    /// Waits until a client is blocked.
    fn await_block(&self, client: &str, of: &[u8]) {
        let until = Instant::now() + PATIENCE;
        while self.control("GET", &format!("/v1/check?key={client}"), "")["blocked"] != true {
            assert!(Instant::now() < until, "{client} is not blocked: {}", of.escape_ascii());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that an operator and the holder of a link are shown of a client is plain text.
    fn check(&self, client: &str, reply: &str) {
        plain(reply);
        for command in ["check", "explain"] {
            let (good, told) = self.0.run(&[command, client]);
            assert!(good, "{command} {client}: {told}");
            plain(&told);
        }
        let url = reply.split_whitespace().find(|word| word.contains("/c/")).expect("a link");
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        let (_, page) = page.split_once("\r\n\r\n").unwrap();
        plain(page);
        for tag in ["<script>alert", "<img src=x", "<h1>owned"] {
            assert!(!page.contains(tag), "{page}");
        }
    }

    /// Nobody is blocked, or known, but those who really came.
    fn check_nobody_else(&self, clients: &[String]) {
        let (good, listed) = self.0.run(&["list", "--json"]);
        assert!(good, "{listed}");
        plain(&listed);
        assert!(!listed.contains(VICTIM), "{listed}");
        assert_eq!(clients.iter().filter(|client| !listed.contains(client.as_str())).count(), 0, "{listed}");
        assert_eq!(self.control("GET", &format!("/v1/check?key={VICTIM}"), "")["blocked"], false);
        let (_, told) = self.0.run(&["explain", VICTIM]);
        assert!(told.contains("the engine remembers nothing of it"), "{told}");
        let (_, told) = self.0.run(&["status"]);
        plain(&told);
        std::thread::sleep(Duration::from_millis(100));
        self.0.log.lock().unwrap().iter().for_each(|line| plain(&without_colour(line)));
    }
}

/// No byte in it moves a cursor, hides or turns text.
#[track_caller]
fn plain(text: &str) {
    let bad =
        |c: &char| INVISIBLE.contains(c) || *c == '\u{fffd}' || c.is_control() && !"\r\n\t".contains(*c);
    assert_eq!(text.chars().find(bad), None, "{}", text.escape_debug());
}

/// The log colours its own words where it is told on a terminal.
fn without_colour(line: &str) -> String {
    assert!(!line.contains("[31mred"), "{}", line.escape_debug());
    line.to_owned()
}

#[test]
fn forged_names_in_policy_questions_block_their_client_alone_and_are_told_as_plain_text() {
    let house = House::new("forged-policy");
    let mut clients = Vec::new();
    for (n, name) in forged().iter().enumerate() {
        // A line feed ends a value: what stands behind it would be another one.
        assert!(!name.contains(&b'\n'));
        let (client, queue) = (format!("198.51.100.{}", n + 1), format!("Q{n}"));
        for names in [(&name[..], &name[..]), (b"unknown", &name[..]), (&name[..], b"mail.example.net")] {
            let told = house.ask("RCPT", &client, names, n, "");
            assert!(told.starts_with("action=DUNNO") || told.starts_with("action=550"), "{told}");
        }
        house.ask("END-OF-MESSAGE", &client, (name, name), n, &queue);
        house.settle();
        let verdict = json!({"queue_id": queue, "verdict": "spam"}).to_string();
        assert_eq!(house.control("POST", "/v1/observe", &verdict)["taken"], 1);
        clients.push(client);
    }
    for (n, (client, name)) in clients.iter().zip(forged()).enumerate() {
        house.await_block(client, &name);
        let reply = house.ask("RCPT", client, (&name, &name), 1000 + n, "");
        house.check(client, &reply);
    }
    house.check_nobody_else(&clients);
}

#[test]
fn forged_names_in_milter_sessions_block_their_client_alone_and_are_told_as_plain_text() {
    let house = House::new("forged-milter");
    let socket = house.0.dir.0.join("milter");
    let mut clients = Vec::new();
    // What is no text at all goes through the policy server above.
    let texts: Vec<String> = forged().into_iter().filter_map(|name| String::from_utf8(name).ok()).collect();
    for (n, name) in texts.iter().enumerate() {
        let client = format!("198.51.100.{}", n + 1);
        let field = |name: &str, value: &str| (name.to_owned(), format!(" {value}"));
        let shown = mta::Shown {
            client: &client,
            name: "unknown",
            helo: name,
            from: "someone@sender.example",
            to: vec!["user@example.org"],
            login: None,
            refused: None,
            header: vec![field("Subject", name), field("From", name), field("X-Spam-Flag", "YES")],
            body: "Hello.\r\n".to_owned(),
            queue_id: format!("M{n}"),
        };
        let heard = mta::show(&socket, &shown);
        plain(&heard);
        house.await_block(&client, name.as_bytes());
        let reply = house.ask("RCPT", &client, (name.as_bytes(), name.as_bytes()), 1000 + n, "");
        house.check(&client, &reply);
        clients.push(client);
    }
    house.check_nobody_else(&clients);
}

#[test]
fn forged_names_in_lines_of_other_programs_are_nobody_s_conduct_but_their_client_s() {
    let house = House::new("forged-lines");
    let mut clients = Vec::new();
    for (n, name) in forged().iter().enumerate() {
        let client = format!("198.51.100.{}", n + 1);
        let text = String::from_utf8_lossy(name).into_owned();
        for habit in ["early-talk", "pipelining", "bare-newline", "non-smtp-command"] {
            let line = json!({"client_ip": client, "client_name": text, "helo": text, "conduct": habit});
            house.control("POST", "/v1/observe", &line.to_string());
        }
        // Postfix escapes what it logs; a log that does not is read no further than its line.
        let log = format!(
            "Nov 22 00:00:00 mx postfix/smtpd[7]: improper command pipelining after EHLO from \
             unknown[{client}]: {}",
            name.escape_ascii()
        );
        house.control("POST", "/v1/observe", &log);
        clients.push(client);
    }
    let seen = || house.control("GET", "/v1/status", "")["observations"].clone();
    let mut before = Value::Null;
    while before != seen() {
        before = seen();
        std::thread::sleep(Duration::from_millis(50));
    }
    for client in &clients {
        let (good, told) = house.0.run(&["explain", client]);
        assert!(good, "{told}");
        plain(&told);
    }
    house.check_nobody_else(&[]);
}
