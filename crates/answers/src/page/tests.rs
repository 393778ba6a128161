//! What the page says, and what it must never say.

use model::case::{BlockKind, Extended, Lifted};
use model::exhibit::ShownField;
use model::finding::Measure;
use model::lasts::Lasts;
use model::policy::TrapKind;
use model::sentence::Tariff;
use model::{
    Actor, Client, Evidence, ExhibitId, Judgement, Millis, Mode, Name, Offence, PersonHash, Rdns, Secs,
    Sensor, Units,
};
use projections::View;

use super::*;
use crate::redact;
use crate::testing::{self, Block, NOW, case};

fn page_of(view: &View, seq: u64, evidence: &[Evidence]) -> CasePage {
    case_page(view, case(seq), evidence, &[], NOW).unwrap().get().clone()
}

fn page(block: Block) -> CasePage {
    page_of(&testing::view(&[block]), 1, &[])
}

fn of(units: &[(Offence, u64)], repeats: u32) -> Block {
    Block::of("192.0.2.25").sentenced(units, repeats)
}

#[track_caller]
fn check_arithmetic(block: Block, expect: &[&str]) {
    let page = page(block);
    let mut lines = vec![page.arithmetic_rule, page.arithmetic];
    lines.extend(page.extensions);
    assert_eq!(lines, expect);
}

const RULE: &str = "Blocked for 6 min per unwanted message received from this server in the last 7 days (at least \
                    2 h, at most 30 d), doubled for each earlier block in the last 90 days (4 count at most).";

#[test]
fn the_sentence_is_told_as_its_formula_with_the_numbers_of_the_case() {
    let spam = |n, repeats| of(&[(Offence::SpamVolume, n)], repeats);
    let here = |text: &str| format!("Here: {text}");
    for (block, expect) in [
        (spam(34, 0), "34 messages × 6 min = 3 h 24 min. Until 2026-11-22 01:05 UTC."),
        (spam(100, 1), "100 messages × 6 min × 2 (1 earlier block) = 20 h. Until 2026-11-22 17:41 UTC."),
        (spam(1, 0), "1 message × 6 min = 6 min, raised to the minimum of 2 h. Until 2026-11-21 23:41 UTC."),
        (
            spam(3, 3),
            "3 messages × 6 min = 18 min, raised to the minimum of 2 h, × 8 (3 earlier blocks) = 16 h. \
             Until 2026-11-22 13:41 UTC.",
        ),
        (
            spam(9000, 6),
            "9000 messages × 6 min × 16 (6 earlier blocks, 4 count) = 600 d, cut to the maximum of 30 d. \
             Until 2026-12-21 21:41 UTC.",
        ),
        (
            of(&[(Offence::SpamVolume, 40), (Offence::Trap, 15)], 0)
                .with(|o| o.facts.push((Measure::DistinctTraps, 3))),
            "55 units × 6 min = 5 h 30 min. Until 2026-11-22 03:11 UTC.",
        ),
    ] {
        check_arithmetic(block, &[RULE, &here(expect)]);
    }
}

#[test]
fn a_fixed_length_is_told_as_such() {
    let day = Secs::DAY;
    let fixed = Tariff { per_unit: Secs(0), floor: day, cap: day, doublings: 0 };
    let block = Block::of("192.0.2.25").with(|o| o.tariff = fixed).sentenced(&[(Offence::SpamVolume, 7)], 2);
    check_arithmetic(
        block,
        &["Blocked for 1 d, whatever the amount.", "Here: 1 d. Until 2026-11-22 21:41 UTC."],
    );
    let by_hand = Block { actor: Actor::Operator, ..Block::of("192.0.2.25") };
    check_arithmetic(by_hand, &["", "An operator set the length: 3 h 24 min. Until 2026-11-22 01:05 UTC."]);
    let unknown = Block::of("192.0.2.25").with(|o| o.until = NOW.plus(Secs::HOUR));
    check_arithmetic(unknown, &["", "The length was 2 h. Until 2026-11-21 23:41 UTC."]);
}

