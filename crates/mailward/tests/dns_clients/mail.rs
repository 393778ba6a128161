//! Mail servers and filters that ask our lists, by what `setup lists` prints: each refuses or
//! scores who is listed, and nobody else.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use serde_json::Value;

use super::asking::run;
use super::lists::{Lists, part};
use super::resolver::RESOLVER;
use super::world::postfix::Postfix;
use super::world::room::{unpacked, write};
use super::world::smtp::{Client, Reply, Smtp};
use super::world::{bound_to_us, free_port, wait_for};

/// Blocked, and its network is not.
const LISTED: &str = "203.0.113.7";
const UNLISTED: &str = "203.0.113.8";
/// In the listed /64, and in the one beside it.
const LISTED_V6: Client = Client::nameless("2001:db8:1:2::99");
const UNLISTED_V6: Client = Client::nameless("2001:db8:1:3::99");

const ALICE: &str = "alice@example.org";
const POSTMASTER: &str = "postmaster@example.org";

/// The words that a refused client must read: why, and where more stands.
const WHY: &str = "/l/203.0.113.7";

/// Postfix's smtpd and postscreen, each on a port of its own.
pub(crate) struct Mta {
    pub(crate) postfix: Postfix,
    postscreen: u16,
}

impl Mta {
    pub(crate) fn start(folder: &Path, printed: &Value) -> Mta {
        let (smtpd, screen) = (part(printed, "postfix_smtpd"), part(printed, "postfix_postscreen"));
        // The same lines for a list that there is not: its error refuses nobody.
        let error = smtpd.replace("smtpd_client_", "smtpd_sender_").replace(" bl.", " zz.");
        let settings = format!("{SETTINGS}{smtpd}{error}{screen}");
        let mut postfix = Postfix::new(&folder.join("postfix"), free_port(), &settings);
        let resolver = format!("nameserver {RESOLVER}\n");
        // Debian's smtpd sees no other file.
        write(&folder.join("postfix/queue/etc/resolv.conf"), &resolver);
        let postscreen = free_port();
        postfix.add_services(&format!(
            "127.0.0.1:{postscreen} inet n - y - 1 postscreen
smtpd pass - - y - - smtpd
dnsblog unix - - y - 0 dnsblog
tlsproxy unix - - y - 0 tlsproxy
"
        ));
        postfix.start();
        Mta { postfix, postscreen }
    }

    fn rcpt(port: u16, client: &str, recipient: &str) -> Reply {
        let mut session = Smtp::connect_from(client, port);
        session.ask(250, "EHLO client.example.net");
        session.mail();
        session.rcpt(recipient)
    }
}

const SETTINGS: &str = "myhostname = mx.example.org
mydestination =
local_recipient_maps =
mynetworks = 127.0.0.99/32
relay_domains = example.org
relay_recipient_maps = inline:{alice@example.org=OK, postmaster@example.org=OK}
relay_transport = discard:
smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination
smtpd_authorized_xclient_hosts = 127.0.0.0/8
postscreen_greet_wait = 1s
postscreen_cache_map =
";

pub(crate) fn smtpd_refuses_who_is_listed(mta: &Mta) {
    let port = mta.postfix.port;
    let refused = Mta::rcpt(port, LISTED, ALICE);
    assert_eq!(refused.code, 554, "{}", refused.text);
    assert!(refused.text.contains("blocked using bl.dnsbl.example.org; ") && refused.text.contains(WHY));
    assert_eq!(Mta::rcpt(port, LISTED, POSTMASTER).code, 250);
    assert_eq!(Mta::rcpt(port, UNLISTED, ALICE).code, 250);
    for (client, expect) in [(&LISTED_V6, 554), (&UNLISTED_V6, 250)] {
        let mut session = Smtp::connect_as(port, client);
        session.mail();
        assert_eq!(session.rcpt(ALICE).code, expect, "{client:?}");
    }
}

pub(crate) fn postscreen_refuses_who_is_listed(mta: &Mta) {
    let refused = Mta::rcpt(mta.postscreen, LISTED, ALICE);
    let expect = "550 5.7.1 Service unavailable; client [203.0.113.7] blocked using bl.dnsbl.example.org";
    assert_eq!(refused.text, expect);
    assert_eq!(Mta::rcpt(mta.postscreen, UNLISTED, ALICE).code, 250);
}

/// Exim with `-bh`: a session that is none, of a client that it believes in.
pub(crate) fn exim_refuses_who_is_listed(folder: &Path, lists: &Lists, printed: &Value) {
    let exim = unpacked("exim4-daemon-light", "usr/sbin/exim4");
    let config = folder.join("exim.conf");
    write(&config, &exim_config(&exim, part(printed, "exim_acl")));
    let session = folder.join("session");
    let words = [format!("RCPT TO:<{ALICE}>"), format!("RCPT TO:<{POSTMASTER}>")].join("\r\n");
    write(&session, &format!("EHLO c\r\nMAIL FROM:<a@example.net>\r\n{words}\r\nQUIT\r\n"));
    lists.room.run("install -d -o Debian-exim -g Debian-exim /run/exim");
    for (client, expect) in [
        (LISTED, ["550", "250"]),
        (UNLISTED, ["250", "250"]),
        (LISTED_V6.addr, ["550", "250"]),
        (UNLISTED_V6.addr, ["250", "250"]),
    ] {
        let line =
            format!("{exim} -C {} -bh {client} <{} 2>/run/exim/told", config.display(), session.display());
        let told = lists.room.run(&line);
        let ends = |line: &&str| line.starts_with("550 ") || line.ends_with("Accepted");
        let replies: Vec<&str> =
            told.lines().map(str::trim_end).filter(ends).map(|line| &line[..3]).collect();
        assert_eq!(replies, expect, "{client}\n{told}");
        assert_eq!(told.contains(WHY), client == LISTED, "{told}");
    }
}

