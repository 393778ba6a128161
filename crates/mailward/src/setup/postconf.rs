//! What `postconf -n` prints: one `name = value` a line, folded lines begin with a blank.
//!
//! Values refer to others as `$name`, `${name}` or `$(name)`. Conditional forms, and names
//! that the output does not hold, stay as they are; who reads a list drops what it can not
//! use. Lines of any other form are passed over.

use std::collections::BTreeMap;

/// References inside references that are followed: Postfix's own settings need three.
const DEPTH_MAX: usize = 8;

/// The longest value after expansion: a value that doubles itself ends here.
const VALUE_LEN_MAX: usize = 64 * 1024;

/// Defaults that the rest of the plan builds on (postconf(5), Postfix 3.7).
const DEFAULTS: [(&str, &str); 6] = [
    ("mydestination", "$myhostname, localhost.$mydomain, localhost"),
    ("smtp_helo_name", "$myhostname"),
    ("queue_directory", "/var/spool/postfix"),
    ("config_directory", "/etc/postfix"),
    ("mail_owner", "postfix"),
    ("smtpd_relay_restrictions", "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"),
];

/// Settings of Postfix.
#[derive(Clone, Debug, Default)]
pub(super) struct Postconf(BTreeMap<String, String>);

impl Postconf {
    /// Reads the output of postconf; the last value of a name counts.
    pub(super) fn parse(text: &str) -> Postconf {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        let mut last: Option<String> = None;
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                let folded = last.as_ref().and_then(|name| values.get_mut(name));
                folded.into_iter().for_each(|value| *value = format!("{value} {}", line.trim()));
            } else if let Some((name, value)) = line.split_once('=').filter(|(name, _)| is_name(name.trim()))
            {
                last = Some(name.trim().to_owned());
                values.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Postconf(values)
    }

    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All names and values, as written.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A value as written, if the output has it.
    pub(super) fn written(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value or its default, with references followed.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| self.expanded(&value))
    }

    /// The words of a value, which commas or blanks separate.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        let value = self.value(name).unwrap_or_default();
        let words = value.split(|c: char| c == ',' || c.is_whitespace());
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a setting is on.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.written(name).is_some_and(|written| written.eq_ignore_ascii_case(value))
    }

    /// A text with its references followed.
    pub(super) fn expanded(&self, text: &str) -> String {
        let mut out = String::new();
        self.expand(text, DEPTH_MAX, &mut out);
        out
    }

    fn raw(&self, name: &str) -> Option<String> {
        let default = || DEFAULTS.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        match self.written(name) {
            // The shipped default of some settings depends on the version's level.
            Some(value) if value.starts_with("${{") => default().or_else(|| Some(value.to_owned())),
            Some(value) => Some(value.to_owned()),
            None if name == "mydomain" => self.domain_of_host(),
            None => default(),
        }
    }

    /// postconf(5): ‘$myhostname minus the first component’.
    fn domain_of_host(&self) -> Option<String> {
        let host = self.written("myhostname").filter(|host| !host.contains('$'))?;
        host.split_once('.').map(|(_, domain)| domain.to_owned())
    }

    fn expand(&self, text: &str, depth: usize, out: &mut String) {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (name, whole) = reference(after);
            match self.raw(name).filter(|_| depth > 0 && out.len() < VALUE_LEN_MAX) {
                Some(value) => self.expand(&value, depth - 1, out),
                None => out.extend(["$", &after[..whole]]),
            }
            rest = &after[whole..];
        }
        out.push_str(rest);
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name that a text behind `$` begins with, and the length of all that belongs to it.
/// What is no plain reference has no name.
fn reference(text: &str) -> (&str, usize) {
    for (open, close) in [('{', '}'), ('(', ')')] {
        let Some(inner) = text.strip_prefix(open) else { continue };
        return match inner.split_once(close) {
            Some((name, _)) if is_name(name) => (name, name.len() + 2),
            _ => ("", 1),
        };
    }
    let len = text.bytes().take_while(|b| is_name_byte(*b)).count();
    (&text[..len], len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, expect: Option<&str>) {
        assert_eq!(Postconf::parse(text).value(name).as_deref(), expect, "{text}");
    }

    #[test]
    fn the_last_value_counts_and_folded_lines_belong_together() {
        check("a = 1\na = 2\n", "a", Some("2"));
        check("a =\n    b,\n\tc\n", "a", Some(" b, c"));
        check("a = b=c", "a", Some("b=c"));
    }

    #[test]
    fn references_are_followed() {
        check(
            "myhostname = mx.example.org\nx = $myhostname, ${mydomain} $(a)",
            "x",
            Some("mx.example.org, example.org $(a)"),
        );
        check("mydomain = example.net\nmyhostname = mx.$mydomain", "smtp_helo_name", Some("mx.example.net"));
        check("myhostname = mx.$mydomain", "mydomain", None);
    }

    #[test]
    fn what_nobody_understands_stays_as_it_is() {
        check("x = ${{$a} < {1} ? {} : {b}}", "x", Some("${{$a} < {1} ? {} : {b}}"));
        check("x = 50$ and $", "x", Some("50$ and $"));
        check("x = ${", "x", Some("${"));
        check(" folded at once\n= nothing\npostconf: warning: x\n\u{0}\n", "x", None);
        check(
            "smtpd_relay_restrictions = ${{$compatibility_level} <level {1} ? {} : {x}}",
            "smtpd_relay_restrictions",
            Some("permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"),
        );
    }

    #[test]
    fn references_in_a_circle_end() {
        check("a = $a", "a", Some("$a"));
        let doubling: String = (0..40).map(|n| format!("a{n} = $a{0}$a{0}$a{0}$a{0}\n", n + 1)).collect();
        assert!(Postconf::parse(&doubling).value("a0").is_some_and(|v| v.len() < 4 * VALUE_LEN_MAX));
        let wide = format!("{}b = {}\n", "a = $b$b$b$b\n", "x".repeat(VALUE_LEN_MAX));
        assert!(Postconf::parse(&wide).value("a").is_some_and(|v| v.len() < 2 * VALUE_LEN_MAX));
    }
}
