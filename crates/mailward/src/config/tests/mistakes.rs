//! What is said of a wrong file, word by word.

use super::read;
use crate::config::{Config, ConfigError, ConfigErrors};

#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let errors = read(text).map(|_| ()).expect_err("mistakes");
    let got: Vec<_> = errors.all().iter().map(ToString::to_string).collect();
    assert_eq!(got, expect, "\n{text}");
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_right_one() {
    check(
        "[policy]\ntpc = \"127.0.0.1:12340\"\n",
        &["t.toml:2: policy.tpc: expected a key of [policy], but got \"tpc\"; did you mean \"tcp\"?"],
    );
    check(
        "[policy]\ntrust_local = true\n",
        &[
            "t.toml:2: policy.trust_local: expected a key of [policy], but got \"trust_local\"; did you mean \"trust-local\"?",
        ],
    );
    check(
        "[rules.spam-volume]\nunit-hours = 5",
        &[
            "t.toml:2: rules.spam-volume.unit-hours: expected a key of [rules.spam-volume], but got \"unit-hours\"; \
           did you mean \"units-hour\"?",
        ],
    );
}

#[test]
fn an_unknown_section_is_told_with_the_nearest_right_one() {
    check(
        "[polcy]\ntcp = \"127.0.0.1:12340\"\n",
        &["t.toml:1: polcy: expected a known key or section, but got \"polcy\"; did you mean \"policy\"?"],
    );
    check(
        "[rules.spam]\nmode = \"off\"\n",
        &[
            "t.toml:1: rules.spam: expected one of asn-l3, attachment, backscatter, bot, connection, dictionary, domain-conduct, early-talker, flood, forged-sender, geo, greytrap, hash-flood, helo, helo-name, message, net-l2, protocol, reports, spam-volume, trap, virus, but got \"spam\"",
        ],
    );
}

#[test]
fn a_key_of_another_section_is_told_where_it_belongs() {
    check(
        "url = \"https://mw.example.net\"",
        &["t.toml:1: url: expected a known key or section, but got \"url\"; did you mean \"portal.url\"?"],
    );
    check(
        "[guards]\nfloor = \"2 h\"",
        &[
            "t.toml:2: guards.floor: expected a key of [guards], but got \"floor\"; did you mean \"sentence.floor\"?",
        ],
    );
}

#[test]
fn a_key_like_no_other_is_told_with_all_that_there_are() {
    check(
        "[journal]\ncompression = 3",
        &["t.toml:2: journal.compression: expected one of age, segment-size, total, but got \"compression\""],
    );
}

#[test]
fn a_quoted_key_is_one_name() {
    check(
        "\"policy.tcp\" = \"off\"\n\"\" = 1\n[policy]\n\"a\\nb\" = 1",
        &[
            "t.toml:1: policy.tcp: expected one of allow-documentation-prefixes, control, data-dir, dns, evidence, greylist, guards, \
             journal, judges, log, memory, milter, mode, networks, node, own, policy, portal, reports, rules, sentence, shared, site, \
             traps, but got \"policy.tcp\"",
            "t.toml:2: : expected one of allow-documentation-prefixes, control, data-dir, dns, evidence, greylist, guards, journal, judges, \
             log, memory, milter, mode, networks, node, own, policy, portal, reports, rules, sentence, shared, site, traps, but got \"\"",
            "t.toml:4: policy.a\\nb: expected one of tcp, threads, trust-local, unix, but got 'a\\nb'",
        ],
    );
}

#[test]
fn a_number_without_unit_is_told_with_the_usual_unit() {
    check(
        "[sentence]\nfloor = 6\nper-unit = 6\ncap = 10\n[rules.spam-volume]\nshare = 50\n[journal]\ntotal = 4\n",
        &[
            "t.toml:2: sentence.floor: expected a duration with a unit (s, min, h or d), but got 6; did you mean \"6 h\"?",
            "t.toml:3: sentence.per-unit: expected a duration with a unit (s, min, h or d), but got 6; did you mean \"6 min\"?",
            "t.toml:4: sentence.cap: expected a duration with a unit (s, min, h or d), but got 10; did you mean \"10 d\"?",
            "t.toml:6: rules.spam-volume.share: expected a share from \"0 %\" to \"100 %\", but got 50; did you mean \"50 %\"?",
            "t.toml:8: journal.total: expected a size with a unit (KiB, MiB or GiB), but got 4; did you mean \"4 GiB\"?",
        ],
    );
}

