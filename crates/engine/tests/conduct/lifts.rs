//! Letting go before the end: by the link, by an operator, for an error, all at once.

use engine::CommandError;
use model::protected::Refused;
use model::{
    Actor, Answered, BlockKind, Body, Command, Input, Judgement, Key, Mode, Order, PersonHash, Policy,
    Prefix, Secs,
};

use crate::world::{Mail, PEOPLE, World, bot, end_of_message, mail, policy, server, verdict};

const ADDR: &str = "192.0.2.25";

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn net(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn a_lift_lets_go_at_once() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let case = world.newest(&host);
    assert_eq!(world.order_by(Actor::Holder, Order::LiftCase(case, false)), Ok(vec![case]));
    assert!(!world.is_blocked(&host));
    assert!(world.send(&mail(&host, PEOPLE)));
    let event = world.events.iter().find(|e| matches!(e.body, Body::CaseLifted(_))).unwrap();
    assert_eq!((event.actor, event.case), (Actor::Holder, Some(case)));
    assert_eq!(
        world.order(Order::LiftCase(case, false)),
        Err(CommandError::NoSuchCase(case)),
        "a case is lifted once"
    );
}

#[test]
fn a_lift_covers_verdicts_that_come_later_about_mail_that_came_before() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let passed = mail(&host, PEOPLE).attempt(Answered::Passed);
    for tag in 100..110 {
        world.frame(vec![world.observed(tag, passed.clone())]);
    }
    world.frame(vec![world.observed(100, verdict(Judgement::Spam, None))]);
    world.wait(Secs(10));
    world.order(Order::LiftCase(world.newest(&host), false)).unwrap();
    world.wait(Secs(10));
    for tag in 101..110 {
        world.frame(vec![world.observed(tag, verdict(Judgement::Spam, None))]);
    }
    assert!(!world.is_blocked(&host));
    world.spam(&host, 1);
    assert_eq!(world.cases[&world.newest(&host)].units(), model::Units::whole(1));
}

#[test]
fn a_late_verdict_in_its_favour_counts_whatever_was_lifted() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.frame(vec![world.observed(9, mail(&host, PEOPLE).attempt(Answered::Passed))]);
    world.spam(&host, 1);
    world.order(Order::LiftCase(world.newest(&host), true)).unwrap();
    world.frame(vec![world.observed(9, verdict(Judgement::Ham, None))]);
    world.wait(Secs(1));
    assert_eq!(world.spam(&host, 3), 3, "good mail keeps it out of the first-hit tier");
}

#[test]
fn a_lift_of_a_key_beats_blocks_that_are_not_known_yet() {
    let mut world = World::new();
    assert_eq!(world.order(Order::LiftKey(key(ADDR), false)), Ok(vec![]));
    assert_eq!(world.count(|e| matches!(e.body, Body::KeyLifted(_)) && e.key == Some(key(ADDR))), 1);
}

#[test]
fn a_lift_of_a_key_wipes_what_was_counted_before_any_case() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 9);
    world.order(Order::LiftKey(key(ADDR), true)).unwrap();
    assert_eq!(world.spam(&host, 100), 10);
    assert_eq!(world.case(&host).units(), model::Units::whole(10));
}

#[test]
fn a_lift_of_a_key_ends_its_cases_of_both_modes() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    world.order(Order::Block(key(ADDR), BlockKind::NullRoute, Secs::DAY)).unwrap();
    assert_eq!(world.order(Order::LiftKey(key(ADDR), false)).unwrap().len(), 2);
    assert_eq!((world.is_blocked(&host), world.engine.running()), (false, 0));
}

#[test]
fn after_an_ordinary_lift_thresholds_are_a_quarter() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 10);
    world.order(Order::LiftCase(world.newest(&host), false)).unwrap();
    // Three units instead of ten in an hour, of three messages instead of ten.
    assert_eq!(world.spam(&host, 100), 3);
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 10);
    world.order(Order::LiftCase(world.newest(&host), true)).unwrap();
    assert_eq!(world.spam(&host, 100), 10, "an error puts nobody on probation");
}

