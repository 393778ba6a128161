//! The fields of a line, which `|` separates, and the numbers in them.

use super::error::LineError;
use crate::text::quoted;

/// The version that puts the session before the token in an answer.
const SESSION_FIRST: Version = Version(0, 5);

/// The version that puts the result of a message's commands before the address.
const RESULT_FIRST: Version = Version(0, 6);

/// The version that puts the result of a login before the user.
const LOGIN_RESULT_FIRST: Version = Version(0, 7);

/// The most digits of a session or token: 64 bits.
const DIGITS_MAX: usize = 16;

/// The protocol's version: major, minor.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Version(u32, u32);

impl Version {
    pub(super) fn read(field: &[u8]) -> Result<Version, LineError> {
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let text = std::str::from_utf8(field).ok();
        let parts = text.and_then(|text| text.split_once('.'));
        let both = parts.and_then(|(major, minor)| Some(Version(number(major)?, number(minor)?)));
        both.ok_or_else(|| LineError::NotANumber { what: "version", got: quoted(field) })
    }

    pub(super) fn has_result_first(self) -> bool {
        self >= RESULT_FIRST
    }

    pub(super) fn has_login_result_first(self) -> bool {
        self >= LOGIN_RESULT_FIRST
    }

    fn has_session_first(self) -> bool {
        self >= SESSION_FIRST
    }
}

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) Option<&'a [u8]>);

impl<'a> Fields<'a> {
    /// The next field; only the last one may hold `|` itself, so take that by [`Fields::rest`].
    pub(super) fn next(&mut self, what: &'static str) -> Result<&'a [u8], LineError> {
        let rest = self.0.ok_or(LineError::Missing { what })?;
        let bar = rest.iter().position(|byte| *byte == b'|');
        self.0 = bar.map(|bar| &rest[bar + 1..]);
        Ok(&rest[..bar.unwrap_or(rest.len())])
    }

    /// The last field before those taken so.
    pub(super) fn last(&mut self, what: &'static str) -> Result<&'a [u8], LineError> {
        let rest = self.0.ok_or(LineError::Missing { what })?;
        let bar = rest.iter().rposition(|byte| *byte == b'|');
        self.0 = bar.map(|bar| &rest[..bar]);
        Ok(&rest[bar.map_or(0, |bar| bar + 1)..])
    }

    /// All that is left.
    pub(super) fn rest(self, what: &'static str) -> Result<&'a [u8], LineError> {
        self.0.ok_or(LineError::Missing { what })
    }

    /// A number of up to 64 bits in hexadecimal digits.
    pub(super) fn hex(&mut self, what: &'static str) -> Result<(&'a [u8], u64), LineError> {
        let field = self.next(what)?;
        let wrong = || LineError::NotANumber { what, got: quoted(field) };
        // Rust's own parser would take `+1`, too.
        let plain = (1..=DIGITS_MAX).contains(&field.len()) && field.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(field).ok().filter(|_| plain).ok_or_else(wrong)?;
        Ok((field, u64::from_str_radix(text, 16).map_err(|_| wrong())?))
    }
}

/// A question of smtpd that must be answered, whatever it is about: the session waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Query {
    /// The SMTP session.
    pub session: u64,
    token: u64,
    session_first: bool,
}

impl Query {
    pub(super) fn new(version: Version, session: u64, token: u64) -> Query {
        Query { session, token, session_first: version.has_session_first() }
    }

    /// The two numbers in the order of an answer.
    pub(super) fn numbers(&self) -> (u64, u64) {
        if self.session_first { (self.session, self.token) } else { (self.token, self.session) }
    }
}
