//! Copies of our block lists on real name servers: NSD, Knot and BIND follow ten thousand
//! changes by IXFR, and say what we say (RFC 1995, 1996, 5936, 8945; ADV-14).
//!
//! Runs with `MAILWARD_WORLD=1`, as root; says `skipped: …` elsewhere.

mod copies;
mod site;
mod world;

use std::collections::BTreeSet;
use std::time::Instant;

use copies::{Copies, Dice, Operator, Resolvers, ZONES, lookup, reversed, zone};
use site::Site;

/// Changes by order, beside those by time, which goes on after each batch of orders.
const CHANGES: usize = 10_000;
const BATCH: usize = 500;
/// Names that are looked up everywhere at the end.
const LOOKUPS: usize = 400;

#[test]
fn rfc_1995_real_secondaries_follow_ten_thousand_changes() {
    if let Some(reason) = world::missing(&copies::PROGRAMS) {
        return println!("skipped: {reason}");
    }
    let mut site = Site::new("dns-transfer");
    let copies = Copies::prepare("dns-copies", &site);
    site.start_with(&["--test-clock"]);
    let copies = copies.start(&site);
    adv_14_nobody_else_gets_a_zone(&site, &copies);
    copies.all_agree("an empty list");
    let mut dice = Dice(7);
    let (begun, mut changes) = (Instant::now(), 0);
    while changes < CHANGES {
        let wishes: Vec<_> = (0..BATCH).map(|_| dice.wish()).collect();
        changes += Operator::order_all(&site, &wishes);
        Operator::advance(&site, 10 + dice.below(200));
    }
    println!("{changes} changes and the ends of blocks: {:?}", begun.elapsed());
    copies.all_agree("after all changes");
    copies.files_agree(&site);
    lookups_agree(&copies, &mut dice);
    a_block_is_everywhere_within_moments(&site, &copies);
    a_restart_is_one_more_step(&mut site, &copies);
}

/// Without a signature, or with a wrong one, there is nothing, and the log says so once.
fn adv_14_nobody_else_gets_a_zone(site: &Site, copies: &Copies) {
    for zone in ZONES {
        assert_eq!(copies.dig(copies.primary, &[&self::zone(zone), "AXFR"]).lines().count(), 0, "{zone}");
    }
    assert_eq!(copies::unsigned_axfr(copies.primary), 5, "REFUSED");
    let wrong = "hmac-sha256:mailward-xfr:bm90IHRoZSByaWdodCBrZXkgYXQgYWxs";
    let out = copies.dig_all(copies.primary, &["-y", wrong, &zone("bl"), "AXFR"]);
    assert!(out.contains("BADSIG"), "{out}");
    world::wait_for("the log", || {
        let log = site.log.lock().expect("no thread panicked");
        let of = |what: &str| log.iter().filter(|line| line.contains(what)).count();
        (of("is not signed") == 1 && of("signature does not hold") == 1).then_some(())
    });
}

/// All copies say of random addresses, listed and not, what we say.
fn lookups_agree(copies: &Copies, dice: &mut Dice) {
    let mut listed = 0;
    for _ in 0..LOOKUPS {
        let name = format!("{}.{}", reversed(dice.address()), zone("bl"));
        let expect = lookup(copies.primary, &name);
        for (server, port) in copies.ports() {
            assert_eq!(lookup(port, &name), expect, "{name} on {server}");
        }
        listed += usize::from(!expect.is_empty());
    }
    println!("of {LOOKUPS} addresses {listed} are listed");
    assert!(listed > LOOKUPS / 20 && listed < LOOKUPS * 19 / 20, "{listed}");
}

/// What is acknowledged to the operator is on its way to everybody.
fn a_block_is_everywhere_within_moments(site: &Site, copies: &Copies) {
    // The lists have been quiet: what comes next goes out at once.
    let name = format!("{}.{}", reversed("2001:db8:ffff::1".parse().expect("an address")), zone("bl"));
    assert_eq!(Operator::order_all(site, &[Dice::block("2001:db8:ffff::/64", 7200)]), 1);
    let begun = Instant::now();
    let mut missing: BTreeSet<_> = copies.ports().into_iter().collect();
    while !missing.is_empty() && begun.elapsed() < world::PATIENCE {
        missing.retain(|(server, port)| {
            let is_there = !lookup(*port, &name).is_empty();
            if is_there {
                println!("{server} lists a new block after {:?}", begun.elapsed());
            }
            !is_there
        });
    }
    assert!(missing.is_empty(), "{missing:?}");
    copies.all_agree("after one more block");
}

