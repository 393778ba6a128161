//! Made-up streams of observations, the same in every run, as the journal would hold them.
//!
//! Made beside an engine that decides, so that who is blocked is refused from then on, as a
//! site that enforces would answer. The connection score is not asked: a stranger whom it
//! would refuse costs nothing here.

use std::collections::HashMap;

use engine::{Alone, Engine, Origin};
use model::content::{Danger, Dmarc, Kept, Shape, Spf};
use model::key::client_prefix;
use model::{
    Answered, Attempt, Body, CaseId, Content, DomainHash, Envelope, ExhibitId, Fact, Frame, Input, Judgement,
    Key, Message, Millis, Name, Observation, PersonHash, Policy, Prefix, Secs, Sensor, Verdict,
};

use crate::hosts::{Habit, Host, Random};

/// Known keys of a mixed stream.
const KEYS: u32 = 100_000;
/// Inputs of one frame, as the program collects them.
const FRAME: usize = 256;
/// 2026-11-01 00:00 UTC.
const START: Millis = Millis::from_secs(1_793_491_200);
/// A stream lasts a day.
const LASTS: Secs = Secs::DAY;

/// Which stream.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Attempts from a policy server, verdicts from a filter.
    Policy,
    /// Attempts, messages with content and attachments, verdicts.
    Milter,
    /// Each message from somebody new.
    Strangers,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Policy, Kind::Milter, Kind::Strangers];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Policy => "policy",
            Kind::Milter => "milter",
            Kind::Strangers => "strangers",
        }
    }

    /// What is measured, for people.
    pub(crate) fn case(self, stream: &Stream) -> String {
        let what = match self {
            Kind::Policy => "attempts and verdicts",
            Kind::Milter => "attempts, messages and verdicts",
            Kind::Strangers => "strangers only",
        };
        format!("{what}, {}k observations, {} % refused", stream.observations / 1000, stream.refused_percent)
    }
}

/// A stream in frames, each as its bytes.
pub(crate) struct Stream {
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) observations: usize,
    refused_percent: usize,
}

/// The engine that a stream is for.
pub(crate) fn engine() -> Engine {
    let origin = Origin { site: 5, node: model::Node(1), life: 1, link_epoch: 1 };
    let names = vec![Name::new(b"mx.example.org")];
    Engine::new(origin, [3, 4], Policy { learn_first: false, our_names: names, ..Policy::shipped() })
}

impl Stream {
    /// About so many observations.
    pub(crate) fn of(kind: Kind, observations: usize) -> Stream {
        let mut maker = Maker {
            kind,
            random: Random(1),
            engine: engine(),
            blocked: HashMap::new(),
            messages: 0,
            refused: 0,
        };
        let (mut frames, mut made) = (Vec::new(), 0);
        while made < observations {
            let done = u128::from(LASTS.0) * 1000 * made as u128 / observations as u128;
            let frame = maker.frame(Millis(START.0 + done as u64));
            made += frame.inputs.len();
            frames.push(frame.to_bytes());
        }
        let refused_percent = (maker.refused * 100 / maker.messages) as usize;
        Stream { frames, observations: made, refused_percent }
    }
}

struct Maker {
    kind: Kind,
    random: Random,
    engine: Engine,
    blocked: HashMap<Prefix, (CaseId, Millis)>,
    messages: u64,
    refused: u64,
}

impl Maker {
    fn frame(&mut self, at: Millis) -> Frame {
        let mut inputs = Vec::with_capacity(FRAME);
        while inputs.len() + 3 <= FRAME {
            self.message(at, &mut inputs);
        }
        let frame = Frame { wall: at, salt: [7; 16], inputs };
        let step = self.engine.step(self.messages, &frame, &Alone);
        step.events.iter().for_each(|event| self.hear(event.open().unwrap()));
        frame
    }

    /// Who is blocked now, and until when.
    fn hear(&mut self, event: Envelope) {
        let Some((Key::Net(key), case)) = event.key.zip(event.case) else { return };
        match event.body {
            Body::CaseOpened(opened) => _ = self.blocked.insert(key, (case, opened.until)),
            Body::CaseExtended(longer) => _ = self.blocked.insert(key, (case, longer.until)),
            _ => {}
        }
    }

    /// All that sensors say of one message.
    fn message(&mut self, at: Millis, inputs: &mut Vec<Input>) {
        self.messages += 1;
        let tag = self.messages;
        let host = self.host();
        let held = self.blocked.get(&client_prefix(host.client.addr)).filter(|(_, until)| *until > at);
        let answered = held.map_or(Answered::Passed, |(case, _)| Answered::Blocked(*case));
        let sensor = if self.kind == Kind::Milter { Sensor::Milter } else { Sensor::Policy };
        let spam = self.is_spam(host.habit);
        let mut see = |sensor, fact| {
            inputs.push(Input::Observed(Observation { at, sensor, session: tag, fact }));
        };
        let attempt = self.random.attempt(&host, answered);
        see(sensor, Fact::Attempt(attempt));
        if answered != Answered::Passed {
            self.refused += 1;
            return;
        }
        let queue = (self.kind == Kind::Milter).then_some(tag | 1 << 40);
        if queue.is_some() {
            let content = Some(Box::new(self.random.content(&host, tag, spam)));
            see(sensor, Fact::Message(Message { queue, recipients: 1, size: 4096, content }));
        }
        let judgement = if spam { Judgement::Spam } else { Judgement::Ham };
        let source = Name::new(b"rspamd");
        see(Sensor::Filter, Fact::Verdict(Verdict { queue, judgement, score: Some(700), source }));
    }

    /// Half of all mail comes from a hundredth of the hosts.
    fn host(&mut self) -> Host {
        if self.kind == Kind::Strangers {
            return Host::nth(self.messages as u32);
        }
        let of = if self.random.chance(50) { KEYS / 100 } else { KEYS };
        Host::nth(self.random.below(u64::from(of)) as u32)
    }

    fn is_spam(&mut self, habit: Habit) -> bool {
        self.random.chance(match habit {
            Habit::Server => 1,
            Habit::Offender => 98,
            Habit::Line => 95,
            Habit::Nameless => 90,
        })
    }
}

impl Random {
    fn person(&mut self) -> Option<PersonHash> {
        Some(PersonHash(self.below(20_000)))
    }

    fn attempt(&mut self, host: &Host, answered: Answered) -> Attempt {
        Attempt {
            client: host.client.clone(),
            sender: Some(PersonHash(self.next())),
            recipient: self.person(),
            recipients: 1,
            answered,
            sender_fits: host.habit == Habit::Server,
            ticket: None,
        }
    }

    /// What a message shows: good mail is signed, one spam in ten has an attachment.
    fn content(&mut self, host: &Host, tag: u64, spam: bool) -> Content {
        let domain = Some(DomainHash(self.below(30_000)));
        let mut id = [0; 16];
        id[..8].copy_from_slice(&tag.to_be_bytes());
        let signed = host.habit == Habit::Server;
        Content {
            kept: if spam { Kept::Stored(ExhibitId(id)) } else { Kept::No },
            spf: if signed { Spf::Pass } else { Spf::None },
            dkim: domain.filter(|_| signed),
            dmarc: if signed { Dmarc::Pass } else { Dmarc::None },
            sender_domain: domain,
            shape: if self.chance(20) { Shape::LIST | Shape::BULK } else { Shape::default() },
            text: Some(if spam { self.below(5000) } else { self.next() }),
            attachment: if spam && self.chance(10) { Danger::Score } else { Danger::None },
        }
    }
}
