//! What a milter hears of how a client behaves (OFF-19): words that are no commands, MAIL before
//! HELO, and messages begun and given up over and over.
//!
//! An MTA tells no more. It has greeted the client before it asks us, so early talk is over by
//! then; pipelining and bare line feeds do not come so far; and at the end of a session it says
//! the same whether or not the client said QUIT. All that stands in its log
//! (`wire::maillog::conduct`).
//!
//! Each kind is told once a session, and only when it is known that nobody logs in: at MAIL, or
//! at the end.

use model::observation::{Conduct, Habit};
use model::{Fact, Habits};
use wire::verb::{Verb, classify};

use super::connection::Said;
use super::desk::Moment;
use super::session::{Session, seen};
use crate::manners::Lately;

/// Messages given up in a row, though nothing was refused, that are a loop: who asks whether an
/// address exists needs one or two.
const GIVEN_UP: u32 = 10;

/// How a client behaved in one session.
#[derive(Debug, Default)]
pub(super) struct Bearing {
    shown: Habits,
    told: Habits,
    given_up: u32,
}

impl Bearing {
    /// It sent a line that the MTA does not know.
    pub(super) fn said(&mut self, line: &[u8]) {
        match classify(line) {
            Verb::Smtp => {}
            Verb::Foreign => drop(self.shown.add(Habit::NonSmtp)),
            Verb::Unknown => drop(self.shown.add(Habit::UnknownCommand)),
        }
    }

    /// It began a message without having greeted (RFC 5321 §4.1.1.1).
    pub(super) fn began_ungreeted(&mut self) {
        self.shown.add(Habit::OutOfPlace);
    }

    /// It gave a message up; one of which something was refused is given up for good reason.
    pub(super) fn gave_up(&mut self, refused: bool) {
        self.given_up = if refused { 0 } else { self.given_up.saturating_add(1) };
        if self.given_up >= GIVEN_UP {
            self.shown.add(Habit::ResetLoop);
        }
    }

    /// It brought a message to its end.
    pub(super) fn delivered(&mut self) {
        self.given_up = 0;
    }

    /// What it showed since this was last asked.
    fn news(&mut self) -> Vec<Habit> {
        let shown = self.shown;
        Habit::WORDS.iter().map(|(_, h)| *h).filter(|h| shown.has(*h) && self.told.add(*h)).collect()
    }
}

impl Session {
    /// How the client behaved in this session, and lately.
    pub(super) fn lately(&self, at: &Moment<'_>) -> Lately {
        let Lately { faults, early } = at.host.shared.config.manners.of(self.client.addr, at.now);
        Lately { faults: faults.and(self.bearing.shown), early }
    }

    /// Reports what a stranger showed, once for each kind.
    pub(super) fn tell_conduct(&mut self, at: &Moment<'_>, said: &mut Said) {
        if !self.is_stranger() {
            return;
        }
        for habit in self.bearing.news() {
            at.host.shared.config.manners.note(self.client.addr, habit, at.now, at.now);
            let fact = Fact::Conduct(Conduct { client: self.client.clone(), habit });
            said.seen.push(seen(self.tag(&at.host.shared), at.now, fact));
        }
    }
}
