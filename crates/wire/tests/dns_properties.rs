//! What holds for every DNS message, and that another implementation reads ours as we do.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, Query as Asked};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use proptest::collection::vec;
use proptest::prelude::*;
use wire::dns::{
    Answered, DnsName, HEADER_LEN, Query, QueryError, Response, Reversed, Section, Shared, Soa, UDP_LEN_MAX,
    glimpse, rcode,
};

fn label() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 1..12), "[0-9]{1,3}".prop_map(String::into_bytes), vec(any::<u8>(), 63)]
}

fn name() -> impl Strategy<Value = Name> {
    vec(label(), 0..12)
        .prop_filter_map("a name of at most 255 octets", |labels| Name::from_labels(labels).ok())
}

fn query(name: &Name, rtype: u16, edns: Option<u16>) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Asked::query(name.clone(), RecordType::from(rtype)));
    if let Some(payload) = edns {
        let mut edns = Edns::new();
        edns.set_max_payload(payload).set_version(0);
        message.edns = Some(edns);
    }
    message.to_vec().unwrap()
}

/// Octets in which the parts of a query are not rare.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (
        name(),
        any::<u16>(),
        any::<Option<u16>>(),
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        0..40usize,
    )
        .prop_map(|(name, rtype, edns, changes, cut)| {
            let mut bytes = query(&name, rtype, edns);
            changes.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
            bytes.truncate(bytes.len().saturating_sub(cut).max(1));
            bytes
        })
}

proptest! {
    #[test]
    fn what_another_implementation_asks_is_read_as_it_was_meant(
        name in name(), rtype in any::<u16>(), edns in any::<Option<u16>>(),
    ) {
        let bytes = query(&name, rtype, edns);
        let query = Query::parse(&bytes).unwrap();
        let question = query.question.unwrap();
        let labels: Vec<&[u8]> = question.name.labels().collect();
        prop_assert_eq!(labels, name.iter().collect::<Vec<_>>());
        prop_assert_eq!((question.rtype, question.class), (rtype, 1));
        prop_assert_eq!(query.edns.is_some(), edns.is_some());
    }

    #[test]
    fn a_glimpse_shows_what_is_read(bits in any::<u32>(), bytes in mutated()) {
        let [a, b, c, d] = bits.to_be_bytes();
        let name = Name::from_ascii(format!("{d}.{c}.{b}.{a}.bl.dnsbl.example.")).unwrap();
        let asked = query(&name, 1, None);
        let question = Query::parse(&asked).unwrap().question.unwrap();
        let zone = DnsName::whole(b"\x02bl\x05dnsbl\x07example\0").unwrap();
        let front = question.name.within(zone).unwrap().front();
        prop_assert_eq!((glimpse(&asked), Reversed::read(front).v4), (bits, Some((bits, 32))));
        let _ = glimpse(&bytes);
    }

    #[test]
    fn any_octets_have_an_answer_or_none_and_nothing_reads_beyond_them(bytes in mutated()) {
        match Query::parse(&bytes) {
            Ok(query) => {
                let before = query.question.map_or(0, |question| question.name.as_bytes().len() + 4);
                prop_assert!(HEADER_LEN + before <= bytes.len());
            }
            Err(QueryError::Silent) => prop_assert!(bytes.len() < HEADER_LEN || bytes[2] & 0x80 != 0),
            Err(QueryError::Fault(header, code)) => {
                prop_assert_eq!(header.id.to_be_bytes(), [bytes[0], bytes[1]]);
                prop_assert!(matches!(code, rcode::FORMERR | rcode::NOTIMP));
            }
        }
    }

    #[test]
    fn another_implementation_reads_our_answers(
        name in name(), edns in any::<Option<u16>>(), text in vec(any::<u8>(), 0..300),
        code in any::<[u8; 4]>(), before in any::<prop::sample::Index>(), len_max in 12..700usize,
    ) {
        let bytes = query(&name, 16, edns);
        let query = Query::parse(&bytes).unwrap();
        let mut out = [0; UDP_LEN_MAX];
        let mut response = Response::to(&query, &mut out, len_max, 0);
        response.a(300, Ipv4Addr::from(code));
        response.txt(300, &text);
        // The zone is some tail of the name.
        let starts: Vec<usize> = std::iter::once(0).chain(name.iter().scan(0, |at, label| {
            *at += label.len() + 1;
            Some(*at)
        })).collect();
        let start = *before.get(&starts);
        let whole = query.question.unwrap().name.as_bytes();
        let zone = DnsName::whole(&whole[start..]).unwrap();
        // Names that end with the zone, and share its end, and share nothing.
        let primary = [&b"\x02ns"[..], &whole[start..]].concat();
        let primary = DnsName::whole(&primary).unwrap_or(DnsName::ROOT);
        let contact = DnsName::whole(b"\x01a\x07example\0").unwrap();
        let soa = Soa::new(Shared::of(primary, zone), Shared::of(contact, zone), [2, 3, 4, 5]);
        response.soa(Section::Authority, start, 60, &soa, 1);
        let is_cut = response.is_cut();
        let len = response.finish(rcode::NXDOMAIN, &Answered::default());
        prop_assert!(len <= len_max.max(HEADER_LEN) + 11);
        let read = Message::from_vec(&out[..len]).unwrap();
        prop_assert_eq!(read.metadata.message_type, MessageType::Response);
        prop_assert_eq!(read.metadata.truncation, is_cut);
        for record in &read.answers {
            prop_assert_eq!((&record.name, record.dns_class), (&name, DNSClass::IN));
            match &record.data {
                RData::A(a) => prop_assert_eq!(a.0.octets(), code),
                RData::TXT(txt) => prop_assert_eq!(&txt.txt_data[0][..], &text[..text.len().min(255)]),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        for record in &read.authorities {
            let labels = name.iter().scan(0, |at, label| { let here = *at; *at += label.len() + 1; Some((here, label)) });
            let tail = Name::from_labels(labels.filter(|(at, _)| *at >= start).map(|(_, label)| label)).unwrap();
            prop_assert_eq!(&record.name, &tail);
            let RData::SOA(soa) = &record.data else { panic!("{record}") };
            let said = tail.prepend_label("ns").unwrap_or_else(|_| Name::root());
            prop_assert_eq!((&soa.mname, soa.rname.to_string(), soa.minimum), (&said, "a.example.".to_owned(), 5));
        }
    }

    #[test]
    fn a_reversed_address_is_read_back(v4 in any::<u32>(), v6 in any::<u128>()) {
        let labels: Vec<String> = v4.to_le_bytes().iter().map(u8::to_string).collect();
        let nibbles: Vec<String> = (0..32).map(|at| format!("{:x}", v6 >> (4 * at) & 15)).collect();
        let read = |labels: Vec<String>| {
            let name = Name::from_labels(labels.iter().map(String::as_bytes)).unwrap();
            let bytes = query(&name, 1, None);
            Reversed::read(Query::parse(&bytes).unwrap().question.unwrap().name.labels())
        };
        prop_assert_eq!(read(labels).v4, Some((v4, 32)));
        prop_assert_eq!(read(nibbles), Reversed { v4: None, v6: Some((v6, 128)) });
    }
}
