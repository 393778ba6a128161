//! Who was asked to come back, for those who answer.
//!
//! A first attempt must be answered at once, before the engine hears of it; so those who
//! answer keep the tickets themselves, all servers of a process the same ones. It is a
//! meter (DESIGN §4, invariant 3): bounded, lossy, never evidence. What has waited long
//! enough is let in, and the engine, which keeps the same tickets, makes the pass of it.
//! A start hands in what the engine kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use answers::{Answer, Session, Tell};
use model::Millis;
use model::greylist::{Waited, Waiting};
use projections::View;

use crate::persons::Persons;

/// The tickets.
#[derive(Debug, Default)]
pub struct WaitingRoom(Mutex<Waiting>);

impl WaitingRoom {
    /// A room in which these tickets wait already, since their times.
    pub fn new(tickets: impl IntoIterator<Item = (u64, Millis)>) -> WaitingRoom {
        let mut waiting = Waiting::default();
        tickets.into_iter().for_each(|(ticket, since)| waiting.enter(ticket, since));
        WaitingRoom(Mutex::new(waiting))
    }

    /// Lets an attempt in that has waited long enough, and notes one that has not; says by
    /// which ticket. What greylisting does not ask to wait stays as it was, without one.
    pub fn admit(
        &self,
        answer: Answer,
        session: &Session<'_>,
        view: &View,
        persons: &Persons,
        now: Millis,
    ) -> (Answer, Option<u64>) {
        if !answer.greylisted {
            return (answer, None);
        }
        self.look(answer, session, view, persons, now)
    }

    #[cold]
    fn look(
        &self,
        answer: Answer,
        session: &Session<'_>,
        view: &View,
        persons: &Persons,
        now: Millis,
    ) -> (Answer, Option<u64>) {
        let (Some(pool), Some(rule)) = (&session.pool, &view.site.greylist) else { return (answer, None) };
        let (sender, recipient) = (session.sender.unwrap_or(b""), session.recipient.unwrap_or(b""));
        let ticket = persons.ticket(pool, sender, recipient);
        let enough = self.table().meet(ticket, now, rule) == Waited::Enough;
        let answer = if enough { Answer { tell: Tell::Pass, greylisted: false, ..answer } } else { answer };
        (answer, Some(ticket))
    }

    fn table(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
