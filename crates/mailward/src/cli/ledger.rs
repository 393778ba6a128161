//! `mailward ledger`: verify, dump, back up, restore. Works with and without a daemon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use ledger::{DataDir, EventStore, SqliteLedger};
use serde_json::json;

use super::{Done, Failed};
use crate::config::Config;
use crate::daemon::{from_stored, utc};

/// Events read at a time.
const BATCH: usize = 1000;

#[derive(Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check every hash and name the first bad entry.
    Verify {
        /// Run the journal again, too: the same journal must give the same ledger, byte for byte.
        #[arg(long)]
        journal: bool,
        /// Begin with the newest checkpoint in this folder instead of the first frame.
        #[arg(long, value_name = "FOLDER", requires = "journal")]
        from: Option<PathBuf>,
        /// Threads of the engine.
        #[arg(long, default_value_t = 1, requires = "journal")]
        engine_threads: usize,
    },
    /// Print every event, one JSON object a line.
    Dump,
    /// Copy the ledger to a file while the daemon runs.
    Backup {
        /// The file; replaced when it is there.
        to: PathBuf,
    },
    /// Begin a new life from a backup, in an empty data directory.
    Restore {
        /// The backup.
        from: PathBuf,
        /// The highest life that this node has had, if the backup may not know it.
        #[arg(long, default_value_t = 0)]
        life_after: u32,
    },
}

pub(crate) fn main(config: &Config, what: &LedgerCommand) -> Done {
    let path = config.data_dir().join("ledger.db");
    match what {
        LedgerCommand::Verify { journal, from, engine_threads } => {
            verify(&path)?;
            if *journal { rerun(config, from.as_deref(), *engine_threads) } else { Ok(ExitCode::SUCCESS) }
        }
        LedgerCommand::Dump => dump(&path),
        LedgerCommand::Backup { to } => {
            ledger::decisions::backup(&path, to).map_err(|e| e.to_string())?;
            crate::say!("{} holds the ledger.", to.display());
            Ok(ExitCode::SUCCESS)
        }
        LedgerCommand::Restore { from, life_after } => restore(config, from, *life_after),
    }
}

fn verify(path: &Path) -> Done {
    let verified = ledger::decisions::verify(path, &mut |_, _| {}).map_err(|e| e.to_string())?;
    crate::say!("{}: {} events, every hash as it should be.", path.display(), verified.events);
    Ok(ExitCode::SUCCESS)
}

fn rerun(config: &Config, from: Option<&Path>, threads: usize) -> Done {
    let done = crate::daemon::rerun::rerun(config, from, threads)?;
    crate::say!(
        "{} frames from position {} on {threads} thread(s): {} events, byte for byte those of the ledger.",
        done.frames,
        done.from,
        done.events
    );
    Ok(ExitCode::SUCCESS)
}

fn dump(path: &Path) -> Done {
    let ledger = SqliteLedger::open_to_read(path).map_err(|e| e.to_string())?;
    let mut arrival = 0;
    loop {
        let batch = ledger.tail(arrival, BATCH).map_err(|e| e.to_string())?;
        let Some((last, _)) = batch.last() else { return Ok(ExitCode::SUCCESS) };
        arrival = *last;
        for (number, stored) in &batch {
            crate::say!("{}", line(*number, stored));
        }
    }
}

fn line(arrival: u64, stored: &ledger::Sealed) -> serde_json::Value {
    let hash: String = stored.hash.iter().map(|b| format!("{b:02x}")).collect();
    let id = format!("{}.{}.{}", stored.node, stored.life, stored.seq);
    match from_stored(stored).open() {
        Ok(event) => json!({
            "arrival": arrival,
            "id": id,
            "hash": hash,
            "at": utc(event.at.wall),
            "case": event.case.map(|c| c.to_string()),
            "key": event.key.map(|k| k.to_string()),
            "commitments": event.evidence.len(),
            "body": format!("{:?}", event.body),
        }),
        Err(error) => json!({"arrival": arrival, "id": id, "hash": hash, "error": error.to_string()}),
    }
}

fn restore(config: &Config, from: &Path, life_after: u32) -> Done {
    let store = DataDir::open(config.data_dir()).map_err(|e| e.to_string())?;
    if store.journal().exists() || store.checkpoints().exists() {
        return Err(Failed::Here(format!(
            "{}: expected no journal and no checkpoints, for they know of later decisions; move them away first",
            store.path().display()
        )));
    }
    let life = ledger::decisions::restore(from, &store, life_after).map_err(|e| e.to_string())?;
    crate::say!("Life {life} begins from {}. Start with `mailward serve`.", from.display());
    Ok(ExitCode::SUCCESS)
}
