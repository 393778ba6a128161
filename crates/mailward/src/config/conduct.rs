//! Settings of the rules about how clients behave, and what the engine is told of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::Secs;
use model::policy::{BotRule, HashFloodRule, ProtocolRule};

use model::signatures::{self, SIGNATURES_MAX, Signature};

use super::error::{ConfigError, Place};
use super::forms::{Count, quoted};
use super::settings::Settings;
use super::source::printable;
use super::traps::Open;
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
    pub(super) signatures_file: Option<PathBuf>,
}

impl Bot {
    /// The rule, with the families of the operator's file behind those that are shipped.
    pub(super) fn rule(&self, more: &[Signature]) -> BotRule {
        let signatures = [&signatures::shipped(), more].concat();
        let (orgs_hour, orgs_day) = (self.names_hour.0, self.names_day.0);
        BotRule { orgs_hour, orgs_day, sessions: self.sessions.0, signatures }
    }
}

/// Reads the operator's file of families of bots, and tells what is wrong with it.
pub(super) fn collect(
    settings: &Settings,
    lines: &BTreeMap<&'static str, usize>,
    file: &str,
    open: Open<'_>,
) -> (Vec<Signature>, Vec<ConfigError>) {
    const NAME: &str = "rules.bot.signatures-file";
    let Some(path) = settings.rules.bot.signatures_file.as_deref() else { return Default::default() };
    let wrong = |at, expected: &str, got| {
        let (name, expected) = (NAME.to_owned(), expected.to_owned());
        (Vec::new(), vec![ConfigError::Setting { at, name, expected, got, meant: None }])
    };
    let shown = quoted(&printable(&path.display().to_string()));
    let here = Place { file: file.to_owned(), line: lines.get(NAME).copied().unwrap_or(1) };
    let text = match open(path) {
        Ok(text) => text,
        Err(why) => return wrong(here, "a readable text file", format!("{shown} ({why})")),
    };
    match signatures::parse(&text) {
        Ok(more) if more.len() + signatures::shipped().len() <= SIGNATURES_MAX => (more, Vec::new()),
        Ok(_) => wrong(here, "at most 32 families, the shipped ones among them", shown),
        Err((line, expected)) => {
            let got = text.lines().nth(line - 1).unwrap_or_default();
            let at = Place { file: path.display().to_string(), line };
            wrong(at, expected, quoted(&printable(got)))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &'static str, expect: &str) {
        let mut settings = Settings::default();
        settings.rules.bot.signatures_file = Some(PathBuf::from("bots.txt"));
        let open =
            |_: &std::path::Path| if text.is_empty() { Err("no such file".into()) } else { Ok(text.into()) };
        let (found, errors) = collect(&settings, &BTreeMap::new(), "t.toml", &open);
        let got = errors.first().map_or_else(|| format!("{} families", found.len()), ToString::to_string);
        assert_eq!(got, expect);
    }

    #[test]
    fn off_20_an_operator_adds_families_and_a_mistake_is_told_by_its_line() {
        check("# ours\nlab 2026-11-22 2027-11-22 helo=lab-* rdns=missing\n", "1 families");
        check(
            "\nlab 2026-11-22 2027-11-22 helo=lab-*\n",
            "bots.txt:2: rules.bot.signatures-file: expected two features of helo=, rdns= and conduct=, but got \
             \"lab 2026-11-22 2027-11-22 helo=lab-*\"",
        );
        check(
            "",
            "t.toml:1: rules.bot.signatures-file: expected a readable text file, but got \"bots.txt\" (no such file)",
        );
    }
}
