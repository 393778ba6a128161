//! OFF-5: who tries recipients until one exists is dropped at the border, or refused where it
//! might be somebody's mail server.

use engine::Alarm;
use model::damage::DictionaryRule;
use model::observation::Rejection;
use model::policy::RuleMode;
use model::{
    BlockKind, Class, DomainHash, Fact, Judgement, Mode, Offence, PersonHash, Policy, Rejected, Secs, Sensor,
};

use crate::world::{Filed, Host, PEOPLE, World, bot, nth_bot, nth_server, policy, server};

const ADDR: &str = "192.0.2.25";
const HOME: u64 = 1;

/// A recipient that does not exist; numbers are spread as a keyed hash would.
fn nobody(n: u64) -> PersonHash {
    PersonHash(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13)
}

fn refused(host: &Host, who: u64, domain: u64, why: Rejection) -> Fact {
    Fact::Rejected(Rejected {
        client: host.0.clone(),
        sender: Some(PersonHash(7)),
        recipient: Some(nobody(who)),
        domain: Some(DomainHash(domain)),
        why,
    })
}

/// A server tries these recipients, one in a frame, until it is blocked; says how many.
fn tries(world: &mut World, host: &Host, who: std::ops::Range<u64>) -> u64 {
    let mut tried = 0;
    for n in who {
        if world.is_blocked(host) {
            break;
        }
        let tag = world.tag();
        let fact = refused(host, n, HOME, Rejection::UnknownUser);
        world.frame(vec![world.observed_by(Sensor::Milter, tag, fact)]);
        tried += 1;
    }
    tried
}

fn kind(filed: &Filed) -> BlockKind {
    filed.case.opened.as_ref().unwrap().kind
}

fn class(filed: &Filed) -> Class {
    filed.case.opened.as_ref().unwrap().class
}

#[test]
fn off_5_s20_twenty_unknown_recipients_make_a_null_route_of_a_day() {
    let (mut world, host) = (World::new(), server(ADDR));
    assert_eq!(tries(&mut world, &host, 0..99), 20);
    let case = world.case(&host);
    assert!(case.is_for(Offence::Dictionary));
    assert_eq!((kind(case), case.lasts()), (BlockKind::NullRoute, Secs::DAY));
    assert_eq!(case.units(), model::Units::whole(20));
    assert_eq!(world.side_rows.len(), 5, "connections are its evidence");
}

#[test]
fn d_3_example_5_nine_hundred_unknown_recipients_cost_three_days_and_eighteen_hours() {
    // A site that waits for so many; of them the filter takes a few for repeats.
    let dictionary = DictionaryRule { unknown_minutes: 900, unknown_day: 900, ..DictionaryRule::default() };
    let (mut world, host) = (World::under(Policy { dictionary, ..policy() }), server(ADDR));
    let tried = tries(&mut world, &host, 0..990);
    let case = world.case(&host);
    assert_eq!((kind(case), case.units()), (BlockKind::NullRoute, model::Units::whole(900)));
    assert_eq!(case.lasts().to_string(), "3 d 18 h");
    assert!((900..940).contains(&tried), "{tried}");
}

#[test]
fn off_5_an_unknown_server_with_mail_is_refused_first_and_dropped_at_the_second_offence() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.ham(&host, 2);
    tries(&mut world, &host, 0..99);
    assert_eq!(kind(world.case(&host)), BlockKind::Rbl);
    assert_eq!(world.case(&host).lasts(), Secs::HOUR.times(2));
    // What comes while it is refused, and was tried before, is no second offence.
    for n in 0..20 {
        let tag = world.tag();
        world.frame(vec![world.observed_by(
            Sensor::MailLog,
            tag,
            refused(&host, n, HOME, Rejection::UnknownUser),
        )]);
    }
    assert_eq!(world.cases_of(&host).len(), 1);
    world.wait(Secs::DAY.times(2));
    assert_eq!(tries(&mut world, &host, 100..199), 20);
    let second = world.cases_of(&host)[1];
    assert_eq!((kind(second), second.lasts()), (BlockKind::NullRoute, Secs::DAY.times(2)));
}

#[test]
fn off_5_a_week_later_it_is_the_first_offence_again() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.ham(&host, 2);
    tries(&mut world, &host, 0..99);
    world.wait(Secs::DAY.times(8));
    tries(&mut world, &host, 100..199);
    assert!(world.cases_of(&host).into_iter().all(|case| kind(case) == BlockKind::Rbl));
}

#[test]
fn off_5_who_has_no_reverse_dns_is_not_spared_for_a_message() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.ham(&host, 2);
    assert_eq!(tries(&mut world, &host, 0..99), 10);
    assert_eq!(kind(world.case(&host)), BlockKind::NullRoute);
}

