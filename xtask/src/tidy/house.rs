//! The rooms of the house: which crate there is, what it may import, what it says.
//!
//! The table is the one place where the imports of DESIGN §3 are written down for a
//! program. A room enters it in the change that builds it.

use std::collections::BTreeSet;

use super::manifest::{Dependency, Kind, Manifest, all};
use super::{Finding, line_of};
use crate::repo::Tree;

/// One crate of `crates/`.
struct Room {
    /// Folder and package name.
    name: &'static str,
    /// The in-house crates that it may import; its tests may import more.
    imports: &'static [&'static str],
    /// For a quiet crate: all the outside crates that it may be linked with.
    outside: Option<&'static [&'static str]>,
}

/// The house. Quiet rooms first.
const HOUSE: &[Room] = &[
    // serde_json: XARF reports are JSON of strangers; only its `Value`, behind bounds of our own.
    Room { name: "wire", imports: &[], outside: Some(&["mail-parser", "memchr", "serde_json"]) },
    Room { name: "model", imports: &[], outside: Some(&["minicbor", "sha2"]) },
    Room { name: "detectors", imports: &["model"], outside: Some(&["minicbor", "psl"]) },
    Room {
        name: "engine",
        imports: &["model", "detectors"],
        outside: Some(&["hashbrown", "minicbor", "sha2", "siphasher"]),
    },
    Room { name: "projections", imports: &["model"], outside: Some(&["rpds", "siphasher"]) },
    Room {
        name: "answers",
        imports: &["model", "detectors", "projections"],
        outside: Some(&["hmac", "serde", "sha2"]),
    },
    Room { name: "ledger", imports: &["model"], outside: None },
    Room { name: "judges", imports: &["wire", "model"], outside: None },
    Room { name: "edge", imports: &["wire", "model", "projections", "answers"], outside: None },
    Room { name: "portal", imports: &["model", "projections", "answers"], outside: None },
    Room {
        name: "mailward",
        imports: &[
            "wire",
            "model",
            "detectors",
            "engine",
            "projections",
            "answers",
            "ledger",
            "judges",
            "edge",
            "portal",
        ],
        outside: None,
    },
];

fn room(name: &str) -> Option<&'static Room> {
    HOUSE.iter().find(|room| room.name == name)
}

/// The manifests of the rooms, each with its row.
fn furnished(tree: &Tree) -> Vec<(&'static Room, Manifest)> {
    let of_room = |manifest: Manifest| {
        let name = manifest.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?.to_owned();
        Some((room(&name)?, manifest))
    };
    all(tree).into_iter().filter_map(of_room).collect()
}

/// The folders of `crates/` are exactly the table's rooms.
pub(super) fn rooms(tree: &Tree) -> Vec<Finding> {
    let folders: BTreeSet<&str> = tree
        .files
        .iter()
        .filter_map(|file| file.path.strip_prefix("crates/")?.split_once('/'))
        .map(|(name, _)| name)
        .collect();
    let unknown = folders.iter().filter(|name| room(name).is_none()).map(|name| Finding {
        path: format!("crates/{name}"),
        line: 1,
        got: "a crate that is not in the table".into(),
        expected: names(HOUSE.iter().map(|room| room.name)),
        way_out: "add its row to xtask/src/tidy/house.rs with what it may import",
    });
    let absent = HOUSE.iter().filter(|room| !folders.contains(room.name)).map(|room| Finding {
        path: format!("crates/{}", room.name),
        line: 1,
        got: "no such folder".into(),
        expected: "a crate for every row of the table".into(),
        way_out: "build it, or take its row out of xtask/src/tidy/house.rs",
    });
    unknown.chain(absent).collect()
}

/// Crates import in-house only what their row allows.
pub(super) fn imports(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (room, manifest) in furnished(tree) {
        let wrong = linked(&manifest)
            .filter(|d| self::room(&d.name).is_some() && !room.imports.contains(&d.name.as_str()));
        let way_out = "declare what it needs as a trait, and let mailward implement it";
        found.extend(wrong.map(|d| d.finding(&manifest, only(room.imports), way_out)));
    }
    found
}

