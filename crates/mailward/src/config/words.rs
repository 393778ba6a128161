//! Settings that are one word out of a few.

use model::greylist::Asks;
use model::policy::{FirstHit, RuleMode};

use super::forms::{Fault, Written};
use super::nearest::nearest;

/// A type whose values are words.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// All words with what they stand for.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Word> Written for T {
    fn expected() -> String {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect();
        match words.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => words.concat(),
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let known = T::WORDS.iter().find(|(word, _)| *word == text);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let near = nearest(text, T::WORDS.iter().map(|(word, _)| *word));
            Fault::meant(near.map(str::to_owned))
        })
    }

    fn text(&self) -> String {
        let known = T::WORDS.iter().find(|(_, value)| value == self);
        known.map(|(word, _)| (*word).to_owned()).unwrap_or_default()
    }
}

/// How the end of a rule's blocks is found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Expiry {
    /// By the units (C.2).
    #[default]
    Units,
    /// As the list does that the rule follows (A.4).
    Reference,
}

impl Word for Expiry {
    const WORDS: &'static [(&'static str, Self)] = &[("units", Self::Units), ("reference", Self::Reference)];
}

/// What the daemon does from its very first start until somebody says otherwise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum FirstMode {
    /// It records and refuses nothing.
    #[default]
    Learn,
    /// It blocks.
    Enforce,
}

impl Word for FirstMode {
    const WORDS: &'static [(&'static str, Self)] = &[("learn", Self::Learn), ("enforce", Self::Enforce)];
}

/// The mode of a rule that blocks or does not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Strict(pub(super) RuleMode);

impl Default for Strict {
    fn default() -> Self {
        Strict(RuleMode::Off)
    }
}

impl Word for Strict {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self(RuleMode::Off)), ("shadow", Self(RuleMode::Shadow)), ("block", Self(RuleMode::Block))];
}

/// The mode of a rule that refuses or does not run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plain(pub(super) RuleMode);

impl Default for Plain {
    fn default() -> Self {
        Plain(RuleMode::Off)
    }
}

impl Word for Plain {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self(RuleMode::Off)), ("block", Self(RuleMode::Block))];
}

/// The mode of a rule that asks others: it gives points, or refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Looked(pub(super) RuleMode);

impl Default for Looked {
    fn default() -> Self {
        Looked(RuleMode::Off)
    }
}

impl Word for Looked {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self(RuleMode::Off)), ("score", Self(RuleMode::Score)), ("block", Self(RuleMode::Block))];
}

/// The mode of a rule that may also only give points.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Scored(pub(super) RuleMode);

impl Default for Scored {
    fn default() -> Self {
        Scored(RuleMode::Off)
    }
}

impl Word for Scored {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self(RuleMode::Off)),
        ("shadow", Self(RuleMode::Shadow)),
        ("score", Self(RuleMode::Score)),
        ("block", Self(RuleMode::Block)),
    ];
}

/// Who is blocked on the first message judged spam.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Tier(pub(super) FirstHit);

impl Default for Tier {
    fn default() -> Self {
        Tier(FirstHit::Off)
    }
}

impl Word for Tier {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self(FirstHit::Off)),
        ("suspicious", Self(FirstHit::Suspicious)),
        ("everybody", Self(FirstHit::Everybody)),
    ];
}

/// Whom greylisting asks to come back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Greylisted(pub(super) Option<Asks>);

impl Word for Greylisted {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self(None)),
        ("suspicious", Self(Some(Asks::Suspicious))),
        ("strict", Self(Some(Asks::Everybody))),
    ];
}

/// The least important log line that is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Level {
    /// Someone must act.
    Error,
    /// We lost or refused something.
    Warn,
    /// A list or a session changed.
    #[default]
    Info,
    /// For whoever looks for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl Word for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

impl Level {
    /// The word, as log filters take it.
    pub(crate) fn word(self) -> String {
        self.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_listed_as_one_would_say_it() {
        assert_eq!(<FirstMode as Written>::expected(), "\"learn\" or \"enforce\"");
        assert_eq!(<Strict as Written>::expected(), "\"off\", \"shadow\" or \"block\"");
    }

    #[test]
    fn every_mode_word_is_the_models_word() {
        for (word, mode) in Scored::WORDS {
            assert_eq!(RuleMode::from_word(word), Some(mode.0));
        }
        for (word, mode) in Strict::WORDS {
            assert_eq!(RuleMode::from_word(word), Some(mode.0));
        }
    }
}
