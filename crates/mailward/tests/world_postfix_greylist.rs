//! Greylisting and greytrapping beside a real Postfix, by both its doors.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where Postfix is installed; says `skipped: …`
//! elsewhere.

mod world;

use serde_json::Value;

use world::http::get;
use world::mx::Mx;
use world::postfix;
use world::smtp::{Client, Reply};
use world::{Folder, Stories};

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
const TRAP: &str = "jdoe1987@example.org";

const SETTINGS: &str = "[greylist]
mode = \"suspicious\"

[traps]
pristine = [\"jdoe1987@example.org\"]

[judges]
authentication = false

";

#[test]
fn strangers_come_back_and_those_that_write_to_traps_wait_a_day() {
    if let Some(reason) = world::missing(&postfix::PROGRAMS) {
        return println!("skipped: {reason}");
    }
    let folder = Folder::new("postfix-greylist");
    let mut mx = Mx::start(folder.path(), "relay_transport = discard:\n", SETTINGS);
    let mut stories = Stories::default();
    stories.tell("retry", || a_suspect_comes_back_and_is_taken(&mx));
    stories.tell("well-run", || who_looks_well_run_is_not_asked(&mx));
    stories.tell("open", || postmaster_and_bounces_do_not_wait(&mx));
    stories.tell("trap", || a_trap_defers_a_stranger_for_a_day(&mx));
    stories.tell("relay", || a_relay_probe_does_the_same(&mx));
    stories.tell("kill", || a_restart_forgets_nobody(&mut mx));
    stories.tell("doctor", || doctor_tells_how_many_wait(&mx));
    stories.end(&mx.logs());
}

/// An end user's computer by its looks: no name, and a greeting without a domain.
const fn suspect(addr: &'static str) -> Client {
    Client { addr, name: None, helo: "pc7" }
}

#[track_caller]
fn deferred(reply: &Reply, code: &str, words: &str) {
    let expect = format!("{code} 4.7.1 <{ALICE}>: Recipient address rejected: {words}");
    assert!(reply.text.starts_with(&expect), "expected {expect}, but got {}", reply.text);
}

fn a_suspect_comes_back_and_is_taken(mx: &Mx) {
    let client = suspect("203.0.113.10");
    let first = mx.rcpt(&client, ALICE);
    deferred(&first, "451", "Greylisted, please try again in 5 minutes. See http://127.0.0.1:");
    let (status, page) = get(&first.link());
    assert!(status == 200 && page.contains("asked to come back later"), "{status}: {page}");
    mx.mailward.wait("4 min");
    assert_eq!(mx.rcpt(&client, ALICE), first, "a retry hears the same");
    mx.mailward.wait("1 min");
    mx.deliver(&client, &[ALICE]);
    mx.mailward.settle();
    mx.deliver(&suspect("203.0.113.99"), &[BOB]);
}

fn who_looks_well_run_is_not_asked(mx: &Mx) {
    mx.deliver(&Client::well_run("198.51.100.25"), &[ALICE]);
}

fn postmaster_and_bounces_do_not_wait(mx: &Mx) {
    let client = suspect("198.51.100.40");
    mx.deliver(&client, &["postmaster@example.org"]);
    let mut session = mx.session(&client);
    session.ask(250, "RSET");
    session.ask(250, "MAIL FROM:<>");
    assert_eq!(session.rcpt(ALICE).code, 250);
}

fn a_trap_defers_a_stranger_for_a_day(mx: &Mx) {
    let client = suspect("192.0.2.10");
    let first = mx.rcpt(&client, TRAP);
    assert!(first.code == 451 && first.text.contains("Greylisted"), "{}", first.text);
    mx.mailward.settle();
    mx.mailward.wait("1 s");
    let refused = mx.rcpt(&client, ALICE);
    deferred(&refused, "450", "[192.0.2.10] wrote to trap addresses; ");
    assert_eq!(refused.link(), text(&case(mx, &client), "link"));
    let (status, page) = get(&refused.link());
    assert!(status == 200 && !page.contains("jdoe1987"), "{status}: {page}");
    // Another hit after 23 hours, and it is 47.
    mx.mailward.wait("23 h");
    assert_eq!(mx.rcpt(&client, TRAP).code, 450);
    mx.mailward.settle();
    mx.mailward.wait("23 h");
    assert_eq!(mx.rcpt(&client, ALICE).code, 450);
    mx.mailward.wait("1 h 1 min");
    assert_eq!(mx.rcpt(&client, ALICE).code, 451, "it is a stranger still");
    mx.mailward.wait("5 min");
    mx.deliver(&client, &[ALICE]);
}

/// Postfix refuses by itself, and the milter hears of it.
fn a_relay_probe_does_the_same(mx: &Mx) {
    let client = suspect("198.51.100.129");
    let probe = mx.rcpt(&client, "someone@elsewhere.example");
    assert!(probe.text.contains("Relay access denied"), "{}", probe.text);
    mx.mailward.settle();
    mx.mailward.wait("1 s");
    assert_eq!(text(&case(mx, &client), "reason"), "greytrap");
    assert_eq!(mx.rcpt(&client, ALICE).code, 450);
}

fn a_restart_forgets_nobody(mx: &mut Mx) {
    let (white, grey) = (suspect("203.0.113.10"), suspect("2001:db8:7::1"));
    assert_eq!(mx.rcpt(&grey, ALICE).code, 451);
    mx.mailward.settle();
    mx.mailward.kill();
    mx.mailward.start();
    mx.deliver(&white, &[BOB]);
    assert_eq!(mx.rcpt(&grey, ALICE).code, 451);
    mx.mailward.wait("5 min");
    mx.deliver(&grey, &[ALICE]);
    mx.mailward.ask(&["ledger", "verify"]);
}

fn doctor_tells_how_many_wait(mx: &Mx) {
    let found: Value = serde_json::from_str(&mx.mailward.ask(&["doctor", "--json"])).expect("JSON");
    let rows = found.as_array().expect("rows").iter();
    let told: Vec<_> =
        rows.filter(|row| row["about"] == "greylisting").map(|row| text(row, "text")).collect();
    assert!(told.len() == 1 && told[0].starts_with("on: "), "{found}");
}

#[track_caller]
fn case(mx: &Mx, client: &Client) -> Value {
    mx.mailward.case(client.addr).unwrap_or_else(|| panic!("{} has no case", client.addr))
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}
