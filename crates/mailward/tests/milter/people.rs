//! Stories of what users report.

use crate::site::{ALICE, BOB, CAROL, Site, plain, text};
use crate::world::smtp::{Client, Smtp};

/// All who report.
const USERS: [&str; 3] = [ALICE, BOB, CAROL];

const FORWARDED: Client = Client::well_run("198.51.100.30");
const FORGED: Client = Client::well_run("198.51.100.31");
const PRESSED: Client = Client::well_run("198.51.100.32");

/// What the users found in their mailboxes, as our own server handed it over.
pub(crate) struct Mailboxes {
    forwarded: [String; 3],
    forged: String,
    pressed: [String; 3],
}

/// Mail comes, a day before anybody reports it: a mailbox of today counts little. A user has
/// one word a day about a sender's domain, so the second sender has another one.
pub(crate) fn users_get_mail(site: &Site) -> Mailboxes {
    let one = |client: &Client, user: &str| {
        let mail = plain(&subject(user), "An offer for you.");
        original(&site.delivered(client, &[user], &mail))
    };
    let shop = |user: &str| {
        let mail = plain(&subject(user), "An offer.").replace("someone@example.net", "someone@shop.example");
        original(&site.delivered(&PRESSED, &[user], &mail))
    };
    Mailboxes {
        forwarded: USERS.map(|user| one(&FORWARDED, user)),
        forged: one(&FORGED, ALICE),
        pressed: USERS.map(shop),
    }
}

pub(crate) fn three_who_forward_their_mail_block_its_sender(site: &Site, got: &Mailboxes) {
    let shelved = site.count("/reports/shelved");
    for (user, message) in USERS.iter().zip(&got.forwarded) {
        assert_eq!(site.mx.mailward.case(FORWARDED.addr), None, "before {user}");
        report(site, user, message);
    }
    let case = site.case(&FORWARDED);
    assert_eq!(text(&case, "reason"), "reports");
    let told = site.mx.mailward.ask(&["explain", FORWARDED.addr]);
    assert!(told.contains("different people who reported it in 48 hours, weighted: 3,"), "{told}");
    assert_eq!(site.count("/reports/shelved"), shelved + 3);
    assert_eq!(site.mx.rcpt(&FORWARDED, ALICE).link(), text(&case, "link"));
}

pub(crate) fn a_report_of_what_we_never_took_accuses_nobody(site: &Site, got: &Mailboxes) {
    let id = got.forged.split(" id ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let forged = got.forged.replace(id.expect("a queue id"), "4T9Kzz0zzz");
    USERS.iter().for_each(|user| report(site, user, &forged));
    site.is_free(&FORGED);
}

pub(crate) fn a_junk_button_reports_through_a_pipe(site: &Site, got: &Mailboxes) {
    for (user, message) in USERS.iter().zip(&got.pressed) {
        let told = site.mx.mailward.tell(&["report", "--reporter", user], message);
        assert_eq!(told, "Thank you. The report is taken.\n");
    }
    assert_eq!(text(&site.case(&PRESSED), "reason"), "reports");
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