#[test]
fn what_slides_is_told_as_running_from_the_last_of_it() {
    let week = Lasts::of(Offence::Backscatter).tariff(&Tariff::SHIPPED, 0);
    let block = Block::of("192.0.2.25").with(|o| (o.tariff, o.reason) = (week, 10));
    check_arithmetic(
        block.sentenced(&[(Offence::Backscatter, 5)], 2),
        &["Blocked until 7 d have passed since the last of it.", "Here: 7 d. Until 2026-11-28 21:41 UTC."],
    );
}

#[test]
fn each_later_change_of_the_end_stands_on_its_own_line() {
    let mut block = of(&[(Offence::SpamVolume, 100)], 1);
    let until = block.opened.until.plus(Secs(3600 + 24 * 60));
    let later = vec![(Offence::SpamVolume, Units::whole(5))];
    block.extended = Some(Extended { until, later, attempts: 8 });
    block.resentenced = Some(NOW.plus(Secs::HOUR));
    check_arithmetic(
        block.clone(),
        &[
            RULE,
            "Here: 100 messages × 6 min × 2 (1 earlier block) = 20 h. Until 2026-11-22 17:41 UTC.",
            "Later: 5 unwanted messages × 6 min × 2 = 1 h more.",
            "Later: 8 different refused attempts × ¼ × 6 min × 2 = 24 min more (retries of the same message \
             count nothing).",
            "An operator changed the end to 2026-11-21 23:41 UTC.",
        ],
    );
    assert_eq!(page(block).until.to_string(), "2026-11-21 23:41 UTC");
}

#[test]
fn an_end_that_moved_less_than_the_lines_say_is_explained() {
    let mut block = of(&[(Offence::SpamVolume, 34)], 0);
    let until = block.opened.until.plus(Secs::DAY);
    block.extended = Some(Extended { until, later: Vec::new(), attempts: 4000 });
    let last = page(block).extensions.pop().unwrap();
    assert!(last.starts_with("The end moved by 1 d only"), "{last}");
}

#[test]
fn a_case_is_blocked_extended_lifted_ended_or_in_shadow() {
    let extended = Extended { until: NOW.plus(Secs::DAY), later: Vec::new(), attempts: 1 };
    let lifted = Lifted { at: NOW.minus(Secs::MINUTE), error: false };
    let plain = Block::of("192.0.2.25");
    for (block, state, headline) in [
        (plain.clone(), State::Blocked, "Your mail server 192.0.2.25 is blocked at Example Networks"),
        (
            Block { extended: Some(extended), ..plain.clone() },
            State::Extended,
            "Your mail server 192.0.2.25 is blocked at Example Networks",
        ),
        (
            Block { lifted: Some(lifted), ..plain.clone() },
            State::Lifted,
            "The block of your mail server 192.0.2.25 at Example Networks was lifted",
        ),
        (
            plain.clone().with(|o| o.until = NOW),
            State::Ended,
            "Your mail server 192.0.2.25 is no longer blocked at Example Networks",
        ),
        (
            Block { mode: Mode::Shadow, ..plain.clone() },
            State::Shadow,
            "Your mail server 192.0.2.25 is not blocked at Example Networks",
        ),
        (
            plain.with(|o| o.kind = BlockKind::NullRoute),
            State::Blocked,
            "Your mail server 192.0.2.25 can not reach Example Networks",
        ),
    ] {
        let page = page(block);
        assert_eq!((page.state, page.headline.as_str()), (state, headline));
        assert_eq!(page.remaining_s == 0, state.is_over());
        assert_eq!(page.forward.is_empty(), !state.is_in_force());
    }
    let learning = testing::learning(&[Block::of("192.0.2.25")]);
    assert_eq!(page_of(&learning, 1, &[]).state, State::Shadow);
}

#[test]
fn the_first_words_say_why_the_reader_is_here() {
    let because = |reason| page(Block::of("192.0.2.25").with(|o| o.reason = reason)).because;
    assert_eq!(because(2), "Mail from it is refused here because we received spam from it.");
    assert_eq!(
        because(4),
        "Mail from it is refused here because it introduces itself with a name that is ours."
    );
}

#[test]
fn times_are_told_from_the_beginning_to_the_exact_end() {
    let page = page(Block::of("192.0.2.25"));
    assert_eq!(page.since.to_string(), "2026-11-21 21:40 UTC");
    assert_eq!(page.until.to_string(), "2026-11-22 01:05 UTC");
    assert_eq!((page.remaining_s, page.sentence_s, page.served_permille), (8640, 12_240, 294));
}

