//! How often looks that weigh are wrong (docs/decisions/connection-score.md).
//!
//! A refused sender teaches nothing. But one stranger in 128 of a look is let in, and others
//! are that have nothing else against them; what their first mail turned out to be measures
//! the look for ever.

use minicbor::{Decode, Encode};
use model::window::Window;
use model::{Millis, Secs};

/// For so long a measurement counts.
const MONTH: Secs = Secs(30 * 86_400);

/// Strangers of looks that weighed, whose first mail was taken and judged all the same.
#[derive(Debug, Decode, Default, Encode)]
pub(crate) struct Measured {
    #[n(0)]
    judged: Window,
    #[n(1)]
    good: Window,
}

/// What was measured in 30 days.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LetIn {
    /// Strangers of looks that weighed, whose first mail was taken and judged all the same.
    pub judged: u64,
    /// Those of them whose mail was good.
    pub good: u64,
}

impl Measured {
    /// One more of them.
    pub(super) fn add(&mut self, good: bool, now: Millis) {
        self.judged.add(MONTH, now, 1);
        self.good.add(MONTH, now, u32::from(good));
    }

    /// What was measured up to `now`.
    pub(crate) fn let_in(&self, now: Millis) -> LetIn {
        LetIn { judged: self.judged.sum(MONTH, now), good: self.good.sum(MONTH, now) }
    }
}
