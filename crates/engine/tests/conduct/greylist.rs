//! Greylisting and OFF-3, as those who answer and the engine do it together.
//!
//! The border here does what `edge` does: it keeps tickets, and knows from events which
//! pools pass.

use std::collections::BTreeMap;

use crate::world::*;
use detectors::Traits;
use detectors::greylist::{asks, pool};
use detectors::score::{Lessons, connection};
use engine::Engine;
use model::greylist::{Asks, Greylist, Waited, Waiting};
use model::policy::{RuleMode, TrapKind};
use model::{
    Answered, Body, Fact, Key, Millis, Mode, Name, Offence, PersonHash, Policy, Rdns, Rejected, Rejection,
    Secs, Sensor,
};

const TRAP: u64 = 66;

/// A site that asks strangers to come back.
struct Border {
    world: World,
    waiting: Waiting,
    deferred: usize,
}

fn border(asks: Asks) -> Border {
    let policy = Policy {
        greylist: Some(Greylist::shipped(asks)),
        traps: vec![(PersonHash(TRAP), TrapKind::Pristine)],
        ..policy()
    };
    Border { world: World::under(policy), waiting: Waiting::default(), deferred: 0 }
}

/// An end user's computer: suspicious by its name and its greeting.
fn suspect(addr: &str) -> Host {
    bot(addr).helo("desktop")
}

impl Border {
    fn passes(&self, pool: &Key) -> bool {
        let until = self.passes_told().get(pool).copied();
        until.is_some_and(|until| until > self.world.now)
    }

    /// Until when which pools pass, by all events so far.
    fn passes_told(&self) -> BTreeMap<Key, Millis> {
        let told = self.world.events.iter().filter_map(|event| match event.body {
            Body::GreylistPassed(until) => Some((event.key.clone()?, until)),
            _ => None,
        });
        told.collect()
    }

    /// One attempt; says what it was answered.
    fn send(&mut self, mail: &Mail<'_>) -> Answered {
        let client = &mail.from.0;
        let policy = self.world.engine.policy();
        let rule = policy.greylist.clone().unwrap();
        let traits = Traits::of(client, false, policy);
        let quarters = connection(&traits, &Lessons::default(), false).quarters();
        let pool = pool(client, &traits);
        let mut answered = self.world.answer(mail);
        let mut ticket = None;
        if answered == Answered::Passed && asks(&rule, quarters) && !self.passes(&pool) {
            let whole = matches!(pool, Key::Domain(_));
            let pool = pool.to_string().bytes().fold(7, |sum: u64, b| sum * 31 % 1_000_003 + u64::from(b));
            let this = if whole { pool } else { pool * 1_000_003 + mail.sender * 1009 + mail.to };
            ticket = Some(this);
            if self.waiting.meet(this, self.world.now, &rule) != Waited::Enough {
                answered = Answered::Deferred;
                self.deferred += 1;
            }
        }
        let Fact::Attempt(attempt) = mail.attempt(answered) else { panic!("no attempt") };
        let tag = self.world.tag();
        let seen = self.world.observed(tag, Fact::Attempt(model::Attempt { ticket, ..attempt }));
        self.world.frame(vec![seen]);
        answered
    }

    /// The mail server itself refuses a recipient.
    fn rejected(&mut self, from: &Host, to: u64, why: Rejection, null_sender: bool) {
        let fact = Fact::Rejected(Rejected {
            client: from.0.clone(),
            sender: (!null_sender).then_some(PersonHash(5)),
            recipient: Some(PersonHash(to)),
            domain: None,
            why,
        });
        let tag = self.world.tag();
        let seen = self.world.observed_by(Sensor::Milter, tag, fact);
        self.world.frame(vec![seen]);
    }

    fn greytrapped(&self, host: &Host) -> bool {
        let case = self.world.against(host.key(), Mode::Live);
        case.is_some_and(|case| self.world.cases[&case].is_for(Offence::Greytrap))
    }

    /// A stranger that came back and passes.
    fn make_white(&mut self, host: &Host) {
        assert_eq!(self.send(&mail(host, 1000)), Answered::Deferred);
        self.world.wait(Secs(300));
        assert_eq!(self.send(&mail(host, 1000)), Answered::Passed);
    }
}

fn farm(n: u32) -> Host {
    let name = format!("mail{n}.outbound.example.com");
    let addr = std::net::Ipv4Addr::from_bits(0x0b00_0000 + n * 4096).to_string();
    server(&addr).rdns(Rdns::Confirmed(Name::new(name.as_bytes()))).helo(&name)
}

