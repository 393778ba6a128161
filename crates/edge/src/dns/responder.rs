//! One answer: from the octets of a packet to the octets of another.
//!
//! What the answer is, `finding` says from the view; here it is decided whether this client
//! gets it, and how much of it.

use std::net::SocketAddr;
use std::sync::Arc;

use answers::NoAnswer;
use model::codes::CODE_EXTERNAL;
use model::key::fold;
use model::{Codes, Millis};
use projections::View;
use wire::dns::{
    Answered, COOKIE_CLIENT_LEN, Query, QueryError, Response, Section, UDP_LEN_MAX, UDP_LEN_MIN, class,
    rcode, rtype,
};

use super::Config;
use super::access::{self, Access};
use super::client::{Askers, Client};
use super::cookies::{COOKIE_LEN, Cookies};
use super::counters::Counters;
use super::finding::{Finding, find_in};
use super::limits::{Kind, Limiter, Verdict};
use super::transfers::Transfers;
use super::zones::{self, Apexes, Place};
use crate::clock::Clock;
use crate::views::Views;

/// An answer to whom nobody knows is at most so many times as long as the question (STD-21).
const AMPLIFICATION_MAX: usize = 3;

/// ‘Prohibited’ (RFC 8914 §4.19).
const PROHIBITED: u16 = 18;

/// Octets that a cookie takes in an answer, with its head.
const COOKIE_ROOM: usize = COOKIE_LEN + 4;

/// How a question came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// In one packet, whose sender nobody has proved.
    Udp,
    /// On a connection.
    Tcp,
}

/// At what time, and from which view, answers are made.
#[derive(Clone, Copy)]
pub struct Moment<'v> {
    /// The view.
    pub view: &'v View,
    /// Wall time.
    pub now: Millis,
    /// Microseconds of the monotonic clock.
    pub micros: u64,
}

/// What all threads share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) apexes: Apexes,
    limiter: Limiter,
    pub(super) views: Arc<dyn Views>,
    pub(super) clock: Clock,
}

impl Shared {
    pub(super) fn new(config: Config, views: Arc<dyn Views>, clock: Clock) -> Shared {
        let mut secret = [0; 16];
        secret.copy_from_slice(&config.cookie_secret[..16]);
        let limiter = Limiter::new(config.rates, secret);
        Shared { apexes: Apexes::of(&config), limiter, config, views, clock }
    }

    /// Writes the start of a zone.
    pub(super) fn write_soa(&self, zone: usize, section: Section, before: usize, to: &mut Response<'_>) {
        let serial = self.config.serials.get(zone);
        to.soa(section, before, self.config.negative_ttl, self.apexes.soa(zone), serial);
    }
}

/// Makes answers; one for each thread.
pub struct Responder {
    pub(super) shared: Arc<Shared>,
    pub(super) counters: Arc<Counters>,
    cookies: Cookies,
    askers: Askers,
}

impl Responder {
    pub(super) fn new(shared: Arc<Shared>) -> Responder {
        let cookies = Cookies::new(shared.config.cookie_secret);
        Responder { cookies, counters: Arc::default(), shared, askers: Askers::default() }
    }

