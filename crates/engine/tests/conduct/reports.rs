//! OFF-4: what users say of mail that we delivered (S5, ADV-2, ADV-3).

use model::content::{Kept, Shape};
use model::{
    Content, DomainHash, Evidence, ExhibitId, Fact, Judgement, Millis, Name, Offence, Order, PersonHash,
    Reported, Secs, Sensor, Units, Verdict, Vote,
};

use crate::world::{Host, Mail, PEOPLE, QUEUES, World, end_of_message, mail, nth_server, server, shaped};

const ADDR: &str = "192.0.2.25";

/// A site whose people, 0 to 99, have had mailboxes for a month.
pub(crate) fn settled() -> World {
    let mut world = World::new();
    world.ham_to_all();
    world.wait(Secs::DAY.times(30));
    // For a day after such a leap of the clock standing waits.
    world.wait(Secs::DAY);
    world
}

impl World {
    /// Everybody gets a good message, by other hosts.
    fn ham_to_all(&mut self) {
        for who in 0..100 {
            self.deliver(&nth_server(900), who, None, Content::default());
        }
    }

    /// As much good mail as one day can credit: five messages to each of ten people.
    fn a_day_of_ham(&mut self, from: &Host) {
        for n in 0..50 {
            self.deliver(from, n % 10, Some(Judgement::Ham), Content::default());
        }
    }

    /// One message to a person, seen to its end; says its queue name.
    pub(crate) fn deliver(
        &mut self,
        from: &Host,
        who: u64,
        judged: Option<Judgement>,
        content: Content,
    ) -> u64 {
        let mail = Mail { judged, ..mail(from, PEOPLE + who) };
        assert!(self.show(&mail, content), "{} is blocked", from.key());
        self.last_tag() + QUEUES
    }

    /// The tag of the last message.
    fn last_tag(&mut self) -> u64 {
        self.tag() - 1
    }

    /// A person says something of a message.
    pub(crate) fn report(&mut self, who: u64, queue: u64, domain: u64, vote: Vote) {
        let (reporter, sender_domain) = (PersonHash(PEOPLE + who), Some(DomainHash(domain)));
        let fact =
            Fact::Reported(Reported { queue, reporter, sender_domain, vote, client: None, taken_at: None });
        self.frame(vec![self.observed_by(Sensor::Report, 0, fact)]);
    }

    /// A report that names client and time, too, as our own Received field does.
    fn report_in_full(&mut self, who: u64, queue: u64, client: &str, taken_at: Millis) {
        let fact = Fact::Reported(Reported {
            queue,
            reporter: PersonHash(PEOPLE + who),
            sender_domain: Some(DomainHash(1)),
            vote: Vote::Junk,
            client: Some(client.parse().unwrap()),
            taken_at: Some(taken_at),
        });
        self.frame(vec![self.observed_by(Sensor::Report, 0, fact)]);
    }

    /// People each get a message of a host and call it junk; says how many could.
    pub(crate) fn junk(&mut self, from: &Host, people: std::ops::Range<u64>, shape: Shape) -> u64 {
        let mut told = 0;
        for who in people {
            if self.is_blocked(from) {
                break;
            }
            let queue = self.deliver(from, who, None, shaped(shape));
            self.report(who, queue, 1, Vote::Junk);
            told += 1;
        }
        told
    }
}

fn evidence(world: &World) -> Vec<Evidence> {
    world.side_rows.iter().map(|row| minicbor::decode(&row.body).unwrap()).collect()
}

#[test]
fn three_people_who_report_a_stranger_block_it() {
    let (mut world, host) = (settled(), server(ADDR));
    assert_eq!(world.junk(&host, 0..9, Shape::default()), 3);
    assert!(world.case(&host).is_for(Offence::Reports));
    // Three units at the weight of one half, three times.
    assert_eq!(world.case(&host).units(), Units::from_quarters(18));
    assert_eq!(world.case(&host).lasts(), Secs::HOUR.times(2));
}

