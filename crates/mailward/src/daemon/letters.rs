//! Whole messages: heard, decided, and reported with their headers where they can become
//! evidence.
//!
//! The milter hands a letter in and waits for its ending; what was seen goes to the engine
//! through the keeper, so that headers are durable before anybody is blocked for them.

pub(crate) mod late;
mod texts;

use std::collections::HashSet;
use std::sync::Arc;

use answers::{Act, ConnectionScore, EndRules, Ended, Finish, MailPath};
use detectors::helo::HeloClass;
use detectors::seen::Traits;
use edge::milter::{About, EndTell, Ending, Inspection, Inspector};
use edge::{Clock, Greetings, Intake, Manners, Persons, Published, Views};
use model::content::{Danger, Shape, Spf};
use model::observation::{Fact, Message, Notice, Outcome, Purpose, Sensor, Verdict};
use model::policy::FirstHit;
use model::{
    Content, Exhibit, Judgement, Letter, Name, Observation, Offence, PersonHash, Policy, Prefix, Slight,
};
use projections::View;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::intake::Queue;
use super::keeper::Keeper;
use crate::config::Config;
use crate::hearing::{Heard, Hearing};
pub(crate) use late::Late;
use texts::KnownTexts;

/// Quarter points that a message itself must bring before its connection counts: one point.
const OWN_MIN: i32 = 4;
/// Threads that wait for judges; what computes has a pool of its own.
const THREADS: usize = 2;

/// What letters are judged with.
pub(crate) struct Letters {
    desk: Arc<Desk>,
    judges: Handle,
}

/// The runtime of the judges; it ends with this.
pub(crate) struct Judges(Option<Runtime>);

/// What a letter meets once it was heard.
struct Desk {
    hearing: Hearing,
    rules: EndRules,
    /// The connection's rule gives points.
    by_connection: bool,
    by_conduct: bool,
    /// Messages get our fields.
    marks: bool,
    policy: Policy,
    traps: HashSet<PersonHash>,
    our_senders: Vec<String>,
    report_desks: ReportDesks,
    texts: KnownTexts,
    means: Means,
}

/// What letters need of the daemon.
pub(crate) struct Means {
    pub(crate) published: Arc<Published>,
    pub(crate) clock: Clock,
    pub(crate) persons: Persons,
    pub(crate) queue: Arc<Queue>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) late: Arc<Late>,
    pub(crate) manners: Arc<Manners>,
    pub(crate) greetings: Option<Arc<Greetings>>,
}

/// Where people report abuse: what they send there is no offence of theirs.
struct ReportDesks(Config);

impl Drop for Judges {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A judge that hangs must not hold up the stop.
            runtime.shutdown_background();
        }
    }
}

impl Letters {
    /// Starts the judges' runtime.
    ///
    /// # Errors
    ///
    /// A text for the operator.
    pub(crate) fn new(
        config: &Config,
        hearing: Hearing,
        policy: Policy,
        means: Means,
    ) -> Result<(Letters, Judges), String> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("judges")
            .enable_all()
            .build()
            .map_err(|e| format!("threads can not be started: {e}"))?;
        let texts = KnownTexts::new(&policy, &means.persons);
        let desk = Desk {
            hearing,
            rules: config.end_rules(),
            by_connection: config.weights().connection,
            by_conduct: config.weights().conduct,
            marks: config.milter().header,
            traps: policy.traps.iter().map(|(who, _)| *who).collect(),
            policy,
            our_senders: config.own_senders(),
            report_desks: ReportDesks(config.clone()),
            texts,
            means,
        };
        let judges = runtime.handle().clone();
        Ok((Letters { desk: Arc::new(desk), judges }, Judges(Some(runtime))))
    }
}

