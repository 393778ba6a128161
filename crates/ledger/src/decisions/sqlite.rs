//! The ledger on one host: an SQLite file.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::chain::{check_bounds, check_hash, check_node, follow, hex};
use super::{Admitted, EventStore, EvidenceRow, Head, LedgerError, Sealed, SideRow, evidence, schema};
use crate::DataDir;

/// The columns of an event, in the order that [`event_of`] reads.
pub(super) const EVENT: &str = "arrival, node, life, seq, prev, hash, bytes";

/// The ledger in a data directory.
///
/// One connection, for one thread. Other threads and processes may read the same file through
/// [`SqliteLedger::open_to_read`] meanwhile; they see whole groups only.
pub struct SqliteLedger {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    node: String,
    life: u32,
    /// Holds the lock as long as somebody can write.
    _store: Option<DataDir>,
}

impl SqliteLedger {
    /// Opens the ledger of `store`, or creates it for `node` in its first life.
    ///
    /// # Errors
    ///
    /// [`LedgerError::OtherNode`] when it belongs to another node; [`StoreError::Newer`] when a
    /// newer version wrote it.
    pub fn open(store: &DataDir, node: &str) -> Result<Self, LedgerError> {
        check_node(node)?;
        let path = store.ledger();
        let ledger = Self::over(schema::open(&path, node)?, path, Some(store.clone()))?;
        if ledger.node != node {
            let (file, got) = (ledger.path, ledger.node);
            return Err(LedgerError::OtherNode { file, expected: node.to_owned(), got });
        }
        Ok(ledger)
    }

    /// Opens the ledger file `path` (or a backup of one) for reading; needs no lock.
    ///
    /// # Errors
    ///
    /// Everything that writes answers [`StoreError::ReadOnly`] later.
    pub fn open_to_read(path: &Path) -> Result<Self, LedgerError> {
        Self::over(schema::open_to_read(path)?, path.to_path_buf(), None)
    }

    fn over(conn: Connection, path: PathBuf, store: Option<DataDir>) -> Result<Self, LedgerError> {
        let node = schema::meta(&conn, &path, "node")?;
        let life = schema::meta_number(&conn, &path, "life")?;
        Ok(Self { conn, path, node, life, _store: store })
    }

    /// The node whose ledger this is.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The life that the node is living: 1 more after every restore.
    pub fn life(&self) -> u32 {
        self.life
    }

    /// The end of a chain; the default when there is no event of that node and life.
    pub fn head(&self, node: &str, life: u32) -> Result<Head, LedgerError> {
        head(&self.conn, node, life).map_err(LedgerError::sqlite(&self.path))
    }

    /// The arrival of the last event; 0 in an empty ledger.
    pub fn last_arrival(&self) -> Result<u64, LedgerError> {
        last_arrival(&self.conn).map_err(LedgerError::sqlite(&self.path))
    }

    /// Runs `write` in one transaction: one sync for the whole group.
    pub(super) fn write<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>, &Path) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let Self { conn, path, .. } = self;
        let tx = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(LedgerError::sqlite(path))?;
        let written = write(&tx, path)?;
        tx.commit().map_err(LedgerError::sqlite(path))?;
        Ok(written)
    }
}

impl EventStore for SqliteLedger {
    fn append(
        &mut self,
        own: &[Sealed],
        evidence: &[EvidenceRow],
        side: &[SideRow],
    ) -> Result<u64, LedgerError> {
        let (node, life) = (self.node.clone(), self.life);
        self.write(|tx, path| {
            let mut end = head(tx, &node, life).map_err(LedgerError::sqlite(path))?;
            for event in own {
                check_own(event, &node, life)?;
                end = follow(&end, event).map_err(|misfit| misfit.of(event.id()))?;
                insert(tx, event).map_err(LedgerError::sqlite(path))?;
            }
            evidence::insert(tx, evidence, side).map_err(LedgerError::sqlite(path))?;
            last_arrival(tx).map_err(LedgerError::sqlite(path))
        })
    }

    fn admit(&mut self, foreign: &[Sealed]) -> Result<Admitted, LedgerError> {
        let (node, life) = (self.node.clone(), self.life);
        self.write(|tx, path| {
            let mut admitted = Admitted::default();
            for event in foreign {
                let ours = event.node == node && event.life == life;
                if admit_one(tx, path, event, ours)? {
                    admitted.new += 1;
                } else {
                    admitted.repeated += 1;
                }
            }
            admitted.last_arrival = last_arrival(tx).map_err(LedgerError::sqlite(path))?;
            Ok(admitted)
        })
    }

