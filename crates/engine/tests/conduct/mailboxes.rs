//! Mailboxes that get only spam: who is one, who never is, and who hears of it.

use model::policy::TrapKind;
use model::{Fact, Judgement, Millis, PersonHash, Policy, Secs, Sent};

use crate::world::{Host, Mail, PEOPLE, World, mail, nth_server, policy, spam_to};

/// Forty servers of different networks send spam to one person, on three days.
fn spammed(world: &mut World, to: u64) {
    for n in 0..40 {
        world.send(&spam_to(&stranger(n), to));
        world.wait(Secs(3 * 86_400 / 40));
    }
}

fn stranger(n: u32) -> Host {
    nth_server(n << 16)
}

fn told(world: &World, to: u64) -> Vec<Millis> {
    world.mailboxes.iter().filter(|(who, _)| u64::from(*who) == to).map(|(_, until)| *until).collect()
}

fn holds(world: &World, to: u64) -> bool {
    told(world, to).last().is_some_and(|until| *until > world.now)
}

#[test]
fn those_who_answer_hear_of_a_mailbox_once_and_no_event_tells_of_it() {
    let mut world = World::new();
    spammed(&mut world, PEOPLE);
    assert_eq!(told(&world, PEOPLE).len(), 1);
    assert!(holds(&world, PEOPLE));
    // Events hold no fragment of the person's hash: what is told is told beside them.
    let known = world.engine.mailboxes().map(|(who, _)| u64::from(who)).collect::<Vec<_>>();
    assert_eq!(known, [PEOPLE]);
    let bytes = world.events.iter().flat_map(|event| event.seal().bytes).collect::<Vec<u8>>();
    let person = [0x19, 0x03, 0xe8];
    assert_eq!(model::event::cbor(&PersonHash(PEOPLE)), person);
    assert!(!bytes.windows(3).any(|part| part == person));
}

#[test]
fn a_wanted_message_takes_it_back() {
    let mut world = World::new();
    spammed(&mut world, PEOPLE);
    world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&stranger(90), PEOPLE) });
    assert!(!holds(&world, PEOPLE));
    spammed(&mut world, PEOPLE);
    assert!(!holds(&world, PEOPLE));
}

#[test]
fn whose_owner_writes_is_used() {
    let mut world = World::new();
    let sent = Sent { sender: Some(PersonHash(PEOPLE)), recipient: PersonHash(9), domain: None };
    world.send(&spam_to(&stranger(0), PEOPLE));
    let (tag, fact) = (world.tag(), Fact::Sent(sent));
    world.frame(vec![world.observed(tag, fact)]);
    spammed(&mut world, PEOPLE);
    assert_eq!(told(&world, PEOPLE), []);
}

#[test]
fn adv_5_a_trap_is_answered_like_any_other_address() {
    let trap = 17;
    let mut world = World::under(Policy { traps: vec![(PersonHash(trap), TrapKind::Recycled)], ..policy() });
    spammed(&mut world, trap);
    assert_eq!(told(&world, trap), []);
}

#[test]
fn one_client_can_not_make_a_mailbox_look_unused() {
    let mut world = World::new();
    for _ in 0..200 {
        world.send(&Mail { exempt: true, ..spam_to(&stranger(1), PEOPLE) });
        world.wait(Secs::HOUR);
    }
    assert_eq!(told(&world, PEOPLE), []);
}

#[test]
fn a_restart_forgets_none() {
    let mut world = World::new();
    spammed(&mut world, PEOPLE);
    let (engine, dropped) = engine::Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap();
    assert!(!dropped);
    assert!(engine.mailboxes().eq(world.engine.mailboxes()));
    assert_eq!(engine.mailboxes().count(), 1);
}