#[test]
fn m12_a_farm_of_forty_addresses_is_deferred_exactly_once() {
    let mut border = border(Asks::Everybody);
    // The message comes back from another address each time, then come other messages.
    for n in 0..40 {
        border.send(&mail(&farm(n), if n < 2 { 1000 } else { 1000 + u64::from(n) }));
        border.world.wait(Secs(26 * 60));
    }
    assert_eq!(border.deferred, 1);
    let told = border.passes_told();
    assert_eq!(told.keys().map(Key::to_string).collect::<Vec<_>>(), ["example.com"]);
    let once = border.world.count(|event| matches!(event.body, Body::GreylistPassed(_)));
    assert_eq!(once, 1);
}

#[test]
fn m12_bots_that_never_come_back_are_all_deferred_and_leave_nothing_in_the_ledger() {
    for asks in [Asks::Suspicious, Asks::Everybody] {
        let mut border = border(asks);
        for n in 0..500 {
            let host = nth_bot(n * 256).helo("desktop");
            assert_eq!(border.send(&Mail { sender: 9, ..mail(&host, 1000) }), Answered::Deferred);
            border.world.wait(Secs(30));
        }
        assert_eq!((border.deferred, border.world.events.len()), (500, 0));
        assert_eq!((border.world.engine.keys(), border.world.engine.sessions()), (0, 0), "no memory of bots");
    }
}

#[test]
fn one_bot_that_writes_to_many_never_passes_by_time_alone() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    for n in 0..100 {
        assert_eq!(border.send(&mail(&host, 1000 + n)), Answered::Deferred);
        border.world.wait(Secs(60));
    }
}

#[test]
fn the_first_retry_after_five_minutes_is_taken_and_its_network_passes() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    assert_eq!(border.send(&mail(&host, 1000)), Answered::Deferred);
    border.world.wait(Secs(299));
    assert_eq!(border.send(&mail(&host, 1000)), Answered::Deferred);
    border.world.wait(Secs(1));
    assert_eq!(border.send(&mail(&host, 1000)), Answered::Passed);
    assert_eq!(border.send(&mail(&suspect("192.0.2.99"), 2000)), Answered::Passed);
    assert_eq!(border.send(&mail(&suspect("198.51.100.1"), 2000)), Answered::Deferred);
    assert_eq!(border.world.engine.passes(), 1);
}

#[test]
fn who_looks_well_run_is_asked_only_where_everybody_is() {
    let host = server("192.0.2.25");
    assert_eq!(border(Asks::Suspicious).send(&mail(&host, 1000)), Answered::Passed);
    assert_eq!(border(Asks::Everybody).send(&mail(&host, 1000)), Answered::Deferred);
}

#[test]
fn a_pass_lasts_thirty_six_days_after_the_last_use() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    border.make_white(&host);
    for days in [1, 30, 35, 36] {
        border.world.wait(Secs(days * 86_400 - 1));
        assert_eq!(border.send(&mail(&host, 2000 + days)), Answered::Passed, "{days}");
    }
    let told = border.world.count(|event| matches!(event.body, Body::GreylistPassed(_)));
    assert_eq!(told, 4, "not for each use");
    border.world.wait(Secs(43 * 86_400));
    assert_eq!(border.send(&mail(&host, 3000)), Answered::Deferred);
}

#[test]
fn a_restart_keeps_those_who_wait_and_those_who_pass() {
    let mut border = border(Asks::Suspicious);
    let (white, grey) = (suspect("192.0.2.25"), suspect("198.51.100.7"));
    border.make_white(&white);
    assert_eq!(border.send(&mail(&grey, 1000)), Answered::Deferred);
    let (again, dropped) = Engine::from_checkpoint(&border.world.engine.to_checkpoint()).unwrap();
    assert!(!dropped);
    assert_eq!(again.to_checkpoint(), border.world.engine.to_checkpoint());
    border.world.engine = again;
    // Those who answer begin with what the engine kept.
    border.waiting = Waiting::default();
    for (ticket, since) in border.world.engine.waiting() {
        border.waiting.enter(ticket, since);
    }
    border.world.wait(Secs(300));
    assert_eq!(border.send(&mail(&grey, 1000)), Answered::Passed);
    assert_eq!(border.world.engine.passes(), 2);
}

