//! One SMTP session: who it is with, and what its messages are called.

use model::letter::Tls;
use model::{Answered, Client, Connected, Fact, Millis, Name, Observation, Sensor, Sent};

use super::begun::Begun;
use super::client::{Standing, connected};
use super::conduct::Bearing;
use super::connection::Said;
use super::crowd::Visit;
use super::desk::Moment;
use super::host::Shared;
use super::inner::inner;
use super::message::Draft;
use super::rcpt::{Heard, attempt};

/// The most octets that are kept of the name of a TLS version or cipher.
const TLS_WORD_LEN_MAX: usize = 64;

/// One SMTP session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) standing: Standing,
    pub(super) tls: Option<Tls>,
    /// Its part in the crowd, where that is counted.
    pub(super) visit: Option<Visit>,
    /// How the client behaves.
    pub(super) bearing: Bearing,
    /// A case that took effect later does not touch it, until a message has come to its end
    /// (TXT-R3): what is answered to one recipient must not show that another was a trap.
    pub(super) began: Millis,
    /// What no other session has: its number in this process, and when that was.
    id: [u64; 2],
    messages: u32,
}

impl Session {
    pub(super) fn new(addr: std::net::IpAddr, port: u16, begun: &Begun, at: &Moment<'_>) -> Session {
        let shared = &at.host.shared;
        Session {
            client: connected(addr, port, begun),
            standing: Standing::of(addr, shared),
            tls: None,
            visit: None,
            bearing: Bearing::default(),
            began: at.now,
            id: [shared.next_session(), at.now.0],
            messages: 0,
        }
    }

    /// HELO or EHLO. After STARTTLS the client says it again, and what it said before is void
    /// (STD-35).
    pub(super) fn helo(&mut self, name: &[u8], begun: &Begun) {
        let word = |of| begun.get(b'H', of).unwrap_or_default();
        let short = |text: &[u8]| text[..text.len().min(TLS_WORD_LEN_MAX)].to_vec();
        let tls = Tls { version: short(word("tls_version")), cipher: short(word("cipher")) };
        self.tls = (!tls.version.is_empty()).then_some(tls);
        self.client.helo = (!name.is_empty()).then(|| Name::new(name));
    }

    /// MAIL: one more message; the login, if there was one, and the message's own value.
    pub(super) fn mail(&mut self, begun: &Begun, shared: &Shared) -> u64 {
        self.client.authenticated = begun.get(b'M', "auth_authen").is_some_and(|name| !name.is_empty());
        self.messages = self.messages.wrapping_add(1);
        let Client { addr, port, .. } = &self.client;
        let [number, at] = self.id;
        let id = format!("milter {addr} {port} {number} {at} {}", self.messages);
        shared.means.persons.instance(shared.config.mx.as_bytes(), id.as_bytes())
    }

    /// Joins the crowd; what is to be reported of the client.
    pub(super) fn enter(&mut self, at: &Moment<'_>) -> Option<Observation> {
        let shared = &at.host.shared;
        let crowd = shared.crowd.as_ref().filter(|_| self.standing == Standing::Stranger)?;
        let (visit, report) = crowd.enter(self.client.addr, shared.is_strained(), at.now)?;
        self.visit = Some(visit);
        let fact = Fact::Connected(Connected { client: self.client.clone(), sessions: report? });
        Some(seen(self.tag(shared), at.now, fact))
    }

    /// What no other session is called, for facts that are about none of its messages.
    pub(super) fn tag(&self, shared: &Shared) -> u64 {
        let [number, since] = self.id;
        let id = format!("milter {} {number} {since}", self.client.addr);
        shared.means.persons.instance(shared.config.mx.as_bytes(), id.as_bytes())
    }

    /// What became of a recipient: it was taken, or we refused it.
    pub(super) fn went(&mut self, taken: bool) {
        match &mut self.visit {
            Some(visit) if taken => visit.reached(),
            Some(visit) => visit.stopped(),
            None => {}
        }
    }

    /// It comes from our own people: a login, or one of our networks.
    pub(super) fn is_own(&self) -> bool {
        self.client.authenticated || self.standing == Standing::Ours
    }

    /// Neither our own people nor a relay of ours.
    pub(super) fn is_stranger(&self) -> bool {
        self.standing == Standing::Stranger && !self.client.authenticated
    }

    /// Who a message comes from, and the relay that handed it on. Where the relay's fields do
    /// not say, it is the relay itself.
    pub(super) fn origin(&self, draft: &Draft, shared: &Shared) -> (Client, Option<Client>) {
        let relay = self.standing == Standing::Relay;
        match relay.then(|| inner(draft.fields(), shared)).flatten() {
            Some(client) => (client, Some(self.client.clone())),
            None => (self.client.clone(), None),
        }
    }
}

/// Reports what our own people sent.
pub(super) fn sent(draft: &Draft, at: &Moment<'_>, said: &mut Said) {
    let persons = &at.host.shared.means.persons;
    let sender = persons.person(&draft.sender);
    for address in draft.recipients() {
        if let Some(recipient) = persons.person(address) {
            let fact = Fact::Sent(Sent { sender, recipient, domain: persons.domain_of(address) });
            said.seen.push(seen(draft.session, at.now, fact));
        }
    }
}

/// Reports what a client attempted through a declared relay.
pub(super) fn relayed(client: &Client, draft: &Draft, at: &Moment<'_>, said: &mut Said) {
    let persons = &at.host.shared.means.persons;
    for recipient in draft.recipients() {
        let heard = Heard { answered: Answered::Passed, ticket: None };
        let fact = attempt(client, &draft.sender, recipient, heard, persons);
        said.seen.push(seen(draft.session, at.now, fact));
    }
}

/// A fact about one message.
pub(super) fn seen(session: u64, at: Millis, fact: Fact) -> Observation {
    Observation { at, sensor: Sensor::Milter, session, fact }
}
