//! Annex 3 of the requirements, question by question (RFC 5782, RFC 8020, RFC 2308).

use model::Millis;
use model::case::Lifted;
use model::{Body, Mode};

use super::*;
use crate::testing::event;

/// What an answer must be.
enum Expect {
    /// These addresses.
    Listed(&'static [&'static str]),
    /// NOERROR and nothing.
    NoData,
    /// NXDOMAIN.
    Nothing,
}

use Expect::{Listed, NoData, Nothing};

#[track_caller]
fn check(desk: &mut Desk, name: &str, rtype: RecordType, expect: &Expect) {
    let name = if name.is_empty() { "bl.example.".to_owned() } else { format!("{name}.bl.example.") };
    let answer = desk.ask(&name, rtype);
    assert_eq!(answer.metadata.id, 0x1234);
    assert!(answer.metadata.authoritative && !answer.metadata.recursion_available, "{answer}");
    match expect {
        Listed(codes) => {
            assert_eq!((code(&answer), said(&answer)), (ResponseCode::NoError, codes.map_owned()), "{name}");
        }
        NoData => {
            assert_eq!(code(&answer), ResponseCode::NoError, "{name}");
            is_negative(&answer, "bl.example.");
        }
        Nothing => {
            assert_eq!(code(&answer), ResponseCode::NXDomain, "{name}");
            is_negative(&answer, "bl.example.");
        }
    }
}

trait Owned {
    fn map_owned(&self) -> Vec<String>;
}

impl Owned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

const TEST_V6: &str = "0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";
const NET_V6: &str = "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2";

#[test]
fn annex_3_addresses() {
    let desk = &mut Desk::new(listed());
    let cases = [
        ("2.0.0.127", Listed(&["127.0.0.2"])),
        ("1.0.0.127", Nothing),
        ("4.0.0.127", Listed(&["127.0.0.4"])),
        ("17.0.0.127", Listed(&["127.0.0.17"])),
        ("19.0.0.127", Nothing),
        ("0.0.127", NoData),
        ("127", NoData),
        ("7.113.0.203", Listed(&["127.0.0.3"])),
        ("8.113.0.203", Nothing),
        ("113.0.203", NoData),
        ("203", NoData),
        ("204", Nothing),
        ("114.0.203", Nothing),
        ("200.100.51.198", Listed(&["127.0.0.2"])),
        ("100.51.198", NoData),
        ("51.198", NoData),
        ("101.51.198", Nothing),
        ("1.7.113.0.203", Nothing),
        ("07.113.0.203", Nothing),
        ("256.113.0.203", Nothing),
        ("-1.113.0.203", Nothing),
        ("x.113.0.203", Nothing),
        (&format!("2.{TEST_V6}"), Listed(&["127.0.0.2"])),
        (&format!("1.{TEST_V6}"), Nothing),
        (TEST_V6, NoData),
        (&format!("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.{NET_V6}"), Listed(&["127.0.0.4"])),
        (&format!("f.f.e.e.d.d.c.c.b.b.a.a.9.9.8.8.{NET_V6}"), Listed(&["127.0.0.4"])),
        (NET_V6, NoData),
        (&format!("f.f.e.e.d.d.c.c.b.b.a.a.9.9.8.{NET_V6}"), NoData),
        (&format!("a.{NET_V6}"), NoData),
        ("8.b.d.0.1.0.0.2", NoData),
        ("2", NoData),
        ("9.b.d.0.1.0.0.2", Nothing),
        // Both a whole name of IPv4 and a part of one of IPv6 (STD-3).
        ("1.0.0.2", NoData),
        ("1.0.0.3", Nothing),
        ("", NoData),
    ];
    for (name, expect) in &cases {
        check(desk, name, RecordType::A, expect);
    }
}

