//! Learning and enforcing, rules in shadow beside rules in force.

use model::policy::{RuleMode, TrapKind};
use model::{Answered, Body, Judgement, Mode, Offence, Order, PersonHash, Policy, Secs, Sensor, Units};

use crate::world::{Mail, PEOPLE, World, bot, mail, policy, server, verdict};

const ADDR: &str = "192.0.2.25";

fn learning() -> World {
    World::under(Policy { learn_first: true, ..policy() })
}

#[test]
fn a_site_learns_first_and_refuses_nothing() {
    let (mut world, host) = (learning(), bot(ADDR));
    assert_eq!(world.engine.mode(), Mode::Shadow);
    assert_eq!(world.spam(&host, 20), 20);
    assert!(world.cases.values().all(|filed| filed.case.mode == Mode::Shadow));
    assert_eq!(world.cases.len(), 1);
}

#[test]
fn a_shadow_case_runs_as_if_it_were_enforced() {
    // The same stream, enforced and in shadow: the same beginnings, lengths and ends.
    let run = |mut world: World| {
        for hour in 0..40 {
            for to in 0..8 {
                let judged = Some(Judgement::Spam);
                world.send(&Mail { judged, ..mail(&bot(ADDR), PEOPLE + hour * 5 + to) });
            }
            world.wait(Secs::HOUR);
        }
        let opened = |f: &crate::world::Filed| f.case.opened.as_ref().map(|o| (o.from, o.repeats));
        world.cases.values().map(|f| (opened(f), f.case.until(), f.units())).collect::<Vec<_>>()
    };
    let enforced = run(World::new());
    assert_eq!(run(learning()), enforced);
    assert!(enforced.len() >= 4, "{}", enforced.len());
}

#[test]
fn enforcing_starts_with_no_case_in_force() {
    let mut world = learning();
    for n in 1..=3 {
        assert_eq!(world.spam(&bot(&format!("192.0.2.{n}")), 1), 1);
    }
    assert_eq!(world.engine.running(), 3);
    let closed = world.order(Order::SetMode(Mode::Live)).unwrap();
    assert_eq!((closed.len(), world.engine.running()), (3, 0));
    assert_eq!(world.engine.mode(), Mode::Live);
    assert_eq!(world.count(|e| e.body == Body::ModeChanged(Mode::Live)), 1);
    assert_eq!(world.order(Order::SetMode(Mode::Live)), Ok(vec![]), "a second time changes nothing");
    assert_eq!(world.count(|e| matches!(e.body, Body::ModeChanged(_))), 1);
}

#[test]
fn shadow_blocks_make_no_sentence_longer_that_is_enforced() {
    let (mut world, host) = (learning(), bot(ADDR));
    for _ in 0..3 {
        world.spam(&host, 1);
        world.wait(Secs::DAY);
    }
    world.order(Order::SetMode(Mode::Live)).unwrap();
    world.wait(Secs(1));
    world.spam(&host, 1);
    let filed = &world.cases[&world.newest(&host)];
    assert_eq!((filed.case.mode, filed.lasts(), filed.units()), (Mode::Live, Secs(7200), Units::whole(1)));
}

#[test]
fn going_back_to_learning_lets_everybody_go_without_probation() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 10);
    world.order(Order::SetMode(Mode::Shadow)).unwrap();
    assert!(!world.is_blocked(&host));
    world.order(Order::SetMode(Mode::Live)).unwrap();
    assert_eq!(world.spam(&host, 40), 10);
}

#[test]
fn what_was_learnt_of_good_mail_holds_when_enforcing_begins() {
    let (mut world, host) = (learning(), bot(ADDR));
    world.ham(&host, 1);
    world.order(Order::SetMode(Mode::Live)).unwrap();
    assert_eq!(world.spam(&host, 3), 3);
}

