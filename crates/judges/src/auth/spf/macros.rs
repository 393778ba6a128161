//! Macro strings of SPF (RFC 7208 §7): parsing and expansion. Pure.

use std::fmt::Write as _;
use std::net::IpAddr;

/// The longest name that is asked for (§7.3); longer ones lose labels on the left.
const NAME_LEN_MAX: usize = 253;

/// A string with macros in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct MacroString(Vec<Piece>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Literal(String),
    Macro { letter: Letter, escaped: bool, keep: usize, reversed: bool, delimiters: String },
}

/// What a macro stands for (§7.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Letter {
    Sender,
    LocalPart,
    SenderDomain,
    Domain,
    Address,
    Validated,
    Family,
    Helo,
    /// `c`, `r` and `t`: for explanations only.
    Explaining,
}

/// What macros expand to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) addr: IpAddr,
    pub(super) local_part: &'a str,
    pub(super) sender_domain: &'a str,
    pub(super) helo: &'a str,
    pub(super) domain: &'a str,
    /// The validated name of the address; `unknown` without one (§7.3).
    pub(super) validated: &'a str,
}

impl MacroString {
    /// Parses `macro-string` (§7.1); `None` for a syntax error.
    pub(super) fn parse(text: &str) -> Option<MacroString> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            pieces.push(Piece::Literal(rest[..at].into()));
            let (piece, len) = expand(&rest[at + 1..])?;
            pieces.push(piece);
            rest = &rest[at + 1 + len..];
        }
        pieces.push(Piece::Literal(rest.into()));
        pieces.retain(|piece| *piece != Piece::Literal(String::new()));
        Some(MacroString(pieces))
    }

    /// Parses `domain-spec`: it ends in a top label or a macro, and has no macro that is for
    /// explanations only.
    pub(super) fn domain(text: &str) -> Option<MacroString> {
        let spec = MacroString::parse(text)?;
        let explains = |piece: &Piece| matches!(piece, Piece::Macro { letter: Letter::Explaining, .. });
        let ends_well = match spec.0.last()? {
            Piece::Macro { .. } => true,
            // `%_` and its like are macros too, but leave a literal that ends no name.
            Piece::Literal(text) => ends_in_top_label(text),
        };
        (ends_well && !spec.0.iter().any(explains)).then_some(spec)
    }

    /// Whether the validated name is needed.
    pub(super) fn needs_validated(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Macro { letter: Letter::Validated, .. }))
    }

    /// The name that it stands for.
    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        let mut name = String::new();
        self.0.iter().for_each(|piece| piece.write(&mut name, values));
        let mut cut = name.strip_suffix('.').unwrap_or(&name);
        while cut.len() > NAME_LEN_MAX {
            // §7.3: ‘the left side is truncated to fit, by removing successive domain labels’.
            let Some((_, rest)) = cut.split_once('.') else { break };
            cut = rest;
        }
        cut.to_owned()
    }
}

/// Parses what stands behind `%`, and how long that is.
fn expand(text: &str) -> Option<(Piece, usize)> {
    let literal = |text: &str| Some((Piece::Literal(text.into()), 1));
    match text.as_bytes().first()? {
        b'%' => literal("%"),
        b'_' => literal(" "),
        b'-' => literal("%20"),
        b'{' => {
            let end = text.find('}')?;
            Some((macro_of(&text[1..end])?, end + 1))
        }
        _ => None,
    }
}

