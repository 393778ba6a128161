//! A clock that jumps: SEN-9 as far as the engine decides it, ADV-13, DESIGN §4 invariant 5.

use engine::{Alarm, Engine};
use model::{Answered, Body, Input, Judgement, Millis, Order, Policy, Secs};

use crate::world::{START, World, bot, mail, nth_bot, policy, server, verdict};

const YEAR: Secs = Secs(365 * 86_400);

/// A world in which `n` hosts are blocked.
fn blocked(n: u32) -> World {
    let mut world = World::new();
    for host in (0..n).map(nth_bot) {
        assert_eq!(world.spam(&host, 1), 1);
    }
    assert_eq!(world.engine.running(), n as usize);
    world
}

fn ended(world: &World) -> usize {
    world.count(|e| matches!(e.body, Body::CaseEnded(_)))
}

/// A frame whose clock says `wall`.
fn tick(world: &mut World, wall: Millis) {
    world.now = wall;
    world.frame(vec![Input::Tick(wall, 0)]);
}

#[test]
fn a_year_ahead_needs_a_second_frame_to_end_all_blocks_and_rings() {
    let mut world = blocked(60);
    let ahead = world.now.plus(YEAR);
    tick(&mut world, ahead);
    assert_eq!((ended(&world), world.engine.running()), (0, 60));
    assert_eq!(world.alarms, [Alarm::ClockAhead, Alarm::ManyEnds]);
    tick(&mut world, ahead.plus(Secs(1)));
    assert_eq!((ended(&world), world.engine.running()), (60, 0));
}

#[test]
fn a_block_that_waits_to_be_ended_ends_before_the_next_begins() {
    let mut world = blocked(60);
    world.now = world.now.plus(Secs::DAY);
    let host = nth_bot(7);
    let attempt = mail(&host, 1).attempt(Answered::Passed);
    world.frame(vec![world.observed(1, attempt), world.observed(1, verdict(Judgement::Spam, None))]);
    assert_eq!(world.cases_of(&host).len(), 2);
    let own: Vec<_> = world.events.iter().filter(|e| e.key == Some(model::Key::Net(host.key()))).collect();
    assert!(matches!(own[own.len() - 2].body, Body::CaseEnded(_)));
    assert!(matches!(own[own.len() - 1].body, Body::CaseOpened(_)));
}

#[test]
fn a_single_wrong_frame_ends_nothing() {
    let mut world = blocked(60);
    let truth = world.now;
    tick(&mut world, truth.plus(YEAR));
    for second in 1..100 {
        tick(&mut world, truth.plus(Secs(second)));
    }
    assert_eq!(ended(&world), 0);
    assert_eq!(world.alarms, [Alarm::ClockAhead, Alarm::ManyEnds, Alarm::ClockBehind]);
    tick(&mut world, truth.plus(YEAR));
    assert_eq!(ended(&world), 60, "when time has caught up, they end");
}

#[test]
fn a_year_back_time_stands() {
    let mut world = blocked(60);
    let truth = world.now;
    tick(&mut world, Millis(truth.0 - YEAR.0 * 1000));
    assert_eq!(world.engine.now(), truth);
    assert_eq!(world.alarms, [Alarm::ClockBehind]);
    world.order(Order::LiftKey("11.0.0.0".parse().unwrap(), false)).unwrap();
    assert!(world.events.is_sorted_by_key(|e| e.at), "no event is before an earlier one");
    assert_eq!(world.events.last().unwrap().at.wall, truth);
    assert_eq!(ended(&world), 0);
}

#[test]
fn ends_of_few_blocks_and_of_a_small_share_are_not_held() {
    let mut world = blocked(49);
    let after = world.now.plus(Secs::DAY);
    tick(&mut world, after);
    assert_eq!(ended(&world), 49, "below fifty a share says nothing");
    let mut world = World::new();
    for host in (0..100).map(nth_bot) {
        world.spam(&host, 1);
        world.wait(Secs(60));
    }
    let first = world.cases.values().map(|filed| filed.case.until()).min().unwrap();
    // Twenty of a hundred end within twenty minutes.
    tick(&mut world, first.plus(Secs(60 * 19 + 30)));
    assert_eq!((ended(&world), world.alarms.len()), (20, 0));
}

#[test]
fn a_stop_of_six_hours_ends_what_is_over_with_the_second_frame() {
    let mut world = blocked(60);
    let after = world.now.plus(Secs::HOUR.times(6));
    tick(&mut world, after);
    tick(&mut world, after);
    assert_eq!((ended(&world), world.alarms.clone()), (60, vec![Alarm::ManyEnds]));
}

