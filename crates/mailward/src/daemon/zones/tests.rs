//! A keeper over a projector, with a clock of the test's: copies follow step by step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::case::{BlockKind, Lifted, Opened};
use model::event::{Cause, EventId, FORMAT, Node};
use model::sentence::{Severity, Tariff};
use model::{
    Actor, Body, CaseId, Class, Codes, Envelope, Hybrid, Key, Lesson, Millis, Mode, Name, NetworkNews, Site,
    Slight, Subject,
};
use projections::Projector;
use projections::records::{Owner, Rows, owner_text};

use super::keeper::{Keeper, Limits};
use super::news::{News, Told};
use crate::testing::Scratch;

fn event(seq: u64, at: u64, key: &str, body: Body) -> Envelope {
    let id = EventId { node: Node(1), life: 1, seq };
    Envelope {
        format: FORMAT,
        site: 1,
        id,
        prev: [0; 32],
        at: Hybrid { wall: Millis(at), count: 0 },
        cause: Cause::Input(1, 0),
        actor: Actor::Engine,
        rule: None,
        mode: Mode::Live,
        case: Some(CaseId(id)),
        key: Some(key.parse().unwrap()),
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body,
    }
}

/// A domain has no postmaster until then, or has one again.
pub(super) fn learnt(seq: u64, at: u64, until: Option<u64>) -> Envelope {
    let of = Subject::Conduct(Name::new(b"shop.example"), Slight::Postmaster);
    let (quarters, until) = (u8::from(until.is_some()), Millis(until.unwrap_or_default()));
    let learnt = Body::Learnt(Lesson { of, quarters, until, bad: 3, good: 0 });
    Envelope { key: None, case: None, ..event(seq, at, "shop.example", learnt) }
}

pub(super) fn lifted(key: &str) -> Envelope {
    event(1, 1_000, key, Body::KeyLifted(Lifted { at: Millis(1_000), error: false }))
}

fn opened(from: u64, until: u64) -> Body {
    Body::CaseOpened(Opened {
        kind: BlockKind::Rbl,
        reason: 2,
        from: Millis(from),
        until: Millis(until),
        caused_at: Millis(from),
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Minor,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff::SHIPPED,
    })
}

/// A site with a keeper, and a copy of `bl` that fetches differences only.
struct World {
    scratch: Scratch,
    projector: Projector,
    keeper: Keeper,
    limits: Limits,
    copy: BTreeMap<Owner, Codes>,
    serial: u32,
    seq: u64,
}

const BL: usize = 0;
const START: u64 = 1_795_300_807_000;

impl World {
    fn new(name: &str) -> World {
        World::within(Limits::USUAL, name)
    }

    fn within(limits: Limits, name: &str) -> World {
        let scratch = Scratch::new(name);
        let projector = Projector::new(Arc::new(Site::default()), Vec::new(), true, [1, 2]);
        let keeper = open(&scratch, &projector, limits, START, 1);
        let edition = keeper.edition(BL);
        let copy = Rows::new(&edition.entries, edition.zone).map(|row| (row.owner, row.codes)).collect();
        World { scratch, projector, keeper, limits, copy, serial: edition.serial, seq: 0 }
    }

    fn block(&mut self, key: &str, at: u64, until: u64) {
        self.apply(key, at, opened(at, until));
    }

    fn apply(&mut self, key: &str, at: u64, body: Body) {
        self.seq += 1;
        self.projector.apply(self.seq, &event(self.seq, at, key, body));
        let told = Told { keys: vec![key.parse::<Key>().unwrap()], all: false };
        self.keeper.take(&told, &self.projector.view(), Millis(at));
    }

    /// Time goes on, and what changed is published.
    fn step(&mut self, at: u64) {
        self.keeper.take(&Told::default(), &self.projector.view(), Millis(at));
        if self.keeper.has_changes() {
            self.keeper.step(Millis(at)).unwrap();
        }
    }

    /// The copy fetches the differences since it last came; what it has then must be what is
    /// served.
    #[track_caller]
    fn fetch(&mut self) -> Vec<String> {
        let edition = self.keeper.edition(BL);
        if edition.serial != self.serial {
            for step in edition.past.between(self.serial, edition.serial).expect("all steps are there") {
                for change in &step.changes {
                    assert_eq!(self.copy.remove(&change.owner).unwrap_or_default(), change.before);
                    if !change.after.is_empty() {
                        self.copy.insert(change.owner.clone(), change.after);
                    }
                }
            }
        }
        self.serial = edition.serial;
        let served: BTreeMap<_, _> =
            Rows::new(&edition.entries, edition.zone).map(|row| (row.owner, row.codes)).collect();
        assert_eq!(self.copy, served);
        let names = served.keys().map(|owner| owner_text(owner, &edition.zone));
        names.filter(|name| !name.ends_with(".127") && !name.contains("7.f.f.f.f")).collect()
    }

    fn restart(&mut self, at: u64) {
        self.keeper = open(&self.scratch, &self.projector, self.limits, at, 1);
    }
}

