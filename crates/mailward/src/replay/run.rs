//! Runs recorded sessions through the same engine, view and answers as the daemon, without
//! a disk.
//!
//! For each line in time: the answer at RCPT from the published view, then the observation
//! as a frame of its own, then the verdict behind it (or after a delay). So a decision
//! depends on nothing that comes later, as in life.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use answers::{Answer, MailPath, Session};
use detectors::greylist;
use detectors::seen::Traits;
use edge::{Persons, WaitingRoom};
use engine::{Alone, Engine, Origin};
use model::event::Node;
use model::observation::{Attempt, Fact, Sensor, Verdict};
use model::{
    Envelope, Frame, Input, Judgement, Millis, Mode, Name, Observation, PersonHash, Policy, Secs, Site,
};
use model::{Offence, policy::RuleMode};
use projections::Projector;
use siphasher::sip::SipHasher24;

use super::line::Line;

/// How often the projections are swept, in sessions.
const SWEEP_EVERY: u64 = 4096;

/// A replay in work.
pub(crate) struct Replay {
    policy: Policy,
    engine: Engine,
    projector: Projector,
    position: u64,
    now: Millis,
    sessions: u64,
    delay: Secs,
    late: VecDeque<(Millis, Input)>,
    by_score: bool,
    weighed: Option<detectors::ConnectionScore>,
    source: Name,
    waiting: WaitingRoom,
    persons: Persons,
}

impl Replay {
    /// A fresh engine under `policy`, enforcing from the first line.
    pub(crate) fn new(mut policy: Policy, delay: Secs) -> Replay {
        policy.learn_first = false;
        policy.traps.sort_by_key(|(who, _)| *who);
        let origin = Origin { site: 0, node: Node(1), life: 1, link_epoch: 1 };
        let seeds = [0x6d61_696c_7761_7264, 0x7265_706c_6179];
        let engine = Engine::new(origin, seeds, policy.clone());
        let mut projector =
            Projector::new(Arc::new(site(&policy)), policy.protected.clone(), policy.documentation, seeds);
        projector.set_mode(Mode::Live);
        let by_score = policy.mode(Offence::ReverseDns) == RuleMode::Block;
        let source = Name::new(b"replay");
        Replay {
            policy,
            engine,
            projector,
            position: 0,
            now: Millis(0),
            sessions: 0,
            delay,
            late: VecDeque::new(),
            by_score,
            weighed: None,
            source,
            waiting: WaitingRoom::default(),
            // Nothing of a replay is kept.
            persons: Persons::new([0; 16]),
        }
    }

    /// Takes one session; every event it causes goes to `tell`.
    pub(crate) fn session(&mut self, line: &Line, tell: &mut dyn FnMut(&Envelope)) -> Answer {
        let answer = self.rcpt(line, tell);
        if let Some(judgement) = line.label {
            self.judge(self.now, self.sessions, judgement, tell);
        }
        answer
    }

    /// Takes the recipient of a session, and nothing of its message yet.
    pub(crate) fn rcpt(&mut self, line: &Line, tell: &mut dyn FnMut(&Envelope)) -> Answer {
        self.release_late(line.at, tell);
        // ‘After’ is a later line, also within one second: every line gets a millisecond of its own.
        self.now = line.at.max(Millis(self.now.0.saturating_add(1)));
        let now = self.now;
        let (answer, ticket) = self.answer(line);
        self.weighed = answer.scored.then(|| self.weigh(line));
        self.sessions += 1;
        let tag = self.sessions;
        let attempt = Attempt {
            client: line.client.clone(),
            sender: line.sender.as_deref().filter(|s| !s.is_empty()).map(person),
            recipient: line.recipient.as_deref().map(person),
            recipients: line.recipients,
            answered: answer.answered(),
            sender_fits: sender_fits(line),
            ticket,
        };
        self.step(now, vec![observed(now, tag, Fact::Attempt(attempt))], tell);
        if self.sessions.is_multiple_of(SWEEP_EVERY) {
            self.projector.sweep(now);
        }
        answer
    }

    /// What was seen at the end of the last session's message.
    pub(crate) fn ended(&mut self, facts: Vec<Fact>, tell: &mut dyn FnMut(&Envelope)) {
        let (now, tag) = (self.now, self.sessions);
        self.step(now, facts.into_iter().map(|fact| observed(now, tag, fact)).collect(), tell);
    }

    /// What those who answer see now.
    pub(crate) fn view(&self) -> &projections::View {
        self.projector.current()
    }

    /// Verdicts that are still on their way when the stream ends.
    pub(crate) fn finish(&mut self, tell: &mut dyn FnMut(&Envelope)) {
        self.release_late(Millis(u64::MAX), tell);
    }

