//! Unsentenced units of a key: what counts towards the next sentence.

use minicbor::{Decode, Encode};
use model::window::Window;
use model::{Millis, Offence, Secs, Units};

/// For so long a unit waits for a sentence (D.1).
const SPAN: Secs = Secs(7 * 86_400);

/// Units by offence over the last seven days that no sentence has used (SEN-4).
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
pub struct Account {
    #[n(0)]
    windows: Vec<(Offence, Window)>,
    /// Written since the engine last looked; grows sentences in force.
    #[n(1)]
    fresh: Vec<(Offence, Units)>,
}

impl Account {
    /// Writes units down.
    pub fn add(&mut self, offence: Offence, at: Millis, units: Units) {
        self.fresh.push((offence, units));
        let quarters = u32::try_from(units.quarters()).unwrap_or(u32::MAX);
        match self.windows.iter_mut().find(|(o, _)| *o == offence) {
            Some((_, window)) => window.add(SPAN, at, quarters),
            None => {
                let mut window = Window::default();
                window.add(SPAN, at, quarters);
                self.windows.push((offence, window));
            }
        }
    }

    /// What stands there now, by offence.
    pub fn units(&self, now: Millis) -> Vec<(Offence, Units)> {
        let sums = self.windows.iter().map(|(o, w)| (*o, Units::from_quarters(w.sum(SPAN, now))));
        let mut sums: Vec<_> = sums.filter(|(_, u)| *u > Units::ZERO).collect();
        sums.sort();
        sums
    }

    /// Takes everything out: it is sentenced now.
    pub fn take(&mut self, now: Millis) -> Vec<(Offence, Units)> {
        let units = self.units(now);
        self.windows.clear();
        units
    }

    /// What was written since the last call.
    pub fn take_fresh(&mut self) -> Vec<(Offence, Units)> {
        std::mem::take(&mut self.fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_sentenced_once_and_waits_seven_days() {
        let day = |n: u64| Millis::from_secs(n * 86_400);
        let mut account = Account::default();
        account.add(Offence::SpamVolume, day(100), Units::whole(3));
        account.add(Offence::Trap, day(105), Units::whole(5));
        assert_eq!(account.units(day(108)), [(Offence::Trap, Units::whole(5))]);
        assert_eq!(account.take(day(106)).len(), 2);
        assert_eq!(account.take(day(106)), []);
    }
}
