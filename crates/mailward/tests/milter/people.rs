//! Stories of what users report.

use crate::site::{ALICE, BOB, CAROL, Site, plain, text};
use crate::world::smtp::{Client, Smtp};

/// All who report.
const USERS: [&str; 3] = [ALICE, BOB, CAROL];

pub(crate) fn three_who_forward_their_mail_block_its_sender(site: &Site) {
    let client = Client::well_run("198.51.100.30");
    let got = USERS.map(|user| site.delivered(&client, &[user], &plain(&subject(user), "An offer for you.")));
    // A mailbox of today counts little.
    site.mx.mailward.wait("25 h");
    let shelved = site.count("/reports/shelved");
    for (user, message) in USERS.iter().zip(&got) {
        assert_eq!(site.mx.mailward.case(client.addr), None, "before {user}");
        report(site, user, &original(message));
    }
    let case = site.case(&client);
    assert_eq!(text(&case, "reason"), "reports");
    let told = site.mx.mailward.ask(&["explain", client.addr]);
    assert!(told.contains("users who reported it: 3"), "{told}");
    assert_eq!(site.count("/reports/shelved"), shelved + 3);
    assert_eq!(site.mx.rcpt(&client, ALICE).link(), text(&case, "link"));
}

pub(crate) fn a_report_of_what_we_never_took_accuses_nobody(site: &Site) {
    let victim = Client::well_run("198.51.100.31");
    let got = site.delivered(&victim, &[ALICE], &plain(&subject("victim"), "All is well."));
    let forged = original(&got);
    let id = forged.split(" id ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a queue id");
    let forged = forged.replace(id, "4T9Kzz0zzz");
    USERS.iter().for_each(|user| report(site, user, &forged));
    site.is_free(&victim);
}

pub(crate) fn a_junk_button_reports_through_a_pipe(site: &Site) {
    let client = Client::well_run("198.51.100.32");
    let got = USERS.map(|user| site.delivered(&client, &[user], &plain(&subject(user), "Another offer.")));
    for (user, message) in USERS.iter().zip(&got) {
        let told = site.mx.mailward.tell(&["report", "--reporter", user], &original(message));
        assert_eq!(told, "Thank you. The report is taken.\n");
    }
    assert_eq!(text(&site.case(&client), "reason"), "reports");
}

fn subject(of: &str) -> String {
    use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
    static NUMBER: AtomicU16 = AtomicU16::new(1);
    format!("Number {} for {}", NUMBER.fetch_add(1, Relaxed), of.replace('@', " at "))
}

/// What a mailbox has: the message from our own Received field on. The server behind us has
/// put lines of its own before it.
#[track_caller]
fn original(delivered: &str) -> String {
    let start = delivered.find("Received: from mail.example.net").expect("our own field");
    delivered[start..].to_owned()
}

/// A user forwards a message as an attachment, from a computer of the site.
#[track_caller]
fn report(site: &Site, user: &str, message: &str) {
    let mail = format!(
        "From: <{user}>\r\nTo: <report@example.org>\r\nSubject: Fwd: spam\r\nMIME-Version: 1.0\r\nContent-Type: \
         multipart/mixed; boundary=f\r\n\r\n--f\r\nContent-Type: text/plain\r\n\r\nI never asked for \
         this.\r\n--f\r\nContent-Type: message/rfc822\r\n\r\n{}\r\n--f--\r\n",
        message.replace("\r\n", "\n").replace('\n', "\r\n")
    );
    let mut session = Smtp::connect(site.mx.postfix.port);
    session.ask(250, "EHLO desk.example.org");
    session.ask(250, &format!("MAIL FROM:<{user}>"));
    session.ask(250, "RCPT TO:<report@example.org>");
    let id = session.send(&mail).queue_id();
    let delivered = || site.logged(&["postfix/lmtp", &id, "status=sent"]).pop();
    crate::world::wait_for("the delivery of a report", delivered);
    site.mx.mailward.settle();
}