#[test]
fn an_unknown_case_has_no_page() {
    let view = testing::view(&[Block::of("192.0.2.25")]);
    assert!(case_page(&view, case(2), &[], &[], NOW).is_none());
}

#[test]
fn other_blocks_of_the_key_are_shown_without_shadow_ones() {
    let old = Block::of("192.0.2.25").with(|o| {
        o.from = NOW.minus(Secs::DAY.times(9));
        o.until = NOW.minus(Secs::DAY.times(8));
        o.reason = 3;
    });
    let shadow = Block { mode: Mode::Shadow, ..Block::of("192.0.2.25") };
    let view = testing::view(&[Block::of("192.0.2.25"), old, shadow, Block::of("192.0.2.26")]);
    let told: Vec<_> = page_of(&view, 1, &[])
        .earlier
        .iter()
        .map(|e| format!("{} {} {} {}", e.since, e.until, e.reason, e.state.word()))
        .collect();
    assert_eq!(told, ["2026-11-12 2026-11-13 trap ended"]);
}

#[test]
fn the_text_to_pass_on_has_error_times_address_and_link() {
    let text = page(Block::of("192.0.2.25")).forward;
    for part in [
        "our server 192.0.2.25",
        "Example Networks",
        "since 2026-11-21 21:40 UTC",
        "at 2026-11-22 01:05 UTC",
        "550 5.7.1 [192.0.2.25] blocked: spam received from it.",
        "https://mw.example.org/c/n1-1/",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_page_of_a_domain_speaks_of_mail_of_that_domain() {
    let page = page(Block::of("spam.example").with(|o| o.reason = 1));
    assert_eq!(page.headline, "Mail of spam.example is blocked at Example Networks");
    assert_eq!(
        page.because,
        "Mail from this domain is refused here because the operator of this site decided so."
    );
    for part in [
        "mail of our domain spam.example to Example Networks has been refused",
        "550 5.7.1 Mail of this sender's domain is blocked here. Contact: https://mw.example.org/c/n1-1/",
    ] {
        assert!(page.forward.contains(part), "{part} in {}", page.forward);
    }
}

#[test]
fn who_is_dropped_gets_no_error_to_pass_on() {
    let text = page(Block::of("192.0.2.25").with(|o| o.kind = BlockKind::NullRoute)).forward;
    assert!(text.contains("our server 192.0.2.25 has not reached Example Networks since"), "{text}");
    assert!(!text.contains("550"), "{text}");
}

// What is hidden.

const CANARY: u64 = 0xdead_beef_cafe_f00d;

fn evidence(trap: Option<TrapKind>, at: Millis) -> Evidence {
    Evidence {
        at,
        client: Client {
            addr: "192.0.2.25".parse().unwrap(),
            port: 41_822,
            helo: Some(Name::new(b"mail.example.net")),
            rdns: Rdns::Mismatch(Name::new(b"host.example.net")),
            authenticated: false,
        },
        sensor: Sensor::Milter,
        sender: Some(PersonHash(CANARY)),
        recipients: 3,
        judgement: Some(Judgement::Spam),
        score: Some(1250),
        source: Some(Name::new(b"rspamd")),
        trap,
        exhibit: None,
    }
}

fn samples(evidence: &[Evidence]) -> Vec<Sample> {
    page_of(&testing::view(&[Block::of("192.0.2.25")]), 1, evidence).samples
}

#[test]
fn a_sample_shows_what_the_sender_s_own_log_shows() {
    let sample = &samples(&[evidence(None, NOW)])[0];
    assert_eq!(sample.at.to_string(), "2026-11-21 22:40:07 UTC");
    assert_eq!((sample.address.as_str(), sample.port), ("192.0.2.25", Some(41_822)));
    assert_eq!(sample.helo.as_deref(), Some("mail.example.net"));
    assert_eq!((sample.rdns.as_deref(), sample.rdns_state), (Some("host.example.net"), Some("mismatch")));
    assert_eq!((sample.recipients, sample.judgement), (Some(3), Some("spam")));
    assert_eq!((sample.judge.as_deref(), sample.score.as_deref()), (Some("rspamd"), Some("12.50")));
}

#[test]
fn a_sample_of_a_trap_shows_its_day_and_what_is_blocked() {
    // ADV-5: a prober gives every recipient a HELO name, an address or a PTR of its own.
    let id = ExhibitId([1; 16]);
    let e = Evidence { exhibit: Some(id), ..evidence(Some(TrapKind::Pristine), NOW) };
    let other = Client { addr: "192.0.2.26".parse().unwrap(), ..e.client.clone() };
    let exhibit = Redacted { withheld: vec!["X-Canary".into()], ..Redacted::default() };
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let of = |e: &Evidence| {
        let page = case_page(&view, case(1), std::slice::from_ref(e), &[(id, exhibit.clone())], NOW).unwrap();
        serde_json::to_value(&page.get().samples[0]).unwrap()
    };
    let sample = of(&e);
    let told: Vec<_> = sample
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, v)| !v.is_null())
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let expect: [(&str, serde_json::Value); 2] =
        [("at", "2026-11-21".into()), ("address", "192.0.2.25".into())];
    assert_eq!(told, expect.each_ref().map(|(name, value)| (*name, value)));
    let unlike = Evidence { client: other, recipients: 9, at: NOW.minus(Secs::HOUR), ..e };
    assert_eq!(sample, of(&unlike));
    // The message met a trap, and this unit of it did not.
    assert_eq!(sample, of(&Evidence { trap: None, ..unlike }));
}

