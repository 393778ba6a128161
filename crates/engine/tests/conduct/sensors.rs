//! Three sensors of one message: the milter, the policy server and the log. Each fact
//! counts once, in whatever order they report.

use engine::Engine;
use model::policy::TrapKind;
use model::{Answered, Content, Input, Judgement, Offence, PersonHash, Policy, Secs, Sensor, Units};

use crate::world::{Host, Mail, PEOPLE, World, bot, end_of_message, ended, mail, policy, server, verdict};

const ADDR: &str = "192.0.2.25";
const SENSORS: [Sensor; 3] = [Sensor::Policy, Sensor::Milter, Sensor::MailLog];

/// All orders of three.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// What one sensor reports of message `n`, under a tag of its own: its recipient, its end
/// with the queue id, and the milter also its judgement.
fn told(world: &World, sensor: Sensor, n: u64, mail: &Mail<'_>) -> Vec<Input> {
    let tag = n * 10 + sensor as u64;
    let mut mail = mail.clone();
    let without_port = Host(model::Client { port: 0, ..mail.from.0.clone() });
    if sensor == Sensor::MailLog {
        mail.from = &without_port;
    }
    let observed = |fact| world.observed_by(sensor, tag, fact);
    let mut inputs = vec![observed(mail.attempt(Answered::Passed))];
    match sensor {
        Sensor::Policy => {}
        Sensor::Milter => {
            inputs.push(observed(ended(900_000 + n, Content::default())));
            inputs.extend(mail.judged.map(|judgement| observed(verdict(judgement, None))));
        }
        _ => inputs.push(observed(end_of_message(900_000 + n))),
    }
    inputs
}

/// `n` messages, one a second, each told by all sensors in this order, each in a frame.
fn tell(world: &mut World, from: &Host, first: u64, n: u64, judged: Judgement, order: [usize; 3]) {
    for n in first..first + n {
        world.now = world.now.plus(Secs(1));
        let mail = Mail { judged: Some(judged), ..mail(from, PEOPLE + n) };
        for sensor in order.map(|place| SENSORS[place]) {
            let inputs = told(world, sensor, n, &mail);
            inputs.into_iter().for_each(|input| world.frame(vec![input]));
        }
    }
}

#[test]
fn thirty_spams_seen_by_three_sensors_are_thirty_units_and_thirty_messages() {
    let mut at_thirty = policy();
    (at_thirty.volume.units_hour, at_thirty.volume.units_day) = (30, 30);
    for order in ORDERS {
        let (mut world, host) = (World::under(at_thirty.clone()), server(ADDR));
        tell(&mut world, &host, 1, 29, Judgement::Spam, order);
        assert!(world.cases.is_empty(), "{order:?}");
        tell(&mut world, &host, 30, 1, Judgement::Spam, order);
        assert_eq!(world.case(&host).units(), Units::whole(30), "{order:?}");
        assert_eq!((world.engine.sessions(), world.engine.deliveries()), (30, 30), "{order:?}");
    }
}

#[test]
fn good_mail_seen_by_three_sensors_is_credited_once() {
    for order in ORDERS {
        let (mut world, host) = (World::new(), server(ADDR));
        // Nine good messages are not the ten of a known server.
        for day in 0..3 {
            tell(&mut world, &host, 1 + day * 3, 3, Judgement::Ham, order);
            world.wait(Secs::DAY.times(3));
        }
        assert_eq!(world.spam(&host, 99), 10, "{order:?}");
    }
}

#[test]
fn a_host_seen_by_three_sensors_carries_no_more_of_our_mail() {
    let (mut world, host) = (World::under(Policy { learn_first: true, ..policy() }), server(ADDR));
    for day in 0..3 {
        for n in 0..85 {
            world.ham(&crate::world::nth_server(n), 1);
        }
        tell(&mut world, &host, 1 + day * 15, 15, Judgement::Ham, ORDERS[0]);
        let before = world.now;
        world.wait(Secs(86_400 - before.secs() % 86_400));
    }
    assert_eq!(world.engine.upstream(), [], "fifteen of a hundred are no fifth");
}

#[test]
fn a_trap_seen_by_three_sensors_is_one_hit() {
    for order in ORDERS {
        let traps = (PEOPLE..PEOPLE + 9).map(|n| (PersonHash(n), TrapKind::Recycled)).collect();
        let (mut world, host) = (World::under(Policy { traps, ..policy() }), server(ADDR));
        for n in 1..=3 {
            assert!(world.cases.is_empty(), "{order:?}");
            tell(&mut world, &host, n, 1, Judgement::Ham, order);
        }
        // Two units a hit; the good messages weigh less than the six.
        assert_eq!(world.case(&host).units(), Units::whole(6), "{order:?}");
    }
}

#[test]
fn two_messages_of_one_connection_are_two() {
    for same_recipient in [true, false] {
        let (mut world, host) = (World::new(), bot(ADDR));
        world.send(&Mail { judged: Some(Judgement::Ham), ..mail(&host, 1) });
        let to = |n: u64| if same_recipient { PEOPLE } else { PEOPLE + n };
        let mails = [1, 2].map(|n| (n, Mail { sender: 7, ..mail(&host, to(n)) }));
        for sensor in SENSORS {
            for (n, mail) in &mails {
                let inputs = told(&world, sensor, *n, mail);
                world.frame(inputs);
            }
        }
        assert_eq!((world.engine.sessions(), world.engine.deliveries()), (3, 2));
        for queue in [900_001, 900_002] {
            world.frame(vec![world.observed_by(Sensor::Filter, 0, verdict(Judgement::Spam, Some(queue)))]);
        }
        assert_eq!(world.engine.counters().unmatched_verdicts, 0);
        world.spam(&host, 99);
        // Ten units in an hour, eight of them here; the good message is outweighed by then.
        assert_eq!(world.case(&host).units(), Units::whole(9));
    }
}

