//! How long a block lasts: SEN-1 to SEN-13 and the examples of REQUIREMENTS D.3, as far as
//! the engine decides them. The formula itself is tested where it stands, in `model`.

use model::policy::{RuleMode, TrapKind};
use model::{
    Answered, Body, CaseId, Input, Judgement, Millis, Mode, Offence, Order, PersonHash, Policy, Secs, Tariff,
    Units,
};

use crate::world::{Host, Mail, PEOPLE, START, World, bot, mail, nth_bot, policy, server};

const ADDR: &str = "192.0.2.25";
const HOUR: Secs = Secs::HOUR;

fn spam_to(from: &Host, to: u64) -> Mail<'_> {
    Mail { judged: Some(Judgement::Spam), ..mail(from, to) }
}

/// Reaches postmaster, who is open to blocked hosts, and is judged.
fn to_postmaster(from: &Host) -> Mail<'_> {
    Mail { exempt: true, ..spam_to(from, 1) }
}

/// `n` attempts of distinct pairs, each `times` times.
fn attempts(world: &mut World, host: &Host, n: u64, times: u64) {
    for _ in 0..times {
        (0..n).for_each(|to| assert!(!world.send(&mail(host, PEOPLE + to)), "expected a refusal"));
    }
}

/// A well-run host that is blocked with `units`, and with `earlier` blocks before.
fn blocked_with(units: u64, earlier: u32) -> (World, Host) {
    let (mut world, host) = (World::new(), server(ADDR));
    for _ in 0..earlier {
        world.spam(&host, 10);
        // Until the block is over and the hour's window empty.
        world.wait(Secs::DAY.times(4));
    }
    let first = Mail { recipients: u16::try_from(units - 9).unwrap(), ..spam_to(&host, PEOPLE) };
    assert!(world.send(&first));
    assert_eq!(world.spam(&host, 9), 9);
    (world, host)
}

#[track_caller]
fn lasts(world: &World, host: &Host) -> Secs {
    world.cases[&world.newest(host)].lasts()
}

#[test]
fn example_1_thirty_four_spams_are_three_hours_and_24_minutes() {
    let (world, host) = blocked_with(34, 0);
    assert_eq!(world.case(&host).units(), Units::whole(34));
    assert_eq!(lasts(&world, &host), Secs(3 * 3600 + 24 * 60));
}

#[test]
fn example_6_mail_to_postmaster_adds_half_an_hour_and_queue_retries_nothing() {
    let (mut world, host) = (World::new(), bot(ADDR));
    // 100 units, so that the block lasts 10 hours; good mail before, so that attempts do not count.
    world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&host, PEOPLE) });
    for to in 0..10 {
        world.send(&Mail { recipients: 10, ..spam_to(&host, PEOPLE + to) });
    }
    let before = lasts(&world, &host);
    (0..5).for_each(|_| assert!(world.send(&to_postmaster(&host))));
    attempts(&mut world, &host, 20, 20);
    world.wait(Secs(61));
    assert_eq!(lasts(&world, &host), Secs(before.0 + 30 * 60));
}

#[test]
fn sen_1_more_spam_is_never_a_shorter_block() {
    let lengths: Vec<Secs> = [10, 20, 21, 34, 59]
        .map(|units| {
            let (world, host) = blocked_with(units, 0);
            lasts(&world, &host)
        })
        .into();
    assert!(lengths.is_sorted(), "{lengths:?}");
    assert_eq!((lengths[0], lengths[4]), (HOUR.times(2), Secs(59 * 360)));
}

#[test]
fn sen_2_the_order_of_the_trigger_s_units_does_not_matter() {
    let run = |sizes: [u16; 4]| {
        let (mut world, host) = (World::new(), server(ADDR));
        for (to, recipients) in sizes.into_iter().enumerate() {
            world.send(&Mail { recipients, ..spam_to(&host, PEOPLE + to as u64) });
        }
        world.spam(&host, 6);
        lasts(&world, &host)
    };
    assert_eq!(run([40, 1, 30, 2]), run([1, 2, 40, 30]));
    assert_eq!(run([40, 1, 30, 2]), Secs(79 * 360));
}

#[test]
fn sen_3a_distinct_refused_attempts_add_a_quarter_of_a_unit_and_retries_nothing() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    attempts(&mut world, &host, 8, 1);
    world.wait(Secs(61));
    assert_eq!(lasts(&world, &host), Secs(2 * 3600 + 12 * 60));
    attempts(&mut world, &host, 8, 50);
    world.wait(Secs(61));
    assert_eq!(lasts(&world, &host), Secs(2 * 3600 + 12 * 60));
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
    assert_eq!(lasts(&world, &host), Secs(2 * 3600 + 86_400));
}