#[test]
fn a_sample_shows_the_headers_of_its_message() {
    let id = |n| ExhibitId([n; 16]);
    let exhibit = |withheld: &[&str]| Redacted {
        fields: vec![ShownField { name: "Subject".into(), value: "hello".into(), proven_only: false }],
        withheld: withheld.iter().map(ToString::to_string).collect(),
        size: Some(4711),
        ..Redacted::default()
    };
    let exhibits = [(id(1), exhibit(&["X-Other"])), (id(2), exhibit(&[redact::HELO, redact::PTR]))];
    let all: Vec<_> = [Some(id(1)), Some(id(2)), Some(id(3)), None]
        .map(|exhibit| Evidence { exhibit, ..evidence(None, NOW) })
        .into();
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let samples = case_page(&view, case(1), &all, &exhibits, NOW).unwrap().get().samples.clone();
    let told = |s: &Sample| (s.headers.is_some(), s.helo.is_some(), s.rdns.is_some());
    // What the exhibit withholds because it holds a recipient, the facts withhold, too.
    let expect = [(true, true, true), (true, false, false), (false, true, true), (false, true, true)];
    assert_eq!(samples.iter().map(told).collect::<Vec<_>>(), expect);
}

#[test]
fn samples_do_not_tell_how_many_traps_were_met() {
    let trap = |secs| evidence(Some(TrapKind::Pristine), NOW.minus(Secs(secs)));
    let one = samples(&[trap(3), evidence(None, NOW)]);
    let two = samples(&[trap(9), evidence(None, NOW), trap(3)]);
    assert_eq!(one, two);
    assert_eq!(one.len(), 2);
}

#[test]
fn at_most_five_samples_are_shown_and_none_after_the_end() {
    let nine: Vec<_> = (0..9).map(|n| evidence(None, NOW.minus(Secs(n)))).collect();
    assert_eq!(samples(&nine).len(), 5);
    let ended = testing::view(&[Block::of("192.0.2.25").with(|o| o.until = NOW)]);
    assert_eq!(page_of(&ended, 1, &nine).samples, []);
}

#[test]
fn hostile_names_are_made_visible() {
    let mut e = evidence(None, NOW);
    e.client.helo = Some(Name::new("<script>\u{202e}\r\nx\u{0}\u{200b}é".as_bytes()));
    e.client.rdns = Rdns::Confirmed(Name::new(b"\"><img src=x>"));
    let sample = &samples(&[e])[0];
    assert_eq!(sample.helo.as_deref(), Some("<script>\\xe2\\x80\\xae\\r\\nx\\x00\\xe2\\x80\\x8b\\xc3\\xa9"));
    assert_eq!(sample.rdns.as_deref(), Some("\\\"><img src=x>"));
}

