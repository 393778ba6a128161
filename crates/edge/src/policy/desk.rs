//! One request: from the words of Postfix to an answer and an observation.

use std::net::IpAddr;

use answers::{MailPath, Session, sender_fits};
use model::{Answered, Attempt, Client, Fact, Message, Millis, Name, Observation, Prefix, Rdns, Sensor};
use projections::View;
use wire::policy::{Action, ClientAddress, Request, State};
use wire::text::quoted;

use super::connection::Said;
use super::host::Host;
use super::reply::tell;
use super::trouble::Trouble;
use crate::decided::{Weighed, weighed};

/// What all answers of one moment are made from.
pub(super) struct Moment<'a> {
    pub(super) now: Millis,
    pub(super) view: &'a View,
    pub(super) host: &'a Host,
}

/// What one connection remembers from one request to the next.
#[derive(Debug)]
pub(super) struct Desk {
    /// What is heard counts.
    heard: bool,
    /// The message asked about last.
    message: Option<MessageId>,
}

/// One message, and when it was first asked about.
///
/// A case that took effect after that does not touch it, nor what the same SMTP session
/// asks until a message has been taken (TXT-R3): RSET must not show which recipient was a
/// trap.
#[derive(Clone, Copy, Debug)]
struct MessageId {
    session: u64,
    peer: Option<(IpAddr, u16)>,
    began: Millis,
    /// The end of its data was asked about.
    taken: bool,
}

impl Desk {
    pub(super) fn new(heard: bool) -> Desk {
        Desk { heard, message: None }
    }

    /// Answers one request and notes what it shows.
    pub(super) fn answer(&mut self, request: &Request<'_>, at: &Moment<'_>, said: &mut Said) {
        let known = request.is_access_policy();
        match (request.protocol_state, request.client_address) {
            _ if !known => at.host.trouble(Trouble::Malformed, &quoted(request.request)),
            (State::Rcpt, ClientAddress::Ip(addr)) => return self.rcpt(addr, request, at, said),
            (State::Rcpt, ClientAddress::Malformed) => {
                at.host.trouble(Trouble::Malformed, &quoted(request.client_address_raw));
            }
            (State::EndOfMessage, _) if self.heard => self.end_of_message(request, at, said),
            _ => {}
        }
        Action::Dunno.write(&mut said.out);
    }

    fn rcpt(&mut self, addr: IpAddr, request: &Request<'_>, at: &Moment<'_>, said: &mut Said) {
        let config = &at.host.shared.config;
        let message = self.join(request, at);
        let client = (self.heard || config.scorer.is_some()).then(|| client(addr, request));
        let weighed = client.as_ref().map(|client| weigh(client, request, at)).unwrap_or_default();
        let session = Session {
            helo: some(request.helo_name),
            sender: Some(request.sender),
            recipient: some(request.recipient),
            authenticated: !request.sasl_username.is_empty(),
            ours: config.ours.iter().any(|net| net.covers(Prefix::host(addr))),
            score: weighed.score,
            pool: weighed.pool,
            ..Session::new(addr, message.began)
        };
        let answer = answers::answer(&session, at.view, at.now);
        let persons = &at.host.shared.means.persons;
        let (answer, ticket) = config.waiting.admit(answer, &session, at.view, persons, at.now);
        let answered = tell(&answer, addr, request, at, &mut said.out);
        if let Some(client) = client.filter(|_| self.heard) {
            let fact = Fact::Attempt(Attempt { ticket, ..attempt(client, request, answered, at.host) });
            said.seen.push(seen(message, at.now, fact));
        }
    }

    fn end_of_message(&mut self, request: &Request<'_>, at: &Moment<'_>, said: &mut Said) {
        let shared = &at.host.shared;
        let queue = |id| shared.means.persons.queue(shared.config.mx.as_bytes(), id);
        let fact = Fact::Message(Message {
            queue: some(request.queue_id).map(queue),
            recipients: request.recipient_count.try_into().unwrap_or(u16::MAX),
            size: request.size,
            content: None,
        });
        let message = self.join(request, at);
        said.seen.push(seen(message, at.now, fact));
    }

    /// The message that a request is about; one that is not the last one's begins now.
    fn join(&mut self, request: &Request<'_>, at: &Moment<'_>) -> MessageId {
        let shared = &at.host.shared;
        let id = |instance: &[u8]| shared.means.persons.instance(shared.config.mx.as_bytes(), instance);
        let session = match request.instance {
            b"" => id(&stand_in(request, at.now)),
            instance => id(instance),
        };
        let peer = peer(request);
        let same = |last: &MessageId| {
            last.session == session || (peer.is_some() && last.peer == peer && !last.taken)
        };
        let began = self.message.filter(same).map_or(at.now, |last| last.began);
        let taken = request.protocol_state == State::EndOfMessage;
        *self.message.insert(MessageId { session, peer, began, taken })
    }
}

/// The two ends of a TCP connection that tell SMTP sessions apart; an unknown port does not.
fn peer(request: &Request<'_>) -> Option<(IpAddr, u16)> {
    match (request.client_address, request.client_port) {
        (ClientAddress::Ip(addr), Some(port)) if port > 0 => Some((addr, port)),
        _ => None,
    }
}

/// What joins requests of an MTA that names no instance: who writes to us as whom, within
/// two minutes (DESIGN §4).
#[cold]
fn stand_in(request: &Request<'_>, now: Millis) -> Vec<u8> {
    let port = request.client_port.unwrap_or(0);
    let minutes = now.minute() / 2;
    [request.client_address_raw, &port.to_be_bytes(), &minutes.to_be_bytes(), request.sender].concat()
}

fn weigh(client: &Client, request: &Request<'_>, at: &Moment<'_>) -> Weighed {
    let shared = &at.host.shared;
    let path = || MailPath::of(client, request.sender, shared.means.persons.person(request.recipient));
    weighed(shared.config.scorer.as_ref(), client, path, at.view, at.now)
}

fn seen(message: MessageId, at: Millis, fact: Fact) -> Observation {
    Observation { at, sensor: Sensor::Policy, session: message.session, fact }
}

fn attempt(client: Client, request: &Request<'_>, answered: Answered, host: &Host) -> Attempt {
    let persons = &host.shared.means.persons;
    let sender_fits = sender_fits(client.helo.as_ref(), request.sender);
    Attempt {
        client,
        sender: persons.person(request.sender),
        recipient: persons.person(request.recipient),
        recipients: 1,
        answered,
        sender_fits,
        ticket: None,
    }
}

fn client(addr: IpAddr, request: &Request<'_>) -> Client {
    Client {
        addr,
        port: request.client_port.unwrap_or(0),
        helo: some(request.helo_name).map(Name::new),
        rdns: rdns(request),
        authenticated: !request.sasl_username.is_empty(),
    }
}

/// Postfix sends `unknown` where there is no name and where DNS failed for now; Exim sends
/// nothing at all.
fn rdns(request: &Request<'_>) -> Rdns {
    match (request.confirmed_name(), request.reverse_name()) {
        (Some(name), _) => Rdns::Confirmed(Name::new(name)),
        (None, Some(name)) => Rdns::Mismatch(Name::new(name)),
        (None, None) if request.client_name.is_empty() && request.reverse_client_name.is_empty() => {
            Rdns::Unknown
        }
        (None, None) => Rdns::Missing,
    }
}

fn some(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}
