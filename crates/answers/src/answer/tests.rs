//! The order of C.4, step by step, and what no input may do.

use super::*;
use crate::testing::{self, Block, NOW};
use crate::texts::{SHORT_LEN_MAX, is_reply};
use model::{Millis, Offence};
use proptest::prelude::*;

pub(super) const BAD_SCORE: ConnectionScore =
    ConnectionScore { quarters: 16, heaviest: [Some("the HELO name has no domain"), None], line: false };

pub(super) fn session(addr: &str) -> Session<'static> {
    Session { recipient: Some(b"user@example.org"), ..Session::new(addr.parse().unwrap(), NOW) }
}

fn shadowed(key: &'static str) -> Block {
    Block { mode: Mode::Shadow, ..Block::of(key) }
}

fn null_routed(key: &'static str) -> Block {
    Block::of(key).with(|o| o.kind = BlockKind::NullRoute)
}

/// The answer in one line: what was told and what the engine hears.
fn outcome(session: &Session<'_>, view: &View) -> String {
    let answer = answer(session, view, NOW);
    let told = match &answer.tell {
        Tell::Pass => "pass".to_owned(),
        Tell::Refuse(reply) | Tell::Defer(reply) => reply.get().short()[..3].to_owned(),
    };
    let case = |c: CaseId| format!(" {c}");
    let heard = match answer.answered() {
        Answered::Passed => "passed".to_owned(),
        Answered::Exempt => "exempt".to_owned(),
        Answered::Blocked(id) => format!("blocked{}", case(id)),
        Answered::Refused => "refused".to_owned(),
        Answered::WouldBlock(id) => format!("would{}", case(id)),
        Answered::Deferred => "deferred".to_owned(),
    };
    format!("{told} {heard}")
}

#[track_caller]
pub(crate) fn check(session: &Session<'_>, view: &View, expect: &str) {
    assert_eq!(outcome(session, view), expect);
}

#[test]
fn an_unlisted_client_passes() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    check(&session("192.0.2.26"), &view, "pass passed");
    check(&session("2001:db8::26"), &view, "pass passed");
}

#[test]
fn a_blocked_client_is_refused_by_every_form_of_its_address() {
    let view = testing::view(&[
        Block::of("192.0.2.25"),
        Block::of("2001:db8:1:2::/64"),
        Block::of("203.0.113.0/24"),
    ]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-1");
    check(&session("::ffff:192.0.2.25"), &view, "550 blocked n1-1");
    check(&session("2001:db8:1:2::77"), &view, "550 blocked n1-2");
    check(&session("203.0.113.9"), &view, "550 blocked n1-3");
}

#[test]
fn off_22_a_good_server_in_a_blocked_network_is_served() {
    let net = Block { holes: vec!["203.0.113.9".parse().unwrap()], ..Block::of("203.0.113.0/24") };
    let view = testing::view(&[net.clone(), Block { mode: Mode::Shadow, ..Block::of("203.0.113.9") }]);
    check(&session("203.0.113.8"), &view, "550 blocked n1-1");
    check(&session("203.0.113.9"), &view, "pass would n1-2");
    let shadow = testing::view(&[Block { mode: Mode::Shadow, ..net }]);
    check(&session("203.0.113.8"), &shadow, "pass would n1-1");
    check(&session("::ffff:203.0.113.9"), &shadow, "pass passed");
}

#[test]
fn step_1_a_login_skips_the_lists() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let of = Session { authenticated: true, score: Some(BAD_SCORE), ..session("192.0.2.25") };
    check(&of, &view, "pass passed");
}

#[test]
fn step_2_protected_and_own_clients_are_never_refused() {
    let view = testing::view(&[Block::of("192.0.2.25"), Block::of("198.51.100.7")]);
    check(&session("198.51.100.7"), &view, "pass passed");
    check(&Session { score: Some(BAD_SCORE), ..session("198.51.100.8") }, &view, "pass passed");
    check(&Session { ours: true, ..session("192.0.2.25") }, &view, "pass passed");
}