/// `macro-letter transformers *delimiter`.
fn macro_of(text: &str) -> Option<Piece> {
    let first = text.chars().next()?;
    let letter = match first.to_ascii_lowercase() {
        's' => Letter::Sender,
        'l' => Letter::LocalPart,
        'o' => Letter::SenderDomain,
        'd' => Letter::Domain,
        'i' => Letter::Address,
        'p' => Letter::Validated,
        'v' => Letter::Family,
        'h' => Letter::Helo,
        'c' | 'r' | 't' => Letter::Explaining,
        _ => return None,
    };
    let rest = &text[first.len_utf8()..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let keep = match &rest[..digits] {
        "" => usize::MAX,
        // More than 128 labels no name has (§7.3); zero of them is no name.
        digits => digits.parse().ok().filter(|&count| count > 0)?,
    };
    let rest = &rest[digits..];
    let bare = rest.strip_prefix(['r', 'R']);
    let delimiters = bare.unwrap_or(rest);
    delimiters.bytes().all(|byte| b".-+,/_=".contains(&byte)).then(|| Piece::Macro {
        letter,
        escaped: first.is_ascii_uppercase(),
        keep,
        reversed: bare.is_some(),
        delimiters: if delimiters.is_empty() { ".".into() } else { delimiters.into() },
    })
}

impl Piece {
    fn write(&self, name: &mut String, values: &Values<'_>) {
        let (letter, escaped, keep, reversed, delimiters) = match self {
            Piece::Literal(text) => return name.push_str(text),
            Piece::Macro { letter, escaped, keep, reversed, delimiters } => {
                (*letter, *escaped, *keep, *reversed, delimiters)
            }
        };
        let value = letter.value(values);
        let mut labels: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
        if reversed {
            labels.reverse();
        }
        let kept = labels[labels.len().saturating_sub(keep)..].join(".");
        if escaped { escape(name, &kept) } else { name.push_str(&kept) }
    }
}

impl Letter {
    fn value(self, values: &Values<'_>) -> String {
        match self {
            Letter::Sender => format!("{}@{}", values.local_part, values.sender_domain),
            Letter::LocalPart => values.local_part.into(),
            Letter::SenderDomain => values.sender_domain.into(),
            Letter::Domain => values.domain.into(),
            Letter::Address => dotted(values.addr),
            Letter::Validated => values.validated.into(),
            Letter::Family => if values.addr.is_ipv4() { "in-addr" } else { "ip6" }.into(),
            Letter::Helo => values.helo.into(),
            Letter::Explaining => String::new(),
        }
    }
}

/// An address with dots: IPv6 by nibbles (§7.3).
fn dotted(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

/// §7.3: an upper case letter asks for URL escaping of what RFC 3986 does not call unreserved.
fn escape(name: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
}

/// `"." toplabel [ "." ]` (§7.1).
fn ends_in_top_label(text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    bare.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
}

/// `toplabel`: letters, digits and inner hyphens, not digits alone (§7.1).
pub(super) fn is_top_label(label: &str) -> bool {
    let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let numeric = label.bytes().all(|byte| byte.is_ascii_digit());
    plain && !numeric && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, addr: &str, expect: &str) {
        let values = Values {
            addr: addr.parse().unwrap(),
            local_part: "strong-bad",
            sender_domain: "email.example.com",
            helo: "mx.example.org",
            domain: "email.example.com",
            validated: "unknown",
        };
        let got = MacroString::parse(text).map_or("syntax error".into(), |spec| spec.expand(&values));
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn the_examples_of_rfc_7208_section_7_4_expand_as_there() {
        for (text, expect) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{p}.x%%%_%-", "unknown.x% %20"),
        ] {
            check(text, "192.0.2.3", expect);
        }
        check(
            "%{ir}.%{v}._spf.%{d2}",
            "2001:db8::cb01",
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com",
        );
    }

    #[test]
    fn what_is_no_macro_is_an_error() {
        for text in ["%", "%x", "%{", "%{}", "%{x}", "%{d0}", "%{d!}", "%{d99999999999999999999}", "%{é}"] {
            check(text, "192.0.2.3", "syntax error");
        }
    }

    #[test]
    fn a_long_name_loses_labels_on_the_left() {
        let long = format!("{}example.org", "a.".repeat(200));
        check(&long, "192.0.2.3", &format!("{}example.org", "a.".repeat(121)));
    }

    #[test]
    fn a_domain_ends_in_a_top_label_or_a_macro() {
        for (text, valid) in [
            ("example.org", true),
            ("example.org.", true),
            ("%{d}", true),
            ("a.%{d2}", true),
            ("org", false),
            ("example.123", false),
            ("example.-x", false),
            ("example.org%%", false),
            ("%{r}.example.org", false),
            ("", false),
        ] {
            assert_eq!(MacroString::domain(text).is_some(), valid, "{text}");
        }
    }
}
