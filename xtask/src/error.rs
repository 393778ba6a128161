//! Why a task could not be carried out.
//!
//! A test that fails or a rule that is broken is a result, not an error: tasks
//! return those as findings or tallies.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A task that could not be carried out.
#[derive(Debug)]
pub(crate) enum TaskError {
    /// A file or folder could not be read or written.
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started, or not be waited for.
    Start {
        /// The program as it was called.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ended, but not well.
    Failed {
        /// The command line.
        command: String,
        /// How it ended, in words.
        how: String,
    },
    /// A program ran past its time and was ended.
    TimedOut {
        /// The command line.
        command: String,
        /// What it was allowed.
        limit: Duration,
    },
    /// Text that should have a form, and has another.
    Unreadable {
        /// Where it comes from.
        what: String,
        /// The form.
        expected: &'static str,
        /// What stood there, or what the parser said.
        got: String,
    },
    /// Something the task needs is not there.
    Missing {
        /// What is missing.
        what: String,
        /// What to do about it.
        way_out: String,
    },
    /// A socket, clock or scheduler call failed.
    System {
        /// What we wanted from the system.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl TaskError {
    /// For `map_err` after a file operation.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// For `map_err` after a system call; takes `std` and `rustix` errors alike.
    pub(crate) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { what, source: source.into() }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Start { program, source } => write!(f, "could not run {program}: {source}"),
            Self::Failed { command, how } => write!(f, "{command}: {how}"),
            Self::TimedOut { command, limit } => {
                write!(f, "{command}: ended after its time limit of {} min", limit.as_secs().div_ceil(60))
            }
            Self::Unreadable { what, expected, got } => {
                write!(f, "{what}: expected {expected}, but got {got}")
            }
            Self::Missing { what, way_out } => write!(f, "{what} is missing; {way_out}"),
            Self::System { what, source } => write!(f, "could not {what}: {source}"),
        }
    }
}

impl std::error::Error for TaskError {}
