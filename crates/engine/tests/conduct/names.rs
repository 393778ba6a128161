//! S78: HELO names that do not exist in DNS.

use engine::Engine;
use model::observation::Resolved;
use model::{Body, Fact, Name, Secs, Sensor, Subject};

use crate::world::World;

fn looked_up(world: &mut World, exists: bool) {
    let fact = Fact::Resolved(Resolved { name: Name::new(b"mx.bot.example"), exists });
    let seen = world.observed_by(Sensor::Policy, 0, fact);
    world.frame(vec![seen]);
}

/// What was learned of the name, oldest first, in quarters of a point.
fn learned(world: &World) -> (usize, usize) {
    let of = |quarters| {
        world.count(|event| match &event.body {
            Body::Learnt(lesson) => {
                lesson.of == Subject::NoSuchName(Name::new(b"mx.bot.example")) && lesson.quarters == quarters
            }
            _ => false,
        })
    };
    (of(4), of(0))
}

#[test]
fn s78_a_name_denied_on_two_days_is_learned_across_a_restart_and_blocks_nobody() {
    let mut world = World::new();
    looked_up(&mut world, false);
    world.wait(Secs::HOUR.times(23));
    looked_up(&mut world, false);
    assert_eq!(learned(&world), (0, 0));
    world.engine = Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
    world.wait(Secs::HOUR.times(2));
    looked_up(&mut world, false);
    assert_eq!(learned(&world), (1, 0));
    assert!(world.cases.is_empty());
}

#[test]
fn s78_a_name_that_exists_again_is_taken_back_at_once() {
    let mut world = World::new();
    looked_up(&mut world, false);
    world.wait(Secs::DAY.times(2));
    looked_up(&mut world, false);
    looked_up(&mut world, true);
    assert_eq!(learned(&world), (1, 1));
}
