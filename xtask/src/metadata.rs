//! What cargo says about the workspace and the packages it locks.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::error::TaskError;
use crate::{repo, run};

/// Cargo may have to download what is locked and not yet here.
const METADATA_LIMIT: Duration = Duration::from_secs(10 * 60);

/// A locked package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence as an SPDX expression, if it states one.
    pub(crate) licence: Option<String>,
    /// Its targets.
    pub(crate) targets: Vec<Target>,
}

/// Something that cargo builds from a package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    /// `lib`, `bin`, `test`, `bench`, …
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
}

/// The workspace and all packages that its default features need on this platform.
pub(crate) fn locked() -> Result<Vec<Package>, TaskError> {
    let platform = host()?;
    read(&["--locked", "--filter-platform", &platform])
}

/// The workspace's own packages; asks cargo for no dependency.
pub(crate) fn ours() -> Result<Vec<Package>, TaskError> {
    read(&["--no-deps"])
}

fn read(arguments: &[&str]) -> Result<Vec<Package>, TaskError> {
    let mut command = repo::cargo(&["metadata", "--format-version", "1"]);
    let text = run::output(command.args(arguments), METADATA_LIMIT)?;
    let unreadable = |got: String| TaskError::Unreadable {
        what: "cargo metadata".into(),
        expected: "a JSON object with packages",
        got,
    };
    let all: Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let packages = all["packages"].as_array().ok_or_else(|| unreadable("no packages".into()))?;
    Ok(packages.iter().map(package).collect())
}

fn package(of: &Value) -> Package {
    let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
    Package {
        name: text("name"),
        version: text("version"),
        licence: of["license"].as_str().map(str::to_owned),
        targets: of["targets"].as_array().into_iter().flatten().flat_map(target).collect(),
    }
}

fn target(of: &Value) -> Option<Target> {
    Some(Target { kind: of["kind"][0].as_str()?.to_owned(), name: of["name"].as_str()?.to_owned() })
}

/// The platform that the compiler builds for by default.
fn host() -> Result<String, TaskError> {
    let text = run::output(Command::new("rustc").arg("-vV"), METADATA_LIMIT)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| TaskError::Unreadable {
        what: "rustc -vV".into(),
        expected: "a line host: …",
        got: text.clone(),
    })
}
