//! What the list of domains says: entries by hand, and conduct (OFF-24).

use std::sync::Arc;

use model::case::Lifted;
use model::{Body, Codes, Domain, Hybrid, Key, Lesson, Millis, Mode, Name, Secs, Site, Slight, Subject};

use crate::testing::{event, sentence};
use crate::zone::Why;
use crate::{Projector, View};

/// A whole minute, so that every second behind it is one the index rounds.
const START: Millis = Millis(1_000_000 * 60_000);
const INFORMS: Codes = Codes::of(19);
const OPERATOR: Codes = Codes::of(2);

fn projector() -> Projector {
    Projector::new(Arc::new(Site::default()), Vec::new(), true, [1, 2])
}

fn entry(projector: &mut Projector, seq: u64, domain: &str, until: Millis) {
    projector.apply(seq, &event(seq, START.0, domain, sentence(1, START.0, until.0)));
}

fn learn(projector: &mut Projector, at: Millis, slight: Slight, until: Option<Millis>, mode: Mode) {
    let lesson = Lesson {
        of: Subject::Conduct(Name::new(b"shop.example"), slight),
        quarters: if until.is_some() { 4 } else { 0 },
        until: until.unwrap_or_default(),
        bad: 3,
        good: 0,
    };
    let mut learnt = event(1, at.0, "shop.example", Body::Learnt(lesson));
    (learnt.case, learnt.key, learnt.mode) = (None, None, mode);
    learnt.at = Hybrid { wall: at, count: 0 };
    projector.apply(1, &learnt);
}

/// Codes and exact end of a name at a time.
fn listing(view: &View, name: &str, now: Millis) -> Option<(Codes, Millis)> {
    view.listing_of_name(name, Codes::ALL, now).map(|(listing, _)| (listing.codes, listing.until))
}

#[test]
fn an_entry_holds_on_the_name_and_below_it_to_its_exact_end_and_a_lift_ends_it_at_once() {
    let (mut projector, until) = (projector(), START.plus(Secs(90)));
    entry(&mut projector, 2, "spam.example", until);
    let view = projector.view();
    for name in ["spam.example", "deep.below.spam.example"] {
        assert_eq!(listing(&view, name, START), Some((OPERATOR, until)), "{name}");
        assert_eq!(listing(&view, name, Millis(until.0 - 1)), Some((OPERATOR, until)), "{name}");
        assert_eq!(listing(&view, name, until), None, "{name}");
    }
    assert_eq!(listing(&view, "example", START), None);
    assert!(
        view.lists_names_below("example", OPERATOR, START) && !view.lists_names_below("net", OPERATOR, START)
    );
    let lifted = Body::KeyLifted(Lifted { at: START.plus(Secs(1)), error: false });
    let mut lift = event(3, START.0 + 1000, "spam.example", lifted);
    lift.case = None;
    projector.apply(3, &lift);
    let lifted = projector.view();
    assert_eq!(listing(&lifted, "spam.example", START.plus(Secs(1))), None);
    assert!(!lifted.lists_names_below("example", OPERATOR, START.plus(Secs(1))));
    assert!(listing(&view, "spam.example", START).is_some(), "an old view keeps its answer");
}

#[test]
fn what_holds_against_a_sender_s_domain_is_its_case_or_one_above() {
    let mut projector = projector();
    entry(&mut projector, 2, "spam.example", START.plus(Secs(90)));
    let mut tried = event(3, START.0, "tried.example", sentence(1, START.0, START.0 + 90_000));
    tried.mode = Mode::Shadow;
    projector.apply(3, &tried);
    let view = projector.view();
    let against = |name: &str, mode| view.against_domain(name, mode, START).map(|threat| threat.key);
    let key = |name: &str| Some(Key::Domain(name.parse::<Domain>().unwrap()));
    assert_eq!(against("news.spam.example", Mode::Live), key("spam.example"));
    assert_eq!(against("tried.example", Mode::Shadow), key("tried.example"));
    assert_eq!([against("tried.example", Mode::Live), against("example", Mode::Live)], [None, None]);
    assert_eq!(listing(&view, "tried.example", START), None, "what is tried is not listed");
}

