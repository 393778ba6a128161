//! The same frames from the same state give the same events byte for byte: on any threads,
//! in any order of shards, and from any checkpoint between (DESIGN §4, invariant 2).

use engine::checkpoint::CheckpointError;
use engine::shard::Shard;
use engine::{Alone, Engine, Spread, Step};
use model::content::{Danger, Kept, Shape, Spf};
use model::damage::{DictionaryRule, FloodRule};
use model::observation::Sessions;
use model::policy::{RuleMode, TrapKind};
use model::{
    Actor, Answered, BlockKind, CaseId, Command, Content, DomainHash, EventId, ExhibitId, Fact, Frame, Input,
    Judgement, Key, Mode, Offence, Order, PersonHash, Policy, Prefix, Secs, Sensor, Vote, event::Node,
};
use proptest::prelude::*;

use crate::world::{
    Host, Mail, ORIGIN, PEOPLE, START, World, bot, end_of_message, ended, mail, nth_bot, nth_server, policy,
    server, verdict,
};

/// Shards in the order opposite to [`Alone`]'s.
struct Backwards;

impl Spread for Backwards {
    fn each(&self, shards: &mut [Shard], which: &[usize], work: &(dyn Fn(&mut Shard) + Sync)) {
        which.iter().rev().for_each(|index| work(&mut shards[*index]));
    }
}

/// Shards on two threads.
struct TwoThreads;

impl Spread for TwoThreads {
    fn each(&self, shards: &mut [Shard], which: &[usize], work: &(dyn Fn(&mut Shard) + Sync)) {
        let chosen = shards.iter_mut().enumerate().filter(|(index, _)| which.contains(index));
        let (even, odd): (Vec<_>, Vec<_>) = chosen.partition(|(index, _)| index % 2 == 0);
        std::thread::scope(|scope| {
            for half in [even, odd] {
                scope.spawn(move || half.into_iter().for_each(|(_, shard)| work(shard)));
            }
        });
    }
}

/// A small world in which all kinds of things happen: few hosts, few tags, few traps.
fn crowded() -> Policy {
    let traps = vec![(PersonHash(3), TrapKind::Recycled), (PersonHash(2), TrapKind::Pristine)];
    let modes = vec![(Offence::Trap, RuleMode::Shadow)];
    // Limits that so few hosts reach.
    let dictionary =
        DictionaryRule { unknown_minutes: 4, unknown_domain: 3, servers: 1, ..DictionaryRule::default() };
    let flood = FloodRule { at_once: 2, per_minute: 2, ..FloodRule::default() };
    Policy { traps, modes, keys_max: 1, dictionary, flood, ..policy() }
}

fn host() -> impl Strategy<Value = Host> {
    (0u8..6).prop_map(|n| match n {
        0 => server("192.0.2.1"),
        1 => bot("192.0.2.2"),
        2 => bot("192.0.2.3").helo("localhost"),
        3 => server("2001:db8::1").helo("mx.example.org"),
        4 => bot("2001:db8:7::1"),
        _ => server("198.51.100.1"),
    })
}

fn case() -> impl Strategy<Value = CaseId> {
    (1u64..12).prop_map(|seq| CaseId(EventId { node: Node(1), life: 1, seq }))
}

fn answered() -> impl Strategy<Value = Answered> {
    prop_oneof![
        4 => Just(Answered::Passed),
        1 => Just(Answered::Exempt),
        1 => Just(Answered::Refused),
        1 => case().prop_map(Answered::Blocked),
        1 => case().prop_map(Answered::WouldBlock),
    ]
}

fn judgement() -> impl Strategy<Value = Judgement> {
    prop_oneof![3 => Just(Judgement::Spam), 1 => Just(Judgement::Ham), 1 => Just(Judgement::Virus),
        1 => Just(Judgement::Heuristic)]
}

