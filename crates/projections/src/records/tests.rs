//! A resolver as small as RFC 4592 allows, over our records, against the plain truth.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use model::{Codes, Prefix};
use proptest::prelude::*;

use super::*;

/// A zone as a secondary holds it: names with their codes, and all names that exist.
#[derive(Clone, Debug, Default)]
struct Secondary {
    rows: BTreeMap<String, Codes>,
    exist: BTreeSet<String>,
}

impl Secondary {
    fn of(rows: &BTreeMap<Owner, Codes>, zone: &Zone) -> Secondary {
        let rows: BTreeMap<_, _> = rows.iter().map(|(o, codes)| (owner_text(o, zone), *codes)).collect();
        let uppers = |name: &String| {
            let dots: Vec<_> = name.match_indices('.').map(|(at, _)| name[at + 1..].to_owned()).collect();
            dots.into_iter().chain([name.clone()])
        };
        let exist = rows.keys().flat_map(uppers).collect();
        Secondary { rows, exist }
    }

    /// RFC 4592 §3.3.1: the name, or the wildcard below the closest name that exists.
    fn ask(&self, name: &str) -> Codes {
        if self.exist.contains(name) {
            return self.rows.get(name).copied().unwrap_or_default();
        }
        let mut closest = name;
        while !closest.is_empty() && !self.exist.contains(closest) {
            closest = closest.split_once('.').map_or("", |(_, rest)| rest);
        }
        let wildcard = if closest.is_empty() { "*".to_owned() } else { format!("*.{closest}") };
        self.rows.get(&wildcard).copied().unwrap_or_default()
    }
}

fn all_rows(entries: &Entries, zone: &Zone) -> BTreeMap<Owner, Codes> {
    let mut rows = BTreeMap::new();
    for row in Rows::new(entries, *zone) {
        assert!(!row.codes.is_empty());
        assert_eq!(rows.insert(row.owner.clone(), row.codes), None, "{:?} is told twice", row.owner);
    }
    rows
}

fn zone(label: &str) -> Zone {
    Zone::of(label).unwrap()
}

/// What is true: held prefixes, spared ones, a bulk list.
#[derive(Clone, Debug, Default)]
struct Truth {
    held: BTreeMap<Prefix, Held>,
    spared: BTreeSet<Prefix>,
    bulk: Vec<(Prefix, u8)>,
}

impl Truth {
    fn codes(&self, addr: IpAddr) -> Codes {
        let host = Prefix::host(addr);
        if self.spared.iter().any(|spared| spared.covers(host)) {
            return Codes::NONE;
        }
        let held = self.held.iter().filter(|(prefix, _)| prefix.covers(host)).map(|(_, held)| {
            let hole = held.holes.iter().find(|(hole, _)| hole.covers(host));
            hole.map_or(held.codes, |(_, left)| *left)
        });
        let bulk = self.bulk.iter().filter(|(p, _)| p.covers(host)).map(|(_, last)| Codes::of(*last));
        held.chain(bulk).fold(Codes::NONE, Codes::or)
    }

    fn entries(&self) -> Entries {
        let mut entries = Entries::default();
        self.held.iter().for_each(|(prefix, held)| entries.set(*prefix, &Held::default(), held));
        self.spared.iter().for_each(|prefix| entries.spare(*prefix, true));
        entries.set_bulk(&[Arc::new(Bulk::new(self.bulk.iter().copied()))]);
        entries
    }
}

/// Prefixes close to each other, so that they meet: of 2.0.0.0/14 and 203.0.112.0/22, and of
/// 2001:db8::/44.
fn prefix() -> impl Strategy<Value = Prefix> {
    let four = (
        any::<bool>(),
        any::<u32>(),
        prop::sample::select(vec![15, 16, 17, 20, 23, 24, 24, 25, 30, 32, 32, 32]),
    );
    let four = four.prop_map(|(low, bits, len)| {
        let bits = if low { 0x0200_0000 | bits & 0x3_0b0b } else { 0xcb00_7000 | bits & 0x30f };
        Prefix::new(Ipv4Addr::from_bits(bits).into(), len)
    });
    let six = (any::<u128>(), prop::sample::select(vec![44, 46, 48, 49, 56, 60, 64, 64, 64, 65, 128]));
    let six = six.prop_map(|(bits, len)| {
        let bits = 0x2001_0db8 << 96 | bits & (0x3_0301 << 64 | 0x3000_0000_0000_0001);
        Prefix::new(Ipv6Addr::from_bits(bits).into(), len)
    });
    prop_oneof![3 => four, 2 => six]
}

