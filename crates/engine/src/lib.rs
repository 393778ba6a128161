//! From inputs to events: what the site decides.
//!
//! The engine takes one frame (an epoch) at a time. Observations are joined into sessions
//! and spread over 64 logical shards, where the rules about one key run; then one council
//! hears all findings in the order of the inputs and decides. The same frames from the
//! same checkpoint give the same events byte for byte, with any number of threads.
//!
//! Quiet: no I/O, no clock, no threads of its own ([`Spread`] hands them in), no
//! randomness (seeds and salts come with the inputs).

pub mod checkpoint;
mod commands;
mod council;
mod entry;
mod guards;
mod running;
mod sessions;
pub mod shard;
mod spread;
mod writer;

use std::sync::Arc;

use model::event::cbor;
use model::{CaseId, EventId, Frame, Input, Millis, Mode, Policy, Sealed};

pub use commands::CommandError;
pub use council::Alarm;
pub use spread::{Alone, Spread};
pub use writer::Origin;

use council::Council;
use sessions::Sessions;
use shard::{Shard, Surroundings, Task, Told, Work};

/// Version of the engine's logic, stamped on every decision by a rule.
pub const VERSION: u16 = 1;
/// Logical shards: the unit of parallel work, fixed for ever because replay depends on it.
pub const SHARDS: usize = 64;

/// Keyed-hash seeds of one journal: they stand in its header, so a replay hashes the same.
pub type Seeds = [u64; 2];

/// A row that stands beside the ledger: evidence that entered an event as a commitment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SideRow {
    /// The case that it is evidence of.
    pub case: CaseId,
    /// Random bytes of the commitment.
    pub salt: [u8; 16],
    /// CBOR of [`model::Evidence`].
    pub body: Vec<u8>,
    /// When it may be erased.
    pub expires: Millis,
}

/// What one frame caused.
#[derive(Debug, Default)]
pub struct Step {
    /// New events with their canonical bytes, in order.
    pub events: Vec<Sealed>,
    /// Their side rows.
    pub side_rows: Vec<SideRow>,
    /// Answers to commands, by command id.
    pub receipts: Vec<(u64, Result<Receipt, CommandError>)>,
    /// What an operator must hear.
    pub alarms: Vec<Alarm>,
}

/// What a command did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Receipt {
    /// Cases that it opened, lifted or changed.
    pub cases: Vec<CaseId>,
}

/// Counts since the start, for metrics and `doctor`; not part of the state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Observations taken in.
    pub observations: u64,
    /// Verdicts about a message that no sensor had reported.
    pub unmatched_verdicts: u64,
    /// Keys forgotten for lack of room.
    pub evicted: u64,
    /// Triggers that a guard held back.
    pub guarded: u64,
    /// Triggers without evidence: no block.
    pub without_evidence: u64,
}

/// The whole state of judgement.
pub struct Engine {
    policy: Arc<Policy>,
    shards: Vec<Shard>,
    sessions: Sessions,
    council: Council,
    counters: Counters,
}

impl Engine {
    /// An engine that has seen nothing, under `policy`.
    pub fn new(origin: Origin, seeds: Seeds, policy: Policy) -> Engine {
        let policy = Arc::new(policy);
        let shards = (0..SHARDS).map(|_| Shard::new(seeds)).collect();
        let council = Council::new(origin, &policy);
        Engine { policy, shards, sessions: Sessions::new(seeds), council, counters: Counters::default() }
    }

    /// Enforcing, or learning.
    pub fn mode(&self) -> Mode {
        self.council.mode
    }

    /// Counts since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The engine's time: that of the newest frame, never going back.
    pub fn now(&self) -> Millis {
        self.council.now()
    }

    /// The newest event of this life and its hash; number 0 and zeros before the first.
    pub fn head(&self) -> (EventId, [u8; 32]) {
        self.council.writer.head()
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Keys remembered now.
    pub fn keys(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    /// Cases that run now, live and shadow.
    pub fn running(&self) -> usize {
        self.council.running()
    }

    /// Takes one frame, which stands in the journal at `position`.
    pub fn step(&mut self, position: u64, frame: &Frame, spread: &dyn Spread) -> Step {
        self.council.begin(position, frame);
        self.council.pass_time(&mut self.shards, &self.sessions);
        let mut told = Vec::new();
        let mut touched = Vec::new();
        for (index, input) in (0u32..).zip(&frame.inputs) {
            if let Some((shard, task)) = self.route(index, input) {
                self.shards[shard].queue(task);
                touched.push(shard);
                if let Input::Command(command) = input {
                    self.council.receipt(command.id, Ok(Receipt::default()));
                }
            } else if ends_run(input) {
                // A command acts on what came before it and rules what comes after.
                self.run_shards(&mut touched, &mut told, spread);
                self.hear(&mut told);
                self.obey(index, input);
            }
        }
        self.run_shards(&mut touched, &mut told, spread);
        self.hear(&mut told);
        self.council.finish()
    }

    /// Which shard an input concerns, with what there is to do; `None` for the council's own.
    fn route(&mut self, index: u32, input: &Input) -> Option<(usize, Task)> {
        let (key, work) = match input {
            Input::Observed(seen) => {
                self.counters.observations += 1;
                let latest = self.council.now();
                self.sessions.join(seen, latest, &self.policy, &mut self.counters)?
            }
            Input::Command(command) => match &command.order {
                model::Order::Credit(prefix, at, people) => (*prefix, Work::Credit(*at, people.clone())),
                _ => return None,
            },
            _ => return None,
        };
        Some((self.sessions.shard_of(key), Task { index, key, work }))
    }

    fn run_shards(&mut self, touched: &mut Vec<usize>, told: &mut Vec<Told>, spread: &dyn Spread) {
        touched.sort_unstable();
        touched.dedup();
        let around = Surroundings { policy: &self.policy, mode: self.council.mode, now: self.council.now() };
        spread.each(&mut self.shards, touched, &|shard| shard.run(&around));
        for index in touched.drain(..) {
            self.counters.evicted += self.shards[index].take_told(told);
        }
        told.sort_by_key(|t| t.index);
    }

    fn hear(&mut self, told: &mut Vec<Told>) {
        for told in told.drain(..) {
            self.council.hear(told, &self.policy, &mut self.shards, &self.sessions, &mut self.counters);
        }
    }

    fn obey(&mut self, index: u32, input: &Input) {
        match input {
            Input::Command(command) => {
                self.council.command(command, &mut self.shards, &self.sessions, &self.policy);
            }
            Input::Policy(bytes) => match Policy::from_bytes(bytes) {
                Ok(policy) => {
                    self.council.adopt(index, &policy);
                    self.policy = Arc::new(policy);
                }
                Err(_) => self.council.alarm(Alarm::UnreadablePolicy),
            },
            _ => {}
        }
    }
}

/// Inputs that must see everything before them decided.
fn ends_run(input: &Input) -> bool {
    matches!(input, Input::Command(_) | Input::Policy(_))
}

/// The bytes of a policy as an input.
pub fn policy_input(policy: &Policy) -> Input {
    Input::Policy(cbor(policy))
}
