//! What is answered, and what is reported of it.

use detectors::Traits;
use model::{Answered, Attempt, Client, Fact, Message, Policy, Rdns, Sensor};

use super::*;

const DUNNO: &str = "DUNNO";

/// A refusal without its link.
fn refusal(answer: &str) -> &str {
    answer.split("https://").next().unwrap_or(answer)
}

#[test]
fn a_stranger_passes_and_is_reported() {
    let stage = Stage::new();
    assert_eq!(stage.unix().ask(&[]), DUNNO);
    let expect = Observation {
        at: NOW,
        sensor: Sensor::Policy,
        session: persons().instance(b"mx.example.org", b"7b.65.0"),
        fact: Fact::Attempt(Attempt {
            client: Client {
                addr: "192.0.2.25".parse().unwrap(),
                port: 40001,
                helo: Some(Name::new(b"mail.example.net")),
                rdns: Rdns::Confirmed(Name::new(b"mail.example.net")),
                authenticated: false,
            },
            sender: persons().person(b"a@example.net"),
            recipient: persons().person(b"b@example.org"),
            recipients: 1,
            answered: Answered::Passed,
            sender_fits: true,
            ticket: None,
        }),
    };
    assert_eq!(stage.heard(1), [expect]);
    assert_eq!(stage.counters().requests, 1);
}

/// What is reported of an attempt with these changes.
fn attempt(changes: &[(&str, &str)]) -> Attempt {
    let stage = Stage::new();
    assert_eq!(stage.unix().ask(changes), DUNNO);
    match stage.heard(1).remove(0).fact {
        Fact::Attempt(attempt) => attempt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn reverse_dns_is_reported_as_far_as_the_mta_says_it() {
    let name = || Name::new(b"mail.example.net");
    for (client_name, reverse, expect) in [
        ("mail.example.net", "mail.example.net", Rdns::Confirmed(name())),
        ("unknown", "mail.example.net", Rdns::Mismatch(name())),
        ("unknown", "unknown", Rdns::Missing),
        ("unknown", "", Rdns::Missing),
        ("", "", Rdns::Unknown),
    ] {
        let seen = attempt(&[("client_name", client_name), ("reverse_client_name", reverse)]);
        assert_eq!(seen.client.rdns, expect, "{client_name} {reverse}");
    }
}

#[test]
fn what_is_not_there_is_reported_as_nothing() {
    let seen = attempt(&[("sender", ""), ("recipient", ""), ("helo_name", ""), ("client_port", "x")]);
    assert_eq!((seen.sender, seen.recipient, seen.client.helo, seen.client.port), (None, None, None, 0));
}

#[test]
fn a_login_is_reported() {
    assert!(attempt(&[("sasl_username", "user"), ("sasl_method", "PLAIN")]).client.authenticated);
}

#[test]
fn no_state_is_ever_answered_ok() {
    let stage = Stage::new();
    let mut peer = stage.unix();
    for state in
        ["CONNECT", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "VRFY", "ETRN", "", "X"]
    {
        assert_eq!(peer.ask(&[("protocol_state", state)]), DUNNO, "{state}");
    }
    assert_eq!(peer.ask(&[("client_address", "unknown")]), DUNNO);
}

#[test]
fn the_end_of_a_message_is_reported_with_its_queue_id() {
    let stage = Stage::new();
    let mut peer = stage.unix();
    let end = [
        ("protocol_state", "END-OF-MESSAGE"),
        ("recipient_count", "3"),
        ("size", "12345"),
        ("queue_id", "4cTn5y2Z3xz9"),
    ];
    assert_eq!(peer.ask(&end), DUNNO);
    assert_eq!(peer.ask(&[("protocol_state", "END-OF-MESSAGE"), ("recipient_count", "70000")]), DUNNO);
    let queue = Some(persons().queue(b"mx.example.org", b"4cTn5y2Z3xz9"));
    let facts: Vec<_> = stage.heard(2).into_iter().map(|seen| seen.fact).collect();
    let expect = [
        Message { queue, recipients: 3, size: 12345, content: None },
        Message { queue: None, recipients: u16::MAX, size: 0, content: None },
    ];
    assert_eq!(facts, expect.map(Fact::Message));
    let session = persons().instance(b"mx.example.org", b"7b.65.0");
    assert!(stage.heard(2).iter().all(|seen| seen.session == session));
}

#[test]
fn a_blocked_client_is_refused_with_a_link_and_the_case_is_reported() {
    let mut stage = Stage::new();
    stage.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    let answer = stage.unix().ask(&[]);
    assert_eq!(
        refusal(&answer),
        "550 5.7.1 [192.0.2.25] blocked: spam received from it. Why and how to unblock: "
    );
    assert!(answer.contains("https://mw.example.org/c/n1-5/"), "{answer}");
    let Fact::Attempt(seen) = stage.heard(1).remove(0).fact else { panic!("no attempt") };
    assert_eq!(seen.answered, Answered::Blocked(case(5)));
    assert_eq!((stage.counters().refused, stage.counters().requests), (1, 1));
    assert_eq!(stage.unix().ask(&[("client_address", "192.0.2.26")]), DUNNO);
}

#[test]
fn a_case_applies_only_to_messages_begun_after_it() {
    let mut stage = Stage::new();
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&[]), DUNNO);
    stage.clock.advance(Secs(5)).unwrap();
    stage.block(5, "192.0.2.25", stage.clock.now());
    stage.clock.advance(Secs(5)).unwrap();
    assert_eq!(peer.ask(&[("recipient", "c@example.org")]), DUNNO);
    // RSET: another message of the same session, and none was taken yet.
    assert_eq!(peer.ask(&[("instance", "7b.66.0")]), DUNNO);
    assert_eq!(peer.ask(&[("instance", "7b.66.0"), ("protocol_state", "END-OF-MESSAGE")]), DUNNO);
    let next = peer.ask(&[("instance", "7b.67.0")]);
    assert!(next.starts_with("550 5.7.1 "), "{next}");
}

