//! A copy of the ledger while it is written, and a new life from a copy.

use std::fs;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, ffi};

use super::verify::{VerifyError, verify};
use super::{LedgerError, SqliteLedger, schema};
use crate::{DataDir, StoreError, files};

/// What SQLite keeps beside a database that is open, or that was not closed.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

impl SqliteLedger {
    /// Copies this ledger to the file `to`; see [`backup`].
    pub fn backup(&self, to: &Path) -> Result<(), LedgerError> {
        backup(&self.path, to)
    }
}

/// Copies the ledger file `from` to the file `to`, also beside a daemon that writes.
///
/// The copy is one consistent state in one file, readable by its owner alone. A copy that is there
/// already gives way in one step, when the new one is whole and durable.
///
/// # Errors
///
/// [`StoreError::InTheWay`] when `to` is a database in use.
pub fn backup(from: &Path, to: &Path) -> Result<(), LedgerError> {
    for beside in BESIDE {
        let file = files::with_suffix(to, beside);
        // SQLite would replay the old log into the new file.
        if files::is_taken(&file) {
            return Err(StoreError::InTheWay { file }.into());
        }
    }
    let temporary = files::temporary_for(to);
    copy(from, &temporary)?;
    Ok(files::put_in_place(&temporary, to)?)
}

/// Begins a new life in the empty `store` from the backup `from`; returns the life.
///
/// The backup is verified first. The life is one more than any that the backup knows of this node,
/// and more than `life_after`: give the highest life that the node had (an old journal's header,
/// a peer), for a second restore from the same backup must not repeat the first one's life.
/// Journal and checkpoints are not restored; begin them anew, for they know of later decisions.
///
/// # Errors
///
/// [`VerifyError::Bad`] when the backup is damaged, [`StoreError::InTheWay`] when the store has a
/// ledger.
pub fn restore(from: &Path, store: &DataDir, life_after: u32) -> Result<u32, VerifyError> {
    let to = store.ledger();
    if files::is_taken(&to) {
        return Err(VerifyError::Ledger(StoreError::InTheWay { file: to }.into()));
    }
    verify(from, &mut |_, _| {})?;
    revive(from, &to, life_after).map_err(VerifyError::Ledger)
}

fn revive(from: &Path, to: &Path, life_after: u32) -> Result<u32, LedgerError> {
    let temporary = files::temporary_for(to);
    copy(from, &temporary)?;
    let life = begin_life(&temporary, life_after)?;
    files::put_in_place(&temporary, to)?;
    Ok(life)
}

fn begin_life(path: &Path, life_after: u32) -> Result<u32, LedgerError> {
    let conn = schema::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let node = schema::meta(&conn, path, "node")?;
    let lived = schema::meta_number(&conn, path, "life")?;
    // A peer may have given us back events of a life that this copy did not live.
    let select = "SELECT coalesce(max(life), 0) FROM event WHERE node = ?";
    let known = conn.query_row(select, [node], |row| row.get(0)).map_err(LedgerError::sqlite(path))?;
    let life = lived.max(known).max(life_after).saturating_add(1);
    schema::set_meta(&conn, "life", &life.to_string()).map_err(LedgerError::sqlite(path))?;
    Ok(life)
}

/// Copies in one read transaction: writers go on meanwhile, and the copy is not begun again.
fn copy(from: &Path, to: &Path) -> Result<(), LedgerError> {
    let source = schema::open_to_read(from)?;
    remove(to)?;
    files::create_private(to)?;
    let mut target = schema::connect(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // The whole file is synced at the end, before it gets its name.
    target.pragma_update(None, "synchronous", "OFF").map_err(LedgerError::sqlite(to))?;
    copy_pages(&source, &mut target).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => LedgerError::sqlite(to)(error),
        _ => LedgerError::sqlite(from)(error),
    })?;
    // One file, that also a medium without write access can hold.
    target.pragma_update(None, "journal_mode", "DELETE").map_err(LedgerError::sqlite(to))?;
    target.close().map_err(|(_, error)| LedgerError::sqlite(to)(error))?;
    Ok(())
}

/// All pages at once: in WAL mode that stops no writer.
fn copy_pages(source: &Connection, target: &mut Connection) -> rusqlite::Result<()> {
    match Backup::new(source, target)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
    }
}

/// Removes what an interrupted copy left.
fn remove(path: &Path) -> Result<(), StoreError> {
    let leftovers = BESIDE.iter().map(|beside| files::with_suffix(path, beside)).chain([path.to_path_buf()]);
    for file in leftovers.filter(|file| files::is_taken(file)) {
        fs::remove_file(&file).map_err(StoreError::io(&file, "remove"))?;
    }
    Ok(())
}
