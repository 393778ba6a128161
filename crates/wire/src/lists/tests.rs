use super::*;

/// What a file says, one entry a line; errors as they read.
fn said(format: Format, file: &str) -> Vec<String> {
    let mut reader = Reader::new(format);
    let told = |line: &str| match reader.line(line.as_bytes()) {
        Ok(None) => None,
        Ok(Some(Entry::Addresses(first, last, says))) => Some(format!("{first}-{last} {}", code(says))),
        Ok(Some(Entry::Name(name, covers, says))) => Some(format!("{name} {covers:?} {}", code(says))),
        Err(error) => Some(error.to_string()),
    };
    file.lines().filter_map(told).collect()
}

fn code(says: Says) -> String {
    match says {
        Says::Listed(code) => code.map_or_else(|| "-".to_owned(), |code| code.to_string()),
        Says::Excluded => "!".to_owned(),
    }
}

#[track_caller]
fn check(format: Format, file: &str, expect: &[&str]) {
    assert_eq!(said(format, file), expect);
}

// The examples of rbldnsd(8).
#[test]
fn all_ways_of_writing_a_network_in_an_ip4set_are_one() {
    let slash_24 = ["127.0.0.0/24", "127.0.0", "127.0.0.0-127.0.0.255", "127.0.0.0-255"];
    slash_24.into_iter().for_each(|line| check(Format::Ip4set, line, &["127.0.0.0-127.0.0.255 -"]));
    let eights = ["127/8", "127-127", "127"];
    eights.into_iter().for_each(|line| check(Format::Ip4set, line, &["127.0.0.0-127.255.255.255 -"]));
    check(Format::Ip4set, "127-127.0.0", &["127.0.0.0-127.0.0.255 -"]);
    check(Format::Ip4set, "127.0.0.1-255", &["127.0.0.1-127.0.0.255 -"]);
    let twelve = [
        "127.16.0.0-127.31.255.255",
        "127.16.0-127.31.255",
        "127.16-127.31",
        "127.16-31",
        "127.16.0.0/12",
        "127.16.0/12",
        "127.16/12",
    ];
    twelve.into_iter().for_each(|line| check(Format::Ip4set, line, &["127.16.0.0-127.31.255.255 -"]));
    check(Format::Ip4set, "127.16.0-31", &["127.16.0.0-127.16.31.255 -"]);
}

#[test]
fn values_hold_from_their_line_on_and_one_of_the_line_counts_more() {
    let file = "192.0.2.1\n:127.0.0.4:IP $ is listed\n192.0.2.4\n192.0.2.5 :5\n192.0.2.6 :6:\n\
                192.0.2.7 IP $ runs an open relay\n192.0.2.8 :127.0.0.3:why\n192.0.2.9 ::why\n!192.0.2.10 :7:\n\
                :3\n192.0.2.11 # :9:\n192.0.2.12;x\n::why\n";
    check(
        Format::Ip4set,
        file,
        &[
            "192.0.2.1-192.0.2.1 -",
            "192.0.2.4-192.0.2.4 4",
            "192.0.2.5-192.0.2.5 5",
            "192.0.2.6-192.0.2.6 6",
            "192.0.2.7-192.0.2.7 4",
            "192.0.2.8-192.0.2.8 3",
            "192.0.2.9-192.0.2.9 4",
            "192.0.2.10-192.0.2.10 !",
            "192.0.2.11-192.0.2.11 3",
            "192.0.2.12-192.0.2.12 3",
            r#"expected an address, a prefix or a range of this format, but got "::why""#,
        ],
    );
}

#[test]
fn a_value_without_a_meaning_here_is_counted_and_not_taken() {
    let mut reader = Reader::new(Format::Ip4set);
    let file = ":127.0.1.2:text\n192.0.2.1 :127.0.0.20:\n192.0.2.2 :1\n192.0.2.3 text";
    let codes: Vec<_> = file.lines().filter_map(|line| reader.line(line.as_bytes()).unwrap()).collect();
    assert!(codes.iter().all(|entry| matches!(entry, Entry::Addresses(.., Says::Listed(None)))));
    assert_eq!(reader.skipped(), Skipped { values: 3, texts: 2, ..Skipped::default() });
}

#[test]
fn directives_comments_and_test_entries_are_no_entries() {
    let file = "$SOA 1w ns1.example. admin.example. 0 2h 2h 1w 1h\n#$NS 1w ns1.example\n;$TTL 300\n:$1 text\n\
                # a comment\n;another\n\n   \n127.0.0.2\n192.0.2.1\r\n";
    let mut reader = Reader::new(Format::Ip4set);
    let entries = file.split('\n').filter_map(|line| reader.line(line.as_bytes()).unwrap()).count();
    assert_eq!((entries, reader.skipped()), (1, Skipped { specials: 4, tests: 1, ..Skipped::default() }));
    check(Format::Ip4trie, "::ffff:7f00:2\n127.0.0.2/32", &[]);
    check(Format::Dnset, "TEST\n.test.\nINVALID :3:\n*.invalid\n.invalid.", &[]);
    check(Format::Plain, "127.0.0.2", &[]);
}

