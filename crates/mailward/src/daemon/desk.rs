//! Takes commands in and gives receipts out, once their effect can be seen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use edge::Clock;
use engine::{CommandError, Receipt};
use ledger::SideRow;
use model::{Actor, Command, Input, Order};

use super::site_file::random;

/// A command that has no receipt after this time is reported as such; it may still happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most characters of a text that are kept (UNB-8) …
const NOTE_LEN_MAX: usize = 500;
/// … and of one with evidence for a record, which only an operator writes.
const RECORD_LEN_MAX: usize = 8000;

type Result = std::result::Result<Receipt, CommandError>;

/// Where commands are handed in.
pub(crate) struct Desk {
    into: Sender<Input>,
    clock: Clock,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, SyncSender<Result>>>,
    /// Texts given with commands, until the ledger has taken them beside the events.
    notes: Mutex<HashMap<u64, SideRow>>,
}

impl Desk {
    pub(crate) fn new(into: Sender<Input>, clock: Clock) -> Desk {
        // Unique across restarts: time in microseconds, then counted up.
        let next = AtomicU64::new(clock.now().0.saturating_mul(1000));
        Desk { into, clock, next, waiting: Mutex::new(HashMap::new()), notes: Mutex::new(HashMap::new()) }
    }

    /// Submits a command and waits until the published view has reached its effect.
    ///
    /// # Errors
    ///
    /// A text for the person who gave the command.
    pub(crate) fn submit(
        &self,
        actor: Actor,
        order: Order,
        because: Option<&str>,
    ) -> std::result::Result<Receipt, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let curated = matches!(&order, Order::Enter(entry) if entry.record.is_some());
        let len_max = if curated { RECORD_LEN_MAX } else { NOTE_LEN_MAX };
        let note = because.map(|text| self.note(id, text, len_max)).transpose()?;
        let answer = self.register(id);
        let command = Command { id, at: self.clock.now(), actor, note: note.map(Into::into), order };
        if self.into.send_timeout(Input::Command(command), PATIENCE).is_err() {
            self.forget(id);
            return Err("the queue is full: the store may be stuck (see the log)".to_owned());
        }
        match answer.recv_timeout(PATIENCE) {
            Ok(result) => result.map_err(|e| e.to_string()),
            Err(_) => {
                self.forget(id);
                Err("no receipt within 10 s: the store may be stuck (see the log)".to_owned())
            }
        }
    }

    /// Delivers receipts; called when the view that shows their effect is published.
    pub(crate) fn deliver(&self, receipts: Vec<(u64, Result)>) {
        for (id, result) in receipts {
            if let Some(waiting) = self.forget(id) {
                // Nobody waits any more: the receipt stands in the ledger.
                let _ = waiting.try_send(result);
            }
        }
    }

    /// Keeps a text for the ledger; returns the commitment to it.
    fn note(&self, id: u64, text: &str, len_max: usize) -> std::result::Result<[u8; 32], String> {
        let salt: [u8; 16] = random()?;
        let body: String = text.chars().take(len_max).collect();
        let commitment = model::event::commit(&salt, body.as_bytes());
        let row = SideRow {
            commitment: commitment.to_vec(),
            salt: salt.to_vec(),
            body: body.into_bytes(),
            expires_ms: None,
        };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(id, row);
        Ok(commitment)
    }

    /// The texts of commands that are about to become durable.
    pub(crate) fn notes_of(&self, ids: impl Iterator<Item = u64>) -> Vec<SideRow> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        ids.filter_map(|id| notes.remove(&id)).collect()
    }

    fn register(&self, id: u64) -> Receiver<Result> {
        let (tell, answer) = sync_channel(1);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, tell);
        answer
    }

    fn forget(&self, id: u64) -> Option<SyncSender<Result>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}
