//! Bulk lists at a live daemon: imported, shown, replaced, removed, found again after a kill,
//! and exported without a secret.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod site;

use std::path::PathBuf;

use site::{Site, free_port};

fn file(site: &Site, name: &str, text: &str) -> String {
    let path = site.dir.0.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[track_caller]
fn told(site: &Site, args: &[&str], good: bool) -> String {
    let (done, told) = site.run(args);
    assert_eq!(done, good, "{args:?}: {told}");
    told
}

/// What a zone lists, as lines of one form.
fn exported(site: &Site, more: &[&str]) -> String {
    told(site, &[&["export", "--format", "csv"][..], more].concat(), true)
}

fn feed_files(site: &Site) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(site.data().join("feeds")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "feed")).collect()
}

const OWN: &str = ":4:bots\n192.0.2.1\n192.0.2.64/26 :3:\n!192.0.2.70\n2001:db8:1::/48\n";

#[test]
fn an_imported_list_is_in_force_until_its_end_and_outlives_a_kill() {
    let mut site = Site::new("feeds");
    let own = file(&site, "own.txt", OWN);
    let import = ["import", &own, "--name", "own", "--as", "curated", "--because", "from the old server"];
    let refused = told(&site, &import, false);
    assert!(refused.contains("expected a running mailward"), "{refused}");
    let dry = told(&site, &[&import[..], &["--dry-run"]].concat(), true);
    assert!(dry.contains("3 addresses and networks") && dry.contains("Nothing was changed"), "{dry}");
    assert!(feed_files(&site).is_empty());
    site.start();
    let done = told(&site, &import, true);
    assert!(done.contains("Codes: 127.0.0.3: 1, 127.0.0.4: 2.") && done.contains("In force until"), "{done}");
    let before = exported(&site, &[]);
    let rows: Vec<&str> = before.lines().skip(1).map(|row| row.rsplit_once(',').unwrap().0).collect();
    assert_eq!(
        rows,
        [
            "192.0.2.1,192.0.2.1,127.0.0.4",
            "192.0.2.64,192.0.2.69,127.0.0.3",
            "192.0.2.71,192.0.2.127,127.0.0.3",
            "2001:db8:1::,2001:db8:1:ffff:ffff:ffff:ffff:ffff,127.0.0.4",
        ]
    );
    site.kill();
    site.start();
    assert_eq!(exported(&site, &[]), before);
    // The same name again replaces it at once; what is protected is cut out.
    told(&site, &["protect", "add", "198.51.100.8"], true);
    let newer = file(&site, "newer.txt", "198.51.100.8\n198.51.100.9\n");
    let done = told(&site, &["import", &newer, "--name", "own", "--as", "curated", "--code", "6"], true);
    assert!(done.contains("Cut out, for they are yours or protected: 198.51.100.8 (1)."), "{done}");
    let rows = exported(&site, &[]);
    assert!(rows.lines().count() == 2 && rows.contains("198.51.100.9,198.51.100.9,127.0.0.6,"), "{rows}");
    let listed = told(&site, &["feeds", "--json"], true);
    assert!(
        listed.contains("\"state\":\"in force\"") && listed.contains("\"source\":\"newer.txt\""),
        "{listed}"
    );
    told(&site, &["feeds", "remove", "own"], true);
    assert_eq!(exported(&site, &[]).lines().count(), 1);
    assert!(told(&site, &["feeds", "remove", "own"], false).contains("there is no own"));
    site.stop();
    told(&site, &["ledger", "verify", "--journal"], true);
}

#[test]
fn a_missing_or_changed_file_leaves_its_list_out_and_never_stops_a_start() {
    let mut site = Site::new("feeds-missing");
    site.start();
    for name in ["one", "two"] {
        let list = file(&site, name, if name == "one" { "192.0.2.1\n" } else { "192.0.2.2\n" });
        told(&site, &["import", &list, "--name", name, "--as", "curated"], true);
    }
    site.kill();
    let files = feed_files(&site);
    assert_eq!(files.len(), 2);
    std::fs::remove_file(&files[0]).unwrap();
    std::fs::write(&files[1], "changed").unwrap();
    let started = site.start().join("\n");
    assert!(started.matches("import the list again").count() == 2, "{started}");
    assert_eq!(exported(&site, &[]).lines().count(), 1);
    let doctor = site.run(&["doctor"]).1;
    assert_eq!(doctor.matches("its file is missing or damaged").count(), 2, "{doctor}");
    let list = site.dir.0.join("one").display().to_string();
    told(&site, &["import", &list, "--name", "one", "--as", "curated"], true);
    assert!(exported(&site, &[]).contains("192.0.2.1,192.0.2.1,127.0.0.2,"));
}

