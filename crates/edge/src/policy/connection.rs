//! One connection: read, answer, write, and only then report what was seen.

use std::rc::Rc;

use model::Observation;
use tokio::io::{AsyncRead, AsyncWrite};
use wire::policy::{Action, RequestError};

use super::counters::count;
use super::desk::{Desk, Moment};
use super::host::Host;
use super::inbox::Inbox;
use super::trouble::Trouble;
use crate::pipe::{Lost, Pipe};
use crate::seats::Seat;

/// Answers are sent when they have this many bytes, though more is waiting: a flood of
/// tiny requests must not grow into a flood of memory.
const OUT_LEN_MAX: usize = 16 * 1024;

/// Why a connection ended.
#[derive(Clone, Debug, Eq, PartialEq)]
enum End {
    /// It is over.
    Lost(Lost),
    /// What came can not be told from the next request.
    Unreadable(RequestError),
}

impl From<Lost> for End {
    fn from(lost: Lost) -> End {
        End::Lost(lost)
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
    let pipe = Pipe::new(stream, config.idle, config.rest);
    let (inbox, said, desk) = (Inbox::new(), Said::default(), Desk::new(heard));
    match (Talk { pipe, inbox, said, desk, host: &host }).run().await {
        End::Lost(Lost::Left | Lost::Idle) => {}
        End::Lost(Lost::Slow) => host.trouble(Trouble::Slow, &"the rest did not come"),
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
    pipe: Pipe<S>,
    inbox: Inbox,
    said: Said,
    desk: Desk,
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
                self.pipe.deadline().wait_for_request();
            } else {
                self.pipe.deadline().wait_for_rest(answered);
            }
        }
    }

    /// Waits for bytes.
    async fn receive(&mut self) -> Result<(), End> {
        let len = self.pipe.read(self.inbox.room()).await?;
        self.inbox.arrived(len);
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
        self.pipe.write(&self.said.out).await?;
        self.said.out.clear();
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
