//! Why we can not listen, and what to do about it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use rustix::io::Errno;

/// A socket on which we can not listen. The operator's doing, or another program's.
#[non_exhaustive]
#[derive(Debug)]
pub enum ListenError {
    /// Another program listens on the address.
    Taken {
        /// The address.
        addr: SocketAddr,
    },
    /// Another program has the address on UDP.
    TakenUdp {
        /// The address.
        addr: SocketAddr,
    },
    /// The address is not one of this machine.
    NotOurs {
        /// The address.
        addr: SocketAddr,
    },
    /// We may not listen on the address.
    Forbidden {
        /// The address.
        addr: SocketAddr,
    },
    /// Something else is wrong with the address.
    Tcp {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody answers on the unix socket.
    Answered {
        /// The socket's path.
        path: PathBuf,
    },
    /// Another file has the unix socket's name.
    NotASocket {
        /// The socket's path.
        path: PathBuf,
    },
    /// The unix socket's directory does not exist.
    NoDirectory {
        /// The socket's path.
        path: PathBuf,
    },
    /// We may not create the unix socket.
    NotWritable {
        /// The socket's path.
        path: PathBuf,
    },
    /// The path is longer than the 107 bytes that a socket's name may have.
    PathTooLong {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something else is wrong with the unix socket.
    Unix {
        /// The socket's path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A thread that should answer could not be started.
    Thread {
        /// What the system says.
        source: io::Error,
    },
}

impl ListenError {
    pub(super) fn of_tcp(addr: SocketAddr, source: io::Error) -> ListenError {
        match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken { addr },
            io::ErrorKind::AddrNotAvailable => ListenError::NotOurs { addr },
            io::ErrorKind::PermissionDenied => ListenError::Forbidden { addr },
            _ => ListenError::Tcp { addr, source },
        }
    }

    /// On UDP the system says the same things; `ss` has to be asked otherwise.
    pub(super) fn of_udp(addr: SocketAddr, source: io::Error) -> ListenError {
        match ListenError::of_tcp(addr, source) {
            ListenError::Taken { addr } => ListenError::TakenUdp { addr },
            other => other,
        }
    }

    pub(super) fn of_unix(path: &Path, source: io::Error) -> ListenError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ListenError::NoDirectory { path },
            io::ErrorKind::PermissionDenied => ListenError::NotWritable { path },
            _ if Errno::from_io_error(&source) == Some(Errno::NAMETOOLONG) => {
                ListenError::PathTooLong { path }
            }
            _ => ListenError::Unix { path, source },
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Taken { addr } => {
                let port = addr.port();
                write!(
                    f,
                    "expected to listen on {addr}, but another program does; find it with \
                     `ss -ltnp 'sport = :{port}'` and stop it, or configure another port"
                )
            }
            ListenError::TakenUdp { addr } => {
                let port = addr.port();
                write!(
                    f,
                    "expected to listen on {addr} (UDP), but another program does; find it with \
                     `ss -lnup 'sport = :{port}'` and stop it, or configure another port"
                )
            }
            ListenError::NotOurs { addr } => write!(
                f,
                "expected to listen on {addr}, but this machine has no such address; `ip addr` lists those it has"
            ),
            ListenError::Forbidden { addr } => write!(
                f,
                "expected to listen on {addr}, but the system forbids it; ports below 1024 need CAP_NET_BIND_SERVICE"
            ),
            ListenError::Tcp { addr, .. } => {
                write!(f, "expected to listen on {addr}, but the system refuses; configure another address")
            }
            ListenError::Thread { .. } => f.write_str(
                "expected to start a thread that answers, but the system refuses; raise its limits",
            ),
            of_unix => of_unix.fmt_unix(f),
        }
    }
}

impl ListenError {
    fn fmt_unix(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, but) = match self {
            ListenError::Answered { path } => {
                (path, "another program answers there; stop it, or configure another path")
            }
            ListenError::NotASocket { path } => {
                (path, "there is another file of that name; move it away, or configure another path")
            }
            ListenError::NoDirectory { path } => (path, "its directory does not exist; create it"),
            ListenError::NotWritable { path } => {
                (path, "the system forbids it; make its directory writable for the user we run as")
            }
            ListenError::PathTooLong { path } => {
                (path, "a socket's path has at most 107 bytes; configure a shorter one")
            }
            ListenError::Unix { path, .. } => (path, "the system refuses; configure another path"),
            _ => return Ok(()),
        };
        write!(f, "expected to listen on {}, but {but}", path.display())
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ListenError::Tcp { source, .. }
            | ListenError::Unix { source, .. }
            | ListenError::Thread { source } => Some(source),
            _ => None,
        }
    }
}