#[test]
fn mail_that_a_shadow_case_would_have_refused_still_earns_credit() {
    let (mut world, host) = (learning(), bot(ADDR));
    world.spam(&host, 1);
    world.ham(&host, 2);
    world.wait(Secs::DAY);
    world.spam(&host, 2);
    assert_eq!(world.cases.len(), 1, "two good messages shield from the next first hit");
}

/// OFF-2 in shadow, all else in force; three traps.
fn mixed() -> World {
    let traps = (1..=3).map(|n| (PersonHash(n), TrapKind::Pristine)).collect();
    World::under(Policy { traps, modes: vec![(Offence::Trap, RuleMode::Shadow)], ..policy() })
}

#[test]
fn a_rule_in_shadow_refuses_nothing_and_hides_nothing_from_the_others() {
    let (mut world, host) = (mixed(), server(ADDR));
    assert!((1..=3).all(|to| world.send(&mail(&host, to))));
    assert_eq!(world.case(&host).case.mode, Mode::Shadow);
    // What follows would be refused, were the trap rule in force; the volume rule must see it.
    assert_eq!(world.spam(&host, 100), 10);
    assert!(world.is_blocked(&host));
    assert_eq!(world.cases_of(&host).len(), 2);
}

#[test]
fn a_shadow_case_takes_no_units_that_it_would_not_have_seen() {
    let (mut world, host) = (mixed(), server(ADDR));
    assert!((1..=3).all(|to| world.send(&mail(&host, to))));
    let before = world.case(&host).case.until();
    world.spam(&host, 9);
    world.wait(Secs(61));
    assert_eq!(world.case(&host).case.until(), before, "attempts do not count, for there was no verdict");
    assert_eq!(world.case(&host).units(), Units::whole(15));
}

#[test]
fn a_live_sentence_and_a_shadow_one_count_their_own_repeats() {
    let (mut world, host) = (mixed(), server(ADDR));
    for _ in 0..3 {
        assert!((1..=3).all(|to| world.send(&mail(&host, to))));
        world.wait(Secs::DAY.times(8));
    }
    let shadow: Vec<u32> =
        world.cases.values().map(|filed| filed.case.opened.as_ref().unwrap().repeats).collect();
    assert_eq!(shadow, [0, 1, 2]);
    world.spam(&host, 10);
    assert_eq!(world.cases[&world.newest(&host)].case.opened.as_ref().unwrap().repeats, 0);
}

#[test]
fn a_shadow_case_counts_what_rules_in_force_counted_beside_it() {
    let (mut world, host) = (mixed(), server(ADDR));
    world.spam(&host, 5);
    assert!((1..=3).all(|to| world.send(&mail(&host, to))));
    assert_eq!(world.case(&host).units(), Units::whole(20));
}