#[test]
fn std_83_what_comes_from_others_is_exported_only_when_it_is_asked_for_by_name() {
    let mut site = Site::new("feeds-external");
    site.start();
    let others = file(&site, "others.txt", "192.0.2.1 ; SBL1\n198.51.100.0/24\n");
    let import = ["import", &others, "--name", "others", "--as", "external"];
    let coded = told(&site, &[&import[..], &["--code", "3"]].concat(), false);
    assert!(coded.contains("lists of others have code 17"), "{coded}");
    told(&site, &import, true);
    for zone in ["bl", "bl4", "all"] {
        assert_eq!(exported(&site, &["--zone", zone]).lines().count(), 1, "{zone}");
    }
    let whole = exported(&site, &["--zone", "all", "--with-external"]);
    assert!(whole.contains("198.51.100.0,198.51.100.255,127.0.0.17,"), "{whole}");
    let refused = told(&site, &["export", "--format", "csv", "--zone", "bl", "--with-external"], false);
    assert!(refused.contains("--zone all only"), "{refused}");
    // A list that nobody fetches any more runs out.
    let feeds = told(&site, &["feeds", "--json"], true);
    let left = feeds.split("\"remaining_s\":").nth(1).unwrap().split(',').next().unwrap();
    assert!((7 * 86_400 - 600..=7 * 86_400).contains(&left.parse::<u64>().unwrap()), "{feeds}");
}

#[test]
fn std_16_wide_entries_and_files_of_another_kind_need_a_word() {
    let mut site = Site::new("feeds-wide");
    site.start();
    let wide = file(&site, "wide.txt", "20.0.0.0/12\n192.0.2.1\n");
    let import = ["import", &wide, "--name", "wide", "--as", "curated"];
    let refused = told(&site, &import, false);
    assert!(refused.contains("20.0.0.0/12; add --i-know"), "{refused}");
    told(&site, &[&import[..], &["--i-know"]].concat(), true);
    let broken = file(&site, "broken.txt", "<html>\n<body>\n192.0.2.1\n");
    let import = ["import", &broken, "--name", "x", "--as", "external", "--format", "plain"];
    let refused = told(&site, &import, false);
    assert!(refused.contains("broken.txt:1: expected an address"), "{refused}");
    assert!(!told(&site, &["feeds"], true).contains("broken"));
}

/// Since bulk lists are there, such a file listed our own senders, and everybody's.
#[test]
fn what_is_ours_and_what_is_everybodys_gets_into_no_list_of_domains() {
    let mut site = Site::new("feeds-kept");
    let names = file(&site, "names.txt", ".example.org\n.gmail.com\n.co.uk\n*.com\n.spam.example\n");
    let import = ["import", &names, "--name", "names", "--as", "curated"];
    let dry = told(&site, &[&import[..], &["--dry-run", "--json"]].concat(), true);
    for kept in [
        "\"yours\":{\"count\":1",
        "\"shared by many\":{\"count\":1",
        "\"count\":2,\"first\":[\"co.uk\",\"com\"]",
    ] {
        assert!(dry.contains(kept), "{kept} in {dry}");
    }
    site.start();
    let done = told(&site, &import, true);
    assert!(done.contains("no list may hold them, yours: example.org."), "{done}");
    let listed = told(&site, &["export", "--format", "plain", "--zone", "dom"], true);
    assert!(listed.contains("spam.example") && listed.lines().count() <= 2, "{listed}");
    for kept in ["example.org", "gmail", "co.uk", "com"] {
        assert!(!listed.contains(kept), "{kept} in {listed}");
    }
    let ours = file(&site, "ours.txt", "mx.example.org\n");
    let refused = told(&site, &["import", &ours, "--name", "x", "--as", "curated"], false);
    assert!(refused.contains("nothing is left") && refused.contains("yours: mx.example.org."), "{refused}");
}

