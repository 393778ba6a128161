//! A sentence in force: later units and refused attempts push its end.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use model::case::{Extended, total};
use model::{Actor, CaseId, Millis, Mode, Offence, Secs, Tariff, Units};

/// For so long the same sender and recipient are a retry: the longest time a mail queue
/// keeps trying (RFC 5321 §4.5.4.1 asks for 4 to 5 days).
const RETRY: Secs = Secs(5 * 86_400);
/// Distinct pairs that are told apart in five days; what comes after them counts as retries.
const PAIRS_MAX: usize = 4096;
/// Refused attempts add at most a day of sentence in one day (SEN-3a).
const ATTEMPTS_PER_DAY: Secs = Secs::DAY;

/// One sentence in force.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
pub(crate) struct Running {
    /// Its case.
    #[n(0)]
    pub(crate) case: CaseId,
    /// Enforced or shadow.
    #[n(1)]
    pub(crate) mode: Mode,
    /// Who gave it.
    #[n(2)]
    pub(crate) actor: Actor,
    /// When it began.
    #[n(3)]
    pub(crate) from: Millis,
    /// When it ends, later units included.
    #[n(4)]
    pub(crate) until: Millis,
    /// r, fixed at its beginning (SEN-5).
    #[n(5)]
    pub(crate) repeats: u32,
    /// The formula at its beginning (SEN-11).
    #[n(6)]
    pub(crate) tariff: Tariff,
    /// Whether distinct refused attempts count.
    #[n(7)]
    pub(crate) counts_attempts: bool,
    /// Units since the trigger.
    #[n(8)]
    later: Vec<(Offence, Units)>,
    /// Distinct refused attempts since the trigger.
    #[n(9)]
    attempts: u64,
    /// Pairs of the current five days and of the five before.
    #[n(10)]
    pairs: (BTreeSet<u32>, BTreeSet<u32>),
    #[n(11)]
    pairs_since: Millis,
    /// Day and seconds that attempts added in it.
    #[n(12)]
    added: (u32, u64),
    /// When the ledger last heard of a new end, and whether it must hear again.
    #[n(13)]
    pub(crate) written_at: Millis,
    /// Something is to be written.
    #[n(14)]
    pub(crate) dirty: bool,
}

impl Running {
    #[expect(clippy::too_many_arguments, reason = "the parts of one sentence, named at the one call")]
    pub(crate) fn begin(
        case: CaseId,
        mode: Mode,
        actor: Actor,
        from: Millis,
        until: Millis,
        repeats: u32,
        tariff: Tariff,
        counts_attempts: bool,
    ) -> Running {
        Running {
            case,
            mode,
            actor,
            from,
            until,
            repeats,
            tariff,
            counts_attempts,
            later: Vec::new(),
            attempts: 0,
            pairs: (BTreeSet::new(), BTreeSet::new()),
            pairs_since: from,
            added: (0, 0),
            written_at: from,
            dirty: false,
        }
    }

    /// Units that came since the trigger, by exempt recipients or late verdicts.
    pub(crate) fn accrue(&mut self, units: &[(Offence, Units)], now: Millis) {
        for (offence, units) in units {
            match self.later.iter_mut().find(|(o, _)| o == offence) {
                Some((_, sum)) => *sum = sum.plus(*units),
                None => self.later.push((*offence, *units)),
            }
        }
        self.later.sort();
        self.until = self.tariff.extend(self.until, now, total(units), self.repeats);
        self.dirty = true;
    }

    /// A refused attempt: a quarter of a unit if sender and recipient are a new pair.
    pub(crate) fn attempt(&mut self, pair: u64, now: Millis) {
        if !self.counts_attempts || !self.is_new_pair(pair as u32, now) {
            return;
        }
        self.attempts += 1;
        self.dirty = true;
        let end = self.tariff.extend(self.until, now, Units::QUARTER, self.repeats);
        let more = end.since(self.until);
        if now.day() != self.added.0 {
            self.added = (now.day(), 0);
        }
        let allowed = more.0.min(ATTEMPTS_PER_DAY.0.saturating_sub(self.added.1));
        self.added.1 += allowed;
        self.until = self.until.plus(Secs(allowed));
    }

    fn is_new_pair(&mut self, pair: u32, now: Millis) -> bool {
        if now.since(self.pairs_since) >= RETRY {
            self.pairs = (BTreeSet::new(), std::mem::take(&mut self.pairs.0));
            self.pairs_since = now;
        }
        if self.pairs.0.len() >= PAIRS_MAX {
            return false;
        }
        // Asked again, a pair stays a retry for five more days.
        self.pairs.0.insert(pair) && !self.pairs.1.contains(&pair)
    }

    /// The totals so far, for the ledger.
    pub(crate) fn write(&mut self, now: Millis) -> Extended {
        (self.written_at, self.dirty) = (now, false);
        Extended { until: self.until, later: self.later.clone(), attempts: self.attempts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::event::{EventId, Node};

    const START: Millis = Millis::from_secs(1_000_000_000);

    fn running(repeats: u32) -> Running {
        let case = CaseId(EventId { node: Node(1), life: 1, seq: 1 });
        let until = START.plus(Secs(7200));
        Running::begin(case, Mode::Live, Actor::Engine, START, until, repeats, Tariff::SHIPPED, true)
    }

    #[test]
    fn eight_distinct_attempts_add_twelve_minutes_and_retries_nothing() {
        let mut one = running(0);
        (0..8).for_each(|pair| one.attempt(pair, START));
        assert_eq!(one.until, START.plus(Secs(7200 + 720)));
        (0..400).for_each(|n| one.attempt(n % 8, START.plus(Secs(n))));
        assert_eq!(one.until, START.plus(Secs(7200 + 720)));
        assert_eq!(one.write(START).attempts, 8);
    }

    #[test]
    fn attempts_add_at_most_a_day_in_a_day() {
        let mut one = running(4);
        (0..4000).for_each(|pair| one.attempt(pair, START));
        assert_eq!(one.until, START.plus(Secs(7200 + 86_400)));
    }

    #[test]
    fn a_pair_is_a_retry_for_five_days_after_its_last_attempt() {
        let mut one = running(0);
        for day in 0..12 {
            one.attempt(7, START.plus(Secs(day * 86_400)));
        }
        assert_eq!(one.write(START).attempts, 1);
        one.attempt(7, START.plus(Secs(30 * 86_400)));
        one.attempt(8, START.plus(Secs(41 * 86_400)));
        one.attempt(7, START.plus(Secs(50 * 86_400)));
        assert_eq!(one.write(START).attempts, 3);
    }

    #[test]
    fn five_more_units_with_one_earlier_block_add_an_hour() {
        let mut one = running(1);
        one.accrue(&[(Offence::SpamVolume, Units::whole(5))], START);
        assert_eq!(one.until, START.plus(Secs(7200 + 3600)));
    }
}
