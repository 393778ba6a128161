//! What is known of each case and each key, as the pages and answers need it.

use std::hash::BuildHasherDefault;
use std::net::IpAddr;
use std::sync::Arc;

use model::case::{Force, force};
use model::event::{Commitment, RuleStamp, StandingChange};
use model::{Actor, Body, Case, CaseId, Class, Envelope, Hybrid, Key, Millis, Mode, NetworkNews};
use rpds::HashTrieMapSync;
use siphasher::sip::SipHasher13;

/// Fixed seed: the map's own order never reaches an output, and an attacker can not aim at
/// buckets because case ids and keys come from our own decisions.
type Fixed = BuildHasherDefault<SipHasher13>;

/// One case with what stands around it.
#[derive(Clone, Debug)]
pub struct CaseView {
    /// Which case.
    pub id: CaseId,
    /// What it is about.
    pub key: Key,
    /// Its life so far.
    pub case: Case,
    /// Who opened it.
    pub actor: Actor,
    /// The rule that opened it.
    pub rule: Option<RuleStamp>,
    /// When it was opened.
    pub opened_at: Millis,
    /// Epoch of the key that makes its link.
    pub link_epoch: u16,
    /// Commitments to its evidence.
    pub evidence: Vec<Commitment>,
}

/// What is known of a key.
#[derive(Clone, Debug, Default)]
pub struct KeyView {
    /// Its cases, oldest first.
    pub cases: Vec<CaseId>,
    /// Everything caused up to here was lifted; zero: never.
    pub lifted_up_to: Millis,
    /// What is remembered of it: the newest that was told.
    pub standing: Option<StandingChange>,
    /// It passes greylisting until then; zero: never.
    pub pass_until: Millis,
    /// When that was decided: of two, the later counts, in whatever order they arrive.
    standing_at: Hybrid,
}

/// All cases and keys; clones share everything.
#[derive(Clone, Debug)]
pub struct Cases {
    cases: HashTrieMapSync<CaseId, Arc<CaseView>, Fixed>,
    keys: HashTrieMapSync<Key, Arc<KeyView>, Fixed>,
}

impl Default for Cases {
    fn default() -> Self {
        Cases {
            cases: HashTrieMapSync::new_with_hasher_and_ptr_kind(Fixed::default()),
            keys: HashTrieMapSync::new_with_hasher_and_ptr_kind(Fixed::default()),
        }
    }
}

impl Cases {
    /// A case by its id.
    pub fn get(&self, id: CaseId) -> Option<&Arc<CaseView>> {
        self.cases.get(&id)
    }

    /// What is known of a key.
    pub fn key(&self, key: &Key) -> Option<&KeyView> {
        self.keys.get(key).map(Arc::as_ref)
    }