#[test]
fn other_connections_senders_and_times_are_other_messages() {
    let sessions = |change: &dyn Fn(&mut World, &mut Host, &mut u64)| {
        let (mut world, mut host, mut sender) = (World::new(), server(ADDR), 7);
        let told = |world: &mut World, sensor, tag, host: &Host, sender| {
            let attempt = Mail { sender, ..mail(host, PEOPLE) }.attempt(Answered::Passed);
            world.frame(vec![world.observed_by(sensor, tag, attempt)]);
        };
        told(&mut world, Sensor::Policy, 1, &host, sender);
        change(&mut world, &mut host, &mut sender);
        told(&mut world, Sensor::Milter, 2, &host, sender);
        world.engine.sessions()
    };
    assert_eq!(sessions(&|_, _, _| {}), 1);
    assert_eq!(sessions(&|_, host, _| host.0.port = 999), 2);
    assert_eq!(sessions(&|_, host, _| host.0.addr = "192.0.2.26".parse().unwrap()), 2);
    assert_eq!(sessions(&|_, _, sender| *sender = 8), 2);
    assert_eq!(sessions(&|world, _, _| world.now = world.now.plus(Secs(120))), 1);
    assert_eq!(sessions(&|world, _, _| world.now = world.now.plus(Secs(121))), 2);
    assert_eq!(sessions(&|_, host, _| host.0.port = 0), 1, "to the same recipient");
}

#[test]
fn without_a_port_another_recipient_is_another_message() {
    let (mut world, host) = (World::new(), server(ADDR));
    for (sensor, tag, port, to) in [(Sensor::Policy, 1, 41822, 1), (Sensor::MailLog, 2, 0, 2)] {
        let host = Host(model::Client { port, ..host.0.clone() });
        let attempt = Mail { sender: 7, ..mail(&host, PEOPLE + to) }.attempt(Answered::Passed);
        world.frame(vec![world.observed_by(sensor, tag, attempt)]);
    }
    assert_eq!(world.engine.sessions(), 2);
}

#[test]
fn a_sensor_that_does_not_see_recipients_adds_none() {
    for order in [[0, 1], [1, 0]] {
        let (mut world, host) = (World::new(), bot(ADDR));
        for place in order {
            let sensor = SENSORS[place];
            let model::Fact::Attempt(seen) = mail(&host, PEOPLE).attempt(Answered::Passed) else {
                unreachable!()
            };
            let recipient = seen.recipient.filter(|_| sensor == Sensor::Milter);
            let attempt = model::Fact::Attempt(model::Attempt { recipient, ..seen });
            world.frame(vec![world.observed_by(sensor, place as u64, attempt)]);
        }
        world.frame(vec![world.observed_by(Sensor::Milter, 1, verdict(Judgement::Spam, None))]);
        assert_eq!(world.case(&host).units(), Units::whole(1), "{order:?}");
    }
}

#[test]
fn the_order_in_which_sensors_report_changes_no_case() {
    let run = |order: [usize; 3], resumed: bool| {
        let traps = vec![(PersonHash(PEOPLE + 3), TrapKind::Pristine)];
        let mut world = World::under(Policy { traps, ..policy() });
        for (n, host) in [server(ADDR), bot("192.0.2.26"), server("192.0.2.27")].iter().enumerate() {
            let first = 1 + 100 * n as u64;
            tell(&mut world, host, first, 4, Judgement::Ham, order);
            if resumed {
                world.engine = Engine::from_checkpoint(&world.engine.to_checkpoint()).unwrap().0;
            }
            tell(&mut world, host, first + 4, 20, Judgement::Spam, order);
        }
        let case = |filed: &crate::world::Filed| {
            let opened = filed.case.opened.clone().unwrap();
            (filed.key, opened.reason, opened.units, opened.until, opened.caused_at)
        };
        world.cases.values().map(case).collect::<Vec<_>>()
    };
    let expected = run(ORDERS[0], false);
    assert_eq!(expected.len(), 3);
    for order in ORDERS {
        assert_eq!(run(order, false), expected, "{order:?}");
        assert_eq!(run(order, true), expected, "{order:?} from a checkpoint");
    }
    let offences: Vec<Offence> =
        expected.iter().map(|(_, reason, ..)| model::reasons::by_number(*reason).offence).collect();
    assert_eq!(offences, [Offence::Trap, Offence::SpamVolume, Offence::SpamVolume]);
}

#[test]
fn the_best_sensor_s_tag_is_not_needed_to_be_judged() {
    // Whatever tag a verdict names, the message is judged once.
    for tag in [Sensor::Policy, Sensor::Milter, Sensor::MailLog] {
        let (mut world, host) = (World::new(), bot(ADDR));
        tell(&mut world, &host, 1, 1, Judgement::Spam, ORDERS[0]);
        let judge = world.observed_by(Sensor::Filter, 10 + tag as u64, verdict(Judgement::Spam, None));
        world.frame(vec![judge]);
        world.wait(Secs(61));
        assert_eq!(world.case(&host).case.units(), [(Offence::SpamVolume, Units::whole(1))]);
        assert_eq!(world.engine.counters().unmatched_verdicts, 0);
    }
}
