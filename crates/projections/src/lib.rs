//! Consequences: from events to index, case views and history.
