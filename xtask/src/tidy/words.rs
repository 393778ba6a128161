//! Words that must not be in a tracked file: paths of one machine and marks of
//! unfinished work. They are put together from parts here, so that this file passes.

use super::Finding;
use crate::repo::{SourceFile, Tree};

/// What may stand before a match for it to count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// Anything.
    None,
    /// No letter, digit or `_` on either side: a word of its own.
    Word,
    /// Nothing that makes it the middle of a longer path.
    Path,
}

/// One forbidden word.
struct Forbidden {
    word: &'static str,
    edge: Edge,
    expected: &'static str,
    way_out: &'static str,
}

const fn machine(word: &'static str) -> Forbidden {
    let expected = "no path of one machine";
    Forbidden {
        word,
        edge: Edge::Path,
        expected,
        way_out: "use a relative path, or an example below /srv or /var",
    }
}

const fn unfinished(word: &'static str, edge: Edge) -> Forbidden {
    Forbidden {
        word,
        edge,
        expected: "finished work",
        way_out: "finish it, or open an issue and say what is missing",
    }
}

const FORBIDDEN: &[Forbidden] = &[
    machine(concat!("/wo", "rk/")),
    machine(concat!("/ro", "ot/")),
    machine(concat!("/fa", "rm/")),
    unfinished(concat!("TO", "DO"), Edge::Word),
    unfinished(concat!("FIX", "ME"), Edge::Word),
    unfinished(concat!("to", "do!"), Edge::Word),
    unfinished(concat!("unimple", "mented!"), Edge::Word),
    unfinished(concat!("#[ig", "nore"), Edge::None),
];

/// How a test begins that another one starts as a process of its own, and names.
const CHILD: &str = concat!("#[ig", "nore = \"the child of ");

/// Finds forbidden words in every tracked file.
pub(super) fn words(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().flat_map(in_file).collect()
}

fn in_file(file: &SourceFile) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate().filter(|(_, line)| !is_child(line, &file.text)) {
        for forbidden in FORBIDDEN.iter().filter(|forbidden| forbidden.is_in(line)) {
            found.push(Finding {
                path: file.path.clone(),
                line: at + 1,
                got: format!("`{}`", forbidden.word),
                expected: forbidden.expected.into(),
                way_out: forbidden.way_out,
            });
        }
    }
    found
}

/// Whether a line marks a test that runs inside another one of the same file.
fn is_child(line: &str, text: &str) -> bool {
    let parent = line.trim_start().strip_prefix(CHILD).and_then(|rest| rest.strip_suffix("\"]"));
    parent.is_some_and(|parent| text.contains(&format!("fn {parent}(")))
}

impl Forbidden {
    fn is_in(&self, line: &str) -> bool {
        line.match_indices(self.word).any(|(at, word)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            match self.edge {
                Edge::None => true,
                Edge::Word => {
                    !before.is_some_and(is_word) && !after.is_some_and(|c| is_word(c) && !word.ends_with('!'))
                }
                Edge::Path => !before.is_some_and(|c| is_word(c) || "./-*~}".contains(c)),
            }
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, found: usize) {
        assert_eq!(words(&Tree::of(&[("a.rs", line)])).len(), found, "{line}");
    }

    #[test]
    fn each_forbidden_word_is_found_in_its_place() {
        for forbidden in FORBIDDEN {
            check(&format!("x \"{}\"", forbidden.word), 1);
        }
    }

    #[test]
    fn a_longer_word_or_path_is_another_one() {
        for word in [
            concat!("MASTO", "DON"),
            concat!("to", "do"),
            concat!("target/wo", "rk/x"),
            concat!("./ro", "ot/x"),
        ] {
            check(word, 0);
        }
    }

    #[test]
    fn a_test_that_another_one_starts_is_finished_work() {
        let found = |parent: &str| {
            let text = format!("    {CHILD}{parent}\"]\n    fn child() {{}}\n    fn parent() {{}}\n");
            words(&Tree::of(&[("a.rs", &text)])).len()
        };
        assert_eq!([found("parent"), found("nobody"), found("paren")], [0, 1, 1]);
    }

    #[test]
    fn the_line_is_named() {
        let text = format!("a\nb\n// {}: later", concat!("TO", "DO"));
        assert_eq!(words(&Tree::of(&[("a.rs", &text)]))[0].line, 3);
    }
}
