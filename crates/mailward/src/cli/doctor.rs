//! `mailward doctor`: looks for what is wrong or missing, and says the way out.

mod learnt;
mod lists;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::{Done, load};
use crate::config::Config;

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// One finding.
struct Finding {
    good: bool,
    about: &'static str,
    text: String,
}

pub(crate) fn main(path: &Path, args: &DoctorArgs) -> Done {
    let config = load(path)?;
    let mut findings = vec![good("configuration", format!("{} has no mistakes", path.display()))];
    findings.extend(outward(&config));
    findings.extend(own(&config));
    let now = model::Millis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0));
    findings.extend(learnt::signatures(&config.policy(&|_| model::PersonHash(0)).bot.signatures, now));
    findings.extend(lists::settings(&config));
    findings.push(store(&config));
    findings.extend(daemon(&config));
    let failed = findings.iter().any(|f| !f.good);
    if args.json {
        let rows: Vec<_> =
            findings.iter().map(|f| json!({"about": f.about, "good": f.good, "text": f.text})).collect();
        crate::say!("{}", json!(rows));
    } else {
        findings
            .iter()
            .for_each(|f| crate::say!("{} {:<14} {}", if f.good { "ok  " } else { "LOOK" }, f.about, f.text));
    }
    Ok(ExitCode::from(u8::from(failed)))
}

fn good(about: &'static str, text: String) -> Finding {
    Finding { good: true, about, text }
}

fn look(about: &'static str, text: String) -> Finding {
    Finding { good: false, about, text }
}

fn outward(config: &Config) -> Vec<Finding> {
    let missing = config.missing_for_refusals();
    if missing.is_empty() {
        return vec![good("refusals", "may leave this site: portal and contact are set".to_owned())];
    }
    missing
        .into_iter()
        .map(|line| look("refusals", format!("none leaves this site until there is: {line}")))
        .collect()
}

fn own(config: &Config) -> Vec<Finding> {
    let policy = config.policy(&|_| model::PersonHash(0));
    let mut findings = Vec::new();
    if policy.our_names.is_empty() {
        findings.push(look(
            "own names",
            "set own.names to the HELO names of your MX hosts (mailward setup postfix)".to_owned(),
        ));
    }
    if policy.protected.is_empty() {
        findings.push(look(
            "own networks",
            "set own.networks, or you may block yourself (mailward setup postfix)".to_owned(),
        ));
    }
    findings
}

fn store(config: &Config) -> Finding {
    let ledger = config.data_dir().join("ledger.db");
    if !ledger.exists() {
        return good("ledger", format!("{} comes with the first start", ledger.display()));
    }
    match ledger::SqliteLedger::open_to_read(&ledger).and_then(|l| l.last_arrival()) {
        Ok(events) => good("ledger", format!("{} events in {}", events, ledger.display())),
        Err(error) => look("ledger", error.to_string()),
    }
}

fn daemon(config: &Config) -> Vec<Finding> {
    let client = Client::new(&config.listeners().control);
    let status = match client.get("/v1/status") {
        Ok(status) => status,
        Err(error) => return vec![look("daemon", error)],
    };
    let mut findings =
        vec![good("daemon", format!("runs; mode {}, {} blocks in force", status["mode"], status["live"]))];
    if status["dropped"].as_u64().unwrap_or(0) > 0 {
        findings
            .push(look("observations", format!("{} were dropped: the store is too slow", status["dropped"])));
    }
    if status["headers_lost"].as_u64().unwrap_or(0) > 0 {
        let text = format!("of {} messages could not be kept: no evidence, no block", status["headers_lost"]);
        findings.push(look("headers", text));
    }
    findings.push(greylist(&status["greylist"]));
    findings.extend(learnt::lessons(&status["lessons"]));
    findings.extend(judges(&status["judges"]));
    findings.extend(relays(&status["engine"]["upstream"]));
    findings.extend(burnt(&status["engine"]["burnt"]));
    findings.extend(networks(&status["engine"]["networks"]));
    findings.extend(feeds(&status["feeds"]));
    findings.extend(lists::asked(config));
    if status["mode"] == "learn" {
        findings.push(look("mode", "learning: nothing is refused until `mailward enforce`".to_owned()));
    }
    findings
}