/// A block after `spam` messages and hits on `traps` traps of five units each.
fn trapped(spam: u64, traps: u64, counted: bool) -> Block {
    let units = [(Offence::SpamVolume, spam), (Offence::Trap, traps * 5)];
    let some: Vec<_> = units.into_iter().filter(|(_, n)| *n > 0).collect();
    of(&some, 0).with(|o| {
        o.facts = vec![(Measure::UnitsHour, spam + traps * 5), (Measure::LimitTraps, 3)];
        if counted {
            o.facts.push((Measure::DistinctTraps, traps));
        }
    })
}

/// Everything a page says, without the arithmetic that follows from a sum.
fn told(block: Block) -> String {
    serde_json::to_string(&page(block)).unwrap()
}

#[test]
fn one_trap_and_two_traps_give_the_same_page() {
    for counted in [true, false] {
        assert_eq!(told(trapped(0, 1, counted)), told(trapped(0, 2, counted)));
        assert_eq!(told(trapped(4, 1, counted)), told(trapped(4, 2, counted)));
    }
    let lines = page(trapped(0, 2, true)).units;
    assert_eq!(lines[0].units, None);
    assert!(lines[0].what.contains("fewer than 3 of them"), "{}", lines[0].what);
}

#[test]
fn with_other_evidence_a_sum_does_not_tell_traps_from_spam() {
    // Ten more spams and two traps weigh the same.
    assert_eq!(told(trapped(30, 1, true)), told(trapped(25, 2, true)));
    let page = page(trapped(30, 1, true));
    assert_eq!(page.units.len(), 1);
    assert_eq!(page.units[0].units, Some(Amount(Units::whole(35))));
}

#[test]
fn three_traps_are_counted_openly() {
    let page = page(trapped(30, 3, true));
    assert_eq!(page.units.len(), 2);
    assert!(page.facts.iter().any(|f| f.label.contains("trap addresses written") && f.value == "3"));
}

#[test]
fn later_trap_units_are_not_told_from_others() {
    let with = |later: &[(Offence, u64)]| {
        let mut block = trapped(30, 1, true);
        let later = later.iter().map(|(o, n)| (*o, Units::whole(*n))).collect();
        let until = block.opened.until.plus(Secs(3600));
        block.extended = Some(Extended { until, later, attempts: 0 });
        page(block).extensions
    };
    let expect = ["Later: 10 units × 6 min = 1 h more."];
    assert_eq!(with(&[(Offence::SpamVolume, 5), (Offence::Trap, 5)]), expect);
    assert_eq!(with(&[(Offence::Trap, 10)]), expect);
}

#[test]
fn no_person_is_in_any_public_byte() {
    let traps = [Some(TrapKind::Pristine), Some(TrapKind::Recycled), None];
    let all: Vec<_> = traps.into_iter().map(|t| evidence(t, NOW)).collect();
    let view = testing::view(&[trapped(30, 2, true)]);
    let page = case_page(&view, case(1), &all, &[], NOW).unwrap();
    let bytes = format!("{} {:?}", serde_json::to_string(&page).unwrap(), page.get());
    for canary in [CANARY.to_string(), format!("{CANARY:x}"), "pristine".into(), "recycled".into()] {
        assert!(!bytes.to_lowercase().contains(&canary), "{canary}");
    }
}

