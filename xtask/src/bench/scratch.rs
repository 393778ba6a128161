//! A folder for the files of one run; it goes with the value.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::TaskError;

/// A folder below the system's temporary one.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty folder that every user may write to: some peers drop root.
    pub(super) fn new(name: &str) -> Result<Self, TaskError> {
        let path = std::env::temp_dir().join(format!("mailward-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).map_err(TaskError::file(&path))?;
        fs::set_permissions(&path, Permissions::from_mode(0o777)).map_err(TaskError::file(&path))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it and returns where that is.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, TaskError> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(TaskError::file(&path))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
