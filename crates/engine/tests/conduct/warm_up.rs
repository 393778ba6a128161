//! ADV-18: who sends good mail for weeks to be trusted, and then bursts with spam.
//!
//! Here the whole of judgement meets, as in the program: what the engine decides becomes a
//! view, the view answers each recipient ([`answers::answer`]) and each end of a message
//! ([`answers::at_end`]), under the shipped rules.

use std::sync::Arc;

use answers::{EndRules, Ending, Finish, Session, Tell, answer, at_end};
use model::content::Spf;
use model::{Answered, Class, Content, DomainHash, Fact, Judgement, Key, Mode, Secs, Site, Verdict};
use projections::{Projector, View};

use crate::world::{Host, PEOPLE, World, ended, mail, nth_server, server, verdict};

const ADDR: &str = "192.0.2.25";
const SPAMS: u64 = 5000;
/// Recipients of spam: strangers to the sender.
const VICTIMS: u64 = 100_000;

/// A site with its view.
struct House {
    world: World,
    projector: Projector,
    applied: usize,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Taken,
    /// At its end, for what a filter says of it.
    RefusedAtEnd,
    /// At RCPT, by a case.
    Blocked,
}

/// What became of a burst.
#[derive(Debug)]
struct Burst {
    /// The class of the sender when it began.
    class: Option<Class>,
    taken: usize,
    /// The number of the first message that was refused at its end.
    refused_from: Option<usize>,
    /// The number of the first message that a case refused.
    blocked_from: Option<usize>,
}

impl House {
    fn new() -> House {
        let site = Site {
            portal: "https://mw.example.org".into(),
            contact: "postmaster@example.org".into(),
            may_refuse: true,
            ..Site::default()
        };
        let mut projector = Projector::new(Arc::new(site), Vec::new(), true, [1, 2]);
        projector.set_mode(Mode::Live);
        House { world: World::new(), projector, applied: 0 }
    }

    fn view(&mut self) -> View {
        for event in &self.world.events[self.applied..] {
            self.applied += 1;
            self.projector.apply(self.applied as u64, event);
        }
        self.projector.view()
    }

    /// One message through the milter; a second goes by.
    fn send(&mut self, host: &Host, to: u64, judged: Judgement) -> Fate {
        self.world.now = self.world.now.plus(Secs(1));
        let (now, view, tag) = (self.world.now, self.view(), self.world.tag());
        let session = Session { recipient: Some(b"user@example.org"), ..Session::new(host.0.addr, now) };
        let told = answer(&session, &view, now);
        let answered = told.answered();
        let sensor = model::Sensor::Milter;
        let letter = mail(host, to);
        self.world.frame(vec![self.world.observed_by(sensor, tag, letter.attempt(answered))]);
        if answered != Answered::Passed {
            assert!(matches!(told.tell, Tell::Refuse(_)));
            return Fate::Blocked;
        }
        let content = signed();
        let Fact::Verdict(said) = verdict(judged, None) else { unreachable!() };
        let finish = finish(&view, host, &content, &said, now);
        let seen = [ended(tag, content), Fact::Verdict(said)];
        let seen = seen.into_iter().map(|fact| self.world.observed_by(sensor, tag, fact));
        self.world.frame(seen.collect());
        self.world.frames.clear();
        if finish == Finish::Pass { Fate::Taken } else { Fate::RefusedAtEnd }
    }

    /// Good mail on so many days: `times` messages to each of `people`.
    fn warm_up(&mut self, host: &Host, days: u64, people: u64, times: u64) {
        for day in 1..=days {
            let before = self.world.now;
            // Who carries a fifth of a site's mail is taken for its relay (G-UPSTREAM), which
            // looks back a week.
            let others = if day + 7 > days { people * times * 5 } else { 0 };
            for n in 0..others {
                let other = nth_server(u32::try_from(n % 50).unwrap());
                self.send(&other, PEOPLE + n, Judgement::Ham);
            }
            for to in (0..times).flat_map(|_| 0..people) {
                assert_eq!(self.send(host, PEOPLE + to, Judgement::Ham), Fate::Taken);
            }
            self.world.now = before;
            self.world.wait(Secs::DAY);
        }
    }

    /// So many spams, each with `cover` good messages to people of the sender's own.
    fn burst(&mut self, host: &Host, people: u64, cover: u64) -> Burst {
        let known = self.view().cases.key(&Key::Net(host.key())).and_then(|known| known.standing);
        let fates: Vec<Fate> = (0..SPAMS)
            .map(|n| {
                for own in 0..cover {
                    self.send(host, PEOPLE + (n + own) % people, Judgement::Ham);
                }
                self.send(host, VICTIMS + n, Judgement::Spam)
            })
            .collect();
        let first = |fate| fates.iter().position(|one| *one == fate).map(|place| place + 1);
        Burst {
            class: known.map(|standing| standing.class),
            taken: fates.iter().filter(|fate| **fate == Fate::Taken).count(),
            refused_from: first(Fate::RefusedAtEnd),
            blocked_from: first(Fate::Blocked),
        }
    }
}