/// Steps outlive a restart: nobody fetches a whole zone for it.
fn a_restart_is_one_more_step(site: &mut Site, copies: &Copies) {
    let before = copies.serial(copies.primary, "bl");
    site.stop();
    site.start_with(&["--test-clock"]);
    let steps = copies.ixfr("bl", before - 1);
    let starts = steps.lines().filter(|line| line.contains("SOA")).count();
    assert!(starts >= 4, "differences, not the whole zone: {steps}");
    assert_eq!(Operator::order_all(site, &[Dice::block("2001:db8:fffe::/64", 7200)]), 1);
    copies.all_agree("after a restart");
}

/// What is listed for the resolvers, and hosts there and beside.
const LISTED: &str = "203.0.113.7 :3:\n198.51.100.0/24 :3:\n192.0.2.64/26 :3:\n2001:db8::5 :4:\n\
                      2001:db8:1:2::/64 :4:\n2001:db8:0:0:2:0:0:1 :4:\n2001:db8:7::/58 :4:\n";

const HOSTS: &str = "a1 A 203.0.113.7\na2 A 203.0.113.8\na3 A 198.51.100.9\na4 A 192.0.2.65\na5 A 192.0.2.63\n\
    list A 127.0.0.2\n\
    b1 AAAA 2001:db8::5\nb2 AAAA 2001:db8::6\nb3 AAAA 2001:db8:1:2::77\nb4 AAAA 2001:db8:1:3::77\n\
    b5 AAAA 2001:db8:0:0:2:0:0:1\nb6 AAAA 2001:db8:7:3f::1\nb7 AAAA 2001:db8:7:40::1\n";

#[test]
fn real_resolvers_act_by_our_response_policy() {
    if let Some(reason) = world::missing(&[&copies::PROGRAMS[..], &["/usr/sbin/unbound"]].concat()) {
        return println!("skipped: {reason}");
    }
    let mut site = Site::new("dns-policy");
    let copies = Copies::prepare("dns-resolvers", &site);
    site.start();
    let list = site.dir.0.join("listed.txt");
    std::fs::write(&list, LISTED).expect("our own folder");
    let list = list.to_str().expect("a path of ours");
    let (done, told) = site.run(&["import", list, "--name", "listed", "--as", "curated"]);
    assert!(done, "{told}");
    let (done, told) = site.run(&["block", "bad.example", "--for", "1 h", "--because", "x"]);
    assert!(done, "{told}");
    world::wait_for("the policy zone", || {
        copies
            .records(copies.primary, "rpz")
            .iter()
            .any(|record| record.contains("bad.example"))
            .then_some(())
    });
    let resolvers = Resolvers::start(&copies, &site, HOSTS);
    let check = |host: &str, kind: &str, expect: &str| resolvers.check(&copies, host, kind, expect);
    for (host, kind) in
        [("a1", "A"), ("a3", "A"), ("a4", "A"), ("b1", "AAAA"), ("b3", "AAAA"), ("b5", "AAAA")]
    {
        check(&format!("{host}.host.example"), kind, "NXDOMAIN");
    }
    check("b6.host.example", "AAAA", "NXDOMAIN");
    check("mail.bad.example", "A", "NXDOMAIN");
    for (host, kind, expect) in [
        ("a2", "A", "203.0.113.8"),
        ("a5", "A", "192.0.2.63"),
        ("b2", "AAAA", "2001:db8::6"),
        ("b4", "AAAA", "2001:db8:1:3::77"),
        ("b7", "AAAA", "2001:db8:7:40::1"),
        // Until 127.0.0.2 left the policy, no list was heard through such a resolver.
        ("list", "A", "127.0.0.2"),
    ] {
        check(&format!("{host}.host.example"), kind, expect);
    }
    check(&format!("2.0.0.127.{}", zone("bl")), "A", "127.0.0.2");
}
