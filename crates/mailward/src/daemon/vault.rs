//! Evidence for the portal and the operator, read from the ledger's file.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ledger::SqliteLedger;
use model::{CaseId, Evidence, ExhibitId, Redacted};

/// Reads evidence over a connection of its own; the writer is never asked.
pub(crate) struct Vault {
    path: PathBuf,
    reader: Mutex<Option<SqliteLedger>>,
}

impl Vault {
    pub(crate) fn new(path: PathBuf) -> Vault {
        Vault { path, reader: Mutex::new(None) }
    }

    fn read(&self, case: CaseId) -> Result<Vec<Evidence>, String> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = match reader.take() {
            Some(ledger) => ledger,
            None => SqliteLedger::open_to_read(&self.path).map_err(|e| e.to_string())?,
        };
        let rows = ledger.evidence_for(&case.to_string()).map_err(|e| e.to_string())?;
        *reader = Some(ledger);
        Ok(rows.iter().filter_map(|row| minicbor::decode(&row.body).ok()).collect())
    }
}

impl portal::Vault for Vault {
    fn evidence(&self, case: CaseId) -> Vec<Evidence> {
        self.read(case).unwrap_or_else(|error| {
            tracing::warn!(%error, %case, "evidence can not be read");
            Vec::new()
        })
    }
    fn exhibits(&self, _: &[ExhibitId]) -> Vec<(ExhibitId, Redacted)> {
        Vec::new()
    }
}
