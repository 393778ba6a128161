//! Domains that a person blocked: cases like those of networks, in a book of their own.

use engine::{CommandError, Engine, Kept};
use model::{
    Actor, BlockKind, Body, CaseId, Entry, EventId, Input, Key, Millis, Mode, Name, Order, Policy, Record,
    Secs,
};

use crate::world::{World, policy};

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn block(world: &mut World, domain: &str, lasts: Secs) -> Result<Vec<CaseId>, CommandError> {
    world.order(Order::Block(key(domain), BlockKind::Rbl, lasts))
}

/// What the ledger says of a case: its kinds of events with their modes.
fn told(world: &World, case: CaseId) -> Vec<(&'static str, Mode)> {
    let word = |body: &Body| match body {
        Body::CaseOpened(_) => "opened",
        Body::CaseLifted(_) => "lifted",
        Body::CaseEnded(_) => "ended",
        Body::CaseResentenced(_) => "resentenced",
        other => panic!("{other:?}"),
    };
    let own = world.events.iter().filter(|event| event.case == Some(case));
    own.map(|event| (word(&event.body), event.mode)).collect()
}

#[test]
fn a_person_blocks_a_domain_and_it_ends_by_itself() {
    let mut world = World::new();
    let case = block(&mut world, "Spam.Example.", Secs::DAY).unwrap()[0];
    let event = world.events.last().unwrap().clone();
    assert_eq!((event.key, event.actor), (Some(key("spam.example")), Actor::Operator));
    let Body::CaseOpened(opened) = event.body else { panic!("no case was opened") };
    assert_eq!((opened.until, opened.units.len()), (world.now.plus(Secs::DAY), 0));
    world.wait(Secs::DAY);
    assert_eq!(told(&world, case), [("opened", Mode::Live), ("ended", Mode::Live)]);
    assert_eq!(world.engine.running(), 0);
}

#[test]
fn a_domain_is_blocked_once_and_longer_when_a_person_says_so() {
    let mut world = World::new();
    let case = block(&mut world, "spam.example", Secs::DAY).unwrap()[0];
    assert_eq!(block(&mut world, "spam.example", Secs::HOUR), Err(CommandError::AlreadyBlocked(case)));
    assert!(block(&mut world, "spam.example", Secs::DAY.times(2)).is_ok());
    assert!(block(&mut world, "mail.spam.example", Secs::HOUR).is_ok(), "a name below is another");
}

#[test]
fn a_lift_by_case_or_by_name_ends_it_at_once() {
    let mut world = World::new();
    let one = block(&mut world, "one.example", Secs::DAY).unwrap();
    let two = block(&mut world, "two.example", Secs::DAY).unwrap();
    assert_eq!(world.order(Order::LiftCase(one[0], false)).unwrap(), one);
    assert_eq!(world.order(Order::LiftKey(key("two.example"), true)).unwrap(), two);
    let last = world.events.last().unwrap();
    assert!(matches!(last.body, Body::KeyLifted(_)), "it beats blocks of other hosts: {last:?}");
    assert_eq!(world.order(Order::LiftCase(one[0], false)), Err(CommandError::NoSuchCase(one[0])));
    assert_eq!(told(&world, two[0]), [("opened", Mode::Live), ("lifted", Mode::Live)]);
    world.wait(Secs::DAY);
    assert_eq!(told(&world, one[0]).len(), 2, "what was lifted does not end once more");
}

#[test]
fn an_operator_s_end_is_the_end() {
    let mut world = World::new();
    let case = block(&mut world, "spam.example", Secs::DAY).unwrap()[0];
    world.order(Order::Resentence(case, world.now.plus(Secs::HOUR))).unwrap();
    world.wait(Secs::HOUR);
    let expect = ["opened", "resentenced", "ended"].map(|word| (word, Mode::Live));
    assert_eq!(told(&world, case), expect);
}

#[test]
fn panic_lifts_what_rules_opened_and_no_entry_of_a_person() {
    let mut world = World::new();
    let case = block(&mut world, "spam.example", Secs::DAY).unwrap()[0];
    assert_eq!(world.order(Order::Panic(Millis(0))).unwrap(), []);
    assert_eq!(told(&world, case), [("opened", Mode::Live)]);
}

#[test]
fn enforcing_begins_with_no_domain_blocked() {
    let mut world = World::under(Policy { learn_first: true, ..policy() });
    let case = block(&mut world, "spam.example", Secs::DAY).unwrap()[0];
    assert_eq!(world.order(Order::SetMode(Mode::Live)).unwrap(), [case]);
    assert_eq!(told(&world, case), [("opened", Mode::Shadow), ("lifted", Mode::Shadow)]);
}