#[test]
fn a_border_that_forgot_who_waits_defers_once_more_at_most() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    assert_eq!(border.send(&mail(&host, 1000)), Answered::Deferred);
    border.waiting = Waiting::default();
    border.world.wait(Secs(600));
    assert_eq!(border.send(&mail(&host, 1000)), Answered::Deferred);
    assert_eq!(border.send(&mail(&host, 1000)), Answered::Passed, "the engine knew");
}

#[test]
fn new_passes_are_bounded_in_each_hour() {
    let mut border = border(Asks::Suspicious);
    let rule = Greylist::shipped(Asks::Suspicious);
    let attempt = |n: u32, world: &mut World| {
        let host = nth_bot(n * 256).helo("desktop");
        let Fact::Attempt(attempt) = mail(&host, 1000).attempt(Answered::Deferred) else { panic!() };
        let tag = world.tag();
        world.observed(tag, Fact::Attempt(model::Attempt { ticket: Some(u64::from(n)), ..attempt }))
    };
    let all = |world: &mut World| (0..12_000).map(|n| attempt(n, world)).collect::<Vec<_>>();
    let first = all(&mut border.world);
    border.world.frame(first);
    border.world.wait(rule.pass);
    let second = all(&mut border.world);
    border.world.frame(second);
    assert_eq!(border.world.events.len(), 10_000);
}

#[test]
fn off_3_a_grey_host_that_names_a_trap_is_deferred_for_a_day() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    assert_eq!(border.send(&mail(&host, TRAP)), Answered::Deferred);
    assert!(border.greytrapped(&host));
    let case = border.world.case(&host);
    assert_eq!((case.lasts(), case.units().quarters()), (Secs::DAY, 4));
    // Retries of other mail wait, and do not lengthen it.
    border.world.wait(Secs(23 * 3600));
    assert!(matches!(border.send(&mail(&host, 1000)), Answered::Blocked(_)));
    border.world.wait(Secs(3600));
    assert!(!border.greytrapped(&host), "t + 24 h without a hit: gone");
}

#[test]
fn off_3_a_hit_after_twenty_three_hours_slides_the_end_to_forty_seven() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    border.send(&mail(&host, TRAP));
    border.world.wait(Secs(23 * 3600));
    assert!(matches!(border.send(&mail(&host, TRAP)), Answered::Blocked(_)));
    border.world.wait(Secs(24 * 3600 - 1));
    assert!(border.greytrapped(&host));
    border.world.wait(Secs(1));
    assert!(!border.greytrapped(&host));
    assert_eq!(border.world.cases_of(&host).len(), 1, "one case");
}

#[test]
fn off_3_a_white_host_that_hits_a_trap_is_off_2_s() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    border.make_white(&host);
    assert_eq!(border.send(&mail(&host, TRAP)), Answered::Passed);
    assert!(!border.greytrapped(&host));
    assert!(border.world.case(&host).is_for(Offence::Trap), "no FCrDNS and a bad HELO");
    border.rejected(&host, 2001, Rejection::Relaying, false);
    assert_eq!(border.world.cases_of(&host).len(), 1);
}

#[test]
fn off_3_one_relay_probe_or_two_different_wrong_recipients_are_hits() {
    let mut border = border(Asks::Suspicious);
    let (relay, typo, guesser) = (suspect("192.0.2.1"), suspect("192.0.2.2"), suspect("192.0.2.3"));
    border.rejected(&relay, 2000, Rejection::Relaying, false);
    assert!(border.greytrapped(&relay));
    border.rejected(&typo, 2000, Rejection::UnknownUser, false);
    border.rejected(&typo, 2000, Rejection::UnknownUser, false);
    border.rejected(&typo, 2001, Rejection::Other, false);
    assert!(!border.greytrapped(&typo));
    border.rejected(&guesser, 2000, Rejection::UnknownUser, false);
    border.rejected(&guesser, 2001, Rejection::UnknownUser, false);
    assert!(border.greytrapped(&guesser));
}

#[test]
fn off_3_spares_bounces_good_mail_well_run_hosts_and_relays() {
    let mut border = border(Asks::Suspicious);
    let (bounces, good) = (suspect("192.0.2.1"), suspect("192.0.2.2"));
    (2000..2010).for_each(|to| border.rejected(&bounces, to, Rejection::Relaying, true));
    border.world.ham(&good, 1);
    border.rejected(&good, 2000, Rejection::Relaying, false);
    border.rejected(&server("198.51.100.7"), 2000, Rejection::Relaying, false);
    assert!(border.world.cases.is_empty());
}

