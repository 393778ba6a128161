//! One session seen by several sensors is one session; each fact counts once.

use model::{Answered, Fact, Input, Judgement, Policy, Secs, Sensor, Units};

use crate::world::{Host, Mail, PEOPLE, World, bot, end_of_message, mail, policy, server, verdict};

const ADDR: &str = "192.0.2.25";

/// The facts of one message, as one sensor reports them under its own tag.
fn report(world: &World, sensor: Sensor, tag: u64, host: &Host, to: u64, queue: u64) -> [Input; 2] {
    let attempt = mail(host, PEOPLE + to).attempt(Answered::Passed);
    [world.observed_by(sensor, tag, attempt), world.observed_by(sensor, tag, end_of_message(queue))]
}

fn judge(world: &mut World, tag: u64, queue: Option<u64>) {
    world.frame(vec![world.observed_by(Sensor::Filter, tag, verdict(Judgement::Spam, queue))]);
}

#[test]
fn thirty_spams_seen_by_two_sensors_are_thirty_units() {
    let mut at_thirty = policy();
    (at_thirty.volume.units_hour, at_thirty.volume.units_day) = (30, 30);
    // Joined by the instance, and by the queue id under two tags; judged by both sensors.
    for milter_tags in [0, 5000] {
        let (mut world, host) = (World::under(at_thirty.clone()), server(ADDR));
        for n in 1..=30 {
            let tags = [(Sensor::Policy, n), (Sensor::Milter, n + milter_tags)];
            for (sensor, tag) in tags {
                let inputs = report(&world, sensor, tag, &host, n, 900 + n);
                world.frame(inputs.to_vec());
            }
            assert!(world.cases.is_empty(), "{n} spams are {n} units");
            judge(&mut world, 0, Some(900 + n));
            tags.into_iter().for_each(|(_, tag)| judge(&mut world, tag, None));
        }
        assert_eq!(world.case(&host).units(), Units::whole(30));
    }
}

#[test]
fn of_two_sensors_the_one_that_saw_more_recipients_counts() {
    for order in [[1, 2], [2, 1]] {
        let (mut world, host) = (World::new(), bot(ADDR));
        for tag in order {
            // The sensor with tag 2 saw two recipients more.
            for to in 0..tag * 2 - 1 {
                let attempt = mail(&host, PEOPLE + to).attempt(Answered::Passed);
                world.frame(vec![world.observed(tag, attempt)]);
            }
            world.frame(vec![world.observed(tag, end_of_message(900))]);
        }
        judge(&mut world, 0, Some(900));
        assert_eq!(world.case(&host).units(), Units::whole(3));
    }
}

#[test]
fn only_the_sensor_that_answers_knows_what_a_shadow_case_would_have_refused() {
    for tags in [[1, 2], [2, 1]] {
        let (mut world, host) = (World::under(Policy { learn_first: true, ..policy() }), bot(ADDR));
        world.spam(&host, 1);
        let would = Answered::WouldBlock(world.newest(&host));
        for (tag, answered) in tags.into_iter().zip([would, Answered::Passed]) {
            world.frame(vec![world.observed(tag, mail(&host, PEOPLE).attempt(answered))]);
        }
        let ends = [1, 2].map(|tag| world.observed(tag, end_of_message(900)));
        world.frame(ends.to_vec());
        judge(&mut world, 0, Some(900));
        world.wait(Secs(61));
        assert_eq!(world.case(&host).case.units(), [(model::Offence::SpamVolume, Units::whole(1))]);
    }
}

#[test]
fn a_verdict_under_either_name_of_a_message_counts_once() {
    // The verdict names the second sensor's tag, before or after the two are known to be one.
    for early in [true, false] {
        let (mut world, host) = (World::new(), bot(ADDR));
        let attempts = [1, 2].map(|tag| world.observed(tag, mail(&host, PEOPLE).attempt(Answered::Passed)));
        world.frame(attempts.to_vec());
        let judge_second = |world: &mut World| judge(world, 2, None);
        if early {
            judge_second(&mut world);
        }
        let ends = [1, 2].map(|tag| world.observed(tag, end_of_message(900)));
        world.frame(ends.to_vec());
        judge_second(&mut world);
        judge(&mut world, 1, None);
        judge(&mut world, 0, Some(900));
        world.wait(Secs(61));
        assert_eq!(world.case(&host).case.units(), [(model::Offence::SpamVolume, Units::whole(1))]);
    }
}

#[test]
fn where_no_recipient_is_seen_the_mta_s_count_is_taken() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let Fact::Attempt(seen) = mail(&host, PEOPLE).attempt(Answered::Passed) else { unreachable!() };
    let attempt = Fact::Attempt(model::Attempt { recipient: None, ..seen });
    world.frame(vec![world.observed(1, attempt)]);
    let ended = Fact::Message(model::Message { queue: None, recipients: 4, size: 0, content: None });
    world.frame(vec![world.observed(1, ended)]);
    judge(&mut world, 1, None);
    assert_eq!(world.case(&host).units(), Units::whole(4));
}

#[test]
fn a_queue_id_outlives_the_message_that_had_it_before() {
    let (mut world, one, other) = (World::new(), bot(ADDR), bot("192.0.2.26"));
    let inputs = report(&world, Sensor::Policy, 1, &one, 1, 900);
    world.frame(inputs.to_vec());
    world.wait(Secs::HOUR.times(12));
    let inputs = report(&world, Sensor::Policy, 2, &other, 1, 900);
    world.frame(inputs.to_vec());
    world.wait(Secs::HOUR.times(13));
    // A new session has the first one forgotten.
    world.send(&mail(&server("192.0.2.27"), 1));
    judge(&mut world, 0, Some(900));
    assert!(world.is_blocked(&other));
}

