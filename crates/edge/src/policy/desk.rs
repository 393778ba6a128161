//! One request: from the words of Postfix to an answer and an observation.

use std::net::IpAddr;

use answers::{MailPath, Session, sender_fits};
use model::{
    Answered, Attempt, Client, Conduct, Fact, Habit, Habits, Message, Millis, Name, Observation, Prefix,
    Rdns, Sensor,
};
use projections::View;
use wire::policy::{Action, ClientAddress, Request, State};
use wire::text::quoted;

use super::connection::Said;
use super::host::Host;
use super::reply::tell;
use super::trouble::Trouble;
use crate::decided::{Weighed, met, weighed};

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
    /// It was told how the client of its session behaves.
    told: bool,
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
        let ours = config.ours.iter().any(|net| net.covers(Prefix::host(addr)));
        let needed = self.heard || config.scorer.is_some() || config.greetings.is_some();
        let client = needed.then(|| client(addr, request));
        let lately = config.manners.of(addr, at.now);
        let stranger = client.as_ref().filter(|_| !ours);
        let absent = stranger.is_some_and(|who| met(config.greetings.as_ref(), who, at.view, at.now));
        let shown = (lately.faults.and(shown(request)), absent);
        let weighed = client.as_ref().map(|client| weigh(client, shown, request, at)).unwrap_or_default();
        let session = Session {
            helo: some(request.helo_name),
            sender: Some(request.sender),
            recipient: some(request.recipient),
            to: at.host.shared.means.persons.person(request.recipient),
            authenticated: !request.sasl_username.is_empty(),
            ours,
            early: lately.early,
            absent,
            score: weighed.score,
            pool: weighed.pool,
            ..Session::new(addr, message.began)
        };
        let answer = answers::answer(&session, at.view, at.now);
        let persons = &at.host.shared.means.persons;
        let (answer, ticket) = config.waiting.admit(answer, &session, at.view, persons, at.now);
        let answered = tell(&answer, addr, request, at, &mut said.out);
        if let Some(client) = client.filter(|_| self.heard) {
            self.tell_conduct(&client, &session, request, at, said);
            let fact = Fact::Attempt(Attempt { ticket, ..attempt(client, request, answered, at.host) });
            said.seen.push(seen(message, at.now, fact));
        }
    }

    /// Reports once a session what its client showed; our own people are not watched.
    fn tell_conduct(
        &mut self,
        client: &Client,
        session: &Session<'_>,
        request: &Request<'_>,
        at: &Moment<'_>,
        said: &mut Said,
    ) {
        let config = &at.host.shared.config;
        let watched = config.tells_conduct && !session.ours && !session.authenticated;
        let Some(message) = self.message.as_mut().filter(|message| watched && !message.told) else { return };
        message.told = true;
        if shown(request).has(Habit::OutOfPlace) {
            let habit = Habit::OutOfPlace;
            config.manners.note(client.addr, habit, at.now, at.now);
            said.seen.push(seen(*message, at.now, Fact::Conduct(Conduct { client: client.clone(), habit })));
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
        let last = self.message.filter(same);
        let began = last.map_or(at.now, |last| last.began);
        let taken = request.protocol_state == State::EndOfMessage;
        let told = last.is_some_and(|last| last.told);
        *self.message.insert(MessageId { session, peer, began, taken, told })
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

/// What a question shows of conduct: MAIL without a greeting before it. Only Postfix always
/// says how it was greeted; other servers may leave the name out.
fn shown(request: &Request<'_>) -> Habits {
    let ungreeted = request.protocol_name == b"SMTP" && request.helo_name.is_empty();
    Habits::of(|habit| ungreeted && habit == Habit::OutOfPlace)
}

fn weigh(
    client: &Client,
    (faults, absent): (Habits, bool),
    request: &Request<'_>,
    at: &Moment<'_>,
) -> Weighed {
    let shared = &at.host.shared;
    let to = || shared.means.persons.person(request.recipient);
    let path = || MailPath::of(client, request.sender, to()).with(faults).named(absent);
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
