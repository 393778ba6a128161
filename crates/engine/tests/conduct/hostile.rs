//! Observations and commands at their extremes: never a panic, nothing without bound.

use engine::{Alarm, Alone, Engine};
use model::observation::Sessions;
use model::policy::TrapKind;
use model::{
    Actor, Answered, BlockKind, Client, Command, DomainHash, Fact, Frame, Input, Judgement, Key, Message,
    Millis, Mode, Name, Observation, Order, PersonHash, Policy, Rdns, Secs, Sensor, Units, Verdict,
};
use proptest::prelude::*;

use crate::world::{Mail, ORIGIN, PEOPLE, START, World, bot, end_of_message, mail, policy, server, verdict};

const TIMES: [u64; 8] =
    [0, 1, 86_400_000, START.0 - 1, START.0, START.0 + 301_000, u64::MAX - 1_000_000, u64::MAX];

fn time() -> impl Strategy<Value = Millis> {
    prop_oneof![prop::sample::select(&TIMES[..]).prop_map(Millis), any::<u64>().prop_map(Millis)]
}

fn name() -> impl Strategy<Value = Name> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (any::<u8>(), 0usize..300).prop_map(|(byte, len)| vec![byte; len]),
        "[0-9.\\-]{0,300}".prop_map(String::into_bytes),
        "\\[(ipv6:|IPv6:)?[0-9a-f:.]{0,60}\\]?".prop_map(String::into_bytes),
    ];
    // One trailing dot is taken off when a name is made, and another when it is read.
    bytes
        .prop_map(|bytes| Name::new(&bytes))
        .prop_filter("a stable name", |name| !name.as_bytes().ends_with(b"."))
}

fn client() -> impl Strategy<Value = Client> {
    let addr = prop_oneof![
        any::<std::net::IpAddr>(),
        (0u8..4).prop_map(|n| std::net::Ipv4Addr::new(192, 0, 2, n).into()),
        any::<std::net::Ipv4Addr>().prop_map(|a| a.to_ipv6_mapped().into()),
    ];
    let rdns = prop_oneof![
        Just(Rdns::Unknown),
        Just(Rdns::Missing),
        name().prop_map(Rdns::Mismatch),
        name().prop_map(Rdns::Confirmed)
    ];
    (addr, any::<u16>(), prop::option::of(name()), rdns, any::<bool>())
        .prop_map(|(addr, port, helo, rdns, authenticated)| Client { addr, port, helo, rdns, authenticated })
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0u64), Just(1), Just(u64::MAX)]
}

/// Boxed: all kinds in one value are too large for a test thread's stack.
fn fact() -> BoxedStrategy<Fact> {
    let person = || prop::option::of((0u64..9).prop_map(PersonHash));
    let answered = prop_oneof![
        Just(Answered::Passed),
        Just(Answered::Exempt),
        Just(Answered::Refused),
        Just(Answered::Deferred)
    ];
    let attempt = (client(), person(), person(), any::<u16>(), answered);
    let judgement = prop_oneof![Just(Judgement::Spam), Just(Judgement::Ham), Just(Judgement::Virus)];
    prop_oneof![
        attempt
            .prop_map(|(client, sender, recipient, recipients, answered)| {
                Fact::Attempt(model::Attempt {
                    client,
                    sender,
                    recipient,
                    recipients,
                    answered,
                    sender_fits: recipients % 2 == 0,
                    ticket: (recipients % 3 == 0).then_some(recipients.into()),
                })
            })
            .boxed(),
        (client(), any::<[u32; 4]>(), any::<bool>())
            .prop_map(|(client, numbers, strained)| {
                let [at_once, begun, ended, reached] = numbers;
                let sessions = Sessions { at_once, begun, ended, reached, strained };
                Fact::Connected(model::Connected { client, sessions })
            })
            .boxed(),
        (client(), person(), number())
            .prop_map(|(client, who, domain)| {
                let (sender, recipient, domain) = (None, who, Some(DomainHash(domain)));
                let why = model::observation::Rejection::UnknownUser;
                Fact::Rejected(model::Rejected { client, sender, recipient, domain, why })
            })
            .boxed(),
        (prop::option::of(number()), any::<u16>(), any::<u64>()).prop_map(|(queue, recipients, size)| {
            Fact::Message(Message { queue, recipients, size, content: None })
        }),
        (prop::option::of(number()), judgement, any::<Option<i32>>(), name())
            .prop_map(|(queue, judgement, score, source)| Fact::Verdict(Verdict {
                queue,
                judgement,
                score,
                source
            }))
            .boxed(),
    ]
    .boxed()
}