/// Before the last days of a list somebody should look whether it is still fetched.
const FEED_ENDS_SOON_S: u64 = 2 * 86_400;

fn feeds(told: &Value) -> Vec<Finding> {
    let of = |feed: &Value| {
        let word = |name: &str| feed[name].as_str().unwrap_or_default().to_owned();
        let (name, until) = (word("name"), word("until"));
        match (word("state").as_str(), feed["remaining_s"].as_u64()) {
            ("missing", _) => look(
                "bulk list",
                format!(
                    "{name}: its file is missing or damaged, nothing is answered from it; import it again"
                ),
            ),
            ("over", _) => {
                look("bulk list", format!("{name} ran out at {until}; import it again, or remove it"))
            }
            (_, Some(..=FEED_ENDS_SOON_S)) => {
                look("bulk list", format!("{name} runs out at {until} unless it is imported again"))
            }
            _ => good("bulk list", format!("{name} has {} entries, until {until}", feed["entries"])),
        }
    };
    told.as_array().into_iter().flatten().map(of).collect()
}

fn greylist(told: &Value) -> Finding {
    let text = match told["on"].as_bool() {
        Some(true) => format!(
            "on: {} attempts deferred since the start, {} remembered, {} senders pass",
            told["deferred"], told["waiting"], told["passes"]
        ),
        _ => "off".to_owned(),
    };
    good("greylisting", text)
}

/// A judge that fails is left alone for a while, and its messages pass unjudged.
fn judges(told: &Value) -> Vec<Finding> {
    let of = |(name, judge): (&String, &Value)| {
        let (asked, answered) = (&judge["asked"], &judge["answered"]);
        let text = format!("{name} answered {answered} of {asked}");
        match judge["resting"].as_bool() {
            Some(true) => look("judge", format!("{text} and is left alone for a while: does it run?")),
            _ => good("judge", text),
        }
    };
    told.as_object().into_iter().flatten().map(of).collect()
}

/// Networks that a person may block, providers that are noted, records to be reviewed.
fn networks(told: &Value) -> Vec<Finding> {
    let list = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let proposal = |p: &Value| {
        let network = word(&p["network"]);
        let text = format!(
            "{network} has {} blocked servers ({}; {} good messages, {} good servers): mailward block {network} \
             --for 7d --spare-good --because \"…\"",
            p["blocked"],
            word(&p["why"]),
            p["good_messages"],
            p["good_servers"]
        );
        look("network", text)
    };
    let due = |r: &Value| {
        look(
            "record",
            format!("{} is due for review: mailward show {}", word(&r["record"]), word(&r["case"])),
        )
    };
    let mut findings: Vec<_> = list("proposals").iter().map(proposal).collect();
    findings.extend(list("records_due").iter().map(due));
    let systems: Vec<String> = list("systems").iter().map(|system| format!("AS{system}")).collect();
    if !systems.is_empty() {
        findings.push(good("providers", format!("with many blocked servers: {}", systems.join(", "))));
    }
    findings
}

/// Traps that betray nobody any more.
fn burnt(told: &Value) -> Vec<Finding> {
    let of = |burnt: &Value| {
        let (trap, why) = (burnt["trap"].as_str().unwrap_or(""), burnt["why"].as_str().unwrap_or(""));
        let day = answers::when::When::day(model::Millis::from_secs(burnt["at"].as_u64().unwrap_or(0)));
        look(
            "trap",
            format!("{trap} counts no more since {day}: {why}. Take it off the list (section [traps])"),
        )
    };
    told.as_array().into_iter().flatten().map(of).collect()
}

/// Hosts that behave like relays of ours: never blocked, but better declared.
fn relays(told: &Value) -> Vec<Finding> {
    let of = |host: &Value| {
        let (key, why) = (host["key"].as_str().unwrap_or(""), host["why"].as_str().unwrap_or(""));
        look("relay", format!("{key}: {why}. If it is yours: relays = [\"{key}\"]  # in section [own]"))
    };
    told.as_array().into_iter().flatten().map(of).collect()
}
