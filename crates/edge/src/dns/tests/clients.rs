//! Who is answered, what clients say of themselves, and how much they get.

use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::*;

const NAME: &str = "7.113.0.203.bl.example.";

fn with_edns(name: &str, rtype: RecordType, change: impl FnOnce(&mut Edns)) -> Vec<u8> {
    let mut message = message(name, rtype);
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    change(&mut edns);
    message.edns = Some(edns);
    message.to_vec().unwrap()
}

fn cookie(bytes: &[u8]) -> impl FnOnce(&mut Edns) {
    move |edns| edns.options_mut().insert(EdnsOption::Unknown(10, bytes.to_vec()))
}

fn cookie_of(answer: &Message) -> Vec<u8> {
    match answer.edns.as_ref().unwrap().option(EdnsCode::Cookie) {
        Some(EdnsOption::Unknown(10, bytes)) => bytes.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn strangers_hear_refused_where_the_lists_are_local() {
    let desk = &mut Desk::new(listed());
    let answer = desk.ask_from(STRANGER, NAME, RecordType::A).unwrap();
    assert_eq!((code(&answer), answer.answers.len()), (ResponseCode::Refused, 0));
    assert_eq!(desk.counts().refused, 1);
}

#[test]
fn a_3_strangers_hear_an_error_where_the_lists_are_for_some() {
    let desk = &mut Desk::with(listed(), |config| config.access = Access::Listed);
    let answer = desk.ask_from(STRANGER, NAME, RecordType::A).unwrap();
    assert_eq!(said(&answer), ["127.255.255.254"]);
    let text = with_edns(NAME, RecordType::TXT, |_| {});
    let text = desk.send(&text, STRANGER, Transport::Tcp).unwrap();
    let text = said(&Message::from_vec(&text).unwrap()).concat();
    assert!(text.starts_with("Error, not a listing:") && text.ends_with("/h/dnsbl"), "{text}");
    assert_eq!(
        code(&desk.ask_from(STRANGER, "bl.example.", RecordType::SOA).unwrap()),
        ResponseCode::Refused
    );
    assert_eq!(said(&desk.ask(NAME, RecordType::A)), ["127.0.0.3"], "a known network");
}

#[test]
fn a_secondary_hears_the_number_of_a_zone_and_nothing_that_is_listed() {
    for access in [Access::Local, Access::Listed, Access::Keyed] {
        let desk = &mut Desk::with(listed(), |config| {
            (config.access, config.secondaries) = (access, vec!["192.0.2.53".parse().unwrap()]);
        });
        let mut ask = |from, name, rtype| desk.ask_from(from, name, rtype).unwrap();
        let number = ask(STRANGER, "bl.example.", RecordType::SOA);
        assert!(matches!(&number.answers[0].data, RData::SOA(soa) if soa.serial == 1), "{number}");
        let beside = [(STRANGER, "bl.example.", RecordType::NS), (KNOWN, "x.example.net.", RecordType::SOA)];
        let other = [("192.0.2.54:53", "bl.example.", RecordType::SOA), (STRANGER, NAME, RecordType::SOA)];
        for (from, name, rtype) in beside.into_iter().chain(other) {
            let answer = ask(from, name, rtype);
            assert!(answer.answers.is_empty(), "{access:?} {from} {name} {answer}");
        }
        assert_ne!(said(&ask(STRANGER, NAME, RecordType::A)), ["127.0.0.3"]);
    }
}

#[test]
fn a_key_in_front_of_the_zone_lets_anybody_ask() {
    let keys = Keys::new(["k3y0fsixteenormore"].into_iter(), [1; 16]);
    let desk = &mut Desk::with(listed(), |config| (config.access, config.keys) = (Access::Keyed, keys));
    let mut ask = |name: &str| said(&desk.ask_from(STRANGER, name, RecordType::A).unwrap());
    assert_eq!(ask("7.113.0.203.K3y0fsixteenormore.bl.example."), ["127.0.0.3"]);
    assert_eq!(ask("2.0.0.127.k3y0fsixteenormore.bl.example."), ["127.0.0.2"]);
    assert_eq!(ask("7.113.0.203.bl.example."), ["127.255.255.254"]);
    // A key that is no more must be heard of: REFUSED is tried elsewhere, and looks like no list.
    assert_eq!(ask("7.113.0.203.k3y0fsixteenormorf.bl.example."), ["127.255.255.254"]);
}

#[test]
fn a_list_that_there_is_not_says_so() {
    let desk = &mut Desk::new(listed());
    assert_eq!(said(&desk.ask("7.113.0.203.sbl.example.", RecordType::A)), ["127.255.255.252"]);
    // On the way there nothing may say that there is nothing below (RFC 8020).
    for name in ["sbl.example.", "203.sbl.example.", "113.0.203.sbl.example."] {
        let answer = desk.ask(name, RecordType::A);
        assert_eq!(code(&answer), ResponseCode::NoError, "{name}");
        is_negative(&answer, "example.");
    }
    assert_eq!(code(&desk.ask("www.sbl.example.", RecordType::A)), ResponseCode::NXDomain);
    assert_eq!(desk.counts().errors, 1);
}

#[test]
fn who_asks_too_often_hears_so_and_nobody_can_use_up_anothers_quota() {
    let desk = &mut Desk::with(listed(), |config| {
        (config.access, config.rates.quota, config.rates.listed) = (Access::Public, 3, 0);
    });
    // In packets anybody can ask in a resolver's name.
    for _ in 0..20 {
        assert_eq!(said(&desk.ask_from(STRANGER, NAME, RecordType::A).unwrap()), ["127.0.0.3"]);
    }
    let mut ask = |from: &str| {
        let answer = desk.send(&question(NAME, RecordType::A), from, Transport::Tcp).unwrap();
        said(&Message::from_vec(&answer).unwrap()).concat()
    };
    let answers = [0; 5].map(|_| ask(STRANGER));
    assert_eq!(answers, ["127.0.0.3", "127.0.0.3", "127.0.0.3", "127.255.255.255", "127.255.255.255"]);
    assert_eq!(ask(KNOWN), "127.0.0.3", "a known network");
}

#[test]
fn rfc_6891_versions_and_sizes() {
    let desk = &mut Desk::new(listed());
    let newer = with_edns(NAME, RecordType::A, |edns| _ = edns.set_version(1));
    let answer = Message::from_vec(&desk.send(&newer, KNOWN, Transport::Udp).unwrap()).unwrap();
    assert_eq!((u16::from(code(&answer)), answer.edns.as_ref().unwrap().version()), (16, 0));
    let plain = desk.ask(NAME, RecordType::A);
    assert!(plain.edns.is_none(), "OPT answers OPT only");
    let large = with_edns(NAME, RecordType::A, |edns| _ = edns.set_max_payload(4096));
    let answer = Message::from_vec(&desk.send(&large, KNOWN, Transport::Udp).unwrap()).unwrap();
    assert_eq!(answer.edns.unwrap().max_payload(), 1232);
}

#[test]
fn rfc_7873_a_cookie_comes_back_whole_and_lifts_the_limits() {
    let desk = &mut Desk::with(listed(), |config| (config.access, config.rates.listed) = (Access::Public, 1));
    let first =
        desk.send(&with_edns(NAME, RecordType::A, cookie(b"clientid")), STRANGER, Transport::Udp).unwrap();
    let whole = cookie_of(&Message::from_vec(&first).unwrap());
    assert_eq!((whole.len(), &whole[..12]), (24, &b"clientid\x01\0\0\0"[..]));
    for _ in 0..50 {
        let again =
            desk.send(&with_edns(NAME, RecordType::A, cookie(&whole)), STRANGER, Transport::Udp).unwrap();
        assert_eq!(said(&Message::from_vec(&again).unwrap()), ["127.0.0.3"]);
    }
    // Above the rate a client with a cookie of its own only is shown the next one, as often as
    // others get a cut answer.
    let own = with_edns(NAME, RecordType::A, cookie(b"clientid"));
    let others: Vec<_> = (0..10).filter_map(|_| desk.send(&own, STRANGER, Transport::Udp)).collect();
    assert_eq!(others.len(), 5);
    let other = Message::from_vec(&others[0]).unwrap();
    assert_eq!((code(&other), other.answers.len()), (ResponseCode::BADCOOKIE, 0));
    // Somebody else's cookie is none.
    let stolen = with_edns(NAME, RecordType::A, cookie(&whole));
    let answers = (0..50).filter_map(|_| desk.send(&stolen, "198.51.100.53:53", Transport::Udp));
    let full = answers.filter(|answer| !said(&Message::from_vec(answer).unwrap()).is_empty()).count();
    assert_eq!(full, 1);
}

#[test]
fn rfc_7873_5_4_a_cookie_can_be_asked_for_without_a_question() {
    let desk = &mut Desk::new(listed());
    let opt = [&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8][..], b"clientid"].concat();
    let packet = [&[0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &opt].concat();
    let answer = Message::from_vec(&desk.send(&packet, KNOWN, Transport::Udp).unwrap()).unwrap();
    assert_eq!((code(&answer), cookie_of(&answer).len()), (ResponseCode::NoError, 24));
    let bare = [&[0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]].concat();
    let answer = Message::from_vec(&desk.send(&bare, KNOWN, Transport::Udp).unwrap()).unwrap();
    assert_eq!(code(&answer), ResponseCode::FormErr);
}

#[test]
fn adv_8_no_answer_to_a_stranger_is_longer_than_three_questions() {
    let public = |config: &mut Config| {
        (config.access, config.rates.listed, config.rates.unlisted) = (Access::Public, 0, 0);
    };
    let desk = &mut Desk::with(listed(), public);
    let names =
        ["7.113.0.203.bl", "8.113.0.203.bl", "bl", "203.bl", "test.dom", "7.113.0.203.x", "", "2.0.0.127.bl"];
    for name in names {
        for rtype in
            [RecordType::A, RecordType::TXT, RecordType::SOA, RecordType::NS, RecordType::ANY, RecordType::MX]
        {
            for asked in [
                question(&format!("{name}.example."), rtype),
                with_edns(&format!("{name}.example."), rtype, |_| {}),
            ] {
                let Some(answer) = desk.send(&asked, STRANGER, Transport::Udp) else { continue };
                assert!(
                    answer.len() <= 3 * asked.len(),
                    "{name} {rtype}: {} of {}",
                    answer.len(),
                    asked.len()
                );
                let cut = Message::from_vec(&answer).unwrap().metadata.truncation;
                let whole = desk.send(&asked, STRANGER, Transport::Tcp).unwrap();
                let whole = Message::from_vec(&whole).unwrap();
                assert!(
                    !whole.metadata.truncation
                        && (cut || whole.answers == Message::from_vec(&answer).unwrap().answers)
                );
            }
        }
    }
}

#[test]
fn adv_8_a_network_above_its_rate_gets_cut_answers_or_none() {
    let desk = &mut Desk::with(listed(), |config| config.access = Access::Public);
    let answers: Vec<_> = (0..1000).map(|_| desk.ask_from(STRANGER, NAME, RecordType::A)).collect();
    let full = answers.iter().flatten().filter(|answer| !said(answer).is_empty()).count();
    let cut: Vec<_> = answers.iter().flatten().filter(|answer| answer.metadata.truncation).collect();
    assert_eq!((full, cut.len()), (20, 490));
    assert!(cut.iter().all(|answer| answer.answers.is_empty() && answer.authorities.is_empty()));
    assert_eq!((desk.counts().slipped, desk.counts().dropped), (490, 490));
    let counting =
        &mut Desk::with(listed(), |config| (config.access, config.rates.count_only) = (Access::Public, true));
    assert!(
        (0..1000)
            .all(|_| counting.ask_from(STRANGER, NAME, RecordType::A).is_some_and(|a| !said(&a).is_empty()))
    );
    assert_eq!(counting.counts().dropped, 490, "what would be held back is counted");
}

#[test]
fn adv_8_questions_for_whole_zones_are_under_the_rates_too() {
    let desk = &mut Desk::with(listed(), |config| config.access = Access::Public);
    let asked = question("bl.example.", RecordType::AXFR);
    let answers: Vec<_> = (0..1000).filter_map(|_| desk.send(&asked, STRANGER, Transport::Udp)).collect();
    assert_eq!(answers.len(), 5 + 497);
    assert!(answers.iter().all(|answer| answer.len() <= asked.len() + 17));
}

#[test]
fn std_83_what_comes_from_lists_of_others_stays_with_those_we_know() {
    for access in [Access::Public, Access::Keyed] {
        let keys = Keys::new(["k3y0fsixteenormore"].into_iter(), [1; 16]);
        let desk = &mut Desk::with(listed(), |config| (config.access, config.keys) = (access, keys));
        let key = if access == Access::Keyed { ".k3y0fsixteenormore" } else { "" };
        for zone in ["bl", "all"] {
            let test =
                desk.ask_from(STRANGER, &format!("17.0.0.127{key}.{zone}.example."), RecordType::A).unwrap();
            assert_eq!(code(&test), ResponseCode::NXDomain, "{zone}");
            assert_eq!(
                said(&desk.ask(&format!("17.0.0.127.{zone}.example."), RecordType::A)),
                ["127.0.0.17"]
            );
        }
    }
}

#[test]
fn a_key_by_itself_is_a_name_without_records() {
    let keys = Keys::new(["k3y0fsixteenormore"].into_iter(), [1; 16]);
    let desk = &mut Desk::with(listed(), |config| (config.access, config.keys) = (Access::Keyed, keys));
    for rtype in [RecordType::A, RecordType::SOA, RecordType::NS] {
        let answer = desk.ask_from(STRANGER, "k3y0fsixteenormore.bl.example.", rtype).unwrap();
        assert_eq!(code(&answer), ResponseCode::NoError);
        is_negative(&answer, "bl.example.");
    }
}

#[test]
fn a_key_opens_nothing_where_the_lists_are_not_for_keys() {
    let keys = Keys::new(["k3y0fsixteenormore"].into_iter(), [1; 16]);
    let desk = &mut Desk::with(listed(), |config| (config.access, config.keys) = (Access::Local, keys));
    let answer =
        desk.ask_from(STRANGER, "7.113.0.203.k3y0fsixteenormore.bl.example.", RecordType::A).unwrap();
    assert_eq!(code(&answer), ResponseCode::Refused);
}

#[test]
fn who_forgets_the_list_hears_so() {
    let desk = &mut Desk::new(listed());
    assert_eq!(said(&desk.ask("7.113.0.203.example.", RecordType::A)), ["127.255.255.252"]);
    let v6 = format!("{}8.b.d.0.1.0.0.2.example.", "0.".repeat(24));
    assert_eq!(said(&desk.ask(&v6, RecordType::A)), ["127.255.255.252"]);
}

#[test]
fn what_is_asked_is_counted_by_list_and_code() {
    let desk = &mut Desk::new(listed());
    for name in [NAME, NAME, "8.113.0.203.bl.example.", "203.bl.example.", "7.113.0.203.all.example."] {
        desk.ask(name, RecordType::A);
    }
    let zone = desk.counts().zones[zone_index("bl").unwrap()];
    assert_eq!((zone.questions, zone.listed[3], zone.unlisted, zone.no_data), (4, 2, 1, 1));
    assert_eq!(desk.counts().zones[zone_index("all").unwrap()].listed[3], 1);
    desk.send(&[0; 4], KNOWN, Transport::Udp);
    assert_eq!(desk.counts().silent, 1);
}

#[test]
fn whole_zones_are_refused_where_nobody_hands_them_out() {
    let desk = &mut Desk::new(listed());
    for rtype in [RecordType::AXFR, RecordType::IXFR] {
        let answer = desk.send(&question("bl.example.", rtype), KNOWN, Transport::Tcp).unwrap();
        assert_eq!(code(&Message::from_vec(&answer).unwrap()), ResponseCode::Refused);
    }
}
