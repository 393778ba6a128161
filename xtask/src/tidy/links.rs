//! Links of Markdown files to other files of the repository.
//!
//! Inline links `[text](path#heading)` and definitions `[name]: path` are checked;
//! addresses with a scheme are not, and code is skipped. Headings are compared as
//! the usual forges build their anchors.

use super::Finding;
use crate::repo::{SourceFile, Tree};

/// Finds links whose file or heading is not there.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    tree.ending(".md").flat_map(|file| broken(tree, file)).collect()
}

fn broken(tree: &Tree, file: &SourceFile) -> Vec<Finding> {
    let mut found = Vec::new();
    for (line, text) in prose(&file.text) {
        for target in targets(&text) {
            if !leads_somewhere(tree, &file.path, target) {
                found.push(finding(&file.path, line, target));
            }
        }
    }
    found
}

fn finding(path: &str, line: usize, target: &str) -> Finding {
    Finding {
        path: path.into(),
        line,
        got: format!("a link to {target}"),
        expected: "a tracked file, and a heading that it has".into(),
        way_out: "correct the link or add the file",
    }
}

/// The lines outside fenced code, numbered from 1, without their inline code.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((at + 1, line.split('`').step_by(2).collect::<Vec<_>>().join("`")));
        }
    }
    lines
}

/// The targets in one line of prose.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.match_indices("](").filter_map(|(at, _)| line[at + 2..].split([')', ' ']).next());
    let definition =
        line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    inline.chain(definition).collect()
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { Some(from.to_owned()) } else { resolve(from, path) };
    let Some(path) = path.filter(|path| path.is_empty() || tree.holds(path)) else { return false };
    heading.is_empty()
        || tree.text(&path).is_none_or(|text| anchors(text).iter().any(|anchor| anchor == heading))
}

/// `path` as seen from the file `from`, from the top; `None` when it leaves the repository.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if path.starts_with('/') {
        parts.clear();
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a file's headings: lower case, spaces as hyphens, marks left out.
fn anchors(text: &str) -> Vec<String> {
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    };
    headings.map(|heading| heading.to_lowercase().chars().filter_map(kept).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, broken: &[&str]) {
        let files = [("docs/a.md", text), ("docs/b.md", "# The §4 way: here\n"), ("src/lib.rs", "")];
        let got: Vec<_> =
            links(&Tree::of(&files)).into_iter().map(|f| format!("{}: {}", f.line, f.got)).collect();
        assert_eq!(got, broken);
    }

    #[test]
    fn links_to_files_folders_and_headings_lead_somewhere() {
        check(
            "# Top\n[b](b.md) [src](../src) [lib](/src/lib.rs \"t\") [h](b.md#the-4-way-here) [t](#top)",
            &[],
        );
    }

    #[test]
    fn links_elsewhere_are_not_followed() {
        check("[x](https://example.org/x) [m](mailto:postmaster@example.org)\n[r]: http://example.org", &[]);
    }

    #[test]
    fn a_missing_file_heading_or_definition_is_found_with_its_line() {
        check(
            "\n[a](c.md)\n[h](b.md#there)\n[r]: gone.md",
            &["2: a link to c.md", "3: a link to b.md#there", "4: a link to gone.md"],
        );
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        check("[up](../../etc/passwd)", &["1: a link to ../../etc/passwd"]);
    }

    #[test]
    fn code_is_no_link() {
        check("`[a](c.md)`\n```\n[a](c.md)\n```\n", &[]);
    }
}