fn open(scratch: &Scratch, projector: &Projector, limits: Limits, at: u64, print: u8) -> Keeper {
    let path = scratch.path().join("zones.log");
    Keeper::open(&path, [print; 32], limits, &projector.view(), Millis(at)).unwrap()
}

#[test]
fn a_block_is_one_step_and_its_end_another_without_an_event() {
    let mut world = World::new("zones-step");
    let first = world.serial;
    world.block("192.0.2.1", START, START + 60_500);
    world.block("2001:db8:1:2::/64", START, START + 9_000_000);
    world.step(START + 1);
    let six = "*.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2";
    assert_eq!(world.fetch(), ["1.2.0.192", six]);
    assert_eq!(world.serial, first + 1, "both in one");
    world.step(START + 60_499);
    assert_eq!((world.fetch().len(), world.serial), (2, first + 1), "not one millisecond early");
    world.step(START + 60_500);
    assert_eq!(world.fetch(), [six]);
    world.apply(
        "2001:db8:1:2::/64",
        START + 70_000,
        Body::KeyLifted(Lifted { at: Millis(START + 70_000), error: false }),
    );
    world.step(START + 70_000);
    assert!(world.fetch().is_empty());
}

#[test]
fn off_22_a_hole_in_a_network_is_no_name() {
    let mut world = World::new("zones-hole");
    world.block("192.0.2.0/24", START, START + 9_000_000);
    world.step(START);
    assert_eq!(world.fetch(), ["*.2.0.192"]);
    let case = CaseId(EventId { node: Node(1), life: 1, seq: 1 });
    let holes = Body::Network(NetworkNews::Holes(vec!["192.0.2.7".parse().unwrap()]));
    world.seq += 1;
    let event = Envelope { case: Some(case), ..event(world.seq, START + 1, "192.0.2.0/24", holes) };
    world.projector.apply(world.seq, &event);
    let told = Told { keys: vec!["192.0.2.0/24".parse().unwrap()], all: false };
    world.keeper.take(&told, &world.projector.view(), Millis(START + 1));
    world.step(START + 1);
    let names = world.fetch();
    assert_eq!((names.len(), names.contains(&"7.2.0.192".to_owned())), (255, false));
}

#[test]
fn rfc_1995_a_copy_catches_up_by_steps_across_a_restart() {
    let mut world = World::new("zones-restart");
    world.block("192.0.2.1", START, START + 60_000);
    world.step(START);
    world.fetch();
    world.block("192.0.2.2", START + 1_000, START + 9_000_000);
    world.step(START + 1_000);
    // The copy was away; meanwhile we are down, and a block ends.
    world.restart(START + 100_000);
    assert_eq!(world.fetch(), ["2.2.0.192"]);
    let serial = world.serial;
    world.restart(START + 100_001);
    assert_eq!((world.fetch().len(), world.serial), (1, serial), "nothing changed, nothing is told");
}

#[test]
fn rfc_1982_a_number_never_goes_back_with_the_clock() {
    let mut world = World::new("zones-clock");
    for nth in 0..5 {
        world.block(&format!("192.0.2.{nth}"), START, START + 9_000_000);
        world.step(START);
    }
    let serial = world.fetch().len() as u32 + world.serial;
    world.restart(START - 86_400_000);
    assert_eq!(world.keeper.edition(BL).serial, serial - 5);
    // With another file of zones than ours, numbers go on from the time, later than all given.
    drop(std::fs::remove_file(world.scratch.path().join("zones.log")));
    world.restart(START + 86_400_000);
    assert!(world.keeper.edition(BL).serial > serial);
}

#[test]
fn a_damaged_file_leads_to_whole_zones_with_later_numbers() {
    let mut world = World::new("zones-damage");
    world.block("192.0.2.1", START, START + 9_000_000);
    world.step(START);
    world.fetch();
    let path = world.scratch.path().join("zones.log");
    let mut octets = std::fs::read(&path).unwrap();
    let last = octets.len() - 1;
    octets[last] ^= 1;
    std::fs::write(&path, octets).unwrap();
    world.restart(START + 60_000);
    let edition = world.keeper.edition(BL);
    assert!(edge::dns::transfer::is_later(edition.serial, world.serial));
    assert_eq!(edition.past.between(world.serial, edition.serial), None);
}

#[test]
fn other_words_of_the_site_lead_to_whole_zones() {
    let mut world = World::new("zones-words");
    world.block("192.0.2.1", START, START + 9_000_000);
    world.step(START);
    world.fetch();
    let edition = open(&world.scratch, &world.projector, Limits::USUAL, START, 2).edition(BL);
    assert_eq!((edition.serial, edition.past.all().len()), (world.serial + 1, 0));
}

