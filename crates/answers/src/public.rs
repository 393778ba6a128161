//! What may leave the house.
//!
//! Trap addresses, recipients and reporters appear in no public byte (DESIGN §4,
//! invariant 7). The servers send strangers only a [`Public`], and only this crate can
//! make one: whoever wants to say something new has to say it here, where what may be
//! shown is decided (REQUIREMENTS D.6, E.1) and the tests look for canaries.

use std::fmt;

use serde::Serialize;

/// Something that was made for outsiders.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Public<T>(T);

impl<T> Public<T> {
    /// The one constructor, for this crate alone.
    pub(crate) fn new(inner: T) -> Public<T> {
        Public(inner)
    }

    /// What it is, to be written out.
    pub fn get(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Display> fmt::Display for Public<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One SMTP reply without its line end, in two lengths: `550 5.7.1 [192.0.2.25] blocked: …`.
///
/// Printable ASCII, no percent sign. Equal refusals have equal texts (STD-31).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    short: String,
    long: String,
}

impl Reply {
    pub(crate) fn new(short: String, long: String) -> Reply {
        Reply { short, long }
    }

    /// For a policy server's answer: at most [`crate::texts::SHORT_LEN_MAX`] octets.
    pub fn short(&self) -> &str {
        &self.short
    }

    /// For a milter's answer: at most [`crate::texts::LONG_LEN_MAX`] octets.
    pub fn long(&self) -> &str {
        &self.long
    }
}