    pub(super) fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Answers as many packets as `work` likes, all from one view and at one time.
    pub fn at_once<T>(&mut self, work: impl FnOnce(&mut Responder, &Moment<'_>) -> T) -> T {
        let shared = self.shared.clone();
        let view = shared.views.glance();
        let micros = u64::try_from(shared.clock.elapsed().as_micros()).unwrap_or(u64::MAX);
        work(self, &Moment { view: &view, now: shared.clock.now(), micros })
    }

    /// Writes the answer to one packet into `out`; says how long it is, 0 for none.
    pub fn answer(
        &mut self,
        at: &Moment<'_>,
        packet: &[u8],
        from: SocketAddr,
        transport: Transport,
        out: &mut [u8],
    ) -> usize {
        match Query::parse(packet) {
            Ok(query) => self.reply(at, &query, packet, from, transport, out),
            Err(QueryError::Silent) => {
                self.counters.silent.up();
                0
            }
            Err(QueryError::Fault(header, code)) => {
                self.counters.malformed.up();
                let client = self.client(from, transport, packet.len());
                let sends = self.permits(&client, Kind::Error, at.micros) != Verdict::Drop;
                if sends { Response::to_fault(header, out).finish(code, &Answered::default()) } else { 0 }
            }
        }
    }

    fn reply(
        &mut self,
        at: &Moment<'_>,
        query: &Query<'_>,
        packet: &[u8],
        from: SocketAddr,
        transport: Transport,
        out: &mut [u8],
    ) -> usize {
        let mut client = self.client(from, transport, packet.len());
        if is_transfer(query) {
            return match self.permits(&client, Kind::Error, at.micros) {
                Verdict::Send => self.transfer(query, packet, from, transport, out),
                Verdict::Slip => {
                    let mut response = Response::to(query, out, UDP_LEN_MIN, 0);
                    response.cut_short(query);
                    response.finish(rcode::NOERROR, &Answered::default())
                }
                Verdict::Drop => 0,
            };
        }
        self.take_cookie(query, &mut client, at.now);
        let finding = self.find(at, query, &client);
        let verdict = self.permits(&client, finding.kind(), at.micros);
        if verdict == Verdict::Drop {
            return 0;
        }
        self.write(at, query, &client, finding, verdict, out)
    }

    fn client(&mut self, from: SocketAddr, transport: Transport, asked: usize) -> Client {
        let (config, limiter) = (&self.shared.config, &self.shared.limiter);
        let asker = self.askers.of(fold(from.ip()), &config.known, limiter);
        Client { asker, transport, is_there: transport == Transport::Tcp, asked, cookie: None }
    }

    /// Makes the cookie of the answer, and looks at the client's.
    fn take_cookie(&mut self, query: &Query<'_>, client: &mut Client, now: Millis) {
        let Some(cookie) = query.edns.and_then(|edns| edns.cookie) else { return };
        let Some(own) = cookie.first_chunk::<COOKIE_CLIENT_LEN>() else { return };
        client.is_there |= self.cookies.is_ours(cookie, client.asker.addr, now);
        client.cookie = Some(self.cookies.make(*own, client.asker.addr, now));
    }

    /// What is to be said.
    fn find<'q>(&mut self, at: &Moment<'_>, query: &Query<'q>, client: &Client) -> Finding<'q> {
        if query.edns.is_some_and(|edns| edns.version > 0) {
            return Finding::Code(rcode::BADVERS);
        }
        let Some(question) = query.question else { return Finding::Code(rcode::NOERROR) };
        let place = zones::find(&self.shared.config.base, question.name);
        let Some(mut place) = place.filter(|_| question.class == class::IN) else {
            return Finding::Refused;
        };
        self.counters.zone(place.zone).questions.up();
        let may_ask = self.take_key(&mut place) || self.checks_number(client, &place, question.rtype);
        match self.refusal(client, may_ask, at.micros) {
            Some(refusal) => Finding::instead(&place, refusal, self.shared.config.access == Access::Keyed),
            None => {
                // What comes from lists of others is not ours to hand on (STD-83).
                let withheld = if client.asker.is_known { Codes::NONE } else { Codes::of(CODE_EXTERNAL) };
                let among = place.lists.codes.without(withheld);
                find_in(at, &place, among, u64::from(self.shared.config.ttl))
            }
        }
    }

    /// Takes a key off the labels, if there is one.
    fn take_key(&self, place: &mut Place<'_>) -> bool {
        let config = &self.shared.config;
        let held = place.key.filter(|(label, _)| config.access == Access::Keyed && config.keys.hold(label));
        if let Some((_, front)) = held {
            place.front = front;
        }
        held.is_some()
    }

    /// Whether a secondary asks for the number of a zone, which it does without a signature, too
    /// (RFC 5936 §2, RFC 1996 §3.11).
    fn checks_number(&self, client: &Client, place: &Place<'_>, asked: u16) -> bool {
        let secondaries = &self.shared.config.secondaries;
        asked == rtype::SOA && place.before == 0 && access::is_known(secondaries, client.asker.addr)
    }

    /// Why this client gets no answer, if so.
    fn refusal(&self, client: &Client, may_ask: bool, micros: u64) -> Option<Option<NoAnswer>> {
        let access = self.shared.config.access;
        if !(client.asker.is_known || may_ask || access == Access::Public) {
            return Some((access != Access::Local).then_some(NoAnswer::NotPermitted));
        }
        // Who may be somebody else uses up nobody's quota: what he gets the rates hold back.
        let counted = client.asker.seat.filter(|_| client.is_there);
        let is_too_many = counted.is_some_and(|seat| !self.limiter().takes(seat, Kind::Question, micros));
        (is_too_many && !self.limiter().rates().count_only).then_some(Some(NoAnswer::TooMany))
    }

    fn limiter(&self) -> &Limiter {
        &self.shared.limiter
    }

    fn permits(&self, client: &Client, kind: Kind, micros: u64) -> Verdict {
        let Some(seat) = client.asker.seat.filter(|_| !client.is_there) else { return Verdict::Send };
        let verdict = self.limiter().rule(seat, kind, micros);
        match verdict {
            Verdict::Send => {}
            Verdict::Slip => self.counters.slipped.up(),
            Verdict::Drop => self.counters.dropped.up(),
        }
        if self.limiter().rates().count_only { Verdict::Send } else { verdict }
    }

    fn write(
        &mut self,
        at: &Moment<'_>,
        query: &Query<'_>,
        client: &Client,
        finding: Finding<'_>,
        verdict: Verdict,
        out: &mut [u8],
    ) -> usize {
        let len_max = self.len_max(query, client);
        let room = if client.cookie.is_some() { COOKIE_ROOM } else { 0 };
        let mut response = Response::to(query, out, len_max, room);
        let mut answered = Answered {
            cookie: client.cookie.as_ref().map(<[u8; COOKIE_LEN]>::as_slice),
            extended_error: None,
        };
        // A client that knows cookies shows its next one, and needs no connection (RFC 7873 §5.2.3).
        if verdict != Verdict::Send && client.cookie.is_some() {
            return response.finish(rcode::BADCOOKIE, &answered);
        }
        let code = finding.write(&self.shared, at, query, &mut response);
        if matches!(finding, Finding::Refused) {
            answered.extended_error = Some(PROHIBITED);
        }
        self.count(&finding);
        if verdict == Verdict::Slip || response.is_cut() {
            self.counters.truncated.up();
            response.cut_short(query);
        }
        response.finish(code, &answered)
    }

    /// How long the answer may be.
    fn len_max(&self, query: &Query<'_>, client: &Client) -> usize {
        if client.transport == Transport::Tcp {
            return usize::from(u16::MAX);
        }
        let says = query.edns.map_or(UDP_LEN_MIN, |edns| usize::from(edns.payload));
        let takes = says.clamp(UDP_LEN_MIN, UDP_LEN_MAX);
        let is_proved = client.is_there || client.asker.is_known;
        if is_proved { takes } else { takes.min(AMPLIFICATION_MAX * client.asked) }
    }

    fn count(&self, finding: &Finding<'_>) {
        let counters = &self.counters;
        match finding {
            Finding::Code(_) => counters.malformed.up(),
            Finding::Refused => counters.refused.up(),
            Finding::Instead(..) => counters.errors.up(),
            Finding::Nothing { zone, .. } => counters.zone(*zone).unlisted.up(),
            Finding::NoData { zone, .. } | Finding::Apex { zone, .. } => counters.zone(*zone).no_data.up(),
            Finding::Listed { zone, codes, .. } => {
                let listed = &counters.zone(*zone).listed;
                codes.octets().for_each(|last| listed[usize::from(last)].up());
            }
        }
    }

    /// Who answers a question that is signed or asks for a whole zone, on a connection.
    pub(super) fn transfers_of(&self, packet: &[u8]) -> Option<Arc<dyn Transfers>> {
        let transfers = self.shared.config.transfers.as_ref()?;
        Query::parse(packet).is_ok_and(|query| is_transfer(&query)).then(|| transfers.clone())
    }

    /// Hands on what is signed or asks for a whole zone; without somebody to hand it to, it is
    /// refused. On a connection `tcp` hands it on itself.
    fn transfer(
        &mut self,
        query: &Query<'_>,
        packet: &[u8],
        from: SocketAddr,
        transport: Transport,
        out: &mut [u8],
    ) -> usize {
        self.counters.transfers.up();
        let transfers = self.shared.config.transfers.as_ref().filter(|_| transport == Transport::Udp);
        if let Some(transfers) = transfers {
            let answer = transfers.over_udp(packet, from).unwrap_or_default();
            let Some(place) = out.get_mut(..answer.len()) else { return 0 };
            place.copy_from_slice(&answer);
            return answer.len();
        }
        self.counters.refused.up();
        let answered = Answered { cookie: None, extended_error: Some(PROHIBITED) };
        Response::to(query, out, UDP_LEN_MIN, 0).finish(rcode::REFUSED, &answered)
    }
}

fn is_transfer(query: &Query<'_>) -> bool {
    let asks_for_all = |rtype| matches!(rtype, rtype::AXFR | rtype::IXFR);
    query.signed || query.question.is_some_and(|question| asks_for_all(question.rtype))
}