#[test]
fn probation_lasts_half_the_sentence_between_a_day_and_a_week() {
    // Lifted out of a sentence of so many hours: how many spams get through so many days later?
    let after = |hours: u64, days: u64| {
        let (mut world, host) = (World::new(), server(ADDR));
        world.spam(&host, 10);
        let case = world.newest(&host);
        world.order(Order::Resentence(case, world.now.plus(Secs::HOUR.times(hours)))).unwrap();
        world.order(Order::LiftCase(case, false)).unwrap();
        (0..days).for_each(|_| world.wait(Secs(86_400 - 600)));
        world.spam(&host, 100)
    };
    assert_eq!([after(2, 1), after(2, 2)], [3, 10]);
    assert_eq!([after(96, 2), after(96, 3)], [3, 10]);
    assert_eq!([after(720, 7), after(720, 8)], [3, 10]);
}

#[test]
fn a_lift_leaves_neither_units_nor_evidence_for_the_next_case() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    for _ in 0..4 {
        world.send(&Mail { exempt: true, judged: Some(Judgement::Spam), ..mail(&host, 1) });
    }
    world.order(Order::LiftCase(world.newest(&host), false)).unwrap();
    let before = world.side_rows.len();
    world.wait(Secs(1));
    world.spam(&host, 1);
    assert_eq!(world.side_rows.len(), before + 1);
    assert_eq!(world.cases[&world.newest(&host)].units(), model::Units::whole(1));
}

#[test]
fn panic_lifts_what_rules_decided_since_and_nothing_else() {
    let mut world = World::new();
    world.spam(&bot("192.0.2.1"), 1);
    world.wait(Secs(600));
    let since = world.now;
    world.wait(Secs(1));
    world.spam(&bot("192.0.2.2"), 1);
    world.order(Order::Block(key("192.0.2.3"), BlockKind::Rbl, Secs::DAY)).unwrap();
    let lifted = world.order(Order::Panic(since)).unwrap();
    assert_eq!(lifted, [world.newest(&bot("192.0.2.2"))]);
    let blocked = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|a| world.is_blocked(&bot(a)));
    assert_eq!(blocked, [true, false, true]);
    // It was an error: no strike.
    world.wait(Secs(60));
    world.spam(&bot("192.0.2.2"), 1);
    assert_eq!(world.cases[&world.newest(&bot("192.0.2.2"))].lasts(), Secs(7200));
}

#[test]
fn an_operator_blocks_what_no_rule_may() {
    let mut world = World::new();
    let case = world.order(Order::Block(key("192.0.2.0/23"), BlockKind::NullRoute, Secs::DAY)).unwrap()[0];
    assert_eq!(world.cases[&case].case.until(), world.now.plus(Secs::DAY));
    assert_eq!(world.cases[&case].actor, Actor::Operator);
    assert!(world.side_rows.is_empty());
    let refused = |world: &mut World, text: &str| {
        world.order(Order::Block(key(text), BlockKind::Rbl, Secs::DAY)).unwrap_err()
    };
    let too_wide = |error| matches!(error, CommandError::Protected(Refused::TooWide { .. }));
    assert!(too_wide(refused(&mut world, "16.0.0.0/8")));
    assert!(matches!(refused(&mut world, "127.0.0.1"), CommandError::Protected(Refused::Special { .. })));
    let mixed = "example.org@192.0.2.1";
    assert_eq!(refused(&mut world, mixed), CommandError::NotANet(key(mixed)));
    let protected = vec![net("198.51.100.0/24")];
    let mut world = World::under(Policy { protected, ..policy() });
    let listed = refused(&mut world, "198.51.100.7");
    assert!(matches!(listed, CommandError::Protected(Refused::Listed { .. })));
}

#[test]
fn a_new_policy_protects_from_here_on() {
    let mut world = World::new();
    assert!(world.order(Order::Block(key(ADDR), BlockKind::Rbl, Secs::DAY)).is_ok());
    let protected = vec![net("192.0.2.0/24")];
    world.frame(vec![engine::policy_input(&Policy { protected, ..policy() })]);
    let refused = world.order(Order::Block(key("192.0.2.26"), BlockKind::Rbl, Secs::DAY));
    assert!(matches!(refused, Err(CommandError::Protected(Refused::Listed { .. }))));
}

#[test]
fn what_a_person_gave_as_reason_is_bound_to_every_event_of_the_command() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let before = world.events.len();
    let note = Some([42; 32].into());
    let order = Order::LiftKey(key(ADDR), true);
    let (actor, at) = (Actor::Operator, world.now);
    world.frame(vec![Input::Command(Command { id: 9, at, actor, note, order })]);
    world.spam(&host, 1);
    let bound: Vec<bool> =
        world.events[before..].iter().map(|e| e.evidence.iter().any(|c| **c == [42; 32])).collect();
    assert_eq!(bound, [true, true, false], "lifted, key lifted; and then a new case");
}

