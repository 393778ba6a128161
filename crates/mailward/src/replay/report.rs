//! The figures of a replay, as a table and as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use answers::{Answer, Tell};
use comfy_table::{Cell, CellAlignment, Table, presets};
use model::{Judgement, Offence};
use serde_json::{Map, Value, json};

use super::cases::Cases;
use super::line::Line;
use super::stream::Faults;

/// Counts over one run.
#[derive(Default)]
pub(crate) struct Report {
    sessions: u64,
    spam: u64,
    ham: u64,
    spam_refused: u64,
    ham_refused: u64,
    deferred: u64,
    ham_refused_keys: BTreeSet<IpAddr>,
    refused_for: BTreeMap<&'static str, (u64, u64)>,
}

/// What was decided about one session, in the words of `--decisions`.
pub(crate) struct Decision {
    pub(crate) action: &'static str,
    pub(crate) reason: String,
}

impl Report {
    /// Counts one session and its answer.
    pub(crate) fn count(&mut self, line: &Line, answer: &Answer, cases: &Cases) -> Decision {
        self.sessions += 1;
        let (spam, ham) = (line.label == Some(Judgement::Spam), line.label == Some(Judgement::Ham));
        self.spam += u64::from(spam);
        self.ham += u64::from(ham);
        let offence = answer.case.and_then(|c| cases.offence(c));
        let plain = match answer {
            Answer { scored: true, .. } => "score",
            Answer { greylisted: true, .. } => "greylist",
            _ => "",
        };
        let reason = offence.map_or_else(|| plain.to_owned(), Offence::id);
        match answer.tell {
            Tell::Pass => Decision { action: "accept", reason: String::new() },
            Tell::Defer(_) => {
                self.deferred += 1;
                Decision { action: "tempfail", reason }
            }
            Tell::Refuse(_) => {
                self.refused(line, spam, ham, offence);
                Decision { action: "reject", reason }
            }
        }
    }

    fn refused(&mut self, line: &Line, spam: bool, ham: bool, offence: Option<Offence>) {
        self.spam_refused += u64::from(spam);
        self.ham_refused += u64::from(ham);
        if ham {
            self.ham_refused_keys.insert(line.client.addr);
        }
        let counts = self.refused_for.entry(offence.map_or("connection score", title)).or_default();
        counts.0 += u64::from(spam);
        counts.1 += u64::from(ham);
    }

    /// All figures.
    pub(crate) fn to_json(&self, cases: &Cases, faults: &Faults, seconds: f64) -> Value {
        let mut lasts: Vec<u64> = cases.live().map(super::cases::Listed::lasts).collect();
        lasts.sort_unstable();
        let mut blocks_by: BTreeMap<&str, u64> = BTreeMap::new();
        cases.live().for_each(|l| *blocks_by.entry(title(l.offence)).or_default() += 1);
        json!({
            "sessions": self.sessions,
            "spam": self.spam,
            "ham": self.ham,
            "spam_refused": self.spam_refused,
            "ham_refused": self.ham_refused,
            "ham_refused_keys": self.ham_refused_keys.len(),
            "spam_refused_pct": percent(self.spam_refused, self.spam),
            "ham_refused_pct": percent(self.ham_refused, self.ham),
            "deferred": self.deferred,
            "blocks": lasts.len(),
            "median_sentence_s": lasts.get(lasts.len() / 2).copied().unwrap_or(0),
            "sessions_per_s": (self.sessions as f64 / seconds.max(1e-9)).round(),
            "peak_rss_bytes": peak_rss_bytes(),
            "broken_lines": faults.broken,
            "left_out": faults.left_out,
            "out_of_order": faults.out_of_order,
            "offences": self.offences(&blocks_by),
        })
    }

    fn offences(&self, blocks_by: &BTreeMap<&str, u64>) -> Value {
        let names: BTreeSet<&str> = blocks_by.keys().chain(self.refused_for.keys()).copied().collect();
        let row = |name: &str| {
            let (spam, ham) = self.refused_for.get(name).copied().unwrap_or_default();
            json!({"blocks": blocks_by.get(name).copied().unwrap_or(0), "spam_refused": spam, "ham_refused": ham})
        };
        Value::Object(names.into_iter().map(|n| (n.to_owned(), row(n))).collect::<Map<_, _>>())
    }
}

/// The table that a person reads.
pub(crate) fn table(figures: &Value) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let number = |name: &str| figures[name].to_string();
    let rows = [
        ("sessions", number("sessions")),
        (
            "spam refused",
            format!("{} of {} ({} %)", number("spam_refused"), number("spam"), number("spam_refused_pct")),
        ),
        (
            "ham refused",
            format!("{} of {} ({} %)", number("ham_refused"), number("ham"), number("ham_refused_pct")),
        ),
        ("servers of refused ham", number("ham_refused_keys")),
        ("deferred", number("deferred")),
        ("blocks", number("blocks")),
        ("median sentence", span(&figures["median_sentence_s"])),
        ("sessions per second", number("sessions_per_s")),
        ("peak memory", format!("{} MiB", figures["peak_rss_bytes"].as_u64().unwrap_or(0) >> 20)),
    ];
    for (name, value) in rows {
        table.add_row([Cell::new(name), Cell::new(value).set_alignment(CellAlignment::Right)]);
    }
    let mut text = table.to_string();
    for (name, counts) in figures["offences"].as_object().into_iter().flatten() {
        let (blocks, spam, ham) = (&counts["blocks"], &counts["spam_refused"], &counts["ham_refused"]);
        text.push_str(&format!("\n {name}: {blocks} blocks refused {spam} spam and {ham} ham"));
    }
    text
}

fn span(seconds: &Value) -> String {
    model::Secs(seconds.as_u64().unwrap_or(0)).to_string()
}

fn title(offence: Offence) -> &'static str {
    model::reasons::of_offence(offence).map_or("other", |r| r.id)
}

/// Share in percent with three digits, 0 of nothing.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (100_000.0 * part as f64 / whole as f64).round() / 1000.0 }
}

/// The most memory this process held, from the kernel's own count; 0 where it tells none.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