#[test]
fn two_are_enough_where_the_filter_had_doubts() {
    let judge = |world: &mut World, queue, judgement, score| {
        let verdict = Verdict { queue, judgement, score: Some(score), source: Name::new(b"rspamd") };
        world.frame(vec![world.observed_by(Sensor::Filter, 0, Fact::Verdict(verdict))]);
    };
    for (score, blocked) in [(449, false), (450, true)] {
        let (mut world, host) = (settled(), server(ADDR));
        let spam = world.deliver(&nth_server(7), 99, None, Content::default());
        judge(&mut world, Some(spam), Judgement::Spam, 600);
        for who in 0..2 {
            let queue = world.deliver(&host, who, None, Content::default());
            judge(&mut world, Some(queue), Judgement::Ham, score);
            world.report(who, queue, 1, Vote::Junk);
        }
        assert_eq!(world.is_blocked(&host), blocked, "{score}");
    }
}

#[test]
fn adv_2_a_report_of_a_message_that_we_did_not_take_counts_nothing() {
    let (mut world, host) = (settled(), server(ADDR));
    world.deliver(&host, 0, None, Content::default());
    for who in 0..50 {
        world.report(who, 123_456 + who, 1, Vote::Junk);
    }
    assert_eq!(world.engine.counters().unmatched_reports, 50);
    assert!(world.cases.is_empty());
    assert_eq!(world.alarms, [engine::Alarm::ClockAhead], "the thirty days of waiting");
    // Not one unit waits: the next three reports bring their own alone.
    world.junk(&host, 1..9, Shape::default());
    assert_eq!(world.case(&host).units(), Units::from_quarters(18));
}

#[test]
fn adv_3_one_person_with_a_thousand_reports_counts_once_a_day_and_sender_domain() {
    let (mut world, host) = (settled(), server(ADDR));
    for _ in 0..1000 {
        let queue = world.deliver(&host, 0, None, Content::default());
        world.report(0, queue, 1, Vote::Junk);
    }
    assert!(world.cases.is_empty());
    assert_eq!(world.engine.counters().ignored_reports, 999);
    world.junk(&host, 1..3, Shape::default());
    assert_eq!(world.case(&host).units(), Units::from_quarters(18), "the thousand are one of three");
}

#[test]
fn adv_3_fifty_fresh_mailboxes_weigh_a_tenth_each() {
    let mut world = World::new();
    let host = server(ADDR);
    world.wait(Secs::DAY);
    // Five times as many as of people who are known; each adds a quarter of a unit.
    assert_eq!(world.junk(&host, 0..50, Shape::default()), 15);
    assert_eq!(world.case(&host).units(), Units::from_quarters(15));
    // Against a host with good mail all fifty are not enough.
    let (mut world, good) = (World::new(), server(ADDR));
    world.befriend(&good, 8, 4);
    assert_eq!(world.junk(&good, 500..550, Shape::default()), 50);
    assert!(world.cases.is_empty());
}

#[test]
fn adv_3_an_established_server_needs_ten_times_as_many_and_two_percent() {
    let (mut world, host) = (settled(), server(ADDR));
    world.befriend(&host, 15, 8);
    assert_eq!(world.junk(&host, 0..60, Shape::default()), 30);
    // Of 350 good messages in seven days, two percent are seven reports.
    let (mut world, host) = (settled(), server(ADDR));
    for _ in 0..7 {
        world.a_day_of_ham(&host);
        world.wait(Secs::DAY);
    }
    assert_eq!(world.junk(&host, 0..20, Shape::default()), 9, "a known server: nine people");
    let (mut world, host) = (settled(), server(ADDR));
    for _ in 0..6 {
        world.a_day_of_ham(&host);
        world.now = world.now.plus(Secs::DAY);
    }
    assert_eq!(world.junk(&host, 0..20, Shape::default()), 6, "a host of six days: three, and two percent");
}

