//! A small site for stories: hosts that send, a filter that judges, people who command.
//!
//! What the site knows of its cases it learns from events alone, joined as in
//! `model::case`; so it answers an attempt as the program would.

use std::collections::BTreeMap;

use engine::{Alarm, Alone, CommandError, Engine, MailboxNews, Origin, SideRow, Spread};
use model::case::force;
use model::content::Shape;
use model::event::Node;
use model::key::client_prefix;
use model::policy::HashFloodRule;
use model::{
    Actor, Answered, Attempt, Body, Case, CaseId, Client, Command, Content, Envelope, Fact, Frame, Input,
    Judgement, Key, Message, Millis, Mode, Name, NetworkNews, Observation, Offence, Order, PersonHash,
    Policy, Prefix, Rdns, Secs, Sensor, Units, Verdict,
};

/// 2026-11-01 00:00 UTC: stories begin at the beginning of a day.
pub(crate) const START: Millis = Millis::from_secs(1_793_491_200);

/// Recipients of streams have numbers from here on; below stand traps.
pub(crate) const PEOPLE: u64 = 1000;

/// A host that sends us mail.
#[derive(Clone, Debug)]
pub(crate) struct Host(pub(crate) Client);

/// A well-run server: its name and address confirm each other, and it greets with it.
pub(crate) fn server(addr: &str) -> Host {
    let name = Name::new(b"mail.example.net");
    Host(Client {
        addr: addr.parse().unwrap(),
        port: 41822,
        helo: Some(name.clone()),
        rdns: Rdns::Confirmed(name),
        authenticated: false,
    })
}

/// An end user's computer: no reverse DNS name, and a good greeting.
pub(crate) fn bot(addr: &str) -> Host {
    server(addr).rdns(Rdns::Missing)
}

/// The `n`th of many servers, each with an address of its own.
pub(crate) fn nth_server(n: u32) -> Host {
    server(&std::net::Ipv4Addr::from_bits(0x0b00_0000 + n).to_string())
}

/// The `n`th of many end users' computers.
pub(crate) fn nth_bot(n: u32) -> Host {
    nth_server(n).rdns(Rdns::Missing)
}

impl Host {
    pub(crate) fn helo(mut self, helo: &str) -> Host {
        self.0.helo = Some(Name::new(helo.as_bytes()));
        self
    }

    pub(crate) fn rdns(mut self, rdns: Rdns) -> Host {
        self.0.rdns = rdns;
        self
    }

    pub(crate) fn key(&self) -> Prefix {
        client_prefix(self.0.addr)
    }
}

/// One message on its way to us.
#[derive(Clone)]
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a Host,
    /// 0 is the null sender.
    pub(crate) sender: u64,
    pub(crate) to: u64,
    pub(crate) recipients: u16,
    /// The recipient is open to blocked hosts.
    pub(crate) exempt: bool,
    pub(crate) judged: Option<Judgement>,
}

impl Mail<'_> {
    pub(crate) fn attempt(&self, answered: Answered) -> Fact {
        Fact::Attempt(Attempt {
            sender_fits: false,
            client: self.from.0.clone(),
            sender: (self.sender != 0).then_some(PersonHash(self.sender)),
            recipient: Some(PersonHash(self.to)),
            recipients: self.recipients,
            answered,
            ticket: None,
        })
    }
}

/// An ordinary message: to one recipient, not judged.
pub(crate) fn mail(from: &Host, to: u64) -> Mail<'_> {
    Mail { from, sender: 7_000 + to, to, recipients: 1, exempt: false, judged: None }
}

/// Spam to a recipient who is not open to blocked hosts.
pub(crate) fn spam_to(from: &Host, to: u64) -> Mail<'_> {
    Mail { judged: Some(Judgement::Spam), ..mail(from, to) }
}

/// Spam that reaches postmaster, who is open to blocked hosts, and is judged.
pub(crate) fn to_postmaster(from: &Host) -> Mail<'_> {
    Mail { exempt: true, ..spam_to(from, 1) }
}

pub(crate) fn verdict(judgement: Judgement, queue: Option<u64>) -> Fact {
    Fact::Verdict(Verdict { queue, judgement, score: Some(700), source: Name::new(b"rspamd") })
}

