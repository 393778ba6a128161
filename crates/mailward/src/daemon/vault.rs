//! Evidence for the portal and the operator, read from the store's files.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ledger::{Exhibits, SqliteLedger};
use model::{CaseId, Evidence, Exhibit, ExhibitId, Redacted};

/// Reads over connections of its own; the writers are never asked.
pub(crate) struct Vault {
    ledger: Reader<SqliteLedger>,
    exhibits: Reader<Exhibits>,
}

impl Vault {
    /// A vault over a ledger and a file of exhibits.
    pub(crate) fn new(ledger: PathBuf, exhibits: PathBuf) -> Vault {
        Vault { ledger: Reader::new(ledger), exhibits: Reader::new(exhibits) }
    }

    /// The operator's form of a case's exhibits, as far as they are still kept in full.
    pub(crate) fn full(&self, case: CaseId) -> Vec<Exhibit> {
        let evidence = portal::Vault::evidence(self, case);
        let ids = evidence.iter().filter_map(|e| e.exhibit);
        ids.filter_map(|id| self.exhibit(id, Exhibits::full)).collect()
    }

    fn evidence_of(&self, case: CaseId) -> Result<Vec<Evidence>, String> {
        let open = |path: &Path| SqliteLedger::open_to_read(path).map_err(|e| e.to_string());
        let rows = self
            .ledger
            .read(open, |ledger| ledger.evidence_for(&case.to_string()).map_err(|e| e.to_string()))?;
        Ok(rows.iter().filter_map(|row| minicbor::decode(&row.body).ok()).collect())
    }

    fn exhibit<T>(&self, id: ExhibitId, form: Form) -> Option<T>
    where
        T: for<'b> minicbor::Decode<'b, ()>,
    {
        let open = |path: &Path| Exhibits::open_to_read(path).map_err(|e| e.to_string());
        let bytes = self.exhibits.read(open, |exhibits| form(exhibits, id.0).map_err(|e| e.to_string()));
        let bytes = bytes.unwrap_or_else(|error| {
            tracing::warn!(%error, exhibit = %id, "headers can not be read");
            None
        });
        bytes.and_then(|bytes| minicbor::decode(&bytes).ok())
    }
}

/// One of the two forms in which an exhibit is kept.
type Form = fn(&Exhibits, [u8; 16]) -> Result<Option<Vec<u8>>, ledger::StoreError>;

impl portal::Vault for Vault {
    fn evidence(&self, case: CaseId) -> Vec<Evidence> {
        self.evidence_of(case).unwrap_or_else(|error| {
            tracing::warn!(%error, %case, "evidence can not be read");
            Vec::new()
        })
    }

    fn exhibits(&self, ids: &[ExhibitId]) -> Vec<(ExhibitId, Redacted)> {
        ids.iter().filter_map(|id| Some((*id, self.exhibit(*id, Exhibits::redacted)?))).collect()
    }
}

/// A file that is opened when it is first read, and again after an error.
struct Reader<T> {
    path: PathBuf,
    opened: Mutex<Option<T>>,
}

impl<T> Reader<T> {
    fn new(path: PathBuf) -> Reader<T> {
        Reader { path, opened: Mutex::new(None) }
    }

    fn read<R>(
        &self,
        open: impl FnOnce(&Path) -> Result<T, String>,
        read: impl FnOnce(&T) -> Result<R, String>,
    ) -> Result<R, String> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match opened.take() {
            Some(file) => file,
            None => open(&self.path)?,
        };
        let result = read(&file)?;
        *opened = Some(file);
        Ok(result)
    }
}
