//! Questions as a secondary asks them, and every signature of the answers looked at.

use model::{Codes, Millis};
use projections::records::{Entries, Held, Place, difference};
use wire::dns::{Tsig, tsig_error};

use super::super::transfers::Transfers;
use super::key::tests::key;
use super::*;
use crate::Clock;
use crate::testing::logged;

const FROM: &str = "127.0.0.1:5353";

fn outlet() -> Outlet {
    let config = Config {
        base: "dnsbl.example".parse().unwrap(),
        servers: vec!["ns.example".parse().unwrap()],
        contact: OwnedName::of_mailbox("hostmaster@example").unwrap(),
        ttl: 60,
        negative_ttl: 60,
        from: vec!["127.0.0.0/8".parse().unwrap()],
        keys: vec![Arc::new(key("xfr"))],
        site: Arc::new(Site { portal: "https://portal.example".into(), ..Site::default() }),
    };
    Outlet::new(config, Clock::manual(Millis(1_795_300_807_000)))
}

const BL: usize = 0;

fn held(count: u32) -> Entries {
    let mut entries = Entries::default();
    for nth in 0..count {
        let held = Held { codes: Codes::of(3), holes: Vec::new() };
        entries.set(Prefix::V4(0xcb00_7100 + nth, 32), &Held::default(), &held);
    }
    entries
}

/// Publishes a state, with the step from the one before.
fn publish(outlet: &Outlet, serial: u32, entries: &Entries, before: Option<&Entries>, past: &Arc<Past>) {
    let zone = Zone::all().next().unwrap();
    if let Some(before) = before {
        let places = (0..1024).map(|nth| Place::Net(Prefix::V4(0xcb00_7100 + nth, 32))).collect();
        let changes = difference(before, entries, &zone, &places);
        past.add(Arc::new(Step { from: serial.wrapping_sub(1), to: serial, changes }));
    }
    outlet.publish(BL, Edition { zone, serial, entries: entries.clone(), past: past.clone() });
}

/// A question for a zone; an IXFR one has a serial.
fn question(zone: &str, rtype: u16, serial: Option<u32>) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, u8::from(serial.is_some()), 0, 0];
    let name: OwnedName = zone.parse().unwrap();
    message.extend_from_slice(name.name().as_bytes());
    message.extend([rtype, class::IN].map(u16::to_be_bytes).as_flattened());
    if let Some(serial) = serial {
        message.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0]);
        message.extend(serial.to_be_bytes());
        message.extend([0; 16]);
    }
    message
}

fn signed(mut message: Vec<u8>, key: &Arc<TransferKey>, now: u64) -> Vec<u8> {
    Session::begin(key.clone(), &mut message, now);
    message
}

/// Takes the signatures off a chain of answers, each checked with the one before it.
fn verified(request: &[u8], answers: &[Vec<u8>], key: &TransferKey) -> Vec<Vec<u8>> {
    let mut prior = Tsig::split(request).unwrap().unwrap().1.mac.to_vec();
    let mut plain = Vec::new();
    for (nth, answer) in answers.iter().enumerate() {
        let (message, tsig) = Tsig::split(answer).unwrap().expect("every message is signed");
        let behind = if nth == 0 { tsig.variables() } else { tsig.timers().to_vec() };
        let len = u16::try_from(prior.len()).unwrap().to_be_bytes();
        assert!(key.confirms(&[&len, &prior, &message, &behind], tsig.mac), "message {nth}");
        prior = tsig.mac.to_vec();
        plain.push(message);
    }
    plain
}

/// The answer records of a message: name, type, data, in short.
fn records(message: &[u8]) -> Vec<String> {
    let name = |at: &mut usize| {
        let mut labels = String::new();
        loop {
            let len = usize::from(message[*at]);
            *at += 1;
            match len {
                0 => return labels + "|",
                192.. => {
                    *at += 1;
                    return labels;
                }
                _ => labels += &format!("{}.", std::str::from_utf8(&message[*at..*at + len]).unwrap()),
            }
            *at += len;
        }
    };
    let mut at = HEADER_LEN;
    name(&mut at);
    at += 4;
    let count = u16::from_be_bytes([message[6], message[7]]);
    let mut records = Vec::new();
    for _ in 0..count {
        let owner = name(&mut at);
        let (rtype, len) =
            (message[at + 1], usize::from(u16::from_be_bytes([message[at + 8], message[at + 9]])));
        let data = &message[at + 10..at + 10 + len];
        at += 10 + len;
        records.push(match u16::from(rtype) {
            rtype::SOA => format!("SOA {}", u32::from_be_bytes(data[len - 20..len - 16].try_into().unwrap())),
            rtype::NS => "NS".to_owned(),
            rtype::A => format!("{owner} {}", data[3]),
            _ => format!("{owner} TXT"),
        });
    }
    assert_eq!(at, message.len());
    records
}