#[test]
fn sen_3a_attempts_count_only_for_a_key_that_sent_nearly_nothing_but_spam() {
    let (mut world, host) = (World::new(), server(ADDR));
    // 8 of 10 were judged spam; the others were not good either, but infected.
    for to in 0..2 {
        world.send(&Mail { judged: Some(Judgement::Virus), ..mail(&host, to) });
    }
    world.spam(&host, 10);
    let before = lasts(&world, &host);
    attempts(&mut world, &host, 40, 1);
    world.wait(Secs(61));
    assert_eq!(lasts(&world, &host), before);
}

#[test]
fn sen_4_a_unit_is_sentenced_once() {
    let (mut world, host) = (World::new(), bot(ADDR));
    for times in 1..=3 {
        world.spam(&host, 1);
        assert_eq!(world.cases.values().map(|c| c.units().quarters()).sum::<u64>(), 4 * times);
        world.wait(Secs::DAY.times(2));
    }
    // What came during a block is in its sentence, not in the next one's.
    world.spam(&host, 1);
    assert!(world.send(&to_postmaster(&host)));
    world.wait(Secs::DAY.times(2));
    world.spam(&host, 1);
    assert_eq!(world.cases[&world.newest(&host)].units(), Units::whole(1));
}

#[test]
fn sen_4_units_wait_seven_days_for_a_sentence() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 9);
    world.wait(Secs::DAY.times(3));
    assert_eq!(world.spam(&host, 40), 10);
    assert_eq!(world.case(&host).units(), Units::whole(19));
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 9);
    world.wait(Secs::DAY.times(8));
    world.spam(&host, 40);
    assert_eq!(world.case(&host).units(), Units::whole(10));
}

#[test]
fn sen_5_repeats_are_fixed_when_the_block_begins() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    world.wait(HOUR.times(3));
    world.spam(&host, 1);
    assert_eq!(lasts(&world, &host), HOUR.times(4));
    // The first block is pardoned meanwhile: nothing changes for the second.
    let first = *world.cases.keys().next().unwrap();
    assert!(world.order(Order::LiftCase(first, true)).is_err(), "it is over");
    assert!(world.send(&to_postmaster(&host)));
    world.wait(Secs(61));
    assert_eq!(lasts(&world, &host), Secs(4 * 3600 + 2 * 360));
}

#[test]
fn sen_6_a_block_that_was_an_error_leaves_no_strike() {
    let after = |error| {
        let (mut world, host) = (World::new(), bot(ADDR));
        world.spam(&host, 1);
        world.order(Order::LiftCase(world.newest(&host), error)).unwrap();
        world.wait(Secs::DAY.times(9));
        world.spam(&host, 1);
        lasts(&world, &host)
    };
    assert_eq!([after(true), after(false)], [HOUR.times(2), HOUR.times(4)]);
}

#[test]
fn sen_6_a_block_that_ran_out_doubles_the_next_four_times_at_most() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let lengths: Vec<u64> = (0..7)
        .map(|_| {
            world.spam(&host, 1);
            let hours = lasts(&world, &host).0 / 3600;
            world.wait(Secs::DAY.times(4));
            hours
        })
        .collect();
    assert_eq!(lengths, [2, 4, 8, 16, 32, 32, 32]);
    (0..90).for_each(|_| world.wait(Secs::DAY));
    world.spam(&host, 1);
    assert_eq!(lasts(&world, &host), HOUR.times(2), "after 90 days they are forgotten");
}

#[test]
fn sen_7_ends_lie_whole_seconds_after_their_beginnings() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.now = Millis(START.0 + 777);
    world.spam(&host, 1);
    attempts(&mut world, &host, 3, 1);
    world.wait(Secs(61));
    let filed = world.case(&host);
    let opened = filed.case.opened.as_ref().unwrap();
    assert_eq!(opened.from.0 % 1000, 777);
    assert_eq!((filed.case.until().0 - opened.from.0) % 1000, 0);
}

#[test]
fn sen_8_no_end_lies_beyond_thirty_days_from_now() {
    let (mut world, host) = (World::new(), server(ADDR));
    for n in 0..400 {
        world.now = world.now.plus(Secs(60));
        // Units of a dump, and later of mail to postmaster.
        world.send(&Mail { recipients: 50, exempt: true, ..spam_to(&host, PEOPLE + n) });
        let cap = world.now.plus(Tariff::SHIPPED.cap);
        assert!(world.cases.values().all(|filed| filed.case.until() <= cap));
    }
    assert_eq!(world.cases.len(), 1);
    let end = world.case(&host).case.until();
    assert!(end.since(world.now) > Secs::DAY.times(29), "the cap was reached: {end:?}");
}

