//! TCP: one thread, for those to whom an answer was cut, and for whole zones (RFC 7766).
//!
//! A client may ask many questions one behind the other without waiting; they are answered in
//! their order. Few connections of one client, and none that idles, so that nobody keeps others
//! out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, net};

use model::Prefix;
use model::key::{client_prefix, fold};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::watch;
use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;

use super::access;
use super::responder::{Responder, Shared, Transport};
use crate::listen::{self, ListenError};
use crate::pipe::{Lost, Pipe};

/// Connections at once of one client that is neither known nor a secondary (REQUIREMENTS B.3).
const PER_CLIENT: usize = 5;

/// Octets of the length in front of a message (RFC 1035 §4.2.2).
const HEAD: usize = 2;

/// A question must be whole, and an answer taken, within this time.
const REST: Duration = Duration::from_secs(10);

/// After a failed accept: without file descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running thread; it ends when this is dropped.
pub(super) struct Running {
    thread: Option<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    open: Arc<AtomicU64>,
}

impl Running {
    /// Listens where UDP does; `None` where nothing is to be listened on.
    pub(super) fn start(
        shared: &Shared,
        addresses: &[SocketAddr],
        made: &mut impl FnMut() -> Responder,
    ) -> Result<Option<Running>, ListenError> {
        let listeners = addresses.iter().map(|addr| listen::tcp(*addr)).collect::<Result<Vec<_>, _>>()?;
        if listeners.is_empty() {
            return Ok(None);
        }
        let (stop, stopped) = watch::channel(false);
        let (responder, open) = (made(), Arc::<AtomicU64>::default());
        let host = Host {
            idle: shared.config.idle,
            connections_max: shared.config.connections_max,
            open: open.clone(),
            responder: RefCell::new(responder),
            clients: RefCell::default(),
        };
        let work = move || run(host, listeners, stopped);
        let thread = thread::Builder::new().name("dns-tcp".to_owned()).spawn(work);
        let thread = thread.map_err(|source| ListenError::Thread { source })?;
        Ok(Some(Running { thread: Some(thread), stop, open }))
    }

