//! Reads what `Cargo.toml` files say about dependencies.

use toml::{Table, Value};

use super::{Finding, line_of};
use crate::repo::{SourceFile, Tree};

/// Where a dependency stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Linked into the crate, or run by its build.
    Normal,
    /// For its tests, examples and benches only.
    Dev,
}

/// One dependency line.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    /// The package name, also when it is renamed.
    pub(super) name: String,
    /// Where it stands.
    pub(super) kind: Kind,
    /// Its line in the manifest, counted from 1.
    pub(super) line: usize,
    /// Whether it names a folder instead of a version.
    pub(super) local: bool,
}

/// One `Cargo.toml`.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// Its path from the top.
    pub(super) path: String,
    /// All its dependencies; for the root those of `[workspace.dependencies]`.
    pub(super) dependencies: Vec<Dependency>,
}

/// The manifests of the workspace, the root included. One with a workspace of its own
/// is none of it; one that can not be read is reported by cargo itself.
pub(super) fn all(tree: &Tree) -> Vec<Manifest> {
    let named =
        tree.files.iter().filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml"));
    named.filter_map(read).collect()
}

fn read(file: &SourceFile) -> Option<Manifest> {
    let table: Table = file.text.parse().ok()?;
    let mut dependencies = of_table(&table, &file.text);
    if let Some(workspace) = table.get("workspace").and_then(Value::as_table) {
        if file.path != "Cargo.toml" {
            return None;
        }
        dependencies.extend(of_table(workspace, &file.text));
    }
    for target in sub_tables(table.get("target")) {
        dependencies.extend(of_table(target, &file.text));
    }
    Some(Manifest { path: file.path.clone(), dependencies })
}

fn sub_tables(of: Option<&Value>) -> impl Iterator<Item = &Table> {
    of.and_then(Value::as_table).into_iter().flat_map(Table::values).filter_map(Value::as_table)
}

fn of_table(table: &Table, text: &str) -> Vec<Dependency> {
    let sections = [
        ("dependencies", Kind::Normal),
        ("build-dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Dev),
    ];
    let mut found = Vec::new();
    for (section, kind) in sections {
        let Some(lines) = table.get(section).and_then(Value::as_table) else { continue };
        found.extend(lines.iter().map(|(key, value)| dependency(key, value, kind, text)));
    }
    found
}

fn dependency(key: &str, value: &Value, kind: Kind, text: &str) -> Dependency {
    let name = value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned();
    let line =
        text.lines().position(|line| line_names(line, key)).map_or_else(|| line_of(text, key), |at| at + 1);
    Dependency { name, kind, line, local: value.get("path").is_some() }
}

/// Whether a manifest's line is the one of the dependency `key`.
fn line_names(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        || line.ends_with(&format!("dependencies.{key}]"))
}

impl Dependency {
    /// A finding about this dependency.
    pub(super) fn finding(&self, of: &Manifest, expected: String, way_out: &'static str) -> Finding {
        Finding {
            path: of.path.clone(),
            line: self.line,
            got: format!("depends on {}", self.name),
            expected,
            way_out,
        }
    }
}
