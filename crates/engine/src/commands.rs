//! What the council does when a person commands.

use std::fmt;

use model::case::{Lifted, Opened};
use model::event::Cause;
use model::protected::{Hand, Refused};
use model::{
    Actor, BlockKind, Body, CaseId, Class, Command, Domain, FeedNews, Key, Lesson, Millis, Mode, Offence,
    Order, Prefix, Secs, Severity, Subject, Tariff, reasons,
};

use crate::Receipt;
use crate::council::{Books, Council};
use crate::entry::Entry;
use crate::experience::Experience;
use crate::kept::Kept;
use crate::networks::{Price, is_network};
use crate::reporters::Outcome;
use crate::running::Running;

/// Shortest and longest probation after a lift (UNB-6).
const PROBATION: (Secs, Secs) = (Secs::DAY, Secs(7 * 86_400));

/// Why a command was not carried out. The person's doing; nothing has changed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CommandError {
    /// No running case has this reference.
    NoSuchCase(CaseId),
    /// The key can not be blocked.
    Protected(Refused),
    /// Only addresses, networks and domains can be blocked.
    NotANet(Key),
    /// A domain that is ours, or many people's.
    Kept(Domain, Kept),
    /// Packets have no sender's domain, so there is no null route against one.
    NoRoute(Domain),
    /// Records and good servers inside are of networks, not of domains.
    OfNetworks,
    /// There is no room for another domain.
    TooManyDomains,
    /// The key is blocked already, by this case, at least as long.
    AlreadyBlocked(CaseId),
    /// A network is too wide, or sent too much good mail, to be blocked without a second
    /// word.
    OverBudget(Prefix, Price),
    /// A record needs evidence, or the operator's word that there is none.
    NoEvidence,
    /// The record with this number is of a key that the new one does not hold.
    OtherRecord(u32, Prefix),
    /// There is no room for another record.
    TooManyRecords,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::NoSuchCase(case) => {
                write!(f, "expected a case in force, but {case} is not (mailward list)")
            }
            CommandError::Protected(why) => why.fmt(f),
            CommandError::NotANet(key) => {
                write!(f, "expected an address, a prefix or a domain, but got {key}")
            }
            CommandError::Kept(domain, why) => write!(f, "{domain} can not be blocked: {why}"),
            CommandError::NoRoute(domain) => {
                write!(f, "expected --kind rbl for {domain}: packets do not say whose mail they carry")
            }
            CommandError::OfNetworks => {
                f.write_str("--record and --spare-good are of addresses and networks, not of domains")
            }
            CommandError::TooManyDomains => {
                f.write_str("there is no room for another domain (hold a bulk list for so many)")
            }
            CommandError::AlreadyBlocked(case) => {
                write!(f, "the key is blocked already by {case} (mailward unblock {case} first)")
            }
            CommandError::OverBudget(network, price) => write!(
                f,
                "{network} sent {price}; add --spare-good to let those servers through, or --even-so"
            ),
            CommandError::NoEvidence => {
                f.write_str("expected --evidence, or --operator-decision without any")
            }
            CommandError::OtherRecord(number, key) => write!(
                f,
                "expected a network around {key}, of which record C-{number:04} is; \
                 or another number (--record new)"
            ),
            CommandError::TooManyRecords => f.write_str("there is no room for another record"),
        }
    }
}

impl std::error::Error for CommandError {}

impl Council {
    pub(crate) fn command(&mut self, command: &Command, books: &mut Books<'_>) {
        self.note = command.note.as_ref().map(|note| **note);
        let result = self.carry_out(command, books);
        self.note = None;
        let price = self.price.take();
        self.receipt(command.id, result.map(|cases| Receipt { cases, price }));
    }

    fn carry_out(&mut self, command: &Command, books: &mut Books<'_>) -> Result<Vec<CaseId>, CommandError> {
        match &command.order {
            Order::SetMode(mode) => Ok(self.set_mode(command, *mode, books)),
            Order::Block(key, kind, lasts) => self.block(command, key, *kind, *lasts, books),
            Order::LiftCase(case, error) => self.lift_case(command, *case, *error, books),
            Order::LiftKey(key, error) => Ok(self.lift_key(command, key, *error, books)),
            Order::Resentence(case, until) => self.resentence(command, *case, *until, books),
            Order::Protect(prefix, on) => Ok(self.protect(command, *prefix, *on, books)),
            Order::Panic(since) => Ok(self.panic(command, *since, books)),
            Order::Enter(entry) => self.enter(command, entry, books),
            Order::Unlearn(subjects) => Ok(self.unlearn(command, subjects, books)),
            Order::AdoptFeed(adopted) => Ok(self.feed(command, FeedNews::Adopted((**adopted).clone()))),
            Order::DropFeed(name) => Ok(self.feed(command, FeedNews::Dropped(name.clone()))),
            // Credit is shard work; by the time of the receipt it is done.
            Order::Credit(..) => Ok(Vec::new()),
        }
    }

