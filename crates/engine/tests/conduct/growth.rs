//! A block in force: what pushes its end, what does not, and what is written of it (SEN-3a,
//! SEN-13, DESIGN §8).

use model::{Answered, Body, Judgement, Millis, Offence, Order, Policy, Secs, Tariff, Units};

use crate::world::{Mail, PEOPLE, World, bot, mail, nth_bot, policy, server, spam_to, to_postmaster};

const ADDR: &str = "192.0.2.25";
const HOUR: Secs = Secs::HOUR;

#[test]
fn example_6_mail_to_postmaster_adds_half_an_hour_and_queue_retries_nothing() {
    let (mut world, host) = (World::new(), bot(ADDR));
    // 100 units, so that the block lasts 10 hours; good mail before, so that attempts do not count.
    world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&host, PEOPLE) });
    for to in 0..10 {
        world.send(&Mail { recipients: 10, ..spam_to(&host, PEOPLE + to) });
    }
    let before = world.lasts(&host);
    (0..5).for_each(|_| assert!(world.send(&to_postmaster(&host))));
    world.attempts(&host, 20, 20);
    world.wait(Secs(61));
    assert_eq!(world.lasts(&host), Secs(before.0 + 30 * 60));
}

#[test]
fn sen_3a_distinct_refused_attempts_add_a_quarter_of_a_unit_and_retries_nothing() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    world.attempts(&host, 8, 1);
    world.wait(Secs(61));
    assert_eq!(world.lasts(&host), Secs(2 * 3600 + 12 * 60));
    world.attempts(&host, 8, 50);
    world.wait(Secs(61));
    assert_eq!(world.lasts(&host), Secs(2 * 3600 + 12 * 60));
    assert_eq!(world.case(&host).case.extended.as_ref().unwrap().attempts, 8);
}

#[test]
fn sen_3a_attempts_add_a_day_in_a_day_at_most() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    for to in 0..3000 {
        world.send(&mail(&host, PEOPLE + to));
    }
    world.wait(Secs(61));
    assert_eq!(world.lasts(&host), Secs(2 * 3600 + 86_400));
}

#[test]
fn sen_3a_attempts_count_only_for_a_key_that_sent_nearly_nothing_but_spam() {
    let (mut world, host) = (World::new(), server(ADDR));
    // 8 of 10 were judged spam; the others were not good either, but infected.
    for to in 0..2 {
        world.send(&Mail { judged: Some(Judgement::Virus), ..mail(&host, to) });
    }
    world.spam(&host, 10);
    let before = world.lasts(&host);
    world.attempts(&host, 40, 1);
    world.wait(Secs(61));
    assert_eq!(world.lasts(&host), before);
}

/// Spearman's rank correlation; ties get their mean rank.
fn rank_correlation(pairs: &[(u64, u64)]) -> f64 {
    let ranks = |of: fn(&(u64, u64)) -> u64| -> Vec<f64> {
        let rank = |v: u64| {
            let (below, equal) =
                pairs.iter().fold((0, 0), |(b, e), p| (b + u32::from(of(p) < v), e + u32::from(of(p) == v)));
            f64::from(below) + f64::from(equal + 1) / 2.0
        };
        pairs.iter().map(|p| rank(of(p))).collect()
    };
    let (xs, ys) = (ranks(|p| p.0), ranks(|p| p.1));
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    sum(&xs, &ys) / (sum(&xs, &xs) * sum(&ys, &ys)).sqrt()
}

#[test]
fn sen_13_a_block_is_the_longer_the_more_the_host_tried() {
    let mut world = World::new();
    for n in 0..80 {
        let (host, tries) = (nth_bot(n), u64::from(n * 7 % 80));
        world.spam(&host, 1);
        // Some mail to people who are open, some refused, some retried.
        for to in 0..tries {
            world.send(&mail(&host, PEOPLE + to));
        }
        (0..n % 3).for_each(|_| assert!(world.send(&to_postmaster(&host))));
        for to in 0..tries.min(9) {
            world.send(&mail(&host, PEOPLE + to));
        }
    }
    world.wait(Secs(61));
    let weight = |filed: &crate::world::Filed| {
        let units: u64 = filed.case.units().iter().map(|(_, u)| u.quarters() / 4).sum();
        units + filed.case.extended.as_ref().map_or(0, |e| e.attempts)
    };
    let pairs: Vec<(u64, u64)> = world.cases.values().map(|f| (f.lasts().0, weight(f))).collect();
    assert_eq!(pairs.len(), 80);
    assert!(rank_correlation(&pairs) >= 0.8, "{}", rank_correlation(&pairs));
}

#[test]
fn sen_13_a_five_day_queue_of_400_messages_adds_nothing_for_a_host_with_good_mail() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 8, 2);
    world.spam(&host, 200);
    let before = world.case(&host).case.until();
    while world.now < before {
        for to in 0..400 {
            world.send(&mail(&host, 9000 + to));
        }
        world.wait(Secs(1800));
    }
    assert_eq!(world.case(&host).case.until(), before);
}

