//! The engine's state as bytes: a fold of the journal up to one frame.
//!
//! Two formats stand in it. The outer one holds what must survive every change: standing,
//! running cases, the chain. Counting windows have a format of their own; where that is
//! not the program's, they are dropped and the caller is told, so that it can say so,
//! and take back the lessons that rested on them. Burnt traps and the weight of reporters stay.

use std::fmt;
use std::sync::Arc;

use detectors::Record;
use minicbor::bytes::ByteVec;
use minicbor::encode::Error as EncodeError;
use minicbor::{Decode, Decoder, Encoder};
use model::event::cbor;
use model::{Few, Millis, Policy, Prefix, Standing};

use crate::book::Kept;
use crate::council::Council;
use crate::entry::{Entry, LastTold};
use crate::experience::Experience;
use crate::grey::{Grey, StoredGrey};
use crate::mail::Mail;
use crate::rollup::{Rollup, StoredRollup};
use crate::running::Running;
use crate::seeded::Seeded;
use crate::session::Session;
use crate::sessions::Sessions;
use crate::shard::Shard;
use crate::upstream::{Passing, Upstream};
use crate::{Counters, Engine, SHARDS};

/// Format of the whole.
const FORMAT: u8 = 1;
/// Format of windows, slots and sessions.
///
/// 2: sessions with their content, slots for what messages show, deliveries.
/// 3: what the site learned of strangers, and whose name they greet with.
const WINDOWS: u8 = 3;

/// The whole, as it is read.
#[derive(Decode)]
struct Stored {
    #[n(0)]
    _format: u8,
    #[n(1)]
    windows: u8,
    #[n(2)]
    seeds: (u64, u64),
    #[n(3)]
    policy: Policy,
    #[n(4)]
    council: Council,
    #[n(5)]
    rollup: StoredRollup,
    #[n(6)]
    upstream: Upstream,
    /// Of each shard the keys without and with good mail, in the order of their queues.
    #[n(7)]
    shards: Vec<(Vec<StoredEntry>, Vec<StoredEntry>)>,
    #[cbor(n(8), with = "minicbor::bytes")]
    sessions: Vec<u8>,
    /// What is remembered of mail; a checkpoint of windows 1 has none, nor what follows.
    #[n(9)]
    mail: Option<ByteVec>,
    #[n(10)]
    passing: Option<Passing>,
    /// What was learned of strangers; a checkpoint of windows 2 has none.
    #[n(11)]
    experience: Option<ByteVec>,
    /// Who waits and who passes.
    #[n(12)]
    grey: Option<StoredGrey>,
}