/// Since bulk lists are there, a download that broke off was adopted, and half an address in
/// its last line was a /16.
#[test]
fn a_file_that_was_cut_short_replaces_no_list_without_a_word() {
    let mut site = Site::new("feeds-cut");
    site.start();
    let whole: String = (1..=20).map(|n| format!("198.51.100.{}\n", 2 * n)).collect();
    let import = |text: &str, more: &[&str], good: bool| {
        let list = file(&site, "list.txt", text);
        let args = ["import", &list, "--name", "list", "--as", "curated", "--format", "ip4set"];
        told(&site, &[&args[..], more].concat(), good)
    };
    import(&whole, &[], true);
    let done = import(whole.strip_suffix(".100.40\n").unwrap(), &[], true);
    assert!(done.contains("list.txt: the last line has no line break and is left out"), "{done}");
    assert_eq!(exported(&site, &[]).lines().count(), 20);
    let few = whole.split_inclusive('\n').take(9).collect::<String>() + "198.51";
    let refused = import(&few, &[], false);
    assert!(refused.contains("at least half of the 19 entries that list has now, but got 9"), "{refused}");
    assert!(refused.contains("--i-know") && refused.contains("no line break"), "{refused}");
    assert_eq!(exported(&site, &[]).lines().count(), 20);
    import(&few, &["--i-know"], true);
    assert_eq!(exported(&site, &[]).lines().count(), 10);
}

/// Runs of 26 characters of the alphabet of tokens, as case links have them.
fn token_like(text: &str) -> Option<&str> {
    let is_token = |c: char| c.is_ascii_alphanumeric() && !c.is_ascii_lowercase();
    text.split(|c: char| !is_token(c)).find(|run| run.len() >= 26)
}

/// A site with a zone of its own.
fn site_with_zone(name: &str) -> Site {
    let site = Site::new(name);
    let config = std::fs::read_to_string(&site.config).unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let dns = format!("[dns]\nzone = \"dnsbl.example.org\"\nlisten = [\"{listen}\"]\n");
    std::fs::write(&site.config, config + &dns).unwrap();
    site
}

#[test]
fn a_zone_file_holds_the_records_that_a_copy_would_fetch() {
    let mut site = site_with_zone("feeds-zone");
    site.start();
    let list = file(&site, "four.txt", "192.0.2.1 :3:\n198.51.100.0/24 :4:\n2001:db8::5 :4:\n");
    told(&site, &["import", &list, "--name", "four", "--as", "curated", "--format", "ip4trie"], true);
    let names = file(&site, "names.txt", ".example.com :3:\n");
    told(&site, &["import", &names, "--name", "names", "--as", "curated", "--format", "dnset"], true);
    let others = file(&site, "others.txt", "203.0.113.9\n");
    told(&site, &["import", &others, "--name", "others", "--as", "external"], true);
    let written = |args: &[&str]| {
        let text = told(&site, &[&["export", "--format"][..], args].concat(), true);
        let (head, rows) = text.split_once("@ NS dnsbl.example.org.\n").unwrap();
        assert!(head.contains(" SOA dnsbl.example.org. postmaster.mx.example.org. "), "{head}");
        assert!(!text.contains("113.0.203"), "STD-83: {text}");
        (head.lines().next().unwrap().to_owned(), rows.to_owned())
    };
    let (origin, bl) = written(&["bind"]);
    assert_eq!(origin, "$ORIGIN bl.dnsbl.example.org.");
    for row in ["1.2.0.192 A 127.0.0.3\n", "*.100.51.198 A 127.0.0.4\n", "2.0.0.127 A 127.0.0.2\n"] {
        assert!(bl.contains(row), "{row} is missing in {bl}");
    }
    let because = "1.2.0.192 TXT \"Blocked: ";
    assert!(bl.contains(because) && bl.contains("/l/192.0.2.1\"\n"), "{bl}");
    let (origin, rpz) = written(&["rpz"]);
    assert_eq!(origin, "$ORIGIN rpz.dnsbl.example.org.");
    let mut rows: Vec<_> = rpz.lines().map(|row| row.strip_suffix(" CNAME .").unwrap()).collect();
    rows.sort_unstable();
    let v6 = "128.5.zz.db8.2001.rpz-ip";
    let expect =
        ["*.example.com", v6, "24.0.100.51.198.rpz-ip", "32.1.2.0.192.rpz-ip", "example.com", "test"];
    assert_eq!(rows, expect);
    assert_eq!(written(&["bind", "--zone", "rpz"]), (origin, rpz));
}

