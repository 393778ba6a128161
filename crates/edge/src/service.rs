//! Threads that answer on sockets: each with its runtime and its listeners, so that they
//! share nothing that they write.
//!
//! A server says here only what one connection is; listening, accepting, seating, starting
//! and stopping are the same for all.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, net, os};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::watch;
use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;

use crate::listen::{self, Access, ListenError, UnixSocket};
use crate::seats::Seat;

/// After a failed accept: without file descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// At the end: what was asked before it arrives within this time and is answered.
const GRACE: Duration = Duration::from_millis(50);

/// What one thread does with its connections.
pub(crate) trait Service: 'static {
    /// Talks with one peer until one of both has enough; what is heard counts if `heard`.
    fn talk<S: Stream>(
        self: Rc<Self>,
        stream: S,
        seat: Seat,
        heard: bool,
    ) -> impl Future<Output = ()> + 'static;

    /// A place for one more connection; one that is turned away was counted.
    fn seat(&self) -> Option<Seat>;

    /// What is heard on TCP counts.
    fn trusts_tcp(&self) -> bool;

    /// The system gave no connection.
    fn lost(&self, error: &io::Error);
}

/// A connection of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Has the kernel acknowledge at once what has come, and not with our next answer.
    ///
    /// It must be asked for after each read: Linux falls back by itself.
    fn acknowledge(&self) {}
}

impl Stream for TcpStream {
    fn acknowledge(&self) {
        // It fails only where the peer is gone again; reading will tell.
        let _ = rustix::net::sockopt::set_tcp_quickack(self, true);
    }
}

impl Stream for UnixStream {}

/// Where a service listens.
pub(crate) struct Place<'a> {
    pub(crate) tcp: Option<SocketAddr>,
    pub(crate) unix: Option<&'a Path>,
    /// One at least.
    pub(crate) threads: usize,
}

/// Threads that answer, until they are dropped.
pub(crate) struct Threads {
    name: &'static str,
    tcp_addr: Option<SocketAddr>,
    /// Its file goes with it.
    unix: Option<UnixSocket>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Threads {
    /// Listens, and starts threads whose service `make` makes from their number.
    pub(crate) fn start<S: Service>(
        name: &'static str,
        place: &Place<'_>,
        make: impl Fn(usize) -> S + Clone + Send + 'static,
    ) -> Result<Threads, ListenError> {
        let tcp = place.tcp.map_or(Ok(Vec::new()), |addr| listen::tcp_shared(addr, place.threads))?;
        let unix = place.unix.map(|path| listen::unix(path, Access::Group)).transpose()?;
        let tcp_addr = tcp.first().and_then(|l| l.local_addr().ok());
        let (stop, stopped) = watch::channel(false);
        let mut running = Threads { name, tcp_addr, unix, threads: Vec::new(), stop };
        let mut tcp = tcp.into_iter();
        for index in 0..place.threads {
            let make = make.clone();
            let started = running.start_one(index, tcp.next(), stopped.clone(), move || make(index));
            started.map_err(|source| ListenError::Thread { source })?;
        }
        Ok(running)
    }

    /// Where they listen on TCP; the real port where 0 was asked for.
    pub(crate) fn tcp_addr(&self) -> Option<SocketAddr> {
        self.tcp_addr
    }

    fn start_one<S: Service>(
        &mut self,
        index: usize,
        tcp: Option<net::TcpListener>,
        stopped: watch::Receiver<bool>,
        make: impl FnOnce() -> S + Send + 'static,
    ) -> io::Result<()> {
        let unix = self.unix.as_ref().map(|u| u.listener().try_clone()).transpose()?;
        let (ready, is_ready) = mpsc::channel();
        let run = move || run(&Rc::new(make()), Listeners { tcp, unix }, stopped, &ready);
        self.threads.push(thread::Builder::new().name(format!("{}-{index}", self.name)).spawn(run)?);
        outcome(&is_ready)
    }
}

/// What a thread says once it listens; one that died before says nothing.
fn outcome(is_ready: &Receiver<io::Result<()>>) -> io::Result<()> {
    is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended at once")))
}

impl Drop for Threads {
    fn drop(&mut self) {
        // It fails if no thread listens any more, and then there is nothing to stop.
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(server = self.name, "answering thread panicked");
            }
        }
    }
}

/// The listeners of one thread.
struct Listeners {
    tcp: Option<net::TcpListener>,
    unix: Option<os::unix::net::UnixListener>,
}

/// Says on `ready` whether it listens, then answers until `stopped` changes.
fn run<S: Service>(
    service: &Rc<S>,
    listeners: Listeners,
    mut stopped: watch::Receiver<bool>,
    ready: &Sender<io::Result<()>>,
) {
    let started = runtime().and_then(|runtime| {
        runtime.block_on(async { accept_on(listeners, service) })?;
        Ok(runtime)
    });
    // The one who asks may be gone; then `stopped` has changed, too.
    match started {
        Err(error) => drop(ready.send(Err(error))),
        Ok(runtime) => {
            let _ = ready.send(Ok(()));
            runtime.block_on(async {
                let _ = stopped.wait_for(|stop| *stop).await;
                sleep(GRACE).await;
            });
        }
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())
}

fn accept_on<S: Service>(listeners: Listeners, service: &Rc<S>) -> io::Result<()> {
    if let Some(unix) = listeners.unix {
        let listener = UnixListener::from_std(unix)?;
        spawn_local(accept(listener, service.clone(), true));
    }
    if let Some(tcp) = listeners.tcp {
        let listener = TcpListener::from_std(tcp)?;
        spawn_local(accept(listener, service.clone(), service.trusts_tcp()));
    }
    Ok(())
}

/// A listener of either kind.
trait Accept {
    type Stream: Stream;

    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>>;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // It fails only where the peer is gone again; reading will tell.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

async fn accept<L: Accept, S: Service>(listener: L, service: Rc<S>, heard: bool) {
    loop {
        match listener.next().await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                service.lost(&error);
                sleep(ACCEPT_PAUSE).await;
            }
            Ok(stream) => {
                if let Some(seat) = service.seat() {
                    spawn_local(service.clone().talk(stream, seat, heard));
                }
            }
        }
        // A unix socket's listeners take turns, so that one thread does not take them all.
        yield_now().await;
    }
}
