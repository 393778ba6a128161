//! What is listed, what copies have of it, and the steps between: without a thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge::dns::transfer::{Edition, Past, Step, is_later};
use ledger::ZoneLog;
use ledger::zone_log::RECORD_LEN_MAX;
use model::{Codes, Key, Millis, Prefix, Secs};
use projections::View;
use projections::records::shown::{self, Shown};
use projections::records::{
    Bulk, Change, Entries, Held, Owner, Place, Row, Rows, Scope, Zone, difference, keys,
};

use super::news::Told;
use super::octets::Record;

/// For so long a copy that was away catches up by steps: a day, and an hour for those who come
/// once a day.
const STEPS_LAST: Secs = Secs(25 * 3600);
/// Changes in the steps of one zone; of 56 octets and more, about 12 MB. A site that blocks two
/// addresses a second needs as many in a day; behind more, a copy takes the whole zone.
const CHANGES_MAX: usize = 200_000;
/// The file is written anew when it has grown by so much: a minute's reading at a start would
/// be the alternative.
const LOG_GROWS: u64 = 64 << 20;
/// Rows in one record of the file.
const ROWS: usize = 65_536;

/// How much is kept and compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// With more places where something changed, no difference is made: copies take the whole
    /// zone sooner than they would work it off.
    pub(super) places: usize,
    /// Of a zone with more rows only the number is kept: its copies fetch it whole after a
    /// restart, which takes them less than us to compare two states of that size.
    pub(super) rows: usize,
    /// Octets of one record of the file.
    pub(super) record: usize,
}

impl Limits {
    /// Those of every site.
    pub(super) const USUAL: Limits = Limits { places: 200_000, rows: 2_000_000, record: RECORD_LEN_MAX };
}

/// Keeps all zones.
pub(super) struct Keeper {
    path: PathBuf,
    print: [u8; 32],
    limits: Limits,
    /// None only before it was written for the first time.
    log: Option<ZoneLog>,
    /// How long the file was when it was written.
    begun: u64,
    /// What is listed now, and what copies can know of.
    now: Entries,
    served: Entries,
    /// Where the two may differ.
    places: BTreeSet<Place>,
    /// There are too many of them, or the file that says so is still to be written.
    is_anew: bool,
    /// When which key is to be looked at again.
    ends: BTreeSet<(Millis, Key)>,
    /// Prefixes with holes, as they stand in `now`.
    holed: BTreeMap<Prefix, Held>,
    /// What is never listed.
    spared: BTreeSet<Prefix>,
    generation: Option<u32>,
    shown: Vec<Shown>,
    zones: Vec<State>,
}

/// One zone.
struct State {
    zone: Zone,
    serial: u32,
    past: Arc<Past>,
    /// Of each of its steps, oldest first: when, and how many changes.
    steps: VecDeque<(Millis, usize)>,
    changes: usize,
}

/// What the file said of one zone.
#[derive(Default)]
struct Known {
    serial: Option<u32>,
    /// None where they were too many, or do not count.
    rows: Option<BTreeMap<Owner, Codes>>,
    steps: Vec<(Millis, Step)>,
}

impl Keeper {
    /// Reads what was served last and brings it up to the view. The file is written anew.
    ///
    /// # Errors
    ///
    /// A text for the operator: the file is something else, or the disk.
    pub(super) fn open(
        path: &Path,
        print: [u8; 32],
        limits: Limits,
        view: &View,
        now: Millis,
    ) -> Result<Keeper, String> {
        let read = ZoneLog::read(path).map_err(|e| e.to_string())?;
        let records: Option<Vec<_>> = read.records.iter().map(|record| Record::read_all(record)).collect();
        let is_whole = !read.was_cut && records.is_some();
        let mut known = known(records.unwrap_or_default().concat(), print);
        if !is_whole {
            known.forget();
            tracing::warn!(file = %path.display(), "the file of zones is damaged; secondaries fetch whole zones");
        }
        let zones =
            Zone::all().map(|zone| State::new(zone, known.remove(zone.label), is_whole, now)).collect();
        let (path, entries) = (path.to_owned(), Entries::default());
        let mut keeper = Keeper {
            path,
            print,
            limits,
            log: None,
            begun: 0,
            served: entries.clone(),
            now: entries,
            places: BTreeSet::new(),
            // All is new to us: no places are gathered.
            is_anew: true,
            ends: BTreeSet::new(),
            holed: BTreeMap::new(),
            spared: BTreeSet::new(),
            generation: None,
            shown: Vec::new(),
            zones,
        };
        keeper.take(&Told { keys: Vec::new(), all: true }, view, now);
        keeper.served = keeper.now.clone();
        keeper.is_anew = false;
        keeper.catch_up(&mut known, now);
        keeper.rewrite().map_err(|e| e.to_string())?;
        Ok(keeper)
    }