#[test]
fn the_policy_server_asked_twice_is_one_recipient() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let attempt = mail(&host, PEOPLE).attempt(Answered::Passed);
    for _ in 0..3 {
        world.frame(vec![world.observed(1, attempt.clone())]);
    }
    judge(&mut world, 1, None);
    assert_eq!(world.case(&host).units(), Units::whole(1));
}

#[test]
fn each_recipient_of_a_message_is_a_unit() {
    let (mut world, host) = (World::new(), bot(ADDR));
    for to in 0..7 {
        let attempt = mail(&host, PEOPLE + to).attempt(Answered::Passed);
        world.frame(vec![world.observed(1, attempt.clone())]);
        world.frame(vec![world.observed(1, attempt)]);
    }
    judge(&mut world, 1, None);
    assert_eq!(world.case(&host).units(), Units::whole(7));
}

#[test]
fn the_first_verdict_about_a_message_counts() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.frame(vec![world.observed(1, mail(&host, PEOPLE).attempt(Answered::Passed))]);
    world.frame(vec![world.observed(1, verdict(Judgement::Ham, None))]);
    judge(&mut world, 1, None);
    assert!(world.cases.is_empty());
}

#[test]
fn a_verdict_by_queue_id_finds_its_message_for_24_hours() {
    let after = |wait: Secs| {
        let (mut world, host) = (World::new(), bot(ADDR));
        let inputs = report(&world, Sensor::Policy, 1, &host, 1, 900);
        world.frame(inputs.to_vec());
        world.wait(wait);
        judge(&mut world, 0, Some(900));
        (world.cases.len(), world.engine.counters().unmatched_verdicts)
    };
    assert_eq!(after(Secs(1)), (1, 0));
    assert_eq!(after(Secs::DAY), (1, 0));
    assert_eq!(after(Secs(86_401)), (0, 1));
}

#[test]
fn a_late_verdict_counts_when_the_message_came() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let inputs = report(&world, Sensor::Policy, 1, &host, 1, 900);
    let came = world.now;
    world.frame(inputs.to_vec());
    world.wait(Secs(7200));
    judge(&mut world, 0, Some(900));
    let opened = world.case(&host).case.opened.clone().unwrap();
    assert_eq!((opened.caused_at, opened.from), (came, world.now));
}

#[test]
fn a_queue_id_that_is_used_again_names_the_newer_message() {
    let (mut world, one, other) = (World::new(), bot(ADDR), bot("192.0.2.26"));
    for (tag, host) in [(1, &one), (2, &other)] {
        let inputs = report(&world, Sensor::Policy, tag, host, tag, 900);
        world.frame(inputs.to_vec());
    }
    judge(&mut world, 0, Some(900));
    assert_eq!([world.is_blocked(&one), world.is_blocked(&other)], [false, true]);
    judge(&mut world, 1, None);
    assert!(world.is_blocked(&one), "the other message is judged by its session");
}

#[test]
fn the_same_queue_id_from_one_host_hours_later_is_another_message() {
    let (mut world, host) = (World::new(), server(ADDR));
    for tag in 1..=10 {
        let inputs = report(&world, Sensor::Policy, tag, &host, tag, 900);
        world.frame(inputs.to_vec());
        judge(&mut world, 0, Some(900));
        world.wait(Secs(121));
    }
    assert_eq!(world.case(&host).units(), Units::whole(10));
}

#[test]
fn a_message_that_was_refused_everywhere_is_not_judged() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let case = model::CaseId(model::EventId { node: model::Node(1), life: 1, seq: 1 });
    for (tag, answered) in [(1, Answered::Refused), (2, Answered::Blocked(case))] {
        world.frame(vec![world.observed(tag, mail(&host, PEOPLE).attempt(answered))]);
        judge(&mut world, tag, None);
    }
    assert!(world.cases.is_empty());
    assert_eq!((world.engine.sessions(), world.engine.keys()), (0, 0), "they leave nothing behind");
}

#[test]
fn of_a_message_that_was_refused_in_part_the_rest_counts() {
    let (mut world, host) = (World::new(), bot(ADDR));
    for to in 0..5 {
        let answered = if to < 3 { Answered::Refused } else { Answered::Passed };
        world.frame(vec![world.observed(1, mail(&host, PEOPLE + to).attempt(answered))]);
    }
    judge(&mut world, 1, None);
    assert_eq!(world.case(&host).units(), Units::whole(2));
}

#[test]
fn mail_to_open_recipients_of_a_blocked_host_counts() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    let to_abuse = Mail { exempt: true, judged: Some(Judgement::Spam), ..mail(&host, 1) };
    assert!(world.send(&to_abuse));
    world.wait(Secs(61));
    assert_eq!(world.case(&host).case.units(), [(model::Offence::SpamVolume, Units::whole(2))]);
}

#[test]
fn a_verdict_about_an_unknown_message_is_counted_and_means_nothing() {
    let mut world = World::new();
    judge(&mut world, 77, Some(900));
    judge(&mut world, 77, None);
    assert_eq!((world.engine.counters().unmatched_verdicts, world.engine.keys()), (2, 0));
}

#[test]
fn an_observation_from_the_future_is_taken_for_five_minutes_ahead_at_most() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let (now, ahead) = (world.now, world.now.plus(Secs::DAY.times(400)));
    world.now = ahead;
    let attempt = world.observed(1, mail(&host, PEOPLE).attempt(Answered::Passed));
    world.now = now;
    world.frame(vec![attempt]);
    judge(&mut world, 1, None);
    assert_eq!(world.case(&host).case.opened.as_ref().unwrap().caused_at, now.plus(Secs(300)));
}
