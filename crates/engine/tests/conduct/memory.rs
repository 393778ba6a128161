//! Floods: the table stays at its cap, and what gives way is what matters least (ADV-11).

use engine::Alarm;
use model::{Answered, BlockKind, Body, Judgement, Key, Order, Policy, Secs, Units};

use crate::world::{Mail, PEOPLE, World, bot, mail, nth_bot, nth_server, policy, server, verdict};

/// 2,560 keys in all, 40 in each shard.
const KEYS: u32 = 2560;

fn small() -> World {
    World::under(Policy { keys_max: KEYS, ..policy() })
}

/// `n` strangers, from the number `from` on, name one recipient each.
fn flood(world: &mut World, from: u32, n: u32) {
    let mut inputs = Vec::new();
    for host in (from..from + n).map(nth_server) {
        let tag = world.tag();
        inputs.push(world.observed(tag, mail(&host, PEOPLE).attempt(Answered::Passed)));
        if inputs.len() == 1000 {
            world.frame(std::mem::take(&mut inputs));
            world.now = world.now.plus(Secs(1));
        }
    }
    world.frame(inputs);
}

/// An operator blocks some hosts for a day.
fn block_by_hand(world: &mut World, hosts: std::ops::Range<u32>) {
    let block = |n| Order::Block(Key::Net(nth_bot(n).key()), BlockKind::Rbl, Secs::DAY);
    hosts.for_each(|n| _ = world.order(block(n)).unwrap());
}

#[test]
fn a_flood_of_strangers_keeps_the_table_at_its_cap() {
    let mut world = small();
    flood(&mut world, 0, 20_000);
    assert!(world.engine.keys() <= KEYS as usize);
    assert!(world.engine.keys() > KEYS as usize * 9 / 10, "room is used before anything goes");
    assert_eq!(world.engine.counters().evicted, 20_000 - world.engine.keys() as u64);
}

#[test]
fn no_flood_pushes_out_a_blocked_key() {
    let mut world = small();
    for n in 0..500 {
        world.spam(&nth_bot(n), 1);
    }
    flood(&mut world, 100_000, 20_000);
    assert_eq!(world.engine.running(), 500);
    // A second block is doubled: the strike was not forgotten.
    world.wait(Secs::HOUR.times(3));
    world.spam(&nth_bot(0), 1);
    assert_eq!(world.cases[&world.newest(&nth_bot(0))].lasts(), Secs::HOUR.times(4));
}

#[test]
fn keys_without_good_mail_go_first() {
    let mut world = small();
    for n in 0..600 {
        world.ham(&nth_bot(n), 1);
    }
    flood(&mut world, 100_000, 50_000);
    let kept = (0..600).filter(|n| world.spam(&nth_bot(*n), 2) == 2).count();
    assert_eq!(kept, 600, "who has good mail is not blocked by the first hit");
}

#[test]
fn keys_with_good_mail_leave_a_quarter_to_strangers() {
    let mut world = small();
    for n in 0..5000 {
        world.ham(&nth_bot(n), 1);
    }
    assert!(world.engine.keys() <= KEYS as usize);
    // Strangers are still counted: ten spams in turn from each of many block.
    for to in 0..10 {
        for n in 0..150 {
            let host = nth_server(200_000 + n);
            world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&host, PEOPLE + to) });
        }
    }
    assert!((0..150).all(|n| world.is_blocked(&nth_server(200_000 + n))));
}

#[test]
fn good_mail_keeps_its_quarter_even_when_all_others_are_blocked() {
    let mut world = World::under(Policy { keys_max: 1024, ..policy() });
    for n in 0..40 {
        world.ham(&nth_bot(n), 1);
    }
    block_by_hand(&mut world, 1000..4000);
    flood(&mut world, 100_000, 3000);
    assert_eq!(world.engine.counters().evicted, 3000, "no stranger finds room");
    // A key that is forgotten has its credit withdrawn.
    let withdrawn = |body: &Body| matches!(body, Body::StandingChanged(change) if !change.credit);
    assert_eq!(world.count(|e| withdrawn(&e.body)), 0);
}

#[test]
fn a_key_that_keeps_sending_is_not_the_coldest() {
    let mut world = small();
    let busy = server("192.0.2.25");
    assert_eq!(world.spam(&busy, 9), 9);
    for round in 0..40 {
        flood(&mut world, 100_000 + round * 1000, 1000);
        world.send(&mail(&busy, PEOPLE));
    }
    world.spam(&busy, 1);
    assert!(world.is_blocked(&busy), "its nine spams were not forgotten");
}

#[test]
fn when_every_key_is_blocked_new_ones_leave_a_trace_and_the_alarm_rings() {
    let mut world = World::under(Policy { keys_max: 1024, ..policy() });
    block_by_hand(&mut world, 0..3000);
    for n in 5000..7000 {
        world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&nth_bot(n), PEOPLE) });
    }
    assert_eq!((world.engine.running(), world.engine.keys()), (3000, 3000), "for a person there is room");
    assert!(world.alarms.contains(&Alarm::TableFull));
    let units: u64 = world.engine.rollup().map(|(_, trace)| trace.units.quarters() / 4).sum();
    assert_eq!(units, 2000);
}

