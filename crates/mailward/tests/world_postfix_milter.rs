//! Mailward beside a real Postfix by both its doors, policy server and milter, and mail to
//! Mailward itself: what `mailward setup postfix` prints for a first installation.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where Postfix is installed; says `skipped: …`
//! elsewhere.

mod world;

use world::mx::{Mx, RULES};
use world::postfix;
use world::smtp::Client;
use world::{Folder, Stories, wait_for};

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

#[test]
fn both_doors_open_by_what_is_printed() {
    if let Some(reason) = world::missing(&postfix::PROGRAMS) {
        return println!("skipped: {reason}");
    }
    let folder = Folder::new("postfix-milter");
    let lmtp = folder.path().join("mx/queue/mailward/lmtp");
    let more = format!("[reports]\nlmtp = {lmtp:?}\n[judges]\nauthentication = false\n\n{RULES}");
    let mut mx = Mx::start(folder.path(), "relay_transport = discard:\n", &more);
    let mut stories = Stories::default();
    stories.tell("setup-again", || assert_eq!(mx.plan()["main_cf"], "# Nothing: it is all there.\n"));
    stories.tell("verdict", || the_milter_tells_the_queue_id(&mx));
    stories.tell("refused", || a_blocked_client_is_refused_recipient_by_recipient(&mx));
    stories.tell("conduct", || what_a_session_shows_of_its_client_counts(&mx));
    stories.tell("early-talk", || who_spoke_before_the_greeting_is_refused_in_its_session(&mx));
    stories.tell("reports", || mail_to_mailward_is_handed_in(&mx));
    stories.tell("kill", || without_the_daemon_mail_flows(&mut mx));
    stories.end(&mx.logs());
}

/// No policy request at the end of data any more; and what both doors see is one message.
fn the_milter_tells_the_queue_id(mx: &Mx) {
    let client = Client::nameless("203.0.113.10");
    let id = mx.deliver(&client, &[ALICE]);
    mx.mailward.judge(&[id], "spam");
    let case = wait_for("one spam of a nameless client to block it", || mx.mailward.case(client.addr));
    assert_eq!((&case["reason"], &case["units"]), (&"spam-volume".into(), &"1".into()));
    mx.mailward.wait("1 s");
    let refused = mx.rcpt(&client, BOB);
    assert_eq!((refused.code, refused.link().as_str()), (550, case["link"].as_str().unwrap_or_default()));
}

/// The policy server refuses; the milter, which sees what Postfix refused, is of its mind.
fn a_blocked_client_is_refused_recipient_by_recipient(mx: &Mx) {
    let client = Client::nameless("203.0.113.20");
    mx.mailward.ask(&["block", client.addr, "--for", "2 h", "--because", "a test"]);
    mx.mailward.wait("1 s");
    let first = mx.rcpt(&client, ALICE);
    assert!(first.code == 550 && first.link().contains("/c/"), "{}", first.text);
    let mut session = mx.session(&client);
    assert_eq!([ALICE, "postmaster@example.org"].map(|who| session.rcpt(who).code), [550, 250]);
    assert_eq!(session.data().code, 250);
}

/// OFF-19: Postfix hands on words that are no commands, and says when a message is given up.
fn what_a_session_shows_of_its_client_counts(mx: &Mx) {
    let client = Client::nameless("203.0.113.40");
    let mut session = mx.session(&client);
    session.ask(250, "RSET");
    for line in ["HELLO there", "EXPN staff"] {
        // 500 or 502, by the version of Postfix.
        assert!(session.say(line).code / 100 == 5, "{line}");
    }
    for _ in 0..10 {
        session.mail();
        session.ask(250, &format!("RCPT TO:<{ALICE}>"));
        session.ask(250, "RSET");
    }
    session.ask(221, "QUIT");
    wait_for("the faults of a session", || {
        let explained = mx.mailward.ask(&["explain", client.addr]);
        explained.contains("faults of 24 hours: unknown-command, reset-loop").then_some(())
    });
    // Who writes mail as everybody does has none.
    let client = Client::nameless("203.0.113.41");
    mx.deliver(&client, &[ALICE]);
    mx.mailward.settle();
    assert!(!mx.mailward.ask(&["explain", client.addr]).contains("faults of 24 hours"));
}

/// OFF-18: postscreen says so in the log, which `mailward observe` reads as it grows.
fn who_spoke_before_the_greeting_is_refused_in_its_session(mx: &Mx) {
    let client = Client::nameless("203.0.113.42");
    let mut session = mx.session(&client);
    let line = format!(
        "Nov 21 18:40:00 mx postfix/postscreen[7]: PREGREET 9 after 0 from [{}]:9: EHLO x\n",
        client.addr
    );
    mx.mailward.tell(&["observe"], &line);
    let refused = session.rcpt(ALICE);
    assert!(refused.code == 550 && refused.text.contains("5.5.1"), "{}", refused.text);
    assert_eq!(session.rcpt("postmaster@example.org").code, 250);
}

/// report@ exists though Postfix has no such user, and LMTP takes its mail.
fn mail_to_mailward_is_handed_in(mx: &Mx) {
    let client = Client::well_run("198.51.100.25");
    let id = mx.deliver(&client, &["report@example.org"]);
    let log = wait_for("the report to be handed in", || {
        let log = std::fs::read_to_string(mx.postfix.log()).ok()?;
        log.contains(&format!("{id}: removed")).then_some(log)
    });
    let handed = log
        .lines()
        .any(|line| line.contains(&id) && line.contains("mailward/lmtp") && line.contains("status=sent"));
    assert!(handed, "{log}");
    assert_eq!(mx.rcpt(&client, "nobody@example.org").code, 550);
}

fn without_the_daemon_mail_flows(mx: &mut Mx) {
    let client = Client::nameless("203.0.113.30");
    mx.mailward.ask(&["block", client.addr, "--for", "2 h", "--because", "a test"]);
    mx.mailward.wait("1 s");
    assert_eq!(mx.rcpt(&client, ALICE).code, 550);
    mx.mailward.kill();
    mx.deliver(&client, &[ALICE]);
    mx.mailward.start();
    mx.mailward.wait("1 s");
    assert_eq!(mx.rcpt(&client, ALICE).code, 550);
}