fn order() -> impl Strategy<Value = Order> {
    let key = || host().prop_map(|h| h.key());
    let domain = || (0u8..3).prop_map(|n| format!("d{n}.example").parse::<Key>().unwrap());
    prop_oneof![
        (domain(), 1u64..99).prop_map(|(k, h)| Order::Block(k, BlockKind::Rbl, Secs::HOUR.times(h))),
        domain().prop_map(|k| Order::LiftKey(k, false)),
        any::<bool>().prop_map(|live| Order::SetMode(if live { Mode::Live } else { Mode::Shadow })),
        (key(), 1u64..99).prop_map(|(k, h)| Order::Block(Key::Net(k), BlockKind::Rbl, Secs::HOUR.times(h))),
        (case(), any::<bool>()).prop_map(|(case, error)| Order::LiftCase(case, error)),
        (key(), any::<bool>()).prop_map(|(k, error)| Order::LiftKey(Key::Net(k), error)),
        (case(), 0u64..99).prop_map(|(case, h)| Order::Resentence(case, START.plus(Secs::HOUR.times(h)))),
        (key(), any::<bool>()).prop_map(|(k, on)| Order::Protect(k, on)),
        Just(Order::Panic(START)),
        key().prop_map(|k| Order::Credit(k, START, vec![1, 2, 3])),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    let shape = prop_oneof![
        Just(Shape::default()),
        Just(Shape::CONFIRMATION),
        Just(Shape::BOUNCE | Shape::NULL_SENDER),
        Just(Shape::WAS_HERE | Shape::LIST),
    ];
    let kept = prop_oneof![Just(Kept::No), Just(Kept::Lost), Just(Kept::Stored(ExhibitId([3; 16])))];
    (shape, kept, any::<bool>(), 0u64..3).prop_map(|(shape, kept, bad, domain)| Content {
        kept,
        shape,
        spf: if bad { Spf::Fail } else { Spf::Pass },
        attachment: if bad { Danger::Refused } else { Danger::None },
        sender_domain: Some(DomainHash(domain)),
        ..Content::default()
    })
}

fn rejected(from: &Host, to: u64, null: bool) -> Fact {
    let why = model::observation::Rejection::UnknownUser;
    let sender = (!null).then_some(PersonHash(7));
    let recipient = Some(PersonHash(to));
    let domain = (to > 2).then_some(DomainHash(to % 2));
    Fact::Rejected(model::Rejected { client: from.0.clone(), sender, recipient, domain, why })
}

fn connected(from: &Host, at_once: u32, reached: u32) -> Fact {
    let sessions = Sessions { at_once, begun: at_once, ended: at_once, reached, strained: reached == 1 };
    Fact::Connected(model::Connected { client: from.0.clone(), sessions })
}

fn reported(queue: u64, who: u64, junk: bool) -> Fact {
    let vote = if junk { Vote::Junk } else { Vote::NotJunk };
    Fact::Reported(model::Reported {
        queue,
        reporter: PersonHash(who),
        sender_domain: None,
        vote,
        client: None,
        taken_at: None,
    })
}

fn sent(who: u64) -> Fact {
    let (sender, domain) = (Some(PersonHash(who)), Some(DomainHash(who % 3)));
    Fact::Sent(model::Sent { sender, recipient: PersonHash(9), domain })
}

/// One input; its time is that of its frame.
fn input() -> impl Strategy<Value = Input> {
    let tag = 1u64..9;
    let sensor = prop_oneof![Just(Sensor::Policy), Just(Sensor::Milter), Just(Sensor::MailLog)];
    let fact = prop_oneof![
        6 => (host(), 1u64..9, answered(), 1u16..4).prop_map(|(from, to, answered, recipients)| {
            Mail { recipients, ..mail(&from, to) }.attempt(answered)
        }),
        2 => (1u64..5).prop_map(end_of_message),
        3 => (1u64..5, content()).prop_map(|(queue, content)| ended(queue, content)),
        2 => (host(), 1u64..9, any::<bool>()).prop_map(|(from, to, null)| rejected(&from, to, null)),
        1 => (host(), 1u32..9, 0u32..2).prop_map(|(from, open, reached)| connected(&from, open, reached)),
        2 => (1u64..5, 1u64..9, any::<bool>()).prop_map(|(queue, who, junk)| reported(queue, who, junk)),
        1 => (1u64..9).prop_map(sent),
        6 => (judgement(), prop::option::of(1u64..5)).prop_map(|(j, queue)| verdict(j, queue)),
    ];
    let observed = (sensor, tag, fact).prop_map(|(sensor, session, fact)| {
        Input::Observed(model::Observation { at: START, sensor, session, fact })
    });
    let command = order().prop_map(|order| {
        Input::Command(Command { id: 1, at: START, actor: Actor::Operator, note: None, order })
    });
    prop_oneof![
        12 => observed,
        1 => command,
        1 => any::<bool>().prop_map(|on| engine::policy_input(&if on { crowded() } else { policy() })),
    ]
}

/// Frames at times that mostly go on, now and then far, and sometimes back.
fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let step = prop_oneof![
        4 => Just(1i64), 4 => Just(70_000), 2 => Just(3_700_000), 1 => Just(86_400_000),
        1 => Just(9 * 86_400_000), 1 => Just(-86_400_000),
    ];
    let frame = (step, prop::collection::vec(input(), 0..12));
    prop::collection::vec(frame, 1..24).prop_map(|frames| {
        let mut wall = START;
        let with_times = |(step, mut inputs): (i64, Vec<Input>)| {
            wall.0 = wall.0.saturating_add_signed(step);
            for input in &mut inputs {
                if let Input::Observed(seen) = input {
                    seen.at = wall;
                    // A tag means another message later.
                    seen.session += wall.0 / 3_600_000 * 100;
                }
            }
            Frame { wall, salt: [9; 16], inputs }
        };
        frames.into_iter().map(with_times).collect()
    })
}

