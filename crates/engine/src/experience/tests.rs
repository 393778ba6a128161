//! What a site learns, and what it must not.

use super::*;

fn at(minute: u64) -> Millis {
    Millis::from_secs(1_000_000_000 + minute * 60)
}

/// A stranger of a look, numbered: every one in a region and a network of its own.
fn stranger(n: u32, look: Option<u8>) -> Met {
    let addr = std::net::Ipv4Addr::from(0x0a00_0000 + (n << 8));
    let network = Prefix::new(addr.into(), 24);
    let look = look.map(Look);
    let (learnable, unconfirmed) = (true, false);
    Met {
        look,
        name: None,
        learnable,
        greeting: None,
        unconfirmed,
        network,
        region: n,
        nearby: n,
        who: n,
        of: n,
    }
}

/// A host of an organisation in 192.0.2.0/24.
fn neighbour(n: u32, name: &str) -> Met {
    let network = Prefix::new("192.0.2.0".parse().unwrap(), 24);
    let name = Name::new(name.as_bytes());
    let of = u32::try_from(name.as_bytes().iter().map(|b| u64::from(*b)).sum::<u64>()).unwrap();
    Met { name: Some(name), network, region: 1, nearby: 1, of, ..stranger(n, None) }
}

fn site_with(good_strangers: u32) -> Experience {
    let mut site = Experience::new(Seeded([1, 2]));
    for n in 0..good_strangers {
        assert_eq!(site.note(&stranger(900 + n, None), Judgement::Ham, true, at(0)), []);
    }
    site
}

/// The weights that a look's lessons say while `bad` strangers come.
fn look_says(site: &mut Experience, bad: u32) -> Vec<u8> {
    (0..bad)
        .flat_map(|n| site.note(&stranger(n, Some(13)), Judgement::Spam, true, at(u64::from(n))))
        .map(|lesson| lesson.quarters)
        .collect()
}

#[test]
fn a_look_that_never_brings_good_mail_weighs_more_with_every_stranger() {
    assert_eq!(look_says(&mut site_with(20), 320), [4, 6, 8, 10, 12, 14, 16]);
}

#[test]
fn without_good_strangers_a_site_learns_nothing_of_looks() {
    assert_eq!(look_says(&mut site_with(19), 500), []);
}

#[test]
fn one_good_stranger_takes_a_look_s_lesson_back() {
    let mut site = site_with(20);
    look_says(&mut site, 120);
    let lessons = site.note(&stranger(500, Some(13)), Judgement::Ham, true, at(200));
    assert_eq!(lessons.iter().map(|l| (l.quarters, l.good)).collect::<Vec<_>>(), [(0, 1)]);
    assert_eq!(look_says(&mut site, 250), [], "400 bad ones for each good one");
}

#[test]
fn one_corner_of_the_net_teaches_nothing_of_a_look() {
    let mut site = site_with(20);
    let said = (0..300).any(|n| {
        let met = Met { region: n % 14, ..stranger(n, Some(13)) };
        !site.note(&met, Judgement::Spam, true, at(u64::from(n))).is_empty()
    });
    assert!(!said);
}

#[test]
fn three_hosts_of_one_name_that_only_spam_are_lines() {
    let mut site = site_with(20);
    let mut says = |n, minute| {
        let met = Met { network: stranger(n, None).network, ..neighbour(n, "isp.example") };
        site.note(&met, Judgement::Spam, true, at(minute)).len()
    };
    assert_eq!([says(1, 1), says(1, 2), says(2, 3), says(3, 4), says(4, 5)], [0, 0, 0, 1, 0]);
}

