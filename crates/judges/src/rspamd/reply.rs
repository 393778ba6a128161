//! The part of rspamd's JSON that we read.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

/// A reply of `checkv2`.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    #[serde(default)]
    pub(super) is_skipped: bool,
    pub(super) score: f64,
    pub(super) action: String,
    #[serde(default)]
    pub(super) symbols: Symbols,
}

/// Names of symbols with their scores, at most [`SYMBOLS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Symbols(Vec<(String, f64)>);

/// rspamd knows about a thousand symbols; a message hits some dozens.
const SYMBOLS_MAX: usize = 1000;

impl Symbols {
    /// The names of those that weigh most, for or against; equal ones by name.
    pub(super) fn heaviest(mut self, count_max: usize) -> Vec<String> {
        self.0.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
        self.0.into_iter().take(count_max).map(|(name, _)| name).collect()
    }
}

impl<'de> Deserialize<'de> for Symbols {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Symbols, D::Error> {
        deserializer.deserialize_map(SymbolsVisitor)
    }
}

struct SymbolsVisitor;

impl<'de> Visitor<'de> for SymbolsVisitor {
    type Value = Symbols;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("symbols by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Symbols, A::Error> {
        let mut symbols = Vec::new();
        while let Some((name, symbol)) = map.next_entry::<String, Symbol>()? {
            if symbols.len() < SYMBOLS_MAX {
                symbols.push((name, symbol.score));
            }
        }
        Ok(Symbols(symbols))
    }
}

#[derive(Deserialize)]
struct Symbol {
    #[serde(default)]
    score: f64,
}
