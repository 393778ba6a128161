//! The site of the milter's stories: the MX with all its judges, a server behind it that
//! keeps what was delivered, and the words in which stories ask about them.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use serde_json::Value;

use crate::filters::Filter;
use crate::samples::{gtube, with_attachment};
use crate::world::http::{ask, get};
use crate::world::mx::{Mx, RULES};
use crate::world::sink::Sink;
use crate::world::smtp::{Client, Reply};
use crate::world::{free_port, wait_for};

pub(crate) const ALICE: &str = "alice@example.org";
pub(crate) const BOB: &str = "bob@example.org";
pub(crate) const CAROL: &str = "carol@example.org";
/// Nobody ever had this mailbox.
pub(crate) const TRAP: &str = "jdoe1987@example.org";

/// The site.
pub(crate) struct Site {
    pub(crate) mx: Mx,
    pub(crate) sink: Sink,
    pub(crate) rspamd: Filter,
    pub(crate) spamd: Filter,
    pub(crate) clamd: Filter,
}

impl Site {
    /// Starts all of it.
    pub(crate) fn start(folder: &Path) -> Site {
        // rspamd compiles its patterns for a while.
        let (rspamd, spamd, clamd) = (Filter::rspamd(), Filter::spamd(), Filter::clamd());
        let port = free_port();
        let sink = Sink::start(&folder.join("sink"), port);
        let main_cf = format!("relay_transport = smtp:[127.0.0.1]:{port}\n");
        let (rspamd, spamd, clamd) = (rspamd.ready(), spamd.ready(), clamd.ready());
        let toml = config(&folder.join("mx/queue/mailward/lmtp"), [&rspamd, &spamd, &clamd]);
        Site { mx: Mx::start(folder, &main_cf, &format!("{toml}{RULES}")), sink, rspamd, spamd, clamd }
    }

    /// Sends a whole message in a session of its own; the last reply.
    #[track_caller]
    pub(crate) fn send(&self, client: &Client, recipients: &[&str], message: &str) -> Reply {
        let mut session = self.mx.session(client);
        for recipient in recipients {
            session.ask(250, &format!("RCPT TO:<{recipient}>"));
        }
        session.send(message)
    }

    /// Sends a message that must be accepted; as it was delivered, by its subject.
    #[track_caller]
    pub(crate) fn delivered(&self, client: &Client, recipients: &[&str], message: &str) -> String {
        let reply = self.send(client, recipients, message);
        assert_eq!(reply.code, 250, "{}", reply.text);
        self.sink.message(subject(message))
    }

    /// The case against a client, as soon as there is one, and a second later, so that it
    /// holds for new sessions.
    #[track_caller]
    pub(crate) fn case(&self, client: &Client) -> Value {
        let case = wait_for("a case", || self.mx.mailward.case(client.addr));
        self.mx.mailward.wait("1 s");
        case
    }

    /// Waits until all that was sent so far is decided. Headers are stored in the order in
    /// which messages came, so a spam of a stranger is decided after all before it.
    #[track_caller]
    pub(crate) fn settle(&self) {
        static NUMBER: AtomicU16 = AtomicU16::new(1);
        let addr = format!("2001:db8:ffff:{:x}::25", NUMBER.fetch_add(1, Relaxed));
        let stranger = Client::nameless(addr.leak());
        assert_eq!(self.send(&stranger, &[ALICE], &spam("Settle")).code, 550);
        self.case(&stranger);
    }

    /// Nothing is held against a client, now that all is decided.
    #[track_caller]
    pub(crate) fn is_free(&self, client: &Client) {
        self.settle();
        assert_eq!(self.mx.mailward.case(client.addr), None);
    }

    /// The page of a case, and its JSON twin.
    #[track_caller]
    pub(crate) fn page(&self, case: &Value) -> (String, Value) {
        let link = text(case, "link");
        let ((status, page), (twin_status, twin)) = (get(link), get(&format!("{link}.json")));
        assert_eq!((status, twin_status), (200, 200), "{page}");
        (page, serde_json::from_str(&twin).expect("JSON"))
    }

