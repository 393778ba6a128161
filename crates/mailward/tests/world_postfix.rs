//! Mailward beside a real Postfix: from a spam to the bounce that its sender reads, and back.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where Postfix is installed (`cargo xtask test
//! world` sees to that); says `skipped: …` elsewhere. Postfix is started once, chrooted as
//! Debian ships it; each story has addresses of its own, and takes them on by XCLIENT.

#[path = "world/relay.rs"]
mod relay;
mod world;

use serde_json::Value;

use relay::posing_relay;
use world::http::get;
use world::mx::{Mx, RULES};
use world::postfix::{self, Postfix};
use world::sink::{self, Sink};
use world::smtp::{Client, Smtp};
use world::{Folder, Stories, free_port};

const NO_MILTER: &str = "[milter]\ntcp = \"off\"\n\n";
const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

#[test]
fn a_spammer_is_refused_with_a_link_and_let_go_again() {
    let programs: Vec<&str> = postfix::PROGRAMS.into_iter().chain([sink::PROGRAM]).collect();
    if let Some(reason) = world::missing(&programs) {
        return println!("skipped: {reason}");
    }
    let folder = Folder::new("postfix");
    let toml = format!("{NO_MILTER}{RULES}");
    let mut mx = Mx::start(folder.path(), "relay_transport = discard:\n", &toml);
    let mut stories = Stories::default();
    stories.tell("setup-again", || nothing_is_left_to_paste(&mx));
    stories.tell("first-hit", || one_spam_of_a_nameless_client_blocks_it(&mx));
    stories.tell("link", || the_link_opens_and_a_wrong_one_does_not(&mx));
    stories.tell("postmaster", || postmaster_stays_open(&mx));
    stories.tell("neighbour", || the_neighbour_is_not_touched(&mx));
    stories.tell("two-recipients", || two_recipients_are_two_units(&mx));
    stories.tell("ipv6", || an_ipv6_client_is_blocked_with_its_64(&mx));
    stories.tell("volume", || ten_spams_of_a_well_run_server_block_it(&mx));
    stories.tell("open-session", || a_message_is_not_refused_in_its_midst(&mx));
    stories.tell("bounce", || the_sender_reads_the_link_in_the_bounce(&mx, &folder));
    stories.tell("unblock", || an_operator_lifts_the_block(&mx));
    stories.tell("sentence", || the_block_ends_by_itself(&mx));
    stories.tell("kill", || without_the_daemon_mail_flows_and_it_remembers(&mut mx));
    stories.end(&mx.logs());
}

fn nothing_is_left_to_paste(mx: &Mx) {
    assert_eq!(mx.plan()["main_cf"], "# Nothing: it is all there.\n");
}

const SPAMMER: Client = Client::nameless("203.0.113.10");

fn one_spam_of_a_nameless_client_blocks_it(mx: &Mx) {
    mx.spam(&SPAMMER, &[ALICE]);
    let case = case(mx, &SPAMMER);
    assert_eq!((text(&case, "reason"), text(&case, "units")), ("spam-volume", "1"));
    let refused = mx.rcpt(&SPAMMER, BOB);
    let expect = format!("550 5.7.1 <{BOB}>: Recipient address rejected: [203.0.113.10] ");
    assert!(refused.text.starts_with(&expect), "expected {expect}, but got {}", refused.text);
    assert_eq!(refused.link(), text(&case, "link"));
    assert_eq!(mx.rcpt(&SPAMMER, BOB), refused, "a retry hears the same");
}

fn the_link_opens_and_a_wrong_one_does_not(mx: &Mx) {
    let link = mx.rcpt(&SPAMMER, ALICE).link();
    let (status, page) = get(&link);
    let headline = "Your mail server 203.0.113.10 is blocked at Example Networks";
    assert!(status == 200 && page.contains(headline), "{status}: {page}");
    let (status, twin) = get(&format!("{link}.json"));
    let twin: Value = serde_json::from_str(&twin).expect("JSON");
    assert_eq!((status, twin["headline"].as_str()), (200, Some(headline)));
    let (whole, last) = link.split_at(link.len() - 1);
    let wrong = format!("{whole}{}", if last == "0" { "1" } else { "0" });
    let (status, page) = get(&wrong);
    assert!(status == 404 && !page.contains("203.0.113.10"), "{status}: {page}");
}

fn postmaster_stays_open(mx: &Mx) {
    let mut session = mx.session(&SPAMMER);
    let replies = [ALICE, "Postmaster@example.org", "postmaster", BOB].map(|who| session.rcpt(who).code);
    assert_eq!(replies, [550, 250, 250, 550]);
    assert_eq!(session.data().code, 250);
}

fn the_neighbour_is_not_touched(mx: &Mx) {
    mx.deliver(&Client::nameless("203.0.113.11"), &[ALICE]);
}

fn two_recipients_are_two_units(mx: &Mx) {
    let client = Client::nameless("203.0.113.20");
    mx.spam(&client, &[ALICE, BOB, ALICE]);
    assert_eq!(text(&case(mx, &client), "units"), "2");
}

