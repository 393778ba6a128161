//! The length of Rust files and functions.
//!
//! No parser: in code that rustfmt has laid out, a function ends at the next line
//! that is its own indentation and `}`. A raw string that holds such a line cuts a
//! function short; everything between signature and closing brace counts, comments
//! included.

use super::Finding;
use crate::repo::{SourceFile, Tree};

/// More lines than this in one file want a reason.
const FILE_LINES_MAX: usize = 600;

/// More lines than this in one function want a reason.
const FUNCTION_LINES_MAX: usize = 60;

/// A line that begins so gives the reason, for the whole file.
const REASON: &str = "// long: ";

/// One function of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// Finds files and functions that are too long and give no reason.
pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    tree.ending(".rs").filter(|file| !has_reason(&file.text)).flat_map(too_long).collect()
}

/// One sentence about the lengths of all functions.
pub(super) fn statistics(tree: &Tree) -> String {
    let lengths: Vec<usize> =
        tree.ending(".rs").flat_map(|file| functions(&file.text)).map(|function| function.lines).collect();
    let share = |limit| 100 * lengths.iter().filter(|lines| **lines < limit).count() / lengths.len().max(1);
    let longest = lengths.iter().max().copied().unwrap_or(0);
    format!(
        "{} functions (from signature to closing brace, found by their indentation): {} % under 10 lines, \
         {} % under 30, the longest {longest}.",
        lengths.len(),
        share(10),
        share(30),
    )
}

fn has_reason(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_start().strip_prefix(REASON).is_some_and(|reason| !reason.trim().is_empty()))
}

fn too_long(file: &SourceFile) -> Vec<Finding> {
    let finding = |line, got, limit| Finding {
        path: file.path.clone(),
        line,
        got,
        expected: format!("at most {limit} lines"),
        way_out: "split it where it does two things, or give the reason in a line `// long: …`",
    };
    let lines = file.text.lines().count();
    let whole = (lines > FILE_LINES_MAX).then(|| finding(1, format!("{lines} lines"), FILE_LINES_MAX));
    let parts = functions(&file.text).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
    let parts =
        parts.map(|f| finding(f.line, format!("{} is {} lines long", f.name, f.lines), FUNCTION_LINES_MAX));
    whole.into_iter().chain(parts).collect()
}

/// The functions that have a body, nested ones included.
fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        if let Some(count) = body_lines(&lines[at..]) {
            found.push(Function { name, line: at + 1, lines: count });
        }
    }
    found
}

/// The name, if a line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let (before, rest) = line.trim_start().split_once("fn ")?;
    let words = before.split_whitespace();
    let qualified = |word: &str| {
        matches!(word, "const" | "async" | "unsafe" | "extern" | "\"C\"")
            || word.starts_with("pub")
            || word.ends_with(')')
    };
    if !words.into_iter().all(qualified) {
        return None;
    }
    rest.split(['(', '<']).next().filter(|name| !name.is_empty() && !name.contains(' '))
}

/// How many lines a function has; `None` when it is only declared.
fn body_lines(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let indent = &first[..first.len() - first.trim_start().len()];
    if first.ends_with('}') {
        return Some(1);
    }
    for (at, line) in lines.iter().enumerate() {
        let own = line.strip_prefix(indent).unwrap_or("");
        if own == "}" {
            return Some(at + 1);
        }
        // A declaration ends with `;` at its own indentation or on the line of `)`.
        let at_indent = at == 0 || own.starts_with([')', '-', 'w']);
        if at_indent && line.ends_with(';') {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, usize, usize)]) {
        let got: Vec<_> = functions(text).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn functions_are_counted_from_signature_to_brace() {
        check("pub(crate) const fn a() -> u8 {\n    1\n}\n\nfn b<T>() {}\n", &[("a", 1, 3), ("b", 5, 1)]);
    }

    #[test]
    fn methods_end_at_their_own_indentation() {
        check(
            "impl A {\n    async fn a(\n        &self,\n    ) {\n        if x {\n        }\n    }\n}\n",
            &[("a", 2, 6)],
        );
    }

    #[test]
    fn declarations_have_no_body() {
        check(
            "trait T {\n    fn a(&self);\n    fn b(\n        &self,\n    ) -> u8;\n    fn c(&self) {\n    }\n}\n",
            &[("c", 6, 2)],
        );
    }

    #[test]
    fn prose_and_pointers_are_no_functions() {
        check("// the fn of it\nlet f: fn (u8) = g;\nlet x = \"fn a() {\";\n", &[]);
    }

    #[test]
    fn a_long_function_is_found_unless_it_gives_a_reason() {
        let body = "    x();\n".repeat(59);
        let found = |head: &str, more: &str| {
            length(&Tree::of(&[("a.rs", &format!("{head}fn a() {{\n{body}{more}}}\n"))])).len()
        };
        assert_eq!(found("", ""), 1);
        assert_eq!(found("// long: it is one table\n", ""), 0);
        assert_eq!(found("// long: \n", ""), 1);
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let function = format!("fn a() {{\n{}}}\n", "    x();\n".repeat(58));
        assert!(length(&Tree::of(&[("a.rs", &function)])).is_empty());
        let file = |lines: usize| length(&Tree::of(&[("a.rs", &"//\n".repeat(lines))])).len();
        assert_eq!([file(600), file(601)], [0, 1]);
    }

    #[test]
    fn statistics_give_shares() {
        let text = format!("fn a() {{}}\nfn b() {{\n{}}}\n", "    x();\n".repeat(18));
        let got = statistics(&Tree::of(&[("a.rs", &text)]));
        assert!(got.ends_with("50 % under 10 lines, 100 % under 30, the longest 20."), "{got}");
    }
}