fn exim_config(exim: &str, acl: &str) -> String {
    format!(
        "exim_path = {exim}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /run/exim
log_file_path = /run/exim/%s
primary_hostname = mx.example.org
domainlist local = example.org
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
never_users =
keep_environment =
acl_smtp_rcpt = acl_check_rcpt

begin acl
acl_check_rcpt:
  require domains = +local
{acl}  accept
"
    )
}

/// A message as it comes from a client, with the line of our MX on top.
fn message(folder: &Path, client: &str) -> String {
    let path = folder.join(format!("from-{client}.eml"));
    let text = format!(
        "Received: from mail.example.net (mail.example.net [{client}])\n\tby mx.example.org (Postfix) with ESMTP id \
         1ABC\n\tfor <{ALICE}>; Sun, 22 Nov 2026 08:00:00 +0000\nFrom: a@example.net\nTo: {ALICE}\nSubject: An offer\n\
         Date: Sun, 22 Nov 2026 08:00:00 +0000\nMessage-ID: <1@example.net>\n\nBuy now.\n"
    );
    write(&path, &text);
    path.display().to_string()
}

/// SpamAssassin without its own rules, which would take seconds to read.
pub(crate) fn spamassassin_scores_who_is_listed(folder: &Path, printed: &Value) {
    let etc = folder.join("spamassassin");
    fs::create_dir(&etc).expect("a folder of our own");
    let plugins = ["Check", "DNSEval"].map(|name| format!("loadplugin Mail::SpamAssassin::Plugin::{name}\n"));
    write(&etc.join("init.pre"), &plugins.concat());
    let rules = part(printed, "spamassassin_cf");
    let rest = format!(
        "dns_available yes\ndns_server {RESOLVER}\nuse_bayes 0\nadd_header all Tests _SCORE_ _TESTS_\n"
    );
    write(&etc.join("local.cf"), &(rest + rules));
    let etc = etc.display().to_string();
    for (client, expect) in [(LISTED, "4.0 RCVD_IN_MAILWARD_BL"), (UNLISTED, "0.0 none")] {
        let place = format!("--siteconfigpath={etc}");
        let arguments = [&place, "-C", &etc, "-x", &message(folder, client)];
        let output = run(SPAMASSASSIN, &arguments);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains(&format!("X-Spam-Tests: {expect}\n")), "{client}\n{told}");
    }
}

/// The filters' programs.
pub(crate) const SPAMASSASSIN: &str = "/usr/bin/spamassassin";
pub(crate) const RSPAMD: [&str; 2] = ["/usr/bin/rspamd", "/usr/bin/rspamc"];

pub(crate) fn rspamd_scores_who_is_listed(folder: &Path, printed: &Value) {
    let (etc, port) = (folder.join("rspamd"), free_port());
    fs::create_dir(&etc).expect("a folder of our own");
    fs::set_permissions(&etc, fs::Permissions::from_mode(0o777)).expect("our own folder");
    write(&etc.join("rspamd.conf"), &rspamd_config(&etc, port, printed));
    // All suffixes that there are would take it half a minute to read.
    write(&etc.join("suffixes"), "com\nnet\norg\n");
    let _running = Rspamd::start(&etc);
    let server = format!("127.0.0.1:{port}");
    let ask = |client: &str| {
        let arguments = ["-h", &server, "-i", client, "symbols", &message(folder, client)];
        String::from_utf8_lossy(&run(RSPAMD[1], &arguments).stdout).into_owned()
    };
    let listed = wait_for("rspamd", || Some(ask(LISTED)).filter(|told| told.contains("Action: ")));
    assert!(listed.contains("Symbol: MAILWARD_BL (6.00)"), "{listed}");
    let unlisted = ask(UNLISTED);
    assert!(unlisted.contains("Action: no action") && !unlisted.contains("MAILWARD"), "{unlisted}");
}

fn rspamd_config(etc: &Path, port: u16, printed: &Value) -> String {
    let [rules, weights] = ["rspamd_rbl", "rspamd_group"].map(|name| part(printed, name));
    let etc = etc.display();
    format!(
        "options {{
  pidfile = \"{etc}/pid\";
  filters = \"\";
  cache_file = \"{etc}/cache\";
  url_tld = \"{etc}/suffixes\";
  dns {{ nameserver = [\"{RESOLVER}:53\"]; timeout = 2s; retransmits = 3; }}
  neighbours {{}}
}}
logging {{ type = \"console\"; level = \"error\"; }}
modules {{ path = \"/usr/share/rspamd/plugins/rbl.lua\"; }}
rbl {{
default_unknown = true;
{rules}}}
group \"rbl\" {{
{weights}}}
actions {{ reject = 15; add_header = 6; }}
worker \"normal\" {{ bind_socket = \"127.0.0.1:{port}\"; count = 1; }}
"
    )
}

/// rspamd and its children, a group of their own.
struct Rspamd(Child);

impl Rspamd {
    fn start(etc: &Path) -> Rspamd {
        let log = File::create(etc.join("log")).expect("a log");
        let copy = log.try_clone().expect("a log");
        let mut command = bound_to_us(RSPAMD[0]);
        command.args(["-f", "-u", "_rspamd", "-g", "_rspamd", "-c"]).arg(etc.join("rspamd.conf"));
        let child = command.stdout(copy).stderr(log).process_group(0).spawn();
        Rspamd(child.expect("setpriv is part of the base system"))
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}
