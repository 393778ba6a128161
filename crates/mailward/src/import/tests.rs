use model::{Name, Policy};

use super::*;

fn keeper() -> Keeper {
    let our_names = vec![Name::new(b"mx.example.org")];
    Keeper::of(&Policy { our_names, ..Policy::shipped() })
}

fn import(kind: FeedKind, walls: &[&str], file: &str) -> (Table, Found) {
    let walls = walls.iter().map(|wall| wall.parse().unwrap()).collect();
    let mut import = Import::new(Terms { kind, format: None, code: 3, walls, keeper: keeper() });
    let mut went = 0;
    import.file("list.txt", file.as_bytes(), &mut |bytes| went += bytes);
    assert_eq!(went, file.len() as u64);
    let (bytes, found) = import.finish("list.txt").unwrap();
    (Table::from_bytes(bytes).unwrap(), found)
}

fn code(table: &Table, addr: &str) -> Option<u8> {
    table.flat.get(addr.parse().unwrap(), 0).map(|entry| entry.code)
}

#[test]
fn std_83_what_comes_from_others_has_code_17_and_own_entries_never() {
    let file = ":4:x\n192.0.2.1\n192.0.2.2 :17:\n192.0.2.3 :5:\n";
    let (table, found) = import(FeedKind::External, &[], file);
    assert_eq!(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|a| code(&table, a)), [Some(17); 3]);
    assert_eq!((found.entries(), found.broken), (3, 0));
    let (table, found) = import(FeedKind::Curated, &[], file);
    assert_eq!(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|a| code(&table, a)), [Some(4), None, Some(5)]);
    assert_eq!(found.errors, ["list.txt:3: code 17 is for lists of others (--as external)"]);
    assert_eq!(found.codes.into_iter().collect::<Vec<_>>(), [(4, 1), (5, 1)]);
}

#[test]
fn own_networks_and_protected_keys_are_cut_out_and_named() {
    let walls = ["192.0.2.64/26", "198.51.100.7", "203.0.113.0/24"];
    let (table, found) = import(FeedKind::Curated, &walls, "192.0.2.0/24\n192.0.2.65\n198.51.100.7\n");
    let asked = ["192.0.2.63", "192.0.2.64", "192.0.2.65", "192.0.2.128", "198.51.100.7"];
    assert_eq!(asked.map(|a| code(&table, a)), [Some(3), None, None, Some(3), None]);
    let cut: Vec<_> = found.cut.iter().map(|(wall, entries)| format!("{wall} {entries}")).collect();
    assert_eq!(cut, ["192.0.2.64/26 2", "198.51.100.7 1"]);
}

#[test]
fn std_16_wide_entries_are_counted_and_named_and_the_widest_is_told() {
    let file =
        "198.18.0.0/16\n10.0.0.0/15\n172.16.0.0-172.17.0.9\n2001:db8::/31\n2001:db9::/33\n11.0.0.0/8\n";
    let (_, found) = import(FeedKind::Curated, &[], file);
    assert_eq!(found.wide.first, ["10.0.0.0/15", "172.16.0.0-172.17.0.9", "2001:db8::/31"]);
    assert_eq!((found.wide.count, found.widest()), (3, Some("10.0.0.0/15")));
    let errors = ["list.txt:6: 11.0.0.0-11.255.255.255: a whole IPv4 /8 or IPv6 /19 can not be listed"];
    assert_eq!(found.errors, errors);
    let (_, found) = import(FeedKind::Curated, &[], ".lan\n.example.top\nlocal\n");
    assert_eq!(found.wide.first, ["everything below lan"]);
}

#[test]
fn what_is_left_out_is_counted_and_only_the_first_errors_are_told() {
    let file = format!("$TTL 5\n127.0.0.2\n192.0.2.1 text\n!192.0.2.9\n{}", "x/y\n".repeat(9));
    let mut import = Import::new(Terms {
        kind: FeedKind::Curated,
        format: Some(Format::Ip4set),
        code: 2,
        walls: Vec::new(),
        keeper: keeper(),
    });
    import.file("a", file.as_bytes(), &mut |_| {});
    let (_, found) = import.finish("a").unwrap();
    assert_eq!((found.broken, found.errors.len(), found.exclusions, found.entries()), (9, TOLD, 1, 1));
    assert_eq!(found.skipped, Skipped { specials: 1, texts: 1, tests: 1, values: 0 });
    assert!(found.errors[0].starts_with("a:5: expected an address"), "{:?}", found.errors);
}

/// Since bulk lists are there, a file with `.example.org` listed our own senders in `dom.`.
#[test]
fn names_that_are_ours_or_everybodys_are_left_out_and_named() {
    let file = ".example.org\nMX.example.org.\n*.mx.example.org\ngmail.com\n.co.uk\n*.com\nblogspot.com\n\
                .spam.example\nshop.blogspot.com\n!example.org\n";
    for kind in [FeedKind::Curated, FeedKind::External] {
        let (table, found) = import(kind, &[], file);
        let kept: Vec<_> = found.kept.iter().map(|(why, names)| format!("{why}: {names}")).collect();
        let expect = [
            "public suffixes: co.uk, com, blogspot.com",
            "shared by many: gmail.com",
            "yours: example.org, mx.example.org, mx.example.org",
        ];
        assert_eq!(kept, expect);
        assert_eq!((found.entries(), found.exclusions, found.broken, found.wide.count), (2, 1, 0, 0));
        let asked = ["example.org", "a.mx.example.org", "gmail.com", "a.co.uk", "x.com", "www.spam.example"];
        let listed = asked.map(|name| table.names.get(name, 0).is_some());
        assert_eq!(listed, [false, false, false, false, false, true]);
    }
    let many: String = (0..15).map(|n| format!("n{n}.mx.example.org\n")).collect();
    let (_, found) = import(FeedKind::Curated, &[], &many);
    assert!(found.kept["yours"].to_string().ends_with("n9.mx.example.org and 5 more"), "{:?}", found.kept);
}

/// Since bulk lists are there, half of `198.51.100.17` was read as `198.51.0.0/16`.
#[test]
fn the_last_line_of_a_file_that_ends_inside_it_is_left_out() {
    for (file, listed, torn) in [
        ("192.0.2.1\n198.51", 1, true),
        ("192.0.2.1\n198.51.100.0/2", 1, true),
        ("192.0.2.1", 0, true),
        ("192.0.2.1\n198.51\n", 2, false),
        ("192.0.2.1\n198.51.100.17\r\n \t", 2, false),
        ("", 0, false),
    ] {
        let (table, found) = import(FeedKind::Curated, &[], file);
        assert_eq!((found.entries(), !found.torn.is_empty()), (listed, torn), "{file:?}");
        assert_eq!(code(&table, "192.0.2.1").is_some(), listed > 0, "{file:?}");
        assert_eq!(code(&table, "198.51.9.9").is_some(), file == "192.0.2.1\n198.51\n", "{file:?}");
    }
}