/// The queue name of a message that a milter saw under tag `t` is `t` and this.
pub(crate) const QUEUES: u64 = 1 << 40;

/// The end of a message that a milter saw.
pub(crate) fn ended(queue: u64, content: Content) -> Fact {
    Fact::Message(Message { queue: Some(queue), recipients: 1, size: 2048, content: Some(Box::new(content)) })
}

/// A message of this shape.
pub(crate) fn shaped(shape: Shape) -> Content {
    Content { shape, ..Content::default() }
}

pub(crate) fn end_of_message(queue: u64) -> Fact {
    Fact::Message(Message { queue: Some(queue), recipients: 1, size: 2048, content: None })
}

/// A case with its key.
#[derive(Clone, Debug)]
pub(crate) struct Filed {
    pub(crate) key: Prefix,
    pub(crate) actor: Actor,
    pub(crate) case: Case,
}

impl Filed {
    pub(crate) fn lasts(&self) -> Secs {
        self.case.until().since(self.case.opened.as_ref().unwrap().from)
    }

    /// Whether it was opened for this offence.
    pub(crate) fn is_for(&self, offence: Offence) -> bool {
        let opened = self.case.opened.as_ref();
        opened.is_some_and(|opened| model::reasons::by_number(opened.reason).offence == offence)
    }

    /// Its units at the trigger.
    pub(crate) fn units(&self) -> Units {
        model::case::total(&self.case.opened.as_ref().unwrap().units)
    }
}

/// The site.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Millis,
    pub(crate) position: u64,
    pub(crate) cases: BTreeMap<CaseId, Filed>,
    pub(crate) events: Vec<Envelope>,
    pub(crate) side_rows: Vec<SideRow>,
    pub(crate) alarms: Vec<Alarm>,
    /// What those who answer were told of mailboxes.
    pub(crate) mailboxes: Vec<MailboxNews>,
    pub(crate) receipts: BTreeMap<u64, Result<Vec<CaseId>, CommandError>>,
    pub(crate) frames: Vec<Frame>,
    tags: u64,
    key_lifted: BTreeMap<Prefix, Millis>,
}

pub(crate) const ORIGIN: Origin = Origin { site: 5, node: Node(1), life: 1, link_epoch: 1 };

/// The shipped policy, enforcing, with documentation prefixes; without `hash-flood`, whose
/// stories begin with the second spam: it has stories of its own.
pub(crate) fn policy() -> Policy {
    let hash_flood = HashFloodRule { spam_day: u32::MAX, ..HashFloodRule::default() };
    Policy { hash_flood, ..whole_policy() }
}

/// The shipped policy, enforcing, with documentation prefixes.
pub(crate) fn whole_policy() -> Policy {
    Policy {
        learn_first: false,
        documentation: true,
        our_names: vec![Name::new(b"mx.example.org")],
        ..Policy::shipped()
    }
}

impl World {
    pub(crate) fn new() -> World {
        World::under(policy())
    }

    pub(crate) fn under(policy: Policy) -> World {
        World {
            engine: Engine::new(ORIGIN, [11, 12], policy),
            now: START,
            position: 0,
            cases: BTreeMap::new(),
            events: Vec::new(),
            side_rows: Vec::new(),
            alarms: Vec::new(),
            mailboxes: Vec::new(),
            receipts: BTreeMap::new(),
            frames: Vec::new(),
            // Below stand the tags that a story gives by hand.
            tags: 1_000_000,
            key_lifted: BTreeMap::new(),
        }
    }

    /// Lets time go by, and has the engine notice.
    pub(crate) fn wait(&mut self, span: Secs) {
        self.now = self.now.plus(span);
        self.frame(vec![Input::Tick(self.now, 0)]);
    }

    pub(crate) fn frame(&mut self, inputs: Vec<Input>) {
        self.frame_by(inputs, &Alone);
    }

