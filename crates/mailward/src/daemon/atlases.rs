//! Tables of networks on disk, each under the SHA-256 of its bytes.
//!
//! The journal and the checkpoints name a table; here it is looked up. So a replay judges
//! by the table that was in force, whatever the operator's files say by then.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine::Engine;
use model::{Atlas, Frame, Input};
use projections::Projector;
use sha2::{Digest, Sha256};

use crate::config::Config;

/// A table that no journal segment can name any more is kept so much longer.
const KEPT_AFTER: Duration = Duration::from_secs(7 * 86_400);

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("networks")
}

fn file(data_dir: &Path, hash: &[u8; 32]) -> PathBuf {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    folder(data_dir).join(format!("{hex}.atlas"))
}

/// Reads the operator's files, and keeps their table; says under which name.
///
/// # Errors
///
/// What is wrong with a file, or with the disk.
pub(crate) fn adopt(config: &Config) -> Result<[u8; 32], String> {
    let (systems, countries) = config.tables();
    let atlas = crate::atlas::read(systems, countries).map_err(|error| error.to_string())?;
    let bytes = atlas.to_bytes();
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    keep(config.data_dir(), &hash, &bytes)?;
    Ok(hash)
}

fn keep(data_dir: &Path, hash: &[u8; 32], bytes: &[u8]) -> Result<(), String> {
    let path = file(data_dir, hash);
    if path.exists() {
        return Ok(());
    }
    super::feeds::write_whole(&path, bytes)
}

/// The table with this name.
///
/// # Errors
///
/// It is missing, or its bytes are others.
pub(crate) fn load(data_dir: &Path, hash: &[u8; 32]) -> Result<Atlas, String> {
    let path = file(data_dir, hash);
    let wrong = |why: String| format!("{}: {why}; the journal names this table of networks", path.display());
    let bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    if <[u8; 32]>::from(Sha256::digest(&bytes)) != *hash {
        return Err(wrong("the bytes are not those of its name".to_owned()));
    }
    Atlas::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))
}

/// Hands an engine of a checkpoint the table in force.
///
/// # Errors
///
/// Of [`load`].
pub(crate) fn hand_in_force(engine: &mut Engine, data_dir: &Path) -> Result<(), String> {
    if let Some(hash) = engine.atlas() {
        engine.shelve(Arc::new(load(data_dir, &hash)?));
    }
    Ok(())
}

/// Hands the engine the tables that a frame adopts, before the frame.
///
/// # Errors
///
/// Of [`load`].
pub(crate) fn hand_in(engine: &mut Engine, data_dir: &Path, frame: &Frame) -> Result<(), String> {
    for input in &frame.inputs {
        if let Input::Atlas(hash) = input {
            engine.shelve(Arc::new(load(data_dir, hash)?));
        }
    }
    Ok(())
}

/// Shows a table to those who answer; one that can not be read leaves them the old one.
pub(super) fn show(projector: &mut Projector, data_dir: &Path, hash: &[u8; 32]) {
    match load(data_dir, hash) {
        Ok(atlas) => projector.set_atlas(Arc::new(atlas)),
        Err(error) => tracing::error!(%error, "a table of networks can not be read"),
    }
}

/// What the journal must hear of the configured tables at a start. A file that can not be
/// read leaves the table in force, and a note.
pub(super) fn first_input(config: &Config, engine: &Engine, notes: &mut Vec<String>) -> Option<Input> {
    let (systems, countries) = config.tables();
    if systems.is_empty() && countries.is_empty() && engine.atlas().is_none() {
        return None;
    }
    match adopt(config) {
        Ok(hash) => (engine.atlas() != Some(hash)).then_some(Input::Atlas(hash)),
        Err(error) => {
            notes.push(format!("{error}; the table of networks that was in force stays"));
            None
        }
    }
}

/// Removes tables that are not in force, once no segment of the journal can name them.
pub(super) fn prune(config: &Config, engine: &Engine) {
    let in_force = engine.atlas().map(|hash| file(config.data_dir(), &hash));
    let age = Duration::from_secs(config.journal().age.0).saturating_add(KEPT_AFTER);
    let old = |entry: &fs::DirEntry| {
        let written = entry.metadata().and_then(|meta| meta.modified());
        written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|since| since > age))
    };
    let entries = fs::read_dir(folder(config.data_dir())).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| old(entry) && Some(entry.path()) != in_force) {
        // One that stays costs some megabytes.
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use model::atlas::Draft;

    #[test]
    fn a_table_is_found_by_its_name_and_refused_when_it_was_changed() {
        let scratch = Scratch::new("atlases");
        let mut systems = Draft::default();
        systems.add_prefix("192.0.2.0/24".parse().unwrap(), 64_496);
        let atlas = Atlas::new(systems, Draft::default());
        let (hash, bytes) = (atlas.hash(), atlas.to_bytes());
        keep(scratch.path(), &hash, &bytes).unwrap();
        keep(scratch.path(), &hash, &bytes).unwrap();
        assert_eq!(load(scratch.path(), &hash).unwrap(), atlas);
        let path = file(scratch.path(), &hash);
        fs::write(&path, &bytes[1..]).unwrap();
        assert!(load(scratch.path(), &hash).unwrap_err().contains("not those of its name"));
        fs::remove_file(&path).unwrap();
        let error = load(scratch.path(), &hash).unwrap_err();
        assert!(error.contains("the journal names this table of networks"), "{error}");
    }
}