    /// The parts of the score by which the last session was refused, if it was by that.
    pub(crate) fn weighed(&self) -> Option<&detectors::ConnectionScore> {
        self.weighed.as_ref()
    }

    fn weigh(&self, line: &Line) -> detectors::ConnectionScore {
        let traits = traits(line, &self.policy);
        answers::connection::weigh(&line.client, &traits, path(line), self.projector.current(), self.now)
    }

    /// The engine, for its counters.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The answer, and by which ticket greylisting knows the attempt again.
    fn answer(&self, line: &Line) -> (Answer, Option<u64>) {
        let view = self.projector.current();
        let client = &line.client;
        let ours = covered(&self.policy, client.addr);
        let traits = traits(line, &self.policy);
        let rule = self.policy.greylist.as_ref();
        let needed = self.by_score || rule.is_some();
        let score = needed.then(|| answers::connection_score(client, &traits, path(line), view, self.now));
        let asks = |quarters, rule| answers::connection::asks(rule, client, quarters, view, self.now);
        let asked = score.zip(rule).filter(|(score, rule)| asks(score.quarters, *rule));
        let session = Session {
            helo: client.helo.as_ref().map(Name::as_bytes),
            sender: line.sender.as_deref().map(str::as_bytes),
            recipient: line.recipient.as_deref().map(str::as_bytes),
            to: line.recipient.as_deref().map(person),
            ours,
            score: score.filter(|_| self.by_score),
            pool: asked.map(|_| greylist::pool(client, &traits)),
            ..Session::new(client.addr, self.now)
        };
        let answer = answers::answer(&session, view, self.now);
        self.waiting.admit(answer, &session, view, &self.persons, self.now)
    }

    fn judge(&mut self, at: Millis, tag: u64, judgement: Judgement, tell: &mut dyn FnMut(&Envelope)) {
        let verdict = Verdict { queue: None, judgement, score: None, source: self.source.clone() };
        let input = observed(at, tag, Fact::Verdict(verdict));
        if self.delay == Secs(0) {
            self.step(at, vec![input], tell);
        } else {
            self.late.push_back((at.plus(self.delay), input));
        }
    }

    fn release_late(&mut self, now: Millis, tell: &mut dyn FnMut(&Envelope)) {
        while let Some((due, _)) = self.late.front().filter(|(due, _)| *due <= now) {
            let due = *due;
            let input = self.late.pop_front().map(|(_, input)| input);
            self.step(due, input.into_iter().collect(), tell);
        }
    }

    fn step(&mut self, wall: Millis, inputs: Vec<Input>, tell: &mut dyn FnMut(&Envelope)) {
        self.position += 1;
        let frame = Frame { wall, salt: [0; 16], inputs };
        let step = self.engine.step(self.position, &frame, &Alone);
        step.mailboxes.iter().for_each(|m| self.projector.set_mailbox(m.who, m.until, m.dead));
        step.writers.iter().for_each(|(who, until)| self.projector.set_writer(*who, *until));
        for sealed in step.events {
            // Just sealed from an envelope: it opens.
            if let Ok(event) = sealed.open() {
                self.projector.apply(sealed.id.seq, &event);
                tell(&event);
            }
        }
    }
}

/// Whether an address is on the operator's protected list or a declared relay.
fn covered(policy: &Policy, addr: IpAddr) -> bool {
    let host = model::Prefix::host(addr);
    policy.protected.iter().chain(&policy.relays).any(|p| p.covers(host))
}

pub(super) fn traits(line: &Line, policy: &Policy) -> Traits {
    Traits::of(&line.client, sender_fits(line), policy)
}

fn sender_fits(line: &Line) -> bool {
    let sender = line.sender.as_deref().unwrap_or_default();
    answers::sender_fits(line.client.helo.as_ref(), sender.as_bytes())
}

fn path(line: &Line) -> MailPath {
    let sender = line.sender.as_deref().unwrap_or_default();
    MailPath::of(&line.client, sender.as_bytes(), line.recipient.as_deref().map(person))
}

fn observed(at: Millis, session: u64, fact: Fact) -> Input {
    Input::Observed(Observation { at, sensor: Sensor::Replay, session, fact })
}

/// Persons of a replay are hashed with a fixed key: nothing of it is kept.
pub(crate) fn person(address: &str) -> PersonHash {
    PersonHash(SipHasher24::new_with_keys(1, 2).hash(address.to_ascii_lowercase().as_bytes()))
}

/// The words of a site that answers nobody.
fn site(policy: &Policy) -> Site {
    Site {
        greylist: policy.greylist.clone(),
        name: "replay".to_owned(),
        portal: "http://127.0.0.1:12380".to_owned(),
        contact: "postmaster@localhost".to_owned(),
        may_refuse: true,
        ..Site::default()
    }
}
