//! ADV-4: who knows a trap subscribes it to other people's lists.

use engine::{Alarm, BurntBy};
use model::content::Shape;
use model::policy::TrapKind;
use model::{
    Actor, Body, Content, DomainHash, Fact, Judgement, Mode, PersonHash, Policy, Secs, Sensor, Sent,
};

use crate::world::{Host, Mail, PEOPLE, World, mail, nth_bot, policy, server, shaped};

/// Twenty traps, 1 to 20.
fn mined() -> World {
    let traps = (1..=20).map(|n| (PersonHash(n), TrapKind::Pristine)).collect();
    World::under(Policy { traps, ..policy() })
}

/// A list host in a network of its own, with some good mail here.
fn list_host(n: u64) -> Host {
    server(&format!("11.7.{n}.25"))
}

/// What a list sends: signed by its domain.
fn issue(n: u64) -> Content {
    Content { dkim: Some(DomainHash(n)), ..shaped(Shape::LIST | Shape::BULK) }
}

fn befriended(hosts: u64) -> World {
    let mut world = mined();
    befriend(&mut world, hosts);
    world
}

fn befriend(world: &mut World, hosts: u64) {
    for n in 1..=hosts {
        world.ham(&list_host(n), 3);
    }
    world.wait(Secs::DAY);
}

fn write(world: &mut World, host: u64, trap: u64) -> bool {
    world.now = world.now.plus(Secs(1));
    let from = list_host(host);
    world.show(&Mail { recipients: 1, ..mail(&from, trap) }, issue(host))
}

#[test]
fn adv_4_twenty_traps_subscribed_at_twenty_lists_block_nobody_and_burn() {
    let mut world = befriended(20);
    for trap in 1..=20 {
        for host in 1..=20 {
            assert!(write(&mut world, host, trap), "host {host} to trap {trap}");
        }
    }
    assert!((1..=20).all(|n| !world.is_blocked(&list_host(n))));
    let burnt = world.engine.burnt();
    assert_eq!(burnt.len(), 20);
    assert!(burnt.iter().all(|(_, burnt)| burnt.by == BurntBy::Senders && burnt.senders == 10));
    assert_eq!(world.alarms.iter().filter(|alarm| **alarm == Alarm::TrapBurnt).count(), 1);
}

#[test]
fn adv_4_a_burnt_trap_is_none_even_for_a_bot_and_others_stay() {
    let mut world = befriended(10);
    (1..=10).for_each(|host| assert!(write(&mut world, host, 1)));
    let bot = nth_bot(7);
    (0..20).for_each(|_| assert!(world.show(&mail(&bot, 1), Content::default())));
    assert!(!world.is_blocked(&bot));
    assert!(world.show(&mail(&bot, 2), Content::default()));
    assert!(world.is_blocked(&bot));
}

#[test]
fn adv_4_strangers_that_were_blocked_by_a_trap_are_let_go_when_it_burns() {
    let mut world = befriended(6);
    // Nobody knows hosts 7 to 10: the first issue to a trap blocks each.
    (7..=10).for_each(|host| assert!(write(&mut world, host, 1)));
    assert!((7..=10).all(|n| world.is_blocked(&list_host(n))));
    (1..=6).for_each(|host| assert!(write(&mut world, host, 1)));
    assert!((1..=10).all(|n| !world.is_blocked(&list_host(n))));
    let lifted =
        |e: &model::Envelope| matches!(e.body, Body::CaseLifted(l) if l.error) && e.actor == Actor::Engine;
    // Those with three good messages were blocked by it, too, all but the last.
    assert_eq!(world.count(lifted), 9);
    // An error leaves no strike.
    world.spam(&list_host(7), 30);
    let newest = world.newest(&list_host(7));
    assert_eq!(world.cases[&newest].case.opened.as_ref().unwrap().repeats, 0);
}

#[test]
fn adv_4_a_spam_run_from_a_botnet_burns_no_trap_signed_or_not() {
    let welcome = Content { dkim: Some(DomainHash(1)), ..shaped(Shape::CONFIRMATION | Shape::LIST) };
    for content in [Content::default(), issue(1), welcome] {
        let mut world = mined();
        for n in 0..200 {
            world.now = world.now.plus(Secs(1));
            world.show(&mail(&nth_bot(n * 300), 1), content.clone());
        }
        assert_eq!(world.engine.burnt(), []);
    }
}

