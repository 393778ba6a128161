//! Stories of what a client does.

use crate::samples::eicar;
use crate::site::{ALICE, BOB, CAROL, Site, TRAP, hides_recipients, plain, spam, text};
use crate::world::smtp::Client;

/// What Postfix itself refuses in one session before it hangs up (`smtpd_hard_error_limit`).
const ERRORS_MAX: usize = 15;

pub(crate) fn each_unknown_recipient_is_seen_without_a_log(site: &Site) {
    let client = Client::nameless("203.0.113.20");
    let before = site.count("/milter/rejected_by_mta");
    let all: Vec<String> = (0..40).map(|n| format!("user{n}@example.org")).collect();
    for some in all.chunks(ERRORS_MAX) {
        let mut session = site.mx.session(&client);
        for recipient in some {
            let reply = session.rcpt(recipient);
            assert!(reply.text.starts_with("550 5.1.1 "), "{}", reply.text);
        }
    }
    assert_eq!(site.count("/milter/rejected_by_mta"), before + 40);
    site.is_free(&client);
}

pub(crate) fn the_same_unknown_recipient_counts_once(site: &Site) {
    let client = Client::nameless("203.0.113.21");
    let bounce = |recipient: &str| {
        let mut session = site.mx.session(&client);
        session.ask(250, "RSET");
        session.ask(250, "MAIL FROM:<>");
        session.rcpt(recipient)
    };
    (0..9).for_each(|_| assert_eq!(bounce("nobody@example.org").code, 550));
    assert_eq!(bounce("nobody2@example.org").code, 550);
    site.is_free(&client);
    // Five, and three from who has no name.
    assert_eq!(bounce("nobody3@example.org").code, 550);
    let case = site.case(&client);
    assert_eq!((text(&case, "reason"), text(&case, "units")), ("backscatter", "3"));
    assert_eq!(bounce(ALICE).link(), text(&case, "link"));
    assert_eq!(site.mx.rcpt(&client, ALICE).code, 250, "other mail is welcome");
}

pub(crate) fn spams_of_a_well_run_server_are_counted_once_each(site: &Site) {
    let client = Client::well_run("198.51.100.20");
    // One session, and the clock stands: a block begins after it.
    let mut session = site.mx.session(&client);
    for turn in 1..=30 {
        if turn > 1 {
            session.mail();
        }
        session.ask(250, &format!("RCPT TO:<{}>", if turn % 2 == 0 { ALICE } else { BOB }));
        session.send(&spam(&format!("Offer {turn}"))).queue_id();
        if turn == 9 {
            site.is_free(&client);
        }
    }
    site.settle();
    // A case is written again from time to time only.
    site.mx.mailward.wait("10 min");
    site.settle();
    let case = site.case(&client);
    assert_eq!((text(&case, "reason"), text(&case, "units")), ("spam-volume", "30"));
    let told = site.mx.mailward.ask(&["explain", client.addr]);
    for fact in
        ["unwanted messages in one hour: 10,", "messages in 24 hours: 10,", "share of spam in percent: 100,"]
    {
        assert!(told.contains(fact), "expected {fact}, but got {told}");
    }
    assert_eq!(site.mx.rcpt(&client, ALICE).link(), text(&case, "link"));
}

pub(crate) fn a_trap_blocks_a_stranger_at_the_end_of_its_message(site: &Site) {
    let client = Client::well_run("198.51.100.21");
    let mut session = site.mx.session(&client);
    session.ask(250, &format!("RCPT TO:<{TRAP}>"));
    session.ask(250, &format!("RCPT TO:<{CAROL}>"));
    session.send(&plain("Great watches", "They are cheap.")).queue_id();
    let case = site.case(&client);
    assert_eq!(text(&case, "reason"), "trap");
    assert_eq!(site.mx.rcpt(&client, ALICE).link(), text(&case, "link"));
    let (page, twin) = site.page(&case);
    let sample = &twin["samples"][0];
    assert!(sample["headers"].is_null() && sample["port"].is_null() && sample["helo"].is_null(), "{sample}");
    for telling in ["Great watches", "mail.example.net", "(Postfix)"] {
        assert!(!page.contains(telling) && !twin.to_string().contains(telling), "{telling} stands in {page}");
    }
    hides_recipients(&page, &twin);
}

pub(crate) fn a_request_to_confirm_is_no_trap_hit(site: &Site) {
    let client = Client::well_run("198.51.100.22");
    let asks = plain(
        "Please confirm your subscription",
        "Somebody, hopefully you, asked to subscribe this address to our newsletter. To confirm your subscription \
         please\r\nreply to this mail. If it was not you, do nothing.",
    );
    site.delivered(&client, &[TRAP], &asks);
    site.is_free(&client);
}

pub(crate) fn behind_a_relay_the_inner_client_is_blocked(site: &Site) {
    // `own.relays` has it.
    let relay = Client { addr: "203.0.113.25", name: Some("mx2.example.org"), helo: "mx2.example.org" };
    let inner = Client::nameless("192.0.2.66");
    let from = |n: usize| {
        format!(
            "Received: from client.example.net (unknown [192.0.2.66])\r\n\tby mx2.example.org (Postfix) with SMTP id \
             4T9K{n}\r\n\tfor <alice@example.org>; Sat, 21 Nov 2026 21:39:34 +0000 (UTC)\r\n"
        )
    };
    for turn in 0..50 {
        let reply = site.send(&relay, &[ALICE], &(from(turn) + &spam(&format!("Relayed {turn}"))));
        assert_eq!(reply.code, 250, "a relay is never refused: {}", reply.text);
    }
    let virus = from(50) + &plain("Relayed virus", &eicar());
    assert_eq!(site.send(&relay, &[ALICE], &virus).code, 250);
    let case = site.case(&inner);
    assert_eq!(site.mx.rcpt(&inner, ALICE).link(), text(&case, "link"));
    site.is_free(&relay);
    let (page, twin) = site.page(&site.case(&inner));
    assert!(page.contains("192.0.2.66"), "{page}");
    hides_recipients(&page, &twin);
}