#[test]
fn a_rule_in_shadow_does_not_see_what_its_case_would_have_refused() {
    let traps = (1..=9).map(|n| (PersonHash(n), TrapKind::Recycled)).collect();
    let modes = vec![(Offence::Trap, RuleMode::Shadow)];
    let (mut world, host) = (World::under(Policy { traps, modes, ..policy() }), server(ADDR));
    assert!((1..=8).all(|to| world.send(&mail(&host, to))));
    world.wait(Secs::HOUR.times(3));
    assert!(world.send(&mail(&host, 9)));
    let distinct = |f: &crate::world::Filed| f.case.opened.as_ref().unwrap().facts[0].1;
    assert_eq!(world.cases.values().map(distinct).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn evidence_of_a_shadow_case_is_what_an_enforcing_site_would_have_had() {
    let (mut world, host) = (learning(), bot(ADDR));
    world.spam(&host, 20);
    world.wait(Secs::HOUR.times(3));
    world.spam(&host, 1);
    assert_eq!((world.cases.len(), world.side_rows.len()), (2, 2));
}

#[test]
fn a_message_to_an_open_recipient_counts_whoever_else_would_have_been_refused() {
    let (mut world, host) = (learning(), bot(ADDR));
    world.spam(&host, 1);
    let case = world.newest(&host);
    for answered in [Answered::Passed, Answered::WouldBlock(case)] {
        let to = if answered == Answered::Passed { 1 } else { 2 };
        world.frame(vec![world.observed(9, mail(&host, to).attempt(answered))]);
    }
    world.frame(vec![world.observed(9, verdict(Judgement::Spam, None))]);
    world.wait(Secs(61));
    assert!(world.case(&host).case.extended.as_ref().is_some_and(|e| !e.later.is_empty()));
}

#[test]
fn each_shadow_case_sentences_a_unit_once() {
    let (mut world, host) = (mixed(), server(ADDR));
    assert!((1..=3).all(|to| world.send(&mail(&host, to))));
    world.wait(Secs::HOUR.times(3));
    assert!(world.send(&mail(&host, 1)), "the traps are still known, so one hit is enough");
    let units: Vec<Units> = world.cases.values().map(crate::world::Filed::units).collect();
    assert_eq!(units, [Units::whole(15), Units::whole(5)]);
}

#[test]
fn a_policy_that_turns_a_rule_on_acts_from_the_next_input_on() {
    let off = Policy { modes: vec![(Offence::SpamVolume, RuleMode::Off)], ..policy() };
    let (mut world, host) = (World::under(off), bot(ADDR));
    let spam = |world: &World, tag| {
        let attempt = mail(&host, PEOPLE + tag).attempt(Answered::Passed);
        [world.observed_by(Sensor::Policy, tag, attempt), world.observed(tag, verdict(Judgement::Spam, None))]
    };
    let [before, after] = [1, 2].map(|tag| spam(&world, tag));
    let turn_on = engine::policy_input(&policy());
    world.frame(before.into_iter().chain([turn_on]).chain(after).collect());
    let kinds: Vec<bool> = world.events.iter().map(|e| matches!(e.body, Body::PolicyAdopted(_))).collect();
    assert_eq!(kinds, [true, false]);
    assert_eq!(world.case(&host).units(), Units::whole(1));
    assert_eq!(world.engine.policy(), &policy());
}

/// A site that learned enough, with rules on trial for a week; OFF-1 was off so far.
fn on_trial() -> World {
    let guards = model::policy::Guards { trial: Some(Secs::DAY.times(7)), ..policy().guards };
    let off = Policy { modes: vec![(Offence::SpamVolume, RuleMode::Off)], guards, ..policy() };
    let mut world = World::under(off.clone());
    world.frame(vec![engine::policy_input(&Policy { modes: Vec::new(), ..off })]);
    world
}

#[test]
fn g_shadow_a_rule_that_is_turned_on_runs_in_shadow_for_a_week_and_then_blocks() {
    let mut world = on_trial();
    let told = world
        .count(|e| matches!(&e.body, Body::Learnt(l) if l.of == model::Subject::Trial(Offence::SpamVolume)));
    assert_eq!(told, 1);
    world.spam(&bot(ADDR), 2);
    world.wait(Secs::DAY.times(6));
    // A restart changes nothing.
    world.engine = engine::Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
    world.spam(&bot("192.0.2.26"), 2);
    assert!(!world.cases.is_empty());
    assert!(world.cases.values().all(|filed| filed.case.mode == Mode::Shadow));
    world.wait(Secs::DAY);
    world.spam(&bot("192.0.2.27"), 2);
    assert_eq!(world.case(&bot("192.0.2.27")).case.mode, Mode::Live);
}

#[test]
fn g_shadow_taking_the_option_off_forces_the_rule_at_once() {
    let mut world = on_trial();
    world.frame(vec![engine::policy_input(&policy())]);
    world.spam(&bot(ADDR), 2);
    assert_eq!(world.case(&bot(ADDR)).case.mode, Mode::Live);
    assert_eq!(world.engine.policy(), &policy());
}