/// Work that ends with whoever waits for it: a message that passed is not decided afterwards.
struct Aborting(JoinHandle<Ending>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inspector for Letters {
    fn inspect(&self, letter: Letter, about: About) -> Inspection {
        if let Some(heard) = self.desk.hearing.at_once(&letter) {
            return Inspection::Done(self.desk.conclude(&letter, heard, &about));
        }
        let (desk, letter) = (self.desk.clone(), Arc::new(letter));
        let mut work = Aborting(self.judges.spawn(async move {
            let heard = desk.hearing.hear(&letter).await;
            desk.conclude(&letter, heard, &about)
        }));
        // A panic in the work is a defect of ours, told by the panic itself; the message passes.
        Inspection::Pending(Box::pin(async move { (&mut work.0).await.unwrap_or_default() }))
    }
}

impl Desk {
    fn conclude(&self, letter: &Letter, mut heard: Heard, about: &About) -> Ending {
        let view = self.means.published.view();
        let resting = answers::connection::suspended(&view, letter.at);
        if resting.has(Offence::ForgedSender) {
            heard.points = heard.points.without_sender();
        }
        if self.by_conduct {
            heard.points = heard.points.blamed(learned(letter, &view));
        }
        let ended = self.decide(letter, &heard, about, &view);
        log(letter, &heard, &ended);
        let results = heard.results.clone();
        if about.counts {
            self.tell_reached(letter, heard.reached, &view);
            self.report(letter, heard.counted(&ended));
        }
        self.ending(ended, results)
    }

    fn decide(&self, letter: &Letter, heard: &Heard, about: &About, view: &View) -> Ended {
        let verdict = heard.verdict.as_ref().map(|said| verdict(said, None));
        let resting = answers::connection::suspended(view, letter.at);
        let ending = answers::Ending {
            addr: letter.client.addr,
            // A refusal to our own relay would only come back as a bounce (ADV-20).
            trusted: self.came_through_relay(letter) || letter.client.authenticated,
            content: &heard.content,
            verdict: verdict.as_ref(),
            score: (self.rules.scored > Act::Pass).then(|| self.score(letter, heard, view)),
            first_hit: first_hit(
                &self.policy,
                &self.traits(letter).without(resting),
                view.has_credit(letter.client.addr),
            ) || self.texts.knows(letter.client.addr, letter.at, heard, about.counts),
            burst: view.bursts(letter.client.addr, self.means.clock.now()),
            sender_is_ours: self.is_ours(&letter.sender) && !resting.has(Offence::ForgedSender),
            desk: self.is_for_desks(letter),
            exempt: is_open(letter, |to| answers::is_exempt(&view.site, to)),
            case: None,
            would: about.would,
            bounces: answers::bounces_case(
                view,
                letter.client.addr,
                self.people(letter),
                self.means.clock.now(),
            ),
        };
        answers::at_end(&ending, &self.rules, view)
    }

    /// A declared relay handed it on, whether or not its Received fields say for whom.
    fn came_through_relay(&self, letter: &Letter) -> bool {
        let client = Prefix::host(letter.client.addr);
        letter.through.is_some() || self.policy.relays.iter().any(|relay| relay.covers(client))
    }

    /// One score of all families (DESIGN §8): connection, filters, attachments, sender.
    fn score(&self, letter: &Letter, heard: &Heard, view: &View) -> ConnectionScore {
        let lately = self.means.manners.of(letter.client.addr, letter.at);
        let greetings = self.means.greetings.as_ref();
        let absent = greetings.is_some_and(|names| names.is_absent(letter.client.helo.as_ref()));
        let spared = letter.recipients.iter().any(|to| answers::territory::is_spared(to, view));
        let path = MailPath { spared, ..MailPath::default() };
        let path = path.with(lately.faults).named(absent).weighed(&self.policy);
        let connection =
            || answers::connection::weigh(&letter.client, &self.traits(letter), path, view, letter.at);
        message_score(self.by_connection.then(connection), heard)
    }

    fn traits(&self, letter: &Letter) -> Traits {
        let fits = answers::sender_fits(letter.client.helo.as_ref(), &letter.sender);
        Traits::of(&letter.client, fits, &self.policy)
    }

    fn is_ours(&self, sender: &[u8]) -> bool {
        let Some(at) = sender.iter().rposition(|b| *b == b'@') else { return false };
        self.our_senders.iter().any(|own| sender[at + 1..].eq_ignore_ascii_case(own.as_bytes()))
    }

    fn is_for_desks(&self, letter: &Letter) -> bool {
        is_open(letter, |to| self.report_desks.takes(to))
    }

    /// Tells the engine what was seen; with headers where they can become evidence.
    fn report(&self, letter: &Letter, heard: Heard) {
        let queue = self.queue_of(letter);
        let trap = self.is_for_trap(letter);
        let bad = trap || self.can_be_evidence(letter, &heard);
        let exhibit = (bad || heard.verdict.is_none()).then(|| exhibit(letter, &heard, trap));
        let seen = self.seen(letter, heard, queue);
        match exhibit {
            Some(exhibit) if bad => self.means.keeper.keep(exhibit, seen),
            waiting => {
                for one in seen {
                    // A full queue counts for itself.
                    let _ = self.means.queue.offer(one);
                }
                if let (Some(exhibit), Some(queue)) = (waiting, queue) {
                    self.means.late.hold(queue, letter.session, exhibit);
                }
            }
        }
    }

    fn seen(&self, letter: &Letter, heard: Heard, queue: Option<u64>) -> Vec<Observation> {
        let at = self.means.clock.now();
        let one = |fact| Observation { at, sensor: Sensor::Milter, session: letter.session, fact };
        let recipients = letter.recipients.len().saturating_add(letter.recipients_more as usize);
        let message = Message {
            queue,
            recipients: recipients.try_into().unwrap_or(u16::MAX),
            size: letter.size(),
            content: Some(Box::new(Content { shape: self.shape(letter, &heard), ..heard.content })),
        };
        let mut seen = vec![one(Fact::Message(message))];
        seen.extend(heard.verdict.map(|said| one(Fact::Verdict(verdict(&said, queue)))));
        seen
    }

    /// Tells the engine that answers to the sender's domain find no server, or find one again.
    fn tell_reached(&self, letter: &Letter, reached: Option<bool>, view: &View) {
        let Some((domain, reached)) = domain_of(letter).zip(reached) else { return };
        // A server that was always there is no news.
        if reached && !view.lessons.withholds(&domain, Slight::Exchanger, letter.at) {
            return;
        }
        let outcome = if reached { Outcome::Accepted } else { Outcome::Unreachable };
        let fact = Fact::Notice(Notice { domain, purpose: Purpose::Look, outcome });
        let at = self.means.clock.now();
        // A full queue counts for itself.
        let _ = self.means.queue.offer(Observation { at, sensor: Sensor::Milter, session: 0, fact });
    }

    fn shape(&self, letter: &Letter, heard: &Heard) -> Shape {
        let desk = if self.is_for_desks(letter) { Shape::TO_ABUSE_DESK } else { Shape::default() };
        heard.content.shape | desk
    }

    fn queue_of(&self, letter: &Letter) -> Option<u64> {
        let id = &letter.queue_id;
        (!id.is_empty()).then(|| self.means.persons.queue(letter.mx.as_bytes(), id))
    }

    fn is_for_trap(&self, letter: &Letter) -> bool {
        !self.traps.is_empty() && self.people(letter).any(|who| self.traps.contains(&who))
    }

    /// Its recipients.
    fn people(&self, letter: &Letter) -> impl Iterator<Item = PersonHash> {
        letter.recipients.iter().filter_map(|to| self.means.persons.person(to))
    }

    /// Whether a rule could block for it: what is only good mail leaves no trace.
    fn can_be_evidence(&self, letter: &Letter, heard: &Heard) -> bool {
        let content = &heard.content;
        let judged = heard.verdict.as_ref().is_some_and(|said| said.judgement != Judgement::Ham);
        let kind = Shape::NULL_SENDER | Shape::AUTOMATIC | Shape::BOUNCE;
        judged
            || content.attachment >= Danger::Encrypted
            || content.spf == Spf::Fail
            || content.shape.any(kind)
            || self.traits(letter).helo == HeloClass::OurName
    }

    fn ending(&self, ended: Ended, results: Option<String>) -> Ending {
        let tell = match ended.tell {
            Finish::Pass => EndTell::Pass,
            Finish::Refuse(reply) => EndTell::Refuse(reply),
            Finish::Quarantine(why) => EndTell::Quarantine(why.to_owned()),
        };
        let mut insert = Vec::new();
        if self.marks {
            // What we write on top is read first: results, then the mark.
            insert.extend(results.map(|text| (b"Authentication-Results".to_vec(), bare(&text))));
            insert.push((b"X-Mailward".to_vec(), ended.mark.get().as_str().as_bytes().to_vec()));
        }
        Ending { tell, insert }
    }
}

/// Whether a verdict ‘spam’ blocks the client at once, as OFF-1 has it.
pub(crate) fn first_hit(policy: &Policy, traits: &Traits, credit: bool) -> bool {
    match policy.volume.first_hit {
        FirstHit::Off => false,
        FirstHit::Suspicious => !credit && !traits.shared && traits.suspicious(),
        FirstHit::Everybody => !traits.shared,
    }
}

/// The score of a message: its connection's, and what else weighs.
///
/// `connection` is none where its rule keeps it out: then it neither accuses nor excuses.
pub(crate) fn message_score(
    connection: Option<detectors::ConnectionScore>,
    heard: &Heard,
) -> ConnectionScore {
    let connection = connection.unwrap_or_default();
    let mut facts: Vec<(i32, &'static str)> = heard.points.facts().to_vec();
    facts.extend(connection.parts.iter().map(|part| (part.quarters, part.told())));
    facts.retain(|(points, _)| *points > 0);
    facts.sort_by_key(|(points, _)| -points);
    let heaviest = [0, 1].map(|place| facts.get(place).map(|(_, words)| *words));
    // Without a point of the message's own it is the connection rule's affair, not this one's.
    let own = heard.points.quarters();
    let quarters = if own >= OWN_MIN { connection.quarters() + own } else { own };
    ConnectionScore { quarters, heaviest, line: false }
}

/// What the site has learned of the domain of the envelope sender (OFF-24).
fn learned(letter: &Letter, view: &View) -> u8 {
    domain_of(letter).map_or(0, |domain| view.lessons.conduct(&domain, letter.at))
}

/// The domain of the envelope sender, without the person in front of it.
fn domain_of(letter: &Letter) -> Option<Name> {
    let at = letter.sender.iter().rposition(|byte| *byte == b'@')?;
    Some(Name::new(&letter.sender[at + 1..]))
}

impl ReportDesks {
    fn takes(&self, recipient: &[u8]) -> bool {
        let text = String::from_utf8_lossy(recipient);
        let local = text.rsplit_once('@').map_or(&*text, |(local, _)| local);
        let plain = local.split('+').next().unwrap_or(local);
        // RFC 2142: abuse@ of every domain.
        plain.eq_ignore_ascii_case("abuse") || self.0.takes_reports(&text)
    }
}

/// Whether every recipient is of one kind; those that nobody knows by name are not.
fn is_open(letter: &Letter, kind: impl Fn(&[u8]) -> bool) -> bool {
    let known = letter.recipients_more == 0 && !letter.recipients.is_empty();
    known && letter.recipients.iter().all(|to| kind(to))
}

/// What the engine is told of a judgement.
pub(crate) fn verdict(said: &crate::hearing::Said, queue: Option<u64>) -> Verdict {
    Verdict { queue, judgement: said.judgement, score: said.score, source: said.source.clone() }
}

fn exhibit(letter: &Letter, heard: &Heard, trap: bool) -> Exhibit {
    Exhibit {
        trap,
        opinions: heard.opinions.clone(),
        attachments: heard.attachments.clone(),
        ..Exhibit::of(letter)
    }
}

/// The milter puts the space behind the colon.
fn bare(value: &str) -> Vec<u8> {
    value.trim_start().as_bytes().to_vec()
}

/// One line for what is more than a good message; no person stands in it.
fn log(letter: &Letter, heard: &Heard, ended: &Ended) {
    let Some(rule) = ended.rule else { return };
    let queue = letter.queue_id.escape_ascii();
    let action = match (&ended.tell, ended.would) {
        (_, true) => "would refuse",
        (Finish::Refuse(_), _) => "refused",
        (Finish::Quarantine(_), _) => "quarantined",
        (Finish::Pass, _) => "passed",
    };
    let score = heard.verdict.as_ref().and_then(|said| said.score);
    let judge = heard.verdict.as_ref().map(|said| tracing::field::display(&said.source));
    tracing::info!(client = %letter.client.addr, %queue, rule = rule.word(), judge, score, action, "message decided");
}
