//! Mailward beside a mail server that is not Postfix, in a room of their own, and the
//! stories that all of them tell.

use std::fs;
use std::net::TcpStream;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::Child;

use serde_json::Value;

use super::daemon::Daemon;
use super::http::get;
use super::room::Room;
use super::smtp::{Reply, Smtp};
use super::{free_port, wait_for};

/// Where the mail server listens, in the room's own network.
pub(crate) const PORT: u16 = 25;

/// What a mail server's own configuration says of mail: it takes example.org's and hands it
/// on to this port, where nobody listens.
pub(crate) const NEXT_HOP: u16 = 2526;

/// Recipients that exist.
pub(crate) const ALICE: &str = "alice@example.org";
/// Another one.
pub(crate) const BOB: &str = "bob@example.org";
/// The one that is open to everybody.
pub(crate) const POSTMASTER: &str = "postmaster@example.org";

/// Mailward and the mail server.
pub(crate) struct Beside {
    folder: PathBuf,
    room: Room,
    /// Mailward.
    pub(crate) mailward: Daemon,
    server: Option<Child>,
}

impl Beside {
    /// Mailward, configured but not running; `more` are lines of its configuration.
    pub(crate) fn new(folder: &Path, room: Room, more: &str) -> Beside {
        let ours = folder.join("mailward");
        let mailward = Daemon::new(&ours, &config(folder, free_port(), more));
        Beside { folder: folder.to_owned(), room, mailward, server: None }
    }

    /// What `mailward setup` prints; the folder of the socket is made, and Mailward started.
    /// Tests have no user mailward on the machine, so the daemon runs as root.
    pub(crate) fn set_up(&mut self, server: &str) -> Value {
        let plan = self.mailward.ask(&["setup", server, "--json"]);
        let plan: Value = serde_json::from_str(&plan).expect("JSON");
        for command in plan["commands"].as_array().expect("commands") {
            self.room.run(&command.as_str().expect("a command").replace("-o mailward", "-o root"));
        }
        let printed = plan["mailward_toml"].as_str().expect("lines of mailward.toml");
        let ours = fs::read_to_string(self.mailward.config()).expect("our configuration");
        fs::write(self.mailward.config(), ours + printed).expect("our configuration");
        self.mailward.ask(&["config", "check"]);
        self.mailward.start();
        plan
    }

    /// The room.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// The test's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the mail server's words go.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Starts the mail server, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(&mut self, program: &str, arguments: &[&str]) {
        let log = fs::File::create(self.log()).expect("a log");
        let copy = log.try_clone().expect("a log");
        let mut command = self.room.command(program);
        command.args(arguments).stdout(copy).stderr(log);
        self.server = Some(command.spawn().expect("setpriv is part of the base system"));
        let listens = catch_unwind(|| wait_for(program, || TcpStream::connect(("127.0.0.1", PORT)).ok()));
        let told = || fs::read_to_string(self.log()).unwrap_or_default();
        assert!(listens.is_ok(), "{program} does not listen: {}", told());
    }

    /// All logs.
    pub(crate) fn logs(&self) -> [PathBuf; 2] {
        [self.log(), self.mailward.log()]
    }

    /// A session of a client that has begun a message.
    #[track_caller]
    pub(crate) fn session(&self, client: &str) -> Smtp {
        let mut session = Smtp::connect_from(client, PORT);
        session.ask(250, "EHLO client.example.net");
        session.mail();
        session
    }

    /// What a client hears that names one recipient.
    #[track_caller]
    pub(crate) fn rcpt(&self, client: &str, recipient: &str) -> Reply {
        self.session(client).rcpt(recipient)
    }

    /// Sends a message that must be accepted; the last reply.
    #[track_caller]
    pub(crate) fn deliver(&self, client: &str, recipients: &[&str]) -> Reply {
        let mut session = self.session(client);
        for recipient in recipients {
            session.ask(250, &format!("RCPT TO:<{recipient}>"));
        }
        let reply = session.data();
        assert_eq!(reply.code, 250, "{}", reply.text);
        reply
    }

    /// Blocks a client by hand, and lets a second go by; the case.
    #[track_caller]
    pub(crate) fn block(&self, client: &str) -> Value {
        self.mailward.ask(&["block", client, "--kind", "rbl", "--for", "2 h", "--because", "a test"]);
        self.mailward.wait("1 s");
        self.mailward.case(client).unwrap_or_else(|| panic!("{client} is not blocked"))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // Servers end their children only when they may end in order.
        self.room.run(&format!("kill {}", server.id()));
        server.wait().expect("our own child");
    }
}