#[test]
fn an_operator_may_block_longer_or_harder_but_not_the_same_again() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let first = world.newest(&host);
    let mut block = |kind, hours: u64| world.order(Order::Block(key(ADDR), kind, Secs::HOUR.times(hours)));
    assert_eq!(block(BlockKind::Rbl, 1), Err(CommandError::AlreadyBlocked(first)));
    let longer = block(BlockKind::Rbl, 24).unwrap()[0];
    assert_eq!(block(BlockKind::Rbl, 24), Err(CommandError::AlreadyBlocked(longer)));
    assert!(block(BlockKind::NullRoute, 1).is_ok());
    world.wait(Secs::HOUR.times(3));
    assert_eq!(world.against(host.key(), Mode::Live), Some(longer));
}

#[test]
fn a_block_by_hand_does_not_grow() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let case = world.order(Order::Block(key(ADDR), BlockKind::Rbl, Secs::DAY)).unwrap()[0];
    let end = world.cases[&case].case.until();
    for to in 0..50 {
        world.send(&Mail { exempt: true, judged: Some(Judgement::Spam), ..mail(&host, to) });
        world.send(&mail(&host, PEOPLE + to));
    }
    world.wait(Secs(61));
    assert_eq!(world.cases[&case].case.until(), end);
    assert_eq!(world.cases.len(), 1, "no rule opens a second case beside it");
}

#[test]
fn a_lift_acts_on_what_came_before_it_in_its_frame() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let spam = |world: &World, tag| {
        [
            world.observed(tag, mail(&host, PEOPLE + tag).attempt(Answered::Passed)),
            world.observed(tag, verdict(Judgement::Spam, None)),
        ]
    };
    let (actor, at) = (Actor::Operator, world.now);
    let lift = Command { id: 1, at, actor, note: None, order: Order::LiftKey(key(ADDR), true) };
    let [before, after] = [1, 2].map(|tag| spam(&world, tag));
    let inputs = before.into_iter().chain([Input::Command(lift)]).chain(after).collect();
    world.frame(inputs);
    let kinds: Vec<&str> = world
        .events
        .iter()
        .map(|e| match e.body {
            Body::CaseOpened(_) => "opened",
            Body::CaseLifted(_) => "lifted",
            Body::KeyLifted(_) => "key lifted",
            _ => "other",
        })
        .collect();
    // What bears the same time as the lift is covered by it.
    assert_eq!(kinds, ["opened", "lifted", "key lifted"]);
    assert_eq!(world.receipts[&1].as_ref().unwrap().len(), 1);
}

#[test]
fn a_command_about_nothing_says_so() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let case = world.newest(&host);
    world.wait(Secs::DAY);
    let nobody = Err(CommandError::NoSuchCase(case));
    assert_eq!(world.order(Order::LiftCase(case, false)), nobody);
    assert_eq!(world.order(Order::Resentence(case, world.now)), nobody);
}

#[test]
fn learnt_good_mail_counts_and_is_acknowledged() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let credit = Order::Credit(host.key(), world.now.minus(Secs::DAY), vec![1, 2, 3]);
    assert_eq!(world.order(credit), Ok(vec![]));
    assert_eq!(world.spam(&host, 3), 3, "no first hit for who has good mail");
}

#[test]
fn a_lifted_key_may_be_blocked_again_and_longer() {
    let traps = vec![(PersonHash(1), model::policy::TrapKind::Pristine)];
    let (mut world, host) = (World::under(Policy { traps, ..policy() }), bot(ADDR));
    world.frame(vec![world.observed(1, mail(&host, 5).attempt(Answered::Passed))]);
    world.frame(vec![world.observed(1, end_of_message(77))]);
    world.frame(vec![world.observed(0, verdict(Judgement::Spam, Some(77)))]);
    world.order(Order::LiftCase(world.newest(&host), false)).unwrap();
    world.wait(Secs(1));
    world.spam(&host, 1);
    assert_eq!(world.cases[&world.newest(&host)].lasts(), Secs::HOUR.times(4));
}
