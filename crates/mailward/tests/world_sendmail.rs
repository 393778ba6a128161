//! Mailward beside a real Sendmail, by what `mailward setup sendmail` prints: a milter.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where `cargo xtask test world` has unpacked
//! Sendmail; says `skipped: …` elsewhere. Clients come from addresses of their own.

mod world;

use std::process::Command;

use serde_json::Value;

use world::beside::{self, ALICE, Beside};
use world::room::{self, Room, unpacked, write};
use world::smtp::Reply;
use world::{Folder, Stories};

/// Makes sendmail.cf of sendmail.mc.
const M4: &str = "/usr/bin/m4";

/// Where the room has the folder of the sockets: Sendmail takes none below a folder that all
/// may write to, as the test's is.
const SOCKETS: &str = "/run/sockets";

#[test]
fn sendmail_refuses_by_the_milter_and_fails_open() {
    let sendmail = unpacked("sendmail-bin", "usr/libexec/sendmail/sendmail");
    let library = unpacked("sendmail-cf", "usr/share/sendmail/cf/");
    let programs: Vec<&str> =
        room::PROGRAMS.into_iter().chain([sendmail.as_str(), library.as_str(), M4]).collect();
    if let Some(reason) = world::missing(&programs) {
        return println!("skipped: {reason}");
    }
    let room = match Room::enter() {
        Ok(room) => room,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let folder = Folder::new("sendmail");
    let socket = folder.path().join("sockets/milter");
    let more = format!(
        "[policy]\ntcp = \"off\"\n[milter]\ntcp = \"off\"\nunix = {socket:?}\n[judges]\nauthentication = false\n"
    );
    let mut mx = Beside::new(folder.path(), room, &more);
    let mut plan = mx.set_up("sendmail");
    for part in ["sendmail_mc", "sendmail_cf"] {
        let printed = plan[part].as_str().expect("lines");
        plan[part] = printed.replace(&folder.path().join("sockets").display().to_string(), SOCKETS).into();
    }
    start(&mut mx, &sendmail, &library, &plan);
    let mut stories = Stories::default();
    stories.tell("by-hand", || both_forms_say_the_same(&mx, &plan));
    stories.tell("passes", || beside::an_unblocked_client_passes(&mx));
    stories.tell("refused", || beside::a_blocked_client_reads_the_link(&mx));
    stories.tell("postmaster", || beside::postmaster_stays_open(&mx));
    stories.tell("open-session", || a_message_is_not_refused_in_its_midst(&mx));
    stories.tell("unblock", || beside::an_operator_lifts_the_block(&mx));
    stories.tell("verdict", || beside::a_verdict_finds_its_client(&mx, queue_id));
    stories.tell("kill", || beside::without_the_daemon_mail_flows(&mut mx));
    stories.end(&mx.logs());
}

/// `250 2.0.0 6ALN8ZiM012239 Message accepted for delivery`
fn queue_id(reply: &Reply) -> String {
    reply.text.split(' ').nth(2).unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

/// What is pasted into sendmail.mc becomes what is printed for sendmail.cf.
fn both_forms_say_the_same(mx: &Beside, plan: &Value) {
    let made = std::fs::read_to_string(mx.folder().join("sendmail.cf")).expect("sendmail.cf");
    for line in plan["sendmail_cf"].as_str().expect("lines").lines() {
        assert!(made.lines().any(|made| made == line), "{line} is not made");
    }
}

/// TXT-R3.
fn a_message_is_not_refused_in_its_midst(mx: &Beside) {
    let client = "203.0.113.70";
    let mut early = mx.session(client);
    early.ask(250, &format!("RCPT TO:<{ALICE}>"));
    mx.block(client);
    assert_eq!(mx.rcpt(client, ALICE).code, 550);
    early.ask(250, &format!("RCPT TO:<{}>", beside::BOB));
    assert_eq!(early.data().code, 250);
}

fn start(mx: &mut Beside, sendmail: &str, library: &str, plan: &Value) {
    mx.room().run("install -d -m 700 /var/spool/mqueue");
    let ours = mx.folder().join("sockets");
    mx.room().run(&format!("mkdir {SOCKETS}; mount --bind {} {SOCKETS}", ours.display()));
    let (mc, cf) = (mx.folder().join("sendmail.mc"), mx.folder().join("sendmail.cf"));
    write(&mc, &configuration(library, plan["sendmail_mc"].as_str().expect("a line")));
    let made = Command::new(M4).arg(format!("-D_CF_DIR_={library}")).arg(&mc).output().expect("m4");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    write(&cf, &String::from_utf8(made.stdout).expect("UTF-8"));
    mx.start(sendmail, &["-bD", &format!("-C{}", cf.display())]);
}

/// A plain MX that queues what it takes, with the line pasted.
fn configuration(library: &str, line: &str) -> String {
    format!(
        "include(`{library}m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.example.org')dnl
define(`QUEUE_DIR', `/var/spool/mqueue')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`confPID_FILE', `/run/sendmail.pid')dnl
define(`confDELIVERY_MODE', `queueonly')dnl
define(`confTO_IDENT', `0')dnl
define(`SMART_HOST', `smtp:[127.0.0.1]')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
RELAY_DOMAIN(`example.org')dnl
DAEMON_OPTIONS(`Port=25, Addr=127.0.0.1, Name=MTA')dnl
{line}MAILER(`smtp')dnl
"
    )
}