#[test]
fn a_trie_has_prefixes_of_both_families_and_no_ranges() {
    let file = ":3:\n192.0.2/25\n198.51.100.0/24 :4:x\n2001:db8:c000/36\n2001:db8:7:4242 :6:odd\n\
                2001:db8:42::/52\n!2001:db8:42::bead # out\n2001:db8::1\n192.0.2.1-192.0.2.9";
    check(
        Format::Ip4trie,
        file,
        &[
            "192.0.2.0-192.0.2.127 3",
            "198.51.100.0-198.51.100.255 4",
            "2001:db8:c000::-2001:db8:cfff:ffff:ffff:ffff:ffff:ffff 3",
            "2001:db8:7:4242::-2001:db8:7:4242:ffff:ffff:ffff:ffff 6",
            "2001:db8:42::-2001:db8:42:fff:ffff:ffff:ffff:ffff 3",
            "2001:db8:42::bead-2001:db8:42::bead !",
            "2001:db8::1-2001:db8::1 3",
            r#"expected an address, a prefix or a range of this format, but got "192.0.2.1-192.0.2.9""#,
        ],
    );
}

#[test]
fn a_dnset_has_names_alone_below_or_both() {
    let file =
        ":2:x\nexample.com\n*.Example.NET :4:\n.example.org.\n!good.example.org\n-x_y.example\nexa mple\n";
    check(
        Format::Dnset,
        file,
        &[
            "example.com Name 2",
            "example.net Below 4",
            "example.org Both 2",
            "good.example.org Name !",
            "-x_y.example Name 2",
            "exa Name 2",
        ],
    );
    let broken =
        ["a..b", "*", "*.", ".", "a*.example", "ex\u{e4}mple.com", &"a.".repeat(128), &"a".repeat(64)];
    for name in broken {
        assert!(said(Format::Dnset, name)[0].starts_with("expected a domain name"), "{name}");
    }
}

#[test]
fn a_plain_list_has_whole_addresses_with_comments() {
    let file =
        "1.10.16.0/20 ; SBL256894\n192.0.2.1\n192.0.2.1-192.0.2.9 text\n2001:db8::/32;x\n::1\n!192.0.2.5\n";
    check(
        Format::Plain,
        file,
        &[
            "1.10.16.0-1.10.31.255 -",
            "192.0.2.1-192.0.2.1 -",
            "192.0.2.1-192.0.2.9 -",
            "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff -",
            "::1-::1 -",
            "192.0.2.5-192.0.2.5 !",
        ],
    );
}

#[test]
fn what_is_wrong_is_said_with_what_was_expected() {
    for (format, line, expect) in [
        (
            Format::Ip4set,
            "192.0.2.1/24",
            r#"expected no bits beyond the prefix length, but got "192.0.2.1/24""#,
        ),
        (Format::Ip4set, "192.0.2.0/33", r#"expected a prefix length of the family, but got "192.0.2.0/33""#),
        (Format::Plain, "192.0.2.0/", r#"expected a prefix length of the family, but got "192.0.2.0/""#),
        (
            Format::Plain,
            "2001:db8::/129",
            r#"expected a prefix length of the family, but got "2001:db8::/129""#,
        ),
        (
            Format::Ip4set,
            "192.0.2.9-192.0.2.1",
            r#"expected a range from a lower to a higher address, but got "192.0.2.9-192.0.2.1""#,
        ),
        (
            Format::Plain,
            "192.0.2.9-2001:db8::",
            r#"expected a range from a lower to a higher address, but got "192.0.2.9-2001:db8::""#,
        ),
        (
            Format::Plain,
            "192.0.2",
            r#"expected an address, a prefix or a range of this format, but got "192.0.2""#,
        ),
        (Format::Ip4set, ":x:text", r#"expected a value such as :127.0.0.2: or :2:, but got ":x:text""#),
        (
            Format::Ip4set,
            "192.0.2.1 :1.2:",
            r#"expected a value such as :127.0.0.2: or :2:, but got ":1.2:""#,
        ),
        (
            Format::Ip4set,
            "\u{1b}[31m",
            r#"expected an address, a prefix or a range of this format, but got "\x1b[31m""#,
        ),
    ] {
        check(format, line, &[expect]);
    }
    for line in ["192.0.2.256", "192.0.2.01", "192.0.2.", ".192", "192..2", "1.2.3.4.5", "-", "/", "!", "1-"]
    {
        assert!(said(Format::Ip4set, line)[0].starts_with("expected an address"), "{line}");
    }
    assert!(said(Format::Plain, &"1".repeat(LINE_LEN_MAX + 1))[0].starts_with("expected a line of at most"));
}

#[test]
fn a_format_is_guessed_from_the_lines() {
    for (file, format) in [
        ("", Format::Plain),
        ("# x\n192.0.2.1\n2001:db8::/32\n", Format::Plain),
        ("192.0.2.1-192.0.2.9\n", Format::Plain),
        ("$SOA x\n192.0.2.1\n", Format::Ip4set),
        (":2:x\n192.0.2.1\n", Format::Ip4set),
        ("192.0.2\n", Format::Ip4set),
        ("!192.0.2.1\n", Format::Ip4set),
        (":2:x\n2001:db8::/32\n", Format::Ip4trie),
        (":2:x\n.example.com\n", Format::Dnset),
        ("example.com\n", Format::Dnset),
    ] {
        assert_eq!(Format::guess(file.as_bytes()), format, "{file:?}");
        assert_eq!(format.word().parse(), Ok(format));
    }
    assert!("list".parse::<Format>().is_err());
}
