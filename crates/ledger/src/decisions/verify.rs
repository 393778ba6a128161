//! Proving that the ledger is what it was: every event, from the first arrival to the last.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::Path;

use rusqlite::{Connection, Row};

use super::chain::{Misfit, follow};
use super::sqlite::{EVENT, unsigned};
use super::{Head, LedgerError, Sealed, schema};
use crate::StoreError;

/// How many events pass between two reports of progress.
const REPORT_EVERY: u64 = 1024;

/// A ledger without a flaw.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verified {
    /// How many events there are.
    pub events: u64,
}

/// The first event that is not what it was, or does not follow the one before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirstBad {
    /// Its arrival.
    pub arrival: u64,
    /// Its node, as stored.
    pub node: String,
    /// Its life, as stored.
    pub life: u32,
    /// Its number, as stored.
    pub seq: u64,
    /// What is wrong with it.
    pub what: Misfit,
}

/// Why a ledger is not verified.
#[non_exhaustive]
#[derive(Debug)]
pub enum VerifyError {
    /// An event is wrong.
    Bad(FirstBad),
    /// SQLite cannot read the event behind this arrival, or reads no event.
    Unreadable {
        /// The last arrival that could be read.
        after_arrival: u64,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// All events are right, but the tables around them are not.
    Structure {
        /// The first thing that SQLite's own check found.
        what: String,
    },
    /// The ledger cannot be opened.
    Ledger(LedgerError),
}

/// Checks every event of the ledger file `path`, and then the file's own structure.
///
/// Reads one consistent state, also beside a daemon that writes. `progress` gets the events done
/// and the events in all.
///
/// # Errors
///
/// The first entry that is bad. A chain cannot show that its newest entries are missing: compare
/// [`SqliteLedger::head`](super::SqliteLedger::head) with what you know from elsewhere.
pub fn verify(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, VerifyError> {
    let conn = schema::open_to_read(path).map_err(VerifyError::Ledger)?;
    let sqlite = |error| VerifyError::Ledger(StoreError::sqlite(path)(error).into());
    conn.execute_batch("BEGIN").map_err(sqlite)?;
    let verified = verify_events(&conn, progress)?;
    let structure: String =
        conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(sqlite)?;
    if structure != "ok" {
        return Err(VerifyError::Structure { what: structure });
    }
    Ok(verified)
}

fn verify_events(conn: &Connection, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, VerifyError> {
    let mut walk = Walk::default();
    let unreadable = |after_arrival| move |source| VerifyError::Unreadable { after_arrival, source };
    let total =
        conn.query_row("SELECT count(*) FROM event", [], |row| unsigned(row, 0)).map_err(unreadable(0))?;
    let select = format!("SELECT {EVENT} FROM event ORDER BY arrival");
    let mut statement = conn.prepare(&select).map_err(unreadable(0))?;
    let mut rows = statement.query([]).map_err(unreadable(0))?;
    while let Some(row) = rows.next().map_err(unreadable(walk.arrival))? {
        let stored = Stored::read(row).map_err(unreadable(walk.arrival))?;
        walk.pass(stored).map_err(VerifyError::Bad)?;
        if walk.events.is_multiple_of(REPORT_EVERY) {
            progress(walk.events, total);
        }
    }
    progress(walk.events, total);
    Ok(Verified { events: walk.events })
}

/// What has been seen so far.
#[derive(Default)]
struct Walk {
    /// The end of each chain, by node and life.
    heads: BTreeMap<(String, u32), Head>,
    arrival: u64,
    events: u64,
}

impl Walk {
    fn pass(&mut self, stored: Stored) -> Result<(), FirstBad> {
        let Stored { arrival, event } = stored;
        let head = self.heads.entry((event.node.clone(), event.life)).or_default();
        match follow(head, &event) {
            Ok(next) => *head = next,
            Err(what) => {
                let Sealed { node, life, seq, .. } = event;
                return Err(FirstBad { arrival, node, life, seq, what });
            }
        }
        self.arrival = arrival;
        self.events += 1;
        Ok(())
    }
}

/// An event as it lies there.
struct Stored {
    arrival: u64,
    event: Sealed,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            arrival: unsigned(row, 0)?,
            event: Sealed {
                node: row.get(1)?,
                life: row.get(2)?,
                seq: unsigned(row, 3)?,
                prev: hash_at(row, 4)?,
                hash: hash_at(row, 5)?,
                bytes: row.get(6)?,
            },
        })
    }
}

/// A hash of another length is a wrong one, and is named as such rather than unreadable.
fn hash_at(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; 32]> {
    let bytes: Vec<u8> = row.get(column)?;
    Ok(bytes.try_into().unwrap_or([0xff; 32]))
}

impl fmt::Display for FirstBad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arrival, node, life, seq, what } = self;
        write!(f, "event {}.{life}.{seq} (arrival {arrival}): {what}", node.escape_debug())
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(bad) => bad.fmt(f),
            Self::Unreadable { after_arrival, .. } => {
                write!(f, "the event behind arrival {after_arrival} cannot be read")
            }
            Self::Structure { what } => write!(
                f,
                "all events are right, but the file's structure is damaged: {what}; make a backup and restore it"
            ),
            Self::Ledger(error) => error.fmt(f),
        }
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Ledger(error) => error.source(),
            _ => None,
        }
    }
}
