//! Datagrams straight from a network interface: AF_XDP (kernel documentation,
//! `networking/af_xdp`), past the kernel's own network stack.
//!
//! Most of what an answer to a small datagram costs is the kernel's: routing, firewall,
//! socket, wake-up. A program of some forty instructions that we hand to the kernel
//! ([`program`]) takes what is sent to our port at our addresses out of the stream and
//! puts it into memory that we share with the kernel; everything else goes its usual way,
//! and so does what the program does not understand: fragments, IP options, VLAN tags.
//! We look at whole frames ([`frame`]), answer, and put the answer back. No compiler and
//! no library is needed on the machine.
//!
//! The program is gone with us, however we end: the kernel drops it with the last file
//! that holds it. The ordinary sockets stay open beside this path, so that whatever it
//! can not do falls to them; [`open`] says in words why it could not be had.
//!
//! What is taken here passes no firewall rule of the host. Whoever answers keeps its own
//! lists of who may ask.

pub mod frame;
mod interface;
mod kernel;
mod program;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::frame::Fault;
pub use self::interface::Interface;
use self::kernel::Socket;
pub use self::program::{Filter, Side};

/// The longest answer: frames of 1280 octets pass every IPv6 link (RFC 8200 §5), and
/// answers over UDP keep to 1232 (RFC 9715 §3.1).
pub const ANSWER_LEN_MAX: usize = 1232;

/// The shortest frame that every link must carry, in octets of IP.
const MTU_MIN: u32 = 1280;

/// Why datagrams can not be taken straight from an interface.
///
/// The operator's doing, or the machine's; the caller goes on with ordinary sockets.
#[non_exhaustive]
#[derive(Debug)]
pub enum XdpError {
    /// There is no such interface, or it can not be read.
    Interface {
        /// Its name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The interface is of another kind than Ethernet, or its frames are too short.
    Unfit {
        /// Its name.
        name: String,
        /// What is expected of one, and what it is.
        why: &'static str,
    },
    /// Nothing that we answer on is an address of the interface.
    NoAddress {
        /// Its name.
        name: String,
    },
    /// The kernel refused one of the steps.
    Kernel {
        /// Which step.
        step: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl XdpError {
    fn kernel(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Kernel { step, source }
    }
}

impl fmt::Display for XdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface { name, source } => write!(f, "interface {name:?} can not be read: {source}"),
            Self::Unfit { name, why } => write!(f, "interface {name:?}: {why}"),
            Self::NoAddress { name } => {
                write!(f, "no address that is listened on belongs to interface {name:?}")
            }
            Self::Kernel { step, source } => {
                write!(f, "the kernel did not {step}: {source}")?;
                f.write_str(way_out(source.raw_os_error()))
            }
        }
    }
}

impl std::error::Error for XdpError {}

/// What usually helps.
fn way_out(code: Option<i32>) -> &'static str {
    match code {
        Some(libc::EPERM | libc::EACCES) => "; it needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF",
        Some(libc::ENOBUFS | libc::ENOMEM) => "; it needs LimitMEMLOCK of 8 MiB for each queue",
        Some(libc::EOPNOTSUPP) => "; the interface's driver has no XDP",
        Some(libc::EBUSY) => "; another XDP program holds the interface or the queue",
        Some(libc::EINVAL | libc::ENOSYS) => "; it needs Linux 5.9 or newer",
        _ => "",
    }
}

/// What has been taken in so far by all queues together.
#[derive(Debug, Default)]
pub struct Counters {
    /// Frames that the program handed over.
    pub taken: AtomicU64,
    /// Frames among them that hold no whole, correct datagram.
    pub faulty: AtomicU64,
    /// Answers sent.
    pub answered: AtomicU64,
}

/// The program on the interface; it leaves with the value.
struct Attached {
    _link: OwnedFd,
    _program: OwnedFd,
    _map: OwnedFd,
}

/// One receiving queue of the interface: for one thread.
pub struct Queue {
    socket: Socket,
    room: Box<[u8; ANSWER_LEN_MAX]>,
    counters: Arc<Counters>,
    _attached: Arc<Attached>,
}

