//! Greylisting at the policy server: who is asked to come back, and is let in.

use model::greylist::Asks;
use model::{Answered, Body, Client, Fact, Greylist, Key};
use projections::View;

use super::*;
use crate::greylist::WaitingRoom;
use crate::testing::event;

const DUNNO: &str = "DUNNO";
const COME_BACK: &str =
    "451 4.7.1 Greylisted, please try again in 5 minutes. See https://mw.example.org/h/grey";

/// Asks everybody; hosts under example.net are one pool, all others stand for their /24.
struct Asker;

impl Scorer for Asker {
    fn score(&self, _: &Client, _: ::answers::MailPath, _: &View, _: Millis) -> ::answers::ConnectionScore {
        ::answers::ConnectionScore { quarters: 99, heaviest: [None, None], line: false }
    }

    fn refuses(&self) -> bool {
        false
    }

    fn pool(
        &self,
        client: &Client,
        _: &::answers::ConnectionScore,
        _: &projections::View,
        _: model::Millis,
    ) -> Option<Key> {
        let named = client.rdns.confirmed().is_some();
        Some(if named { "example.net".parse().unwrap() } else { Key::Net(Prefix::new(client.addr, 24)) })
    }
}

fn stage() -> Stage {
    let mut stage = Stage::with(|config| config.scorer = Some(Arc::new(Asker)));
    stage.books.greylist(Greylist::shipped(Asks::Suspicious));
    stage
}

const NAMELESS: [(&str, &str); 2] = [("client_name", "unknown"), ("reverse_client_name", "unknown")];

fn nameless<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&NAMELESS, changes].concat()
}

#[test]
fn a_stranger_is_asked_to_come_back_and_is_let_in_after_five_minutes() {
    let stage = stage();
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&nameless(&[])), COME_BACK);
    stage.clock.advance(Secs(299)).unwrap();
    assert_eq!(peer.ask(&nameless(&[("instance", "7b.65.1")])), COME_BACK);
    stage.clock.advance(Secs(1)).unwrap();
    assert_eq!(peer.ask(&nameless(&[("instance", "7b.65.2"), ("sender", "a2@example.net")])), DUNNO);
    assert_eq!(peer.ask(&nameless(&[("recipient", "c@example.org")])), COME_BACK, "another message");
    let attempts: Vec<_> = stage
        .heard(4)
        .into_iter()
        .map(|seen| match seen.fact {
            Fact::Attempt(attempt) => (attempt.answered, attempt.ticket),
            other => panic!("{other:?}"),
        })
        .collect();
    let ticket = attempts[0].1;
    assert!(ticket.is_some());
    let (deferred, passed) = (Answered::Deferred, Answered::Passed);
    assert_eq!(attempts[..3], [(deferred, ticket), (deferred, ticket), (passed, ticket)]);
    assert!(attempts[3].0 == deferred && attempts[3].1 != ticket);
}

#[test]
fn a_pool_with_names_comes_back_from_any_address_with_any_message() {
    let stage = stage();
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&[]), COME_BACK);
    stage.clock.advance(Secs(300)).unwrap();
    let other =
        [("client_address", "198.51.100.7"), ("recipient", "c@example.org"), ("sender", "x@example.com")];
    assert_eq!(peer.ask(&other), DUNNO);
}

#[test]
fn a_pass_that_is_published_lets_its_pool_in_at_once() {
    let mut stage = stage();
    let pass = Body::GreylistPassed(NOW.plus(Secs(60)));
    stage.books.apply(9, &event(9, Some("192.0.2.0/24"), NOW, pass));
    let mut peer = stage.unix();
    assert_eq!(peer.ask(&nameless(&[])), DUNNO);
    assert_eq!(peer.ask(&nameless(&[("client_address", "203.0.113.7")])), COME_BACK);
    stage.clock.advance(Secs(60)).unwrap();
    assert_eq!(peer.ask(&nameless(&[])), COME_BACK);
}

#[test]
fn bounces_open_recipients_and_logins_do_not_wait() {
    let stage = stage();
    let mut peer = stage.unix();
    for change in [("sender", ""), ("recipient", "postmaster@example.org"), ("sasl_username", "user")] {
        assert_eq!(peer.ask(&nameless(&[change])), DUNNO, "{change:?}");
    }
}

#[test]
fn all_servers_of_a_process_share_one_room() {
    let room = Arc::new(WaitingRoom::default());
    let stages = [0, 1].map(|_| {
        let mut stage = Stage::with(|config| {
            config.scorer = Some(Arc::new(Asker));
            config.waiting = room.clone();
        });
        stage.books.greylist(Greylist::shipped(Asks::Suspicious));
        stage
    });
    assert_eq!(stages[0].unix().ask(&[]), COME_BACK);
    stages[1].clock.advance(Secs(300)).unwrap();
    assert_eq!(stages[1].unix().ask(&[]), DUNNO);
}

#[test]
fn a_room_begins_with_the_tickets_that_the_engine_kept() {
    let pool = "192.0.2.0/24".parse().unwrap();
    let ticket = persons().ticket(&pool, b"a@example.net", b"b@example.org");
    let room = WaitingRoom::new([(ticket, NOW.minus(Secs(300)))]);
    let mut stage = Stage::with(|config| {
        config.scorer = Some(Arc::new(Asker));
        config.waiting = Arc::new(room);
    });
    stage.books.greylist(Greylist::shipped(Asks::Suspicious));
    assert_eq!(stage.unix().ask(&nameless(&[])), DUNNO);
}
