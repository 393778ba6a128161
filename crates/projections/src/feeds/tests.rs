use super::*;
use proptest::prelude::*;
use std::net::Ipv4Addr;

/// The minute of all look-ups.
const NOW: u32 = 29_000_000;

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn entry(code: u8) -> FeedEntry {
    FeedEntry { code, until_min: None }
}

/// A list of ranges `first-last` or prefixes with codes; code 0 excludes.
fn flat(lines: &[(&str, u8)]) -> Flat {
    let mut builder = Builder::new(NOW - 10);
    for (text, code) in lines {
        let (first, last) = range(text);
        if *code == 0 { builder.exclude(first, last) } else { builder.add(first, last, entry(*code)) }
            .unwrap();
    }
    Flat::from_bytes(builder.finish().unwrap()).unwrap()
}

fn range(text: &str) -> (IpAddr, IpAddr) {
    match text.split_once('-') {
        Some((first, last)) => (addr(first), addr(last)),
        None => model::atlas::ends(text.parse().unwrap()),
    }
}

#[track_caller]
fn check(flat: &Flat, asked: &str, code: Option<u8>) {
    assert_eq!(flat.get(addr(asked), NOW).map(|entry| entry.code), code, "{asked}");
}

#[test]
fn addresses_prefixes_and_ranges_are_found_and_their_neighbours_not() {
    let flat = flat(&[
        ("192.0.2.7", 3),
        ("192.0.2.9", 4),
        ("198.51.100.0/24", 2),
        ("203.0.113.200-203.0.114.5", 7),
        ("2001:db8::/48", 4),
        ("2001:db8:1::25", 3),
    ]);
    for (asked, code) in [
        ("192.0.2.6", None),
        ("192.0.2.7", Some(3)),
        ("192.0.2.8", None),
        ("192.0.2.9", Some(4)),
        ("198.51.99.255", None),
        ("198.51.100.0", Some(2)),
        ("198.51.100.255", Some(2)),
        ("198.51.101.0", None),
        ("203.0.113.199", None),
        ("203.0.113.255", Some(7)),
        ("203.0.114.5", Some(7)),
        ("203.0.114.6", None),
        ("2001:db8:0:ffff::1", Some(4)),
        ("2001:db8:1::24", None),
        ("2001:db8:1::25", Some(3)),
        ("::1", None),
        ("255.255.255.255", None),
        ("0.0.0.0", None),
    ] {
        check(&flat, asked, code);
    }
    assert_eq!((flat.len(), flat.codes()), (6, [2, 3, 4, 7].into_iter().collect()));
}

#[test]
fn a_16_of_any_number_of_entries_answers_for_each_with_one_value_or_many() {
    for (entries, codes) in (1..=100_u32).flat_map(|entries| [(entries, 1), (entries, 3)]) {
        let address = |number: u32| Ipv4Addr::from_bits(0xc000_0000 + number * (65_000 / entries));
        let code = |number: u32| 2 + (number % codes) as u8;
        let mut builder = Builder::new(0);
        (0..entries).for_each(|n| builder.add(address(n).into(), address(n).into(), entry(code(n))).unwrap());
        let flat = Flat::from_bytes(builder.finish().unwrap()).unwrap();
        for number in 0..entries {
            let got = |addr: Ipv4Addr| flat.get(addr.into(), 0).map(|entry| entry.code);
            assert_eq!(got(address(number)), Some(code(number)), "{number} of {entries}");
            let next = Ipv4Addr::from_bits(address(number).to_bits() + 1);
            assert_eq!(got(next), None, "behind {number} of {entries}");
        }
    }
}

#[test]
fn an_exclusion_is_cut_out_and_the_narrowest_entry_wins() {
    let flat = flat(&[("192.0.2.0/24", 2), ("192.0.2.16/28", 0), ("192.0.2.20", 5), ("192.0.2.128/25", 4)]);
    for (asked, code) in [
        ("192.0.2.15", Some(2)),
        ("192.0.2.16", None),
        ("192.0.2.20", Some(5)),
        ("192.0.2.31", None),
        ("192.0.2.32", Some(2)),
        ("192.0.2.128", Some(4)),
    ] {
        check(&flat, asked, code);
    }
}

