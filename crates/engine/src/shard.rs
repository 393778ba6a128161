//! One of 64 shards: its keys, and the work about them in the order of the inputs.

use detectors::facts::PassesOn;
use detectors::seen::{Act, Beside, Seen, Traits};
use detectors::{ours, traps, volume};
use model::event::StandingChange;
use model::{
    Class, DomainHash, Evidence, Finding, Judgement, Millis, Mode, PersonHash, Policy, Prefix, Units,
};

use crate::SHARDS;
use crate::book::{Book, Kept};
use crate::entry::Entry;
use crate::experience::Met;
use crate::judge::{Surroundings, class_of, judge, refused};
use crate::ours::Test;
use crate::seeded::Seeded;

/// What a good message counts that answers one of ours (C.0).
const REPLY: u8 = 5;
/// The least keys of one shard, whatever is configured.
const KEYS_MIN: usize = 16;

/// What there is to do for one key.
#[derive(Debug)]
pub(crate) enum Work {
    /// Something was seen.
    Seen(Sight),
    /// An attempt was refused because of a live case; the pair is sender and recipient. Traps
    /// are looked up only where that could matter.
    Refused { at: Millis, pair: u64, trap: bool },
    /// A hit on a trap that is burnt counts no more.
    Void { trap: PersonHash, at: Millis, units: Units },
    /// Good mail of an old log: fragments of its recipients.
    Credit(Millis, Vec<u32>),
}

/// A fact with what is known of its session.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) at: Millis,
    pub(crate) traits: Traits,
    pub(crate) act: Act,
    /// The session as evidence.
    pub(crate) sample: Option<Box<Sample>>,
    /// A shadow case would have refused it.
    pub(crate) shadowed: bool,
    /// The pair of an attempt that a shadow case would have refused.
    pub(crate) pair: Option<u64>,
    /// The domain of the envelope sender, where a milter saw the message.
    pub(crate) sender_domain: Option<DomainHash>,
    /// The recipient had written to that domain.
    pub(crate) is_reply: bool,
    /// Who it is, by its kind, where a message was judged.
    pub(crate) met: Option<Box<Met>>,
    /// The fuzzy hash of its text, where that was seen.
    pub(crate) text: Option<u64>,
    /// The traps that a judged message went to.
    pub(crate) trapped: Vec<PersonHash>,
    /// What is known of it from elsewhere.
    pub(crate) beside: Beside,
}

impl Sight {
    /// A fact of which nothing more is known.
    pub(crate) fn of(at: Millis, traits: Traits, act: Act) -> Sight {
        Sight {
            at,
            traits,
            act,
            sample: None,
            shadowed: false,
            pair: None,
            sender_domain: None,
            is_reply: false,
            met: None,
            text: None,
            trapped: Vec::new(),
            beside: Beside::default(),
        }
    }
}

/// A session as evidence.
#[derive(Debug)]
pub(crate) struct Sample {
    /// By which the samples of a case are chosen.
    pub(crate) hash: u64,
    pub(crate) keep: Keep,
    pub(crate) evidence: Evidence,
}

/// When a sample is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Keep {
    /// What was seen is an offence by itself, or was judged.
    Always,
    /// When a rule counts what was seen; a sample that is kept already learns what is new.
    IfCounted,
    /// The headers could not be stored: the session is no evidence (DESIGN §4, 5), nor is
    /// what was kept of it.
    Never,
}

/// Work with its key and the place of its input in the frame.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) index: u32,
    pub(crate) key: Prefix,
    pub(crate) hash: u64,
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
    /// A rule fired.
    Found(Found),
    /// A sentence in force has grown.
    Grown,
    /// The standing changed.
    Standing(StandingChange),
    /// A stranger's first judged message of its kind, or the first good one of a day.
    Met {
        /// Who it was, by its kind.
        met: Box<Met>,
        /// What the message was.
        judgement: Judgement,
        /// The key had sent neither good mail in a month nor spam in a week.
        first: bool,
    },
    /// What spoke against it was a trap that is burnt, and nothing is left of its traps.
    Cleared,
    /// The key was never seen, or is forgotten.
    Fresh,
    /// A message of a key with good mail has tested our rules (G-OURS).
    Tested(Test),
    /// The key passes other people's mail on.
    PassesOn(PassesOn),
    /// The key found no room: all others are blocked.
    NoRoom,
}

/// A finding, the class of its key, and the mode in which its rule would open a case.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) finding: Finding,
    pub(crate) class: Class,
    pub(crate) mode: Mode,
}

/// A key that was forgotten, with units that no sentence has used, and its good mail.
pub(crate) type Gone = (Prefix, Units, u64);

/// One shard.
pub struct Shard {
    book: Book,
    tasks: Vec<Task>,
    told: Vec<Told>,
    gone: Vec<Gone>,
}

impl Shard {
    pub(crate) fn new(seeded: Seeded) -> Shard {
        Shard::from_book(Book::new(seeded))
    }

