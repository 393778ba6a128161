//! Headers of messages that can become evidence: `exhibits.db`, beside the ledger.
//!
//! A file of its own, so that the many that no case ever takes cost the ledger nothing. A row
//! has the operator's form, erased after a week, and the redacted form, kept as long as the
//! case that took it is shown. What no case took goes after a few days, or earlier, the oldest
//! first, when there are too many. Erasing overwrites (`secure_delete`).
//!
//! Nothing here knows what an exhibit says: both forms are bytes.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::decisions::schema;
use crate::{DataDir, StoreError, files};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS exhibit(
    id         BLOB PRIMARY KEY,
    redacted   BLOB NOT NULL,
    full       BLOB,
    size       INTEGER NOT NULL,
    full_until INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    taken      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS exhibit_until ON exhibit(until);
CREATE INDEX IF NOT EXISTS exhibit_taken ON exhibit(taken, until, id, size);
CREATE INDEX IF NOT EXISTS exhibit_full ON exhibit(full_until) WHERE full IS NOT NULL;
";

/// Rows that one sweep removes at most to make room: a writer waits meanwhile.
const SWEPT_MAX: u32 = 10_000;

/// One exhibit to be stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExhibitRow {
    /// Its name.
    pub id: [u8; 16],
    /// What a link holder may see.
    pub redacted: Vec<u8>,
    /// What the operator sees.
    pub full: Vec<u8>,
    /// When the operator's form is erased, in milliseconds since 1970.
    pub full_until_ms: u64,
    /// When all of it goes if no case takes it.
    pub until_ms: u64,
}

/// The store of exhibits; one connection, for one thread.
pub struct Exhibits {
    conn: Connection,
    path: PathBuf,
    _store: Option<DataDir>,
}

impl Exhibits {
    /// Opens the exhibits of `store`, or creates them.
    pub fn open(store: &DataDir) -> Result<Exhibits, StoreError> {
        let path = store.exhibits();
        if !files::is_taken(&path) {
            files::create_private(&path)?;
            files::sync_dir(files::directory_of(&path))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = schema::connect(&path, flags)?;
        schema::durable(&conn)
            .and_then(|()| conn.execute_batch(TABLES))
            .map_err(StoreError::sqlite(&path))?;
        Ok(Exhibits { conn, path, _store: Some(store.clone()) })
    }

    /// Opens the file `path` for reading, also beside a daemon that writes.
    pub fn open_to_read(path: &Path) -> Result<Exhibits, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Exhibits { conn: schema::connect(path, flags)?, path: path.to_path_buf(), _store: None })
    }

    /// Stores a group; all of it is durable when this returns.
    pub fn put(&mut self, rows: &[ExhibitRow]) -> Result<(), StoreError> {
        self.write(|conn| {
            let mut insert = conn.prepare_cached(
                "INSERT OR IGNORE INTO exhibit(id, redacted, full, size, full_until, until)
                 VALUES(?, ?, ?, ?, ?, ?)",
            )?;
            for row in rows {
                let size = row.redacted.len() + row.full.len();
                let (full_until, until) = (stored(row.full_until_ms), stored(row.until_ms));
                let size = i64::try_from(size).unwrap_or(i64::MAX);
                insert.execute(params![row.id, row.redacted, row.full, size, full_until, until])?;
            }
            Ok(())
        })
    }

    /// A case took these: they stay until `until_ms`, or longer if they would have.
    ///
    /// One that is gone already is no error: the case shows what is left.
    pub fn take(&mut self, ids: &[[u8; 16]], until_ms: u64) -> Result<(), StoreError> {
        self.write(|conn| {
            let mut update =
                conn.prepare_cached("UPDATE exhibit SET taken = 1, until = max(until, ?) WHERE id = ?")?;
            ids.iter().try_for_each(|id| update.execute(params![stored(until_ms), id]).map(drop))
        })
    }

    /// Erases what is past its time, and beyond `bytes_max` the oldest that no case took.
    /// Returns how many exhibits went.
    pub fn sweep(&mut self, now_ms: u64, bytes_max: u64) -> Result<usize, StoreError> {
        let now = stored(now_ms);
        let gone = self.write(|conn| {
            let erased = conn.execute(
                "UPDATE exhibit SET full = NULL, size = length(redacted)
                 WHERE full IS NOT NULL AND full_until <= ?",
                [now],
            )?;
            let mut gone = conn.execute("DELETE FROM exhibit WHERE until <= ?", [now])?;
            let held: i64 = conn.query_row("SELECT coalesce(sum(size), 0) FROM exhibit", [], |r| r.get(0))?;
            let over = held.saturating_sub(stored(bytes_max));
            if over > 0 {
                gone += conn.execute(
                    "DELETE FROM exhibit WHERE id IN (
                       SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY until, id) - size AS before
                         FROM (SELECT * FROM exhibit WHERE taken = 0 ORDER BY until, id LIMIT ?))
                       WHERE before < ?)",
                    params![SWEPT_MAX, over],
                )?;
            }
            Ok((gone, erased))
        })?;
        let (gone, erased) = gone;
        // The log beside the file still holds what was erased.
        if gone + erased > 0 {
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.conn.query_row(checkpoint, [], |_| Ok(())).map_err(StoreError::sqlite(&self.path))?;
        }
        Ok(gone)
    }

    /// The redacted form; `None` when it is gone or never was.
    pub fn redacted(&self, id: [u8; 16]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("SELECT redacted FROM exhibit WHERE id = ?", id)
    }

    /// The operator's form; `None` when it is gone or never was.
    pub fn full(&self, id: [u8; 16]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("SELECT full FROM exhibit WHERE id = ?", id)
    }

    fn read(&self, query: &str, id: [u8; 16]) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self
            .conn
            .prepare_cached(query)
            .and_then(|mut select| select.query_row([id], |row| row.get(0)).optional());
        row.map(Option::flatten).map_err(StoreError::sqlite(&self.path))
    }

    fn write<T>(&mut self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let Exhibits { conn, path, .. } = self;
        let commit = || {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let written = write(&tx)?;
            tx.commit()?;
            Ok(written)
        };
        commit().map_err(StoreError::sqlite(path))
    }
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