fn codes() -> impl Strategy<Value = Codes> {
    prop::sample::subsequence(vec![3u8, 4, 12, 15], 1..3).prop_map(|octets| octets.into_iter().collect())
}

/// A prefix with what holds on it; now and then with holes inside.
fn held() -> impl Strategy<Value = (Prefix, Held)> {
    let holes = prop::collection::vec((prefix(), 0u8..3), 0..4);
    (prefix(), codes(), holes).prop_map(|(prefix, codes, holes)| {
        let inside = holes.into_iter().filter(|(hole, _)| prefix.covers(*hole) && prefix != *hole);
        let mut taken: Vec<(Prefix, Codes)> = Vec::new();
        for (hole, left) in inside {
            if !taken.iter().any(|(known, _)| known.overlaps(hole)) {
                taken.push((hole, if left == 0 { codes.and(Codes::of(3)) } else { Codes::NONE }));
            }
        }
        (prefix, Held { codes, holes: taken })
    })
}

fn truth() -> impl Strategy<Value = Truth> {
    let held = prop::collection::btree_map(prefix(), codes(), 0..1)
        .prop_flat_map(|_| prop::collection::vec(held(), 0..9));
    let bulk = prop::collection::vec((prefix(), 3u8..6), 0..4);
    let spared = prop::collection::btree_set(prefix(), 0..2);
    (held, spared, bulk).prop_map(|(held, spared, bulk)| {
        let mut apart: Vec<(Prefix, u8)> = Vec::new();
        for (prefix, last) in bulk {
            if !apart.iter().any(|(known, _)| known.overlaps(prefix)) {
                apart.push((prefix, last));
            }
        }
        Truth { held: held.into_iter().collect(), spared, bulk: apart }
    })
}

/// Addresses at which something can be wrong: at both ends of every prefix, and next to them.
fn probes(truth: &[&Truth]) -> BTreeSet<IpAddr> {
    let holes = |held: &Held| held.holes.iter().map(|(hole, _)| *hole).collect::<Vec<_>>();
    let prefixes = truth.iter().flat_map(|truth| {
        let held = truth.held.iter().flat_map(|(prefix, held)| [vec![*prefix], holes(held)].concat());
        held.chain(truth.spared.iter().copied()).chain(truth.bulk.iter().map(|(prefix, _)| *prefix))
    });
    let beside = |prefix: Prefix, by: i8| match prefix {
        Prefix::V4(bits, _) => IpAddr::from(Ipv4Addr::from_bits(bits.wrapping_add_signed(by.into()))),
        Prefix::V6(bits, _) => Ipv6Addr::from_bits(bits.wrapping_add_signed(by.into())).into(),
    };
    let ends = prefixes.flat_map(|prefix| [prefix, node::last(prefix)]);
    let near = ends.flat_map(|end| [-1i8, 0, 1].map(|by| beside(end, by)));
    // And the eighth of IPv6 that `*.0.0.2` would list.
    near.chain(["2000::1", "200a::1", "2001::1", "2.0.0.1"].map(|addr| addr.parse().unwrap())).collect()
}

fn question(addr: IpAddr) -> String {
    owner_text(&Owner::Net(Prefix::host(addr)), &zone("bl"))
}

fn check_all(truth: &Truth, rows: &BTreeMap<Owner, Codes>, zone: &Zone, probes: &BTreeSet<IpAddr>) {
    let secondary = Secondary::of(rows, zone);
    for addr in probes.iter().filter(|addr| if addr.is_ipv4() { zone.has_v4() } else { zone.has_v6() }) {
        let expect = truth.codes(*addr).and(zone.codes);
        assert_eq!(secondary.ask(&question(*addr)), expect, "{addr} in {}", zone.label);
    }
}

