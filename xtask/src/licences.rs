//! Every locked package's licence, held against the list in `deny.toml`.
//!
//! A package passes when its SPDX expression can be met with allowed licences alone.
//! No network is asked for more than cargo's own downloads; advisories are not looked
//! at. `cargo deny check`, where it is installed, reads the same file and does that.

use std::process::Command;
use std::time::Duration;

use spdx::{Expression, Licensee, ParseMode};
use toml::{Table, Value};

use crate::error::TaskError;
use crate::metadata::{self, Package};
use crate::{repo, run};

/// `cargo deny --version` prints one line.
const ASK_LIMIT: Duration = Duration::from_secs(30);

/// Checks all packages and prints those that may not be linked; true when there are none.
pub(crate) fn licences() -> Result<bool, TaskError> {
    let allowed = allowed(&repo::read_text("deny.toml")?)?;
    let packages = metadata::locked()?;
    let refused: Vec<_> = packages.iter().filter_map(|package| refusal(package, &allowed)).collect();
    for line in &refused {
        println!("{line}");
    }
    println!("licences: {} packages, {} not allowed by deny.toml.", packages.len(), refused.len());
    if deny_installed() {
        println!("cargo-deny is installed: `cargo deny check` reads the same file and adds advisories.");
    }
    Ok(refused.is_empty())
}

/// The licences that `deny.toml` allows. GPL and AGPL are refused there too, so that
/// no edit of the list can let them in.
fn allowed(text: &str) -> Result<Vec<Licensee>, TaskError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| unreadable(error.message().into()))?;
    let list = table.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(Value::as_array);
    let list = list.ok_or_else(|| unreadable("no such list".into()))?;
    list.iter().map(|entry| licensee(entry.as_str().unwrap_or_default())).collect()
}

fn licensee(text: &str) -> Result<Licensee, TaskError> {
    let licensee = Licensee::parse(text).map_err(|error| unreadable(format!("{text}: {}", error.reason)))?;
    let id = licensee.as_ref().license.id();
    if id.is_some_and(|id| id.name.starts_with("GPL") || id.name.starts_with("AGPL")) {
        return Err(unreadable(format!("{text}, which DESIGN §5 rules out")));
    }
    Ok(licensee)
}

fn unreadable(got: String) -> TaskError {
    TaskError::Unreadable {
        what: "deny.toml".into(),
        expected: "[licenses] allow = […] with SPDX identifiers, none of them GPL or AGPL",
        got,
    }
}

/// Why a package may not be linked; `None` when it may.
fn refusal(package: &Package, allowed: &[Licensee]) -> Option<String> {
    let Package { name, version, licence, .. } = package;
    let Some(licence) = licence else {
        return Some(format!(
            "{name} {version}: states no licence; expected an SPDX expression; do without it"
        ));
    };
    // Lax: older crates write MIT/Apache-2.0.
    match Expression::parse_mode(licence, ParseMode::LAX) {
        Err(error) => Some(format!(
            "{name} {version}: {licence}: expected an SPDX expression, but got {}",
            error.reason
        )),
        Ok(expression) if expression.evaluate(|asked| allowed.iter().any(|has| has.satisfies(asked))) => None,
        Ok(_) => Some(format!(
            "{name} {version}: {licence}; expected licences of deny.toml's allow list; do without it"
        )),
    }
}

fn deny_installed() -> bool {
    let mut ask = Command::new("cargo-deny");
    run::watched(ask.arg("--version"), ASK_LIMIT, &mut |_, _| {})
        .is_ok_and(|outcome| outcome.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Apache-2.0 WITH LLVM-exception\"]\n";

    #[track_caller]
    fn check(licence: Option<&str>, passes: bool) {
        let package = Package {
            name: "x".into(),
            version: "1.0.0".into(),
            licence: licence.map(str::to_owned),
            targets: Vec::new(),
        };
        let got = refusal(&package, &allowed(LIST).unwrap());
        assert_eq!(got.is_none(), passes, "{licence:?}: {got:?}");
    }

    #[test]
    fn an_expression_passes_when_allowed_licences_meet_it() {
        check(Some("MIT"), true);
        check(Some("MIT/Apache-2.0"), true);
        check(Some("GPL-3.0-or-later OR MIT"), true);
        check(Some("MIT AND Apache-2.0"), true);
        check(Some("Apache-2.0 WITH LLVM-exception"), true);
    }

    #[test]
    fn an_expression_that_needs_another_licence_fails() {
        check(Some("GPL-3.0-or-later"), false);
        check(Some("MIT AND AGPL-3.0-only"), false);
        check(Some("Unicode-3.0"), false);
        check(Some("MIT WITH Classpath-exception-2.0"), false);
    }

    #[test]
    fn a_package_without_a_readable_licence_fails() {
        check(None, false);
        check(Some("see the file"), false);
    }

    #[test]
    fn the_list_can_not_let_gpl_in() {
        for name in ["GPL-3.0-or-later", "GPL-2.0-only", "AGPL-3.0-only"] {
            let got = allowed(&format!("[licenses]\nallow = [\"{name}\"]\n"));
            assert!(matches!(got, Err(TaskError::Unreadable { .. })), "{name}");
        }
    }

    #[test]
    fn a_file_without_a_list_is_refused() {
        assert!(allowed("[licenses]\n").is_err());
    }

    #[test]
    fn the_projects_own_list_is_read() {
        assert!(!allowed(&repo::read_text("deny.toml").unwrap()).unwrap().is_empty());
    }
}