#[test]
fn a_cut_beats_every_entry() {
    let mut builder = Builder::new(NOW);
    let (first, last) = range("192.0.2.0/24");
    builder.add(first, last, entry(2)).unwrap();
    builder.add(addr("192.0.2.9"), addr("192.0.2.9"), entry(2)).unwrap();
    builder.cut("192.0.2.8/29".parse().unwrap()).unwrap();
    let flat = Flat::from_bytes(builder.finish().unwrap()).unwrap();
    check(&flat, "192.0.2.7", Some(2));
    check(&flat, "192.0.2.9", None);
    check(&flat, "192.0.2.16", Some(2));
}

#[test]
fn an_entry_ends_in_its_minute_and_45_days_after_the_base_at_the_latest() {
    let mut builder = Builder::new(NOW);
    let ends = |builder: &mut Builder, text: &str, until_min| {
        builder.add(addr(text), addr(text), FeedEntry { code: 3, until_min: Some(until_min) }).unwrap();
    };
    ends(&mut builder, "192.0.2.1", NOW + 5);
    ends(&mut builder, "192.0.2.2", NOW + 70_000);
    ends(&mut builder, "192.0.2.3", NOW - 1);
    let flat = Flat::from_bytes(builder.finish().unwrap()).unwrap();
    let holds = |text, now| flat.get(addr(text), now).is_some();
    assert!(holds("192.0.2.1", NOW + 4) && !holds("192.0.2.1", NOW + 5));
    assert!(holds("192.0.2.2", NOW + 65_533) && !holds("192.0.2.2", NOW + 65_534));
    assert!(!holds("192.0.2.3", NOW));
    assert!(flat.any_in("192.0.2.0/24".parse().unwrap(), Codes::of(3), NOW + 65_533));
    assert!(!flat.any_in("192.0.2.0/24".parse().unwrap(), Codes::of(3), NOW + 65_534));
}

#[test]
fn what_lies_below_a_prefix_is_known_by_code() {
    let flat = flat(&[("192.0.2.7", 3), ("203.0.112.0/20", 9), ("100.64.0.0/10", 9), ("2001:db8::/48", 4)]);
    #[track_caller]
    fn any(flat: &Flat, prefix: &str, code: u8, expect: bool) {
        assert_eq!(flat.any_in(prefix.parse().unwrap(), Codes::of(code), NOW), expect, "{prefix} {code}");
    }
    for prefix in ["192.0.0.0/8", "192.0.0.0/16", "192.0.2.0/24", "192.0.2.7", "0.0.0.0/0"] {
        any(&flat, prefix, 3, true);
        any(&flat, prefix, 4, false);
    }
    any(&flat, "192.0.3.0/24", 3, false);
    any(&flat, "193.0.0.0/8", 3, false);
    any(&flat, "203.0.113.0/24", 9, true);
    any(&flat, "203.0.128.0/24", 9, false);
    any(&flat, "100.100.0.0/16", 9, true);
    any(&flat, "100.0.0.0/8", 9, true);
    any(&flat, "100.0.0.0/10", 9, false);
    any(&flat, "2000::/4", 4, true);
    any(&flat, "2001:db8:0:1::/64", 4, true);
    any(&flat, "2001:db8:1::/48", 4, false);
}

// A name too many exists, which hides nothing; what is bounded is the time (ADV-8).
#[test]
fn after_some_thousand_entries_that_are_over_the_answer_is_yes() {
    let mut builder = Builder::new(NOW);
    for low in (0..20_000_u32).step_by(2) {
        let addr = IpAddr::from(std::net::Ipv4Addr::from_bits(0xc633_0000 + low));
        builder.add(addr, addr, FeedEntry { code: 3, until_min: Some(NOW) }).unwrap();
    }
    let flat = Flat::from_bytes(builder.finish().unwrap()).unwrap();
    assert!(flat.any_in("198.51.0.0/16".parse().unwrap(), Codes::of(3), NOW));
    assert!(!flat.any_in("198.51.1.0/24".parse().unwrap(), Codes::of(3), NOW));
}

