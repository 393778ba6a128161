//! What a shard keeps of one key: its record, its running sentences, and what was said of it.

use detectors::Record;
use minicbor::{Decode, Encode};
use model::event::StandingChange;
use model::{BlockKind, Class, Few, Millis, Mode, Offence, PersonHash, Secs, Units};

use crate::running::Running;

/// A change of standing is told at most hourly for one key (DESIGN §4).
const TOLD_AGAIN_AFTER: Secs = Secs::HOUR;

/// One key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Entry {
    /// What detectors remember.
    pub(crate) record: Record,
    /// Sentences in force: at most one by a rule in each mode, and those of operators.
    pub(crate) running: Few<Running>,
    /// Causes up to here were lifted and count no more.
    pub(crate) lifted_up_to: Millis,
    /// What was last told of its standing, and when.
    pub(crate) told: Option<LastTold>,
}

/// Class, credit for good mail, and when that was told.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, PartialEq)]
pub(crate) struct LastTold {
    #[n(0)]
    class: Class,
    #[n(1)]
    credit: bool,
    #[n(2)]
    at: Millis,
    #[n(3)]
    burst_until: Option<Millis>,
}

impl Entry {
    /// A key that was first seen at `at`.
    pub(crate) fn new(at: Millis) -> Entry {
        let mut entry = Entry::default();
        entry.record.standing.first_seen = at;
        entry.record.last_seen = at;
        entry
    }

    /// The sentences in force at `now` in one mode.
    pub(crate) fn in_force(&mut self, mode: Mode, now: Millis) -> impl Iterator<Item = &mut Running> {
        self.running.iter_mut().filter(move |r| r.mode == mode && r.until > now)
    }

    /// Whether a sentence is in force at `now` in one mode that leaves nothing to be done
    /// about an offence, were it blocked in the way of `kind`.
    pub(crate) fn is_sentenced(&self, mode: Mode, offence: Offence, kind: BlockKind, now: Millis) -> bool {
        let holds = |r: &&Running| r.mode == mode && r.until > now && r.kind >= kind;
        let mut all = self.running.iter().filter(holds);
        all.any(|r| r.covers(offence) && !r.is_outlasted(offence, now))
    }

    /// Whether something is in force or waits to be ended.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether it has good mail of the last 30 days.
    pub(crate) fn has_credit(&self, now: Millis) -> bool {
        self.record.standing.good(now).0 > 0
    }

    /// What happened up to now counts no more: it was lifted.
    pub(crate) fn forget(&mut self, now: Millis) {
        self.lifted_up_to = now;
        self.record.forget(now);
    }

    /// A trap is burnt, so what it counted at `at` is void. Says whether no other trap speaks
    /// against the key.
    pub(crate) fn void_trap(&mut self, trap: PersonHash, at: Millis, units: Units, now: Millis) -> bool {
        self.record.account.withdraw(Offence::Trap, at, units);
        self.record.traps.void(trap);
        self.record.traps.weight(now) == 0
    }

    /// A change of standing that would change an answer, if it is time to tell.
    pub(crate) fn standing_to_tell(
        &mut self,
        class: Class,
        credit: bool,
        bursts: bool,
        now: Millis,
    ) -> Option<StandingChange> {
        // Below `known`, classes change no answer.
        let class = if class >= Class::Known { class } else { Class::Unknown };
        let last = self.told.unwrap_or_default();
        let burst = last.burst_until.filter(|until| *until > now);
        let changed = (last.class, last.credit) != (class, credit);
        let may_tell = now.since(last.at) >= TOLD_AGAIN_AFTER;
        // A burst does not wait for its hour; it is one itself.
        if !(changed && may_tell || bursts && burst.is_none()) {
            return None;
        }
        let burst_until = burst.or_else(|| bursts.then(|| now.plus(TOLD_AGAIN_AFTER)));
        self.told = Some(LastTold { class, credit, at: now, burst_until });
        Some(StandingChange { class, credit, pass_until: None, burst_until })
    }

    /// Whether others were told that it has good mail, and not yet that it has none.
    pub(crate) fn is_told_to_have_credit(&self) -> bool {
        self.told.is_some_and(|told| told.credit)
    }

    /// What is to be told when the key is forgotten: nothing is remembered of it.
    pub(crate) fn standing_to_withdraw(&self) -> Option<StandingChange> {
        let told = self.told.filter(|told| told.credit || told.class != Class::Unknown);
        told.map(|_| StandingChange {
            class: Class::Unknown,
            credit: false,
            pass_until: None,
            burst_until: None,
        })
    }
}
