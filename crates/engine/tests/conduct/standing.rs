//! What is told of a key's standing: rarely, and only what changes an answer.

use model::event::StandingChange;
use model::{Body, Class, Millis, Order, Policy, Secs};

use crate::world::{World, bot, mail, nth_bot, policy, server};

const ADDR: &str = "192.0.2.25";

/// What was told, with its time.
fn told(world: &World) -> Vec<(Millis, StandingChange)> {
    let change = |body: &Body| match body {
        Body::StandingChanged(change) => Some(*change),
        _ => None,
    };
    world.events.iter().filter_map(|e| Some((e.at.wall, change(&e.body)?))).collect()
}

#[test]
fn credit_and_class_are_told_when_they_change() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.send(&mail(&host, 1));
    assert!(told(&world).is_empty(), "a stranger is what everybody is");
    world.befriend(&host, 16, 10);
    let steps: Vec<(Class, bool)> = told(&world).into_iter().map(|(_, c)| (c.class, c.credit)).collect();
    assert_eq!(steps, [(Class::Unknown, true), (Class::Known, true), (Class::Established, true)]);
}

#[test]
fn learnt_mail_of_past_weeks_makes_a_known_server_at_once() {
    let (mut world, host) = (World::new(), bot(ADDR));
    for day in [9, 8, 7] {
        let at = world.now.minus(Secs::DAY.times(day));
        world.order(Order::Credit(host.key(), at, vec![1, 2, 3, 4])).unwrap();
        world.wait(Secs::HOUR);
    }
    assert_eq!(told(&world).last().unwrap().1.class, Class::Known);
}

#[test]
fn who_is_declared_is_told_as_what_he_is() {
    let net = |text: &str| vec![text.parse().unwrap()];
    let (protected, relays) = (net("192.0.2.0/24"), net("198.51.100.0/24"));
    let mut world = World::under(Policy { protected, relays, ..policy() });
    world.send(&mail(&server(ADDR), 1));
    world.send(&mail(&server("198.51.100.7"), 1));
    let classes: Vec<Class> = told(&world).into_iter().map(|(_, c)| c.class).collect();
    assert_eq!(classes, [Class::Protected, Class::Forwarder]);
}

#[test]
fn standing_is_told_at_most_hourly_for_one_key() {
    let relay = Policy { relays: vec!["192.0.2.0/24".parse().unwrap()], ..policy() };
    let (mut world, host) = (World::new(), server(ADDR));
    for minute in 0..240 {
        // The class changes to and fro with every minute.
        let policy = if minute % 2 == 0 { &relay } else { &policy() };
        world.frame(vec![engine::policy_input(policy)]);
        world.send(&mail(&host, 1));
        world.wait(Secs::MINUTE);
    }
    let times: Vec<Millis> = told(&world).into_iter().map(|(at, _)| at).collect();
    assert!(times.windows(2).all(|w| w[1].since(w[0]) >= Secs::HOUR), "{times:?}");
    assert!((3..=4).contains(&times.len()));
}

#[test]
fn credit_that_is_over_is_told_with_the_next_observation() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.ham(&host, 1);
    (0..31).for_each(|_| world.wait(Secs::DAY));
    world.send(&mail(&host, 1));
    assert_eq!(told(&world).last().map(|(_, c)| c.credit), Some(false));
}

#[test]
fn what_was_told_of_a_key_is_withdrawn_when_it_is_forgotten() {
    // The least table: sixteen keys in each of 64 shards.
    let mut world = World::under(Policy { keys_max: 1, ..policy() });
    let friends: Vec<_> = (0..900).map(nth_bot).collect();
    friends.iter().for_each(|host| assert_eq!(world.ham(host, 1), 1));
    let credit = |world: &World, given| told(world).iter().filter(|(_, c)| c.credit == given).count();
    assert_eq!(credit(&world, true), 900);
    // A month later none of them is remembered for good mail, and strangers come.
    (0..31).for_each(|_| world.wait(Secs::DAY));
    for n in 10_000..14_000 {
        world.send(&mail(&nth_bot(n), 1));
    }
    assert_eq!(credit(&world, false), 900);
}
