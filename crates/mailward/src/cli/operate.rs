//! Commands that ask the running daemon.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::client::{Client, query};
use super::{Done, Failed};
use crate::config;
use crate::daemon::control::Wish;

/// Lines of verdicts that are sent at once.
const LINES_AT_ONCE: u64 = 2000;
/// … and bytes, well below what the daemon takes.
const BYTES_AT_ONCE: usize = 1 << 20;

#[derive(Args)]
pub(crate) struct EnforceArgs {
    /// Only show what the learnt time would have refused.
    #[arg(long)]
    dry_run: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ObserveArgs {
    /// A file of JSON Lines; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Addresses, prefixes or domains.
    #[arg(required = true)]
    keys: Vec<String>,
    /// As JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// A log line without a client.
const NO_CLIENT: &str = "expected a line that names a client, as key=192.0.2.25 or unknown[192.0.2.25] do";

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// An address, a prefix or a domain.
    #[arg(required_unless_present = "log")]
    key: Option<String>,
    /// A line of a mail server's log or of ours, in place of the key: the client that it names.
    #[arg(long, value_name = "LINE", conflicts_with = "key")]
    log: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct UnblockArgs {
    /// A case reference such as n1-48211, or a key.
    target: String,
    /// Why, for the record; not public.
    #[arg(long)]
    because: String,
    /// The block was our error: it leaves no strike.
    #[arg(long)]
    error: bool,
}

#[derive(Subcommand)]
pub(crate) enum ProtectCommand {
    /// Put a prefix on the list; blocks that it covers are lifted.
    Add {
        /// An address or a prefix.
        prefix: String,
    },
    /// Take a prefix off the list.
    Remove {
        /// An address or a prefix.
        prefix: String,
    },
    /// Print the list.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Shadow cases instead of live ones.
    #[arg(long)]
    shadow: bool,
    /// Cases that have ended, too.
    #[arg(long)]
    all: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// A case reference such as n1-48211.
    case: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct PanicArgs {
    /// How far back, such as `1 h`.
    #[arg(long, default_value = "1 h")]
    since: String,
}

#[derive(Args)]
pub(crate) struct ClockArgs {
    /// How far, such as `2 h`.
    advance: String,
}

pub(super) fn order(client: &Client, wish: &Wish) -> Result<Value, Failed> {
    let body = serde_json::to_string(wish).map_err(|e| e.to_string())?;
    Ok(client.post("/v1/order", body)?)
}

pub(super) fn seconds(text: &str) -> Result<u64, Failed> {
    config::span(text).map(|s| s.0).map_err(Failed::Usage)
}

pub(crate) fn enforce(client: &Client, args: &EnforceArgs) -> Done {
    let shadow = client.get("/v1/list?mode=shadow")?;
    let status = client.get("/v1/status")?;
    let preview = json!({"would_refuse": status["would_refuse"], "cases": shadow});
    if args.json {
        crate::say!("{preview}");
    } else {
        print_preview(&preview, client)?;
    }
    if args.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    order(client, &Wish::Enforce)?;
    if !args.json {
        crate::say!("Enforcing from now on, with no block in force yet. Back: mailward learn");
    }
    let missing = status["missing_for_refusals"].as_array().cloned().unwrap_or_default();
    for line in &missing {
        eprintln!("No refusal leaves this site until its configuration has: {}", line.as_str().unwrap_or(""));
    }
    Ok(ExitCode::from(u8::from(!missing.is_empty())))
}

fn print_preview(preview: &Value, client: &Client) -> Result<(), Failed> {
    let cases = preview["cases"].as_array().cloned().unwrap_or_default();
    crate::say!("Since the daemon's start {} recipients would have been refused.", preview["would_refuse"]);
    crate::say!("{} servers would be blocked now.", cases.len());
    for case in &cases {
        let key = case["key"].as_str().unwrap_or("");
        let known = client.get(&format!("/v1/check?key={}", query(key)))?;
        if known["credit"] == true {
            crate::say!("  look at {key}: it has sent good mail (mailward explain {key})");
        }
    }
    Ok(())
}

pub(crate) fn observe(client: &Client, args: &ObserveArgs) -> Done {
    let named = |e: std::io::Error| Failed::Here(format!("{}: {e}", args.file.display()));
    let file: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(&args.file).map_err(named)?)
    };
    let (mut reader, mut sent) = (BufReader::new(file), Sent::default());
    let (mut batch, mut lines) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut batch).map_err(named)? > 0 {
        lines += 1;
        // What a filter writes now is judged now, not at the end of its day.
        if lines >= LINES_AT_ONCE || batch.len() >= BYTES_AT_ONCE || reader.buffer().is_empty() {
            sent.add(client, &batch, std::mem::take(&mut lines))?;
            batch.clear();
        }
    }
    sent.add(client, &batch, lines)?;
    crate::say!("{} verdicts taken, {} lines broken.", sent.taken, sent.broken);
    if sent.dropped > 0 {
        crate::say!(
            "{} verdicts were dropped, for the daemon has no room: send them again, slower.",
            sent.dropped
        );
    }
    Ok(ExitCode::from(u8::from(sent.broken + sent.dropped > 0)))
}

