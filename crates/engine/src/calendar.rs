//! What is due when: ends of sentences, growth to be written, and a clock that jumps.
//!
//! A block ends at its `until` whether or not anybody says so; the calendar only says it.
//! Many ends at once need a second frame whose own clock agrees (ADV-13), because then the
//! clock is more likely wrong than all those sentences over.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use model::event::Cause;
use model::{Actor, Body, CaseId, Millis, Mode, Prefix, Secs};

use crate::alarm::Alarm;
use crate::council::{Books, Council};
use crate::entry::Entry;
use crate::reporters::Outcome;
use crate::running::Running;

/// Extensions of one case are written at most once a minute (DESIGN §8).
const WRITE_AGAIN_AFTER: Secs = Secs::MINUTE;
/// When more than this share of the running cases would end at once, they wait.
const ENDS_AT_ONCE_PERCENT: usize = 20;
/// Below so many running cases a share says nothing.
const ENDS_AT_ONCE_MIN: usize = 50;
/// A clock that is so far behind was set back (SEN-9).
const BEHIND: Secs = Secs(60);
/// Nobody saw anything for so long: Mailward was stopped, or the clock jumped.
const AHEAD: Secs = Secs(7 * 86_400);
/// For so long after a jump nothing is forgotten of anybody's standing (DESIGN §4, 5).
const STANDING_WAITS: Secs = Secs::DAY;

/// The calendar.
#[derive(Decode, Default, Encode)]
pub(crate) struct Calendar {
    /// Ends of running cases as last known; the true end may be later.
    #[n(0)]
    ends: BTreeSet<(Millis, Prefix, CaseId)>,
    /// When grown sentences are to be written.
    #[n(1)]
    writes: BTreeSet<(Millis, Prefix)>,
    /// Many ends were due at this time, and wait for a frame whose clock is there, too.
    #[n(2)]
    held_at: Option<Millis>,
    /// The clock of the frame in work, which may be behind the engine's time.
    #[n(3)]
    wall: Millis,
    /// How far standing is behind, and until when.
    #[n(4)]
    lag: (Secs, Millis),
}

impl Calendar {
    /// Takes the clock of a new frame; says if it jumped.
    pub(crate) fn begin(&mut self, before: Millis, wall: Millis) -> Option<Alarm> {
        self.wall = wall;
        if before == Millis(0) {
            return None;
        }
        if wall.since(before) >= AHEAD {
            let lag = before.since(self.standing_now(before)).0.saturating_add(wall.since(before).0);
            self.lag = (Secs(lag), wall.plus(STANDING_WAITS));
            return Some(Alarm::ClockAhead);
        }
        (before.since(wall) >= BEHIND).then_some(Alarm::ClockBehind)
    }

    /// The time by which standing is read.
    pub(crate) fn standing_now(&self, now: Millis) -> Millis {
        let (lag, until) = self.lag;
        if now < until { now.minus(lag) } else { now }
    }

    /// Enters an end of a running case.
    pub(crate) fn ends_at(&mut self, until: Millis, key: Prefix, case: CaseId) {
        self.ends.insert((until, key, case));
    }

    /// Whether ends are held until the clock says so, too.
    fn is_held(&self) -> bool {
        self.held_at.is_some_and(|held| self.wall < held)
    }

    /// Whether ends are due.
    fn has_due(&self, now: Millis) -> bool {
        self.ends.first().is_some_and(|(end, ..)| *end <= now)
    }

    /// Takes out all ends that are due.
    fn take_due(&mut self, now: Millis) -> BTreeSet<(Millis, Prefix, CaseId)> {
        let later = self.ends.split_off(&(Millis(now.0.saturating_add(1)), Prefix::V4(0, 0), LEAST));
        std::mem::replace(&mut self.ends, later)
    }

    /// Whether so many ends may be carried out in this frame.
    fn confirms(&mut self, due: usize, running: usize, now: Millis) -> bool {
        let many = running >= ENDS_AT_ONCE_MIN && due * 100 > running * ENDS_AT_ONCE_PERCENT;
        let first_time = self.held_at.is_none();
        self.held_at = (many && first_time).then_some(now);
        self.held_at.is_none()
    }
}

/// The least case id, for range queries.
pub(crate) const LEAST: CaseId = CaseId(model::EventId { node: model::Node(0), life: 0, seq: 0 });

impl Council {
    /// Writes what is due and ends what has ended, before anything new is heard.
    pub(crate) fn pass_time(&mut self, books: &mut Books<'_>) {
        let now = self.now();
        while let Some(next) = self.calendar.writes.first().copied().filter(|(due, _)| *due <= now) {
            self.calendar.writes.remove(&next);
            self.grown(next.1, books);
        }
        let due = self.calendar.has_due(now) || self.named.has_due(now);
        if due && !self.calendar.is_held() {
            self.end_due(now, books);
        }
    }

    fn end_due(&mut self, now: Millis, books: &mut Books<'_>) {
        let mut due = self.calendar.take_due(now);
        due.retain(|(_, key, case)| self.has_ended(*key, *case, now, books));
        let named = self.named.due(now);
        let running = self.cases.len() + self.named.len();
        if self.calendar.confirms(due.len() + named.len(), running, now) {
            self.end_domains(&named);
            for (_, key, case) in due {
                let Some(entry) = books.entry(key) else { continue };
                self.end(key, entry, |r| r.case == case);
            }
        } else {
            self.calendar.ends.append(&mut due);
            self.alarm(Alarm::ManyEnds);
        }
    }

    /// Whether a case is over; one that is not yet is entered again with its true end.
    fn has_ended(&mut self, key: Prefix, case: CaseId, now: Millis, books: &mut Books<'_>) -> bool {
        let running = books.entry(key).and_then(|entry| entry.running.iter().find(|r| r.case == case));
        let Some(until) = running.map(|r| r.until) else { return false };
        if until > now {
            self.calendar.ends_at(until, key, case);
        }
        until <= now
    }

    /// Ends the sentences of this mode whose time is over, but whose end was not yet written.
    pub(crate) fn end_passed(&mut self, key: Prefix, entry: &mut Entry, mode: Mode) {
        let now = self.now();
        self.end(key, entry, |r| r.mode == mode && r.until <= now);
    }

    fn end(&mut self, key: Prefix, entry: &mut Entry, which: impl Fn(&Running) -> bool) {
        while let Some(place) = entry.running.iter().position(&which) {
            let mut running = entry.running.remove(place);
            self.over(running.case);
            self.outcome(&running, Outcome::Stood);
            self.write_growth(key, &mut running);
            let body = Body::CaseEnded(running.until);
            self.write_for(key, &running, Cause::Event(running.case.0), Actor::Engine, body);
        }
    }

    /// Sentences have grown: they are written now, or when their minute is over.
    pub(crate) fn grown(&mut self, key: Prefix, books: &mut Books<'_>) {
        let now = self.now();
        let Some(entry) = books.entry(key) else { return };
        for running in &mut entry.running {
            let due = running.written_at.plus(WRITE_AGAIN_AFTER);
            if due <= now {
                self.write_growth(key, running);
            } else if running.dirty {
                self.calendar.writes.insert((due, key));
            }
        }
    }

    /// Writes the totals of a sentence, if they grew since they were last written.
    pub(crate) fn write_growth(&mut self, key: Prefix, running: &mut Running) {
        if running.dirty {
            let body = Body::CaseExtended(running.write(self.now()));
            self.write_for(key, running, Cause::Event(running.case.0), Actor::Engine, body);
        }
    }
}