#[test]
fn where_no_good_mail_is_seen_it_takes_six() {
    let mut site = site_with(19);
    let mut says = |n| {
        let met = Met { network: stranger(n, None).network, ..neighbour(n, "isp.example") };
        site.note(&met, Judgement::Spam, true, at(u64::from(n))).len()
    };
    assert_eq!([1, 2, 3, 4, 5, 6].map(&mut says), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn a_good_mail_server_protects_the_names_of_its_organisation() {
    let mut site = site_with(20);
    let mail_server = Met { learnable: false, ..neighbour(9, "isp.example") };
    assert_eq!(site.note(&mail_server, Judgement::Ham, true, at(1)), []);
    for n in 20..40 {
        let met = Met { network: stranger(n, None).network, ..neighbour(n, "isp.example") };
        assert_eq!(site.note(&met, Judgement::Spam, true, at(u64::from(n))), []);
    }
}

#[test]
fn a_spamming_mail_server_teaches_nothing_of_lines() {
    let mut site = site_with(20);
    for n in 20..40 {
        let met = Met { learnable: false, network: stranger(n, None).network, ..neighbour(n, "isp.example") };
        assert_eq!(site.note(&met, Judgement::Spam, true, at(u64::from(n))), []);
    }
}

#[test]
fn who_writes_every_day_counts_as_one_good_stranger_of_its_look() {
    let mut site = site_with(20);
    let friend = stranger(700, Some(13));
    for day in 0..40 {
        site.note(&friend, Judgement::Ham, day == 0, at(day * 1440));
    }
    let now = 40 * 1440;
    for n in 0..20 {
        site.note(&stranger(900 + n, None), Judgement::Ham, true, at(now));
    }
    let mut says = |n: u32| {
        let lessons = site.note(&stranger(n, Some(13)), Judgement::Spam, true, at(now + u64::from(n)));
        lessons.first().map(|lesson| (lesson.quarters, lesson.good))
    };
    assert_eq!((0..399).find_map(&mut says), None, "400 bad ones for each good one");
    assert_eq!(says(399), Some((16, 1)));
}

#[test]
fn a_greeting_that_only_spammers_without_names_use_is_learned_until_somebody_good_uses_it() {
    let mut site = site_with(20);
    let mut says = |n, judgement, confirmed: bool| {
        let greeting = Some(Name::new(b"bank.example"));
        let met = Met { greeting, unconfirmed: !confirmed, ..stranger(n, None) };
        site.note(&met, judgement, true, at(u64::from(n))).first().map(|lesson| lesson.quarters)
    };
    assert_eq!([1, 2].map(|n| says(n, Judgement::Spam, false)), [None, None]);
    assert_eq!(
        says(3, Judgement::Spam, true),
        None,
        "with a name of its own it teaches nothing of greetings"
    );
    assert_eq!(says(4, Judgement::Spam, false), Some(GREETING_WEIGHS));
    assert_eq!(says(5, Judgement::Ham, true), Some(0));
}

#[test]
fn three_organisations_of_a_network_that_only_spam_teach_of_it_until_one_is_good() {
    let mut site = Experience::new(Seeded([1, 2]));
    let mut says = |n, name: &str, judgement, minute| {
        let met = Met { name: None, ..neighbour(n, name) };
        site.note(&met, judgement, true, at(minute)).first().map(|lesson| lesson.quarters)
    };
    assert_eq!(says(1, "one.example", Judgement::Spam, 1), None);
    assert_eq!(says(2, "one.example", Judgement::Spam, 2), None);
    assert_eq!(says(3, "three.example", Judgement::Spam, 3), None);
    assert_eq!(says(4, "fourth.example", Judgement::Spam, 4), Some(NETWORK_WEIGHS));
    assert_eq!(says(5, "good.example", Judgement::Ham, 5), Some(0));
    assert_eq!(says(6, "sixth.example", Judgement::Spam, 6), None, "good mail protects for a month");
}

#[test]
fn more_hosts_make_up_for_fewer_organisations() {
    let learned_at = |names: &[&str]| {
        let mut site = Experience::new(Seeded([1, 2]));
        (1..20u32).find(|n| {
            let name = names[*n as usize % names.len()];
            let met = Met { name: None, ..neighbour(*n, name) };
            !site.note(&met, Judgement::Spam, true, at(u64::from(*n))).is_empty()
        })
    };
    assert_eq!(learned_at(&["one.example", "two.example"]), Some(4));
    assert_eq!(learned_at(&["one.example"]), Some(8));
}

#[test]
fn a_lesson_is_said_again_before_it_runs_out() {
    let mut site = Experience::new(Seeded([1, 2]));
    let day = 1440;
    let mut says = |n, minute| {
        let met = Met { name: None, ..neighbour(n, &format!("{}.example", "x".repeat(n as usize))) };
        site.note(&met, Judgement::Spam, true, at(minute)).len()
    };
    assert_eq!([says(1, 0), says(2, 1), says(3, 2)], [0, 0, 1]);
    assert_eq!([says(4, 3 * day), says(5, 4 * day), says(6, 5 * day)], [0, 1, 0]);
}

#[test]
fn tables_are_bounded_and_good_mail_finds_its_group() {
    let mut site = Experience::new(Seeded([1, 2]));
    for n in 0..(NETWORKS_MAX as u32 + 100) {
        site.note(&stranger(n, None), Judgement::Spam, true, at(0));
    }
    assert_eq!(site.networks.len(), NETWORKS_MAX);
    site.note(&stranger(NETWORKS_MAX as u32 + 200, None), Judgement::Spam, true, at(8 * 1440));
    assert_eq!(site.networks.len(), 1, "a week later the old ones give way");
}

#[test]
fn the_same_experience_gives_the_same_bytes_whatever_it_met_first() {
    let met = |order: &mut dyn Iterator<Item = u32>| {
        let mut site = Experience::new(Seeded([1, 2]));
        for n in order {
            let greeting = Some(Name::new(format!("{n}.example").as_bytes()));
            let met = Met { greeting, unconfirmed: true, ..neighbour(n, &format!("{}.example", n % 40)) };
            site.note(&Met { network: stranger(n, None).network, ..met }, Judgement::Spam, true, at(0));
        }
        minicbor::to_vec(&site).unwrap()
    };
    let bytes = met(&mut (0..40));
    assert_eq!(met(&mut (0..40).rev()), bytes);
    let stored = minicbor::decode(&bytes).unwrap();
    assert_eq!(minicbor::to_vec(Experience::restore(Seeded([3, 4]), stored)).unwrap(), bytes);
}
