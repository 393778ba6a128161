//! One of 64 shards: the records of its keys and the rules about one key.
//!
//! Bounded: the coldest key gives way, keys without good mail first; keys with credit have
//! a quarter of the room to themselves; a blocked key is never evicted (DESIGN §4).

use std::collections::VecDeque;

use detectors::DETECTORS;
use detectors::seen::{Act, Context, Seen, Traits};
use hashbrown::HashMap;
use model::event::StandingChange;
use model::policy::RuleMode;
use model::{Class, Evidence, Finding, Judgement, Millis, Mode, PersonHash, Policy, Prefix};

use crate::entry::Entry;
use crate::sessions::Seeded;
use crate::{SHARDS, Seeds};

/// Queue places that are looked at for one victim: bounds the work of one insertion.
const LOOKS_MAX: usize = 64;

/// What there is to do for one key.
#[derive(Debug)]
pub(crate) enum Work {
    /// Something was seen.
    Seen { at: Millis, traits: Traits, act: Act, sample: Option<Box<(u64, Evidence)>> },
    /// An attempt was refused because of a case, really or in shadow.
    Refused { at: Millis, pair: u64, shadow: bool },
    /// Good mail of an old log: fragments of its recipients.
    Credit(Millis, Vec<u32>),
}

/// Work with its key and the place of its input in the frame.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) index: u32,
    pub(crate) key: Prefix,
    pub(crate) work: Work,
}

/// What a shard tells the council.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) index: u32,
    pub(crate) key: Prefix,
    pub(crate) what: What,
}

/// The news.
#[derive(Debug)]
pub(crate) enum What {
    /// A rule fired, in a mode, for a key of this class.
    Found(Finding, Class, Mode),
    /// A sentence in force has grown.
    Grown,
    /// The standing changed.
    Standing(StandingChange),
}

/// What is the same for all work of one run.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) mode: Mode,
    pub(crate) now: Millis,
}

/// One shard.
pub struct Shard {
    entries: HashMap<Prefix, Entry, Seeded>,
    /// Keys in the order in which they were last looked at, with the time of that look.
    plain: VecDeque<(Prefix, Millis)>,
    credited: VecDeque<(Prefix, Millis)>,
    tasks: Vec<Task>,
    told: Vec<Told>,
    evicted: u64,
}

