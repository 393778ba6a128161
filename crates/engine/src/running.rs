//! A sentence in force: later units and refused attempts push its end.

use detectors::repeats::Repeats;
use minicbor::{Decode, Encode};
use model::case::{Extended, Opened};
use model::{Actor, BlockKind, CaseId, Few, Lasts, Millis, Mode, Offence, Secs, Tariff, Units, reasons};

/// For so long the same sender and recipient are a retry: the longest time a mail queue
/// keeps trying (RFC 5321 §4.5.4.1 asks for 4 to 5 days).
const RETRY: Secs = Secs(5 * 86_400);
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
    /// In which way it blocks.
    #[n(3)]
    pub(crate) kind: BlockKind,
    /// What it is for.
    #[n(4)]
    pub(crate) offence: Offence,
    /// When it began.
    #[n(5)]
    pub(crate) from: Millis,
    /// When it ends, later units included.
    #[n(6)]
    pub(crate) until: Millis,
    /// r, fixed at its beginning (SEN-5).
    #[n(7)]
    repeats: u32,
    /// The formula at its beginning (SEN-11).
    #[n(8)]
    pub(crate) tariff: Tariff,
    /// Whether distinct refused attempts count.
    #[n(9)]
    counts_attempts: bool,
    /// An operator gave it another end: nothing moves it any more (SEN-12).
    #[n(10)]
    by_hand: bool,
    /// Units since the trigger.
    #[n(11)]
    later: Few<(Offence, Units)>,
    /// Distinct refused attempts since the trigger.
    #[n(12)]
    attempts: u64,
    #[n(13)]
    pairs: Repeats,
    /// Day, and seconds that attempts added in it.
    #[n(14)]
    added: (u32, u64),
    /// When the ledger last heard of its length.
    #[n(15)]
    pub(crate) written_at: Millis,
    /// The ledger must hear again.
    #[n(16)]
    pub(crate) dirty: bool,
}

impl Running {
    /// The sentence that begins with a decision.
    pub(crate) fn begin(
        case: CaseId,
        mode: Mode,
        actor: Actor,
        opened: &Opened,
        counts_attempts: bool,
    ) -> Running {
        Running {
            case,
            mode,
            actor,
            kind: opened.kind,
            offence: reasons::by_number(opened.reason).offence,
            from: opened.from,
            until: opened.until,
            repeats: opened.repeats,
            tariff: opened.tariff.clone(),
            counts_attempts,
            by_hand: false,
            later: Few::default(),
            attempts: 0,
            pairs: Repeats::default(),
            added: (0, 0),
            written_at: opened.from,
            dirty: false,
        }
    }

    /// Whether units of this offence lengthen it; others wait for a sentence of their own.
    pub(crate) fn takes(&self, offence: Offence) -> bool {
        !self.by_hand && Lasts::add_up(self.offence, offence)
    }

    /// Whether it refuses all that a sentence for this offence would refuse. One for
    /// backscatter refuses null-sender mail alone, and one for greytrapping only defers, so
    /// they cover nothing else.
    pub(crate) fn covers(&self, offence: Offence) -> bool {
        !matches!(self.offence, Offence::Backscatter | Offence::Greytrap) || offence == self.offence
    }

    /// Whether a sentence for this offence would end later, though it refuses the same: a bot
    /// stays blocked for days behind its first spam (D.3, ‘the later end wins’).
    pub(crate) fn is_outlasted(&self, offence: Offence, now: Millis) -> bool {
        let behaves = matches!(offence, Offence::EarlyTalker | Offence::Protocol | Offence::Bot);
        match Lasts::of(offence) {
            Lasts::Sliding(span) if behaves => self.offence != offence && self.until < now.plus(span),
            _ => false,
        }
    }

    /// Units that came since the trigger, by exempt recipients or late verdicts.
    pub(crate) fn accrue(&mut self, offence: Offence, units: Units, now: Millis) {
        match self.later.iter_mut().find(|(known, _)| *known == offence) {
            Some((_, sum)) => *sum = sum.plus(units),
            None => self.later.push((offence, units)),
        }
        self.later.sort();
        self.until = self.tariff.extend(self.until, now, units, self.repeats);
        self.dirty = true;
        if offence == self.offence || !self.is_reference() {
            self.again(offence);
            self.slide(now);
        }
    }

    /// It was seen again: a sliding sentence runs anew from here (C.2, ‘sliding’). Says
    /// whether its end moved.
    pub(crate) fn slide(&mut self, now: Millis) -> bool {
        let end = now.plus(self.tariff.floor);
        let slides = Lasts::of_block(self.offence, &self.tariff).slides() && !self.by_hand;
        let moves = slides && end > self.until;
        if moves {
            (self.until, self.dirty) = (end, true);
        }
        moves
    }

