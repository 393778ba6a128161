//! Runs the journal through the engine again and holds every event against the ledger.
//!
//! The same journal gives the same ledger byte for byte, with any number of threads and
//! from any checkpoint (DESIGN §4, invariant 2). This is how one can see it.

use std::collections::VecDeque;
use std::path::Path;

use engine::Engine;
use ledger::journal::Reader;
use ledger::{EventStore, SqliteLedger, checkpoint};
use model::Frame;

use super::atlases;
use super::recover::fresh;
use super::site_file::SiteFile;
use super::threads::Threads;
use crate::config::Config;

/// Ledger entries read at a time.
const BATCH: usize = 4096;

/// What a run has shown.
pub(crate) struct Rerun {
    /// The first frame that was run.
    pub(crate) from: u64,
    pub(crate) frames: u64,
    /// Events that came out as they stand in the ledger.
    pub(crate) events: u64,
}

/// Runs the journal of a configuration, from the newest checkpoint in `from` or from its
/// first frame, on `threads` threads.
///
/// # Errors
///
/// The first event that differs, or what can not be read.
pub(crate) fn rerun(config: &Config, from: Option<&Path>, threads: usize) -> Result<Rerun, String> {
    let dir = config.data_dir();
    let journal = dir.join("journal");
    let ledger = SqliteLedger::open_to_read(&dir.join("ledger.db")).map_err(|e| e.to_string())?;
    let saved = from.map(read_checkpoint).transpose()?;
    let first = saved.as_ref().map_or(1, |(position, _)| position + 1);
    let reader = Reader::open(&journal, first).map_err(|e| e.to_string())?;
    let mut engine = match saved {
        Some((_, engine)) => engine,
        None => fresh(config, &SiteFile::read(dir)?, ledger.life(), reader.header().seeds),
    };
    atlases::hand_in_force(&mut engine, dir)?;
    let mut expected = Expected::after(&ledger, engine.head().0.seq);
    let mut rerun = Rerun { from: first, frames: 0, events: 0 };
    for stored in reader {
        let stored = stored.map_err(|e| e.to_string())?;
        let frame =
            Frame::from_bytes(&stored.inputs).map_err(|e| format!("frame {}: {e}", stored.position))?;
        atlases::hand_in(&mut engine, dir, &frame)?;
        for event in engine.step(stored.position, &frame, &Threads(threads)).events {
            let Some(kept) = expected.next()? else {
                return Err(format!(
                    "the journal leads to event {}, which the ledger lacks (beside a running daemon: try again)",
                    event.id.seq
                ));
            };
            if kept.bytes != event.bytes {
                return Err(format!(
                    "frame {}: event {} differs from the ledger's",
                    stored.position, event.id.seq
                ));
            }
            rerun.events += 1;
        }
        rerun.frames += 1;
    }
    match expected.next()? {
        None => Ok(rerun),
        Some(more) => Err(format!("the ledger's event {} does not follow from the journal", more.seq)),
    }
}

fn read_checkpoint(dir: &Path) -> Result<(u64, Engine), String> {
    let newest = checkpoint::newest_good(dir).map_err(|e| e.to_string())?;
    let (position, bytes) =
        newest.found.ok_or_else(|| format!("{}: expected a checkpoint", dir.display()))?;
    Ok((position, Engine::from_checkpoint(&bytes).map_err(|e| e.to_string())?.0))
}

/// The node's own events of this life, in order, read as needed.
struct Expected<'a> {
    ledger: &'a SqliteLedger,
    node: String,
    life: u32,
    after: u64,
    arrival: u64,
    ahead: VecDeque<ledger::Sealed>,
}

impl<'a> Expected<'a> {
    fn after(ledger: &'a SqliteLedger, seq: u64) -> Expected<'a> {
        let (node, life) = (ledger.node().to_owned(), ledger.life());
        Expected { ledger, node, life, after: seq, arrival: 0, ahead: VecDeque::new() }
    }

    fn next(&mut self) -> Result<Option<ledger::Sealed>, String> {
        while self.ahead.is_empty() {
            let batch = self.ledger.tail(self.arrival, BATCH).map_err(|e| e.to_string())?;
            let Some((last, _)) = batch.last() else { return Ok(None) };
            self.arrival = *last;
            let own = |s: &ledger::Sealed| s.node == self.node && s.life == self.life && s.seq > self.after;
            self.ahead.extend(batch.into_iter().map(|(_, s)| s).filter(own));
        }
        Ok(self.ahead.pop_front())
    }
}