#[test]
fn off_3_runs_only_where_greylisting_is_on_and_its_mode_says_so() {
    let host = suspect("192.0.2.25");
    let hit = |policy: Policy| {
        let mut border = Border { world: World::under(policy), waiting: Waiting::default(), deferred: 0 };
        border.rejected(&host, 2000, Rejection::Relaying, false);
        let first = border.world.cases.values().next();
        first.map(|filed| filed.case.mode)
    };
    let on = Policy { greylist: Some(Greylist::shipped(Asks::Suspicious)), ..policy() };
    assert_eq!(hit(policy()), None);
    assert_eq!(hit(on.clone()), Some(Mode::Live));
    let modes = |mode| Policy { modes: vec![(Offence::Greytrap, mode)], ..on.clone() };
    assert_eq!(hit(modes(RuleMode::Shadow)), Some(Mode::Shadow));
    assert_eq!(hit(modes(RuleMode::Off)), None);
    assert_eq!(hit(Policy { learn_first: true, ..on.clone() }), Some(Mode::Shadow));
    assert_eq!(hit(Policy { relays: vec!["192.0.2.0/24".parse().unwrap()], ..on.clone() }), None);
}

#[test]
fn off_3_does_not_shield_from_a_block() {
    let mut border = border(Asks::Suspicious);
    let host = suspect("192.0.2.25");
    border.send(&mail(&host, TRAP));
    assert!(border.greytrapped(&host));
    // Postmaster is open to it; its spam there is judged.
    border.world.send(&to_postmaster(&host));
    let cases: Vec<bool> =
        border.world.cases_of(&host).iter().map(|case| case.is_for(Offence::SpamVolume)).collect();
    assert_eq!(cases, [false, true]);
}

/// The networks of which it is said that they come with a new /64 each time.
fn rotating(world: &World) -> Vec<String> {
    let told = world.events.iter().filter_map(|event| match &event.body {
        Body::Learnt(model::Lesson { of: model::Subject::Rotating(network), .. }) => {
            Some(network.to_string())
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn adv_12_thirty_one_new_slash_64_of_a_slash_48_within_an_hour_wait_for_a_day() {
    let mut border = border(Asks::Suspicious);
    let host = |n: u64| server(&format!("2001:db8:7:{n:x}::25"));
    for n in 0..30 {
        border.world.send(&mail(&host(n), PEOPLE));
        border.world.send(&mail(&host(n), PEOPLE + 1));
    }
    assert!(rotating(&border.world).is_empty());
    border.world.engine = Engine::from_checkpoint(&border.world.engine.to_checkpoint()).unwrap().0;
    border.world.send(&mail(&host(30), PEOPLE));
    assert_eq!(rotating(&border.world), ["2001:db8:7::/48"]);
    for n in 0..60 {
        let name = Rdns::Confirmed(Name::new(format!("mail-w{n}.google.com").as_bytes()));
        border.world.send(&mail(&server(&format!("2a00:1450:4864:{n:x}::25")).rdns(name), PEOPLE));
    }
    assert_eq!(rotating(&border.world).len(), 1, "shared senders do not count");
    let mut off = World::new();
    (0..60).for_each(|n| _ = off.send(&mail(&host(n), PEOPLE)));
    assert!(rotating(&off).is_empty(), "without greylisting nobody waits");
}

#[test]
fn adv_21_a_farm_of_fifty_addresses_waits_once_as_its_domain_and_no_address_becomes_a_key() {
    let mut border = border(Asks::Everybody);
    for n in 0..50 {
        let name = format!("o{n}.outbound-mail.sendgrid.net");
        let addr = std::net::Ipv4Addr::from_bits(0xa759_0001 + n * 256).to_string();
        let host = server(&addr).rdns(Rdns::Confirmed(Name::new(name.as_bytes()))).helo(&name);
        // The spammer hides behind the farm: a trap here, spam there.
        border.send(&mail(&host, if n % 5 == 0 { TRAP } else { 1000 + u64::from(n) }));
        border.world.wait(Secs(26 * 60));
        border.world.spam(&host, 3);
    }
    assert_eq!(border.deferred, 1);
    assert_eq!(border.passes_told().keys().map(Key::to_string).collect::<Vec<_>>(), ["sendgrid.net"]);
    assert!(border.world.cases.is_empty());
}