/// Keys as people write them: each has a text.
fn key() -> impl Strategy<Value = Key> {
    let keys = prop_oneof![
        (any::<std::net::IpAddr>(), any::<u8>())
            .prop_map(|(addr, len)| Key::Net(model::Prefix::new(addr, len))),
        Just("example.org".parse().unwrap()),
        Just("example.org@192.0.2.1".parse().unwrap()),
    ];
    keys.prop_filter("a key with a text", |key: &Key| key.to_string().parse().as_ref() == Ok(key))
}

fn order() -> impl Strategy<Value = Order> {
    let case = || {
        any::<(u16, u64)>()
            .prop_map(|(life, seq)| model::CaseId(model::EventId { node: model::Node(1), life, seq }))
    };
    prop_oneof![
        (key(), any::<u64>()).prop_map(|(key, s)| Order::Block(key, BlockKind::NullRoute, Secs(s))),
        (case(), any::<bool>()).prop_map(|(case, error)| Order::LiftCase(case, error)),
        (key(), any::<bool>()).prop_map(|(key, error)| Order::LiftKey(key, error)),
        (case(), time()).prop_map(|(case, at)| Order::Resentence(case, at)),
        (key(), any::<bool>()).prop_filter_map("a net", |(key, on)| Some(Order::Protect(key.prefix()?, on))),
        time().prop_map(Order::Panic),
        (key(), time(), prop::collection::vec(any::<u32>(), 0..50))
            .prop_filter_map("a net", |(key, at, people)| Some(Order::Credit(key.prefix()?, at, people))),
        any::<bool>().prop_map(|live| Order::SetMode(if live { Mode::Live } else { Mode::Shadow })),
    ]
}

