//! The shared memory and the system calls below [`super`]: the only unsafe code of the
//! house, because no library of those we use has these calls.
//!
//! What this module promises to its callers is that frames are only ever seen while they
//! are ours. A frame belongs either to the kernel (it lies in the fill or the send ring)
//! or to us (it came out of the receive or the completion ring, or is spare), and moves
//! only through the rings. The functions lend a frame to a closure for as long as it is
//! ours; no reference outlives that.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use rustix::net::sockopt::{
    set_xdp_rx_ring_size, set_xdp_tx_ring_size, set_xdp_umem_completion_ring_size,
    set_xdp_umem_fill_ring_size, set_xdp_umem_reg, xdp_mmap_offsets, xdp_options,
};
use rustix::net::xdp::{
    SocketAddrXdp, SocketAddrXdpFlags, XdpOptionsFlags, XdpRingOffset, XdpUmemReg, XdpUmemRegFlags,
};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, bind, send, socket_with};

/// Entries of each ring, and frames for each direction: a power of two. At a million
/// questions a second it is two milliseconds of them.
const RING: u32 = 2048;

/// Octets of a frame with the kernel's headroom of 256: a power of two, and enough for
/// what [`super::program`] hands over.
const FRAME: usize = 2048;

/// All frames: first those that receive, then those that only [`Socket::send`] uses.
const FRAMES: usize = 2 * RING as usize;

/// How often we ask the kernel to send what lies in the ring: it takes some dozens at a
/// time, and the next turn asks again.
const KICKS_MAX: usize = 128;

/// The licence that the program says it has; none of the kernel's functions that it calls
/// asks for another.
const LICENCE: &[u8] = b"Apache-2.0 OR MIT\0";

/// Room for what the kernel's verifier says of a program that it refuses.
const WORDS_LEN: usize = 64 * 1024;

/// What [`bpf`] is asked for.
const MAP_CREATE: libc::c_long = 0;
const MAP_UPDATE: libc::c_long = 2;
const PROGRAM_LOAD: libc::c_long = 5;
const LINK_CREATE: libc::c_long = 28;

/// `BPF_MAP_TYPE_XSKMAP`, `BPF_PROG_TYPE_XDP`, `BPF_XDP`, `XDP_FLAGS_DRV_MODE`.
const SOCKET_MAP: u32 = 17;
const PROGRAM_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const IN_DRIVER: u32 = 4;

/// Makes the map that holds the socket of each queue.
pub(super) fn socket_map(queues: u32) -> io::Result<OwnedFd> {
    // Kind, octets of a key, of a value, entries.
    let attributes: [u32; 4] = [SOCKET_MAP, 4, 4, queues];
    // SAFETY: the attributes hold no pointer.
    owned(unsafe { bpf(MAP_CREATE, &attributes) }?)
}

/// Enters a queue's socket into the map.
pub(super) fn enter(map: &OwnedFd, queue: u32, socket: &Socket) -> io::Result<()> {
    let value = socket.fd.as_raw_fd();
    let attributes: [u64; 4] = [
        number(map),
        (&raw const queue).expose_provenance() as u64,
        (&raw const value).expose_provenance() as u64,
        0,
    ];
    // SAFETY: the kernel reads four octets each of `queue` and `value`, which outlive the call.
    unsafe { bpf(MAP_UPDATE, &attributes) }.map(drop)
}

/// Hands the program to the kernel, which checks it.
pub(super) fn load(program: &[u64]) -> io::Result<OwnedFd> {
    let mut words = vec![0u8; WORDS_LEN];
    let attributes: [u64; 5] = [
        u64::from_ne_bytes(pair(PROGRAM_XDP, program.len() as u32)),
        program.as_ptr().expose_provenance() as u64,
        LICENCE.as_ptr().expose_provenance() as u64,
        u64::from_ne_bytes(pair(1, WORDS_LEN as u32)),
        words.as_mut_ptr().expose_provenance() as u64,
    ];
    // SAFETY: the kernel reads `program.len()` instructions and the licence up to its NUL,
    // and writes at most `WORDS_LEN` octets into `words`; all three outlive the call.
    let loaded = unsafe { bpf(PROGRAM_LOAD, &attributes) };
    loaded.and_then(owned).map_err(|error| refused(error, &words))
}

