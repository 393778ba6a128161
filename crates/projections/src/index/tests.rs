//! The whole index against a map that is obviously right, and its edges as tables.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{Millis, Prefix};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What the index has to say, told in the plainest way.
#[derive(Clone, Default)]
struct Plain(BTreeMap<Prefix, Mark>);

impl Plain {
    fn edit(&mut self, prefix: Prefix, mark: Option<Mark>) {
        match mark {
            Some(mark) => drop(self.0.insert(prefix, mark)),
            None => drop(self.0.remove(&prefix)),
        }
    }

    fn get(&self, addr: IpAddr, now_min: u32) -> Option<Mark> {
        let around = self.0.iter().filter(|(prefix, _)| prefix.covers(Prefix::host(addr)));
        let holding = around.map(|(_, mark)| *mark).filter(|mark| mark.until_min > now_min);
        holding.max_by_key(|mark| (mark.class, mark.until_min))
    }
}

/// Some minute in 2026; ends in the tests lie around it.
const NOW: u32 = 29_900_000;

/// Addresses that share leaves, nodes and prefixes with each other, and some that do not.
fn addr() -> impl Strategy<Value = IpAddr> {
    let v4 = prop_oneof![
        (0..4_u32, 0..4_u32, 0..8_u32).prop_map(|(a, b, c)| 0xc000_0200 | a << 12 | b << 8 | c),
        proptest::sample::select(vec![0, 1, u32::MAX, u32::MAX - 1, 0x7fff_ffff, 0x8000_0000]),
    ];
    let v6 = prop_oneof![
        (0..3_u128, 0..3_u128, 0..3_u128).prop_map(|(a, b, c)| 0x2001_0db8 << 96 | a << 80 | b << 64 | c),
        proptest::sample::select(vec![0, u128::MAX, 1 << 64, 0xffff_c000_0201]),
    ];
    prop_oneof![
        v4.prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        v6.prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let len = prop_oneof![Just((32, 64)), Just((32, 128)), Just((24, 48)), (9..=32_u8, 20..=128_u8)];
    (addr(), len).prop_map(|(addr, (v4, v6))| Prefix::new(addr, if addr.is_ipv4() { v4 } else { v6 }))
}

fn mark() -> impl Strategy<Value = Mark> {
    // Around now, within a sentence, farther than 16 bits of minutes, and for ever.
    let far = NOW - 70_000..NOW + 70_000;
    let until_min = prop_oneof![NOW - 2..NOW + 3, NOW..NOW + 43_200, far, Just(0), Just(u32::MAX)];
    (0..4_u8, until_min).prop_map(|(class, until_min)| Mark { class, until_min })
}

fn edits() -> impl Strategy<Value = Vec<(Prefix, Option<Mark>)>> {
    vec((prefix(), proptest::option::weighted(0.7, mark())), 0..40)
}

fn change(prefix: Prefix, mark: Option<Mark>) -> Change {
    mark.map_or(Change::clear(prefix), |mark| Change::set(prefix, mark).unwrap())
}

fn sweep_all(index: &mut Index, now_min: u32) -> usize {
    (0..257).map(|_| index.sweep(now_min)).sum()
}

proptest! {
    #[test]
    fn every_version_answers_like_a_plain_map_for_ever(
        batches in vec(edits(), 1..8),
        asked in vec(addr(), 60),
        seed: [u64; 2],
    ) {
        let (mut index, mut plain) = (Index::new(seed), Plain::default());
        let mut versions = Vec::new();
        for batch in batches {
            index.apply(batch.iter().map(|(prefix, mark)| change(*prefix, *mark)));
            batch.iter().for_each(|(prefix, mark)| plain.edit(*prefix, *mark));
            prop_assert_eq!(index.len(), plain.0.len());
            versions.push((index.clone(), plain.clone()));
        }
        for ((index, plain), addr) in versions.iter().flat_map(|v| asked.iter().map(move |a| (v, *a))) {
            for now in [0, NOW - 1, NOW, NOW + 1, NOW + 43_199, u32::MAX - 1, u32::MAX] {
                prop_assert_eq!(index.get(addr, now), plain.get(addr, now), "{} at {}", addr, now);
            }
        }
    }

    #[test]
    fn a_batch_does_what_its_changes_do_one_by_one(before in edits(), batch in edits()) {
        let mut one_by_one = Index::new([1, 2]);
        one_by_one.apply(before.into_iter().map(|(prefix, mark)| change(prefix, mark)));
        let mut at_once = one_by_one.clone();
        at_once.apply(batch.iter().map(|(prefix, mark)| change(*prefix, *mark)));
        for (prefix, mark) in &batch {
            match mark {
                Some(mark) => one_by_one.set(*prefix, *mark).unwrap(),
                None => one_by_one.remove(*prefix),
            }
        }
        prop_assert_eq!(at_once.len(), one_by_one.len());
        prop_assert_eq!(at_once.heap_bytes(), one_by_one.heap_bytes());
        for (prefix, _) in batch {
            prop_assert_eq!(at_once.get(prefix.addr(), NOW), one_by_one.get(prefix.addr(), NOW));
        }
    }

    #[test]
    fn sweeping_drops_what_has_expired_and_nothing_else(edits in edits(), asked in vec(addr(), 60)) {
        let (mut index, mut plain) = (Index::new([1, 2]), Plain::default());
        for (prefix, mark) in edits {
            index.apply([change(prefix, mark)]);
            plain.edit(prefix, mark);
        }
        let unswept = index.clone();
        plain.0.retain(|_, mark| mark.until_min > NOW);
        prop_assert_eq!(sweep_all(&mut index, NOW), unswept.len() - plain.0.len());
        prop_assert_eq!(index.len(), plain.0.len());
        for addr in asked {
            prop_assert_eq!(index.get(addr, NOW), plain.get(addr, NOW));
            // What an older version held, it holds.
            prop_assert!(unswept.get(addr, 0) >= index.get(addr, 0));
        }
    }

    #[test]
    fn clearing_all_gives_all_memory_back(edits in edits()) {
        let mut index = Index::new([1, 2]);
        index.apply(edits.iter().map(|(prefix, mark)| change(*prefix, *mark)));
        index.apply(edits.iter().map(|(prefix, _)| Change::clear(*prefix)));
        prop_assert!(index.is_empty());
        prop_assert_eq!(index.heap_bytes(), Index::new([3, 4]).heap_bytes());
    }

    #[test]
    fn no_block_ends_before_its_time(until in 0..u64::from(u32::MAX) * 60_000, before in 1..10_000_000_u64) {
        let mark = Mark::new(1, Millis(until));
        prop_assert!(until < before || mark.holds(Millis(until - before).minute()));
        prop_assert!(!mark.holds(Millis(until + 60_000).minute()));
    }
}

fn net(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Sets `held` (prefix, class, end in minutes after [`NOW`]) and asks for `addr` at NOW.
#[track_caller]
fn check(held: &[(&str, u8, u32)], addr: &str, expect: Option<(u8, u32)>) {
    let mut index = Index::new([1, 2]);
    for (prefix, class, lasts) in held {
        index.set(net(prefix), Mark { class: *class, until_min: NOW + lasts }).unwrap();
    }
    let got = index.get(ip(addr), NOW).map(|mark| (mark.class, mark.until_min - NOW));
    assert_eq!(got, expect, "{addr} in {held:?}");
}

#[test]
fn an_address_is_found_alone_and_in_its_prefixes() {
    check(&[], "192.0.2.25", None);
    check(&[("192.0.2.25", 1, 9)], "192.0.2.25", Some((1, 9)));
    check(&[("192.0.2.25", 1, 9)], "192.0.2.26", None);
    check(&[("192.0.2.25", 1, 9)], "192.0.3.25", None);
    check(&[("0.0.0.0", 1, 9)], "0.0.0.0", Some((1, 9)));
    check(&[("0.0.0.0", 1, 9)], "255.255.255.255", None);
    check(&[("255.255.255.255", 255, 9)], "255.255.255.255", Some((255, 9)));
    check(&[("192.0.2.0/24", 1, 9)], "192.0.2.0", Some((1, 9)));
    check(&[("192.0.2.0/24", 1, 9)], "192.0.2.255", Some((1, 9)));
    check(&[("192.0.2.0/24", 1, 9)], "192.0.3.0", None);
    check(&[("192.0.2.24/31", 1, 9)], "192.0.2.25", Some((1, 9)));
    check(&[("192.0.2.0/31", 2, 9), ("192.0.2.0/24", 1, 9)], "192.0.2.200", Some((1, 9)));
    check(&[("2001:db8::/64", 1, 9)], "2001:db8::25", Some((1, 9)));
    check(&[("2001:db8::/64", 1, 9)], "2001:db8:0:1::25", None);
    check(&[("2001:db8::25", 1, 9)], "2001:db8::25", Some((1, 9)));
    check(&[("2001:db8::25", 1, 9)], "2001:db8::26", None);
    check(&[("2001:db8::/48", 1, 9)], "2001:db8:0:ffff::25", Some((1, 9)));
    check(&[("2001:db8::20/127", 1, 9)], "2001:db8::21", Some((1, 9)));
    check(&[("2001:db8::20/127", 1, 9)], "2001:db8::22", None);
}

#[test]
fn the_hardest_holds_then_the_longest() {
    check(&[("192.0.2.25", 1, 9), ("192.0.2.0/24", 2, 3)], "192.0.2.25", Some((2, 3)));
    check(&[("192.0.2.25", 2, 3), ("192.0.2.0/24", 2, 9)], "192.0.2.25", Some((2, 9)));
    let three = [("192.0.2.0/24", 1, 9), ("192.0.0.0/16", 3, 1), ("192.0.2.25", 2, 9)];
    check(&three, "192.0.2.25", Some((3, 1)));
    let three = [("2001:db8::/64", 1, 9), ("2001:db8::25", 2, 1), ("2001:db8::/32", 1, 8)];
    check(&three, "2001:db8::25", Some((2, 1)));
    // An expired harder mark does not hide one that holds.
    check(&[("192.0.2.25", 1, 9), ("192.0.2.0/24", 2, 0)], "192.0.2.25", Some((1, 9)));
    check(&[("192.0.2.25", 2, 0), ("192.0.2.0/24", 1, 9)], "192.0.2.25", Some((1, 9)));
    // What is set later stands, also when it is milder.
    check(&[("192.0.2.25", 2, 9), ("192.0.2.25", 1, 3)], "192.0.2.25", Some((1, 3)));
}

#[test]
fn a_mark_holds_to_the_minute_before_its_end() {
    let mut index = Index::new([1, 2]);
    index.set(net("192.0.2.25"), Mark::new(1, Millis(u64::from(NOW) * 60_000))).unwrap();
    index.set(net("192.0.2.26"), Mark::new(1, Millis(u64::from(NOW) * 60_000 + 1))).unwrap();
    let holds = |addr: &str, now| index.get(ip(addr), now).is_some();
    assert_eq!([NOW - 1, NOW, NOW + 1].map(|now| holds("192.0.2.25", now)), [true, false, false]);
    assert_eq!([NOW - 1, NOW, NOW + 1].map(|now| holds("192.0.2.26", now)), [true, true, false]);
}

#[test]
fn a_mapped_address_is_not_taken_for_its_ipv4_address() {
    check(&[("192.0.2.25", 1, 9)], "::ffff:192.0.2.25", None);
    let mut index = Index::new([1, 2]);
    let mapped = Prefix::new(IpAddr::V6(Ipv4Addr::new(192, 0, 2, 25).to_ipv6_mapped()), 128);
    index.set(mapped, Mark { class: 1, until_min: NOW + 1 }).unwrap();
    assert_eq!(index.get(ip("192.0.2.25"), NOW), None);
    assert!(index.get(mapped.addr(), NOW).is_some());
}

#[test]
fn what_no_output_may_hold_is_refused() {
    let check = |text: &str, expect: Result<(), &str>| {
        let got = Index::new([1, 2]).set(net(text), Mark { class: 1, until_min: NOW });
        assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{text}");
    };
    check("0.0.0.0/0", Err("expected a prefix of /9 or longer, but got 0.0.0.0/0"));
    check("192.0.0.0/8", Err("expected a prefix of /9 or longer, but got 192.0.0.0/8"));
    check("192.0.0.0/9", Ok(()));
    check("::/0", Err("expected a prefix of /20 or longer, but got ::/0"));
    check("2001::/19", Err("expected a prefix of /20 or longer, but got 2001::/19"));
    check("2001::/20", Ok(()));
}

#[test]
fn clearing_what_could_not_be_set_changes_nothing() {
    let mut index = Index::new([1, 2]);
    index.remove(net("0.0.0.0/0"));
    index.remove(net("::/0"));
    index.remove(net("192.0.2.25"));
    assert!(index.is_empty());
}

#[test]
fn a_prefix_put_together_by_hand_is_made_canonical() {
    let mut index = Index::new([1, 2]);
    index.set(Prefix::V4(0xc000_0219, 24), Mark { class: 1, until_min: NOW + 1 }).unwrap();
    index.set(Prefix::V4(0xc633_6407, 40), Mark { class: 2, until_min: NOW + 1 }).unwrap();
    assert_eq!(index.get(ip("192.0.2.1"), NOW).map(|m| m.class), Some(1));
    assert_eq!(index.get(ip("198.51.100.7"), NOW).map(|m| m.class), Some(2));
    index.remove(net("192.0.2.0/24"));
    index.remove(net("198.51.100.7"));
    assert!(index.is_empty());
}

#[test]
fn a_whole_16_is_held_at_five_bytes_an_address() {
    let mut index = Index::new([1, 2]);
    let all = || (0..=0xffff).map(|low| Prefix::V4(0xc633_0000 | low, 32));
    let mark = |prefix: Prefix| Mark { class: 1, until_min: NOW + u32::from(prefix.addr().is_ipv4()) };
    index.apply(all().map(|prefix| Change::set(prefix, mark(prefix)).unwrap()));
    assert_eq!(index.len(), 0x1_0000);
    assert!(all().all(|prefix| index.get(prefix.addr(), NOW).is_some()));
    assert_eq!(index.get(ip("198.50.255.255"), NOW), None);
    assert_eq!(index.get(ip("198.52.0.0"), NOW), None);
    let bytes = index.heap_bytes() - Index::new([1, 2]).heap_bytes();
    assert!((5 * 0x1_0000..5 * 0x1_0000 + 2048).contains(&bytes), "{bytes}");
}

#[test]
fn a_sweep_looks_at_a_bounded_part_and_the_next_goes_on() {
    let mut index = Index::new([1, 2]);
    let leaves = (0..=0xffff).map(|high| Prefix::V4(high << 16, 32));
    index.apply(leaves.map(|prefix| Change::set(prefix, Mark { class: 1, until_min: NOW }).unwrap()));
    assert_eq!(index.sweep(NOW - 1), 0);
    assert_eq!([index.sweep(NOW), index.sweep(NOW)], [256, 256]);
    assert_eq!(sweep_all(&mut index, NOW), 0x1_0000 - 512);
    assert!(index.is_empty());
}

#[test]
fn a_sweep_stops_after_some_thousand_marks() {
    let mut index = Index::new([1, 2]);
    let holding = (0..16 * 1024).map(|low| (Prefix::V4(low, 32), NOW + 1));
    let changes = holding.chain([(Prefix::V4(1 << 16, 32), NOW)]);
    index
        .apply(changes.map(|(prefix, until_min)| Change::set(prefix, Mark { class: 1, until_min }).unwrap()));
    assert_eq!([index.sweep(NOW), index.sweep(NOW)], [0, 1]);
}