#[test]
fn a_null_route_a_record_and_holes_are_no_affair_of_domains() {
    let mut world = World::new();
    let null_route = world.order(Order::Block(key("spam.example"), BlockKind::NullRoute, Secs::DAY));
    assert_eq!(null_route, Err(CommandError::NoRoute("spam.example".parse().unwrap())));
    let entry = |record, spares_good| {
        let (key, kind) = (key("spam.example"), BlockKind::Rbl);
        Order::Enter(Box::new(Entry { key, kind, lasts: Secs::DAY, even_so: true, spares_good, record }))
    };
    let record = Record { number: None, evidence: 1, decision: false };
    assert_eq!(world.order(entry(Some(record), false)), Err(CommandError::OfNetworks));
    assert_eq!(world.order(entry(None, true)), Err(CommandError::OfNetworks));
    assert_eq!(world.order(entry(None, false)).unwrap().len(), 1);
    let at = world.order(Order::Block(key("spam.example@192.0.2.1"), BlockKind::Rbl, Secs::DAY));
    assert!(matches!(at, Err(CommandError::NotANet(_))));
}

#[test]
fn what_is_ours_what_many_share_and_public_suffixes_can_not_be_blocked() {
    let own = |name: &[u8]| vec![Name::new(name)];
    let mut world = World::under(Policy {
        our_names: own(b"mx.example.org"),
        our_domains: Some(own(b"news.example.net")),
        shared: own(b"out.pool.example"),
        ..policy()
    });
    let mut refused = |domain: &str| match block(&mut world, domain, Secs::DAY) {
        Err(CommandError::Kept(_, why)) => Some(why),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    };
    let ours = |name: &[u8]| Some(Kept::Ours(Name::new(name)));
    for (domain, why) in [
        ("mx.example.org", ours(b"mx.example.org")),
        ("example.org", ours(b"mx.example.org")),
        ("deep.news.example.net", ours(b"news.example.net")),
        ("other.example.net", None),
        ("pool.example", Some(Kept::Shared(Name::new(b"out.pool.example")))),
        ("customer.out.pool.example", None),
        ("google.com", Some(Kept::Shared(Name::new(b"google.com")))),
        ("co.uk", Some(Kept::PublicSuffix)),
        ("blogspot.com", Some(Kept::PublicSuffix)),
        ("shop.blogspot.com", None),
    ] {
        assert_eq!(refused(domain), why, "{domain}");
    }
}

#[test]
fn what_a_new_policy_calls_ours_is_blocked_no_longer() {
    let mut world = World::new();
    let case = block(&mut world, "news.example.net", Secs::DAY).unwrap()[0];
    let other = block(&mut world, "spam.example", Secs::DAY).unwrap()[0];
    let policy = Policy { our_domains: Some(vec![Name::new(b"example.net")]), ..policy() };
    world.frame(vec![engine::policy_input(&policy)]);
    assert_eq!(told(&world, case), [("opened", Mode::Live), ("lifted", Mode::Live)]);
    assert_eq!(told(&world, other), [("opened", Mode::Live)]);
}

/// ADV-13: so many ends at once are more likely a wrong clock.
#[test]
fn adv_13_many_ends_of_domains_wait_for_a_second_frame() {
    let mut world = World::new();
    for n in 0..60 {
        block(&mut world, &format!("d{n}.example"), Secs::DAY).unwrap();
    }
    world.wait(Secs::DAY);
    assert_eq!(world.engine.running(), 60);
    world.frame(vec![Input::Tick(world.now, 0)]);
    assert_eq!(world.engine.running(), 0);
}

#[test]
fn a_domain_s_block_survives_a_checkpoint() {
    let mut world = World::new();
    let case = block(&mut world, "spam.example", Secs::DAY).unwrap()[0];
    let bytes = world.engine.to_checkpoint();
    world.engine = Engine::from_checkpoint(&bytes).unwrap().0;
    assert_eq!(world.engine.to_checkpoint(), bytes);
    world.wait(Secs::DAY);
    assert_eq!(told(&world, case).last().unwrap().0, "ended");
}

#[test]
fn domains_are_bounded_and_one_that_ends_makes_room() {
    let mut world = World::new();
    let orders = (0..10_000).map(|n| {
        let order = Order::Block(key(&format!("d{n}.example")), BlockKind::Rbl, Secs::DAY);
        let (actor, at, note) = (Actor::Operator, world.now, None);
        Input::Command(model::Command { id: n, at, actor, note, order })
    });
    world.frame(orders.collect());
    assert_eq!(block(&mut world, "more.example", Secs::DAY), Err(CommandError::TooManyDomains));
    let first = CaseId(EventId { seq: 1, ..world.events[0].id });
    world.order(Order::LiftCase(first, false)).unwrap();
    assert!(block(&mut world, "more.example", Secs::DAY).is_ok());
}
