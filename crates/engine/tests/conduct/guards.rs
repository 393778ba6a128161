//! Who is shielded from automatic blocks, and what the operator hears.

use engine::{Alarm, Guard, PassesOn};
use model::policy::RuleMode;
use model::{Judgement, Mode, Name, Offence, Order, Policy, Prefix, Rdns, Secs};

use crate::world::{Host, Mail, PEOPLE, World, bot, mail, nth_bot, nth_server, policy, server};

const ADDR: &str = "192.0.2.25";

fn net(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// Nothing that a host does under this policy opens a case.
#[track_caller]
fn never_blocked(policy: Policy, host: &Host) {
    let mut world = World::under(policy);
    assert_eq!(world.spam(host, 2000), 2000);
    assert!(world.cases.is_empty());
    assert!(world.engine.counters().guarded > 0, "a guard held something back");
}

#[test]
fn a_mail_service_is_never_blocked_whatever_it_sends() {
    let google = server(ADDR).rdns(Rdns::Confirmed(Name::new(b"mail-yb1-f171.google.com")));
    never_blocked(policy(), &google.clone().helo("localhost"));
    let ours = Policy { shared: vec![Name::new(b"relay.example.net")], ..policy() };
    let of_the_operator = Rdns::Confirmed(Name::new(b"out7.relay.example.net"));
    never_blocked(ours, &server(ADDR).rdns(of_the_operator).helo("localhost"));
    let mut world = World::new();
    assert_eq!(world.spam(&google, 2000), 2000, "volume has no limit for it at all");
}

#[test]
fn what_a_guard_held_back_can_be_looked_at() {
    let (mut world, host) =
        (World::new(), server(ADDR).rdns(Rdns::Confirmed(Name::new(b"out.relay.example.net"))));
    let shared = vec![Name::new(b"relay.example.net")];
    let mut services = World::under(Policy { shared, ..policy() });
    services.spam(&host.clone().helo("localhost"), 50);
    let report = services.engine.inspect(host.key(), None).unwrap();
    assert_eq!((report.class.word(), report.factor_quarters, report.judged_day), ("shared", None, (50, 50)));
    assert!(report.held.iter().all(|held| held.guard == Guard::Class && held.key == host.key()));
    assert!(report.held.iter().any(|held| held.times > 1), "{:?}", report.held);
    world.ham(&host, 3);
    world.spam(&host, 1);
    let report = world.engine.inspect(host.key(), None).unwrap();
    assert_eq!((report.good, report.bad, report.held), ((3, 1), 1, Vec::new()));
    assert_eq!(world.engine.inspect(net("198.51.100.99"), None), None);
}

#[test]
fn adv_20_a_declared_relay_may_pass_on_ten_thousand_spams() {
    let relays = vec![net("192.0.2.0/24")];
    let mut world = World::under(Policy { relays, ..policy() });
    assert_eq!(world.spam(&bot(ADDR).helo("mx.example.org"), 10_000), 10_000);
    assert!(world.cases.is_empty());
}

#[test]
fn adv_20_a_backup_mx_that_nobody_declared_is_known_after_three_days() {
    let (mut world, backup) = (World::new(), bot(ADDR).helo("mx.example.org"));
    let day = |world: &mut World| {
        let before = world.now;
        // A third of the site's mail comes through it; of that, most is spam.
        for n in 0..80 {
            world.ham(&nth_server(n), 1);
        }
        world.ham(&backup, 10);
        world.spam(&backup, 40);
        world.now = before;
        world.wait(Secs::DAY);
    };
    // While the site learns, nothing is refused.
    world.order(Order::SetMode(Mode::Shadow)).unwrap();
    (0..3).for_each(|_| day(&mut world));
    assert_eq!(world.engine.upstream(), [(backup.key(), PassesOn::CarriesMuch)]);
    world.order(Order::SetMode(Mode::Live)).unwrap();
    let before = world.cases.len();
    assert_eq!(world.spam(&backup, 10_000), 10_000);
    assert_eq!(world.cases.len(), before);
}

#[test]
fn a_protected_key_and_the_hard_floor_are_never_blocked() {
    never_blocked(Policy { protected: vec![net("192.0.2.0/24")], ..policy() }, &bot(ADDR));
    never_blocked(policy(), &bot("10.1.2.3"));
    never_blocked(policy(), &bot("127.0.0.1"));
    never_blocked(Policy { documentation: false, ..policy() }, &bot(ADDR));
}

#[test]
fn a_prefix_that_an_operator_protects_is_let_go_at_once_and_for_good() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let lifted = world.order(Order::Protect(net("192.0.2.0/24"), true)).unwrap();
    assert_eq!(lifted, [world.newest(&host)]);
    assert_eq!(world.spam(&host, 50), 50);
    world.order(Order::Protect(net("192.0.2.0/24"), false)).unwrap();
    assert_eq!(world.spam(&host, 50), 1);
    assert_eq!(world.cases[&world.newest(&host)].case.opened.as_ref().unwrap().repeats, 0);
}