#[test]
fn everything_is_compared_when_news_were_lost() {
    let mut world = World::new("zones-lost");
    world.block("192.0.2.1", START, START + 9_000_000);
    world.step(START);
    for (nth, key) in ["192.0.2.2", "example.com"].into_iter().enumerate() {
        let seq = 10 + nth as u64;
        world.projector.apply(seq, &event(seq, START + 1, key, opened(START + 1, START + 9_000_000)));
    }
    let lifted = Lifted { at: Millis(START + 2), error: false };
    world.projector.apply(12, &event(12, START + 2, "192.0.2.1", Body::KeyLifted(lifted)));
    world.keeper.take(&Told { keys: Vec::new(), all: true }, &world.projector.view(), Millis(START + 2));
    world.step(START + 2);
    assert_eq!(world.fetch(), ["2.2.0.192"]);
    let dom =
        (0..world.keeper.zones()).map(|zone| world.keeper.edition(zone)).find(|e| e.zone.label == "dom");
    assert_eq!(Rows::new(&dom.unwrap().entries, projections::records::Zone::of("dom").unwrap()).count(), 3);
}

/// What the list of domains holds beside its test entry.
fn domains(keeper: &Keeper) -> Vec<(Owner, Codes)> {
    let mut editions = (0..keeper.zones()).map(|zone| keeper.edition(zone));
    let dom = editions.find(|edition| edition.zone.label == "dom").unwrap();
    let rows = Rows::new(&dom.entries, dom.zone).map(|row| (row.owner, row.codes));
    rows.filter(|(owner, _)| *owner != Owner::Name("test".into())).collect()
}

#[test]
fn off_24_conduct_stands_in_the_list_of_domains_until_it_ends_or_is_taken_back() {
    let (mut world, news) = (World::new("zones-conduct"), News::default());
    news.listen();
    let learn = |world: &mut World, at: u64, until: Option<u64>| {
        world.seq += 1;
        let event = learnt(world.seq, at, until);
        world.projector.apply(world.seq, &event);
        news.tell([&event].into_iter());
        world.keeper.take(&news.wait(Duration::ZERO), &world.projector.view(), Millis(at));
        world.step(at);
    };
    let listed = [(Owner::Name("shop.example".into()), Codes::of(19))];
    learn(&mut world, START, Some(START + 90_000));
    assert_eq!(domains(&world.keeper), listed, "the name alone");
    world.restart(START + 1);
    assert_eq!(domains(&world.keeper), listed);
    world.step(START + 89_999);
    assert_eq!(domains(&world.keeper), listed, "not one millisecond early");
    world.step(START + 90_000);
    assert_eq!(domains(&world.keeper), []);
    learn(&mut world, START + 91_000, Some(START + 900_000));
    assert_eq!(domains(&world.keeper), listed);
    learn(&mut world, START + 92_000, None);
    assert_eq!(domains(&world.keeper), []);
    // News that were lost are made up for.
    world.projector.apply(9, &learnt(9, START + 93_000, Some(START + 900_000)));
    let told = Told { keys: Vec::new(), all: true };
    world.keeper.take(&told, &world.projector.view(), Millis(START + 93_000));
    world.step(START + 93_000);
    assert_eq!(domains(&world.keeper), listed);
}

#[test]
fn rfc_1995_no_step_leads_over_a_state_that_the_file_does_not_hold() {
    let mut world = World::within(Limits { rows: 1, ..Limits::USUAL }, "zones-large");
    world.block("192.0.2.1", START, START + 60_000);
    world.step(START);
    world.fetch();
    world.block("192.0.2.2", START + 1_000, START + 9_000_000);
    world.step(START + 1_000);
    // At the second start no step stands behind the state in the file.
    for at in [START + 100_000, START + 200_000] {
        world.restart(at);
        let edition = world.keeper.edition(BL);
        assert!(edge::dns::transfer::is_later(edition.serial, world.serial));
        assert_eq!((edition.past.between(world.serial, edition.serial), edition.past.all().len()), (None, 0));
    }
}

#[test]
fn more_changes_than_are_compared_lead_to_whole_zones() {
    let mut world = World::within(Limits { places: 2, ..Limits::USUAL }, "zones-many");
    (1..=2).for_each(|nth| world.block(&format!("192.0.2.{nth}"), START, START + 9_000_000));
    world.step(START);
    assert_eq!(world.fetch().len(), 2, "as many as that are a step");
    (3..=9).for_each(|nth| world.block(&format!("192.0.2.{nth}"), START, START + 9_000_000));
    assert_eq!(world.keeper.step(Millis(START + 1)).unwrap().len(), world.keeper.zones());
    let edition = world.keeper.edition(BL);
    assert_eq!((edition.past.between(world.serial, edition.serial), edition.past.all().len()), (None, 0));
    world.restart(START + 2);
    assert_eq!(world.keeper.edition(BL).serial, edition.serial, "a start compares whole states");
}

#[test]
fn whole_zones_that_could_not_be_written_are_announced_when_they_are() {
    let mut world = World::within(Limits { record: 8, ..Limits::USUAL }, "zones-disk");
    world.block("192.0.2.1", START, START + 9_000_000);
    std::fs::remove_dir_all(world.scratch.path()).unwrap();
    world.keeper.step(Millis(START)).unwrap_err();
    assert!(world.keeper.has_changes());
    std::fs::create_dir(world.scratch.path()).unwrap();
    assert_eq!(world.keeper.step(Millis(START + 1)).unwrap().len(), world.keeper.zones());
    assert!(!world.keeper.has_changes());
    let edition = world.keeper.edition(BL);
    assert_eq!(edition.past.between(world.serial, edition.serial), None);
}
