//! Whole networks, countries and blocks by hand at a live daemon that is killed in between.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod site;

use site::Site;

/// A site that blocks networks, and takes no mail from one country.
fn site(name: &str) -> Site {
    let site = Site::new(name);
    let table = site.dir.0.join("country.csv");
    let more = format!(
        "[rules.connection]\nmode = \"score\"\n[rules.net-l2]\nmode = \"block\"\n[rules.geo]\nmode = \"block\"\ncountries = [\"CN\"]\n\
         [networks]\ncountry-files = [\"{}\"]\n",
        table.display()
    );
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, text + &more).unwrap();
    std::fs::write(table, "198.51.100.0,198.51.100.255,CN\n").unwrap();
    site
}

#[track_caller]
fn told(site: &Site, args: &[&str], good: bool) -> String {
    let (done, told) = site.run(args);
    assert_eq!(done, good, "{args:?}: {told}");
    told
}

/// The journal gives the ledger again, with the tables that it names.
#[track_caller]
fn replays(site: &Site) {
    told(site, &["ledger", "verify", "--journal"], true);
}

#[test]
fn off_22_four_bad_neighbours_block_their_network_and_a_protected_server_is_let_through() {
    let mut site = site("networks");
    site.start();
    for n in 0..4 {
        site.spam(&format!("2001:db8:7:{n}::25"), n);
    }
    let neighbour = site.answer("2001:db8:7:9::25", 50);
    assert!(neighbour.contains("its network has several blocked servers"), "{neighbour}");
    assert!(site.answer("2001:db8:7:100::25", 51).starts_with("action=DUNNO"), "another /56");
    told(&site, &["protect", "add", "2001:db8:7:9::/64"], true);
    assert!(site.answer("2001:db8:7:9::25", 52).starts_with("action=DUNNO"));
    assert!(site.answer("2001:db8:7:8::25", 53).contains("its network"));
    site.kill();
    site.start();
    assert!(site.answer("2001:db8:7:8::25", 54).contains("its network"));
    assert!(site.answer("2001:db8:7:9::25", 55).starts_with("action=DUNNO"));
    let listed = told(&site, &["list", "--json"], true);
    assert!(
        listed.contains("\"key\":\"2001:db8:7::/56\"") && listed.contains("2001:db8:7:9::/64"),
        "{listed}"
    );
    site.stop();
    replays(&site);
}

#[test]
fn off_21_a_country_is_a_policy_and_its_table_is_found_again_by_its_name() {
    let mut site = site("countries");
    let checked = told(&site, &["networks", "check"], true);
    assert_eq!(checked.trim(), "0 ranges of AS numbers, 1 of countries.");
    site.start();
    let refused = site.answer("198.51.100.7", 1);
    assert!(refused.contains("a policy by country, not an accusation"), "{refused}");
    assert!(site.answer("203.0.113.7", 2).starts_with("action=DUNNO"));
    // The registry moves the range; nobody restarts.
    let table = site.dir.0.join("country.csv");
    std::fs::write(&table, "203.0.113.0,203.0.113.255,CN\n").unwrap();
    assert!(told(&site, &["networks", "reload"], true).contains("1 of countries"));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(site.answer("198.51.100.7", 3).starts_with("action=DUNNO"));
    assert!(site.answer("203.0.113.7", 4).contains("a policy by country"));
    // A torn file changes nothing, at a reload nor at a start.
    std::fs::write(&table, "203.0.113.0,203.0\n").unwrap();
    assert!(told(&site, &["networks", "reload"], false).contains("country.csv:1: expected"));
    site.kill();
    let started = site.start().join("\n");
    assert!(started.contains("the table of networks that was in force stays"), "{started}");
    assert!(site.answer("203.0.113.7", 5).contains("a policy by country"));
    site.stop();
    replays(&site);
}

#[test]
fn s_91_a_curated_block_keeps_its_record_and_a_network_says_what_it_costs() {
    let mut site = site("curated");
    site.start();
    let record = ["block", "203.0.113.7", "--because", "known spammer", "--record", "new"];
    let bare = told(&site, &record, false);
    assert!(bare.contains("expected --evidence, or --operator-decision"), "{bare}");
    let done = told(&site, &[&record[..], &["--evidence", "a log line"]].concat(), true);
    assert!(done.contains("Record C-0001, 0 earlier entries."), "{done}");
    let wider =
        ["block", "203.0.113.0/24", "--because", "all of it", "--record", "C-0001", "--evidence", "more"];
    assert!(told(&site, &wider, true).contains("Record C-0001, 1 earlier entries."));
    let refused = site.answer("203.0.113.99", 1);
    assert!(refused.contains("blocked by decision of the operator"), "{refused}");
    // Scripts go on as they were.
    assert!(told(&site, &["block", "192.0.2.7", "--for", "1 h", "--because", "x"], true).contains("n1-"));
    site.kill();
    site.start();
    let again = told(&site, &wider, true);
    assert!(again.contains("Record C-0001, 2 earlier entries."), "{again}");
    site.stop();
    replays(&site);
}

#[test]
fn off_21_an_explanation_shows_the_point_of_a_country_among_the_parts_of_the_score() {
    let mut site = site("country-points");
    let text = std::fs::read_to_string(&site.config).unwrap();
    let scored = text.replace("[rules.geo]\nmode = \"block\"", "[rules.geo]\nmode = \"score\"");
    std::fs::write(&site.config, scored).unwrap();
    site.start();
    site.spam("198.51.100.7", 1);
    let explained = told(&site, &["explain", "198.51.100.7"], true);
    assert!(explained.contains("a policy by country, not an accusation +1"), "{explained}");
    let json = told(&site, &["explain", "198.51.100.7", "--json"], true);
    assert!(json.contains("\"text\":\"a policy by country, not an accusation\""), "{json}");
    site.spam("203.0.113.7", 2);
    assert!(!told(&site, &["explain", "203.0.113.7"], true).contains("country"));
}