/// A well-run server's message: SPF permits it, and it is signed.
fn signed() -> Content {
    Content {
        spf: Spf::Pass,
        dkim: Some(DomainHash(7)),
        sender_domain: Some(DomainHash(7)),
        ..Content::default()
    }
}

fn finish(view: &View, host: &Host, content: &Content, said: &Verdict, now: model::Millis) -> Finish {
    let ending = Ending {
        addr: host.0.addr,
        trusted: false,
        content,
        verdict: Some(said),
        score: None,
        first_hit: false,
        burst: view.bursts(host.0.addr, now),
        sender_is_ours: false,
        desk: false,
        exempt: false,
        case: None,
        would: None,
        bounces: None,
    };
    at_end(&ending, &EndRules::default(), view).tell
}

/// Good mail of 60 days, then the spam.
fn after(people: u64, times: u64, cover: u64) -> Burst {
    let (mut house, host) = (House::new(), server(ADDR));
    house.warm_up(&host, 60, people, times);
    let burst = house.burst(&host, people, cover);
    println!("{people} people, {times} a day each, {cover} beside each spam: {burst:?}");
    burst
}

#[test]
fn adv_18_a_known_server_that_bursts_is_blocked_before_the_six_hundredth_spam() {
    // Few people, little mail; all that four people can credit; and one person's mailbox.
    for (people, times) in [(1, 1), (4, 1), (4, 5), (1, 50)] {
        let burst = after(people, times, 0);
        assert_eq!(burst.class, Some(Class::Known), "self-made mail makes nobody established");
        assert!(burst.blocked_from.is_some_and(|n| n < 600), "{burst:?}");
        assert!(burst.taken <= 12, "from the eleventh on a filter's word is enough: {burst:?}");
    }
}

#[test]
fn adv_18_good_mail_to_oneself_beside_the_spam_hides_nothing() {
    for (people, times, cover) in [(1, 1, 4), (4, 30, 0), (4, 5, 3)] {
        let burst = after(people, times, cover);
        assert_eq!(burst.class, Some(Class::Known));
        assert!(burst.blocked_from.is_some_and(|n| n < 600), "{burst:?}");
        // Twenty good messages a day count; the share of an hour falls behind them first.
        assert!(burst.taken <= 100, "{burst:?}");
    }
}

#[test]
fn adv_18_an_established_server_s_spam_is_refused_by_the_message_at_once_and_it_is_blocked_at_a_thousand() {
    for (people, times) in [(10, 1), (10, 5), (30, 4)] {
        let burst = after(people, times, 0);
        assert_eq!(burst.class, Some(Class::Established));
        assert!(burst.refused_from.is_some_and(|n| n <= 12), "{burst:?}");
        assert!(burst.blocked_from.is_some_and(|n| n <= 1001), "{burst:?}");
        assert!(burst.taken <= 12, "{burst:?}");
    }
}

#[test]
fn adv_18_a_good_day_before_the_burst_makes_the_block_no_later() {
    // Four thousand good messages in the hours before: of the day's mail most is good.
    let (mut house, host) = (House::new(), server(ADDR));
    house.warm_up(&host, 40, 30, 2);
    for n in 0..4000 {
        house.send(&host, PEOPLE + n % 200, Judgement::Ham);
    }
    house.world.wait(Secs::HOUR);
    let burst = house.burst(&host, 1, 0);
    assert_eq!(burst.class, Some(Class::Established));
    assert!(burst.blocked_from.is_some_and(|n| n <= 1001), "{burst:?}");
    let facts = &house.world.case(&host).case.opened.as_ref().unwrap().facts;
    assert!(facts.contains(&(model::finding::Measure::SpamShareHourPercent, 100)), "{facts:?}");
}

#[test]
fn adv_18_what_is_no_spam_goes_on_and_the_burst_is_over_an_hour_later() {
    let (mut house, host) = (House::new(), server(ADDR));
    house.warm_up(&host, 20, 10, 5);
    let fates: Vec<Fate> = (0..60).map(|n| house.send(&host, VICTIMS + n, Judgement::Spam)).collect();
    assert_eq!(fates.last(), Some(&Fate::RefusedAtEnd));
    assert_eq!(house.send(&host, PEOPLE, Judgement::Ham), Fate::Taken);
    let told = |house: &House| house.world.count(|e| matches!(e.body, model::Body::StandingChanged(_)));
    let before = told(&house);
    house.world.wait(Secs::HOUR.times(2));
    assert_eq!(house.send(&host, VICTIMS, Judgement::Spam), Fate::Taken, "one spam is none");
    assert_eq!(told(&house), before, "an end needs no event");
}
