//! Bots, early talkers and breakers of the protocol: OFF-18, OFF-19, OFF-20.

use model::observation::{Conduct, Habit};
use model::policy::TrapKind;
use model::{Fact, Offence, PersonHash, Policy, Rdns, Secs, Sensor};

use crate::world::{Host, World, bot, mail, policy, server};

const ADDR: &str = "192.0.2.25";

/// A client does something in a session of its own.
fn does(world: &mut World, host: &Host, habit: Habit) {
    let tag = world.tag();
    let fact = Fact::Conduct(Conduct { client: host.0.clone(), habit });
    let seen = world.observed_by(Sensor::MailLog, tag, fact);
    world.frame(vec![seen]);
}

/// One session a minute under each of so many names, over and over; says how many pass.
fn greets_with(world: &mut World, host: &Host, names: u64, sessions: u64) -> u64 {
    let passed = (0..sessions).filter(|n| {
        world.wait(Secs::MINUTE);
        let host = host.clone().helo(&format!("mx.n{}.example", n % names));
        world.send(&mail(&host, 1000 + n))
    });
    passed.count() as u64
}

#[test]
fn off_20_five_helo_domains_in_ten_sessions_of_an_hour_are_blocked_for_three_days() {
    let mut world = World::new();
    assert_eq!(greets_with(&mut world, &bot(ADDR), 5, 40), 10);
    let filed = world.case(&bot(ADDR));
    assert!(filed.is_for(Offence::Bot));
    assert_eq!(filed.lasts(), Secs(3 * 86_400));
    assert!(!world.side_rows.is_empty());
}

#[test]
fn off_20_two_servers_behind_a_nat_are_left_alone() {
    let (mut world, nat) = (World::new(), server(ADDR));
    for n in 0..60 {
        world.wait(Secs::MINUTE);
        let host = nat.clone().helo(["mx1.example.net", "mx2.example.net"][n % 2]);
        assert!(world.send(&mail(&host, 1000 + n as u64)));
    }
    assert!(world.cases.is_empty());
}

#[test]
fn off_20_a_resolver_that_fails_makes_no_bots() {
    let mut world = World::new();
    assert_eq!(greets_with(&mut world, &server(ADDR).rdns(Rdns::Unknown), 9, 40), 40);
}

#[test]
fn off_20_a_known_server_may_greet_as_it_likes() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 8, 2);
    assert_eq!(greets_with(&mut world, &host, 9, 40), 40);
}

#[test]
fn off_20_localhost_alone_passes_and_with_a_trap_it_is_a_bot_for_three_days() {
    let traps = (1..=3).map(|n| (PersonHash(n), TrapKind::Recycled)).collect();
    let (mut world, host) = (World::under(Policy { traps, ..policy() }), bot(ADDR).helo("localhost"));
    for n in 0..30 {
        assert!(world.send(&mail(&host, 1000 + n)));
    }
    assert!(world.cases.is_empty());
    world.send(&mail(&host, 1));
    assert!(world.case(&host).is_for(Offence::Bot));
    assert_eq!(world.lasts(&host), Secs(3 * 86_400));
}

#[test]
fn d_3_where_a_trap_and_a_bot_come_together_the_later_end_wins() {
    let traps = vec![(PersonHash(1), TrapKind::Pristine)];
    let host = bot(ADDR).helo("localhost");
    let mut world = World::under(Policy { traps: traps.clone(), ..policy() });
    world.send(&mail(&host, 1));
    assert!(world.case(&host).is_for(Offence::Bot));
    assert_eq!(world.lasts(&host), Secs(3 * 86_400));
    // The trap alone: the sentence of its units. A sign of a bot in another session outlasts it.
    let (mut world, host) = (World::under(Policy { traps, ..policy() }), bot(ADDR).helo("pc-7"));
    world.send(&mail(&host, 1));
    assert_eq!(world.lasts(&host), Secs(2 * 3600));
    does(&mut world, &host.clone().helo("localhost"), Habit::EarlyTalk);
    assert_eq!(world.cases_of(&host).len(), 2);
    assert_eq!(world.lasts(&host), Secs(3 * 86_400));
}

#[test]
fn off_18_three_early_talks_in_a_day_block_for_six_hours_and_each_slides() {
    let (mut world, host) = (World::new(), server(ADDR));
    for n in 0..3 {
        assert!(!world.is_blocked(&host), "after {n}");
        does(&mut world, &host, Habit::EarlyTalk);
        world.wait(Secs::HOUR);
    }
    assert!(world.case(&host).is_for(Offence::EarlyTalker));
    assert_eq!(world.lasts(&host), Secs(6 * 3600));
    does(&mut world, &host, Habit::EarlyTalk);
    world.wait(Secs(5 * 3600 + 1800));
    assert!(world.is_blocked(&host));
    world.wait(Secs::HOUR);
    assert!(!world.is_blocked(&host));
}

#[test]
fn off_19_three_kinds_of_faults_in_a_day_block_for_six_hours() {
    let (mut world, host) = (World::new(), server(ADDR));
    for habit in [Habit::Pipelining, Habit::BareLf, Habit::Pipelining] {
        does(&mut world, &host, habit);
        assert!(!world.is_blocked(&host));
    }
    does(&mut world, &host, Habit::UnknownCommand);
    assert!(world.case(&host).is_for(Offence::Protocol));
    assert_eq!(world.lasts(&host), Secs(6 * 3600));
}

#[test]
fn s109_appliances_of_known_servers_may_break_the_protocol() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 8, 2);
    for (_, habit) in Habit::WORDS {
        (0..5).for_each(|_| does(&mut world, &host, habit));
    }
    assert!(world.cases.is_empty());
}

#[test]
fn who_logged_in_is_not_judged_by_his_conduct() {
    let (mut world, mut host) = (World::new(), bot(ADDR));
    host.0.authenticated = true;
    (0..9).for_each(|_| does(&mut world, &host, Habit::EarlyTalk));
    assert!(world.cases.is_empty());
}

#[test]
fn off_20_a_client_with_all_marks_of_a_shipped_family_is_blocked_at_its_first_session() {
    let mut world = World::new();
    let host = bot(ADDR).helo("ylmf-pc");
    assert!(world.send(&mail(&host, 1000)));
    assert!(world.case(&host).is_for(Offence::Bot));
    let named = server("198.51.100.7").helo("ylmf-pc");
    world.send(&mail(&named, 1000));
    assert!(!world.is_blocked(&named), "one mark is none");
}
