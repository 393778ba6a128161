//! What stands beside the events and may be forgotten: evidence, and side rows.
//!
//! Erasing overwrites: the file's pages (`secure_delete`), and the log beside the file, which is
//! emptied after every erasure. Copies (backups, snapshots of the file system) are not reached.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::sqlite::{number, unsigned};
use super::{EvidenceRow, LedgerError, SideRow, SqliteLedger};

impl SqliteLedger {
    /// The evidence of a case, in the order of its inputs.
    pub fn evidence_for(&self, case: &str) -> Result<Vec<EvidenceRow>, LedgerError> {
        let read = || {
            let mut statement = self.conn.prepare_cached(
                "SELECT case_ref, event, position, salt, body, expires_ms FROM evidence
                 WHERE case_ref = ? ORDER BY position, id",
            )?;
            statement.query_map([case], evidence_of)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(LedgerError::sqlite(&self.path))
    }

    /// The row behind a commitment, if it is still there.
    pub fn side(&self, commitment: &[u8]) -> Result<Option<SideRow>, LedgerError> {
        let read = || {
            self.conn
                .prepare_cached("SELECT commitment, salt, body, expires_ms FROM side WHERE commitment = ?")?
                .query_row([commitment], side_of)
                .optional()
        };
        read().map_err(LedgerError::sqlite(&self.path))
    }

    /// Sets when a case's evidence may be forgotten: its block ends later, or earlier, than it did.
    pub fn set_evidence_expiry(&mut self, case: &str, expires_ms: Option<u64>) -> Result<usize, LedgerError> {
        self.write(|tx, path| {
            let expires = expires_ms.map(number);
            let update = "UPDATE evidence SET expires_ms = ? WHERE case_ref = ?";
            tx.execute(update, params![expires, case]).map_err(LedgerError::sqlite(path))
        })
    }

    /// Erases what expires at `now_ms` or earlier; returns the number of rows.
    pub fn expire(&mut self, now_ms: u64) -> Result<usize, LedgerError> {
        let now = number(now_ms);
        self.erase(|conn| {
            let evidence = conn.execute("DELETE FROM evidence WHERE expires_ms <= ?", [now])?;
            Ok(evidence + conn.execute("DELETE FROM side WHERE expires_ms <= ?", [now])?)
        })
    }

    /// Erases a case's evidence at somebody's request; returns the number of rows.
    pub fn erase_evidence(&mut self, case: &str) -> Result<usize, LedgerError> {
        self.erase(|conn| conn.execute("DELETE FROM evidence WHERE case_ref = ?", [case]))
    }

    /// Erases what is behind a commitment at somebody's request; the chain stays valid.
    pub fn erase_side(&mut self, commitment: &[u8]) -> Result<usize, LedgerError> {
        self.erase(|conn| conn.execute("DELETE FROM side WHERE commitment = ?", [commitment]))
    }

    fn erase(
        &mut self,
        delete: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<usize, LedgerError> {
        let rows = self.write(|tx, path| delete(tx).map_err(LedgerError::sqlite(path)))?;
        if rows > 0 {
            // The log still holds the old pages. While somebody reads it only gets shorter later,
            // which is no error.
            self.conn
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                .map_err(LedgerError::sqlite(&self.path))?;
        }
        Ok(rows)
    }
}

/// Stores what comes with a group of events, in their transaction.
///
/// A side row that is there already stays: the same commitment means the same content.
pub(super) fn insert(conn: &Connection, evidence: &[EvidenceRow], side: &[SideRow]) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO evidence(case_ref, event, position, salt, body, expires_ms) VALUES(?, ?, ?, ?, ?, ?)",
    )?;
    for row in evidence {
        let EvidenceRow { case, event, position, salt, body, expires_ms } = row;
        insert.execute(params![case, event, number(*position), salt, body, expires_ms.map(number)])?;
    }
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO side(commitment, salt, body, expires_ms) VALUES(?, ?, ?, ?)",
    )?;
    for SideRow { commitment, salt, body, expires_ms } in side {
        insert.execute(params![commitment, salt, body, expires_ms.map(number)])?;
    }
    Ok(())
}

fn evidence_of(row: &Row<'_>) -> rusqlite::Result<EvidenceRow> {
    Ok(EvidenceRow {
        case: row.get(0)?,
        event: row.get(1)?,
        position: unsigned(row, 2)?,
        salt: row.get(3)?,
        body: row.get(4)?,
        expires_ms: expiry(row, 5)?,
    })
}

fn side_of(row: &Row<'_>) -> rusqlite::Result<SideRow> {
    Ok(SideRow { commitment: row.get(0)?, salt: row.get(1)?, body: row.get(2)?, expires_ms: expiry(row, 3)? })
}

fn expiry(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    let stored: Option<i64> = row.get(column)?;
    stored.map(|_| unsigned(row, column)).transpose()
}
