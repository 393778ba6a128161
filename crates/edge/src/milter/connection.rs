//! One connection: read, answer, write, and only then report what was seen.

use std::rc::Rc;

use wire::milter::{Command, CommandError, NegotiationError, PacketError};

use super::counters::count;
use super::desk::{Desk, Moment, Next};
use super::ending::write_ending;
use super::host::Host;
use super::inbox::Inbox;
use super::inspect::inspect;
use super::message::Whole;
use super::trouble::Trouble;
use crate::pipe::{Lost, Pipe};
use crate::seats::Seat;
use crate::service::Stream;

/// Answers are sent when they have this many bytes, though more is waiting: a flood of
/// tiny commands must not grow into a flood of memory.
const OUT_LEN_MAX: usize = 16 * 1024;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// It is over.
    Lost(Lost),
    /// The MTA said so.
    Quit,
    /// What came is no packet.
    NoPacket(PacketError),
    /// A packet is no command.
    NoCommand(CommandError),
    /// Nothing can be agreed.
    NoAgreement(NegotiationError),
    /// A command came before anything was agreed.
    OutOfTurn(u8),
}

impl From<Lost> for End {
    fn from(lost: Lost) -> End {
        End::Lost(lost)
    }
}

/// Talks with one MTA until one of both has enough; what is heard counts if `heard`.
pub(super) async fn talk<S: Stream>(stream: S, host: Rc<Host>, seat: Seat, heard: bool) {
    let config = &host.shared.config;
    let pipe = Pipe::new(stream, config.idle, config.rest);
    let (inbox, said, desk) = (Inbox::new(), Said::default(), Desk::new(heard));
    let end = Talk { pipe, inbox, said, desk, host: &host }.run().await;
    note(&end, &host);
    drop(seat);
}

/// Counts an end that should not be.
fn note(end: &End, host: &Host) {
    match end {
        End::Quit | End::Lost(Lost::Left | Lost::Idle) => {}
        End::Lost(Lost::Slow) => host.trouble(Trouble::Slow, &"the rest did not come"),
        End::NoPacket(error) => host.trouble(Trouble::Oversize, error),
        End::NoCommand(error) => host.trouble(Trouble::Malformed, error),
        End::NoAgreement(error) => host.trouble(Trouble::Malformed, error),
        End::OutOfTurn(kind) => host.trouble(Trouble::Malformed, &kind.escape_ascii()),
    }
}

/// What is to be written and reported.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) out: Vec<u8>,
    pub(super) seen: Vec<model::Observation>,
}

struct Talk<'h, S> {
    pipe: Pipe<S>,
    inbox: Inbox,
    said: Said,
    desk: Desk,
    host: &'h Host,
}

/// What is to be done when all that was answered is sent.
enum Then {
    /// More bytes are needed.
    Read,
    /// There may be more commands.
    Answer,
    /// A message came to its end.
    Inspect(Box<Whole>),
}

impl<S: Stream> Talk<'_, S> {
    async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.turn().await {
                return end;
            }
        }
    }

    /// Waits for bytes and answers all that they complete.
    async fn turn(&mut self) -> Result<(), End> {
        let len = self.pipe.read(self.inbox.room()).await?;
        self.pipe.stream().acknowledge();
        self.inbox.arrived(len);
        let mut answered = false;
        loop {
            let then = self.answer(&mut answered);
            self.send().await?;
            self.report();
            match then? {
                Then::Read => break,
                Then::Answer => {}
                Then::Inspect(whole) => self.inspect(*whole).await?,
            }
        }
        if self.inbox.is_empty() {
            self.pipe.deadline().wait_for_request();
        } else {
            self.pipe.deadline().wait_for_rest(answered);
        }
        Ok(())
    }

    /// Answers what has arrived, up to the end of a message.
    fn answer(&mut self, answered: &mut bool) -> Result<Then, End> {
        let means = &self.host.shared.means;
        let view = means.views.glance();
        let at = Moment { now: means.clock.now(), view: &view, host: self.host };
        while self.said.out.len() < OUT_LEN_MAX {
            let Some(packet) = self.inbox.next().map_err(End::NoPacket)? else { return Ok(Then::Read) };
            let command = Command::read(packet).map_err(End::NoCommand)?;
            let (kind, len) = (packet.kind, packet.wire_len());
            let next = self.desk.take(kind, command, &at, &mut self.said)?;
            count(&self.host.counters.commands);
            *answered = true;
            self.inbox.skip(len);
            if let Next::Inspect(whole) = next {
                return Ok(Then::Inspect(whole));
            }
        }
        Ok(Then::Answer)
    }

    /// Ends a message, as its inspector says.
    async fn inspect(&mut self, whole: Whole) -> Result<(), End> {
        let Whole { letter, about, forged, share } = whole;
        let ending = inspect(letter, about, self.host, &mut self.pipe).await?;
        drop(share);
        let agreed = self.desk.agreed();
        write_ending(&ending, &forged, agreed, self.host, &mut self.said.out);
        self.send().await
    }

    async fn send(&mut self) -> Result<(), End> {
        self.pipe.write(&self.said.out).await?;
        self.said.out.clear();
        Ok(())
    }

    /// Hands over what was seen; the MTA has its answers by now.
    fn report(&mut self) {
        for seen in self.said.seen.drain(..) {
            if let Err(full) = self.host.shared.means.intake.offer(seen) {
                self.host.trouble(Trouble::Dropped, &full);
            }
        }
    }
}