    /// How many cases are kept.
    pub fn len(&self) -> usize {
        self.cases.size()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// All cases in the order of their ids.
    pub fn sorted(&self) -> Vec<Arc<CaseView>> {
        let mut all: Vec<_> = self.cases.values().cloned().collect();
        all.sort_by_key(|c| c.id);
        all
    }

    /// What holds against a key in one mode.
    pub fn force(&self, key: &Key, mode: Mode, now: Millis) -> Option<Force> {
        let known = self.keys.get(key)?;
        let cases = known.cases.iter().filter_map(|id| Some((*id, &self.cases.get(id)?.case)));
        force(cases, mode, now, known.lifted_up_to)
    }

    /// What holds against one address because of a key in one mode: a case that spares it
    /// does not.
    pub fn force_on(&self, key: &Key, addr: IpAddr, mode: Mode, now: Millis) -> Option<Force> {
        let known = self.keys.get(key)?;
        let cases = known.cases.iter().filter_map(|id| Some((*id, &self.cases.get(id)?.case)));
        force(cases.filter(|(_, case)| !case.spares(addr)), mode, now, known.lifted_up_to)
    }

    /// The cases of a key that hold in one mode, oldest first.
    pub fn holding_on(&self, key: &Key, mode: Mode, now: Millis) -> impl Iterator<Item = &Case> {
        let known = self.keys.get(key);
        let lifted = known.map_or(Millis(0), |known| known.lifted_up_to);
        let ids = known.into_iter().flat_map(|known| &known.cases);
        let cases = ids.filter_map(|id| Some(&self.cases.get(id)?.case));
        cases.filter(move |case| case.mode == mode && case.holds(now, lifted))
    }

    /// Joins one event.
    pub(crate) fn apply(&mut self, event: &Envelope) {
        match (&event.body, event.case, &event.key) {
            (Body::KeyLifted(lifted), _, Some(key)) => {
                self.change_key(key, |k| k.lifted_up_to = k.lifted_up_to.max(lifted.at));
            }
            (Body::StandingChanged(change), _, Some(key)) => {
                self.change_key(key, |k| k.join_standing(event.at, *change));
            }
            (Body::GreylistPassed(until), _, Some(key)) => {
                self.change_key(key, |k| k.pass_until = k.pass_until.max(*until));
            }
            (_, Some(id), Some(key)) => self.change_case(id, key, event),
            _ => {}
        }
    }

    fn change_key(&mut self, key: &Key, change: impl FnOnce(&mut KeyView)) {
        let mut view = self.keys.get(key).map(|k| KeyView::clone(k)).unwrap_or_default();
        change(&mut view);
        self.keys.insert_mut(key.clone(), Arc::new(view));
    }

    fn change_case(&mut self, id: CaseId, key: &Key, event: &Envelope) {
        let known = self.cases.get(&id).map(|c| CaseView::clone(c));
        if known.is_none() {
            self.change_key(key, |k| insert_sorted(&mut k.cases, id));
        }
        let mut view = known.unwrap_or_else(|| CaseView::begin(id, key, event));
        view.join(event);
        self.cases.insert_mut(id, Arc::new(view));
    }

    /// Drops a case, and its key when nothing else is known of that.
    pub(crate) fn forget(&mut self, id: CaseId) {
        let Some(case) = self.cases.get(&id).cloned() else { return };
        self.cases.remove_mut(&id);
        self.change_key(&case.key, |k| k.cases.retain(|c| *c != id));
        self.forget_if_plain(&case.key);
    }

    /// Drops a key whose pass is over, when nothing else is known of it.
    pub(crate) fn pass_over(&mut self, key: &Key, now: Millis) {
        if self.keys.get(key).is_some_and(|k| k.pass_until <= now) {
            self.change_key(key, |k| k.pass_until = Millis(0));
            // A lift beats blocks that arrive after it.
            if self.keys.get(key).is_some_and(|k| k.lifted_up_to == Millis(0)) {
                self.forget_if_plain(key);
            }
        }
    }

    fn forget_if_plain(&mut self, key: &Key) {
        let is_plain =
            |k: &Arc<KeyView>| k.cases.is_empty() && k.standing.is_none() && k.pass_until == Millis(0);
        if self.keys.get(key).is_some_and(is_plain) {
            self.keys.remove_mut(key);
        }
    }
}

fn insert_sorted(ids: &mut Vec<CaseId>, id: CaseId) {
    if let Err(place) = ids.binary_search(&id) {
        // Most keys have one case: no room for four.
        ids.reserve_exact(1);
        ids.insert(place, id);
    }
}

impl KeyView {
    fn join_standing(&mut self, at: Hybrid, change: StandingChange) {
        if at >= self.standing_at {
            let until = change.pass_until.or(change.burst_until);
            let plain = change.class == Class::Unknown && !change.credit && until.is_none();
            (self.standing_at, self.standing) = (at, (!plain).then_some(change));
        }
    }
}

impl CaseView {
    fn begin(id: CaseId, key: &Key, event: &Envelope) -> CaseView {
        CaseView {
            id,
            key: key.clone(),
            case: Case::default(),
            actor: event.actor,
            rule: None,
            opened_at: event.at.wall,
            link_epoch: event.link_epoch,
            evidence: Vec::new(),
        }
    }

    fn join(&mut self, event: &Envelope) {
        match &event.body {
            Body::CaseOpened(opened) => {
                self.case.join_opened(opened, event.mode);
                (self.actor, self.rule, self.opened_at) = (event.actor, event.rule, event.at.wall);
                self.link_epoch = event.link_epoch;
                self.evidence = event.evidence.iter().map(|c| **c).collect();
            }
            Body::CaseExtended(extended) => self.case.join_extended(extended),
            Body::CaseLifted(lifted) => self.case.join_lifted(*lifted),
            Body::CaseResentenced(until) => self.case.join_resentenced(event.at, *until),
            Body::Network(NetworkNews::Holes(holes)) => self.case.join_holes(holes),
            _ => {}
        }
    }
}
