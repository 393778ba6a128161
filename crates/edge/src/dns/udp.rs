//! UDP: plain threads, each with its socket, that take and give packets in batches.
//!
//! At rest a thread sleeps in `recvmmsg`; under load one call brings up to [`BATCH`] questions
//! and one more sends their answers. What that gives is in docs/decisions/dns-speed.md.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg, sendmmsg};
use wire::dns::UDP_LEN_MAX;

use super::ahead::{AHEAD, Ahead};
use super::responder::{Responder, Shared, Transport};
use crate::listen::{self, ListenError};

/// Packets taken at once.
const BATCH: usize = AHEAD;

/// Octets kept of a question: what is longer is cut, and can then not be read.
const QUERY_LEN_MAX: usize = 1500;

/// How often a sleeping thread looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);

/// Octets that the kernel may keep for a socket: half a second of questions while a thread is
/// off its core. The kernel gives less where it is told to.
const BUFFER: usize = 4 << 20;

/// Threads that answer, until they are dropped.
pub(super) struct Threads {
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Threads {
    /// Listens on all addresses, then starts all threads.
    pub(super) fn start(
        shared: &Shared,
        made: &mut impl FnMut() -> Responder,
    ) -> Result<Threads, ListenError> {
        let (mut addresses, mut sockets) = (Vec::new(), Vec::new());
        for addr in &shared.config.listen {
            let of_addr = listen::udp_shared(*addr, shared.config.threads.max(1), BUFFER)?;
            addresses.extend(of_addr.first().and_then(|socket| socket.local_addr().ok()));
            sockets.extend(of_addr);
        }
        let mut running = Threads { addresses, threads: Vec::new(), stop: Arc::default() };
        for (index, socket) in sockets.into_iter().enumerate() {
            let (responder, stop) = (made(), running.stop.clone());
            let work = move || serve(&socket, responder, &stop);
            let thread = thread::Builder::new().name(format!("dns-{index}")).spawn(work);
            running.threads.push(thread.map_err(|source| ListenError::Thread { source })?);
        }
        Ok(running)
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(server = "dns", "answering thread panicked");
            }
        }
    }
}

fn serve(socket: &UdpSocket, responder: Responder, stop: &AtomicBool) {
    // It fails only for a time of zero.
    let _ = socket.set_read_timeout(Some(LOOK));
    let is_v4 = socket.local_addr().is_ok_and(|addr| addr.is_ipv4());
    if is_v4 {
        Desk::<SockaddrIn>::new(responder).serve(socket, stop);
    } else {
        Desk::<SockaddrIn6>::new(responder).serve(socket, stop);
    }
}

/// An address of one family, as the kernel writes it.
trait Peer: SockaddrLike + Copy {
    fn addr(&self) -> SocketAddr;
}

impl Peer for SockaddrIn {
    fn addr(&self) -> SocketAddr {
        std::net::SocketAddrV4::from(*self).into()
    }
}

impl Peer for SockaddrIn6 {
    fn addr(&self) -> SocketAddr {
        std::net::SocketAddrV6::from(*self).into()
    }
}

/// One thread's buffers: octets of question `n` begin at `n * QUERY_LEN_MAX`, those of its
/// answer at `n * UDP_LEN_MAX`.
struct Desk<P> {
    responder: Responder,
    questions: Box<[u8]>,
    answers: Box<[u8]>,
    /// What the kernel fills in as it takes questions. Another set than that for answers: one
    /// that has sent points to addresses that are gone.
    taking: MultiHeaders<P>,
    giving: MultiHeaders<P>,
    /// From whom each question came, and how long it is; none for those that are no more.
    came: Vec<(Option<P>, usize)>,
}

impl<P: Peer> Desk<P> {
    fn new(responder: Responder) -> Desk<P> {
        Desk {
            responder,
            questions: vec![0; BATCH * QUERY_LEN_MAX].into(),
            answers: vec![0; BATCH * UDP_LEN_MAX].into(),
            taking: MultiHeaders::preallocate(BATCH, None),
            giving: MultiHeaders::preallocate(BATCH, None),
            came: Vec::with_capacity(BATCH),
        }
    }

    fn serve(mut self, socket: &UdpSocket, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            match self.receive(socket) {
                // The kernel goes on to give this socket its share of questions: a thread that
                // ended would leave them unanswered.
                Ok(()) => {
                    if catch_unwind(AssertUnwindSafe(|| self.answer(socket))).is_err() {
                        tracing::error!(server = "dns", "answering panicked; the questions at hand are lost");
                    }
                }
                Err(error) if is_nothing(error) => {}
                Err(error) => {
                    tracing::error!(error = %io::Error::from(error), "questions can not be received");
                    thread::sleep(LOOK);
                }
            }
        }
    }

    /// Waits for one question at least and takes what is there.
    fn receive(&mut self, socket: &UdpSocket) -> Result<(), Errno> {
        let mut rooms = self.questions.chunks_exact_mut(QUERY_LEN_MAX);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        self.came.clear();
        let flags = MsgFlags::MSG_WAITFORONE;
        let taken = recvmmsg(socket.as_raw_fd(), &mut self.taking, slices.iter_mut(), flags, None)?;
        self.came.extend(taken.map(|message| (message.address, message.bytes)));
        Ok(())
    }

    /// Answers what came, and sends the answers.
    fn answer(&mut self, socket: &UdpSocket) {
        let Desk { responder, questions, answers, giving, came, .. } = self;
        let mut lens = [0; BATCH];
        responder.at_once(|responder, at| {
            let mut ahead = Ahead::default();
            let packets = came.iter().zip(questions.chunks_exact(QUERY_LEN_MAX));
            packets.for_each(|((_, len), question)| ahead.add(&question[..*len]));
            ahead.read(at);
            let rooms = questions.chunks_exact(QUERY_LEN_MAX).zip(answers.chunks_exact_mut(UDP_LEN_MAX));
            for (((peer, len), (question, answer)), to) in came.iter().zip(rooms).zip(&mut lens) {
                let Some(peer) = peer else { continue };
                *to = responder.answer(at, &question[..*len], peer.addr(), Transport::Udp, answer);
            }
        });
        let (mut slices, mut peers, mut count) = ([[IoSlice::new(&[]); 1]; BATCH], [None; BATCH], 0);
        for (((peer, _), answer), len) in came.iter().zip(answers.chunks_exact(UDP_LEN_MAX)).zip(lens) {
            if len > 0 {
                (slices[count], peers[count]) = ([IoSlice::new(&answer[..len])], *peer);
                count += 1;
            }
        }
        let unsent = send(socket, giving, &slices[..count], &peers[..count]);
        (0..unsent).for_each(|_| responder.counters.unsent.up());
    }
}

/// Nothing came; or the network says of an answer that nobody took it.
fn is_nothing(error: Errno) -> bool {
    matches!(
        error,
        Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH
    )
}

/// Sends all answers; one that can not be sent is left out. Says how many those are.
fn send<P: Peer>(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<P>,
    mut answers: &[[IoSlice<'_>; 1]],
    mut peers: &[Option<P>],
) -> usize {
    let mut unsent = 0;
    while !answers.is_empty() {
        let sent = sendmmsg(socket.as_raw_fd(), headers, answers, peers, [], MsgFlags::MSG_DONTWAIT);
        let done = match sent.map(Iterator::count) {
            Ok(sent) => sent,
            Err(Errno::EINTR) => 0,
            // A rule of the firewall, a full queue, a network that is gone: the client asks again.
            Err(_) => {
                unsent += 1;
                1
            }
        };
        (answers, peers) = (&answers[done..], &peers[done..]);
    }
    unsent
}
