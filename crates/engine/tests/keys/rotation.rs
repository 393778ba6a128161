//! ADV-12: one spam from each /64 of a /48.
//!
//! No key ever sends a second message, so what is known of one key stops nobody. What the
//! site learns of the network does: the connection score refuses its strangers.

use answers::{MailPath, Session, Tell, answer, connection_score};
use detectors::Traits;
use model::{
    Answered, Attempt, Client, Fact, Input, Judgement, Name, Observation, PersonHash, Rdns, Secs, Sensor,
    Verdict,
};

use crate::House;

/// Each of its /64 once.
const ALL: u32 = 65_536;
/// As many of them as tell it.
const SOME: u32 = 4096;
/// By then the /48 must be refused (ADV-12).
const HANDLED_BEFORE: usize = 40;

/// A client in the `n`th /64 of a /48.
fn client(n: u32, name: impl Fn(u32) -> Option<String>) -> Client {
    let addr = format!("2a0b:4142:7:{n:x}::25").parse().unwrap();
    let name = name(n).map(|name| Name::new(name.as_bytes()));
    let rdns = name.clone().map_or(Rdns::Missing, Rdns::Confirmed);
    let helo = name.or_else(|| Some(Name::new(format!("mail.sender{n}.example").as_bytes())));
    Client { addr, port: 0, helo, rdns, authenticated: false }
}

/// Sends one message as the program would see it; says whether it was taken, and judged spam.
fn send(house: &mut House, tag: u64, client: &Client) -> bool {
    house.now = house.now.plus(Secs(1));
    let (now, view) = (house.now, house.view.clone());
    let traits = Traits::of(client, false, house.engine.policy());
    let score = Some(connection_score(client, &traits, MailPath::default(), &view, now));
    let session = Session { recipient: Some(b"user@example.org"), score, ..Session::new(client.addr, now) };
    let told = answer(&session, &view, now);
    let observed = |sensor, fact| Input::Observed(Observation { at: now, sensor, session: tag, fact });
    let attempt = Attempt {
        client: client.clone(),
        sender: Some(PersonHash(tag)),
        recipient: Some(PersonHash(tag % 1000)),
        recipients: 1,
        answered: told.answered(),
        sender_fits: false,
        ticket: None,
    };
    let taken = attempt.answered == Answered::Passed;
    let source = Name::new(b"rspamd");
    let verdict = Verdict { queue: None, judgement: Judgement::Spam, score: Some(900), source };
    let mut inputs = vec![observed(Sensor::Policy, Fact::Attempt(attempt))];
    inputs.extend(taken.then(|| observed(Sensor::Filter, Fact::Verdict(verdict))));
    house.step(inputs);
    assert!(taken || matches!(told.tell, Tell::Refuse(_)));
    taken
}

/// How many messages of the /48 are taken, and that its neighbour is not touched.
#[track_caller]
fn check(messages: u32, name: impl Fn(u32) -> Option<String>) {
    let mut house = House::new(0);
    let taken = (0..messages).filter(|n| send(&mut house, u64::from(*n) + 1, &client(*n, &name))).count();
    println!("{messages} messages of one /48, each from a /64 of its own: {taken} taken");
    assert!(taken < HANDLED_BEFORE, "{taken} taken");
    let other = |_| Some("mail.other.example".into());
    let neighbour = Client { addr: "2a0b:4142:8::25".parse().unwrap(), ..client(0, other) };
    assert!(send(&mut house, 1 << 40, &neighbour), "the next /48 is another's");
}

#[test]
fn adv_12_one_spam_from_each_64_of_a_48_is_handled_before_the_fortieth() {
    check(ALL, |_| None);
}

#[test]
fn adv_12_nor_do_confirmed_names_help_of_one_organisation_or_of_many() {
    check(SOME, |n| Some(format!("mail{n}.sender.example")));
    check(SOME, |n| Some(format!("mail.sender{n}.example")));
}
