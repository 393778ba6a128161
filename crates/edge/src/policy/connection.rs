//! One connection: read, answer, write, and only then report what was seen.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use model::Observation;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use wire::policy::{Action, RequestError};

use super::counters::count;
use super::desk::{Desk, Moment};
use super::host::Host;
use super::inbox::Inbox;
use super::trouble::Trouble;
use crate::deadline::{Deadline, Late};
use crate::seats::Seat;

/// Answers are sent when they have this many bytes, though more is waiting: a flood of
/// tiny requests must not grow into a flood of memory.
const OUT_LEN_MAX: usize = 16 * 1024;

/// Why a connection ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// The peer closed it, or it broke.
    Left,
    /// Nothing was asked for a long time.
    Idle,
    /// A request was not finished, or an answer not taken, in time.
    Slow,
    /// What came can not be told from the next request.
    Unreadable(RequestError),
}

impl From<Late> for End {
    fn from(late: Late) -> End {
        match late {
            Late::Idle => End::Idle,
            Late::Rest => End::Slow,
        }
    }
}

/// Talks with one peer until one of both has enough; what is heard counts if `heard`.
pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: Rc<Host>,
    seat: Seat,
    heard: bool,
) {
    let config = &host.shared.config;
    let deadline = Deadline::new(config.idle, config.rest);
    let mut talk = Talk {
        stream,
        inbox: Inbox::new(),
        said: Said::default(),
        desk: Desk::new(heard),
        deadline,
        host: &host,
    };
    match talk.run().await {
        End::Left | End::Idle => {}
        End::Slow => host.trouble(Trouble::Slow, &"the rest did not come"),
        End::Unreadable(error) => host.trouble(Trouble::Oversize, &error),
    }
    drop(seat);
}

/// What is to be written and reported.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) out: Vec<u8>,
    pub(super) seen: Vec<Observation>,
}

struct Talk<'h, S> {
    stream: S,
    inbox: Inbox,
    said: Said,
    desk: Desk,
    deadline: Deadline,
    host: &'h Host,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.receive().await {
                return end;
            }
            let mut answered = false;
            loop {
                let all = self.answer();
                answered |= !self.said.out.is_empty();
                if let Err(end) = self.send().await {
                    return end;
                }
                self.report();
                match all {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(end) => return end,
                }
            }
            if self.inbox.is_empty() {
                self.deadline.wait_for_request();
            } else {
                self.deadline.wait_for_rest(answered);
            }
        }
    }

    /// Waits for bytes.
    async fn receive(&mut self) -> Result<(), End> {
        let Talk { stream, inbox, deadline, .. } = self;
        let len = poll_fn(|context| {
            let mut room = ReadBuf::new(inbox.room());
            match Pin::new(&mut *stream).poll_read(context, &mut room) {
                Poll::Ready(Ok(())) if !room.filled().is_empty() => Poll::Ready(Ok(room.filled().len())),
                Poll::Ready(_) => Poll::Ready(Err(End::Left)),
                Poll::Pending => deadline.poll(context).map(|late| Err(late.into())),
            }
        })
        .await?;
        inbox.arrived(len);
        Ok(())
    }

    /// Answers what has arrived; `false` if there may be more.
    fn answer(&mut self) -> Result<bool, End> {
        let means = &self.host.shared.means;
        let view = means.views.glance();
        let at = Moment { now: means.clock.now(), view: &view, host: self.host };
        while self.said.out.len() < OUT_LEN_MAX {
            let len = match self.inbox.next() {
                Ok(None) => return Ok(true),
                Ok(Some((request, len))) => {
                    self.desk.answer(&request, &at, &mut self.said);
                    len
                }
                Err(error) => {
                    let len = error.request_len().ok_or(End::Unreadable(error.clone()))?;
                    self.host.trouble(Trouble::Malformed, &error);
                    Action::Dunno.write(&mut self.said.out);
                    len
                }
            };
            count(&self.host.counters.requests);
            self.inbox.skip(len);
        }
        Ok(false)
    }

    async fn send(&mut self) -> Result<(), End> {
        let Talk { stream, said, deadline, .. } = self;
        if said.out.is_empty() {
            return Ok(());
        }
        // Nearly always all goes at once, and no timer is needed.
        let first =
            poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_write(context, &said.out))).await;
        let sent = match first {
            Poll::Ready(Ok(sent)) => sent,
            Poll::Ready(Err(_)) => return Err(End::Left),
            Poll::Pending => 0,
        };
        if sent < said.out.len() {
            let rest = timeout(deadline.rest(), stream.write_all(&said.out[sent..])).await;
            rest.map_err(|_| End::Slow)?.map_err(|_| End::Left)?;
        }
        said.out.clear();
        Ok(())
    }

    /// Hands over what was seen; the peer has its answers by now.
    fn report(&mut self) {
        for seen in self.said.seen.drain(..) {
            if let Err(full) = self.host.shared.means.intake.offer(seen) {
                self.host.trouble(Trouble::Dropped, &full);
            }
        }
    }
}
