//! The tables, their version, and how the database is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::LedgerError;
use crate::StoreError;
use crate::files;

/// The version of the tables that this code writes, and the newest that it reads.
pub(super) const SCHEMA: u32 = 1;

/// The life of a ledger that was never restored.
const FIRST_LIFE: u32 = 1;

/// How long a commit or a reader waits for another connection (an expiry, a last checkpoint).
const BUSY_MAX: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE meta(
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE event(
    arrival INTEGER PRIMARY KEY AUTOINCREMENT,
    node    TEXT NOT NULL,
    life    INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    prev    BLOB NOT NULL,
    hash    BLOB NOT NULL,
    bytes   BLOB NOT NULL,
    UNIQUE(node, life, seq)
) STRICT;
CREATE TABLE evidence(
    id         INTEGER PRIMARY KEY,
    case_ref   TEXT NOT NULL,
    event      TEXT NOT NULL,
    position   INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    body       BLOB NOT NULL,
    expires_ms INTEGER
) STRICT;
CREATE INDEX evidence_case ON evidence(case_ref);
CREATE INDEX evidence_expires ON evidence(expires_ms) WHERE expires_ms IS NOT NULL;
CREATE TABLE side(
    commitment BLOB PRIMARY KEY,
    salt       BLOB NOT NULL,
    body       BLOB NOT NULL,
    expires_ms INTEGER
) STRICT;
CREATE INDEX side_expires ON side(expires_ms) WHERE expires_ms IS NOT NULL;
CREATE TABLE shipped(
    node    TEXT PRIMARY KEY,
    arrival INTEGER NOT NULL
) STRICT;
";

/// Opens `path` for writing and creates the tables of `node` if they are not there.
pub(super) fn open(path: &Path, node: &str) -> Result<Connection, LedgerError> {
    if !files::is_taken(path) {
        // SQLite would let everybody read it.
        files::create_private(path)?;
        files::sync_dir(files::directory_of(path))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(path, flags)?;
    prepare(&mut conn, node).map_err(StoreError::sqlite(path))?;
    check_schema(&conn, path)?;
    durable(&conn).map_err(StoreError::sqlite(path))?;
    Ok(conn)
}

/// Opens `path` for reading only; also beside a daemon that writes.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, LedgerError> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    check_schema(&conn, path)?;
    Ok(conn)
}

/// Opens `path` and sets what every connection needs.
pub(crate) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags).map_err(StoreError::sqlite(path))?;
    conn.busy_timeout(BUSY_MAX).map_err(StoreError::sqlite(path))?;
    Ok(conn)
}

/// Every commit is synced; what is erased is overwritten; the log beside the file does not grow
/// for ever.
pub(crate) fn durable(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "secure_delete", "ON")?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)
}

fn prepare(conn: &mut Connection, node: &str) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        tx.execute_batch(TABLES)?;
        set_meta(&tx, "schema", &SCHEMA.to_string())?;
        set_meta(&tx, "node", node)?;
        set_meta(&tx, "life", &FIRST_LIFE.to_string())?;
    }
    tx.commit()
}

pub(super) fn set_meta(conn: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    conn.execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", [key, value]).map(drop)
}

/// The text under `key`.
pub(super) fn meta(conn: &Connection, path: &Path, key: &str) -> Result<String, StoreError> {
    let value = conn
        .query_row("SELECT value FROM meta WHERE key = ?", [key], |row| row.get(0))
        .optional()
        .map_err(StoreError::sqlite(path))?;
    value.ok_or_else(|| StoreError::Damaged {
        file: path.to_path_buf(),
        what: format!("expected a row {key} in table meta, but got none"),
    })
}

/// The number under `key`.
pub(super) fn meta_number(conn: &Connection, path: &Path, key: &str) -> Result<u32, StoreError> {
    let value = meta(conn, path, key)?;
    value.parse().map_err(|_| StoreError::Damaged {
        file: path.to_path_buf(),
        what: format!("expected a number as {key} in table meta, but got {}", files::quote(value.as_bytes())),
    })
}

fn check_schema(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    if !conn.table_exists(None, "meta").map_err(StoreError::sqlite(path))? {
        return Err(StoreError::NotOurs {
            file: path.to_path_buf(),
            expected: "a ledger of mailward",
            got: "another program's database".to_owned(),
        });
    }
    let found = meta_number(conn, path, "schema")?;
    if found > SCHEMA {
        return Err(StoreError::Newer { file: path.to_path_buf(), found, understood: SCHEMA });
    }
    Ok(())
}
