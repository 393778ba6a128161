//! News for those who keep copies (RFC 1996): a zone has a new number.
//!
//! A notification goes out at once, in one packet, and again after 1, 2, 4 and 8 seconds until
//! it is acknowledged; then the copy hears of it when it looks by itself. A newer number takes
//! the place of an older one that was not acknowledged.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wire::dns::{HEADER_LEN, OwnedName, UDP_LEN_MAX, class, rtype};

use super::key::TransferKey;
use super::session::Session;
use super::unix_now;

/// Packets for one number, the first with them.
const TRIES_MAX: u32 = 5;
/// Between the first two; later ones wait twice as long each.
const PAUSE: Duration = Duration::from_secs(1);
/// How often is looked whether something is due, or to end.
const LOOK: Duration = Duration::from_millis(100);
/// QR, and the opcode of notifications with authority (RFC 1996 §3.7).
const RESPONSE: u8 = 0x80;
const NOTIFY_AA: u8 = 4 << 3 | 4;

/// Whom to tell.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where a copy is kept.
    pub addr: SocketAddr,
    /// With which key it is told.
    pub key: Option<Arc<TransferKey>>,
}

/// Tells of new numbers; a thread of its own waits for what comes back. It ends when this is
/// dropped.
pub struct Herald {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    targets: Vec<Target>,
    four: Option<UdpSocket>,
    six: Option<UdpSocket>,
    id: AtomicU16,
    stop: AtomicBool,
    /// By zone and target; at most one a pair, so its size is that of the configuration.
    waiting: Mutex<BTreeMap<(usize, usize), Waiting>>,
}

/// What was sent and is not acknowledged.
struct Waiting {
    name: OwnedName,
    serial: u32,
    id: u16,
    session: Option<Session>,
    tries: u32,
    next: Instant,
}

impl Herald {
    /// Opens a socket for each family that is needed, and starts to listen.
    ///
    /// # Errors
    ///
    /// When the system has no socket or no thread for it.
    pub fn start(targets: Vec<Target>) -> io::Result<Herald> {
        let has = |four: bool| targets.iter().any(|target| target.addr.is_ipv4() == four);
        let shared = Arc::new(Shared {
            four: has(true).then(|| socket(Ipv4Addr::UNSPECIFIED.into())).transpose()?,
            six: has(false).then(|| socket(Ipv6Addr::UNSPECIFIED.into())).transpose()?,
            targets,
            // Whoever guesses it, and our port, ends a repetition.
            id: AtomicU16::new((unix_now() ^ u64::from(std::process::id())) as u16),
            stop: AtomicBool::new(false),
            waiting: Mutex::default(),
        });
        let listening = shared.clone();
        let thread = thread::Builder::new().name("dns-notify".to_owned()).spawn(move || listening.run())?;
        Ok(Herald { shared, thread: Some(thread) })
    }

    /// Tells all of a zone's new number, the zone by its place.
    pub fn tell(&self, zone: usize, name: &OwnedName, serial: u32) {
        for target in 0..self.shared.targets.len() {
            let id = self.shared.id.fetch_add(1, Ordering::Relaxed);
            let mut told =
                Waiting { name: name.clone(), serial, id, session: None, tries: 0, next: Instant::now() };
            self.shared.send(target, &mut told);
            self.shared.waiting().insert((zone, target), told);
        }
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(server = "dns", "notifying thread panicked");
        }
    }
}