    /// Connections that are open.
    pub(super) fn connections(&self) -> u64 {
        self.open.load(Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails if the thread is gone, and then there is nothing to stop.
        let _ = self.stop.send(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(server = "dns", "answering thread panicked");
        }
    }
}

/// What the connections share.
struct Host {
    idle: Duration,
    connections_max: usize,
    open: Arc<AtomicU64>,
    responder: RefCell<Responder>,
    /// How many connections each client has.
    clients: RefCell<BTreeMap<Prefix, usize>>,
}

fn run(host: Host, listeners: Vec<net::TcpListener>, mut stopped: watch::Receiver<bool>) {
    let host = Rc::new(host);
    let started = runtime().and_then(|runtime| {
        runtime.block_on(async {
            for listener in listeners {
                spawn_local(accept(TcpListener::from_std(listener)?, host.clone()));
            }
            Ok::<_, io::Error>(())
        })?;
        Ok(runtime)
    });
    match started {
        Ok(runtime) => drop(runtime.block_on(stopped.wait_for(|stop| *stop))),
        Err(error) => tracing::error!(%error, "DNS over TCP is not served"),
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())
}

async fn accept(listener: TcpListener, host: Rc<Host>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => match Seat::take(&host, from) {
                Some(seat) => drop(spawn_local(talk(stream, from, seat))),
                None => host.responder.borrow().counters.turned_away.up(),
            },
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "connections can not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection's place; free again when it is dropped.
struct Seat {
    host: Rc<Host>,
    client: Prefix,
}

impl Seat {
    fn take(host: &Rc<Host>, from: SocketAddr) -> Option<Seat> {
        let addr = fold(from.ip());
        // Who has one address of an IPv6 network has all.
        let client = client_prefix(addr);
        let mut clients = host.clients.borrow_mut();
        let total = usize::try_from(host.open.load(Relaxed)).unwrap_or(usize::MAX);
        let of_client = clients.get(&client).copied().unwrap_or_default();
        let shared = host.responder.borrow().shared.clone();
        // A secondary fetches all zones at once.
        let lists = [&shared.config.known, &shared.config.secondaries];
        let is_known = lists.into_iter().any(|list| access::is_known(list, addr));
        // Some seats are kept for those whom we know.
        let max = if is_known { host.connections_max } else { host.connections_max * 3 / 4 };
        if total >= max || of_client >= PER_CLIENT && !is_known {
            return None;
        }
        let of_client = clients.entry(client).or_default();
        *of_client += 1;
        host.open.fetch_add(1, Relaxed);
        Some(Seat { host: host.clone(), client })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.host.open.fetch_sub(1, Relaxed);
        let mut clients = self.host.clients.borrow_mut();
        let of_client = clients.entry(self.client).or_default();
        *of_client = of_client.saturating_sub(1);
        if *of_client == 0 {
            clients.remove(&self.client);
        }
    }
}

async fn talk(stream: TcpStream, from: SocketAddr, seat: Seat) {
    // It fails only where the peer is gone again; reading will tell.
    let _ = stream.set_nodelay(true);
    let pipe = Pipe::new(stream, seat.host.idle, REST);
    // However it ends, nobody is to be told.
    let _ = Talk { pipe, from, host: &seat.host, came: Vec::new() }.run().await;
}

/// One connection.
struct Talk<'h> {
    pipe: Pipe<TcpStream>,
    from: SocketAddr,
    host: &'h Host,
    /// What came and was not answered yet.
    came: Vec<u8>,
}

impl Talk<'_> {
    async fn run(&mut self) -> Result<(), Lost> {
        let mut room = vec![0; 4096];
        loop {
            let len = self.pipe.read(&mut room).await?;
            self.came.extend_from_slice(&room[..len]);
            let mut answered = false;
            while let Some(question) = self.next() {
                self.answer(&question).await?;
                answered = true;
            }
            if self.came.is_empty() {
                self.pipe.deadline().wait_for_request();
            } else {
                self.pipe.deadline().wait_for_rest(answered);
            }
        }
    }

    /// Takes one whole message off what came.
    fn next(&mut self) -> Option<Vec<u8>> {
        let (head, rest) = self.came.split_first_chunk::<HEAD>()?;
        let len = usize::from(u16::from_be_bytes(*head));
        let question = rest.get(..len)?.to_vec();
        self.came.drain(..HEAD + len);
        Some(question)
    }

    async fn answer(&mut self, question: &[u8]) -> Result<(), Lost> {
        let transfers = self.host.responder.borrow().transfers_of(question);
        let Some(transfers) = transfers else {
            let answer = self.plain(question);
            return if answer.is_empty() { Err(Lost::Left) } else { self.pipe.write(&answer).await };
        };
        let mut is_none = true;
        for message in transfers.over_tcp(question, self.from) {
            self.pipe.write(&framed(&message)).await?;
            is_none = false;
            // Others on this thread get their turn between two messages of a long answer.
            yield_now().await;
        }
        if is_none { Err(Lost::Left) } else { Ok(()) }
    }

    /// The answer with its length in front; empty for none.
    fn plain(&self, question: &[u8]) -> Vec<u8> {
        let mut out = vec![0; usize::from(u16::MAX)];
        let len = self
            .host
            .responder
            .borrow_mut()
            .at_once(|responder, at| responder.answer(at, question, self.from, Transport::Tcp, &mut out));
        if len == 0 { Vec::new() } else { framed(&out[..len]) }
    }
}

/// A message with its length in front.
fn framed(message: &[u8]) -> Vec<u8> {
    // A longer one was made by nobody.
    let len = u16::try_from(message.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes()[..], &message[..usize::from(len)]].concat()
}
