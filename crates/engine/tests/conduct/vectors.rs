//! Vectors of REQUIREMENTS A.4 for lists that older services kept: when a server is on one, and
//! when it is off again. How long is tested under `expiry = "reference"`, which ends a block
//! as the list did (DESIGN §8, ‘One end per block’).

use model::content::Shape;
use model::policy::TrapKind;
use model::{
    Content, Fact, Judgement, Millis, Name, Offence, PersonHash, Policy, Rdns, Secs, Sensor, Verdict, Vote,
};

use crate::world::{Host, Mail, PEOPLE, World, mail, nth_server, policy, server, shaped};

const ADDR: &str = "192.0.2.25";

/// A site with traps 1 to 60 whose blocks end as the lists did.
fn reference() -> Policy {
    let traps = (1..=60).map(|n| (PersonHash(n), TrapKind::Pristine)).collect();
    Policy { traps, reference: Some(vec![Offence::Trap, Offence::Reports]), ..policy() }
}

fn in_use(world: &World) -> bool {
    world.engine.policy().reference.is_some()
}

/// Hits so many traps, from the number `from` on, while it may; says how many it reached.
fn hits(world: &mut World, host: &Host, from: u64, n: u64) -> usize {
    (from..from + n).filter(|to| world.show(&mail(host, *to), shaped(Shape::default()))).count()
}

fn generic() -> Host {
    server(ADDR).rdns(Rdns::Confirmed(Name::new(b"192-0-2-25.dsl.example.net")))
}

/// When the newest block of a host ends, from `since` on.
fn ends(world: &World, host: &Host, since: Millis) -> Secs {
    world.cases[&world.newest(host)].case.until().since(since)
}

#[test]
fn a_4_trap_l1_a_server_with_a_generic_name_is_listed_by_one_hit() {
    let mut world = World::under(reference());
    assert_eq!(hits(&mut world, &generic(), 1, 9), 1);
    assert!(world.case(&generic()).is_for(Offence::Trap));
    assert_eq!(world.lasts(&generic()), Secs::DAY.times(7));
}

#[test]
fn a_4_trap_l1_nine_traps_do_not_list_an_established_server_and_fifty_list_it() {
    let (mut world, host) = (World::under(reference()), server(ADDR));
    world.befriend(&host, 15, 8);
    world.spam(&host, 90);
    assert_eq!(hits(&mut world, &host, 1, 9), 9);
    assert!(world.cases.is_empty());
    let (mut world, host) = (World::under(reference()), server(ADDR));
    world.befriend(&host, 15, 10);
    assert_eq!(hits(&mut world, &host, 1, 60), 50, "whatever its mail is, fifty are enough");
    assert!(world.is_blocked(&host));
}

#[test]
fn a_4_trap_l1_a_hit_on_the_sixth_day_makes_seven_days_anew() {
    let (mut world, host) = (World::under(reference()), generic());
    hits(&mut world, &host, 1, 1);
    world.wait(Secs::DAY.times(6));
    // It is refused; that it tried a trap is a hit all the same.
    assert_eq!(hits(&mut world, &host, 2, 1), 0);
    world.wait(Secs::MINUTE);
    let (hit, now) = (world.now.minus(Secs::MINUTE), world.now);
    assert_eq!(ends(&world, &host, hit), Secs::DAY.times(7));
    // A retry of the same message is none, nor is other mail.
    hits(&mut world, &host, 2, 1);
    world.attempts(&host, 5, 2);
    world.wait(Secs(7 * 86_400 - 60));
    assert!(!world.is_blocked(&host), "{:?}", ends(&world, &host, now));
}

#[test]
fn a_4_trap_l1_by_units_a_refused_hit_is_a_quarter_of_a_unit() {
    let shipped = Policy { reference: None, ..reference() };
    let (mut world, host) = (World::under(shipped), generic());
    hits(&mut world, &host, 1, 1);
    assert!(world.lasts(&host) < Secs::DAY);
    let end = ends(&world, &host, world.now);
    hits(&mut world, &host, 2, 1);
    world.wait(Secs::MINUTE);
    assert!(ends(&world, &host, world.now) <= end, "it does not slide");
}

/// A site whose people, 0 to 99, have had mailboxes for a month, under the option.
fn reported() -> World {
    let mut world = crate::reports::settled();
    let reference = Policy { reference: Some(vec![Offence::Reports]), ..policy() };
    world.frame(vec![engine::policy_input(&reference)]);
    assert!(in_use(&world));
    world
}

/// One person reports a message about which the filter had its doubts.
fn doubted(world: &mut World, host: &Host, who: u64) {
    let queue = world.deliver(host, who, None, Content::default());
    let source = Name::new(b"rspamd");
    let ham = Verdict { queue: Some(queue), judgement: Judgement::Ham, score: Some(450), source };
    world.frame(vec![world.observed_by(Sensor::Filter, 0, Fact::Verdict(ham))]);
    world.report(who, queue, 1, Vote::Junk);
}

/// The filter's mark is known by one spam that just reached it.
fn marked(world: &mut World) {
    let queue = world.deliver(&nth_server(7), 99, None, Content::default());
    let spam = Verdict {
        queue: Some(queue),
        judgement: Judgement::Spam,
        score: Some(600),
        source: Name::new(b"rspamd"),
    };
    world.frame(vec![world.observed_by(Sensor::Filter, 0, Fact::Verdict(spam))]);
}

#[test]
fn a_4_reports_fifty_of_one_person_list_nobody() {
    let (mut world, host) = (reported(), server(ADDR));
    for _ in 0..50 {
        let queue = world.deliver(&host, 0, None, Content::default());
        world.report(0, queue, 1, Vote::Junk);
    }
    assert!(world.cases.is_empty());
}

#[test]
fn a_4_reports_of_two_list_for_twelve_hours() {
    let (mut world, host) = (reported(), server(ADDR));
    marked(&mut world);
    (0..2).for_each(|who| doubted(&mut world, &host, who));
    assert!(world.case(&host).is_for(Offence::Reports));
    assert_eq!(world.lasts(&host), Secs::HOUR.times(12));
    world.wait(Secs::HOUR.times(12));
    assert!(!world.is_blocked(&host));
}

#[test]
fn a_4_reports_of_three_list_until_a_day_after_the_last() {
    let (mut world, host) = (reported(), server(ADDR));
    assert_eq!(world.junk(&host, 0..9, Shape::default()), 3);
    assert_eq!(world.lasts(&host), Secs::DAY);
    // A third report of what two reported before makes a day of the half one.
    let (mut world, host) = (reported(), server(ADDR));
    marked(&mut world);
    let early = world.deliver(&host, 5, None, Content::default());
    (0..2).for_each(|who| doubted(&mut world, &host, who));
    world.wait(Secs::HOUR.times(6));
    world.report(5, early, 1, Vote::Junk);
    world.wait(Secs::MINUTE);
    assert_eq!(ends(&world, &host, world.now.minus(Secs::MINUTE)), Secs::DAY);
}

#[test]
fn a_4_reports_of_three_do_not_outweigh_much_good_mail() {
    let (mut world, host) = (reported(), server(ADDR));
    for day in 0..7u64 {
        for n in 0..50u64 {
            let mail = Mail { judged: Some(Judgement::Ham), ..mail(&host, PEOPLE + (n + day) % 10) };
            assert!(world.send(&mail));
        }
        world.wait(Secs::DAY);
    }
    assert_eq!(world.junk(&host, 0..3, Shape::default()), 3);
    assert!(world.cases.is_empty(), "two percent of its good mail are seven reports");
}