/// Takes what `filter` describes out of the stream of `interface`: one queue for each of
/// the interface's own, in their order.
pub fn open(interface: &Interface, filter: &Filter) -> Result<Vec<Queue>, XdpError> {
    interface.fit(MTU_MIN)?;
    if filter.addresses.is_empty() {
        return Err(XdpError::NoAddress { name: interface.name.clone() });
    }
    let map = kernel::socket_map(interface.queues).map_err(XdpError::kernel("make a map of sockets"))?;
    let mut sockets = Vec::new();
    for queue in 0..interface.queues {
        let socket = Socket::open(interface.index, queue).map_err(XdpError::kernel("open a queue"))?;
        let entered = kernel::enter(&map, queue, &socket);
        entered.map_err(XdpError::kernel("enter a queue into the map"))?;
        sockets.push(socket);
    }
    let program = program::assemble(filter, &interface.mac, &map);
    let program = kernel::load(&program).map_err(XdpError::kernel("take the program"))?;
    let link = kernel::attach(&program, interface.index);
    let link = link.map_err(XdpError::kernel("attach the program to the interface"))?;
    let attached = Arc::new(Attached { _link: link, _program: program, _map: map });
    let counters = Arc::<Counters>::default();
    let queue = |socket| Queue {
        socket,
        room: Box::new([0; ANSWER_LEN_MAX]),
        counters: counters.clone(),
        _attached: attached.clone(),
    };
    Ok(sockets.into_iter().map(queue).collect())
}

impl Queue {
    /// Shows what seem to be the datagrams of the first frames that wait, at most `most`: nothing
    /// is checked, and all stay where they are.
    pub fn look(&mut self, most: usize, mut each: impl FnMut(&[u8])) {
        self.socket.look(most, |frame| each(frame::glimpse(frame)));
    }

    /// Answers what is there, at most `most` frames; returns how many those were.
    ///
    /// `answer` gets a datagram, its sender and room for [`ANSWER_LEN_MAX`] octets, and
    /// returns how many of them are the answer; 0 is silence.
    pub fn turn(
        &mut self,
        most: usize,
        mut answer: impl FnMut(&[u8], SocketAddr, &mut [u8]) -> usize,
    ) -> usize {
        let (mut faulty, mut answered) = (0, 0);
        let room = &mut self.room[..];
        let taken = self.socket.turn(most, |buffer, len| match respond(buffer, len, room, &mut answer) {
            Ok(len) => {
                answered += u64::from(len > 0);
                len
            }
            Err(_) => {
                faulty += 1;
                0
            }
        });
        self.counters.taken.fetch_add(taken as u64, Ordering::Relaxed);
        self.counters.faulty.fetch_add(faulty, Ordering::Relaxed);
        self.counters.answered.fetch_add(answered, Ordering::Relaxed);
        taken
    }

    /// The frames themselves, for a generator of load: `each` may change a frame and
    /// returns the length to send back, 0 for none. Returns how many there were.
    pub fn frames(&mut self, each: impl FnMut(&mut [u8], usize) -> usize) -> usize {
        self.socket.turn(usize::MAX, each)
    }

    /// Sends up to `count` new frames, each written by `write`, which returns its length.
    /// Returns how many there was room for.
    pub fn send(&mut self, count: usize, write: impl FnMut(&mut [u8]) -> usize) -> usize {
        self.socket.send(count, write)
    }

    /// Waits until there is something to take in, at most `limit`.
    pub fn wait(&self, limit: Duration) {
        self.socket.wait(limit);
    }

    /// Whether the card puts frames into our memory itself, without a copy by the kernel.
    #[must_use]
    pub fn copies_nothing(&self) -> bool {
        self.socket.copies_nothing()
    }

    /// What all queues of the interface have taken in.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }
}

/// Turns the question in `buffer[..len]` into its answer; the length of that.
fn respond(
    buffer: &mut [u8],
    len: usize,
    room: &mut [u8],
    answer: &mut impl FnMut(&[u8], SocketAddr, &mut [u8]) -> usize,
) -> Result<usize, Fault> {
    let datagram = frame::parse(buffer.get(..len).ok_or(Fault::Short)?)?;
    let told = answer(datagram.payload, datagram.from, room);
    match room.get(..told) {
        Some([]) | None => Ok(0),
        Some(told) => frame::turn_round(buffer, told),
    }
}
