//! What a site learns of strangers, and what nobody can teach it.

use engine::Engine;
use model::{Body, Judgement, Lesson, Name, Rdns, Secs, Subject};

use crate::world::{Host, Mail, PEOPLE, World, mail, server, spam_to};

fn lessons(world: &World) -> Vec<Lesson> {
    let lesson = |body: &Body| match body {
        Body::Learnt(lesson) => Some(lesson.clone()),
        _ => None,
    };
    world.events.iter().filter_map(|event| lesson(&event.body)).collect()
}

/// What was last said of a subject, in quarters of a point.
fn says(world: &World, of: &Subject) -> u8 {
    lessons(world).iter().rev().find(|lesson| lesson.of == *of).map_or(0, |lesson| lesson.quarters)
}

/// A server with a confirmed name that it greets with.
fn named(addr: &str, name: &str) -> Host {
    server(addr).rdns(Rdns::Confirmed(Name::new(name.as_bytes()))).helo(name)
}

fn ham(from: &Host, to: u64) -> Mail<'_> {
    Mail { judged: Some(Judgement::Ham), ..mail(from, to) }
}

/// The `n`th stranger without a name, in a region of its own, that greets with `helo`.
fn nameless(n: u32, helo: &str) -> Host {
    let addr = std::net::Ipv4Addr::from_bits(0x0b00_0000 + (n << 16) + 7);
    server(&addr.to_string()).rdns(Rdns::Missing).helo(helo)
}

/// Good mail of twenty strangers with names.
fn with_friends() -> World {
    let mut world = World::new();
    for n in 0..20 {
        world.send(&ham(&named(&format!("198.51.{n}.1"), &format!("mx.friend{n}.example")), PEOPLE));
    }
    world
}

#[test]
fn a_network_of_three_organisations_that_only_spam_is_learned_and_good_mail_takes_it_back() {
    let mut world = World::new();
    let network = Subject::Network("192.0.2.0/24".parse().unwrap());
    for (n, name) in ["a.one.example", "b.two.example", "c.three.example"].iter().enumerate() {
        world.send(&spam_to(&named(&format!("192.0.2.{n}"), name), PEOPLE));
    }
    assert!(says(&world, &network) > 0, "{:?}", lessons(&world));
    world.send(&ham(&named("192.0.2.9", "mx.good.example"), PEOPLE));
    assert_eq!(says(&world, &network), 0);
}

#[test]
fn a_site_that_knows_good_strangers_learns_which_looks_never_are() {
    let mut world = with_friends();
    for n in 0..40 {
        world.send(&spam_to(&nameless(n, &format!("h{n}.sender{n}.example")), PEOPLE));
    }
    let look = lessons(&world).into_iter().find(|lesson| matches!(lesson.of, Subject::Look(_))).unwrap().of;
    assert_eq!(says(&world, &look), 8);
    world.send(&ham(&nameless(60, "mail.small.example"), PEOPLE));
    assert_eq!(says(&world, &look), 0, "a small server without a name is good");
}

#[test]
fn a_key_teaches_once_however_much_it_sends() {
    let mut world = with_friends();
    let one = nameless(3, "h.sender.example");
    for n in 0..200 {
        world.send(&Mail { exempt: true, ..spam_to(&one, PEOPLE + n) });
    }
    assert_eq!(lessons(&world), []);
}

#[test]
fn bots_that_borrow_a_bank_s_name_teach_nothing_of_its_own_servers() {
    let mut world = with_friends();
    for n in 0..9 {
        world.send(&spam_to(&nameless(n, "mx.bank.example"), PEOPLE));
    }
    assert!(says(&world, &Subject::Greeting(Name::new(b"bank.example"))) > 0);
    assert_eq!(says(&world, &Subject::Names(Name::new(b"bank.example"))), 0);
    world.send(&ham(&named("203.0.113.9", "mx7.bank.example"), PEOPLE));
    assert_eq!(says(&world, &Subject::Greeting(Name::new(b"bank.example"))), 0);
}

#[test]
fn whoever_forges_reverse_dns_names_of_a_firm_teaches_nothing_of_its_servers() {
    let mut world = with_friends();
    for n in 0..9 {
        let forged = Rdns::Mismatch(Name::new(format!("a{n}.victim.example").as_bytes()));
        world.send(&spam_to(&nameless(n, "mx.other.example").rdns(forged), PEOPLE));
    }
    assert_eq!(says(&world, &Subject::Names(Name::new(b"victim.example"))), 0);
}

#[test]
fn what_was_learned_outlives_a_restart() {
    let mut world = World::new();
    for (n, name) in ["a.one.example", "b.two.example"].iter().enumerate() {
        world.send(&spam_to(&named(&format!("192.0.2.{n}"), name), PEOPLE));
    }
    world.engine = Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
    world.send(&spam_to(&named("192.0.2.7", "c.three.example"), PEOPLE));
    assert!(says(&world, &Subject::Network("192.0.2.0/24".parse().unwrap())) > 0);
}

/// After a change of windows the engine knows nothing of what answers still follow.
#[test]
fn lessons_that_outlived_the_windows_are_taken_back_by_an_order_and_learned_anew() {
    let mut world = World::new();
    let network = Subject::Network("192.0.2.0/24".parse().unwrap());
    let spam = |world: &mut World, from: u64| {
        for (n, name) in (from..).zip(["a.one.example", "b.two.example", "c.three.example"]) {
            world.send(&spam_to(&named(&format!("192.0.2.{n}"), name), PEOPLE));
        }
    };
    spam(&mut world, 0);
    let mut checkpoint = world.engine.to_checkpoint();
    checkpoint[2] += 1;
    let (engine, dropped) = Engine::from_checkpoint(&checkpoint).unwrap();
    assert!(dropped);
    world.engine = engine;
    world.send(&ham(&named("192.0.2.9", "mx.good.example"), PEOPLE));
    assert!(says(&world, &network) > 0, "good mail can not take back what nobody knows");
    world.order(model::Order::Unlearn(vec![network.clone()])).unwrap();
    assert_eq!(says(&world, &network), 0);
    world.wait(Secs::DAY);
    spam(&mut world, 20);
    assert!(says(&world, &network) > 0, "what was forgotten on both sides is learned like new");
}

#[test]
fn strangers_of_a_learnt_look_that_were_let_in_measure_it() {
    let mut world = with_friends();
    let measured = |world: &World| world.engine.let_in();
    for n in 0..40 {
        world.send(&spam_to(&nameless(n, &format!("h{n}.sender{n}.example")), PEOPLE));
    }
    let learning = measured(&world);
    assert!(learning.judged < 40, "before a look weighs, nobody of it measures it");
    assert_eq!(learning.good, 0);
    world.send(&spam_to(&nameless(50, "h50.sender50.example"), PEOPLE));
    world.send(&ham(&nameless(60, "mail.small.example"), PEOPLE));
    let expect = engine::LetIn { judged: learning.judged + 2, good: 1 };
    assert_eq!(measured(&world), expect);
    world.engine = Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
    assert_eq!(measured(&world), expect);
    // The good one took the lesson back: the next of its look measures nothing.
    world.send(&ham(&nameless(61, "mail.other.example"), PEOPLE));
    assert_eq!(measured(&world), expect);
}
