//! Whole zones for those who keep a copy: AXFR (RFC 5936), IXFR (RFC 1995), NOTIFY (RFC 1996).
//!
//! What a list holds is nobody's business but its readers', and a whole one is worth stealing
//! (ADV-14). So a zone goes only to an address that the operator named *and* for a question
//! that is signed with one of his keys (RFC 8945); everybody else hears REFUSED, and the log
//! says so. What stands in a zone is made by `projections::records` and `answers`: no token,
//! no evidence, no trap.
//!
//! An [`Outlet`] holds one [`Edition`] a zone, in shared pointers: a transfer takes one, and
//! neither waits for those who publish the next, nor holds them up.

mod edition;
mod key;
mod messages;
mod notify;
mod session;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use model::key::fold;
use model::{Prefix, Site};
use projections::records::Zone;
use wire::dns::{Answered, HEADER_LEN, OwnedName, Query, Response, UDP_LEN_MIN, class, rcode, rtype};

use super::transfers;
use super::zones::{EXPIRE, REFRESH, RETRY};
use crate::trouble::{Trouble, Troubles};

pub use edition::{Edition, Past, Step, is_later};
pub use key::{Algorithm, BadKey, SECRET_LEN_MIN, TransferKey};
pub use notify::{Herald, Target};
use session::{Heard, Session};

/// Transfers at once: a handful of secondaries with all their zones. Each holds one message
/// and a state of its zone.
const AT_ONCE: usize = 64;

/// What an outlet says, and to whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// The base zone.
    pub base: OwnedName,
    /// The names of the zones' servers; the first one is the primary.
    pub servers: Vec<OwnedName>,
    /// The mailbox of the zones' keeper.
    pub contact: OwnedName,
    /// Seconds for which a copy's answers may be remembered. A block that ends is gone from all
    /// copies within a second, and from caches behind them after this time.
    pub ttl: u32,
    /// Seconds for which ‘not listed’ may be remembered.
    pub negative_ttl: u32,
    /// From where zones may be fetched.
    pub from: Vec<Prefix>,
    /// With which keys.
    pub keys: Vec<Arc<TransferKey>>,
    /// The site's words.
    pub site: Arc<Site>,
}

/// Hands out zones.
#[derive(Clone)]
pub struct Outlet(Arc<Inner>);

struct Inner {
    zones: Vec<Held>,
    from: Vec<Prefix>,
    keys: Vec<Arc<TransferKey>>,
    site: Arc<Site>,
    apex: Apex,
    running: AtomicUsize,
    troubles: Troubles<Refused>,
    clock: crate::Clock,
}

/// One zone.
struct Held {
    name: OwnedName,
    /// None before the first.
    edition: ArcSwapOption<Edition>,
}

/// What stands at the top of each zone.
struct Apex {
    /// Octets of the base zone's name.
    base_len: usize,
    servers: Vec<OwnedName>,
    contact: OwnedName,
    ttl: u32,
    negative_ttl: u32,
}

impl Apex {
    /// The data of a SOA record.
    fn soa(&self, serial: u32) -> Vec<u8> {
        let primary = self.servers.first().map_or(&[0][..], |server| server.name().as_bytes());
        let mut data = [primary, self.contact.name().as_bytes()].concat();
        let numbers = [serial, REFRESH, RETRY, EXPIRE, self.negative_ttl];
        data.extend(numbers.map(u32::to_be_bytes).as_flattened());
        data
    }
}

/// Why a zone is not handed out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refused {
    NotSigned,
    NotFromHere,
    NotThere,
    TooMany,
    UnknownKey,
    WrongSignature,
    WrongTime,
}

impl Trouble for Refused {
    const SENSOR: &'static str = "dns";

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Refused::NotSigned => "zone transfer refused: the request is not signed",
            Refused::NotFromHere => "zone transfer refused: the address is not in dns.transfer-to",
            Refused::NotThere => "zone transfer refused: no such zone",
            Refused::TooMany => "zone transfer refused: too many at once",
            Refused::UnknownKey => {
                "zone transfer refused: signed with a key that is not in dns.transfer-keys"
            }
            Refused::WrongSignature => "zone transfer refused: the signature does not hold",
            Refused::WrongTime => "zone transfer refused: signed at another time; compare the clocks",
        }
    }

    fn is_ours(self) -> bool {
        false
    }
}

