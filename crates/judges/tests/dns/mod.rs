//! A name server for tests, on loopback, over UDP and TCP.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use judges::auth::Settings;
use mail_auth::hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use mail_auth::hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use mail_auth::hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// The longest answer over UDP; what is longer goes over TCP.
const UDP_LEN_MAX: usize = 1232;

/// What one name holds: data, or no answer from here on.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Data(RData),
    /// The server fails for every type that does not stand before.
    Fails,
}

/// Names in lower case with what they hold, and how often the server was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone(pub(crate) BTreeMap<String, Vec<Entry>>, pub(crate) Arc<AtomicUsize>);

impl Zone {
    pub(crate) fn add(&mut self, name: &str, data: RData) {
        self.0.entry(name.to_ascii_lowercase()).or_default().push(Entry::Data(data));
    }

    pub(crate) fn txt(&mut self, name: &str, text: &[u8]) {
        self.add(name, txt(&[text]));
    }

    /// What is asked of `name`: data, or an error.
    fn answer(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, ResponseCode> {
        let Some(entries) = self.0.get(name) else {
            let below = format!(".{name}");
            let exists = self.0.keys().any(|other| other.ends_with(&below));
            return if exists { Ok(Vec::new()) } else { Err(ResponseCode::NXDomain) };
        };
        let mut found = Vec::new();
        for entry in entries {
            match entry {
                Entry::Fails if found.is_empty() => return Err(ResponseCode::ServFail),
                Entry::Data(data) if data.record_type() == kind => found.push(data.clone()),
                Entry::Data(data) if data.record_type() == RecordType::CNAME => found.push(data.clone()),
                Entry::Fails | Entry::Data(_) => {}
            }
        }
        Ok(found)
    }
}

/// A TXT record of these strings, each cut at 255 octets.
pub(crate) fn txt(strings: &[&[u8]]) -> RData {
    let strings =
        strings.iter().flat_map(|text| text.chunks(255).chain(text.is_empty().then_some(*text))).collect();
    RData::TXT(TXT::from_bytes(strings))
}

pub(crate) fn address(text: &str) -> RData {
    match text.parse().expect("an address") {
        std::net::IpAddr::V4(v4) => RData::A(A(v4)),
        std::net::IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    }
}

pub(crate) fn mx(preference: u16, name: &str) -> RData {
    RData::MX(MX::new(preference, self::name(name)))
}

pub(crate) fn ptr(name: &str) -> RData {
    RData::PTR(PTR(self::name(name)))
}

pub(crate) fn cname(name: &str) -> RData {
    RData::CNAME(CNAME(self::name(name)))
}

pub(crate) fn name(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    Name::from_labels(labels).expect("a name")
}

/// Serves a zone for as long as the runtime lives; settings that ask it.
pub(crate) async fn serve(zone: Zone) -> Settings {
    let (zone, (udp, tcp)) = (Arc::new(zone), sockets().await);
    let at = udp.local_addr().expect("an address");
    let shared = Arc::clone(&zone);
    tokio::spawn(async move {
        let mut question = [0; 4096];
        while let Ok((len, from)) = udp.recv_from(&mut question).await {
            if let Some(reply) = reply(&shared, &question[..len], UDP_LEN_MAX) {
                let _ = udp.send_to(&reply, from).await;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let zone = Arc::clone(&zone);
            tokio::spawn(async move {
                while let Ok(len) = stream.read_u16().await {
                    let mut question = vec![0; usize::from(len)];
                    if stream.read_exact(&mut question).await.is_err() {
                        return;
                    }
                    let Some(reply) = reply(&zone, &question, usize::from(u16::MAX)) else { return };
                    let len = u16::try_from(reply.len()).expect("short enough");
                    if stream.write_u16(len).await.is_err() || stream.write_all(&reply).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    settings(at)
}

/// Settings that ask this server alone.
pub(crate) fn settings(at: SocketAddr) -> Settings {
    Settings { servers: vec![at], attempts: 1, authserv_id: "mx.example.net".into(), ..Settings::default() }
}

async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let at = tcp.local_addr().expect("an address");
        // Another program may hold the same number over UDP.
        if let Ok(udp) = UdpSocket::bind(at).await {
            return (udp, tcp);
        }
    }
}

fn reply(zone: &Zone, question: &[u8], len_max: usize) -> Option<Vec<u8>> {
    let asked = Message::from_vec(question).ok()?;
    zone.1.fetch_add(1, Ordering::Relaxed);
    let query = asked.queries.first()?.clone();
    let mut reply = Message::new(asked.metadata.id, MessageType::Response, asked.metadata.op_code);
    reply.metadata.recursion_available = true;
    reply.metadata.recursion_desired = true;
    reply.add_query(query.clone());
    let mut at = query.name().clone();
    // Follows at most so many aliases.
    for _ in 0..10 {
        let labels: Vec<_> =
            at.iter().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
        match zone.answer(&labels.join("."), query.query_type()) {
            Err(code) => {
                reply.metadata.response_code = code;
                break;
            }
            Ok(found) => {
                let alias = found.iter().find_map(|data| match data {
                    RData::CNAME(CNAME(target)) if query.query_type() != RecordType::CNAME => {
                        Some(target.clone())
                    }
                    _ => None,
                });
                for data in found {
                    reply.add_answer(Record::from_rdata(at.clone(), 60, data));
                }
                match alias {
                    Some(target) => at = target,
                    None => break,
                }
            }
        }
    }
    if reply.answers.is_empty() {
        // RFC 2308 §3: without it nobody may remember that there is nothing.
        let soa = SOA::new(name("ns.example"), name("hostmaster.example"), 1, 60, 60, 60, 60);
        reply.add_authority(Record::from_rdata(Name::root(), 60, RData::SOA(soa)));
    }
    let bytes = reply.to_vec().ok()?;
    if bytes.len() <= len_max {
        return Some(bytes);
    }
    reply.answers.clear();
    reply.metadata.truncation = true;
    reply.to_vec().ok()
}
