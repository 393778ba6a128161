//! Unsentenced units of a key: what counts towards the next sentence.
//!
//! Detectors write down what they saw; the engine then gives each unit to a sentence in
//! force, or posts it here, where it waits for one. Live and shadow have a book each, so
//! that what a rule in shadow counted never lengthens a sentence that is enforced.

use minicbor::{Decode, Encode};
use model::window::Window;
use model::{Few, Millis, Mode, Offence, Secs, Units};

/// For so long a unit waits for a sentence (D.1).
const SPAN: Secs = Secs(7 * 86_400);

/// Units of one fact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fresh {
    /// Of which offence.
    pub offence: Offence,
    /// When it happened.
    pub at: Millis,
    /// How many.
    pub units: Units,
}

/// Units by offence over the last seven days that no sentence has used (SEN-4).
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub struct Account {
    #[n(0)]
    live: Book,
    #[n(1)]
    shadow: Book,
    /// Written since the engine last looked, which is before its frame ends.
    #[cbor(skip)]
    fresh: Few<Fresh>,
}

/// The units of one mode.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
#[cbor(transparent)]
struct Book(#[n(0)] Few<(Offence, Window)>);

impl Account {
    /// Writes units down.
    pub fn add(&mut self, offence: Offence, at: Millis, units: Units) {
        self.fresh.push(Fresh { offence, at, units });
    }

    /// Whether units of an offence that `counts` were written since the engine last looked.
    pub fn has_fresh(&self, counts: impl Fn(Offence) -> bool) -> bool {
        self.fresh.iter().any(|fresh| counts(fresh.offence))
    }

    /// Takes units back that were written under `at` and still wait for a sentence: what
    /// they stood for was something else. A sentence that has used them keeps them.
    pub fn withdraw(&mut self, offence: Offence, at: Millis, units: Units) {
        let quarters = u32::try_from(units.quarters()).unwrap_or(u32::MAX);
        for Book(windows) in [&mut self.live, &mut self.shadow] {
            let window = windows.iter_mut().find(|(known, _)| *known == offence);
            if let Some((_, window)) = window {
                window.take(SPAN, at, quarters);
            }
        }
    }

    /// What was written since the last call.
    pub fn take_fresh(&mut self) -> Vec<Fresh> {
        self.fresh.take()
    }

    /// Lets units wait for a sentence of this mode.
    pub fn post(&mut self, mode: Mode, fresh: &Fresh) {
        self.book(mode).add(fresh);
    }

    /// What waits now, by offence.
    pub fn units(&self, mode: Mode, now: Millis) -> Vec<(Offence, Units)> {
        let Book(windows) = if mode == Mode::Live { &self.live } else { &self.shadow };
        let sums = windows.iter().map(|(o, w)| (*o, Units::from_quarters(w.sum(SPAN, now))));
        let mut sums: Vec<_> = sums.filter(|(_, u)| *u > Units::ZERO).collect();
        sums.sort();
        sums
    }

    /// Takes the units of some offences out: they are sentenced now.
    pub fn take(
        &mut self,
        mode: Mode,
        now: Millis,
        which: impl Fn(Offence) -> bool,
    ) -> Vec<(Offence, Units)> {
        let mut units = self.units(mode, now);
        units.retain(|(offence, _)| which(*offence));
        self.book(mode).0.retain(|(offence, _)| !which(*offence));
        units
    }

    /// Forgets everything: it was lifted.
    pub fn clear(&mut self) {
        *self = Account::default();
    }

    fn book(&mut self, mode: Mode) -> &mut Book {
        if mode == Mode::Live { &mut self.live } else { &mut self.shadow }
    }
}

impl Book {
    fn add(&mut self, fresh: &Fresh) {
        let quarters = u32::try_from(fresh.units.quarters()).unwrap_or(u32::MAX);
        let Some((_, window)) = self.0.iter_mut().find(|(o, _)| *o == fresh.offence) else {
            let mut window = Window::default();
            window.add(SPAN, fresh.at, quarters);
            return self.0.push((fresh.offence, window));
        };
        window.add(SPAN, fresh.at, quarters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: u64) -> Millis {
        Millis::from_secs(n * 86_400)
    }

    fn fresh(offence: Offence, at: Millis, units: u64) -> Fresh {
        Fresh { offence, at, units: Units::whole(units) }
    }

    #[test]
    fn a_unit_is_sentenced_once_and_waits_seven_days() {
        let mut account = Account::default();
        account.post(Mode::Live, &fresh(Offence::SpamVolume, day(100), 3));
        account.post(Mode::Live, &fresh(Offence::Trap, day(105), 5));
        assert_eq!(account.units(Mode::Live, day(108)), [(Offence::Trap, Units::whole(5))]);
        assert_eq!(account.take(Mode::Live, day(106), |_| true).len(), 2);
        assert_eq!(account.take(Mode::Live, day(106), |_| true), []);
    }

    #[test]
    fn a_sentence_takes_the_offences_it_is_for() {
        let mut account = Account::default();
        account.post(Mode::Live, &fresh(Offence::SpamVolume, day(100), 3));
        account.post(Mode::Live, &fresh(Offence::Helo, day(100), 2));
        assert_eq!(account.take(Mode::Live, day(100), |o| o == Offence::Helo).len(), 1);
        assert_eq!(account.units(Mode::Live, day(100)), [(Offence::SpamVolume, Units::whole(3))]);
    }

    #[test]
    fn the_books_of_live_and_shadow_are_apart() {
        let mut account = Account::default();
        account.post(Mode::Shadow, &fresh(Offence::Trap, day(100), 5));
        assert_eq!(account.units(Mode::Live, day(100)), []);
        assert_eq!(account.units(Mode::Shadow, day(100)).len(), 1);
        account.clear();
        assert_eq!(account.units(Mode::Shadow, day(100)), []);
    }

    #[test]
    fn units_that_still_wait_can_be_taken_back() {
        let mut account = Account::default();
        account.post(Mode::Live, &fresh(Offence::Trap, day(100), 7));
        account.withdraw(Offence::Trap, day(100), Units::whole(5));
        assert_eq!(account.units(Mode::Live, day(100)), [(Offence::Trap, Units::whole(2))]);
        account.withdraw(Offence::Trap, day(101), Units::whole(5));
        assert_eq!(account.units(Mode::Live, day(101)), [(Offence::Trap, Units::whole(2))], "another day's");
        account.withdraw(Offence::Trap, day(100), Units::whole(9));
        assert_eq!(account.units(Mode::Live, day(101)), []);
    }

    #[test]
    fn what_was_written_is_handed_out_once() {
        let mut account = Account::default();
        account.add(Offence::SpamVolume, day(1), Units::whole(1));
        assert_eq!(account.take_fresh(), [fresh(Offence::SpamVolume, day(1), 1)]);
        assert_eq!(account.take_fresh(), []);
    }
}