/// A socket whose reads end soon.
fn socket(addr: IpAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((addr, 0))?;
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket)
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(usize, usize), Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut room = [0; UDP_LEN_MAX];
        while !self.stop.load(Ordering::Acquire) {
            let mut heard = false;
            for socket in [&self.four, &self.six].into_iter().flatten() {
                if let Ok((len, from)) = socket.recv_from(&mut room) {
                    self.acknowledge(&room[..len], from);
                    heard = true;
                }
            }
            if !heard && self.four.is_none() && self.six.is_none() {
                thread::sleep(LOOK);
            }
            self.repeat(Instant::now());
        }
    }

    /// Sends what was not acknowledged again; gives up in the end.
    fn repeat(&self, now: Instant) {
        let mut waiting = self.waiting();
        let due: Vec<_> =
            waiting.iter().filter(|(_, told)| told.next <= now).map(|(place, _)| *place).collect();
        for place in due {
            let Some(told) = waiting.get_mut(&place) else { continue };
            if told.tries < TRIES_MAX {
                self.send(place.1, told);
                continue;
            }
            if let Some(told) = waiting.remove(&place) {
                let target = self.targets[place.1].addr;
                let (zone, serial) = (&told.name, told.serial);
                tracing::warn!(%target, %zone, serial, "a secondary does not acknowledge notifications");
            }
        }
    }

    fn send(&self, target: usize, told: &mut Waiting) {
        let Target { addr, key } = &self.targets[target];
        let mut message = notification(told.id, &told.name);
        told.session = key.clone().map(|key| Session::begin(key, &mut message, unix_now()));
        told.next = Instant::now() + PAUSE * 2u32.saturating_pow(told.tries);
        told.tries += 1;
        let socket = if addr.is_ipv4() { &self.four } else { &self.six };
        // What is lost is sent again.
        socket.iter().for_each(|socket| drop(socket.send_to(&message, addr)));
    }

    /// Takes an acknowledgement: of the right number, from the right place, and signed where we
    /// signed. What code it carries is not our affair (§3.10).
    fn acknowledge(&self, answer: &[u8], from: SocketAddr) {
        let Some(head) = answer.first_chunk::<HEADER_LEN>() else { return };
        let (id, is_one) =
            (u16::from_be_bytes([head[0], head[1]]), head[2] & (RESPONSE | 0x78) == RESPONSE | 4 << 3);
        let mut waiting = self.waiting();
        waiting.retain(|(_, target), told| {
            let is_meant = is_one && told.id == id && self.targets[*target].addr == from;
            let holds = || told.session.as_ref().is_none_or(|session| session.confirms(answer, unix_now()));
            !(is_meant && holds())
        });
    }
}

/// §3.6: a header and the zone's name.
fn notification(id: u16, zone: &OwnedName) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([NOTIFY_AA, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(zone.name().as_bytes());
    message.extend([rtype::SOA, class::IN].map(u16::to_be_bytes).as_flattened());
    message
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::key;
    use super::*;
    use wire::dns::Tsig;

    /// A copy that gets one packet and answers it with `answer`.
    fn heard(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut room = [0; 512];
        let (len, from) = socket.recv_from(&mut room).unwrap();
        (room[..len].to_vec(), from)
    }

    #[test]
    fn rfc_1996_a_notification_is_repeated_until_it_is_acknowledged() {
        let copy = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = Target { addr: copy.local_addr().unwrap(), key: None };
        let herald = Herald::start(vec![target]).unwrap();
        let zone: OwnedName = "bl.example".parse().unwrap();
        herald.tell(1, &zone, 7);
        let (first, from) = heard(&copy);
        assert_eq!((first[2], &first[HEADER_LEN..]), (0x24, &b"\x02bl\x07example\0\0\x06\0\x01"[..]));
        assert_eq!(heard(&copy).0, first, "a second later");
        let mut answer = first.clone();
        // Of another message it is no acknowledgement, nor is our own packet.
        (answer[0], answer[2]) = (!first[0], 0xa4);
        copy.send_to(&answer, from).unwrap();
        copy.send_to(&first, from).unwrap();
        assert_eq!(heard(&copy).0, first);
        answer[0] = first[0];
        copy.send_to(&answer, from).unwrap();
        while !herald.shared.waiting().is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn rfc_8945_a_signed_notification_takes_no_unsigned_acknowledgement() {
        let copy = UdpSocket::bind("127.0.0.1:0").unwrap();
        let key = Arc::new(key("xfr"));
        let target = Target { addr: copy.local_addr().unwrap(), key: Some(key.clone()) };
        let herald = Herald::start(vec![target]).unwrap();
        herald.tell(1, &"bl.example".parse().unwrap(), 7);
        let (packet, from) = heard(&copy);
        let (signed, tsig) = Tsig::split(&packet).unwrap().unwrap();
        assert!(key.confirms(&[&signed, &tsig.variables()], tsig.mac));
        let mut answer = signed;
        answer[2] |= RESPONSE;
        copy.send_to(&answer, from).unwrap();
        // It comes again, and the signed acknowledgement ends it.
        let (packet, _) = heard(&copy);
        let super::super::session::Heard::Signed(_, mut session) =
            super::super::session::hear(&packet, &[key], unix_now())
        else {
            panic!("not signed")
        };
        session.sign(&mut answer, unix_now());
        copy.send_to(&answer, from).unwrap();
        while !herald.shared.waiting().is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
