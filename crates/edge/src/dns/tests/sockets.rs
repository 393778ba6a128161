//! Over real sockets, on loopback.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use super::*;

/// A running server with everything around it.
struct Stage {
    server: Running,
    _books: Books,
}

impl Stage {
    fn new(listen: &str) -> Stage {
        let books = listed();
        let config =
            Config { listen: vec![listen.parse().unwrap()], threads: 2, connections_max: 3, ..config() };
        let server = Running::start(config, books.published.clone(), Clock::manual(NOW)).unwrap();
        Stage { server, _books: books }
    }

    fn addr(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr()).unwrap();
        stream.set_read_timeout(Some(crate::testing::PATIENCE)).unwrap();
        stream
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

fn receive(stream: &mut TcpStream) -> Message {
    let mut len = [0; 2];
    stream.read_exact(&mut len).unwrap();
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut bytes).unwrap();
    Message::from_vec(&bytes).unwrap()
}

#[test]
fn every_question_of_a_burst_gets_its_answer_from_the_address_that_was_asked() {
    for (listen, own) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        let stage = Stage::new(listen);
        // Several clients, so that the kernel gives each thread some of them.
        for _ in 0..8 {
            let client = UdpSocket::bind(own).unwrap();
            client.connect(stage.addr()).unwrap();
            client.set_read_timeout(Some(crate::testing::PATIENCE)).unwrap();
            let mut expect = Vec::new();
            for id in 0..150u16 {
                let mut asked = message(&format!("{}.113.0.203.bl.example.", id % 10), RecordType::A);
                asked.metadata.id = id;
                client.send(&asked.to_vec().unwrap()).unwrap();
                expect.push((id, id % 10 == 7));
            }
            let mut got: Vec<_> = expect
                .iter()
                .map(|_| {
                    let mut bytes = [0; 1500];
                    let len = client.recv(&mut bytes).unwrap();
                    let answer = Message::from_vec(&bytes[..len]).unwrap();
                    (answer.metadata.id, !answer.answers.is_empty())
                })
                .collect();
            got.sort_unstable();
            assert_eq!(got, expect);
        }
    }
}

#[test]
fn rfc_7766_questions_one_behind_the_other_are_answered_in_their_order() {
    let stage = Stage::new("127.0.0.1:0");
    let mut stream = stage.connect();
    let asked: Vec<_> = ["7.113.0.203", "8.113.0.203", "2.0.0.127"]
        .iter()
        .map(|name| framed(&question(&format!("{name}.bl.example."), RecordType::TXT)))
        .collect();
    // In pieces that end anywhere.
    for piece in asked.concat().chunks(7) {
        stream.write_all(piece).unwrap();
    }
    let said: Vec<_> = (0..3).map(|_| said(&receive(&mut stream)).len()).collect();
    assert_eq!(said, [1, 0, 1]);
}

#[test]
fn a_response_on_a_connection_ends_it() {
    let stage = Stage::new("127.0.0.1:0");
    let mut stream = stage.connect();
    let mut response = question("7.113.0.203.bl.example.", RecordType::A);
    response[2] |= 0x80;
    stream.write_all(&framed(&response)).unwrap();
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn connections_beyond_the_limit_are_turned_away_and_counted() {
    let stage = Stage::new("127.0.0.1:0");
    let mut held: Vec<_> = (0..3).map(|_| stage.connect()).collect();
    let asked = framed(&question("7.113.0.203.bl.example.", RecordType::A));
    for stream in &mut held {
        stream.write_all(&asked).unwrap();
        receive(stream);
    }
    assert_eq!(stage.server.counts().connections, 3);
    // It may be reset before it can be read.
    let end = stage.connect().read(&mut [0; 10]);
    assert!(!matches!(end, Ok(1..)), "{end:?}");
    crate::testing::wait_for(|| stage.server.counts().turned_away == 1);
    drop(held);
    crate::testing::wait_for(|| stage.server.counts().connections == 0);
    let mut again = stage.connect();
    again.write_all(&asked).unwrap();
    assert_eq!(said(&receive(&mut again)), ["127.0.0.3"]);
}

#[test]
fn a_secondary_has_a_connection_for_each_zone_and_a_stranger_five() {
    let connected = |secondaries: &[&str]| {
        let books = listed();
        let config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            connections_max: 100,
            known: Vec::new(),
            secondaries: secondaries.iter().map(|prefix| prefix.parse().unwrap()).collect(),
            ..config()
        };
        let server = Running::start(config, books.published.clone(), Clock::manual(NOW)).unwrap();
        let stage = Stage { server, _books: books };
        let held: Vec<_> = (0..ZONES).map(|_| stage.connect()).collect();
        let counts = || stage.server.counts();
        crate::testing::wait_for(|| counts().connections + counts().turned_away == ZONES as u64);
        let open = counts().connections;
        drop(held);
        open
    };
    assert_eq!([connected(&["192.0.2.53"]), connected(&["127.0.0.1"])], [5, ZONES as u64]);
}

#[test]
fn an_address_that_another_has_is_refused_with_the_way_out() {
    let stage = Stage::new("127.0.0.1:0");
    let config = Config { listen: vec![stage.addr()], ..config() };
    let error = Running::start(config, listed().published.clone(), Clock::manual(NOW)).err().unwrap();
    assert!(error.to_string().contains("ss -lnup"), "{error}");
}
