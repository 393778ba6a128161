//! The daemon's policy server, asked from OpenSMTPD's filter.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

/// The most bytes of an answer: an action, at most 998 octets, and two newlines.
const ANSWER_LEN_MAX: usize = 1024;

/// How long nobody is asked after the first failure; twice as long after each further one.
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// At most so long, so that a daemon that came back is soon asked.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// Where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Unix(path) => write!(f, "{}", path.display()),
            Place::Tcp(addr) => write!(f, "{addr}"),
        }
    }
}

/// A connection.
pub(super) type Line = Box<dyn Stream>;

/// What a connection can do.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// The server, and how it was doing lately.
#[derive(Debug)]
pub(super) struct Server {
    place: Place,
    health: RefCell<Health>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    /// Nobody is asked before.
    rests_until: Option<Instant>,
    /// The last pause; zero while all is well.
    pause: Duration,
}

impl Server {
    pub(super) fn new(place: Place) -> Server {
        Server { place, health: RefCell::default() }
    }

    /// The answer to one request; nothing if there is none in time.
    pub(super) async fn ask(&self, line: &mut Option<Line>, request: &[u8], until: Instant) -> Vec<u8> {
        if self.health.borrow().rests_until.is_some_and(|rest| Instant::now() < rest) {
            return Vec::new();
        }
        match timeout_at(until, self.exchange(line, request)).await {
            Ok(Ok(answer)) => {
                self.is_well();
                answer
            }
            Ok(Err(error)) => {
                *line = None;
                self.is_ill(&error);
                Vec::new()
            }
            Err(_) => {
                *line = None;
                self.is_ill(&"no answer in time");
                Vec::new()
            }
        }
    }

    async fn exchange(&self, line: &mut Option<Line>, request: &[u8]) -> io::Result<Vec<u8>> {
        if let Some(mut old) = line.take()
            && let Ok(answer) = exchange(&mut old, request).await
        {
            *line = Some(old);
            return Ok(answer);
        }
        // There was no connection, or the daemon was started anew since.
        let mut new = self.connect().await?;
        let answer = exchange(&mut new, request).await?;
        *line = Some(new);
        Ok(answer)
    }

    async fn connect(&self) -> io::Result<Line> {
        Ok(match &self.place {
            Place::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Place::Tcp(addr) => Box::new(TcpStream::connect(addr).await?),
        })
    }

    fn is_well(&self) {
        let was = self.health.replace(Health::default());
        if was.pause > Duration::ZERO {
            eprintln!("the policy server at {} answers again", self.place);
        }
    }

    fn is_ill(&self, why: &dyn fmt::Display) {
        let mut health = self.health.borrow_mut();
        if health.pause.is_zero() {
            eprintln!("the policy server at {} does not answer ({why}); mail passes", self.place);
        }
        // Several sessions may find out at once.
        let now = Instant::now();
        if health.rests_until.is_none_or(|rest| rest <= now) {
            health.pause = (health.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            health.rests_until = Some(now + health.pause);
        }
    }
}

async fn exchange(line: &mut Line, request: &[u8]) -> io::Result<Vec<u8>> {
    line.write_all(request).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n\n") {
        let mut piece = [0; ANSWER_LEN_MAX];
        let len = line.read(&mut piece).await?;
        answer.extend_from_slice(&piece[..len]);
        if len == 0 || answer.len() > ANSWER_LEN_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(answer)
}