#[test]
fn a_whole_8_or_19_is_never_listed() {
    let add = |builder: &mut Builder, text| {
        let (first, last) = range(text);
        builder.add(first, last, entry(2))
    };
    for text in ["10.0.0.0/8", "0.0.0.0/0", "9.0.0.1-11.0.0.0", "2001::/19", "::/0"] {
        assert_eq!(add(&mut Builder::new(0), text), Err(NotListed::TooWide), "{text}");
    }
    let mut halves = Builder::new(0);
    add(&mut halves, "10.0.0.0/9").unwrap();
    add(&mut halves, "2001::/20").unwrap();
    assert!(halves.finish().is_ok());
    let mut both = Builder::new(0);
    add(&mut both, "10.0.0.0/9").unwrap();
    add(&mut both, "10.128.0.0/9").unwrap();
    assert_eq!(both.finish(), Err(NotListed::TooWide));
}

#[test]
fn entries_come_back_as_wide_as_they_can_be() {
    let lines = [
        ("100.64.0.0/10", 2),
        ("192.0.2.0/25", 3),
        ("192.0.2.128/25", 3),
        ("192.0.3.0/24", 4),
        ("2001:db8::/48", 4),
    ];
    let told: Vec<String> =
        flat(&lines).entries().map(|s| format!("{}-{} {}", s.first, s.last, s.entry.code)).collect();
    assert_eq!(
        told,
        [
            "100.64.0.0-100.127.255.255 2",
            "192.0.2.0-192.0.2.255 3",
            "192.0.3.0-192.0.3.255 4",
            "2001:db8::-2001:db8:0:ffff:ffff:ffff:ffff:ffff 4"
        ]
    );
}

fn names(lines: &[(&str, Covers, u8)]) -> Names {
    let mut builder = NamesBuilder::new(NOW);
    for (name, covers, code) in lines {
        builder.add(name, *covers, (*code > 0).then(|| entry(*code))).unwrap();
    }
    Names::from_bytes(builder.finish()).unwrap()
}

#[test]
fn a_name_is_listed_alone_with_what_is_below_it_or_without_itself() {
    let names = names(&[
        ("example.com", Covers::Both, 2),
        ("good.example.com", Covers::Both, 0),
        ("bad.good.example.com", Covers::Name, 3),
        ("example.net", Covers::Below, 4),
        ("example.org", Covers::Name, 5),
        ("example.org", Covers::Below, 6),
        ("mail-example.com", Covers::Name, 7),
    ]);
    for (name, code) in [
        ("example.com", Some(2)),
        ("a.b.example.com", Some(2)),
        ("xexample.com", None),
        ("good.example.com", None),
        ("x.good.example.com", None),
        ("bad.good.example.com", Some(3)),
        ("x.bad.good.example.com", None),
        ("example.net", None),
        ("www.example.net", Some(4)),
        ("example.org", Some(5)),
        ("www.example.org", Some(6)),
        ("mail-example.com", Some(7)),
        ("com", None),
        ("", None),
        ("zz", None),
    ] {
        assert_eq!(names.get(name, NOW).map(|entry| entry.code), code, "{name}");
    }
    let below = |name, code| names.any_below(name, Codes::of(code), NOW);
    assert!(below("com", 2) && below("com", 7) && below("net", 4) && below("good.example.com", 3));
    assert!(!below("com", 4) && !below("org", 4) && !below("ample.com", 2) && !below("de", 2));
}

#[test]
fn a_name_that_ran_out_gives_way_to_the_one_above_it() {
    let mut builder = NamesBuilder::new(NOW);
    builder.add("example.com", Covers::Both, Some(entry(2))).unwrap();
    let soon = FeedEntry { code: 3, until_min: Some(NOW + 1) };
    builder.add("www.example.com", Covers::Name, Some(soon)).unwrap();
    let names = Names::from_bytes(builder.finish()).unwrap();
    assert_eq!(
        [NOW, NOW + 1].map(|now| names.get("www.example.com", now).map(|e| e.code)),
        [Some(3), Some(2)]
    );
}

#[test]
fn what_is_no_name_is_refused() {
    for name in ["", ".", "Example.com", "a..b", "a b.example", &"a".repeat(64), &"a.".repeat(127)] {
        let refused = NamesBuilder::new(0).add(name, Covers::Name, Some(entry(2)));
        assert_eq!(refused, Err(NotNamed::NoName), "{name}");
    }
}

