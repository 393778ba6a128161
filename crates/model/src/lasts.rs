//! How long a block lasts, offence by offence: the last column of REQUIREMENTS C.2 as a table.
//!
//! Three ways (D.1): in proportion to the units (F1), fixed, and a ladder (F3). What is
//! fixed either runs from its beginning or slides: later facts push the end to the last of
//! them and the span again. A new offence gets its row in [`Lasts::of`]; what counts as a
//! unit stands with its detector.

use crate::finding::Offence;
use crate::sentence::Tariff;
use crate::time::Secs;

/// How long a block for one offence lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lasts {
    /// In proportion to the units, by the policy's formula; such offences add up.
    ByUnits,
    /// In proportion to the units, and not before the formula's floor has passed since the last
    /// of it; adds up with the others.
    ByUnitsSliding,
    /// So long from its beginning, whatever the amount, doubled as the policy has it.
    Fixed(Secs),
    /// So long from the last of it, whatever the amount.
    Sliding(Secs),
    /// The first block, the second, and so on, while the one before ended no longer ago than
    /// `memory`; the last step repeats.
    Ladder {
        /// The lengths; at least one.
        steps: &'static [Secs],
        /// For so long after its end a block is remembered.
        memory: Secs,
    },
    /// As its rule says: by a person, by another list, or for as long as a fact holds. The
    /// policy's formula where the rule says nothing; such offences stand alone.
    ByRule,
}

/// Fifteen minutes to a day (C.3, OFF-6).
const FLOOD: &[Secs] = &[Secs(15 * 60), Secs::HOUR, Secs(6 * 3600), Secs::DAY];
/// Ten minutes to a week (C.3, OFF-17).
const BRUTE_FORCE: &[Secs] = &[Secs(600), Secs::HOUR, Secs(6 * 3600), Secs::DAY, Secs(7 * 86_400)];

impl Lasts {
    /// The row of an offence.
    pub const fn of(offence: Offence) -> Lasts {
        match offence {
            Offence::SpamVolume
            | Offence::Trap
            | Offence::Reports
            | Offence::Dictionary
            | Offence::Virus
            | Offence::Attachment
            | Offence::ForgedSender => Lasts::ByUnits,
            Offence::HashFlood => Lasts::ByUnitsSliding,
            Offence::Helo => Lasts::Fixed(Secs::DAY),
            Offence::Greytrap => Lasts::Sliding(Secs::DAY),
            Offence::Backscatter => Lasts::Sliding(Secs(7 * 86_400)),
            Offence::EarlyTalker | Offence::Protocol => Lasts::Sliding(Secs(6 * 3600)),
            Offence::Bot => Lasts::Sliding(Secs(3 * 86_400)),
            Offence::Flood => Lasts::Ladder { steps: FLOOD, memory: Secs::DAY },
            Offence::BruteForce => Lasts::Ladder { steps: BRUTE_FORCE, memory: Secs(7 * 86_400) },
            _ => Lasts::ByRule,
        }
    }

    /// As the kind of list ends that it follows (A.4, the option `reference`): so long after the
    /// last of it, whatever the amount. `None` where C.2 says the same already.
    pub const fn of_reference(offence: Offence) -> Option<Secs> {
        match offence {
            Offence::Trap => Some(Secs(7 * 86_400)),
            Offence::Reports => Some(Secs::DAY),
            _ => None,
        }
    }

    /// The row of a block, by its formula: one that gives a length whatever the amount was made
    /// by the option `reference`, and slides.
    pub fn of_block(offence: Offence, tariff: &Tariff) -> Lasts {
        let bare = tariff.per_unit == Secs(0) && tariff.doublings == 0;
        if bare && Lasts::of_reference(offence).is_some() {
            return Lasts::Sliding(tariff.floor);
        }
        Lasts::of(offence)
    }

