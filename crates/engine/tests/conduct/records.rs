//! Blocks by hand: their price, and the records of curated ones.

use engine::{Alarm, CommandError, Price};
use model::finding::Measure;
use model::{BlockKind, Body, CaseId, Entry, Mode, Order, Prefix, Record, Secs};

use crate::world::{World, bot, server};

const DAY: u64 = 86_400;

fn net(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn entry(key: &str) -> Entry {
    let (key, lasts) = (key.parse().unwrap(), Secs(90 * DAY));
    Entry { key, kind: BlockKind::Rbl, lasts, even_so: false, spares_good: false, record: None }
}

fn record(key: &str, number: Option<u32>) -> Entry {
    Entry { record: Some(Record { number, evidence: 1, decision: false }), ..entry(key) }
}

fn enter(world: &mut World, entry: Entry) -> Result<Vec<CaseId>, CommandError> {
    world.order(Order::Enter(entry.into()))
}

fn fact(world: &World, case: CaseId, measure: Measure) -> u64 {
    let opened = world.cases[&case].case.opened.as_ref().unwrap();
    opened.facts.iter().find(|(known, _)| *known == measure).unwrap().1
}

#[test]
fn a_4_curated_without_evidence_and_without_the_operators_word_is_refused() {
    let mut world = World::new();
    let bare = Record { number: None, evidence: 0, decision: false };
    let with = |record| Entry { record: Some(record), ..entry("203.0.113.7") };
    assert_eq!(enter(&mut world, with(bare)), Err(CommandError::NoEvidence));
    assert!(world.cases.is_empty());
    let case = enter(&mut world, with(Record { decision: true, ..bare })).unwrap()[0];
    assert_eq!(world.cases[&case].case.opened.as_ref().unwrap().reason, model::reasons::CURATED);
    assert_eq!(fact(&world, case, Measure::RecordNumber), 1);
}

#[test]
fn a_4_curated_rings_at_its_review_and_is_gone_fourteen_days_later() {
    let mut world = World::new();
    let case = enter(&mut world, record("203.0.113.7", Some(41))).unwrap()[0];
    world.wait(Secs(90 * DAY - 60));
    assert!(!world.alarms.contains(&Alarm::ReviewDue) && world.engine.records_due().is_empty());
    world.wait(Secs(60));
    assert!(world.alarms.contains(&Alarm::ReviewDue));
    assert_eq!(world.engine.records_due(), [(41, case)]);
    world.wait(Secs(14 * DAY - 1));
    assert!(world.against(net("203.0.113.7"), Mode::Live).is_some());
    world.wait(Secs(1));
    assert_eq!(world.against(net("203.0.113.7"), Mode::Live), None);
    assert_eq!(world.count(|e| e.case == Some(case) && matches!(e.body, Body::CaseEnded(_))), 1);
    world.wait(Secs(1));
    assert!(world.engine.records_due().is_empty(), "and nobody is reminded of it");
    assert_eq!(world.alarms.iter().filter(|a| **a == Alarm::ReviewDue).count(), 1, "it rings once");
}

#[test]
fn a_4_curated_widened_from_an_address_to_its_network_keeps_its_history() {
    let mut world = World::new();
    let one = enter(&mut world, record("203.0.113.7", Some(41))).unwrap()[0];
    world.wait(Secs(10 * DAY));
    let all = enter(&mut world, record("203.0.113.0/24", Some(41))).unwrap()[0];
    assert_eq!([one, all].map(|case| fact(&world, case, Measure::RecordNumber)), [41, 41]);
    assert_eq!([one, all].map(|case| fact(&world, case, Measure::RecordEarlier)), [0, 1]);
    assert_eq!(world.against(net("203.0.113.0/24"), Mode::Live), Some(all));
    assert!(world.cases[&one].case.lifted.is_some(), "the new entry takes the old one's place");
    let elsewhere = enter(&mut world, record("198.51.100.7", Some(41)));
    assert_eq!(elsewhere, Err(CommandError::OtherRecord(41, net("203.0.113.0/24"))));
    let next = enter(&mut world, record("198.51.100.7", None)).unwrap()[0];
    assert_eq!(fact(&world, next, Measure::RecordNumber), 42);
    // The same key again is an edit: its review begins anew.
    let again = enter(&mut world, record("203.0.113.0/24", Some(41))).unwrap()[0];
    assert_eq!(fact(&world, again, Measure::RecordEarlier), 2);
    assert_eq!(world.against(net("203.0.113.0/24"), Mode::Live), Some(again));
}

#[test]
fn s_42_m_8_a_network_with_good_mail_is_blocked_at_a_second_word_only() {
    let mut world = World::new();
    for last in [20, 21] {
        world.ham(&server(&format!("203.0.113.{last}")), 3);
    }
    let network = net("203.0.113.0/24");
    let price = Price { messages: 6, senders: 2, recipients: 3 };
    assert_eq!(enter(&mut world, entry("203.0.113.0/24")), Err(CommandError::OverBudget(network, price)));
    assert!(world.cases.is_empty());
    let text = CommandError::OverBudget(network, price).to_string();
    assert_eq!(
        text,
        "203.0.113.0/24 sent 6 good messages in 30 days, from 2 servers to at least 3 of our users; add \
         --spare-good to let those servers through, or --even-so"
    );
    // One server is always one's own to judge, and so is a network without good mail.
    assert!(enter(&mut world, entry("203.0.113.20")).is_ok());
    assert!(enter(&mut world, entry("198.51.100.0/24")).is_ok());
    let case = enter(&mut world, Entry { even_so: true, ..entry("203.0.113.0/24") }).unwrap()[0];
    assert!(world.cases[&case].case.holes.is_empty());
}

#[test]
fn m_8_good_servers_are_let_through_a_block_by_hand() {
    let mut world = World::new();
    world.ham(&server("203.0.113.20"), 3);
    let case = enter(&mut world, Entry { spares_good: true, ..entry("203.0.113.0/24") }).unwrap()[0];
    assert_eq!(world.cases[&case].case.holes, [net("203.0.113.20")]);
}

#[test]
fn m_8_good_mail_of_servers_that_had_to_be_forgotten_counts() {
    let mut policy = crate::world::policy();
    policy.keys_max = 1024;
    let mut world = World::under(policy);
    world.ham(&server("203.0.113.20"), 3);
    for n in 0..4000 {
        world.ham(&crate::world::nth_server(n), 1);
    }
    let over = enter(&mut world, entry("203.0.113.0/24"));
    let Err(CommandError::OverBudget(_, price)) = over else {
        panic!("expected its price, but got {over:?}")
    };
    assert_eq!((price.messages, price.senders), (3, 0));
    world.wait(Secs(31 * DAY));
    assert!(enter(&mut world, entry("203.0.113.0/24")).is_ok(), "good mail counts for 30 days");
}

#[test]
fn std_16_a_very_wide_network_needs_a_second_word_whatever_it_costs() {
    let mut world = World::new();
    assert!(enter(&mut world, entry("11.0.0.0/16")).is_ok());
    let wide = enter(&mut world, entry("12.0.0.0/15"));
    assert!(matches!(wide, Err(CommandError::OverBudget(..))), "{wide:?}");
    assert!(enter(&mut world, Entry { even_so: true, ..entry("12.0.0.0/15") }).is_ok());
    let floor = enter(&mut world, Entry { even_so: true, ..entry("16.0.0.0/8") });
    assert!(matches!(floor, Err(CommandError::Protected(_))), "the hard floor stands");
}

#[test]
fn an_old_order_to_block_is_carried_out_as_before() {
    let mut world = World::new();
    world.ham(&server("203.0.113.20"), 3);
    let key = "203.0.113.0/24".parse().unwrap();
    assert!(world.order(Order::Block(key, BlockKind::Rbl, Secs(3600))).is_ok());
    assert_eq!(world.spam(&bot("198.51.100.9"), 1), 1);
}
