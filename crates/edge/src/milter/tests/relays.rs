//! Our own people, and the declared hosts before us.

use model::{Answered, Rdns, Secs, Sent};

use super::*;

fn sent(sender: &[u8], recipient: &[u8], domain: &[u8]) -> Fact {
    Fact::Sent(Sent {
        sender: persons().person(sender),
        recipient: persons().person(recipient).unwrap(),
        domain: persons().domain(domain),
    })
}

#[test]
fn what_our_people_send_is_outbound_and_no_attempt() {
    let mut stage = Stage::with(|config| config.ours = vec!["192.0.2.0/28".parse().unwrap()]);
    stage.books.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    stage.books.block(6, "192.0.2.9", NOW.minus(Secs::MINUTE));
    let mut login = stage.greeted();
    login.login("<a@example.org>");
    assert_eq!(login.rcpt("<b@example.net>"), "continue");
    assert_eq!(login.refused_rcpt("<typo@example.net>", "5.1.1", "unknown"), "continue");
    assert_eq!(login.rcpt("<c@example.com>"), "continue");
    assert_eq!(login.content(), ["continue"]);
    let mut inside = stage.unix();
    inside.greet("192.0.2.9");
    inside.mail("<>");
    assert_eq!(inside.rcpt("<d@example.net>"), "continue");
    assert_eq!(inside.content(), ["continue"]);
    let expect = [
        sent(b"a@example.org", b"b@example.net", b"example.net"),
        sent(b"a@example.org", b"c@example.com", b"example.com"),
        sent(b"", b"d@example.net", b"example.net"),
    ];
    assert_eq!(stage.facts(3), expect);
    assert_eq!(stage.keeps.letters(), []);
    // The next message is nobody's unless it is said again.
    login.mail("<a@example.org>");
    assert!(login.rcpt("<b@example.net>").starts_with("550"));
}

#[test]
fn a_message_that_our_people_give_up_was_not_sent() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.login("<a@example.org>");
    mta.rcpt("<b@example.net>");
    mta.step(Command::Abort);
    mta.quit();
    assert_eq!(stage.facts_at_last(), []);
}

fn relayed() -> Stage {
    let mut stage = Stage::with(|config| {
        config.relays = vec!["192.0.2.25/32".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        // A relay in our own network is a relay.
        config.ours = vec!["192.0.2.0/24".parse().unwrap()];
    });
    stage.books.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    stage.books.block(6, "198.51.100.7", NOW.minus(Secs::MINUTE));
    stage
}

/// Sends a message with these Received fields from the relay; the letter that comes of it.
fn letter(stage: &Stage, received: &[&str]) -> Letter {
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    assert_eq!(mta.rcpt("<c@example.org>"), "continue");
    assert_eq!(stage.facts(0), [], "the client is not known yet");
    received.iter().for_each(|value| mta.field("Received", value));
    assert_eq!(mta.content(), ["continue"]);
    stage.keeps.letter()
}

const STRANGER: &str = " from helo.example.net (mail.example.net [198.51.100.7])\n\tby mx2.example.org (Postfix) \
                        with ESMTP id 4T9K\n\tfor <b@example.org>; Sat, 21 Nov 2026 21:39:34 +0000";
const FILTER: &str = " from localhost (localhost [127.0.0.1]) by mx2.example.org (Postfix) with ESMTP id 4T9L; \
                      Sat, 21 Nov 2026 21:39:35 +0000";
const SECOND: &str = " from mx3.example.org (mx3.example.org [IPv6:2001:db8:1::25]) by mx2.example.org (Postfix) \
                      with ESMTPS id 4T9M; Sat, 21 Nov 2026 21:39:36 +0000";
const FORGED: &str = " from x (x [203.0.113.66]) by y with SMTP id 1; Sat, 21 Nov 2026 21:39:30 +0000";

#[test]
fn behind_a_relay_the_client_is_the_one_before_it() {
    let stage = relayed();
    let letter = letter(&stage, &[SECOND, FILTER, STRANGER, FORGED]);
    assert_eq!(letter.client.addr.to_string(), "198.51.100.7");
    assert_eq!(letter.client.helo, Some(Name::new(b"helo.example.net")));
    assert_eq!(letter.client.rdns, Rdns::Confirmed(Name::new(b"mail.example.net")));
    assert_eq!((letter.client.port, letter.client.authenticated), (0, false));
    assert_eq!(letter.through.map(|relay| relay.addr.to_string()).as_deref(), Some("192.0.2.25"));
    let seen = stage.heard(2);
    for (seen, recipient) in seen.iter().zip([b"b@example.org", b"c@example.org"]) {
        let Fact::Attempt(attempt) = &seen.fact else { panic!("{seen:?}") };
        assert_eq!(attempt.client, letter.client);
        assert_eq!((attempt.answered, seen.session), (Answered::Passed, letter.session));
        assert_eq!(attempt.recipient, persons().person(recipient));
    }
}

#[test]
fn where_the_relay_does_not_say_it_is_the_relay_itself() {
    for received in [&[][..], &[FILTER], &[" by mx2.example.org; whatever", STRANGER], &[SECOND; 20]] {
        let letter = letter(&relayed(), received);
        assert_eq!((letter.client.addr.to_string().as_str(), letter.through), ("192.0.2.25", None));
    }
}

#[test]
fn a_name_that_may_be_forged_is_not_confirmed() {
    let sendmail = " from helo.example.net (mail.example.net [198.51.100.7] (may be forged)) by mx2.example.org \
                    (8.17.1/8.17.1) with ESMTP id 3; Sat, 21 Nov 2026 21:39:34 +0000";
    assert_eq!(letter(&relayed(), &[sendmail]).client.rdns, Rdns::Mismatch(Name::new(b"mail.example.net")));
    let unknown = " from x (unknown [198.51.100.7]) by mx2.example.org (Postfix) with SMTP id 4";
    assert_eq!(letter(&relayed(), &[unknown]).client.rdns, Rdns::Unknown);
}

#[test]
fn a_strangers_fields_are_not_believed() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    mta.field("Received", STRANGER);
    mta.content();
    let letter = stage.keeps.letter();
    assert_eq!((letter.client.addr.to_string().as_str(), letter.through), ("192.0.2.25", None));
}
