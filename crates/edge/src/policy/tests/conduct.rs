//! OFF-18 and OFF-19 at the policy server: early talk refuses its session, and what a question
//! shows of conduct.

use model::{Conduct, Fact, Habit};

use super::*;
use crate::manners::Manners;

fn remembers(manners: &Arc<Manners>) -> Stage {
    Stage::with(|config| config.manners = manners.clone())
}

#[test]
fn off_18_who_spoke_before_the_greeting_is_refused_in_that_session() {
    let manners = Arc::new(Manners::new(true));
    let mut stage = remembers(&manners);
    assert_eq!(stage.unix().ask(&[]), "DUNNO");
    manners.note("192.0.2.25".parse().unwrap(), Habit::EarlyTalk, NOW, NOW);
    let answer = stage.unix().ask(&[]);
    assert!(answer.starts_with("550 5.5.1 [192.0.2.25] refused: it speaks before our greeting."), "{answer}");
    assert_eq!(stage.unix().ask(&[("client_address", "192.0.2.26")]), "DUNNO");
    stage.books.credit(7, "192.0.2.25");
    assert_eq!(stage.unix().ask(&[]), "DUNNO", "appliances break rules");
}

#[test]
fn off_18_two_minutes_later_it_is_another_session() {
    let manners = Arc::new(Manners::new(true));
    let stage = remembers(&manners);
    manners.note("192.0.2.25".parse().unwrap(), Habit::EarlyTalk, NOW, NOW);
    stage.clock.advance(Secs(120)).unwrap();
    assert_eq!(stage.unix().ask(&[]), "DUNNO");
}

/// What is told of a session with these questions.
fn told(stage: &Stage, questions: &[&[(&str, &str)]]) -> Vec<Habit> {
    let mut peer = stage.unix();
    questions.iter().for_each(|changes| assert_eq!(peer.ask(changes), "DUNNO"));
    let told = |seen: model::Observation| match seen.fact {
        Fact::Conduct(Conduct { habit, .. }) => Some(habit),
        _ => None,
    };
    let heard = stage.heard(questions.len()).into_iter().filter_map(told).collect();
    stage.heard.seen.lock().unwrap().clear();
    heard
}

#[test]
fn off_19_mail_before_helo_is_told_once_a_session() {
    let ungreeted = [("protocol_name", "SMTP"), ("helo_name", "")];
    let again = [&ungreeted[..], &[("recipient", "c@example.org")]].concat();
    let stage = Stage::new();
    assert_eq!(told(&stage, &[&ungreeted, &again]), [Habit::OutOfPlace]);
    assert_eq!(told(&stage, &[&[("protocol_name", "SMTP")]]), []);
    assert_eq!(told(&stage, &[&[("helo_name", "")]]), [], "a server that says nothing of greetings");
    let login = [&ungreeted[..], &[("sasl_username", "user")]].concat();
    assert_eq!(told(&stage, &[&login]), []);
    let beside_a_milter = Stage::with(|config| config.tells_conduct = false);
    assert_eq!(told(&beside_a_milter, &[&ungreeted]), []);
}

#[test]
fn s78_a_name_that_dns_denied_is_deferred_from_the_next_question_on() {
    let (greetings, mut names) = crate::Greetings::new();
    let greetings = Arc::new(greetings);
    let mut stage = Stage::with(|config| config.greetings = Some(greetings.clone()));
    stage.books.ask_for_names(model::policy::RuleMode::Block);
    let bot = [("helo_name", "mx.bot.example")];
    assert_eq!(stage.unix().ask(&bot), "DUNNO", "nobody waits for DNS");
    let name = names.try_recv().unwrap();
    greetings.found(&name, crate::Existence::Absent, NOW);
    let answer = stage.unix().ask(&bot);
    assert!(answer.starts_with("450 4.7.1 [192.0.2.25] deferred: its HELO name is not in DNS"), "{answer}");
    let login = [bot[0], ("sasl_username", "user")];
    assert_eq!(stage.unix().ask(&login), "DUNNO");
    stage.books.credit(7, "192.0.2.25");
    assert_eq!(stage.unix().ask(&bot), "DUNNO");
    assert!(names.try_recv().is_err(), "who is known is not asked about");
}