#[test]
fn annex_3_other_types_of_what_is_listed() {
    let desk = &mut Desk::new(listed());
    for rtype in [RecordType::AAAA, RecordType::MX, RecordType::NS, RecordType::SOA] {
        check(desk, "7.113.0.203", rtype, &NoData);
    }
    let any = desk.ask("7.113.0.203.bl.example.", RecordType::ANY);
    assert!(said(&any)[0].contains("RFC8482") && any.answers.len() == 1, "{any}");
    let txt = said(&desk.ask("7.113.0.203.bl.example.", RecordType::TXT));
    assert_eq!(txt, ["Blocked: spam volume since 2026-11-21. https://mw.example.org/l/203.0.113.7"]);
    let test = said(&desk.ask("2.0.0.127.bl.example.", RecordType::TXT));
    assert_eq!(test, ["Test entry: this list works. https://mw.example.org/h/dnsbl"]);
}

#[test]
fn annex_3_the_zone_itself() {
    let desk = &mut Desk::new(listed());
    for (zone, index) in [("bl.example.", zone_index("bl").unwrap()), ("example.", 0)] {
        desk.responder.shared.config.serials.set(index, 7);
        let soa = desk.ask(zone, RecordType::SOA);
        let RData::SOA(data) = &soa.answers[0].data else { panic!("{soa}") };
        assert_eq!(
            (data.mname.to_string(), data.rname.to_string()),
            ("ns1.example.".into(), "hostmaster.example.".into())
        );
        assert_eq!((data.serial, soa.answers[0].name.to_string()), (7, zone.to_owned()));
        let ns = desk.ask(zone, RecordType::NS);
        assert_eq!(said(&ns), ["ns1.example.", "ns.example.net."]);
    }
    let foreign = desk.ask("www.google.com.", RecordType::A);
    assert_eq!((code(&foreign), foreign.metadata.authoritative), (ResponseCode::Refused, false));
}

#[test]
fn annex_3_letters_of_both_cases_are_the_same_and_come_back_as_they_came() {
    let desk = &mut Desk::new(listed());
    let answer =
        desk.send(&question("7.113.0.203.bL.ExAmPlE.", RecordType::A), KNOWN, Transport::Udp).unwrap();
    assert!(answer.windows(11).any(|octets| octets == b"\x02bL\x07ExAmPlE"));
    assert_eq!(said(&Message::from_vec(&answer).unwrap()), ["127.0.0.3"]);
    let nibbles = format!("F.f.E.e.d.d.c.c.b.b.a.a.9.9.8.8.{}", NET_V6.to_ascii_uppercase());
    check(desk, &nibbles, RecordType::A, &Listed(&["127.0.0.4"]));
}

#[test]
fn no_cache_outlives_a_block() {
    let desk = &mut Desk::new(listed());
    let ttl =
        |desk: &mut Desk| desk.ask("7.113.0.203.bl.example.", RecordType::A).answers.first().map(|a| a.ttl);
    assert_eq!(ttl(desk), Some(300));
    for (left_ms, expect) in [
        (400_000, Some(300)),
        (300_000, Some(300)),
        (299_999, Some(299)),
        (45_000, Some(45)),
        (999, Some(0)),
        (1, Some(0)),
        (0, None),
    ] {
        desk.clock = Clock::manual(Millis(NOW.0 + 7_200_000 - left_ms));
        let Desk { books, clock, .. } = desk;
        let shared = responder::Shared::new(config(), books.published.clone(), clock.clone());
        desk.responder = Responder::new(Arc::new(shared));
        assert_eq!(ttl(desk), expect, "{left_ms} ms left");
    }
}

