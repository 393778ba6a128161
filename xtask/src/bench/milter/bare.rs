//! The limit of milters on this machine: a server that agrees, continues and accepts,
//! nothing else.
//!
//! One thread, epoll, on loopback and on a unix socket. It ends by itself.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::session::split;
use super::socket::Socket;
use crate::error::TaskError;

/// Marks the listeners among the events; connections are numbered from 0.
const TCP: u64 = u64::MAX;
const UNIX: u64 = u64::MAX - 1;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 256;

/// How often the loop looks at the clock.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Steps that may go without an answer, each with its protocol flag.
const SILENT: [(u8, u32); 8] = [
    (b'L', 0x80),
    (b'C', 0x1000),
    (b'H', 0x2000),
    (b'M', 0x4000),
    (b'R', 0x8000),
    (b'T', 0x1_0000),
    (b'N', 0x4_0000),
    (b'B', 0x8_0000),
];

/// Where to listen, and how.
#[derive(Args)]
pub(crate) struct BareOptions {
    /// TCP port on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// Unix socket.
    #[arg(long)]
    path: PathBuf,
    /// Answer the end of a message only.
    #[arg(long)]
    quiet: bool,
    /// Ends after this many seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// Answers until the time is up.
pub(crate) fn bare(options: &BareOptions) -> std::result::Result<bool, TaskError> {
    let listened = Bare::listen(options.port, &options.path, options.quiet);
    let mut server = listened.map_err(TaskError::system("listen on loopback"))?;
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut events = Vec::with_capacity(EVENTS_MAX);
    while Instant::now() < until {
        events.clear();
        let waited = epoll::wait(&server.epoll, spare_capacity(&mut events), Some(&LOOK_EVERY));
        waited.map_err(TaskError::system("wait for commands"))?;
        for event in &events {
            let data = event.data;
            server.turn(data.u64()).map_err(TaskError::system("answer"))?;
        }
    }
    Ok(true)
}

struct Connection {
    socket: Socket,
    heard: Vec<u8>,
}

struct Bare {
    epoll: OwnedFd,
    tcp: TcpListener,
    unix: UnixListener,
    connections: Vec<Option<Connection>>,
    /// Numbers of connections that have ended.
    free: Vec<usize>,
    /// The protocol flags that we ask for.
    protocol: u32,
    buffer: Vec<u8>,
}

impl Bare {
    fn listen(port: u16, path: &Path, quiet: bool) -> Result<Self> {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let unix = UnixListener::bind(path)?;
        tcp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &tcp, epoll::EventData::new_u64(TCP), epoll::EventFlags::IN)?;
        epoll::add(&epoll, &unix, epoll::EventData::new_u64(UNIX), epoll::EventFlags::IN)?;
        let protocol = if quiet { SILENT.iter().map(|(_, flag)| flag).sum() } else { 0 };
        let (connections, free, buffer) = (Vec::new(), Vec::new(), vec![0; 16 * 1024]);
        Ok(Self { epoll, tcp, unix, connections, free, protocol, buffer })
    }

    fn turn(&mut self, id: u64) -> Result<()> {
        match id {
            TCP => self.accept_tcp(),
            UNIX => self.accept_unix(),
            _ => self.hear(id as usize),
        }
    }

    fn accept_tcp(&mut self) -> Result<()> {
        while let Ok((stream, _)) = self.tcp.accept() {
            stream.set_nodelay(true)?;
            self.take(Socket::Tcp(stream))?;
        }
        Ok(())
    }

    fn accept_unix(&mut self) -> Result<()> {
        while let Ok((stream, _)) = self.unix.accept() {
            self.take(Socket::Unix(stream))?;
        }
        Ok(())
    }

    fn take(&mut self, socket: Socket) -> Result<()> {
        socket.set_nonblocking()?;
        let id = self.free.pop().unwrap_or(self.connections.len());
        epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(id as u64), epoll::EventFlags::IN)?;
        let connection = Some(Connection { socket, heard: Vec::new() });
        if id == self.connections.len() {
            self.connections.push(connection);
        } else {
            self.connections[id] = connection;
        }
        Ok(())
    }

    fn hear(&mut self, id: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[id] else { return Ok(()) };
        let goes_on = match connection.socket.read(&mut self.buffer) {
            Err(error) => error.kind() == ErrorKind::WouldBlock,
            Ok(0) => false,
            Ok(len) => {
                connection.socket.acknowledge();
                connection.heard.extend_from_slice(&self.buffer[..len]);
                connection.answer(self.protocol).unwrap_or(false)
            }
        };
        if !goes_on {
            self.connections[id] = None;
            self.free.push(id);
        }
        Ok(())
    }
}

impl Connection {
    /// Answers what has come whole; false after the last command.
    fn answer(&mut self, protocol: u32) -> Result<bool> {
        let mut out = Vec::new();
        let mut goes_on = true;
        while let Some(packet) = split(&mut self.heard)? {
            goes_on &= packet[0] != b'Q';
            out.extend(answer(packet[0], protocol));
        }
        self.socket.write_all(&out)?;
        Ok(goes_on)
    }
}

/// The packet that answers a command, if one does.
fn answer(kind: u8, protocol: u32) -> Vec<u8> {
    let silent = SILENT.iter().any(|(of, flag)| *of == kind && protocol & flag != 0);
    match kind {
        b'O' => [&b"\0\0\0\x0dO\0\0\0\x06\0\0\0\0"[..], &protocol.to_be_bytes()].concat(),
        b'D' | b'A' | b'Q' => Vec::new(),
        _ if silent => Vec::new(),
        b'E' => b"\0\0\0\x01a".to_vec(),
        _ => b"\0\0\0\x01c".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_one_answers_the_options_and_the_end_only() {
        let all: u32 = SILENT.iter().map(|(_, flag)| flag).sum();
        let answered = |protocol| {
            let kinds = b"OCHMRTLNBEDAQ".iter().copied();
            kinds.filter(|kind| !answer(*kind, protocol).is_empty()).collect::<Vec<u8>>()
        };
        assert_eq!(answered(0), b"OCHMRTLNBE");
        assert_eq!(answered(all), b"OE");
        assert_eq!(answer(b'O', all), b"\0\0\0\x0dO\0\0\0\x06\0\0\0\0\0\x0d\xf0\x80");
    }
}