/// What a signed question gets.
enum Given {
    Start(Arc<Edition>),
    Whole(Arc<Edition>),
    Steps(Arc<Edition>, Vec<Arc<Step>>),
}

impl Outlet {
    /// An outlet without anything in it. Log lines are limited by `clock`; signatures go by the
    /// wall clock of the machine, as those of the others do.
    pub fn new(config: Config, clock: crate::Clock) -> Outlet {
        let name = |zone: Zone| config.base.below(zone.label).unwrap_or_else(|_| config.base.clone());
        let held = |zone| Held { name: name(zone), edition: ArcSwapOption::empty() };
        let servers = if config.servers.is_empty() { vec![config.base.clone()] } else { config.servers };
        Outlet(Arc::new(Inner {
            zones: Zone::all().map(held).collect(),
            from: config.from,
            keys: config.keys,
            site: config.site,
            apex: Apex {
                base_len: config.base.name().as_bytes().len(),
                servers,
                contact: config.contact,
                ttl: config.ttl,
                negative_ttl: config.negative_ttl,
            },
            running: AtomicUsize::new(0),
            troubles: Troubles::default(),
            clock,
        }))
    }

    /// Publishes the next state of a zone, by its place among [`Zone::all`].
    pub fn publish(&self, zone: usize, edition: Edition) {
        if let Some(held) = self.0.zones.get(zone) {
            held.edition.store(Some(Arc::new(edition)));
        }
    }

    /// The state of a zone that is handed out, by its place.
    pub fn edition(&self, zone: usize) -> Option<Arc<Edition>> {
        self.0.zones.get(zone).and_then(|held| held.edition.load_full())
    }

    /// The name of a zone, by its place.
    pub fn name(&self, zone: usize) -> Option<&OwnedName> {
        self.0.zones.get(zone).map(|held| &held.name)
    }

    /// Transfers that run.
    pub fn running(&self) -> usize {
        self.0.running.load(Relaxed)
    }
}

impl transfers::Transfers for Outlet {
    fn over_udp(&self, request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        let now = unix_now();
        match self.0.hear(request, from, now, false) {
            Err(answer) => answer,
            // A client that hears of a new number comes by TCP (RFC 1995 §2).
            Ok((query, mut session, given)) => {
                let (Given::Start(edition) | Given::Whole(edition) | Given::Steps(edition, _)) = given;
                let mut answer = self.0.head(&query)?;
                answer[7] = 1;
                messages::soa(&self.0, edition.serial, &mut answer);
                session.sign(&mut answer, now);
                Some(answer)
            }
        }
    }

    fn over_tcp(&self, request: &[u8], from: SocketAddr) -> transfers::Messages {
        let inner = self.0.clone();
        let (query, session, given) = match inner.hear(request, from, unix_now(), true) {
            Err(answer) => return Box::new(answer.into_iter()),
            Ok(given) => given,
        };
        let servers = inner.apex.servers.len();
        let (edition, pieces): (_, Box<dyn Iterator<Item = messages::Piece> + Send>) = match given {
            Given::Start(edition) => {
                let soa = messages::Piece::Soa(edition.serial);
                (edition, Box::new(std::iter::once(soa)))
            }
            Given::Whole(edition) => {
                let whole = messages::whole(&edition, servers);
                (edition, Box::new(whole))
            }
            Given::Steps(edition, steps) => {
                let steps = messages::steps(&edition, steps);
                (edition, Box::new(steps))
            }
        };
        let Some(head) = inner.head(&query) else { return Box::new(std::iter::empty()) };
        Box::new(messages::Messages::new(inner, edition.zone, head, session, pieces))
    }
}

/// What comes of a question: it is to be answered, or was.
type Decided = Result<(Vec<u8>, Session, Given), Option<Vec<u8>>>;

