//! A replay of raw messages: the site's own judges instead of recorded verdicts.
//!
//! Each message meets what it would have met: the answer at RCPT from the blocks of that
//! moment; if it passes, the judges and the decision at its end; then the engine hears what
//! they found. DNS is not asked, whatever the configuration says: today's records say nothing
//! about old mail.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use answers::{Act, ConnectionScore, EndRules, Ended, Finish, MailPath, Tell};
use edge::Persons;
use model::observation::{Fact, Message};
use model::policy::RuleMode;
use model::{Judgement, Letter, Name, Offence, Policy};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::cases::Cases;
use super::line::Line;
use super::raw::hop::Border;
use super::raw::{RawMessage, RawStream};
use super::run::{Replay, traits};
use super::{Lines, ReplayArgs, Stream, progress, write_listings};
use crate::cli::{Done, Failed};
use crate::config::Config;
use crate::daemon::letters::{first_hit, message_score, verdict};
use crate::hearing::{Heard, Hearing, Said};

/// Messages that are before the judges at once.
const AHEAD: usize = 32;

/// Replays raw messages.
pub(super) fn main(args: &ReplayArgs, config: Option<&Path>, policy: Policy) -> Done {
    let config = match config {
        Some(path) => crate::cli::load(path)?,
        None => Config::from_str("the defaults", "").map_err(|e| Failed::Usage(e.to_string()))?,
    };
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let hearing = Hearing::offline(&config, Persons::new([0; 16]), AHEAD);
    let border = Border {
        ours: policy.protected.iter().chain(&policy.relays).copied().collect(),
        names: policy.our_names.clone(),
    };
    let replay = Replay::new(policy.clone(), model::Secs(0));
    let stream = RawStream::open(&args.files, border)?;
    let labels = args.labels.as_deref().map(labels).transpose()?.unwrap_or_default();
    let mut trial = Trial {
        replay,
        policy,
        by_connection: config.weights().connection,
        rules: config.end_rules(),
        cases: Cases::default(),
        labels,
        figures: Figures::default(),
    };
    trial.figures.left_out = stream.left_out;
    Ok(trial.run(args, stream, &hearing, &runtime)?)
}

struct Trial {
    replay: Replay,
    policy: Policy,
    by_connection: bool,
    rules: EndRules,
    cases: Cases,
    /// What the filter says of messages by their names.
    labels: BTreeMap<String, Judgement>,
    figures: Figures,
}

/// Counts of one run.
#[derive(Default)]
struct Figures {
    messages: u64,
    left_out: u64,
    refused_at_rcpt: u64,
    refused_at_end: u64,
    without_verdict: u64,
    /// With labels: of spam and of wanted mail, how many there were, and refused at RCPT.
    spam: [u64; 2],
    ham: [u64; 2],
    /// By rule or reason.
    reasons: BTreeMap<String, u64>,
}

/// A message whose judges are at work.
struct Ahead {
    line: Line,
    letter: Arc<Letter>,
    heard: JoinHandle<Heard>,
}