    pub(crate) fn frame_by(&mut self, inputs: Vec<Input>, spread: &dyn Spread) {
        self.position += 1;
        let frame = Frame { wall: self.now, salt: [self.position as u8; 16], inputs };
        let step = self.engine.step(self.position, &frame, spread);
        self.frames.push(frame);
        for sealed in &step.events {
            let event = sealed.open().unwrap();
            self.file(&event);
            self.events.push(event);
        }
        self.side_rows.extend(step.side_rows);
        self.alarms.extend(step.alarms);
        self.mailboxes.extend(step.mailboxes);
        let receipts = step.receipts.into_iter().map(|(id, result)| (id, result.map(|r| r.cases)));
        self.receipts.extend(receipts);
    }

    fn file(&mut self, event: &Envelope) {
        let key = event.key.as_ref().and_then(Key::prefix);
        let (Some(key), Some(id)) = (key, event.case) else {
            if let (Some(key), Body::KeyLifted(lifted)) = (key, &event.body) {
                self.key_lifted.insert(key, lifted.at);
            }
            return;
        };
        let filed = self.cases.entry(id).or_insert(Filed { key, actor: event.actor, case: Case::default() });
        match &event.body {
            Body::CaseOpened(opened) => filed.case.join_opened(opened, event.mode),
            Body::CaseExtended(extended) => filed.case.join_extended(extended),
            Body::CaseLifted(lifted) => filed.case.join_lifted(*lifted),
            Body::CaseResentenced(until) => filed.case.join_resentenced(event.at, *until),
            Body::Network(NetworkNews::Holes(holes)) => filed.case.join_holes(holes),
            _ => {}
        }
    }

    /// How long the newest case of a key lasts.
    pub(crate) fn lasts(&self, host: &Host) -> Secs {
        self.cases[&self.newest(host)].lasts()
    }

    /// What holds against a key now, in one mode.
    pub(crate) fn against(&self, key: Prefix, mode: Mode) -> Option<CaseId> {
        self.against_mail(key, mode, true)
    }

    /// What holds against mail of a key; one for backscatter against null-sender mail alone.
    fn against_mail(&self, key: Prefix, mode: Mode, null_sender: bool) -> Option<CaseId> {
        let applies = |filed: &Filed| null_sender || !filed.is_for(Offence::Backscatter);
        let own = self.cases.iter().filter(|(_, filed)| filed.key == key && applies(filed));
        let lifted = self.key_lifted.get(&key).copied().unwrap_or_default();
        force(own.map(|(id, filed)| (*id, &filed.case)), mode, self.now, lifted).map(|f| f.case)
    }

    pub(crate) fn is_blocked(&self, host: &Host) -> bool {
        self.against(host.key(), Mode::Live).is_some()
    }

    /// The one case of a key, in any mode.
    #[track_caller]
    pub(crate) fn case(&self, host: &Host) -> &Filed {
        let own = self.cases_of(host);
        assert_eq!(own.len(), 1, "cases of {}", host.key());
        own[0]
    }

    pub(crate) fn cases_of(&self, host: &Host) -> Vec<&Filed> {
        self.cases.values().filter(|filed| filed.key == host.key()).collect()
    }

    /// The newest case of a key.
    pub(crate) fn newest(&self, host: &Host) -> CaseId {
        *self.cases.iter().rev().find(|(_, filed)| filed.key == host.key()).unwrap().0
    }

    /// Answers as the program would.
    pub(crate) fn answer(&self, mail: &Mail<'_>) -> Answered {
        let key = mail.from.key();
        let against = |mode| self.against_mail(key, mode, mail.sender == 0);
        match (against(Mode::Live), against(Mode::Shadow)) {
            (Some(_), _) if mail.exempt => Answered::Exempt,
            (Some(case), _) => Answered::Blocked(case),
            (None, Some(case)) if !mail.exempt => Answered::WouldBlock(case),
            _ => Answered::Passed,
        }
    }

    /// One message in a frame of its own; judged in the next, if it passed. Says whether it
    /// passed.
    pub(crate) fn send(&mut self, mail: &Mail<'_>) -> bool {
        let tag = self.tag();
        let answered = self.answer(mail);
        self.frame(vec![self.observed(tag, mail.attempt(answered))]);
        let passed = !matches!(answered, Answered::Blocked(_) | Answered::Refused);
        if let Some(judgement) = mail.judged.filter(|_| passed) {
            self.frame(vec![self.observed(tag, verdict(judgement, None))]);
        }
        passed
    }