/// The verifier's last words belong into the error; rights have none.
fn refused(error: io::Error, words: &[u8]) -> io::Error {
    let words = String::from_utf8_lossy(words.split(|octet| *octet == 0).next().unwrap_or_default());
    let last = words.lines().rev().find(|line| !line.is_empty() && !line.starts_with("processed"));
    match (error.kind(), last) {
        (io::ErrorKind::PermissionDenied, None) | (_, None) => error,
        (kind, Some(last)) => io::Error::new(kind, last.escape_debug().take(200).collect::<String>()),
    }
}

/// Attaches the program in the interface's driver. It stays as long as the returned file.
pub(super) fn attach(program: &OwnedFd, interface: u32) -> io::Result<OwnedFd> {
    let attributes: [u32; 4] = [program.as_raw_fd().cast_unsigned(), interface, ATTACH_XDP, IN_DRIVER];
    // SAFETY: the attributes hold no pointer.
    owned(unsafe { bpf(LINK_CREATE, &attributes) }?)
}

fn pair(first: u32, second: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    bytes
}

/// A file descriptor in the lower half of eight octets, whatever the byte order.
fn number(fd: &OwnedFd) -> u64 {
    u64::from_ne_bytes(pair(fd.as_raw_fd().cast_unsigned(), 0))
}

/// bpf(2). What the attributes leave out, the kernel takes as zero.
///
/// # Safety
/// Every pointer among the attributes is valid for what `command` does with it.
unsafe fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    // SAFETY: the kernel reads `size_of::<T>()` octets, and the rest is the caller's promise.
    let got = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    i32::try_from(got).ok().filter(|got| *got >= 0).ok_or_else(io::Error::last_os_error)
}

fn owned(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just made this descriptor for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Mapped memory; unmapped with the value.
struct Area {
    start: NonNull<u8>,
    len: usize,
}

impl Area {
    /// Memory of our own, for frames.
    fn anonymous(len: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice touches no other memory.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), len, rights, flags) }?;
        Self::of(start, len)
    }

    /// Memory that `fd` shares with the kernel.
    fn shared(fd: &OwnedFd, offset: u64, len: usize) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: as above; the kernel keeps the ring as long as it is mapped.
        let start = unsafe { mmap(std::ptr::null_mut(), len, rights, flags, fd, offset) }?;
        Self::of(start, len)
    }

    fn of(start: *mut c_void, len: usize) -> io::Result<Self> {
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this length, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// An entry of the receive and send rings (`struct xdp_desc`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Descriptor {
    address: u64,
    len: u32,
    options: u32,
}

/// One of four rings shared with the kernel: one side writes entries and moves `producer`,
/// the other reads them and moves `consumer`. `T` is what an entry is.
struct Ring<T> {
    _area: Area,
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    entries: NonNull<T>,
}

impl<T: Copy> Ring<T> {
    fn map(fd: &OwnedFd, offset: u64, parts: XdpRingOffset) -> io::Result<Self> {
        let [producer, consumer, entries] =
            [parts.producer, parts.consumer, parts.desc].map(|at| at as usize);
        let area = Area::shared(fd, offset, entries + RING as usize * size_of::<T>())?;
        // SAFETY: the kernel lays the three parts out inside of the mapping, each aligned for its kind.
        unsafe {
            let (producer, consumer) = (area.start.add(producer).cast(), area.start.add(consumer).cast());
            let entries = area.start.add(entries).cast();
            Ok(Self { _area: area, producer, consumer, entries })
        }
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: it points into the mapping, which lives as long as `self`.
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { self.consumer.as_ref() }
    }

    /// What lies in the ring, as places from one up to another; the reader's side.
    fn filled(&self) -> (u32, u32) {
        (self.consumer().load(Ordering::Relaxed), self.producer().load(Ordering::Acquire))
    }

    /// How many more entries there is room for; the writer's side.
    fn room(&self) -> u32 {
        let written = self.producer().load(Ordering::Relaxed);
        RING - written.wrapping_sub(self.consumer().load(Ordering::Acquire)).min(RING)
    }