    fn from_book(book: Book) -> Shard {
        Shard { book, tasks: Vec::new(), told: Vec::new(), gone: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.book.len()
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.tasks.is_empty()
    }

    pub(crate) fn queue(&mut self, task: Task) {
        self.tasks.push(task);
    }

    pub(crate) fn entry(&mut self, hash: u64, key: Prefix) -> Option<&mut Entry> {
        self.book.get(hash, key)
    }

    /// The entry of a key, only to be looked at.
    pub(crate) fn look(&self, hash: u64, key: Prefix) -> Option<&Entry> {
        self.book.look(hash, key)
    }

    /// The entry of a key that a person named, made if need be: for it there is always room.
    pub(crate) fn entry_by_hand(&mut self, hash: u64, key: Prefix, at: Millis) -> &mut Entry {
        let place = self.book.find(hash, key).unwrap_or_else(|| self.book.insert(hash, key, at));
        self.book.at(place)
    }

    /// Moves the news out.
    pub(crate) fn take_told(&mut self, told: &mut Vec<Told>, gone: &mut Vec<Gone>) {
        told.append(&mut self.told);
        gone.append(&mut self.gone);
    }

    /// Does all queued work.
    pub(crate) fn run(&mut self, around: &Surroundings<'_>) {
        let mut tasks = std::mem::take(&mut self.tasks);
        for task in tasks.drain(..) {
            self.work(task, around);
        }
        self.tasks = tasks;
    }

    fn work(&mut self, task: Task, around: &Surroundings<'_>) {
        let Task { index, key, hash, work } = task;
        match work {
            Work::Seen(sight) => self.seen(index, hash, key, sight, around),
            Work::Refused { at, pair, trap } => {
                let Some(entry) = self.book.get(hash, key) else { return };
                entry.record.last_seen = entry.record.last_seen.max(at);
                if refused(entry, Mode::Live, (pair, trap), around.now) {
                    self.told.push(Told { index, key, what: What::Grown });
                }
            }
            Work::Void { trap, at, units } => {
                let Some(entry) = self.book.get(hash, key) else { return };
                if entry.void_trap(trap, at, units, around.now) {
                    self.told.push(Told { index, key, what: What::Cleared });
                }
            }
            Work::Credit(at, people) => self.credit(index, hash, key, at, &people, around),
        }
    }

    fn seen(&mut self, index: u32, hash: u64, key: Prefix, sight: Sight, around: &Surroundings<'_>) {
        let looks = sight.traits;
        let sight = Sight { traits: looks.without(around.suspended), ..sight };
        let Sight { at, traits, act, sample, shadowed, pair, is_reply, met, mut beside, .. } = sight;
        let seen = Seen { at, key, traits, act };
        if self.is_fresh(hash, &seen, around) {
            self.told.push(Told { index, key, what: What::Fresh });
        }
        let Some(place) = self.place(index, hash, key, at, around) else {
            return self.gone.push((key, units_of(&seen.act), good_of(&seen.act)));
        };
        let entry = self.book.at(place);
        entry.record.last_seen = entry.record.last_seen.max(at);
        let mut told = Vec::new();
        if pair.is_some_and(|pair| refused(entry, Mode::Shadow, (pair, false), around.now)) {
            told.push(What::Grown);
        }
        let class = class_of(entry, &seen, around);
        told.extend(test(entry, &seen, &looks, class, around).map(What::Tested));
        told.extend(met.and_then(|met| meet(entry, &seen, met, around)));
        if let Act::Judged { judgement: Judgement::Ham, recipient, .. } = seen.act {
            let fragment = recipient.map_or(0, |PersonHash(r)| r as u32);
            let weight = if is_reply { REPLY } else { 1 };
            beside.spent = entry.record.standing.is_spent(at, fragment);
            entry.record.standing.credit(at.min(around.standing), fragment, weight);
        }
        // What a lift covered counts no more.
        if at > entry.lifted_up_to {
            judge(entry, &seen, class, (sample, beside), shadowed, around, &mut told);
        }
        if matches!(seen.act, Act::Ended(_) | Act::Judged { .. }) {
            told.extend(entry.record.passes_on(around.now).map(What::PassesOn));
        }
        let credit = entry.has_credit(around.standing);
        let bursts = entry.record.volume.bursts(class, &around.policy.volume, around.now);
        told.extend(entry.standing_to_tell(class, credit, bursts, around.now).map(What::Standing));
        self.told.extend(told.into_iter().map(|what| Told { index, key, what }));
    }

    fn credit(
        &mut self,
        index: u32,
        hash: u64,
        key: Prefix,
        at: Millis,
        people: &[u32],
        around: &Surroundings<'_>,
    ) {
        let Some(place) = self.place(index, hash, key, at, around) else { return };
        let entry = self.book.at(place);
        let standing = &mut entry.record.standing;
        standing.first_seen = standing.first_seen.min(at);
        people.iter().for_each(|who| standing.credit(at.min(around.standing), *who, 1));
        let class = entry.record.class(&Traits::default(), around.standing);
        let credit = entry.has_credit(around.standing);
        let change = entry.standing_to_tell(class, credit, false, around.now);
        self.told.extend(change.map(|change| Told { index, key, what: What::Standing(change) }));
    }

    /// Whether the key is one that greylisting may ask about (`rotating`), and new.
    fn is_fresh(&self, hash: u64, seen: &Seen, around: &Surroundings<'_>) -> bool {
        let asks = around.policy.greylist.is_some() && matches!(seen.key, Prefix::V6(..));
        asks && !seen.traits.shared && self.book.find(hash, seen.key).is_none()
    }

    /// Where a key stands, or is entered now; others may be forgotten for it. `None` when
    /// there is no room.
    fn place(
        &mut self,
        index: u32,
        hash: u64,
        key: Prefix,
        at: Millis,
        around: &Surroundings<'_>,
    ) -> Option<usize> {
        if let Some(place) = self.book.find(hash, key) {
            return Some(place);
        }
        if self.make_room(index, around) {
            return Some(self.book.insert(hash, key, at));
        }
        self.told.push(Told { index, key, what: What::NoRoom });
        None
    }

    fn make_room(&mut self, index: u32, around: &Surroundings<'_>) -> bool {
        let cap = keys_max(around.policy) / SHARDS;
        let (told, gone) = (&mut self.told, &mut self.gone);
        self.book.make_room(cap, around.standing, &mut |key, entry| {
            let waiting = entry.record.account.units(around.mode, around.now);
            let good = entry.record.standing.good(around.standing).0;
            gone.push((key, model::case::total(&waiting), good.into()));
            let change = entry.standing_to_withdraw();
            told.extend(change.map(|change| Told { index, key, what: What::Standing(change) }));
        })
    }

    /// Keys of which it was told that they have good mail.
    pub(crate) fn credited(&self) -> impl Iterator<Item = Prefix> {
        let kept = self.book.export().into_iter().flatten();
        kept.filter(|(_, _, entry)| entry.is_told_to_have_credit()).map(|(key, ..)| key)
    }

    /// Its keys for a checkpoint.
    pub(crate) fn export(&self) -> [Vec<Kept<&Entry>>; 2] {
        self.book.export()
    }

    /// The shard of a checkpoint.
    pub(crate) fn import(seeded: Seeded, queues: [Vec<Kept<Entry>>; 2]) -> Shard {
        Shard::from_book(Book::import(seeded, queues))
    }
}

/// Keys that are remembered at once, in all shards.
pub(crate) fn keys_max(policy: &Policy) -> usize {
    (policy.keys_max as usize / SHARDS).max(KEYS_MIN) * SHARDS
}

/// What the site may learn of a judged message: of spam only as long as nothing good came of
/// its sender.
fn meet(entry: &Entry, seen: &Seen, met: Box<Met>, around: &Surroundings<'_>) -> Option<What> {
    let Act::Judged { judgement, .. } = seen.act else { return None };
    let record = &entry.record;
    let stranger = !entry.has_credit(around.standing);
    let first_of_day = record.standing.good_in(1, around.standing).0 == 0;
    match judgement {
        Judgement::Ham if first_of_day => Some(What::Met { met, judgement, first: stranger }),
        Judgement::Spam if stranger => {
            let first = record.volume.spam_week(seen.at) == 0;
            Some(What::Met { met, judgement, first })
        }
        _ => None,
    }
}

/// Good messages that a fact about a key stands for that is not remembered.
fn good_of(act: &Act) -> u64 {
    matches!(act, Act::Judged { judgement: Judgement::Ham, .. }).into()
}

/// How a message of a known key fares under rules that may be at fault, as the key looks,
/// whatever rests. Shared senders are not judged by their looks, so they say nothing.
fn test(
    entry: &mut Entry,
    seen: &Seen,
    looks: &Traits,
    class: Class,
    around: &Surroundings<'_>,
) -> Option<Test> {
    let counts = around.policy.guards.classes && !looks.shared && entry.has_credit(around.standing);
    let (tested, failed) = counts.then(|| ours::test(&seen.act, looks, &mut entry.record)).flatten()?;
    let region = Prefix::new(seen.key.addr(), if matches!(seen.key, Prefix::V4(..)) { 16 } else { 32 });
    let [who, region] = [seen.key, region].map(|of| around.seeded.key(of) as u32);
    (class >= Class::Known).then_some(Test { tested, failed, who, region })
}

/// Units of a fact about a key that is not remembered.
fn units_of(act: &Act) -> Units {
    Units::whole(match act {
        Act::Judged { judgement: Judgement::Spam, recipients, .. } => volume::units_of(*recipients).into(),
        Act::Attempt { trap: Some((_, kind)), .. } => traps::units_of(*kind),
        _ => 0,
    })
}
