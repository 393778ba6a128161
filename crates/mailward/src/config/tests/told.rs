//! What other parts of the program are told.

use std::path::Path;

use model::policy::{FirstHit, RuleMode, TrapKind};
use model::{DomainHash, LinkKey, Offence, PersonHash, Policy, Prefix, Secs};

use super::read;
use crate::config::{Config, Level, span};

fn config(text: &str) -> Config {
    read(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A hash that tests can foresee: the length.
fn person(address: &str) -> PersonHash {
    PersonHash(address.len() as u64)
}

#[test]
fn an_empty_file_is_the_shipped_policy() {
    assert_eq!(config("").policy(&person), Policy::shipped());
}

#[test]
fn a_rule_may_end_its_blocks_as_the_list_did_that_it_follows() {
    let of = |text: &str| config(text).policy(&person).reference;
    assert_eq!(of("rules.trap.expiry = 'reference'"), Some(vec![Offence::Trap]));
    assert_eq!(of("rules.reports.expiry = 'reference'"), Some(vec![Offence::Reports]));
    assert_eq!(of("rules.reports.expiry = 'units'"), None);
}

#[test]
fn every_number_of_the_policy_can_be_set() {
    let policy = config(
        "mode = \"enforce\"\nallow-documentation-prefixes = true\n\
         [sentence]\nper-unit = \"1 min\"\nfloor = \"3 h 24 min\"\ncap = \"10 d\"\ndoublings = 2\n\
         [rules.spam-volume]\nfirst-hit = \"off\"\nunits-hour = 1\nunits-day = 2\nshare = \"3 %\"\nmessages = 4\ndump = 5\n\
         [rules.dictionary]\nunknown-minutes = 6\nunknown-day = 7\nunknown-domain = 8\nservers = 9\n\
         share-minutes = \"10 %\"\nshare-day = \"11 %\"\nfloor = \"12 h\"\n\
         [rules.flood]\nat-once = 14\nper-minute = 31\nnetwork-per-minute = 32\nreached = \"17 %\"\n\
         [guards]\nnull-routes-per-minute = 13\nclasses = false\nratio = false\nattempts = false\nblocks-per-minute = 7\n\
         [memory]\nkeys = 8000\n",
    )
    .policy(&person);
    assert_eq!(policy.tariff.per_unit, Secs(60));
    assert_eq!(policy.tariff.floor, Secs(3 * 3600 + 24 * 60));
    assert_eq!((policy.tariff.cap, policy.tariff.doublings), (Secs::DAY.times(10), 2));
    let v = &policy.volume;
    assert_eq!(v.first_hit, FirstHit::Off);
    assert_eq!([v.units_hour, v.units_day, v.share_percent, v.messages_min, v.dump_units], [1, 2, 3, 4, 5]);
    let g = &policy.guards;
    assert_eq!((g.classes, g.ratio, g.attempts, g.blocks_per_minute), (false, false, false, 7));
    let d = &policy.dictionary;
    assert_eq!([d.unknown_minutes, d.unknown_day, d.unknown_domain, d.servers], [6, 7, 8, 9]);
    assert_eq!(([d.share_minutes, d.share_day], d.floor), ([10, 11], Secs(12 * 3600)));
    assert_eq!(g.null_routes, Some(13));
    let f = &policy.flood;
    assert_eq!([f.at_once, f.per_minute, f.network_per_minute, f.reached_percent], [14, 31, 32, 17]);
    assert_eq!((policy.keys_max, policy.documentation, policy.learn_first), (8000, true, false));
}

#[test]
fn domains_with_a_catch_all_are_told_as_hashes_in_order() {
    let text = "[rules.dictionary]\ncatch-all = ['example.org', 'example.com.au', 'Example.org']";
    let domain = |name: &str| Some(DomainHash(name.len() as u64));
    let policy = config(text).policy_of(&person, &domain);
    assert_eq!(policy.dictionary.catch_all, [DomainHash(11), DomainHash(14)]);
}

#[test]
fn only_modes_that_differ_from_the_shipped_ones_are_told() {
    let of = |text: &str| config(text).policy(&person).modes;
    assert_eq!(of("[rules.trap]\nmode = \"block\""), []);
    assert_eq!(of("[rules.helo]\nmode = \"shadow\""), [(Offence::Helo, RuleMode::Shadow)]);
    assert_eq!(of("[rules.trap]\nmode = \"off\""), [(Offence::Trap, RuleMode::Off)]);
    assert_eq!(of("[rules.spam-volume]\nmode = \"off\""), [(Offence::SpamVolume, RuleMode::Off)]);
    assert_eq!(
        of("[rules.connection]\nmode = \"score\""),
        [(Offence::ReverseDns, RuleMode::Score), (Offence::Dynamic, RuleMode::Score)]
    );
}

#[test]
fn the_order_of_a_list_does_not_change_the_policys_hash() {
    let of = |networks: &str, names: &str| {
        let text = format!(
            "[own]\nnetworks = {networks}\nrelays = {networks}\nnames = {names}\n[shared]\nnames = {names}"
        );
        config(&text).policy(&person)
    };
    let one = of("['192.0.2.0/24', '2001:db8::/32']", "['mx.example.org', 'example.org']");
    let two = of("['2001:DB8::/32', '192.0.2.0/24', '192.0.2.0/24']", "['Example.org', 'mx.example.org']");
    assert_eq!(one.hash(), two.hash());
    let networks: Vec<Prefix> = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    assert_eq!(one.protected, networks);
    assert_eq!(one.relays, networks);
    assert_eq!(
        one.our_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["example.org", "mx.example.org"]
    );
    assert_eq!(one.shared, one.our_names);
}

#[test]
fn networks_of_shared_senders_are_told_apart_from_each_other() {
    let policy = config("[shared]\nfiles = ['/nets/good']").policy(&person);
    let networks: Vec<_> = policy.shared_networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.0/24", "198.51.100.0/24"]);
}

#[test]
fn traps_come_from_the_file_and_from_lists_as_hashes_of_folded_addresses() {
    let config = config(
        "[traps]\npristine = [\"Three@example.org\"]\npristine-file = \"/traps/good\"\nrecycled = [\"gone.for.good@example.org\"]",
    );
    let told = std::cell::RefCell::new(Vec::new());
    let policy = config.policy(&|address| {
        told.borrow_mut().push(address.to_owned());
        PersonHash(100 - address.len() as u64)
    });
    assert_eq!(
        told.into_inner(),
        ["gone.for.good@example.org", "one@example.org", "three@example.org", "two@example.org"]
    );
    let kinds: Vec<_> = policy.traps.iter().map(|(who, kind)| (who.0, *kind)).collect();
    assert_eq!(
        kinds,
        [
            (75, TrapKind::Recycled),
            (83, TrapKind::Pristine),
            (85, TrapKind::Pristine),
            (85, TrapKind::Pristine)
        ]
    );
}

#[test]
fn the_daemon_is_told_where_to_listen() {
    let shipped = config("").listeners();
    assert_eq!(shipped.policy_tcp.map(|at| at.to_string()).as_deref(), Some("127.0.0.1:12340"));
    assert_eq!(shipped.portal.map(|at| at.to_string()).as_deref(), Some("127.0.0.1:12380"));
    assert_eq!((shipped.policy_unix, shipped.trust_local, shipped.threads), (None, false, None));
    assert_eq!(shipped.control, Path::new("/var/lib/mailward/control.sock"));
    let set = config(
        "data-dir = \"/srv/mw\"\n[policy]\ntcp = \"off\"\nunix = \"/run/mw/policy\"\ntrust-local = true\nthreads = 3",
    )
    .listeners();
    assert_eq!((set.policy_tcp, set.trust_local, set.threads), (None, true, Some(3)));
    assert_eq!(set.policy_unix.as_deref(), Some(Path::new("/run/mw/policy")));
    assert_eq!(set.control, Path::new("/srv/mw/control.sock"));
    assert_eq!(config("[control]\nsocket = \"/run/mw/c\"").listeners().control, Path::new("/run/mw/c"));
}

#[test]
fn the_daemon_is_told_the_rest() {
    let config = config(
        "node = 7\ndata-dir = \"/srv/mw\"\nallow-documentation-prefixes = true\n\
         [journal]\nsegment-size = \"1 MiB\"\ntotal = \"3 MiB\"\nage = \"36 h\"\n[log]\nlevel = \"debug\"",
    );
    let journal = config.journal();
    assert_eq!(
        (journal.segment_bytes, journal.total_bytes, journal.age),
        (1 << 20, 3 << 20, Secs(36 * 3600))
    );
    assert_eq!((config.node().0, config.data_dir()), (7, Path::new("/srv/mw")));
    assert_eq!((config.log_level(), config.log_level().word()), (Level::Debug, "debug".into()));
    assert!(config.allows_documentation());
}

/// Whether refusals may leave, and what is said to be missing.
#[track_caller]
fn check_refusals(text: &str, missing: &[&str]) {
    let config = config(text);
    let lines = config.missing_for_refusals();
    let words: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(words, missing, "\n{text}");
    assert_eq!(config.site(LinkKey::default()).may_refuse, missing.is_empty());
    for line in &lines {
        read(&format!("[portal]\n{line}")).unwrap_or_else(|errors| panic!("{line}: {errors}"));
    }
}

// Names of RFC 2606 count as missing, so a private one stands for the site's own here.
#[test]
fn refusals_need_a_portal_and_a_contact_that_strangers_reach() {
    let good = "url = \"https://mw.mail.internal\"\ncontact = \"noc@mail.internal\"\n";
    check_refusals("", &["url", "contact"]);
    check_refusals(&format!("[portal]\n{good}"), &[]);
    check_refusals("[portal]\nurl = \"https://mw.mail.internal\"", &["contact"]);
    check_refusals("[portal]\ncontact = \"noc@mail.internal\"", &["url"]);
    check_refusals(&format!("[portal]\nlisten = \"0.0.0.0:12380\"\n{good}"), &[]);
}

#[test]
fn names_of_the_sample_are_not_a_portal() {
    let sample = "[portal]\nurl = \"https://mw.example.org\"\ncontact = \"noc@EXAMPLE.net\"\n";
    check_refusals(sample, &["url", "contact"]);
    check_refusals(&format!("allow-documentation-prefixes = true\n{sample}"), &[]);
    check_refusals("[portal]\nurl = \"https://mw.notexample\"\ncontact = \"noc@mw.nottest\"", &[]);
}

#[test]
fn a_portal_on_this_machine_will_do_when_nobody_else_reaches_a_listener() {
    let local = "url = \"http://127.0.0.1:12380\"\ncontact = \"noc@mail.internal\"\n";
    check_refusals(&format!("[portal]\n{local}"), &[]);
    check_refusals(&format!("[portal]\nlisten = \"192.0.2.1:12380\"\n{local}"), &["url"]);
    check_refusals(&format!("[portal]\n{local}[policy]\ntcp = \"[::]:12340\""), &["url"]);
    let https = local.replace("http:", "https:");
    check_refusals(&format!("[portal]\n{https}[policy]\ntcp = \"[::]:12340\""), &["url"]);
}

#[test]
fn the_site_speaks_in_its_own_words() {
    let site = config(
        "site = \" Example Networks \"\n[portal]\nurl = \"https://mw.example.org/\"\ncontact = \"NOC@example.org\"\n\
         [own]\nexempt = [\"Abuse\", \"help@example.org\"]",
    )
    .site(LinkKey { secret: [7; 32], epoch: 3 });
    assert_eq!((site.name.as_str(), site.portal.as_str()), ("Example Networks", "https://mw.example.org"));
    assert_eq!(site.contact, "noc@example.org");
    assert_eq!(site.exempt_local, ["abuse", "postmaster"]);
    assert_eq!(site.exempt_address, ["help@example.org", "noc@example.org"]);
    assert_eq!((site.link_key.secret, site.link_key.epoch), ([7; 32], 3));
}

#[test]
fn a_site_without_words_has_some_for_its_own_machine() {
    let bare = config("").site(LinkKey::default());
    assert_eq!((bare.name.as_str(), bare.portal.as_str()), ("this mail server", "http://127.0.0.1:12380"));
    assert_eq!(bare.contact, "postmaster@localhost");
    assert_eq!(bare.exempt_local, ["abuse", "postmaster", "unblock"]);
    let named = config("[portal]\nurl = \"https://mw.example.org:8443\"").site(LinkKey::default());
    assert_eq!(named.name, "mw.example.org");
}

#[test]
fn options_of_commands_take_the_same_durations() {
    assert_eq!(span("90 s"), Ok(Secs(90)));
    assert_eq!(span("0 s"), Ok(Secs(0)));
    assert_eq!(
        span("6 hours"),
        Err("expected a duration with a unit (s, min, h or d), but got \"6 hours\"; did you mean \"6 h\"?"
            .into())
    );
}

#[test]
fn a_rule_that_is_off_or_in_shadow_refuses_no_message() {
    let rules = |text: &str| read(text).unwrap().end_rules();
    assert_eq!(rules(""), answers::EndRules::default());
    for mode in ["off", "shadow"] {
        let all = ["virus", "attachment", "forged-sender", "spam-volume"];
        let text: String = all.iter().map(|rule| format!("[rules.{rule}]\nmode = '{mode}'\n")).collect();
        let told = rules(&text);
        let acts = [told.virus, told.attachment, told.forged, told.first_hit];
        assert_eq!(acts, [answers::Act::Pass; 4], "{mode}");
    }
    assert_eq!(rules("[rules.message]\nmode = 'off'").scored, answers::Act::Pass);
    assert_eq!(rules("[judges]\nencrypted = 'quarantine'").encrypted, answers::Act::Quarantine);
}
