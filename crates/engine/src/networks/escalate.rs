//! OFF-22: what the council makes of a network in which many keys are blocked.

use detectors::providers::is_shared_network;
use model::case::{Lifted, Opened};
use model::event::{Cause, RuleStamp};
use model::finding::Measure;
use model::policy::RuleMode;
use model::protected::{Hand, Refused};
use model::{
    Actor, BlockKind, Body, CaseId, Class, Facts, Key, Millis, Mode, NetworkNews, Offence, Prefix, Secs,
    Severity, Tariff, Units, reasons,
};

use super::price::{HOLES_MAX, Survey};
use super::{Census, Level, Proposal, Why, levels};
use crate::VERSION;
use crate::alarm::Alarm;
use crate::council::{Books, Council};
use crate::entry::Entry;
use crate::guards::Ruling;
use crate::running::Running;
use crate::writer::Draft;

impl Council {
    /// Brings the cases of networks in line with what was blocked and lifted.
    pub(crate) fn follow_networks(&mut self, books: &mut Books<'_>) {
        self.networks.pass_time(self.now());
        for (key, case) in std::mem::take(&mut self.networks.touched) {
            // The widest first: what it covers needs no case of its own, and holds no less.
            let mut most = usize::MAX;
            for level in levels(key).iter().rev() {
                most = self.weigh_network(key, *level, most, case, books);
            }
            self.weigh_system(key, case, books.policy);
        }
    }

    /// Says how many keys a network inside this one can have.
    fn weigh_network(
        &mut self,
        key: Prefix,
        level: Level,
        most: usize,
        case: Option<CaseId>,
        books: &mut Books<'_>,
    ) -> usize {
        let network = Prefix::new(key.addr(), level.bits);
        let most = if most < level.least { most } else { self.networks.members_in(network, level.least) };
        if most < level.least {
            self.fell(network, books);
            return most;
        }
        self.follow_network(key, network, level, case, books);
        usize::MAX
    }

    fn follow_network(
        &mut self,
        key: Prefix,
        network: Prefix,
        level: Level,
        case: Option<CaseId>,
        books: &mut Books<'_>,
    ) {
        let lifted = books.entry(network).map_or(Millis(0), |entry| entry.lifted_up_to);
        let census = self.networks.census(key, level, lifted, self.now());
        if census.keys < level.least {
            return self.fell(network, books);
        }
        let Some(case) = case else { return };
        match books.entry(network).and_then(|entry| entry.running.iter_mut().find(|r| is_network(r))) {
            Some(running) => {
                running.follow(census.falls);
                self.grown(network, books);
            }
            None if census.is_broad() && !self.networks.crosses_boundary(network) => {
                self.escalate(&census, level, case, books);
            }
            None => {}
        }
    }

    /// Opens a case, or proposes one.
    fn escalate(&mut self, census: &Census, level: Level, case: CaseId, books: &mut Books<'_>) {
        let Some(mode) = self.network_mode(books.policy.mode(Offence::PrefixEscalation)) else { return };
        if self.is_covered(census.network, mode, books) {
            return self.networks.proposals.withdraw(census.network);
        }
        let survey = self.survey(census.network, books);
        let budget = u64::from(books.policy.networks.good_mail_max);
        let why = if level.only_proposed {
            Why::Wide
        } else if survey.rest.messages > budget || survey.holes.len() > HOLES_MAX {
            Why::GoodMail
        } else {
            return self.open_network(census, level, mode, case, survey, books);
        };
        let (keys, good) = (census.keys as u64, survey.rest.messages);
        let proposal = Proposal { since: self.now(), keys, good, holes: survey.holes.len() as u64, why };
        if self.networks.proposals.propose(census.network, proposal) {
            self.alarm(Alarm::NetworkProposed);
        }
    }

    /// In which mode a case of a network is opened. A rule in shadow opens none while the
    /// site learns: what it would refuse there would look as if `enforce` refused it.
    fn network_mode(&self, rule: RuleMode) -> Option<Mode> {
        match rule {
            RuleMode::Block => Some(self.mode),
            RuleMode::Shadow if self.mode == Mode::Live => Some(Mode::Shadow),
            _ => None,
        }
    }

    /// Whether a running case of this network or of one around it refuses the same mail.
    fn is_covered(&self, network: Prefix, mode: Mode, books: &mut Books<'_>) -> bool {
        let now = self.now();
        let narrowest = if matches!(network, Prefix::V4(..)) { 9 } else { 20 };
        (narrowest..=network.bits()).any(|bits| {
            let around = books.entry(Prefix::new(network.addr(), bits));
            around
                .is_some_and(|entry| entry.is_sentenced(mode, Offence::PrefixEscalation, BlockKind::Rbl, now))
        })
    }

