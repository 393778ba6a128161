//! The engine's state as bytes: a fold of the journal up to one frame.
//!
//! Two formats stand in it. The outer one holds what must survive every change: standing,
//! running cases, the chain. Counting windows have a format of their own; where that is
//! not the program's, they are dropped and the caller is told, so that it can say so.

use std::fmt;
use std::sync::Arc;

use detectors::Record;
use minicbor::{Decode, Encode};
use model::event::cbor;
use model::{Millis, Policy, Prefix, Standing};

use crate::council::Council;
use crate::entry::{Entry, LastTold};
use crate::running::Running;
use crate::sessions::{Session, Sessions};
use crate::shard::{Exported, Shard};
use crate::{Counters, Engine, SHARDS, Seeds};

/// Format of the whole.
const FORMAT: u8 = 1;
/// Format of windows, slots and sessions.
const WINDOWS: u8 = 1;

#[derive(Decode, Encode)]
struct Stored {
    #[n(0)]
    format: u8,
    #[n(1)]
    windows: u8,
    #[n(2)]
    seeds: (u64, u64),
    #[n(3)]
    policy: Policy,
    #[n(4)]
    council: Council,
    #[n(5)]
    shards: Vec<StoredShard>,
    #[cbor(n(6), with = "minicbor::bytes")]
    sessions: Vec<u8>,
}

#[derive(Decode, Encode)]
struct StoredShard {
    /// Key, standing in its own stored form, running cases, and the record.
    #[n(0)]
    entries: Vec<StoredEntry>,
    #[n(1)]
    plain: Vec<(Prefix, Millis)>,
    #[n(2)]
    credited: Vec<(Prefix, Millis)>,
}

#[derive(Decode, Encode)]
struct StoredEntry {
    #[n(0)]
    key: Prefix,
    #[cbor(n(1), with = "minicbor::bytes")]
    standing: Vec<u8>,
    #[n(2)]
    running: Vec<Running>,
    #[n(3)]
    lifted_up_to: Millis,
    #[n(4)]
    told: Option<LastTold>,
    /// The record: windows and samples.
    #[cbor(n(5), with = "minicbor::bytes")]
    record: Vec<u8>,
}

/// A checkpoint that can not be used.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A later program wrote it.
    Newer {
        /// Its format.
        found: u8,
    },
    /// The bytes are no checkpoint.
    Broken,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointError::Newer { found } => {
                write!(f, "expected a checkpoint of format {FORMAT}, but got {found}")
            }
            CheckpointError::Broken => f.write_str("expected a checkpoint, but the bytes are something else"),
        }
    }
}

impl std::error::Error for CheckpointError {}

impl Engine {
    /// The state as bytes; the same state gives the same bytes.
    pub fn to_checkpoint(&self) -> Vec<u8> {
        let shards = self.shards.iter().map(|s| stored_shard(s.export())).collect::<Vec<_>>();
        let mut bytes = Vec::new();
        let mut e = minicbor::Encoder::new(&mut bytes);
        let seeds = self.sessions.seeds();
        let sessions = cbor(&self.sessions.export());
        let done = e
            .array(7)
            .and_then(|e| e.u8(FORMAT)?.u8(WINDOWS)?.encode((seeds[0], seeds[1]))?.encode(&*self.policy))
            .and_then(|e| e.encode(&self.council)?.encode(&shards)?.bytes(&sessions));
        done.map(drop).unwrap_or_else(|never: minicbor::encode::Error<std::convert::Infallible>| {
            unreachable!("{never}")
        });
        bytes
    }

    /// Reads a checkpoint. `true` beside it says that windows were of another format and
    /// begin anew.
    pub fn from_checkpoint(bytes: &[u8]) -> Result<(Engine, bool), CheckpointError> {
        match minicbor::Decoder::new(bytes).array().and_then(|_| minicbor::Decoder::new(&bytes[1..]).u8()) {
            Ok(FORMAT) => {}
            Ok(found) if found > FORMAT => return Err(CheckpointError::Newer { found }),
            _ => return Err(CheckpointError::Broken),
        }
        let stored: Stored = minicbor::decode(bytes).map_err(|_| CheckpointError::Broken)?;
        let seeds: Seeds = [stored.seeds.0, stored.seeds.1];
        let whole = stored.windows == WINDOWS;
        let mut sessions = Sessions::new(seeds);
        if whole {
            let list: Vec<(u64, Session)> =
                minicbor::decode(&stored.sessions).map_err(|_| CheckpointError::Broken)?;
            sessions.import(list);
        }
        let shards = read_shards(stored.shards, seeds, whole)?;
        let policy = Arc::new(stored.policy);
        Ok((
            Engine { policy, shards, sessions, council: stored.council, counters: Counters::default() },
            !whole,
        ))
    }
}

fn stored_shard(exported: Exported) -> StoredShard {
    let entries = exported.entries.iter().map(|(key, entry)| StoredEntry {
        key: *key,
        standing: entry.record.standing.to_bytes(),
        running: entry.running.clone(),
        lifted_up_to: entry.lifted_up_to,
        told: entry.told,
        record: cbor(&entry.record),
    });
    StoredShard { entries: entries.collect(), plain: exported.plain, credited: exported.credited }
}

fn read_shards(stored: Vec<StoredShard>, seeds: Seeds, whole: bool) -> Result<Vec<Shard>, CheckpointError> {
    if stored.len() != SHARDS {
        return Err(CheckpointError::Broken);
    }
    stored
        .into_iter()
        .map(|s| {
            let entries = s.entries.into_iter().map(|e| read_entry(e, whole)).collect::<Result<_, _>>()?;
            let mut shard = Shard::new(seeds);
            shard.import(Exported { entries, plain: s.plain, credited: s.credited });
            Ok(shard)
        })
        .collect()
}

fn read_entry(stored: StoredEntry, whole: bool) -> Result<(Prefix, Entry), CheckpointError> {
    let mut record = Record::default();
    if whole {
        record = minicbor::decode(&stored.record).map_err(|_| CheckpointError::Broken)?;
    }
    record.standing = Standing::from_bytes(&stored.standing).ok_or(CheckpointError::Broken)?;
    let (running, lifted_up_to) = (stored.running, stored.lifted_up_to);
    Ok((stored.key, Entry { record, running, lifted_up_to, told: stored.told }))
}
