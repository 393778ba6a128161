//! Settings about networks and countries, and what the engine is told of them.

use std::path::PathBuf;

use model::PersonHash;
use model::atlas::Country;
use model::policy::{GeoRule, NetworkRule, RuleMode};

use super::forms::{Count, Fault, Written};
use super::net::Mailbox;
use super::words::{Strict, Word};

/// `[networks]`: the operator's own tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) asn_files: Vec<PathBuf>,
    pub(super) country_files: Vec<PathBuf>,
}

/// `[rules.net-l2]`.
#[derive(Clone, Debug, Default)]
pub(super) struct NetL2 {
    pub(super) mode: Strict,
    pub(super) good_mail: Count<0, 1_000_000>,
}

impl NetL2 {
    pub(super) fn rule(&self) -> NetworkRule {
        NetworkRule { good_mail_max: self.good_mail.0 }
    }
}

/// `[rules.geo]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Geo {
    pub(super) mode: ByCountry,
    pub(super) countries: Vec<Country>,
    pub(super) spared: Vec<Mailbox>,
}

impl Geo {
    /// The rule; `person` makes the keyed hash of an address.
    pub(super) fn rule(&self, person: &dyn Fn(&str) -> PersonHash) -> GeoRule {
        let mut countries = self.countries.clone();
        countries.sort_unstable();
        countries.dedup();
        let mut spared: Vec<PersonHash> = self.spared.iter().map(|who| person(&who.0)).collect();
        spared.sort_unstable();
        spared.dedup();
        GeoRule { countries, spared }
    }
}

/// The mode of a rule that at most gives points.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Noted(pub(super) RuleMode);

impl Default for Noted {
    fn default() -> Self {
        Noted(RuleMode::Off)
    }
}

impl Word for Noted {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self(RuleMode::Off)), ("shadow", Self(RuleMode::Shadow)), ("score", Self(RuleMode::Score))];
}

/// The mode of the rule about countries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ByCountry(pub(super) RuleMode);

impl Default for ByCountry {
    fn default() -> Self {
        ByCountry(RuleMode::Off)
    }
}

impl Word for ByCountry {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self(RuleMode::Off)),
        ("score", Self(RuleMode::Score)),
        ("defer", Self(RuleMode::Defer)),
        ("block", Self(RuleMode::Block)),
    ];
}

impl Written for Country {
    const MANY: &'static str = "countries by two letters";

    fn expected() -> String {
        "a country's two letters such as CN".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::default())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}
