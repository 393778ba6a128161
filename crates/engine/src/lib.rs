//! From inputs to events: what the site decides.
//!
//! The engine takes one frame (an epoch) at a time. Observations are joined into sessions
//! and spread over 64 logical shards, where the rules about one key run; then one council
//! hears all findings in the order of the inputs and decides. The same frames from the
//! same checkpoint give the same events byte for byte, with any number of threads.
//!
//! Quiet: no I/O, no clock, no threads of its own ([`Spread`] hands them in), no
//! randomness (seeds and salts come with the inputs).

mod alarm;
mod book;
mod burnt;
mod calendar;
pub mod checkpoint;
mod commands;
mod connections;
mod council;
mod delivered;
mod domains;
mod entry;
mod experience;
mod greetings;
mod grey;
mod guards;
mod guesses;
mod inspect;
mod intake;
mod judge;
mod kept;
mod kinds;
mod mail;
mod mailboxes;
mod named;
pub mod networks;
mod ours;
mod outbound;
mod records;
mod reference;
mod reporters;
pub mod rollup;
mod rotating;
mod running;
mod seeded;
mod session;
mod sessions;
pub mod shard;
mod spread;
mod texts;
mod trials;
mod upstream;
mod writer;

use std::sync::Arc;

pub use detectors::facts::PassesOn;
use model::event::{Cause, cbor};
use model::policy::RuleMode;
use model::{
    Atlas, CaseId, EventId, Fact, Frame, Input, Millis, Mode, Observation, Order, Policy, Prefix, Sealed,
};

pub use alarm::Alarm;
pub use burnt::{Burnt, BurntBy};
pub use commands::CommandError;
pub use inspect::{Guard, Held, KeyReport};
pub use kept::{Keeper, Kept};
pub use mailboxes::MailboxNews;
pub use networks::{Price, Proposal};
pub use spread::{Alone, Spread};
pub use texts::Texts;
pub use writer::Origin;

use council::{Books, Council, News};
use experience::Experience;
pub use experience::measured::LetIn;
use grey::Grey;
use guesses::Accused;
use judge::Surroundings;
use mail::Mail;
use rollup::{Rollup, Trace};
use seeded::{Seeded, shard_of};
use sessions::Sessions;
use shard::{Gone, Shard, Task, Told};
use upstream::{Passing, Upstream};

/// Version of the engine's logic, stamped on every decision by a rule.
///
/// 2: messages are seen to their end, users report, sensors join by their connections.
pub const VERSION: u16 = 2;
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
    /// News for those who answer that no event may hold: mailboxes that get only spam.
    pub mailboxes: Vec<MailboxNews>,
    /// The same: our own people who wrote, by fragments of keyed hashes, and until when bounces
    /// may come to them.
    pub writers: Vec<(u32, Millis)>,
}

/// What a command did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Receipt {
    /// Cases that it opened, lifted or changed.
    pub cases: Vec<CaseId>,
    /// Good mail of 30 days from what was blocked by hand (S42).
    pub price: Option<Price>,
}

/// Counts since the start, for metrics and `doctor`; not part of the state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Observations taken in.
    pub observations: u64,
    /// Verdicts about a message that no sensor had reported as taken.
    pub unmatched_verdicts: u64,
    /// Reports about a message that we did not take (ADV-2).
    pub unmatched_reports: u64,
    /// Reports that were too late, or not the person's first of the day about that sender.
    pub ignored_reports: u64,
    /// Keys forgotten for lack of room, and those that found none.
    pub evicted: u64,
    /// Triggers that a guard held back.
    pub guarded: u64,
    /// Triggers without evidence: no block.
    pub without_evidence: u64,
}

/// The whole state of judgement.
pub struct Engine {
    policy: Arc<Policy>,
    seeded: Seeded,
    shards: Vec<Shard>,
    sessions: Sessions,
    council: Council,
    rollup: Rollup,
    upstream: Upstream,
    passing: Passing,
    experience: Experience,
    mail: Mail,
    grey: Grey,
    counters: Counters,
    /// Whom cross-key rules accuse in this step.
    accused: Vec<Accused>,
}