fn ten_spams_of_a_well_run_server_block_it(mx: &Mx) {
    let client = Client::well_run("198.51.100.25");
    for turn in 1..10 {
        mx.spam(&client, &[if turn % 2 == 0 { ALICE } else { BOB }]);
    }
    assert_eq!(mx.mailward.case(client.addr), None, "after nine");
    mx.spam(&client, &[ALICE]);
    let case = case(mx, &client);
    assert_eq!((text(&case, "reason"), text(&case, "units")), ("spam-volume", "10"));
    assert_eq!(mx.rcpt(&client, ALICE).link(), text(&case, "link"));
}

fn a_message_is_not_refused_in_its_midst(mx: &Mx) {
    let client = Client::nameless("203.0.113.30");
    let mut early = mx.session(&client);
    early.ask(250, &format!("RCPT TO:<{ALICE}>"));
    mx.spam(&client, &[ALICE]);
    assert_eq!(mx.rcpt(&client, BOB).code, 550);
    // RSET must not show which recipient was a trap.
    early.ask(250, "RSET");
    early.mail();
    early.ask(250, &format!("RCPT TO:<{BOB}>"));
    early.data().queue_id();
    // TXT-R3: ‘next session (or after end of data)’.
    early.mail();
    assert_eq!(early.rcpt(ALICE).code, 550);
}

const SIX: Client = Client::nameless("2001:db8:1:2::10");

fn an_ipv6_client_is_blocked_with_its_64(mx: &Mx) {
    mx.spam(&SIX, &[ALICE]);
    assert_eq!(text(&case(mx, &SIX), "key"), "2001:db8:1:2::/64");
    let refused = mx.rcpt(&Client::nameless("2001:db8:1:2:ffff::25"), ALICE);
    assert!(refused.text.contains(": [2001:db8:1:2:ffff::25] "), "{}", refused.text);
    mx.deliver(&Client::nameless("2001:db8:1:3::10"), &[ALICE]);
}

fn the_sender_reads_the_link_in_the_bounce(mx: &Mx, folder: &Folder) {
    let client = Client::nameless("203.0.113.40");
    mx.spam(&client, &[ALICE]);
    let port = free_port();
    let sink = Sink::start(&folder.path().join("sink"), port);
    let sender = sender(folder, posing_relay(client, mx.postfix.port), port);
    let mut session = Smtp::connect(sender.port);
    session.ask(250, "EHLO desk.example.net");
    session.mail();
    session.ask(250, &format!("RCPT TO:<{BOB}>"));
    session.data().queue_id();
    let bounce = sink.message("Undelivered Mail Returned to Sender");
    let case = case(mx, &client);
    let link = text(&case, "link");
    let (human, machine) = bounce.split_once("Diagnostic-Code:").expect("a report after RFC 3464");
    assert!(human.contains(link), "expected {link} whole, but got {human}");
    assert!(machine.contains(link), "expected {link} whole, but got {machine}");
    assert!(machine.contains("5.7.1") && human.contains("[203.0.113.40]"), "{bounce}");
}

/// The Postfix of somebody who sends to us by way of `relay`, and reads bounces at `sink`.
fn sender(folder: &Folder, relay: u16, sink: u16) -> Postfix {
    let settings = format!(
        "myhostname = mail.example.net
mydestination =
mynetworks = 127.0.0.0/8
transport_maps = inline:{{example.org=smtp:[127.0.0.1]:{relay}, example.net=smtp:[127.0.0.1]:{sink}}}
"
    );
    let mut sender = Postfix::new(&folder.path().join("sender"), free_port(), &settings);
    sender.start();
    sender
}

fn an_operator_lifts_the_block(mx: &Mx) {
    let client = Client::nameless("203.0.113.50");
    mx.spam(&client, &[ALICE]);
    assert_eq!(mx.rcpt(&client, ALICE).code, 550);
    let reference = text(&case(mx, &client), "case").to_owned();
    let told = mx.mailward.ask(&["unblock", client.addr, "--because", "the hole is closed"]);
    assert_eq!(told, format!("Lifted: {reference}.\n"));
    mx.deliver(&client, &[ALICE]);
}

fn the_block_ends_by_itself(mx: &Mx) {
    let client = Client::nameless("203.0.113.60");
    mx.spam(&client, &[ALICE]);
    mx.mailward.wait("1 h");
    assert_eq!(mx.rcpt(&client, ALICE).code, 550, "one unit is a sentence of two hours");
    mx.mailward.wait("2 h");
    mx.deliver(&client, &[ALICE]);
}

fn without_the_daemon_mail_flows_and_it_remembers(mx: &mut Mx) {
    let (blocked, lifted) = (Client::nameless("203.0.113.70"), Client::nameless("203.0.113.71"));
    mx.spam(&blocked, &[ALICE]);
    mx.spam(&lifted, &[ALICE]);
    mx.mailward.ask(&["unblock", lifted.addr, "--because", "the hole is closed"]);
    let refused = mx.rcpt(&blocked, ALICE);
    assert_eq!(refused.code, 550);
    mx.mailward.kill();
    mx.deliver(&blocked, &[ALICE]);
    mx.mailward.start();
    assert_eq!(mx.rcpt(&blocked, ALICE), refused, "the same words after the restart");
    mx.deliver(&lifted, &[ALICE]);
    mx.mailward.ask(&["ledger", "verify"]);
}

#[track_caller]
fn case(mx: &Mx, client: &Client) -> Value {
    mx.mailward.case(client.addr).unwrap_or_else(|| panic!("{} is not blocked", client.addr))
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}
