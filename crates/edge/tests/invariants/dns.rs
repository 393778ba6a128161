//! What must hold for any packet that reaches the name server, whoever sends it.

use std::net::SocketAddr;
use std::sync::Arc;

use edge::dns::{Access, Config, Keys, Rates, Responder, Transport};
use edge::{Clock, Published};
use hickory_proto::op::{Message, MessageType};
use model::case::{BlockKind, Opened};
use model::event::{Cause, EventId, FORMAT, Node};
use model::reasons::by_id;
use model::sentence::{Severity, Tariff};
use model::{Actor, Body, CaseId, Class, Envelope, Hybrid, LinkKey, Millis, Mode, Secs, Site};
use projections::Projector;
use wire::dns::{HEADER_LEN, Query, QueryError, UDP_LEN_MAX, UDP_LEN_MIN};

/// 2026-11-21 22:40:07 UTC.
const NOW: Millis = Millis::from_secs(1_795_300_807);

/// Octets of the longest answer that is asked for here.
const TCP_LEN_MAX: usize = 65_535;

/// A key that lets its holder ask.
pub(crate) const KEY: &str = "k3y0fsixteenormore";

/// Some servers with the same lists: one for everybody, one for whom it knows, one that wants keys and
/// says little to strangers.
pub(crate) struct Servers {
    public: Responder,
    local: Responder,
    keyed: Responder,
}

/// What a stranger's packet met with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// No answer.
    Silence,
    /// These octets.
    Answer(Vec<u8>),
}

impl Servers {
    /// Servers at one moment that does not pass.
    pub(crate) fn new() -> Servers {
        let published = Arc::new(Published::new(lists().view()));
        let server = |access, rates: Rates| {
            let mut config = Config::plain("dnsbl.example.org".parse().expect("a name"), access);
            config.known = vec!["127.0.0.0/8".parse().expect("a prefix")];
            config.keys = Keys::new([KEY].into_iter(), [5; 16]);
            config.rates = rates;
            Responder::alone(config, published.clone(), Clock::manual(NOW))
        };
        let free = Rates::NONE;
        let tight = Rates { listed: 2, unlisted: 2, errors: 2, slip: 2, quota: 4, ..Rates::NONE };
        Servers {
            public: server(Access::Public, free),
            local: server(Access::Local, free),
            keyed: server(Access::Keyed, tight),
        }
    }

    /// Hands a packet to all of them, from a stranger, from loopback and on a connection, and
    /// panics where something does not hold; what the stranger got of the public one.
    pub(crate) fn check(&mut self, packet: &[u8]) -> Outcome {
        let (stranger, known) = ("192.0.2.1:53", "127.0.0.1:5353");
        let outcome = hand(&mut self.public, packet, stranger, Transport::Udp);
        for server in [&mut self.public, &mut self.local, &mut self.keyed] {
            for (from, transport) in
                [(stranger, Transport::Udp), (known, Transport::Udp), (stranger, Transport::Tcp)]
            {
                let Outcome::Answer(answer) = hand(server, packet, from, transport) else { continue };
                check_answer(packet, &answer);
                let is_stranger = from == stranger;
                assert!(answer.len() <= len_max(packet, is_stranger, transport), "{} octets", answer.len());
            }
        }
        assert_eq!(
            outcome,
            hand(&mut self.public, packet, stranger, Transport::Udp),
            "one packet, two answers"
        );
        check_silence(packet, &outcome);
        outcome
    }
}

fn hand(server: &mut Responder, packet: &[u8], from: &str, transport: Transport) -> Outcome {
    let from: SocketAddr = from.parse().expect("an address");
    let mut out = vec![0; if transport == Transport::Udp { UDP_LEN_MAX } else { TCP_LEN_MAX }];
    let len = server.at_once(|server, at| server.answer(at, packet, from, transport, &mut out));
    out.truncate(len);
    if len == 0 { Outcome::Silence } else { Outcome::Answer(out) }
}