    /// How many zones there are.
    pub(super) fn zones(&self) -> usize {
        self.zones.len()
    }

    /// A zone as it is served.
    pub(super) fn edition(&self, zone: usize) -> Edition {
        let State { zone, serial, past, .. } = &self.zones[zone];
        Edition { zone: *zone, serial: *serial, entries: self.served.clone(), past: past.clone() }
    }

    /// Whether something is listed otherwise than it is served.
    pub(super) fn has_changes(&self) -> bool {
        !self.places.is_empty() || self.is_anew
    }

    /// Takes in what changed by events and by time.
    pub(super) fn take(&mut self, told: &Told, view: &View, now: Millis) {
        told.keys.iter().for_each(|key| self.look(key, view, now));
        if told.all {
            let before = std::mem::take(&mut self.ends).into_iter().map(|(_, key)| key);
            let all: BTreeSet<Key> = before.chain(keys(view, now)).collect();
            all.iter().for_each(|key| self.look(key, view, now));
        }
        while let Some((_, key)) = self.ends.first().filter(|(end, _)| *end <= now).cloned() {
            self.ends.pop_first();
            self.look(&key, view, now);
        }
        self.spare(view);
        self.show_bulk(view, now);
    }

    /// Gathers places where what is listed may differ from what is served, one at a time: a list
    /// may have ten million.
    fn mark(&mut self, places: impl IntoIterator<Item = Place>) {
        let mut places = places.into_iter();
        while let Some(place) = places.next().filter(|_| !self.is_anew) {
            self.places.insert(place);
            if self.places.len() > self.limits.places {
                (self.places, self.is_anew) = (BTreeSet::new(), true);
            }
        }
    }

    /// Brings one key in line with its cases.
    fn look(&mut self, key: &Key, view: &View, now: Millis) {
        let next = match key {
            Key::Net(prefix) => {
                let (held, next) = Held::of(view, key, now);
                self.hold(*prefix, held);
                next
            }
            Key::Domain(domain) => {
                let (scope, next) = Scope::of(view, domain, now);
                self.now.set_name(domain.as_str(), 0, scope);
                self.mark([Place::Name(domain.as_str().into())]);
                next
            }
            // Of mail by one sender's name from one address; no list can say that.
            Key::DomainAt(..) => None,
        };
        self.ends.extend(next.map(|end| (end, key.clone())));
    }

    fn hold(&mut self, prefix: Prefix, after: Held) {
        let before = self.holed.remove(&prefix).unwrap_or_default();
        self.now.set(prefix, &before, &after);
        self.mark(Place::of(prefix, &before, &after));
        if !after.holes.is_empty() {
            self.holed.insert(prefix, after);
        }
    }

    /// Takes over what can never be listed.
    fn spare(&mut self, view: &View) {
        if self.generation.replace(view.protected.generation()) == Some(view.protected.generation()) {
            return;
        }
        let listed: BTreeSet<Prefix> = view.protected.listed().iter().copied().collect();
        let before = std::mem::replace(&mut self.spared, listed.clone());
        for prefix in before.symmetric_difference(&listed) {
            self.now.spare(*prefix, listed.contains(prefix));
            self.mark([Place::spared(*prefix)]);
        }
    }

    /// Takes over our own bulk lists where they changed.
    fn show_bulk(&mut self, view: &View, now: Millis) {
        if shown::is_current(&self.shown, view, now) {
            return;
        }
        let after = shown::show(&self.shown, view, now);
        let before = std::mem::replace(&mut self.shown, after.clone());
        let pairs = before.iter().map(Some).chain(std::iter::repeat(None));
        let pairs = pairs.zip(after.iter().map(Some).chain(std::iter::repeat(None)));
        for (nth, (old, new)) in (1u8..).zip(pairs.take(before.len().max(after.len()))) {
            self.set_names(nth, old, new);
            let none = Bulk::default();
            let bulk = |shown: Option<&'_ Shown>| shown.map(|shown| shown.bulk.clone());
            let (old, new) = (bulk(old), bulk(new));
            let apart = old.as_deref().unwrap_or(&none).apart(new.as_deref().unwrap_or(&none));
            self.mark(apart.map(Place::Net));
        }
        self.now.set_bulk(&after.iter().map(|shown| shown.bulk.clone()).collect::<Vec<_>>());
    }

    fn set_names(&mut self, source: u8, old: Option<&Shown>, new: Option<&Shown>) {
        if old.zip(new).is_some_and(|(old, new)| old.hash == new.hash && old.due == new.due) {
            return;
        }
        let none = |(name, _): &(Box<str>, Scope)| (name.clone(), Scope::default());
        let gone = old.into_iter().flat_map(|old| &old.names).map(none);
        let come = new.into_iter().flat_map(|new| &new.names).cloned();
        for (name, scope) in gone.chain(come) {
            self.now.set_name(&name, source, scope);
            self.mark([Place::Name(name)]);
        }
    }