fn config(folder: &Path, portal: u16, more: &str) -> String {
    let folder = folder.display();
    format!(
        "data-dir = \"{folder}/mailward/data\"
mode = \"enforce\"
site = \"Example Networks\"
allow-documentation-prefixes = true

[portal]
url = \"http://127.0.0.1:{portal}\"
listen = \"127.0.0.1:{portal}\"
contact = \"postmaster@example.org\"

[rules.connection]
mode = \"score\"

[rules.hash-flood]
mode = \"off\"

[rules.dictionary]
mode = \"off\"

{more}
"
    )
}

/// Who is not blocked gets through, to every recipient.
pub(crate) fn an_unblocked_client_passes(beside: &Beside) {
    beside.deliver("203.0.113.10", &[ALICE, BOB]);
}

/// Who is blocked reads the link as it stands, opens it, and hears the same again.
pub(crate) fn a_blocked_client_reads_the_link(beside: &Beside) {
    let client = "203.0.113.20";
    let case = beside.block(client);
    let refused = beside.rcpt(client, ALICE);
    assert_eq!((refused.code, &refused.link()[..]), (550, case["link"].as_str().unwrap_or_default()));
    // Sendmail names the recipient in between, as it does in all its replies.
    let begin = refused.text.replace("550-", "550 ").replace(&format!("<{ALICE}>... "), "");
    assert!(begin.starts_with("550 5.7.1 [203.0.113.20] "), "{}", refused.text);
    assert_eq!(beside.rcpt(client, ALICE), refused, "a retry hears the same");
    let (status, page) = get(&refused.link());
    assert!(status == 200 && page.contains("203.0.113.20"), "{status}: {page}");
    beside.deliver("203.0.113.21", &[ALICE]);
}

/// Postmaster stays open, recipient by recipient.
pub(crate) fn postmaster_stays_open(beside: &Beside) {
    let client = "203.0.113.30";
    beside.block(client);
    let mut session = beside.session(client);
    let replies = [ALICE, POSTMASTER, BOB].map(|who| session.rcpt(who).code);
    assert_eq!(replies, [550, 250, 550]);
    assert_eq!(session.data().code, 250);
}

/// An operator lifts a block.
pub(crate) fn an_operator_lifts_the_block(beside: &Beside) {
    let client = "203.0.113.40";
    beside.block(client);
    assert_eq!(beside.rcpt(client, ALICE).code, 550);
    beside.mailward.ask(&["unblock", client, "--because", "the hole is closed"]);
    beside.deliver(client, &[ALICE]);
}

/// Without the daemon mail flows, and it is found again when it is back.
pub(crate) fn without_the_daemon_mail_flows(beside: &mut Beside) {
    let client = "203.0.113.50";
    beside.block(client);
    let refused = beside.rcpt(client, ALICE);
    assert_eq!(refused.code, 550);
    beside.mailward.kill();
    beside.deliver(client, &[ALICE]);
    beside.deliver("203.0.113.51", &[ALICE, POSTMASTER]);
    beside.mailward.start();
    beside.mailward.wait("1 s");
    let again = wait_for("a refusal after the restart", || {
        Some(beside.rcpt(client, ALICE)).filter(|reply| reply.code == 550)
    });
    assert_eq!(again, refused, "the same words after the restart");
}

/// A filter's verdict finds the client by the queue id that the mail server gave.
pub(crate) fn a_verdict_finds_its_client(beside: &Beside, queue_id: impl Fn(&Reply) -> String) {
    let client = "203.0.113.60";
    for turn in 0..10 {
        // One recipient's spams alone might be a quarrel.
        let id = queue_id(&beside.deliver(client, &[if turn % 2 == 0 { ALICE } else { BOB }]));
        beside.mailward.judge(&[id], "spam");
    }
    // What a milter saw is told once its headers are stored, so a verdict may come first.
    let case = wait_for("ten spams to block", || beside.mailward.case(client));
    beside.mailward.wait("1 s");
    assert_eq!(case["reason"], "spam-volume");
    assert_eq!(beside.rcpt(client, BOB).code, 550);
}
