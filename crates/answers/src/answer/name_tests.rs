//! S78 at RCPT: a HELO name that does not exist defers first, and refuses a day later.

use std::sync::Arc;

use super::tests::{BAD_SCORE, check, session};
use super::*;
use crate::testing::{self, Block, NOW};
use model::policy::RuleMode;
use model::{Lesson, Name, Subject};

const NAME: &[u8] = b"mx.bot.example";

/// A view of a site with this mode; `lasting`: the name did not exist a day before either.
fn view(mode: Option<RuleMode>, lasting: bool, blocks: &[Block]) -> View {
    let of = Subject::NoSuchName(Name::new(NAME));
    let lesson = Lesson { of, quarters: 4, until: NOW.plus(Secs::HOUR), bad: 2, good: 0 };
    let mut view = if lasting { testing::taught(blocks, lesson) } else { testing::view(blocks) };
    view.site = Arc::new(Site { helo_names: mode, ..testing::site() });
    view
}

fn gone(addr: &str) -> Session<'static> {
    Session { helo: Some(NAME), absent: true, ..session(addr) }
}

fn told(session: &Session<'_>, view: &View) -> String {
    match answer(session, view, NOW).tell {
        Tell::Pass => "pass".to_owned(),
        Tell::Refuse(reply) | Tell::Defer(reply) => reply.get().short().to_owned(),
    }
}

#[test]
fn s78_a_name_that_does_not_exist_is_450_first_and_550_a_day_later() {
    let block = Some(RuleMode::Block);
    let (first, later) = (view(block, false, &[]), view(block, true, &[]));
    let mailbox = "How to repair: https://mw.example.org/h/helo or write to postmaster@example.org";
    assert_eq!(
        told(&gone("192.0.2.26"), &first),
        format!("450 4.7.1 [192.0.2.26] deferred: its HELO name is not in DNS. {mailbox}")
    );
    assert_eq!(
        told(&gone("192.0.2.26"), &later),
        format!("550 5.7.1 [192.0.2.26] refused: its HELO name is not in DNS. {mailbox}")
    );
    check(&Session { recipient: Some(b"postmaster"), ..gone("192.0.2.26") }, &later, "pass exempt");
    check(&Session { recipient: Some(b"postmaster"), ..gone("192.0.2.26") }, &first, "pass passed");
}

#[test]
fn s78_without_a_fresh_answer_of_dns_nobody_is_refused() {
    let later = view(Some(RuleMode::Block), true, &[]);
    check(&Session { absent: false, ..gone("192.0.2.26") }, &later, "pass passed");
    let mut over = later.clone();
    over.site = Arc::new(Site { helo_names: None, ..testing::site() });
    check(&gone("192.0.2.26"), &over, "pass passed");
    check(&gone("192.0.2.26"), &view(Some(RuleMode::Score), true, &[]), "pass passed");
}

#[test]
fn s78_cases_and_scores_come_first_and_known_servers_are_spared() {
    let view = view(Some(RuleMode::Block), false, &[Block::of("192.0.2.25")]);
    check(&gone("192.0.2.25"), &view, "550 blocked n1-1");
    check(&Session { score: Some(BAD_SCORE), ..gone("192.0.2.26") }, &view, "550 refused");
    check(&gone("192.0.2.26"), &view, "450 refused");
    let mut known = testing::view_with_class(&[], "192.0.2.26", Class::Known);
    known.site = Arc::new(Site { helo_names: Some(RuleMode::Block), ..testing::site() });
    check(&gone("192.0.2.26"), &known, "pass passed");
    let mut learning = testing::learning(&[]);
    learning.site = known.site.clone();
    check(&gone("192.0.2.26"), &learning, "pass passed");
}