/// Everything that a step gave, as bytes.
fn bytes(step: &Step) -> (Vec<Vec<u8>>, String) {
    let events = step.events.iter().map(|sealed| sealed.bytes.clone()).collect();
    (events, format!("{:?} {:?} {:?}", step.side_rows, step.receipts, step.alarms))
}

fn run(
    engine: &mut Engine,
    first: u64,
    frames: &[Frame],
    spread: &dyn Spread,
) -> Vec<(Vec<Vec<u8>>, String)> {
    (first..).zip(frames).map(|(position, frame)| bytes(&engine.step(position, frame, spread))).collect()
}

fn fresh() -> Engine {
    Engine::new(ORIGIN, [3, 4], crowded())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn threads_and_order_of_shards_change_no_byte(frames in frames()) {
        let (mut one, mut two, mut three) = (fresh(), fresh(), fresh());
        let events = run(&mut one, 1, &frames, &Alone);
        prop_assert_eq!(&run(&mut two, 1, &frames, &Backwards), &events);
        prop_assert_eq!(&run(&mut three, 1, &frames, &TwoThreads), &events);
        prop_assert_eq!(two.to_checkpoint(), one.to_checkpoint());
        prop_assert_eq!(three.to_checkpoint(), one.to_checkpoint());
    }

    #[test]
    fn from_any_checkpoint_on_the_rest_is_the_same(frames in frames(), at in any::<prop::sample::Index>()) {
        let (before, after) = frames.split_at(at.index(frames.len()));
        let position = before.len() as u64 + 1;
        let mut straight = fresh();
        run(&mut straight, 1, before, &Alone);
        let checkpoint = straight.to_checkpoint();
        let (mut resumed, dropped) = Engine::from_checkpoint(&checkpoint).unwrap();
        prop_assert!(!dropped);
        prop_assert_eq!(resumed.to_checkpoint(), checkpoint);
        let events = run(&mut straight, position, after, &Alone);
        prop_assert_eq!(run(&mut resumed, position, after, &Alone), events);
        prop_assert_eq!(resumed.to_checkpoint(), straight.to_checkpoint());
        prop_assert_eq!(resumed.head(), straight.head());
    }
}

/// Small random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// A day on which more hosts write than the table holds; half of them are blocked.
fn busy_day() -> Vec<Frame> {
    let mut world = World::under(Policy { keys_max: 1, ..policy() });
    let mut dice = Dice(7);
    for _ in 0..250 {
        world.now = world.now.plus(Secs(200));
        for _ in 0..12 {
            let n = u32::try_from(dice.below(4000)).unwrap();
            let host = if n.is_multiple_of(3) { nth_bot(n) } else { nth_server(n) };
            let judged = if n.is_multiple_of(5) { Judgement::Ham } else { Judgement::Spam };
            let judged = (dice.below(3) > 0).then_some(judged);
            world.send(&Mail { judged, exempt: dice.below(9) == 0, ..mail(&host, PEOPLE + dice.below(50)) });
        }
    }
    assert!(world.engine.counters().evicted > 100, "{:?}", world.engine.counters());
    assert!(world.cases.len() > 300, "{}", world.cases.len());
    world.frames
}

#[test]
fn the_council_hears_in_the_order_of_the_inputs() {
    let mut world = World::new();
    let mut inputs = Vec::new();
    for n in 0..200 {
        let tag = world.tag();
        inputs.push(world.observed(tag, mail(&nth_bot(n), PEOPLE).attempt(Answered::Passed)));
        inputs.push(world.observed(tag, verdict(Judgement::Spam, None)));
    }
    world.frame(inputs);
    let expected: Vec<_> = (0..200).map(|n| model::event::Cause::Input(1, 2 * n + 1)).collect();
    // What the site learns of them comes between, in the same order.
    let place = |event: &model::Envelope| match event.cause {
        model::event::Cause::Input(position, index) => (position, index),
        other => panic!("{other:?}"),
    };
    assert!(world.events.is_sorted_by_key(place));
    let opened = world.events.iter().filter(|event| event.case.is_some());
    assert_eq!(opened.map(|event| event.cause).collect::<Vec<_>>(), expected);
}

#[test]
fn a_busy_day_is_the_same_on_two_threads_and_from_checkpoints() {
    let frames = busy_day();
    let start = || Engine::new(ORIGIN, [11, 12], Policy { keys_max: 1, ..policy() });
    let mut one = start();
    let events = run(&mut one, 1, &frames, &Alone);
    let mut two = start();
    assert!(run(&mut two, 1, &frames, &TwoThreads) == events);
    let third = frames.len() / 3;
    let mut resumed = start();
    for part in 0..3 {
        let range = part * third..if part == 2 { frames.len() } else { (part + 1) * third };
        let got = run(&mut resumed, range.start as u64 + 1, &frames[range.clone()], &Backwards);
        assert!(got == events[range]);
        resumed = Engine::from_checkpoint(&resumed.to_checkpoint()).unwrap().0;
    }
    assert!(resumed.to_checkpoint() == one.to_checkpoint());
    assert!(resumed.rollup().eq(one.rollup()));
}

