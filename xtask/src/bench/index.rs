//! The address index: what `projections`' own bench measures and prints.

use std::time::Duration;

use super::report::Row;
use crate::error::TaskError;
use crate::{repo, run};

/// An optimised build and some minutes of measuring.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// Runs the bench and reads its rows, one JSON object a line; other lines are remarks.
pub(super) fn index(quick: bool) -> Result<Vec<Row>, TaskError> {
    let mut command = repo::cargo(&["bench", "--locked", "-p", "projections", "--bench", "index"]);
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
