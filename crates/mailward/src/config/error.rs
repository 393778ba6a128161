//! What is wrong with a configuration, where, and the way out.

use std::fmt;

/// A line of a file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// The file as it was named.
    pub(crate) file: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One mistake in a configuration. Whoever wrote the file made it.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ConfigError {
    /// A file can not be read.
    Unreadable {
        /// The file as it was named.
        file: String,
        /// What the system says.
        why: String,
    },
    /// The text is no TOML.
    Syntax {
        /// Where.
        at: Place,
        /// What was expected.
        expected: String,
        /// What stands there.
        got: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// A setting is unknown, or its value is no good.
    Setting {
        /// Where.
        at: Place,
        /// The setting as it stands in the file, with its section: `policy.tcp`.
        name: String,
        /// What was expected.
        expected: String,
        /// What stands there.
        got: String,
        /// What was probably meant.
        meant: Option<String>,
    },
}

impl ConfigError {
    /// The order of reports: by file and line.
    pub(super) fn place(&self) -> (&str, usize) {
        match self {
            ConfigError::Unreadable { file, .. } => (file, 0),
            ConfigError::Syntax { at, .. } | ConfigError::Setting { at, .. } => (&at.file, at.line),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meant = match self {
            ConfigError::Unreadable { file, why } => {
                return write!(f, "{file}: expected a readable text file, but got: {why}");
            }
            ConfigError::Syntax { at, expected, got, meant } => {
                write!(f, "{at}: expected {expected}, but got {got}")?;
                meant
            }
            ConfigError::Setting { at, name, expected, got, meant } => {
                write!(f, "{at}: {name}: expected {expected}, but got {got}")?;
                meant
            }
        };
        meant.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean {meant}?"))
    }
}

impl std::error::Error for ConfigError {}

/// The most mistakes that are printed: beyond, it is the wrong file.
const PRINTED_MAX: usize = 50;

/// All mistakes of a configuration, by file and line; at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// A single mistake.
    pub(super) fn one(error: ConfigError) -> ConfigErrors {
        ConfigErrors(vec![error])
    }

    /// `Ok` when there is none.
    pub(super) fn none(mut errors: Vec<ConfigError>) -> Result<(), ConfigErrors> {
        errors.sort_by(|a, b| a.place().cmp(&b.place()));
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors)) }
    }

    /// The mistakes.
    pub(crate) fn all(&self) -> &[ConfigError] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    /// One mistake a line, and how many there are; no newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.0.iter().take(PRINTED_MAX) {
            writeln!(f, "{error}")?;
        }
        match self.0.len() {
            1 => write!(f, "1 error."),
            count if count > PRINTED_MAX => {
                write!(f, "{count} errors, the first {PRINTED_MAX} of them above.")
            }
            count => write!(f, "{count} errors."),
        }
    }
}

impl std::error::Error for ConfigErrors {}
