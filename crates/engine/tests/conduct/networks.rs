//! OFF-22 and OFF-23: networks and providers many of whose servers are blocked.

use engine::networks::{Why, is_over, tenths_per_hundred_thousand};
use engine::{Alarm, Engine};
use model::atlas::Draft;
use model::event::NetworkNews;
use model::finding::Measure;
use model::policy::{NetworkRule, RuleMode};
use model::{Atlas, Body, Input, Millis, Mode, Offence, Order, Policy, Prefix, Secs};

use std::sync::Arc;

use crate::world::{Filed, Host, START, World, bot, mail, policy, server, spam_to};

/// Two servers of a /25, five of a /24 … lie in 11.0.0.0/8: nobody's documentation prefix is
/// wide enough.
fn net(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// The rule blocks.
fn blocking() -> Policy {
    with_mode(Offence::PrefixEscalation, RuleMode::Block)
}

fn with_mode(offence: Offence, mode: RuleMode) -> Policy {
    Policy { modes: vec![(offence, mode)], ..policy() }
}

/// The `n`th address of a network, on a stride that spreads over all of it.
fn nth(network: Prefix, n: u32, of: u32) -> Host {
    let Prefix::V4(first, bits) = network else { panic!("expected IPv4") };
    let size = 1_u32 << (32 - bits);
    bot(&std::net::Ipv4Addr::from_bits(first + n * (size / of.next_power_of_two()) + 1).to_string())
}

/// Blocks so many servers of a network, on three days.
fn block_many(world: &mut World, network: Prefix, n: u32, of: u32) {
    for i in 0..n {
        if i == n / 3 || i == n * 2 / 3 || n == 2 {
            world.wait(Secs::DAY);
        }
        world.spam(&nth(network, i, of), 1);
    }
}

fn cases_of(world: &World, network: Prefix) -> Vec<&Filed> {
    world.cases.values().filter(|filed| filed.key == network).collect()
}

fn fact(filed: &Filed, measure: Measure) -> u64 {
    let facts = &filed.case.opened.as_ref().unwrap().facts;
    facts.iter().find(|(known, _)| *known == measure).unwrap().1
}

/// What becomes of a network with so many blocked servers: blocked, proposed or nothing.
#[track_caller]
fn check(network: &str, keys: u32, expect: &str) {
    let (mut world, network) = (World::under(blocking()), net(network));
    // Two more days and an offence more than are asked for, by a host outside.
    block_many(&mut world, network, keys, 128);
    let proposed = world.engine.proposals().iter().any(|(known, _)| *known == network);
    let got = match world.against(network, Mode::Live) {
        Some(_) => "blocked",
        None if proposed => "proposed",
        None => "nothing",
    };
    assert_eq!(got, expect, "{network} with {keys}");
}

#[test]
fn off_22_a_4_a_network_is_one_from_so_many_blocked_servers_on() {
    check("11.0.0.0/24", 4, "nothing");
    check("11.0.0.0/24", 5, "blocked");
    for (network, limit) in [
        ("11.0.0.0/23", 9),
        ("11.0.0.0/22", 14),
        ("11.0.0.0/21", 24),
        ("11.0.0.0/20", 39),
        ("11.0.0.0/19", 64),
    ] {
        check(network, limit, "nothing");
        check(network, limit + 1, "proposed");
    }
}

#[test]
fn off_22_two_servers_of_a_slash_25_are_enough_on_three_days_or_for_two_offences() {
    let mut world = World::under(blocking());
    let (one, two) = (bot("11.0.0.1"), bot("11.0.0.2"));
    world.spam(&one, 1);
    world.spam(&two, 1);
    assert!(cases_of(&world, net("11.0.0.0/25")).is_empty(), "one day, one offence");
    // Another offence: it greets twice with our name.
    for to in 0..2 {
        world.send(&mail(&bot("11.0.0.3").helo("mx.example.org"), to));
    }
    let filed = cases_of(&world, net("11.0.0.0/25"));
    assert_eq!(filed.len(), 1);
    assert_eq!(fact(filed[0], Measure::NetworkOffences), 2);
    assert!(cases_of(&world, net("11.0.0.0/24")).is_empty());
    assert!(cases_of(&world, net("11.0.0.128/25")).is_empty());
}

#[test]
fn off_22_the_page_says_how_many_and_not_who() {
    let mut world = World::under(blocking());
    block_many(&mut world, net("11.0.0.0/24"), 5, 8);
    let filed = cases_of(&world, net("11.0.0.0/24"))[0];
    let numbers = [Measure::NetworkKeys, Measure::LimitNetworkKeys, Measure::NetworkDays];
    assert_eq!(numbers.map(|m| fact(filed, m)), [5, 5, 3]);
    assert!(filed.is_for(Offence::PrefixEscalation) && filed.units() == model::Units::ZERO);
    assert_eq!(filed.case.opened.as_ref().unwrap().kind, model::BlockKind::Rbl);
}

#[test]
fn off_22_it_ends_when_there_are_too_few_again() {
    let mut world = World::under(blocking());
    let network = net("11.0.0.0/24");
    block_many(&mut world, network, 5, 8);
    let until = cases_of(&world, network)[0].case.until();
    // The fifth newest is the oldest: seven days after it there are four.
    assert_eq!(until.since(START), Secs(7 * 86_400 + 1));
    world.wait(until.since(world.now));
    assert_eq!(world.against(network, Mode::Live), None);
    let ended =
        |e: &model::Envelope| matches!(e.body, Body::CaseEnded(_)) && e.key == Some(model::Key::Net(network));
    assert_eq!(world.count(ended), 1);
}

#[test]
fn off_22_more_blocks_keep_it_and_lifts_of_its_members_end_it() {
    let mut world = World::under(blocking());
    let network = net("11.0.0.0/24");
    block_many(&mut world, network, 5, 8);
    let first = cases_of(&world, network)[0].case.until();
    world.spam(&bot("11.0.0.250"), 1);
    world.wait(Secs::MINUTE);
    assert!(cases_of(&world, network)[0].case.until() > first, "the sixth moves the end");
    world.order(Order::LiftKey(model::Key::Net(net("11.0.0.250")), false)).unwrap();
    assert!(world.against(network, Mode::Live).is_some(), "five are left");
    world.order(Order::LiftKey(model::Key::Net(net("11.0.0.1")), true)).unwrap();
    assert_eq!(world.against(network, Mode::Live), None, "four are too few");
    assert!(cases_of(&world, network)[0].case.lifted.is_some());
}

#[test]
fn off_22_what_an_operator_lifted_comes_back_by_new_blocks_alone() {
    let mut world = World::under(blocking());
    let network = net("11.0.0.0/24");
    block_many(&mut world, network, 5, 8);
    world.order(Order::LiftKey(model::Key::Net(network), false)).unwrap();
    world.spam(&bot("11.0.0.250"), 1);
    assert_eq!(world.against(network, Mode::Live), None);
}

#[test]
fn off_22_a_good_neighbour_is_a_hole_and_a_later_one_as_well() {
    let mut world = World::under(blocking());
    let (network, good) = (net("11.0.0.0/24"), server("11.0.0.99"));
    world.befriend(&good, 20, 10);
    block_many(&mut world, network, 5, 8);
    let filed = cases_of(&world, network)[0];
    assert_eq!(filed.case.holes, [good.key()]);
    assert!(filed.case.spares(good.0.addr) && !filed.case.spares("11.0.0.98".parse().unwrap()));
    assert_eq!([Measure::NetworkHoles, Measure::NetworkGoodMail].map(|m| fact(filed, m)), [1, 0]);
    // Somebody let it in: it was not blocked itself.
    let later = server("11.0.0.120");
    world.ham(&later, 1);
    let holes: Vec<Prefix> = cases_of(&world, network)[0].case.holes.clone();
    assert_eq!(holes, [good.key(), later.key()]);
}

#[test]
fn off_22_an_operator_takes_one_server_out_of_the_block_of_its_network() {
    let mut world = World::under(blocking());
    let network = net("11.0.0.0/24");
    block_many(&mut world, network, 5, 8);
    world.order(Order::Protect(net("11.0.0.77"), true)).unwrap();
    let filed = cases_of(&world, network)[0];
    assert!(filed.case.lifted.is_none() && filed.case.holes == [net("11.0.0.77")]);
    // What is protected, declared or inside a wider protected network before it begins, too.
    let relays = vec![net("11.0.0.66")];
    let mut world = World::under(Policy { relays, protected: vec![net("11.0.0.70/31")], ..blocking() });
    block_many(&mut world, network, 5, 8);
    assert_eq!(cases_of(&world, network)[0].case.holes, [net("11.0.0.66"), net("11.0.0.70/31")]);
    let mut world = World::under(Policy { protected: vec![net("11.0.0.0/16")], ..blocking() });
    block_many(&mut world, network, 5, 8);
    assert!(world.cases.is_empty());
}

#[test]
fn m_8_good_mail_of_a_bad_server_makes_it_a_proposal_unless_the_budget_allows_it() {
    let story = |budget| {
        let networks = NetworkRule { good_mail_max: budget };
        let mut world = World::under(Policy { networks, ..blocking() });
        // A server that sent good mail and then was taken over.
        let taken = server("11.0.0.99");
        world.ham(&taken, 4);
        world.spam(&taken, 30);
        assert!(world.is_blocked(&taken));
        block_many(&mut world, net("11.0.0.0/24"), 5, 8);
        world
    };
    let world = story(3);
    assert!(cases_of(&world, net("11.0.0.0/24")).is_empty());
    let proposal = world.engine.proposals().into_iter().find(|(n, _)| *n == net("11.0.0.0/24")).unwrap().1;
    assert_eq!((proposal.why, proposal.good, proposal.keys), (Why::GoodMail, 4, 6));
    assert!(world.alarms.contains(&Alarm::NetworkProposed));
    let world = story(4);
    assert_eq!(fact(cases_of(&world, net("11.0.0.0/24"))[0], Measure::NetworkGoodMail), 4);
    assert!(world.engine.proposals().is_empty(), "what is blocked is not proposed");
}

#[test]
fn off_22_a_proposal_goes_with_its_reason() {
    let mut world = World::under(blocking());
    block_many(&mut world, net("11.0.0.0/23"), 10, 16);
    assert_eq!(world.engine.proposals().len(), 1);
    world.wait(Secs(6 * 86_400));
    assert_eq!(world.engine.proposals().len(), 0);
}

#[test]
fn off_22_ships_in_shadow_and_rests_while_the_site_learns() {
    let mut world = World::new();
    block_many(&mut world, net("11.0.0.0/24"), 5, 8);
    assert!(world.against(net("11.0.0.0/24"), Mode::Shadow).is_some());
    assert_eq!(world.against(net("11.0.0.0/24"), Mode::Live), None);
    assert!(world.send(&spam_to(&bot("11.0.0.200"), 1)), "a neighbour is served");
    let mut world = World::under(Policy { learn_first: true, ..policy() });
    block_many(&mut world, net("11.0.0.0/24"), 5, 8);
    assert!(cases_of(&world, net("11.0.0.0/24")).is_empty());
    let mut world = World::under(Policy { learn_first: true, ..blocking() });
    block_many(&mut world, net("11.0.0.0/24"), 5, 8);
    assert!(world.against(net("11.0.0.0/24"), Mode::Shadow).is_some(), "what enforce would block");
    world.order(Order::SetMode(Mode::Live)).unwrap();
    world.spam(&bot("11.0.0.250"), 1);
    assert!(cases_of(&world, net("11.0.0.0/24")).len() == 1, "what was learnt counts no more");
}

#[test]
fn adv_12_a_slash_48_is_blocked_before_forty_of_its_slash_64_sent_spam() {
    let mut world = World::under(blocking());
    let host = |n: u32| bot(&format!("2001:db8:7:{n:x}::25"));
    let passed: u64 = (0..200).map(|n| world.spam(&host(n * 256), 1)).sum();
    assert_eq!(passed, 200, "each of them is another key");
    let filed = cases_of(&world, net("2001:db8:7::/48"));
    assert_eq!((filed.len(), fact(filed[0], Measure::NetworkKeys)), (1, 8));
    assert!(cases_of(&world, net("2001:db8:7::/56")).is_empty());
    let (mut slow, mut day) = (World::under(blocking()), 0);
    while day < 14 {
        slow.spam(&host(day * 256), 1);
        slow.wait(Secs(21 * 3600));
        day += 1;
    }
    assert!(cases_of(&slow, net("2001:db8:7::/48")).is_empty(), "within one day");
}

#[test]
fn off_22_four_of_a_slash_56_and_sixty_four_of_a_slash_32() {
    let mut world = World::under(blocking());
    for n in 0..3 {
        world.spam(&bot(&format!("2001:db8:7:{n:x}::25")), 1);
    }
    assert!(cases_of(&world, net("2001:db8:7::/56")).is_empty());
    world.spam(&bot("2001:db8:7:3::25"), 1);
    assert_eq!(cases_of(&world, net("2001:db8:7::/56")).len(), 1);
    for n in 0..59 {
        world.spam(&bot(&format!("2001:db8:{:x}::25", 100 + n)), 1);
    }
    assert!(world.engine.proposals().is_empty());
    world.spam(&bot("2001:db8:200::25"), 1);
    let proposed: Vec<Prefix> = world.engine.proposals().into_iter().map(|(network, _)| network).collect();
    assert_eq!(proposed, [net("2001:db8::/32")]);
}

/// Two providers share 11.0.0.0/24, and one has all of 11.0.1.0/24.
fn atlas() -> Arc<Atlas> {
    let mut systems = Draft::default();
    for (range, system) in [("11.0.0.0/25", 64_496), ("11.0.0.128/25", 64_497), ("11.0.1.0/24", 64_498)] {
        systems.add_prefix(net(range), system);
    }
    systems.add_prefix(net("11.1.0.0/22"), 64_499);
    Arc::new(Atlas::new(systems, Draft::default()))
}

fn with_atlas(policy: Policy) -> World {
    let mut world = World::under(policy);
    world.engine.shelve(atlas());
    world.frame(vec![Input::Atlas(atlas().hash())]);
    world
}

#[test]
fn off_22_the_boundary_of_a_routed_network_is_never_crossed() {
    let mut world = with_atlas(blocking());
    block_many(&mut world, net("11.0.0.0/24"), 5, 8);
    assert!(cases_of(&world, net("11.0.0.0/24")).is_empty(), "two providers share it");
    assert_eq!(cases_of(&world, net("11.0.0.0/25")).len(), 1);
    block_many(&mut world, net("11.0.1.0/24"), 5, 8);
    assert_eq!(cases_of(&world, net("11.0.1.0/24")).len(), 1);
    block_many(&mut world, net("11.2.0.0/24"), 5, 8);
    assert!(cases_of(&world, net("11.2.0.0/24")).is_empty(), "nobody known announces it");
}

#[test]
fn off_23_a_4_numbers_of_the_source() {
    assert_eq!(tenths_per_hundred_thousand(55, 1024), 53_711);
    assert!(is_over(55, 1024));
    assert_eq!(tenths_per_hundred_thousand(160, 34_025_472), 5);
    assert!(!is_over(160, 34_025_472));
    assert!(!is_over(49, 1) && is_over(50, 100_000) && !is_over(50, 100_001) && !is_over(50, 0));
}

/// News of the fourth provider, of 1 024 addresses.
fn listings(world: &World) -> Vec<(bool, Mode, u64)> {
    let news = world.events.iter().filter_map(|event| match event.body {
        Body::Network(NetworkNews::As(64_499, on, impacts, 1024)) => Some((on, event.mode, impacts)),
        _ => None,
    });
    news.collect()
}

#[test]
fn off_23_fifty_blocked_servers_list_a_provider_until_there_are_fewer_and_block_nobody() {
    let mut world = with_atlas(with_mode(Offence::AsnEscalation, RuleMode::Score));
    let network = net("11.1.0.0/22");
    for n in 0..49 {
        world.spam(&nth(network, n, 64), 1);
    }
    assert!(listings(&world).is_empty() && world.engine.systems().is_empty());
    world.spam(&nth(network, 49, 64), 1);
    assert_eq!(listings(&world), [(true, Mode::Live, 50)]);
    assert_eq!(world.engine.systems(), [64_499]);
    let blocks = world.cases.values().filter(|filed| filed.is_for(Offence::AsnEscalation)).count();
    assert_eq!(blocks, 0, "it never blocks");
    world.order(Order::LiftKey(model::Key::Net(nth(network, 3, 64).key()), true)).unwrap();
    assert_eq!(listings(&world)[1..], [(false, Mode::Live, 49)]);
    let mut shipped = with_atlas(policy());
    for n in 0..50 {
        shipped.spam(&nth(network, n, 64), 1);
    }
    assert_eq!(listings(&shipped), [(true, Mode::Shadow, 50)]);
}

#[test]
fn off_23_rests_without_a_table_and_begins_with_one() {
    let mut world = World::under(with_mode(Offence::AsnEscalation, RuleMode::Score));
    for n in 0..50 {
        world.spam(&nth(net("11.1.0.0/22"), n, 64), 1);
    }
    assert!(listings(&world).is_empty());
    world.frame(vec![Input::Atlas(atlas().hash())]);
    assert_eq!(world.alarms.last(), Some(&Alarm::UnknownAtlas), "nobody handed it in");
    world.engine.shelve(atlas());
    world.frame(vec![Input::Atlas(atlas().hash())]);
    assert_eq!(listings(&world), [(true, Mode::Live, 50)]);
}

#[test]
fn networks_are_the_same_from_any_checkpoint_on() {
    let mut world = with_atlas(blocking());
    world.befriend(&server("11.0.1.99"), 4, 5);
    block_many(&mut world, net("11.0.1.0/24"), 4, 8);
    let bytes = world.engine.to_checkpoint();
    let (mut again, dropped) = Engine::from_checkpoint(&bytes).unwrap();
    assert!(!dropped);
    assert_eq!(again.atlas(), Some(atlas().hash()));
    again.shelve(atlas());
    assert_eq!(again.to_checkpoint(), bytes);
    let (events, frames) = (world.events.len(), world.frames.len());
    world.spam(&bot("11.0.1.250"), 1);
    world.wait(Secs(9 * 86_400));
    let steps = (frames as u64 + 1..).zip(world.frames[frames..].to_vec());
    let got: Vec<_> = steps.flat_map(|(at, frame)| again.step(at, &frame, &engine::Alone).events).collect();
    let got: Vec<_> = got.iter().map(|sealed| sealed.open().unwrap()).collect();
    assert_eq!(got, world.events[events..]);
    assert!(got.iter().any(|e| matches!(&e.body, Body::Network(NetworkNews::Holes(h)) if h.len() == 1)));
}

#[test]
fn a_flood_of_blocked_servers_is_counted_in_bounded_time_and_memory() {
    let mut world = World::under(blocking());
    let spam = |world: &mut World, n: u32| {
        let host =
            bot(&std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(n) << 64)).to_string());
        world.send(&spam_to(&host, 1))
    };
    for n in 0..3000 {
        spam(&mut world, n);
    }
    assert_eq!(world.engine.proposals().len(), 1);
    assert!(world.engine.to_checkpoint().len() < 6_000_000);
    assert!(world.now >= Millis(START.0));
}

#[test]
fn s109_a_network_that_holds_a_shared_sender_is_no_key() {
    // 74.208.4.192/26 sends the mail of a provider's customers.
    check("74.208.3.0/24", 5, "blocked");
    let (mut world, network) = (World::under(blocking()), net("74.208.4.0/24"));
    for n in 1..=40 {
        if n % 10 == 0 {
            world.wait(Secs::DAY);
        }
        world.spam(&bot(&format!("74.208.4.{n}")), 1);
    }
    assert!(world.is_blocked(&bot("74.208.4.40")), "each by itself");
    assert!(cases_of(&world, network).is_empty());
}