    fn set_mode(&mut self, command: &Command, mode: Mode, books: &mut Books<'_>) -> Vec<CaseId> {
        if mode == self.mode {
            return Vec::new();
        }
        // Enforcing starts with no live case, learning with none that refuses (DESIGN §4).
        let cases: Vec<CaseId> = self.cases.keys().copied().collect();
        let lifted = Lifted { at: self.now(), error: false };
        for case in &cases {
            self.close(command, *case, lifted, books);
        }
        let named = self.named.all();
        self.close_domains(&named, lifted, Cause::Command(command.id), command.actor);
        self.mode = mode;
        self.networks.clear();
        self.write(Cause::Command(command.id), command.actor, mode, None, None, Body::ModeChanged(mode));
        [cases, named].concat()
    }

    /// Tells of a bulk list: rules do not look into it, so that the event is all.
    fn feed(&mut self, command: &Command, news: FeedNews) -> Vec<CaseId> {
        let cause = Cause::Command(command.id);
        self.write(cause, command.actor, Mode::Live, None, None, Body::Feed(news));
        Vec::new()
    }

    /// Takes lessons back, and forgets what they may rest on: what is learned again is told.
    fn unlearn(&mut self, command: &Command, subjects: &[Subject], books: &mut Books<'_>) -> Vec<CaseId> {
        *books.experience = Experience::new(books.seeded);
        for of in subjects {
            let lesson = Lesson { of: of.clone(), quarters: 0, until: Millis(0), bad: 0, good: 0 };
            let cause = Cause::Command(command.id);
            self.write(cause, Actor::Engine, Mode::Live, None, None, Body::Learnt(lesson));
        }
        Vec::new()
    }

    pub(crate) fn block(
        &mut self,
        command: &Command,
        key: &Key,
        kind: BlockKind,
        lasts: Secs,
        books: &mut Books<'_>,
    ) -> Result<Vec<CaseId>, CommandError> {
        let prefix = match key {
            Key::Net(prefix) => prefix,
            Key::Domain(domain) => return self.block_domain(command, domain, kind, lasts, books.policy),
            Key::DomainAt(..) => return Err(CommandError::NotANet(key.clone())),
        };
        self.clear(*prefix, books)?;
        let (now, mode) = (self.now(), self.mode);
        let opened = by_hand(kind, now, lasts);
        let entry = books.entry_by_hand(*prefix, now);
        self.end_passed(*prefix, entry, mode);
        let no_less = |r: &&mut Running| {
            r.kind >= kind && r.covers(Offence::Operator) && r.until.plus(Secs::MINUTE) >= opened.until
        };
        if let Some(running) = entry.in_force(mode, now).find(no_less) {
            return Err(CommandError::AlreadyBlocked(running.case));
        }
        Ok(vec![self.open_by_hand(command, *prefix, opened, books)])
    }

    /// Asks the walls. The proof is made anew by each enforcer; here only the refusal counts.
    pub(crate) fn clear(&mut self, key: Prefix, books: &Books<'_>) -> Result<(), CommandError> {
        let cleared = self.walls.stand(books.policy).clear(key, Hand::Operator);
        cleared.map(drop).map_err(CommandError::Protected)
    }

    fn lift_case(
        &mut self,
        command: &Command,
        case: CaseId,
        error: bool,
        books: &mut Books<'_>,
    ) -> Result<Vec<CaseId>, CommandError> {
        let lifted = Lifted { at: self.now(), error };
        if self.named.has(case) {
            self.close_domains(&[case], lifted, Cause::Command(command.id), command.actor);
            return Ok(vec![case]);
        }
        if !self.cases.contains_key(&case) {
            return Err(CommandError::NoSuchCase(case));
        }
        self.close(command, case, lifted, books);
        Ok(vec![case])
    }

    /// Lifts everything against a key. The event is written even when nothing runs: it beats
    /// blocks of other hosts that have not arrived yet.
    fn lift_key(&mut self, command: &Command, key: &Key, error: bool, books: &mut Books<'_>) -> Vec<CaseId> {
        let lifted = Lifted { at: self.now(), error };
        let cases = self.cases_of(key);
        cases.iter().for_each(|case| self.close(command, *case, lifted, books));
        self.close_domains(&cases, lifted, Cause::Command(command.id), command.actor);
        key.prefix().into_iter().for_each(|prefix| self.networks.forget(prefix));
        let (cause, body) = (Cause::Command(command.id), Body::KeyLifted(lifted));
        self.write(cause, command.actor, Mode::Live, None, Some(key.clone()), body);
        if let Some(entry) = key.prefix().and_then(|p| books.entry(p)) {
            entry.forget(lifted.at);
        }
        cases
    }

    fn cases_of(&self, key: &Key) -> Vec<CaseId> {
        if let Key::Domain(domain) = key {
            return self.named.of(domain);
        }
        self.cases.iter().filter(|(_, p)| key == &Key::Net(**p)).map(|(case, _)| *case).collect()
    }

