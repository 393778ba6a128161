//! A file's text and the places in it.

use std::ops::Range;

use toml::de::DeValue;

use super::error::Place;
use super::forms::Node;

/// The most characters of a value that an error repeats.
const CUT: usize = 64;

/// A file's text under the name that the reader knows it by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The line, counted from 1, of a byte.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The place of a byte.
    pub(super) fn place(&self, at: usize) -> Place {
        Place { file: self.name.to_owned(), line: self.line(at) }
    }

    /// What stands at `at`, cut and made printable; `nothing` for an empty range.
    pub(super) fn excerpt(&self, at: Range<usize>) -> String {
        let text = self.text.get(at).unwrap_or_default().trim();
        if text.is_empty() { "nothing".to_owned() } else { printable(text) }
    }

    /// A value as it is written, or the name of its form where that would be long.
    pub(super) fn excerpt_of(&self, node: Node<'_>) -> String {
        match node.get_ref() {
            DeValue::Table(_) => "a section".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            _ => self.excerpt(node.span()),
        }
    }
}

/// Text from a file, cut at [`CUT`] characters, without control characters.
pub(super) fn printable(text: &str) -> String {
    let shown: String = text.chars().take(CUT).collect();
    let shown = shown.chars().flat_map(|c| {
        let escape = c.is_control();
        c.escape_default().filter(move |_| escape).chain((!escape).then_some(c))
    });
    let dots = if text.chars().nth(CUT).is_some() { "…" } else { "" };
    shown.chain(dots.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_repeats_is_short_and_printable() {
        assert_eq!(printable("a\r\nb\u{1b}ü"), "a\\r\\nb\\u{1b}ü");
        assert_eq!(printable(&"x".repeat(65)), format!("{}…", "x".repeat(64)));
    }

    #[test]
    fn lines_count_from_one() {
        let source = Source { name: "t", text: "a\nb\nc" };
        assert_eq!([0, 1, 2, 4, 99].map(|at| source.line(at)), [1, 1, 2, 3, 3]);
    }
}
