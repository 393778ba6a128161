//! What can be wrong with a line of smtpd.

use std::{error, fmt};

/// A line that we can not read.
///
/// smtpd's doing, or that of a version that we do not know. Nothing can be answered to it.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LineError {
    /// A field is missing.
    Missing {
        /// What the field would hold.
        what: &'static str,
    },
    /// A field holds something else than a number in the form it must have.
    NotANumber {
        /// What the field should hold.
        what: &'static str,
        /// The field, cut at 64 bytes and made printable.
        got: String,
    },
    /// The line begins with a word that we do not know.
    Kind {
        /// The word, cut at 64 bytes and made printable.
        got: String,
    },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::Missing { what } => write!(f, "expected a {what}, but got the end of the line"),
            LineError::NotANumber { what, got } => write!(f, "expected a {what}, but got \"{got}\""),
            LineError::Kind { got } => {
                write!(f, "expected config, report or filter, but got \"{got}\"")
            }
        }
    }
}

impl error::Error for LineError {}
