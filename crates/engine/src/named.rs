//! Domains that a person blocked: cases whose key is a name, in a book of their own.
//!
//! A shard keeps what is remembered of an address; of a name that a person entered there is
//! nothing but its sentence. So the council keeps these sentences itself. They open by
//! command alone, end by their time or a lift, and refuse mail (`answers`) and stand in the
//! list of domains (`projections`) as their events say.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use model::case::Lifted;
use model::event::Cause;
use model::{Actor, BlockKind, Body, CaseId, Command, Domain, Entry, Key, Millis, Mode, Policy, Secs};

use crate::commands::{CommandError, by_hand};
use crate::council::Council;
use crate::kept::Keeper;
use crate::running::Running;

/// Domains blocked at once: each is a person's decision. Whole lists of domains are bulk
/// lists, which cost a few bytes an entry.
const DOMAINS_MAX: usize = 10_000;

/// All domains that are blocked.
#[derive(Debug, Decode, Default, Encode)]
pub(crate) struct Named {
    #[n(0)]
    cases: BTreeMap<CaseId, Filed>,
    /// The ends of all of them.
    #[n(1)]
    ends: BTreeSet<(Millis, CaseId)>,
}

/// One of them.
#[derive(Clone, Debug, Decode, Encode)]
struct Filed {
    #[n(0)]
    domain: Domain,
    #[n(1)]
    running: Running,
}

impl Named {
    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }

    pub(crate) fn has(&self, case: CaseId) -> bool {
        self.cases.contains_key(&case)
    }

    /// All cases.
    pub(crate) fn all(&self) -> Vec<CaseId> {
        self.cases.keys().copied().collect()
    }

    /// The cases of one name; those of names around it are others.
    pub(crate) fn of(&self, domain: &Domain) -> Vec<CaseId> {
        self.those(|filed| filed.domain == *domain)
    }

    /// Whether ends are due at `now`.
    pub(crate) fn has_due(&self, now: Millis) -> bool {
        self.ends.first().is_some_and(|(end, _)| *end <= now)
    }

    /// The cases that are over at `now`.
    pub(crate) fn due(&self, now: Millis) -> Vec<CaseId> {
        self.ends.iter().take_while(|(end, _)| *end <= now).map(|(_, case)| *case).collect()
    }

    fn those(&self, which: impl Fn(&Filed) -> bool) -> Vec<CaseId> {
        self.cases.iter().filter(|(_, filed)| which(filed)).map(|(case, _)| *case).collect()
    }

    fn put(&mut self, domain: Domain, running: Running) {
        self.ends.insert((running.until, running.case));
        self.cases.insert(running.case, Filed { domain, running });
    }

    fn take(&mut self, case: CaseId) -> Option<Filed> {
        let filed = self.cases.remove(&case)?;
        self.ends.remove(&(filed.running.until, case));
        Some(filed)
    }
}

impl Council {
    /// Blocks a domain by hand.
    pub(crate) fn enter_domain(
        &mut self,
        command: &Command,
        domain: &Domain,
        entry: &Entry,
        policy: &Policy,
    ) -> Result<Vec<CaseId>, CommandError> {
        if entry.record.is_some() || entry.spares_good {
            return Err(CommandError::OfNetworks);
        }
        self.block_domain(command, domain, entry.kind, entry.lasts, policy)
    }

    pub(crate) fn block_domain(
        &mut self,
        command: &Command,
        domain: &Domain,
        kind: BlockKind,
        lasts: Secs,
        policy: &Policy,
    ) -> Result<Vec<CaseId>, CommandError> {
        if kind != BlockKind::Rbl {
            return Err(CommandError::NoRoute(domain.clone()));
        }
        if let Some(why) = Keeper::of(policy).why(domain.as_str().as_bytes()) {
            return Err(CommandError::Kept(domain.clone(), why));
        }
        let (now, mode) = (self.now(), self.mode);
        let opened = by_hand(kind, now, lasts);
        let longer = |filed: &Filed| {
            let running = &filed.running;
            filed.domain == *domain
                && running.mode == mode
                && running.until.plus(Secs::MINUTE) >= opened.until
        };
        if let Some(case) = self.named.those(longer).first() {
            return Err(CommandError::AlreadyBlocked(*case));
        }
        if self.named.len() >= DOMAINS_MAX {
            return Err(CommandError::TooManyDomains);
        }
        let case = CaseId(self.writer.next_id());
        let running = Running::begin(case, mode, command.actor, &opened, false);
        let (cause, key) = (Cause::Command(command.id), Key::Domain(domain.clone()));
        self.write(cause, command.actor, mode, Some(case), Some(key), Body::CaseOpened(opened));
        self.named.put(domain.clone(), running);
        Ok(vec![case])
    }

    /// Ends cases of domains early.
    pub(crate) fn close_domains(&mut self, cases: &[CaseId], lifted: Lifted, cause: Cause, actor: Actor) {
        for case in cases {
            if let Some(filed) = self.named.take(*case) {
                self.write_named(&filed, cause, actor, Body::CaseLifted(lifted));
            }
        }
    }

    /// Ends cases of domains whose time is over.
    pub(crate) fn end_domains(&mut self, cases: &[CaseId]) {
        for case in cases {
            if let Some(filed) = self.named.take(*case) {
                let body = Body::CaseEnded(filed.running.until);
                self.write_named(&filed, Cause::Event(case.0), Actor::Engine, body);
            }
        }
    }

    /// Gives the case of a domain another end.
    pub(crate) fn resentence_domain(
        &mut self,
        command: &Command,
        case: CaseId,
        until: Millis,
    ) -> Result<Vec<CaseId>, CommandError> {
        let mut filed = self.named.take(case).ok_or(CommandError::NoSuchCase(case))?;
        filed.running.resentence(until);
        let cause = Cause::Command(command.id);
        self.write_named(&filed, cause, command.actor, Body::CaseResentenced(until));
        self.named.put(filed.domain, filed.running);
        Ok(vec![case])
    }

    /// A policy came into force: what it calls ours is blocked no longer.
    pub(crate) fn free_domains(&mut self, index: u32, policy: &Policy) {
        let keeper = Keeper::of(policy);
        let cases = self.named.those(|filed| keeper.why(filed.domain.as_str().as_bytes()).is_some());
        let (lifted, cause) = (Lifted { at: self.now(), error: true }, self.writer.input(index));
        self.close_domains(&cases, lifted, cause, Actor::Operator);
    }

    fn write_named(&mut self, filed: &Filed, cause: Cause, actor: Actor, body: Body) {
        let (mode, case): (Mode, _) = (filed.running.mode, Some(filed.running.case));
        self.write(cause, actor, mode, case, Some(Key::Domain(filed.domain.clone())), body);
    }
}
