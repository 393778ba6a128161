//! Greylisting and greytrapping at RCPT (C.4 step 12).

use super::tests::{BAD_SCORE, check, session};
use super::*;
use crate::testing::{self, Block, NOW};
use model::Greylist;
use model::greylist::Asks;
use std::sync::Arc;

/// A client whom greylisting would ask to come back.
fn stranger(addr: &str) -> Session<'static> {
    let pool = Some("192.0.2.0/24".parse().unwrap());
    Session { sender: Some(b"someone@example.net"), pool, ..session(addr) }
}

/// A case of greytrapping with a day to go.
fn greytrapped(key: &'static str) -> Block {
    Block::of(key).with(|o| (o.reason, o.until) = (31, NOW.plus(Secs::DAY)))
}

#[track_caller]
fn reply(session: &Session<'_>, view: &View) -> String {
    match answer(session, view, NOW).tell {
        Tell::Defer(reply) => reply.get().short().to_owned(),
        other => panic!("expected a deferral, but got {other:?}"),
    }
}

#[test]
fn a_stranger_is_asked_to_come_back_and_one_that_passed_is_not() {
    let view = testing::view(&[]);
    check(&stranger("192.0.2.25"), &view, "451 deferred");
    check(&session("192.0.2.25"), &view, "pass passed");
    let passes = |until| testing::view_with_pass(&[], "192.0.2.0/24", until);
    check(&stranger("192.0.2.25"), &passes(NOW.plus(Secs(1))), "pass passed");
    check(&stranger("192.0.2.25"), &passes(NOW), "451 deferred");
    let elsewhere = testing::view_with_pass(&[], "example.net", NOW.plus(Secs(1)));
    check(&stranger("192.0.2.25"), &elsewhere, "451 deferred");
}

#[test]
fn good_mail_a_bounce_an_open_recipient_and_a_learning_site_let_a_stranger_in() {
    let credit = testing::view_with_class(&[], "192.0.2.25", Class::Unknown);
    check(&stranger("192.0.2.25"), &credit, "pass passed");
    let view = testing::view(&[]);
    check(&Session { sender: Some(b""), ..stranger("192.0.2.25") }, &view, "pass passed");
    let postmaster = Some(b"postmaster@example.org".as_slice());
    check(&Session { recipient: postmaster, ..stranger("192.0.2.25") }, &view, "pass passed");
    check(&stranger("192.0.2.25"), &testing::learning(&[]), "pass passed");
    check(&Session { ours: true, ..stranger("192.0.2.25") }, &view, "pass passed");
    check(&Session { authenticated: true, ..stranger("192.0.2.25") }, &view, "pass passed");
}

#[test]
fn a_block_and_the_score_come_before_greylisting() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    check(&stranger("192.0.2.25"), &view, "550 blocked n1-1");
    check(&Session { score: Some(BAD_SCORE), ..stranger("192.0.2.26") }, &view, "550 refused");
}

#[test]
fn txt_3g_says_when_to_come_back_and_retries_read_the_same() {
    let mut view = testing::view(&[]);
    assert_eq!(
        reply(&stranger("192.0.2.25"), &view),
        "451 4.7.1 Greylisted, please try again in 5 minutes. See https://mw.example.org/h/grey"
    );
    let mut site = testing::site();
    for (pass, words) in
        [(Secs(1), "in a minute."), (Secs(61), "in 2 minutes."), (Secs(1500), "in 25 minutes.")]
    {
        site.greylist = Some(Greylist { pass, ..Greylist::shipped(Asks::Everybody) });
        view.site = Arc::new(site.clone());
        let line = reply(&stranger("192.0.2.25"), &view);
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn greytrapping_defers_and_never_refuses() {
    let view = testing::view(&[greytrapped("192.0.2.25")]);
    let line = reply(&session("192.0.2.25"), &view);
    let said = "450 4.7.1 [192.0.2.25] wrote to trap addresses; retry 24 h after the last. See \
                https://mw.example.org/c/n1-1/";
    assert!(line.starts_with(said), "{line}");
    check(&session("192.0.2.25"), &view, "450 blocked n1-1");
    check(&Session { recipient: Some(b"abuse@example.org"), ..session("192.0.2.25") }, &view, "pass exempt");
}

#[test]
fn a_refusal_decides_the_text_though_greytrapping_lasts_longer() {
    let view = testing::view(&[greytrapped("192.0.2.25"), Block::of("192.0.2.25")]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-2");
    let scored = Session { score: Some(BAD_SCORE), ..session("192.0.2.26") };
    check(&scored, &testing::view(&[greytrapped("192.0.2.26")]), "550 refused");
}