#[test]
fn good_mail_shields_until_spam_outweighs_it() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 10, 5);
    assert_eq!(world.spam(&host, 200), 51, "fifty good messages hold back fifty spams");
    let bare = Policy { guards: model::policy::Guards { ratio: false, ..policy().guards }, ..policy() };
    let mut world = World::under(bare);
    world.befriend(&host, 10, 5);
    assert_eq!(world.spam(&host, 200), 30);
}

#[test]
fn adv_18_sixty_days_of_good_mail_buy_no_five_thousand_spams() {
    // Four people are too few for `established`; ten people with five messages each reach
    // the cap on credit of a day.
    let histories = [(1, 1, 30, 31), (4, 1, 100, 120), (10, 1, 280, 300), (10, 5, 999, 1000)];
    for (people, times, least, most) in histories {
        let (mut world, host) = (World::new(), server(ADDR));
        for _ in 0..60 {
            (0..times).for_each(|_| assert_eq!(world.ham(&host, people), people));
            world.wait(Secs::DAY);
        }
        let passed = (0..5000)
            .filter(|to| world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&host, PEOPLE + to) }))
            .count();
        assert!((least..=most).contains(&passed), "{people} people, {times} times: {passed}");
    }
}

#[test]
fn the_cap_puts_further_blocks_of_known_senders_into_shadow_and_rings() {
    let mut policy = policy();
    policy.guards.blocks_per_minute = 3;
    let mut world = World::under(policy);
    let hosts: Vec<Host> = (0..5).map(nth_server).collect();
    for host in &hosts {
        world.send(&Mail { judged: Some(Judgement::Ham), ..mail(host, PEOPLE) });
    }
    // 499 units each, then all tip over in one minute.
    for host in &hosts {
        for to in 0..9 {
            world.send(&Mail { recipients: 50, judged: Some(Judgement::Spam), ..mail(host, PEOPLE + to) });
        }
    }
    let mode = |host: &Host, mode| world.against(host.key(), mode).is_some();
    let live: Vec<bool> = hosts.iter().map(|h| mode(h, Mode::Live)).collect();
    let shadow: Vec<bool> = hosts.iter().map(|h| mode(h, Mode::Shadow)).collect();
    assert_eq!(live, [true, true, true, false, false]);
    assert_eq!(shadow, [false, false, false, true, true]);
    assert_eq!(world.alarms, [Alarm::CapReached]);
    world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&hosts[4], PEOPLE + 50) });
    assert_eq!(world.cases_of(&hosts[4]).len(), 1, "one case in shadow is enough");
    // The units of a capped case wait for a live one.
    world.wait(Secs::MINUTE);
    world.spam(&hosts[4], 1);
    assert!(world.is_blocked(&hosts[4]));
    assert_eq!(world.cases[&world.newest(&hosts[4])].units(), model::Units::whole(452));
}

