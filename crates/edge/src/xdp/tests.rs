//! Frames, the program on a small machine of our own, and what can be said of interfaces.

mod machine;

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::frame::{Datagram, Fault, parse, turn_round};
use super::interface::{hears, mac};
use super::program::{Filter, Side};
use super::{Interface, XdpError};

const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 2];
const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04test\0\0\x01\0\x01";

/// RFC 1071 in the plainest form, beside the one that is tested.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// A frame as a card would bring it.
fn frame(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let len = (8 + payload.len()) as u16;
    let mut udp = [from.port().to_be_bytes(), to.port().to_be_bytes(), len.to_be_bytes(), [0; 2]].concat();
    udp.extend(payload);
    let pseudo = [octets(from.ip()), octets(to.ip()), vec![0, 17], len.to_be_bytes().to_vec(), udp.clone()];
    let sum = checksum(&pseudo.concat());
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    let header = if from.is_ipv4() {
        let mut header = vec![0x45, 0, 0, 0, 7, 7, 0, 0, 55, 17, 0, 0];
        header[2..4].copy_from_slice(&(20 + len).to_be_bytes());
        header.extend(octets(from.ip()));
        header.extend(octets(to.ip()));
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header
    } else {
        let head = [&[0x60, 1, 2, 3][..], &len.to_be_bytes(), &[17, 55]].concat();
        [head, octets(from.ip()), octets(to.ip())].concat()
    };
    let kind: [u8; 2] = if from.is_ipv4() { [8, 0] } else { [0x86, 0xDD] };
    [&OURS[..], &THEIRS, &kind, &header, &udp].concat()
}

fn ipv4() -> Vec<u8> {
    frame("192.0.2.25:4096", "198.51.100.1:53", QUESTION)
}

fn ipv6() -> Vec<u8> {
    frame("[2001:db8::25]:4096", "[2001:db8:1::1]:53", QUESTION)
}

#[test]
fn a_datagram_is_read_with_its_ends() {
    for (bytes, from, to) in [
        (ipv4(), "192.0.2.25:4096", "198.51.100.1:53"),
        (ipv6(), "[2001:db8::25]:4096", "[2001:db8:1::1]:53"),
    ] {
        let expected = Datagram { from: from.parse().unwrap(), to: to.parse().unwrap(), payload: QUESTION };
        assert_eq!(parse(&bytes), Ok(expected));
        // Ethernet fills short frames up.
        assert_eq!(parse(&[&bytes[..], &[0; 9]].concat()), Ok(expected));
    }
}