impl Engine {
    /// An engine that has seen nothing, under `policy`.
    pub fn new(origin: Origin, seeds: Seeds, policy: Policy) -> Engine {
        let seeded = Seeded(seeds);
        Engine {
            council: Council::new(origin, &policy),
            policy: Arc::new(adopted(policy)),
            seeded,
            shards: (0..SHARDS).map(|_| Shard::new(seeded)).collect(),
            sessions: Sessions::new(seeded),
            rollup: Rollup::default(),
            upstream: Upstream::default(),
            passing: Passing::default(),
            experience: Experience::new(seeded),
            mail: Mail::new(seeded),
            grey: Grey::default(),
            counters: Counters::default(),
            accused: Vec::new(),
        }
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

    /// Sessions remembered now.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Cases that run now, live and shadow.
    pub fn running(&self) -> usize {
        self.council.cases.len() + self.council.named.len()
    }

    /// What is left of keys that were forgotten for lack of room, by network.
    pub fn rollup(&self) -> impl Iterator<Item = (Prefix, Trace)> {
        self.rollup.iter()
    }

    /// How strangers of learnt looks turned out that were let in all the same.
    pub fn let_in(&self) -> LetIn {
        self.experience.measured.let_in(self.council.now())
    }

    /// Keys that pass other people's mail on to us, and by what that shows: relays and
    /// forwarders that ought to be declared. No rule blocks them.
    pub fn upstream(&self) -> Vec<(Prefix, PassesOn)> {
        let now = self.council.now();
        let carriers = self.upstream.all(now).into_iter().map(|key| (key, PassesOn::CarriesMuch));
        let mut all: Vec<_> = carriers.chain(self.passing.all(now)).collect();
        all.sort_unstable();
        all
    }

    /// Distinct recipients of the last 24 hours that a key named and that do not exist, as
    /// far as they are told apart ([`detectors::repeats`]); nothing while OFF-5 is off.
    pub fn unknown_recipients(&self, key: Prefix) -> u64 {
        let hash = self.seeded.key(key);
        let entry = self.shards[shard_of(hash)].look(hash, key);
        entry.map_or(0, |entry| entry.record.unknown_recipients(self.council.now()))
    }

    /// Networks that a person may block, because no rule does (OFF-22).
    pub fn proposals(&self) -> Vec<(Prefix, Proposal)> {
        self.council.networks.proposals().collect()
    }

    /// Autonomous systems with many blocked servers for their size (OFF-23).
    pub fn systems(&self) -> Vec<u32> {
        self.council.networks.systems().collect()
    }

    /// Records of blocks by hand whose review is due, by number, with their cases.
    pub fn records_due(&self) -> Vec<(u32, CaseId)> {
        self.council.records.due(self.now()).collect()
    }

    /// The table of networks in force, by the SHA-256 of its bytes. Who reads a checkpoint
    /// hands it in ([`Engine::shelve`]) before the first step.
    pub fn atlas(&self) -> Option<[u8; 32]> {
        self.council.networks.atlas_hash()
    }

    /// Hands in a table of networks, before the frame that adopts it.
    pub fn shelve(&mut self, atlas: Arc<Atlas>) {
        self.council.networks.shelve(atlas.hash(), atlas);
    }

    /// Mailboxes that get only spam, as [`Step::mailboxes`] tells them.
    pub fn mailboxes(&self) -> impl Iterator<Item = MailboxNews> {
        self.mail.mailboxes.all()
    }

    /// Our own people who wrote lately, as [`Step::writers`] tells them.
    pub fn writers(&self) -> impl Iterator<Item = (u32, Millis)> {
        self.mail.outbound.writers()
    }

    /// Messages that a user's report would be matched with.
    pub fn deliveries(&self) -> usize {
        self.mail.delivered.len()
    }

    /// Whether so many unrelated networks sent this text as spam in the last 24 hours that the
    /// policy takes it for known (A.4, `hash-flood`).
    pub fn knows_text(&self, text: u64) -> bool {
        self.mail.texts.networks(text, self.council.now()) >= self.policy.hash_flood.networks
    }

    /// Takes one frame, which stands in the journal at `position`.
    pub fn step(&mut self, position: u64, frame: &Frame, spread: &dyn Spread) -> Step {
        self.council.begin(position, frame);
        self.with_council(Council::pass_time);
        self.end_trials();
        self.council.review_records();
        for (index, input) in (0u32..).zip(&frame.inputs) {
            if let Some((key, work)) = self.route(input) {
                let hash = self.seeded.key(key);
                self.shards[shard_of(hash)].queue(Task { index, key, hash, work });
            }
            self.queue_void(index);
            self.greylist(index, input);
            self.accused.extend(self.mail.guesses.take(index));
            if ends_run(input) {
                self.run(spread);
            }
            self.obey(index, input);
        }
        self.run(spread);
        let (mailboxes, writers) = (self.mail.mailboxes.take_news(), self.mail.outbound.take_news());
        Step { mailboxes, writers, ..self.council.finish() }
    }

    /// Lets the shards do what is queued, and the council hear of it in the order of inputs.
    fn run(&mut self, spread: &dyn Spread) {
        let which: Vec<usize> = (0..SHARDS).filter(|index| self.shards[*index].has_work()).collect();
        if which.is_empty() {
            return;
        }
        let accused = std::mem::take(&mut self.accused);
        let around = Surroundings {
            policy: &self.policy,
            mode: self.council.mode,
            now: self.council.now(),
            standing: self.council.standing_now(),
            shadow_rules: self.policy.modes.iter().any(|(_, mode)| *mode == RuleMode::Shadow),
            suspended: self.council.ours.suspended(self.council.now()),
            seeded: self.seeded,
        };
        spread.each(&mut self.shards, &which, &|shard| shard.run(&around));
        let (mut told, mut gone) = (Vec::<Told>::new(), Vec::<Gone>::new());
        which.iter().for_each(|index| self.shards[*index].take_told(&mut told, &mut gone));
        told.extend(accused.into_iter().filter_map(|accused| self.weigh(accused, &around)));
        self.trace(&gone);
        told.sort_by_key(|t| t.index);
        self.with_council(|council, books| told.into_iter().for_each(|news| council.hear(news, books)));
    }

    /// What cross-key rules found is heard like what shards tell.
    fn weigh(&self, accused: Accused, around: &Surroundings<'_>) -> Option<Told> {
        let key = accused.finding.key;
        let hash = self.seeded.key(key);
        accused.weighed(self.shards[shard_of(hash)].look(hash, key)?, around)
    }

    fn trace(&mut self, gone: &[Gone]) {
        self.counters.evicted += gone.len() as u64;
        for (key, units, good) in gone {
            self.rollup.add(*key, *units, *good, self.council.now());
        }
    }

    fn obey(&mut self, index: u32, input: &Input) {
        match input {
            Input::Command(command) => {
                if matches!(command.order, Order::Unlearn(_)) {
                    self.mail.unlearn();
                }
                self.with_council(|council, books| council.command(command, books));
                self.forgive(command);
                if matches!(command.order, Order::SetMode(_)) {
                    self.relist_conduct(Cause::Command(command.id));
                }
            }
            Input::Policy(bytes) => match Policy::from_bytes(bytes) {
                Ok(policy) => {
                    self.council.adopt(index, &policy);
                    let mut policy = adopted(policy);
                    self.try_out(index, &mut policy);
                    self.mail.traps.adopt(&mut policy);
                    self.council.free_domains(index, &policy);
                    self.policy = Arc::new(policy);
                    self.relist_conduct(self.council.writer.input(index));
                }
                Err(_) => self.council.alarm(Alarm::UnreadablePolicy),
            },
            Input::Observed(Observation { fact: Fact::Notice(notice), at, .. }) => {
                self.noticed(index, notice, *at);
            }
            Input::Observed(Observation { fact: Fact::Resolved(seen), at, .. }) => {
                self.resolved(index, seen, *at);
            }
            Input::Atlas(hash) => {
                self.with_council(|council, books| council.adopt_atlas(index, *hash, books.policy));
            }
            _ => {}
        }
    }

    fn with_council(&mut self, decide: impl FnOnce(&mut Council, &mut Books<'_>)) {
        let mut books = Books {
            shards: &mut self.shards,
            seeded: self.seeded,
            policy: &self.policy,
            upstream: &self.upstream,
            experience: &mut self.experience,
            rollup: &self.rollup,
            counters: &mut self.counters,
        };
        decide(&mut self.council, &mut books);
        self.council.follow_networks(&mut books);
        self.spread_news();
    }

    fn spread_news(&mut self) {
        let now = self.council.now();
        for news in std::mem::take(&mut self.council.news) {
            match news {
                News::PassesOn(key, why) => self.passing.note(key, why, now),
                News::Reported(case, people) => self.mail.reporters.opened(case, people),
                News::Outcome(case, outcome) => self.mail.reporters.closed(case, outcome),
            }
        }
    }
}

/// A policy in the form in which it is looked up: the traps in order, each once, and networks
/// apart from each other.
fn adopted(mut policy: Policy) -> Policy {
    policy.shared_networks = detectors::ranges::apart(policy.shared_networks);
    policy.traps.sort_by_key(|(who, _)| *who);
    policy.traps.dedup_by_key(|(who, _)| *who);
    policy
}

/// Whether an input acts on what came before it and rules what comes after. Credit is about
/// one key, and takes its turn there.
fn ends_run(input: &Input) -> bool {
    match input {
        Input::Command(command) => !matches!(command.order, Order::Credit(..)),
        Input::Policy(_) | Input::Atlas(_) => true,
        Input::Observed(seen) => matches!(seen.fact, Fact::Notice(_) | Fact::Resolved(_)),
        _ => false,
    }
}

/// The bytes of a policy as an input.
pub fn policy_input(policy: &Policy) -> Input {
    Input::Policy(cbor(policy))
}
