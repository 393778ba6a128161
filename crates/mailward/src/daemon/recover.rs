//! The start: the newest good checkpoint, then the rest of the journal, then the ledger.
//!
//! The journal leads. What the engine decides from it again is compared with the ledger;
//! what the ledger lacks is appended; what does not agree stops the start.

use std::sync::Arc;
use std::time::Duration;

use engine::{Engine, Origin, Spread};
use ledger::checkpoint;
use ledger::journal::{Birth, Frame as Stored, Identity, Options, Reader, Writer};
use ledger::{DataDir, EventStore, EvidenceRow, SqliteLedger};
use model::{Frame, Millis, Sealed, Site};
use projections::Projector;

use super::site_file::{SiteFile, random};
use super::{atlases, feeds};
use crate::config::Config;

/// Events that are read from the ledger at a time.
const BATCH: usize = 4096;

/// Everything the daemon works with after a start.
pub(crate) struct Recovered {
    pub(crate) engine: Engine,
    pub(crate) journal: Writer,
    pub(crate) ledger: SqliteLedger,
    pub(crate) projector: Projector,
    /// The newest stamp on disk, if there was one.
    pub(crate) last_stamp: Option<Millis>,
    /// The engine knows nothing of lessons that the ledger holds: it began anew.
    pub(crate) unlearnt: bool,
    /// What an operator should read.
    pub(crate) notes: Vec<String>,
    /// Evidence that the ledger lacked: its headers are to be taken again.
    pub(crate) taken: Vec<engine::SideRow>,
}

/// Opens or creates the store and brings the engine up to its last frame.
pub(crate) fn recover(
    config: &Config,
    store: &DataDir,
    keys: &SiteFile,
    site: Arc<Site>,
    spread: &dyn Spread,
) -> Result<Recovered, String> {
    let mut notes = Vec::new();
    let node = format!("n{}", config.node().0);
    let mut ledger = SqliteLedger::open(store, &node).map_err(|e| e.to_string())?;
    let found = newest_checkpoint(store, &mut notes)?;
    let first_position = found.as_ref().map_or(1, |(position, _)| position + 1);
    let identity = Identity { site: format!("{:016x}", keys.site), node, life: ledger.life() };
    let birth =
        Birth { seeds: [u64::from_be_bytes(random()?), u64::from_be_bytes(random()?)], first_position };
    let now_ms = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as u64;
    let (journal, repair) =
        Writer::open(store, &identity, birth, options(config), now_ms).map_err(|e| e.to_string())?;
    notes.extend(repair.map(|r| {
        format!("{}: cut a torn tail of {} bytes that nobody had been told of", r.file.display(), r.cut_bytes)
    }));
    let seeds = journal.header().seeds;
    let (mut engine, windows_dropped) = match found {
        Some((_, bytes)) => read_checkpoint(&bytes, &mut notes)?,
        None => (fresh(config, keys, ledger.life(), seeds), false),
    };
    atlases::hand_in_force(&mut engine, config.data_dir())?;
    let known = SqliteLedger::open_to_read(&store.ledger()).map_err(|e| e.to_string())?;
    let mut projector = projector(config, site, seeds);
    // What the ledger holds already is projected while the journal's end is decided again.
    let ((last_stamp, taken), arrival) = std::thread::scope(|scope| {
        let projected = scope.spawn({
            let projector = &mut projector;
            move || project(projector, &known, 0)
        });
        let stamp = replay(&mut engine, config, store, first_position, &mut ledger, spread);
        let arrival = projected.join().map_err(|_| "the projector panicked".to_owned());
        Ok::<_, String>((stamp?, arrival??))
    })?;
    agree(&engine, &ledger)?;
    project(&mut projector, &ledger, arrival)?;
    engine.mailboxes().for_each(|m| projector.set_mailbox(m.who, m.until, m.dead));
    engine.writers().for_each(|(who, until)| projector.set_writer(who, until));
    if let Some(hash) = engine.atlas() {
        atlases::show(&mut projector, config.data_dir(), &hash);
    }
    projector.sweep(last_stamp.unwrap_or_default());
    let unread = feeds::hand_in(&mut projector, config.data_dir());
    notes.extend(unread.into_iter().map(|error| format!("{error}; nothing is answered from it until then")));
    // Of a new life that has said nothing yet, too.
    let unlearnt = windows_dropped || engine.head().0.seq == 0;
    Ok(Recovered { engine, journal, ledger, projector, last_stamp, unlearnt, notes, taken })
}

fn options(config: &Config) -> Options {
    let limits = config.journal();
    Options {
        segment_bytes_max: limits.segment_bytes,
        total_bytes_max: limits.total_bytes,
        age_max: Duration::from_secs(limits.age.0),
        ..Options::default()
    }
}

fn newest_checkpoint(store: &DataDir, notes: &mut Vec<String>) -> Result<Option<(u64, Vec<u8>)>, String> {
    if !store.checkpoints().exists() {
        return Ok(None);
    }
    let newest = checkpoint::newest_good(&store.checkpoints()).map_err(|e| e.to_string())?;
    notes.extend(newest.skipped.iter().map(|s| {
        format!("{}: skipped, for it is not whole ({:?}); an earlier one is used", s.file.display(), s.why)
    }));
    Ok(newest.found)
}

/// The engine, and whether it lost its windows.
fn read_checkpoint(bytes: &[u8], notes: &mut Vec<String>) -> Result<(Engine, bool), String> {
    let (engine, windows_dropped) = Engine::from_checkpoint(bytes).map_err(|e| e.to_string())?;
    if windows_dropped {
        notes.push(
            "counting windows of an earlier version begin anew; standing and blocks are kept".to_owned(),
        );
    }
    Ok((engine, windows_dropped))
}

