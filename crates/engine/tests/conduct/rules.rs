//! Which mail opens a case, and which does not: OFF-1, OFF-2, OFF-9.

use model::policy::{FirstHit, RuleMode, TrapKind};
use model::{Judgement, Name, Offence, PersonHash, Policy, Rdns, Secs};

use crate::world::{Host, Mail, World, bot, mail, policy, server};

const ADDR: &str = "192.0.2.25";

/// How many spams get through from a host that has written nothing else.
fn gets_through(host: &Host) -> u64 {
    World::new().spam(host, 100)
}

fn named(name: &str) -> Rdns {
    Rdns::Confirmed(Name::new(name.as_bytes()))
}

#[test]
fn the_first_spam_blocks_what_looks_like_an_end_users_computer() {
    let looks = [
        bot(ADDR),
        server(ADDR).rdns(Rdns::Mismatch(Name::new(b"mail.example.net"))),
        server(ADDR).rdns(named("192-0-2-25.dsl.example.net")),
        server(ADDR).rdns(named("x25.pool.example.net")),
        server(ADDR).helo("localhost"),
        server(ADDR).helo("192.0.2.25"),
        server(ADDR).helo("[192.0.2.7]"),
        server(ADDR).helo("not a name"),
        server(ADDR).helo("DESKTOP-7"),
        server(ADDR).helo("localhost.localdomain"),
    ];
    for host in looks {
        assert_eq!(gets_through(&host), 1, "{:?}", host.0);
    }
}

#[test]
fn a_well_run_stranger_is_blocked_at_ten_in_an_hour() {
    assert_eq!(gets_through(&server(ADDR)), 10);
    assert_eq!(gets_through(&server(ADDR).rdns(Rdns::Unknown)), 10, "a DNS failure is no opinion");
    assert_eq!(gets_through(&server(ADDR).helo("[192.0.2.25]")), 10, "its own literal is a good greeting");
}

#[test]
fn one_good_message_shields_from_the_first_hit_but_not_from_volume() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.ham(&host, 1);
    // The factor of a host without reverse DNS halves the limit of ten; of ten messages at
    // least six must be spam, and ten there must be.
    assert_eq!(world.spam(&host, 100), 9);
}

#[test]
fn thirty_in_a_day_block_a_stranger_who_stays_below_ten_an_hour() {
    let (mut world, host) = (World::new(), server(ADDR));
    let mut passed = 0;
    for _ in 0..9 {
        passed += world.spam(&host, 4);
        world.wait(Secs::HOUR);
    }
    assert_eq!(passed, 30);
}

#[test]
fn a_stranger_with_less_than_sixty_percent_spam_is_not_blocked() {
    let (mut world, host) = (World::new(), server(ADDR));
    for _ in 0..100 {
        world.spam(&host, 1);
        world.ham(&host, 1);
    }
    assert!(world.cases.is_empty());
}

#[test]
fn spam_to_one_person_alone_is_not_volume() {
    let (mut world, host) = (World::new(), server(ADDR));
    for _ in 0..60 {
        assert!(world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&host, 1) }));
    }
    world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&host, 2) });
    assert!(world.is_blocked(&host), "a second recipient proves it");
}

#[test]
fn a_dump_blocks_a_stranger_whatever_the_share() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.ham(&host, 40);
    // Fifty units a message at most, however many recipients it has.
    let big = Mail { recipients: 200, judged: Some(Judgement::Spam), ..mail(&host, 1) };
    let passed = (0..40).filter(|n| world.send(&Mail { to: *n, ..big.clone() })).count();
    assert_eq!(passed, 10);
}

#[test]
fn a_known_server_has_three_times_the_room() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 8, 2);
    assert_eq!(world.spam(&host, 200), 30);
}

#[test]
fn only_ham_and_no_verdict_open_no_case() {
    let (mut world, host) = (World::new(), bot(ADDR).helo("localhost"));
    world.ham(&host, 50);
    (0..50).for_each(|to| assert!(world.send(&mail(&bot("192.0.2.26"), to))));
    assert!(world.cases.is_empty());
}

#[test]
fn a_network_of_an_ipv6_client_is_one_key() {
    let mut world = World::new();
    assert_eq!(world.spam(&bot("2001:db8:1:2::7"), 1), 1);
    assert!(world.is_blocked(&bot("2001:db8:1:2:ffff::9")));
    assert!(!world.is_blocked(&bot("2001:db8:1:3::7")));
}

