//! The name server: what it answers, to whom, and how much.

mod annex;
mod clients;
mod sockets;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query as Asked, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use model::Secs;

use super::*;
use crate::clock::Clock;
use crate::testing::{Books, NOW};

/// Annex 3's zone, `bl.example.`, and what is listed in it.
fn listed() -> Books {
    let mut books = Books::new();
    books.sentence(2, "203.0.113.7", 2, NOW, Secs(7200));
    books.sentence(3, "198.51.100.0/24", 1, NOW, Secs(30 * 86_400));
    books.sentence(4, "2001:db8:1:2::/64", 15, NOW, Secs(7200));
    books
}

/// A server that listens nowhere, asked by packets.
struct Desk {
    books: Books,
    clock: Clock,
    responder: Responder,
}

/// From a network that is known, and from one that is not.
const KNOWN: &str = "127.0.0.1:4053";
const STRANGER: &str = "192.0.2.53:4053";

impl Desk {
    fn new(books: Books) -> Desk {
        Desk::with(books, |_| {})
    }

    fn with(books: Books, change: impl FnOnce(&mut Config)) -> Desk {
        let clock = Clock::manual(NOW);
        let mut config = config();
        change(&mut config);
        let shared = responder::Shared::new(config, books.published.clone(), clock.clone());
        Desk { books, clock, responder: Responder::new(Arc::new(shared)) }
    }

    /// What comes back, if anything does.
    fn send(&mut self, packet: &[u8], from: &str, transport: Transport) -> Option<Vec<u8>> {
        let from: SocketAddr = from.parse().unwrap();
        let mut out = [0; 65_535];
        let len =
            self.responder.at_once(|responder, at| responder.answer(at, packet, from, transport, &mut out));
        (len > 0).then(|| out[..len].to_vec())
    }

    /// The answer to one question of a known client.
    fn ask(&mut self, name: &str, rtype: RecordType) -> Message {
        self.ask_from(KNOWN, name, rtype).unwrap()
    }

    fn ask_from(&mut self, from: &str, name: &str, rtype: RecordType) -> Option<Message> {
        let answer = self.send(&question(name, rtype), from, Transport::Udp)?;
        Some(Message::from_vec(&answer).unwrap())
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.responder.counters().add_to(&mut sum);
        sum
    }
}

fn config() -> Config {
    Config {
        listen: Vec::new(),
        xdp: None,
        threads: 1,
        base: "example".parse().unwrap(),
        servers: vec!["ns1.example".parse().unwrap(), "ns.example.net".parse().unwrap()],
        contact: OwnedName::of_mailbox("hostmaster@example").unwrap(),
        ttl: 300,
        negative_ttl: 60,
        access: Access::Local,
        known: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
        secondaries: Vec::new(),
        keys: Keys::default(),
        rates: Rates {
            count_only: false,
            listed: 20,
            unlisted: 10,
            errors: 5,
            slip: 2,
            quota: 0,
            everybody: false,
        },
        cookie_secret: [7; 32],
        connections_max: 10,
        idle: Duration::from_secs(10),
        serials: Arc::default(),
        transfers: None,
    }
}

fn message(name: &str, rtype: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 0x1234;
    // Also names that no host has.
    let labels = name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    message.add_query(Asked::query(Name::from_labels(labels).unwrap(), rtype));
    message
}

fn question(name: &str, rtype: RecordType) -> Vec<u8> {
    message(name, rtype).to_vec().unwrap()
}

/// The addresses of an answer, and its texts.
fn said(answer: &Message) -> Vec<String> {
    let said = answer.answers.iter().map(|record| match &record.data {
        RData::A(a) => a.0.to_string(),
        RData::TXT(txt) => {
            assert_eq!(txt.txt_data.len(), 1, "one string (STD-5)");
            String::from_utf8(txt.txt_data[0].to_vec()).unwrap()
        }
        other => other.to_string(),
    });
    said.collect()
}

/// The SOA of a negative answer stands alone.
#[track_caller]
fn is_negative(answer: &Message, zone: &str) {
    assert!(answer.answers.is_empty(), "{answer}");
    let [soa] = &answer.authorities[..] else { panic!("{answer}") };
    assert_eq!((soa.name.to_string().to_ascii_lowercase(), soa.ttl), (zone.to_owned(), 60));
    assert!(matches!(&soa.data, RData::SOA(soa) if soa.minimum == 60));
}

fn code(answer: &Message) -> ResponseCode {
    answer.metadata.response_code
}