    /// Makes the next step of every zone that changed, and says which.
    ///
    /// # Errors
    ///
    /// Of the disk: nothing has changed then, and it can be tried again.
    pub(super) fn step(&mut self, now: Millis) -> Result<Vec<usize>, ledger::StoreError> {
        if self.is_anew {
            return self.anew();
        }
        let mut steps = Vec::new();
        for (nth, state) in self.zones.iter().enumerate() {
            let changes = difference(&self.served, &self.now, &state.zone, &self.places);
            if !changes.is_empty() {
                steps.push((nth, Step { from: state.serial, to: state.serial.wrapping_add(1), changes }));
            }
        }
        let records = steps.iter().map(|(nth, step)| record(&self.zones[*nth].zone, now, step));
        let joined = Record::join(&records.collect::<Vec<_>>());
        let Some(log) = self.log.as_mut().filter(|_| joined.len() <= self.limits.record) else {
            return self.anew();
        };
        if !steps.is_empty() {
            log.append(&joined)?;
        }
        let is_long = log.len() > self.begun + LOG_GROWS;
        self.served = self.now.clone();
        self.places.clear();
        let zones = steps.iter().map(|(nth, _)| *nth).collect();
        steps.into_iter().for_each(|(nth, step)| self.zones[nth].add(now, step));
        if let Some(error) = is_long.then(|| self.rewrite()).and_then(Result::err) {
            // The steps are written, and the old file goes on.
            tracing::warn!(%error, "the file of zones can not be written anew");
        }
        Ok(zones)
    }

    /// Gives all zones a number to which no step leads.
    fn anew(&mut self) -> Result<Vec<usize>, ledger::StoreError> {
        // Until it is written, it is tried again; a number more does no harm.
        self.is_anew = true;
        self.served = self.now.clone();
        self.zones.iter_mut().for_each(State::begin);
        self.rewrite()?;
        (self.places, self.is_anew) = (BTreeSet::new(), false);
        Ok((0..self.zones.len()).collect())
    }

    /// The step from what the file knew to what holds now; none from what is not known.
    fn catch_up(&mut self, known: &mut KnownZones, now: Millis) {
        for state in &mut self.zones {
            let Some(rows) = known.rows(state.zone.label) else {
                state.begin();
                continue;
            };
            // With one more, there are too many changes.
            let most = rows.len() + CHANGES_MAX + 1;
            let is = Rows::new(&self.served, state.zone).take(most).map(|row| (row.owner, row.codes));
            let changes = changes(&rows, &is.collect());
            if changes.len() > CHANGES_MAX {
                state.begin();
            } else if !changes.is_empty() {
                state.add(now, Step { from: state.serial, to: state.serial.wrapping_add(1), changes });
            }
        }
    }

    /// Writes the file anew: all steps that are kept, and all states.
    fn rewrite(&mut self) -> Result<(), ledger::StoreError> {
        let first = std::iter::once(Record::Fingerprint(self.print).to_octets());
        let steps = self.zones.iter().flat_map(State::records);
        let (served, most) = (&self.served, self.limits.rows);
        let rows = self.zones.iter().flat_map(|state| state_records(state, served, most));
        let all: Vec<Vec<u8>> = first.chain(steps).chain(rows).collect();
        let log = ZoneLog::rewrite(&self.path, all.iter().map(Vec::as_slice))?;
        (self.begun, self.log) = (log.len(), Some(log));
        Ok(())
    }
}

impl State {
    /// A zone as the file knew it. Where that was damaged, numbers may have been given that it
    /// does not know: they are at most as many as seconds went by, so the time is beyond them.
    fn new(zone: Zone, known: Option<(u32, Vec<(Millis, Step)>)>, is_whole: bool, now: Millis) -> State {
        // RFC 1982 arithmetic: the lowest 32 bits are meant.
        let seconds = (now.0 / 1000) as u32;
        let (known, steps) = known.map_or((None, Vec::new()), |(serial, steps)| (Some(serial), steps));
        let serial = match known {
            Some(serial) if is_whole || is_later(serial, seconds) => serial,
            _ => seconds,
        };
        let mut state = State { zone, serial, past: Arc::default(), steps: VecDeque::new(), changes: 0 };
        if is_whole {
            steps.into_iter().for_each(|(at, step)| state.put(at, step));
        }
        state
    }

    /// Adds a step and takes its number.
    fn add(&mut self, now: Millis, step: Step) {
        self.serial = step.to;
        self.put(now, step);
        let is_over = |state: &State| {
            let too_old = state.steps.front().is_some_and(|(at, _)| at.plus(STEPS_LAST) < now);
            too_old || state.changes > CHANGES_MAX
        };
        while is_over(self) {
            self.forget_oldest();
        }
    }

