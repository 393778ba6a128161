//! Datagrams in batches: one system call takes in or sends many (recvmmsg, sendmmsg).

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, sockopt};

/// Room for one datagram: EDNS answers over UDP keep to 1232 octets (RFC 6891 §6.2.3).
const DATAGRAM_LEN_MAX: usize = 1280;

/// Datagrams of one system call. More saves nothing, and each waits for its whole batch.
pub(super) const BATCH: usize = 64;

/// What the kernel holds of datagrams for a busy socket, in bytes.
const SOCKET_BUFFER: usize = 8 << 20;

/// Room for a batch of datagrams.
pub(super) struct Batch {
    /// Of what arrives. A send leaves pointers to its own addresses in the headers it
    /// used, so that those must never receive.
    headers: MultiHeaders<SockaddrIn>,
    /// Of what is sent back.
    returns: MultiHeaders<SockaddrIn>,
    buffers: Vec<u8>,
    /// Of each datagram in the batch: its length, and who sent it.
    arrived: Vec<(usize, Option<SockaddrIn>)>,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new() -> Self {
        let buffers = vec![0; BATCH * DATAGRAM_LEN_MAX];
        let [headers, returns] = [(); 2].map(|()| MultiHeaders::preallocate(BATCH, None));
        Self { headers, returns, buffers, arrived: Vec::with_capacity(BATCH) }
    }

    /// Takes in what has arrived. With `wait` at least one datagram, or nothing when the
    /// socket's own time is up; without it possibly none.
    pub(super) fn receive(&mut self, socket: &UdpSocket, wait: bool) -> std::io::Result<usize> {
        let flags = if wait { MsgFlags::MSG_WAITFORONE } else { MsgFlags::MSG_DONTWAIT };
        let chunks = self.buffers.chunks_exact_mut(DATAGRAM_LEN_MAX);
        let mut room: Vec<_> = chunks.map(|buffer| [IoSliceMut::new(buffer)]).collect();
        self.arrived.clear();
        match recvmmsg(socket.as_raw_fd(), &mut self.headers, &mut room, flags, None) {
            Ok(messages) => self.arrived.extend(messages.map(|message| (message.bytes, message.address))),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.arrived.len())
    }

    /// The datagrams that have arrived.
    pub(super) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let chunks = self.buffers.chunks_exact(DATAGRAM_LEN_MAX);
        self.arrived.iter().zip(chunks).map(|((len, _), buffer)| &buffer[..*len])
    }

    /// The same, to be changed into answers.
    pub(super) fn messages_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let chunks = self.buffers.chunks_exact_mut(DATAGRAM_LEN_MAX);
        self.arrived.iter().zip(chunks).map(|((len, _), buffer)| &mut buffer[..*len])
    }

    /// Sends each datagram back to where it came from; what can not be sent is lost.
    pub(super) fn send_back(&mut self, socket: &UdpSocket) {
        let chunks = self.buffers.chunks_exact(DATAGRAM_LEN_MAX);
        let slices: Vec<_> = self
            .arrived
            .iter()
            .zip(chunks)
            .map(|((len, _), buffer)| [IoSlice::new(&buffer[..*len])])
            .collect();
        let to: Vec<_> = self.arrived.iter().map(|(_, from)| *from).collect();
        let mut done = 0;
        while done < slices.len() {
            let none: [ControlMessage; 0] = [];
            let flags = MsgFlags::empty();
            let sent =
                sendmmsg(socket.as_raw_fd(), &mut self.returns, &slices[done..], &to[done..], none, flags);
            done += sent.map_or(1, |sent| sent.count().max(1));
        }
    }
}

/// Sends `messages` on a connected socket; returns how many the kernel took.
pub(super) fn send(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrIn>,
    messages: &[[IoSlice<'_>; 1]],
) -> usize {
    let nowhere = [None; BATCH];
    let none: [ControlMessage; 0] = [];
    let flags = MsgFlags::MSG_DONTWAIT;
    let sent = sendmmsg(socket.as_raw_fd(), headers, messages, &nowhere[..messages.len()], none, flags);
    sent.map_or(0, Iterator::count)
}

/// A connected socket with much room.
pub(super) fn connect(to: SocketAddrV4) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(to)?;
    widen(&socket);
    Ok(socket)
}

/// Asks for more room in the kernel; without the right to it the usual size stays.
pub(super) fn widen(socket: &UdpSocket) {
    let _ = nix::sys::socket::setsockopt(socket, sockopt::RcvBufForce, &SOCKET_BUFFER);
    let _ = nix::sys::socket::setsockopt(socket, sockopt::SndBufForce, &SOCKET_BUFFER);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_batch_comes_back_as_it_was_sent() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let to = match server.local_addr().unwrap() {
            std::net::SocketAddr::V4(to) => to,
            std::net::SocketAddr::V6(_) => unreachable!("bound to an IPv4 address"),
        };
        let client = connect(to).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let words: Vec<_> =
            ["one", "two", "three"].iter().map(|word| [IoSlice::new(word.as_bytes())]).collect();
        let mut headers = MultiHeaders::preallocate(BATCH, None);
        let (mut here, mut there) = (Batch::new(), Batch::new());
        let mut heard = Vec::new();
        // More than once: a second batch must not find what the first left in its headers.
        for round in 1..=3 {
            assert_eq!(send(&client, &mut headers, &words), 3);
            while heard.len() < 3 * round {
                assert!(there.receive(&server, true).unwrap() > 0);
                there.messages_mut().for_each(<[u8]>::make_ascii_uppercase);
                there.send_back(&server);
                assert!(here.receive(&client, true).unwrap() > 0);
                heard.extend(here.messages().map(|word| String::from_utf8_lossy(word).into_owned()));
            }
        }
        assert_eq!(heard, ["ONE", "TWO", "THREE"].repeat(3));
        assert_eq!(here.receive(&client, false).unwrap(), 0);
    }
}