#[test]
fn without_an_instance_two_clients_are_two_sessions() {
    let stage = Stage::new();
    let mut peer = stage.unix();
    for client in ["192.0.2.25", "192.0.2.25", "192.0.2.26"] {
        peer.ask(&[("instance", ""), ("client_address", client)]);
    }
    let sessions: Vec<_> = stage.heard(3).iter().map(|seen| seen.session).collect();
    assert_eq!(sessions[0], sessions[1]);
    assert_ne!(sessions[0], sessions[2]);
}

#[test]
fn open_recipients_stay_open_until_it_is_too_much() {
    let mut stage = Stage::new();
    stage.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    let mut peer = stage.unix();
    for _ in 0..20 {
        assert_eq!(peer.ask(&[("recipient", "postmaster@example.org")]), DUNNO);
    }
    let answer = peer.ask(&[("recipient", "postmaster@example.org")]);
    let expect = "451 4.7.1 [192.0.2.25] sent too much here; try again in an hour. Details: ";
    assert_eq!(refusal(&answer), expect);
    let facts: Vec<_> = stage.heard(21).into_iter().map(|seen| seen.fact).collect();
    let answered = |at: usize| match &facts[at] {
        Fact::Attempt(attempt) => attempt.answered,
        other => panic!("{other:?}"),
    };
    assert_eq!((answered(0), answered(20)), (Answered::Exempt, Answered::Refused));
    // The rate is for blocked hosts only.
    for _ in 0..30 {
        let other = [("client_address", "192.0.2.99"), ("recipient", "postmaster@example.org")];
        assert_eq!(peer.ask(&other), DUNNO);
    }
}

#[test]
fn our_own_networks_and_logins_are_not_refused() {
    let mut stage = Stage::with(|config| config.ours = vec!["192.0.2.0/28".parse().unwrap()]);
    stage.block(5, "192.0.2.9", NOW.minus(Secs::MINUTE));
    stage.block(6, "192.0.2.25", NOW.minus(Secs::MINUTE));
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&[("client_address", "192.0.2.9")]), DUNNO);
    assert_eq!(peer.ask(&[("sasl_username", "user")]), DUNNO);
    assert!(peer.ask(&[]).starts_with("550 "));
}

/// The classifiers, as the program hands them in.
struct Classifiers;

impl Scorer for Classifiers {
    fn score(
        &self,
        client: &Client,
        path: ::answers::MailPath,
        view: &View,
        now: Millis,
    ) -> ::answers::ConnectionScore {
        let traits = Traits::of(client, path.sender_fits, &Policy::shipped());
        ::answers::connection_score(client, &traits, path, view, now)
    }
}

#[test]
fn who_writes_to_a_mailbox_that_gets_only_spam_is_told_nothing_of_it() {
    let mut stage = Stage::with(|config| config.scorer = Some(Arc::new(Classifiers)));
    stage.books.only_spam(persons().person(b"old@example.org").unwrap());
    let to = |recipient| {
        [("client_name", "unknown"), ("reverse_client_name", "unknown"), ("recipient", recipient)]
    };
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&to("user@example.org")), DUNNO);
    let answer = peer.ask(&to("Old@example.org"));
    assert!(answer.starts_with("550 ") && !answer.to_ascii_lowercase().contains("old@"), "{answer}");
}

#[test]
fn the_score_refuses_where_it_may_and_good_mail_speaks_against_it() {
    let name = "192-0-2-25.dsl.example.net";
    let home = [("client_name", name), ("reverse_client_name", name), ("helo_name", "pc7")];
    assert_eq!(Stage::new().unix().ask(&home), DUNNO);
    let mut stage = Stage::with(|config| config.scorer = Some(Arc::new(Classifiers)));
    let answer = stage.unix().ask(&home);
    assert!(answer.starts_with("550 5.7.1 [192.0.2.25] is an end user's line: "), "{answer}");
    assert_eq!(stage.unix().ask(&[]), DUNNO);
    stage.books.credit(7, "192.0.2.25");
    assert_eq!(stage.unix().ask(&home), DUNNO);
}

#[test]
fn tcp_is_answered_and_counts_only_when_it_is_trusted() {
    for (trust_local, expect) in [(false, 1), (true, 2)] {
        let mut stage = Stage::with(|config| config.trust_local = trust_local);
        stage.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
        assert!(stage.tcp().ask(&[]).starts_with("550 "));
        if trust_local {
            stage.heard(1);
        }
        assert!(stage.unix().ask(&[]).starts_with("550 "));
        assert_eq!(stage.heard(expect).len(), expect, "{trust_local}");
    }
}