#[test]
fn a_rule_that_is_off_or_only_scores_opens_no_case() {
    for mode in [RuleMode::Off, RuleMode::Score, RuleMode::Defer] {
        let mut world = World::under(Policy { modes: vec![(Offence::SpamVolume, mode)], ..policy() });
        assert_eq!(world.spam(&bot(ADDR), 600), 600, "{mode:?}");
        assert!(world.cases.is_empty());
    }
}

#[test]
fn the_first_hit_tier_can_be_turned_off_or_take_everybody() {
    let under = |first_hit| {
        let mut policy = policy();
        policy.volume.first_hit = first_hit;
        World::under(policy)
    };
    assert_eq!(under(FirstHit::Off).spam(&bot(ADDR), 100), 10, "ten messages are the least for a share");
    assert_eq!(under(FirstHit::Everybody).spam(&server(ADDR), 100), 1);
}

/// A world with traps 1 to 60 of one kind.
fn mined(kind: TrapKind) -> World {
    // Not in order: the engine sorts the list when it adopts it.
    let traps = (1..=60).rev().map(|n| (PersonHash(n), kind)).collect();
    World::under(Policy { traps, ..policy() })
}

/// How many of the traps 1 to 60 a host reaches.
fn traps_reached(world: &mut World, host: &Host) -> usize {
    (1..=60).filter(|to| world.send(&mail(host, *to))).count()
}

#[test]
fn three_traps_block_where_the_shape_of_a_message_is_not_seen() {
    assert_eq!(traps_reached(&mut mined(TrapKind::Pristine), &server(ADDR)), 3);
    assert_eq!(traps_reached(&mut mined(TrapKind::Recycled), &server(ADDR)), 3);
    assert_eq!(traps_reached(&mut mined(TrapKind::Pristine), &bot(ADDR)), 3);
}

#[test]
fn one_pristine_trap_blocks_a_host_without_name_that_greets_badly() {
    let host = bot(ADDR).helo("localhost");
    assert_eq!(traps_reached(&mut mined(TrapKind::Pristine), &host), 1);
    assert_eq!(traps_reached(&mut mined(TrapKind::Recycled), &host), 1, "OFF-20");
    let host = bot(ADDR).helo("pc-7");
    assert_eq!(traps_reached(&mut mined(TrapKind::Pristine), &host), 1);
    assert_eq!(traps_reached(&mut mined(TrapKind::Recycled), &host), 3);
    let named = server(ADDR).helo("localhost");
    assert_eq!(traps_reached(&mut mined(TrapKind::Pristine), &named), 3, "its name is confirmed");
}

#[test]
fn the_same_trap_again_is_one_trap() {
    let (mut world, host) = (mined(TrapKind::Pristine), server(ADDR));
    assert!((0..20).all(|_| world.send(&mail(&host, 1))));
}

#[test]
fn an_established_server_may_hit_fifty_traps_unless_its_mail_is_spam() {
    let (mut world, host) = (mined(TrapKind::Pristine), server(ADDR));
    world.befriend(&host, 15, 10);
    // The 150 good messages of a month weigh as much as thirty pristine traps.
    assert_eq!(traps_reached(&mut world, &host), 50);
    let (mut world, host) = (mined(TrapKind::Pristine), server(ADDR));
    world.befriend(&host, 15, 8);
    world.spam(&host, 90);
    assert_eq!(traps_reached(&mut world, &host), 10, "with 30 % of its mail spam, ten are enough");
}

#[test]
fn a_trap_sentence_counts_five_units_a_hit_or_two() {
    for (kind, units) in [(TrapKind::Pristine, 15), (TrapKind::Recycled, 6)] {
        let (mut world, host) = (mined(kind), server(ADDR));
        traps_reached(&mut world, &host);
        assert_eq!(world.case(&host).units(), model::Units::whole(units));
    }
}

#[test]
fn the_second_session_that_greets_with_our_name_blocks_for_a_day() {
    let (mut world, host) = (World::new(), server(ADDR).helo("MX.example.org."));
    assert!(world.send(&mail(&host, 1)));
    assert!(world.send(&mail(&host, 2)));
    assert!(!world.send(&mail(&host, 3)));
    assert_eq!(world.case(&host).lasts(), Secs::DAY);
}

#[test]
fn two_recipients_of_one_session_are_one_greeting() {
    let (mut world, host) = (World::new(), server(ADDR).helo("mx.example.org"));
    let tag = world.tag();
    for to in 1..9 {
        let input = world.observed(tag, mail(&host, to).attempt(model::Answered::Passed));
        world.frame(vec![input]);
    }
    assert!(world.cases.is_empty());
}

#[test]
fn a_login_is_not_judged_by_its_connection() {
    let mut host = bot(ADDR).helo("mx.example.org");
    host.0.authenticated = true;
    assert_eq!(gets_through(&host), 100);
}
