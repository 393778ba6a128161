//! An MX as an operator builds it: Postfix, and Mailward beside it by what `mailward setup
//! postfix` prints.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::daemon::Daemon;
use super::postfix::Postfix;
use super::smtp::{Client, Reply, Smtp};
use super::{free_port, run};

/// Settings of the MX before Mailward comes: Debian's, and who may pose as another client.
const SETTINGS: &str = "myhostname = mx.example.org
mydestination =
local_recipient_maps =
mynetworks = 127.0.0.0/8
relay_domains = example.org
relay_recipient_maps = inline:{alice@example.org=OK, bob@example.org=OK, carol@example.org=OK,
    jdoe1987@example.org=OK, postmaster@example.org=OK}
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
smtpd_authorized_xclient_hosts = 127.0.0.0/8
";

/// The MX.
pub(crate) struct Mx {
    /// Postfix.
    pub(crate) postfix: Postfix,
    /// Mailward.
    pub(crate) mailward: Daemon,
}

impl Mx {
    /// Sets it up as printed, and starts it. `main_cf` and `mailward_toml` are what else
    /// stands in their files before.
    pub(crate) fn start(folder: &Path, main_cf: &str, mailward_toml: &str) -> Mx {
        let postfix = Postfix::new(&folder.join("mx"), free_port(), &(SETTINGS.to_owned() + main_cf));
        let config = config(&folder.join("mailward/data"), free_port()) + mailward_toml;
        let mailward = Daemon::new(&folder.join("mailward"), &config);
        let mut mx = Mx { postfix, mailward };
        mx.set_up();
        mx.mailward.start();
        mx.postfix.start();
        mx
    }

    /// What `mailward setup postfix` prints for it.
    pub(crate) fn plan(&self) -> Value {
        let arguments = ["setup", "postfix", "--postconf", "-", "--json"];
        let plan = self.mailward.tell(&arguments, &self.postfix.postconf());
        serde_json::from_str(&plan).expect("JSON")
    }

    /// Pastes it. Tests have no user mailward, so the daemon runs as root, and the machine's
    /// usual ports may be taken, so it does not listen on TCP. The relay of the comment is one.
    fn set_up(&mut self) {
        let plan = self.plan();
        for command in plan["commands"].as_array().expect("commands") {
            let command = command.as_str().expect("a command").replace("-o mailward", "-o root");
            run("sh", &["-c", &command]);
        }
        self.postfix.paste(plan["main_cf"].as_str().expect("lines of main.cf"));
        let printed = plan["mailward_toml"].as_str().expect("lines of mailward.toml");
        let printed = printed
            .replace("[policy]\n", "[policy]\ntcp = \"off\"\n")
            .replace("[milter]\n", "[milter]\ntcp = \"off\"\n")
            .replace("# relays = ", "relays = ");
        let ours = std::fs::read_to_string(self.mailward.config()).expect("our configuration");
        std::fs::write(self.mailward.config(), ours + &printed).expect("our configuration");
        self.mailward.ask(&["config", "check"]);
    }

    /// All logs.
    pub(crate) fn logs(&self) -> [PathBuf; 2] {
        [self.postfix.log(), self.mailward.log()]
    }

    /// A session that has begun a message.
    #[track_caller]
    pub(crate) fn session(&self, client: &Client) -> Smtp {
        let mut session = Smtp::connect_as(self.postfix.port, client);
        session.mail();
        session
    }

    /// What a client hears that names one recipient.
    #[track_caller]
    pub(crate) fn rcpt(&self, client: &Client, recipient: &str) -> Reply {
        self.session(client).rcpt(recipient)
    }

    /// Sends a message that must be accepted; its queue id.
    #[track_caller]
    pub(crate) fn deliver(&self, client: &Client, recipients: &[&str]) -> String {
        let mut session = self.session(client);
        for recipient in recipients {
            session.ask(250, &format!("RCPT TO:<{recipient}>"));
        }
        session.data().queue_id()
    }

    /// Sends a message that the filter calls spam, and lets a second go by.
    #[track_caller]
    pub(crate) fn spam(&self, client: &Client, recipients: &[&str]) {
        let id = self.deliver(client, recipients);
        self.mailward.judge(&[id], "spam");
        self.mailward.wait("1 s");
    }
}

/// Leaves to scenarios of their own what a site learns of strangers, spam that comes again, and
/// recipients that are guessed: these stories, all from a few networks and with one greeting, are about the
/// other rules.
pub(crate) const RULES: &str = "[rules.connection]
mode = \"score\"

[rules.hash-flood]
mode = \"off\"

[rules.dictionary]
mode = \"off\"

";

fn config(data: &Path, portal: u16) -> String {
    format!(
        "data-dir = \"{}\"
mode = \"enforce\"
site = \"Example Networks\"
allow-documentation-prefixes = true

[portal]
url = \"http://127.0.0.1:{portal}\"
listen = \"127.0.0.1:{portal}\"
contact = \"postmaster@example.org\"

",
        data.display()
    )
}