/// Facts of messages, reports and our own people's mail, of any content.
fn further() -> impl Strategy<Value = Fact> {
    let content = (any::<[u8; 16]>(), 0usize..6, any::<(bool, bool, bool)>(), number()).prop_map(
        |(id, danger, (fails, signed, lost), domain)| {
            use model::content::{Danger, Kept, Shape, Spf};
            let marks = [Shape::BOUNCE, Shape::LIST, Shape::WAS_HERE, Shape::CONFIRMATION];
            model::Content {
                kept: if lost { Kept::Lost } else { Kept::Stored(model::ExhibitId(id)) },
                spf: if fails { Spf::Fail } else { Spf::Pass },
                dkim: signed.then_some(model::DomainHash(domain)),
                sender_domain: Some(model::DomainHash(domain)),
                shape: marks[danger % 4] | Shape::NULL_SENDER,
                attachment: [Danger::None, Danger::Refused][danger % 2],
                ..model::Content::default()
            }
        },
    );
    let end = (prop::option::of(number()), any::<u16>(), any::<u64>(), content);
    prop_oneof![
        end.prop_map(|(queue, recipients, size, content)| {
            Fact::Message(Message { queue, recipients, size, content: Some(Box::new(content)) })
        }),
        (client(), number(), any::<bool>()).prop_map(|(client, who, null)| {
            let (sender, recipient) = ((!null).then_some(PersonHash(who)), Some(PersonHash(who)));
            let why = model::observation::Rejection::UnknownUser;
            Fact::Rejected(model::Rejected { client, sender, recipient, domain: None, why })
        }),
        (number(), number(), any::<bool>()).prop_map(|(queue, who, junk)| {
            let vote = if junk { model::Vote::Junk } else { model::Vote::NotJunk };
            Fact::Reported(model::Reported {
                queue,
                reporter: PersonHash(who),
                sender_domain: None,
                vote,
                client: None,
                taken_at: None,
            })
        }),
        (number(), number()).prop_map(|(who, domain)| {
            let (sender, domain) = (Some(PersonHash(who)), Some(model::DomainHash(domain)));
            Fact::Sent(model::Sent { sender, recipient: PersonHash(who), domain })
        }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let junk = || prop::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        20 => (time(), 0u64..4, any::<bool>(), prop_oneof![2 => fact(), 1 => further()]).prop_map(
            |(at, session, milter, fact)| {
                let sensor = if milter { Sensor::Milter } else { Sensor::Policy };
                Input::Observed(Observation { at, sensor, session, fact })
            }
        ),
        3 => (time(), order()).prop_map(|(at, order)| {
            Input::Command(Command { id: 1, at, actor: Actor::Holder, note: None, order })
        }),
        1 => (time(), any::<u64>()).prop_map(|(wall, mono)| Input::Tick(wall, mono)),
        1 => junk().prop_map(Input::Policy),
        1 => junk().prop_map(Input::Foreign),
        1 => any::<u64>().prop_map(|n| Input::Dropped(Sensor::MailLog, n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_heard_makes_it_panic(
        frames in prop::collection::vec((time(), prop::collection::vec(input(), 0..20)), 1..10),
    ) {
        let traps = (0..4).map(|n| (PersonHash(n), TrapKind::Pristine)).collect();
        let mut engine = Engine::new(ORIGIN, [1, 2], Policy { traps, ..policy() });
        let mut latest = Millis(0);
        for (position, (wall, inputs)) in (1..).zip(frames) {
            let step = engine.step(position, &Frame { wall, salt: [1; 16], inputs }, &Alone);
            latest = latest.max(wall);
            for sealed in step.events {
                prop_assert_eq!(sealed.open().unwrap().at.wall, latest);
            }
        }
        prop_assert!(engine.sessions() <= 4, "a tag is one session, whoever uses it");
        let (again, _) = Engine::from_checkpoint(&engine.to_checkpoint()).unwrap();
        prop_assert_eq!(again.to_checkpoint(), engine.to_checkpoint());
    }
}

#[test]
fn one_message_with_endless_recipients_is_fifty_units() {
    let (mut world, host) = (World::new(), bot("192.0.2.25"));
    for to in 0..5000 {
        let attempt = Mail { recipients: u16::MAX, ..mail(&host, PEOPLE + to) }.attempt(Answered::Passed);
        world.frame(vec![world.observed(1, attempt)]);
    }
    world.frame(vec![world.observed(1, verdict(Judgement::Spam, None))]);
    assert_eq!(world.case(&host).units(), Units::whole(50));
    assert!(world.engine.to_checkpoint().len() < 20_000, "{}", world.engine.to_checkpoint().len());
}

#[test]
fn one_message_that_changes_its_queue_id_for_ever_keeps_one() {
    let (mut world, host) = (World::new(), bot("192.0.2.25"));
    world.frame(vec![world.observed(1, mail(&host, PEOPLE).attempt(Answered::Passed))]);
    world.frame(vec![world.observed(1, end_of_message(5000))]);
    let before = world.engine.to_checkpoint().len();
    for queue in 0..5000 {
        let ended = Fact::Message(Message { queue: Some(queue), recipients: 1, size: 0, content: None });
        world.frame(vec![world.observed(1, ended)]);
    }
    world.frame(vec![world.observed(0, verdict(Judgement::Spam, Some(17)))]);
    assert!(world.cases.is_empty(), "an earlier queue id is not its name any more");
    assert!(world.engine.to_checkpoint().len() < before + 40);
    world.frame(vec![world.observed(0, verdict(Judgement::Spam, Some(4999)))]);
    assert!(world.is_blocked(&host));
}

#[test]
fn refused_attempts_of_one_host_take_a_bounded_place() {
    let (mut world, host) = (World::new(), bot("192.0.2.25"));
    world.spam(&host, 1);
    let before = world.engine.to_checkpoint().len();
    for round in 0..20 {
        for to in 0..1000 {
            let mail = Mail { sender: round * 5000 + to * 3, ..mail(&host, PEOPLE + to) };
            world.send(&mail);
        }
        world.wait(Secs(600));
        world.frames.clear();
    }
    assert!(world.engine.to_checkpoint().len() < before + 4096);
    assert_eq!(world.engine.keys(), 1);
}

#[test]
fn two_hosts_that_share_a_tag_do_not_share_a_case() {
    let (mut world, one, other) = (World::new(), bot("192.0.2.1"), server("192.0.2.2"));
    for host in [&one, &other] {
        world.frame(vec![world.observed(1, mail(host, PEOPLE).attempt(Answered::Passed))]);
    }
    world.frame(vec![world.observed(1, verdict(Judgement::Spam, None))]);
    assert_eq!([world.is_blocked(&one), world.is_blocked(&other)], [true, false]);
}

#[test]
fn a_policy_that_can_not_be_read_changes_nothing_and_rings() {
    let (mut world, host) = (World::new(), bot("192.0.2.25"));
    for _ in 0..2 {
        world.frame(vec![Input::Policy(vec![1, 2, 3])]);
    }
    assert_eq!(world.alarms, [Alarm::UnreadablePolicy, Alarm::UnreadablePolicy]);
    assert!(world.events.is_empty());
    assert_eq!(world.spam(&host, 2), 1);
}
