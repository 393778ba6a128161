//! Mailward beside a real OpenSMTPD, by what `mailward setup opensmtpd` prints: a filter.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where `cargo xtask test world` has unpacked
//! OpenSMTPD; says `skipped: …` elsewhere. Clients come from addresses of their own.

mod world;

use std::thread;

use serde_json::Value;

use world::beside::{self, ALICE, Beside};
use world::room::{self, Room, unpacked, write};
use world::smtp::{Reply, Smtp};
use world::{Folder, Stories};

#[test]
fn opensmtpd_refuses_by_the_filter_and_fails_open() {
    let smtpd = unpacked("opensmtpd", "usr/sbin/smtpd");
    let programs: Vec<&str> = room::PROGRAMS.into_iter().chain([smtpd.as_str()]).collect();
    if let Some(reason) = world::missing(&programs) {
        return println!("skipped: {reason}");
    }
    let room = match Room::enter() {
        Ok(room) => room,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let folder = Folder::new("opensmtpd");
    let socket = folder.path().join("sockets/policy");
    let more = format!("[milter]\ntcp = \"off\"\n[policy]\ntcp = \"off\"\nunix = {socket:?}\n");
    let mut mx = Beside::new(folder.path(), room, &more);
    let plan = mx.set_up("opensmtpd");
    start(&mut mx, &smtpd, &plan);
    let mut stories = Stories::default();
    stories.tell("passes", || beside::an_unblocked_client_passes(&mx));
    stories.tell("refused", || beside::a_blocked_client_reads_the_link(&mx));
    stories.tell("postmaster", || beside::postmaster_stays_open(&mx));
    stories.tell("open-session", || a_message_is_not_refused_in_its_midst(&mx));
    stories.tell("unblock", || beside::an_operator_lifts_the_block(&mx));
    stories.tell("verdict", || beside::a_verdict_finds_its_client(&mx, queue_id));
    stories.tell("many", || sessions_side_by_side_are_told_apart(&mx));
    stories.tell("kill", || beside::without_the_daemon_mail_flows(&mut mx));
    stories.end(&mx.logs());
}

/// `250 2.0.0 f77eb499 Message accepted for delivery`
fn queue_id(reply: &Reply) -> String {
    reply.text.split(' ').nth(2).unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

/// TXT-R3, and with it that the filter asks for one session over one connection.
fn a_message_is_not_refused_in_its_midst(mx: &Beside) {
    let client = "203.0.113.70";
    let mut early = mx.session(client);
    early.ask(250, &format!("RCPT TO:<{ALICE}>"));
    mx.block(client);
    assert_eq!(mx.rcpt(client, ALICE).code, 550);
    early.ask(250, &format!("RCPT TO:<{}>", beside::BOB));
    assert_eq!(early.data().code, 250);
    early.mail();
    assert_eq!(early.rcpt(ALICE).code, 550);
}

/// All share one pair of pipes; every other client is blocked.
fn sessions_side_by_side_are_told_apart(mx: &Beside) {
    let clients: Vec<String> = (80..120).map(|last| format!("203.0.113.{last}")).collect();
    clients.iter().step_by(2).for_each(|client| _ = mx.block(client));
    let sessions: Vec<Smtp> = clients.iter().map(|client| mx.session(client)).collect();
    let asked: Vec<_> = sessions
        .into_iter()
        .map(|mut session| {
            thread::spawn(move || (0..5).map(|_| session.rcpt(ALICE).code).collect::<Vec<_>>())
        })
        .collect();
    for (number, (client, codes)) in clients.iter().zip(asked).enumerate() {
        let expect = if number % 2 == 0 { 550 } else { 250 };
        assert_eq!(codes.join().expect("replies"), [expect; 5], "{client}");
    }
}

fn start(mx: &mut Beside, smtpd: &str, plan: &Value) {
    mx.room().run("mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd; chmod 711 /var/spool/smtpd");
    let config = mx.folder().join("smtpd.conf");
    let [filter, at_listen] = ["smtpd_conf", "listen"].map(|part| plan[part].as_str().expect("lines"));
    write(
        &config,
        &format!(
            "{filter}listen on 127.0.0.1 port 25 hostname mx.example.org {at_listen}\
             action \"next\" relay host smtp://127.0.0.1:{}\n\
             match from any for domain \"example.org\" action \"next\"\n",
            beside::NEXT_HOP
        ),
    );
    mx.start(smtpd, &["-d", "-f", &config.display().to_string()]);
}