/// What became of the lines so far.
#[derive(Default)]
struct Sent {
    before: u64,
    taken: u64,
    broken: u64,
    dropped: u64,
}

impl Sent {
    fn add(&mut self, client: &Client, batch: &[u8], lines: u64) -> Result<(), Failed> {
        if lines == 0 {
            return Ok(());
        }
        let told = client.post("/v1/observe", String::from_utf8_lossy(batch).into_owned())?;
        let count = |name: &str| told[name].as_u64().unwrap_or(0);
        self.taken += count("taken");
        self.broken += count("broken_count");
        self.dropped += count("dropped");
        for fault in told["broken"].as_array().into_iter().flatten() {
            let line = self.before + fault["line"].as_u64().unwrap_or(0);
            eprintln!("line {line}: {}", fault["what"].as_str().unwrap_or(""));
        }
        self.before += lines;
        Ok(())
    }
}

pub(crate) fn check(client: &Client, args: &CheckArgs) -> Done {
    for key in &args.keys {
        let known = client.get(&format!("/v1/check?key={}", query(key)))?;
        crate::say!("{}", if args.json { known.to_string() } else { sentence(&known) });
    }
    Ok(ExitCode::SUCCESS)
}

fn sentence(known: &Value) -> String {
    let word = |v: &Value| v.as_str().unwrap_or("").to_owned();
    let key = word(&known["key"]);
    if known["blocked"] == true {
        let case = &known["case"];
        return format!(
            "{key} is blocked until {} ({}, case {}). Why: mailward explain {key}",
            word(&case["until"]),
            word(&case["reason"]),
            word(&case["case"])
        );
    }
    let shadow = if known["shadow"].is_null() { "" } else { " It would be, if its rule were enforced." };
    let protected = if known["protected"] == true { " It is on the protected list." } else { "" };
    if known["conduct"].is_array() {
        return format!("{key} is not blocked.{shadow}{}", conduct(&known["conduct"]));
    }
    format!("{key} is not blocked; class {}.{shadow}{protected}", word(&known["class"]))
}

/// What is listed of a domain's conduct.
fn conduct(entries: &Value) -> String {
    let all = entries.as_array().into_iter().flatten();
    let told = all.filter_map(|entry| Some((entry["what"].as_str()?, entry["until"].as_str()?)));
    told.map(|(what, until)| format!(" It is listed for information: it {what} (until {until}).")).collect()
}