#[test]
fn what_can_be_no_zone_file_is_told() {
    let (mut site, mut nameless) = (site_with_zone("feeds-zone-refused"), Site::new("feeds-zone-nameless"));
    site.start();
    nameless.start();
    for (site, args, expect) in [
        (&nameless, &["bind"][..], "--format bind: expected dns.zone in the configuration"),
        (&site, &["rpz", "--zone", "net"], "--format rpz --zone: expected one of rpz"),
        (&site, &["bind", "--zone", "nets"], "--format bind --zone: expected one of bl, bl4, "),
        (&site, &["bind", "--zone", "all", "--with-external"], "entries of others stand in no zone (bind)"),
    ] {
        let refused = told(site, &[&["export", "--format"][..], args].concat(), false);
        assert!(refused.contains(expect), "{refused}");
    }
}

#[test]
fn adv_14_no_export_holds_a_token_a_secret_or_a_word_of_the_operator() {
    let mut site = site_with_zone("feeds-secrets");
    site.start();
    for n in 0..3 {
        site.spam(&format!("203.0.113.{}", 7 + n), n);
    }
    let own = file(&site, "own.txt", "192.0.2.1 :3:SECRETWORDOFTHEFILE1234567\n");
    told(
        &site,
        &["import", &own, "--name", "own", "--as", "curated", "--because", "WORDOFTHEOPERATOR"],
        true,
    );
    let list = told(&site, &["list", "--json"], true);
    let link = list.split("\"link\":\"").nth(1).unwrap().split('"').next().unwrap();
    let secret = link.rsplit('/').next().unwrap();
    assert!(secret.len() >= 26, "{link}");
    let ones = ["rbldnsd", "plain", "csv", "json", "nft", "postfix-cidr", "bind"];
    let ones = ones.iter().flat_map(|form| ["bl", "all"].map(|zone| (*form, zone)));
    for (form, zone) in ones.chain([("rpz", "rpz")]) {
        let text = told(&site, &["export", "--format", form, "--zone", zone], true);
        let [net, host] = if matches!(form, "bind" | "rpz") {
            [".113.0.203", "1.2.0.192"]
        } else {
            ["203.0.113.", "192.0.2.1"]
        };
        assert!(text.contains(net) && text.contains(host), "{form}: {text}");
        assert!(token_like(&text).is_none() && !text.contains(secret), "{form}: {text}");
        for word in ["SECRETWORD", "WORDOFTHEOPERATOR", "n1-", "sender", "recipient"] {
            assert!(!text.contains(word), "{form}: {word} in {text}");
        }
    }
    let cases = told(&site, &["export"], true);
    assert!(cases.lines().count() == 3 && token_like(&cases).is_none() && !cases.contains(secret), "{cases}");
}

#[test]
fn an_export_into_a_file_is_there_whole_and_says_the_same_as_one_that_is_printed() {
    let mut site = Site::new("feeds-out");
    site.start();
    let many: String = (0..20_000).map(|n| format!("198.51.{}.{}\n", n / 256, n % 256)).collect();
    let odd: String = many.lines().step_by(2).map(|line| format!("{line}\n")).collect();
    let list = file(&site, "many.txt", &odd);
    told(&site, &["import", &list, "--name", "many", "--as", "curated"], true);
    // Since exports are there, `out.txt` and `out.csv` were written by way of the same `out.part`.
    let other = file(&site, "out.part", "another export");
    let out = site.dir.0.join("out.txt").display().to_string();
    assert_eq!(told(&site, &["export", "--format", "plain", "--out", &out], true), "");
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text, odd);
    assert_eq!(told(&site, &["export", "--format", "plain"], true), odd);
    told(&site, &["export", "--format", "plain", "--zone", "no-such", "--out", &out], false);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), odd);
    assert_eq!(std::fs::read_to_string(other).unwrap(), "another export");
    let names = std::fs::read_dir(&site.dir.0).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains(".part.")).count(), 0);
}
