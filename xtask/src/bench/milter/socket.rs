//! Where a milter listens, and a connection to it: TCP or a unix socket.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Longer than any answer takes, were the server well.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a milter listens.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// On loopback.
    Tcp(SocketAddr),
    /// On this path.
    Unix(PathBuf),
}

impl Place {
    /// As Postfix names it.
    pub(super) fn of_postfix(&self) -> String {
        match self {
            Self::Tcp(address) => format!("inet:{}:{}", address.ip(), address.port()),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Opens a connection that gives up on a server that does not answer.
    pub(super) fn connect(&self) -> Result<Socket> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Socket::Tcp(stream))
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Socket::Unix(stream))
            }
        }
    }
}

/// A connection of either kind.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Makes reads return at once.
    pub(super) fn set_nonblocking(&self) -> Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
    }

    /// Acknowledges what has come at once: a peer with Nagle's algorithm waits for it.
    /// The kernel forgets this again, so it is said after each read.
    pub(super) fn acknowledge(&self) {
        if let Self::Tcp(stream) = self {
            let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}
