//! Mailward beside a real Exim, by what `mailward setup exim` prints: three pieces of ACL.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where `cargo xtask test world` has unpacked Exim;
//! says `skipped: …` elsewhere. Clients come from addresses of their own.

mod world;

use std::path::PathBuf;

use serde_json::Value;

use world::beside::{self, Beside};
use world::room::{self, Room, unpacked, write};
use world::smtp::Reply;
use world::{Folder, Stories};

#[test]
fn exim_refuses_by_its_acls_and_fails_open() {
    let exim = unpacked("exim4-daemon-light", "usr/sbin/exim4");
    let programs: Vec<&str> = room::PROGRAMS.into_iter().chain([exim.as_str()]).collect();
    if let Some(reason) = world::missing(&programs) {
        return println!("skipped: {reason}");
    }
    let room = match Room::enter() {
        Ok(room) => room,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let folder = Folder::new("exim");
    let socket = folder.path().join("sockets/policy");
    let more = format!("[milter]\ntcp = \"off\"\n[policy]\ntcp = \"off\"\nunix = {socket:?}\n");
    let mut mx = Beside::new(folder.path(), room, &more);
    let plan = mx.set_up("exim");
    start(&mut mx, &exim, &plan);
    let mut stories = Stories::default();
    stories.tell("passes", || beside::an_unblocked_client_passes(&mx));
    stories.tell("refused", || beside::a_blocked_client_reads_the_link(&mx));
    stories.tell("log", || the_log_has_no_link(&mx));
    stories.tell("postmaster", || beside::postmaster_stays_open(&mx));
    stories.tell("unblock", || beside::an_operator_lifts_the_block(&mx));
    stories.tell("verdict", || beside::a_verdict_finds_its_client(&mx, queue_id));
    stories.tell("odd-words", || odd_words_are_asked_about_like_others(&mx));
    stories.tell("kill", || beside::without_the_daemon_mail_flows(&mut mx));
    let [server, mailward] = mx.logs();
    stories.end(&[server, mailward, log(&mx).join("main")]);
}

/// `250 OK id=1xUtZ6-0006j7-2Y`
fn queue_id(reply: &Reply) -> String {
    reply.text.split("id=").nth(1).unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

/// Who has the link can lift the block, and logs are read by many.
fn the_log_has_no_link(mx: &Beside) {
    let log = std::fs::read_to_string(log(mx).join("main")).expect("a log");
    assert!(log.contains("Mailward: 203.0.113.20 is blocked"), "{log}");
    assert!(!log.contains("http://"), "{log}");
}

/// Nothing that a client says ends our request or its part in Exim's expansion.
fn odd_words_are_asked_about_like_others(mx: &Beside) {
    let client = "203.0.113.70";
    mx.block(client);
    for sender in ["", "\"a}{b$pid\\\\n\"@example.net", "a{}$acl_m_mailward=@example.net"] {
        let mut session = world::smtp::Smtp::connect_from(client, beside::PORT);
        session.ask(250, "EHLO client.example.net");
        session.ask(250, &format!("MAIL FROM:<{sender}>"));
        assert_eq!(session.rcpt(beside::ALICE).code, 550, "{sender}");
        assert_eq!(session.rcpt("\"}{N^\"@example.org").code, 550, "{sender}");
        assert_eq!(session.rcpt(beside::POSTMASTER).code, 250, "{sender}");
    }
}

/// The folder of Exim's logs.
fn log(mx: &Beside) -> PathBuf {
    mx.folder().join("log")
}

fn start(mx: &mut Beside, exim: &str, plan: &Value) {
    let log = log(mx);
    mx.room().run(&format!("install -d -o Debian-exim -g Debian-exim /run/exim {}", log.display()));
    let config = mx.folder().join("exim.conf");
    write(&config, &format!("log_file_path = {}/%s\n{}", log.display(), configuration(exim, plan)));
    mx.start(exim, &["-C", &config.display().to_string(), "-bdf", "-oX", "127.0.0.1:25"]);
}

/// A plain MX, with the pieces pasted. Variables that are not set are errors in it, because
/// some have it so.
fn configuration(exim: &str, plan: &Value) -> String {
    let [mail, rcpt, data] =
        ["acl_mail", "acl_rcpt", "acl_data"].map(|part| plan[part].as_str().expect("an ACL"));
    format!(
        "exim_path = {exim}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /run/exim
pid_file_path = /run/exim/exim.pid
primary_hostname = mx.example.org
qualify_domain = example.org
domainlist local = example.org
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
never_users =
keep_environment =
queue_only = true
strict_acl_vars = true
acl_smtp_mail = acl_check_mail
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data

begin acl
acl_check_mail:
{mail}  accept

acl_check_rcpt:
  require domains = +local
{rcpt}  accept

acl_check_data:
{data}  accept

begin routers
next:
  driver = manualroute
  transport = smtp
  route_list = * 127.0.0.1::{}
  self = send

begin transports
smtp:
  driver = smtp
",
        beside::NEXT_HOP
    )
}