#[test]
fn adv_4_snowshoe_with_names_and_signatures_burns_no_trap() {
    let mut world = mined();
    (1..=200).for_each(|n| assert!(write(&mut world, n, 1)));
    assert_eq!(world.engine.burnt(), []);
    assert!((1..=200).all(|n| world.is_blocked(&list_host(n))));
}

#[test]
fn adv_4_who_bought_a_history_and_writes_what_a_filter_calls_spam_burns_no_trap() {
    let mut world = befriended(40);
    for n in 1..=40 {
        world.now = world.now.plus(Secs(1));
        let from = list_host(n);
        world.show(&Mail { recipients: 1, judged: Some(Judgement::Spam), ..mail(&from, 1) }, issue(n));
    }
    assert_eq!(world.engine.burnt(), []);
}

#[test]
fn off_2_a_trap_that_one_of_our_people_writes_to_is_none() {
    let mut world = mined();
    let bot = nth_bot(7);
    assert!(world.show(&mail(&bot, 3), Content::default()));
    assert!(world.is_blocked(&bot));
    let sent = Sent { sender: Some(PersonHash(PEOPLE)), recipient: PersonHash(3), domain: None };
    let sent = world.observed_by(Sensor::Milter, 5, Fact::Sent(sent));
    world.frame(vec![sent]);
    assert!(!world.is_blocked(&bot));
    assert_eq!(world.engine.burnt()[0].1.by, BurntBy::OurOwn);
    assert!(world.show(&mail(&nth_bot(8), 3), Content::default()));
    assert!(!world.is_blocked(&nth_bot(8)));
}

#[test]
fn a_trap_stays_burnt_until_it_is_taken_off_the_list() {
    let mut world = befriended(10);
    (1..=10).for_each(|host| assert!(write(&mut world, host, 1)));
    let list = world.engine.policy().traps.len();
    assert_eq!(list, 19);
    let with = |traps: Vec<u64>| {
        let traps = traps.into_iter().map(|n| (PersonHash(n), TrapKind::Pristine)).collect();
        engine::policy_input(&Policy { traps, ..policy() })
    };
    world.frame(vec![with(vec![1, 2])]);
    assert_eq!((world.engine.burnt().len(), world.engine.policy().traps.len()), (1, 1));
    world.frame(vec![with(vec![2])]);
    world.frame(vec![with(vec![1, 2])]);
    assert_eq!((world.engine.burnt().len(), world.engine.policy().traps.len()), (0, 2));
}

#[test]
fn a_burnt_trap_is_one_after_a_restart_and_its_hash_is_in_no_event() {
    let traps = vec![(PersonHash(0xfeed_beef_dead_cafe), TrapKind::Pristine)];
    let mut world = World::under(Policy { traps, ..policy() });
    befriend(&mut world, 10);
    (1..=10).for_each(|host| assert!(write(&mut world, host, 0xfeed_beef_dead_cafe)));
    let again = engine::Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
    assert_eq!((again.burnt(), again.policy().traps.len()), (world.engine.burnt(), 0));
    assert_eq!(world.engine.burnt().len(), 1);
    // A burnt trap is no window: it stays burnt where those begin anew.
    let mut checkpoint = world.engine.to_checkpoint();
    checkpoint[2] += 1;
    let (again, dropped) = engine::Engine::from_checkpoint(&checkpoint).unwrap();
    assert_eq!((dropped, again.burnt()), (true, world.engine.burnt()));
    let hash = 0xfeed_beef_dead_cafe_u64.to_be_bytes();
    for event in &world.events {
        assert!(!minicbor::to_vec(event).unwrap().windows(8).any(|bytes| bytes == hash));
    }
}

#[test]
fn in_shadow_a_trap_burns_as_if_it_were_enforced() {
    let mut world = befriended(10);
    world.order(model::Order::SetMode(Mode::Shadow)).unwrap();
    (1..=10).for_each(|host| assert!(write(&mut world, host, 1)));
    assert_eq!(world.engine.burnt().len(), 1);
    assert!((1..=10).all(|n| world.against(list_host(n).key(), Mode::Shadow).is_none()));
    assert!(world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&list_host(1), PEOPLE) }));
}
