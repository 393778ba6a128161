//! Where observations go.

use std::fmt;

use model::Observation;

/// Takes what sensors see; the program puts a bounded queue behind it.
///
/// A sensor offers after it has answered, and nothing that answers waits for deciding
/// (DESIGN §4).
pub trait Intake: Send + Sync {
    /// Takes one observation, or says at once that there is no room.
    ///
    /// Never blocks, and wakes nobody: an answering thread that wakes a sleeping one for each
    /// observation pays half as much again for a request. Who reads the queue looks into it
    /// once an epoch. What is dropped is counted by the implementor, who writes the count
    /// into the journal.
    ///
    /// # Errors
    ///
    /// [`Full`]; the observation is gone.
    fn offer(&self, seen: Observation) -> Result<(), Full>;
}

/// There was no room for an observation, and it was dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected room for an observation, but the queue is full")
    }
}

impl std::error::Error for Full {}
