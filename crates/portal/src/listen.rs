//! Accepts connections, so many at a time and none for long.
//!
//! A stranger can hold a connection open, or send his request one octet a minute; with a
//! bounded number of connections of bounded age he costs us a seat for a minute.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// The most connections at once; the next wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 512;
/// A connection is cut at this age; a browser opens another without a word.
const CONNECTION_LASTS: Duration = Duration::from_secs(60);

/// Serves the portal until `shutdown` is done and open requests are answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let door = Door { listener, seats: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
    let service = router.into_make_service_with_connect_info::<Peer>();
    axum::serve(door, service).with_graceful_shutdown(shutdown).await
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(
    /// Its address and port.
    pub SocketAddr,
);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

struct Door {
    listener: TcpListener,
    seats: Arc<Semaphore>,
}

impl Listener for Door {
    type Io = Seated;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Seated, SocketAddr) {
        // The semaphore is never closed; without a permit we would only lose the limit.
        let seat = Arc::clone(&self.seats).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let end = Box::pin(tokio::time::sleep(CONNECTION_LASTS));
        (Seated { stream, end, _seat: seat }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection with its seat and its end.
struct Seated {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Seated {
    /// The stream, or an error once its time is over.
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(Pin::new(&mut self.stream)),
        }
    }
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.in_time(cx) {
            Ok(stream) => stream.poll_read(cx, buf),
            Err(over) => Poll::Ready(Err(over)),
        }
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.in_time(cx) {
            Ok(stream) => stream.poll_write(cx, bytes),
            Err(over) => Poll::Ready(Err(over)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.in_time(cx) {
            Ok(stream) => stream.poll_flush(cx),
            Err(over) => Poll::Ready(Err(over)),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    async fn start() -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().route("/", get(|| async { "here" }));
        let server = tokio::spawn(serve(listener, router, async { drop(stopped.await) }));
        (addr, stop, server)
    }

    #[tokio::test]
    async fn it_answers_and_stops_when_told() {
        let (addr, stop, server) = start().await;
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }

    // Time is paused: when everybody waits, it jumps to the next end.
    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_cut_at_its_age() {
        let (addr, _stop, _server) = start().await;
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
        let began = tokio::time::Instant::now();
        let end = client.read(&mut [0; 1]).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        assert!(began.elapsed() >= CONNECTION_LASTS - Duration::from_secs(1));
    }
}