#[test]
fn a_lift_is_seen_by_the_next_question_and_a_shadow_never() {
    let desk = &mut Desk::new(listed());
    check(desk, "7.113.0.203", RecordType::A, &Listed(&["127.0.0.3"]));
    let lifted = Body::KeyLifted(Lifted { at: NOW, error: false });
    desk.books.apply(9, &event(9, Some("203.0.113.7"), NOW, lifted));
    check(desk, "7.113.0.203", RecordType::A, &Nothing);
    check(desk, "203", RecordType::A, &Nothing);
    desk.books.sentence(10, "192.0.2.1", 2, NOW, Secs(7200));
    let mut shadow = event(
        11,
        Some("192.0.2.2"),
        NOW,
        Body::CaseExtended(model::case::Extended { until: NOW, later: Vec::new(), attempts: 0 }),
    );
    shadow.mode = Mode::Shadow;
    desk.books.apply(11, &shadow);
    check(desk, "1.2.0.192", RecordType::A, &Listed(&["127.0.0.3"]));
    check(desk, "2.2.0.192", RecordType::A, &Nothing);
}

#[test]
fn each_list_answers_its_own_codes_and_one_answers_all() {
    let mut books = listed();
    // A dynamic line that spams, in a network that is listed as a whole.
    books.sentence(5, "198.51.100.9", 36, NOW, Secs(9000));
    books.sentence(6, "198.51.100.9", 2, NOW, Secs(7200));
    let desk = &mut Desk::new(books);
    let all = |desk: &mut Desk, zone: &str| {
        said(&desk.ask(&format!("9.100.51.198.{zone}.example."), RecordType::A))
    };
    let code_36 = model::reasons::by_number(36).dns.to_string();
    assert_eq!(all(desk, "bl"), ["127.0.0.2", "127.0.0.3"]);
    assert_eq!(all(desk, "bl4"), ["127.0.0.2", "127.0.0.3"]);
    assert_eq!(all(desk, "all"), ["127.0.0.2", "127.0.0.3", code_36.as_str()]);
    assert_eq!(all(desk, "policy"), [code_36.as_str()]);
    for zone in ["net", "bounce", "info", "bl6"] {
        assert_eq!(
            code(&desk.ask(&format!("9.100.51.198.{zone}.example."), RecordType::A)),
            ResponseCode::NXDomain,
            "{zone}"
        );
        let test = desk.ask(&format!("2.0.0.127.{zone}.example."), RecordType::A);
        assert_eq!(said(&test).len(), usize::from(zone != "bl6"), "{zone}");
    }
    let v6 = format!("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.{NET_V6}.bl6.example.");
    assert_eq!(said(&desk.ask(&v6, RecordType::A)), ["127.0.0.4"]);
    assert_eq!(code(&desk.ask(&v6.replace("bl6", "bl4"), RecordType::A)), ResponseCode::NXDomain);
}

#[test]
fn domains_are_listed_with_all_below_them() {
    let mut books = listed();
    books.sentence(5, "spam.example.com", 1, NOW, Secs(7200));
    let desk = &mut Desk::new(books);
    let ask = |desk: &mut Desk, name: &str| {
        let answer = desk.ask(&format!("{name}.dom.example."), RecordType::A);
        (code(&answer), said(&answer).concat())
    };
    let (no_error, nothing) = (ResponseCode::NoError, ResponseCode::NXDomain);
    assert_eq!(ask(desk, "spam.example.com"), (no_error, "127.0.0.2".into()));
    assert_eq!(ask(desk, "A.B.Spam.Example.COM"), (no_error, "127.0.0.2".into()));
    assert_eq!(ask(desk, "example.com"), (no_error, String::new()));
    assert_eq!(ask(desk, "com"), (no_error, String::new()));
    assert_eq!(ask(desk, "example.net"), (nothing, String::new()));
    // RFC 5782 §5.
    assert_eq!(ask(desk, "test"), (no_error, "127.0.0.2".into()));
    assert_eq!(ask(desk, "invalid"), (nothing, String::new()));
    let txt = said(&desk.ask("spam.example.com.dom.example.", RecordType::TXT));
    assert_eq!(txt, ["Blocked: operator since 2026-11-21. https://mw.example.org/h/dnsbl"]);
}