/// A key, as it is read.
#[derive(Decode)]
struct StoredEntry {
    #[n(0)]
    key: Prefix,
    #[n(1)]
    looked_at: Millis,
    #[cbor(n(2), with = "minicbor::bytes")]
    standing: Vec<u8>,
    #[n(3)]
    running: Few<Running>,
    #[n(4)]
    lifted_up_to: Millis,
    #[n(5)]
    told: Option<LastTold>,
    /// The record: windows and samples.
    #[cbor(n(6), with = "minicbor::bytes")]
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
        let mut bytes = Vec::new();
        // A `Vec` takes every byte.
        self.write(&mut Encoder::new(&mut bytes)).unwrap_or_else(|never| unreachable!("{never}"));
        bytes
    }

    fn write(&self, e: &mut Writer<'_>) -> Result<(), Never> {
        let Seeded([one, two]) = self.seeded;
        e.array(13)?.u8(FORMAT)?.u8(WINDOWS)?.encode((one, two))?;
        e.encode(&*self.policy)?.encode(&self.council)?;
        e.encode(self.rollup.store())?.encode(&self.upstream)?;
        e.array(SHARDS as u64)?;
        for shard in &self.shards {
            e.array(2)?;
            shard.export().iter().try_for_each(|queue| write_queue(e, queue))?;
        }
        let sessions: Vec<(u64, &Session)> = self.sessions.export().collect();
        e.bytes(&cbor(&(self.sessions.shown_at(), sessions)))?;
        e.bytes(&cbor(&self.mail.store()))?.encode(&self.passing)?;
        e.bytes(&cbor(&self.experience))?;
        e.encode(self.grey.store())?.ok()
    }

    /// Reads a checkpoint. `true` beside it says that windows were of another format and
    /// begin anew; standing and running cases are there.
    pub fn from_checkpoint(bytes: &[u8]) -> Result<(Engine, bool), CheckpointError> {
        match format_of(bytes) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(CheckpointError::Newer { found }),
            _ => return Err(CheckpointError::Broken),
        }
        let stored: Stored = decode(bytes)?;
        let seeded = Seeded([stored.seeds.0, stored.seeds.1]);
        let whole = stored.windows == WINDOWS;
        let (shown_at, sessions) = if whole { decode(&stored.sessions)? } else { Default::default() };
        let read = |mail: ByteVec| if whole { decode(&mail) } else { Ok(Mail::salvage(&mail)) };
        let mail = stored.mail.map(read).transpose()?;
        let experience = stored.experience.filter(|_| whole).map(|learned| decode(&learned)).transpose()?;
        let shards = read_shards(stored.shards, seeded, whole)?;
        let mut council = stored.council;
        council.networks.restore(shards.iter().flat_map(Shard::credited), council.cases.iter());
        let engine = Engine {
            policy: Arc::new(stored.policy),
            seeded,
            shards,
            sessions: Sessions::import(seeded, shown_at, sessions),
            mail: Mail::restore(seeded, mail.unwrap_or_default()),
            passing: stored.passing.unwrap_or_default(),
            experience: Experience::restore(seeded, experience.unwrap_or_default()),
            grey: Grey::restore(stored.grey.unwrap_or_default()),
            council,
            rollup: Rollup::restore(stored.rollup),
            upstream: stored.upstream,
            counters: Counters::default(),
            accused: Vec::new(),
        };
        Ok((engine, !whole))
    }
}

/// Writes into memory, which can not fail.
type Writer<'a> = Encoder<&'a mut Vec<u8>>;
type Never = EncodeError<std::convert::Infallible>;

fn write_queue(e: &mut Writer<'_>, queue: &[Kept<&Entry>]) -> Result<(), Never> {
    e.array(queue.len() as u64)?;
    for (key, looked_at, entry) in queue {
        e.array(7)?.encode(key)?.encode(looked_at)?.bytes(&entry.record.standing.to_bytes())?;
        e.encode(&entry.running)?.encode(entry.lifted_up_to)?.encode(entry.told)?;
        e.bytes(&cbor(&entry.record))?;
    }
    Ok(())
}

fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, CheckpointError> {
    minicbor::decode(bytes).map_err(|_| CheckpointError::Broken)
}

fn format_of(bytes: &[u8]) -> Option<u8> {
    let mut d = Decoder::new(bytes);
    d.array().ok()?;
    d.u8().ok()
}

fn read_shards(
    stored: Vec<(Vec<StoredEntry>, Vec<StoredEntry>)>,
    seeded: Seeded,
    whole: bool,
) -> Result<Vec<Shard>, CheckpointError> {
    if stored.len() != SHARDS {
        return Err(CheckpointError::Broken);
    }
    let read = |queue: Vec<StoredEntry>| queue.into_iter().map(|e| read_entry(e, whole)).collect();
    let shard = |(plain, credited)| {
        let queues: [Result<Vec<_>, _>; 2] = [read(plain), read(credited)];
        let [plain, credited] = queues;
        Ok(Shard::import(seeded, [plain?, credited?]))
    };
    stored.into_iter().map(shard).collect()
}

fn read_entry(stored: StoredEntry, whole: bool) -> Result<Kept<Entry>, CheckpointError> {
    let mut record = if whole { decode(&stored.record)? } else { Record::default() };
    record.standing = Standing::from_bytes(&stored.standing).ok_or(CheckpointError::Broken)?;
    let StoredEntry { key, looked_at, running, lifted_up_to, told, .. } = stored;
    Ok((key, looked_at, Entry { record, running, lifted_up_to, told }))
}