impl Inner {
    /// Decides on one question.
    fn hear(&self, request: &[u8], from: SocketAddr, now: u64, by_tcp: bool) -> Decided {
        let refuse = |why: Refused, answer| {
            if let Some(count) = self.troubles.due(why, self.clock.now()) {
                tracing::warn!(peer = %from.ip(), count, sensor = Refused::SENSOR, "{}", why.text());
            }
            Err(answer)
        };
        // Before anything is reckoned for it: signatures cost the most of a refusal.
        if !self.is_from_here(from.ip()) {
            return refuse(Refused::NotFromHere, code(request, rcode::REFUSED));
        }
        let (signed, mut session) = match session::hear(request, &self.keys, now) {
            Heard::Signed(signed, session) => (signed, session),
            Heard::Unsigned => return refuse(Refused::NotSigned, code(request, rcode::REFUSED)),
            Heard::Wrong(answer, why) => return refuse(why, answer),
            Heard::Malformed => return Err(code(request, rcode::FORMERR)),
        };
        match self.give(&signed, by_tcp) {
            Ok(given) => Ok((signed, session, given)),
            Err((why, code)) => {
                let mut answer = self::code(&signed, code);
                answer.iter_mut().for_each(|answer| session.sign(answer, now));
                match why {
                    Some(why) => refuse(why, answer),
                    None => Err(answer),
                }
            }
        }
    }

    fn is_from_here(&self, from: IpAddr) -> bool {
        let host = Prefix::host(fold(from));
        self.from.iter().any(|network| network.covers(host))
    }

    /// What a signed question gets, or why it gets nothing.
    fn give(&self, signed: &[u8], by_tcp: bool) -> Result<Given, (Option<Refused>, u16)> {
        let refused = |why| (Some(why), rcode::REFUSED);
        let query = Query::parse(signed).map_err(|_| (None, rcode::FORMERR))?;
        let question = query.question.ok_or((None, rcode::FORMERR))?;
        let named = |held: &&Held| held.name.name() == question.name && question.class == class::IN;
        let edition = self.zones.iter().find(named).and_then(|held| held.edition.load_full());
        let edition = edition.ok_or(refused(Refused::NotThere))?;
        let is_long = matches!(question.rtype, rtype::AXFR | rtype::IXFR) && by_tcp;
        if is_long && self.running.load(Relaxed) >= AT_ONCE {
            return Err(refused(Refused::TooMany));
        }
        match (question.rtype, query.has_serial) {
            (rtype::SOA, _) => Ok(Given::Start(edition)),
            // RFC 5936 §4.2: not over UDP.
            (rtype::AXFR, _) if by_tcp => Ok(Given::Whole(edition)),
            (rtype::IXFR, Some(serial)) => Ok(since(edition, serial)),
            (rtype::AXFR | rtype::IXFR, _) => Err((None, rcode::FORMERR)),
            // Copies ask for nothing else, and others need no signature.
            _ => Err((None, rcode::REFUSED)),
        }
    }

    /// Header and question of an answer, with its counts still to be written.
    fn head(&self, signed: &[u8]) -> Option<Vec<u8>> {
        let mut head = code(signed, rcode::NOERROR)?;
        let question = Query::parse(signed).ok()?.question?;
        head.truncate(HEADER_LEN + question.name.as_bytes().len() + 4);
        // An OPT record is left out: a copy needs none of us.
        head[10..HEADER_LEN].fill(0);
        Some(head)
    }
}

/// RFC 1995 §4: the steps; the start alone for whoever is not behind; the whole zone where not
/// all steps are known.
fn since(edition: Arc<Edition>, serial: u32) -> Given {
    if !is_later(edition.serial, serial) {
        return Given::Start(edition);
    }
    match edition.past.between(serial, edition.serial) {
        Some(steps) => Given::Steps(edition, steps),
        None => Given::Whole(edition),
    }
}

/// An answer that is a code.
fn code(request: &[u8], code: u16) -> Option<Vec<u8>> {
    let query = Query::parse(request).ok()?;
    let mut answer = vec![0; UDP_LEN_MIN];
    let len = Response::to(&query, &mut answer, UDP_LEN_MIN, 0).finish(code, &Answered::default());
    answer.truncate(len);
    Some(answer)
}

/// Seconds since 1970 by the machine's clock: what signatures are compared with.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
