//! OFF-18 at RCPT: who spoke before our greeting is refused in that session.

use super::tests::{BAD_SCORE, check, session};
use super::*;
use crate::testing::{self, Block, NOW};

fn early(addr: &str) -> Session<'static> {
    Session { early: true, ..session(addr) }
}

fn told(session: &Session<'_>, view: &View) -> String {
    match answer(session, view, NOW).tell {
        Tell::Pass => "pass".to_owned(),
        Tell::Refuse(reply) | Tell::Defer(reply) => reply.get().short().to_owned(),
    }
}

#[test]
fn off_18_early_talk_refuses_its_session_and_says_why() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let expect = "550 5.5.1 [192.0.2.26] refused: it speaks before our greeting. Help: \
                  https://mw.example.org/h/protocol or write to postmaster@example.org";
    assert_eq!(told(&early("192.0.2.26"), &view), expect);
    check(&early("192.0.2.26"), &view, "550 refused");
    check(&early("192.0.2.25"), &view, "550 blocked n1-1");
    // The heavier word is that of the session, not of the score.
    let scored = Session { score: Some(BAD_SCORE), ..early("192.0.2.26") };
    assert_eq!(told(&scored, &view), expect);
    check(&Session { recipient: Some(b"postmaster"), ..early("192.0.2.26") }, &view, "pass exempt");
    check(&Session { authenticated: true, ..early("192.0.2.26") }, &view, "pass passed");
}

#[test]
fn off_18_known_servers_are_exempt() {
    let of = |class, credit| testing::view_with_standing(&[], "192.0.2.26", class, credit);
    check(&early("192.0.2.26"), &of(Class::Unknown, false), "550 refused");
    check(&early("192.0.2.26"), &of(Class::Unknown, true), "pass passed");
    check(&early("192.0.2.26"), &of(Class::Shared, false), "pass passed");
}

#[test]
fn g_shadow_a_rule_on_trial_is_said_and_refuses_nothing() {
    let trial = |rule| {
        let (of, until) = (model::Subject::Trial(rule), NOW.plus(Secs::HOUR));
        testing::taught(&[], model::Lesson { of, quarters: 1, until, bad: 0, good: 0 })
    };
    let (talks, scores) = (trial(Offence::EarlyTalker), trial(Offence::ReverseDns));
    check(&early("192.0.2.26"), &talks, "pass passed");
    assert!(answer(&early("192.0.2.26"), &talks, NOW).early);
    check(&early("192.0.2.26"), &scores, "550 refused");
    let scored = Session { score: Some(BAD_SCORE), ..session("192.0.2.26") };
    check(&scored, &scores, "pass passed");
    assert!(answer(&scored, &scores, NOW).scored);
    check(&scored, &talks, "550 refused");
}

#[test]
fn off_18_while_the_site_learns_it_is_only_said() {
    let view = testing::learning(&[]);
    check(&early("192.0.2.26"), &view, "pass passed");
    assert!(answer(&early("192.0.2.26"), &view, NOW).early);
}