    /// The formula of one block: the policy's, or one that gives this length. `rung` is how
    /// many blocks of a ladder came before it.
    pub fn tariff(self, policy: &Tariff, rung: usize) -> Tariff {
        let always = |floor| Tariff { per_unit: Secs(0), floor, ..policy.clone() };
        match self {
            Lasts::ByUnits | Lasts::ByUnitsSliding | Lasts::ByRule => policy.clone(),
            Lasts::Fixed(span) => always(span),
            Lasts::Sliding(span) => Tariff { doublings: 0, ..always(span) },
            Lasts::Ladder { steps, .. } => {
                let step = steps.get(rung).or(steps.last()).copied().unwrap_or(policy.floor);
                Tariff { doublings: 0, ..always(step) }
            }
        }
    }

    /// Whether later facts push the end to themselves and the formula's floor.
    pub const fn slides(self) -> bool {
        matches!(self, Lasts::Sliding(_) | Lasts::ByUnitsSliding)
    }

    /// Whether units of two offences make one sentence (D.1, ‘Mixed offences add units’).
    pub fn add_up(one: Offence, other: Offence) -> bool {
        let by_units = |offence| matches!(Lasts::of(offence), Lasts::ByUnits | Lasts::ByUnitsSliding);
        one == other || (by_units(one) && by_units(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Units;

    #[track_caller]
    fn check(offence: Offence, rung: usize, expect: &str) {
        let tariff = Lasts::of(offence).tariff(&Tariff::SHIPPED, rung);
        assert_eq!(tariff.sentence(Units::whole(100), 0).to_string(), expect, "{offence:?}, {rung} before");
    }

    #[test]
    fn a_hundred_units_cost_what_the_table_of_c_2_says() {
        check(Offence::SpamVolume, 0, "10 h");
        check(Offence::Helo, 0, "1 d");
        check(Offence::Greytrap, 0, "1 d");
        check(Offence::Backscatter, 0, "7 d");
        check(Offence::EarlyTalker, 0, "6 h");
        check(Offence::Protocol, 0, "6 h");
        check(Offence::Bot, 0, "3 d");
    }

    #[test]
    fn ladders_are_climbed_and_their_last_step_repeats() {
        for (rung, expect) in ["15 min", "1 h", "6 h", "1 d", "1 d"].into_iter().enumerate() {
            check(Offence::Flood, rung, expect);
        }
        for (rung, expect) in ["10 min", "1 h", "6 h", "1 d", "7 d", "7 d"].into_iter().enumerate() {
            check(Offence::BruteForce, rung, expect);
        }
    }

    #[test]
    fn only_a_fixed_sentence_doubles_and_none_goes_beyond_the_cap() {
        let lasts = |offence, repeats| {
            Lasts::of(offence).tariff(&Tariff::SHIPPED, 0).sentence(Units::whole(1), repeats)
        };
        assert_eq!(
            [lasts(Offence::Helo, 1), lasts(Offence::Helo, 9)],
            [Secs::DAY.times(2), Secs::DAY.times(16)]
        );
        for offence in [Offence::Greytrap, Offence::Flood, Offence::Bot] {
            assert_eq!(lasts(offence, 4), lasts(offence, 0), "{offence:?}");
        }
    }

    #[test]
    fn offences_with_a_sentence_of_their_own_do_not_lengthen_others() {
        assert!(Lasts::add_up(Offence::SpamVolume, Offence::Trap));
        assert!(Lasts::add_up(Offence::SpamVolume, Offence::Dictionary));
        assert!(Lasts::add_up(Offence::HashFlood, Offence::SpamVolume));
        assert!(!Lasts::add_up(Offence::SpamVolume, Offence::Helo));
        assert!(Lasts::add_up(Offence::Helo, Offence::Helo));
        assert!(!Lasts::add_up(Offence::Operator, Offence::SpamVolume));
        assert!(!Lasts::add_up(Offence::Flood, Offence::Dictionary));
    }
}