#[test]
fn after_a_jump_no_good_mail_is_forgotten_for_a_day() {
    let (mut world, host) = (World::new(), bot("192.0.2.25"));
    world.ham(&host, 3);
    let ahead = world.now.plus(YEAR);
    tick(&mut world, ahead);
    assert_eq!(world.spam(&host, 3), 3, "three good messages still outweigh three spams");
    // New good mail is added to the old, and so is what an old log knows.
    world.ham(&host, 1);
    world.order(Order::Credit(host.key(), world.now, vec![77])).unwrap();
    assert_eq!(world.spam(&host, 2), 2);
    tick(&mut world, ahead.plus(Secs::DAY));
    (0..30).for_each(|_| world.wait(Secs::DAY));
    assert_eq!(world.spam(&host, 3), 1, "a day later the new time holds");
}

#[test]
fn after_a_jump_a_known_server_is_known_for_a_day() {
    let (mut world, host) = (World::new(), server("192.0.2.25"));
    world.befriend(&host, 8, 2);
    let ahead = world.now.plus(YEAR);
    tick(&mut world, ahead);
    assert_eq!(world.spam(&host, 100), 30);
}

#[test]
fn after_a_jump_good_mail_keeps_a_host_out_of_the_first_hit_tier() {
    let guards = model::policy::Guards { ratio: false, ..policy().guards };
    let (mut world, host) = (World::under(Policy { guards, ..policy() }), bot("192.0.2.25"));
    world.ham(&host, 3);
    let ahead = world.now.plus(YEAR);
    tick(&mut world, ahead);
    assert!(world.spam(&host, 3) > 1);
}

#[test]
fn after_a_jump_the_next_block_is_doubled_as_before_it() {
    let lasts = |later: Secs| {
        let (mut world, host) = (World::new(), bot("192.0.2.25"));
        world.spam(&host, 1);
        let ahead = world.now.plus(YEAR);
        tick(&mut world, ahead);
        tick(&mut world, ahead.plus(later));
        world.spam(&host, 1);
        world.cases[&world.newest(&host)].lasts()
    };
    assert_eq!(lasts(Secs(60)), Secs::HOUR.times(4));
    assert_eq!(lasts(Secs::DAY), Secs::HOUR.times(2));
}

#[test]
fn an_alarm_about_the_clock_rings_once_in_ten_minutes() {
    let mut world = blocked(1);
    let back = Millis(START.0 - 120_000);
    (0..500).for_each(|n| tick(&mut world, Millis(back.0 + n)));
    assert_eq!(world.alarms, [Alarm::ClockBehind]);
}

#[test]
fn small_steps_back_ring_no_alarm() {
    let mut world = blocked(1);
    let truth = world.now;
    for n in 0..60 {
        tick(&mut world, truth.minus(Secs(n)));
    }
    assert!(world.alarms.is_empty());
    assert_eq!(world.engine.now(), truth);
}

#[test]
fn the_first_frame_of_all_is_no_jump() {
    let mut world = World::new();
    world.send(&mail(&server("192.0.2.1"), 1));
    assert!(world.alarms.is_empty());
}

/// The same world after a stop of the program.
fn restarted(mut world: World) -> World {
    world.engine = Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
    world.alarms.clear();
    world
}

#[test]
fn adv_13_a_year_ahead_at_a_start_needs_a_second_frame_and_forgets_no_good_mail() {
    let (mut world, friend) = (blocked(60), server("192.0.2.25"));
    world.befriend(&friend, 8, 2);
    for host in (100..160).map(nth_bot) {
        world.spam(&host, 1);
    }
    let (before, running) = (ended(&world), world.engine.running());
    assert!(running >= 60);
    let ahead = world.now.plus(YEAR);
    let mut world = restarted(world);
    tick(&mut world, ahead);
    assert_eq!((ended(&world) - before, world.engine.running()), (0, running));
    assert_eq!(world.alarms, [Alarm::ClockAhead, Alarm::ManyEnds]);
    let mut world = restarted(world);
    tick(&mut world, ahead.plus(Secs(1)));
    assert_eq!((ended(&world) - before, world.engine.running()), (running, 0), "two starts agree");
    assert_eq!(world.spam(&friend, 100), 30, "the friend is known for a day");
}

#[test]
fn adv_13_a_year_back_at_a_start_ends_nothing_and_time_stands() {
    let world = blocked(60);
    let truth = world.now;
    let mut world = restarted(world);
    tick(&mut world, Millis(truth.0 - YEAR.0 * 1000));
    assert_eq!((world.engine.now(), world.engine.running(), ended(&world)), (truth, 60, 0));
    assert_eq!(world.alarms, [Alarm::ClockBehind]);
    // Set right again, all goes on as if nothing had been.
    tick(&mut world, truth.plus(Secs::HOUR.times(3)));
    tick(&mut world, truth.plus(Secs::HOUR.times(3)));
    assert_eq!(ended(&world), 60);
}