#[test]
fn mail_of_a_list_counts_half() {
    let (mut world, host) = (settled(), server(ADDR));
    assert_eq!(world.junk(&host, 0..20, Shape::BULK), 6);
    assert_eq!(world.case(&host).units(), Units::from_quarters(18));
}

#[test]
fn a_counter_vote_takes_a_report_back() {
    let (mut world, host) = (settled(), server(ADDR));
    let queue = world.deliver(&host, 0, None, Content::default());
    world.report(0, queue, 1, Vote::Junk);
    world.report(0, queue, 1, Vote::NotJunk);
    world.junk(&host, 1..3, Shape::default());
    assert!(world.cases.is_empty(), "two, and not three");
    world.report(3, queue, 1, Vote::NotJunk);
    assert_eq!(world.junk(&host, 4..20, Shape::default()), 3, "two who say no take two away");
}

#[test]
fn reports_of_mail_older_than_seven_days_are_ignored() {
    let (mut world, host) = (settled(), server(ADDR));
    let queues: Vec<u64> = (0..4).map(|who| world.deliver(&host, who, None, Content::default())).collect();
    world.wait(Secs::DAY.times(6));
    world.report(0, queues[0], 1, Vote::Junk);
    world.wait(Secs::DAY);
    (1..4).for_each(|who| world.report(who, queues[who as usize], 1, Vote::Junk));
    assert!(world.cases.is_empty());
    assert_eq!(world.engine.counters().unmatched_reports, 3);
}

#[test]
fn what_was_lifted_is_not_blocked_again_for_the_same_mail() {
    let (mut world, host) = (settled(), server(ADDR));
    let queues: Vec<u64> = (0..9).map(|who| world.deliver(&host, who, None, Content::default())).collect();
    (0..3).for_each(|who| world.report(who, queues[who as usize], 1, Vote::Junk));
    let case = world.newest(&host);
    world.now = world.now.plus(Secs(5));
    world.order(Order::LiftCase(case, true)).unwrap();
    (3..9).for_each(|who| world.report(who, queues[who as usize], 1, Vote::Junk));
    assert!(!world.is_blocked(&host), "the causes are older than the lift");
}

#[test]
fn who_was_wrong_weighs_less_and_who_was_right_weighs_more() {
    let units = |is_error: Option<bool>| {
        let (mut world, host) = (settled(), server(ADDR));
        world.junk(&host, 0..3, Shape::default());
        let case = world.newest(&host);
        match is_error {
            Some(is_error) => drop(world.order(Order::LiftCase(case, is_error)).unwrap()),
            None => world.wait(Secs::HOUR.times(3)),
        }
        world.wait(Secs::DAY);
        let people = world.junk(&nth_server(5), 0..3, Shape::default());
        let others = world.junk(&nth_server(5), 3..20, Shape::default());
        (people + others, world.case(&nth_server(5)).units())
    };
    assert_eq!(units(Some(false)), (3, Units::from_quarters(18)), "a favour says nothing of them");
    assert_eq!(units(None), (3, Units::from_quarters(21)), "two thirds each");
    // A third each: two more must agree, at one half.
    assert_eq!(units(Some(true)), (5, Units::from_quarters(3 * 3 + 2 * 6)));
}

#[test]
fn the_evidence_is_the_reported_mail_and_no_reporter() {
    let (mut world, host) = (settled(), server(ADDR));
    let exhibit = |who: u64| ExhibitId([who as u8; 16]);
    let kept = |who| Content { kept: Kept::Stored(exhibit(who)), ..Content::default() };
    let queues: Vec<u64> = (1..=3).map(|who| world.deliver(&host, who, None, kept(who))).collect();
    (0..3).for_each(|n| world.report(n + 1, queues[n as usize], 1, Vote::Junk));
    let shown: Vec<_> = evidence(&world).iter().map(|e| (e.client.clone(), e.exhibit)).collect();
    assert_eq!(shown.len(), 3);
    assert!((1..=3).all(|who| shown.contains(&(host.0.clone(), Some(exhibit(who))))));
}

