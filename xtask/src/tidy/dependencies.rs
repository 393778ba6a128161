//! Outside crates: a line with a reason for each, and a bound on all together.

use std::collections::BTreeMap;

use super::manifest::all;
use super::{Finding, line_of};
use crate::repo::Tree;

/// Where the reasons stand.
const REASONS: &str = "docs/decisions/dependencies.md";

/// The most packages that the lock file may hold, in-house ones included.
///
/// DESIGN §5: each package is code that somebody must trust and rebuild.
const LOCKED_MAX: usize = 300;

/// Every direct outside dependency has a row with four filled cells in the table of
/// reasons, and every row is about one.
pub(super) fn reasons(tree: &Tree) -> Vec<Finding> {
    let text = tree.text(REASONS).unwrap_or_default();
    let rows = rows(text);
    let direct = direct(tree);
    let lacking =
        direct.iter().filter(|(name, _)| !rows.contains_key(name.as_str())).map(|(name, (path, line))| {
            Finding {
                path: path.clone(),
                line: *line,
                got: format!("{name} has no line in {REASONS}"),
                expected: "one row: crate, what for, licence, why not own code".into(),
                way_out: "write the row, or do without the crate",
            }
        });
    let stale = rows.iter().filter(|(name, _)| !direct.contains_key(**name)).map(|(name, line)| Finding {
        path: REASONS.into(),
        line: *line,
        got: format!("a row about {name}"),
        expected: "rows about direct dependencies only".into(),
        way_out: "take the row out",
    });
    lacking.chain(stale).collect()
}

/// `Cargo.lock` holds fewer than [`LOCKED_MAX`] packages.
pub(super) fn lock(tree: &Tree) -> Vec<Finding> {
    let text = tree.text("Cargo.lock").unwrap_or_default();
    let locked = text.lines().filter(|line| *line == "[[package]]").count();
    if (1..LOCKED_MAX).contains(&locked) {
        return Vec::new();
    }
    vec![Finding {
        path: "Cargo.lock".into(),
        line: line_of(text, "[[package]]"),
        got: format!("{locked} packages"),
        expected: format!("at least 1 and fewer than {LOCKED_MAX}"),
        way_out: "`cargo tree` shows who brings them; turn off default features, or do without",
    }]
}

/// Direct outside dependencies of all members, with the place that names them first.
/// Those of tests count too: they run on our machines.
fn direct(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let manifests = all(tree);
    let in_house = |name: &str| manifests.iter().any(|m| m.path.ends_with(&format!("/{name}/Cargo.toml")));
    let mut found = BTreeMap::new();
    for manifest in &manifests {
        for dependency in manifest.dependencies.iter().filter(|d| !d.local && !in_house(&d.name)) {
            found.entry(dependency.name.clone()).or_insert_with(|| (manifest.path.clone(), dependency.line));
        }
    }
    found
}

/// The crates that have a row with four filled cells, with its line.
fn rows(text: &str) -> BTreeMap<&str, usize> {
    let mut found = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let Some(row) = line.trim().strip_prefix('|').and_then(|row| row.strip_suffix('|')) else { continue };
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        if cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()) && cells[0].starts_with('`') {
            found.insert(cells[0].trim_matches('`'), at + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::expect;
    use super::*;

    const ROOT: &str = "[workspace.dependencies]\nwire = { path = \"crates/wire\" }\nclap = \"4\"\n";

    #[test]
    fn a_dependency_without_a_row_is_found() {
        expect(
            reasons,
            &[("Cargo.toml", ROOT), (REASONS, "| crate | for |\n| `clap` | arguments | MIT | |\n")],
            &[
                "Cargo.toml:3: clap has no line in docs/decisions/dependencies.md; expected one row: crate, what for, \
               licence, why not own code; write the row, or do without the crate",
            ],
        );
    }

    #[test]
    fn a_row_about_nobody_is_found() {
        let rows = "| `clap` | arguments | MIT | large |\n| `rand` | luck | MIT | large |\n";
        let found = reasons(&Tree::of(&[("Cargo.toml", ROOT), (REASONS, rows)]));
        assert_eq!(
            found.iter().map(|f| (f.line, f.got.as_str())).collect::<Vec<_>>(),
            [(2, "a row about rand")]
        );
    }

    #[test]
    fn a_members_own_version_needs_a_row_too_and_an_in_house_crate_none() {
        let member = "[dependencies]\nwire.workspace = true\n[dev-dependencies]\ntempfile = \"3\"\n";
        let files = [("crates/wire/Cargo.toml", ""), ("crates/edge/Cargo.toml", member)];
        let found = reasons(&Tree::of(&files));
        assert_eq!(
            found.iter().map(|f| (f.path.as_str(), f.line)).collect::<Vec<_>>(),
            [("crates/edge/Cargo.toml", 4)]
        );
    }

    #[test]
    fn a_workspace_of_its_own_is_not_ours_to_judge() {
        let text = "[workspace]\n[dependencies]\nlibfuzzer-sys = \"0.4\"\n";
        expect(reasons, &[("fuzz/Cargo.toml", text)], &[]);
    }

    #[test]
    fn the_lock_is_bounded_and_must_be_there() {
        let found =
            |packages: usize| lock(&Tree::of(&[("Cargo.lock", &"[[package]]\n".repeat(packages))])).len();
        assert_eq!([found(0), found(1), found(299), found(300)], [1, 0, 0, 1]);
    }
}