fn adopted(kind: FeedKind) -> FeedAdopted {
    let name = "test".parse().unwrap();
    FeedAdopted { name, kind, hash: [1; 32], code: 2, until: Millis(u64::from(NOW + 9) * 60_000), entries: 1 }
}

fn table(code: u8) -> Table {
    let mut builder = Builder::new(NOW);
    builder.add(addr("192.0.2.7"), addr("192.0.2.7"), entry(code)).unwrap();
    let bytes =
        Table::to_bytes(builder.finish().unwrap(), NamesBuilder::new(NOW).finish().as_slice(), "a\nb");
    Table::from_bytes(bytes).unwrap()
}

#[test]
fn std_83_a_list_of_others_has_code_17_and_an_own_one_never() {
    let made = |kind, code| Feed::new(&adopted(kind), Millis(0), Some(&table(code))).is_ok();
    assert!(made(FeedKind::External, 17) && made(FeedKind::Curated, 2));
    assert!(!made(FeedKind::External, 2) && !made(FeedKind::Curated, 17));
}

#[test]
fn a_list_says_nothing_once_it_is_over_or_when_its_file_is_missing() {
    let feed = Feed::new(&adopted(FeedKind::Curated), Millis(0), Some(&table(2))).unwrap();
    let at = |minute: u32| Millis(u64::from(minute) * 60_000);
    assert!(feed.get(addr("192.0.2.7"), at(NOW + 8)).is_some());
    assert!(feed.get(addr("192.0.2.7"), at(NOW + 9)).is_none());
    assert_eq!(&*feed.source, "a?b");
    let missing = Feed::new(&adopted(FeedKind::Curated), Millis(0), None).unwrap();
    assert!(missing.is_missing && missing.get(addr("192.0.2.7"), at(NOW)).is_none());
}

/// Asks everything of a list; what it answers does not matter.
fn exercise(flat: &Flat) {
    let addresses: Vec<u32> = (0..200).map(|n| u32::MAX / 199 * n).chain([0xc000_0207, u32::MAX]).collect();
    flat.read_ahead(&addresses);
    for span in flat.entries().take(50).collect::<Vec<_>>() {
        for addr in [span.first, span.last] {
            let _ = flat.get(addr, NOW);
            let _ = flat.any_in(Prefix::new(addr, 12), Codes::ALL, NOW);
        }
    }
    for text in ["0.0.0.0", "255.255.255.255", "192.0.2.7", "::", "ffff::"] {
        let _ = flat.get(addr(text), NOW);
        let _ = flat.any_in(Prefix::new(addr(text), 1), Codes::ALL, NOW);
    }
}

fn exercise_names(names: &Names) {
    for named in names.entries().take(50) {
        let _ = names.get(named.name, NOW);
        let _ = names.any_below(named.name, Codes::ALL, NOW);
    }
    let _ = names.get("www.example.com", NOW);
}

/// A small list of each kind, for bytes that are then changed.
fn sample() -> (Vec<u8>, Vec<u8>) {
    let lines = [
        ("192.0.2.7", 3),
        ("192.0.2.9", 4),
        ("198.51.100.0/24", 2),
        ("192.0.2.64/26", 9),
        ("2001:db8::/48", 4),
    ];
    let some =
        [("example.com", Covers::Both, 2), ("a.example.com", Covers::Name, 0), ("b.net", Covers::Below, 3)];
    (flat(&lines).as_bytes().to_vec(), names(&some).as_bytes().to_vec())
}

#[test]
fn bytes_with_any_bit_turned_are_refused_or_answer() {
    let (flat, names) = sample();
    // The map is long and mostly zeros.
    let map = 32 + 64..32 + 12 * 1000;
    for at in (0..flat.len()).filter(|at| !map.contains(at) || at % 97 == 0) {
        for bit in 0..8 {
            let mut bytes = flat.clone();
            bytes[at] ^= 1 << bit;
            if let Ok(flat) = Flat::from_bytes(bytes) {
                exercise(&flat);
            }
        }
    }
    for at in 0..names.len() {
        for bit in 0..8 {
            let mut bytes = names.clone();
            bytes[at] ^= 1 << bit;
            if let Ok(names) = Names::from_bytes(bytes) {
                exercise_names(&names);
            }
        }
    }
}

