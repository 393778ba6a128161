//! The limit of policy delegation on this machine: a server that reads a request up
//! to its empty line and answers `action=DUNNO`, nothing else.
//!
//! One thread, epoll, any number of connections, on loopback only. It ends by itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::error::TaskError;

/// Marks the listener among the events; connections are numbered from 0.
const LISTENER: u64 = u64::MAX;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 256;

/// How often the loop looks at the clock.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Where to listen, and for how long.
#[derive(Args)]
pub(crate) struct EchoOptions {
    /// TCP port on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// Ends after this many seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// Answers until the time is up.
pub(crate) fn echo(options: &EchoOptions) -> Result<bool, TaskError> {
    let mut server = Echo::listen(options.port).map_err(TaskError::system("listen on loopback"))?;
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut events = Vec::with_capacity(EVENTS_MAX);
    while Instant::now() < until {
        events.clear();
        let waited = epoll::wait(&server.epoll, spare_capacity(&mut events), Some(&LOOK_EVERY));
        waited.map_err(TaskError::system("wait for requests"))?;
        for event in &events {
            let data = event.data;
            server.turn(data.u64()).map_err(TaskError::system("answer"))?;
        }
    }
    Ok(true)
}

struct Echo {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: Vec<Option<TcpStream>>,
    buffer: Vec<u8>,
}

impl Echo {
    fn listen(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Self { epoll, listener, connections: Vec::new(), buffer: vec![0; 16 * 1024] })
    }

    fn turn(&mut self, id: u64) -> std::io::Result<()> {
        if id == LISTENER { self.accept() } else { self.answer(id as usize) }
    }

    fn accept(&mut self) -> std::io::Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let id = epoll::EventData::new_u64(self.connections.len() as u64);
            epoll::add(&self.epoll, &stream, id, epoll::EventFlags::IN)?;
            self.connections.push(Some(stream));
        }
        Ok(())
    }

    fn answer(&mut self, id: usize) -> std::io::Result<()> {
        let slot = &mut self.connections[id];
        let Some(stream) = slot else { return Ok(()) };
        match stream.read(&mut self.buffer) {
            Ok(0) => *slot = None,
            Ok(len) if self.buffer[..len].ends_with(b"\n\n") => stream.write_all(b"action=DUNNO\n\n")?,
            Err(error) if error.kind() != ErrorKind::WouldBlock => *slot = None,
            _ => {}
        }
        Ok(())
    }
}
