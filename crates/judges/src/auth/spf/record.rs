//! An SPF record (RFC 7208 §4.6, §5, §6, §12), taken apart strictly. Pure.
//!
//! A record that breaks the grammar anywhere is an error as a whole (§4.6): half of a
//! mistyped record must not refuse mail.

use std::net::{Ipv4Addr, Ipv6Addr};

use model::content::Spf;

use super::macros::MacroString;

/// A record.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<MacroString>,
}

/// A mechanism, and the result if it matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Directive {
    pub(super) result: Spf,
    pub(super) mechanism: Mechanism,
}

/// What can match (§5). Without a name, the domain under test is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Mechanism {
    All,
    Include(MacroString),
    A(Option<MacroString>, Lens),
    Mx(Option<MacroString>, Lens),
    Ptr(Option<MacroString>),
    Ip4(Ipv4Addr, u8),
    Ip6(Ipv6Addr, u8),
    Exists(MacroString),
}

/// Prefix lengths for either family (§5.6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Lens {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

/// Whether a TXT record is one of SPF (§4.5).
pub(super) fn is_spf(text: &[u8]) -> bool {
    let version = text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"v=spf1"));
    version && text.get(6).is_none_or(|&next| next == b' ')
}

impl Record {
    /// Takes a record apart; `None` for a syntax error.
    pub(super) fn parse(text: &[u8]) -> Option<Record> {
        let text =
            str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| (b' '..=b'~').contains(&b)))?;
        let mut record = Record::default();
        let mut explained = false;
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            match modifier(term) {
                Some(("redirect", value)) if record.redirect.is_none() => {
                    record.redirect = Some(MacroString::domain(value)?);
                }
                // §6.2: checked and not kept; what it leads to is a stranger's text.
                Some(("exp", value)) if !explained => {
                    MacroString::domain(value)?;
                    explained = true;
                }
                // §6: ‘These two modifiers MUST NOT appear in a record more than once each.’
                Some(("redirect" | "exp", _)) => return None,
                Some((_, value)) => drop(MacroString::parse(value)?),
                None => record.directives.push(directive(term)?),
            }
        }
        Some(record)
    }
}

/// `name "=" value`, the name in lower case where it is one we know.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(is_name) {
        return None;
    }
    let known = ["redirect", "exp"].into_iter().find(|known| known.eq_ignore_ascii_case(name));
    Some((known.unwrap_or(name), value))
}

fn directive(term: &str) -> Option<Directive> {
    let (result, rest) = match term.as_bytes().first()? {
        b'+' => (Spf::Pass, &term[1..]),
        b'-' => (Spf::Fail, &term[1..]),
        b'~' => (Spf::SoftFail, &term[1..]),
        b'?' => (Spf::Neutral, &term[1..]),
        _ => (Spf::Pass, term),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    Some(Directive { result, mechanism: mechanism(&name.to_ascii_lowercase(), rest)? })
}

/// `rest` begins with a colon or a slash, or is empty.
fn mechanism(name: &str, rest: &str) -> Option<Mechanism> {
    let value = rest.strip_prefix(':');
    Some(match name {
        "all" => rest.is_empty().then_some(Mechanism::All)?,
        "include" => Mechanism::Include(MacroString::domain(value?)?),
        "exists" => Mechanism::Exists(MacroString::domain(value?)?),
        "ptr" if rest.is_empty() => Mechanism::Ptr(None),
        "ptr" => Mechanism::Ptr(Some(MacroString::domain(value?)?)),
        "a" | "mx" => {
            let (spec, lens) = lens(rest)?;
            let of = match spec {
                "" => None,
                spec => Some(MacroString::domain(spec.strip_prefix(':')?)?),
            };
            if name == "a" { Mechanism::A(of, lens) } else { Mechanism::Mx(of, lens) }
        }
        "ip4" => {
            let (addr, len) = network(value?, 32)?;
            Mechanism::Ip4(addr.parse().ok()?, len)
        }
        "ip6" => {
            let (addr, len) = network(value?, 128)?;
            Mechanism::Ip6(addr.parse().ok()?, len)
        }
        _ => return None,
    })
}

fn network(text: &str, len_max: u8) -> Option<(&str, u8)> {
    match text.split_once('/') {
        Some((addr, digits)) => Some((addr, len(digits, len_max)?)),
        None => Some((text, len_max)),
    }
}

/// Splits `[ ip4-cidr-length ] [ "/" ip6-cidr-length ]` off the end (§5.6).
fn lens(text: &str) -> Option<(&str, Lens)> {
    let (text, v6) = match digits_behind(text, "//") {
        Some((rest, digits)) => (rest, len(digits, 128)?),
        None => (text, 128),
    };
    match digits_behind(text, "/") {
        Some((rest, digits)) => Some((rest, Lens { v4: len(digits, 32)?, v6 })),
        None => Some((text, Lens { v4: 32, v6 })),
    }
}

/// What stands before the last `mark`, and the digits behind it.
fn digits_behind<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let (rest, digits) = text.rsplit_once(mark)?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some((rest, digits))
}