#[test]
fn a_value_of_another_form_is_told_with_what_was_meant() {
    check(
        "mode = \"lern\"\nnode = \"2\"\nallow-documentation-prefixes = \"yes\"\n",
        &[
            "t.toml:1: mode: expected \"learn\" or \"enforce\", but got \"lern\"; did you mean \"learn\"?",
            "t.toml:2: node: expected a whole number from 1 to 65535, but got \"2\"; did you mean 2?",
            "t.toml:3: allow-documentation-prefixes: expected true or false, but got \"yes\"; did you mean true?",
        ],
    );
    check(
        "[sentence]\nfloor = \"6 hours\"\n[policy]\ntcp = 12340\n[own]\nnames = \"mx.example.org\"\n",
        &[
            "t.toml:2: sentence.floor: expected a duration with a unit (s, min, h or d), but got \"6 hours\"; \
             did you mean \"6 h\"?",
            "t.toml:4: policy.tcp: expected an address with a port, or \"off\", but got 12340",
            "t.toml:6: own.names: expected a list of domain names, but got \"mx.example.org\"; \
             did you mean [\"mx.example.org\"]?",
        ],
    );
    check(
        "[rules.helo]\nmode = \"shadwo\"\n[guards]\nblocks-per-minute = 0\n",
        &[
            "t.toml:2: rules.helo.mode: expected \"off\", \"shadow\" or \"block\", but got \"shadwo\"; \
             did you mean \"shadow\"?",
            "t.toml:4: guards.blocks-per-minute: expected a whole number from 1 on, or \"unlimited\", but got 0",
        ],
    );
}

#[test]
fn each_bad_element_of_a_list_is_told_on_its_own_line() {
    check(
        "[own]\nnetworks = [\n  \"192.0.2.9/24\",\n  \"2001:db8::/32\",\n  \"mx.example.org\",\n  7,\n]\n",
        &[
            "t.toml:3: own.networks: expected no bits beyond the prefix length, but got \"192.0.2.9/24\"; \
             did you mean \"192.0.2.0/24\"?",
            "t.toml:5: own.networks: expected an IP address or prefix, but got \"mx.example.org\"",
            "t.toml:6: own.networks: expected an IP address or prefix, but got 7",
        ],
    );
}

#[test]
fn a_section_is_not_a_value_nor_a_value_a_section() {
    check(
        "policy = \"127.0.0.1:12340\"\n[mode]\n[[guards]]\n",
        &[
            "t.toml:1: policy: expected a section [policy], but got \"127.0.0.1:12340\"",
            "t.toml:2: mode: expected \"learn\" or \"enforce\", but got a section",
            "t.toml:3: guards: expected a section [guards], but got a list",
        ],
    );
}

#[test]
fn the_portals_url_is_one_that_strangers_can_follow() {
    check(
        "[portal]\nurl = \"http://mw.example.net/\"\ncontact = \"postmaster\"\n",
        &[
            "t.toml:2: portal.url: expected an https URL (http only for 127.0.0.1), but got \"http://mw.example.net/\"; \
             did you mean \"https://mw.example.net\"?",
            "t.toml:3: portal.contact: expected a mail address, but got \"postmaster\"",
        ],
    );
    check(
        "[portal]\nurl = \"https://mailward.department.example.net\"",
        &["t.toml:2: portal.url: expected at most 34 octets, so that a case link fits into 68, \
           but got \"https://mailward.department.example.net\""],
    );
}

