//! Blocks by hand, their records, and the tables of networks.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::client::Client;
use super::operate::{order, seconds};
use super::{Done, Failed, load};
use crate::daemon::control::{BlockWish, Wish};

/// When somebody looks at a record again, where nothing else is said.
const REVIEW: &str = "90 d";

#[derive(Args)]
pub(crate) struct BlockArgs {
    /// An address, a prefix, or a domain of senders.
    key: String,
    /// In which way.
    #[arg(long, default_value = "rbl")]
    kind: Kind,
    /// How long, such as `6 h` or `2 d`.
    #[arg(long = "for", value_name = "SPAN", required_unless_present = "record", conflicts_with = "record")]
    lasts: Option<String>,
    /// Why, for the record; not public.
    #[arg(long)]
    because: String,
    /// Let servers inside through that sent good mail.
    #[arg(long)]
    spare_good: bool,
    /// Block a network whatever good mail is lost by it.
    #[arg(long)]
    even_so: bool,
    /// Keep a record of it (curated): `new`, or the number of one that is entered again.
    #[arg(long, value_name = "C-NNNN")]
    record: Option<String>,
    /// An item of evidence for the record; not public.
    #[arg(long, value_name = "TEXT", requires = "record")]
    evidence: Vec<String>,
    /// The record needs no evidence: you decided so.
    #[arg(long, requires = "record")]
    operator_decision: bool,
    /// When somebody looks at the record again; 14 days later the block ends [default: 90 d].
    #[arg(long, value_name = "SPAN", requires = "record")]
    review: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Mail is refused with a link.
    Rbl,
    /// Packets are dropped.
    NullRoute,
}

#[derive(Subcommand)]
pub(crate) enum NetworksCommand {
    /// Networks with many blocked servers that only you may block, and records to be reviewed.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read the tables of networks and countries again.
    Reload,
    /// Read the tables and report the first mistake; asks no daemon.
    Check,
}

impl BlockArgs {
    fn wish(&self) -> Result<BlockWish, Failed> {
        let kind = match self.kind {
            Kind::Rbl => "rbl",
            Kind::NullRoute => "null-route",
        };
        let span = self.lasts.as_deref().or(self.review.as_deref()).unwrap_or(REVIEW);
        Ok(BlockWish {
            key: self.key.clone(),
            kind: kind.to_owned(),
            seconds: seconds(span)?,
            because: self.because.clone(),
            even_so: self.even_so,
            spare_good: self.spare_good,
            record: self.record.clone(),
            evidence: self.evidence.clone(),
            operator_decision: self.operator_decision,
        })
    }
}

pub(crate) fn block(client: &Client, args: &BlockArgs) -> Done {
    let done = order(client, &Wish::Block(args.wish()?))?;
    let case = &done["cases"][0];
    let word = |name: &str| case[name].as_str().unwrap_or("");
    crate::say!("{} is blocked until {} (case {}).", word("key"), word("until"), word("case"));
    if let Some(record) = case["record"].as_str() {
        crate::say!("Record {record}, {} earlier entries.", case["earlier_entries"]);
    }
    if let Some(price) = done["price"].as_str().filter(|price| !price.starts_with("0 ")) {
        crate::say!("What is blocked sent {price}.");
    }
    if done["mode"] == "learn" {
        crate::say!("The site is learning: nothing is refused until `mailward enforce`.");
    }
    crate::say!("Undo: mailward unblock {} --because \"…\"", word("case"));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn networks(
    config: &Path,
    client: &dyn Fn() -> Result<Client, Failed>,
    what: &NetworksCommand,
) -> Done {
    match what {
        NetworksCommand::List { json } => list(&client()?.get("/v1/status")?["engine"]["networks"], *json),
        NetworksCommand::Reload => {
            let done = order(&client()?, &Wish::Tables)?;
            say_size(&done["systems"], &done["countries"]);
        }
        NetworksCommand::Check => {
            let config = load(config)?;
            let (systems, countries) = config.tables();
            let (systems, countries) =
                crate::atlas::read(systems, countries).map_err(|error| error.to_string())?.len();
            say_size(&systems.into(), &countries.into());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn say_size(systems: &Value, countries: &Value) {
    crate::say!("{systems} ranges of AS numbers, {countries} of countries.");
}

fn list(told: &Value, json: bool) {
    if json {
        return crate::say!("{told}");
    }
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for p in told["proposals"].as_array().into_iter().flatten() {
        crate::say!(
            "{} has {} blocked servers and is not blocked: {} ({} good messages in 30 days, {} good servers).",
            word(&p["network"]),
            p["blocked"],
            word(&p["why"]),
            p["good_messages"],
            p["good_servers"]
        );
    }
    for system in told["systems"].as_array().into_iter().flatten() {
        crate::say!("AS{system} has many blocked servers for its size.");
    }
    for due in told["records_due"].as_array().into_iter().flatten() {
        crate::say!("Record {} is due for review (case {}).", word(&due["record"]), word(&due["case"]));
    }
}