#[test]
fn adv_11_rules_block_a_fifth_of_all_keys_at_once_and_go_on_when_blocks_end() {
    let mut world = World::under(Policy { keys_max: 1024, ..policy() });
    let spam_of = |world: &mut World, n| {
        world.send(&Mail { judged: Some(Judgement::Spam), ..mail(&nth_bot(n), PEOPLE) })
    };
    (0..1000).for_each(|n| _ = spam_of(&mut world, n));
    assert_eq!(world.engine.running(), 1024 / 5);
    assert!(world.alarms.contains(&Alarm::CasesFull) && !world.alarms.contains(&Alarm::TableFull));
    assert!(!world.is_blocked(&nth_bot(900)));
    world.order(Order::Block(Key::Net(nth_bot(900).key()), BlockKind::Rbl, Secs::DAY)).unwrap();
    world.wait(Secs::HOUR.times(3));
    world.wait(Secs(1));
    assert_eq!(world.engine.running(), 1);
    spam_of(&mut world, 901);
    assert!(world.is_blocked(&nth_bot(901)), "what it did before still waits for a sentence");
}

#[test]
fn what_a_flood_pushed_out_leaves_its_units_by_network() {
    let mut world = small();
    // Two spams each from a thousand well-run hosts: no block, but units that wait.
    for n in 0..1000 {
        world.spam(&nth_server(n), 2);
    }
    flood(&mut world, 100_000, 20_000);
    let of_the_thousand: Vec<_> = world
        .engine
        .rollup()
        .filter(|(network, _)| network.covers(nth_server(0).key()) || network.covers(nth_server(999).key()))
        .collect();
    assert_eq!(of_the_thousand.len(), 2);
    assert_eq!(of_the_thousand[0].1.units, Units::whole(512), "256 hosts of this /24");
    assert_eq!(of_the_thousand[0].1.keys, 256);
    assert!(world.engine.rollup().all(|(network, _)| network.bits() == 24));
}

#[test]
fn networks_of_a_flood_of_ipv6_clients_are_48_bits_wide() {
    let mut world = World::under(Policy { keys_max: 1, ..policy() });
    for n in 0..3000 {
        let host = bot(&format!("2001:db8:{:x}:{n:x}::1", n % 3));
        world.send(&mail(&host, PEOPLE));
    }
    let traces: Vec<_> = world.engine.rollup().collect();
    assert_eq!(traces.len(), 3);
    assert!(traces.iter().all(|(network, _)| network.bits() == 48));
}

#[test]
fn adv_11_a_hundred_thousand_strangers_leave_the_bounds_standing() {
    // One per cent of the long proof: ten million in ten minutes.
    let mut world = World::under(Policy { keys_max: 5000, ..policy() });
    for round in 0..20 {
        flood(&mut world, round * 5000, 5000);
        world.frames.clear();
    }
    assert!(world.engine.keys() <= 5000);
    let traces: Vec<_> = world.engine.rollup().collect();
    assert!(traces.len() <= engine::rollup::NETWORKS_MAX);
    let gone: u64 = traces.iter().map(|(_, trace)| trace.keys).sum();
    assert_eq!(gone, world.engine.counters().evicted);
}

#[test]
fn sessions_are_bounded_and_the_oldest_gives_way() {
    let (mut world, host) = (World::new(), bot("192.0.2.25"));
    world.frame(vec![world.observed(1, mail(&host, PEOPLE).attempt(Answered::Passed))]);
    flood(&mut world, 0, 270_000);
    assert_eq!(world.engine.sessions(), 262_144);
    world.frame(vec![world.observed(1, verdict(Judgement::Spam, None))]);
    assert_eq!(world.engine.counters().unmatched_verdicts, 1);
}

#[test]
fn refused_attempts_push_no_session_out() {
    let (mut world, host, spammer) = (World::new(), bot("192.0.2.25"), bot("192.0.2.26"));
    world.frame(vec![world.observed(1, mail(&host, PEOPLE).attempt(Answered::Passed))]);
    world.spam(&spammer, 1);
    for to in 0..3000 {
        world.send(&mail(&spammer, PEOPLE + to));
    }
    assert_eq!(world.engine.sessions(), 2);
}

#[test]
fn adv_11_all_keys_of_a_48_leave_one_trace_and_no_block_goes() {
    let mut world = World::under(Policy { keys_max: 5000, ..policy() });
    (0..500).for_each(|n| _ = world.spam(&nth_bot(n), 1));
    let mut inputs = Vec::new();
    for n in 0..=u16::MAX {
        let (host, tag) = (server(&format!("2001:db8:7:{n:x}::25")), world.tag());
        inputs.push(world.observed(tag, mail(&host, PEOPLE).attempt(Answered::Passed)));
        if inputs.len() == 256 {
            world.frame(std::mem::take(&mut inputs));
            world.frames.clear();
        }
    }
    assert_eq!(world.engine.running(), 500);
    assert!(world.engine.keys() <= 5000, "{}", world.engine.keys());
    let traces: Vec<_> = world.engine.rollup().filter(|(net, _)| net.bits() == 48).collect();
    let gone = 65_536 + 500 - world.engine.keys() as u64;
    assert_eq!((traces.len(), traces[0].1.keys), (1, gone));
}