#[test]
fn sen_11_a_new_tariff_is_for_new_blocks() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let tariff = Tariff { per_unit: HOUR, floor: HOUR.times(9), ..Tariff::SHIPPED };
    world.frame(vec![engine::policy_input(&Policy { tariff, ..policy() })]);
    assert!(world.send(&to_postmaster(&host)));
    world.wait(Secs(61));
    assert_eq!(lasts(&world, &host), Secs(2 * 3600 + 360));
    let other = bot("192.0.2.26");
    world.spam(&other, 1);
    assert_eq!(lasts(&world, &other), HOUR.times(9));
}

#[test]
fn sen_12_an_operator_s_end_is_the_end() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let case = world.newest(&host);
    let end = world.now.plus(Secs(600));
    assert_eq!(world.order(Order::Resentence(case, end)), Ok(vec![case]));
    assert!(world.send(&to_postmaster(&host)));
    attempts(&mut world, &host, 8, 1);
    world.wait(Secs(300));
    assert_eq!(world.case(&host).case.until(), end);
    world.wait(Secs(301));
    assert_eq!(world.count(|e| e.body == Body::CaseEnded(end)), 1);
    assert!(!world.is_blocked(&host));
}

#[test]
fn sen_12_an_operator_may_lengthen_up_to_thirty_days() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let case = world.newest(&host);
    world.order(Order::Resentence(case, world.now.plus(Secs::DAY.times(400)))).unwrap();
    assert_eq!(world.case(&host).case.until(), world.now.plus(Secs::DAY.times(30)));
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
fn offences_whose_length_follows_the_amount_make_one_sentence() {
    let traps = vec![(PersonHash(1), TrapKind::Pristine)];
    let (mut world, host) = (World::under(Policy { traps, ..policy() }), server(ADDR));
    assert!(world.send(&mail(&host, 1)));
    world.spam(&host, 10);
    let opened = world.case(&host).case.opened.clone().unwrap();
    assert_eq!(opened.units, [(Offence::SpamVolume, Units::whole(10)), (Offence::Trap, Units::whole(5))]);
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
    attempts(&mut world, &host, 4, 1);
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
    attempts(&mut world, &host, 4, 1);
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
    attempts(&mut world, &host, 8, 1);
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
    attempts(&mut world, &host, 8, 1);
    world.wait(Secs(61));
    assert_eq!(lasts(&world, &host), HOUR.times(2));
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

#[test]
fn the_yardstick_policy_blocks_everybody_for_24_hours() {
    let reference = Policy { learn_first: false, documentation: true, ..Policy::reference_24h() };
    let (mut world, host) = (World::under(reference), server(ADDR));
    for _ in 0..4 {
        world.spam(&host, 1);
        attempts(&mut world, &host, 20, 1);
        world.wait(Secs(2 * 86_400));
    }
    assert!(world.cases.values().all(|filed| filed.lasts() == Secs::DAY));
    assert_eq!(world.cases.len(), 4);
}

#[test]
fn a_rule_in_shadow_gives_no_unit_to_a_sentence_that_is_enforced() {
    let traps = vec![(PersonHash(1), TrapKind::Pristine)];
    let modes = vec![(Offence::Trap, RuleMode::Shadow)];
    let (mut world, host) = (World::under(Policy { traps, modes, ..policy() }), server(ADDR));
    assert!(world.send(&mail(&host, 1)));
    world.spam(&host, 10);
    assert_eq!(world.case(&host).units(), Units::whole(10));
    assert!(world.send(&Mail { exempt: true, ..mail(&host, 1) }));
    world.wait(Secs(61));
    assert_eq!(world.case(&host).lasts(), HOUR.times(2));
}

#[test]
fn sen_10_the_same_frames_give_the_same_sentences() {
    let (mut world, host) = blocked_with(34, 2);
    attempts(&mut world, &host, 12, 2);
    world.wait(Secs(61));
    let mut again = World::new();
    for frame in world.frames.clone() {
        again.now = frame.wall;
        again.frame(frame.inputs);
    }
    let ends = |world: &World| world.cases.iter().map(|(id, f)| (*id, f.case.until())).collect::<Vec<_>>();
    assert_eq!(ends(&world), ends(&again));
    assert_eq!(world.cases.len(), 3);
}

#[test]
fn a_case_is_named_after_the_event_that_opened_it() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let event = world.events.iter().find(|e| matches!(e.body, Body::CaseOpened(_))).unwrap();
    assert_eq!(event.case, Some(CaseId(event.id)));
    assert_eq!(event.mode, Mode::Live);
    assert_eq!(event.rule.unwrap().offence, Offence::SpamVolume);
    let Input::Observed(_) = &world.frames[1].inputs[0] else { panic!("expected the verdict") };
    assert_eq!(event.cause, model::event::Cause::Input(2, 0));
}
