//! Copies of our block lists on real name servers: NSD, Knot and BIND follow ten thousand
//! changes by IXFR, and say what we say (RFC 1995, 1996, 5936, 8945; ADV-14).
//!
//! Runs with `MAILWARD_WORLD=1`, as root; says `skipped: …` elsewhere.

mod copies;
mod site;
mod world;

use std::collections::BTreeSet;
use std::time::Instant;

use copies::{Copies, Dice, Operator, ZONES, lookup, reversed, zone};
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
    let copies = Copies::prepare(&site);
    site.start_with(&["--test-clock"]);
    let copies = copies.start();
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