pub(crate) fn explain(client: &Client, args: &ExplainArgs) -> Done {
    let key = match (&args.key, &args.log) {
        (Some(key), _) => key.clone(),
        (None, Some(line)) => {
            super::log_line::client_in(line).ok_or_else(|| Failed::Usage(NO_CLIENT.to_owned()))?
        }
        (None, None) => String::new(),
    };
    let mut told = client.get(&format!("/v1/explain?key={}", query(&key)))?;
    let text = told.as_object_mut().and_then(|fields| fields.remove("text")).unwrap_or_default();
    crate::say!(
        "{}",
        if args.json { told.to_string() } else { text.as_str().unwrap_or("").trim_end().to_owned() }
    );
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn unblock(client: &Client, args: &UnblockArgs) -> Done {
    let wish =
        Wish::Unblock { target: args.target.clone(), error: args.error, because: args.because.clone() };
    let done = order(client, &wish)?;
    crate::say!("Lifted: {}.", names(&done["cases"]));
    for entry in done["conduct"].as_array().into_iter().flatten() {
        crate::say!("Taken off the list of domains: it {}.", entry["what"].as_str().unwrap_or(""));
    }
    if let Some(key) = done["still"]["key"].as_str() {
        crate::say!("It is still blocked, with {key} around it: mailward unblock {key} --because \"…\"");
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

fn names(cases: &Value) -> String {
    let names: Vec<&str> =
        cases.as_array().into_iter().flatten().filter_map(|c| c["case"].as_str()).collect();
    if names.is_empty() { "nothing was in force".to_owned() } else { names.join(", ") }
}

pub(crate) fn protect(client: &Client, what: &ProtectCommand) -> Done {
    match what {
        ProtectCommand::List { json } => print_protected(&client.get("/v1/protected")?, *json),
        ProtectCommand::Add { prefix } => {
            let done = order(client, &Wish::Protect { prefix: prefix.clone(), on: true })?;
            crate::say!("{prefix} is protected. Lifted: {}.", names(&done["cases"]));
        }
        ProtectCommand::Remove { prefix } => {
            order(client, &Wish::Protect { prefix: prefix.clone(), on: false })?;
            crate::say!("{prefix} is no longer protected by command.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_protected(listed: &Value, json: bool) {
    if json {
        return crate::say!("{listed}");
    }
    for prefix in listed.as_array().into_iter().flatten() {
        crate::say!("{}", prefix.as_str().unwrap_or(""));
    }
}

pub(crate) fn list(client: &Client, args: &ListArgs) -> Done {
    let mode = if args.shadow { "shadow" } else { "live" };
    let cases = client.get(&format!("/v1/list?mode={mode}&all={}", args.all))?;
    if args.json {
        crate::say!("{cases}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["case", "key", "reason", "kind", "until", "units"]);
    for case in cases.as_array().into_iter().flatten() {
        let cell = |name: &str| case[name].as_str().unwrap_or("").to_owned();
        table.add_row(["case", "key", "reason", "kind", "until", "units"].map(cell));
    }
    crate::say!("{table}");
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn show(client: &Client, args: &ShowArgs) -> Done {
    let case = client.get(&format!("/v1/case/{}", query(&args.case)))?;
    if args.json {
        crate::say!("{case}");
        return Ok(ExitCode::SUCCESS);
    }
    for (name, value) in case.as_object().into_iter().flatten().filter(|(name, _)| *name != "exhibits") {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        crate::say!("{name:<12} {text}");
    }
    for (number, exhibit) in (1..).zip(case["exhibits"].as_array().into_iter().flatten()) {
        crate::say!("\nMessage {number}, for your eyes only:");
        say_exhibit(exhibit);
    }
    Ok(ExitCode::SUCCESS)
}

/// One message with its envelope and header, as the operator may see it for a week.
fn say_exhibit(exhibit: &Value) {
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str| exhibit[name].as_array().cloned().unwrap_or_default();
    crate::say!("  from    <{}>", words(&exhibit["sender"]));
    list("recipients").iter().for_each(|to| crate::say!("  to      <{}>", words(to)));
    for said in list("opinions") {
        crate::say!(
            "  judge   {} says {} {}",
            words(&said["source"]),
            words(&said["judgement"]),
            said["score"]
        );
    }
    for file in list("attachments") {
        crate::say!(
            "  file    {} ({}) {}",
            words(&file["name"]),
            words(&file["kind"]),
            words(&file["fault"])
        );
    }
    list("header").iter().for_each(|line| crate::say!("  | {}", words(line)));
}

pub(crate) fn panic(client: &Client, args: &PanicArgs) -> Done {
    let done = order(client, &Wish::Panic { seconds: seconds(&args.since)? })?;
    let count = done["cases"].as_array().map_or(0, Vec::len);
    crate::say!("{count} automatic blocks of the last {} lifted. Stop new ones: mailward learn", args.since);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn clock(client: &Client, args: &ClockArgs) -> Done {
    let done = order(client, &Wish::Advance { seconds: seconds(&args.advance)? })?;
    crate::say!("{}", done["now"].as_str().unwrap_or(""));
    Ok(ExitCode::SUCCESS)
}