    fn tail(&self, after_arrival: u64, limit: usize) -> Result<Vec<(u64, Sealed)>, LedgerError> {
        let select = format!("SELECT {EVENT} FROM event WHERE arrival > ? ORDER BY arrival LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || {
            let mut statement = self.conn.prepare_cached(&select)?;
            statement
                .query_map(params![number(after_arrival), limit], event_of)?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(LedgerError::sqlite(&self.path))
    }

    fn shipped(&self, node: &str) -> Result<u64, LedgerError> {
        let select = "SELECT arrival FROM shipped WHERE node = ?";
        let arrival = self.conn.query_row(select, [node], |row| unsigned(row, 0)).optional();
        Ok(arrival.map_err(LedgerError::sqlite(&self.path))?.unwrap_or(0))
    }

    fn set_shipped(&mut self, node: &str, arrival: u64) -> Result<(), LedgerError> {
        check_node(node)?;
        self.write(|tx, path| {
            tx.execute(
                "INSERT OR REPLACE INTO shipped(node, arrival) VALUES(?, ?)",
                params![node, number(arrival)],
            )
            .map_err(LedgerError::sqlite(path))?;
            Ok(())
        })
    }
}

/// Whether `event` is what this node decided in this life.
fn check_own(event: &Sealed, node: &str, life: u32) -> Result<(), LedgerError> {
    check_bounds(event)?;
    if event.node != node || event.life != life {
        let (expected, got) =
            (format!("node {node}, life {life}"), format!("node {}, life {}", event.node, event.life));
        return Err(LedgerError::OutOfChain { event: event.id(), expected, got });
    }
    Ok(())
}

/// Takes in one foreign event; says whether it is new.
fn admit_one(tx: &Transaction<'_>, path: &Path, event: &Sealed, ours: bool) -> Result<bool, LedgerError> {
    check_bounds(event)?;
    check_hash(event).map_err(|misfit| misfit.of(event.id()))?;
    if let Some(kept) = stored(tx, event).map_err(LedgerError::sqlite(path))? {
        return if kept == event.hash { Ok(false) } else { Err(conflict(event, &kept)) };
    }
    if ours {
        return Err(LedgerError::OwnLife { event: event.id() });
    }
    let end = head(tx, &event.node, event.life).map_err(LedgerError::sqlite(path))?;
    follow(&end, event).map_err(|misfit| misfit.of(event.id()))?;
    insert(tx, event).map_err(LedgerError::sqlite(path))?;
    Ok(true)
}

fn conflict(event: &Sealed, kept: &[u8; 32]) -> LedgerError {
    LedgerError::Conflict { event: event.id(), kept: hex(kept), got: hex(&event.hash) }
}

/// The hash of what is stored under the id of `event`.
fn stored(conn: &Connection, event: &Sealed) -> rusqlite::Result<Option<[u8; 32]>> {
    conn.prepare_cached("SELECT hash FROM event WHERE node = ? AND life = ? AND seq = ?")?
        .query_row(params![event.node, event.life, number(event.seq)], |row| row.get(0))
        .optional()
}

fn head(conn: &Connection, node: &str, life: u32) -> rusqlite::Result<Head> {
    let found = conn
        .prepare_cached("SELECT seq, hash FROM event WHERE node = ? AND life = ? ORDER BY seq DESC LIMIT 1")?
        .query_row(params![node, life], |row| Ok(Head { seq: unsigned(row, 0)?, hash: row.get(1)? }))
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn last_arrival(conn: &Connection) -> rusqlite::Result<u64> {
    conn.prepare_cached("SELECT coalesce(max(arrival), 0) FROM event")?.query_row([], |row| unsigned(row, 0))
}

fn insert(conn: &Connection, event: &Sealed) -> rusqlite::Result<()> {
    let Sealed { node, life, seq, prev, hash, bytes } = event;
    conn.prepare_cached("INSERT INTO event(node, life, seq, prev, hash, bytes) VALUES(?, ?, ?, ?, ?, ?)")?
        .execute(params![node, life, number(*seq), prev, hash, bytes])
        .map(drop)
}

/// Reads the columns [`EVENT`].
fn event_of(row: &Row<'_>) -> rusqlite::Result<(u64, Sealed)> {
    let event = Sealed {
        node: row.get(1)?,
        life: row.get(2)?,
        seq: unsigned(row, 3)?,
        prev: row.get(4)?,
        hash: row.get(5)?,
        bytes: row.get(6)?,
    };
    Ok((unsigned(row, 0)?, event))
}

/// SQLite's numbers are signed. Ours count events and milliseconds and stay far below the limit;
/// what a peer invents above it is held at it, where it follows nothing.
pub(super) fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// A column that holds no negative number unless the file is damaged.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let signed: i64 = row.get(column)?;
    u64::try_from(signed).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, signed))
}

#[cfg(test)]
mod tests;
