//! The limit of DNS over UDP sockets on this machine: a server that turns the question
//! into an answer by one bit (QR, RFC 1035 §4.1.1) and sends it back, nothing else.
//!
//! It receives and sends in the batches that Mailward does. It ends by itself.

use std::net::{SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};

use super::batch::{Batch, widen};
use crate::error::TaskError;

/// How long one wait for datagrams may last before the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where to listen, with how many threads and for how long.
#[derive(Args)]
pub(crate) struct EchoOptions {
    /// The address, on loopback or in a namespace made for the purpose.
    #[arg(long)]
    address: SocketAddrV4,
    /// Threads, each with its own socket.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Ends after this many seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// Answers until the time is up.
pub(crate) fn echo(options: &EchoOptions) -> Result<bool, TaskError> {
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let sockets: std::io::Result<Vec<_>> = (0..options.threads).map(|_| listen(options.address)).collect();
    let sockets = sockets.map_err(TaskError::system("listen"))?;
    let ended = std::thread::scope(|scope| {
        let threads: Vec<_> = sockets.iter().map(|socket| scope.spawn(|| serve(socket, until))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    });
    ended.map_err(TaskError::system("answer")).map(|()| true)
}

fn listen(address: SocketAddrV4) -> std::io::Result<UdpSocket> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReusePort, &true)?;
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::from(address))?;
    let socket = UdpSocket::from(fd);
    widen(&socket);
    socket.set_read_timeout(Some(LOOK_EVERY))?;
    Ok(socket)
}

fn serve(socket: &UdpSocket, until: Instant) -> std::io::Result<()> {
    let mut batch = Batch::new();
    while Instant::now() < until {
        if batch.receive(socket, true)? > 0 {
            batch.messages_mut().for_each(answer);
            batch.send_back(socket);
        }
    }
    Ok(())
}

/// Sets QR and clears the RCODE.
fn answer(message: &mut [u8]) {
    if let [_, _, flags, codes, ..] = message {
        *flags |= 0x80;
        *codes &= 0xF0;
    }
}