#[test]
fn a_text_that_is_no_toml_is_told_by_line() {
    check("mode = learn", &["t.toml:1: expected a value, but got learn; did you mean \"learn\"?"]);
    check("node = 1\nmode =\n", &["t.toml:2: expected a value, but got nothing"]);
    check("mode = \"learn\"\nmode = \"enforce\"", &["t.toml:2: expected TOML, but got mode (duplicate key)"]);
    check("[policy\ntcp = 1", &["t.toml:1: expected TOML, but got nothing (unclosed table, expected `]`)"]);
}

#[test]
fn a_missing_quote_does_not_hide_the_other_mistakes() {
    check(
        "[sentence]\nfloor = 6h\ncap = 10\n",
        &[
            "t.toml:2: expected a value, but got 6h; did you mean \"6h\"?",
            "t.toml:3: sentence.cap: expected a duration with a unit (s, min, h or d), but got 10; did you mean \"10 d\"?",
        ],
    );
}

#[test]
fn settings_that_contradict_are_told_where_the_file_sets_them() {
    check(
        "[sentence]\nfloor = \"40 d\"",
        &["t.toml:2: sentence.floor: expected at most sentence.cap (30 d), but got \"40 d\""],
    );
    check(
        "[sentence]\nfloor = \"3 h\"\ncap = \"1 h\"",
        &["t.toml:3: sentence.cap: expected at least sentence.floor (3 h), but got \"1 h\""],
    );
    check(
        "[sentence]\nfloor = \"0 s\"",
        &["t.toml:2: sentence.floor: expected at least 1 min, but got \"0 s\""],
    );
    check(
        "[journal]\nsegment-size = \"4 KiB\"\ntotal = \"4 KiB\"\nage = \"5 min\"\n",
        &[
            "t.toml:2: journal.segment-size: expected at least 1 MiB, but got \"4 KiB\"",
            "t.toml:3: journal.total: expected at least twice journal.segment-size (8 KiB), but got \"4 KiB\"",
            "t.toml:4: journal.age: expected at least 1 h, but got \"5 min\"",
        ],
    );
}

#[test]
fn documentation_prefixes_and_public_listeners_exclude_each_other() {
    check(
        "allow-documentation-prefixes = true\n[policy]\ntcp = \"0.0.0.0:12340\"\n[portal]\nlisten = \"[::]:12380\"\n",
        &[
            "t.toml:3: policy.tcp: expected an address on loopback beside allow-documentation-prefixes, \
             but got \"0.0.0.0:12340\"; did you mean \"127.0.0.1:12340\"?",
            "t.toml:5: portal.listen: expected an address on loopback beside allow-documentation-prefixes, \
             but got \"[::]:12380\"; did you mean \"127.0.0.1:12380\"?",
        ],
    );
}

#[test]
fn two_servers_need_two_addresses() {
    check(
        "[portal]\nlisten = \"127.0.0.1:12340\"\n[policy]\nunix = \"/run/mw/s\"\n[control]\nsocket = \"/run/mw/s\"\n",
        &[
            "t.toml:2: portal.listen: expected another address than policy.tcp, but got \"127.0.0.1:12340\"",
            "t.toml:4: policy.unix: expected another path than the control socket's, but got \"/run/mw/s\"",
        ],
    );
}

#[test]
fn a_sockets_path_fits_into_the_kernels_limit() {
    let long = "x".repeat(100);
    check(
        &format!("data-dir = \"/{long}\"\n[policy]\nunix = \"/{long}{long}\"\n"),
        &[
            &format!(
                "t.toml:1: data-dir: expected a socket's path of at most 107 bytes with /control.sock, \
                 but got \"/{}…",
                "x".repeat(62)
            ),
            &format!(
                "t.toml:3: policy.unix: expected a socket's path of at most 107 bytes, but got \"/{}…",
                "x".repeat(62)
            ),
        ],
    );
    assert!(read(&format!("data-dir = \"/{}\"", "x".repeat(93))).is_ok());
}

