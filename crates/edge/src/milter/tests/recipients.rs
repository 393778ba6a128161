//! What is answered at RCPT, and what is reported of it.

use model::{Answered, Attempt, Client, Rdns, Rejected, Rejection, Secs, Sensor};

use super::*;
use crate::testing::case;

fn blocked() -> Stage {
    let mut stage = Stage::new();
    stage.books.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    stage
}

fn client() -> Client {
    Client {
        addr: "192.0.2.25".parse().unwrap(),
        port: 40001,
        helo: Some(Name::new(b"mail.example.net")),
        rdns: Rdns::Confirmed(Name::new(b"mail.example.net")),
        authenticated: false,
    }
}

/// What was answered to each attempt among the facts.
fn answered(facts: &[Fact]) -> Vec<Answered> {
    let attempts = facts.iter().filter_map(|fact| match fact {
        Fact::Attempt(attempt) => Some(attempt.answered),
        _ => None,
    });
    attempts.collect()
}

#[test]
fn a_clean_message_costs_three_waits() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    assert_eq!(mta.message(), ["continue"]);
    assert_eq!(mta.waits, 3, "the agreement, the recipient, the end");
    // One more message, one more recipient.
    mta.mail("<a@example.net>");
    assert_eq!([mta.rcpt("<b@example.org>"), mta.rcpt("<c@example.org>")], ["continue", "continue"]);
    assert_eq!(mta.content(), ["continue"]);
    assert_eq!(mta.waits, 6);
    mta.quit();
    assert_eq!(stage.facts_at_last().len(), 3);
    let counts = stage.counters();
    assert_eq!((counts.recipients, counts.messages, counts.refused), (3, 2, 0));
}

#[test]
fn an_mta_that_waits_for_each_step_gets_each_answer() {
    let stage = Stage::new();
    let mut mta = stage.unix();
    mta.agree(OLD);
    mta.connect("192.0.2.25");
    assert_eq!(mta.message(), ["continue"]);
    assert_eq!(mta.step(Command::Data), "continue");
    assert_eq!(mta.step(Command::Unknown(b"FOO")), "continue");
    assert_eq!(mta.step(Command::EndOfHeader), "continue");
    assert_eq!(mta.waits, 11);
}

#[test]
fn a_stranger_passes_and_is_reported() {
    let stage = Stage::new();
    stage.greeted().message();
    let seen = stage.heard(1).remove(0);
    assert_eq!((seen.at, seen.sensor), (NOW, Sensor::Milter));
    assert_eq!(seen.session, stage.keeps.letter().session);
    let expect = Attempt {
        sender_fits: true,
        client: client(),
        sender: persons().person(b"a@example.net"),
        recipient: persons().person(b"b@example.org"),
        recipients: 1,
        answered: Answered::Passed,
        ticket: None,
    };
    assert_eq!(seen.fact, Fact::Attempt(expect));
}

#[test]
fn a_blocked_client_is_refused_in_lines_and_its_open_recipient_is_not() {
    let stage = blocked();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    let answer = mta.rcpt("<b@example.org>");
    let lines: Vec<&str> = answer.split("\r\n").collect();
    assert!(lines[0].starts_with("550-5.7.1 [192.0.2.25] "), "{answer}");
    assert!(lines[1..lines.len() - 1].iter().all(|line| line.starts_with("550-5.7.1 ")), "{answer}");
    assert!(lines[lines.len() - 1].starts_with("550 5.7.1 "), "{answer}");
    assert!(answer.contains("https://mw.example.org/c/n1-5/") && answer.len() <= 480, "{answer}");
    assert_eq!(mta.rcpt("<postmaster@example.org>"), "continue");
    assert_eq!(mta.content(), ["continue"]);
    assert_eq!(answered(&stage.facts(2)), [Answered::Blocked(case(5)), Answered::Exempt]);
    assert_eq!(stage.counters().refused, 1);
    assert_eq!(stage.keeps.letter().recipients, [b"postmaster@example.org"]);
}

#[test]
fn a_message_without_a_recipient_is_not_inspected() {
    let stage = blocked();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    assert!(mta.rcpt("<b@example.org>").starts_with("550"));
    assert_eq!(mta.content(), ["continue"]);
    assert_eq!(stage.keeps.letters(), []);
    assert_eq!(stage.counters().messages, 0);
}

#[test]
fn open_recipients_stay_open_until_it_is_too_much() {
    let stage = blocked();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    for _ in 0..20 {
        assert_eq!(mta.rcpt("<postmaster@example.org>"), "continue");
    }
    let answer = mta.rcpt("<postmaster@example.org>");
    assert!(answer.starts_with("451") && answer.contains("too much"), "{answer}");
    let answers = answered(&stage.facts(21));
    assert_eq!((answers[19], answers[20]), (Answered::Exempt, Answered::Refused));
}

#[test]
fn a_case_applies_only_after_the_end_of_a_message() {
    let mut stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    stage.clock.advance(Secs(5)).unwrap();
    stage.books.block(5, "192.0.2.25", stage.clock.now());
    stage.clock.advance(Secs(5)).unwrap();
    assert_eq!(mta.rcpt("<c@example.org>"), "continue");
    // RSET: another message of the same session, and none came to its end yet.
    mta.step(Command::Abort);
    mta.mail("<a@example.net>");
    assert_eq!(mta.rcpt("<d@example.org>"), "continue");
    assert_eq!(mta.content(), ["continue"]);
    mta.mail("<a@example.net>");
    assert!(mta.rcpt("<d@example.org>").starts_with("550"));
}

