//! OFF-24: domains that refuse our own notices.

use engine::Engine;
use model::observation::{Notice, Outcome, Purpose};
use model::policy::RuleMode;
use model::{Body, Fact, Mode, Name, Offence, Order, Policy, Secs, Sensor, Slight, Subject};

use crate::world::{World, policy};

/// A notice to the postmaster of shop.example, refused as unknown.
fn refused(world: &mut World) {
    let domain = Name::new(b"shop.example");
    let notice = Notice { domain, purpose: Purpose::Postmaster, outcome: Outcome::AddressUnknown };
    let seen = world.observed_by(Sensor::Filter, 0, Fact::Notice(notice));
    world.frame(vec![seen]);
}

fn entries(world: &World) -> usize {
    let is_entry = |body: &Body| match body {
        Body::Learnt(lesson) => {
            lesson.of == Subject::Conduct(Name::new(b"shop.example"), Slight::Postmaster)
                && lesson.quarters == 4
        }
        _ => false,
    };
    world.count(|event| is_entry(&event.body))
}

#[test]
fn off_24_a_postmaster_unknown_thrice_in_four_days_is_an_entry_and_blocks_nobody() {
    let mut world = World::new();
    for day in 0..3 {
        assert_eq!(entries(&world), 0, "day {day}");
        refused(&mut world);
        world.wait(Secs::DAY.times(2));
    }
    assert_eq!(entries(&world), 1);
    assert!(world.cases.is_empty());
}

#[test]
fn off_24_what_was_refused_before_a_restart_counts_after_it() {
    let mut world = World::new();
    for _ in 0..2 {
        refused(&mut world);
        world.wait(Secs::DAY.times(2));
    }
    world.engine = Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
    refused(&mut world);
    assert_eq!(entries(&world), 1);
}

/// The lessons told of shop.example: what each weighs, and whether it is listed by it.
fn told(world: &World) -> Vec<(u8, Mode)> {
    let conduct = |event: &model::Envelope| match &event.body {
        Body::Learnt(lesson) if matches!(lesson.of, Subject::Conduct(..)) => {
            Some((lesson.quarters, event.mode))
        }
        _ => None,
    };
    world.events.iter().filter_map(conduct).collect()
}

fn prove(world: &mut World) {
    for _ in 0..3 {
        refused(world);
        world.wait(Secs::DAY.times(2));
    }
}

#[test]
fn off_24_an_operator_takes_an_entry_back_and_it_begins_anew() {
    let mut world = World::new();
    prove(&mut world);
    let lift = || Order::LiftKey("shop.example".parse().unwrap(), false);
    assert_eq!(world.order(lift()).unwrap(), [], "no case");
    assert_eq!(told(&world), [(4, Mode::Live), (0, Mode::Live)]);
    refused(&mut world);
    assert_eq!(told(&world).len(), 2, "three more are needed");
    world.order(lift()).unwrap();
    assert_eq!(told(&world).len(), 2, "what was not told is not taken back");
}

#[test]
fn off_24_an_entry_is_listed_while_the_site_enforces_and_the_rule_is_no_shadow() {
    let shadow = vec![(Offence::DomainConduct, RuleMode::Shadow)];
    let shadow = engine::policy_input(&Policy { modes: shadow, ..policy() });
    let mut world = World::under(Policy { learn_first: true, ..policy() });
    prove(&mut world);
    assert_eq!(told(&world), [(4, Mode::Shadow)]);
    world.order(Order::SetMode(Mode::Live)).unwrap();
    assert_eq!(told(&world)[1..], [(4, Mode::Live)]);
    world.frame(vec![shadow]);
    assert_eq!(told(&world)[2..], [(4, Mode::Shadow)]);
    world.frame(vec![engine::policy_input(&policy())]);
    assert_eq!(told(&world)[3..], [(4, Mode::Live)]);
    world.frame(vec![engine::policy_input(&policy())]);
    assert_eq!(told(&world).len(), 4, "nothing has changed");
}

#[test]
fn off_24_a_rule_that_is_off_learns_nothing() {
    let mut world = World::under(Policy { modes: vec![(Offence::DomainConduct, RuleMode::Off)], ..policy() });
    for _ in 0..4 {
        refused(&mut world);
        world.wait(Secs::DAY.times(2));
    }
    assert_eq!(entries(&world), 0);
}