#[test]
fn bytes_that_are_cut_or_go_on_are_refused() {
    let (flat, names) = sample();
    for len in (0..flat.len()).step_by(7).chain([flat.len() - 1]) {
        assert!(Flat::from_bytes(flat[..len].to_vec()).is_err(), "{len}");
    }
    for len in 0..names.len() {
        assert!(Names::from_bytes(names[..len].to_vec()).is_err(), "{len}");
    }
    let file = Table::to_bytes(flat.clone(), &names, "here");
    for len in (0..file.len()).rev().take(200) {
        assert!(Table::from_bytes(file[..len].to_vec()).is_err(), "{len}");
    }
    assert!(Flat::from_bytes([flat, vec![0]].concat()).is_err());
    assert!(Names::from_bytes([names, vec![0]].concat()).is_err());
    assert!(Table::from_bytes(file).is_ok());
}

/// A range near the interesting places: block borders, the ends of the address space.
fn some_range() -> impl Strategy<Value = (u32, u32)> {
    let around = prop::sample::select(vec![0_u32, 0xc000_0200, 0xc000_fff0, 0xc001_0000, 0xffff_fff0]);
    let width = prop::sample::select(vec![0_u32, 1, 7, 255, 0x1_0000, 0x3_0000]);
    (around, 0_u32..600, width).prop_map(|(around, plus, width)| {
        let first = around.saturating_add(plus);
        (first, first.saturating_add(width))
    })
}