/// An engine that begins a life.
pub(crate) fn fresh(config: &Config, keys: &SiteFile, life: u32, seeds: [u64; 2]) -> Engine {
    let life = u16::try_from(life).unwrap_or(u16::MAX);
    let origin = Origin { site: keys.site, node: config.node(), life, link_epoch: keys.link.epoch };
    // Every life begins learning; enforcing is a command, so that the ledger tells of it.
    let policy = model::Policy { learn_first: true, ..super::policy(config, keys) };
    Engine::new(origin, seeds, policy)
}

/// Feeds the engine what the journal holds behind the checkpoint.
fn replay(
    engine: &mut Engine,
    config: &Config,
    store: &DataDir,
    from: u64,
    ledger: &mut SqliteLedger,
    spread: &dyn Spread,
) -> Result<(Option<Millis>, Vec<engine::SideRow>), String> {
    let (mut stamp, mut taken) = (engine.now(), Vec::new());
    let reader = Reader::open(&store.journal(), from).map_err(|e| e.to_string())?;
    for stored in reader {
        let stored: Stored = stored.map_err(|e| e.to_string())?;
        let frame = Frame::from_bytes(&stored.inputs).map_err(|e| {
            format!("{}: frame {} can not be read: {e}", store.journal().display(), stored.position)
        })?;
        atlases::hand_in(engine, config.data_dir(), &frame)?;
        let step = engine.step(stored.position, &frame, spread);
        taken.extend(catch_up(ledger, &step)?);
        stamp = stamp.max(frame.wall);
    }
    Ok((Some(stamp).filter(|s| *s > Millis(0)), taken))
}

/// Appends what the ledger lacks; what it has must be the same.
fn catch_up(ledger: &mut SqliteLedger, step: &engine::Step) -> Result<Vec<engine::SideRow>, String> {
    let Some(first) = step.events.first() else { return Ok(Vec::new()) };
    let node = format!("n{}", first.id.node.0);
    let head = ledger.head(&node, u32::from(first.id.life)).map_err(|e| e.to_string())?;
    if let Some(same) = step.events.iter().find(|e| e.id.seq == head.seq)
        && same.hash != head.hash
    {
        return Err(disagreement(head.seq));
    }
    let new: Vec<_> = step.events.iter().filter(|e| e.id.seq > head.seq).map(to_stored).collect();
    let lacked: Vec<_> = step.side_rows.iter().filter(|r| r.case.0.seq > head.seq).cloned().collect();
    let rows: Vec<_> = lacked.iter().map(to_row).collect();
    if !new.is_empty() {
        ledger.append(&new, &rows, &[]).map_err(|e| e.to_string())?;
    }
    Ok(lacked)
}

/// The ledger may not be ahead of what the journal leads to.
fn agree(engine: &Engine, ledger: &SqliteLedger) -> Result<(), String> {
    let (id, hash) = engine.head();
    let head = ledger.head(&format!("n{}", id.node.0), u32::from(id.life)).map_err(|e| e.to_string())?;
    if (head.seq, head.hash) == (id.seq, hash) { Ok(()) } else { Err(disagreement(head.seq)) }
}

fn disagreement(seq: u64) -> String {
    format!(
        "the ledger's event {seq} does not follow from the journal: one of them was changed or lost. \
         Keep the data directory as it is, and begin a new life from a backup: mailward ledger restore --help"
    )
}

fn projector(config: &Config, site: Arc<Site>, seeds: [u64; 2]) -> Projector {
    let policy = config.policy(&|_| model::PersonHash(0));
    Projector::new(site, policy.protected.clone(), policy.documentation, seeds)
}

/// Applies what arrived after `arrival`; returns the last arrival.
fn project(projector: &mut Projector, ledger: &SqliteLedger, mut arrival: u64) -> Result<u64, String> {
    loop {
        let batch = ledger.tail(arrival, BATCH).map_err(|e| e.to_string())?;
        let Some((last, _)) = batch.last() else { return Ok(arrival) };
        arrival = *last;
        for (number, stored) in &batch {
            // A later program's event that can not be read is kept, not applied.
            if let Ok(event) = from_stored(stored).open() {
                projector.apply(*number, &event);
            }
        }
    }
}

/// An event as the ledger keeps it.
pub(crate) fn to_stored(sealed: &Sealed) -> ledger::Sealed {
    ledger::Sealed {
        node: format!("n{}", sealed.id.node.0),
        life: u32::from(sealed.id.life),
        seq: sealed.id.seq,
        prev: sealed.prev,
        hash: sealed.hash,
        bytes: sealed.bytes.clone(),
    }
}

/// An event of the ledger; who wrote it stands in its bytes.
pub(crate) fn from_stored(stored: &ledger::Sealed) -> Sealed {
    let node = stored.node.strip_prefix('n').and_then(|n| n.parse().ok()).unwrap_or(0);
    let life = u16::try_from(stored.life).unwrap_or(u16::MAX);
    let id = model::EventId { node: model::Node(node), life, seq: stored.seq };
    Sealed { id, prev: stored.prev, hash: stored.hash, bytes: stored.bytes.clone() }
}

/// Evidence as the ledger keeps it.
pub(crate) fn to_row(row: &engine::SideRow) -> EvidenceRow {
    EvidenceRow {
        case: row.case.to_string(),
        event: row.case.to_string(),
        position: 0,
        salt: row.salt.to_vec(),
        body: row.body.clone(),
        expires_ms: Some(row.expires.0),
    }
}