/// A prefix length without leading zeros (§12: `ip4-cidr-length`).
fn len(digits: &str, len_max: u8) -> Option<u8> {
    let plain = digits == "0" || !digits.starts_with('0');
    let number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|&len| plain && number && len <= len_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, valid: bool) {
        assert_eq!(Record::parse(text.as_bytes()).is_some(), valid, "{text}");
    }

    #[test]
    fn records_of_the_grammar_are_read() {
        for text in [
            "v=spf1",
            "v=spf1   -all  ",
            "V=SPF1 +MX ?Ip4:192.0.2.0/24 ~INCLUDE:example.org -ALL",
            "v=spf1 a a/24 a//64 a/24//64 a:example.org a:example.org/24//64 mx//0 ptr ptr:example.org",
            "v=spf1 a:foo:bar/baz.example.org ip6:2001:db8::/32 exists:%{ir}.example.org",
            "v=spf1 redirect=example.org exp=why.example.org x.y-z_1=%{c} other=",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn half_a_record_is_none() {
        for term in [
            "all:x",
            "include",
            "include:",
            "exists",
            "a/",
            "a//",
            "a/33",
            "a/032",
            "a//129",
            "a:",
            "ptr:",
            "ip4",
            "ip4:192.0.2",
            "ip4:192.0.2.1/",
            "ip4:192.0.2.1/+1",
            "ip6:192.0.2.1",
            "ip4:2001:db8::1",
            "ip4/24",
            "al",
            "-",
            "+-all",
            "=x",
            "1a=x",
            "a:org",
            "a:example.1",
            "x=%",
            "\tall",
            "é",
            "redirect=a.example redirect=b.example",
            "exp=a.example exp=b.example",
            "redirect=",
            "exp=%{x}",
        ] {
            check(&format!("v=spf1 {term} -all"), false);
        }
    }

    #[test]
    fn a_mechanism_keeps_what_it_was_told() {
        let record = Record::parse(b"v=spf1 ~a:example.org/24//64 ip4:192.0.2.0/24").unwrap();
        let of = MacroString::domain("example.org");
        assert_eq!(
            record.directives,
            [
                Directive { result: Spf::SoftFail, mechanism: Mechanism::A(of, Lens { v4: 24, v6: 64 }) },
                Directive { result: Spf::Pass, mechanism: Mechanism::Ip4(Ipv4Addr::new(192, 0, 2, 0), 24) },
            ]
        );
    }

    #[test]
    fn only_the_first_version_is_spf() {
        for (text, is) in [
            ("v=spf1", true),
            ("V=Spf1 -all", true),
            ("v=spf10", false),
            ("v=spf2.0/mfrom", false),
            ("", false),
        ] {
            assert_eq!(is_spf(text.as_bytes()), is, "{text}");
        }
    }
}