    /// Reads an entry between the places of [`Ring::filled`].
    fn read(&self, place: u32) -> T {
        // SAFETY: the place is masked to the ring's size, and the other side does not write it before
        // we move `consumer`.
        unsafe { self.entries.add((place & (RING - 1)) as usize).read() }
    }

    /// Writes an entry for which there is [`Ring::room`] and makes it visible.
    fn push(&self, entry: T) {
        let place = self.producer().load(Ordering::Relaxed);
        // SAFETY: masked as above; the other side does not read it before we move `producer`.
        unsafe { self.entries.add((place & (RING - 1)) as usize).write(entry) };
        self.producer().store(place.wrapping_add(1), Ordering::Release);
    }
}

/// A socket of one receiving queue, with its frames.
pub(super) struct Socket {
    fd: OwnedFd,
    received: Ring<Descriptor>,
    sending: Ring<Descriptor>,
    fill: Ring<u64>,
    completed: Ring<u64>,
    memory: Area,
    /// Frames that only [`Socket::send`] uses, while they are ours.
    spare: Vec<u64>,
}

// SAFETY: the pointers lead into memory that the value owns and shares with the kernel only; every use goes
// through `&mut self`, or through atomics.
unsafe impl Send for Socket {}

impl Socket {
    /// Opens queue `queue` of interface `interface`, without copies where the driver can.
    pub(super) fn open(interface: u32, queue: u32) -> io::Result<Self> {
        let fd = socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        let memory = Area::anonymous(FRAMES * FRAME)?;
        set_xdp_umem_reg(
            &fd,
            XdpUmemReg {
                addr: memory.start.as_ptr().expose_provenance() as u64,
                len: memory.len as u64,
                chunk_size: FRAME as u32,
                headroom: 0,
                flags: XdpUmemRegFlags::empty(),
                tx_metadata_len: 0,
            },
        )?;
        set_xdp_umem_fill_ring_size(&fd, RING)?;
        set_xdp_umem_completion_ring_size(&fd, RING)?;
        set_xdp_rx_ring_size(&fd, RING)?;
        set_xdp_tx_ring_size(&fd, RING)?;
        send_many_at_once(&fd);
        let parts = xdp_mmap_offsets(&fd)?;
        let socket = Self {
            received: Ring::map(&fd, libc::XDP_PGOFF_RX_RING.cast_unsigned(), parts.rx)?,
            sending: Ring::map(&fd, libc::XDP_PGOFF_TX_RING.cast_unsigned(), parts.tx)?,
            fill: Ring::map(&fd, libc::XDP_UMEM_PGOFF_FILL_RING, parts.fr)?,
            completed: Ring::map(&fd, libc::XDP_UMEM_PGOFF_COMPLETION_RING, parts.cr)?,
            memory,
            spare: (u64::from(RING)..FRAMES as u64).map(|frame| frame * FRAME as u64).collect(),
            fd,
        };
        (0..u64::from(RING)).for_each(|frame| socket.fill.push(frame * FRAME as u64));
        // Without a wish the kernel takes the way without copies where there is one.
        bind(&socket.fd, &SocketAddrXdp::new(SocketAddrXdpFlags::empty(), interface, queue))?;
        Ok(socket)
    }

    /// Shows the first received frames, at most `most`; they stay received.
    pub(super) fn look(&mut self, most: usize, mut each: impl FnMut(&[u8])) {
        let (from, to) = self.received.filled();
        for place in (0..to.wrapping_sub(from)).take(most) {
            let got = self.received.read(from.wrapping_add(place));
            if let Some(frame) = self.lend(got.address) {
                each(&frame[..(got.len as usize).min(frame.len())]);
            }
        }
    }

