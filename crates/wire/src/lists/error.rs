//! What is wrong with a line.

use std::fmt;

/// A line that is no entry. The list's doing; others of its lines can be used.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LineError {
    /// Longer than any entry is.
    TooLong {
        /// Its beginning.
        got: String,
    },
    /// No address, prefix or range of this format.
    Address {
        /// The word, cut.
        got: String,
    },
    /// A prefix length that is no number, or longer than the family has.
    Length {
        /// The word, cut.
        got: String,
    },
    /// Bits are set beyond the prefix length.
    HostBits {
        /// The word, cut.
        got: String,
    },
    /// The range ends before it begins, or in another family.
    Range {
        /// The word, cut.
        got: String,
    },
    /// No domain name.
    Name {
        /// The word, cut.
        got: String,
    },
    /// No value such as `:127.0.0.2:` or `:2:`.
    Value {
        /// The value, cut.
        got: String,
    },
    /// No format of a list.
    Format {
        /// The word, cut.
        got: String,
    },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, got) = match self {
            LineError::TooLong { got } => ("a line of at most 4096 bytes", got),
            LineError::Address { got } => ("an address, a prefix or a range of this format", got),
            LineError::Length { got } => ("a prefix length of the family", got),
            LineError::HostBits { got } => ("no bits beyond the prefix length", got),
            LineError::Range { got } => ("a range from a lower to a higher address", got),
            LineError::Name { got } => ("a domain name", got),
            LineError::Value { got } => ("a value such as :127.0.0.2: or :2:", got),
            LineError::Format { got } => ("ip4set, ip4trie, dnset, plain or auto", got),
        };
        write!(f, "expected {expected}, but got \"{got}\"")
    }
}

impl std::error::Error for LineError {}
