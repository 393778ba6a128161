//! Mailboxes that get only spam: who is one, who never is, and who hears of it.

use model::policy::TrapKind;
use model::{Fact, Judgement, Millis, PersonHash, Policy, Secs, Sent};

use crate::world::{Host, Mail, World, mail, nth_server, policy, spam_to};

/// Nobody's address: those of the others begin at 1000.
const OLD: u64 = 900;

/// A site at which others get wanted mail.
fn site(policy: Policy) -> World {
    let mut world = World::under(policy);
    assert_eq!(world.ham(&stranger(200), 100), 100);
    world
}

/// Forty servers of different networks send spam to one person, on eight days.
fn spammed(world: &mut World, to: u64) {
    for n in 0..40 {
        world.send(&spam_to(&stranger(n), to));
        world.wait(Secs(8 * 86_400 / 40));
    }
}

fn stranger(n: u32) -> Host {
    nth_server(n << 16)
}

fn told(world: &World, to: u64) -> Vec<Millis> {
    world.mailboxes.iter().filter(|news| u64::from(news.who) == to).map(|news| news.until).collect()
}

fn holds(world: &World, to: u64) -> bool {
    told(world, to).last().is_some_and(|until| *until > world.now)
}

#[test]
fn those_who_answer_hear_of_a_mailbox_once_and_no_event_tells_of_it() {
    let mut world = site(policy());
    spammed(&mut world, OLD);
    assert_eq!(told(&world, OLD).len(), 1);
    assert!(holds(&world, OLD));
    // Events hold no fragment of the person's hash: what is told is told beside them.
    let known = world.engine.mailboxes().map(|news| u64::from(news.who)).collect::<Vec<_>>();
    assert_eq!(known, [OLD]);
    let bytes = world.events.iter().flat_map(|event| event.seal().bytes).collect::<Vec<u8>>();
    let person = [0x19, 0x03, 0x84];
    assert_eq!(model::event::cbor(&PersonHash(OLD)), person);
    assert!(!bytes.windows(3).any(|part| part == person));
}

#[test]
fn a_wanted_message_takes_it_back() {
    let mut world = site(policy());
    spammed(&mut world, OLD);
    world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&stranger(90), OLD) });
    assert!(!holds(&world, OLD));
    spammed(&mut world, OLD);
    assert!(!holds(&world, OLD));
}

#[test]
fn whose_owner_writes_is_used() {
    let mut world = site(policy());
    let sent = Sent { sender: Some(PersonHash(OLD)), recipient: PersonHash(9), domain: None };
    world.send(&spam_to(&stranger(0), OLD));
    let (tag, fact) = (world.tag(), Fact::Sent(sent));
    world.frame(vec![world.observed(tag, fact)]);
    spammed(&mut world, OLD);
    assert_eq!(told(&world, OLD), []);
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
    let mut world = site(policy());
    for _ in 0..200 {
        world.send(&Mail { exempt: true, ..spam_to(&stranger(1), OLD) });
        world.wait(Secs::HOUR);
    }
    assert_eq!(told(&world, OLD), []);
}

#[test]
fn a_restart_forgets_none() {
    let mut world = site(policy());
    spammed(&mut world, OLD);
    let (engine, dropped) = engine::Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap();
    assert!(!dropped);
    assert!(engine.mailboxes().eq(world.engine.mailboxes()));
    assert_eq!(engine.mailboxes().count(), 1);
}