/// What a signed question over TCP brings.
fn fetched(outlet: &Outlet, question: Vec<u8>) -> Vec<String> {
    let key = Arc::new(key("xfr"));
    let request = signed(question, &key, unix_now());
    let answers: Vec<_> = outlet.over_tcp(&request, FROM.parse().unwrap()).collect();
    verified(&request, &answers, &key).iter().flat_map(|message| records(message)).collect()
}

fn code_of(answer: &[u8]) -> u16 {
    u16::from(answer[3] & 15)
}

fn bl(rtype: u16, serial: Option<u32>) -> Vec<u8> {
    question("bl.dnsbl.example", rtype, serial)
}

#[test]
fn rfc_5936_a_whole_zone_comes_in_signed_messages_between_two_starts() {
    let outlet = outlet();
    publish(&outlet, 7, &held(900), None, &Arc::default());
    let all = fetched(&outlet, bl(rtype::AXFR, None));
    assert_eq!((all[0].as_str(), all[1].as_str(), all.last().unwrap().as_str()), ("SOA 7", "NS", "SOA 7"));
    let of = |text: &str| all.iter().filter(|record| record.as_str() == text).count();
    assert_eq!([of("0.113.0.203. 3"), of("0.113.0.203. TXT"), of("131.116.0.203. 3")], [1; 3]);
    assert_eq!([of("2.0.0.127. 2"), of("1.0.0.127. 2"), of("132.116.0.203. 3")], [1, 0, 0]);
    assert_eq!(outlet.running(), 0);
}

#[test]
fn rfc_1995_a_copy_gets_the_steps_or_nothing_or_everything() {
    let (outlet, past) = (outlet(), Arc::default());
    let states = [held(3), held(1), held(2)];
    publish(&outlet, u32::MAX, &states[0], None, &past);
    publish(&outlet, 0, &states[1], Some(&states[0]), &past);
    publish(&outlet, 1, &states[2], Some(&states[1]), &past);
    let steps = fetched(&outlet, bl(rtype::IXFR, Some(u32::MAX)));
    assert_eq!(
        steps,
        [
            "SOA 1",
            &format!("SOA {}", u32::MAX),
            "1.113.0.203. 3",
            "1.113.0.203. TXT",
            "2.113.0.203. 3",
            "2.113.0.203. TXT",
            "SOA 0",
            "SOA 0",
            "SOA 1",
            "1.113.0.203. 3",
            "1.113.0.203. TXT",
            "SOA 1",
        ]
    );
    // Up to date, or ahead of us (§2); and from before what we know (§4).
    assert_eq!(fetched(&outlet, bl(rtype::IXFR, Some(1))), ["SOA 1"]);
    assert_eq!(fetched(&outlet, bl(rtype::IXFR, Some(9))), ["SOA 1"]);
    let whole = fetched(&outlet, bl(rtype::IXFR, Some(u32::MAX - 5)));
    assert_eq!((whole[1].as_str(), whole.len()), ("NS", 2 + 2 * 12 + 2 * 2 + 1), "{whole:?}");
}

#[test]
fn adv_14_without_a_signature_nothing_leaves_and_the_log_says_so_once() {
    let outlet = outlet();
    publish(&outlet, 7, &held(1), None, &Arc::default());
    let from = FROM.parse().unwrap();
    let line = logged(|| {
        for _ in 0..3 {
            let answers: Vec<_> = outlet.over_tcp(&bl(rtype::AXFR, None), from).collect();
            assert_eq!((answers.len(), code_of(&answers[0]), answers[0][7]), (1, rcode::REFUSED, 0));
        }
    });
    assert_eq!(line.matches("zone transfer refused: the request is not signed").count(), 1, "{line}");
    assert!(line.contains("127.0.0.1"), "{line}");
}

