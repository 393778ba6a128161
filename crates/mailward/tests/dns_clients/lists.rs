//! Mailward with its block lists, in a room of its own, where it has the name servers' port.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::site;
use super::world::daemon::Daemon;
use super::world::http::ask;
use super::world::room::Room;
use super::world::{free_port, wait_for};

/// The base zone.
pub(crate) const ZONE: &str = "dnsbl.example.org";

/// Where it is asked.
pub(crate) const SERVER: &str = "127.0.0.1";

/// A stranger's address in the room: no network that the server knows.
pub(crate) const STRANGER: &str = "203.0.113.200";

/// Mailward and its room.
pub(crate) struct Lists {
    /// The room, where programs see their own resolver.
    pub(crate) room: Room,
    /// Mailward.
    pub(crate) mailward: Daemon,
}

impl Lists {
    /// Makes it, with these lines in section `[dns]`, and starts it.
    pub(crate) fn start(folder: &Path, room: Room, dns: &str) -> Lists {
        let folder = folder.join("mailward");
        let mut mailward = Daemon::new(&folder, &config(&folder, dns));
        mailward.start();
        Lists { room, mailward }
    }

    /// Starts it again with other lines; blocks stay.
    pub(crate) fn restart(&mut self, dns: &str) {
        self.stop_for(dns);
        self.mailward.start();
    }

    /// The same, and time goes on.
    pub(crate) fn restart_live(&mut self, dns: &str) {
        self.stop_for(dns);
        self.mailward.start_with(&[]);
    }

    fn stop_for(&mut self, dns: &str) {
        self.mailward.kill();
        let folder = self.mailward.config().with_file_name("");
        fs::write(self.mailward.config(), config(&folder, dns)).expect("our own folder");
    }

    /// What Annex 3 lists: 203.0.113.7 for spam, a network by an operator, a /64 of a bot.
    pub(crate) fn fill(&self) {
        self.block("198.51.100.0/24", "2 h");
        let policy = ("127.0.0.1", 12340);
        for state in ["RCPT", "END-OF-MESSAGE"] {
            let mut stream = TcpStream::connect(policy).expect("the policy server");
            let queue = if state == "RCPT" { "" } else { "Q1" };
            site::ask(&mut stream, state, "203.0.113.7", 1, queue).expect("an answer");
        }
        self.mailward.judge(&["Q1".to_owned()], "spam");
        for _ in 0..3 {
            let talk = "{\"client_ip\":\"2001:db8:1:2::10\",\"conduct\":\"early-talk\",\"helo\":\"pc.example.net\",\
                        \"client_name\":null}\n";
            self.mailward.tell(&["observe"], talk);
            self.mailward.wait("1 s");
        }
        for key in ["203.0.113.7", "2001:db8:1:2::10"] {
            wait_for(key, || self.mailward.case(key));
        }
    }

    /// Blocks by hand, and lets the second go by after which it holds.
    pub(crate) fn block(&self, key: &str, span: &str) {
        self.mailward.ask(&["block", key, "--for", span, "--because", "a test"]);
        self.mailward.wait("1 s");
    }

    /// What the name server counted.
    pub(crate) fn counts(&self) -> Value {
        let socket = self.mailward.config().with_file_name("data/control.sock");
        let (_, status) = ask(UnixStream::connect(socket).expect("it runs"), "mailward", "v1/status");
        serde_json::from_str::<Value>(&status).expect("JSON")["dns"].clone()
    }

    /// What `setup lists` prints, by its names.
    pub(crate) fn printed(&self) -> Value {
        serde_json::from_str(&self.mailward.ask(&["setup", "lists", "--json"])).expect("JSON")
    }
}

/// One part of what `setup lists` prints.
pub(crate) fn part<'a>(printed: &'a Value, name: &str) -> &'a str {
    printed[name].as_str().unwrap_or_else(|| panic!("{name} is not printed"))
}

fn config(folder: &Path, dns: &str) -> String {
    let portal = free_port();
    format!(
        "data-dir = \"{}/data\"
mode = \"enforce\"
site = \"Example Networks\"
allow-documentation-prefixes = true

[portal]
url = \"http://127.0.0.1:{portal}\"
listen = \"127.0.0.1:{portal}\"
contact = \"postmaster@example.org\"

[milter]
tcp = \"off\"

[policy]
trust-local = true

[dns]
zone = \"{ZONE}\"
listen = [\"{SERVER}:53\"]
{dns}
",
        folder.display()
    )
}
