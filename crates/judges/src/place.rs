//! Where a judge listens, and how it is reached: TCP or a unix socket.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{self, AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use crate::judge::Unknown;

/// Where a judge listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Host name or address, and port.
    Tcp(String, u16),
    /// The path of a socket.
    Unix(PathBuf),
}

/// A text that names no [`Place`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlaceError {
    got: String,
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected host:port or the absolute path of a socket, but got {:?}", self.got)
    }
}

impl std::error::Error for PlaceError {}

impl FromStr for Place {
    type Err = PlaceError;

    /// `host:port`, `[::1]:port`, `/path` or `unix:/path`.
    fn from_str(text: &str) -> Result<Place, PlaceError> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Place::Unix(path.into()));
        }
        let bad = || PlaceError { got: text.into() };
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if host.is_empty() || (bare.is_none() && host.contains(':')) {
            return Err(bad());
        }
        Ok(Place::Tcp(host.into(), port.parse().map_err(|_| bad())?))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp(host, port) => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Place {
    /// Connects. The deadline is the caller's.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, Unknown> {
        let opened = self.open().await;
        opened.map_err(|error| Unknown::Unreachable(format!("connect to {self}: {error}")))
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Place::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // Questions are written in few large pieces; none shall wait for the next.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Place::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

/// How an exchange of bytes failed.
pub(crate) fn broken(error: &io::Error) -> Unknown {
    Unknown::Unreachable(error.to_string())
}

/// Connections that wait for their next question.
#[derive(Debug)]
pub(crate) struct Idle<T>(Mutex<Vec<(Instant, T)>>);

impl<T> Idle<T> {
    /// How long a connection may wait: clamd and rspamd close after 30 s or later.
    const AGE_MAX: Duration = Duration::from_secs(20);
    /// How many may wait; the pool of the seat bounds how many are used.
    const COUNT_MAX: usize = 32;

    pub(crate) fn new() -> Idle<T> {
        Idle(Mutex::new(Vec::new()))
    }

    /// The one that was used last; those that waited too long are closed.
    pub(crate) fn take(&self) -> Option<T> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(since, _)| since.elapsed() < Self::AGE_MAX);
        waiting.pop().map(|(_, connection)| connection)
    }

    /// Puts one back after a whole exchange.
    pub(crate) fn put(&self, connection: T) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < Self::COUNT_MAX {
            waiting.push((Instant::now(), connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let got = text.parse::<Place>().map_or_else(|e| format!("error: {e}"), |p| format!("{p} {p:?}"));
        assert_eq!(got, expect);
    }

    #[test]
    fn a_place_is_a_host_with_a_port_or_a_path() {
        check("127.0.0.1:783", "127.0.0.1:783 Tcp(\"127.0.0.1\", 783)");
        check("[::1]:783", "[::1]:783 Tcp(\"::1\", 783)");
        check("scanner.example.net:3310", "scanner.example.net:3310 Tcp(\"scanner.example.net\", 3310)");
        check("/run/clamd.sock", "/run/clamd.sock Unix(\"/run/clamd.sock\")");
        check("unix:/run/clamd.sock", "/run/clamd.sock Unix(\"/run/clamd.sock\")");
        for bad in ["clamd.sock", "::1:783", ":783", "localhost:", "localhost:99999", ""] {
            let expect = "error: expected host:port or the absolute path of a socket, but got";
            check(bad, &format!("{expect} {bad:?}"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_waits_for_a_while_only() {
        let idle = Idle::new();
        idle.put("first");
        tokio::time::advance(Duration::from_secs(19)).await;
        idle.put("second");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((idle.take(), idle.take()), (Some("second"), None));
    }
}