/// `frame` with some octets replaced, its IPv4 header's checksum made right again.
#[track_caller]
fn check(mut frame: Vec<u8>, changes: &[(usize, u8)], expected: Fault) {
    for (at, octet) in changes {
        frame[*at] = *octet;
    }
    if frame[12] == 8 {
        frame[24..26].fill(0);
        let sum = checksum(&frame[14..34]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
    assert_eq!(parse(&frame), Err(expected), "{changes:?}");
}

#[test]
fn what_the_kernel_would_drop_or_we_do_not_understand_is_refused() {
    check(ipv4(), &[(13, 6)], Fault::Form); // ARP
    check(ipv4(), &[(14, 0x46)], Fault::Form); // an option
    check(ipv4(), &[(23, 6)], Fault::Form); // TCP
    check(ipv4(), &[(20, 0x20)], Fault::Fragment); // more fragments
    check(ipv4(), &[(21, 1)], Fault::Fragment); // not the first
    check(ipv4(), &[(17, 200)], Fault::Length); // longer than the frame
    check(ipv4(), &[(17, 20)], Fault::Short); // no UDP header
    check(ipv4(), &[(39, 200)], Fault::Length);
    check(ipv4(), &[(39, 7)], Fault::Length); // shorter than a UDP header
    check(ipv4(), &[(45, 1)], Fault::Checksum);
    check(ipv6(), &[(14, 0x50)], Fault::Form);
    check(ipv6(), &[(20, 0)], Fault::Form); // hop-by-hop options
    check(ipv6(), &[(19, 200)], Fault::Length);
    check(ipv6(), &[(60, 0), (61, 0)], Fault::Checksum); // RFC 8200 §8.1
    check(ipv6(), &[(70, 9)], Fault::Checksum);
    let mut broken = ipv4();
    broken[22] = 54;
    assert_eq!(parse(&broken), Err(Fault::Checksum), "the header's own");
}

#[test]
fn a_sender_that_can_not_be_answered_is_refused() {
    for from in [
        "0.0.0.0:4096",
        "0.1.2.3:4096",
        "127.0.0.1:4096",
        "224.0.0.1:4096",
        "255.255.255.255:4096",
        "192.0.2.25:0",
        "198.51.100.1:4096",
    ] {
        check(frame(from, "198.51.100.1:53", QUESTION), &[], Fault::Sender);
    }
    for from in
        ["[::]:4096", "[::1]:4096", "[ff02::1]:4096", "[::ffff:192.0.2.25]:4096", "[2001:db8:1::1]:53"]
    {
        check(frame(from, "[2001:db8:1::1]:53", QUESTION), &[], Fault::Sender);
    }
}

#[test]
fn a_checksum_may_be_absent_over_ipv4_and_left_to_the_card_by_a_neighbour() {
    let mut absent = ipv4();
    absent[40..42].fill(0);
    assert!(parse(&absent).is_ok());
    let len = 8 + QUESTION.len() as u8;
    for (mut bytes, at, from) in [(ipv4(), 40, 26..34), (ipv6(), 60, 22..54)] {
        let pseudo = [&bytes[from], &[0, 17, 0, len]].concat();
        bytes[at..at + 2].copy_from_slice(&(!checksum(&pseudo)).to_be_bytes());
        assert!(parse(&bytes).is_ok());
    }
}

#[test]
fn every_cut_of_a_frame_is_refused() {
    for whole in [ipv4(), ipv6()] {
        assert!((0..whole.len()).all(|len| parse(&whole[..len]).is_err()));
    }
}

/// The answer to `question` with `payload`, as its receiver reads it.
#[track_caller]
fn check_answer(question: &[u8], payload: &[u8]) {
    let mut buffer = [question, &[0xAA; 2000]].concat();
    let len = turn_round(&mut buffer, payload).unwrap();
    let (asked, told) = (parse(question).unwrap(), parse(&buffer[..len]).unwrap());
    assert_eq!((told.from, told.to, told.payload), (asked.to, asked.from, payload));
    assert_eq!((&buffer[..6], &buffer[6..12]), (&THEIRS[..], &OURS[..]));
    let udp = if asked.from.is_ipv4() { 34 } else { 54 };
    let pseudo = [
        octets(told.from.ip()),
        octets(told.to.ip()),
        ((len - udp) as u32 + 17).to_be_bytes().to_vec(),
        buffer[udp..len].to_vec(),
    ];
    // A sum of zero is sent as all ones, and both are a zero in this arithmetic.
    assert!(matches!(checksum(&pseudo.concat()), 0 | 0xFFFF));
    assert_ne!(&buffer[udp + 6..udp + 8], [0, 0], "RFC 768: zero would say that there is no checksum");
}

#[test]
fn an_answer_goes_back_where_the_question_came_from() {
    for question in [ipv4(), ipv6()] {
        for payload in [&b""[..], b"x", b"answer", &[7; 1232]] {
            check_answer(&question, payload);
        }
    }
}

#[test]
fn an_answer_that_does_not_fit_is_not_sent() {
    let mut frame = ipv4();
    assert_eq!(turn_round(&mut frame, &[0; 40]), Err(Fault::Room));
    assert_eq!(turn_round(&mut frame[..13], b""), Err(Fault::Form));
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(mut octets in prop::collection::vec(any::<u8>(), 0..200), kind in 0..3) {
        if octets.len() > 14 && kind < 2 {
            octets[12..14].copy_from_slice(if kind == 0 { &[8, 0] } else { &[0x86, 0xDD] });
        }
        let answer = parse(&octets).map(|datagram| datagram.payload.len());
        prop_assert!(answer.is_err() || answer.is_ok_and(|len| len <= octets.len()));
        // Turning round does not rely on `parse`.
        let _ = turn_round(&mut octets, b"answer");
    }

    #[test]
    fn a_changed_octet_never_changes_ends_or_payload_unseen(at in 0usize..70, with in 1u8..) {
        for mut bytes in [ipv4(), ipv6()] {
            let before = parse(&bytes).map(|d| (d.from, d.to, d.payload.to_vec()));
            let Some(octet) = bytes.get_mut(at) else { continue };
            *octet ^= with;
            if let Ok(after) = parse(&bytes) {
                let after = (after.from, after.to, after.payload.to_vec());
                prop_assert_eq!(Ok(after), before);
            }
        }
    }

    #[test]
    fn answers_of_any_length_are_read_by_their_receiver(payload in prop::collection::vec(any::<u8>(), 0..1233)) {
        check_answer(&ipv4(), &payload);
        check_answer(&ipv6(), &payload);
    }
}

fn filter(side: Side) -> Filter {
    let addresses = ["198.51.100.1", "2001:db8:1::1", "198.51.100.200", "2001:db8:1::2"];
    Filter { port: 53, side, addresses: addresses.map(|ip| ip.parse().unwrap()).to_vec() }
}

/// Whether the program hands the frame over.
fn takes(side: Side, frame: &[u8]) -> bool {
    machine::takes(&super::program::code(&filter(side), &OURS, 7), frame)
}

#[test]
fn the_program_takes_questions_to_our_port_at_each_of_our_addresses() {
    for to in ["198.51.100.1:53", "198.51.100.200:53"] {
        assert!(takes(Side::To, &frame("192.0.2.25:4096", to, QUESTION)), "{to}");
    }
    for to in ["[2001:db8:1::1]:53", "[2001:db8:1::2]:53"] {
        assert!(takes(Side::To, &frame("[2001:db8::25]:4096", to, QUESTION)), "{to}");
    }
    assert!(takes(Side::From, &frame("198.51.100.1:53", "192.0.2.25:4096", QUESTION)));
    assert!(takes(Side::From, &frame("[2001:db8:1::2]:53", "[2001:db8::25]:9", QUESTION)));
}

#[test]
fn the_program_lets_all_else_pass() {
    for (from, to) in [
        ("192.0.2.25:53", "198.51.100.1:54"),
        ("192.0.2.25:53", "198.51.100.2:53"),
        ("[2001:db8::25]:53", "[2001:db8:1::1]:54"),
        ("[2001:db8::25]:53", "[2001:db8:1::3]:53"),
        ("[2001:db8::25]:53", "[2001:db8:2::1]:53"),
    ] {
        assert!(!takes(Side::To, &frame(from, to, QUESTION)), "{to}");
        assert!(!takes(Side::From, &frame(from, to, QUESTION)), "{to}");
    }
    for (at, with) in [(0, 3), (5, 9), (12, 0x81), (14, 0x46), (20, 0x20), (21, 1), (23, 6)] {
        let mut bytes = ipv4();
        bytes[at] = with;
        assert!(!takes(Side::To, &bytes), "{at}");
    }
    let mut tcp = ipv6();
    tcp[20] = 6;
    assert!(!takes(Side::To, &tcp));
    // What has no room for a DNS header, and what does not fit into our frames.
    assert!(!takes(Side::To, &frame("192.0.2.25:4096", "198.51.100.1:53", &QUESTION[..11])));
    assert!(!takes(Side::To, &frame("[2001:db8::25]:4096", "[2001:db8:1::1]:53", &QUESTION[..11])));
    assert!(!takes(Side::To, &frame("192.0.2.25:4096", "198.51.100.1:53", &[0; 1473])));
    assert!(takes(Side::To, &frame("192.0.2.25:4096", "198.51.100.1:53", &[0; 1472])));
    assert!(!takes(Side::To, &[]));
}

#[test]
fn a_filter_without_addresses_takes_nothing() {
    let filter = Filter { addresses: Vec::new(), ..filter(Side::To) };
    let code = super::program::code(&filter, &OURS, 7);
    assert!(!machine::takes(&code, &ipv4()) && !machine::takes(&code, &ipv6()));
}

#[test]
fn a_listener_hears_its_own_address_and_one_without_hears_its_family() {
    let check = |listener: &str, ip: &str| hears(listener.parse().unwrap(), ip.parse().unwrap());
    assert!(check("192.0.2.1:53", "192.0.2.1"));
    assert!(!check("192.0.2.1:53", "192.0.2.2"));
    assert!(check("0.0.0.0:53", "192.0.2.2"));
    assert!(!check("0.0.0.0:53", "2001:db8::1"));
    assert!(check("[::]:53", "2001:db8::1"));
    assert!(!check("[::]:53", "192.0.2.2"));
}

#[test]
fn addresses_of_cards_are_six_octets() {
    assert_eq!(mac("02:00:00:00:00:0a\n"), Some([2, 0, 0, 0, 0, 10]));
    for text in ["", "02:00:00:00:00", "02:00:00:00:00:0a:0b", "02:00:00:00:00:xx"] {
        assert_eq!(mac(text), None, "{text}");
    }
}

#[test]
fn a_name_that_is_a_path_is_no_interface() {
    for name in ["", ".", "..", "../net", "a/b", "0123456789abcdef", "a\nb"] {
        let error = Interface::read(name).unwrap_err();
        assert!(matches!(error, XdpError::Interface { .. }), "{name}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn loopback_is_refused_with_the_reason() {
    let loopback = Interface::read("lo").expect("every machine has it");
    let error = super::open(&loopback, &filter(Side::To)).err().expect("no Ethernet");
    assert_eq!(error.to_string(), "interface \"lo\": expected Ethernet, but got another kind");
}
