//! Settings about networks and countries, and what the engine is told of them.

use std::path::PathBuf;

use model::atlas::Country;
use model::policy::{GeoRule, NetworkRule, RuleMode};
use model::site::ByCountry;

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
    pub(super) mode: CountryMode,
    pub(super) countries: Vec<Country>,
    pub(super) spared: Vec<Mailbox>,
}

impl Geo {
    /// What the engine is told.
    pub(super) fn rule(&self) -> GeoRule {
        GeoRule { countries: self.listed() }
    }

    /// What answers depend on; none where the rule is off.
    pub(super) fn by_country(&self) -> Option<ByCountry> {
        let spared = self.spared.iter().map(|who| who.0.clone()).collect();
        let rule = ByCountry { mode: self.mode.0, countries: self.listed(), spared };
        (rule.mode != RuleMode::Off && !rule.countries.is_empty()).then_some(rule)
    }

    fn listed(&self) -> Vec<Country> {
        let mut countries = self.countries.clone();
        countries.sort_unstable();
        countries.dedup();
        countries
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
pub(super) struct CountryMode(pub(super) RuleMode);

impl Default for CountryMode {
    fn default() -> Self {
        CountryMode(RuleMode::Off)
    }
}

impl Word for CountryMode {
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
