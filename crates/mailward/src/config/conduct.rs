//! Settings of the rules about how clients behave, and what the engine is told of them.

use model::Secs;
use model::policy::{BotRule, HashFloodRule, ProtocolRule};

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

/// `[rules.bot]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Bot {
    pub(super) mode: Strict,
    pub(super) names_hour: Count<2, 32>,
    pub(super) names_day: Count<2, 32>,
    pub(super) sessions: Count<1, 10_000>,
}

impl Bot {
    pub(super) fn rule(&self) -> BotRule {
        BotRule { orgs_hour: self.names_hour.0, orgs_day: self.names_day.0, sessions: self.sessions.0 }
    }
}

/// `[rules.early-talker]` and `[rules.protocol]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Protocol {
    pub(super) early_mode: Strict,
    pub(super) early_talks: Count<1, 1_000>,
    pub(super) mode: Strict,
    pub(super) kinds: Count<1, 8>,
}

impl Protocol {
    pub(super) fn rule(&self) -> ProtocolRule {
        let (early_talks, kinds) = (self.early_talks.0, self.kinds.0);
        ProtocolRule { early_talks, kinds, ..ProtocolRule::default() }
    }
}