    /// Lends each received frame, at most `most` of them, to `each`, with its length; what
    /// `each` returns is the length of the frame to send back, 0 for none. Returns how many
    /// there were.
    pub(super) fn turn(&mut self, most: usize, mut each: impl FnMut(&mut [u8], usize) -> usize) -> usize {
        self.reclaim();
        let (from, all) = self.received.filled();
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let to = from.wrapping_add(all.wrapping_sub(from).min(most));
        let mut place = from;
        while place != to {
            let got = self.received.read(place);
            place = place.wrapping_add(1);
            // From here on the frame is ours; a panic of `each` only loses it.
            self.received.consumer().store(place, Ordering::Release);
            let answer = self.lend(got.address).map_or(0, |frame| {
                let len = (got.len as usize).min(frame.len());
                each(frame, len).min(frame.len())
            });
            self.give_back(got.address, answer);
        }
        self.kick();
        to.wrapping_sub(from) as usize
    }

    /// Sends up to `count` frames that `write` fills; it returns the length of each.
    pub(super) fn send(&mut self, count: usize, mut write: impl FnMut(&mut [u8]) -> usize) -> usize {
        self.reclaim();
        let count = count.min(self.spare.len()).min(self.sending.room() as usize);
        for _ in 0..count {
            let Some(address) = self.spare.pop() else { break };
            let len = self.lend(address).map_or(0, |frame| write(frame).min(frame.len()));
            self.give_back(address, len);
        }
        self.kick();
        count
    }

    /// Waits until something has come in, at most `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        let limit = Timespec { tv_sec: 0, tv_nsec: limit.subsec_nanos().into() };
        // An interrupted wait is a short one; the caller looks again.
        let _ = poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&limit));
    }

    /// Whether the driver itself writes into our frames.
    pub(super) fn copies_nothing(&self) -> bool {
        xdp_options(&self.fd).is_ok_and(|options| options.contains(XdpOptionsFlags::XDP_OPTIONS_ZEROCOPY))
    }

    /// The frame from `address` on; `None` for an address outside of our memory.
    fn lend(&mut self, address: u64) -> Option<&mut [u8]> {
        let from = usize::try_from(address).ok().filter(|from| *from < self.memory.len)?;
        let to = (from | (FRAME - 1)) + 1;
        // SAFETY: `from..to` lies in the mapping, because its length is a multiple of FRAME. The frame is
        // ours: its address came out of a ring or of `spare`, and goes back only after the borrow of
        // `self` has ended.
        Some(unsafe { std::slice::from_raw_parts_mut(self.memory.start.as_ptr().add(from), to - from) })
    }

    /// Gives a frame to the kernel: to be sent, or else to its pool.
    fn give_back(&mut self, address: u64, len: usize) {
        if len > 0 && self.sending.room() > 0 {
            self.sending.push(Descriptor { address, len: len as u32, options: 0 });
        } else {
            self.pool(address);
        }
    }

    /// Puts a frame where frames of its kind wait.
    fn pool(&mut self, address: u64) {
        let first = address & !(FRAME as u64 - 1);
        if first >= u64::from(RING) * FRAME as u64 {
            self.spare.push(first);
        } else if self.fill.room() > 0 {
            // There are as many receiving frames as places: the room is always there.
            self.fill.push(first);
        }
    }

    /// Takes back the frames that have been sent.
    fn reclaim(&mut self) {
        let (from, to) = self.completed.filled();
        let mut place = from;
        while place != to {
            let address = self.completed.read(place);
            place = place.wrapping_add(1);
            self.completed.consumer().store(place, Ordering::Release);
            self.pool(address);
        }
    }

    /// Has the kernel send what lies in the ring.
    fn kick(&self) {
        for _ in 0..KICKS_MAX {
            if self.sending.room() == RING {
                break;
            }
            match send(self.fd.as_fd(), &[], SendFlags::DONTWAIT) {
                // Sent some, or busy for the moment.
                Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::BUSY) => {}
                Err(_) => break,
            }
        }
    }
}

/// Asks for as many frames at a call as the ring holds; before Linux 6.17 it stays at some
/// dozens, and more calls do the same.
fn send_many_at_once(fd: &OwnedFd) {
    /// `XDP_MAX_TX_SKB_BUDGET`.
    const BUDGET: libc::c_int = 9;
    let budget = RING;
    // SAFETY: the kernel reads four octets of `budget`, which outlives the call.
    let _ = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_XDP,
            BUDGET,
            (&raw const budget).cast(),
            size_of::<u32>() as u32,
        )
    };
}