    fn resentence(
        &mut self,
        command: &Command,
        case: CaseId,
        until: Millis,
        books: &mut Books<'_>,
    ) -> Result<Vec<CaseId>, CommandError> {
        let until = until.min(self.now().plus(books.policy.tariff.cap));
        if self.named.has(case) {
            return self.resentence_domain(command, case, until);
        }
        let key = *self.cases.get(&case).ok_or(CommandError::NoSuchCase(case))?;
        let entry = books.entry(key).ok_or(CommandError::NoSuchCase(case))?;
        let running =
            entry.running.iter_mut().find(|r| r.case == case).ok_or(CommandError::NoSuchCase(case))?;
        running.resentence(until);
        let copy = running.clone();
        self.calendar.ends_at(until, key, case);
        self.write_for(key, &copy, Cause::Command(command.id), command.actor, Body::CaseResentenced(until));
        Ok(vec![case])
    }

    fn protect(&mut self, command: &Command, prefix: Prefix, on: bool, books: &mut Books<'_>) -> Vec<CaseId> {
        if on {
            self.walls.commanded.insert(prefix)
        } else {
            self.walls.commanded.remove(&prefix)
        };
        self.walls.fall();
        let (cause, body) = (Cause::Command(command.id), Body::ProtectedChanged(prefix, on));
        self.write(cause, command.actor, Mode::Live, None, None, body);
        if !on {
            return Vec::new();
        }
        // The list wins over what already runs.
        let now = self.now();
        // … but of a network that a rule blocked it takes only itself out.
        self.spare(prefix, books);
        let mut stands = |case: &CaseId, around: Prefix| {
            around != prefix && around.covers(prefix) && networks_case(books.entry(around), *case)
        };
        let overlapping = self.cases.iter().filter(|(_, p)| prefix.overlaps(**p));
        let cases: Vec<CaseId> =
            overlapping.filter(|(case, p)| !stands(case, **p)).map(|(case, _)| *case).collect();
        cases.iter().for_each(|case| self.close(command, *case, Lifted { at: now, error: true }, books));
        cases
    }

    fn panic(&mut self, command: &Command, since: Millis, books: &mut Books<'_>) -> Vec<CaseId> {
        let all: Vec<(CaseId, Prefix)> = self.cases.iter().map(|(case, key)| (*case, *key)).collect();
        let lifted = Lifted { at: self.now(), error: true };
        let mut cases = Vec::new();
        for (case, key) in all {
            let running = books.entry(key).and_then(|e| e.running.iter().find(|r| r.case == case));
            if running.is_some_and(|r| r.actor == model::Actor::Engine && r.from >= since) {
                self.close(command, case, lifted, books);
                cases.push(case);
            }
        }
        cases
    }

    /// Ends one running case early, with what follows for the key.
    pub(crate) fn close(&mut self, command: &Command, case: CaseId, lifted: Lifted, books: &mut Books<'_>) {
        let Some(key) = self.over(case) else { return };
        let Some(entry) = books.entry(key) else { return };
        let Some(place) = entry.running.iter().position(|r| r.case == case) else { return };
        let mut running = entry.running.remove(place);
        entry.forget(lifted.at);
        self.networks.forget(key);
        if lifted.error {
            entry.record.pardon(running.mode, running.from);
        } else if running.mode == Mode::Live && is_a_favour(&command.order) {
            entry.record.standing.probation_until = lifted.at.plus(probation(&running));
        }
        let is_error = lifted.error && command.actor == Actor::Operator && is_a_favour(&command.order);
        self.outcome(&running, if is_error { Outcome::Error } else { Outcome::Open });
        self.write_growth(key, &mut running);
        self.write_for(key, &running, Cause::Command(command.id), command.actor, Body::CaseLifted(lifted));
    }
}

/// Whether a case of this entry is one that a rule opened against a network.
fn networks_case(entry: Option<&mut Entry>, case: CaseId) -> bool {
    entry.is_some_and(|entry| entry.running.iter().any(|r| r.case == case && is_network(r)))
}

/// Whether the key is let go on trust; a change of mode says nothing about it.
fn is_a_favour(order: &Order) -> bool {
    matches!(order, Order::LiftCase(..) | Order::LiftKey(..))
}

/// Half the sentence, at least a day, at most a week.
fn probation(running: &Running) -> Secs {
    Secs(running.until.since(running.from).0 / 2).clamp(PROBATION.0, PROBATION.1)
}

/// The decision of an operator as a case: no units, no formula.
pub(crate) fn by_hand(kind: BlockKind, now: Millis, lasts: Secs) -> Opened {
    Opened {
        kind,
        reason: reasons::REASONS[0].number,
        from: now,
        until: now.plus(lasts),
        caused_at: now,
        units: Vec::new(),
        repeats: 0,
        severity: Severity::Extreme,
        class: Class::Unknown,
        facts: Vec::new(),
        tariff: Tariff { per_unit: Secs(0), floor: lasts, cap: lasts, doublings: 0 },
    }
}