#[test]
fn off_24_conduct_is_listed_for_information_on_the_name_alone() {
    let (mut projector, until) = (projector(), START.plus(Secs(30 * 86_400)));
    learn(&mut projector, START, Slight::Postmaster, Some(until), Mode::Live);
    let view = projector.view();
    assert_eq!(listing(&view, "shop.example", START), Some((INFORMS, until)));
    assert_eq!(listing(&view, "mail.shop.example", START), None, "another's conduct");
    assert!(view.lists_names_below("example", INFORMS, START), "RFC 8020");
    assert!(!view.lists_names_below("example", OPERATOR, START));
    assert_eq!(view.listing_of_name("shop.example", OPERATOR, START), None, "not among those that refuse");
    let why = view.listing_of_name("shop.example", Codes::ALL, START).unwrap().1;
    assert_eq!(why, Why::Conduct { slight: Slight::Postmaster, since: START });
    assert!(!view.listed.has_domains(), "and no sender is looked at for it");
    assert_eq!(view.against_domain("shop.example", Mode::Live, START), None);
    assert_eq!(listing(&view, "shop.example", until), None);
}

#[test]
fn off_24_two_faults_are_one_entry_until_the_later_is_over_or_taken_back() {
    let mut projector = projector();
    let [sooner, later] = [10, 20].map(|days| START.plus(Secs(days * 86_400)));
    learn(&mut projector, START, Slight::Bounces, Some(later), Mode::Live);
    learn(&mut projector, START, Slight::Exchanger, Some(sooner), Mode::Live);
    assert_eq!(listing(&projector.view(), "shop.example", START), Some((INFORMS, later)));
    learn(&mut projector, START.plus(Secs(1)), Slight::Bounces, None, Mode::Live);
    assert_eq!(listing(&projector.view(), "shop.example", START.plus(Secs(1))), Some((INFORMS, sooner)));
    learn(&mut projector, START.plus(Secs(2)), Slight::Exchanger, None, Mode::Live);
    assert_eq!(listing(&projector.view(), "shop.example", START.plus(Secs(2))), None);
    assert!(!projector.view().lists_names_below("example", INFORMS, START.plus(Secs(2))));
}

#[test]
fn off_24_what_is_only_tried_is_not_listed_and_weighs_all_the_same() {
    let (mut projector, until) = (projector(), START.plus(Secs(86_400)));
    learn(&mut projector, START, Slight::Abuse, Some(until), Mode::Shadow);
    let view = projector.view();
    assert_eq!(listing(&view, "shop.example", START), None);
    assert_eq!(view.lessons.conduct(&Name::new(b"shop.example"), START), 4);
    learn(&mut projector, START.plus(Secs(1)), Slight::Abuse, Some(until), Mode::Live);
    assert_eq!(listing(&projector.view(), "shop.example", START.plus(Secs(1))), Some((INFORMS, until)));
    projector.sweep(until);
    assert!(!projector.view().lists_names_below("example", INFORMS, START.plus(Secs(1))), "swept away");
}

#[test]
fn an_entry_and_conduct_of_one_name_give_both_codes_and_change_when_the_first_ends() {
    let (mut projector, until) = (projector(), START.plus(Secs(90)));
    entry(&mut projector, 2, "shop.example", until);
    learn(&mut projector, START, Slight::Abuse, Some(START.plus(Secs(86_400))), Mode::Live);
    let view = projector.view();
    assert_eq!(listing(&view, "shop.example", START), Some((OPERATOR.or(INFORMS), until)));
    assert_eq!(listing(&view, "shop.example", until).unwrap().0, INFORMS);
}