impl Shard {
    pub(crate) fn new(seeds: Seeds) -> Shard {
        Shard {
            entries: HashMap::with_hasher(Seeded(seeds)),
            plain: VecDeque::new(),
            credited: VecDeque::new(),
            tasks: Vec::new(),
            told: Vec::new(),
            evicted: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn queue(&mut self, task: Task) {
        self.tasks.push(task);
    }

    pub(crate) fn entry(&mut self, key: Prefix) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    /// The entry of a key, made if need be.
    pub(crate) fn entry_or_new(&mut self, key: Prefix, at: Millis, policy: &Policy) -> &mut Entry {
        if !self.entries.contains_key(&key) {
            self.make_room(policy, at);
            let mut entry = Entry::default();
            entry.record.standing.first_seen = at;
            entry.record.last_seen = at;
            self.entries.insert(key, entry);
            self.plain.push_back((key, at));
        }
        self.entries.entry(key).or_default()
    }

    /// Moves the news out; returns how many keys were forgotten since the last call.
    pub(crate) fn take_told(&mut self, into: &mut Vec<Told>) -> u64 {
        into.append(&mut self.told);
        std::mem::take(&mut self.evicted)
    }

    /// Does all queued work.
    pub(crate) fn run(&mut self, around: &Surroundings<'_>) {
        for task in std::mem::take(&mut self.tasks) {
            match task.work {
                Work::Seen { at, traits, act, sample } => {
                    let seen = Seen { at, key: task.key, traits, act };
                    self.seen(task.index, &seen, sample, around);
                }
                Work::Refused { at, pair, shadow } => {
                    self.refused(task.index, task.key, at, pair, shadow, around);
                }
                Work::Credit(at, people) => {
                    let entry = self.entry_or_new(task.key, at, around.policy);
                    let standing = &mut entry.record.standing;
                    standing.first_seen = standing.first_seen.min(at);
                    people.iter().for_each(|who| standing.credit(at, *who, 1));
                    self.tell_standing(task.index, task.key, entry_class(&Traits::default()), around.now);
                }
            }
        }
    }

    fn seen(
        &mut self,
        index: u32,
        seen: &Seen,
        sample: Option<Box<(u64, Evidence)>>,
        around: &Surroundings<'_>,
    ) {
        let entry = self.entry_or_new(seen.key, seen.at, around.policy);
        entry.record.last_seen = entry.record.last_seen.max(seen.at);
        let class = class_of(entry, seen, around);
        if let Act::Judged { judgement: Judgement::Ham, recipient, .. } = seen.act {
            entry.record.standing.credit(seen.at, recipient.map_or(0, |PersonHash(r)| r as u32), 1);
        }
        // What a lift covered counts no more, except in its favour.
        let covered = seen.at <= entry.lifted_up_to && !is_ham(&seen.act);
        let mut told = if covered { Vec::new() } else { judge(entry, seen, class, sample, around) };
        if let Some(change) = entry.standing_to_tell(class, around.now) {
            told.push(What::Standing(change));
        }
        self.told.extend(told.into_iter().map(|what| Told { index, key: seen.key, what }));
    }

    fn refused(
        &mut self,
        index: u32,
        key: Prefix,
        at: Millis,
        pair: u64,
        shadow: bool,
        around: &Surroundings<'_>,
    ) {
        let mode = if shadow { Mode::Shadow } else { Mode::Live };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.record.last_seen = entry.record.last_seen.max(at);
        let Some(running) = entry.active(mode, around.now).filter(|_| around.policy.guards.attempts) else {
            return;
        };
        running.attempt(pair, around.now);
        if running.dirty {
            self.told.push(Told { index, key, what: What::Grown });
        }
    }

    fn tell_standing(
        &mut self,
        index: u32,
        key: Prefix,
        class: impl Fn(&Entry, Millis) -> Class,
        now: Millis,
    ) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let class = class(entry, now);
        if let Some(change) = entry.standing_to_tell(class, now) {
            self.told.push(Told { index, key, what: What::Standing(change) });
        }
    }

    /// Forgets the coldest key when the shard is full.
    fn make_room(&mut self, policy: &Policy, now: Millis) {
        let cap = (policy.keys_max as usize / SHARDS).max(16);
        if self.entries.len() < cap {
            return;
        }
        for _ in 0..LOOKS_MAX {
            let spare_credit = self.credited.len() > cap / 4;
            let from_credited = spare_credit || self.plain.is_empty();
            let queue = if from_credited { &mut self.credited } else { &mut self.plain };
            let Some((key, looked_at)) = queue.pop_front() else { return };
            let Some(entry) = self.entries.get(&key) else { continue };
            let warm = entry.record.last_seen > looked_at;
            let promoted = !from_credited && entry.has_credit(now);
            if entry.is_blocked() || warm || promoted {
                let home = if entry.has_credit(now) { &mut self.credited } else { &mut self.plain };
                home.push_back((key, entry.record.last_seen));
            } else {
                self.entries.remove(&key);
                self.evicted += 1;
                return;
            }
        }
    }

    pub(crate) fn export(&self) -> Exported {
        let mut entries: Vec<_> = self.entries.iter().map(|(k, e)| (*k, e.clone())).collect();
        entries.sort_by_key(|(key, _)| *key);
        Exported {
            entries,
            plain: self.plain.iter().copied().collect(),
            credited: self.credited.iter().copied().collect(),
        }
    }

    pub(crate) fn import(&mut self, exported: Exported) {
        self.entries.clear();
        self.entries.extend(exported.entries);
        self.plain = exported.plain.into();
        self.credited = exported.credited.into();
    }
}

/// A shard's state in a form with one order.
pub(crate) struct Exported {
    pub(crate) entries: Vec<(Prefix, Entry)>,
    pub(crate) plain: Vec<(Prefix, Millis)>,
    pub(crate) credited: Vec<(Prefix, Millis)>,
}

fn entry_class(traits: &Traits) -> impl Fn(&Entry, Millis) -> Class {
    let traits = *traits;
    move |entry, now| entry.record.class(&traits, now)
}

fn is_ham(act: &Act) -> bool {
    matches!(act, Act::Judged { judgement: Judgement::Ham, .. })
}

/// The class under which a key is judged: declared, or by its mail and looks.
fn class_of(entry: &Entry, seen: &Seen, around: &Surroundings<'_>) -> Class {
    if around.policy.protected.iter().any(|p| p.covers(seen.key)) {
        Class::Protected
    } else if around.policy.relays.iter().any(|p| p.covers(seen.key)) {
        Class::Forwarder
    } else {
        entry.record.class(&seen.traits, around.now)
    }
}

/// Runs the rules; grows sentences in force; says which rules fired without one.
fn judge(
    entry: &mut Entry,
    seen: &Seen,
    class: Class,
    sample: Option<Box<(u64, Evidence)>>,
    around: &Surroundings<'_>,
) -> Vec<What> {
    if let Some((hash, sample)) = sample.map(|s| *s) {
        entry.record.keep_sample(hash, sample);
    }
    let on_probation = entry.record.standing.probation_until > seen.at;
    let good = entry.record.standing.good(around.now).0;
    let context = Context { policy: around.policy, class, on_probation, good };
    let running_rules = DETECTORS.iter().filter(|d| around.policy.mode(d.offence()) > RuleMode::Off);
    let found: Vec<Finding> =
        running_rules.filter_map(|d| d.observe(seen, &mut entry.record, &context)).collect();
    let mut told = grow(entry, around);
    for finding in found {
        let Some(mode) = mode_of(around, &finding) else { continue };
        if entry.active(mode, around.now).is_none() {
            told.push(What::Found(finding, class, mode));
        }
    }
    told
}

/// Gives fresh units to the sentences in force.
fn grow(entry: &mut Entry, around: &Surroundings<'_>) -> Vec<What> {
    let fresh = entry.record.account.take_fresh();
    if fresh.is_empty() {
        return Vec::new();
    }
    let mut told = Vec::new();
    for running in entry.running.iter_mut().filter(|r| r.until > around.now) {
        running.accrue(&fresh, around.now);
        told.push(What::Grown);
    }
    if entry.active(around.mode, around.now).is_some() {
        // Sentenced at once (SEN-4).
        entry.record.account.take(around.now);
    }
    told
}

/// In which mode a finding would open a case; `None` where its rule only scores.
fn mode_of(around: &Surroundings<'_>, finding: &Finding) -> Option<Mode> {
    match around.policy.mode(finding.offence) {
        RuleMode::Off | RuleMode::Score | RuleMode::Defer => None,
        RuleMode::Shadow => Some(Mode::Shadow),
        RuleMode::Block => Some(around.mode),
    }
}
