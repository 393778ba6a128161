//! The working copy: where it is, and what is tracked in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::TaskError;
use crate::run;

/// The most bytes of one file that we look at; what is bigger is data, not text.
const FILE_LEN_MAX: u64 = 4 * 1024 * 1024;

/// `git ls-files` reads one index file; a minute means that something is stuck.
const GIT_LIMIT: Duration = Duration::from_secs(60);

/// One tracked file.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Its path from the top, with `/`.
    pub(crate) path: String,
    /// Its text; bytes that are not UTF-8 are replaced. Empty for what is no text.
    pub(crate) text: String,
}

/// The tracked files of a working copy, in the order of their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// The files.
    pub(crate) files: Vec<SourceFile>,
}

impl Tree {
    /// Reads every tracked file that still exists. Data, and what is bigger than 4 MiB, is
    /// listed without its bytes, so that links to it lead somewhere.
    pub(crate) fn load() -> Result<Self, TaskError> {
        let mut files = Vec::new();
        for path in tracked()? {
            files.extend(read(path)?);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// The text of the file at `path`.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        Some(&self.files[at].text)
    }

    /// Whether `path` is a tracked file, or a folder that holds one.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }

    /// The files whose path ends in `suffix`.
    pub(crate) fn ending(&self, suffix: &'static str) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(move |file| file.path.ends_with(suffix))
    }

    /// A made-up tree for tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<_> = files
            .iter()
            .map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }
}

/// The top of the working copy that this program was built in.
pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top().join("target"), PathBuf::from)
}

/// A `cargo` command at the top of the working copy.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(top()).args(arguments);
    command
}

/// Reads a file of the working copy as text.
pub(crate) fn read_text(path: &str) -> Result<String, TaskError> {
    let path = top().join(path);
    fs::read_to_string(&path).map_err(TaskError::file(&path))
}

fn tracked() -> Result<Vec<String>, TaskError> {
    let mut git = Command::new("git");
    // CI containers often run as another user than the one who cloned.
    git.current_dir(top()).args(["-c", "safe.directory=*", "ls-files", "-z"]);
    let names = run::output(&mut git, GIT_LIMIT)?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn read(path: String) -> Result<Option<SourceFile>, TaskError> {
    let full = top().join(&path);
    // A tracked file may be deleted in the working copy, or be a link to nowhere.
    let Ok(about) = fs::metadata(&full) else { return Ok(None) };
    if !about.is_file() {
        return Ok(None);
    }
    let fits = about.len() <= FILE_LEN_MAX;
    let bytes = if fits { fs::read(&full).map_err(TaskError::file(&full))? } else { Vec::new() };
    Ok(Some(SourceFile { path, text: text_of(&bytes) }))
}

/// As git tells data from text: data has a NUL. Chance makes any word in packed bytes.
fn text_of(bytes: &[u8]) -> String {
    if bytes.contains(&0) { String::new() } else { String::from_utf8_lossy(bytes).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_no_text() {
        assert_eq!(text_of("añb\n".as_bytes()), "añb\n");
        assert_eq!(text_of(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(text_of(b"PK\0a"), "");
    }
}