    /// A refused attempt: a quarter of a unit if sender and recipient are a new pair; at a trap
    /// it is one more hit of a block that slides with them. Says whether they were.
    pub(crate) fn attempt(&mut self, pair: u64, trap: bool, now: Millis) -> bool {
        let hit = trap && self.counts_hits();
        let counts = (self.counts_attempts || hit) && !self.by_hand;
        if !counts || !self.pairs.is_new(pair, RETRY, now) {
            return false;
        }
        if hit {
            self.slide(now);
        }
        if !self.counts_attempts {
            return true;
        }
        self.attempts = self.attempts.saturating_add(1);
        self.dirty = true;
        let end = self.tariff.extend(self.until, now, Units::QUARTER, self.repeats);
        if now.day() != self.added.0 {
            self.added = (now.day(), 0);
        }
        let left = ATTEMPTS_PER_DAY.0.saturating_sub(self.added.1);
        let more = end.since(self.until).0.min(left);
        self.added.1 = self.added.1.saturating_add(more);
        self.until = self.until.plus(Secs(more));
        true
    }

    /// An operator's end.
    pub(crate) fn resentence(&mut self, until: Millis) {
        (self.until, self.by_hand) = (until, true);
    }

    /// Moves the end of a sentence that follows others (OFF-22); never back.
    pub(crate) fn follow(&mut self, until: Millis) {
        if !self.by_hand && until > self.until {
            (self.until, self.dirty) = (until, true);
        }
    }

    /// The totals so far, for the ledger.
    pub(crate) fn write(&mut self, now: Millis) -> Extended {
        (self.written_at, self.dirty) = (now, false);
        Extended { until: self.until, later: self.later.to_vec(), attempts: self.attempts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::event::{EventId, Node};
    use model::{Class, Severity};

    const START: Millis = Millis::from_secs(1_000_000_000);

    fn running(repeats: u32) -> Running {
        let opened = Opened {
            kind: BlockKind::Rbl,
            reason: reasons::of_offence(Offence::SpamVolume).unwrap().number,
            from: START,
            until: START.plus(Secs(7200)),
            caused_at: START,
            units: Vec::new(),
            repeats,
            severity: Severity::Minor,
            class: Class::Unknown,
            facts: Vec::new(),
            tariff: Tariff::SHIPPED,
        };
        let case = CaseId(EventId { node: Node(1), life: 1, seq: 1 });
        Running::begin(case, Mode::Live, Actor::Engine, &opened, true)
    }

    #[test]
    fn eight_distinct_attempts_add_twelve_minutes_and_retries_nothing() {
        let mut one = running(0);
        assert!((0..8).all(|pair| one.attempt(pair, false, START)));
        assert_eq!(one.until, START.plus(Secs(7200 + 720)));
        assert!((0..400).all(|n| !one.attempt(n % 8, false, START.plus(Secs(n)))));
        assert_eq!(one.until, START.plus(Secs(7200 + 720)));
        assert_eq!(one.write(START).attempts, 8);
    }

    #[test]
    fn attempts_add_at_most_a_day_in_a_day() {
        let mut one = running(4);
        let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13;
        assert!((0..4000).filter(|n| one.attempt(hash(*n), false, START)).count() > 1000);
        assert_eq!(one.until, START.plus(Secs(7200 + 86_400)));
    }

    #[test]
    fn five_more_units_with_one_earlier_block_add_an_hour() {
        let mut one = running(1);
        one.accrue(Offence::SpamVolume, Units::whole(5), START);
        assert_eq!(one.until, START.plus(Secs(7200 + 3600)));
    }

    #[test]
    fn a_sentence_for_backscatter_slides_and_covers_nothing_else() {
        let mut one = running(0);
        one.offence = Offence::Backscatter;
        one.tariff = Tariff { per_unit: Secs(0), floor: Secs(7 * 86_400), ..Tariff::SHIPPED };
        one.accrue(Offence::Backscatter, Units::ZERO, START.plus(Secs(60)));
        assert_eq!(one.until, START.plus(Secs(7 * 86_400 + 60)));
        assert!(one.covers(Offence::Backscatter) && !one.covers(Offence::SpamVolume));
        assert!(running(0).covers(Offence::Backscatter));
    }

    #[test]
    fn what_slides_runs_from_the_last_of_it_and_nothing_else_does() {
        for (offence, span) in [
            (Offence::Greytrap, Secs::DAY),
            (Offence::Bot, Secs::DAY.times(3)),
            (Offence::EarlyTalker, Secs::HOUR.times(6)),
        ] {
            let mut one = running(0);
            one.offence = offence;
            one.tariff = Lasts::of(offence).tariff(&Tariff::SHIPPED, 0);
            one.until = START.plus(span);
            assert!(one.slide(START.plus(Secs::HOUR)), "{offence:?}");
            assert_eq!(one.until, START.plus(span).plus(Secs::HOUR));
            assert!(!one.slide(START), "an older fact moves nothing");
            one.resentence(START.plus(Secs(60)));
            assert!(!one.slide(START.plus(Secs::HOUR)), "nor does any after an operator");
        }
        assert!(!running(0).slide(START.plus(Secs::DAY)));
    }

    #[test]
    fn an_end_given_by_hand_stays() {
        let mut one = running(0);
        one.resentence(START.plus(Secs(60)));
        assert!(!one.attempt(1, false, START));
        assert!(!one.takes(Offence::SpamVolume));
        assert_eq!(one.until, START.plus(Secs(60)));
    }
}
