//! All that is known of a key, as a value for scripts and as lines for a person.
//!
//! [`answers::explain`] tells of cases. Here is what the engine remembers beside them: good
//! mail, units that wait, what guards held back, the last sessions, the connection score
//! with each part, and what would block the key. For the operator alone.

use answers::{MailPath, When};
use detectors::ConnectionScore;
use detectors::seen::Traits;
use engine::{Guard, Held, KeyReport};
use model::observation::Rdns;
use model::policy::{FirstHit, RuleMode};
use model::{Class, Client, Evidence, Habit, Habits, Millis, Mode, Name, Offence, Policy, Units, reasons};
use projections::View;
use serde_json::{Value, json};

use crate::daemon::utc;

/// What is looked at together.
pub(super) struct Known<'a> {
    /// What the engine remembers, if it remembers the key.
    pub(super) report: Option<&'a KeyReport>,
    /// The sessions behind the key's newest case, else those that wait to be evidence.
    pub(super) sessions: &'a [Evidence],
    /// The rules in force.
    pub(super) policy: &'a Policy,
    pub(super) view: &'a View,
    pub(super) now: Millis,
}

impl Known<'_> {
    /// The newest connection that is remembered.
    fn client(&self) -> Option<&Client> {
        self.sessions.last().map(|session| &session.client)
    }

    fn score(&self, client: &Client) -> ConnectionScore {
        let traits = Traits::of(client, false, self.policy);
        let faults = self.report.map_or(Habits::NONE, |report| report.faults);
        let path = MailPath::default().with(faults).weighed(self.policy);
        answers::connection::weigh(client, &traits, path, self.view, self.now)
    }

    /// For scripts.
    pub(super) fn to_json(&self) -> Value {
        let score = self.client().map(|client| {
            let score = self.score(client);
            let parts = score.parts.iter();
            let parts: Vec<_> = parts.map(|p| json!({"text": p.text, "points": points(p.quarters)})).collect();
            json!({"points": points(score.quarters()), "refuses_from": points(detectors::score::REFUSE), "parts": parts})
        });
        json!({
            "memory": self.report.map(memory),
            "sessions": self.sessions.iter().map(session).collect::<Vec<_>>(),
            "score": score,
            "blocks_when": self.report.map(|report| self.blocks_when(report)),
        })
    }

    /// For a person, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let Some(report) = self.report else {
            let mut lines =
                vec![field("memory", "the engine remembers nothing of it: it was not seen, or gave way")];
            lines.extend(self.of_connection());
            return lines;
        };
        let (first, last) = (When::minute(report.first_seen), When::minute(report.last_seen));
        let mut lines =
            vec![field("seen", &format!("first {first}, last {last}")), field("mail", &mail(report))];
        lines.push(field("room", &room(report)));
        lines.extend(waiting(report));
        lines.extend(repeats(report));
        lines.extend(faults(report));
        if report.lifted_up_to > Millis(0) {
            let at = When::minute(report.lifted_up_to);
            lines.push(field("lifted", &format!("what came before {at} counts no more")));
        }
        lines.extend(report.held.iter().map(|held| field("guard", &guarded(held))));
        lines.extend(self.of_connection());
        lines.push(field("blocks", &self.blocks_when(report).join("; ")));
        lines
    }

    /// The sessions, and what the newest connection weighs.
    fn of_connection(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.sessions.iter().map(|seen| field("session", &told(seen))).collect();
        lines.extend(self.client().map(|client| field("score", &scored(&self.score(client)))));
        lines
    }

    /// What would have to happen next, in the words of the manual.
    fn blocks_when(&self, report: &KeyReport) -> Vec<String> {
        let Some(factor) = report.factor_quarters.filter(|_| report.class != Class::Protected) else {
            return vec!["never by a rule, because of its class".to_owned()];
        };
        let factor = if self.policy.guards.classes { factor } else { 4 };
        let mut ways = Vec::new();
        if blocks(self.policy, Offence::SpamVolume) {
            ways.push(self.by_volume(report, factor));
        }
        let again = &self.policy.hash_flood;
        if blocks(self.policy, Offence::HashFlood) && report.good.0 < again.good {
            ways.push(format!("at {} messages judged spam in 24 hours (hash-flood)", again.spam_day));
        }
        if report.good.0 > 0 && self.policy.guards.ratio {
            let (good, bad) = (report.good.0, report.bad);
            ways.push(format!("not before what speaks against it ({bad}) is more than its good mail ({good}), but for a dump"));
        }
        ways
    }

    fn by_volume(&self, report: &KeyReport, factor: u64) -> String {
        let rule = &self.policy.volume;
        let suspicious =
            self.client().is_some_and(|client| Traits::of(client, false, self.policy).suspicious());
        let first = match rule.first_hit {
            FirstHit::Off => false,
            FirstHit::Suspicious => suspicious && report.good.0 == 0,
            FirstHit::Everybody => true,
        };
        if first {
            return "at the next message judged spam: it looks like an end user's computer and has sent no good mail \
                    (spam-volume)"
                .to_owned();
        }
        let scaled = |number: u32| (u64::from(number) * factor).div_ceil(4).max(1);
        format!(
            "at {} units in an hour or {} in 24 hours, if {} % of at least {} messages are spam (spam-volume)",
            scaled(rule.units_hour),
            scaled(rule.units_day),
            rule.share_percent,
            rule.messages_min
        )
    }
}