#[test]
fn a_greeting_with_our_name_makes_no_spam_sentence_longer() {
    let (mut world, host) = (World::new(), server(ADDR).helo("mx.example.org"));
    assert!(world.send(&mail(&host, 1)));
    // A second session would block; its mail of the first is judged late.
    let tag = world.tag();
    for to in 0..30 {
        let input = world.observed(tag, mail(&host, PEOPLE + to).attempt(Answered::Passed));
        world.frame(vec![input]);
    }
    let opened = world.case(&host).case.opened.clone().unwrap();
    assert_eq!(opened.units, [(Offence::Helo, Units::whole(2))]);
    assert_eq!(world.case(&host).lasts(), Secs::DAY);
}

#[test]
fn spam_during_a_fixed_sentence_waits_for_one_of_its_own() {
    let (mut world, host) = (World::new(), server(ADDR).helo("mx.example.org"));
    assert!((0..2).all(|to| world.send(&mail(&host, to))));
    (0..20).for_each(|_| assert!(world.send(&to_postmaster(&host))));
    world.wait(Secs(61));
    assert_eq!(world.case(&host).lasts(), Secs::DAY);
    world.wait(Secs::DAY.times(2));
    let unnamed = server(ADDR);
    world.spam(&unnamed, 1);
    assert!(!world.is_blocked(&unnamed), "one spam a day is no volume");
    world.spam(&unnamed, 9);
    assert_eq!(world.cases[&world.newest(&host)].units(), Units::whole(30));
}

#[test]
fn extensions_are_written_once_a_case_and_minute() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let begun = world.now;
    for to in 0..60 {
        world.now = world.now.plus(Secs(5));
        world.send(&mail(&host, PEOPLE + to));
    }
    world.wait(Secs(61));
    let minutes: Vec<Millis> =
        world.events.iter().filter(|e| matches!(e.body, Body::CaseExtended(_))).map(|e| e.at.wall).collect();
    assert!(minutes.windows(2).all(|w| w[1].since(w[0]) >= Secs::MINUTE), "{minutes:?}");
    assert!(minutes[0].since(begun) >= Secs::MINUTE);
    assert_eq!(minutes.len(), 6, "five minutes, and what was left");
    assert_eq!(world.case(&host).case.extended.as_ref().unwrap().attempts, 60);
}

#[test]
fn what_grew_in_the_last_minute_is_written_before_the_end() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    world.attempts(&host, 4, 1);
    world.order(Order::LiftCase(world.newest(&host), false)).unwrap();
    assert_eq!(world.case(&host).case.extended.as_ref().unwrap().attempts, 4);
}

#[test]
fn what_grew_in_the_last_minute_is_written_before_the_case_ends() {
    // A quarter of a unit is one second here, so a case can grow and end within a minute.
    let tariff = Tariff { per_unit: Secs(4), ..Tariff::SHIPPED };
    let (mut world, host) = (World::under(Policy { tariff, ..policy() }), bot(ADDR));
    world.spam(&host, 1);
    world.now = world.case(&host).case.until().minus(Secs(30));
    world.attempts(&host, 4, 1);
    world.wait(Secs(40));
    let end = world.case(&host).case.until();
    assert_eq!(world.case(&host).lasts(), Secs(7204));
    assert_eq!(world.count(|e| e.body == Body::CaseEnded(end)), 1);
}

#[test]
fn a_case_that_grew_runs_beyond_its_first_end() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let first = world.case(&host).case.until();
    world.attempts(&host, 8, 1);
    world.wait(first.since(world.now));
    world.wait(Secs(600));
    assert!(world.is_blocked(&host));
    assert_eq!((world.engine.running(), world.count(|e| matches!(e.body, Body::CaseEnded(_)))), (1, 0));
    world.wait(Secs(121));
    assert_eq!(world.count(|e| e.body == Body::CaseEnded(first.plus(Secs(720)))), 1);
}

#[test]
fn attempts_count_only_where_the_policy_says_so() {
    let guards = model::policy::Guards { attempts: false, ..policy().guards };
    let (mut world, host) = (World::under(Policy { guards, ..policy() }), bot(ADDR));
    world.spam(&host, 1);
    world.attempts(&host, 8, 1);
    world.wait(Secs(61));
    assert_eq!(world.lasts(&host), HOUR.times(2));
}

#[test]
fn a_case_ends_once_and_says_so() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let end = world.case(&host).case.until();
    world.now = Millis(end.0 - 1);
    world.wait(Secs(0));
    assert_eq!(world.count(|e| matches!(e.body, Body::CaseEnded(_))), 0);
    assert_eq!(world.engine.running(), 1);
    world.now = end;
    world.wait(Secs(0));
    world.wait(Secs::DAY);
    assert_eq!(world.count(|e| e.body == Body::CaseEnded(end)), 1);
    assert_eq!(world.engine.running(), 0);
}
