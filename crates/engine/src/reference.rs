//! Ends of blocks as A.4 has them for the lists that a rule follows, where a site asks for it
//! (`expiry = "reference"`): so long after the last of it, whatever the amount.

use model::{Lasts, Offence, Policy, Secs, Tariff};

use crate::entry::Entry;
use crate::running::Running;

/// What two people alone reported ends so long after the last report (A.4, `reports`).
const TWO_REPORTERS: Secs = Secs(12 * 3600);

/// The formula of a block under the option; `None` where it is not asked for.
pub(crate) fn tariff(offence: Offence, entry: &Entry, policy: &Policy) -> Option<Tariff> {
    let span = policy.reference(offence)?;
    let two = offence == Offence::Reports && entry.record.reporters().len() == 2;
    let span = if two { TWO_REPORTERS } else { span };
    Some(Lasts::Sliding(span).tariff(&policy.tariff, 0))
}

impl Running {
    /// More of what it is for: a third reporter makes a day of the half one.
    pub(crate) fn again(&mut self, offence: Offence) {
        if offence == Offence::Reports && self.is_reference() && self.tariff.floor == TWO_REPORTERS {
            self.tariff.floor = Lasts::of_reference(offence).unwrap_or(TWO_REPORTERS);
        }
    }

    /// Whether it ends as A.4 has it.
    pub(crate) fn is_reference(&self) -> bool {
        Lasts::of_block(self.offence, &self.tariff) != Lasts::of(self.offence)
    }

    /// Whether a refused attempt at a trap is one more hit of what it is for.
    pub(crate) fn counts_hits(&self) -> bool {
        self.offence == Offence::Trap && self.is_reference()
    }
}
