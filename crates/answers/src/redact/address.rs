//! Addresses in header fields, found without trusting the grammar (RFC 5322 §3.4).
//!
//! Whoever writes `To: <<a@b>, "c d"@e;;` wants a parser to give up. So every `@` counts:
//! what stands to its left up to a delimiter is a local part, to its right a domain.

/// Fields that name recipients (RFC 5322 §3.6.3, §3.6.6, and what MTAs and robots add).
const RECIPIENT_FIELDS: &[&str] = &[
    "to",
    "cc",
    "bcc",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "apparently-to",
    "x-apparently-to",
    "x-rcpt-to",
    "x-real-to",
    "x-forwarded-to",
    "x-received-to",
    "original-recipient",
    "final-recipient",
    "x-failed-recipients",
    "x-delivered-to",
    "x-loop",
    "resent-for",
];
/// The most octets of a local part (RFC 5321 §4.5.3.1.1 asks for 64).
const LOCAL_LEN_MAX: usize = 256;
/// The shortest word of a recipient's name that is cut out of other fields.
const NAME_LEN_MIN: usize = 3;
/// Words of display names that name nobody.
const NO_NAMES: &[&str] = &[
    "and",
    "customer",
    "dear",
    "for",
    "friend",
    "group",
    "list",
    "mail",
    "member",
    "members",
    "recipient",
    "recipients",
    "sir",
    "team",
    "the",
    "undisclosed",
    "unlisted",
    "user",
    "you",
];

/// Whether a field of this name holds recipients.
pub(crate) fn names_recipients(field: &[u8]) -> bool {
    RECIPIENT_FIELDS.iter().any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
}

/// Every address in a value, as written.
pub(crate) fn addresses(value: &[u8]) -> Vec<Vec<u8>> {
    let places = value.iter().enumerate().filter(|(_, b)| **b == b'@').map(|(at, _)| at);
    let each = places.filter_map(|at| {
        let (local, domain) = (local(&value[..at]), domain(&value[at + 1..]));
        (!local.is_empty()).then(|| [local, b"@", domain].concat())
    });
    each.collect()
}

/// The end of `before` that can be a local part: a quoted string, or up to a delimiter.
fn local(before: &[u8]) -> &[u8] {
    let window = &before[before.len().saturating_sub(LOCAL_LEN_MAX)..];
    if let Some(open) = window.strip_suffix(b"\"") {
        return open.iter().rposition(|b| *b == b'"').map_or(&[], |at| &open[at + 1..]);
    }
    let start = window.iter().rposition(|b| is_delimiter(*b) || *b == b'@').map_or(0, |at| at + 1);
    &window[start..]
}

fn domain(after: &[u8]) -> &[u8] {
    let end = after.iter().position(|b| is_delimiter(*b) || *b == b'@').unwrap_or(after.len());
    &after[..end.min(255)]
}

fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_control() || b"<>()[],;:\"\\".contains(&byte)
}

/// The domain of an address.
pub(crate) fn domain_of(address: &[u8]) -> &[u8] {
    let at = address.iter().rposition(|b| *b == b'@').map_or(address.len(), |at| at + 1);
    &address[at..]
}

/// Words of a value that stand outside addresses: the recipients' names, in lower case.
pub(crate) fn names(value: &str) -> Vec<String> {
    let outside = value.split([' ', ',', ';', '<', '>', '"', '(', ')']).filter(|w| !w.contains('@'));
    let words = outside.flat_map(|w| w.split(|c: char| !c.is_alphanumeric())).map(str::to_lowercase);
    words.filter(|w| w.chars().count() >= NAME_LEN_MIN && !NO_NAMES.contains(&w.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expect: &[&str]) {
        let found = addresses(value.as_bytes());
        let found: Vec<_> = found.iter().map(|a| String::from_utf8_lossy(a)).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn addresses_are_found_in_broken_fields() {
        check("Jane Roe <jane@example.org>, john@example.net", &["jane@example.org", "john@example.net"]);
        check("<<jane@example.org;\"j d\"@example.net", &["jane@example.org", "j d@example.net"]);
        check("a@b@example.org", &["a@b", "b@example.org"]);
        check("undisclosed-recipients:;", &[]);
        check("@example.org jane@", &["jane@"]);
    }

    #[test]
    fn names_are_words_outside_addresses() {
        assert_eq!(names("\"Roe, Jane\" <jane@example.org>, the List"), ["roe", "jane"]);
    }
}