    /// What the operator sees of a case.
    #[track_caller]
    pub(crate) fn show(&self, case: &Value) -> Value {
        serde_json::from_str(&self.mx.mailward.ask(&["show", text(case, "case"), "--json"])).expect("JSON")
    }

    /// A number of the daemon's status, by its JSON pointer.
    #[track_caller]
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        let socket = self.mx.mailward.config().with_file_name("data/control.sock");
        let (_, status) = ask(UnixStream::connect(socket).expect("it runs"), "mailward", "v1/status");
        let status: Value = serde_json::from_str(&status).expect("JSON");
        let number = status.pointer(pointer).and_then(Value::as_u64);
        number.unwrap_or_else(|| panic!("no {pointer} in {status}"))
    }

    /// The reply at the end of a message: the portal's address in place of `{portal}`.
    pub(crate) fn words(&self, text: &str) -> String {
        let plan = fs::read_to_string(self.mx.mailward.config()).expect("our configuration");
        let url = plan.lines().find_map(|line| line.strip_prefix("url = ")).expect("a portal");
        text.replace("{portal}", url.trim_matches('"'))
    }

    /// Lines of Postfix's log that hold all of these.
    pub(crate) fn logged(&self, words: &[&str]) -> Vec<String> {
        let log = fs::read_to_string(self.mx.postfix.log()).unwrap_or_default();
        let holds = |line: &&str| words.iter().all(|word| line.contains(word));
        log.lines().filter(holds).map(str::to_owned).collect()
    }

    /// The queue id of a message that was refused at its end.
    #[track_caller]
    pub(crate) fn refused_as(&self, client: &Client) -> String {
        let from = format!("END-OF-MESSAGE from unknown[{}]", client.addr);
        let line = wait_for("the log", || self.logged(&["milter-reject", &from]).pop());
        let id = line.split(": ").nth(1);
        id.unwrap_or_else(|| panic!("no queue id in {line}")).to_owned()
    }
}

fn config(lmtp: &Path, [rspamd, spamd, clamd]: [&Filter; 3]) -> String {
    let [rspamd, spamd, clamd] = [rspamd, spamd, clamd].map(|filter| filter.socket().display().to_string());
    format!(
        "[judges]
authentication = false
rspamd = \"{rspamd}\"
spamd = \"{spamd}\"
clamd = \"{clamd}\"
deadline = \"5 s\"

[reports]
lmtp = \"{}\"

[traps]
pristine = [\"{TRAP}\"]

",
        lmtp.display()
    )
}

/// A message: its header, and what stands behind it.
fn message(subject: &str, rest: &str) -> String {
    format!(
        "From: Some One <someone@example.net>\r\nTo: You <{ALICE}>\r\nSubject: {subject}\r\nDate: Sat, 21 Nov 2026 \
         21:39:00 +0000\r\nMessage-ID: <{}@mail.example.net>\r\nMIME-Version: 1.0\r\n{rest}",
        subject.replace(' ', ".")
    )
}

/// One of plain text.
pub(crate) fn plain(subject: &str, text: &str) -> String {
    message(subject, &format!("Content-Type: text/plain; charset=us-ascii\r\n\r\n{text}\r\n"))
}

/// One that every filter takes for spam.
pub(crate) fn spam(subject: &str) -> String {
    plain(subject, &gtube())
}

/// One with a file.
pub(crate) fn with_file(subject: &str, name: &str, kind: &str, file: &[u8]) -> String {
    message(subject, &with_attachment(name, kind, file))
}

/// The subject's line.
fn subject(message: &str) -> &str {
    message.lines().find(|line| line.starts_with("Subject: ")).expect("a subject")
}

/// A text of a case.
pub(crate) fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}

/// Nobody who got a message may be read anywhere in these.
#[track_caller]
pub(crate) fn hides_recipients(page: &str, twin: &Value) {
    let all = format!("{page}{twin}").to_lowercase();
    for secret in ["alice", "bob@", "carol", "jdoe1987"] {
        assert!(!all.contains(secret), "{secret} stands in {all}");
    }
}