#[test]
fn step_3_a_null_routed_client_that_reaches_us_gets_the_link() {
    let view = testing::view(&[null_routed("192.0.2.25")]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-1");
    let Tell::Refuse(reply) = answer(&session("192.0.2.25"), &view, NOW).tell else { panic!("not refused") };
    assert!(reply.get().short().contains("https://mw.example.org/c/n1-1/"));
}

#[test]
fn off_5_a_known_sender_that_tried_unknown_recipients_is_deferred_with_the_link() {
    let tried = |class, kind| {
        testing::view(&[Block::of("192.0.2.25").with(|o| (o.reason, o.class, o.kind) = (11, class, kind))])
    };
    check(&session("192.0.2.25"), &tried(Class::Known, BlockKind::Rbl), "450 blocked n1-1");
    check(&session("192.0.2.25"), &tried(Class::Unknown, BlockKind::Rbl), "550 blocked n1-1");
    check(&session("192.0.2.25"), &tried(Class::Unknown, BlockKind::NullRoute), "550 blocked n1-1");
    let view = tried(Class::Known, BlockKind::Rbl);
    let Tell::Defer(reply) = answer(&session("192.0.2.25"), &view, NOW).tell else { panic!("no deferral") };
    assert!(reply.get().short().starts_with("450 4.7.1 [192.0.2.25] tried many recipients"));
    assert!(is_reply(reply.get().short()) && is_reply(reply.get().long()));
}

#[test]
fn step_4_exempt_recipients_are_open_to_every_kind_of_block() {
    for view in [testing::view(&[Block::of("192.0.2.25")]), testing::view(&[null_routed("192.0.2.25")])] {
        for (recipient, expect) in [
            ("postmaster@example.org", "pass exempt"),
            ("PostMaster@other.example.net", "pass exempt"),
            ("postmaster", "pass exempt"),
            ("unblock+4T9K@example.org", "pass exempt"),
            ("help@example.org", "pass exempt"),
            ("help@other.example.net", "550 blocked n1-1"),
            ("help", "550 blocked n1-1"),
            ("postmaster@evil@user", "550 blocked n1-1"),
            ("postmasters@example.org", "550 blocked n1-1"),
            ("@", "550 blocked n1-1"),
            ("", "550 blocked n1-1"),
        ] {
            check(&Session { recipient: Some(recipient.as_bytes()), ..session("192.0.2.25") }, &view, expect);
        }
    }
    let view = testing::view(&[]);
    let of = Session { recipient: Some(b"abuse@example.org"), ..session("192.0.2.25") };
    check(&of, &view, "pass passed");
    check(&Session { score: Some(BAD_SCORE), ..of }, &view, "pass exempt");
}

#[test]
fn an_exempt_recipient_says_which_case_it_kept_away() {
    let view = testing::view(&[Block::of("192.0.2.25"), shadowed("192.0.2.26")]);
    let to = |addr| Session { recipient: Some(b"abuse@example.org".as_slice()), ..session(addr) };
    assert_eq!(answer(&to("192.0.2.25"), &view, NOW).case, Some(testing::case(1)));
    // A shadow case would not have refused it either.
    check(&to("192.0.2.26"), &view, "pass passed");
}

#[test]
fn step_9_who_sends_backscatter_is_refused_its_bounces_only() {
    let bounces = Block::of("192.0.2.25").with(|o| o.reason = 10);
    let view = testing::view(std::slice::from_ref(&bounces));
    let null = Session { sender: Some(b""), ..session("192.0.2.25") };
    check(&null, &view, "550 blocked n1-1");
    check(&session("192.0.2.25"), &view, "pass passed");
    check(&Session { sender: None, ..session("192.0.2.25") }, &view, "pass passed");
    // It does not hide a case of another kind, however long it is.
    let longer = bounces.with(|o| o.until = NOW.plus(model::Secs::DAY.times(20)));
    let view = testing::view(&[longer, Block::of("192.0.2.25")]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-2");
    check(&null, &view, "550 blocked n1-1");
}

#[test]
fn a_4_bounces_come_to_people_who_wrote_lately() {
    let mut projector = testing::projector(&[Block::of("192.0.2.25").with(|o| o.reason = 10)]);
    projector.set_writer(7, NOW.plus(model::Secs(1)));
    let view = projector.view();
    let to = |who| Session { sender: Some(b""), to: Some(model::PersonHash(who)), ..session("192.0.2.25") };
    check(&to(7), &view, "pass passed");
    check(&to(8), &view, "550 blocked n1-1");
}

#[test]
fn step_8_the_hardest_then_longest_case_decides_the_text() {
    let longer = Block::of("192.0.2.25").sentenced(&[(Offence::SpamVolume, 100)], 1);
    let view = testing::view(&[Block::of("192.0.2.25"), longer.clone()]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-2");
    let view = testing::view(&[null_routed("192.0.2.25"), longer]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-1");
    let of_net = Block::of("192.0.2.0/24").sentenced(&[(Offence::SpamVolume, 100)], 1);
    check(&session("192.0.2.25"), &testing::view(&[Block::of("192.0.2.25"), of_net]), "550 blocked n1-2");
}

#[test]
fn step_8_a_list_host_waits_instead_of_bouncing() {
    let of = |class, block| testing::view_with_class(&[block], "192.0.2.25", class);
    let block = || Block::of("192.0.2.25");
    check(&session("192.0.2.25"), &of(Class::ListHost, block()), "451 blocked n1-1");
    check(&session("192.0.2.25"), &of(Class::Established, block()), "550 blocked n1-1");
    let a_day_left = block().with(|o| o.until = NOW.plus(Secs::DAY));
    check(&session("192.0.2.25"), &of(Class::ListHost, a_day_left), "550 blocked n1-1");
    let null = null_routed("192.0.2.25");
    check(&session("192.0.2.25"), &of(Class::ListHost, null), "550 blocked n1-1");
}

#[test]
fn step_10_the_score_refuses_from_four_points_on() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let scored = |quarters| Session {
        score: Some(ConnectionScore { quarters, ..BAD_SCORE }),
        ..session("192.0.2.26")
    };
    check(&scored(15), &view, "pass passed");
    check(&scored(16), &view, "550 refused");
    // The case comes before the score.
    check(&Session { addr: "192.0.2.25".parse().unwrap(), ..scored(99) }, &view, "550 blocked n1-1");
}

#[test]
fn a_case_leaves_sessions_alone_that_began_before_it() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let from = NOW.minus(Secs::HOUR);
    let began = |at| Session { began: at, ..session("192.0.2.25") };
    check(&began(from), &view, "pass passed");
    check(&began(Millis(from.0 + 1)), &view, "550 blocked n1-1");
    // An earlier, milder case still holds against it.
    let later = null_routed("192.0.2.25").with(|o| o.from = NOW);
    let view = testing::view(&[Block::of("192.0.2.25"), later]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-1");
}

#[test]
fn a_case_ends_at_its_end_to_the_millisecond() {
    let view = testing::view(&[Block::of("192.0.2.25").with(|o| o.until = Millis(NOW.0 + 1))]);
    check(&session("192.0.2.25"), &view, "550 blocked n1-1");
    let ended = testing::view(&[Block::of("192.0.2.25").with(|o| o.until = NOW)]);
    check(&session("192.0.2.25"), &ended, "pass passed");
}

#[test]
fn a_shadow_case_refuses_nothing_and_is_told() {
    let view = testing::view(&[shadowed("192.0.2.25"), Block::of("192.0.2.26"), shadowed("192.0.2.26")]);
    check(&session("192.0.2.25"), &view, "pass would n1-1");
    check(&session("192.0.2.26"), &view, "550 blocked n1-2");
    assert_eq!(answer(&session("192.0.2.26"), &view, NOW).would, Some(testing::case(3)));
}

#[test]
fn learning_refuses_nobody() {
    let view = testing::learning(&[Block::of("192.0.2.25"), shadowed("192.0.2.26")]);
    check(&session("192.0.2.25"), &view, "pass would n1-1");
    check(&session("192.0.2.26"), &view, "pass would n1-2");
    let scored = Session { score: Some(BAD_SCORE), ..session("192.0.2.27") };
    check(&scored, &view, "pass passed");
    assert!(answer(&scored, &view, NOW).scored);
    let exempt = Session { recipient: Some(b"postmaster"), ..session("192.0.2.25") };
    check(&exempt, &view, "pass passed");
}

#[test]
fn without_portal_and_contact_only_loopback_is_refused() {
    let mut view = testing::view(&[Block::of("192.0.2.25")]);
    view.site = std::sync::Arc::new(Site { may_refuse: false, ..testing::site() });
    check(&session("192.0.2.25"), &view, "pass would n1-1");
    let local = |addr| Session { score: Some(BAD_SCORE), ..session(addr) };
    check(&local("192.0.2.26"), &view, "pass passed");
    check(&local("127.0.0.1"), &view, "550 refused");
    check(&local("::ffff:127.0.0.1"), &view, "550 refused");
    view.site = std::sync::Arc::new(Site { portal: String::new(), ..testing::site() });
    check(&local("127.0.0.1"), &view, "pass passed");
}

#[test]
fn equal_retries_get_equal_texts() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    assert_eq!(answer(&session("192.0.2.25"), &view, NOW), answer(&session("192.0.2.25"), &view, NOW));
}

#[test]
fn nothing_of_sender_or_recipient_is_in_a_reply() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let of = Session {
        helo: Some(b"canary-helo"),
        sender: Some(b"canary-sender@example.net"),
        recipient: Some(b"canary-trap@example.org"),
        ..session("192.0.2.25")
    };
    let told = format!("{:?}", answer(&of, &view, NOW).tell);
    assert!(told.contains("550 5.7.1") && !told.contains("canary"), "{told}");
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..600))
}

