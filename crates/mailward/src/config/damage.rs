//! Settings of what damages the network: `[rules.dictionary]` and `[rules.flood]`.

use model::damage::{DictionaryRule, FloodRule};
use model::{Domain, DomainHash, Secs};

use super::forms::Count;
use super::units::Percent;
use super::words::Strict;

/// `[rules.dictionary]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Dictionary {
    pub(super) mode: Strict,
    pub(super) unknown_minutes: Count<1, 1_000_000>,
    pub(super) share_minutes: Percent,
    pub(super) unknown_day: Count<1, 1_000_000>,
    pub(super) share_day: Percent,
    pub(super) unknown_domain: Count<1, 1_000_000>,
    pub(super) servers: Count<1, 512>,
    pub(super) floor: Secs,
    pub(super) catch_all: Vec<Domain>,
}

/// `[rules.flood]`. What is below the least numbers is not reported to the rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Flood {
    pub(super) mode: Strict,
    pub(super) at_once: Count<12, 1_000_000>,
    pub(super) per_minute: Count<30, 1_000_000>,
    pub(super) network_per_minute: Count<30, 1_000_000>,
    pub(super) reached: Percent,
}

impl Flood {
    pub(super) fn rule(&self) -> FloodRule {
        FloodRule {
            at_once: self.at_once.0,
            per_minute: self.per_minute.0,
            network_per_minute: self.network_per_minute.0,
            reached_percent: self.reached.0,
        }
    }
}

impl Dictionary {
    /// The rule; `domain` makes the keyed hash of a domain, which is given in lower case.
    pub(super) fn rule(&self, domain: &dyn Fn(&str) -> Option<DomainHash>) -> DictionaryRule {
        let mut catch_all: Vec<_> = self.catch_all.iter().filter_map(|d| domain(d.as_str())).collect();
        catch_all.sort_unstable();
        catch_all.dedup();
        DictionaryRule {
            unknown_minutes: self.unknown_minutes.0,
            share_minutes: self.share_minutes.0,
            unknown_day: self.unknown_day.0,
            share_day: self.share_day.0,
            unknown_domain: self.unknown_domain.0,
            servers: self.servers.0,
            floor: self.floor,
            catch_all,
        }
    }
}