    fn put(&mut self, at: Millis, step: Step) {
        self.changes += step.changes.len();
        self.steps.push_back((at, step.changes.len()));
        self.past.add(Arc::new(step));
    }

    fn forget_oldest(&mut self) {
        if let Some((_, count)) = self.steps.pop_front() {
            self.changes -= count;
            self.past.forget_oldest();
        }
    }

    /// Takes a number to which no step leads.
    fn begin(&mut self) {
        self.forget();
        self.serial = self.serial.wrapping_add(1);
    }

    fn forget(&mut self) {
        while !self.steps.is_empty() {
            self.forget_oldest();
        }
    }

    /// Its steps for the file.
    fn records(&self) -> Vec<Vec<u8>> {
        let steps = self.past.all();
        let at = self.steps.iter().map(|(at, _)| *at);
        at.zip(&steps).map(|(at, step)| record(&self.zone, at, step).to_octets()).collect()
    }
}

/// The rows of a zone for the file; of one with more than `most` an empty record, for its number.
fn state_records(state: &State, served: &Entries, most: usize) -> Vec<Vec<u8>> {
    let (label, serial) = (state.zone.label.to_owned(), state.serial);
    let mut rows: Vec<Row> = Rows::new(served, state.zone).take(most + 1).collect();
    if rows.len() > most {
        rows.clear();
    }
    let chunks = rows.chunks(ROWS).map(<[Row]>::to_vec);
    let chunks = chunks.chain(rows.is_empty().then(Vec::new));
    chunks.map(|rows| Record::Rows { label: label.clone(), serial, rows }.to_octets()).collect()
}

fn record(zone: &Zone, at: Millis, step: &Step) -> Record {
    let Step { from, to, changes } = step.clone();
    Record::Step { label: zone.label.to_owned(), from, to, at, changes }
}

/// What two states of a zone have apart.
fn changes(was: &BTreeMap<Owner, Codes>, is: &BTreeMap<Owner, Codes>) -> Vec<Change> {
    let owners: BTreeSet<&Owner> = was.keys().chain(is.keys()).collect();
    let of = |rows: &BTreeMap<Owner, Codes>, owner: &Owner| rows.get(owner).copied().unwrap_or_default();
    let change =
        |owner: &Owner| Change { owner: owner.clone(), before: of(was, owner), after: of(is, owner) };
    owners.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

/// What the file knew, by label.
struct KnownZones(BTreeMap<String, Known>);

/// Joins the records of a file; what was made for other words than ours counts only for its
/// numbers.
fn known(records: Vec<Record>, print: [u8; 32]) -> KnownZones {
    let mut zones = BTreeMap::<String, Known>::new();
    let is_ours = records.first() == Some(&Record::Fingerprint(print));
    for record in records {
        match record {
            Record::Fingerprint(_) => {}
            Record::Rows { label, serial, rows } => {
                let known = zones.entry(label).or_default();
                known.serial = Some(serial);
                if !rows.is_empty() {
                    let all = known.rows.get_or_insert_default();
                    all.extend(rows.into_iter().map(|row| (row.owner, row.codes)));
                }
            }
            Record::Step { label, from, to, at, changes } => {
                let known = zones.entry(label).or_default();
                // Steps in front of the state lead to it; those behind it go on from there.
                if known.serial.is_some() {
                    known.serial = Some(to);
                    if let Some(rows) = &mut known.rows {
                        changes.iter().for_each(|change| apply(rows, change));
                    }
                }
                known.steps.push((at, Step { from, to, changes }));
            }
        }
    }
    if !is_ours {
        zones.values_mut().for_each(Known::forget);
    }
    KnownZones(zones)
}

fn apply(rows: &mut BTreeMap<Owner, Codes>, change: &Change) {
    match change.after.is_empty() {
        true => _ = rows.remove(&change.owner),
        false => _ = rows.insert(change.owner.clone(), change.after),
    }
}

impl Known {
    /// Forgets everything but the number.
    fn forget(&mut self) {
        (self.rows, self.steps) = (None, Vec::new());
    }
}

impl KnownZones {
    fn forget(&mut self) {
        self.0.values_mut().for_each(Known::forget);
    }

    /// Number and steps of a zone.
    fn remove(&mut self, label: &str) -> Option<(u32, Vec<(Millis, Step)>)> {
        let known = self.0.get_mut(label)?;
        Some((known.serial?, std::mem::take(&mut known.steps)))
    }

    /// Its state.
    fn rows(&mut self, label: &str) -> Option<BTreeMap<Owner, Codes>> {
        self.0.remove(label)?.rows
    }
}