/// How long an answer may be (RFC 6891 §6.2.3, STD-21).
fn len_max(packet: &[u8], is_stranger: bool, transport: Transport) -> usize {
    if transport == Transport::Tcp {
        return TCP_LEN_MAX;
    }
    let says = Query::parse(packet)
        .ok()
        .and_then(|query| query.edns)
        .map_or(UDP_LEN_MIN, |edns| edns.payload.into());
    let takes = says.clamp(UDP_LEN_MIN, UDP_LEN_MAX);
    if is_stranger { takes.min(3 * packet.len()) } else { takes }
}

/// A message that is a response, or too short for a header, has no answer; everything else
/// has one of a server without limits.
fn check_silence(packet: &[u8], outcome: &Outcome) {
    let wants_none = packet.len() < HEADER_LEN || packet[2] & 0x80 != 0;
    assert_eq!(wants_none, *outcome == Outcome::Silence, "{}", packet.escape_ascii());
}

fn check_answer(packet: &[u8], answer: &[u8]) {
    assert_eq!(Query::parse(answer), Err(QueryError::Silent), "two servers could answer each other for ever");
    // RFC 1035 §4.1.1: its number, its kind and RD are the question's; RA is never set.
    assert_eq!(answer[..2], packet[..2]);
    assert_eq!(answer[2] & 0x79, packet[2] & 0x79);
    assert_eq!(answer[3] & 0x80, 0);
    let message = Message::from_vec(answer).unwrap_or_else(|e| panic!("{e}: {}", answer.escape_ascii()));
    assert_eq!(message.metadata.message_type, MessageType::Response);
    let Ok(Query { question: Some(question), .. }) = Query::parse(packet) else {
        return assert!(message.queries.is_empty());
    };
    // Letter by letter: resolvers hide a secret in the case (0x20).
    let asked = question.name.as_bytes().len() + 4;
    assert_eq!(answer[HEADER_LEN..HEADER_LEN + asked], packet[HEADER_LEN..HEADER_LEN + asked]);
    assert!(message.metadata.truncation || message.answers.len() + message.authorities.len() <= 20);
}

/// Listed are 203.0.113.7 (spam), 2001:db8:1:2::/64 (bot) and example.net (operator).
fn lists() -> Projector {
    let mut lists = Projector::new(Arc::new(site()), Vec::new(), true, [1, 2]);
    lists.apply(1, &event(1, None, Body::ModeChanged(Mode::Live)));
    for (seq, key, reason) in
        [(2, "203.0.113.7", "spam-volume"), (3, "2001:db8:1:2::/64", "bot"), (4, "example.net", "operator")]
    {
        lists.apply(seq, &event(seq, Some(key), Body::CaseOpened(opened(reason))));
    }
    lists
}

fn opened(reason: &str) -> Opened {
    let number = by_id(reason).expect("a reason").number;
    Opened {
        kind: BlockKind::Rbl,
        reason: number,
        from: NOW,
        until: NOW.plus(Secs::HOUR),
        caused_at: NOW,
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Minor,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff::SHIPPED,
    }
}

fn event(seq: u64, key: Option<&str>, body: Body) -> Envelope {
    let id = EventId { node: Node(1), life: 1, seq };
    Envelope {
        format: FORMAT,
        site: 1,
        id,
        prev: [0; 32],
        at: Hybrid { wall: NOW, count: 0 },
        cause: Cause::Input(1, 0),
        actor: Actor::Engine,
        rule: None,
        mode: Mode::Live,
        case: key.map(|_| CaseId(id)),
        key: key.map(|key| key.parse().expect("a key")),
        scope: None,
        link_epoch: 1,
        evidence: Vec::new(),
        must_understand: false,
        body,
    }
}

fn site() -> Site {
    Site {
        name: "Example Networks".into(),
        portal: "https://mw.example.org".into(),
        contact: "postmaster@example.org".into(),
        exempt_local: Vec::new(),
        exempt_address: Vec::new(),
        may_refuse: true,
        greylist: None,
        by_country: None,
        helo_names: None,
        link_key: LinkKey { secret: [7; 32], epoch: 1 },
    }
}