#[test]
fn recipients_that_the_mta_refuses_are_facts_and_no_attempts() {
    let stage = blocked();
    let mut mta = stage.greeted();
    mta.mail("<>");
    let unknown = "Recipient address rejected: User unknown in relay recipient table";
    assert_eq!(mta.refused_rcpt("<x@example.org>", "5.1.1", unknown), "continue");
    assert_eq!(mta.refused_rcpt("<y@example.com>", "4.7.1", "Relay access denied"), "continue");
    assert_eq!(mta.refused_rcpt("<z@example.org>", "5.2.2", "full"), "continue");
    let fact = |recipient: &[u8], domain: &[u8], why| {
        Fact::Rejected(Rejected {
            client: client(),
            sender: None,
            recipient: persons().person(recipient),
            domain: persons().domain(domain),
            why,
        })
    };
    let expect = [
        fact(b"x@example.org", b"example.org", Rejection::UnknownUser),
        fact(b"y@example.com", b"example.com", Rejection::Relaying),
        fact(b"z@example.org", b"example.org", Rejection::Other),
    ];
    assert_eq!(stage.facts(3), expect);
    // What the MTA said of one recipient does not hold for the next.
    assert!(mta.rcpt("<b@example.org>").starts_with("550"));
    assert_eq!((stage.counters().rejected, stage.counters().refused), (3, 1));
}

#[test]
fn a_dictionary_of_forty_is_forty_facts_of_one_message() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    for at in 0..40 {
        mta.refused_rcpt(&format!("<user{at}@example.org>"), "5.1.1", "User unknown");
    }
    let seen = stage.heard(40);
    assert!(seen.iter().all(|one| matches!(one.fact, Fact::Rejected(_)) && one.session == seen[0].session));
}

#[test]
fn each_message_has_a_session_value_of_its_own() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.message();
    mta.message();
    mta.step(Command::QuitNew);
    mta.connect("192.0.2.25");
    mta.message();
    let mut other = stage.greeted();
    other.message();
    let mut sessions: Vec<_> = stage.heard(4).iter().map(|seen| seen.session).collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 4);
}

#[test]
fn another_client_on_the_same_connection_is_another_session() {
    let stage = blocked();
    let mut mta = stage.unix();
    mta.greet("127.0.0.1");
    mta.mail("<a@example.net>");
    // XCLIENT: Postfix says once more who connects.
    mta.connect("192.0.2.25");
    assert_eq!(mta.rcpt("<b@example.org>"), "continue", "there is no message any more");
    mta.mail("<a@example.net>");
    assert!(mta.rcpt("<b@example.org>").starts_with("550"));
    mta.step(Command::QuitNew);
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    mta.connect("192.0.2.26");
    assert_eq!(mta.message(), ["continue"]);
}

#[test]
fn a_client_without_an_address_is_nobody() {
    let stage = Stage::new();
    for peer in [Peer::Unknown, Peer::Local(b"/run/x")] {
        let mut mta = stage.unix();
        mta.agree(POSTFIX);
        mta.step(Command::Connect { host: b"localhost", peer });
        assert_eq!(mta.message(), ["continue"]);
        mta.quit();
    }
    assert_eq!((stage.facts_at_last(), stage.keeps.letters()), (Vec::new(), Vec::new()));
}

#[test]
fn tcp_is_answered_and_counts_only_when_it_is_trusted() {
    for trust_local in [false, true] {
        let mut stage = Stage::with(|config| config.trust_local = trust_local);
        stage.books.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
        let mut mta = stage.tcp();
        mta.greet("192.0.2.25");
        mta.mail("<a@example.net>");
        assert!(mta.rcpt("<b@example.org>").starts_with("550"));
        assert_eq!(mta.refused_rcpt("<x@example.org>", "5.1.1", "unknown"), "continue");
        assert_eq!(mta.rcpt("<postmaster@example.org>"), "continue");
        assert_eq!(mta.content(), ["continue"]);
        mta.quit();
        assert_eq!(stage.facts_at_last().len(), if trust_local { 3 } else { 0 });
        assert_eq!(stage.keeps.shown.lock().unwrap()[0].1.counts, trust_local);
    }
}

/// Asks everybody to come back.
struct Asker;

impl Scorer for Asker {
    fn score(
        &self,
        _: &Client,
        _: ::answers::MailPath,
        _: &projections::View,
        _: model::Millis,
    ) -> answers::ConnectionScore {
        answers::ConnectionScore { quarters: 8, heaviest: [None, None], line: false }
    }

    fn refuses(&self) -> bool {
        false
    }

    fn pool(
        &self,
        _: &Client,
        _: &answers::ConnectionScore,
        _: &projections::View,
        _: model::Millis,
    ) -> Option<model::Key> {
        "192.0.2.0/24".parse().ok()
    }
}

#[test]
fn a_stranger_is_asked_to_come_back_and_its_message_is_taken_then() {
    let mut stage = Stage::with(|config| config.scorer = Some(std::sync::Arc::new(Asker)));
    stage.books.greylist(model::Greylist::shipped(model::greylist::Asks::Suspicious));
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    let told = mta.rcpt("<b@example.org>");
    let expect = "Greylisted: [192.0.2.25] is not known here yet. Please try again in 5 minutes; mail";
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            format!("451-4.7.1 {expect}").as_str(),
            "451 4.7.1 servers do so by themselves. See https://mw.example.org/h/grey"
        ]
    );
    mta.quit();
    stage.clock.advance(Secs(300)).unwrap();
    assert_eq!(stage.greeted().message(), ["continue"]);
    let facts = stage.facts(2);
    assert_eq!(answered(&facts), [Answered::Deferred, Answered::Passed]);
    let tickets = facts.iter().map(|fact| match fact {
        Fact::Attempt(attempt) => attempt.ticket,
        other => panic!("{other:?}"),
    });
    let tickets: Vec<_> = tickets.collect();
    assert!(tickets[0].is_some() && tickets[0] == tickets[1]);
}