#[test]
fn adv_14_a_signature_is_not_enough_from_elsewhere() {
    let outlet = outlet();
    publish(&outlet, 7, &held(1), None, &Arc::default());
    let key = Arc::new(key("xfr"));
    let request = signed(bl(rtype::AXFR, None), &key, unix_now());
    let forged: TransferKey = "xfr:hmac-sha256:bm90IHRoZSByaWdodCBvbmU=".parse().unwrap();
    let forged = signed(bl(rtype::AXFR, None), &Arc::new(forged), unix_now());
    // A signature that holds and one that does not get the same answer: nothing was reckoned.
    for request in [&request, &forged] {
        let answers: Vec<_> = outlet.over_tcp(request, "192.0.2.1:53".parse().unwrap()).collect();
        assert_eq!((answers.len(), code_of(&answers[0]), records(&answers[0]).len()), (1, rcode::REFUSED, 0));
        assert!(Tsig::split(&answers[0]).unwrap().is_none(), "and is not signed");
    }
    // Neither is there a zone for which there are no lists.
    let request = signed(question("x.dnsbl.example", rtype::AXFR, None), &key, unix_now());
    let answers: Vec<_> = outlet.over_tcp(&request, FROM.parse().unwrap()).collect();
    assert_eq!(code_of(&verified(&request, &answers, &key)[0]), rcode::REFUSED);
}

#[test]
fn rfc_8945_wrong_signatures_are_told_apart() {
    let outlet = outlet();
    publish(&outlet, 7, &held(1), None, &Arc::default());
    let (ours, now) = (Arc::new(key("xfr")), unix_now());
    #[track_caller]
    fn check(outlet: &Outlet, request: &[u8], error: u16) -> Vec<u8> {
        let answers: Vec<_> = outlet.over_tcp(request, FROM.parse().unwrap()).collect();
        assert_eq!((answers.len(), code_of(&answers[0])), (1, rcode::NOTAUTH));
        let (plain, tsig) = Tsig::split(&answers[0]).unwrap().unwrap();
        assert_eq!((tsig.error, records(&plain).len()), (error, 0));
        answers[0].clone()
    }
    let stranger = Arc::new(key("other"));
    let answer = check(&outlet, &signed(bl(rtype::AXFR, None), &stranger, now), tsig_error::BADKEY);
    assert!(Tsig::split(&answer).unwrap().unwrap().1.mac.is_empty());
    let forged: TransferKey = "xfr:hmac-sha256:bm90IHRoZSByaWdodCBvbmU=".parse().unwrap();
    check(&outlet, &signed(bl(rtype::AXFR, None), &Arc::new(forged), now), tsig_error::BADSIG);
    let other: TransferKey = "xfr:hmac-sha512:bWFpbHdhcmQgdGVzdHMgc2lnbiB3aXRoIHRoaXMga2V5".parse().unwrap();
    check(&outlet, &signed(bl(rtype::AXFR, None), &Arc::new(other), now), tsig_error::BADKEY);
    // §5.2.3: signed, so that the client can tell that its clock is wrong, with ours in it.
    let late = signed(bl(rtype::AXFR, None), &ours, now - 400);
    let answer = check(&outlet, &late, tsig_error::BADTIME);
    verified(&late, std::slice::from_ref(&answer), &ours);
    let tsig = Tsig::split(&answer).unwrap().unwrap().1;
    let told = tsig.other.iter().fold(0, |time, octet| time << 8 | u64::from(*octet));
    assert!((now..now + 100).contains(&told) && tsig.time == now - 400);
}

#[test]
fn rfc_8945_a_changed_message_does_not_verify() {
    let outlet = outlet();
    publish(&outlet, 7, &held(1), None, &Arc::default());
    let request = signed(bl(rtype::AXFR, None), &Arc::new(key("xfr")), unix_now());
    for at in HEADER_LEN..request.len() {
        let mut changed = request.clone();
        changed[at] ^= 1;
        let answers: Vec<_> = outlet.over_tcp(&changed, FROM.parse().unwrap()).collect();
        assert!(answers.iter().all(|answer| code_of(answer) != rcode::NOERROR), "{at}");
    }
}

#[test]
fn over_udp_a_copy_hears_the_number_and_comes_by_tcp() {
    let outlet = outlet();
    publish(&outlet, 7, &held(1), None, &Arc::default());
    let key = Arc::new(key("xfr"));
    let ask = |question: Vec<u8>| {
        let request = signed(question, &key, unix_now());
        let answer = outlet.over_udp(&request, FROM.parse().unwrap()).unwrap();
        verified(&request, &[answer], &key).remove(0)
    };
    for question in [bl(rtype::SOA, None), bl(rtype::IXFR, Some(3))] {
        assert_eq!(records(&ask(question)), ["SOA 7"]);
    }
    // RFC 5936 §4.2, and RFC 1995 §3: without its number no difference can be told.
    assert_eq!(code_of(&ask(bl(rtype::AXFR, None))), rcode::FORMERR);
    assert_eq!(code_of(&ask(bl(rtype::A, None))), rcode::REFUSED);
}