#[test]
fn off_5_a_known_sender_is_refused_and_the_operator_hears_of_it() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 8, 4);
    assert_eq!(tries(&mut world, &host, 0..99), 60);
    let case = world.case(&host);
    assert_eq!((kind(case), class(case)), (BlockKind::Rbl, Class::Known));
    assert!(world.alarms.contains(&Alarm::KnownGuesses));
    // However often.
    world.wait(Secs::HOUR.times(12));
    tries(&mut world, &host, 100..199);
    assert!(world.cases_of(&host).into_iter().all(|case| kind(case) == BlockKind::Rbl));
}

#[test]
fn off_5_forwarders_shared_senders_and_protected_hosts_are_never_blocked_for_it() {
    let prefix = || vec!["192.0.2.0/24".parse().unwrap()];
    for policy in [Policy { relays: prefix(), ..policy() }, Policy { protected: prefix(), ..policy() }] {
        let mut world = World::under(policy);
        assert_eq!(tries(&mut world, &bot(ADDR), 0..300), 300);
    }
    let gmail = server(ADDR).rdns(model::Rdns::Confirmed(model::Name::new(b"mail-ed1-f41.google.com")));
    assert_eq!(tries(&mut World::new(), &gmail, 0..300), 300);
}

#[test]
fn off_5_unknown_recipients_of_a_catch_all_domain_count_nothing() {
    let dictionary = DictionaryRule { catch_all: vec![DomainHash(HOME)], ..DictionaryRule::default() };
    let mut world = World::under(Policy { dictionary, ..policy() });
    assert_eq!(tries(&mut world, &bot(ADDR), 0..300), 300);
}

#[test]
fn off_5_a_full_mailbox_is_no_unknown_recipient() {
    let (mut world, host) = (World::new(), bot(ADDR));
    for n in 0..300 {
        let why = if n % 2 == 0 { Rejection::Other } else { Rejection::Relaying };
        world.frame(vec![world.observed_by(Sensor::Milter, n, refused(&host, n, HOME, why))]);
    }
    assert!(world.cases.is_empty());
}

#[test]
fn off_5_in_shadow_it_records_and_drops_nothing() {
    let modes = vec![(Offence::Dictionary, RuleMode::Shadow)];
    let (mut world, host) = (World::under(Policy { modes, ..policy() }), server(ADDR));
    tries(&mut world, &host, 0..60);
    assert!(world.against(host.key(), Mode::Shadow).is_some() && !world.is_blocked(&host));
}

#[test]
fn a_null_route_comes_although_mail_is_refused_already() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    for n in 0..40 {
        let tag = world.tag();
        let fact = refused(&host, n, HOME, Rejection::UnknownUser);
        world.frame(vec![world.observed_by(Sensor::MailLog, tag, fact)]);
    }
    let kinds: Vec<BlockKind> = world.cases_of(&host).into_iter().map(kind).collect();
    assert_eq!(kinds, [BlockKind::Rbl, BlockKind::NullRoute]);
}

/// `n` servers try `each` recipients of one domain in turn.
fn together(world: &mut World, hosts: &[Host], each: u64) {
    for round in 0..each {
        for (n, host) in (0..).zip(hosts) {
            let tag = world.tag();
            let who = round * 1000 + n;
            let fact = refused(host, who, HOME, Rejection::UnknownUser);
            world.frame(vec![world.observed_by(Sensor::Milter, tag, fact)]);
        }
        world.now = world.now.plus(Secs(20));
    }
}

#[test]
fn off_5_many_servers_that_try_few_each_are_dropped_together() {
    let mut world = World::new();
    let hosts: Vec<Host> = (0..30).map(nth_bot).collect();
    together(&mut world, &hosts, 8);
    let routed = hosts.iter().filter(|host| world.is_blocked(host)).count();
    assert_eq!(routed, 30);
    let kinds = world.cases.values().map(kind);
    // G-CAP: twenty null routes a minute; the rest is refused.
    assert_eq!(kinds.filter(|kind| *kind == BlockKind::NullRoute).count(), 20);
    assert!(world.alarms.contains(&Alarm::ManyNullRoutes));
}

#[test]
fn off_5_who_has_good_mail_or_real_recipients_is_not_one_of_the_many() {
    let mut world = World::new();
    let friend = nth_server(500);
    world.ham(&friend, 1);
    let stranger = nth_server(501);
    let hosts: Vec<Host> = (0..30).map(nth_bot).chain([friend.clone(), stranger.clone()]).collect();
    for to in 0..3 {
        let tag = world.tag();
        world.frame(vec![world.observed_by(
            Sensor::Milter,
            tag,
            refused(&stranger, 90_000 + to, HOME, Rejection::UnknownUser),
        )]);
        world.send(&crate::world::Mail {
            judged: Some(Judgement::Ham),
            ..crate::world::mail(&stranger, PEOPLE + to)
        });
    }
    together(&mut world, &hosts, 8);
    assert!(!world.is_blocked(&friend));
    assert!(!world.is_blocked(&stranger));
}
