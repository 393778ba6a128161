//! OFF-19 as the milter meets it: what is told of a client's conduct, and when.

use model::{Conduct, Habit, Secs};

use super::*;

/// What was told of clients' conduct among the facts.
fn conduct(facts: &[Fact]) -> Vec<(String, Habit)> {
    let told = facts.iter().filter_map(|fact| match fact {
        Fact::Conduct(Conduct { client, habit }) => Some((client.addr.to_string(), *habit)),
        _ => None,
    });
    told.collect()
}

/// Habits that are told of a session once it is over.
#[track_caller]
fn check(stage: &Stage, act: impl FnOnce(&mut Mta<UnixStream>), expect: &[Habit]) {
    let mut mta = stage.greeted();
    act(&mut mta);
    mta.quit();
    let told = conduct(&stage.facts_at_last());
    assert_eq!(told, expect.iter().map(|habit| ("192.0.2.25".to_owned(), *habit)).collect::<Vec<_>>());
    stage.heard.seen.lock().unwrap().clear();
}

fn unknown(mta: &mut Mta<UnixStream>, lines: &[&str]) {
    for line in lines {
        assert_silent(&mta.step(Command::Unknown(line.as_bytes())));
    }
}

#[test]
fn off_19_words_that_are_no_commands_are_told_once_a_session_for_each_kind() {
    let stage = Stage::new();
    check(
        &stage,
        |mta| unknown(mta, &["GET / HTTP/1.1", "Host: x", "HELLO", "MALI x", "RCPT?"]),
        &[Habit::NonSmtp, Habit::UnknownCommand],
    );
    check(&stage, |mta| unknown(mta, &["EXPN staff", "XEXCH50 1", "TURN"]), &[]);
}

#[test]
fn off_19_mail_before_helo_is_told() {
    let stage = Stage::new();
    let mut mta = stage.unix();
    mta.agree(POSTFIX);
    let peer = Peer::Ip("192.0.2.25".parse().unwrap(), 40001);
    assert_silent(&mta.step(Command::Connect { host: b"mail.example.net", peer }));
    assert_eq!([mta.message(), mta.message()], [["continue"], ["continue"]]);
    assert_eq!(conduct(&stage.facts(3)), [("192.0.2.25".to_owned(), Habit::OutOfPlace)]);
}

fn give_up(mta: &mut Mta<UnixStream>, times: u32) {
    for _ in 0..times {
        mta.mail("<a@example.net>");
        mta.rcpt("<b@example.org>");
        mta.step(Command::Abort);
    }
}

#[test]
fn off_19_ten_messages_begun_and_given_up_are_a_loop() {
    let stage = Stage::new();
    check(&stage, |mta| give_up(mta, 10), &[Habit::ResetLoop]);
    check(&stage, |mta| give_up(mta, 9), &[]);
    // Postfix says so after each message that came to its end, too.
    let sends = |mta: &mut Mta<UnixStream>| {
        for _ in 0..12 {
            assert_eq!(mta.message(), ["continue"]);
            mta.step(Command::Abort);
        }
    };
    check(&stage, sends, &[]);
}

#[test]
fn off_19_who_is_refused_gives_up_for_good_reason() {
    let mut stage = Stage::new();
    let refused_by_the_mta = |mta: &mut Mta<UnixStream>| {
        for _ in 0..12 {
            mta.mail("<a@example.net>");
            mta.refused_rcpt("<x@example.org>", "5.1.1", "User unknown");
            mta.step(Command::Abort);
        }
    };
    check(&stage, refused_by_the_mta, &[]);
    stage.books.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    check(&stage, |mta| give_up(mta, 12), &[]);
}

#[test]
fn our_own_people_and_relays_are_not_told_of() {
    let stage = Stage::new();
    let logs_in = |mta: &mut Mta<UnixStream>| {
        unknown(mta, &["HELLO"]);
        mta.login("<a@example.org>");
    };
    check(&stage, logs_in, &[]);
    let net = || vec!["192.0.2.0/24".parse().unwrap()];
    check(&Stage::with(|config| config.ours = net()), |mta| unknown(mta, &["HELLO"]), &[]);
    check(&Stage::with(|config| config.relays = net()), |mta| unknown(mta, &["HELLO"]), &[]);
}

#[test]
fn adv_16_what_comes_by_an_untrusted_listener_is_not_told() {
    let stage = Stage::new();
    let mut mta = stage.tcp();
    mta.greet("192.0.2.25");
    assert_silent(&mta.step(Command::Unknown(b"GET / HTTP/1.1")));
    mta.quit();
    assert_eq!(stage.facts_at_last(), []);
}

/// Weighs nothing but faults.
struct Counts;

impl Scorer for Counts {
    fn score(
        &self,
        _: &model::Client,
        path: ::answers::MailPath,
        _: &projections::View,
        _: model::Millis,
    ) -> answers::ConnectionScore {
        let quarters = 8 * path.faults.count().cast_signed();
        answers::ConnectionScore {
            quarters,
            heaviest: [Some("it breaks the rules of SMTP"), None],
            line: false,
        }
    }
}

#[test]
fn off_19_faults_of_a_session_weigh_at_its_own_recipients_and_in_the_next() {
    let stage = Stage::with(|config| config.scorer = Some(Arc::new(Counts)));
    let mut mta = stage.greeted();
    unknown(&mut mta, &["HELLO"]);
    mta.mail("<a@example.net>");
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    unknown(&mut mta, &["Host: x"]);
    let answer = mta.rcpt("<b@example.org>");
    assert!(answer.contains("refused here: it breaks the rules of SMTP"), "{answer}");
    mta.quit();
    stage.facts_at_last();
    let mut next = stage.greeted();
    next.mail("<a@example.net>");
    assert!(next.rcpt("<b@example.org>").starts_with("550"));
    next.quit();
    stage.clock.advance(Secs::DAY).unwrap();
    assert_eq!(stage.greeted().message(), ["continue"]);
}

#[test]
fn off_18_who_spoke_before_the_greeting_is_refused_in_that_session() {
    let manners = Arc::new(crate::Manners::new(true));
    let stage = Stage::with(|config| config.manners = manners.clone());
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    manners.note("192.0.2.25".parse().unwrap(), Habit::EarlyTalk, NOW, NOW);
    let answer = mta.rcpt("<b@example.org>");
    let told = "in this session it spoke before our greeting, as bots do and no";
    assert!(answer.starts_with("550-5.5.1 [192.0.2.25] is refused: ") && answer.contains(told), "{answer}");
    assert_eq!(mta.rcpt("<postmaster@example.org>"), "continue");
}

#[test]
fn s78_a_name_that_dns_denied_is_deferred_from_the_next_recipient_on() {
    let (greetings, mut names) = crate::Greetings::new();
    let greetings = Arc::new(greetings);
    let mut stage = Stage::with(|config| config.greetings = Some(greetings.clone()));
    stage.books.ask_for_names(model::policy::RuleMode::Block);
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    assert_eq!(mta.rcpt("<b@example.org>"), "continue", "nobody waits for DNS");
    greetings.found(&names.try_recv().unwrap(), crate::Existence::Absent, NOW);
    let answer = mta.rcpt("<b@example.org>");
    assert!(answer.starts_with("450-4.7.1 [192.0.2.25] is deferred: the name that it gives"), "{answer}");
}