/// Quiet crates are linked only with the outside crates of their row.
pub(super) fn quiet(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (room, manifest) in furnished(tree) {
        let Some(outside) = room.outside else { continue };
        let wrong = linked(&manifest)
            .filter(|d| self::room(&d.name).is_none() && !outside.contains(&d.name.as_str()));
        let way_out = "move the work to a loud crate, or argue for it in xtask/src/tidy/house.rs";
        found.extend(wrong.map(|d| d.finding(&manifest, only(outside), way_out)));
    }
    found
}

/// Each crate's root file starts with its header.
pub(super) fn headers(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for manifest in all(tree).iter().filter(|manifest| manifest.path != "Cargo.toml") {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        for root in ["src/lib.rs", "src/main.rs"].map(|file| format!("{folder}{file}")) {
            let text = tree.text(&root).unwrap_or("//!");
            if !text.trim_start_matches('\u{feff}').starts_with("//!") {
                found.push(headerless(root, text));
            }
        }
    }
    found
}

fn headerless(path: String, text: &str) -> Finding {
    Finding {
        path,
        line: line_of(text, "//!"),
        got: "no header in the first line".into(),
        expected: "`//!` with what the crate is and what it does not do".into(),
        way_out: "write it; STYLE.md has an example",
    }
}

fn linked(manifest: &Manifest) -> impl Iterator<Item = &Dependency> {
    manifest.dependencies.iter().filter(|dependency| dependency.kind == Kind::Normal)
}

fn only(list: &[&str]) -> String {
    if list.is_empty() { "nothing".into() } else { format!("only {}", names(list.iter().copied())) }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::expect;
    use super::*;

    #[test]
    fn every_import_of_the_table_is_a_room_above_it() {
        for (at, room) in HOUSE.iter().enumerate() {
            for import in room.imports {
                assert!(
                    HOUSE[..at].iter().any(|above| above.name == *import),
                    "{} imports {import}",
                    room.name
                );
            }
        }
    }

    #[test]
    fn an_import_outside_the_table_is_found_with_its_line() {
        expect(
            imports,
            &[(
                "crates/ledger/Cargo.toml",
                "[dependencies]\nmodel.workspace = true\nedge.workspace = true\n",
            )],
            &["crates/ledger/Cargo.toml:3: depends on edge; expected only model; \
               declare what it needs as a trait, and let mailward implement it"],
        );
    }

    #[test]
    fn tests_may_import_more() {
        expect(
            imports,
            &[("crates/ledger/Cargo.toml", "[dev-dependencies]\nengine.workspace = true\n")],
            &[],
        );
    }

    #[test]
    fn a_renamed_import_is_still_seen() {
        let text = "[dependencies]\nx = { package = \"engine\", path = \"../engine\" }\n";
        assert_eq!(imports(&Tree::of(&[("crates/wire/Cargo.toml", text)])).len(), 1);
    }

    #[test]
    fn a_quiet_crate_keeps_to_its_list_and_a_loud_one_is_free() {
        let text = "[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n";
        expect(
            quiet,
            &[("crates/wire/Cargo.toml", text), ("crates/edge/Cargo.toml", text)],
            &["crates/wire/Cargo.toml:2: depends on libc; expected only mail-parser, memchr, serde_json; \
               move the work to a loud crate, or argue for it in xtask/src/tidy/house.rs"],
        );
    }

    #[test]
    fn folders_and_table_are_the_same_set() {
        let mut files: Vec<_> = HOUSE.iter().map(|room| format!("crates/{}/Cargo.toml", room.name)).collect();
        let tree = |files: &[String]| Tree::of(&files.iter().map(|f| (f.as_str(), "")).collect::<Vec<_>>());
        assert!(rooms(&tree(&files)).is_empty());
        files[0] = "crates/attic/Cargo.toml".into();
        let found = rooms(&tree(&files));
        let paths: Vec<_> = found.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["crates/attic", "crates/wire"]);
    }

    #[test]
    fn a_crate_without_a_header_is_found() {
        let files = [
            ("crates/wire/Cargo.toml", ""),
            ("crates/wire/src/lib.rs", "// Bytes.\n"),
            ("xtask/Cargo.toml", ""),
            ("xtask/src/main.rs", "//! Tasks.\n"),
        ];
        let found = headers(&Tree::of(&files));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/wire/src/lib.rs");
    }
}