proptest! {
    #[test]
    fn whatever_a_client_says_the_reply_keeps_its_form(
        helo in bytes(), sender in bytes(), recipient in bytes(), addr in any::<[u8; 16]>(), v4 in any::<bool>(),
        node in any::<u16>(), seq in any::<u64>(), score in any::<Option<i32>>(), class in 0..2,
    ) {
        let addr: IpAddr = if v4 { [addr[0], addr[1], addr[2], addr[3]].into() } else { addr.into() };
        let session = Session {
            addr,
            helo: helo.as_deref(),
            sender: sender.as_deref(),
            recipient: recipient.as_deref(),
            score: score.map(|quarters| ConnectionScore { quarters, ..BAD_SCORE }),
            ..session("192.0.2.1")
        };
        let class = if class == 0 { Class::ListHost } else { Class::Unknown };
        let view = testing::view_of_client(addr, node, seq, class);
        match answer(&session, &view, NOW).tell {
            Tell::Pass => {}
            Tell::Refuse(reply) => {
                let line = reply.get().short();
                prop_assert!(line.starts_with('5') && is_reply(line) && line.len() <= SHORT_LEN_MAX, "{line}");
            }
            Tell::Defer(reply) => {
                let line = reply.get().short();
                prop_assert!(line.starts_with('4') && is_reply(line) && line.len() <= SHORT_LEN_MAX, "{line}");
            }
        }
    }
}