    fn open_network(
        &mut self,
        census: &Census,
        level: Level,
        mode: Mode,
        cause: CaseId,
        survey: Survey,
        books: &mut Books<'_>,
    ) {
        let (network, now) = (census.network, self.now());
        let Some(mode) = self.may_open(network, mode, books) else { return };
        let budget = books.policy.networks.good_mail_max;
        let opened = opened(now, census, &facts(census, level, &survey, budget));
        let case = CaseId(self.writer.next_id());
        let running = Running::begin(case, mode, Actor::Engine, &opened, false);
        let draft = Draft {
            cause: Cause::Event(cause.0),
            actor: Actor::Engine,
            rule: Some(RuleStamp {
                offence: Offence::PrefixEscalation,
                engine: VERSION,
                policy: self.policy,
            }),
            mode,
            case: Some(case),
            key: Some(Key::Net(network)),
            // How many, not who: the evidence is that of the cases it counts.
            evidence: Vec::new(),
            body: Body::CaseOpened(opened),
        };
        self.emit(draft);
        let entry = books.entry_by_hand(network, now);
        self.run(network, entry, running);
        self.networks.proposals.withdraw(network);
        self.cut(network, case, mode, survey.holes);
    }

    /// Asks the walls and the cap.
    fn may_open(&mut self, network: Prefix, mode: Mode, books: &mut Books<'_>) -> Option<Mode> {
        let protected = self.walls.stand(books.policy);
        // What is protected inside becomes a hole; what holds the network shields it.
        let shielded = match protected.clear(network, Hand::Automatic) {
            Ok(_) | Err(Refused::Listed { .. }) => protected.listed().iter().any(|l| l.covers(network)),
            Err(_) => true,
        };
        // A network that holds a shared sender is no key, whatever its other servers did.
        let shared = books.policy.guards.classes && is_shared_network(network, books.policy);
        if shielded || shared {
            books.counters.guarded += 1;
            return None;
        }
        let (ruling, alarm) = self.cap.count_network(mode, self.now(), books.policy.guards.blocks_per_minute);
        alarm.into_iter().for_each(|alarm| self.alarm(alarm));
        if let Ruling::Open(mode) = ruling { Some(mode) } else { None }
    }

    /// Lets the good neighbours through a block by hand.
    pub(crate) fn spare_good(&mut self, network: Prefix, case: CaseId, books: &Books<'_>) {
        let survey = self.survey(network, books);
        self.price = Some(survey.rest);
        self.cut(network, case, self.mode, survey.holes);
    }

    /// Lets keys through the block of a network.
    fn cut(&mut self, network: Prefix, case: CaseId, mode: Mode, holes: Vec<Prefix>) {
        if !holes.is_empty() {
            let body = Body::Network(NetworkNews::Holes(holes));
            let key = Some(Key::Net(network));
            self.write(Cause::Event(case.0), Actor::Engine, mode, Some(case), key, body);
        }
    }

    /// A key has good mail, or was protected: networks that are blocked around it spare it.
    pub(crate) fn spare(&mut self, key: Prefix, books: &mut Books<'_>) {
        for level in levels(key).iter().filter(|level| level.bits < key.bits()) {
            let network = Prefix::new(key.addr(), level.bits);
            let running = books.entry(network).and_then(|entry| entry.running.iter().find(|r| is_network(r)));
            if let Some((case, mode)) = running.map(|r| (r.case, r.mode)) {
                self.cut(network, case, mode, vec![key]);
            }
        }
    }

    /// A key's good mail is known: unless it was blocked itself, networks spare it.
    pub(crate) fn has_credit(&mut self, key: Prefix, credit: bool, books: &mut Books<'_>) {
        self.networks.credit(key, credit);
        if credit && !self.networks.is_member(key) {
            self.spare(key, books);
        }
    }

    /// Too few keys of a network are left: its case ends, its proposal is withdrawn.
    fn fell(&mut self, network: Prefix, books: &mut Books<'_>) {
        self.networks.proposals.withdraw(network);
        if !self.networks.has_case(network) {
            return;
        }
        let Some(running) = books.entry(network).and_then(take_network) else { return };
        self.over(running.case);
        let lifted = Lifted { at: self.now(), error: false };
        let cause = Cause::Event(running.case.0);
        self.write_for(network, &running, cause, Actor::Engine, Body::CaseLifted(lifted));
    }
}

/// Whether a sentence is one of a network by the rule.
pub(crate) fn is_network(running: &Running) -> bool {
    running.offence == Offence::PrefixEscalation
}

fn take_network(entry: &mut Entry) -> Option<Running> {
    let place = entry.running.iter().position(is_network)?;
    Some(entry.running.remove(place))
}

fn facts(census: &Census, level: Level, survey: &Survey, budget: u32) -> Facts {
    vec![
        (Measure::NetworkKeys, census.keys as u64),
        (Measure::LimitNetworkKeys, level.least as u64),
        (Measure::NetworkDays, census.days as u64),
        (Measure::NetworkOffences, census.offences as u64),
        (Measure::NetworkHoles, survey.holes.len() as u64),
        (Measure::NetworkGoodMail, survey.rest.messages),
        (Measure::LimitNetworkGoodMail, u64::from(budget)),
    ]
}

/// A case that follows its members: no units, and the end is when there are too few.
fn opened(now: Millis, census: &Census, facts: &Facts) -> Opened {
    let lasts = census.falls.since(now);
    Opened {
        kind: BlockKind::Rbl,
        reason: reasons::of_offence(Offence::PrefixEscalation).unwrap_or(&reasons::REASONS[0]).number,
        from: now,
        until: census.falls,
        caused_at: now,
        units: Vec::new(),
        repeats: 0,
        severity: Severity::of(Units::ZERO, 0),
        class: Class::Unknown,
        facts: facts.clone(),
        tariff: Tariff { per_unit: Secs(0), floor: lasts, cap: lasts, doublings: 0 },
    }
}
