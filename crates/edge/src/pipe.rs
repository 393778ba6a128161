//! Reading and writing on one connection, in bounded time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::deadline::Deadline;

/// Why nothing more can be said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lost {
    /// The peer closed it, or it broke.
    Left,
    /// Nothing was asked for a long time.
    Idle,
    /// A request was not finished, or an answer not taken, in time.
    Slow,
}

/// A connection and its timer.
pub(crate) struct Pipe<S> {
    stream: S,
    deadline: Deadline,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe<S> {
    pub(crate) fn new(stream: S, idle: Duration, rest: Duration) -> Pipe<S> {
        Pipe { stream, deadline: Deadline::new(idle, rest) }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn deadline(&mut self) -> &mut Deadline {
        &mut self.deadline
    }

    /// Waits for bytes, at least one.
    pub(crate) async fn read(&mut self, room: &mut [u8]) -> Result<usize, Lost> {
        let Pipe { stream, deadline } = self;
        poll_fn(|context| {
            let mut room = ReadBuf::new(room);
            match Pin::new(&mut *stream).poll_read(context, &mut room) {
                Poll::Ready(Ok(())) if !room.filled().is_empty() => Poll::Ready(Ok(room.filled().len())),
                Poll::Ready(_) => Poll::Ready(Err(Lost::Left)),
                Poll::Pending => deadline.poll(context).map(Err),
            }
        })
        .await
    }

    /// Writes all of it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let Pipe { stream, deadline } = self;
        if bytes.is_empty() {
            return Ok(());
        }
        // Nearly always all goes at once, and no timer is needed.
        let first = poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_write(context, bytes))).await;
        let sent = match first {
            Poll::Ready(Ok(sent)) => sent,
            Poll::Ready(Err(_)) => return Err(Lost::Left),
            Poll::Pending => 0,
        };
        if sent < bytes.len() {
            let rest = timeout(deadline.rest(), stream.write_all(&bytes[sent..])).await;
            rest.map_err(|_| Lost::Slow)?.map_err(|_| Lost::Left)?;
        }
        Ok(())
    }
}
