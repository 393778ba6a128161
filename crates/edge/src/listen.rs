//! Listening sockets: bound with errors that say what to do, closed without a trace.
//!
//! A unix socket has its mode before anybody can connect. A socket file that a killed
//! process left behind is replaced; one on which somebody answers is not.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

mod error;

pub use error::ListenError;

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: i32 = 1024;

/// Who may connect to a unix socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// The user we run as, only: 0600.
    Owner,
    /// Our group too, which the MTA's user is a member of: 0660.
    Group,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Access::Owner => 0o600,
            Access::Group => 0o660,
        }
    }
}

/// Listens on a TCP address; port 0 takes any free one. The listener does not block.
///
/// # Errors
///
/// [`ListenError`].
pub fn tcp(addr: SocketAddr) -> Result<TcpListener, ListenError> {
    let listener = TcpListener::bind(addr).map_err(|e| ListenError::of_tcp(addr, e))?;
    listener.set_nonblocking(true).map_err(|e| ListenError::of_tcp(addr, e))?;
    Ok(listener)
}

/// Listens on one TCP address with `count` sockets, among which the kernel spreads new
/// connections (`SO_REUSEPORT`): one for each thread.
///
/// # Errors
///
/// [`ListenError`]; an address that another program holds is refused here, too, even if it
/// would share it.
pub fn tcp_shared(addr: SocketAddr, count: usize) -> Result<Vec<TcpListener>, ListenError> {
    // Sharing would succeed beside a second Mailward, and each would get half the questions.
    let addr = if addr.port() == 0 { addr } else { local_addr(&tcp(addr)?, addr)? };
    let first = shared(addr)?;
    let addr = local_addr(&first, addr)?;
    let others = (1..count).map(|_| shared(addr));
    std::iter::once(Ok(first)).chain(others).collect()
}

/// Binds `count` UDP sockets to one address, among which the kernel spreads clients, one for
/// each thread; port 0 takes any free one. `buffer` octets are asked for in both directions.
///
/// # Errors
///
/// [`ListenError`]; an address that another program holds is refused here, too, even if it
/// would share it.
pub fn udp_shared(addr: SocketAddr, count: usize, buffer: usize) -> Result<Vec<UdpSocket>, ListenError> {
    let error = |e: io::Error| ListenError::of_udp(addr, e);
    let alone = UdpSocket::bind(addr).and_then(|socket| socket.local_addr());
    let mut addr = addr;
    addr.set_port(alone.map_err(error)?.port());
    (0..count).map(|_| udp(addr, buffer).map_err(|e| error(e.into()))).collect()
}

fn udp(addr: SocketAddr, buffer: usize) -> Result<UdpSocket, Errno> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    sockopt::set_socket_recv_buffer_size(&socket, buffer)?;
    sockopt::set_socket_send_buffer_size(&socket, buffer)?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    net::bind(&socket, &addr)?;
    Ok(UdpSocket::from(socket))
}

fn local_addr(listener: &TcpListener, addr: SocketAddr) -> Result<SocketAddr, ListenError> {
    listener.local_addr().map_err(|e| ListenError::of_tcp(addr, e))
}

fn shared(addr: SocketAddr) -> Result<TcpListener, ListenError> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let bound = || -> Result<TcpListener, Errno> {
        let socket = net::socket_with(family, SocketType::STREAM, FLAGS, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        net::bind(&socket, &addr)?;
        net::listen(&socket, BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    bound().map_err(|e| ListenError::of_tcp(addr, e.into()))
}

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// A unix socket that listens; dropping it removes its file.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: what lies there now may be another's.
    id: (u64, u64),
}

impl UnixSocket {
    /// The listener; it does not block.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.id) {
            // Left behind it would only be replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens on a unix socket that is open to `access`.
///
/// # Errors
///
/// [`ListenError`].
pub fn unix(path: &Path, access: Access) -> Result<UnixSocket, ListenError> {
    let error = |e| ListenError::of_unix(path, e);
    match bind_unix(path, access).map_err(io::Error::from) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            make_room(path)?;
            bind_unix(path, access).map_err(|e| error(e.into()))
        }
        bound => bound.map_err(error),
    }
}

fn bind_unix(path: &Path, access: Access) -> Result<UnixSocket, Errno> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let errno = |e: io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
    // Nobody can connect before `listen`, so nobody sees the mode of the umask.
    fs::set_permissions(path, Permissions::from_mode(access.mode())).map_err(errno)?;
    let file = fs::symlink_metadata(path).map_err(errno)?;
    net::listen(&socket, BACKLOG)?;
    let id = (file.dev(), file.ino());
    Ok(UnixSocket { listener: UnixListener::from(socket), path: path.to_owned(), id })
}

/// Removes a socket file on which nobody answers.
fn make_room(path: &Path) -> Result<(), ListenError> {
    let error = |e| ListenError::of_unix(path, e);
    if !fs::symlink_metadata(path).map_err(error)?.file_type().is_socket() {
        return Err(ListenError::NotASocket { path: path.to_owned() });
    }
    match call(path) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path).map_err(error),
        // Its queue is full: busy, but there.
        Ok(()) | Err(Errno::AGAIN) => Err(ListenError::Answered { path: path.to_owned() }),
        Err(e) => Err(error(e.into())),
    }
}

fn call(path: &Path) -> Result<(), Errno> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    net::connect(&socket, &SocketAddrUnix::new(path)?)
}

#[cfg(test)]
mod tests;