fn blocks(policy: &Policy, offence: Offence) -> bool {
    policy.mode(offence) == RuleMode::Block
}

fn field(name: &str, text: &str) -> String {
    format!("  {name:<8} {text}")
}

fn points(quarters: i32) -> f64 {
    f64::from(quarters) / 4.0
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn title(offence: Offence) -> &'static str {
    reasons::of_offence(offence).map_or("operator", |reason| reason.id)
}

fn mail(report: &KeyReport) -> String {
    let ((good, days), (judged, spam)) = (report.good, report.judged_day);
    let mut text = format!(
        "{good} good on {} of 30; {} against it in 7 days; {judged} judged in 24 hours, {spam} of them spam",
        counted(days.into(), "day"),
        report.bad
    );
    if report.unknown_recipients > 0 {
        text.push_str(&format!("; {} recipients of 24 hours do not exist", report.unknown_recipients));
    }
    if report.passes_on.is_some() {
        text.push_str("; it passes other people's mail on");
    }
    text
}

fn room(report: &KeyReport) -> String {
    let class = report.class.word();
    let probation = if report.factor_quarters < report.class.factor_quarters(false) {
        format!(", on probation until {}", When::minute_up(report.probation_until))
    } else {
        String::new()
    };
    match report.factor_quarters {
        None => format!("class {class}: no rule blocks it"),
        Some(4) => format!("class {class}: thresholds as configured{probation}"),
        Some(quarters) => format!("class {class}: thresholds × {}{probation}", quarters as f64 / 4.0),
    }
}

fn waiting(report: &KeyReport) -> Vec<String> {
    let line = |name, waiting: &[(Offence, Units)]| {
        let sums = waiting.iter().map(|(offence, units)| format!("{} {units}", title(*offence)));
        let sums = sums.collect::<Vec<_>>().join(", ");
        (!waiting.is_empty()).then(|| field(name, &format!("units of 7 days without a sentence: {sums}")))
    };
    [line("units", &report.waiting), line("shadow", &report.waiting_shadow)].into_iter().flatten().collect()
}

fn repeats(report: &KeyReport) -> Option<String> {
    (report.repeats > 0).then(|| {
        let times = 1_u32 << report.repeats.min(4);
        field(
            "repeats",
            &format!(
                "{} in 90 days: the next lasts {times} times as long",
                counted(report.repeats.into(), "earlier block")
            ),
        )
    })
}

fn faults(report: &KeyReport) -> Option<String> {
    let shown = shown(report.faults).join(", ");
    (!shown.is_empty()).then(|| field("conduct", &format!("faults of 24 hours: {shown}")))
}

/// The words of faults.
fn shown(faults: Habits) -> Vec<&'static str> {
    Habit::WORDS.iter().filter(|(_, habit)| faults.has(*habit)).map(|(word, _)| *word).collect()
}