#[test]
fn the_json_twin_has_stable_names() {
    let json: serde_json::Value = serde_json::to_value(page_of(
        &testing::view(&[of(&[(Offence::SpamVolume, 100)], 1)]),
        1,
        &[evidence(None, NOW)],
    ))
    .unwrap();
    for (name, value) in [
        ("case", serde_json::json!("n1-1")),
        ("key", serde_json::json!("192.0.2.25")),
        ("state", serde_json::json!("blocked")),
        ("kind", serde_json::json!("rbl")),
        ("reason", serde_json::json!("spam-volume")),
        ("since", serde_json::json!("2026-11-21T21:40:00Z")),
        ("until", serde_json::json!("2026-11-22T17:41:00Z")),
        ("remaining_s", serde_json::json!(68_400)),
        ("units", serde_json::json!([{"offence": "OFF-1", "what": "unwanted messages", "units": 100}])),
        ("repeats", serde_json::json!(1)),
        ("factor", serde_json::json!(2)),
        ("floor_applied", serde_json::json!(false)),
        ("cap_applied", serde_json::json!(false)),
        ("sentence_s", serde_json::json!(72_000)),
        ("contact", serde_json::json!("postmaster@example.org")),
        ("earlier", serde_json::json!([])),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
    assert_eq!(json["facts"][0]["label"], "unwanted messages in one hour");
    assert_eq!(json["samples"][0]["at"], "2026-11-21T22:40:07Z");
    assert!(json["remedy"].is_string());
}

#[test]
fn anybody_may_learn_class_and_hours_of_an_address() {
    let view = testing::view(&[Block::of("203.0.113.0/24")]);
    let ask = |addr: &str| lookup_page(&view, addr.parse().unwrap(), NOW).get().clone();
    let page = ask("::ffff:203.0.113.9");
    assert_eq!((page.about.as_str(), page.key.as_deref()), ("203.0.113.9", Some("203.0.113.0/24")));
    assert_eq!((page.blocked, page.reason), (true, Some("spam-volume")));
    assert_eq!(page.since.unwrap().to_string(), "2026-11-21 21:00 UTC");
    assert_eq!(page.until.unwrap().to_string(), "2026-11-22 02:00 UTC");
    assert!(!ask("192.0.2.26").blocked && ask("192.0.2.26").reason.is_none());
}

#[test]
fn what_is_not_enforced_is_not_said_to_be_blocked() {
    let ask = |view: &View| lookup_page(view, "192.0.2.25".parse().unwrap(), NOW).get().blocked;
    assert!(ask(&testing::view(&[Block::of("192.0.2.25")])));
    assert!(!ask(&testing::learning(&[Block::of("192.0.2.25")])));
    assert!(!ask(&testing::view(&[Block { mode: Mode::Shadow, ..Block::of("192.0.2.25") }])));
}

#[test]
fn a_reference_alone_does_not_tell_the_address() {
    let view =
        testing::view(&[Block::of("192.0.2.25"), Block { mode: Mode::Shadow, ..Block::of("192.0.2.26") }]);
    let page = reference_page(&view, case(1), NOW).unwrap();
    let json = serde_json::to_string(&page).unwrap();
    assert!(json.contains("spam-volume") && !json.contains("192.0.2"), "{json}");
    assert!(!json.contains(&crate::link::Secret::of(&view.site.link_key, case(1)).to_string()));
    assert!(reference_page(&view, case(2), NOW).is_none());
    assert!(reference_page(&view, case(3), NOW).is_none());
}

#[test]
fn off_22_the_page_of_a_network_says_how_many_servers_and_not_which() {
    let reason = model::reasons::of_offence(Offence::PrefixEscalation).unwrap();
    let facts = vec![(Measure::NetworkKeys, 5), (Measure::LimitNetworkKeys, 5), (Measure::NetworkDays, 3)];
    let net = Block::of("203.0.113.0/24").with(|o| {
        (o.reason, o.units, o.facts) = (reason.number, Vec::new(), facts);
        o.tariff = Tariff { per_unit: Secs(0), doublings: 0, ..Tariff::SHIPPED };
    });
    let page = page(Block { holes: vec!["203.0.113.9".parse().unwrap()], ..net });
    assert_eq!(page.key, "203.0.113.0/24");
    assert!(page.because.contains("several servers of its network were blocked lately"), "{}", page.because);
    assert!(page.arithmetic_rule.starts_with("Blocked as long as so many servers"), "{page:?}");
    assert!(page.arithmetic.starts_with("The length at first was "), "{}", page.arithmetic);
    let shown: Vec<String> = page.facts.iter().map(|f| format!("{}: {}", f.label, f.value)).collect();
    assert_eq!(shown[0], "servers of the network that were blocked lately: 5");
    let all = serde_json::to_string(&page).unwrap_or_default();
    assert!(!all.contains("203.0.113.9"), "neither members nor good neighbours: {all}");
    assert!(page.remedy.contains("takes this one server out"), "{}", page.remedy);
}
