//! One answering thread: its runtime, its listeners, its connections.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use std::{io, net, os};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::watch;
use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;

use super::connection::talk;
use super::host::{Host, Shared};
use super::trouble::Trouble;

/// After a failed accept: without file descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// At the end: what was asked before it arrives within this time and is answered.
const GRACE: Duration = Duration::from_millis(50);

/// The listeners of one thread.
pub(super) struct Listeners {
    pub(super) tcp: Option<net::TcpListener>,
    pub(super) unix: Option<os::unix::net::UnixListener>,
}

/// One answering thread.
pub(super) struct Worker {
    shared: Arc<Shared>,
    index: usize,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Worker {
        Worker { shared, index }
    }

    /// Says on `ready` whether it listens, then answers until `stopped` changes.
    pub(super) fn run(
        self,
        listeners: Listeners,
        mut stopped: watch::Receiver<bool>,
        ready: &Sender<io::Result<()>>,
    ) {
        let host = Rc::new(Host::new(self.shared, self.index));
        let started = runtime().and_then(|runtime| {
            runtime.block_on(async { accept_on(listeners, &host) })?;
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
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())
}

fn accept_on(listeners: Listeners, host: &Rc<Host>) -> io::Result<()> {
    if let Some(unix) = listeners.unix {
        let listener = UnixListener::from_std(unix)?;
        spawn_local(accept(listener, host.clone(), true));
    }
    if let Some(tcp) = listeners.tcp {
        let listener = TcpListener::from_std(tcp)?;
        let heard = host.shared.config.trust_local;
        spawn_local(accept(listener, host.clone(), heard));
    }
    Ok(())
}

/// A listener of either kind.
trait Accept {
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>>;
}

impl Accept for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn next(&self) -> io::Result<Self::Stream> {
        let (stream, _) = self.accept().await?;
        // It fails only where the peer is gone again; reading will tell.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<Self::Stream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

async fn accept<L: Accept>(listener: L, host: Rc<Host>, heard: bool) {
    loop {
        match listener.next().await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                host.trouble(Trouble::Accept, &error);
                sleep(ACCEPT_PAUSE).await;
            }
            Ok(stream) => {
                if let Some(seat) = host.seat() {
                    spawn_local(talk(stream, host.clone(), seat, heard));
                }
            }
        }
        // A unix socket's listeners take turns, so that one thread does not take them all.
        yield_now().await;
    }
}