fn guarded(held: &Held) -> String {
    let often = if held.times == 1 { "once".to_owned() } else { format!("{} times", held.times) };
    let (at, rule) = (When::minute(held.at), title(held.offence));
    format!("{rule} fired and was held back, {often}, last {at}: {}", held.guard.words())
}

fn told(seen: &Evidence) -> String {
    let helo = seen.client.helo.as_ref().map_or_else(|| "no HELO".to_owned(), |helo| format!("HELO {helo}"));
    let mut words = vec![When::second(seen.at).to_string(), helo, name(&seen.client.rdns)];
    words.push(counted(u64::from(seen.recipients), "recipient"));
    if seen.trap.is_some() {
        words.push("wrote to a trap".to_owned());
    }
    if let Some(judgement) = seen.judgement {
        let source = seen.source.as_ref().map_or_else(String::new, |source| format!(" by {source}"));
        words.push(format!("judged {}{source}", format!("{judgement:?}").to_lowercase()));
    }
    words.join(", ")
}

fn name(rdns: &Rdns) -> String {
    match rdns {
        Rdns::Unknown => "name not asked for".to_owned(),
        Rdns::Missing => "no name in DNS".to_owned(),
        Rdns::Mismatch(name) => format!("named {name}, which does not point back"),
        Rdns::Confirmed(name) => format!("named {name}"),
    }
}

fn scored(score: &ConnectionScore) -> String {
    let parts = score.parts.iter().map(|part| format!("{} {:+}", part.text, points(part.quarters)));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let (sum, limit) = (points(score.quarters()), points(detectors::score::REFUSE));
    let parts = if parts.is_empty() { "nothing weighs".to_owned() } else { parts };
    format!("{sum} of {limit} points at which a connection is refused: {parts}")
}

/// What the engine remembers, for scripts.
fn memory(report: &KeyReport) -> Value {
    let units = |waiting: &[(Offence, Units)]| -> Value {
        waiting
            .iter()
            .map(|(offence, units)| (title(*offence).to_owned(), json!(units.to_string())))
            .collect()
    };
    let running = |(case, mode, offence, until): &(model::CaseId, Mode, Offence, Millis)| json!({"case": case.to_string(), "live": *mode == Mode::Live, "reason": title(*offence), "until": utc(*until)});
    json!({
        "first_seen": utc(report.first_seen),
        "last_seen": utc(report.last_seen),
        "class": report.class.word(),
        "factor": report.factor_quarters.map(|quarters| quarters as f64 / 4.0),
        "probation_until": (report.probation_until > Millis(0)).then(|| utc(report.probation_until)),
        "good_messages": report.good.0,
        "good_days": report.good.1,
        "against": report.bad,
        "judged_day": report.judged_day.0,
        "spam_day": report.judged_day.1,
        "unknown_recipients": report.unknown_recipients,
        "repeats": report.repeats,
        "units": units(&report.waiting),
        "units_shadow": units(&report.waiting_shadow),
        "running": report.running.iter().map(running).collect::<Vec<_>>(),
        "lifted_up_to": (report.lifted_up_to > Millis(0)).then(|| utc(report.lifted_up_to)),
        "faults": shown(report.faults),
        "passes_on": report.passes_on.is_some(),
        "held": report.held.iter().map(held).collect::<Vec<_>>(),
    })
}

fn held(held: &Held) -> Value {
    let guard = match held.guard {
        Guard::Protected => "protected",
        Guard::Upstream => "upstream",
        Guard::Class => "class",
        Guard::GoodMail => "good-mail",
        Guard::NoEvidence => "no-evidence",
    };
    json!({"at": utc(held.at), "rule": title(held.offence), "guard": guard, "times": held.times})
}

/// One session, without persons.
fn session(seen: &Evidence) -> Value {
    json!({
        "at": utc(seen.at),
        "address": seen.client.addr.to_string(),
        "helo": seen.client.helo.as_ref().map(Name::to_string),
        "name": name(&seen.client.rdns),
        "recipients": seen.recipients,
        "judgement": seen.judgement.map(|judgement| format!("{judgement:?}").to_lowercase()),
        "source": seen.source.as_ref().map(Name::to_string),
        "trap": seen.trap.is_some(),
    })
}
