//! Settings of the rules about how clients behave, and what the engine is told of them.

use model::Secs;
use model::policy::HashFloodRule;

use super::forms::Count;
use super::words::Strict;

/// `[rules.hash-flood]`.
#[derive(Clone, Debug, Default)]
pub(super) struct HashFlood {
    pub(super) mode: Strict,
    pub(super) spam_day: Count<1, 1_000>,
    pub(super) good: Count<1, 1_000>,
    pub(super) networks: Count<2, 8>,
    pub(super) lasts: Secs,
}

impl HashFlood {
    pub(super) fn rule(&self) -> HashFloodRule {
        HashFloodRule {
            spam_day: self.spam_day.0,
            good: self.good.0,
            networks: self.networks.0,
            lasts: self.lasts,
        }
    }
}
