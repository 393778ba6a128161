//! No automatic block without evidence, and evidence that the event is bound to.

use model::event::commit;
use model::{Answered, Body, Evidence, Judgement, Secs, Sensor};

use crate::world::{PEOPLE, World, bot, mail, policy, server, verdict};

const ADDR: &str = "192.0.2.25";

fn evidence(world: &World) -> Vec<Evidence> {
    world.side_rows.iter().map(|row| minicbor::decode(&row.body).unwrap()).collect()
}

#[test]
fn a_case_is_bound_to_its_evidence() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 10);
    let event = world.events.iter().find(|e| matches!(e.body, Body::CaseOpened(_))).unwrap();
    let rows = &world.side_rows;
    let commitments: Vec<[u8; 32]> = rows.iter().map(|row| commit(&row.salt, &row.body)).collect();
    assert_eq!(event.evidence.iter().map(|c| **c).collect::<Vec<[u8; 32]>>(), commitments);
    assert!(rows.iter().all(|row| Some(row.case) == event.case));
    assert_eq!(rows.len(), 5, "five of ten are shown, so that nobody can wash a list with them");
}

#[test]
fn evidence_shows_the_sessions_in_the_order_of_time() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 10);
    let shown = evidence(&world);
    assert!(shown.is_sorted_by_key(|e| e.at));
    assert!(shown.iter().all(|e| e.client == host.0 && e.judgement == Some(Judgement::Spam)));
    assert!(shown.iter().all(|e| e.sensor == Sensor::Policy && e.sender.is_some()));
}

#[test]
fn every_side_row_has_a_salt_of_its_own() {
    let mut world = World::new();
    world.spam(&server(ADDR), 10);
    world.spam(&bot("192.0.2.26"), 1);
    let salts: std::collections::BTreeSet<_> = world.side_rows.iter().map(|row| row.salt).collect();
    assert_eq!(salts.len(), world.side_rows.len());
}

#[test]
fn evidence_is_shown_once() {
    let (mut world, host) = (World::new(), bot(ADDR));
    for n in 1..=3 {
        world.spam(&host, 1);
        assert_eq!(world.side_rows.len(), n);
        world.wait(Secs::DAY);
    }
    let cases: std::collections::BTreeSet<_> = world.side_rows.iter().map(|row| row.case).collect();
    assert_eq!(cases.len(), 3);
}

#[test]
fn evidence_older_than_the_units_it_stands_for_is_not_shown() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.spam(&host, 9);
    world.wait(Secs::DAY.times(7));
    let first = world.now;
    world.spam(&host, 30);
    assert!(!world.side_rows.is_empty());
    assert!(evidence(&world).iter().all(|e| e.at > first));
}

#[test]
fn a_greeting_with_our_name_is_evidence_by_itself() {
    let (mut world, host) = (World::new(), server(ADDR).helo("mx.example.org"));
    assert!((0..2).all(|to| world.send(&mail(&host, to))));
    assert_eq!(world.engine.counters().without_evidence, 0);
    assert_eq!(evidence(&world).len(), 2);
}

#[test]
fn what_a_trap_saw_is_marked_and_keeps_its_kind() {
    use model::policy::TrapKind::Recycled;
    let traps = (1..=3).map(|n| (model::PersonHash(n), Recycled)).collect();
    let (mut world, host) = (World::under(model::Policy { traps, ..policy() }), server(ADDR));
    assert!((1..=3).all(|to| world.send(&mail(&host, to))));
    assert!(evidence(&world).iter().all(|e| e.trap == Some(Recycled)));
    assert_eq!(evidence(&world).len(), 3);
}

#[test]
fn a_case_in_shadow_leaves_the_evidence_for_one_that_is_enforced() {
    use model::policy::{RuleMode, TrapKind::Pristine};
    let traps = (1..=3).map(|n| (model::PersonHash(n), Pristine)).collect();
    let modes = vec![(model::Offence::Trap, RuleMode::Shadow)];
    let (mut world, host) = (World::under(model::Policy { traps, modes, ..policy() }), server(ADDR));
    world.spam(&host, 9);
    assert!((1..=3).all(|to| world.send(&mail(&host, to))));
    assert_eq!((world.cases.len(), world.side_rows.len()), (1, 5));
    world.spam(&host, 1);
    assert_eq!((world.cases.len(), world.side_rows.len()), (2, 10));
}

#[test]
fn the_best_sensor_is_named() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let attempt = mail(&host, PEOPLE).attempt(Answered::Passed);
    let seen = [Sensor::MailLog, Sensor::Milter, Sensor::Policy];
    let inputs = seen.map(|sensor| world.observed_by(sensor, 1, attempt.clone()));
    world.frame(inputs.to_vec());
    world.frame(vec![world.observed(1, verdict(Judgement::Spam, None))]);
    assert_eq!(evidence(&world).iter().map(|e| e.sensor).collect::<Vec<_>>(), [Sensor::Milter]);
}
