//! One connection: commands in, answers out, messages to the mailbox.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use wire::lmtp::{Session, Step};

use super::counters::count;
use super::host::Shared;
use super::trouble::Trouble;
use crate::pipe::{Lost, Pipe};
use crate::seats::Seat;

/// What is read in one go.
const ROOM_LEN: usize = 16 * 1024;

/// Talks with one peer until one of both has enough.
pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: S, host: Arc<Shared>, seat: Seat) {
    let config = &host.config;
    let mut out = Vec::new();
    let session = Session::new(&config.host, config.limits, &mut out);
    let pipe = Pipe::new(stream, config.idle, config.rest);
    let mut talk = Talk { pipe, session, out, host: host.clone() };
    if talk.run().await == Err(Lost::Slow) {
        host.trouble(Trouble::Slow, &"the rest did not come");
    }
    let errors = talk.session.errors();
    if errors > 0 {
        count(&host.counters.malformed, errors.into());
        host.trouble(Trouble::Malformed, &errors);
    }
    drop(seat);
}

struct Talk<S> {
    pipe: Pipe<S>,
    session: Session,
    out: Vec<u8>,
    host: Arc<Shared>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    async fn run(&mut self) -> Result<(), Lost> {
        let mut room = vec![0; ROOM_LEN];
        loop {
            self.say().await?;
            let len = self.pipe.read(&mut room).await?;
            let goes_on = self.hear(&room[..len]).await?;
            if !goes_on {
                return self.say().await;
            }
            if self.session.is_idle() {
                self.pipe.deadline().wait_for_request();
            } else {
                self.pipe.deadline().wait_for_rest(false);
            }
        }
    }

    /// Does what the bytes ask for; whether the session goes on.
    async fn hear(&mut self, mut input: &[u8]) -> Result<bool, Lost> {
        loop {
            match self.session.step(&mut input, &mut self.out) {
                Step::More => return Ok(true),
                Step::Closed => return Ok(false),
                Step::Recipient(recipient) => {
                    let reply = self.host.admit(&recipient);
                    self.session.admit(&reply, &mut self.out);
                }
                Step::Mail(mail) => {
                    self.say().await?;
                    let replies = self.host.deliver(mail).await;
                    self.session.settle(&replies, &mut self.out);
                    // The next message has a time of its own, though it may be here already.
                    self.pipe.deadline().wait_for_request();
                }
            }
        }
    }

    async fn say(&mut self) -> Result<(), Lost> {
        self.pipe.write(&self.out).await?;
        self.out.clear();
        Ok(())
    }
}