    /// One message that a milter sees to its end, if it passed. Says whether it did.
    pub(crate) fn show(&mut self, mail: &Mail<'_>, content: Content) -> bool {
        let (tag, answered) = (self.tag(), self.answer(mail));
        self.frame(vec![self.observed_by(Sensor::Milter, tag, mail.attempt(answered))]);
        let passed = !matches!(answered, Answered::Blocked(_) | Answered::Refused);
        if passed {
            self.frame(vec![self.observed_by(Sensor::Milter, tag, ended(tag + QUEUES, content))]);
        }
        if let Some(judgement) = mail.judged.filter(|_| passed) {
            self.frame(vec![self.observed_by(Sensor::Milter, tag, verdict(judgement, None))]);
        }
        passed
    }

    /// `n` messages that a milter sees, one a second, each to another recipient; says how
    /// many passed.
    pub(crate) fn show_many(
        &mut self,
        from: &Host,
        n: u64,
        judged: Option<Judgement>,
        content: impl Fn(u64) -> Content,
    ) -> u64 {
        let mut passed = 0;
        for to in 0..n {
            self.now = self.now.plus(Secs(1));
            passed += u64::from(self.show(&Mail { judged, ..mail(from, PEOPLE + to) }, content(to)));
        }
        passed
    }

    /// `n` messages that are spam, one a second, each to another recipient; says how many
    /// passed.
    pub(crate) fn spam(&mut self, from: &Host, n: u64) -> u64 {
        self.stream(from, n, Judgement::Spam)
    }

    /// `n` good messages, one a second, each to another recipient.
    pub(crate) fn ham(&mut self, from: &Host, n: u64) -> u64 {
        self.stream(from, n, Judgement::Ham)
    }

    /// `n` attempts of distinct pairs, each `times` times, all refused.
    #[track_caller]
    pub(crate) fn attempts(&mut self, from: &Host, n: u64, times: u64) {
        for _ in 0..times {
            (0..n).for_each(|to| assert!(!self.send(&mail(from, PEOPLE + to)), "expected a refusal"));
        }
    }

    fn stream(&mut self, from: &Host, n: u64, judgement: Judgement) -> u64 {
        let mut passed = 0;
        for to in 0..n {
            self.now = self.now.plus(Secs(1));
            passed += u64::from(self.send(&Mail { judged: Some(judgement), ..mail(from, PEOPLE + to) }));
        }
        passed
    }

    /// Good mail on many days: enough for a class. `people` of ours get one a day each.
    pub(crate) fn befriend(&mut self, host: &Host, days: u64, people: u64) {
        for _ in 0..days {
            let before = self.now;
            self.ham(host, people);
            self.now = before;
            self.wait(Secs::DAY);
        }
    }

    pub(crate) fn tag(&mut self) -> u64 {
        self.tags += 1;
        self.tags
    }

    pub(crate) fn observed(&self, session: u64, fact: Fact) -> Input {
        self.observed_by(Sensor::Policy, session, fact)
    }

    pub(crate) fn observed_by(&self, sensor: Sensor, session: u64, fact: Fact) -> Input {
        Input::Observed(Observation { at: self.now, sensor, session, fact })
    }

    /// An operator's command.
    pub(crate) fn order(&mut self, order: Order) -> Result<Vec<CaseId>, CommandError> {
        self.order_by(Actor::Operator, order)
    }

    pub(crate) fn order_by(&mut self, actor: Actor, order: Order) -> Result<Vec<CaseId>, CommandError> {
        let id = 1000 + self.position;
        self.frame(vec![Input::Command(Command { id, at: self.now, actor, note: None, order })]);
        self.receipts.remove(&id).unwrap()
    }

    /// Events of a case, or of all, of one kind.
    pub(crate) fn count(&self, which: impl Fn(&Envelope) -> bool) -> usize {
        self.events.iter().filter(|event| which(event)).count()
    }
}
