//! What a crate's own bench measures and prints: the address index, the engine.

use std::time::Duration;

use super::meter::Pinned;
use super::report::Row;
use crate::error::TaskError;
use crate::{repo, run};

/// An optimised build and some minutes of measuring.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// The core that the engine has for itself.
const ENGINE_CORE: usize = 0;

/// Look-ups and changes of the address index.
pub(super) fn index(quick: bool) -> Result<Vec<Row>, TaskError> {
    rows(&["bench", "--locked", "-p", "projections", "--bench", "index"], quick)
}

/// What the engine judges, on one core.
pub(super) fn engine(quick: bool) -> Result<Vec<Row>, TaskError> {
    let bench = ["bench", "--locked", "-p", "engine", "--bench", "engine"];
    run::must(repo::cargo(&bench).arg("--no-run"), LIMIT)?;
    let _pinned = Pinned::to(ENGINE_CORE)?;
    rows(&bench, quick)
}

/// Runs a bench and reads its rows, one JSON object a line; other lines are remarks.
fn rows(bench: &[&str], quick: bool) -> Result<Vec<Row>, TaskError> {
    let mut command = repo::cargo(bench);
    if quick {
        command.args(["--", "--quick"]);
    }
    let mut rows = Vec::new();
    let outcome = run::watched(&mut command, LIMIT, &mut |line, _| match Row::from_json(line) {
        Some(row) => rows.push(row),
        None => eprintln!("{line}"),
    })?;
    if outcome.status.success() {
        return Ok(rows);
    }
    Err(TaskError::Failed { command: run::line(&command), how: outcome.status.to_string() })
}
