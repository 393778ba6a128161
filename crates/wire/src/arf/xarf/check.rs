//! What the schemas of XARF say of single fields.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::XarfError;
use crate::arf::claims::json_date;

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Text.
    Text,
    /// Text of three characters and more.
    Name,
    /// A mail address.
    Email,
    /// A host name.
    Host,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A URL.
    Url,
    /// A date of RFC 3339.
    Date,
    /// A port number.
    Port,
    /// A port number, or a list of them.
    Ports,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An object whose values are text or whole numbers.
    Flat,
}

impl Rule {
    fn expected(self) -> &'static str {
        match self {
            Rule::Text => "text",
            Rule::Name => "text of at least three characters",
            Rule::Email => "a mail address",
            Rule::Host => "a host name",
            Rule::Ip => "an IP address",
            Rule::Url => "a URL",
            Rule::Date => "a date like 2026-11-21T21:39:34Z",
            Rule::Port => "a port number",
            Rule::Ports => "a port number or a list of them",
            Rule::Int => "a whole number",
            Rule::Bool => "true or false",
            Rule::OneOf(_) => "one of the words of the schema",
            Rule::Flat => "names with text or whole numbers",
        }
    }

    fn holds(self, value: &Value) -> bool {
        match self {
            Rule::Bool => value.is_boolean(),
            Rule::Int => is_int(value),
            Rule::Port => port(value).is_some(),
            Rule::Ports => match value {
                Value::Array(ports) => ports.iter().all(|value| port(value).is_some()),
                one => port(one).is_some(),
            },
            Rule::Flat => value
                .as_object()
                .is_some_and(|object| object.values().all(|value| value.is_string() || is_int(value))),
            _ => value.as_str().is_some_and(|text| self.holds_text(text)),
        }
    }

    fn holds_text(self, text: &str) -> bool {
        match self {
            Rule::Name => text.chars().nth(2).is_some(),
            Rule::Email => is_email(text),
            Rule::Host => is_host(text),
            Rule::Ip => text.parse::<IpAddr>().is_ok(),
            Rule::Url => {
                text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
            }
            Rule::Date => json_date(text).is_some(),
            Rule::OneOf(words) => words.contains(&text),
            _ => true,
        }
    }
}

/// Checks the fields that are there.
pub(super) fn hold(object: &Map<String, Value>, rows: &[(&'static str, Rule)]) -> Result<(), XarfError> {
    for (field, rule) in rows {
        if object.get(*field).is_some_and(|value| !rule.holds(value)) {
            return Err(XarfError::Bad { field, expected: rule.expected() });
        }
    }
    Ok(())
}

/// Checks that fields are there.
pub(super) fn require(object: &Map<String, Value>, fields: &[&'static str]) -> Result<(), XarfError> {
    match fields.iter().find(|field| !object.contains_key(**field)) {
        Some(field) => Err(XarfError::Missing { field }),
        None => Ok(()),
    }
}

/// The object in a field.
pub(super) fn object<'d>(
    of: &'d Map<String, Value>,
    field: &'static str,
) -> Result<&'d Map<String, Value>, XarfError> {
    let value = of.get(field).ok_or(XarfError::Missing { field })?;
    value.as_object().ok_or(XarfError::Bad { field, expected: "an object" })
}

/// The objects in a field that holds a list of them; none, if it is not there.
pub(super) fn objects<'d>(
    of: &'d Map<String, Value>,
    field: &'static str,
) -> Result<Vec<&'d Map<String, Value>>, XarfError> {
    let Some(value) = of.get(field) else { return Ok(Vec::new()) };
    let list: Option<Vec<_>> = value.as_array().and_then(|list| list.iter().map(Value::as_object).collect());
    list.ok_or(XarfError::Bad { field, expected: "a list of objects" })
}

pub(super) fn text<'d>(of: &'d Map<String, Value>, field: &str) -> Option<&'d str> {
    of.get(field).and_then(Value::as_str)
}

/// Text in one line, cut to size.
pub(super) fn line(of: &Map<String, Value>, field: &str) -> Option<Vec<u8>> {
    crate::arf::claims::text(text(of, field)?.as_bytes())
}

pub(super) fn port(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|port| u16::try_from(port).ok())
}

fn is_int(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && is_host(domain))
}

/// RFC 1123 §2.1, with the underscores that real names have.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}