#[test]
fn a_botnet_is_blocked_beyond_the_cap_and_the_alarm_rings_once() {
    let mut policy = policy();
    policy.guards.blocks_per_minute = 3;
    let mut world = World::under(policy);
    for n in 0..30 {
        let host = nth_bot(n);
        world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&host, PEOPLE) });
        assert!(world.is_blocked(&host));
    }
    assert_eq!(world.alarms, [Alarm::ManyBlocks]);
    world.wait(Secs(600));
    for n in 30..40 {
        world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&nth_bot(n), PEOPLE) });
    }
    assert_eq!(world.alarms, [Alarm::ManyBlocks, Alarm::ManyBlocks], "ten minutes later it rings again");
}

#[test]
fn guards_hold_for_rules_in_shadow_as_well() {
    let modes = vec![(Offence::SpamVolume, RuleMode::Shadow)];
    never_blocked(Policy { modes, protected: vec![net("192.0.2.0/24")], ..policy() }, &bot(ADDR));
}

#[test]
fn without_classes_and_guards_only_the_floor_stands() {
    let reference = Policy { learn_first: false, documentation: true, ..Policy::reference_24h() };
    let google = server(ADDR).rdns(Rdns::Confirmed(Name::new(b"mail-yb1-f171.google.com")));
    assert_eq!(World::under(reference.clone()).spam(&google, 9), 1);
    assert_eq!(World::under(reference).spam(&bot("10.1.2.3"), 9), 9);
}

/// Signed mail of so many domains in turn, good for the first `good` messages.
fn customers(world: &mut World, host: &Host, domains: u64, good: u64, spam: u64) -> u64 {
    let signed = |n: u64| model::Content { dkim: Some(model::DomainHash(n % domains)), ..Default::default() };
    world.show_many(host, good, Some(Judgement::Ham), signed);
    world.show_many(host, spam, Some(Judgement::Spam), signed)
}

#[test]
fn g_host_one_customers_spam_needs_ten_times_as_much_to_block_the_others() {
    let bare = Policy { guards: model::policy::Guards { ratio: false, ..policy().guards }, ..policy() };
    let of = |domains| customers(&mut World::under(bare.clone()), &server(ADDR), domains, 6, 400);
    // Ten of sixteen messages are 60 %; a host of many is blocked at a hundred in an hour.
    assert_eq!([of(4), of(5), of(30)], [10, 100, 100]);
    let mut world = World::under(bare);
    assert_eq!(customers(&mut world, &server(ADDR), 30, 0, 400), 10, "who has no good mail is no host");
    let mut world = World::new();
    customers(&mut world, &server(ADDR), 5, 6, 400);
    let facts = &world.case(&server(ADDR)).case.opened.as_ref().unwrap().facts;
    assert!(facts.contains(&(model::finding::Measure::SignedDomains, 5)), "{facts:?}");
}

#[test]
fn g_fwd_a_forwarder_is_learned_and_never_blocked_for_what_it_sends_on() {
    let (mut world, host) = (World::new(), server(ADDR));
    let sent_on = |n: u64| model::Content {
        spf: model::content::Spf::Fail,
        dkim: Some(model::DomainHash(n % 6)),
        sender_domain: Some(model::DomainHash(n % 6)),
        ..Default::default()
    };
    for n in 0..12 {
        world.now = world.now.plus(Secs(60));
        world.show(&Mail { judged: Some(Judgement::Ham), ..mail(&host, PEOPLE + n % 3) }, sent_on(n));
    }
    assert_eq!(world.engine.upstream(), [(host.key(), PassesOn::SendsOn)]);
    for n in 0..100 {
        world.now = world.now.plus(Secs(60));
        assert!(
            world.show(&Mail { judged: Some(Judgement::Spam), ..mail(&host, PEOPLE + n % 3) }, sent_on(n))
        );
    }
    assert!(world.cases.is_empty());
}

/// S6: spam through one host of a provider, one message in a hundred.
#[test]
fn s6_ten_thousand_messages_of_a_provider_with_a_hundredth_spam_block_nobody() {
    let (mut world, host) = (World::new(), server("209.85.220.41"));
    for n in 0..10_000u64 {
        world.now = world.now.plus(Secs(1));
        let judged = if n % 100 == 0 { Judgement::Spam } else { Judgement::Ham };
        assert!(world.send(&Mail { judged: Some(judged), ..mail(&host, PEOPLE + n) }));
    }
    assert!(world.cases.is_empty());
}

