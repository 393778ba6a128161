//! OFF-15: bounces and answers that nobody caused; their host is refused null-sender mail
//! and nothing else.

use model::content::Shape;
use model::observation::Rejection;
use model::policy::TrapKind;
use model::{Body, DomainHash, Fact, Judgement, Offence, PersonHash, Policy, Rejected, Secs, Sensor, Sent};

use crate::world::{Host, Mail, PEOPLE, World, mail, policy, server, shaped, spam_to};

const ADDR: &str = "192.0.2.25";

/// `n` bounces to as many people, one a second; says how many passed.
fn bounces(world: &mut World, from: &Host, n: u64) -> usize {
    let bounce = |to| Mail { sender: 0, ..mail(from, PEOPLE + to) };
    (0..n).filter(|to| world.show(&bounce(*to), shaped(Shape::BOUNCE | Shape::NULL_SENDER))).count()
}

/// One of ours writes to a domain.
fn writes(world: &mut World, who: u64, domain: u64) {
    let sender = Some(PersonHash(PEOPLE + who));
    let sent = Sent { sender, recipient: PersonHash(9), domain: Some(DomainHash(domain)) };
    world.frame(vec![world.observed_by(Sensor::Milter, 0, Fact::Sent(sent))]);
}

fn nobody(world: &mut World, from: &Host, n: u64, sender: Option<u64>) {
    for to in 0..n {
        let rejected = Rejected {
            client: from.0.clone(),
            sender: sender.map(PersonHash),
            recipient: Some(PersonHash(5000 + to)),
            domain: Some(DomainHash(1)),
            why: Rejection::UnknownUser,
        };
        let tag = world.tag();
        world.frame(vec![world.observed_by(Sensor::Milter, tag, Fact::Rejected(rejected))]);
    }
}

#[test]
fn five_bounces_to_people_who_had_not_written_are_backscatter() {
    let (mut world, host) = (World::new(), server(ADDR));
    writes(&mut world, 500, 3);
    world.wait(Secs::DAY.times(14));
    assert_eq!(bounces(&mut world, &host, 9), 5);
    assert!(world.case(&host).is_for(Offence::Backscatter));
    assert_eq!(world.case(&host).lasts(), Secs::DAY.times(7));
    assert!(world.send(&mail(&host, PEOPLE)), "other mail is welcome");
}

#[test]
fn bounces_of_what_our_people_wrote_are_none() {
    let (mut world, host) = (World::new(), server(ADDR));
    writes(&mut world, 500, 3);
    world.wait(Secs::DAY.times(14));
    (0..20).for_each(|who| writes(&mut world, who, 3));
    assert_eq!(bounces(&mut world, &host, 20), 20);
}

#[test]
fn while_nothing_was_recorded_or_only_lately_no_bounce_is_unasked() {
    let (mut world, host) = (World::new(), server(ADDR));
    assert_eq!(bounces(&mut world, &host, 20), 20);
    writes(&mut world, 500, 3);
    world.wait(Secs::DAY.times(13));
    assert_eq!(bounces(&mut world, &host, 20), 20, "the message may have gone out before the record began");
}

#[test]
fn five_bounces_to_nobody_are_backscatter() {
    let (mut world, host) = (World::new(), server(ADDR));
    nobody(&mut world, &host, 4, None);
    nobody(&mut world, &host, 4, None);
    nobody(&mut world, &host, 19, Some(7));
    assert!(world.cases.is_empty(), "four are too few, and a sender is no bounce");
    nobody(&mut world, &host, 5, None);
    assert!(world.case(&host).is_for(Offence::Backscatter));
    assert_eq!(world.side_rows.len(), 5, "connections are its evidence");
}

#[test]
fn ten_traps_that_got_an_answer_count_as_five() {
    let traps = (1..=20).map(|n| (PersonHash(n), TrapKind::Pristine)).collect();
    let (mut world, host) = (World::under(Policy { traps, ..policy() }), server(ADDR));
    let answer = |to| Mail { sender: 0, ..mail(&host, to) };
    assert_eq!((1..=20).filter(|to| world.show(&answer(*to), shaped(Shape::AUTOMATIC))).count(), 10);
    assert!(world.case(&host).is_for(Offence::Backscatter));
    assert_eq!(world.case(&host).case.units().len(), 1, "and no unit of a trap");
}