/// A world with a block, a strike, good mail and a shadow case; and the bytes of its engine.
fn rich() -> (World, Vec<u8>) {
    let mut world = World::under(crowded());
    world.spam(&bot("192.0.2.1"), 1);
    world.wait(Secs::DAY);
    world.spam(&bot("192.0.2.1"), 1);
    world.ham(&bot("192.0.2.2"), 3);
    let trapped = server("192.0.2.3");
    (1..=3).for_each(|to| assert!(world.send(&mail(&trapped, to)) || to == 3));
    world.send(&mail(&bot("192.0.2.1"), PEOPLE));
    let protect = Order::Protect("203.0.113.0/24".parse::<Prefix>().unwrap(), true);
    world.order(protect).unwrap();
    let checkpoint = world.engine.to_checkpoint();
    (world, checkpoint)
}

/// Where the two format numbers stand: behind the head of the array.
const FORMAT_AT: usize = 1;
const WINDOWS_AT: usize = 2;

#[test]
fn windows_of_another_format_begin_anew_and_standing_and_cases_are_there() {
    let (mut world, mut checkpoint) = rich();
    checkpoint[WINDOWS_AT] += 1;
    let (engine, dropped) = Engine::from_checkpoint(&checkpoint).unwrap();
    assert!(dropped);
    assert_eq!((engine.running(), engine.sessions()), (world.engine.running(), 0));
    world.engine = engine;
    let blocked = bot("192.0.2.1");
    assert!(world.is_blocked(&blocked));
    world.send(&mail(&blocked, PEOPLE + 1));
    world.wait(Secs::HOUR.times(5));
    assert_eq!(world.count(|e| matches!(e.body, model::Body::CaseEnded(_))), 2, "running cases end");
    world.spam(&blocked, 1);
    assert_eq!(world.cases[&world.newest(&blocked)].lasts(), Secs::HOUR.times(8), "two strikes are known");
    assert_eq!(world.spam(&bot("192.0.2.2"), 3), 3, "good mail is known");
    assert_eq!(world.spam(&bot("203.0.113.9"), 3), 3, "the protected list is known");
}

#[test]
fn a_checkpoint_from_before_messages_were_seen_is_read_without_its_windows() {
    let (mut world, checkpoint) = rich();
    // Nine fields stood in it then; two were put behind them.
    let mut d = minicbor::Decoder::new(&checkpoint);
    d.array().unwrap();
    (0..9).for_each(|_| d.skip().unwrap());
    let mut old = checkpoint[..d.position()].to_vec();
    (old[0], old[WINDOWS_AT]) = (0x89, 1);
    let (engine, dropped) = Engine::from_checkpoint(&old).unwrap();
    assert!(dropped);
    assert_eq!((engine.running(), engine.keys()), (world.engine.running(), world.engine.keys()));
    world.engine = engine;
    assert!(world.is_blocked(&bot("192.0.2.1")));
    assert_eq!(world.spam(&bot("192.0.2.2"), 3), 3, "good mail is known");
}

#[test]
fn a_checkpoint_of_a_later_program_is_refused_by_name() {
    let (_, mut checkpoint) = rich();
    checkpoint[FORMAT_AT] = 7;
    let refused = Engine::from_checkpoint(&checkpoint).err();
    assert_eq!(refused, Some(CheckpointError::Newer { found: 7 }));
    assert_eq!(refused.unwrap().to_string(), "expected a checkpoint of format 1, but got 7");
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let (_, checkpoint) = rich();
    for bytes in [&b""[..], b"\x89", b"\x89\x01", b"hello", &checkpoint[..checkpoint.len() - 1]] {
        assert_eq!(Engine::from_checkpoint(bytes).err(), Some(CheckpointError::Broken));
    }
    let cut =
        (0..checkpoint.len()).step_by(37).filter(|at| Engine::from_checkpoint(&checkpoint[..*at]).is_ok());
    assert_eq!(cut.count(), 0, "no beginning of a checkpoint is one");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_checkpoint_is_refused_or_read_but_never_a_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        frames in frames(),
    ) {
        let (_, mut checkpoint) = rich();
        for (at, byte) in damage {
            let at = at.index(checkpoint.len());
            checkpoint[at] = byte;
        }
        if let Ok((mut engine, _)) = Engine::from_checkpoint(&checkpoint) {
            run(&mut engine, 1, &frames, &Alone);
            engine.to_checkpoint();
        }
    }
}
