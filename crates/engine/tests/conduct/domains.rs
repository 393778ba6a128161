//! OFF-24: domains that refuse our own notices.

use engine::Engine;
use model::observation::{Notice, Outcome, Purpose};
use model::policy::RuleMode;
use model::{Body, Fact, Name, Offence, Policy, Secs, Sensor, Slight, Subject};

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

#[test]
fn off_24_a_rule_that_is_off_learns_nothing() {
    let mut world = World::under(Policy { modes: vec![(Offence::DomainConduct, RuleMode::Off)], ..policy() });
    for _ in 0..4 {
        refused(&mut world);
        world.wait(Secs::DAY.times(2));
    }
    assert_eq!(entries(&world), 0);
}
