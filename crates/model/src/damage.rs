//! What damages the network: thresholds of OFF-5 and OFF-6, and which offences are answered
//! with a null route (S15, S16).

use minicbor::{Decode, Encode};

use crate::case::BlockKind;
use crate::finding::Offence;
use crate::name::DomainHash;
use crate::time::Secs;

/// New null routes a minute where nothing is configured (G-CAP).
pub const NULL_ROUTES_PER_MINUTE: u32 = 20;

impl BlockKind {
    /// The hardest kind that an offence can have by a rule: the column ‘Kind’ of C.2. Only
    /// what damages the network makes a null route (S16).
    pub const fn of(offence: Offence) -> BlockKind {
        match offence {
            Offence::Dictionary | Offence::Flood => BlockKind::NullRoute,
            _ => BlockKind::Rbl,
        }
    }
}

/// Thresholds of OFF-5.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct DictionaryRule {
    /// Different recipients that do not exist, in ten minutes.
    #[n(0)]
    pub unknown_minutes: u32,
    /// Their least share among the recipients of ten minutes, in percent.
    #[n(1)]
    pub share_minutes: u32,
    /// Different recipients that do not exist, in 24 hours.
    #[n(2)]
    pub unknown_day: u32,
    /// Their least share among the recipients of 24 hours, in percent.
    #[n(3)]
    pub share_day: u32,
    /// Different recipients of one domain that do not exist, tried by all servers in ten
    /// minutes: the distributed form.
    #[n(4)]
    pub unknown_domain: u32,
    /// Servers that try them, three each at least.
    #[n(5)]
    pub servers: u32,
    /// The shortest null route.
    #[n(6)]
    pub floor: Secs,
    /// Domains where no recipient counts as unknown, in order: those with a catch-all.
    #[n(7)]
    pub catch_all: Vec<DomainHash>,
}

impl Default for DictionaryRule {
    /// As shipped (C.3).
    fn default() -> DictionaryRule {
        DictionaryRule {
            unknown_minutes: 20,
            share_minutes: 70,
            unknown_day: 100,
            share_day: 50,
            unknown_domain: 200,
            servers: 20,
            floor: Secs::DAY,
            catch_all: Vec::new(),
        }
    }
}

/// Thresholds of OFF-6.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct FloodRule {
    /// Connections of one server at the same time.
    #[n(0)]
    pub at_once: u32,
    /// New connections of one server in one minute.
    #[n(1)]
    pub per_minute: u32,
    /// New connections of one network, a /24 or /48, in one minute; such a network is only
    /// slowed down.
    #[n(2)]
    pub network_per_minute: u32,
    /// A null route needs that less than this share of the sessions reached a recipient that
    /// was taken, in percent.
    #[n(3)]
    pub reached_percent: u32,
}

impl Default for FloodRule {
    /// As shipped (C.3).
    fn default() -> FloodRule {
        FloodRule { at_once: 50, per_minute: 120, network_per_minute: 600, reached_percent: 10 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every offence there is, by its number.
    fn all() -> impl Iterator<Item = Offence> {
        (0..=u8::MAX).filter_map(|n| minicbor::decode(&minicbor::to_vec(n).ok()?).ok())
    }

    #[test]
    fn s16_only_what_damages_the_network_is_null_routed() {
        let routed: Vec<Offence> = all().filter(|o| BlockKind::of(*o) == BlockKind::NullRoute).collect();
        assert_eq!(routed, [Offence::Dictionary, Offence::Flood]);
        assert!(all().count() >= 25);
    }
}
