//! Spam again, from servers of which we know no good mail (REQUIREMENTS A.4, `hash-flood`).

use model::content::Shape;
use model::policy::RuleMode;
use model::{Content, Judgement, Offence, Policy, Secs};

use crate::world::{Host, Mail, PEOPLE, World, bot, mail, server, spam_to, to_postmaster, whole_policy};

const ADDR: &str = "192.0.2.25";

fn world() -> World {
    World::under(whole_policy())
}

/// How many spams get through of a hundred, one a minute.
fn gets_through(host: &Host) -> u64 {
    world().spam(host, 100)
}

#[test]
fn a_4_the_second_spam_in_a_day_blocks_a_well_run_stranger_for_twelve_hours() {
    let (mut world, host) = (world(), server(ADDR));
    assert_eq!(world.spam(&host, 100), 2);
    let filed = world.cases.values().next().unwrap();
    assert!(filed.is_for(Offence::HashFlood));
    assert!(filed.lasts() >= Secs(12 * 3600), "{}", filed.lasts());
}

#[test]
fn one_spam_a_day_is_not_again() {
    let (mut world, host) = (world(), server(ADDR));
    for _ in 0..5 {
        assert_eq!(world.spam(&host, 1), 1);
        world.wait(Secs(25 * 3600));
    }
    assert!(world.cases.is_empty());
}

#[test]
fn the_first_hit_of_a_bot_stays_off_1s_and_the_next_is_the_second_in_a_day() {
    let (mut world, host) = (world(), bot(ADDR));
    assert_eq!(world.spam(&host, 1), 1);
    assert!(world.cases.values().all(|filed| filed.is_for(Offence::SpamVolume)));
    world.wait(Secs(3 * 3600));
    assert_eq!(world.spam(&host, 1), 1);
    let last = world.cases.values().next_back().unwrap();
    assert!(last.is_for(Offence::HashFlood));
    assert_eq!(last.lasts(), Secs(24 * 3600), "twelve hours, doubled for the block before");
}

#[test]
fn s109_a_server_that_emits_spam_at_times_is_not_listed() {
    let (mut world, host) = (world(), server(ADDR));
    for _ in 0..4 {
        world.ham(&host, 1);
        assert_eq!(world.spam(&host, 2), 2);
        world.wait(Secs(86_400));
    }
    assert!(world.cases.is_empty());
}

#[test]
fn the_block_slides_to_twelve_hours_after_the_last_spam() {
    let (mut world, host) = (world(), server(ADDR));
    world.spam(&host, 2);
    world.wait(Secs(10 * 3600));
    world.send(&to_postmaster(&host));
    world.wait(Secs(11 * 3600 + 1800));
    assert!(!world.send(&mail(&host, 9)), "21 h after the trigger");
    world.wait(Secs(3600));
    assert!(world.send(&mail(&host, 9)));
}

#[test]
fn off_and_shadow_refuse_nothing() {
    for mode in [RuleMode::Off, RuleMode::Shadow] {
        let modes = vec![(Offence::HashFlood, mode)];
        let mut world = World::under(Policy { modes, ..whole_policy() });
        assert_eq!(world.spam(&server(ADDR), 5), 5, "{mode:?}");
    }
    assert_eq!(gets_through(&server(ADDR)), 2);
}

/// A message with this text that a milter sees, judged so.
fn with_text(world: &mut World, host: &Host, text: u64, judged: Judgement) -> bool {
    let letter = Mail { judged: Some(judged), ..spam_to(host, PEOPLE + 77) };
    world.show(&letter, Content { text: Some(text), ..Content::default() })
}

/// Spam with one text from so many networks, one server each.
fn flood(world: &mut World, networks: u8) {
    for n in 0..networks {
        with_text(world, &server(&format!("203.0.{n}.1")), 7, Judgement::Spam);
    }
}

#[test]
fn a_4_a_text_from_three_networks_is_known_and_its_next_first_time_sender_is_blocked() {
    let (mut world, host) = (world(), server(ADDR));
    flood(&mut world, 2);
    assert!(!world.engine.knows_text(7));
    flood(&mut world, 3);
    assert!(world.engine.knows_text(7));
    with_text(&mut world, &host, 7, Judgement::Spam);
    assert!(world.case(&host).is_for(Offence::HashFlood));
    assert_eq!(world.lasts(&host), Secs(12 * 3600));
}

#[test]
fn a_4_an_established_host_that_forwards_a_known_text_is_not_blocked() {
    let (mut world, host) = (world(), server(ADDR));
    world.befriend(&host, 15, 8);
    flood(&mut world, 4);
    with_text(&mut world, &host, 7, Judgement::Spam);
    assert!(!world.is_blocked(&host));
}

#[test]
fn a_text_that_comes_as_good_mail_too_is_held_against_nobody() {
    let (mut world, host) = (world(), server(ADDR));
    flood(&mut world, 4);
    with_text(&mut world, &server("198.51.100.9"), 7, Judgement::Ham);
    with_text(&mut world, &host, 7, Judgement::Spam);
    assert!(!world.is_blocked(&host));
}

#[test]
fn samples_for_an_abuse_desk_make_no_text_known() {
    let mut world = world();
    for n in 0..9 {
        let host = server(&format!("203.0.{n}.1"));
        let content = Content { text: Some(7), shape: Shape::TO_ABUSE_DESK, ..Content::default() };
        world.show(&spam_to(&host, PEOPLE + 77), content);
    }
    assert!(!world.engine.knows_text(7));
}

#[test]
fn known_texts_are_there_after_a_restart() {
    let mut world = world();
    flood(&mut world, 3);
    let bytes = world.engine.to_checkpoint();
    let (engine, dropped) = engine::Engine::from_checkpoint(&bytes).unwrap();
    assert!(engine.knows_text(7) && !dropped);
}