#[test]
fn lists_of_traps_are_checked_line_by_line() {
    check(
        "[traps]\npristine-file = \"/traps/bad\"\nrecycled-file = \"/traps/none\"\n",
        &[
            "/traps/bad:2: traps.pristine-file: expected a mail address, but got \"no address\"",
            "/traps/bad:3: traps.pristine-file: expected a mail address, but got \"<two@example.org>\"; \
             did you mean two@example.org?",
            "t.toml:3: traps.recycled-file: expected a readable text file, but got \"/traps/none\" (No such file)",
        ],
    );
}

#[test]
fn files_of_shared_networks_are_checked_line_by_line() {
    check(
        "[shared]\nfiles = ['/nets/bad', '/nets/none']\n",
        &[
            "/nets/bad:2: shared.files: expected an IP address or prefix, but got \"mail.example.org\"",
            "t.toml:2: shared.files: expected a readable text file, but got \"/nets/none\" (No such file)",
        ],
    );
}

#[test]
fn an_address_that_helps_blocked_people_is_no_trap() {
    check(
        "[traps]\npristine = [\"abuse@example.org\", \"help@example.org\"]\n[portal]\ncontact = \"help@example.org\"\n",
        &[
            "t.toml:2: traps.pristine: expected an address that is not open to blocked hosts (own.exempt, \
             portal.contact), but got \"abuse@example.org\"",
            "t.toml:2: traps.pristine: expected an address that is not open to blocked hosts (own.exempt, \
             portal.contact), but got \"help@example.org\"",
        ],
    );
}

#[test]
fn a_trap_is_of_one_kind() {
    check(
        "[traps]\npristine-file = \"/traps/good\"\nrecycled = [\"two@example.org\"]\n",
        &["/traps/good:4: traps.pristine-file: expected an address that is not in the other list of traps, \
           but got \"two@example.org\""],
    );
}

#[test]
fn hostile_values_are_cut_and_made_printable() {
    let long = format!("mode = \"\\u001b{}\"", "y".repeat(200));
    check(
        &long,
        &[&format!(
            "t.toml:1: mode: expected \"learn\" or \"enforce\", but got \"\\u001b{}…",
            "y".repeat(57)
        )],
    );
    check(
        "site = '''a\nb'''",
        &["t.toml:1: site: expected one line of 1 to 64 characters, but got '''a\\nb'''"],
    );
}

#[test]
fn the_mistakes_are_counted() {
    let of = |text: &str| read(text).map(|_| ()).expect_err("mistakes").to_string();
    assert!(of("node = 0").ends_with("but got 0\n1 error."));
    assert!(of("node = 0\nmode = 1").ends_with("but got 1\n2 errors."));
    let many: String = (0..60).map(|n| format!("k{n} = 1\n")).collect();
    assert!(of(&many).ends_with("\n60 errors, the first 50 of them above."));
    assert_eq!(of(&many).lines().count(), 51);
}

#[test]
fn a_file_that_can_not_be_read_is_told_by_its_name() {
    let errors = Config::load("/nonexistent/mailward.toml".as_ref()).map(|_| ()).expect_err("no file");
    assert!(matches!(errors.all(), [ConfigError::Unreadable { .. }]));
    assert!(
        errors
            .to_string()
            .starts_with("/nonexistent/mailward.toml: expected a readable text file, but got: ")
    );
}

#[test]
fn no_text_makes_the_reader_panic_or_point_beyond_its_end() {
    let good = "mode = \"learn\"\n[policy]\ntcp = \"127.0.0.1:1\"\nthreads = 3\n[own]\nnetworks = [\"192.0.2.0/24\", 'x']\n\
                [sentence]\nfloor = \"2 h\"\nsite.a = {b = 1.5, c = 1979-05-27}\n";
    let lines = good.lines().count() + 1;
    for at in 0..good.len() {
        for with in ["", "\"", "\n", "[", "=", ".", "9999999999", "ü", "\u{1b}", "# ", "[[a]]\n"] {
            let text = format!("{}{with}{}", &good[..at], &good[at + 1..]);
            let errors = read(&text).map(|_| ()).err();
            for error in errors.iter().flat_map(ConfigErrors::all) {
                assert!((1..=lines + 1).contains(&error.place().1), "{error}\n{text}");
            }
        }
    }
}
