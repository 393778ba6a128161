//! OFF-6: who takes up connections and sends no mail is dropped for a while, longer each time.

use model::observation::Sessions;
use model::policy::RuleMode;
use model::{BlockKind, Connected, Fact, Mode, Offence, Order, Policy, Secs, Sensor, Units};

use crate::world::{Host, World, bot, policy, server};

const ADDR: &str = "192.0.2.25";
/// Ten new connections, ended without a recipient.
const TEN: Sessions = Sessions { at_once: 5, begun: 10, ended: 10, reached: 0, strained: false };

/// A report each second until the host is blocked; says how many.
fn connects(world: &mut World, host: &Host, sensor: Sensor, sessions: Sessions, seconds: u64) -> u64 {
    for n in 0..seconds {
        if world.is_blocked(host) {
            return n;
        }
        world.now = world.now.plus(Secs(1));
        let fact = Fact::Connected(Connected { client: host.0.clone(), sessions });
        let tag = world.tag();
        world.frame(vec![world.observed_by(sensor, tag, fact)]);
    }
    seconds
}

/// The length of the newest block, when it has ended.
fn served(world: &mut World, host: &Host) -> String {
    let lasts = world.lasts(host);
    world.wait(lasts);
    lasts.to_string()
}

#[test]
fn off_6_s19_a_flood_without_mail_makes_a_null_route_of_a_quarter_of_an_hour() {
    let (mut world, host) = (World::new(), server(ADDR));
    assert_eq!(connects(&mut world, &host, Sensor::Milter, TEN, 60), 13);
    let case = world.case(&host);
    let opened = case.case.opened.as_ref().unwrap();
    assert!(case.is_for(Offence::Flood));
    assert_eq!((opened.kind, case.lasts()), (BlockKind::NullRoute, Secs(900)));
    assert!(case.units() > Units::ZERO && opened.facts.len() == 6);
    assert!(!world.side_rows.is_empty(), "connections are its evidence");
}

#[test]
fn off_6_each_flood_within_a_day_after_the_last_lasts_longer() {
    let (mut world, host) = (World::new(), server(ADDR));
    let lengths: Vec<String> = (0..5)
        .map(|_| {
            connects(&mut world, &host, Sensor::Milter, TEN, 60);
            let lasts = served(&mut world, &host);
            world.wait(Secs::HOUR.times(23));
            lasts
        })
        .collect();
    assert_eq!(lengths, ["15 min", "1 h", "6 h", "1 d", "1 d"]);
    world.wait(Secs::DAY);
    connects(&mut world, &host, Sensor::Milter, TEN, 60);
    assert_eq!(served(&mut world, &host), "15 min", "after a day of peace it is the first again");
}

#[test]
fn sen_6_a_block_in_error_is_a_step_back_on_the_ladder() {
    let (mut world, host) = (World::new(), server(ADDR));
    connects(&mut world, &host, Sensor::Milter, TEN, 60);
    served(&mut world, &host);
    connects(&mut world, &host, Sensor::Milter, TEN, 60);
    let case = world.newest(&host);
    world.order(Order::LiftCase(case, true)).unwrap();
    world.wait(Secs::HOUR);
    connects(&mut world, &host, Sensor::Milter, TEN, 60);
    assert_eq!(world.lasts(&host), Secs::HOUR);
}

#[test]
fn off_6_many_connections_that_bring_mail_block_nobody() {
    let (mut world, host) = (World::new(), server(ADDR));
    let busy = Sessions { at_once: 200, begun: 40, ended: 40, reached: 4, strained: false };
    assert_eq!(connects(&mut world, &host, Sensor::Milter, busy, 120), 120);
    let open = Sessions { ended: 0, reached: 0, ..busy };
    assert_eq!(connects(&mut world, &host, Sensor::Milter, open, 120), 120, "concurrency alone is no block");
}

#[test]
fn off_6_established_and_protected_senders_are_never_dropped() {
    let (mut world, friend) = (World::new(), server(ADDR));
    world.befriend(&friend, 20, 8);
    assert_eq!(
        connects(&mut world, &friend, Sensor::Milter, Sessions { begun: 999, ended: 999, ..TEN }, 60),
        60
    );
    let protected = vec!["192.0.2.0/24".parse().unwrap()];
    let mut world = World::under(Policy { protected, ..policy() });
    assert_eq!(connects(&mut world, &bot(ADDR), Sensor::Milter, TEN, 99), 99);
}

// ADV-1: an attacker sends a million packets in the name of a victim. No fact speaks of
// packets; and counts of whoever does not see the connections themselves are not believed.
#[test]
fn adv_1_what_others_say_of_connections_blocks_nobody() {
    for sensor in [Sensor::Filter, Sensor::Report] {
        let (mut world, victim) = (World::new(), server(ADDR));
        let million = Sessions { at_once: 1_000_000, begun: 1_000_000, ended: 1_000_000, ..TEN };
        assert_eq!(connects(&mut world, &victim, sensor, million, 60), 60);
        assert!(world.events.is_empty() && world.engine.keys() == 0, "{sensor:?}");
    }
}

#[test]
fn off_6_in_shadow_it_climbs_a_ladder_of_its_own() {
    let modes = vec![(Offence::Flood, RuleMode::Shadow)];
    let (mut world, host) = (World::under(Policy { modes, ..policy() }), server(ADDR));
    connects(&mut world, &host, Sensor::Milter, TEN, 60);
    assert!(world.against(host.key(), Mode::Shadow).is_some());
    world.wait(Secs::HOUR);
    world.frame(vec![engine::policy_input(&policy())]);
    connects(&mut world, &host, Sensor::Milter, TEN, 60);
    assert_eq!(world.lasts(&host), Secs(900), "what shadow did lengthens nothing that is enforced");
}

#[test]
fn off_6_who_is_refused_already_can_be_dropped() {
    let (mut world, host) = (World::new(), bot(ADDR));
    world.spam(&host, 1);
    for _ in 0..20 {
        world.now = world.now.plus(Secs(1));
        let fact = Fact::Connected(Connected { client: host.0.clone(), sessions: TEN });
        let tag = world.tag();
        world.frame(vec![world.observed_by(Sensor::Milter, tag, fact)]);
    }
    let kinds: Vec<_> = world.cases_of(&host).iter().map(|c| c.case.opened.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [BlockKind::Rbl, BlockKind::NullRoute]);
}