impl Trial {
    fn run(
        mut self,
        args: &ReplayArgs,
        mut stream: RawStream,
        hearing: &Hearing,
        runtime: &Runtime,
    ) -> Result<ExitCode, String> {
        let mut decisions = Lines::create(args.decisions.as_deref())?;
        let (started, bar) = (Instant::now(), progress());
        bar.set_length(stream.len() as u64);
        let mut ahead: VecDeque<Ahead> = VecDeque::new();
        loop {
            while ahead.len() < AHEAD
                && let Some(message) = stream.next()?
            {
                ahead.push_back(begin(message, hearing, runtime));
            }
            let Some(next) = ahead.pop_front() else { break };
            let heard = runtime.block_on(next.heard).map_err(|e| format!("a judge panicked: {e}"))?;
            let (action, reason) = self.message(&next.line, &next.letter, heard);
            let id = &next.line.id;
            decisions.write(|| json!({"id": id, "action": action, "reason": reason}))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        decisions.finish()?;
        write_listings(args.listings.as_deref(), &self.cases)?;
        self.tell(args, hearing, started.elapsed().as_secs_f64());
        Ok(ExitCode::SUCCESS)
    }

    fn message(&mut self, line: &Line, letter: &Letter, mut heard: Heard) -> (&'static str, String) {
        self.figures.messages += 1;
        let label = self.labels.get(&line.id).copied();
        if let Some(judgement) = label {
            heard.verdict = Some(Said { judgement, score: None, source: Name::new(b"label") });
        }
        let cases = &mut self.cases;
        let answer = self.replay.rcpt(line, &mut |event| cases.hear(event));
        let refused = !matches!(answer.tell, Tell::Pass);
        self.figures.count(label, refused);
        if refused {
            let offence = answer.case.and_then(|case| self.cases.offence(case));
            let reason = offence.map_or_else(|| "score".to_owned(), model::Offence::id);
            self.figures.refused_at_rcpt += 1;
            return self.refused(reason);
        }
        self.figures.without_verdict += u64::from(heard.verdict.is_none());
        let ended = self.decide(line, letter, &heard);
        let cases = &mut self.cases;
        self.replay.ended(facts(letter, heard.counted(&ended)), &mut |event| cases.hear(event));
        match (ended.tell, ended.rule) {
            (Finish::Refuse(_), Some(rule)) => {
                self.figures.refused_at_end += 1;
                self.refused(rule.word().to_owned())
            }
            _ => ("accept", String::new()),
        }
    }

    fn refused(&mut self, reason: String) -> (&'static str, String) {
        *self.figures.reasons.entry(reason.clone()).or_default() += 1;
        ("reject", reason)
    }

    fn decide(&self, line: &Line, letter: &Letter, heard: &Heard) -> Ended {
        let view = self.replay.view();
        let said = heard.verdict.as_ref().map(|said| verdict(said, None));
        let ending = answers::Ending {
            addr: letter.client.addr,
            trusted: false,
            content: &heard.content,
            verdict: said.as_ref(),
            score: (self.rules.scored > Act::Pass).then(|| self.score(line, heard)),
            first_hit: self.first_hit(line) || self.knows_text(heard),
            burst: view.bursts(letter.client.addr, line.at),
            sender_is_ours: false,
            desk: false,
            exempt: false,
            case: None,
            would: None,
            bounces: answers::bounces_case(view, letter.client.addr, std::iter::empty(), line.at),
        };
        answers::at_end(&ending, &self.rules, view)
    }

    fn score(&self, line: &Line, heard: &Heard) -> ConnectionScore {
        let view = self.replay.view();
        let traits = traits(line, &self.policy);
        let connection =
            || answers::connection::weigh(&line.client, &traits, MailPath::default(), view, line.at);
        message_score(self.by_connection.then(connection), heard)
    }

    fn first_hit(&self, line: &Line) -> bool {
        let credit = self.replay.view().has_credit(line.client.addr);
        first_hit(&self.policy, &traits(line, &self.policy), credit)
    }

    /// Whether its text is known as spam (A.4, `hash-flood`).
    fn knows_text(&self, heard: &Heard) -> bool {
        let blocks = self.policy.mode(Offence::HashFlood) == RuleMode::Block;
        blocks && heard.content.text.is_some_and(|text| self.replay.engine().knows_text(text))
    }

    fn tell(&self, args: &ReplayArgs, hearing: &Hearing, seconds: f64) {
        let figures = self.figures.to_json(&self.cases, hearing, seconds);
        if args.json {
            return crate::say!("{figures}");
        }
        for (name, value) in figures.as_object().into_iter().flatten() {
            crate::say!("{:<18} {value}", name.replace('_', " "));
        }
    }
}

fn begin(message: RawMessage, hearing: &Hearing, runtime: &Runtime) -> Ahead {
    let RawMessage { line, letter } = message;
    let letter = Arc::new(letter);
    let (asked, shown) = (hearing.clone(), Arc::clone(&letter));
    let heard = runtime.spawn(async move { asked.hear(&shown).await });
    Ahead { line, letter, heard }
}

/// What the engine is told of a message at its end.
fn facts(letter: &Letter, heard: Heard) -> Vec<Fact> {
    let message =
        Message { queue: None, recipients: 1, size: letter.size(), content: Some(Box::new(heard.content)) };
    let said = heard.verdict.map(|said| Fact::Verdict(verdict(&said, None)));
    std::iter::once(Fact::Message(message)).chain(said).collect()
}

/// The labels of a stream, by the names of its sessions.
fn labels(path: &Path) -> Result<BTreeMap<String, Judgement>, String> {
    let mut stream = Stream::open(&[path.to_owned()])?;
    let mut labels = BTreeMap::new();
    while let Some(line) = stream.next()? {
        labels.extend(line.label.map(|label| (line.id, label)));
    }
    Ok(labels)
}

impl Figures {
    fn count(&mut self, label: Option<Judgement>, refused: bool) {
        let of = match label {
            Some(Judgement::Spam) => &mut self.spam,
            Some(Judgement::Ham) => &mut self.ham,
            _ => return,
        };
        of[0] += 1;
        of[1] += u64::from(refused);
    }

    fn to_json(&self, cases: &Cases, hearing: &Hearing, seconds: f64) -> Value {
        let judges: BTreeMap<String, Value> = hearing
            .panel()
            .seats()
            .map(|seat| {
                let counts = seat.counts();
                (seat.name().to_string(), json!({"asked": counts.asked, "answered": counts.answered}))
            })
            .collect();
        json!({
            "messages": self.messages,
            "left_out": self.left_out,
            "refused": self.refused_at_rcpt + self.refused_at_end,
            "refused_at_rcpt": self.refused_at_rcpt,
            "refused_at_end": self.refused_at_end,
            "without_verdict": self.without_verdict,
            "labelled_spam": self.spam[0],
            "labelled_spam_refused_at_rcpt": self.spam[1],
            "labelled_ham": self.ham[0],
            "labelled_ham_refused_at_rcpt": self.ham[1],
            "blocks": cases.live().count(),
            "reasons": self.reasons,
            "judges": judges,
            "messages_per_s": (self.messages as f64 / seconds.max(1e-9)).round(),
        })
    }
}