#[test]
fn adv_21_a_farm_of_fifty_addresses_of_a_provider_makes_no_key_whatever_dns_says() {
    let mut world = World::new();
    for n in 0..50 {
        let host = bot(&format!("209.85.220.{}", n + 1)).helo("localhost");
        assert_eq!(world.spam(&host, 40), 40);
    }
    assert!(world.cases.is_empty());
}

/// The `n`th of ten friends, in regions of their own.
fn friend(n: u64) -> Host {
    server(&format!("11.{}.7.25", n % 10))
}

/// A site with ten friends, each of which it has known for a week.
fn among_friends() -> World {
    let mut world = World::new();
    for _ in 0..8 {
        let before = world.now;
        friends_write(&mut world, 20, true);
        world.now = before;
        world.wait(Secs::DAY);
    }
    world
}

/// Good messages of ten friends in turn, one a second; without their names where DNS is broken.
fn friends_write(world: &mut World, messages: u64, dns_works: bool) {
    for n in 0..messages {
        world.now = world.now.plus(Secs(1));
        let friend = if dns_works { friend(n) } else { friend(n).rdns(Rdns::Missing) };
        assert!(world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&friend, PEOPLE + n) }));
    }
}

#[test]
fn g_ours_while_our_dns_is_broken_nobody_is_blocked_for_having_no_name() {
    let mut world = among_friends();
    world.wait(Secs::HOUR);
    friends_write(&mut world, 30, false);
    assert_eq!(world.alarms.iter().filter(|alarm| **alarm == Alarm::RuleSuspended).count(), 1);
    // A well-run stranger whose name we can not see: its first spam does not block it.
    let stranger = bot("192.0.2.99");
    assert_eq!(world.spam(&stranger, 5), 5);
    assert!(!world.is_blocked(&stranger));
    // DNS is back: so is the rule, for the next one.
    world.wait(Secs::HOUR);
    friends_write(&mut world, 30, true);
    let suspended = |e: &model::Envelope| match &e.body {
        model::Body::Learnt(lesson) => match lesson.of {
            model::Subject::Suspended(Offence::ReverseDns) => Some(lesson.quarters > 0),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(world.events.iter().filter_map(suspended).collect::<Vec<_>>(), [true]);
    let bot = bot("192.0.2.100");
    assert_eq!(world.spam(&bot, 5), 1);
}

/// Sessions of one customer's hosts, each of which passed the rule once and fails it now.
fn customer_fails(world: &mut World, hosts: &[Host], days: u64) {
    for _ in 0..days {
        for host in hosts {
            world.now = world.now.plus(Secs(1));
            world.send(&Mail { judged: Some(Judgement::Ham), ..mail(host, PEOPLE) });
        }
        world.wait(Secs::DAY);
    }
    for n in 0..300u64 {
        world.now = world.now.plus(Secs(1));
        let host = hosts[n as usize % hosts.len()].clone().helo("localhost");
        world.send(&mail(&host, PEOPLE + n));
    }
}

#[test]
fn g_ours_one_customer_with_many_networks_suspends_nothing() {
    // Three /64 with a good message each; five that a week of good mail made known.
    for (hosts, days) in [(3, 1), (5, 9)] {
        let mut world = among_friends();
        let of_one = |n| server(&format!("2001:db8:7:{n}::25"));
        customer_fails(&mut world, &(0..hosts).map(of_one).collect::<Vec<_>>(), days);
        assert!(!world.alarms.contains(&Alarm::RuleSuspended), "{hosts} hosts");
    }
}

#[test]
fn g_ours_a_botnet_without_names_suspends_nothing() {
    let mut world = among_friends();
    for n in 100..400 {
        world.now = world.now.plus(Secs(1));
        world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&nth_bot(n), PEOPLE) });
    }
    assert!(!world.alarms.contains(&Alarm::RuleSuspended));
    assert!(world.is_blocked(&nth_bot(399)));
}