proptest! {
    #[test]
    fn a_list_answers_like_a_plain_search_for_the_narrowest(
        lines in prop::collection::vec((some_range(), 0_u8..6), 0..30),
        asked in prop::collection::vec(some_range(), 1..40),
        len in 1_u8..33,
    ) {
        let lines: Vec<_> = lines.into_iter().map(|(r, c)| (r, if c == 1 { 0 } else { c })).collect();
        let mut builder = Builder::new(NOW);
        let v4 = |bits: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(bits));
        for ((first, last), code) in &lines {
            let (first, last) = (v4(*first), v4(*last));
            if *code == 0 { builder.exclude(first, last) } else { builder.add(first, last, entry(*code)) }.unwrap();
        }
        let flat = Flat::from_bytes(builder.finish().unwrap()).unwrap();
        let plain = |at: u32| {
            let around = lines.iter().filter(|((f, l), _)| (*f..=*l).contains(&at));
            around.min_by_key(|((f, l), code)| (l - f, *code)).map(|(_, code)| *code).filter(|code| *code > 0)
        };
        for at in asked.iter().flat_map(|(first, last)| [*first, *last]) {
            prop_assert_eq!(flat.get(v4(at), NOW).map(|e| e.code), plain(at), "{}", v4(at));
            let (prefix, spans) = (Prefix::new(v4(at), len), flat.entries());
            let (from, to) = model::atlas::ends(prefix);
            let inside: Codes = spans.filter(|s| s.first <= to && from <= s.last).map(|s| s.entry.code).collect();
            for code in 2..6 {
                prop_assert_eq!(
                    flat.any_in(prefix, Codes::of(code), NOW),
                    !inside.and(Codes::of(code)).is_empty(),
                    "{} {}", prefix, code
                );
            }
        }
        for span in flat.entries() {
            for at in [span.first, span.last] {
                prop_assert_eq!(flat.get(at, NOW), Some(span.entry));
            }
        }
        let spans: Vec<_> = flat.entries().collect();
        prop_assert!(spans.windows(2).all(|pair| pair[0].last < pair[1].first));
    }

    #[test]
    fn names_answer_like_a_plain_walk_upwards(
        lines in prop::collection::vec((prop::collection::vec(0_usize..3, 1..4), 0_u8..3, 0_u8..4), 0..20),
        asked in prop::collection::vec(prop::collection::vec(0_usize..3, 1..5), 1..30),
    ) {
        let text = |labels: &Vec<usize>| labels.iter().map(|l| ["a", "b", "a-b"][*l]).collect::<Vec<_>>().join(".");
        let covers = [Covers::Name, Covers::Below, Covers::Both];
        let mut builder = NamesBuilder::new(NOW);
        let mut plain = std::collections::BTreeMap::<(String, bool), u8>::new();
        for (labels, what, code) in &lines {
            let (name, covers, code) = (text(labels), covers[usize::from(*what)], if *code == 1 { 0 } else { *code });
            builder.add(&name, covers, (code > 0).then(|| entry(code))).unwrap();
            for own in [true, false] {
                if covers == Covers::Both || own == (covers == Covers::Name) {
                    let known = plain.entry((name.clone(), own)).or_insert(code);
                    *known = (*known).min(code);
                }
            }
        }
        let names = Names::from_bytes(builder.finish()).unwrap();
        for name in asked.iter().map(text) {
            let ups = std::iter::successors(Some(name.as_str()), |n| n.split_once('.').map(|(_, up)| up));
            let expect = ups.enumerate().find_map(|(up, n)| plain.get(&(n.to_owned(), up == 0)).copied());
            prop_assert_eq!(names.get(&name, NOW).map(|e| e.code), expect.filter(|c| *c > 0), "{}", name);
            for code in 2..4 {
                let is_below = |n: &str| n == name || n.strip_suffix(&name).is_some_and(|front| front.ends_with('.'));
                let any = plain.iter().any(|((n, _), c)| *c == code && is_below(n));
                prop_assert_eq!(names.any_below(&name, Codes::of(code), NOW), any, "{} {}", name, code);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_answer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for magic in [&b"MWFLAT1\0"[..], b"MWNAME1\0", b""] {
            let bytes = [magic, &bytes].concat();
            if let Ok(flat) = Flat::from_bytes(bytes.clone()) { exercise(&flat); }
            if let Ok(names) = Names::from_bytes(bytes.clone()) { exercise_names(&names); }
            prop_assert!(Table::from_bytes(bytes).is_err());
        }
    }
}

/// A view with one list, which lists 192.0.2.0/24 and example.com with a code.
fn view(kind: FeedKind, code: u8) -> crate::View {
    let mut builder = Builder::new(NOW);
    let (first, last) = range("192.0.2.0/24");
    builder.add(first, last, entry(code)).unwrap();
    let mut names = NamesBuilder::new(NOW);
    names.add("example.com", Covers::Both, Some(entry(code))).unwrap();
    let table = Table::from_bytes(Table::to_bytes(builder.finish().unwrap(), &names.finish(), "")).unwrap();
    let feed = Feed::new(&adopted(kind), Millis(7), Some(&table)).unwrap();
    let protected = vec!["192.0.2.64/26".parse().unwrap()];
    let protected = Arc::new(model::Protected::new(protected, true, 0));
    let view = crate::View::empty(Arc::default(), protected, [1, 2]);
    crate::View { feeds: Arc::new(vec![Arc::new(feed)]), ..view }
}

#[test]
fn a_zone_answers_from_lists_with_their_code_until_their_end_and_spares_protected_keys() {
    let view = view(FeedKind::Curated, 4);
    let now = Millis(u64::from(NOW) * 60_000);
    let listing = |text, among| view.listing(addr(text), among, now, model::Secs(300));
    let listed = listing("192.0.2.7", Codes::ALL).unwrap();
    assert_eq!((listed.codes, listed.until), (Codes::of(4), now.plus(model::Secs(540))));
    assert_eq!(listing("192.0.2.7", Codes::of(3)), None);
    assert_eq!(listing("192.0.3.7", Codes::ALL), None);
    assert_eq!(listing("192.0.2.65", Codes::ALL), None, "protected");
    assert!(view.lists_below_v4(0xc000_0000, 16, Codes::of(4), now));
    assert!(!view.lists_below_v4(0xc000_0000, 16, Codes::of(5), now));
    assert!(!view.lists_below_v4(0xc001_0000, 16, Codes::of(4), now));
    let (of_name, why) = view.listing_of_name("www.example.com", Codes::ALL, now).unwrap();
    assert_eq!((of_name.codes, why), (Codes::of(4), crate::zone::Why::List { code: 4, since: Millis(7) }));
    assert!(
        view.lists_names_below("com", Codes::of(4), now) && !view.lists_names_below("org", Codes::ALL, now)
    );
}