fn apply(rows: &mut BTreeMap<Owner, Codes>, changes: &[Change]) {
    for change in changes {
        let known = rows.remove(&change.owner).unwrap_or_default();
        assert_eq!(known, change.before, "{:?}", change.owner);
        if !change.after.is_empty() {
            rows.insert(change.owner.clone(), change.after);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rfc_4592_wildcards_never_lose_a_listed_address_nor_win_another(truth in truth()) {
        let (entries, probes) = (truth.entries(), probes(&[&truth]));
        for label in ["bl", "bl4", "bl6", "net", "all"] {
            let zone = zone(label);
            check_all(&truth, &all_rows(&entries, &zone), &zone, &probes);
        }
    }

    #[test]
    fn differences_one_after_another_lead_to_the_last_state(
        first in truth(), changes in prop::collection::vec(prop::collection::vec(held(), 1..4), 1..4), ends in any::<u8>(),
    ) {
        let mut truth = first;
        let mut entries = truth.entries();
        let zones = ["bl", "bl4", "bl6", "bounce", "all", "rpz"].map(zone);
        let mut states = zones.map(|zone| all_rows(&entries, &zone));
        for (nth, change) in changes.into_iter().enumerate() {
            let (before, mut places) = (entries.clone(), BTreeSet::new());
            for (prefix, held) in change {
                let after = if ends >> nth & 1 == 1 { Held::default() } else { held };
                let known = truth.held.remove(&prefix).unwrap_or_default();
                entries.set(prefix, &known, &after);
                places.extend(Place::of(prefix, &known, &after));
                if !after.codes.is_empty() {
                    truth.held.insert(prefix, after);
                }
            }
            if ends & 128 != 0 {
                // And in the same step the oldest entry ends.
                if let Some((prefix, held)) = truth.held.pop_first() {
                    entries.set(prefix, &held, &Held::default());
                    places.extend(Place::of(prefix, &held, &Held::default()));
                }
            }
            if let Some(prefix) = (nth == 1).then(|| truth.spared.pop_first()).flatten() {
                entries.spare(prefix, false);
                places.insert(Place::spared(prefix));
            }
            for (zone, state) in zones.iter().zip(&mut states) {
                apply(state, &difference(&before, &entries, zone, &places));
                let expect = all_rows(&entries, zone);
                // The first name that differs says enough; a map can have thousands.
                let wrong = state.iter().find(|(owner, codes)| expect.get(owner) != Some(codes));
                prop_assert_eq!((wrong, state.len()), (None, expect.len()), "{}", zone.label);
            }
        }
        let probes = probes(&[&truth]);
        check_all(&truth, &states[0], &zones[0], &probes);
    }

    #[test]
    fn names_are_listed_with_all_below_them(
        listed in prop::collection::btree_map("[ab](\\.[ab]){0,3}\\.example", 3u8..6, 0..6),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let (zone, mut entries) = (zone("dom"), Entries::default());
        let mut truth = listed;
        truth.iter().for_each(|(name, last)| entries.set_name(name, 0, Scope::whole(Codes::of(*last))));
        let mut rows = all_rows(&entries, &zone);
        let check = |truth: &BTreeMap<String, u8>, rows: &BTreeMap<Owner, Codes>| {
            let secondary = Secondary::of(rows, &zone);
            for deep in 0..5u32 {
                for bits in 0..2u32.pow(deep) {
                    let labels = (0..deep).map(|at| if bits >> at & 1 == 0 { "a." } else { "b." });
                    let name = format!("{}example", labels.collect::<String>());
                    let holds = |(known, _): &(&String, &u8)| {
                        name == **known || name.ends_with(&format!(".{known}"))
                    };
                    let expect = truth.iter().filter(holds).map(|(_, last)| *last).collect::<Codes>();
                    assert_eq!(secondary.ask(&name), expect, "{name}");
                }
            }
        };
        check(&truth, &rows);
        for index in gone {
            let Some(name) = (!truth.is_empty()).then(|| index.get(&truth.keys().collect::<Vec<_>>()).to_string()) else { break };
            let before = entries.clone();
            truth.remove(&name);
            entries.set_name(&name, 0, Scope::default());
            apply(&mut rows, &difference(&before, &entries, &zone, &[Place::Name(name.into())].into()));
            prop_assert_eq!(&rows, &all_rows(&entries, &zone));
            check(&truth, &rows);
        }
    }
}

fn rows_of(entries: &Entries, label: &str) -> Vec<String> {
    let zone = zone(label);
    let tests = zone.test_rows();
    let rows = Rows::new(entries, zone).filter(|row| !tests.contains(row));
    rows.map(|row| owner_text(&row.owner, &zone)).collect()
}

fn held_of(prefixes: &[&str]) -> Entries {
    let mut entries = Entries::default();
    for prefix in prefixes {
        let held = Held { codes: Codes::of(3), holes: Vec::new() };
        entries.set(prefix.parse().unwrap(), &Held::default(), &held);
    }
    entries
}

#[test]
fn a_name_inside_a_wildcard_repeats_it_where_it_would_shadow_it() {
    let entries = held_of(&["198.51.0.0/16", "198.51.100.7", "203.0.113.7"]);
    assert_eq!(rows_of(&entries, "bl"), ["*.51.198", "*.100.51.198", "7.100.51.198", "7.113.0.203"]);
}

#[test]
fn std_3_a_wildcard_that_reads_as_nibbles_is_written_out() {
    let entries = held_of(&["2.0.0.0/24", "2.0.10.0/24"]);
    let rows = rows_of(&entries, "bl");
    assert_eq!((rows.len(), rows[0].as_str(), rows[256].as_str()), (257, "0.0.0.2", "*.10.0.2"));
    assert_eq!(rows_of(&entries, "bl4"), ["*.0.0.2", "*.10.0.2"]);
}

#[test]
fn what_is_too_wide_stands_in_no_zone() {
    assert!(rows_of(&held_of(&["0.0.0.0/0", "198.0.0.0/8", "2001::/19"]), "all").is_empty());
}

#[test]
fn std_1_test_entries_stand_in_every_zone_and_127_0_0_1_in_none() {
    let tests = |label| {
        let zone = zone(label);
        let rows = Rows::new(&Entries::default(), zone);
        rows.map(|row| {
            format!("{} {:?}", owner_text(&row.owner, &zone), row.codes.octets().collect::<Vec<_>>())
        })
        .collect::<Vec<_>>()
    };
    let mapped = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 [2]";
    assert_eq!(tests("net"), ["2.0.0.127 [2]", "9.0.0.127 [9]", "12.0.0.127 [12]", mapped]);
    assert_eq!(tests("bl6"), [mapped]);
    assert_eq!(tests("dom"), ["test [2]"]);
    // Until then a resolver with the policy heard 127.0.0.2 of no list, ours or another's.
    assert_eq!(tests("rpz"), ["test [2]"]);
}

#[test]
fn std_83_the_code_of_other_lists_stands_in_no_zone() {
    let mut entries = Entries::default();
    let held = Held { codes: Codes::of(CODE_EXTERNAL), holes: Vec::new() };
    entries.set("203.0.113.7".parse().unwrap(), &Held::default(), &held);
    assert!(Zone::all().all(|zone| rows_of(&entries, zone.label).is_empty()));
}

#[test]
fn a_response_policy_names_networks_in_its_own_way() {
    let mut entries = held_of(&["203.0.113.7", "198.51.100.0/24", "2001:db8:1:2::/64", "2001:db8::5"]);
    entries.set_name("example.com", 0, Scope::whole(Codes::of(3)));
    let rows = rows_of(&entries, "rpz");
    assert_eq!(
        rows,
        [
            "24.0.100.51.198.rpz-ip",
            "32.7.113.0.203.rpz-ip",
            "128.5.zz.db8.2001.rpz-ip",
            "64.zz.2.1.db8.2001.rpz-ip",
            "example.com",
            "*.example.com",
        ]
    );
}

#[test]
fn rfc_5952_of_several_runs_of_zeros_the_first_of_the_longest_is_shortened() {
    let zone = zone("rpz");
    for (addr, expect) in [
        ("2001:db8:0:0:2:0:0:1", "128.1.0.0.2.zz.db8.2001.rpz-ip"),
        ("2001:db8:0:2:0:0:0:1", "128.1.zz.2.0.db8.2001.rpz-ip"),
        ("2001:db8:1:0:3:4:5:6", "128.6.5.4.3.0.1.db8.2001.rpz-ip"),
        ("::ffff:192.0.2.1", "128.201.c000.ffff.zz.rpz-ip"),
        ("::1", "128.1.zz.rpz-ip"),
    ] {
        let addr: Ipv6Addr = addr.parse().unwrap();
        assert_eq!(owner_text(&Owner::Net(Prefix::V6(addr.to_bits(), 128)), &zone), expect);
    }
    assert_eq!(owner_text(&Owner::Net(Prefix::V6(0, 4)), &zone), "4.zz.rpz-ip");
    let full = "2001:db8:1:2:3:4:5::".parse::<Ipv6Addr>().unwrap().to_bits();
    assert_eq!(owner_text(&Owner::Net(Prefix::V6(full, 112)), &zone), "112.0.5.4.3.2.1.db8.2001.rpz-ip");
}

#[test]
fn a_zone_file_holds_a_record_for_each_code_and_escaped_text() {
    let mut entries = Entries::default();
    let held = Held { codes: [3, 4].into_iter().collect(), holes: Vec::new() };
    entries.set("203.0.113.7".parse().unwrap(), &Held::default(), &held);
    let zone = zone("bl");
    let rows = Rows::new(&entries, zone)
        .filter(|row| matches!(row.owner, Owner::Net(Prefix::V4(bits, _)) if bits >> 24 == 203));
    let text: String = zone_file(head("bl.example."), zone, rows, |_| "say \"why\"".into()).collect();
    assert_eq!(
        text,
        "$ORIGIN bl.example.\n$TTL 60\n@ SOA ns.example. a.example. 7 300 60 86400 30\n@ NS ns.example.\n\
        @ NS ns.example.net.\n7.113.0.203 A 127.0.0.3\n7.113.0.203 A 127.0.0.4\n\
        7.113.0.203 TXT \"say \\\"why\\\"\"\n"
    );
}

fn head(origin: &str) -> Head {
    Head {
        origin: origin.into(),
        servers: vec!["ns.example.".into(), "ns.example.net.".into()],
        contact: "a.example.".into(),
        serial: 7,
        times: [300, 60, 86_400],
        ttl: 60,
        negative_ttl: 30,
    }
}

#[test]
fn rfc_1035_a_name_that_is_too_long_for_its_zone_stands_in_no_file() {
    let mut entries = Entries::default();
    let long = [&*"a".repeat(63), &*"b".repeat(63), &*"c".repeat(63), &*"d".repeat(46)].join(".");
    entries.set_name(&long, 0, Scope::whole(Codes::of(2)));
    let zone = zone("dom");
    let names = |origin: &str| {
        let text: String =
            zone_file(head(origin), zone, Rows::new(&entries, zone), |_| String::new()).collect();
        text.lines().filter(|line| line.contains("aaa") && line.contains(" A ")).count()
    };
    // 238 characters, so 239 octets, 2 more for the wildcard, and 13 or 15 of the zone.
    assert_eq!(names("dom.example."), 2);
    assert_eq!(names("dom.example.x."), 1);
}

#[test]
fn two_bulk_lists_differ_in_what_only_one_of_them_says() {
    let list = |entries: &[(&str, u8)]| {
        Bulk::new(entries.iter().map(|(prefix, last)| (prefix.parse().unwrap(), *last)))
    };
    let (old, new) = (
        list(&[("192.0.2.1", 3), ("192.0.2.2", 3), ("198.51.100.0/24", 3), ("2001:db8::/64", 3)]),
        list(&[("192.0.2.1", 3), ("192.0.2.2", 4), ("2001:db8::/64", 3), ("2001:db8:1::/64", 3)]),
    );
    let apart: Vec<_> = old.apart(&new).map(|prefix| prefix.to_string()).collect();
    assert_eq!(apart, ["192.0.2.2", "192.0.2.2", "198.51.100.0/24", "2001:db8:1::/64"]);
    assert_eq!(old.apart(&old).count(), 0);
}
