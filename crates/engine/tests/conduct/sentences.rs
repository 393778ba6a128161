//! How long a block lasts when it begins: the examples of REQUIREMENTS D.3 and SEN-1 to
//! SEN-12, as far as the engine decides them. The formula itself is tested where it
//! stands, in `model`; what happens to a block in force is in `growth`.

use model::policy::{RuleMode, TrapKind};
use model::{Body, CaseId, Input, Millis, Mode, Offence, Order, PersonHash, Policy, Secs, Tariff, Units};

use crate::world::{Host, Mail, PEOPLE, START, World, bot, mail, policy, server, spam_to, to_postmaster};

const ADDR: &str = "192.0.2.25";
const HOUR: Secs = Secs::HOUR;

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

#[test]
fn example_1_thirty_four_spams_are_three_hours_and_24_minutes() {
    let (world, host) = blocked_with(34, 0);
    assert_eq!(world.case(&host).units(), Units::whole(34));
    assert_eq!(world.lasts(&host), Secs(3 * 3600 + 24 * 60));
}

#[test]
fn sen_1_more_spam_is_never_a_shorter_block() {
    let lengths: Vec<Secs> = [10, 20, 21, 34, 59]
        .map(|units| {
            let (world, host) = blocked_with(units, 0);
            world.lasts(&host)
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
        world.lasts(&host)
    };
    assert_eq!(run([40, 1, 30, 2]), run([1, 2, 40, 30]));
    assert_eq!(run([40, 1, 30, 2]), Secs(79 * 360));
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
    assert_eq!(world.lasts(&host), HOUR.times(4));
    // The first block is pardoned meanwhile: nothing changes for the second.
    let first = *world.cases.keys().next().unwrap();
    assert!(world.order(Order::LiftCase(first, true)).is_err(), "it is over");
    assert!(world.send(&to_postmaster(&host)));
    world.wait(Secs(61));
    assert_eq!(world.lasts(&host), Secs(4 * 3600 + 2 * 360));
}

#[test]
fn sen_6_a_block_that_was_an_error_leaves_no_strike() {
    let after = |error| {
        let (mut world, host) = (World::new(), bot(ADDR));
        world.spam(&host, 1);
        world.order(Order::LiftCase(world.newest(&host), error)).unwrap();
        world.wait(Secs::DAY.times(9));
        world.spam(&host, 1);
        world.lasts(&host)
    };
    assert_eq!([after(true), after(false)], [HOUR.times(2), HOUR.times(4)]);
}

#[test]
fn sen_6_a_block_that_ran_out_doubles_the_next_four_times_at_most() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let lengths: Vec<u64> = (0..7)
        .map(|_| {
            world.spam(&host, 1);
            let hours = world.lasts(&host).0 / 3600;
            world.wait(Secs::DAY.times(4));
            hours
        })
        .collect();
    assert_eq!(lengths, [2, 4, 8, 16, 32, 32, 32]);
    (0..90).for_each(|_| world.wait(Secs::DAY));
    world.spam(&host, 1);
    assert_eq!(world.lasts(&host), HOUR.times(2), "after 90 days they are forgotten");
}

#[test]
fn sen_7_ends_lie_whole_seconds_after_their_beginnings() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.now = Millis(START.0 + 777);
    world.spam(&host, 1);
    world.attempts(&host, 3, 1);
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
    assert_eq!(world.lasts(&host), Secs(2 * 3600 + 360));
    let other = bot("192.0.2.26");
    world.spam(&other, 1);
    assert_eq!(world.lasts(&other), HOUR.times(9));
}

#[test]
fn sen_12_an_operator_s_end_is_the_end() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let case = world.newest(&host);
    let end = world.now.plus(Secs(600));
    assert_eq!(world.order(Order::Resentence(case, end)), Ok(vec![case]));
    assert!(world.send(&to_postmaster(&host)));
    world.attempts(&host, 8, 1);
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
fn the_yardstick_policy_blocks_everybody_for_24_hours() {
    let reference = Policy { learn_first: false, documentation: true, ..Policy::reference_24h() };
    let (mut world, host) = (World::under(reference), server(ADDR));
    for _ in 0..4 {
        world.spam(&host, 1);
        world.attempts(&host, 20, 1);
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
    world.attempts(&host, 12, 2);
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