#[test]
fn after_a_day_the_address_and_the_exhibit_are_still_there() {
    let (mut world, host) = (settled(), server(ADDR));
    let kept = Content { kept: Kept::Stored(ExhibitId([7; 16])), ..Content::default() };
    let queues: Vec<u64> = (0..3).map(|who| world.deliver(&host, who, None, kept.clone())).collect();
    world.wait(Secs::DAY.times(3));
    world.ham_to_all();
    (0..3).for_each(|who| world.report(who, queues[who as usize], 1, Vote::Junk));
    let shown = evidence(&world);
    assert_eq!(shown.len(), 3);
    assert!(shown.iter().all(|e| e.client.addr == host.0.addr && e.exhibit == Some(ExhibitId([7; 16]))));
}

#[test]
fn a_mailbox_provider_is_never_blocked_however_many_report_it() {
    let (mut world, google) =
        (settled(), server(ADDR).rdns(model::Rdns::Confirmed(Name::new(b"mail-yb1-f171.google.com"))));
    let queues: Vec<u64> = (0..60).map(|who| world.deliver(&google, who, None, Content::default())).collect();
    // Two days later, when the sessions are forgotten, it is still known for what it is.
    world.wait(Secs::DAY.times(2));
    world.ham_to_all();
    (0..60).for_each(|who| world.report(who, queues[who as usize], 1, Vote::Junk));
    assert!(world.cases.is_empty());
}

#[test]
fn a_message_reported_by_somebody_who_did_not_get_it_weighs_half() {
    let (mut world, host) = (settled(), server(ADDR));
    for who in 0..6 {
        let queue = world.deliver(&host, who, None, Content::default());
        assert!(world.cases.is_empty());
        world.report(who + 50, queue, 1, Vote::Junk);
    }
    assert_eq!(world.case(&host).units(), Units::from_quarters(18));
}

#[test]
fn what_the_log_alone_saw_can_be_reported_too() {
    let (mut world, host) = (settled(), server(ADDR));
    for who in 0..3 {
        let attempt = mail(&host, PEOPLE + who).attempt(model::Answered::Passed);
        world.frame(vec![world.observed_by(Sensor::MailLog, who + 1, attempt)]);
        world.frame(vec![world.observed_by(Sensor::MailLog, who + 1, end_of_message(700 + who))]);
        world.report(who, 700 + who, 1, Vote::Junk);
    }
    assert!(world.case(&host).is_for(Offence::Reports));
}

#[test]
fn reports_are_remembered_across_a_restart() {
    let (mut world, host) = (settled(), server(ADDR));
    let queue = world.deliver(&host, 2, None, Content::default());
    world.junk(&host, 0..2, Shape::default());
    let (engine, dropped) = engine::Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap();
    assert!(!dropped);
    world.engine = engine;
    world.report(0, queue, 1, Vote::Junk);
    assert!(world.cases.is_empty(), "who has said so today has said so");
    world.report(2, queue, 1, Vote::Junk);
    assert!(world.is_blocked(&host));
}

#[test]
fn a_guessed_queue_id_is_no_match_without_client_and_time() {
    let (mut world, host) = (settled(), server(ADDR));
    let of = |world: &World| world.engine.counters().unmatched_reports;
    let queue = world.deliver(&host, 1, None, Content::default());
    let (then, before) = (world.now, of(&world));
    world.report_in_full(1, queue, "203.0.113.9", then);
    world.report_in_full(1, queue, ADDR, then.minus(Secs(2 * 3600)));
    assert_eq!(of(&world), before + 2);
    world.report_in_full(1, queue, ADDR, then);
    assert_eq!(of(&world), before + 2);
}