#[test]
fn the_sentence_slides_with_the_last_of_it() {
    let (mut world, host) = (World::new(), server(ADDR));
    nobody(&mut world, &host, 5, None);
    world.wait(Secs::DAY.times(3));
    nobody(&mut world, &host, 1, None);
    world.wait(Secs(61));
    let until = world.case(&host).case.until();
    assert_eq!(until.since(world.now), Secs(7 * 86_400 - 61));
    world.wait(Secs(7 * 86_400));
    assert_eq!(world.count(|e| matches!(e.body, Body::CaseEnded(_))), 1);
}

#[test]
fn good_mail_is_no_shield_and_needs_none() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.ham(&host, 9);
    nobody(&mut world, &host, 5, None);
    assert!(world.case(&host).is_for(Offence::Backscatter));
    assert_eq!(world.ham(&host, 9), 9);
}

#[test]
fn spam_of_a_host_that_is_refused_its_bounces_is_judged_as_ever() {
    let (mut world, host) = (World::new(), server(ADDR));
    nobody(&mut world, &host, 5, None);
    assert_eq!(world.spam(&host, 99), 10);
    let offences: Vec<bool> =
        world.cases_of(&host).iter().map(|filed| filed.is_for(Offence::SpamVolume)).collect();
    assert_eq!(offences, [false, true]);
    // The longer case is for bounces; the other one still refuses everything.
    assert!(!world.send(&spam_to(&host, PEOPLE)));
    // And who is refused everything needs no case for bounces beside it.
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 10);
    nobody(&mut world, &host, 9, None);
    assert_eq!(world.cases_of(&host).len(), 1);
}

#[test]
fn an_operator_can_block_a_host_that_is_refused_its_bounces() {
    let (mut world, host) = (World::new(), server(ADDR));
    nobody(&mut world, &host, 5, None);
    let block = model::Order::Block(model::Key::Net(host.key()), model::BlockKind::Rbl, Secs::HOUR);
    assert_eq!(world.order(block).unwrap().len(), 1);
    assert!(!world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&host, PEOPLE) }));
}

#[test]
fn j5_a_welcome_to_a_trap_blocks_no_list_host_and_ten_refuse_its_bounces_only() {
    let traps = (1..=20).map(|n| (PersonHash(n), TrapKind::Pristine)).collect();
    let (mut world, host) = (World::under(Policy { traps, ..policy() }), server(ADDR));
    let welcome = |world: &mut World, to| world.show(&mail(&host, to), shaped(Shape::CONFIRMATION));
    assert!(welcome(&mut world, 1) && !world.is_blocked(&host), "S70");
    assert!((2..=9).all(|to| welcome(&mut world, to)) && world.cases.is_empty());
    assert!(welcome(&mut world, 10));
    assert!(world.case(&host).is_for(Offence::Backscatter));
    assert!(world.show(&mail(&host, PEOPLE), shaped(Shape::LIST)), "the list itself is welcome");
    assert!(!world.show(&Mail { sender: 0, ..mail(&host, PEOPLE) }, shaped(Shape::BOUNCE)));
}

#[test]
fn g_bounce_a_host_is_not_blocked_for_what_its_bounces_hold() {
    let (mut world, host) = (World::new(), server(ADDR));
    for judgement in [Judgement::Spam, Judgement::Virus] {
        let bounce = |_| shaped(Shape::BOUNCE | Shape::NULL_SENDER);
        assert_eq!(world.show_many(&host, 100, Some(judgement), bounce), 100);
    }
    assert!(world.cases.is_empty());
    // The same without the marks: ten spams are too many.
    assert_eq!(world.show_many(&host, 100, Some(Judgement::Spam), |_| shaped(Shape::default())), 10);
}

#[test]
fn g_bounce_a_bot_does_not_hide_behind_the_marks_of_a_bounce() {
    let (mut world, host) = (World::new(), crate::world::bot(ADDR));
    let bounce = |_| shaped(Shape::BOUNCE | Shape::NULL_SENDER | Shape::AUTOMATIC);
    assert_eq!(world.show_many(&host, 100, Some(Judgement::Spam), bounce), 1);
}
