//! Which habits a client showed that are faults against SMTP, as a set.

use crate::observation::Habit;

/// A set of faults; how often each was shown is not in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Habits(u16);

impl Habits {
    /// None.
    pub const NONE: Habits = Habits(0);

    /// The faults that a test names.
    pub fn of(shown: impl Fn(Habit) -> bool) -> Habits {
        let mut faults = Habits::NONE;
        Habit::WORDS.iter().filter(|(_, habit)| shown(*habit)).for_each(|(_, habit)| {
            faults.add(*habit);
        });
        faults
    }

    /// Adds one; says whether it is new. Leaving with QUIT is no fault and never is.
    pub fn add(&mut self, habit: Habit) -> bool {
        let before = self.0;
        if habit != Habit::Quit {
            self.0 |= 1 << habit as u16;
        }
        self.0 != before
    }

    /// Whether this one is among them.
    pub fn has(self, habit: Habit) -> bool {
        self.0 & 1 << habit as u16 != 0
    }

    /// All that are in one of two sets.
    #[must_use]
    pub fn and(self, more: Habits) -> Habits {
        Habits(self.0 | more.0)
    }

    /// How many kinds there are.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_one_kind_however_often_and_quit_is_none() {
        let mut faults = Habits::NONE;
        assert!(faults.add(Habit::NonSmtp) && !faults.add(Habit::NonSmtp) && faults.add(Habit::BareLf));
        assert!(!faults.add(Habit::Quit) && !faults.has(Habit::Quit));
        assert_eq!((faults.count(), Habits::of(|_| true).count()), (2, Habit::COUNT as u32 - 1));
        assert_eq!(Habits::of(|habit| habit == Habit::BareLf).and(faults), faults);
    }
}
