//! OFF-6 as the milter meets it: 421 for who has too many connections, and what is reported.

use model::damage::FloodRule;
use model::observation::Sessions;
use model::{Answered, Connected};

use super::*;

/// A server that takes so many connections of one client at once.
fn crowded_at(at_once: u32, answers: bool) -> Stage {
    let rule = FloodRule { at_once, ..FloodRule::default() };
    Stage::with(|config| config.flooding = Some(Flooding { rule, answers }))
}

/// So many connections of one client, one after the other.
fn arrive(stage: &Stage, connections: usize) -> Vec<Mta<UnixStream>> {
    let before = stage.counters().commands;
    let arrive = |n: u64| {
        let mut mta = stage.greeted();
        mta.flush();
        // Each sends an offer, macros, its client and HELO.
        wait_for(|| stage.counters().commands >= before + 4 * n);
        mta
    };
    (1..=connections as u64).map(arrive).collect()
}

/// What the last of so many connections of one client hears at its recipient.
#[track_caller]
fn check(stage: &Stage, connections: usize, recipient: &str, expect: &str) {
    let mut all = arrive(stage, connections);
    let last = all.last_mut().unwrap();
    last.mail("<a@example.net>");
    let answer = last.rcpt(recipient);
    assert!(answer.starts_with(expect), "{answer}");
}

#[test]
fn off_6_who_has_too_many_connections_is_answered_421() {
    check(&crowded_at(3, true), 3, "<b@example.org>", "continue");
    let stage = crowded_at(3, true);
    check(&stage, 4, "<b@example.org>", "421-4.7.0 Too many connections from [192.0.2.25]");
    assert_eq!(stage.counters().turned, 1);
    let answered: Vec<Answered> = stage
        .facts_at_last()
        .iter()
        .filter_map(|fact| if let Fact::Attempt(attempt) = fact { Some(attempt.answered) } else { None })
        .collect();
    assert_eq!(answered, [Answered::Refused], "no case stands behind it");
    // When they are gone, there is room again.
    check(&stage, 3, "<b@example.org>", "continue");
}

#[test]
fn off_6_open_recipients_and_our_own_people_are_not_turned_away() {
    check(&crowded_at(3, true), 9, "<postmaster@example.org>", "continue");
    let ours = Stage::with(|config| {
        config.ours = vec!["192.0.2.0/24".parse().unwrap()];
        config.flooding =
            Some(Flooding { rule: FloodRule { at_once: 1, ..FloodRule::default() }, answers: true });
    });
    check(&ours, 9, "<b@example.org>", "continue");
}

#[test]
fn off_6_in_shadow_and_while_it_learns_nobody_is_turned_away() {
    check(&crowded_at(3, false), 9, "<b@example.org>", "continue");
    let mut stage = crowded_at(3, true);
    stage.books.learn(5);
    check(&stage, 9, "<b@example.org>", "continue");
}

#[test]
fn off_6_a_busy_client_is_reported_once_a_second_and_no_other() {
    let stage = crowded_at(50, true);
    drop(arrive(&stage, 9));
    let mut other = stage.unix();
    other.greet("192.0.2.77");
    assert_eq!(other.message(), ["continue"]);
    other.quit();
    let reports: Vec<Connected> = stage
        .facts_at_last()
        .into_iter()
        .filter_map(|fact| if let Fact::Connected(connected) = fact { Some(connected) } else { None })
        .collect();
    assert_eq!(reports.len(), 1, "all came in one second");
    let expect = Sessions { at_once: 6, begun: 6, ended: 0, reached: 0, strained: false };
    assert_eq!((reports[0].client.addr.to_string().as_str(), reports[0].sessions), ("192.0.2.25", expect));
}
