//! Writing a policy request, as Postfix would: for tests and load generators.

use std::{error, fmt};

use crate::text::quoted;

/// Appends one request with these attributes, in this order, to `out`.
///
/// It keeps to the syntax and to nothing else: unknown and doubled names and requests
/// over our limits can be written, since tests need them.
///
/// # Errors
///
/// [`EncodeError`] for what would not come back as it went in; `out` is then left as
/// it was.
pub fn encode(attributes: &[(&str, &[u8])], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    for (name, value) in attributes {
        check(name.as_bytes(), value)?;
    }
    for (name, value) in attributes {
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out.push(b'\n');
    Ok(())
}

// README: ‘An attribute name must not contain "=", null or newline, and an attribute
// value must not contain null or newline.’ We let null pass, as the reader does.
fn check(name: &[u8], value: &[u8]) -> Result<(), EncodeError> {
    if name.contains(&b'=') || name.contains(&b'\n') {
        return Err(EncodeError::Name { got: quoted(name) });
    }
    if value.contains(&b'\n') {
        return Err(EncodeError::Value { got: quoted(value) });
    }
    Ok(())
}

/// An attribute that the protocol can not carry. The caller's doing.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EncodeError {
    /// The name holds `=` or a newline.
    Name {
        /// The name, cut at 64 bytes and made printable.
        got: String,
    },
    /// The value holds a newline.
    Value {
        /// The value, cut at 64 bytes and made printable.
        got: String,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::Name { got } => {
                write!(f, "expected an attribute name without = and newline, but got \"{got}\"")
            }
            EncodeError::Value { got } => {
                write!(f, "expected an attribute value without newline, but got \"{got}\"")
            }
        }
    }
}

impl error::Error for EncodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(attributes: &[(&str, &[u8])], expect: &str) {
        let mut out = b"before:".to_vec();
        let told = match encode(attributes, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(error) => {
                assert_eq!(out, b"before:", "nothing may be written");
                format!("error: {error}")
            }
        };
        assert_eq!(told, expect);
    }

    #[test]
    fn writes_lines_and_an_empty_line() {
        check(&[], "before:\n");
        check(&[("sender", b"a@example.net"), ("size", b"")], "before:sender=a@example.net\nsize=\n\n");
        check(&[("x", b"a=b"), ("x", b"\r\0")], "before:x=a=b\nx=\r\0\n\n");
    }

    #[test]
    fn refuses_what_would_not_come_back() {
        check(
            &[("x", b"a"), ("a=b", b"")],
            "error: expected an attribute name without = and newline, but got \"a=b\"",
        );
        check(&[("a\n", b"")], r#"error: expected an attribute name without = and newline, but got "a\n""#);
        check(&[("x", b"a\n")], r#"error: expected an attribute value without newline, but got "a\n""#);
    }
}
