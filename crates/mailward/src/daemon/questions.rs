//! Looks into the engine.
//!
//! Only the engine's thread may look at its keys. A question waits for it, is answered
//! between two frames, and changes nothing.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use engine::{Engine, KeyReport};
use model::{Client, Prefix};

/// Questions that wait at once; operators ask one at a time.
const WAITING: usize = 16;

/// A question that has no answer after this time is given up: the engine may be stuck behind
/// a full disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of this key?
struct Question {
    key: Prefix,
    client: Option<Client>,
    tell: SyncSender<Option<KeyReport>>,
}

/// Where questions are asked and taken.
#[derive(Clone)]
pub(crate) struct Questions {
    into: Sender<Question>,
    out: Receiver<Question>,
}

impl Default for Questions {
    fn default() -> Questions {
        let (into, out) = bounded(WAITING);
        Questions { into, out }
    }
}

impl Questions {
    /// Asks what is known of a key, with a connection of it that is known elsewhere; waits
    /// for the answer.
    ///
    /// # Errors
    ///
    /// A text for the person who asked.
    pub(crate) fn ask(&self, key: Prefix, client: Option<Client>) -> Result<Option<KeyReport>, String> {
        let (tell, answer) = sync_channel(1);
        let asked = self.into.send_timeout(Question { key, client, tell }, PATIENCE).is_ok();
        let answered = if asked { answer.recv_timeout(PATIENCE).ok() } else { None };
        answered.ok_or_else(|| "no answer within 5 s: the store may be stuck (see the log)".to_owned())
    }

    /// The next of `work`, which the engine's thread waits for; meanwhile it answers. `None`
    /// when there will be no more work.
    pub(super) fn answer_until<T>(&self, work: &Receiver<T>, engine: &Engine) -> Option<T> {
        loop {
            select! {
                recv(work) -> next => return next.ok(),
                // We hold the other end ourselves: it never closes.
                recv(self.out) -> asked => asked.into_iter().for_each(|question| question.answer(engine)),
            }
        }
    }
}

impl Question {
    fn answer(self, engine: &Engine) {
        // Nobody may wait any more.
        let _ = self.tell.try_send(engine.inspect(self.key, self.client.as_ref()));
    }
}
